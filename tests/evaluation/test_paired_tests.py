"""McNemar's and Wilcoxon's tests against R, by hand, and where R changes its method; the corrected t test of two models."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cohort.types import BoolArray, FloatArray
from evaluation.paired_tests import PairedTest, corrected_resampled_t, mcnemar, wilcoxon_signed_rank

REFERENCE = Path(__file__).parent.parent / "reference"
R = pd.read_csv(REFERENCE / "paper_tests.csv")


def _pairs(table: tuple[int, int, int, int]) -> tuple[BoolArray, BoolArray]:
    """Patients with yes-yes, yes-no, no-yes, no-no."""
    return np.repeat([True, True, False, False], table), np.repeat([True, False, True, False], table)


def _columns(data: str, what: str) -> list[FloatArray]:
    frame = pd.read_csv(REFERENCE / f"data_{data}.csv")
    return [frame[name].to_numpy(dtype=float) for name in what.split()]


def _flag(data: str, condition: str) -> BoolArray:
    name, _, cut = condition.partition(">=")
    return _columns(data, name)[0] >= float(cut)


def _matches(found: PairedTest, statistic: float, p_value: float) -> None:
    assert found.statistic == pytest.approx(statistic, rel=1e-9, abs=1e-12)
    assert found.p_value == pytest.approx(p_value, rel=1e-9)
    assert found.note == ""


@pytest.mark.parametrize("row", list(R[R["test"] == "mcnemar"].itertuples()), ids=lambda row: row.what)
def test_mcnemar_is_that_of_r(row) -> None:
    first, second = (_flag(row.data, condition) for condition in row.what.split())
    _matches(mcnemar(first, second), row.statistic, row.p_value)


@pytest.mark.parametrize("row", list(R[R["test"] == "wilcoxon"].itertuples()), ids=lambda row: row.what)
def test_wilcoxon_with_ties_is_that_of_r(row) -> None:
    _matches(wilcoxon_signed_rank(*_columns(row.data, row.what)), row.statistic, row.p_value)


def test_wilcoxon_of_a_few_untied_pairs_is_rs_exact_one() -> None:
    row = R[R["test"] == "wilcoxon_exact"].iloc[0]
    first, second = (values[:12] for values in _columns(row["data"], row["what"]))
    _matches(wilcoxon_signed_rank(first + np.arange(1, 13) / 7, second), row["statistic"], row["p_value"])


def test_mcnemar_counts_only_those_who_changed() -> None:
    found = mcnemar(*_pairs((30, 12, 4, 50)))

    assert found.n_pairs == 96
    assert found.statistic == pytest.approx((abs(12 - 4) - 1) ** 2 / 16)
    assert found.p_value == pytest.approx(stats.chi2.sf(49 / 16, 1))
    assert mcnemar(*_pairs((0, 12, 4, 0))).statistic == found.statistic


def test_mcnemar_of_changes_one_way_only_is_no_division_by_zero() -> None:
    assert mcnemar(*_pairs((5, 0, 9, 5))).statistic == pytest.approx(64 / 9)


def test_wilcoxon_exact_counts_the_signs_that_are_as_far_out() -> None:
    # Of the 2^5 signings of the ranks 1 to 5, by enumeration.
    sums = np.array([np.dot(signs, np.arange(1, 6)) for signs in product([0, 1], repeat=5)])
    found = wilcoxon_signed_rank(np.array([1.0, 2.0, 3.0, 4.0, 0.0]), np.array([0.0, 0.0, 0.0, 0.0, 5.0]))

    assert found.statistic == 10
    assert found.p_value == pytest.approx(min(1.0, 2 * np.mean(sums >= 10)))


def test_wilcoxon_by_the_normal_approximation_corrects_for_continuity_and_for_ties() -> None:
    first, second = np.array([3.0, 3.0, 3.0, 1.0, 5.0, 2.0]), np.array([1.0, 1.0, 1.0, 2.0, 5.0, 6.0])  # 2 2 2 -1 0 -4
    ranks = {"-1": 1.0, "2": 3.0, "-4": 5.0}
    spread = 5 * 6 * 11 / 24 - (3**3 - 3) / 48
    z = (abs(3 * ranks["2"] - 5 * 6 / 4) - 0.5) / np.sqrt(spread)

    found = wilcoxon_signed_rank(first, second)

    assert found.statistic == 9
    assert found.p_value == pytest.approx(2 * stats.norm.sf(z))


def test_wilcoxon_leaves_out_pairs_with_a_missing_value() -> None:
    first, second = np.array([1.0, 2.5, 4.0, np.nan, 7.0]), np.array([0.0, 4.5, 0.5, 1.0, np.nan])
    found, known = wilcoxon_signed_rank(first, second), wilcoxon_signed_rank(first[:3], second[:3])

    assert found == known
    assert found.n_pairs == 3


@pytest.mark.parametrize(("n", "method"), [(49, "exact"), (50, "asymptotic")])
def test_from_50_pairs_on_wilcoxon_is_approximate_as_in_r(n: int, method: str) -> None:
    change = np.arange(1.0, n + 1) * np.where(np.arange(n) % 3, 1, -1)
    expected = stats.wilcoxon(change, method=method, correction=method == "asymptotic").pvalue
    other = stats.wilcoxon(change, method="asymptotic" if method == "exact" else "exact").pvalue

    found = wilcoxon_signed_rank(change, np.zeros(n)).p_value

    assert found == pytest.approx(expected, rel=1e-12)
    assert found != pytest.approx(other, rel=1e-9)


def test_which_measurement_comes_first_does_not_change_p() -> None:
    first, second = np.array([3.0, 1.0, 4.0, 1.5]), np.array([2.0, 7.0, 1.0, 8.0])

    assert wilcoxon_signed_rank(first, second).p_value == wilcoxon_signed_rank(second, first).p_value
    assert wilcoxon_signed_rank(first, second).statistic + wilcoxon_signed_rank(second, first).statistic == 4 * 5 / 2


@pytest.mark.parametrize("values", [np.array([1.0, 2.0]), np.array([np.nan, 2.0]), np.array([np.nan, np.nan])], ids=str)
def test_where_nothing_changed_there_is_no_p_value_and_the_note_says_so(values: FloatArray) -> None:
    found = wilcoxon_signed_rank(values, values)

    assert np.isnan([found.statistic, found.p_value]).all()
    assert found.note == "no patient changed"


def test_mcnemar_where_nobody_changed_says_so() -> None:
    found = mcnemar(*_pairs((3, 0, 0, 4)))

    assert np.isnan([found.statistic, found.p_value]).all()
    assert (found.n_pairs, found.note) == (7, "no patient changed")


def test_pairs_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        wilcoxon_signed_rank(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="one length"):
        mcnemar(np.zeros(1, dtype=bool), np.zeros(3, dtype=bool))


# ---- corrected resampled t


def test_corrected_t_by_hand_widens_the_paired_t_by_what_folds_share() -> None:
    # Mean 0.02, standard deviation 0.01: t = 0.02 / (0.01 * sqrt(1/4 + 1/4)) on 3 degrees of freedom.
    differences = np.array([0.01, 0.02, 0.02, 0.03]) + np.array([-1, 0, 0, 1]) * (np.sqrt(1.5) - 1) * 0.01

    assert differences.std(ddof=1) == pytest.approx(0.01)
    assert corrected_resampled_t(differences, 0.25) == pytest.approx(2 * stats.t.sf(np.sqrt(8), 3))


def test_without_shared_training_the_corrected_t_is_the_paired_t() -> None:
    differences = np.random.default_rng(0).normal(0.3, 1, 12)

    assert corrected_resampled_t(differences, 0.0) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)


def test_corrected_t_is_the_same_both_ways_round() -> None:
    differences = np.random.default_rng(1).normal(0.1, 1, 10)

    assert corrected_resampled_t(-differences, 0.25) == corrected_resampled_t(differences, 0.25)


def test_corrected_t_keeps_its_level_where_differences_correlate_as_it_assumes() -> None:
    # Any two of ten correlate by 0.2 = test / (test + train) of 5 folds. 4000 tries, within 3 standard errors of 5 %.
    rng = np.random.default_rng(2)
    shared, own = rng.normal(size=(4000, 1)), rng.normal(size=(4000, 10))
    p = np.array([corrected_resampled_t(row, 0.25) for row in np.sqrt(0.2) * shared + np.sqrt(0.8) * own])

    assert (p < 0.05).mean() == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 4000))


@pytest.mark.parametrize(("differences", "p"), [([0.0] * 5, 1.0), ([0.1] * 5, 0.0)], ids=["none", "one number"])
def test_differences_that_do_not_vary_have_the_limiting_p(differences: list[float], p: float) -> None:
    assert corrected_resampled_t(np.array(differences), 0.25) == p


@pytest.mark.parametrize("differences", [[0.1], [0.1, np.nan, 0.2]], ids=["one fold", "a fold failed"])
def test_a_missing_fold_leaves_no_p_value(differences: list[float]) -> None:
    assert np.isnan(corrected_resampled_t(np.array(differences), 0.25))
