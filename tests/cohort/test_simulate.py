"""The simulated truth is true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from cohort.load import load_cohort
from cohort.simulate import EFFECTS, MEDIAN_DFS_MONTHS, simulate_cohort


@pytest.mark.parametrize(("horizon", "signal"), [(6.0, 1.0), (12.0, 1.0), (6.0, 3.0)], ids=["6 months", "12 months", "strong"])
def test_true_risk_is_the_share_of_events_in_every_tenth_of_the_risk(horizon: float, signal: float) -> None:
    simulated = simulate_cohort(50_000, signal=signal, seed=11, follow_up_months=(60, 140))
    risk = simulated.true_risk(horizon)
    status = simulated.cohort.outcome("dfs").status_at(horizon)

    assert not np.isnan(status).any(), "nobody is censored before the horizon"
    for tenth in np.array_split(np.argsort(risk, kind="stable"), 10):
        standard_error = np.sqrt((risk[tenth] * (1 - risk[tenth])).sum()) / len(tenth)
        assert abs(status[tenth].mean() - risk[tenth].mean()) < 3 * standard_error


def test_without_signal_every_patient_has_the_papers_median() -> None:
    risk = simulate_cohort(50, signal=0).true_risk(MEDIAN_DFS_MONTHS)

    assert risk == pytest.approx(np.full(50, 0.5))


def test_risk_rises_with_the_horizon_and_stays_a_probability() -> None:
    simulated = simulate_cohort(200, signal=3)
    risks = np.stack([simulated.true_risk(h) for h in (1e-6, 1, 6, 12, 1e6)])

    assert (np.diff(risks, axis=0) >= 0).all()
    assert risks.min() >= 0
    assert risks.max() <= 1


@pytest.mark.parametrize("effect", list(EFFECTS))
def test_an_effect_has_its_direction(effect: str) -> None:
    simulated = simulate_cohort(2_000, seed=5)
    name, _, level = effect.partition("=")
    values = simulated.cohort.frame[name]
    x = (values == level).to_numpy(dtype=float) if level else values.to_numpy()

    assert np.sign(np.corrcoef(x, simulated.linear_predictor)[0, 1]) == np.sign(EFFECTS[effect])


def test_the_linear_predictor_is_proportional_to_the_signal() -> None:
    weak, strong = (simulate_cohort(100, signal=s, seed=2) for s in (1, 3))

    assert strong.linear_predictor == pytest.approx(3 * weak.linear_predictor)


def test_one_seed_gives_one_cohort() -> None:
    first, again, other = (simulate_cohort(40, seed=s) for s in (1, 1, 2))

    assert first.cohort.digest == again.cohort.digest
    assert first.linear_predictor.tolist() == again.linear_predictor.tolist()
    assert first.cohort.digest != other.cohort.digest


def test_a_simulated_cohort_passes_every_rule_of_the_dictionary(tmp_path: Path) -> None:
    cohort = simulate_cohort(3_000, signal=3, seed=4).cohort
    contract = tmp_path / "again.yaml"
    columns = {name: name for name in cohort.frame.columns}
    contract.write_text(yaml.safe_dump({"name": "again", "title": "Again", "evidence": "simulated", "columns": columns}))
    cohort.frame.to_csv(tmp_path / "again.csv", index=False)

    again = load_cohort(str(contract), tmp_path / "again.csv")

    assert again.digest == cohort.digest, "and comes back as it went"


def test_the_share_of_missing_cea_is_what_was_asked() -> None:
    frame = simulate_cohort(4_000, missing_cea=0.3, seed=1).cohort.frame

    assert frame[["baseline_cea", "presurgery_cea"]].isna().mean().tolist() == pytest.approx([0.3, 0.3], abs=0.03)
    assert not simulate_cohort(50, missing_cea=0).cohort.frame["baseline_cea"].isna().any()


def test_follow_up_ends_within_its_bounds() -> None:
    frame = simulate_cohort(500, follow_up_months=(2, 5), seed=3).cohort.frame
    alive = frame.loc[~frame["os_event"], "os_months"]

    assert alive.between(2, 5).all()
    assert (frame["dfs_months"] <= frame["os_months"]).all()
    assert not (frame["os_event"] & ~frame["dfs_event"]).any(), "nobody dies without an event"


@pytest.mark.parametrize("n", [0, -3])
def test_no_patients_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"n_patients is 1 or more; got {n}"):
        simulate_cohort(n)


def test_one_patient_is_a_cohort() -> None:
    assert simulate_cohort(1).linear_predictor == pytest.approx([0.0])
