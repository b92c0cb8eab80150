"""Published scores: every cut-point on both sides, points against a plain second writing, and a reason where there are none."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from cohort.types import ENDPOINTS, FloatArray, Outcome
from models.kaplan_meier import kaplan_meier
from models.published import fong, game, konopke, m_cs, nagashima, nordlinger, tumour_burden
from models.published.inputs import read_inputs
from models.published.recalibrated import CompleteInputs
from models.published.score import Question, Score
from models.registry import MODELS

SCORES = {module.SCORE.name: module.SCORE for module in (fong, game, tumour_burden, m_cs, nordlinger, konopke, nagashima)}

#: A patient to whom no question is answered yes, before surgery the same.
NOTHING: dict[str, object] = {
    "baseline_lesions": 1.0,
    "baseline_max_diameter": 20.0,
    "baseline_cea": 3.0,
    "age": 50.0,
    "pn_stage": "n0",
    "pt_stage": "t1_3",
    "synchronous": "metachronous",
    "ras_braf": "wild_type",
}


def _frame(*patients: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame([NOTHING | patient for patient in patients])


def _points(score: Score, *patients: dict[str, object]) -> list[float]:
    return score.points(read_inputs(_frame(*patients), score.inputs)).tolist()


@pytest.mark.parametrize(
    ("score", "variable", "below", "from_here_on", "gained"),
    [
        ("fong_score", "baseline_max_diameter", 50.0, 50.1, 1),
        ("fong_score", "baseline_lesions", 1.0, 2.0, 1),
        ("fong_score", "baseline_cea", 200.0, 200.1, 1),
        ("fong_score", "pn_stage", "n0", "n1_2", 1),
        ("fong_score", "synchronous", "metachronous", "synchronous", 1),
        ("game_score", "ras_braf", "wild_type", "ras_mutated", 1),
        ("game_score", "baseline_cea", 19.9, 20.0, 1),
        ("game_score", "pn_stage", "n0", "n1_2", 1),
        ("m_cs_score", "ras_braf", "braf_mutated", "ras_mutated", 1),
        ("m_cs_score", "baseline_max_diameter", 50.0, 50.1, 1),
        ("m_cs_score", "pn_stage", "n0", "n1_2", 1),
        ("nordlinger_score", "age", 60.0, 60.1, 1),
        ("nordlinger_score", "pt_stage", "t1_3", "t4", 1),
        ("nordlinger_score", "pn_stage", "n0", "n1_2", 1),
        ("nordlinger_score", "synchronous", "metachronous", "synchronous", 1),
        ("nordlinger_score", "baseline_lesions", 3.0, 4.0, 1),
        ("nordlinger_score", "baseline_max_diameter", 50.0, 50.1, 1),
        ("konopke_score", "baseline_lesions", 3.0, 4.0, 1),
        ("konopke_score", "baseline_cea", 199.9, 200.0, 1),
        ("konopke_score", "synchronous", "metachronous", "synchronous", 1),
        ("nagashima_score", "pn_stage", "n0", "n1_2", 0.60034),
        ("nagashima_score", "pt_stage", "t1_3", "t4", 0.54877),
        ("nagashima_score", "baseline_max_diameter", 50.0, 50.1, 1.35657),
        ("nagashima_score", "synchronous", "metachronous", "synchronous", 0.67838),
        ("nagashima_score", "baseline_lesions", 1.0, 2.0, 0.85412),
    ],
)
def test_a_point_is_given_from_its_cut_point_on_and_not_before(
    score: str, variable: str, below: object, from_here_on: object, gained: float
) -> None:
    low, high = _points(SCORES[score], {variable: below}, {variable: from_here_on})

    assert (low, high) == (0, pytest.approx(gained))


@pytest.mark.parametrize("diameter", [49.9, 50.0])
def test_50_mm_is_not_larger_than_50_mm(diameter: float) -> None:
    assert _points(SCORES["m_cs_score"], {"baseline_max_diameter": diameter}) == [0]


# sqrt(cm squared + number squared): with one metastasis, 3 at sqrt(8) cm and 9 at sqrt(80) cm.
@pytest.mark.parametrize(
    ("diameter", "points", "zone"),
    [(28.2, 0, "zone 1, < 3"), (28.3, 1, "zone 2, 3 to < 9"), (89.4, 1, "zone 2, 3 to < 9"), (89.5, 2, "zone 3, >= 9")],
)
def test_the_tumour_burden_is_cut_at_3_and_at_9(diameter: float, points: int, zone: str) -> None:
    patient = {"baseline_max_diameter": diameter}

    assert _points(SCORES["game_score"], patient) == [points]
    burden = _points(SCORES["tumour_burden_score"], patient)
    assert burden == pytest.approx([((diameter / 10) ** 2 + 1) ** 0.5])
    assert SCORES["tumour_burden_score"].group(np.array(burden)) == [zone]


def test_exact_burdens_of_3_and_9_belong_to_the_higher_zone() -> None:
    assert SCORES["tumour_burden_score"].group(np.array([3.0, 9.0])) == ["zone 2, 3 to < 9", "zone 3, >= 9"]
    assert _points(SCORES["game_score"], {"baseline_lesions": 3.0, "baseline_max_diameter": 0.0}) == [1]
    assert _points(SCORES["game_score"], {"baseline_lesions": 9.0, "baseline_max_diameter": 0.0}) == [2]


@pytest.mark.parametrize(
    ("score", "points", "groups"),
    [
        ("fong_score", [0, 2, 3, 5], ["0-2 low", "0-2 low", "3-5 high", "3-5 high"]),
        ("game_score", [1, 2, 3, 4], ["0-1 low", "2-3 medium", "2-3 medium", ">= 4 high"]),
        ("nordlinger_score", [2, 3, 4, 5], ["0-2 low", "3-4 intermediate", "3-4 intermediate", "5-6 high"]),
        ("konopke_score", [0, 1, 2, 3], ["0 low", "1 intermediate", ">= 2 high", ">= 2 high"]),
        ("nagashima_score", [3, 3.001, 5, 5.001], ["<= 3", "3 to 5", "3 to 5", "> 5"]),
        ("m_cs_score", [0, 1, 2, 3], ["0", "1", "2", "3"]),
    ],
)
def test_points_fall_into_the_published_groups(score: str, points: list[float], groups: list[str]) -> None:
    assert SCORES[score].group(np.array(points, dtype=float)) == groups


def _plainly(p: SimpleNamespace) -> dict[str, float]:
    """All sums of points once more, patient by patient, as the design sheet prints them."""
    burden = ((p.baseline_max_diameter / 10) ** 2 + p.baseline_lesions**2) ** 0.5
    node, t4, sync = p.pn_stage == "n1_2", p.pt_stage == "t4", p.synchronous == "synchronous"
    ras, large, cea = p.ras_braf == "ras_mutated", p.baseline_max_diameter > 50, p.baseline_cea
    return {
        "fong_score": node + sync + (p.baseline_lesions > 1) + large + (cea > 200),
        "game_score": ras + (cea >= 20) + node + (2 if burden >= 9 else 1 if burden >= 3 else 0),
        "tumour_burden_score": burden,
        "m_cs_score": ras + node + large,
        "nordlinger_score": (p.age > 60) + t4 + node + sync + (p.baseline_lesions > 3) + large,
        "konopke_score": (p.baseline_lesions >= 4) + (cea >= 200) + sync,
        "nagashima_score": 0.60034 * node + 0.54877 * t4 + 1.35657 * large + 0.67838 * sync + 0.85412 * (p.baseline_lesions > 1),
    }


def _grid() -> pd.DataFrame:
    return pd.DataFrame(
        list(
            product(
                (1.0, 4.0, 12.0),
                (20.0, 50.0, 80.0),
                (3.0, 20.0, 200.0, 500.0),
                (60.0, 70.0),
                ("n0", "n1_2"),
                ("t1_3", "t4"),
                ("metachronous", "synchronous"),
                ("wild_type", "ras_mutated", "braf_mutated"),
            )
        ),
        columns=list(NOTHING),
    )


@pytest.mark.parametrize("name", SCORES)
def test_points_are_those_of_a_plain_second_writing(name: str) -> None:
    grid = _grid()
    plainly = [_plainly(SimpleNamespace(**row))[name] for row in grid.to_dict("records")]

    np.testing.assert_allclose(SCORES[name].points(read_inputs(grid, SCORES[name].inputs)), plainly, atol=1e-12)


@pytest.mark.parametrize("name", SCORES)
def test_points_lie_within_their_bounds_and_differ_from_them_by_the_open_questions_only(name: str) -> None:
    score, inputs = SCORES[name], read_inputs(_grid(), SCORES[name].inputs)
    low, high = score.bounds(inputs)
    is_open: FloatArray = np.zeros(len(inputs))
    for item in score.items:
        if item.question.is_open is not None:
            is_open += item.points * item.question.is_open(inputs)

    assert (low <= score.points(inputs)).all()
    assert (score.points(inputs) <= high).all()
    np.testing.assert_allclose(high - low, is_open, atol=1e-12)


def test_a_metachronous_interval_could_only_add_and_a_ras_mutation_only_take_away() -> None:
    fong_low, fong_high = SCORES["fong_score"].bounds(read_inputs(_frame({}), SCORES["fong_score"].inputs))
    game_low, game_high = SCORES["game_score"].bounds(
        read_inputs(_frame({"ras_braf": "ras_mutated"}), SCORES["game_score"].inputs)
    )

    assert (fong_low.tolist(), fong_high.tolist()) == ([0], [1])
    assert (game_low.tolist(), game_high.tolist()) == ([0], [1])


def test_a_question_left_open_without_a_stand_in_is_refused() -> None:
    with pytest.raises(ValueError, match="names its stand-in"):
        Question("open", ("cea",), lambda inputs: inputs["cea"] > 1, is_open=lambda inputs: inputs["cea"] > 1)


# ---- what a cohort holds


def test_before_surgery_number_size_and_cea_are_those_before_surgery() -> None:
    before = {"presurgery_lesions": 1.0, "presurgery_max_diameter": 51.0, "presurgery_cea": 3.0}
    patient = {"baseline_lesions": 9.0, "baseline_max_diameter": 10.0, "baseline_cea": 900.0} | before

    assert _points(SCORES["fong_score"], patient) == [1]


def test_a_score_does_not_mix_times() -> None:
    # Size was measured before surgery and CEA was not: the baseline's is no substitute.
    names = (*NOTHING, "presurgery_max_diameter", "presurgery_lesions")

    assert SCORES["fong_score"].not_computable("pre_surgery", names) == (
        "Fong score is not computable on pre_surgery: it needs CEA (presurgery_cea)"
    )


@pytest.mark.parametrize("name", SCORES)
def test_a_score_is_not_computable_without_any_one_of_its_variables(name: str) -> None:
    score, needed = SCORES[name], 0
    assert score.not_computable("baseline", tuple(NOTHING)) == ""
    for variable in NOTHING:
        reason = score.not_computable("baseline", tuple(v for v in NOTHING if v != variable))
        if reason:
            needed += 1
            assert variable in reason
            with pytest.raises(ValueError, match=variable):
                read_inputs(_frame({}).drop(columns=variable), score.inputs)
    assert needed == len(set(score.inputs) - {"extrahepatic"})


def test_several_metastases_may_stand_in_the_place_of_their_number() -> None:
    frame = _frame({}, {}).drop(columns="baseline_lesions").assign(multiple_metastases=["no", "yes"])

    assert SCORES["fong_score"].points(read_inputs(frame, SCORES["fong_score"].inputs)).tolist() == [0, 1]
    assert "baseline_lesions" in SCORES["konopke_score"].not_computable("baseline", tuple(frame))


def test_extrahepatic_disease_counts_where_it_is_recorded_and_is_said_to_be_absent_where_not() -> None:
    frame = _frame({}, {}).assign(extrahepatic_disease=["no", "yes"])
    score = SCORES["nagashima_score"]

    assert score.points(read_inputs(frame, score.inputs)).tolist() == pytest.approx([0, 1.19430])
    assert not any("extrahepatic" in text for text in score.reading(tuple(frame)))
    assert any("extrahepatic disease is not recorded: counted as absent" in text for text in score.reading(tuple(NOTHING)))


def test_a_missing_input_becomes_the_training_patients_median_and_is_counted() -> None:
    score = SCORES["konopke_score"]
    training = _frame({"baseline_cea": 100.0}, {"baseline_cea": 300.0}, {"baseline_cea": 250.0}, {"baseline_cea": np.nan})
    complete = CompleteInputs(score, training)

    assert complete(_frame({"baseline_cea": np.nan}))["cea"].tolist() == [250]
    assert complete.notes(training) == ("a missing input was filled in 1 of 4 patients",)


def test_an_input_known_in_no_training_patient_is_refused() -> None:
    with pytest.raises(ValueError, match="cea is not known in any training patient"):
        CompleteInputs(SCORES["konopke_score"], _frame({"baseline_cea": np.nan}))


# ---- as models


def _outcome(n: int, seed: int = 0) -> Outcome:
    rng = np.random.default_rng(seed)
    return Outcome(rng.exponential(10.0, n) + 0.01, rng.random(n) < 0.9)


def test_risks_learned_in_a_cohort_where_points_decide_are_those_of_the_points() -> None:
    rng = np.random.default_rng(0)
    frame = _grid().sample(4000, replace=True, random_state=1).reset_index(drop=True)
    points = SCORES["konopke_score"].points(read_inputs(frame, SCORES["konopke_score"].inputs))
    rate = 0.05 * np.exp(0.4 * points)
    time = rng.exponential(1 / rate)
    outcome = Outcome(np.minimum(time, 40.0), time <= 40.0)

    model = MODELS["konopke_score"].build({}, 0).fit(frame, outcome, ENDPOINTS["dfs"])

    np.testing.assert_allclose(model.risk_at(frame, 12.0), 1 - np.exp(-12 * rate), atol=0.03)


def test_a_recalibrated_score_is_right_on_average_in_its_training_patients() -> None:
    frame, outcome = _grid(), _outcome(len(_grid()))
    model = MODELS["fong_score"].build({}, 0).fit(frame, outcome, ENDPOINTS["dfs"])

    expected = 1 - kaplan_meier(outcome).at([12.0])[0, 0]
    assert model.risk_at(frame, 12.0).mean() == pytest.approx(expected, abs=0.01)
    assert any("could be higher in" in note for note in model.notes)


FROZEN = [name for name in MODELS if name.endswith("_frozen")]

#: logit of the risk of a patient without a yes, and with all of them, at 6 and 12 months: sums of the sheet's coefficients.
PRINTED = {
    "fong_score_frozen": ((-2.4674, -2.4674 + 0.5193 + 0.7504 + 0.7139 + 0.0677 - 0.1351),
                          (-1.3617, -1.3617 + 0.6639 + 0.4970 + 0.7321 + 0.1261 - 0.1354)),
    "game_score_frozen": ((-2.2698, -2.2698 + 0.3281 + 0.2676 + 0.6581 + 1.4392 + 0.8799),
                          (-1.3878, -1.3878 + 0.2255 + 0.3401 + 0.7891 + 1.4248 + 0.7408)),
    "m_cs_score_frozen": ((-1.5807, -1.5807 + 0.2153 + 0.6054 + 0.1270), (-0.6323, -0.6323 + 0.0909 + 0.7303 + 0.1700)),
    "konopke_score_frozen": ((-1.7025, -1.7025 + 0.9349 - 0.0678 + 0.5888), (-0.5814, -0.5814 + 0.9654 - 0.0529 + 0.4151)),
}  # fmt: skip

EVERYTHING = {
    "baseline_lesions": 10.0,
    "baseline_max_diameter": 60.0,
    "baseline_cea": 300.0,
    "pn_stage": "n1_2",
    "synchronous": "synchronous",
    "ras_braf": "ras_mutated",
    "extrahepatic_disease": "yes",
}


@pytest.mark.parametrize("name", FROZEN)
@pytest.mark.parametrize(("endpoint", "at"), [("relapse_6m", 0), ("relapse_12m", 1)])
def test_a_frozen_risk_is_the_printed_one_whatever_the_training_patients_outcome(name: str, endpoint: str, at: int) -> None:
    frame = _frame({"extrahepatic_disease": "no"}, EVERYTHING)
    model = MODELS[name].build({}, 0).fit(frame, Outcome(np.array([1.0, 2.0]), np.array([True, True])), ENDPOINTS[endpoint])

    risk = model.risk_at(frame, ENDPOINTS[endpoint].primary_horizon_months)

    np.testing.assert_allclose(logit(risk), PRINTED[name][at], atol=1e-12)


def test_the_frozen_middle_of_the_tumour_burden_is_the_printed_one() -> None:
    frame = _frame({"baseline_lesions": 4.0})
    model = MODELS["game_score_frozen"].build({}, 0).fit(frame, _outcome(1), ENDPOINTS["relapse_6m"])

    np.testing.assert_allclose(logit(model.risk_at(frame, 6.0)), -2.2698 + 0.2165, atol=1e-12)


def test_a_frozen_risk_of_another_horizon_is_refused() -> None:
    with pytest.raises(ValueError, match="no published risk at 60 months"):
        MODELS["fong_score_frozen"].build({}, 0).fit(_frame({}), _outcome(1), ENDPOINTS["os"])


def test_every_published_model_says_so_in_its_label_and_every_score_has_source_and_certainty() -> None:
    published = {name for name, spec in MODELS.items() if spec.role == "published"}

    assert published == {*SCORES, *FROZEN}
    assert set(PRINTED) == set(FROZEN)
    assert all(MODELS[name].label.endswith("(published)") for name in published)
    assert all(MODELS[n].label.endswith("(paper)") for n, spec in MODELS.items() if spec.role == "paper")
    assert all(score.source and score.certainty for score in SCORES.values())
