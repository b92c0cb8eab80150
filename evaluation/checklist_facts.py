"""What a run knows of itself, as short texts that fill the checklists. An empty text is what it does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd

from cohort.types import EVIDENCE_LABELS
from evaluation.figures import endpoint_label, feature_set_label, model_label
from evaluation.report_methods import MISSING_HANDLING
from evaluation.report_sample_size import sample_size_view

if TYPE_CHECKING:
    from evaluation.report import ReportData

#: Events, and patients known to be without, that an evaluation should have (Vergouwe et al. 2005; Collins et al. 2016).
_ENOUGH_TO_EVALUATE = 100


def checklist_facts(data: ReportData) -> dict[str, str]:
    """All names that the checklists may ask for."""
    board = data.leaderboard
    settings = {
        name: str(data.settings.get(name, "")) for name in ("n_folds", "n_repeats", "n_trials", "n_inner_folds", "n_bootstraps")
    }
    return settings | {
        "cohort": data.cohort_title,
        "digest": data.digest,
        "evidence": EVIDENCE_LABELS[data.evidence],
        "citation": data.citation,
        "populations": "; ".join(f"{p.label}: {p.n_patients} patients" for p in data.description.populations),
        "endpoints": "; ".join(_named(board, "endpoint", endpoint_label)),
        "events": _events(data),
        "follow_up": _follow_up(data),
        "models": "; ".join(_named(board, "model", model_label)),
        "n_models": str(board.loc[board["feature_set"] != "none", "model"].nunique()),
        "feature_sets": "; ".join(_named(board[board["feature_set"] != "none"], "feature_set", feature_set_label)),
        "verdicts": " ".join(f"{v.question}: {v.headline.partition(':')[0]}." for v in data.verdicts),
        "n_warnings": str(len(data.warnings)),
        "software": ", ".join(f"{name} {version}" for name, version in data.provenance.items() if name in _SOFTWARE),
        **_missing(data),
        **_sizes(data),
        **_suggestions(data),
    }


_SOFTWARE = ("version", "code", "scikit-learn", "scikit-survival", "xgboost", "optuna", "pandas", "numpy")


def _named(board: pd.DataFrame, column: str, label: Callable[[str], str]) -> list[str]:
    return [label(str(name)) for name in board[column].unique()]


def _events(data: ReportData) -> str:
    if not data.description.populations:
        return ""
    events = data.description.populations[0].events
    rows = events[events["endpoint"].isin(data.leaderboard["endpoint"])]
    told = [f"{r['label'].lower()}, by {r['horizon_months']:g} months: {r['n_events']} of {r['n']}" for _, r in rows.iterrows()]
    return f"Events among {data.description.populations[0].label.lower()}: {'; '.join(told)}." if told else ""


def _follow_up(data: ReportData) -> str:
    if not data.description.populations:
        return ""
    rows = data.description.populations[0].follow_up
    told = [f"{r['median']:.1f} months for {r['label'].lower()}" for _, r in rows.iterrows() if pd.notna(r["median"])]
    return f"median (reverse Kaplan-Meier) {', '.join(told)}" if told else ""


def _missing(data: ReportData) -> dict[str, str]:
    found = data.before_fitting.missingness
    complete = [f"{m.n_complete} of {m.n_patients} ({m.label.lower()})" for m in found]
    handling = MISSING_HANDLING.get(str(data.settings.get("missing", "")), "")
    return {"complete": f"Patients with all predictors: {', '.join(complete)}." if complete else "", "missing_handling": handling}


def _sizes(data: ReportData) -> dict[str, str]:
    view = sample_size_view(data.sample_size)
    events = _fewest(data)
    fewest = f"fewest events by a horizon {events[0]}, fewest patients known to be without {events[1]}" if events else ""
    return {"sample_size": view.sentence if view else "", "fewest": fewest}


def _fewest(data: ReportData) -> tuple[int, int] | None:
    used = set(data.leaderboard["population"])
    events = [p.events for p in data.description.populations if p.name in used]
    tables = [table[table["endpoint"].isin(data.leaderboard["endpoint"])] for table in events]
    rows = pd.concat(tables) if tables else pd.DataFrame()
    return None if rows.empty else (int(rows["n_events"].min()), int(rows["n_event_free"].min()))


def _suggestions(data: ReportData) -> dict[str, str]:
    """Answers to PROBAST+AI that depend on the run: Y, PY, PN, N, NI."""
    planned = data.sample_size[data.sample_size["note"] == ""] if len(data.sample_size) else data.sample_size
    fewest = _fewest(data)
    gaps = any(not m.predictors.empty for m in data.before_fitting.missingness)
    by_method = {"single": "PN", "multiple": "PY", "complete_case": "N"}.get(str(data.settings.get("missing", "")), "NI")
    groups = sum(d.n_groups for d in data.before_fitting.audit.duplicates)
    looked = bool(data.before_fitting.audit.duplicates)
    return {
        "source_suggestion": "NI" if data.evidence == "real" else "N",
        "size_suggestion": "NI" if planned.empty else "PY" if (planned["n"] >= planned["n_required"]).all() else "PN",
        "evaluation_size_suggestion": "NI" if fewest is None else "PY" if min(fewest) >= _ENOUGH_TO_EVALUATE else "PN",
        "missing_suggestion": "NI" if not data.before_fitting else by_method if gaps else "Y",
        "leak_suggestion": "NI" if not looked else "PN" if groups else "PY",
        "duplicates": f"Groups of patients with the same predictors: {groups}." if looked else "",
    }
