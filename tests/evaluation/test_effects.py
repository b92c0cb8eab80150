"""Both stages of the paper's regressions: against R, against two-by-two tables, and where there is no number to give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cohort.dictionary import DICTIONARY
from cohort.load import load_cohort
from cohort.reconstruct import published
from cohort.simulate import simulate_cohort
from cohort.types import ENDPOINTS, Cohort, CohortError, FloatArray, Outcome
from evaluation import effects as effects_module
from evaluation.effects import (
    ALIASED,
    BESIDE_EMPTY_CELL,
    CONSTANT,
    DIVERGES,
    EFFECT_COLUMNS,
    EMPTY_CELL,
    MULTIVARIABLE,
    NOT_CONVERGED,
    UNIVARIATE,
    left_out_covariates,
    paper_effects,
    row_name,
    selected_terms,
)
from evaluation.proportional_hazards import zph
from features.paper import PAPER_FEATURES
from models.cox import fit_cox
from models.logistic import fit_logistic

REFERENCE = Path(__file__).parent.parent / "reference"
R = pd.read_csv(REFERENCE / "paper_effects.csv")
TCIA = Path(__file__).parents[2].parent / "shared" / "data" / "tcia_crlm.csv"
NUMBERS = ["estimate", "ci_low", "ci_high", "p_value"]


@pytest.fixture(scope="module")
def effects() -> pd.DataFrame:
    return paper_effects(load_cohort(), "overall")


def row(effects: pd.DataFrame, outcome: str, term: str, analysis: str = UNIVARIATE) -> pd.Series:
    found = effects[(effects["outcome"] == outcome) & (effects["term"] == term) & (effects["analysis"] == analysis)]
    assert len(found) == 1
    return found.iloc[0]


def category(name: str, values: object) -> pd.Categorical:
    return pd.Categorical(values, categories=list(DICTIONARY[name].levels))


def cohort_of(time: object, event: object, **columns: object) -> Cohort:
    """A cohort of these covariates only, in which overall is disease-free survival."""
    months, seen = np.asarray(time, dtype=float), np.asarray(event, dtype=bool)
    frame = pd.DataFrame({"patient_id": [f"P{i}" for i in range(len(months))], **columns})
    return Cohort("x", "x", "simulated", frame.assign(dfs_months=months, dfs_event=seen, os_months=months, os_event=seen))


def wald(coefficients: FloatArray, errors: FloatArray) -> FloatArray:
    """(p, 4) ratio, 95 % interval and P."""
    z = stats.norm.ppf(0.975)
    ratios = np.exp([coefficients, coefficients - z * errors, coefficients + z * errors])
    return np.vstack([ratios, 2 * stats.norm.sf(np.abs(coefficients / errors))]).T


# ---- against R


def _data(name: str) -> tuple[pd.DataFrame, Outcome]:
    """As paper.R has it: early is an event by the median time."""
    data = pd.read_csv(REFERENCE / f"data_{name}.csv")
    data["early"] = (data["event"] == 1) & (data["time"] <= data["time"].median())
    return data, Outcome(data["time"].to_numpy(dtype=float), data["event"].to_numpy() == 1)


@pytest.mark.parametrize(("name", "kind", "covariates"), list(R.groupby(["data", "kind", "covariates"], sort=False).groups))
def test_wald_numbers_of_one_covariate_and_of_many_are_those_of_r(name: str, kind: str, covariates: str):
    expected = R.query("data == @name and kind == @kind and covariates == @covariates")
    data, outcome = _data(name)
    x = data[covariates.split()].to_numpy(dtype=float)
    if kind == "cox":
        fit = fit_cox(x, outcome)
        ours = wald(fit.coefficients, fit.standard_errors)
    else:
        ours = wald(*fit_logistic(x, Outcome(np.ones(len(x)), data["early"].to_numpy()))[:2])
    # R's logistic errors are those of its last step but one, which shows in the sixth digit of P.
    np.testing.assert_allclose(ours, expected[NUMBERS], rtol=1e-6 if kind == "cox" else 2e-5)


#: Continuous variables that the paper takes uncut; what they hold is R's data.
STAND_INS = ["baseline_cea", "presurgery_cea", "baseline_segments", "presurgery_segments", "baseline_lesions"]


@pytest.mark.parametrize("name", ["veteran", "lung", "colon"])
def test_the_univariable_stage_is_rs_coxph_and_glm(name: str):
    data, outcome = _data(name)
    terms = [t for t in data.columns if t not in ("time", "event", "early")][: len(STAND_INS)]
    columns = {stand_in: data[term].astype(float) for stand_in, term in zip(STAND_INS, terms, strict=False)}
    in_time = paper_effects(cohort_of(outcome.time_months, outcome.event, **columns), "overall")
    by_6_months = paper_effects(cohort_of(np.where(data["early"], 1.0, 100.0), data["early"], **columns), "overall")
    for stand_in, term in zip(STAND_INS, terms, strict=False):
        expected = R[(R["data"] == name) & (R["covariates"] == term)].set_index("kind")[NUMBERS]
        cox, logistic = row(in_time, "dfs", stand_in), row(by_6_months, "relapse_6m", stand_in)
        np.testing.assert_allclose(cox[NUMBERS].astype(float), expected.loc["cox"], rtol=1e-6)
        np.testing.assert_allclose(logistic[NUMBERS].astype(float), expected.loc["logistic"], rtol=2e-5)


# ---- the univariable stage


def test_every_covariate_has_an_effect_on_every_endpoint(effects: pd.DataFrame):
    alone = effects[effects["analysis"] == UNIVARIATE]
    assert list(effects.columns) == EFFECT_COLUMNS
    assert alone.groupby("outcome").size().to_dict() == dict.fromkeys(ENDPOINTS, 37)
    assert (effects["population"] == "overall").all()
    assert alone[NUMBERS].notna().all(axis=None)


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
    assert ours["p_value"] == pytest.approx(2 * stats.norm.sf(abs(log_or / error)), rel=1e-6)
    assert (ours["n_used"], ours["n_events"], ours["n_level"], ours["n_reference"]) == (268, 96, a + b, c + d)


@pytest.mark.parametrize(("variable", "level"), [("presurgery_cea", ">=10"), ("ecog_ps", "1-2"), ("primary_resected", "yes")])
def test_each_covariate_uses_the_patients_in_whom_it_is_known(effects: pd.DataFrame, variable: str, level: str):
    key, same = ["outcome", "n_level", "n_reference"], "variable == @variable and level == @level and analysis == 'univariate'"
    printed = published.effects().query(same)[key].astype({"n_level": int, "n_reference": int})
    ours = effects.query(same)
    assert set(ours[key].itertuples(index=False, name=None)) == set(printed.itertuples(index=False, name=None))
    assert (ours["n_used"] == ours["n_level"] + ours["n_reference"]).all()


def test_a_factor_of_three_levels_is_one_regression_and_a_level_is_compared_with_the_reference_alone(effects: pd.DataFrame):
    frame = load_cohort().frame
    early = ((frame["dfs_months"] <= 6) & frame["dfs_event"]).to_numpy()
    table = pd.crosstab(frame["biologic_agent"], early)
    for level in ("anti_egfr", "anti_vegf"):
        odds = table[True] / table[False]
        assert row(effects, "relapse_6m", f"biologic_agent={level}")["estimate"] == pytest.approx(odds[level] / odds["none"])


def test_rows_carry_the_level_and_reference_of_print(effects: pd.DataFrame):
    lesions, cut = row(effects, "os", "baseline_lesions"), row(effects, "os", "baseline_lesions>=4")
    assert lesions[["variable", "form", "level", "reference"]].tolist() == ["baseline_lesions", "continuous", "", ""]
    assert cut[["variable", "form", "level", "reference"]].tolist() == ["baseline_lesions", "categorical", ">=4", "<4"]
    assert np.isnan(lesions["n_reference"])


def test_known_hazard_ratios_are_found():
    simulated = simulate_cohort(n_patients=3000, signal=1.0, seed=3).cohort
    outcomes = ["dfs_months", "dfs_event", "os_months", "os_event"]
    few = simulated.frame[["patient_id", "primary_resected", "regimen", *outcomes]]
    dfs = paper_effects(Cohort("x", "x", "simulated", few), "overall")
    # The marginal effect is weaker than the conditional exp(-0.4), and never of the other sign.
    resected, regimen = row(dfs, "dfs", "primary_resected=yes"), row(dfs, "dfs", "regimen=triplet")
    assert np.exp(-0.4) - 0.03 < resected["estimate"] < 0.85
    assert regimen["ci_low"] < 1 < regimen["ci_high"]


def test_patients_censored_before_the_horizon_have_no_status():
    cohort = simulate_cohort(n_patients=300, seed=5, follow_up_months=(1.0, 30.0)).cohort
    status = cohort.outcome("dfs").status_at(12)
    effects = paper_effects(cohort, "overall")
    assert np.isnan(status).any()
    assert row(effects, "relapse_12m", "age>=65")["n_used"] == np.isfinite(status).sum()
    assert row(effects, "relapse_12m", "age>=65")["n_events"] == np.nansum(status)
    assert row(effects, "dfs", "age>=65")["n_used"] == 300


def test_proportional_hazards_are_tested_in_cox_regressions_only(effects: pd.DataFrame):
    frame, outcome = load_cohort().frame, load_cohort().outcome("dfs")
    x = pd.DataFrame({"lesions": frame["baseline_lesions"].astype(float)})
    expected = zph(x, outcome, fit_cox(x.to_numpy(), outcome))["p_value"].iloc[0]
    assert row(effects, "dfs", "baseline_lesions")["ph_p_value"] == pytest.approx(expected, rel=1e-8)
    assert effects[effects["outcome"].isin(["relapse_6m", "relapse_12m"])]["ph_p_value"].isna().all()


# ---- the multivariable stage


def _two_effects(n: int = 300) -> Cohort:
    """Diameter and CEA (every third unknown) both matter; the regimen does not."""
    rng = np.random.default_rng(0)
    diameter, cea = rng.normal(40, 10, n), rng.normal(20, 5, n)
    time = rng.exponential(12 * np.exp(-0.06 * (diameter - 40) - 0.1 * (cea - 20))) + 0.01
    cea[::3] = np.nan
    # Each pair of neighbours in time has one of either regimen.
    regimen = np.empty(n, dtype=object)
    regimen[np.argsort(time)] = np.tile(["doublet", "triplet", "triplet", "doublet"], n // 4)
    return cohort_of(
        np.minimum(time, 40),
        time <= 40,
        baseline_max_diameter=diameter,
        presurgery_cea=cea,
        regimen=category("regimen", regimen),
    )


def test_the_second_stage_takes_what_entered_on_the_patients_complete_in_it():
    cohort = _two_effects()
    effects = paper_effects(cohort, "overall")
    together = effects.query("outcome == 'dfs' and analysis == @MULTIVARIABLE")
    complete = cohort.frame["presurgery_cea"].notna().to_numpy()
    frame = cohort.frame.assign(cut=(cohort.frame["presurgery_cea"] >= 10).astype(float))[complete]
    columns = {"presurgery_cea": "presurgery_cea", "presurgery_cea>=10": "cut", "baseline_max_diameter": "baseline_max_diameter"}
    terms = together["term"].tolist()
    outcome = cohort.outcome("dfs").subset(complete)
    fit = fit_cox(frame[[columns[t] for t in terms]].to_numpy(dtype=float), outcome)

    assert {"presurgery_cea", "baseline_max_diameter"} <= set(terms)
    assert "regimen=triplet" not in terms
    assert set(together["n_used"]) == {200}
    assert set(together["n_events"]) == {int(outcome.event.sum())}
    np.testing.assert_allclose(together[NUMBERS].astype(float), wald(fit.coefficients, fit.standard_errors), rtol=1e-9)
    assert row(effects, "dfs", "baseline_max_diameter")["n_used"] == 300


def test_what_enters_has_a_univariable_p_of_at_most_0_10_read_at_two_decimals(effects: pd.DataFrame):
    for outcome, group in effects.groupby("outcome"):
        alone, together = (group[group["analysis"] == analysis] for analysis in (UNIVARIATE, MULTIVARIABLE))
        reaches = alone.groupby("term")["p_value"].min() < 0.105
        factor = alone.set_index("term")["variable"].where(alone.set_index("term")["reference"].isin(["wild_type", "none"]))
        whole = set(factor[reaches.reindex(factor.index)].dropna())
        expected = [t for t in alone["term"] if reaches[t] or factor[t] in whole]
        assert together["term"].tolist() == expected, outcome


def test_a_factor_enters_whole():
    rng = np.random.default_rng(1)
    ras = rng.choice(["wild_type", "ras_mutated", "braf_mutated"], 300, p=[0.45, 0.45, 0.1])
    time = rng.exponential(np.where(ras == "braf_mutated", 3.0, 12.0)) + 0.01
    effects = paper_effects(cohort_of(time, np.ones(300), ras_braf=category("ras_braf", ras)), "overall")
    assert row(effects, "dfs", "ras_braf=ras_mutated")["p_value"] > 0.11
    assert row(effects, "dfs", "ras_braf=ras_mutated", MULTIVARIABLE)["n_used"] == 300


def _balanced() -> Cohort:
    """At each time one patient of either regimen relapses, so that its P is near 1 at every endpoint."""
    return cohort_of(np.repeat(np.arange(1.0, 21.0), 2), np.ones(40), regimen=category("regimen", ["doublet", "triplet"] * 20))


def test_where_nothing_entered_there_is_no_second_stage():
    effects = paper_effects(_balanced(), "overall")
    assert effects["analysis"].tolist() == [UNIVARIATE] * 4
    assert (effects["p_value"] > 0.5).all()
    assert selected_terms(effects)[["entered", "independent"]].to_numpy().tolist() == [["", ""]] * 4


# ---- separation


def _rare(events: bool, n_rare: int = 6) -> Cohort:
    """120 patients, of whom the ``n_rare`` with mutated BRAF all relapse at once, or never."""
    rng = np.random.default_rng(2)
    time, event = rng.exponential(9, 120) + 0.01, np.ones(120, dtype=bool)
    ras = np.array(["wild_type", "ras_mutated"] * 60, dtype=object)
    ras[:n_rare] = "braf_mutated"
    time[:n_rare] = np.arange(1, n_rare + 1) / 10 if events else 60.0
    event[:n_rare] = events
    return cohort_of(time, event, ras_braf=category("ras_braf", ras))


@pytest.mark.parametrize("n_rare", [1, 2, 6])
@pytest.mark.parametrize("outcome", ["relapse_6m", "dfs"])
def test_a_level_without_events_is_estimated_by_firth_and_the_row_says_so(outcome: str, n_rare: int):
    found = row(paper_effects(_rare(events=False, n_rare=n_rare), "overall"), outcome, "ras_braf=braf_mutated")
    assert found["method"] == "firth"
    assert "Firth's penalised likelihood" in found["note"]
    assert 0 <= found["ci_low"] < found["estimate"] < found["ci_high"] < np.inf
    assert found["estimate"] < 1
    assert np.isnan(found["ph_p_value"])


@pytest.mark.parametrize("n_rare", [1, 2, 6])
def test_a_level_with_nothing_but_events_is_estimated_by_firth_in_logistic_regression(n_rare: int):
    found = row(paper_effects(_rare(events=True, n_rare=n_rare), "overall"), "relapse_6m", "ras_braf=braf_mutated")
    assert found["method"] == "firth"
    assert 1 < found["estimate"] < found["ci_high"]


def test_the_level_beside_a_separated_one_is_estimated_with_it_and_stays_near_walds():
    cohort = _rare(events=False)
    ours = row(paper_effects(cohort, "overall"), "relapse_6m", "ras_braf=ras_mutated")
    table = pd.crosstab(cohort.frame["ras_braf"], cohort.frame["dfs_months"] <= 6) + 0.5
    odds = table[True] / table[False]
    assert ours["method"] == "firth"
    assert ours["estimate"] == pytest.approx(odds["ras_mutated"] / odds["wild_type"], rel=1e-3)


def test_without_separation_numbers_are_walds_and_there_is_nothing_to_note():
    effects = paper_effects(_two_effects(), "overall")
    plain = effects[effects["term"].isin(["baseline_max_diameter", "regimen=triplet"])]
    assert set(plain["method"]) == {"wald"}
    assert set(plain["note"]) == {""}


def test_the_note_names_the_level_without_events_and_the_others_say_that_it_is_another():
    effects = paper_effects(_rare(events=False), "overall")
    for outcome in ("relapse_6m", "dfs"):
        empty, beside = (row(effects, outcome, f"ras_braf={level}")["note"] for level in ("braf_mutated", "ras_mutated"))
        assert empty == f"{EMPTY_CELL}: Firth's penalised likelihood"
        assert beside == f"{BESIDE_EMPTY_CELL}: Firth's penalised likelihood"


def test_where_no_level_is_at_fault_the_note_says_that_the_estimates_diverge():
    # Nobody of the reference relapses early; both 0/1 columns have events on either side.
    ras = np.repeat(["wild_type", "ras_mutated", "braf_mutated"], 20)
    time = np.where(ras == "wild_type", 30.0, np.where(np.arange(60) % 2, 3.0, 30.0)) + np.arange(60) / 100
    effects = paper_effects(cohort_of(time, np.ones(60), ras_braf=category("ras_braf", ras)), "overall")
    for level in ("ras_mutated", "braf_mutated"):
        found = row(effects, "relapse_6m", f"ras_braf={level}")
        assert found["note"] == f"{DIVERGES}: Firth's penalised likelihood"
        assert found["method"] == "firth"


@pytest.mark.parametrize(("outcome", "fit"), [("relapse_6m", "fit_firth_logistic"), ("dfs", "fit_firth_cox")])
def test_where_firths_likelihood_did_not_converge_there_is_a_note_and_no_number(
    outcome: str, fit: str, monkeypatch: pytest.MonkeyPatch
):
    original = getattr(effects_module, fit)
    monkeypatch.setattr(effects_module, fit, lambda x, cases: replace(original(x, cases), converged=False))
    found = row(paper_effects(_rare(events=False), "overall"), outcome, "ras_braf=braf_mutated")
    assert found[NUMBERS].isna().all()
    assert "did not converge" in found["note"]
    assert found["method"] == ""


def test_a_cox_regression_that_did_not_converge_has_a_note_and_no_number(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(effects_module, "fit_cox", lambda x, cases: replace(fit_cox(x, cases), converged=False))
    effects = paper_effects(_two_effects(), "overall")
    found = row(effects, "dfs", "baseline_max_diameter")
    assert found["note"] == NOT_CONVERGED
    assert found[[*NUMBERS, "ph_p_value"]].isna().all()
    assert row(effects, "relapse_6m", "baseline_max_diameter")["note"] == ""


def test_a_logistic_regression_that_is_not_at_its_maximum_has_a_note_and_no_number(monkeypatch: pytest.MonkeyPatch):
    def short_of_the_maximum(x: FloatArray, cases: Outcome) -> tuple[FloatArray, FloatArray, float]:
        coefficients, errors, intercept = fit_logistic(x, cases)
        return coefficients * 0.99, errors, intercept

    monkeypatch.setattr(effects_module, "fit_logistic", short_of_the_maximum)
    effects = paper_effects(_two_effects(), "overall")
    found = row(effects, "relapse_6m", "baseline_max_diameter")
    assert found["note"] == NOT_CONVERGED
    assert found[NUMBERS].isna().all()
    assert row(effects, "dfs", "baseline_max_diameter")["note"] == ""


# ---- no number to give


def test_a_level_that_no_complete_patient_has_is_left_out_of_the_second_stage_and_the_others_are_fitted():
    rng = np.random.default_rng(3)
    ras = rng.choice(["wild_type", "ras_mutated", "braf_mutated"], 300, p=[0.45, 0.45, 0.1])
    cea = rng.normal(20, 5, 300)
    hazard = np.exp(0.15 * (cea - 20)) * np.select([ras == "ras_mutated", ras == "braf_mutated"], [2.0, 4.0], 1.0)
    time = rng.exponential(12 / hazard) + 0.01
    cea[ras == "braf_mutated"] = np.nan
    effects = paper_effects(cohort_of(time, np.ones(300), ras_braf=category("ras_braf", ras), baseline_cea=cea), "overall")
    together = effects.query("outcome == 'dfs' and analysis == @MULTIVARIABLE").set_index("term")
    complete = ~np.isnan(cea)
    mutated = (ras == "ras_mutated").astype(float)
    columns = {"baseline_cea": cea, "baseline_cea>=10": (cea >= 10).astype(float), "ras_braf=ras_mutated": mutated}
    fitted = [term for term in together.index if term != "ras_braf=braf_mutated"]
    x = np.column_stack([columns[term] for term in fitted])[complete]
    fit = fit_cox(x, Outcome(time[complete], np.ones(complete.sum(), dtype=bool)))

    assert {"baseline_cea", "ras_braf=ras_mutated"} <= set(fitted)
    assert together.loc["ras_braf=braf_mutated", "note"] == CONSTANT
    assert together.loc["ras_braf=braf_mutated", NUMBERS].isna().all()
    np.testing.assert_allclose(
        together.loc[fitted, NUMBERS].astype(float), wald(fit.coefficients, fit.standard_errors), rtol=1e-9
    )
    assert set(together.loc[fitted, "note"]) == {""}


@pytest.mark.parametrize("n", [1, 20])
def test_a_cohort_in_which_no_covariate_varies_is_refused_with_the_cure(n: int):
    cohort = cohort_of(np.arange(1.0, n + 1), np.ones(n), regimen=category("regimen", ["doublet"] * n))
    with pytest.raises(
        CohortError, match=rf"no covariate of the paper varies among the {n} patient.* population overall.*; give"
    ):
        paper_effects(cohort, "overall")


def test_a_covariate_that_cannot_be_estimated_says_why():
    cohort = load_cohort()
    everybody_relapsed = cohort.frame.assign(dfs_months=1.0, dfs_event=True)
    effects = paper_effects(Cohort("x", "x", "simulated", everybody_relapsed), "overall")
    early = effects[effects["outcome"] == "relapse_6m"]
    assert early["estimate"].isna().all()
    assert set(early["note"]) == {"all patients have the same status"}
    assert set(early["analysis"]) == {UNIVARIATE}


def test_a_covariate_that_varies_only_where_the_outcome_is_unknown_says_so():
    time, event = np.r_[np.repeat(np.arange(1.0, 21.0), 2), 1.0, 2.0], np.r_[np.ones(40), 0, 0]
    synchronous = ["synchronous"] * 40 + ["metachronous"] * 2
    cohort = cohort_of(time, event, synchronous=category("synchronous", synchronous))
    found = row(paper_effects(cohort, "overall"), "relapse_12m", "synchronous=synchronous")
    assert found["note"] == CONSTANT
    assert np.isnan(found[NUMBERS].astype(float)).all()
    assert np.isnan(found["p_holm"])


def test_a_cohort_without_any_covariate_of_the_paper_is_refused():
    with pytest.raises(CohortError):
        paper_effects(cohort_of([1, 2, 3], [1, 1, 0]), "overall")


# ---- adjusted P values and the summary


def test_p_values_are_adjusted_within_one_outcome_and_one_analysis(effects: pd.DataFrame):
    for _, group in effects[effects["p_value"].notna()].groupby(["outcome", "analysis"]):
        p = np.sort(group["p_value"].to_numpy())
        m = len(p)
        holm = np.minimum(np.maximum.accumulate(p * np.arange(m, 0, -1)), 1)
        discovery = np.minimum.accumulate((p * m / np.arange(1, m + 1))[::-1])[::-1]
        ordered = group.sort_values("p_value")
        np.testing.assert_allclose(ordered["p_holm"], holm)
        np.testing.assert_allclose(ordered["p_bh"], discovery)


def test_what_was_selected_is_what_entered_and_what_stayed_at_p_0_05():
    def second(outcome: str, *rows: tuple[str, str, float]) -> pd.DataFrame:
        table = pd.DataFrame(rows, columns=["variable", "level", "p_value"])
        return table.assign(population="overall", outcome=outcome, analysis=MULTIVARIABLE)

    first = second("os", ("age", ">=65 years", 0.001)).assign(analysis=UNIVARIATE)
    effects = pd.concat(
        [
            second("dfs", ("ras_braf", "ras_mutated", 0.04), ("ras_braf", "braf_mutated", 0.01), ("baseline_cea", "", 0.0501)),
            second("relapse_6m", ("baseline_cea", "", 0.05)),
            first,
        ]
    )
    assert selected_terms(effects).to_numpy().tolist() == [
        ["overall", "dfs", "ras_braf (ras_mutated), ras_braf (braf_mutated), baseline_cea", "ras_braf"],
        ["overall", "relapse_6m", "baseline_cea", "baseline_cea"],
        ["overall", "os", "", ""],
    ]


def test_a_row_is_named_by_its_variable_and_for_a_category_its_level():
    assert (row_name("baseline_cea", ""), row_name("baseline_cea", ">=10")) == ("baseline_cea", "baseline_cea (>=10)")


# ---- what is left out


@pytest.mark.parametrize("population", ["overall", "primary_resected"])
def test_every_covariate_is_estimated_or_left_out_with_a_reason(population: str):
    frame = load_cohort().frame.drop(columns=["regimen", "baseline_mri"])
    frame = frame.assign(baseline_cea=np.nan, surgery_steps=category("surgery_steps", ["one"] * len(frame)))
    cohort = Cohort("x", "x", "simulated", frame)
    left_out = dict(left_out_covariates(cohort, population))
    effects = paper_effects(cohort, population)
    terms = {term.split("=")[0] if ">=" not in term else term for term in effects["term"]}

    assert left_out["regimen"] == "the cohort does not record regimen"
    assert left_out["mri_any"] == "the cohort does not record baseline_mri"
    assert left_out["baseline_cea"] == left_out["baseline_cea>=10"] == "known in no patient"
    assert left_out["surgery_steps"] == "the same in all patients"
    assert terms | set(left_out) >= {feature.name for feature in PAPER_FEATURES} - {"pt_stage", "pn_stage", "primary_resected"}
    assert not terms & set(left_out)


def test_what_the_paper_withholds_from_all_patients_is_not_left_out_for_want_of_data():
    frame = load_cohort().frame
    known = frame.assign(pn_stage=category("pn_stage", np.resize(["n0", "n1_2"], len(frame))))
    cohort = Cohort("x", "x", "simulated", known)
    assert "pn_stage" not in set(paper_effects(cohort, "overall")["variable"])
    assert "pn_stage" not in dict(left_out_covariates(cohort, "overall"))


@pytest.mark.skipif(not TCIA.exists(), reason="the TCIA table is not beside the project; download it from TCIA")
def test_another_cohort_is_estimated_by_what_it_records_and_leaves_the_rest_out():
    cohort = load_cohort("tcia_crlm", TCIA)
    effects = paper_effects(cohort, "overall")
    left_out = dict(left_out_covariates(cohort, "overall"))

    assert set(effects["variable"]) == {
        *("age", "pn_stage", "synchronous", "presurgery_cea", "presurgery_lobes", "presurgery_max_diameter"),
    }
    assert left_out["ras_braf"] == "the cohort does not record ras_braf"
    assert not set(left_out) & set(effects["term"].str.partition("=")[0])
    assert row(effects, "relapse_6m", "age>=65")["n_events"] == 22


def test_a_covariate_that_the_others_determine_is_left_out_of_the_second_stage_and_says_so():
    cohort = simulate_cohort(n_patients=600, signal=1.0, seed=11).cohort
    frame = cohort.frame
    rng = np.random.default_rng(0)
    burden = rng.poisson(4, len(frame)) + 1
    left = np.maximum(1, burden - rng.poisson(2, len(frame)))
    months = 12 * rng.exponential(1, len(frame)) / np.exp(0.25 * left + 0.25 * (burden - left)) * 10 + 0.1
    changed = frame.assign(
        baseline_lesions=burden.astype(float), presurgery_lesions=left.astype(float),
        vanished_lesions=(burden - left).astype(float), dfs_months=months, dfs_event=True, os_months=months + 1, os_event=True,
    )  # fmt: skip
    effects = paper_effects(Cohort("x", "x", "simulated", changed), "overall")
    second = effects.query("outcome == 'dfs' and analysis == 'multivariable'")
    second = second[second["form"] == "continuous"].set_index("variable")
    assert {"baseline_lesions", "presurgery_lesions", "vanished_lesions"} <= set(second.index), "all three entered"
    assert second.loc["vanished_lesions", "note"] == ALIASED
    assert np.isnan(second.loc["vanished_lesions", "estimate"])
    assert np.isfinite(second.loc[["baseline_lesions", "presurgery_lesions"], "estimate"]).all()
