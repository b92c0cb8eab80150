"""Stability against naive loops over patients and models, and at its ends: nothing moves, everything moves."""

from __future__ import annotations

import numpy as np
import pytest

from cohort.types import Outcome
from evaluation.metrics.registry import METRICS
from evaluation.metrics.smooth_calibration import smooth_curves
from evaluation.refits import Refits
from evaluation.stability import NOTHING_SELECTED, SELECTION_COLUMNS, instability, reclassified, selection, stability

from .refit_cases import made_up

ONES = np.ones((1, 60))


def _choosing(*chosen: tuple[str, ...], original: tuple[str, ...] = ("age",)) -> Refits:
    return made_up(n_resamples=len(chosen), candidates=("age", "sex", "cea"), original_selected=original, selected=chosen)


def test_distances_and_ranges_are_those_of_loops_over_patients() -> None:
    refits = made_up()
    own = [[float(refits.risk[b, 0, i]) for b in range(8)] for i in range(60)]
    mape = [sum(abs(r - refits.original[0, i]) for r in risks) / 8 for i, risks in enumerate(own)]
    ranges = [np.percentile(risks, 97.5) - np.percentile(risks, 2.5) for risks in own]
    found = stability(refits, 12.0)

    assert found.mape_mean == pytest.approx(np.mean(mape))
    assert found.mape_median == pytest.approx(np.median(mape))
    assert found.mape_p90 == pytest.approx(np.quantile(mape, 0.9))
    assert found.range_median == pytest.approx(np.median(ranges))


def test_a_patient_is_called_otherwise_when_a_model_lies_on_the_other_side_of_the_threshold() -> None:
    risk, others = np.array([0.2, 0.5, 0.8]), np.array([[0.6, 0.6, 0.9], [0.3, 0.4, 0.7]])

    # At 0.5, patient 2 (called high at it) and the first model's patient 1 differ; at 0.1 nobody can.
    np.testing.assert_allclose(reclassified(risk, others, np.array([0.5, 0.1])), [2 / 6, 0.0])


def test_thresholds_of_the_table_are_the_observed_risk_and_one_half() -> None:
    refits = made_up()
    found = stability(refits, 12.0)
    observed = refits.outcome.event.mean()
    expected = reclassified(refits.original[0], refits.risk[:, 0], np.array([observed, 0.5]))

    assert found.observed_risk == pytest.approx(observed)
    assert [found.reclassified_observed, found.reclassified_50] == pytest.approx(expected)


def test_calibration_of_each_resample_model_is_its_ici_in_the_original_patients() -> None:
    refits = made_up()
    each = [METRICS["ici"].compute(at, ONES)[0] for at in refits.resampled_at(12.0)]
    found = stability(refits, 12.0)

    assert found.ici_original == pytest.approx(METRICS["ici"].compute(refits.original_at(12.0), ONES)[0], abs=1e-6)
    assert found.ici_median == pytest.approx(np.median(each), abs=1e-6)
    assert [found.ici_low, found.ici_high] == pytest.approx(np.percentile(each, [2.5, 97.5]), abs=1e-6)


def test_models_that_agree_with_the_original_are_stable_in_everything() -> None:
    refits = made_up(risk=np.repeat(made_up().original[None], 8, axis=0))
    found = stability(refits, 12.0)

    assert (found.mape_mean, found.range_median, found.reclassified_observed, found.reclassified_50) == (0, 0, 0, 0)
    assert found.ici_low == pytest.approx(found.ici_original) == pytest.approx(found.ici_high)


def test_more_scatter_is_less_stable() -> None:
    calm, wild = (stability(made_up(spread=spread), 12.0) for spread in (0.2, 1.0))

    assert calm.mape_mean < wild.mape_mean
    assert calm.range_median < wild.range_median
    assert calm.reclassified_50 < wild.reclassified_50


def test_above_a_fifth_of_failed_resamples_there_is_a_reason_and_nothing_to_draw() -> None:
    refits = made_up(n_resamples=8, failures=("ValueError: first", "no", "no"))
    found = stability(refits, 12.0)

    assert np.isnan(found.mape_mean)
    assert found.note == "3 of 11 resamples failed: ValueError: first"
    with pytest.raises(ValueError, match="3 of 11 resamples failed"):
        instability(refits, 12.0)


def test_a_fifth_of_failed_resamples_is_told_beside_the_numbers() -> None:
    found = stability(made_up(n_resamples=8, failures=("ValueError: first", "no")), 12.0)

    assert np.isfinite(found.mape_mean)
    assert (found.n_failed, found.n_resamples) == (2, 10)
    assert found.note == "2 of 10 resamples failed: ValueError: first"


def test_a_horizon_beyond_the_follow_up_has_a_reason() -> None:
    short = Outcome(np.linspace(1, 8, 60), np.arange(60) % 2 == 0)
    assert "follow-up ends at 8.0 months" in stability(made_up(outcome=short), 12.0).note


def test_what_is_drawn_is_in_the_order_of_the_original_risk_and_inside_0_and_1() -> None:
    refits = made_up()
    drawn = instability(refits, 12.0)
    order = np.argsort(refits.original[0])

    np.testing.assert_array_equal(drawn.risk, refits.original[0, order])
    np.testing.assert_array_equal(drawn.resampled, refits.risk[:, 0, order])
    assert (drawn.low <= drawn.high).all()
    assert ((drawn.low >= 0) & (drawn.high <= 1)).all()
    assert drawn.mape.mean() == pytest.approx(stability(refits, 12.0).mape_mean)
    assert drawn.calibration_risk.shape == drawn.calibration_observed.shape == (9, 60)


def test_a_model_with_one_risk_for_all_is_drawn_too() -> None:
    drawn = instability(made_up(original=np.full((1, 60), 0.4)), 12.0)

    assert np.isfinite(drawn.low).all()
    assert np.isfinite(drawn.calibration_observed).all()


def test_bounds_of_patients_who_share_one_risk_are_their_mean() -> None:
    """A screen that lets one factor in gives few risks: lowess then meets neighbourhoods of no width."""
    original = np.where(np.arange(60) < 40, 0.3, 0.6)[None]
    refits = made_up(original=original)
    low = np.percentile(refits.risk[:, 0], 2.5, axis=0)
    drawn = instability(refits, 12.0)

    np.testing.assert_allclose(drawn.low[:40], low[:40].mean())
    assert np.isfinite(drawn.low).all()


def test_smooth_curves_are_those_behind_the_ici() -> None:
    at = made_up().original_at(12.0)
    risk, curve = smooth_curves(at)

    assert (np.diff(risk[0]) >= 0).all()
    assert np.abs(curve - risk).mean() == pytest.approx(METRICS["ici"].compute(at, ONES)[0], abs=1e-6)


# ---- selection


def test_each_candidate_is_counted_the_most_frequent_first_even_the_never_chosen() -> None:
    table = selection(_choosing(("sex",), ("sex", "age"), ("sex",), ()))
    single = table[table["kind"] == "predictor"]

    assert single[["name", "in_original", "n_selected", "share"]].to_numpy().tolist() == [
        ["sex", False, 3, 0.75],
        ["age", True, 1, 0.25],
        ["cea", False, 0, 0.0],
    ]


def test_sets_are_counted_whatever_the_order_in_which_they_were_chosen() -> None:
    table = selection(_choosing(("sex", "age"), ("age", "sex"), (), (), (), ("age",)))
    sets = table[table["kind"] == "set"]

    assert sets[["name", "in_original", "n_selected"]].to_numpy().tolist() == [
        [NOTHING_SELECTED, False, 3],
        ["age + sex", False, 2],
        ["age", True, 1],
    ]


def test_a_model_that_does_not_choose_has_an_empty_table_with_its_columns() -> None:
    table = selection(made_up(candidates=("age",)))

    assert table.empty
    assert list(table) == SELECTION_COLUMNS
