"""DeLong's variance against counting all pairs, R, hand, and simulated truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohort.types import BoolArray, FloatArray, Outcome
from evaluation.delong import auc_contributions, delong_interval, placements
from evaluation.metrics.auc import AUC
from evaluation.predictions import HorizonPredictions

REFERENCE = Path(__file__).parent.parent / "reference"
R = pd.read_csv(REFERENCE / "delong.csv")


def _at(case: BoolArray, risk: FloatArray, fold: FloatArray) -> HorizonPredictions:
    """Cases have the event at 3 months, the others are followed to 20."""
    outcome = Outcome(np.where(case, 3.0, 20.0), np.asarray(case, dtype=bool))
    columns = risk.reshape(len(case), -1)
    return HorizonPredictions(12.0, 12.0, outcome, columns, np.asarray(fold, dtype=np.int16).reshape(columns.shape))


def _simulated(seed: int, n: int = 90, repeats: int = 1, n_folds: int = 3, decimals: int = 2) -> HorizonPredictions:
    rng = np.random.default_rng(seed)
    lp = rng.normal(size=n)
    case = rng.uniform(size=n) < 1 / (1 + np.exp(-lp))
    risk = 1 / (1 + np.exp(-lp[:, None] - rng.normal(scale=0.7, size=(n, repeats))))
    fold = np.stack([rng.permutation(n) % n_folds for _ in range(repeats)], axis=1)
    return _at(case, np.round(risk, decimals), fold)


def _counted(risk: FloatArray, case: BoolArray) -> FloatArray:
    """Placements by counting all pairs."""
    wins = (risk[case][:, None] > risk[~case]) + 0.5 * (risk[case][:, None] == risk[~case])
    placed = np.empty(len(risk))
    placed[case], placed[~case] = wins.mean(axis=1), wins.mean(axis=0)
    return placed


def _variance(at: HorizonPredictions) -> float:
    return float(np.sum(auc_contributions(at) ** 2))


def _counted_variance(at: HorizonPredictions) -> float:
    """One repeat: squared weights times DeLong's variances of the folds."""
    [repeat] = range(at.risk.shape[1])
    case = at.outcome.status_at(12.0) == 1
    total, parts = 0, []
    for _, rows in at.folds():
        of_fold = case[rows]
        m, k = of_fold.sum(), (~of_fold).sum()
        placed = _counted(at.risk[rows, repeat], of_fold)
        parts.append((m * k, placed[of_fold].var(ddof=1) / m + placed[~of_fold].var(ddof=1) / k))
        total += m * k
    return sum((pairs / total) ** 2 * variance for pairs, variance in parts)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("decimals", [1, 6], ids=["many ties", "no ties"])
def test_placements_by_midranks_are_those_of_counting_all_pairs(seed: int, decimals: int) -> None:
    at = _simulated(seed, decimals=decimals)
    case, risk = at.outcome.event, at.risk[:, 0]

    np.testing.assert_allclose(placements(risk, case), _counted(risk, case), atol=1e-14)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_folds", [1, 3])
def test_one_repeats_variance_is_that_of_its_folds_by_their_squared_share_of_pairs(seed: int, n_folds: int) -> None:
    at = _simulated(seed, n_folds=n_folds, decimals=1)

    assert _variance(at) == pytest.approx(_counted_variance(at), rel=1e-12)


@pytest.mark.parametrize("row", R.to_dict("records"), ids=lambda r: f"{r['data']} {r['first']} {r['second']} {r['strata']}")
def test_variances_are_those_of_placements_counted_in_r(row: dict[str, object]) -> None:
    frame = pd.read_csv(REFERENCE / f"data_{row['data']}.csv")
    frame = frame[(frame["time"] > row["horizon"]) | (frame["event"] == 1)].reset_index(drop=True)
    case = (frame["time"] <= row["horizon"]).to_numpy()
    fold = (np.arange(len(frame)) + 1) % row["strata"]
    first, second = (_at(case, (frame[row[name]] / 1000).to_numpy(), fold) for name in ("first", "second"))
    difference = auc_contributions(first) - auc_contributions(second)

    assert AUC.compute(first, np.ones((1, len(frame))))[0] == pytest.approx(row["auc_first"], rel=1e-12)
    assert _variance(first) == pytest.approx(row["variance_first"], rel=1e-12)
    assert float(np.sum(difference**2)) == pytest.approx(row["variance_difference"], rel=1e-12)


def test_variance_by_hand() -> None:
    # Cases 0.8, 0.4; controls 0.6, 0.2: placements of cases 1 and 1/2, of controls 1/2 and 1. Each variance is 1/8, over 2.
    at = _at(np.array([True, True, False, False]), np.array([0.8, 0.4, 0.6, 0.2]), np.zeros(4))

    assert _variance(at) == pytest.approx(1 / 8)
    assert delong_interval(0.75, auc_contributions(at)) == pytest.approx((0.75 - 0.692952, 0.75 + 0.692952), abs=1e-6)


def test_contributions_sum_to_nothing() -> None:
    at = _simulated(3, repeats=3)

    assert auc_contributions(at).sum() == pytest.approx(0, abs=1e-14)
    assert np.abs(auc_contributions(at)).max() > 1e-3


def test_the_null_model_has_no_variance() -> None:
    at = _simulated(3, repeats=2)

    assert _variance(replace(at, risk=np.full_like(at.risk, 0.3))) == 0


def test_repeating_the_same_predictions_adds_no_knowledge() -> None:
    at = _simulated(1)
    thrice = replace(at, risk=np.repeat(at.risk, 3, axis=1), fold=np.repeat(at.fold, 3, axis=1))

    assert _variance(thrice) == pytest.approx(_variance(at), rel=1e-12)


def test_repeats_that_differ_have_less_variance_than_each_but_more_than_if_they_were_other_patients() -> None:
    at = _simulated(2, n=150, repeats=4)
    alone = [_variance(replace(at, risk=at.risk[:, [r]], fold=at.fold[:, [r]])) for r in range(4)]

    assert np.mean(alone) / 4 * 1.5 < _variance(at) < np.mean(alone)


def test_the_interval_covers_the_truth_in_95_percent() -> None:
    # Fixed risks in new patients, 3 folds whose risks are on different scales; 2 repeats that share the patients.
    rng = np.random.default_rng(5)
    truth, covered = 0.6914625, 0  # P(a case's normal lies above a control's, one half of root 2 apart)
    for _ in range(500):
        case = rng.uniform(size=120) < 0.4
        x = rng.normal(size=120) + case / np.sqrt(2)
        fold = np.stack([rng.permutation(120) % 3 for _ in range(2)], axis=1)
        at = _at(case, 1 / (1 + np.exp(-x[:, None] * (1 + fold) - fold)), fold)
        low, high = delong_interval(float(AUC.compute(at, np.ones((1, 120)))[0]), auc_contributions(at))
        covered += low < truth < high

    assert 0.92 <= covered / 500 <= 0.98


def test_censoring_before_the_horizon_is_refused_with_a_count() -> None:
    at = _simulated(0)
    outcome = Outcome(np.where(np.arange(90) < 2, 5.0, at.outcome.time_months), at.outcome.event & (np.arange(90) >= 2))

    with pytest.raises(ValueError, match="2 patients are censored before the horizon"):
        auc_contributions(replace(at, outcome=outcome))


def test_single_case_of_a_fold_gives_no_variance() -> None:
    case = np.array([True, False, False, True, True, False, False])

    with pytest.raises(ValueError, match="a single case or control"):
        auc_contributions(_at(case, np.linspace(0.1, 0.7, 7), np.array([0, 0, 0, 1, 1, 1, 1])))


def test_fold_without_cases_has_no_pairs_and_no_part() -> None:
    case = np.array([True, True, False, False, False, False])
    risk = np.array([0.8, 0.4, 0.6, 0.2, 0.5, 0.1])
    at = _at(case, risk, np.array([0, 0, 0, 0, 1, 1]))

    assert _variance(at) == pytest.approx(1 / 8)
    with pytest.raises(ValueError, match="no fold has both"):
        auc_contributions(_at(case, risk, np.array([0, 0, 1, 1, 1, 1])))
