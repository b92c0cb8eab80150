"""What a worker process does: fit one procedure by cross-validation, or evaluate one cell. Plain functions of plain values."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing import connection, parent_process
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from cohort.types import ENDPOINTS, Cohort, Outcome
from evaluation.comparison import ModelKey, compare_models
from evaluation.cross_validation import cross_validate
from evaluation.curves import calibration_curve, risk_group_curves, roc_curve
from evaluation.decision_curve import decision_curve
from evaluation.estimate import Estimate, estimate_cell
from evaluation.explanation.cell import CellExplanation
from evaluation.figures import cell_figure, cell_title, decision_figure, png
from evaluation.predictions import COLUMNS, NO_FEATURES, HorizonPredictions, at_horizon
from evaluation.tables import Cell, CellResult
from features.feature_set import Predictors, build_predictors
from features.registry import FEATURE_SETS
from flows.cell_store import CODE_THAT_EXPLAINS, CellStore, FitSummary, code_digest
from flows.config import BenchmarkConfig
from flows.explaining import explained_tables, explainer_of, read_explanation, write_explanation
from flows.folders import whole_folder
from flows.plan import Fit, horizons_of
from flows.splits import splits_for
from models.missing import MissingData, MissingMethod
from models.procedure import Procedure
from models.recalibration import RecalibrationMethod
from models.registry import MODELS
from models.tuning import Tuning

#: Settings that change a procedure, and those that change a cross-validated fit.
PROCEDURE_SETTINGS = ("n_trials", "n_inner_folds", "seed", "missing", "n_imputations", "recalibration")
_FIT_SETTINGS = ("n_folds", "n_repeats", *PROCEDURE_SETTINGS)
_RESULT, _FIGURE = "result.json", "figure.png"
_DECISION_CURVE, _DECISION_FIGURE = "decision_curve.csv", "decision_curve.png"


@dataclass(frozen=True)
class EvaluatedCell:
    """A cell's result, and the folder of the curves (csv) and the figures (png) at its primary horizon."""

    result: CellResult
    folder: Path

    @property
    def figure_png(self) -> bytes | None:
        path = self.folder / _FIGURE
        return path.read_bytes() if path.exists() else None

    @property
    def decision_curve(self) -> pd.DataFrame | None:
        path = self.folder / _DECISION_CURVE
        return pd.read_csv(path) if path.exists() else None

    @property
    def decision_png(self) -> bytes | None:
        path = self.folder / _DECISION_FIGURE
        return path.read_bytes() if path.exists() else None

    @property
    def explanation(self) -> CellExplanation | None:
        return read_explanation(self.folder)


_cohort: Cohort | None = None


def initialise(cohort: Cohort) -> None:
    """Give a worker its cohort."""
    global _cohort
    _cohort = cohort
    end_with_parent()


def workers_cohort() -> Cohort:
    """Raises ``RuntimeError`` in a process that was given none."""
    if _cohort is None:
        raise RuntimeError("the worker has no cohort: call initialise first")
    return _cohort


def end_with_parent() -> None:
    """Let a worker end when its parent does, even one that was killed."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def ready() -> None:
    """Nothing: by the time it returns the worker has imported everything."""


def _end_with(sentinel: Any) -> None:
    connection.wait([sentinel])
    os._exit(1)


def fit_key(store: CellStore, fit: Fit, config: BenchmarkConfig, cohort_identity: str) -> str:
    """All that decides a fit's predictions."""
    protocol = {k: getattr(config, k) for k in _FIT_SETTINGS}
    if config.explains(fit.model):
        protocol |= {"n_permutations": config.n_permutations, "explained_by": code_digest(CODE_THAT_EXPLAINS)}
    if config.splits is not None:
        protocol |= {"splits": config.splits_digest}
    return store.key({**fit.__dict__, **protocol, "cohort": cohort_identity})


def run_fit(fit: Fit, config: BenchmarkConfig, store: CellStore, key: str) -> str:
    """Cross-validate a procedure, fit it once more on all patients, and store both. Returns the key."""
    started = time.perf_counter()
    cohort = workers_cohort()
    patients = cohort.population(fit.population)
    outcome = patients.outcome(ENDPOINTS[fit.trained_on].source)
    predictors = predictors_of(cohort, fit)
    procedure = procedure_of(fit, config, outcome)
    splits = splits_for(cohort, fit.population, config)
    explainer = explainer_of(fit, config, predictors, outcome)
    validated = cross_validate(procedure, predictors, outcome, splits, config.seed, explainer)
    failures = [str(f) for f in validated.failures]
    fitted = None
    try:
        fitted = procedure.fit(predictors, outcome, config.seed)
    except Exception as error:  # noqa: BLE001 (kept as a row: the cross-validated result stands without the final model)
        failures.append(f"fit on all patients: {type(error).__name__}: {error}")
    predictions = label(validated.predictions, fit, patients, outcome)
    counted = Counter(validated.notes)
    notes = tuple(f"{note} ({count} of {len(splits)} folds)" for note, count in counted.most_common(3))
    summary = FitSummary(
        name=fit.name,
        seconds=round(time.perf_counter() - started, 3),
        params=dict(fitted.params) if fitted else {},
        notes=(*(fitted.notes if fitted else ()), *notes),
        failures=tuple(failures),
        n_predictors=len(predictors.names) if MODELS[fit.model].uses_predictors else 0,
    )
    store.write(key, predictions, fitted, summary, explained_tables(explainer, fitted, predictors))
    return key


def run_evaluation(cell: Cell, store: CellStore, key: str, config: BenchmarkConfig, folder: Path) -> EvaluatedCell:
    """Metrics, curves and figure of one cell, from its stored predictions alone, written to ``folder``."""
    summary = store.summary(key)
    with whole_folder(folder) as staging:
        if summary.failures:
            note = f"{len(summary.failures)} of {config.n_folds * config.n_repeats + 1} fits failed; {summary.failures[0]}"
            result = CellResult(cell, "failed", note=note, seconds=summary.seconds)
        else:
            predictions = store.predictions(key)
            estimates = estimate_cell(predictions, ENDPOINTS[cell.endpoint], config.n_bootstraps, config.seed)
            result = CellResult(
                cell,
                "completed",
                tuple(estimates),
                seconds=summary.seconds,
                notes=summary.notes[:1],
                n_events_total=int(predictions.drop_duplicates("patient_id")["event"].sum()),
            )
            _draw(cell, predictions, config, staging)
            write_explanation(cell, store.explained(key), config, staging)
        (staging / _RESULT).write_text(json.dumps(asdict(result), indent=1), encoding="utf-8")
    return EvaluatedCell(result, folder)


def finished_evaluation(folder: Path) -> EvaluatedCell | None:
    """What an earlier process of this run left in a cell's folder, if it got that far."""
    path = folder / _RESULT
    if not path.exists():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    estimates = tuple(Estimate(**e) for e in content.pop("estimates"))
    cell, notes = Cell(**content.pop("cell")), tuple(content.pop("notes"))
    return EvaluatedCell(CellResult(cell, estimates=estimates, notes=notes, **content), folder)


def run_comparison(cells: Sequence[tuple[Cell, str]], store: CellStore, config: BenchmarkConfig) -> pd.DataFrame:
    """All comparisons of one question's completed cells, each with the key of its fit, from the stored predictions alone."""
    first = cells[0][0]
    endpoint = ENDPOINTS[first.endpoint]
    models: dict[ModelKey, HorizonPredictions] = {}
    for cell, key in cells:
        predictions = store.predictions(key)
        if endpoint.primary_horizon_months in set(predictions["horizon_months"]):
            at = at_horizon(predictions, endpoint.primary_horizon_months, endpoint.tau_months)
            models[cell.feature_set, cell.model] = at
    return compare_models(models, endpoint, first.population, config.n_bootstraps, config.seed)


def _draw(cell: Cell, predictions: pd.DataFrame, config: BenchmarkConfig, folder: Path) -> None:
    endpoint = ENDPOINTS[cell.endpoint]
    horizon = endpoint.primary_horizon_months
    if horizon not in set(predictions["horizon_months"]):
        return
    at = at_horizon(predictions, horizon, endpoint.tau_months)
    try:
        roc, calibration, groups = roc_curve(at), calibration_curve(at), risk_group_curves(at)
        decision = decision_curve(at, config.n_bootstraps, config.seed)
    except ValueError as error:  # too few events in the folds for a curve
        (folder / "no_curves.txt").write_text(f"{error}\n", encoding="utf-8")
        return
    for name, curve in (("roc", roc), ("calibration", calibration), ("risk_groups", groups)):
        curve.to_csv(folder / f"{name}.csv", index=False)
    decision.to_csv(folder / _DECISION_CURVE, index=False)
    title = cell_title(cell.model, cell.feature_set, cell.endpoint)
    (folder / _FIGURE).write_bytes(png(cell_figure(title, roc, calibration, groups, horizon)))
    (folder / _DECISION_FIGURE).write_bytes(png(decision_figure(title, decision, horizon)))


def predictors_of(cohort: Cohort, fit: Fit) -> Predictors:
    """The fit's predictors; for the null model a frame with the right number of rows and no column."""
    if fit.feature_set == NO_FEATURES:
        return Predictors(NO_FEATURES, pd.DataFrame(index=range(len(cohort.population(fit.population)))), frozenset())
    return build_predictors(cohort, fit.population, FEATURE_SETS[fit.feature_set])


class HowTuned(Protocol):
    @property
    def n_trials(self) -> int: ...
    @property
    def n_inner_folds(self) -> int: ...
    @property
    def missing(self) -> MissingMethod: ...
    @property
    def n_imputations(self) -> int: ...
    @property
    def recalibration(self) -> RecalibrationMethod: ...


def procedure_of(fit: Fit, config: HowTuned, outcome: Outcome) -> Procedure:
    endpoint = ENDPOINTS[fit.trained_on]
    tuning = Tuning(config.n_trials, config.n_inner_folds)
    horizons = horizons_of(fit.trained_on, outcome)
    missing = MissingData(config.missing, config.n_imputations)
    return Procedure(MODELS[fit.model], endpoint, horizons, tuning, missing, config.recalibration)


def label(predictions: pd.DataFrame, fit: Fit, patients: Cohort, outcome: Outcome) -> pd.DataFrame:
    """The documented schema of :mod:`evaluation.predictions`."""
    rows = predictions["row"].to_numpy(dtype="int64")
    labelled = predictions.assign(
        population=fit.population,
        trained_on=fit.trained_on,
        feature_set=fit.feature_set,
        model=fit.model,
        patient_id=patients.patient_ids[rows],
        time_months=outcome.time_months[rows],
        event=outcome.event[rows],
    )
    return labelled[list(COLUMNS)].astype(COLUMNS)
