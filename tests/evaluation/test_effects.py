from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cohort.load import load_cohort
from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS, Cohort
from evaluation.effects import EFFECT_COLUMNS, univariable_effects


@pytest.fixture(scope="module")
def effects() -> pd.DataFrame:
    return univariable_effects(load_cohort(), "overall")


def row(effects: pd.DataFrame, outcome: str, term: str) -> pd.Series:
    return effects[(effects["outcome"] == outcome) & (effects["term"] == term)].iloc[0]


def test_every_covariate_has_an_effect_on_every_endpoint(effects: pd.DataFrame):
    assert list(effects.columns) == EFFECT_COLUMNS
    assert effects.groupby("outcome").size().to_dict() == dict.fromkeys(ENDPOINTS, 37)


def test_an_odds_ratio_is_that_of_the_two_by_two_table(effects: pd.DataFrame):
    # Woolf: OR = ad / bc, standard error of its logarithm sqrt(1/a + 1/b + 1/c + 1/d).
    frame = load_cohort().frame
    early = (frame["dfs_months"] <= 6) & frame["dfs_event"]
    table = pd.crosstab(frame["primary_resected"], early).to_numpy()
    (d, c), (b, a) = table  # rows no, yes; columns event-free, event
    log_or, error = np.log(a * d / (b * c)), np.sqrt((1 / table).sum())
    ours = row(effects, "relapse_6m", "primary_resected=yes")
    assert ours["estimate"] == pytest.approx(np.exp(log_or), rel=1e-8)
    assert ours["ci_low"] == pytest.approx(np.exp(log_or - 1.959964 * error), rel=1e-6)
    assert ours["ci_high"] == pytest.approx(np.exp(log_or + 1.959964 * error), rel=1e-6)
    assert (ours["n_used"], ours["n_events"]) == (268, 96)


def test_each_covariate_uses_the_patients_in_whom_it_is_known(effects: pd.DataFrame):
    assert row(effects, "dfs", "presurgery_cea>=10")["n_used"] == 176
    assert row(effects, "os", "ecog_ps>=1")["n_used"] == 254


def test_known_hazard_ratios_are_found():
    simulated = simulate_cohort(n_patients=4000, signal=1.0, seed=3, missing_cea=0.0)
    dfs = univariable_effects(simulated.cohort, "overall").query("outcome == 'dfs'").set_index("term")
    # The marginal effect is weaker than the conditional exp(-0.4), and never of the other sign.
    assert np.exp(-0.4) - 0.03 < dfs.loc["primary_resected=yes", "estimate"] < 0.85
    assert dfs.loc["regimen=triplet", "ci_low"] < 1 < dfs.loc["regimen=triplet", "ci_high"]


def test_patients_censored_before_the_horizon_have_no_status():
    cohort = simulate_cohort(n_patients=300, seed=5, follow_up_months=(1.0, 30.0)).cohort
    known = int(np.isfinite(cohort.outcome("dfs").status_at(12)).sum())
    effects = univariable_effects(cohort, "overall")
    assert known < 300
    assert row(effects, "relapse_12m", "age>=65")["n_used"] == known


def test_a_covariate_that_cannot_be_estimated_says_why():
    cohort = load_cohort()
    everybody_relapsed = cohort.frame.assign(dfs_months=1.0, dfs_event=True)
    effects = univariable_effects(Cohort("x", "x", "simulated", everybody_relapsed), "overall")
    early = effects[effects["outcome"] == "relapse_6m"]
    assert early["estimate"].isna().all()
    assert set(early["note"]) == {"all patients have the same status"}
