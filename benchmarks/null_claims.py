"""How often is a model said to discriminate where nothing can be predicted?

Cohorts of 268 patients with 30 normal predictors of which the first five have the log odds ratio ``--signal`` (0: none). Three
penalised logistic regressions and a forest, cross-validated twice in five folds, are compared with the prevalence by
``evaluation.comparison``. Three rules are counted: the corrected resampled t test with Holm's correction, which the verdict uses;
DeLong's test with Holm's correction; the paired bootstrap interval alone, uncorrected.

    python benchmarks/null_claims.py --cohorts 200

Found on two cores in some six minutes: 12, 29 and 57 of 200 cohorts without signal; with ``--signal 0.3`` (the best AUC is about
0.63) 31, 44 and 46 of 50.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from scipy.stats import norm
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold

from cohort.intervals import Z_95
from cohort.types import ENDPOINTS, Outcome
from evaluation.comparison import NULL_KEY, compare_models
from evaluation.multiplicity import adjust
from evaluation.predictions import HorizonPredictions

N, PREDICTORS, RELATED = 268, 30, 5
FOLDS, REPEATS, RESAMPLES = 5, 2, 200
LEVEL = 0.05
MODELS: dict[str, Callable[[], ClassifierMixin]] = {
    "ridge": lambda: LogisticRegression(C=1.0),
    "strong ridge": lambda: LogisticRegression(C=0.01),
    "lasso": lambda: LogisticRegression(C=0.1, penalty="l1", solver="liblinear"),
    "forest": lambda: RandomForestClassifier(15, min_samples_leaf=5, n_jobs=1, random_state=0),
}


def claims(seed: int, signal: float) -> tuple[bool, bool, bool]:
    """Whether each rule claims for one of the models, in the cohort of ``seed``, that it discriminates."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, PREDICTORS))
    event = rng.uniform(size=N) < 1 / (1 + np.exp(0.4 - signal * x[:, :RELATED].sum(axis=1)))
    fold = np.zeros((N, REPEATS), dtype=np.int16)
    risk = {key: np.zeros((N, REPEATS)) for key in (NULL_KEY, *(("baseline", name) for name in MODELS))}
    splits = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=seed)
    for number, (train, test) in enumerate(splits.split(x, event)):
        repeat = number // FOLDS
        fold[test, repeat] = number % FOLDS
        risk[NULL_KEY][test, repeat] = event[train].mean()
        for name, model in MODELS.items():
            risk["baseline", name][test, repeat] = model().fit(x[train], event[train]).predict_proba(x[test])[:, 1]
    outcome = Outcome(np.where(event, 3.0, 20.0), event)
    cells = {key: HorizonPredictions(12.0, 12.0, outcome, r, fold) for key, r in risk.items()}
    table = compare_models(cells, ENDPOINTS["relapse_12m"], "overall", RESAMPLES, 1)
    table = table[(table["metric"] == "auc") & (table["comparison"] == "null_model")]
    above = (table["ci_low"] > 0).to_numpy()
    error = (table["delong_ci_high"] - table["delong_ci_low"]).to_numpy(dtype=float) / (2 * Z_95)
    delong = adjust(2 * norm.sf(np.abs(table["difference"].to_numpy(dtype=float) / error)))[0]
    corrected = (table["p_holm"] < LEVEL).to_numpy()
    return bool((above & corrected).any()), bool((above & (delong < LEVEL)).any()), bool(above.any())


def main() -> None:
    """Count the claims in ``--cohorts`` cohorts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=200)
    parser.add_argument("--signal", type=float, default=0.0)
    options = parser.parse_args()
    counted = np.zeros(3, dtype=int)
    for seed in range(options.cohorts):
        counted += claims(seed, options.signal)
        if seed % 20 == 19 or seed == options.cohorts - 1:
            rules = ("corrected t test, Holm", "DeLong, Holm", "interval alone")
            print(f"{seed + 1} cohorts: " + "; ".join(f"{rule} {n}" for rule, n in zip(rules, counted, strict=True)), flush=True)


if __name__ == "__main__":
    main()
