"""The external validation as one self-contained HTML page: where from and where to, what was found, how the patients differ.

Aggregates only. What the page says is computed here, where tests can ask.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd

from cohort.types import EVIDENCE_LABELS, Cohort, Evidence
from evaluation import figures
from evaluation.comparison import MEASURES
from evaluation.decision_curve import useful_in_words
from evaluation.external_validation import FROZEN, UPDATES
from evaluation.figures import data_uri, feature_set_label, interval_text, p_text, question_label
from evaluation.report import anchor, template
from evaluation.report_case_mix import case_mix_views
from evaluation.report_methods import flat_settings
from evaluation.report_summary import CellKey, cell_key, cell_name
from evaluation.report_tables import (
    Footnotes,
    ResultTable,
    Shown,
    TableGroup,
    by_rank,
    note_text,
    result_tables,
    table_at_primary,
)
from evaluation.tables import of_question, questions
from evaluation.validation_summary import summarise_validation

#: What an update can change.
_UPDATED_METRICS = ("brier", "scaled_brier", "calibration_intercept", "calibration_slope", "o_e", "ici")

METHODS = (
    "Every model learned from all patients of the training cohort, with the predictors that both cohorts record under"
    " one definition and that are known in time; imputing, encoding, selecting and tuning happened there. It was then"
    " frozen, and asked for the risk of every patient of the test cohort.",
    "Frozen risks are the model's own. Recalibrated risks were updated by logistic recalibration at the horizon"
    " (intercept only; intercept and slope), learned by cross-fitting in the test cohort, so that nobody is judged by"
    " an update that saw him; patients weigh by the inverse probability of censoring. The null model carries the"
    " training cohort's Kaplan-Meier risk over, and is updated alike, by its intercept only, for it has one risk.",
    "Intervals are 95% percentile intervals over resamples of the test cohort's patients, the models and the updates"
    " held fixed: they speak of these models in such patients. After an update ranks are compared inside its folds"
    " only, where risks come from one update; the order that counts is the frozen model's.",
    "Differences to the null model are paired (same patients, same resamples); P is of the normal test with the"
    " bootstrap's standard deviation, corrected by Holm over the models of a question. Brier skill: the share of the"
    " null model's Brier score that the model takes away.",
    "Case mix: standardised mean differences with the interval of Hedges and Olkin; Kaplan-Meier risks with"
    " Greenwood's error; the membership model is a logistic regression that tells the cohorts' patients apart by the"
    " shared predictors, its C statistic cross-validated (Debray et al. 2015).",
)

_CAVEATS: dict[Evidence, str] = {
    "reconstructed": "That a model of it does or does not hold in other patients says nothing of the patients that the published"
    " numbers were about, and nothing on this page is clinical evidence.",
    "simulated": "Nothing on this page is clinical evidence.",
}


@dataclass(frozen=True)
class CohortOfPage:
    """What the page says of a cohort."""

    name: str
    title: str
    evidence: Evidence
    citation: str
    digest: str
    n_patients: int

    @classmethod
    def of(cls, cohort: Cohort) -> Self:
        return cls(cohort.name, cohort.title, cohort.evidence, cohort.citation, cohort.digest, len(cohort))

    @property
    def evidence_label(self) -> str:
        return EVIDENCE_LABELS[self.evidence]

    @property
    def caveat(self) -> str:
        """Empty for real patients."""
        return _CAVEATS.get(self.evidence, "")


@dataclass(frozen=True, eq=False)
class ValidationData:
    """What the page is made of.

    boards : by update, :func:`evaluation.tables.leaderboard` of its cells.
    metrics : :func:`evaluation.tables.metrics_table` of all, with a column ``update``.
    comparisons : :func:`evaluation.external_validation.compare_with_null` of all questions.
    case_mix : :func:`evaluation.case_mix.case_mix` of all populations.
    used : the shared predictors by (population, feature set). dropped : population, feature_set, predictor, reason.
    figures : calibration and net benefit (PNG) by (population, endpoint, feature_set, model). decision_curves : by the same,
        with a column ``update``.
    """

    train: CohortOfPage
    test: CohortOfPage
    boards: Mapping[str, pd.DataFrame]
    metrics: pd.DataFrame
    comparisons: pd.DataFrame
    case_mix: pd.DataFrame
    dropped: pd.DataFrame
    used: Mapping[tuple[str, str], tuple[str, ...]]
    settings: Mapping[str, object]
    provenance: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    figures: Mapping[CellKey, tuple[bytes, ...]] = field(default_factory=dict)
    decision_curves: Mapping[CellKey, pd.DataFrame] = field(default_factory=dict)


def render_validation(data: ValidationData) -> str:
    """The page as HTML: no script, no link to anything outside."""
    return template("validation.html.j2").render(
        data=data,
        cohorts=(("Learned from", data.train), ("Judged in", data.test)),
        sections=[_section(data, *question) for question in questions(data.boards[FROZEN])],
        case_mix=case_mix_views(data.case_mix, data.used, data.dropped),
        methods=METHODS,
        settings=list(flat_settings(data.settings)),
    )


@dataclass(frozen=True)
class ComparedRow:
    model: str
    features: str
    numbers: tuple[Shown, ...]
    p_values: tuple[str, ...]


@dataclass(frozen=True)
class NullComparison:
    """``heads``: what each column compares."""

    heads: tuple[str, ...]
    rows: tuple[ComparedRow, ...]
    footnotes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CellView:
    title: str
    images: tuple[str, ...]
    net_benefit: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A question: one endpoint in one population."""

    anchor: str
    heading: str
    facts: str
    sentences: tuple[str, ...]
    frozen: ResultTable
    more_frozen: tuple[TableGroup, ...]
    updated: tuple[ResultTable, ...]
    comparison: NullComparison | None
    discrimination: str
    calibration: str
    cells: tuple[CellView, ...]


def _section(data: ValidationData, endpoint: str, population: str) -> Section:
    boards = {kind: of_question(board, endpoint, population) for kind, board in data.boards.items()}
    metrics = of_question(data.metrics, endpoint, population)
    compared = of_question(data.comparisons, endpoint, population)
    frozen, more = result_tables(boards[FROZEN], metrics[metrics["update"] == FROZEN])
    updated = tuple(
        table_at_primary(label, _UPDATED_METRICS, boards[kind], metrics[metrics["update"] == kind])
        for kind, label in UPDATES.items()
        if kind != FROZEN
    )
    board = boards[FROZEN]
    known = board[board["horizon_months"].notna()]
    return Section(
        anchor=anchor(endpoint, population),
        heading=question_label(endpoint, population),
        facts="No cell was completed."
        if known.empty
        else f"{int(known.iloc[0]['n'])} patients of the test cohort, {int(known.iloc[0]['n_events'])} with the event by"
        f" {known.iloc[0]['horizon_months']:g} months.",
        sentences=summarise_validation(boards, compared, data.decision_curves),
        frozen=frozen,
        more_frozen=more,
        updated=updated,
        comparison=_null_comparison(board, compared),
        discrimination=data_uri(figures.png(figures.discrimination_figure(data.boards[FROZEN], endpoint, population))),
        calibration=data_uri(figures.png(figures.calibration_figure(data.boards[FROZEN], endpoint, population, elsewhere=True))),
        cells=tuple(_cells(data, board)),
    )


def _null_comparison(board: pd.DataFrame, compared: pd.DataFrame) -> NullComparison | None:
    if compared.empty:
        return None
    footnotes = Footnotes()
    columns = list(compared[["update", "metric"]].drop_duplicates().itertuples(index=False, name=None))
    rows = []
    for _, cell in by_rank(board).iterrows():
        of_cell = compared[(compared["feature_set"] == cell["feature_set"]) & (compared["model"] == cell["model"])]
        if of_cell.empty:
            continue
        by_column = {(row["update"], row["metric"]): row for _, row in of_cell.iterrows()}
        found = [by_column.get(column) for column in columns]
        rows.append(
            ComparedRow(
                figures.model_label(cell["model"]),
                feature_set_label(cell["feature_set"]),
                tuple(_difference(row, footnotes) for row in found),
                tuple("" if row is None else p_text(float(row["p_holm"])) for row in found),
            )
        )
    labels = {measure.name: measure.label for measures in MEASURES.values() for measure in measures}
    heads = tuple(f"{labels[metric]}, {UPDATES[update].lower()}" for update, metric in columns)
    return NullComparison(heads, tuple(rows), footnotes.items())


def _difference(row: pd.Series | None, footnotes: Footnotes) -> Shown:
    if row is None or not np.isfinite(row["difference"]):
        return Shown("–", mark=footnotes.mark("not estimable: the model could not be recalibrated, or has no such metric"))
    note = note_text(row["note"])
    mark = footnotes.mark(note) if note else ""
    return Shown(figures.signed(row["difference"], 3), interval_text(row["ci_low"], row["ci_high"], 3), mark)


def _cells(data: ValidationData, board: pd.DataFrame) -> Iterator[CellView]:
    for _, cell in by_rank(board).iterrows():
        key = cell_key(cell)
        drawn, curves = data.figures.get(key, ()), data.decision_curves.get(key)
        if drawn:
            told = []
            if curves is not None:
                by_update = {kind: curves[curves["update"] == kind] for kind in UPDATES}
                told = [f"{UPDATES[k]}: {useful_in_words(c)}." for k, c in by_update.items() if len(c)]
            yield CellView(cell_name(cell), tuple(data_uri(png) for png in drawn), tuple(told))
