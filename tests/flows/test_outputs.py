"""What a benchmark leaves on disk, from cells and a store that were never computed."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from cohort.simulate import simulate_cohort
from evaluation import figures
from evaluation.comparison import COMPARISON_COLUMNS
from evaluation.estimate import Estimate
from evaluation.metrics.registry import METRICS
from evaluation.predictions import COLUMNS
from evaluation.sample_size_table import SAMPLE_SIZE_COLUMNS
from evaluation.tables import METRIC_COLUMNS, Cell, CellResult, leaderboard_columns
from evaluation.verdict import VERDICT_COLUMNS
from flows.cell_store import FitSummary
from flows.config import BenchmarkConfig
from flows.outputs import Outputs, write_outputs
from flows.plan import Fit, Plan
from flows.run_directory import RunDirectory
from flows.work import EvaluatedCell

COHORT = simulate_cohort(40, seed=5).cohort
NULL = Fit("overall", "dfs", "none", "null_model")
COX, TREES = (Fit("overall", "dfs", "paper", model) for model in ("paper_cox", "xgboost_survival"))
NAN = float("nan")
NO_RESECTION = "the cohort does not record it"
FILES = [
    *(
        "leaderboard.csv",
        "metrics.csv",
        "comparisons.csv",
        "verdict.csv",
        "sample_size.csv",
        "missingness.csv",
        "single_predictors.csv",
        "duplicates.csv",
        "tripod_ai.csv",
        "probast_ai.csv",
        "predictions.parquet",
        "splits.csv",
        "report.html",
    ),
]
#: They hold patients' ids, and are their owner's only.
OF_PATIENTS = ("predictions.parquet", "splits.csv")
#: Cox against the null model, and no other.
COMPARISONS = pd.DataFrame(
    [
        (
            *("overall", "dfs", 12.0, "null_model", "c_uno", "paper", "paper_cox", "none", "null_model"),
            *(0.1, 0.05, 0.15, NAN, NAN, 0.002, 0.004, 0.9, 40, 20, ""),
        )
    ],
    columns=COMPARISON_COLUMNS,
)


def _cell(fit: Fit, endpoint: str = "dfs", population: str = "overall") -> Cell:
    return Cell(population, endpoint, fit.feature_set, fit.model)


PLAN = Plan(
    fits=(TREES, COX, NULL),
    cells={_cell(NULL): NULL, _cell(COX): COX, _cell(COX, "relapse_12m"): COX, _cell(TREES): TREES},
    skipped=(
        CellResult(_cell(COX, population="primary_resected"), "skipped", note=NO_RESECTION),
        CellResult(_cell(TREES, population="primary_resected"), "skipped", note=NO_RESECTION),
        CellResult(_cell(COX, "os"), "skipped", note="too short"),
    ),
)


def _result(cell: Cell) -> CellResult:
    if cell.model == "xgboost_survival":
        return CellResult(cell, "failed", note="1 of 4 fits failed; repeat 0 fold 1: ValueError: no")
    estimates = tuple(Estimate(m, 12.0, 0.6, 0.5, 0.7, n=40, n_events=20) for m in METRICS)
    return CellResult(cell, "completed", estimates, seconds=1.0)


def _predictions(key: str) -> pd.DataFrame:
    """Two patients' rows of a fit; none where every fold failed."""
    fit = next(f for f in PLAN.fits if f.model == key)
    rows = [(fit.population, fit.trained_on, fit.feature_set, fit.model, 0, 1, p, 12.0, 0.25, 3.5, True) for p in ("P1", "P2")]
    return pd.DataFrame(rows if fit is not TREES else [], columns=list(COLUMNS)).astype(COLUMNS)


def _summary(key: str) -> FitSummary:
    return FitSummary(key, 1.0, {"rate": 0.25}, ("entered: age",), (), 37)


@dataclass
class Written:
    outputs: Outputs
    folder: Path

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


def _write(folder: Path, order: int = 1, **settings: Any) -> Written:
    """Outputs of the plan above; ``order`` -1 has the cells finish the other way round."""
    figure = folder / "cell"
    figure.mkdir(parents=True)
    (figure / "figure.png").write_bytes(b"the picture")
    (figure / "decision_curve.png").write_bytes(b"the decision curve")
    bounds = pd.DataFrame({"threshold": [0.1, 0.2], "difference_ci_low": [-0.01, 0.02]})
    bounds.to_csv(figure / "decision_curve.csv", index=False)
    run = RunDirectory.open(folder / "runs", "f", "simulated-smoke")
    work = SimpleNamespace(
        plan=PLAN, keys={f: f.model for f in PLAN.fits}, store=SimpleNamespace(predictions=_predictions, summary=_summary)
    )
    evaluated = {c: EvaluatedCell(_result(c), figure if c.model == "paper_cox" else folder) for c in list(PLAN.cells)[::order]}
    config = BenchmarkConfig(preset="smoke", **settings)
    outputs = write_outputs(config, COHORT, work, run, evaluated, COMPARISONS, ["suspected leak: age"], 90.0)
    run.close()
    return Written(outputs, run.path)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("hospital_machine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "png", lambda _: b"png")  # rasterising is most of the time
        return _write(folder, cohort=str(folder / "contract.yaml"), data=str(folder / "named_patients.csv"))


def test_all_files_are_written_and_nothing_half_written_stays(written: Written) -> None:
    everything = [*FILES, "model_cards"]
    assert [p.name for p in written.outputs.files] == everything
    assert sorted(p.name for p in written.folder.iterdir() if p.name not in (".lock", "run.json")) == sorted(everything)


def test_every_fit_has_a_model_card_of_its_own_cells_without_a_path_or_a_patient(written: Written) -> None:
    cards = written.outputs.model_cards
    text = cards[COX.name]

    assert set(cards) == {fit.name for fit in PLAN.fits}
    assert (written.folder / "model_cards" / "overall-dfs-paper-paper_cox.md").read_text(encoding="utf-8") == text
    assert "| | Relapse or death within 12 months, 12 months | Disease-free survival, 12 months |" in text
    assert "\n- baseline: " in text
    assert "\n- pre surgery: " in text
    assert "rate = 0.25" in text
    assert "Disease-free survival: failed, 1 of 4 fits failed" in cards[TREES.name]
    assert "None: everybody has the same risk." in cards[NULL.name]
    for card in cards.values():
        assert str(written.folder) not in card
        assert not [patient for patient in COHORT.patient_ids if patient in card]


def test_leaderboard_has_a_row_for_every_cell_and_its_documented_columns(written: Written) -> None:
    board = pd.read_csv(written.folder / "leaderboard.csv")

    assert list(board) == leaderboard_columns()
    assert board["status"].value_counts().to_dict() == {"completed": 3, "skipped": 3, "failed": 1}
    assert set(board.loc[board["status"] == "skipped", "note"]) == {NO_RESECTION, "too short"}
    assert len(board) == len(written.outputs.leaderboard)


def test_metrics_are_tidy_and_hold_completed_cells_only(written: Written) -> None:
    metrics = pd.read_csv(written.folder / "metrics.csv")

    assert list(metrics) == METRIC_COLUMNS
    assert len(metrics) == 3 * len(METRICS)


def test_sample_size_has_a_row_for_every_question_that_is_run_with_predictors(written: Written) -> None:
    sizes = pd.read_csv(written.folder / "sample_size.csv")

    assert list(sizes) == SAMPLE_SIZE_COLUMNS
    asked = list(sizes[["population", "endpoint", "feature_set"]].itertuples(index=False, name=None))
    assert asked == [("overall", "relapse_12m", "paper"), ("overall", "dfs", "paper")]
    assert (sizes["n"] <= len(COHORT)).all()
    assert "What this cohort can carry" in written.text("report.html")


def test_comparisons_are_written_as_they_are(written: Written) -> None:
    comparisons = pd.read_csv(written.folder / "comparisons.csv", keep_default_na=False, na_values=[""])

    assert list(comparisons) == COMPARISON_COLUMNS
    assert comparisons.loc[0, ["model", "reference_feature_set", "p_holm"]].tolist() == ["paper_cox", "none", 0.004]


def test_every_question_of_the_leaderboard_has_a_verdict_at_the_top_of_the_report(written: Written) -> None:
    verdicts = pd.read_csv(written.folder / "verdict.csv")
    report = written.text("report.html")

    assert list(verdicts) == VERDICT_COLUMNS
    asked = list(verdicts[["population", "endpoint", "conclusion"]].itertuples(index=False, name=None))
    assert asked == [
        ("overall", "relapse_12m", "not_judged"),
        ("overall", "dfs", "none"),
        ("primary_resected", "dfs", "not_judged"),
        ("overall", "os", "not_judged"),
    ]
    assert set(verdicts["evidence"]) == {"simulated"}
    assert [v.headline for v in written.outputs.verdicts] == verdicts["headline"].tolist()
    assert report.index('id="verdict"') < report.index('id="summary"')
    at_the_top = report[report.index('<section id="verdict"') : report.index('<section id="summary"')]
    assert at_the_top.count("simulated cohort, no clinical evidence") == 4


def test_files_for_reviewers_have_a_row_for_each_thing_asked(written: Written) -> None:
    tripod, probast = (pd.read_csv(written.folder / f"{name}.csv") for name in ("tripod_ai", "probast_ai"))
    single = pd.read_csv(written.folder / "single_predictors.csv")
    report = written.text("report.html")

    assert (len(tripod), len(probast)) == (52, 34 + 14)
    assert set(single["population"]) == {"overall"}
    assert set(single["horizon_months"]) == {6.0, 12.0}
    assert not single.duplicated(["population", "predictor", "horizon_months"]).any()
    assert (written.folder / "duplicates.csv").stat().st_mode & 0o077 == 0
    assert report.index('id="missing"') < report.index('id="audit"') < report.index('id="checklists"')


def test_predictions_have_the_documented_schema_and_every_fit_once(written: Written) -> None:
    predictions = pd.read_parquet(written.folder / "predictions.parquet")

    assert {name: str(dtype) for name, dtype in predictions.dtypes.items()} == COLUMNS
    assert predictions["model"].value_counts().to_dict() == {"paper_cox": 2, "null_model": 2}
    assert pq.read_schema(written.folder / "predictions.parquet").names == list(COLUMNS)


def test_skipped_cells_of_one_reason_stand_together(written: Written) -> None:
    report = written.text("report.html")

    assert report.count(NO_RESECTION) == 1 + report.count(f"skipped: {NO_RESECTION}")
    assert f"2 cells (primary_resected/dfs/paper/paper_cox, …): {NO_RESECTION}" in report
    assert "1 cells (overall/os/paper/paper_cox): too short" in report


def test_decision_curves_of_the_cells_are_in_the_report(written: Written) -> None:
    report = written.text("report.html")

    assert base64.b64encode(b"the decision curve").decode() in report
    assert "Better than both defaults at a threshold of 20%." in report


def test_failures_and_warnings_are_in_the_report(written: Written) -> None:
    report = written.text("report.html")

    assert "suspected leak: age" in report
    assert "overall/dfs/paper/xgboost_survival: 1 of 4 fits failed; repeat 0 fold 1: ValueError: no" in report


@pytest.mark.parametrize("name", [name for name in FILES if name not in OF_PATIENTS])
def test_no_path_and_no_patient_is_in_what_is_passed_on(name: str, written: Written) -> None:
    text = written.text(name)

    for secret in ("hospital_machine", "contract.yaml", "named_patients", str(Path.cwd()), str(Path.home()), *COHORT.patient_ids):
        assert secret not in text


def test_report_names_run_versions_and_duration(written: Written) -> None:
    report = written.text("report.html")
    state = json.loads(written.text("run.json"))

    for piece in (written.folder.name, state["started"], "1.5 minutes", "scikit-survival", "mlflow", COHORT.digest):
        assert piece in report


def test_order_of_finishing_changes_no_file(written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "png", lambda _: b"png")
    reversed_ = _write(tmp_path, order=-1)

    for name in FILES[:-1]:
        assert (reversed_.folder / name).read_bytes() == (written.folder / name).read_bytes()


def test_continued_run_says_that_its_duration_is_not_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "png", lambda _: b"png")
    RunDirectory.open(tmp_path / "runs", "f", "simulated-smoke").close()

    assert "1.5 minutes since it was continued" in _write(tmp_path).text("report.html")


def test_predictions_that_cannot_be_gathered_leave_no_half_file(tmp_path: Path) -> None:
    def torn(key: str) -> pd.DataFrame:
        if key == "null_model":
            raise OSError("torn")
        return _predictions(key)

    run = RunDirectory.open(tmp_path / "runs", "f", "simulated-smoke")
    work = SimpleNamespace(plan=PLAN, keys={f: f.model for f in PLAN.fits}, store=SimpleNamespace(predictions=torn))
    evaluated = {c: EvaluatedCell(_result(c), tmp_path) for c in PLAN.cells}
    with pytest.raises(OSError, match="torn"):
        write_outputs(BenchmarkConfig(preset="smoke"), COHORT, work, run, evaluated, COMPARISONS, [], 1.0)
    run.close()

    assert not [p.name for p in run.path.iterdir() if "predictions" in p.name]
