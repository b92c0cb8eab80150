"""What a configuration accepts, refuses, and how the command line, Prefect and a file give the same one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from cohort.types import ENDPOINTS, POPULATIONS
from features.registry import FEATURE_SETS
from flows.config import CONFIGS, FEATURE_SET_NAMES, MODEL_NAMES, BenchmarkConfig
from models.registry import MODELS

#: What a setting may change besides the numbers of a run.
NO_SCIENCE = {"workers", "fresh", "data", "preset"}


def _errors(**settings: Any) -> dict[str, str]:
    """Field -> message of a configuration that must be refused."""
    with pytest.raises(ValidationError) as refusal:
        BenchmarkConfig(**settings)
    return {".".join(map(str, e["loc"])): e["msg"] for e in refusal.value.errors()}


def _shipped(preset: str) -> dict[str, Any]:
    return yaml.safe_load((CONFIGS / f"{preset}.yaml").read_text(encoding="utf-8"))


def test_names_are_those_of_the_registries_in_their_order() -> None:
    assert tuple(FEATURE_SETS) == FEATURE_SET_NAMES
    assert tuple(MODELS) == MODEL_NAMES


@pytest.mark.parametrize("preset", ["smoke", "default", "full"])
def test_preset_fills_in_what_is_not_given(preset: str) -> None:
    config = BenchmarkConfig(preset=preset)
    dumped = config.model_dump(mode="json")

    assert {k: dumped[k] for k in _shipped(preset)} == _shipped(preset)


def test_given_settings_win_over_the_preset() -> None:
    config = BenchmarkConfig(preset="smoke", n_folds=4, endpoints=("os",))

    assert (config.n_folds, config.endpoints) == (4, ("os",))
    assert config.n_bootstraps == _shipped("smoke")["n_bootstraps"]


def test_no_preset_is_the_default_preset() -> None:
    assert BenchmarkConfig() == BenchmarkConfig(preset="default")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_file_is_a_configuration(path: Path) -> None:
    assert BenchmarkConfig.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def test_every_shipped_file_is_a_preset_and_the_other_way_round() -> None:
    presets = BenchmarkConfig.model_json_schema()["properties"]["preset"]["enum"]

    assert sorted(presets) == sorted(p.stem for p in CONFIGS.glob("*.yaml"))


def test_unknown_preset_is_refused_with_the_known_ones() -> None:
    assert all(name in _errors(preset="huge")["preset"] for name in ("smoke", "default", "full"))


def test_preset_cannot_name_a_file_elsewhere() -> None:
    assert set(_errors(preset="../configs/smoke")) == {"preset"}


def test_unknown_key_is_refused_by_its_name() -> None:
    assert set(_errors(n_fold=3)) == {"n_fold"}


@pytest.mark.parametrize(
    ("field", "known"),
    [
        ("populations", tuple(POPULATIONS)),
        ("endpoints", tuple(ENDPOINTS)),
        ("feature_sets", FEATURE_SET_NAMES),
        ("models", MODEL_NAMES),
    ],
)
@pytest.mark.parametrize("names", [("nonsense",), ()], ids=["unknown", "none"])
def test_unknown_or_no_name_is_refused_with_the_known_ones(field: str, known: tuple[str, ...], names: tuple[str, ...]) -> None:
    message = _errors(**{field: names})[field]

    assert all(name in message for name in (*names, *known))


def test_name_given_twice_counts_once() -> None:
    assert BenchmarkConfig(models=("paper_cox", "null_model", "paper_cox")).models == ("paper_cox", "null_model")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_folds", 1),
        ("n_folds", 51),
        ("n_repeats", 0),
        ("n_trials", -1),
        ("n_inner_folds", 1),
        ("n_bootstraps", 10),
        ("seed", -1),
        ("seed", 2**31),
        ("workers", -1),
        ("cohort", ""),
        ("on_leak", "ignore"),
        ("missing", "ignore"),
        ("n_imputations", 1),
        ("n_folds", 2.5),
    ],
)
def test_value_out_of_bounds_is_refused(field: str, value: object) -> None:
    assert set(_errors(**{field: value})) == {field}


def test_classifiers_alone_cannot_answer_time_endpoints() -> None:
    classifiers = tuple(name for name, spec in MODELS.items() if spec.answers == "horizon")

    assert "relapse_6m" in _errors(endpoints=("dfs", "os"), models=classifiers)[""]
    for name in classifiers:
        assert _errors(endpoints=("dfs",), models=(name,))
    assert BenchmarkConfig(endpoints=("dfs", "relapse_6m"), models=classifiers)


@pytest.mark.parametrize("model", [name for name, spec in MODELS.items() if spec.answers == "any_time"])
def test_a_survival_model_makes_time_endpoints_answerable(model: str) -> None:
    assert BenchmarkConfig(endpoints=("dfs",), models=(model, "paper_logistic"))


@pytest.mark.parametrize(
    "settings",
    [{}, {"preset": "smoke"}, {"preset": "smoke", "n_folds": 4, "populations": ("primary_resected",), "data": "x.csv"}],
    ids=["default", "smoke", "smoke with changes"],
)
def test_configuration_survives_json(settings: dict[str, Any]) -> None:
    config = BenchmarkConfig(**settings)

    assert BenchmarkConfig.model_validate(json.loads(json.dumps(config.model_dump(mode="json")))) == config
    assert BenchmarkConfig.model_validate_json(config.model_dump_json()) == config


def test_science_is_all_settings_but_those_that_change_no_number() -> None:
    assert set(BenchmarkConfig().science()) == set(BenchmarkConfig.model_fields) - NO_SCIENCE


def test_science_does_not_depend_on_workers_freshness_or_file() -> None:
    assert BenchmarkConfig(workers=3, fresh=True, data="elsewhere.csv").science() == BenchmarkConfig().science()


def test_a_preset_written_out_is_the_same_science() -> None:
    assert BenchmarkConfig(**_shipped("smoke")).science() == BenchmarkConfig(preset="smoke").science()


def test_workers_zero_is_one_or_more_processes() -> None:
    assert BenchmarkConfig().n_workers >= 1
    assert BenchmarkConfig(workers=3).n_workers == 3


def test_configuration_is_frozen() -> None:
    with pytest.raises(ValidationError):
        BenchmarkConfig().seed = 1


def test_importing_the_configuration_imports_no_heavy_library() -> None:
    heavy = ("sksurv", "xgboost", "sklearn", "prefect", "mlflow")
    code = f"import sys, flows.config; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("settings", "refitted"), [({}, False), ({"refit_models": None}, True), ({"n_refits": 0, "refit_models": None}, False)]
)
def test_procedures_are_learned_again_of_the_models_named_or_of_all(settings: dict[str, Any], *, refitted: bool) -> None:
    config = BenchmarkConfig(**settings)

    assert config.refits("xgboost_survival") is refitted
    assert config.refits("paper_cox") is (config.n_refits > 0)


def test_full_learns_all_procedures_again() -> None:
    config = BenchmarkConfig(preset="full")
    assert all(map(config.refits, MODEL_NAMES))


@pytest.mark.parametrize("setting", ["refit_models", "internal_external_models", "explain_models"])
def test_an_unknown_model_to_learn_again_is_refused_with_the_known_ones(setting: str) -> None:
    with pytest.raises(ValidationError, match="unknown guess; known: null_model"):
        BenchmarkConfig(**{setting: ("guess",)})
