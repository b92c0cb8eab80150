"""What a procedure's performance is in new patients, from resamples in which the whole procedure was learned again.

Apparent performance, of a model in the patients that it learned from, flatters. With M(b, w) a metric of the model of resample
b in patients weighted by w, and S resamples:

- **corrected** (Harrell, Lee and Mark 1996; Efron 1983): apparent less the mean over b of M(b, its resample) - M(b, all
  patients). As ``rms::validate``, with every learning step repeated.
- **.632** (Efron 1983): 0.368 apparent + 0.632 out of resample, the mean over b of M(b, patients not drawn). Averaged over
  resamples, since only a loss could be averaged over patients; ``rms`` weighs resamples so that every patient counts alike.
- **.632+** (Efron and Tibshirani 1997): as .632, the weight of the second term raised to 0.632 / (1 - 0.368 R). The relative
  overfitting rate R in [0, 1] says how far performance out of resample has fallen from the apparent one to ``no_information``,
  where outcome and risk are independent in these very patients:

  AUC, Harrell's and Uno's C: 0.5. Brier score: the mean over all pairs of one patient's outcome and another's risk p, with
  observed risk o: mean of o (1 - p)^2 + (1 - o) p^2. Scaled Brier score: the same, over o (1 - o). Calibration slope: 0, the
  apparent one being 1 or more. Calibration intercept and O/E depend on outcome and risk through their means alone: no
  information leaves them as they are, R is 0 and .632+ is .632.

With few events per candidate parameter the corrected and the .632 estimate still flatter, and .632+ does not; what was found
stands in ``benchmarks/optimism_truth.py``.

Intervals are the location-shifted bootstrap of Noma et al. (Stat Med 2021;40:5691): the percentile interval of M(b, its
resample), less the optimism. So they hold the variation of refitting, but not that of the optimism itself, which their two-stage
bootstrap adds at S^2 fits, and which small samples need for full coverage. ``mc_error`` is the standard error of the
correction from the number of resamples alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from cohort.types import Endpoint, FloatArray
from evaluation.estimate import percentile_interval, unsupported
from evaluation.metrics.metric import Metric
from evaluation.metrics.registry import METRICS
from evaluation.metrics.status_weights import status_weights
from evaluation.predictions import HorizonPredictions
from evaluation.refits import Refits

#: Above this share of failed resamples there is no estimate.
MAX_FAILED = 0.2
#: With fewer resamples their outer percentiles are single resamples: no interval.
LEAST_FOR_INTERVAL = 100
#: Expected share of patients in a resample, after Efron.
_DRAWN = 1 - np.exp(-1)
_NAN = float("nan")


def _brier_no_information(at: HorizonPredictions) -> float:
    observed = float(status_weights(at, np.ones((1, len(at.outcome)))).observed[0])
    return float(np.mean(observed * (1 - at.risk) ** 2 + (1 - observed) * at.risk**2))


def _scaled_brier_no_information(at: HorizonPredictions) -> float:
    observed = float(status_weights(at, np.ones((1, len(at.outcome)))).observed[0])
    return 1 - _brier_no_information(at) / (observed * (1 - observed))


#: What is corrected, and its value without information; None where that is the apparent value itself.
NO_INFORMATION: dict[str, Callable[[HorizonPredictions], float] | None] = {
    "auc": lambda at: 0.5,
    "c_harrell": lambda at: 0.5,
    "c_uno": lambda at: 0.5,
    "brier": _brier_no_information,
    "scaled_brier": _scaled_brier_no_information,
    "calibration_slope": lambda at: 0.0,
    "calibration_intercept": None,
    "o_e": None,
}


@dataclass(frozen=True)
class Corrected:
    """One metric at one horizon. NaN values come with a ``note``; ``n_failed`` of ``n_resamples`` gave no value.

    ``estimate_632_plus`` has its own interval, shifted to it.
    """

    metric: str
    horizon_months: float
    n_resamples: int
    n_failed: int
    apparent: float = _NAN
    optimism: float = _NAN
    mc_error: float = _NAN
    corrected: float = _NAN
    ci_low: float = _NAN
    ci_high: float = _NAN
    out_of_resample: float = _NAN
    no_information: float = _NAN
    overfitting_rate: float = _NAN
    estimate_632: float = _NAN
    estimate_632_plus: float = _NAN
    plus_ci_low: float = _NAN
    plus_ci_high: float = _NAN
    note: str = ""


def correct(refits: Refits, endpoint: Endpoint, metrics: Iterable[str] = tuple(NO_INFORMATION)) -> list[Corrected]:
    """Every one of ``metrics`` at every horizon of the endpoint."""
    corrected: list[Corrected] = []
    for horizon in endpoint.horizons_months:
        reason = unsupported(refits.outcome, horizon)
        if reason:
            corrected += [_refused(name, horizon, refits, len(refits.failures), reason) for name in metrics]
            continue
        original, resampled = refits.original_at(horizon), refits.resampled_at(horizon)
        corrected += [_correct(METRICS[name], original, resampled, refits) for name in metrics]
    return corrected


def _correct(metric: Metric, original: HorizonPredictions, resampled: list[HorizonPredictions], refits: Refits) -> Corrected:
    horizon = original.horizon_months
    apparent = float(_performance(metric, original, np.ones((1, len(original.outcome))))[0])
    if not np.isfinite(apparent):
        reason = metric.undefined if original.varies else "the original model gives all patients one risk"
        return _refused(metric.name, horizon, refits, len(refits.failures), reason)
    everybody = np.ones(len(original.outcome))
    values = [
        _performance(metric, at, np.stack([drawn, everybody, drawn == 0]))
        for at, drawn in zip(resampled, refits.drawn, strict=True)
    ]
    # (S, 3): in its own resample, in all patients, in those not drawn
    performance = np.stack(values) if values else np.empty((0, 3))
    usable = performance[np.isfinite(performance).all(axis=1)]
    failed = refits.n_resamples - len(usable)
    note = _failure_note(failed, refits, metric)
    if len(usable) < 2 or failed > MAX_FAILED * refits.n_resamples:
        return _refused(metric.name, horizon, refits, failed, note or "fewer than two resamples", apparent)
    return _estimates(metric, original, apparent, usable, refits.n_resamples, note)


def _estimates(
    metric: Metric, original: HorizonPredictions, apparent: float, performance: FloatArray, n_resamples: int, note: str
) -> Corrected:
    in_resample, in_all, left_out = performance.T
    flattery = in_resample - in_all
    optimism, outside = float(flattery.mean()), float(left_out.mean())
    no_information = NO_INFORMATION[metric.name]
    chance = _NAN if no_information is None else no_information(original)
    rate, plus = plus_632(apparent, outside, chance, lower_is_better=metric.better == "lower")
    low = high = _NAN
    if len(performance) >= LEAST_FOR_INTERVAL:
        low, high, _ = percentile_interval(in_resample)
    else:
        note = "; ".join(filter(None, [note, f"no interval below {LEAST_FOR_INTERVAL} resamples"]))
    return Corrected(
        metric.name,
        original.horizon_months,
        n_resamples,
        n_resamples - len(performance),
        apparent=apparent,
        optimism=optimism,
        mc_error=float(flattery.std(ddof=1) / np.sqrt(len(flattery))),
        corrected=apparent - optimism,
        ci_low=low - optimism,
        ci_high=high - optimism,
        out_of_resample=outside,
        no_information=chance,
        overfitting_rate=rate,
        estimate_632=float((1 - _DRAWN) * apparent + _DRAWN * outside),
        estimate_632_plus=plus,
        plus_ci_low=low - (apparent - plus),
        plus_ci_high=high - (apparent - plus),
        note=note,
    )


def plus_632(apparent: float, outside: float, chance: float, *, lower_is_better: bool) -> tuple[float, float]:
    """Relative overfitting rate R and the .632+ estimate; with ``chance`` NaN, 0 and the .632 estimate.

    Efron and Tibshirani 1997, section 4: performance out of resample is held at ``chance`` where it fell beyond, and R is 0
    unless both are worse than the apparent one.
    """
    if not np.isfinite(chance):
        return 0.0, float((1 - _DRAWN) * apparent + _DRAWN * outside)
    outside = min(outside, chance) if lower_is_better else max(outside, chance)
    sign = 1.0 if lower_is_better else -1.0
    worse = sign * (outside - apparent) > 0 and sign * (chance - apparent) > 0
    rate = (outside - apparent) / (chance - apparent) if worse else 0.0
    weight = _DRAWN / (1 - (1 - _DRAWN) * rate)
    return float(rate), float((1 - weight) * apparent + weight * outside)


def _performance(metric: Metric, at: HorizonPredictions, weights: FloatArray) -> FloatArray:
    if metric.needs_variation and not at.varies:
        return np.full(len(weights), _NAN)
    return metric.compute(at, weights)


def _failure_note(failed: int, refits: Refits, metric: Metric) -> str:
    """How many resamples failed, and the first reason."""
    if not failed:
        return ""
    unfitted = len(refits.failures)
    reason = refits.failures[0] if unfitted else f"no {metric.label}, {metric.undefined}"
    return f"{failed} of {refits.n_resamples} resamples failed ({unfitted} not fitted): {reason}"


def _refused(metric: str, horizon: float, refits: Refits, failed: int, reason: str, apparent: float = _NAN) -> Corrected:
    return Corrected(metric, horizon, refits.n_resamples, failed, apparent=apparent, note=reason)
