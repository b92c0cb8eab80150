"""A model card (Mitchell et al., FAT* 2019) per fitted model, as Markdown: everything in it is computed from the run.

What a run cannot know, such as whom to ask, is marked as to be filled in by the site.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from cohort.types import ENDPOINTS, EVIDENCE_LABELS, Evidence
from evaluation.figures import endpoint_label, feature_set_label, model_label, population_label, signed, variable_label
from evaluation.metrics.registry import METRICS
from evaluation.report_methods import protocol
from evaluation.verdict import Verdict

#: Discrimination and accuracy first, calibration after.
PERFORMANCE = ("auc", "c_uno", "brier", "scaled_brier", "calibration_intercept", "calibration_slope", "o_e")
TO_BE_FILLED = "*to be filled in by the site*"


@dataclass(frozen=True, eq=False)
class CardData:
    """What a card is made of.

    predictors : name and when it is known, of all the model was given. board : the leaderboard's rows of the cells that read this
    fit. settings, provenance : as of :class:`evaluation.report.ReportData`. notes : what the fit on all patients says of itself.
    """

    model: str
    feature_set: str
    trained_on: str
    population: str
    cohort_title: str
    cohort_name: str
    evidence: Evidence
    citation: str
    digest: str
    n_patients: int
    predictors: tuple[tuple[str, str], ...]
    params: Mapping[str, object]
    notes: tuple[str, ...]
    board: pd.DataFrame
    verdicts: tuple[Verdict, ...]
    settings: Mapping[str, object]
    provenance: Mapping[str, str]


def model_card(data: CardData) -> str:
    """The card as Markdown; aggregates only."""
    parts = [
        f"# {model_label(data.model)}: {endpoint_label(data.trained_on).lower()}, {population_label(data.population).lower()}",
        f"**Evidence: {EVIDENCE_LABELS[data.evidence]}.**",
        *_section("Intended use", _intended_use(data)),
        *_section("Patients", _patients(data)),
        *_section("Predictors", _predictors(data)),
        *_section("Training", _training(data)),
        *_section("Performance (internal validation)", _performance(data.board)),
        *_section("Verdict", _verdicts(data)),
        *_section("Limits", _limits(data)),
        *_section("Version", [f"- {name}: {value}" for name, value in data.provenance.items()]),
        *_section("Contact", [f"Responsible person, and whom to ask: {TO_BE_FILLED}"]),
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, lines: Iterator[str] | list[str]) -> list[str]:
    return [f"## {title}", "\n".join(lines)]


def _intended_use(data: CardData) -> Iterator[str]:
    horizons = ", ".join(f"{h:g}" for h in ENDPOINTS[data.trained_on].horizons_months)
    yield (
        f"Research: to estimate the risk of the event ({endpoint_label(data.trained_on).lower()}) by {horizons} months after"
        f" resection of colorectal liver metastases. Predictors: {feature_set_label(data.feature_set).lower()}. Not a medical"
        " device, and not for decisions about patients."
    )


def _patients(data: CardData) -> Iterator[str]:
    yield f"{data.cohort_title} ({data.cohort_name}, digest {data.digest}), {population_label(data.population).lower()}:"
    yield f"{data.n_patients} patients. {f'Source: {data.citation}' if data.citation else ''}".rstrip()


def _predictors(data: CardData) -> Iterator[str]:
    if not data.predictors:
        yield "None: everybody has the same risk."
        return
    yield f"{len(data.predictors)} were given to the model, by the time at which they are known:"
    yield ""
    for time in dict.fromkeys(known_at for _, known_at in data.predictors):
        names = "; ".join(variable_label(name) for name, known_at in data.predictors if known_at == time)
        yield f"- {time.replace('_', ' ')}: {names}"


def _training(data: CardData) -> Iterator[str]:
    yield protocol(data.settings)
    if data.params:
        yield ""
        yield "Settings of the fit on all patients: " + ", ".join(f"{k} = {_value(v)}" for k, v in data.params.items()) + "."
    for note in data.notes:
        yield ""
        yield f"The fit says: {note}."


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _performance(board: pd.DataFrame) -> Iterator[str]:
    done = board[board["status"] == "completed"]
    for _, row in board[board["status"] != "completed"].iterrows():
        yield f"{endpoint_label(row['endpoint'])}: {row['status']}, {row['note']}"
    if done.empty:
        return
    heads = [f"{endpoint_label(row['endpoint'])}, {row['horizon_months']:g} months" for _, row in done.iterrows()]
    yield "Out-of-fold, with 95 % intervals; other hospitals' patients were not seen."
    yield ""
    yield f"| | {' | '.join(heads)} |"
    yield f"|---|{'---|' * len(heads)}"
    yield f"| patients, events | {' | '.join(f'{row.n}, {row.n_events}' for row in done.itertuples())} |"
    for metric in PERFORMANCE:
        yield f"| {METRICS[metric].label} | {' | '.join(_estimate(row, metric) for _, row in done.iterrows())} |"


def _estimate(row: pd.Series, metric: str) -> str:
    value, low, high = (float(row[f"{metric}{suffix}"]) for suffix in ("", "_ci_low", "_ci_high"))
    if pd.isna(value):
        return "not estimable"
    return signed(value, 3) + (" (no interval)" if pd.isna(low) else f" ({signed(low, 3)} to {signed(high, 3)})")


def _verdicts(data: CardData) -> Iterator[str]:
    for verdict in data.verdicts:
        named = (verdict.numbers.get("feature_set"), verdict.numbers.get("model")) == (data.feature_set, data.model)
        about = " This is the model that it names." if named else ""
        yield f"- {verdict.question}: {verdict.headline}{about}"
    if not data.verdicts:
        yield "None was computed."


def _limits(data: CardData) -> Iterator[str]:
    if data.evidence != "real":
        yield f"- The cohort is {EVIDENCE_LABELS[data.evidence]}: the model shows that the method runs, and must not be used."
    yield "- Validated inside one cohort only; how it does elsewhere is not known."
    yield "- It is the fit on all patients; the performance above is that of fits made in the same way on parts of them."
    yield "- What a predictor does in the model is not what it causes."
    for note in dict.fromkeys(str(note) for note in data.board["note"] if isinstance(note, str) and note):
        yield f"- {note}."
