"""``crlm benchmark``: options over file over preset, settings refused by name, and what is told at the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evaluation.estimate import Estimate
from evaluation.metrics.registry import METRICS
from evaluation.tables import Cell, CellResult, leaderboard
from evaluation.verdict import Verdict
from flows import cli
from flows.config import BenchmarkConfig

from .crlm_cases import crlm, refused


@pytest.fixture(autouse=True)
def _environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "prepare_environment", lambda: None)


@pytest.fixture
def configs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[BenchmarkConfig]:
    """The configurations that the flow was asked to run, instead of running them."""
    asked: list[BenchmarkConfig] = []

    def run(config: BenchmarkConfig) -> SimpleNamespace:
        asked.append(config)
        return _outcome(tmp_path)

    monkeypatch.setattr(cli, "_run_flow", run)
    return asked


def _outcome(folder: Path, failed: int = 0) -> SimpleNamespace:
    estimates = tuple(Estimate(m, 12.0, 0.6, 0.5, 0.7, n=90, n_events=40) for m in METRICS)
    cell = Cell("overall", "dfs", "paper", "paper_cox")
    bad = [CellResult(replace(cell, model=f"bad_{i}"), "failed", note=f"reason {i}") for i in range(failed)]
    board = leaderboard([CellResult(cell, "completed", estimates, seconds=1.0, n_events_total=70), *bad])
    return SimpleNamespace(
        leaderboard=board,
        folder=folder,
        completed=1,
        failed=failed,
        skipped=2,
        reused=0,
        warnings=("suspected leak: x",),
        verdicts=(Verdict("overall", "dfs", "none", "real", "No useful model: none of 1."),),
    )


# ---- settings


def test_benchmark_without_options_is_the_default_configuration(configs: list[BenchmarkConfig]) -> None:
    assert crlm("benchmark").exit_code == 0
    assert configs == [BenchmarkConfig()]


def test_options_reach_the_configuration(configs: list[BenchmarkConfig]) -> None:
    crlm(
        *("benchmark", "--preset", "smoke", "--seed", "0", "--workers", "1", "--fresh", "--missing", "multiple"),
        *("--model", "paper_cox", "--model", "null_model", "--endpoint", "dfs", "--feature-set", "paper"),
        *("--population", "primary_resected", "--cohort", "tcia_crlm", "--data", "x.csv"),
    )

    assert configs == [
        BenchmarkConfig(
            preset="smoke",
            seed=0,
            missing="multiple",
            workers=1,
            fresh=True,
            models=("paper_cox", "null_model"),
            endpoints=("dfs",),
            feature_sets=("paper",),
            populations=("primary_resected",),
            cohort="tcia_crlm",
            data="x.csv",
        )
    ]


def test_options_win_over_the_file_and_the_file_over_the_preset(configs: list[BenchmarkConfig], tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("preset: smoke\nn_folds: 7\nseed: 1\ncohort: tcia_crlm\n", encoding="utf-8")
    crlm("benchmark", "--config", file, "--seed", "2")
    crlm("benchmark", "--config", file, "--preset", "full", "--cohort", "reconstructed")

    smoke, full = configs
    assert smoke == BenchmarkConfig(preset="smoke", n_folds=7, seed=2, cohort="tcia_crlm")
    assert full == BenchmarkConfig(preset="full", n_folds=7, seed=1, cohort="reconstructed")


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--seed", "-1"), "seed: "),
        (("--workers", "-2"), "workers: "),
        (("--model", "nonsense"), "models: unknown nonsense; known: null_model"),
        (("--endpoint", "dfs", "--model", "paper_logistic"), "settings: classifiers answer relapse_6m"),
    ],
)
def test_bad_setting_is_refused_by_its_name(arguments: tuple[str, ...], field: str, configs: list[BenchmarkConfig]) -> None:
    assert f"crlm: {field}" in refused("benchmark", *arguments)
    assert configs == []


def test_all_bad_settings_of_a_file_are_named_at_once(configs: list[BenchmarkConfig], tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("n_folds: 1\nn_bootstrap: 500\nendpoints: []\n", encoding="utf-8")
    message = refused("benchmark", "--config", file)

    assert all(f"{field}: " in message for field in ("n_folds", "n_bootstrap", "endpoints"))
    assert configs == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"- smoke\n", "holds no settings"),
        (b"", "holds no settings"),
        (b"just words", "holds no settings"),
        (b"a: [1,\n", "is not readable YAML"),
        (b"\xff\xfe\xfa", "is not readable YAML"),
        (b"seed: !!python/object/apply:os.system ['touch owned']\n", "is not readable YAML"),
        (b"1: 2\n", "Keys should be strings"),
    ],
    ids=["list", "empty", "text", "broken", "not UTF-8", "python object", "number as key"],
)
def test_file_that_is_no_mapping_of_settings_is_refused(
    content: bytes, said: str, configs: list[BenchmarkConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_bytes(content)

    assert said in refused("benchmark", "--config", "mine.yaml")
    assert configs == []
    assert [p.name for p in tmp_path.iterdir()] == ["mine.yaml"], "nothing in the file was executed"


# ---- what is told


def test_leaderboard_counts_and_paths_are_printed(configs: list[BenchmarkConfig], tmp_path: Path) -> None:
    result = crlm("benchmark")

    assert "Two-stage Cox (paper)" in result.output
    assert "Disease-free survival – all patients: No useful model: none of 1." in result.output
    assert "1 cells completed, 0 failed, 2 skipped; 0 reused from earlier runs." in result.output
    assert str(tmp_path / "leaderboard.csv") in result.output
    assert str(tmp_path / "report.html") in result.output


@pytest.mark.parametrize(
    ("uri", "said"), [("", "mlflow ui --backend-store-uri 'sqlite:///"), ("http://m:5000", "http://m:5000\n")]
)
def test_way_to_mlflow_is_told(uri: str, said: str, configs: list[BenchmarkConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)

    assert said in crlm("benchmark").output


def test_failed_cells_give_exit_status_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cli, "_run_flow", lambda _: _outcome(tmp_path, failed=4))
    result = crlm("benchmark")

    assert result.exit_code == 1
    assert "4 failed" in result.output
    assert "Failed: overall/dfs/paper/bad_0: reason 0" in result.output
    assert "reason 3" not in result.output
    assert "… and 1 more" in result.output
    assert "Warning: suspected leak: x" in result.output


def test_error_that_no_user_can_mend_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "_run_flow", broken)

    assert isinstance(crlm("benchmark").exception, ZeroDivisionError)


@pytest.mark.parametrize("content", ["seed: 2020-13-45\n", "[" * 3000], ids=["impossible date", "too deep"])
def test_yaml_that_cannot_be_read_is_refused(content: str, tmp_path: Path, configs: list[BenchmarkConfig]) -> None:
    (tmp_path / "settings.yaml").write_text(content, encoding="utf-8")

    assert "not readable YAML" in refused("benchmark", "--config", tmp_path / "settings.yaml")
    assert not configs


def test_reconstruction_into_a_missing_folder_or_with_a_bad_seed_is_refused(tmp_path: Path) -> None:
    assert "no folder" in refused("cohort", "reconstruct", "--out", tmp_path / "no" / "x.csv")
    assert "--seed" in refused("cohort", "reconstruct", "--seed", "-1", "--out", tmp_path / "x.csv")


def test_prefect_server_that_does_not_answer_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(_: Any) -> None:
        raise RuntimeError("Failed to reach API at http://127.0.0.1:9/api/")

    monkeypatch.setattr(cli, "_run_flow", unreachable)

    assert "unset the variable" in refused("benchmark")
