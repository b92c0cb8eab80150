"""The reproduction in a terminal: all that counts against the bar, in words."""

from __future__ import annotations

import io

import pandas as pd
from rich.console import Console

from flows.reproduction_view import print_differing, print_selection

_NAN = float("nan")


def _console() -> Console:
    return Console(file=io.StringIO(), width=240)


def _said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _effects(*verdicts: str) -> pd.DataFrame:
    row = {"outcome": "dfs", "analysis": "univariate", "variable": "ras_braf", "level": "braf_mutated"}
    row |= {"estimate": "1.62", "ci_low": "0.65", "ci_high": "3.98", "p_value": "0.30"}
    ours = {"ours_estimate": 1.66, "ours_ci_low": 0.72, "ours_ci_high": 3.8, "ours_p_value": 0.232}
    rows = [row | (dict.fromkeys(ours, _NAN) if v.startswith("not computed") else ours) | {"verdict": v} for v in verdicts]
    return pd.DataFrame(rows)


def test_what_was_not_computed_is_listed_beside_what_differs_with_its_reason():
    console = _console()
    print_differing(_effects("reproduced", "differs", "misprint (x)", "not computed (said why)"), console)
    said = _said(console)

    assert "Effects not reproduced: 2" in said
    assert "1.66 (0.72–3.80) P 0.23" in said
    assert "not computed (said why)" in said
    assert said.count("RAS and BRAF status (BRAF mutated)") == 2
    assert "nan" not in said


def test_more_than_are_shown_are_counted():
    console = _console()
    print_differing(_effects(*["differs"] * 14), console)

    assert "… and 2 more, in effects.csv" in _said(console)


def test_nothing_to_list_prints_nothing():
    console = _console()
    print_differing(_effects("reproduced", "misprint (x)"), console)

    assert _said(console) == ""


def test_where_only_the_terms_differ_the_selection_says_which():
    row = {"population": "overall", "outcome": "dfs", "published": "primary_resected", "ours": "primary_resected"}
    console = _console()
    print_selection(pd.DataFrame([row | {"terms": "only here: presurgery_lesions", "agree": False}]), console, with_print=True)

    assert "Primary tumour resected at baseline" in _said(console)
    assert "differs only here: Pre-surgery number of lesions (per lesion)" in _said(console)
