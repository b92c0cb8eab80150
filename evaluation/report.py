"""One self-contained HTML file with everything a reader has to know to judge a benchmark.

Aggregates only: nothing here sees a patient's row. The template lays out; what it says is computed here and in the
``report_*.py`` files beside, where tests can ask.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
import pandas as pd

from cohort.describe import CohortDescription
from cohort.types import EVIDENCE_LABELS, Evidence
from evaluation import figures
from evaluation.comparison import COMPARISON_COLUMNS
from evaluation.decision_curve import useful_in_words
from evaluation.explanation.cell import CellExplanation
from evaluation.figures import data_uri, endpoint_label, population_label, question_label
from evaluation.internal_external import INTERNAL_EXTERNAL_COLUMNS
from evaluation.leak_audit import FIELD_BEST_AUC
from evaluation.report_before_fitting import BeforeFitting, before_fitting_view
from evaluation.report_checklists import ANCHORS, checklists
from evaluation.report_comparisons import COMPARISON_NOTES, ComparisonTable, comparison_tables
from evaluation.report_explanation import explanation_view
from evaluation.report_internal_external import NOTES as CENTRE_NOTES
from evaluation.report_internal_external import internal_external_views
from evaluation.report_methods import HOW_TO_READ, flat_settings, methods
from evaluation.report_optimism import Resampled, optimism_view
from evaluation.report_patients import cohort_view
from evaluation.report_sample_size import sample_size_view
from evaluation.report_summary import CellKey, Summary, cell_key, cell_name, summarise
from evaluation.report_tables import ResultTable, TableGroup, by_rank, note_text, result_tables
from evaluation.sample_size_table import SAMPLE_SIZE_COLUMNS
from evaluation.tables import of_question, questions
from evaluation.verdict import CRITERIA, Verdict

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, eq=False)
class ReportData:
    """What a report is made of.

    leaderboard : one row a cell at its endpoint's primary horizon, :func:`evaluation.tables.leaderboard`.
    metrics : one row a cell, metric and horizon, :func:`evaluation.tables.metrics_table`.
    sample_size : one row a question, :func:`evaluation.sample_size_table.sample_size_table`; empty, the section is left out.
    settings : the configuration. provenance : code version, start, duration, library versions.
    warnings : findings of the leak audit, failures. skipped : what was not run, and why.
    cell_figures, decision_figures : PNG by (population, endpoint, feature_set, model).
    decision_curves : :func:`evaluation.decision_curve.decision_curve`, by the same.
    explanations : :func:`evaluation.explanation.cell.explain_cell`, by the same.
    comparisons : :func:`evaluation.comparison.compare_models` of all questions. verdicts : :func:`evaluation.verdict.judge`.
    before_fitting : gaps, duplicates and single predictors; empty, their part is left out.
    resampled : what the bootstrap of whole procedures gave; empty, the section is left out.
    internal_external : :func:`evaluation.internal_external.centre_table` of all cells; empty, the section is left out.
    """

    cohort_title: str
    cohort_name: str
    evidence: Evidence
    citation: str
    digest: str
    description: CohortDescription
    leaderboard: pd.DataFrame
    metrics: pd.DataFrame
    settings: Mapping[str, object]
    provenance: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    cell_figures: Mapping[CellKey, bytes] = field(default_factory=dict)
    sample_size: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=SAMPLE_SIZE_COLUMNS))
    decision_curves: Mapping[CellKey, pd.DataFrame] = field(default_factory=dict)
    decision_figures: Mapping[CellKey, bytes] = field(default_factory=dict)
    comparisons: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COMPARISON_COLUMNS))
    verdicts: tuple[Verdict, ...] = ()
    before_fitting: BeforeFitting = field(default_factory=BeforeFitting)
    resampled: Resampled = field(default_factory=Resampled)
    explanations: Mapping[CellKey, CellExplanation] = field(default_factory=dict)
    internal_external: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=INTERNAL_EXTERNAL_COLUMNS))

    def __post_init__(self) -> None:
        if self.evidence not in EVIDENCE_LABELS:
            raise ValueError(f"evidence is one of {', '.join(EVIDENCE_LABELS)}; got {self.evidence!r}")


def template(name: str) -> jinja2.Template:
    """A page's template: values are escaped, and one that is missing is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def render_report(data: ReportData) -> str:
    """The report as HTML: no script, no link to anything outside."""
    sections = [_section(data, endpoint, population) for endpoint, population in questions(data.leaderboard)]
    return template("report.html.j2").render(
        data=data,
        evidence_label=EVIDENCE_LABELS[data.evidence],
        sections=sections,
        verdicts=[(anchor(v.endpoint, v.population), v) for v in data.verdicts],
        criteria=CRITERIA,
        comparison_notes=COMPARISON_NOTES,
        how_to_read=HOW_TO_READ,
        methods=methods(data.settings),
        settings=list(flat_settings(data.settings)),
        cohort=cohort_view(data.description),
        sample_size=sample_size_view(data.sample_size),
        optimism=optimism_view(data.resampled),
        field_best_auc=FIELD_BEST_AUC,
        before_fitting=before_fitting_view(data.before_fitting),
        checklists=checklists(data),
        anchors=ANCHORS,
        explanation=explanation_view(data.leaderboard, data.explanations),
        internal_external=internal_external_views(data.internal_external),
        centre_notes=CENTRE_NOTES,
        image=data_uri,
    )


def write_report(data: ReportData, path: Path) -> None:
    """Render into ``path``; a reader never meets half a file."""
    text = render_report(data)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


# ---- a question: one endpoint in one population


@dataclass(frozen=True)
class CellFigure:
    title: str
    image: str
    note: str
    decision: str = ""
    net_benefit: str = ""


@dataclass(frozen=True)
class Section:
    anchor: str
    endpoint: str
    population: str
    heading: str
    facts: str
    summary: Summary
    comparisons: tuple[ComparisonTable, ...]
    table: ResultTable
    more_tables: tuple[TableGroup, ...]
    discrimination: str
    calibration: str
    cells: tuple[CellFigure, ...]


def _section(data: ReportData, endpoint: str, population: str) -> Section:
    board = of_question(data.leaderboard, endpoint, population)
    metrics = of_question(data.metrics, endpoint, population)
    table, more_tables = result_tables(board, metrics)
    return Section(
        anchor=anchor(endpoint, population),
        endpoint=endpoint_label(endpoint),
        population=population_label(population),
        heading=question_label(endpoint, population),
        facts=_facts(board),
        summary=summarise(board, metrics, data.decision_curves),
        comparisons=tuple(comparison_tables(board, of_question(data.comparisons, endpoint, population))),
        table=table,
        more_tables=more_tables,
        discrimination=data_uri(figures.png(figures.discrimination_figure(data.leaderboard, endpoint, population))),
        calibration=data_uri(figures.png(figures.calibration_figure(data.leaderboard, endpoint, population))),
        cells=tuple(_cell_figures(data, board)),
    )


def anchor(*names: str) -> str:
    return "-".join(re.sub(r"[^a-z0-9]+", "-", name.lower()) for name in names)


def _facts(board: pd.DataFrame) -> str:
    known = board[board["horizon_months"].notna()]
    if known.empty:
        return "No cell was completed."
    first = known.iloc[0]
    return f"{int(first['n'])} patients, {int(first['n_events'])} with the event by {first['horizon_months']:g} months."


def _cell_figures(data: ReportData, board: pd.DataFrame) -> Iterator[CellFigure]:
    for _, cell in by_rank(board).iterrows():
        key = cell_key(cell)
        png, decision, curve = data.cell_figures.get(key), data.decision_figures.get(key), data.decision_curves.get(key)
        if png is not None:
            took = "" if pd.isna(cell["seconds"]) else f"Took {cell['seconds']:.1f} s. "
            yield CellFigure(
                cell_name(cell),
                data_uri(png),
                took + note_text(cell["note"]),
                decision="" if decision is None else data_uri(decision),
                net_benefit="" if curve is None else f"{useful_in_words(curve)}.",
            )
