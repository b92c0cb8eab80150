"""Do the 95 % intervals hold the truth in 95 % of cohorts?

A population of which every patient's true risk is known (``cohort.simulate``) is cut into cohorts of 268. In each, the risks of a
model are judged exactly as the benchmark judges them, and every metric's interval is compared with the metric's value in the
population, which follows from the true risks without any outcome being drawn.

- ``fixed``: a model made elsewhere: the true risks, shifted and spread as an overfitted model's are.
- ``refitted``: logistic regressions of twelve predictors, four of them related, cross-validated twice in five folds in each
  cohort. The truth is the mean over the ten fold models, each judged in the population: what such fits are worth.

    python benchmarks/interval_coverage.py fixed --cohorts 500
    python benchmarks/interval_coverage.py refitted --cohorts 500
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression

from cohort.simulate import MEDIAN_DFS_MONTHS, SHAPE, SimulatedCohort, simulate_cohort
from cohort.types import ENDPOINTS, FloatArray, IntArray, Outcome
from evaluation.estimate import bootstrap_weights, percentile_interval
from evaluation.metrics.registry import METRICS
from evaluation.predictions import HorizonPredictions
from evaluation.resampling import repeated_stratified_splits

N, RESAMPLES, HORIZON = 268, 500, 12.0
TAU = ENDPOINTS["dfs"].tau_months
FOLLOW_UP = (3.0, 80.0)  # some 12 % are censored before the horizon, if nothing happens to them first
SIGNAL = 1.0
SHIFT, SPREAD = -0.3, 1.4
PREDICTORS, RELATED = 12, 4
#: Pairs are taken over so many patients of the population; what fits are worth, over so many.
PAIRED, JUDGED = 3_000, 20_000


@dataclass(frozen=True, eq=False)
class Population:
    """(n,) true risk by the horizon, (n, 12) predictors, and what was seen to happen.

    ``pairs``, for Harrell's and Uno's C: of each pair of the first patients, how probable it is that the one's event comes first.
    """

    true_risk: FloatArray
    x: FloatArray
    outcome: Outcome
    pairs: tuple[FloatArray, FloatArray]

    def first(self, n: int) -> Population:
        """The first ``n`` patients; the pairs are of fewer."""
        return Population(self.true_risk[:n], self.x[:n], self.outcome.subset(np.arange(n)), self.pairs)


@cache
def population(cohorts: int) -> Population:
    """All the cohorts' patients, and never fewer than 50,000."""
    n = max(50_000, cohorts * N)
    simulated: SimulatedCohort = simulate_cohort(n, SIGNAL, seed=1, follow_up_months=FOLLOW_UP)
    frame = simulated.cohort.frame
    related = np.column_stack(
        [
            np.log(frame["baseline_lesions"]),
            np.log(frame["baseline_max_diameter"]),
            frame["primary_resected"] == "yes",
            frame["baseline_lobes"] == "unilobar",
        ]
    ).astype(np.float64)
    noise = np.random.default_rng(2).normal(size=(n, PREDICTORS - RELATED))
    x = np.column_stack([(related - related.mean(axis=0)) / related.std(axis=0), noise])
    outcome = simulated.cohort.outcome("dfs")
    return Population(simulated.true_risk(HORIZON), x, outcome, _pairs(np.exp(simulated.linear_predictor)))


# ---- the truth


def true_values(risk: FloatArray, people: Population) -> dict[str, float]:
    """Each metric's value in the population of a model that gives its patients ``risk``, by the definitions of its file."""
    p, mean = people.true_risk, people.true_risk.mean()
    values = {
        "auc": _auc(risk, p),
        "brier": float(np.mean(p * (1 - risk) ** 2 + (1 - p) * risk**2)),
        "log_loss": float(-np.mean(p * np.log(risk) + (1 - p) * np.log1p(-risk))),
        "o_e": float(mean / risk.mean()),
        "calibration_slope": float(_recalibrated(logit(risk)[:, None], p, np.zeros(len(p)))[1]),
        "calibration_intercept": float(_recalibrated(np.zeros((len(p), 0)), p, logit(risk))[0]),
        "average_precision": _average_precision(risk, p),
    }
    values["scaled_brier"] = 1 - values["brier"] / float(mean * (1 - mean))
    values["c_harrell"], values["c_uno"] = _concordances(risk, people)
    for place, threshold in (("observed", mean), ("50", 0.5)):
        high = risk >= threshold
        values[f"sensitivity_at_{place}"] = float((p * high).sum() / p.sum())
        values[f"specificity_at_{place}"] = float(((1 - p) * ~high).sum() / (1 - p).sum())
        values[f"ppv_at_{place}"] = float(p[high].mean()) if high.any() else np.nan
        values[f"npv_at_{place}"] = float(1 - p[~high].mean()) if not high.all() else np.nan
    return values


def _auc(risk: FloatArray, p: FloatArray) -> float:
    """Mann and Whitney's statistic with p cases and 1 - p controls in each patient, less each patient's pair with himself."""
    order = np.argsort(risk, kind="stable")
    controls_below = np.cumsum(1 - p[order]) - (1 - p[order])
    return float((p[order] * controls_below).sum() / (p.sum() * (1 - p).sum() - (p * (1 - p)).sum()))


def _average_precision(risk: FloatArray, p: FloatArray) -> float:
    falling = p[np.argsort(-risk, kind="stable")]
    precision = np.cumsum(falling) / np.arange(1, len(p) + 1)
    return float((precision * falling).sum() / falling.sum())


def _recalibrated(columns: FloatArray, p: FloatArray, offset: FloatArray) -> FloatArray:
    """Logistic regression of the true risks, by Newton's method."""
    design = np.column_stack([np.ones(len(p)), columns])
    beta = np.zeros(design.shape[1])
    for _ in range(30):
        fitted = expit(design @ beta + offset)
        beta += np.linalg.solve(design.T @ (design * (fitted * (1 - fitted))[:, None]), design.T @ (p - fitted))
    return beta


def _concordances(risk: FloatArray, people: Population) -> tuple[float, float]:
    """Harrell's C and Uno's C, both up to tau."""
    r = risk[:PAIRED]
    higher = np.where(r[:, None] > r, 1.0, np.where(r[:, None] == r, 0.5, 0.0))
    harrell, uno = (float((first * higher).sum() / first.sum()) for first in people.pairs)
    return harrell, uno


def _pairs(hazard: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(PAIRED, PAIRED) how probable it is that the first patient's event comes before the second's, up to tau.

    Patient i has the event before j, both still followed, with the density h_i k'(t) exp(-k(t) (h_i + h_j)) G(t)^2, where k is
    the cumulative baseline hazard; Uno's weights take G away. The integral depends on the sum of the hazards alone.
    """
    h = hazard[:PAIRED]
    time = np.linspace(0, TAU, 4_001)
    cumulative = np.log(2) * (time / MEDIAN_DFS_MONTHS) ** SHAPE
    followed = np.clip((FOLLOW_UP[1] - time) / (FOLLOW_UP[1] - FOLLOW_UP[0]), 0, 1)
    sums = np.geomspace(2 * h.min(), 2 * h.max(), 400)
    survival = np.exp(-np.outer(sums, cumulative))
    both, found = h[:, None] + h, []
    for g in (followed, np.ones_like(followed)):
        middle = (g[1:] ** 2 + g[:-1] ** 2) / 2
        # The exponential is integrated exactly over each step of the cumulative hazard.
        integral = ((survival[:, :-1] - survival[:, 1:]) * middle).sum(axis=1) / sums
        first = h[:, None] * np.interp(both, sums, integral)
        np.fill_diagonal(first, 0)
        found.append(first)
    return found[0], found[1]


# ---- a cohort


def judged(at: HorizonPredictions, seed: int) -> dict[str, tuple[float, float, float]]:
    """Estimate and interval of every metric, as :func:`evaluation.estimate.estimate_cell` has them."""
    weights, alone = bootstrap_weights(len(at.outcome), RESAMPLES, seed), np.ones((1, len(at.outcome)))
    return {
        name: (float(metric.compute(at, alone)[0]), *percentile_interval(metric.compute(at, weights))[:2])
        for name, metric in METRICS.items()
    }


def fixed_cohort(number: int, cohorts: int) -> list[tuple[str, float, float, float, float]]:
    people = population(cohorts)
    rows = np.arange(number * N, (number + 1) * N)
    risk = _spread(people.true_risk[rows])
    one_fold = np.zeros((N, 1), dtype=np.int16)
    at = HorizonPredictions(HORIZON, TAU, people.outcome.subset(rows), risk[:, None], one_fold)
    truth = _fixed_truth(cohorts)
    return [(name, truth[name], *found) for name, found in judged(at, number).items() if name in truth]


def _spread(true_risk: FloatArray) -> FloatArray:
    return np.asarray(expit(SHIFT + SPREAD * logit(true_risk)), dtype=np.float64)


@cache
def _fixed_truth(cohorts: int) -> dict[str, float]:
    people = population(cohorts)
    return true_values(_spread(people.true_risk), people)


def refitted_cohort(number: int, cohorts: int) -> list[tuple[str, float, float, float, float]]:
    people = population(cohorts)
    rows = np.arange(number * N, (number + 1) * N)
    x, outcome = people.x[rows], people.outcome.subset(rows)
    splits = repeated_stratified_splits(outcome, (6.0, 12.0), 5, 2, seed=number)
    risk, fold = np.zeros((N, 2)), np.zeros((N, 2), dtype=np.int16)
    truths, judged_in = [], people.first(JUDGED)
    for split in splits:
        model = _fitted(x[split.train], outcome.subset(split.train))
        risk[split.test, split.repeat] = model(x[split.test])
        fold[split.test, split.repeat] = split.fold
        truths.append(true_values(model(judged_in.x), judged_in))
    truth = pd.DataFrame(truths).mean()
    at = HorizonPredictions(HORIZON, TAU, outcome, risk, fold)
    return [(name, truth[name], *found) for name, found in judged(at, number).items() if name in truth]


def _fitted(x: FloatArray, outcome: Outcome) -> Callable[[FloatArray], FloatArray]:
    """Logistic regression of the patients whose status at the horizon is known, as a function from predictors to risk."""
    status = outcome.status_at(HORIZON)
    known: IntArray = np.flatnonzero(np.isfinite(status))
    model = LogisticRegression(C=np.inf, max_iter=1000).fit(x[known], status[known])
    return lambda new: np.asarray(np.clip(model.predict_proba(new)[:, 1], 1e-9, 1 - 1e-9), dtype=np.float64)


# ---- all cohorts


def summary(rows: pd.DataFrame) -> Iterator[str]:
    """A line a metric: coverage with its own exact interval, bias, and the width of the intervals."""
    yield "| metric | truth | bias | mean width | covered | of | 95 % interval |"
    yield "|---|---|---|---|---|---|---|"
    for name in dict.fromkeys(rows["metric"]):
        found = rows[(rows["metric"] == name) & rows["low"].notna()]
        covered = int(((found["low"] <= found["truth"]) & (found["truth"] <= found["high"])).sum())
        low, high = binomtest(covered, len(found)).proportion_ci(method="wilson")
        bias = (found["estimate"] - found["truth"]).mean()
        yield (
            f"| {name} | {found['truth'].mean():.3f} | {bias:+.4f} | {(found['high'] - found['low']).mean():.3f} "
            f"| {covered / len(found):.1%} | {len(found)} | {low:.1%} to {high:.1%} |"
        )


def main() -> None:
    """Judge ``--cohorts`` cohorts and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=("fixed", "refitted"))
    parser.add_argument("--cohorts", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    work = fixed_cohort if options.model == "fixed" else refitted_cohort
    population(options.cohorts)  # before the workers fork: they share it
    rows = []
    with ProcessPoolExecutor(options.workers) as pool:
        for number, found in enumerate(pool.map(work, range(options.cohorts), [options.cohorts] * options.cohorts), 1):
            rows += found
            if number % 50 == 0:
                print(f"{number} of {options.cohorts} cohorts", flush=True)
    print("\n".join(summary(pd.DataFrame(rows, columns=["metric", "truth", "estimate", "low", "high"]))))


if __name__ == "__main__":
    main()
