"""The report's section on what the models look at, as text for the template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from evaluation.explanation.attribution import SMALLEST_GROUP
from evaluation.explanation.cell import DEPENDENCE, IMPORTANCE, NOMOGRAM, SHAP, CellExplanation
from evaluation.explanation.figures import MOST_SHOWN
from evaluation.explanation.observer import TOP
from evaluation.figures import question_label, signed, variable_label
from evaluation.report_summary import CellKey, cell_key, cell_name
from evaluation.report_tables import by_rank
from evaluation.tables import of_question, questions

NOTES: tuple[str, ...] = (
    "Importance is what a model makes of a predictor, never what the predictor does to a patient: it is not causation, and says"
    " nothing of treating it. A model that does not discriminate has no importance to speak of.",
    "Fall in AUC and rise in Brier score: each predictor's values, all its encoded columns together, are shuffled among the test"
    " patients of a fold, whom the fold's model never saw. Intervals are those of the corrected resampled t test (Nadeau and"
    " Bengio 2003) over test folds, one predictor at a time, without correction for their number. Predictors that can stand in"
    " for each other share what they carry, and each loses little. Ranks are the 5th to 95th percentile over single folds.",
    "SHAP values (Lundberg et al. 2020) of test patients are exact, along the trees' own paths or by the regression's formula,"
    " and add up to the prediction: to the risk for a forest, to the logit or the log hazard for others. Bands are quantiles over"
    f" groups of patients; groups below {SMALLEST_GROUP} patients are not shown.",
    f"Partial dependence: the mean risk of test patients, were they all to have one value, for the {TOP} predictors with the"
    " largest mean fall in AUC; bands are the 5th to 95th percentile of fold models in the first repeat.",
    "Formula and nomogram are of the fit on all patients, without shrinkage: what they promise in these patients is too good. A"
    " nomogram's axes reach from the 5th to the 95th percentile of a number.",
)
_ALT = {
    IMPORTANCE: "Fall in AUC and rise in Brier score when each predictor is shuffled, with 95% intervals",
    SHAP: "Quantiles of SHAP values by group of each predictor's values",
    DEPENDENCE: "Mean predicted risk by value of each of the top predictors",
    NOMOGRAM: "Nomogram of the regression fitted on all patients; its formula is below",
}


@dataclass(frozen=True)
class ImportanceRow:
    predictor: str
    auc: str
    brier: str
    rank: str
    shap_share: str


@dataclass(frozen=True)
class ExplainedCell:
    """``images``: (PNG, what it shows)."""

    title: str
    sentences: tuple[str, ...]
    rows: tuple[ImportanceRow, ...]
    more_rows: int
    images: tuple[tuple[bytes, str], ...]
    formula: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ExplanationView:
    """``questions``: heading, cells."""

    questions: tuple[tuple[str, tuple[ExplainedCell, ...]], ...]
    notes: tuple[str, ...] = NOTES


def explanation_view(board: pd.DataFrame, explanations: Mapping[CellKey, CellExplanation]) -> ExplanationView | None:
    """The section, or None where no model was explained."""
    found = []
    for endpoint, population in questions(board):
        rows = [row for _, row in by_rank(of_question(board, endpoint, population)).iterrows()]
        cells = [_cell(row, explanations[cell_key(row)]) for row in rows if cell_key(row) in explanations]
        if cells:
            found.append((question_label(endpoint, population), tuple(cells)))
    return ExplanationView(tuple(found)) if found else None


def _cell(row: pd.Series, explanation: CellExplanation) -> ExplainedCell:
    table = explanation.importance
    of_auc = table[table["metric"] == "auc"]
    return ExplainedCell(
        title=cell_name(row),
        sentences=tuple(_sentences(row, of_auc)),
        rows=tuple(_rows(of_auc.head(MOST_SHOWN), table[table["metric"] == "brier"], explanation.shap)),
        more_rows=max(len(of_auc) - MOST_SHOWN, 0),
        images=tuple((image, _ALT[name]) for name, image in explanation.images.items()),
        formula=explanation.formula,
        notes=explanation.notes,
    )


def _sentences(row: pd.Series, of_auc: pd.DataFrame) -> Iterator[str]:
    if not row["auc_ci_low"] > 0.5:
        yield "The model is not shown to discriminate (its AUC's interval does not lie above 0.5): there is little to explain."
    known = of_auc[of_auc["ci_low"].notna() & (of_auc["ci_high"] > of_auc["ci_low"])]  # all 0 where no fold's model uses it
    if known.empty:
        yield "No fold's model leans on a predictor, or no interval of a fall in AUC could be estimated."
        return
    above = known[known["ci_low"] > 0]
    by_chance = f"of {len(known)} such intervals, up to {0.025 * len(known):.1f} on average would lie above 0 by chance"
    if above.empty:
        yield f"No predictor is shown to matter: every interval of the fall in AUC includes 0, or lies below it ({by_chance})."
        return
    names = ", ".join(variable_label(name) for name in above["predictor"])
    yield (
        f"The fall in AUC has an interval above 0 for {len(above)} of {len(known)} predictors: {names} ({by_chance}). For all"
        " others it includes 0, or lies below: they are not shown to matter."
    )


def _rows(of_auc: pd.DataFrame, of_brier: pd.DataFrame, shap: pd.DataFrame) -> Iterator[ImportanceRow]:
    brier = of_brier.set_index("predictor")
    share = shap.drop_duplicates("predictor").set_index("predictor")["share"] if len(shap) else pd.Series(dtype="float64")
    for _, row in of_auc.iterrows():
        name = row["predictor"]
        yield ImportanceRow(
            predictor=variable_label(name),
            auc=_interval(row, 3),
            brier=_interval(brier.loc[name], 4),
            rank=f"{row['rank']:g} ({row['rank_low']:.0f} to {row['rank_high']:.0f})",
            shap_share=f"{share[name]:.0%}" if name in share.index else "–",
        )


def _interval(row: pd.Series, decimals: int) -> str:
    value, low, high = (signed(float(row[name]), decimals) for name in ("importance", "ci_low", "ci_high"))
    return f"{value} ({low} to {high})" if pd.notna(row["ci_low"]) else f"{value} (no interval: fewer than two folds)"
