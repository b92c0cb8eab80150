"""The tables behind the pictures: by hand, the null model, censoring, ties, one group, and agreement with the metrics."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_curve as sklearn_roc_curve

from cohort.types import Outcome
from evaluation.curves import calibration_curve, risk_group_curves, risk_groups, roc_curve
from evaluation.metrics.auc import AUC
from evaluation.predictions import HorizonPredictions


def _at(
    time: npt.ArrayLike, event: npt.ArrayLike, risk: npt.ArrayLike, fold: npt.ArrayLike | None = None, horizon: float = 12.0
) -> HorizonPredictions:
    """Risk and fold (n,) for one repeat or (n, R)."""
    outcome = Outcome(np.asarray(time, dtype=float), np.asarray(event, dtype=bool))
    risks = np.asarray(risk, dtype=float).reshape(len(outcome), -1)
    folds = np.zeros(risks.shape) if fold is None else np.asarray(fold).reshape(risks.shape)
    return HorizonPredictions(horizon, horizon, outcome, risks, folds.astype(np.int16))


def _random(seed: int, n: int = 240, repeats: int = 3, n_folds: int = 5, censored: bool = True) -> HorizonPredictions:
    rng = np.random.default_rng(seed)
    lp = rng.normal(size=n)
    event_time = rng.exponential(14 / np.exp(0.6 * lp)) + 1e-3
    leaves = rng.uniform(2, 60, n) if censored else np.full(n, 60.0)
    risk = 1 / (1 + np.exp(-(lp[:, None] + rng.normal(scale=0.5, size=(n, repeats)))))
    fold = np.column_stack([rng.permutation(n) % n_folds for _ in range(repeats)])
    return _at(np.minimum(event_time, leaves), event_time <= leaves, risk, fold)


def _null(seed: int = 0) -> HorizonPredictions:
    """One risk a fold, another in the next: as the null model gives."""
    at = _random(seed)
    return HorizonPredictions(at.horizon_months, at.tau_months, at.outcome, 0.4 + at.fold / 100, at.fold)


def _area(at: HorizonPredictions) -> float:
    curve = roc_curve(at)
    return float(np.trapezoid(curve["true_positive_rate"], curve["false_positive_rate"]))


# ---- ROC


def test_roc_by_hand() -> None:
    # Cases .9 and .4, controls .6 and .1: up to one half, across to one half, up, across.
    curve = roc_curve(_at([2, 3, 20, 20], [1, 1, 0, 0], [0.9, 0.4, 0.6, 0.1]), n_points=5)

    assert curve["false_positive_rate"].tolist() == [0, 0, 0.25, 0.5, 0.75, 1]
    assert curve["true_positive_rate"].tolist() == [0, 0.5, 0.5, 1, 1, 1]


def test_roc_of_one_fold_without_censoring_is_that_of_scikit_learn() -> None:
    at = _random(1, repeats=1, n_folds=1, censored=False)
    fpr, tpr, _ = sklearn_roc_curve(at.outcome.status_at(12.0), at.risk[:, 0], drop_intermediate=False)
    ours = roc_curve(at)
    between = ~np.isin(ours["false_positive_rate"], fpr)

    assert ours["true_positive_rate"][between].to_numpy() == pytest.approx(
        np.interp(ours["false_positive_rate"][between], fpr, tpr)
    )


def test_roc_of_the_null_model_is_the_diagonal() -> None:
    curve = roc_curve(_null())

    assert curve["true_positive_rate"].to_numpy() == pytest.approx(curve["false_positive_rate"].to_numpy())


@pytest.mark.parametrize("seed", range(5))
def test_area_under_the_roc_is_the_auc_metric(seed: int) -> None:
    at = _random(seed)

    assert _area(at) == pytest.approx(AUC.compute(at, np.ones((1, len(at.outcome))))[0], abs=0.005)


def test_roc_rises_from_corner_to_corner() -> None:
    curve = roc_curve(_random(3))

    assert (curve.diff().iloc[1:] >= 0).all(axis=None)
    assert curve.iloc[0].tolist() == [0, 0]
    assert curve.iloc[-1].tolist() == [1, 1]


def test_patient_censored_before_the_horizon_is_neither_case_nor_control() -> None:
    known = _at([2, 3, 20, 20], [1, 1, 0, 0], [0.9, 0.4, 0.6, 0.1])
    # Leaves after both events, so no weight among the cases changes either.
    more = _at([2, 3, 20, 20, 5], [1, 1, 0, 0, 0], [0.9, 0.4, 0.6, 0.1, 0.99])

    assert roc_curve(more).equals(roc_curve(known))


def test_roc_weighs_a_case_after_censoring_for_those_who_left() -> None:
    # One of the three still there leaves at 4, so the case at 6 stands for 1 / (2/3) = 1.5, the one at 2 for 1.
    curve = roc_curve(_at([2, 4, 6, 20], [1, 0, 1, 0], [0.1, 0.5, 0.9, 0.5]), n_points=3)

    # The case at 6 lies above the control, that at 2 below: 1.5 / 2.5 at once.
    assert curve["true_positive_rate"].tolist() == pytest.approx([0, 0.6, 0.6, 1])


def test_fold_without_a_case_is_passed_over() -> None:
    with_empty = _at([2, 20, 20, 20], [1, 0, 0, 0], [0.9, 0.1, 0.8, 0.7], fold=[0, 0, 1, 1])

    assert _area(with_empty) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("time", "event", "why"),
    [([20, 20], [0, 0], "no event"), ([2, 3], [1, 1], "follow-up ends"), ([2, 13], [0, 1], "no event")],
)
def test_roc_that_cannot_be_drawn_says_why(time: list[float], event: list[int], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        roc_curve(_at(time, event, [0.2, 0.3]))


def test_roc_without_a_fold_of_both_kinds_says_why() -> None:
    with pytest.raises(ValueError, match="no fold holds both"):
        roc_curve(_at([2, 20], [1, 0], [0.2, 0.3], fold=[0, 1]))


# ---- groups


def test_groups_are_quantiles_of_the_risk_averaged_over_repeats() -> None:
    risk = np.column_stack([np.linspace(0.1, 0.6, 6), np.linspace(0.3, 0.8, 6)])

    assert risk_groups(_at(np.arange(1, 7), np.ones(6), risk), 3).tolist() == [0, 0, 1, 1, 2, 2]


def test_tied_risks_stay_in_one_group() -> None:
    at = _at(np.arange(1, 7), np.ones(6), [0.1, 0.1, 0.1, 0.1, 0.9, 0.9])

    assert risk_groups(at, 5).tolist() == [0, 0, 0, 0, 1, 1]


# ---- calibration


def test_calibration_by_hand_without_censoring() -> None:
    # 10 patients at .2 of whom 3 relapse, 10 at .8 of whom 7 do.
    time = np.r_[np.arange(1, 4), np.full(7, 20), np.arange(1, 8), np.full(3, 20)]
    event = time < 12
    curve = calibration_curve(_at(time, event, np.repeat([0.2, 0.8], 10)))

    assert curve["n"].tolist() == [10, 10]
    assert curve["mean_risk"].tolist() == pytest.approx([0.2, 0.8])
    assert curve["observed"].tolist() == pytest.approx([0.3, 0.7])
    # log-log: S^exp(-+z se / log S) with Greenwood's se(log S) = sqrt(q / (n S)), here sqrt(.3 / (10 * .7)).
    theta = norm.ppf(0.975) * np.sqrt(0.3 / 7) / np.log(0.7)
    assert curve.loc[0, ["ci_low", "ci_high"]].tolist() == pytest.approx([1 - 0.7 ** np.exp(theta), 1 - 0.7 ** np.exp(-theta)])


def test_observed_risk_is_kaplan_meier_where_patients_are_censored_before_the_horizon() -> None:
    # At 2: 3/4 stay. One leaves at 4. At 6: 1/2 of the two left stay. Risk 1 - 3/8.
    curve = calibration_curve(_at([2, 4, 6, 20], [1, 0, 1, 0], [0.5] * 4))

    assert curve["observed"].tolist() == pytest.approx([0.625])
    assert curve.loc[0, "ci_low"] < 0.625 < curve.loc[0, "ci_high"]


def test_null_model_has_one_calibration_group() -> None:
    at = _null()
    curve = calibration_curve(at)

    assert curve[["group", "n"]].to_numpy().tolist() == [[1, len(at.outcome)]]


def test_every_patient_is_in_one_calibration_group() -> None:
    assert calibration_curve(_random(2))["n"].sum() == 240


@pytest.mark.parametrize(
    ("time", "event", "observed"),
    [([20, 20], [0, 0], 0.0), ([2, 3], [1, 1], 1.0), ([2, 5], [1, 0], np.nan)],
    ids=["nobody had the event", "everybody had it", "not followed to the horizon"],
)
def test_group_without_an_interval_has_none(time: list[float], event: list[int], observed: float) -> None:
    row = calibration_curve(_at(time, event, [0.3, 0.3])).iloc[0]

    assert row["observed"] == pytest.approx(observed, nan_ok=True)
    assert row[["ci_low", "ci_high"]].isna().all()


# ---- Kaplan-Meier by risk


def test_kaplan_meier_by_risk_by_hand() -> None:
    at = _at([1, 2, 3, 4, 5, 6], [1, 1, 0, 1, 1, 0], [0.9, 0.9, 0.5, 0.5, 0.1, 0.1])
    curves = risk_group_curves(at)
    high = curves[curves["group"] == "high"]

    assert curves["group"].unique().tolist() == ["low", "middle", "high"]
    assert high["time_months"].tolist() == [0, 1, 2]
    assert high["survival"].tolist() == [1, 0.5, 0]
    assert high["n_at_risk"].tolist() == [2, 2, 1]


def test_null_model_has_one_curve_for_all() -> None:
    assert risk_group_curves(_null())["group"].unique().tolist() == ["all"]


@pytest.mark.parametrize(("n_groups", "labels"), [(2, ["low", "high"]), (4, ["1 of 4", "2 of 4", "3 of 4", "4 of 4"])])
def test_groups_are_named_by_their_number(n_groups: int, labels: list[str]) -> None:
    assert risk_group_curves(_random(0), n_groups)["group"].unique().tolist() == labels


def test_curves_never_rise() -> None:
    for _, curve in risk_group_curves(_random(4)).groupby("group"):
        assert (curve["survival"].diff().dropna() <= 1e-12).all()
        assert (curve["n_at_risk"].diff().dropna() <= 0).all()
