"""The report's comparison tables: each model against the null model, the paper's, the scores, and itself on baseline features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cohort.types import ENDPOINTS
from evaluation.comparison import MEASURES, PAPER_MODEL, Comparison, Measure
from evaluation.figures import feature_set_label, interval_text, model_label, p_text, signed
from evaluation.predictions import NO_FEATURES
from evaluation.report_tables import Footnotes, by_rank, note_text

COMPARISON_NOTES: tuple[str, ...] = (
    "Differences are positive where the model is better, in the same patients and resamples. P values are corrected by Holm over"
    " the models of a column, the uncorrected one below; intervals are not corrected.",
    "P values are two-sided, from the corrected resampled t test of the differences in single test folds (Nadeau and Bengio"
    " 2003): it allows for training sets that overlap, and has little power with few folds. The interval holds the predictions"
    " fixed, so that the two need not agree.",
    "Practical gain: the share of resamples in which the difference exceeds what is of no consequence (0.02 in AUC or C, 0.01 in"
    " Brier skill). Brier skill is 1 less the Brier score over the null model's. DeLong's interval is given where nobody is"
    " censored before the horizon.",
    "The best published score is the one that does best by this metric in these patients, so the choice favours the scores.",
)

_SHORT: dict[Comparison, str] = {
    "null_model": "Against the null model",
    "paper_model": "Against {paper}, same features",
    "published_score": "Against the best published score, same features",
    "added_information": "Against itself on baseline features",
}
#: Comparisons that share a table, and what its caption adds.
_TOGETHER: tuple[tuple[tuple[Comparison, ...], str], ...] = (
    (("null_model", "paper_model"), ""),
    (("published_score",), ", less the published score"),
    (("added_information",), ", pre-surgery less baseline features"),
)


@dataclass(frozen=True)
class Compared:
    """One comparison as printed; all empty where it is not made."""

    difference: str = ""
    interval: str = ""
    delong: str = ""
    p_holm: str = ""
    p_value: str = ""
    practical: str = ""
    mark: str = ""


@dataclass(frozen=True)
class ComparisonRow:
    model: str
    features: str
    compared: tuple[Compared, ...]


@dataclass(frozen=True)
class ComparisonTable:
    caption: str
    heads: tuple[str, ...]
    rows: tuple[ComparisonRow, ...]
    footnotes: tuple[tuple[str, str], ...]


def comparison_tables(board: pd.DataFrame, comparisons: pd.DataFrame) -> Iterator[ComparisonTable]:
    """Tables of each metric, that which the verdict judges by first; models in the order of the leaderboard."""
    if comparisons.empty:
        return
    endpoint = ENDPOINTS[str(comparisons["endpoint"].iloc[0])]
    horizon = float(comparisons["horizon_months"].iloc[0])
    for measure in MEASURES[endpoint.kind]:
        rows = comparisons[comparisons["metric"] == measure.name]
        for together, of in _TOGETHER:
            made = [name for name in together if (rows["comparison"] == name).any()]
            if made:
                footnotes = Footnotes()
                lines = tuple(_rows(by_rank(board), rows, made, measure, footnotes))
                heads = tuple(_SHORT[name].format(paper=model_label(PAPER_MODEL[endpoint.kind])) for name in made)
                caption = f"Differences in {measure.label} at {horizon:g} months{of}: estimate (95% CI)"
                yield ComparisonTable(caption, heads, lines, footnotes.items())


def _rows(
    board: pd.DataFrame, rows: pd.DataFrame, made: list[Comparison], measure: Measure, footnotes: Footnotes
) -> Iterator[ComparisonRow]:
    by_key = {(row["feature_set"], row["model"], row["comparison"]): row for _, row in rows.iterrows()}
    for _, cell in board[board["feature_set"] != NO_FEATURES].iterrows():
        own = [by_key.get((cell["feature_set"], cell["model"], name)) for name in made]
        if any(row is not None for row in own):
            yield ComparisonRow(
                model_label(cell["model"]),
                feature_set_label(cell["feature_set"]),
                tuple(Compared() if row is None else _compared(row, measure, footnotes) for row in own),
            )


def _compared(row: pd.Series, measure: Measure, footnotes: Footnotes) -> Compared:
    decimals = 3 if measure.skill else 2
    note = note_text(row["note"])
    return Compared(
        difference=signed(row["difference"], decimals) if np.isfinite(row["difference"]) else "not estimable",
        interval=interval_text(row["ci_low"], row["ci_high"], decimals) or "no interval",
        delong=interval_text(row["delong_ci_low"], row["delong_ci_high"], decimals),
        p_holm=p_text(row["p_holm"], smallest=0.001) or "–",
        p_value=p_text(row["p_value"], smallest=0.001) or "–",
        practical=f"{row['probability_of_practical_gain']:.0%}" if np.isfinite(row["probability_of_practical_gain"]) else "–",
        mark=footnotes.mark(note) if note else "",
    )
