"""How often does the whole benchmark claim a useful model where nothing can be predicted?

Cohorts of 268 patients with the predictors of the paper, of which none has to do with the outcome (``--signal`` 0), go through
the benchmark as its flow takes them: planned, cross-validated with all models and both feature sets, compared, judged. Counted
are the verdicts, one an endpoint.

    python benchmarks/null_benchmark.py --cohorts 200
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pandas as pd
from scipy.stats import binomtest

from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS
from evaluation.decision_curve import decision_curve
from evaluation.estimate import estimate_cell
from evaluation.predictions import at_horizon
from evaluation.report_summary import CellKey
from evaluation.tables import Cell, CellResult, leaderboard
from evaluation.verdict import judge
from flows.cell_store import CellStore
from flows.config import BenchmarkConfig
from flows.plan import make_plan
from flows.work import fit_key, initialise, run_comparison, run_fit

N = 268
SETTINGS = {
    "populations": ("overall",),
    "endpoints": ("relapse_6m", "relapse_12m", "dfs"),
    "feature_sets": ("baseline", "pre_surgery"),
    "n_trials": 0,
}


def conclusions(seed: int, signal: float) -> list[tuple[str, str]]:
    """(endpoint, conclusion) of each verdict on the cohort of ``seed``."""
    cohort = simulate_cohort(N, signal, seed).cohort
    config = BenchmarkConfig.model_validate({**SETTINGS, "seed": seed})
    initialise(cohort)
    plan = make_plan(config, cohort)
    results: list[CellResult] = []
    curves: dict[CellKey, pd.DataFrame] = {}
    asked: dict[str, list[tuple[Cell, str]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = CellStore(Path(folder))
        keys = {fit: run_fit(fit, config, store, fit_key(store, fit, config, cohort.identity)) for fit in plan.fits}
        for cell, fit in plan.cells.items():
            if store.summary(keys[fit]).failures:
                raise RuntimeError(f"{cell.name}: {store.summary(keys[fit]).failures[0]}")
            endpoint, predictions = ENDPOINTS[cell.endpoint], store.predictions(keys[fit])
            estimates = estimate_cell(predictions, endpoint, config.n_bootstraps, seed)
            results.append(CellResult(cell, "completed", tuple(estimates)))
            at = at_horizon(predictions, endpoint.primary_horizon_months, endpoint.tau_months)
            curves[cell.population, cell.endpoint, cell.feature_set, cell.model] = decision_curve(at, config.n_bootstraps, seed)
            asked.setdefault(cell.endpoint, []).append((cell, keys[fit]))
        compared = pd.concat([run_comparison(cells, store, config) for cells in asked.values()], ignore_index=True)
    verdicts = judge(leaderboard(results), compared, curves, cohort.evidence)
    return [(verdict.endpoint, verdict.conclusion) for verdict in verdicts]


def main() -> None:
    """Count the verdicts on ``--cohorts`` cohorts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=200)
    parser.add_argument("--signal", type=float, default=0.0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    counted: Counter[tuple[str, str]] = Counter()
    with ProcessPoolExecutor(options.workers) as pool:
        for number, found in enumerate(pool.map(conclusions, range(options.cohorts), [options.signal] * options.cohorts), 1):
            counted.update(found)
            if number % 20 == 0 or number == options.cohorts:
                print(f"{number} cohorts: {_told(counted)}", flush=True)


def _told(counted: Counter[tuple[str, str]]) -> str:
    total = counted.total()
    useful = sum(count for (_, conclusion), count in counted.items() if conclusion == "useful")
    low, high = binomtest(useful, total).proportion_ci(method="wilson")
    parts = ", ".join(f"{endpoint} {conclusion} {count}" for (endpoint, conclusion), count in sorted(counted.items()))
    return f"{useful} of {total} verdicts useful, {useful / total:.1%} ({low:.1%} to {high:.1%}); {parts}"


if __name__ == "__main__":
    main()
