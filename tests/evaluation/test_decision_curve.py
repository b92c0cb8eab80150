"""Net benefit by hand, against R and a slow twin; what it must not depend on; where it is of use, and where it says why not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from cohort.types import FloatArray, IntArray, Outcome
from evaluation import decision_curve as module
from evaluation.decision_curve import THRESHOLDS, decision_curve, net_benefit, useful_in_words, useful_thresholds
from evaluation.estimate import bootstrap_weights
from evaluation.predictions import HorizonPredictions
from models.kaplan_meier import kaplan_meier

from .report_cases import decision_curve_of

REFERENCE = Path(__file__).parent.parent / "reference"
NAN = float("nan")


def _at(time: npt.ArrayLike, event: npt.ArrayLike, risk: npt.ArrayLike, horizon: float = 12.0) -> HorizonPredictions:
    """Risk (n,) for one repeat or (n, R)."""
    outcome = Outcome(np.asarray(time, dtype=float), np.asarray(event, dtype=bool))
    risks = np.asarray(risk, dtype=float).reshape(len(outcome), -1)
    return HorizonPredictions(horizon, horizon, outcome, risks, np.zeros(risks.shape, dtype=np.int16))


def _simulated(
    seed: int = 0, n: int = 150, repeats: int = 3, signal: float = 0.8, censored: bool = True, tied: bool = False
) -> HorizonPredictions:
    """Noisy predictions of a known truth; ``tied`` rounds times up to months and risks to 5 %."""
    rng = np.random.default_rng(seed)
    lp = rng.normal(size=n)
    time = rng.exponential(17 / np.exp(signal * lp)) + 1e-3
    leaves = rng.uniform(3, 60, n) if censored else np.full(n, 1e3)
    months = np.minimum(time, leaves)
    risk = 1 - np.exp(-12 / 17 * np.exp(0.8 * (lp[:, None] + rng.normal(scale=0.4, size=(n, repeats)))))
    return _at(np.ceil(months) if tied else months, time <= leaves, np.round(risk * 20) / 20 if tied else risk)


def _take(at: HorizonPredictions, rows: IntArray) -> HorizonPredictions:
    return replace(at, outcome=at.outcome.subset(rows), risk=at.risk[rows], fold=at.fold[rows])


def _estimate(at: HorizonPredictions, *thresholds: float) -> FloatArray:
    """(m,) net benefit of treating by the model."""
    return net_benefit(at, np.ones((1, len(at.outcome))), np.array(thresholds) if thresholds else THRESHOLDS)[0][0]


def _treat_all(at: HorizonPredictions, *thresholds: float) -> FloatArray:
    return net_benefit(at, np.ones((1, len(at.outcome))), np.array(thresholds) if thresholds else THRESHOLDS)[1][0]


def _slowly(at: HorizonPredictions, weights: FloatArray, thresholds: FloatArray) -> FloatArray:
    """The definition, one resample, repeat and threshold after the other, from the Kaplan-Meier of those above it."""
    benefit = np.zeros((len(weights), len(thresholds), at.risk.shape[1]))
    for b, m, repeat in np.ndindex(benefit.shape):
        treated = (at.risk[:, repeat] >= thresholds[m] - 1e-8) & (weights[b] > 0)
        if treated.any():
            drawn = np.repeat(np.flatnonzero(treated), weights[b, treated].astype(int))
            among = at.outcome.subset(drawn)
            survival = kaplan_meier(among).at([at.horizon_months])[0, 0]
            if among.time_months.max() < at.horizon_months and survival > 0:
                survival = NAN
            share = len(drawn) / weights[b].sum()
            benefit[b, m, repeat] = share * (1 - survival) - share * survival * thresholds[m] / (1 - thresholds[m])
    return benefit.mean(axis=2)


# ---- by hand


def test_net_benefit_without_censoring_counts_those_treated_rightly_and_needlessly() -> None:
    # Of 5, at 20 % are treated .9, .5 and .2: two with the event, one without. 2/5 - 1/5 * (.2/.8) = .35.
    # At 40 %: two, one of each: 1/5 - 1/5 * (.4/.6) = .0667. At 60 %: one with the event: 1/5.
    at = _at([3, 20, 7, 20, 20], [1, 0, 1, 0, 0], [0.9, 0.5, 0.2, 0.1, 0.1])

    assert _estimate(at, 0.2, 0.4, 0.6).tolist() == pytest.approx([0.35, 1 / 5 - 1 / 5 * 2 / 3, 0.2])


def test_net_benefit_with_censoring_takes_kaplan_meier_among_those_treated() -> None:
    # At 20 % four of five are treated, times 2 (event), 4 (censored), 6 (event), 20: S = 3/4 * 1/2 = 3/8.
    # 4/5 * 5/8 - 4/5 * 3/8 * (.2/.8) = .5 - .075. (The fifth, with the event, is not treated and does not bear on S.)
    at = _at([2, 4, 6, 20, 1], [1, 0, 1, 0, 1], [0.5, 0.4, 0.3, 0.2, 0.1])

    assert _estimate(at, 0.2).tolist() == pytest.approx([0.425])


def test_treating_all_is_the_prevalence_less_the_others_at_the_rate_of_exchange() -> None:
    # S of all five: 4/5 at 1, * 3/4 at 2, * 1/2 at 6 = .3: .7 - .3 * p / (1 - p).
    at = _at([2, 4, 6, 20, 1], [1, 0, 1, 0, 1], [0.5, 0.4, 0.3, 0.2, 0.1])

    assert _treat_all(at, 0.2, 0.5).tolist() == pytest.approx([0.7 - 0.3 / 4, 0.4])


def test_a_risk_equal_to_the_threshold_is_treated_even_if_it_misses_it_by_the_last_digit() -> None:
    assert 0.7 - 0.4 < 0.3  # in binary

    assert _estimate(_at([2, 20], [1, 0], [0.7 - 0.4, 0.1]), 0.3).tolist() == [0.5]


def test_event_at_the_horizon_itself_has_happened_by_it_and_one_after_it_has_not() -> None:
    assert _estimate(_at([12, 20], [1, 0], [0.9, 0.1]), 0.5).tolist() == [0.5]
    assert _estimate(_at([12.01, 2], [1, 1], [0.9, 0.1]), 0.5).tolist() == [-0.5]


def test_net_benefit_is_0_where_nobody_reaches_the_threshold() -> None:
    assert _estimate(_at([2, 20], [1, 0], [0.3, 0.1]), 0.2, 0.31).tolist() == [0.5, 0]


def test_net_benefit_is_averaged_over_repeats() -> None:
    # In the first repeat the one with the event is treated, in the second the other: (1/2 - 1/2 * (.2/.8)) / 2.
    at = _at([2, 20], [1, 0], [[0.9, 0.1], [0.1, 0.9]])

    assert _estimate(at, 0.2).tolist() == pytest.approx([(1 / 2 - 1 / 2 / 4) / 2])
    assert decision_curve(at, 0, 1, np.array([0.2]))["share_treated"].tolist() == [0.5]


# ---- against R and a slow twin


@pytest.mark.parametrize("name", ["veteran", "lung", "colon"])
def test_net_benefit_is_that_of_r_with_tied_and_censored_times(name: str) -> None:
    # The recipe is the last section of tests/reference/survival.R; so is the formula of the risks.
    data = pd.read_csv(REFERENCE / f"data_{name}.csv")
    r = pd.read_csv(REFERENCE / "net_benefit.csv").query("data == @name")
    risk = 1 / (1 + np.exp(0.5 - 1.2 * np.sin(np.arange(1, len(data) + 1))))
    at = _at(data["time"], data["event"], risk, horizon=float(r["horizon"].iloc[0]))

    np.testing.assert_allclose(_estimate(at, *r["threshold"]), r["model"], atol=1e-12)
    np.testing.assert_allclose(_treat_all(at, *r["threshold"]), r["treat_all"], atol=1e-12)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("n", [12, 60], ids=["often nobody followed", "usual"])
def test_resamples_have_the_net_benefit_of_their_patients_repeated(n: int, tied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", 3 * n)  # several blocks, the last not full
    at = _simulated(9, n=n, tied=tied)
    weights = bootstrap_weights(n, 16, seed=3)
    thresholds = np.array([0.05, 0.2, 0.21, 0.45, 0.6, 0.9])
    expected = _slowly(at, weights, thresholds)

    assert np.isnan(expected).any() == (n == 12)
    np.testing.assert_allclose(net_benefit(at, weights, thresholds)[0], expected, atol=1e-12)
    everybody = replace(at, risk=np.ones_like(at.risk))
    np.testing.assert_allclose(net_benefit(at, weights, thresholds)[1], _slowly(everybody, weights, thresholds), atol=1e-12)


# ---- what it keeps


@pytest.mark.parametrize("tied", [False, True])
def test_the_order_of_patients_does_not_matter(tied: bool) -> None:
    at, weights = _simulated(2, tied=tied), bootstrap_weights(150, 5, seed=1)
    order = np.random.default_rng(1).permutation(150)

    for here, there in zip(net_benefit(at, weights), net_benefit(_take(at, order), weights[:, order]), strict=True):
        np.testing.assert_allclose(here, there, atol=1e-13)


def test_the_unit_of_time_does_not_matter() -> None:
    at = _simulated(2)
    days = Outcome(at.outcome.time_months * 32.0, at.outcome.event)

    pd.testing.assert_frame_equal(
        decision_curve(replace(at, outcome=days, horizon_months=12.0 * 32), 50, 1), decision_curve(at, 50, 1)
    )


def test_a_perfect_model_reaches_the_prevalence_at_every_threshold() -> None:
    at = _simulated(3, censored=False)
    status = at.outcome.status_at(12.0)
    perfect = replace(at, risk=np.repeat(status[:, None], 3, axis=1))

    assert 0.2 < status.mean() < 0.8
    assert _estimate(perfect).tolist() == pytest.approx([status.mean()] * len(THRESHOLDS))


def test_the_null_model_is_treating_all_up_to_the_prevalence_and_treating_nobody_above_it() -> None:
    at = _simulated(4)
    prevalence = 1 - kaplan_meier(at.outcome).at([12.0])[0, 0]
    null = replace(at, risk=np.full_like(at.risk, prevalence))
    below = prevalence >= THRESHOLDS

    assert 5 < below.sum() < len(THRESHOLDS) - 5
    np.testing.assert_allclose(_estimate(null)[below], _treat_all(null)[below], atol=1e-15)
    assert (_estimate(null)[~below] == 0).all()


def test_treating_all_is_worth_nothing_at_the_prevalence() -> None:
    at = _simulated(4)
    prevalence = float(1 - kaplan_meier(at.outcome).at([12.0])[0, 0])

    assert _treat_all(at, prevalence)[0] == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize("thresholds", [[0.2, 0.1], [0.2, 0.2], [0.0, 0.2], [0.2, 1.0]])
def test_thresholds_that_do_not_rise_between_0_and_1_are_refused(thresholds: list[float]) -> None:
    with pytest.raises(ValueError, match="thresholds rise"):
        _estimate(_simulated(), *thresholds)


# ---- the table


def test_thresholds_are_5_to_60_percent_by_1() -> None:
    curve = decision_curve(_simulated(), 0, 1)

    assert curve["threshold"].tolist() == [percent / 100 for percent in range(5, 61)]
    assert (curve["treat_none"] == 0).all()


def test_share_treated_counts_those_at_or_above_the_threshold() -> None:
    at = _at([2, 20, 20, 20], [1, 0, 0, 0], [0.5, 0.2, 0.2, 0.1])

    assert decision_curve(at, 0, 1, np.array([0.2, 0.3, 0.6]))["share_treated"].tolist() == [0.75, 0.25, 0]


def test_difference_is_to_the_better_default() -> None:
    curve = decision_curve(_simulated(), 0, 1)
    all_better = curve["treat_all"] > 0

    assert set(all_better) == {True, False}
    np.testing.assert_allclose(curve["difference"], curve["net_benefit"] - np.where(all_better, curve["treat_all"], 0))


def test_intervals_are_percentiles_over_the_projects_resamples_the_better_default_asked_for_in_each() -> None:
    at = _simulated(5)
    curve = decision_curve(at, 80, 9)
    model, treat_all = net_benefit(at, bootstrap_weights(150, 80, 9))

    np.testing.assert_allclose(curve[["ci_low", "ci_high"]].T, np.percentile(model, (2.5, 97.5), axis=0))
    np.testing.assert_allclose(
        curve[["difference_ci_low", "difference_ci_high"]].T,
        np.percentile(np.minimum(model - treat_all, model), (2.5, 97.5), axis=0),
        atol=1e-15,
    )


def test_without_resamples_there_is_no_interval_and_the_note_says_so() -> None:
    curve = decision_curve(_simulated(), 0, 1)

    assert curve["net_benefit"].notna().all()
    assert curve[["ci_low", "ci_high", "difference_ci_low", "difference_ci_high"]].isna().all(axis=None)
    assert set(curve["note"]) == {"no interval: no resample was asked for"}


@pytest.mark.parametrize(
    ("time", "event", "why"),
    [
        ([20, 20], [0, 0], "no event by the horizon"),
        ([2, 5], [1, 0], "follow-up ends at 5.0 months, before the horizon"),
        ([2, 12], [1, 1], "nobody is known to be event-free"),
    ],
)
def test_a_horizon_that_cannot_be_evaluated_says_why(time: list[float], event: list[int], why: str) -> None:
    with pytest.raises(ValueError, match=f"no decision curve at 12 months: {why}"):
        decision_curve(_at(time, event, [0.2, 0.3]), 10, 1)


def test_threshold_whose_treated_are_not_followed_to_the_horizon_has_no_number_and_says_why() -> None:
    # Above 50 % one has the event and the other leaves at 5; with the third all are followed.
    curve = decision_curve(_at([2, 5, 20], [1, 0, 0], [0.9, 0.8, 0.3]), 20, 1, np.array([0.2, 0.5]))

    assert np.isfinite(curve.loc[0, "net_benefit"])
    assert curve.loc[1, "note"] == "those treated are not followed up to the horizon"
    numbers = ["net_benefit", "ci_low", "ci_high", "difference", "difference_ci_low", "difference_ci_high"]
    assert curve.loc[1, numbers].isna().all()


def test_those_treated_who_leave_at_the_horizon_itself_are_followed_up_to_it() -> None:
    # Of 3 two are treated, one of each: 1/3 - 1/3 * (.5/.5).
    assert _estimate(_at([2, 12, 20], [1, 0, 0], [0.9, 0.8, 0.3]), 0.5).tolist() == pytest.approx([0])


def test_threshold_whose_treated_all_had_the_event_needs_no_follow_up_to_the_horizon() -> None:
    assert _estimate(_at([2, 5, 20], [1, 1, 0], [0.9, 0.8, 0.3]), 0.5).tolist() == pytest.approx([2 / 3])


def test_resamples_in_which_those_treated_are_not_followed_are_counted() -> None:
    # A resample with him who leaves at 5 and without the treated one who is followed cannot be estimated at 50 %.
    at = _at([2, 3, 5, 20, 20, 20], [1, 1, 0, 0, 0, 0], [0.9, 0.9, 0.9, 0.9, 0.1, 0.1])
    failed = int(np.isnan(_slowly(at, bootstrap_weights(6, 40, 2), np.array([0.5]))).sum())
    row = decision_curve(at, 40, 2, np.array([0.5])).iloc[0]

    assert failed > 8, "more than a fifth, so no interval"
    assert row["note"] == f"{failed} of 40 resamples could not be estimated"
    assert np.isnan(row["ci_low"])
    assert np.isfinite(row["net_benefit"])


# ---- where it is of use


@pytest.mark.parametrize(
    ("lower_bounds", "ranges", "words"),
    [
        ([-0.1, 0.0, 1e-17], (), "Not shown to be better than both defaults at any threshold from 10% to 30%"),
        ([-0.1, 0.1, 0.2], ((0.2, 0.3),), "Better than both defaults at thresholds of 20% to 30%"),
        ([-0.1, 0.1], ((0.2, 0.2),), "Better than both defaults at a threshold of 20%"),
        ([0.1, NAN, 0.2, 0.3], ((0.1, 0.1), (0.3, 0.4)), "Better than both defaults at thresholds of 10% and 30% to 40%"),
        ([NAN, NAN], (), "Not known to be better than both defaults at any threshold: there is no interval"),
    ],
    ids=["none", "to the end", "one threshold", "two ranges", "no interval"],
)
def test_useful_thresholds_are_those_whose_lower_bound_lies_above_0(
    lower_bounds: list[float], ranges: tuple[tuple[float, float], ...], words: str
) -> None:
    curve = decision_curve_of(*lower_bounds)

    assert useful_thresholds(curve) == ranges
    assert useful_in_words(curve) == words


def test_the_null_model_is_of_use_at_no_threshold_and_true_risks_are_at_some() -> None:
    at = _simulated(6, n=400, repeats=5, signal=1.2)
    null = replace(at, risk=np.full_like(at.risk, 1 - kaplan_meier(at.outcome).at([12.0])[0, 0]))

    assert useful_thresholds(decision_curve(null, 100, 1)) == ()
    assert useful_thresholds(decision_curve(at, 100, 1))


def test_risks_without_information_are_shown_to_be_of_use_at_few_thresholds() -> None:
    # Pointwise intervals: 2.5 % of thresholds at the most are expected, fewer where treating nobody or all is clearly better.
    shown = 0.0
    for seed in range(20):
        at = _simulated(seed)
        shuffled = replace(at, risk=np.random.default_rng(seed).permutation(at.risk))
        shown += (decision_curve(shuffled, 100, 1)["difference_ci_low"] > 1e-9).mean() / 20

    assert shown < 0.025
