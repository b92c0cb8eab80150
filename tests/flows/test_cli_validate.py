from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from evaluation.external_validation import EXTERNAL_COMPARISON_COLUMNS, UPDATES
from evaluation.tables import Cell, CellResult, leaderboard
from flows import cli, cli_validate
from flows.validate import Validation
from flows.validation_config import ValidationConfig

from .crlm_cases import crlm, refused


@pytest.fixture(autouse=True)
def _environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "prepare_environment", lambda: None)


def outcome(folder: Path, failed: int = 0) -> Validation:
    cells = [Cell("overall", "dfs", "baseline", f"m{number}") for number in range(failed)]
    results = [CellResult(cell, "failed", note="ValueError: no") for cell in cells]
    results += [CellResult(Cell("overall", "os", "baseline", "paper_cox"), "skipped", note="train: no event by the horizon")]
    board = leaderboard(results)
    comparisons = pd.DataFrame(columns=EXTERNAL_COMPARISON_COLUMNS)
    return Validation(folder, dict.fromkeys(UPDATES, board), comparisons, 0, ("suspected leak: x",), ("A – a", "B – b"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[ValidationConfig]:
    found: list[ValidationConfig] = []

    def run(config: ValidationConfig) -> Validation:
        found.append(config)
        return outcome(tmp_path)

    monkeypatch.setattr(cli_validate, "_run_flow", run)
    return found


def test_options_become_settings(asked: list[ValidationConfig]):
    result = crlm(
        *("validate", "--train", "tcia_crlm", "--train-data", "t.csv", "--test", "other.yaml", "--test-data", "o.csv"),
        *("--preset", "smoke", "--endpoint", "dfs", "--feature-set", "paper", "--model", "paper_cox", "--model", "null_model"),
        *("--population", "overall", "--seed", "3", "--workers", "1", "--fresh"),
    )
    assert result.exit_code == 0, result.output
    (config,) = asked
    assert (config.train, config.train_data, config.test, config.test_data) == ("tcia_crlm", "t.csv", "other.yaml", "o.csv")
    assert (config.endpoints, config.feature_sets, config.models) == (("dfs",), ("paper",), ("paper_cox", "null_model"))
    assert (config.preset, config.seed, config.workers, config.fresh) == ("smoke", 3, 1, True)


def test_an_option_wins_over_the_file_and_the_file_over_a_default(asked: list[ValidationConfig], tmp_path: Path):
    file = tmp_path / "settings.yaml"
    file.write_text("train: mine\ntest: theirs\nseed: 5\nn_bootstraps: 300\n")
    crlm("validate", "--config", file, "--seed", "6")
    (config,) = asked
    assert (config.train, config.test, config.seed, config.n_bootstraps) == ("mine", "theirs", 6, 300)


def test_what_is_said_names_evidence_reasons_and_files(asked: list[ValidationConfig], tmp_path: Path):
    said = crlm("validate", "--test", "theirs").output
    assert "Learned from A – a" in said
    assert "Judged in    B – b" in said
    assert "nothing judged: train: no event by the horizon" in said
    assert "Warning: suspected leak: x" in said
    assert "Cells: 0 completed, 0 failed, 1 skipped; 0 reused" in said
    assert "validation.html" in said


def test_failed_cells_are_told_and_end_with_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(cli_validate, "_run_flow", lambda _: outcome(tmp_path, failed=5))
    result = crlm("validate", "--test", "theirs")
    assert result.exit_code == 1
    assert result.output.count("Failed: ") == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "test: Field required"),
        (("--test", "reconstructed"), "train and test are the same cohort"),
        (("--test", "x", "--model", "oracle"), "unknown oracle; known: null_model"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_message(arguments: tuple[str, ...], says: str):
    assert says in refused("validate", *arguments)
