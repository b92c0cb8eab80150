"""One self-contained HTML file with everything a reader has to know to judge a benchmark.

Aggregates only: nothing here sees a patient's row. The template lays out; what it says is computed here, where tests can ask.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from cohort.describe import CohortDescription, PopulationDescription
from cohort.dictionary import KnownAt
from cohort.types import ENDPOINTS, EVIDENCE_LABELS, POPULATIONS, Evidence
from evaluation import figures
from evaluation.figures import endpoint_label, feature_set_label, model_label, population_label, signed
from evaluation.leak_audit import FIELD_BEST_AUC
from evaluation.metrics.metric import Metric
from evaluation.metrics.registry import METRICS
from evaluation.predictions import NO_FEATURES

TEMPLATES = Path(__file__).parent / "templates"

CellKey = tuple[str, str, str, str]
"""population, endpoint, feature_set, model"""

TOO_GOOD = "above what the field has reached: treat as a leak until shown otherwise"
_NO_INTERVAL = "no interval was computed"
_NO_REASON = "no reason was recorded"


@dataclass(frozen=True, eq=False)
class ReportData:
    """What a report is made of.

    leaderboard : one row a cell at its endpoint's primary horizon, :func:`evaluation.tables.leaderboard`.
    metrics : one row a cell, metric and horizon, :func:`evaluation.tables.metrics_table`.
    settings : the configuration. provenance : code version, start, duration, library versions.
    warnings : findings of the leak audit, failures. skipped : what was not run, and why.
    cell_figures : PNG by (population, endpoint, feature_set, model).
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

    def __post_init__(self) -> None:
        if self.evidence not in EVIDENCE_LABELS:
            raise ValueError(f"evidence is one of {', '.join(EVIDENCE_LABELS)}; got {self.evidence!r}")


def render_report(data: ReportData) -> str:
    """The report as HTML: no script, no link to anything outside."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections = [_section(data, endpoint, population) for endpoint, population in _questions(data.leaderboard)]
    return environment.get_template("report.html.j2").render(
        data=data,
        evidence_label=EVIDENCE_LABELS[data.evidence],
        sections=sections,
        n_metrics=len(METRICS),
        how_to_read=_HOW_TO_READ,
        methods=methods(data.settings),
        settings=list(_flat(data.settings)),
        cohort=_cohort_view(data.description),
        field_best_auc=FIELD_BEST_AUC,
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
class Summary:
    """What one endpoint in one population came to: ``sentences``, and ``flags`` that a reader must not miss."""

    sentences: tuple[str, ...]
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Shown:
    """A number as printed: ``value``, under it ``interval``, and ``mark`` of the footnote that says what is wrong."""

    value: str
    interval: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Row:
    """A line of a result table: all its numbers, or the ``message`` that stands for them."""

    rank: str
    model: str
    features: str
    is_null: bool
    numbers: tuple[Shown, ...] = ()
    message: str = ""


@dataclass(frozen=True)
class ResultTable:
    caption: str
    metrics: tuple[tuple[str, str], ...]
    """label, and what is good"""
    rows: tuple[Row, ...]
    footnotes: tuple[tuple[str, str], ...]
    ranked: bool


@dataclass(frozen=True)
class CellFigure:
    title: str
    image: str
    note: str


@dataclass(frozen=True)
class Section:
    anchor: str
    endpoint: str
    population: str
    heading: str
    facts: str
    summary: Summary
    tables: tuple[ResultTable, ...]
    discrimination: str
    calibration: str
    cells: tuple[CellFigure, ...]


def _questions(leaderboard: pd.DataFrame) -> list[tuple[str, str]]:
    """(endpoint, population) in the registries' order, unknown names last."""
    pairs = leaderboard[["endpoint", "population"]].drop_duplicates().itertuples(index=False, name=None)
    endpoints, populations = list(ENDPOINTS), list(POPULATIONS)

    def place(names: list[str], name: str) -> int:
        return names.index(name) if name in names else len(names)

    return sorted(pairs, key=lambda pair: (place(endpoints, pair[0]), place(populations, pair[1]), pair))


def _section(data: ReportData, endpoint: str, population: str) -> Section:
    board = _of(data.leaderboard, endpoint, population)
    metrics = _of(data.metrics, endpoint, population)
    return Section(
        anchor=_anchor(endpoint, population),
        endpoint=endpoint_label(endpoint),
        population=population_label(population),
        heading=f"{endpoint_label(endpoint)} – {population_label(population).lower()}",
        facts=_facts(board),
        summary=summarise(board, metrics),
        tables=tuple(_tables(board, metrics)),
        discrimination=_image(figures.png(figures.discrimination_figure(data.leaderboard, endpoint, population))),
        calibration=_image(figures.png(figures.calibration_figure(data.leaderboard, endpoint, population))),
        cells=tuple(_cell_figures(data, board)),
    )


def _of(table: pd.DataFrame, endpoint: str, population: str) -> pd.DataFrame:
    return table[(table["endpoint"] == endpoint) & (table["population"] == population)]


def _anchor(*names: str) -> str:
    return "-".join(re.sub(r"[^a-z0-9]+", "-", name.lower()) for name in names)


def _image(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _facts(board: pd.DataFrame) -> str:
    known = board[board["horizon_months"].notna()]
    if known.empty:
        return "No cell was completed."
    first = known.iloc[0]
    return f"{int(first['n'])} patients, {int(first['n_events'])} with the event by {first['horizon_months']:g} months."


def _cell_figures(data: ReportData, board: pd.DataFrame) -> Iterator[CellFigure]:
    for _, cell in _ranked(board).iterrows():
        png = data.cell_figures.get((cell["population"], cell["endpoint"], cell["feature_set"], cell["model"]))
        if png is not None:
            took = "" if pd.isna(cell["seconds"]) else f"Took {cell['seconds']:.1f} s. "
            yield CellFigure(_cell_name(cell), _image(png), took + _text(cell["note"]))


def _cell_name(cell: pd.Series) -> str:
    if cell["feature_set"] == NO_FEATURES:
        return model_label(cell["model"])
    return f"{model_label(cell['model'])}, {_features(cell)}"


def _features(cell: pd.Series) -> str:
    label = feature_set_label(cell["feature_set"])
    return label[:1].lower() + label[1:]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _ranked(board: pd.DataFrame) -> pd.DataFrame:
    return board.sort_values("rank", na_position="last", kind="stable")


# ---- what it came to


def summarise(board: pd.DataFrame, metrics: pd.DataFrame) -> Summary:
    """In words, from one endpoint's and population's rows of the leaderboard and of the metrics (for the other horizons)."""
    models = board[board["feature_set"] != NO_FEATURES]
    estimated = models[models["auc"].notna()]
    return Summary(
        sentences=(*_discrimination(estimated), _brier_against_null(board, models), *_not_completed(board)),
        flags=tuple(_too_good(board, metrics)),
    )


def _discrimination(estimated: pd.DataFrame) -> Iterator[str]:
    if estimated.empty:
        yield "No AUC could be estimated. No model is shown to discriminate."
        return
    best = estimated.iloc[int(estimated["auc"].argmax())]
    of = f", the highest of {len(estimated)} and for that an optimistic estimate" if len(estimated) > 1 else ""
    yield f"Best by AUC: {_cell_name(best)}: {_inline(best, 'auc')}{of}."
    above, below = int((estimated["auc_ci_low"] > 0.5).sum()), int((estimated["auc_ci_high"] < 0.5).sum())
    if above:
        yield f"{above} of {len(estimated)} models {'has' if above == 1 else 'have'} an AUC interval that lies above 0.5."
    else:
        yield f"No model is shown to discriminate: of {len(estimated)} AUC intervals none lies above 0.5."
    if below:
        yield f"AUC intervals that lie below 0.5, ranks running the wrong way: {below} of {len(estimated)}."


def _brier_against_null(board: pd.DataFrame, models: pd.DataFrame) -> str:
    null = board.loc[board["feature_set"] == NO_FEATURES, "brier"].dropna()
    briers = models["brier"].dropna()
    if null.empty or briers.empty:
        return "Brier scores cannot be compared with the null model's: one side is missing."
    reference = float(null.iloc[0])
    better = int((briers < reference).sum())
    shown = f"the null model's Brier score ({reference:.3f}) by its point estimate"
    if not better:
        return f"No model beats {shown}; the nearest has {briers.min():.3f}."
    return f"{better} of {len(briers)} models beat{'s' if better == 1 else ''} {shown}; the lowest is {briers.min():.3f}."


def _not_completed(board: pd.DataFrame) -> Iterator[str]:
    counts = {status: int((board["status"] == status).sum()) for status in ("failed", "skipped")}
    text = " and ".join(f"{count} {status}" for status, count in counts.items() if count)
    if text:
        yield f"Of {len(board)} cells {text}."


def _too_good(board: pd.DataFrame, metrics: pd.DataFrame) -> Iterator[str]:
    """AUC estimates above the field's best, at any horizon, each once."""
    primary = board.rename(columns={"auc": "estimate"})
    others = metrics[metrics["metric"] == "auc"]
    both = pd.concat([table[[*_KEY, "horizon_months", "estimate"]] for table in (primary, others)], ignore_index=True)
    suspects = both[both["estimate"] > FIELD_BEST_AUC].drop_duplicates([*_KEY, "horizon_months"])
    for _, cell in suspects.sort_values("estimate", ascending=False, kind="stable").iterrows():
        yield f"{_cell_name(cell)}: AUC {cell['estimate']:.2f} at {cell['horizon_months']:g} months is {TOO_GOOD}."


_KEY = ["population", "endpoint", "feature_set", "model"]


def _inline(cell: pd.Series, metric: str) -> str:
    low, high = cell[f"{metric}_ci_low"], cell[f"{metric}_ci_high"]
    interval = f"95% CI {signed(low)} to {signed(high)}" if np.isfinite(low) else _NO_INTERVAL
    return f"{METRICS[metric].label} {signed(cell[metric])} ({interval})"


# ---- result tables


@dataclass(frozen=True)
class _Number:
    estimate: float
    ci_low: float
    ci_high: float
    note: str


class _Footnotes:
    """Reasons, each numbered once in the order met."""

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}

    def mark(self, reason: str) -> str:
        return self._marks.setdefault(reason, str(len(self._marks) + 1))

    def items(self) -> tuple[tuple[str, str], ...]:
        return tuple((mark, reason) for reason, mark in self._marks.items())


def _tables(board: pd.DataFrame, metrics: pd.DataFrame) -> Iterator[ResultTable]:
    """The leaderboard at the primary horizon, then a table for every other horizon there are metrics for."""
    numbers = {
        (row["feature_set"], row["model"], row["metric"], float(row["horizon_months"])): _Number(
            float(row["estimate"]), float(row["ci_low"]), float(row["ci_high"]), _text(row["note"])
        )
        for _, row in metrics.iterrows()
    }
    horizons = board["horizon_months"].dropna()
    primary = float(horizons.iloc[0]) if len(horizons) else float("nan")

    def at_primary(cell: pd.Series, metric: str) -> _Number:
        known = numbers.get((cell["feature_set"], cell["model"], metric, primary))
        estimate, low, high = (float(cell[f"{metric}{suffix}"]) for suffix in ("", "_ci_low", "_ci_high"))
        return _Number(estimate, low, high, known.note if known else "")

    when = f"At {primary:g} months" if np.isfinite(primary) else "No horizon was evaluated"
    yield _result_table(when, board, at_primary, ranked=True)
    for horizon in sorted({key[3] for key in numbers} - {primary}):
        missing = _Number(float("nan"), float("nan"), float("nan"), "")
        completed = board[board["status"] == "completed"]

        def at_other(cell: pd.Series, metric: str, horizon: float = horizon, missing: _Number = missing) -> _Number:
            return numbers.get((cell["feature_set"], cell["model"], metric, horizon), missing)

        yield _result_table(f"At {horizon:g} months", completed, at_other, ranked=False)


def _result_table(caption: str, board: pd.DataFrame, number: Callable[[pd.Series, str], _Number], *, ranked: bool) -> ResultTable:
    footnotes = _Footnotes()
    rows = tuple(_row(cell, number, footnotes) for _, cell in _ranked(board).iterrows())
    heads = tuple((metric.label, _what_is_good(metric)) for metric in METRICS.values())
    return ResultTable(f"{caption}: estimate (95% CI)", heads, rows, footnotes.items(), ranked)


def _what_is_good(metric: Metric) -> str:
    return f"right: {metric.reference:g}" if metric.better == "target" else f"{metric.better} is better"


def _row(cell: pd.Series, number: Callable[[pd.Series, str], _Number], footnotes: _Footnotes) -> Row:
    completed = cell["status"] == "completed"
    is_null = cell["feature_set"] == NO_FEATURES
    reason = _text(cell["note"]) or _NO_REASON
    return Row(
        rank="" if pd.isna(cell["rank"]) else f"{int(cell['rank'])}",
        model=model_label(cell["model"]),
        features=feature_set_label(cell["feature_set"]),
        is_null=is_null,
        numbers=tuple(_shown(number(cell, m), _decimals(m), footnotes) for m in METRICS) if completed else (),
        message="" if completed else f"{cell['status']}: {reason}",
    )


def _decimals(metric: str) -> int:
    return 3 if metric == "brier" else 2  # Brier scores of rival models differ in the third


def _shown(number: _Number, decimals: int, footnotes: _Footnotes) -> Shown:
    if not np.isfinite(number.estimate):
        return Shown("not estimable", mark=footnotes.mark(f"not estimable: {number.note or _NO_REASON}"))
    value = signed(number.estimate, decimals)
    if not (np.isfinite(number.ci_low) and np.isfinite(number.ci_high)):
        return Shown(value, "no interval", footnotes.mark(f"no interval: {number.note or _NO_INTERVAL}"))
    interval = f"{signed(number.ci_low, decimals)} to {signed(number.ci_high, decimals)}"
    return Shown(value, interval, footnotes.mark(number.note) if number.note else "")


# ---- methods and words


_HOW_TO_READ: tuple[tuple[str, str], ...] = (
    (
        "AUC",
        "The probability that, of two patients, one with the event by the horizon and one without, the one with it had the"
        " higher predicted risk. 0.5 is a coin, 1 is perfect.",
    ),
    (
        "Harrell's C, Uno's C",
        "The same for the order of the events over time. Harrell's leans on how patients were censored; Uno's corrects for it.",
    ),
    (
        "Brier score",
        "The mean squared distance between predicted risk and what happened. Lower is better, but only against the null"
        " model, which gives everybody the same risk: a model that does not beat it is of no use.",
    ),
    (
        "Calibration intercept",
        "Whether risks are right on average, on the logit scale. 0 is right; below 0, risks are too high.",
    ),
    (
        "Calibration slope",
        "Whether risks spread as they should. 1 is right; below 1 they are too extreme, at 0 they carry nothing; above 1 they"
        " are too timid.",
    ),
    ("O/E", "Observed over expected events. 1 is right; below 1, risk is overestimated."),
)

#: What a setting says in the methods; a setting that is absent is passed over.
_PROTOCOL: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("n_folds", "n_repeats"),
        "Every patient is predicted by fits that never saw them, in {n_folds}-fold cross-validation repeated {n_repeats} times"
        " and stratified by the time of the event; encoding, imputation, selection and tuning happen inside the training folds.",
    ),
    (
        ("n_trials", "n_inner_folds"),
        "Models with something to tune try {n_trials} settings in {n_inner_folds} inner folds (0: their default settings),"
        " judged by the Brier score.",
    ),
    (
        ("n_bootstraps",),
        "Intervals are 95% percentile intervals over {n_bootstraps} resamples of patients, the out-of-fold predictions held"
        " fixed: they speak of these predictions in such patients, not of fitting anew in other samples.",
    ),
    (("seed",), "Random numbers start from seed {seed}."),
)

_METHODS_ALWAYS = (
    "AUC, Uno's C, Brier score, calibration intercept and slope allow for censored patients by inverse-probability-of-censoring"
    " weights, Harrell's C by leaving out pairs whose order is unknown; O/E uses Kaplan-Meier. Ranks are compared inside a test"
    " fold only, where risks come from one fit. Calibration plots group patients by their risk averaged over repeats. This is"
    " internal validation: it says nothing of other hospitals. No correction for multiplicity is made."
)


def methods(settings: Mapping[str, object]) -> str:
    """The protocol in a paragraph, its numbers from the configuration."""
    told = [text.format(**settings) for names, text in _PROTOCOL if all(name in settings for name in names)]
    return " ".join([*told, _METHODS_ALWAYS])


def _flat(settings: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as dotted names and text."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple, set, frozenset)):
            yield f"{prefix}{name}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{name}", "not set" if value is None else str(value)


# ---- the cohort


@dataclass(frozen=True)
class CohortRow:
    """A line of Table 1: ``texts`` holds, population by population, the summary and what is missing."""

    label: str
    kind: str
    """heading, variable or level"""
    texts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class CohortView:
    populations: tuple[tuple[str, int], ...]
    table1: tuple[CohortRow, ...]
    survival: tuple[tuple[str, tuple[str, ...]], ...]
    events: tuple[tuple[str, tuple[tuple[Any, ...], ...]], ...]
    left_out: tuple[str, ...]


_KNOWN_AT_HEADINGS = {
    KnownAt.BASELINE.label: "Known at diagnosis of the metastases",
    KnownAt.PRE_SURGERY.label: "Known the day before surgery",
    KnownAt.POST_SURGERY.label: "Known after surgery (never a predictor)",
    KnownAt.OUTCOME.label: "Outcome (never a predictor)",
}


def _cohort_view(description: CohortDescription) -> CohortView:
    populations = description.populations
    return CohortView(
        populations=tuple((p.label, p.n_patients) for p in populations),
        table1=tuple(_table1(populations)),
        survival=tuple(_survival(populations)),
        events=tuple((p.label, tuple(p.events.drop(columns="endpoint").itertuples(index=False, name=None))) for p in populations),
        left_out=description.left_out,
    )


def _table1(populations: Sequence[PopulationDescription]) -> Iterator[CohortRow]:
    if not populations:
        return
    tables = [list(p.variables.iterrows()) for p in populations]  # the same variables and levels in each
    heading = variable = ""
    for index, (_, row) in enumerate(tables[0]):
        known_at = _KNOWN_AT_HEADINGS[row["known_at"]]
        if known_at != heading:
            heading = known_at
            yield CohortRow(heading, "heading")
        same = [table[index][1] for table in tables]
        missing = tuple(map(_missing, same))
        label = _with_unit(str(row["label"]), str(row["unit"]))
        if not row["level"]:
            yield CohortRow(label, "variable", tuple(zip(map(_median_text, same), missing, strict=True)))
            continue
        if row["variable"] != variable:
            variable = row["variable"]
            yield CohortRow(label, "variable", tuple(("", text) for text in missing))
        yield CohortRow(str(row["level"]).replace("_", " "), "level", tuple((_count_text(one), "") for one in same))


def _with_unit(label: str, unit: str) -> str:
    return f"{label}, {unit}" if unit and unit.lower() not in label.lower() else label  # no "number of lesions, lesions"


def _missing(row: pd.Series) -> str:
    text = f"{int(row['n_missing'])}"
    return f"{text} ({int(row['n_not_applicable'])} n/a)" if row["n_not_applicable"] else text


def _median_text(row: pd.Series) -> str:
    if not row["n"]:
        return "not recorded"
    median, q1, q3, low, high = (_short(row[name]) for name in ("median", "q1", "q3", "low", "high"))
    return f"{median} ({q1}–{q3}; {low}–{high})"


def _short(number: float) -> str:
    """One decimal below 100, none above; no trailing zero."""
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.1f}".removesuffix(".0")


def _count_text(row: pd.Series) -> str:
    return f"{int(row['count'])} ({row['percent']:.0f}%)" if row["n"] else "not recorded"


def _survival(populations: Sequence[PopulationDescription]) -> Iterator[tuple[str, tuple[str, ...]]]:
    kinds: tuple[tuple[str, Callable[[PopulationDescription], pd.DataFrame]], ...] = (
        ("Median {}, months", lambda p: p.medians),
        ("Median follow-up for {}, months (reverse Kaplan-Meier)", lambda p: p.follow_up),
    )
    for title, table in kinds:
        per_population = [table(p).set_index("source") for p in populations]
        for source in per_population[0].index if per_population else ():
            rows = [one.loc[source] for one in per_population]
            yield title.format(str(rows[0]["label"]).lower()), tuple(map(_months, rows))


def _months(row: pd.Series) -> str:
    if not np.isfinite(row["median"]):
        return "not reached"
    low, high = (f"{row[part]:.1f}" if np.isfinite(row[part]) else "not reached" for part in ("ci_low", "ci_high"))
    return f"{row['median']:.1f} (95% CI {low} to {high})"
