"""What a worker process does for the bootstrap of whole procedures: a chunk of resample fits, or what follows from all chunks.

Chunks lie in the store of finished fits, so a run that was killed loses one chunk a process. They are keyed by the numbers of
their resamples, which do not depend on how many there are: a later run with more resamples does only those that are new.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from cohort.types import ENDPOINTS
from evaluation.estimate import bootstrap_weights
from evaluation.figures import cell_title, png
from evaluation.optimism import correct
from evaluation.refits import Refit, Refits, gather, refit
from evaluation.stability import instability, selection, stability
from evaluation.stability_figures import selection_figure, stability_figure
from evaluation.tables import Cell
from features.feature_set import Predictors
from flows.cell_store import CellStore, FitSummary
from flows.config import BenchmarkConfig
from flows.folders import whole_folder
from flows.plan import Fit
from flows.resampled import OPTIMISM, SELECTION, SELECTION_FIGURE, STABILITY, STABILITY_FIGURE
from flows.work import PROCEDURE_SETTINGS, predictors_of, procedure_of, workers_cohort

#: Resamples fitted in one go: what a killed process loses, and large enough that handing out work costs nothing.
_CHUNK = 5


def chunks(fit: Fit, config: BenchmarkConfig) -> list[range]:
    """The numbers of the resamples that a fit is to be learned again in, chunk by chunk; none where it is not."""
    if not config.refits(fit.model):
        return []
    return [range(first, min(first + _CHUNK, config.n_refits)) for first in range(0, config.n_refits, _CHUNK)]


def chunk_key(store: CellStore, fit: Fit, config: BenchmarkConfig, cohort_identity: str, numbers: range) -> str:
    """All that decides a chunk's predictions."""
    protocol = {k: getattr(config, k) for k in PROCEDURE_SETTINGS}
    resamples = [numbers.start, numbers.stop]
    return store.key({**fit.__dict__, **protocol, "cohort": cohort_identity, "resamples": resamples})


def run_refits(fit: Fit, config: BenchmarkConfig, store: CellStore, key: str, numbers: range) -> str:
    """Learn a fit again in some of its resamples, and store what all patients' risks then are. Returns the key."""
    started = time.perf_counter()
    cohort = workers_cohort()
    outcome = cohort.population(fit.population).outcome(ENDPOINTS[fit.trained_on].source)
    predictors = predictors_of(cohort, fit)
    procedure = procedure_of(fit, config, outcome)
    drawn = bootstrap_weights(len(outcome), numbers.stop, config.seed)  # whose first rows are those of any larger number
    refits = {number: refit(procedure, predictors, outcome, drawn[number], config.seed + number) for number in numbers}
    risks = [
        pd.DataFrame({"resample": number, "horizon_months": horizon, "row": np.arange(len(outcome)), "risk": risk})
        for number, again in refits.items()
        if again.risk is not None
        for horizon, risk in zip(procedure.horizons_months, again.risk, strict=True)
    ]
    predictions = (
        pd.concat(risks, ignore_index=True) if risks else pd.DataFrame(columns=["resample", "horizon_months", "row", "risk"])
    )
    summary = FitSummary(
        name=f"{fit.name} resamples {numbers.start} to {numbers.stop - 1}",
        seconds=round(time.perf_counter() - started, 3),
        params={},
        notes=(),
        failures=tuple(again.error for again in refits.values() if again.error),
        n_predictors=len(predictors.names),
        selected={str(number): again.selected for number, again in refits.items() if again.selected is not None},
    )
    store.write(key, predictions, None, summary)
    return key


def run_resampled(
    cell: Cell, fit: Fit, store: CellStore, fit_key: str, keys: Sequence[str], config: BenchmarkConfig, folder: Path
) -> Path:
    """Optimism, stability and figures of one cell from the stored chunks ``keys``, written to ``folder``."""
    endpoint = ENDPOINTS[cell.endpoint]
    refits = _stored_refits(fit, store, fit_key, keys, config, endpoint.tau_months)
    horizon = endpoint.primary_horizon_months
    steadiness = stability(refits, horizon)
    chosen = selection(refits)
    title = cell_title(cell.model, cell.feature_set, cell.endpoint)
    with whole_folder(folder) as staging:
        pd.DataFrame([asdict(corrected) for corrected in correct(refits, endpoint)]).to_csv(staging / OPTIMISM, index=False)
        pd.DataFrame([asdict(steadiness)]).to_csv(staging / STABILITY, index=False)
        if np.isfinite(steadiness.mape_mean):
            (staging / STABILITY_FIGURE).write_bytes(png(stability_figure(title, instability(refits, horizon), horizon)))
        if not chosen.empty:
            chosen.to_csv(staging / SELECTION, index=False)
            (staging / SELECTION_FIGURE).write_bytes(png(selection_figure(title, chosen)))
    return folder


def _stored_refits(
    fit: Fit, store: CellStore, fit_key: str, keys: Sequence[str], config: BenchmarkConfig, tau_months: float
) -> Refits:
    cohort = workers_cohort()
    outcome = cohort.population(fit.population).outcome(ENDPOINTS[fit.trained_on].source)
    predictors: Predictors = predictors_of(cohort, fit)
    original = store.model(fit_key)
    if original is None:
        raise ValueError(f"{fit.name}: the fit on all patients is not in the store")
    horizons = original.horizons_months
    refits: list[Refit] = []
    for key, numbers in zip(keys, chunks(fit, config), strict=True):
        refits += _chunk(store, key, numbers, len(horizons), len(outcome))
    return gather(
        outcome,
        tau_months,
        horizons,
        np.stack([original.risk_at(predictors.frame, horizon) for horizon in horizons]),
        original.selected,
        predictors.names,
        bootstrap_weights(len(outcome), config.n_refits, config.seed),
        refits,
    )


def _chunk(store: CellStore, key: str, numbers: range, n_horizons: int, n_patients: int) -> list[Refit]:
    """A stored chunk as it was fitted: its rows stand by resample, horizon and patient."""
    predictions, summary = store.predictions(key), store.summary(key)
    risk = {
        number: rows["risk"].to_numpy(dtype=np.float64).reshape(n_horizons, n_patients)
        for number, rows in predictions.groupby("resample", sort=False)
    }
    errors = iter(summary.failures)
    selected = {int(number): tuple(names) for number, names in summary.selected.items()}
    return [Refit(risk[n], selected.get(n)) if n in risk else Refit(None, error=next(errors)) for n in numbers]
