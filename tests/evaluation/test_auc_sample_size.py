"""Patients needed to see an AUC: against the published table, and by trying it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evaluation.auc_sample_size import auc_variance, patients_to_see_auc, patients_to_see_difference


@pytest.mark.parametrize(("z_power", "published"), [(0.84, 652), (1.28, 897), (1.645, 1131)], ids=["80 %", "90 %", "95 %"])
def test_variance_gives_the_numbers_of_hanley_and_mcneils_table(z_power: float, published: int) -> None:
    # Their Table III: AUC 0.70 against 0.75 in other patients, one-sided 5 %, so many normal and as many abnormal.
    first, second = (auc_variance(auc, 0.5) / 2 for auc in (0.70, 0.75))  # per patient of each class
    spread = 1.645 * np.sqrt(2 * first) + z_power * np.sqrt(first + second)

    assert round((spread / 0.05) ** 2) == pytest.approx(published, abs=1)


def test_at_one_half_the_variance_is_that_of_the_rank_sum() -> None:
    # Var(U / mn) without ties is (m + n + 1) / (12 mn).
    assert auc_variance(0.5, 0.3) == pytest.approx(1 / (12 * 0.3 * 0.7))


def test_so_many_patients_see_it_with_the_power_asked_for() -> None:
    # Cases' risks exponential with mean auc / (1 - auc), as the variance assumes. 1500 tries: within 3 standard errors of 80 %.
    auc, share = 0.6, 0.4
    n = patients_to_see_auc(auc, share)
    rng = np.random.default_rng(0)
    n_cases = round(n * share)
    risk = rng.exponential(np.where(np.arange(n) < n_cases, auc / (1 - auc), 1.0), size=(1500, n))
    ranks = stats.rankdata(risk, axis=1)[:, :n_cases].sum(axis=1)
    seen = (ranks - n_cases * (n_cases + 1) / 2) / (n_cases * (n - n_cases)) - 0.5
    beyond = np.abs(seen) > 1.96 * np.sqrt((n + 1) / (12 * n_cases * (n - n_cases)))

    assert 200 < n < 400
    assert beyond.mean() == pytest.approx(0.8, abs=3 * np.sqrt(0.8 * 0.2 / 1500))


def test_smaller_differences_and_rarer_events_need_more_patients() -> None:
    assert patients_to_see_auc(0.52, 0.4) > 5 * patients_to_see_auc(0.55, 0.4)
    assert patients_to_see_auc(0.55, 0.1) > 2 * patients_to_see_auc(0.55, 0.4)
    assert patients_to_see_auc(0.45, 0.5) == pytest.approx(patients_to_see_auc(0.55, 0.5), rel=0.05)


def test_difference_whose_interval_just_excludes_0_needs_twice_the_patients_for_80_percent() -> None:
    # (1.96 + 0.84)^2 / 1.96^2 = 2.04 times those that put it at the edge of its interval.
    assert patients_to_see_difference(0.05, 0.0, 0.1, 100) == 205


def test_four_times_the_difference_needs_a_sixteenth_of_the_patients() -> None:
    assert patients_to_see_difference(0.02, -0.04, 0.08, 1600) == pytest.approx(
        16 * patients_to_see_difference(0.08, -0.04, 0.08, 1600), abs=16
    )


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_without_cases_or_controls_there_is_no_answer(share: float) -> None:
    with pytest.raises(ValueError, match="share of events lie between 0 and 1"):
        patients_to_see_auc(0.55, share)


def test_nothing_sees_a_difference_of_nothing() -> None:
    with pytest.raises(ValueError, match="never told"):
        patients_to_see_auc(0.5, 0.4)
    with pytest.raises(ValueError, match="has a width"):
        patients_to_see_difference(0.05, 0.1, 0.1, 100)
