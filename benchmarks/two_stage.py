"""How fast is the bootstrap of the paper's whole two-stage procedure, beside R and beside statsmodels?

The embedded cohort (n = 268), the paper's covariates, four endpoints: in every resample all univariable screens, the selection
and the multivariable fit. Four ways, measured in turn in one run, so that a busy machine slows all of them; medians over rounds:

- ``batched``: ``models.batched.two_stage``, all resamples, on ``--jobs`` processes of one thread;
- ``R formulas``: a loop over ``glm`` and ``coxph`` as one writes it;
- ``R bare``: the same over ``glm.fit`` and ``coxph.fit``;
- ``statsmodels``: GLM, as the project's logistic regression was before, and PHReg, which has Efron's ties.

The slow ones do a share of the resamples and are scaled up; resample by resample the work is the same. R is left out, with a
word, where it is not installed. Selections are compared: a way that selects something else measures something else.

    python benchmarks/two_stage.py --resamples 2000 --rounds 5
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import statsmodels.api as sm
from statsmodels.duration.hazard_regression import PHReg

from cohort.load import load_cohort
from cohort.types import ENDPOINTS, Cohort, FloatArray, Outcome
from features.encode import PredictorEncoder
from features.feature_set import build_predictors
from features.paper import PAPER
from models.batched.two_stage import TwoStageFits, bootstrap_two_stage, bootstrap_weights, prepare
from models.two_stage import factors, screen

Counts = npt.NDArray[np.int32]
R_LOOP = Path(__file__).parent / "two_stage.R"


def statsmodels_fit(x: FloatArray, outcome: Outcome, *, binary: bool) -> tuple[FloatArray, FloatArray]:
    """Coefficients and standard errors (p,)."""
    if not binary:
        fit = PHReg(outcome.time_months, x, status=outcome.event, ties="efron").fit(disp=False)
        return np.asarray(fit.params), np.asarray(fit.bse)
    design = np.column_stack([np.ones(len(x)), x - x.mean(axis=0)])
    glm = sm.GLM(outcome.event.astype(float), design, family=sm.families.Binomial())
    fit = glm.fit(maxiter=25, tol_criterion="params", atol=1e-10, rtol=1e-10)
    return np.asarray(fit.params[1:]), np.asarray(fit.bse[1:])


def by_statsmodels(x: pd.DataFrame, cohort: Cohort, weights: Counts) -> list[set[str]]:
    """The factors that each resample selects at each endpoint, one fit after the other."""
    selected = []
    for endpoint in ENDPOINTS.values():
        outcome, binary = cohort.outcome(endpoint.source), endpoint.kind == "binary"
        for weight in weights:
            rows = np.repeat(np.arange(len(x)), weight)
            sample, cases = x.iloc[rows], outcome.subset(rows)
            if binary:
                status = cases.status_at(endpoint.primary_horizon_months)
                known = ~np.isnan(status)
                sample, cases = sample[known], Outcome(cases.time_months[known], status[known] == 1)
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")  # of separation and collinearity, which resamples have
                entered = screen(sample, cases, lambda v, o, binary=binary: statsmodels_fit(v, o, binary=binary))
                if entered:
                    complete = sample[entered].notna().all(axis=1).to_numpy()
                    statsmodels_fit(sample.loc[complete, entered].to_numpy(), cases.subset(complete), binary=binary)
            selected.append(set(factors(entered)))
    return selected


class RLoop:
    """``two_stage.R`` on the same patients and resamples; it tells its own seconds, without its start."""

    def __init__(self, x: pd.DataFrame, cohort: Cohort, folder: Path) -> None:
        self._folder = folder
        groups = factors(list(x.columns))
        place = {column: f"x{j + 1}" for j, column in enumerate(x.columns)}
        x.rename(columns=place).to_csv(folder / "x.csv", index=False)
        rows = [(place[c], f"f{i}") for i, columns in enumerate(groups.values()) for c in columns]
        pd.DataFrame(rows, columns=["column", "factor"]).to_csv(folder / "factors.csv", index=False)
        for name, endpoint in ENDPOINTS.items():
            outcome = cohort.outcome(endpoint.source)
            status = outcome.status_at(endpoint.primary_horizon_months) if endpoint.kind == "binary" else outcome.event
            frame = pd.DataFrame(
                {"time": outcome.time_months, "status": status.astype(float), "binary": endpoint.kind == "binary"}
            )
            frame.to_csv(folder / f"outcome_{name}.csv", index=False)
        self._factors = list(groups)

    def run(self, weights: Counts, *, bare: bool) -> tuple[float, list[set[str]]]:
        """Seconds, and the factors that each resample selects at each endpoint."""
        np.savetxt(self._folder / "weights.csv", weights, fmt="%d", delimiter=",")
        command = ["Rscript", "--vanilla", str(R_LOOP), str(self._folder), "bare" if bare else "formulas", *ENDPOINTS]
        subprocess.run(command, check=True)
        seconds = float((self._folder / "seconds.txt").read_text())
        table = (self._folder / "selected.txt").read_text().splitlines()
        return seconds, [{self._factors[int(f[1:])] for f in line.split()} for line in table]


def selections(fits: dict[str, TwoStageFits], resamples: int) -> list[set[str]]:
    """As the slow ways list them."""
    return [
        {name for name, chosen in zip(f.factors, row, strict=True) if chosen}
        for f in fits.values()
        for row in f.selected[:resamples]
    ]


def measure(resamples: int, rounds: int, jobs: int, r_resamples: int, statsmodels_resamples: int) -> pd.DataFrame:
    """One row a way: seconds for all ``resamples`` (median over rounds), their ratio to ours, and selections that differ."""
    cohort = load_cohort()
    predictors = build_predictors(cohort, "overall", PAPER)
    x = PredictorEncoder(predictors.skewed, impute=False).fit_transform(predictors.frame)
    prepared = {name: prepare(x, cohort.outcome(endpoint.source), endpoint) for name, endpoint in ENDPOINTS.items()}
    weights = bootstrap_weights(len(x), resamples, seed=0)
    bootstrap_two_stage(prepared, weights, jobs)  # starts the processes, which load what is compiled
    fits = bootstrap_two_stage(prepared, weights, jobs)

    def timed(work: Callable[[Counts], list[set[str]]]) -> Callable[[Counts], tuple[float, list[set[str]]]]:
        def run(drawn: Counts) -> tuple[float, list[set[str]]]:
            start = time.perf_counter()
            found = work(drawn)
            return time.perf_counter() - start, found

        return run

    with tempfile.TemporaryDirectory() as folder:
        ways: dict[str, tuple[int, Callable[[Counts], tuple[float, list[set[str]]]]]] = {
            "batched": (resamples, timed(lambda w: selections(bootstrap_two_stage(prepared, w, jobs), len(w)))),
            "statsmodels": (statsmodels_resamples, timed(lambda w: by_statsmodels(x, cohort, w))),
        }
        if shutil.which("Rscript"):
            loop = RLoop(x, cohort, Path(folder))
            ways["R formulas"] = (r_resamples, lambda w: loop.run(w, bare=False))
            ways["R bare"] = (r_resamples, lambda w: loop.run(w, bare=True))
        else:
            print("R is not installed: left out")
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        differ: dict[str, int] = dict.fromkeys(ways, 0)
        for round_ in range(rounds):
            for name, (n, run) in ways.items():
                spent, found = run(weights[:n])
                seconds[name].append(spent * resamples / n)
                differ[name] = sum(a != b for a, b in zip(found, selections(fits, n), strict=True))
                print(f"round {round_ + 1}, {name}: {spent:.2f} s for {n} resamples", flush=True)
    ours = np.array(seconds["batched"])
    return pd.DataFrame(
        {
            "way": list(ways),
            "resamples_measured": [n for n, _ in ways.values()],
            "seconds_for_all": [float(np.median(seconds[name])) for name in ways],
            "ratio": [float(np.median(np.array(seconds[name]) / ours)) for name in ways],
            "selections_that_differ": [differ[name] for name in ways],
        }
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--r-resamples", type=int, default=20)
    parser.add_argument("--statsmodels-resamples", type=int, default=2)
    options = parser.parse_args()
    table = measure(options.resamples, options.rounds, options.jobs, options.r_resamples, options.statsmodels_resamples)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))


if __name__ == "__main__":
    main()
