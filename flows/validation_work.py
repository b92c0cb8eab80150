"""What a worker process does in an external validation: learn from one cohort, predict and judge in the other."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from cohort.types import ENDPOINTS, Cohort
from evaluation.comparison import ModelKey
from evaluation.curves import calibration_curve
from evaluation.decision_curve import decision_curve
from evaluation.estimate import Estimate
from evaluation.external_validation import FROZEN, UPDATES, compare_with_null, estimate_elsewhere, predict_elsewhere, update
from evaluation.figures import cell_title, png
from evaluation.predictions import COLUMNS, HorizonPredictions, at_horizon
from evaluation.resampling import Split, repeated_stratified_splits
from evaluation.tables import Cell, CellResult
from evaluation.validation_figures import calibration_panels, net_benefit_panels
from flows.cell_store import CellStore, FitSummary
from flows.folders import whole_folder
from flows.plan import Fit
from flows.splits import SPLIT_HORIZONS_MONTHS
from flows.validation_config import ValidationConfig
from flows.validation_plan import shared_by
from flows.work import PROCEDURE_SETTINGS, end_with_parent, label, procedure_of

_RESULTS, _NO_CURVES = "results.json", "no_curves.txt"
_CALIBRATION, _DECISION = "calibration", "decision_curve"


@dataclass(frozen=True)
class ValidatedCell:
    """A cell's results by update, and the folder of its curves (csv) and figures (png) at its primary horizon."""

    results: Mapping[str, CellResult]
    folder: Path

    @property
    def result(self) -> CellResult:
        return self.results[FROZEN]

    @property
    def decision_curves(self) -> pd.DataFrame | None:
        """:func:`evaluation.decision_curve.decision_curve` of each ``update``."""
        path = self.folder / f"{_DECISION}.csv"
        return pd.read_csv(path) if path.exists() else None

    @property
    def figures(self) -> tuple[bytes, ...]:
        """Calibration, then net benefit; nothing where there are no curves."""
        paths = (self.folder / f"{name}.png" for name in (_CALIBRATION, _DECISION))
        return tuple(path.read_bytes() for path in paths if path.exists())


_cohorts: tuple[Cohort, Cohort] | None = None


def initialise(train: Cohort, test: Cohort) -> None:
    """Give a worker its cohorts."""
    global _cohorts
    _cohorts = (train, test)
    end_with_parent()


def _both() -> tuple[Cohort, Cohort]:
    if _cohorts is None:
        raise RuntimeError("the worker has no cohorts: call initialise first")
    return _cohorts


def validation_key(store: CellStore, fit: Fit, config: ValidationConfig, train: Cohort, test: Cohort) -> str:
    """All that decides a fit's predictions of the test cohort."""
    protocol = {k: getattr(config, k) for k in PROCEDURE_SETTINGS}
    return store.key({"validation": True, **fit.__dict__, **protocol, "train": train.identity, "test": test.identity})


def run_validation_fit(fit: Fit, config: ValidationConfig, store: CellStore, key: str) -> str:
    """Learn from all patients of the training cohort, predict those of the test cohort, and store both. Returns the key."""
    started = time.perf_counter()
    train, test = _both()
    source = ENDPOINTS[fit.trained_on].source
    outcome = train.population(fit.population).outcome(source)
    shared = shared_by(train, test, fit.population, fit.feature_set)
    fitted, failures, predictions = None, [], pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    try:
        fitted = procedure_of(fit, config, outcome).fit(shared.train, outcome, config.seed)
        patients = test.population(fit.population)
        predictions = label(predict_elsewhere(fitted, shared), fit, patients, patients.outcome(source))
    except Exception as error:  # noqa: BLE001 - any failure of a library is this fit's result
        failures.append(f"{type(error).__name__}: {error}")
    summary = FitSummary(
        name=f"{fit.name} for {test.name}",
        seconds=round(time.perf_counter() - started, 3),
        params=dict(fitted.params) if fitted else {},
        notes=tuple(fitted.notes) if fitted else (),
        failures=tuple(failures),
        n_predictors=len(shared.train.names),
    )
    store.write(key, predictions, fitted, summary)
    return key


def splits_of(test: Cohort, population: str, config: ValidationConfig) -> tuple[Split, ...]:
    """The splits that cross-fit every recalibration in the test cohort; rows are patients in order of their id."""
    patients = test.population(population)
    order = patients.patient_ids.argsort(kind="stable")
    outcome = patients.outcome("dfs").subset(order)
    return repeated_stratified_splits(outcome, SPLIT_HORIZONS_MONTHS, config.n_folds, config.n_repeats, config.seed)


def run_validation(cell: Cell, store: CellStore, key: str, config: ValidationConfig, folder: Path) -> ValidatedCell:
    """Metrics, curves and figures of one cell, frozen and updated, from its stored predictions alone, written to ``folder``."""
    summary = store.summary(key)
    endpoint = ENDPOINTS[cell.endpoint]
    outcome = _both()[1].population(cell.population).outcome(endpoint.source)
    with whole_folder(folder) as staging:
        results: dict[str, CellResult] = {}
        if summary.failures:
            failed = CellResult(cell, "failed", note=summary.failures[0], seconds=summary.seconds)
            results = dict.fromkeys(UPDATES, failed)
        else:
            splits = splits_of(_both()[1], cell.population, config)
            frozen = store.predictions(key)
            at_primary: dict[str, HorizonPredictions] = {}
            for kind in UPDATES:
                predictions, remarks = update(frozen, splits, kind)
                estimates = estimate_elsewhere(predictions, remarks, outcome, endpoint, config.n_bootstraps, config.seed)
                remark = remarks.get(endpoint.primary_horizon_months, "")
                notes = (remark,) if remark else summary.notes[:1]
                results[kind] = CellResult(
                    cell,
                    "completed",
                    tuple(estimates),
                    seconds=summary.seconds,
                    notes=notes,
                    n_events_total=int(outcome.event.sum()),
                )
                if endpoint.primary_horizon_months in set(predictions["horizon_months"]):
                    at_primary[kind] = at_horizon(predictions, endpoint.primary_horizon_months, endpoint.tau_months)
            _draw(cell, at_primary, config, staging)
        content = {kind: asdict(result) for kind, result in results.items()}
        (staging / _RESULTS).write_text(json.dumps(content, indent=1), encoding="utf-8")
    return ValidatedCell(results, folder)


def finished_validation(folder: Path) -> ValidatedCell | None:
    """What an earlier process of this run left in a cell's folder, if it got that far."""
    path = folder / _RESULTS
    if not path.exists():
        return None
    results = {}
    for kind, content in json.loads(path.read_text(encoding="utf-8")).items():
        estimates = tuple(Estimate(**e) for e in content.pop("estimates"))
        cell, notes = Cell(**content.pop("cell")), tuple(content.pop("notes"))
        results[kind] = CellResult(cell, estimates=estimates, notes=notes, **content)
    return ValidatedCell(results, folder)


def run_external_comparison(cells: Sequence[tuple[Cell, str]], store: CellStore, config: ValidationConfig) -> pd.DataFrame:
    """One question's completed cells, each with the key of its fit, against the null model; frozen, then updated."""
    first = cells[0][0]
    endpoint = ENDPOINTS[first.endpoint]
    splits = splits_of(_both()[1], first.population, config)
    horizon = endpoint.primary_horizon_months
    tables = []
    for kind in UPDATES:
        models: dict[ModelKey, HorizonPredictions] = {}
        for cell, key in cells:
            predictions, _ = update(store.predictions(key), splits, kind)
            if horizon in set(predictions["horizon_months"]):
                models[cell.feature_set, cell.model] = at_horizon(predictions, horizon, endpoint.tau_months)
        tables.append(compare_with_null(models, kind, endpoint, first.population, config.n_bootstraps, config.seed))
    made = [table for table in tables if not table.empty]
    return pd.concat(made, ignore_index=True) if made else tables[0]


def _draw(cell: Cell, at: Mapping[str, HorizonPredictions], config: ValidationConfig, folder: Path) -> None:
    """Curves at the primary horizon, those of all updates in one table and one figure."""
    try:
        calibration = pd.concat([calibration_curve(a).assign(update=kind) for kind, a in at.items()], ignore_index=True)
        decision = pd.concat(
            [decision_curve(a, config.n_bootstraps, config.seed).assign(update=kind) for kind, a in at.items()], ignore_index=True
        )
    except ValueError as error:  # no update has predictions, or too few events for a curve
        (folder / _NO_CURVES).write_text(f"{error}\n", encoding="utf-8")
        return
    calibration.to_csv(folder / f"{_CALIBRATION}.csv", index=False)
    decision.to_csv(folder / f"{_DECISION}.csv", index=False)
    title = cell_title(cell.model, cell.feature_set, cell.endpoint)
    horizon = ENDPOINTS[cell.endpoint].primary_horizon_months
    (folder / f"{_CALIBRATION}.png").write_bytes(png(calibration_panels(title, calibration, horizon)))
    (folder / f"{_DECISION}.png").write_bytes(png(net_benefit_panels(title, decision, horizon)))
