from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from cohort.errors import CohortError
from cohort.reconstruct import published
from flows.cli import main
from flows.environment import tracking_uri
from flows.reproduce import Reproduction, reproduce

TCIA = Path(__file__).parents[2].parent / "shared" / "data" / "tcia_crlm.csv"

pytestmark = pytest.mark.usefixtures("prefect_server")

needs_tcia = pytest.mark.skipif(not TCIA.exists(), reason="the TCIA table is not beside the project; download it from TCIA")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reproduce")


@pytest.fixture(scope="module")
def embedded(workspace: Path, prefect_server: object) -> Reproduction:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRLM_WORKSPACE", str(workspace))
        return reproduce()


def table(embedded: Reproduction, name: str) -> pd.DataFrame:
    return pd.read_csv(embedded.folder / name, dtype=str, keep_default_na=False)


def test_effects_have_the_published_rows_and_columns_and_ours(embedded: Reproduction):
    written = table(embedded, "effects.csv")
    printed = published.effects()
    pd.testing.assert_frame_equal(written[list(printed.columns)], printed, check_dtype=False)
    assert {"ours_estimate", "ours_ci_low", "ours_ci_high", "ours_p_value", "n_used", "n_events", "verdict"} <= set(written)


@pytest.mark.parametrize(("name", "rows"), [("table1.csv", 72), ("facts.csv", 47)])
def test_table_1_and_the_facts_have_the_published_rows(embedded: Reproduction, name: str, rows: int):
    written = table(embedded, name)
    assert len(written) == rows
    assert written["verdict"].str.match(r"reproduced|differs|misprint \(|not computed \(").all()


@pytest.mark.parametrize(
    ("criterion", "share"),
    [
        ("effects reproduced", 95),
        ("effects exact to every digit", 65),  # short of the target of 70
        ("Table 1: counts exact", 100),
        ("Table 1: medians, quartiles, ranges exact", 100),
        ("numbers of the text", 100),
    ],
)
def test_the_embedded_cohort_reproduces_of_the_paper(embedded: Reproduction, criterion: str, share: float):
    assert embedded.comparison is not None
    reached = embedded.comparison.summary.set_index("criterion")["share"]
    assert reached[criterion] >= share


def test_the_two_stage_procedure_finds_the_papers_independent_predictors_everywhere(embedded: Reproduction):
    selection = embedded.analysis.selection
    assert (selection["ours"] == selection["published"]).all(), selection.to_string()


def test_all_files_and_pictures_are_written_and_latest_points_to_them(embedded: Reproduction, workspace: Path):
    assert (workspace / "runs" / "reproduce" / "latest").resolve() == embedded.folder
    assert json.loads((embedded.folder / "run.json").read_text())["status"] == "completed"
    for name in ("reproduction.html", "all_effects.csv", "audit.csv", "summary.csv", "selection.csv"):
        assert (embedded.folder / name).stat().st_size > 0
    figures = {path.stem for path in (embedded.folder / "figures").glob("*.png")}
    assert {"published_against_ours", "figure_1_patterns", "figure_2_by_pattern"} <= figures
    assert {f"figure_s{number}" for number in range(2, 8)} == {
        f"figure_{stem.split('_')[1]}" for stem in figures if "_s" in stem[:9]
    }
    assert len([stem for stem in figures if stem.startswith("forest_")]) == 4


def test_the_page_names_the_cohort_a_reconstruction_and_no_patient(embedded: Reproduction):
    page = (embedded.folder / "reproduction.html").read_text(encoding="utf-8")
    page = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    assert "no patient" in page
    assert not re.search(r"\bR\d{3}\b", page)
    assert "<script" not in page


def test_a_run_of_its_own_is_logged_to_mlflow(embedded: Reproduction, workspace: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CRLM_WORKSPACE", str(workspace))
    client = MlflowClient(tracking_uri())
    experiment = client.get_experiment_by_name("crlm-reconstructed")
    (run,) = client.search_runs([experiment.experiment_id], "tags.kind = 'reproduction'")
    assert run.info.status == "FINISHED"
    assert run.data.metrics["share/effects_reproduced"] >= 95
    assert run.data.metrics["published/dfs"] == 52
    assert "effects.csv" in {item.path for item in client.list_artifacts(run.info.run_id)}


@needs_tcia
def test_another_cohort_gets_the_analysis_without_a_comparison_and_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CRLM_WORKSPACE", str(tmp_path))
    result = reproduce("tcia_crlm", str(TCIA))
    assert result.comparison is None
    assert not (result.folder / "effects.csv").exists()
    effects = pd.read_csv(result.folder / "all_effects.csv")
    age = effects[(effects["outcome"] == "relapse_6m") & (effects["term"] == "age>=65")].iloc[0]
    assert (age["n_used"], age["n_events"]) == (197, 22)
    assert set(effects["population"]) == {"overall"}
    said = "\n".join(result.analysis.left_out)
    assert "Table 1: ecog_ps" in said
    assert "Population primary_resected: the population primary_resected needs" in said
    assert set(result.analysis.selection["population"]) == {"overall"}
    assert "Figure 1: the cohort does not record relapse_site" in said
    page = (result.folder / "reproduction.html").read_text(encoding="utf-8")
    assert "How much is reproduced" not in page


def test_a_cohort_without_a_covariate_of_the_paper_is_refused_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CRLM_WORKSPACE", str(tmp_path))
    (tmp_path / "bare.csv").write_text("id,t,e,ot,oe\na,1,1,5,1\nb,20,0,20,0\n")
    (tmp_path / "bare.yaml").write_text(
        "name: bare\ntitle: Bare\nevidence: simulated\n"
        "columns: {patient_id: id, dfs_months: t, dfs_event: e, os_months: ot, os_event: oe}\n"
    )
    with pytest.raises(CohortError, match="no predictor of the feature set paper"):
        reproduce(str(tmp_path / "bare.yaml"), str(tmp_path / "bare.csv"))
    assert not (tmp_path / "runs").exists()


def test_the_command_reconstructs_a_cohort_that_its_contract_accepts(tmp_path: Path):
    out = tmp_path / "cohort.csv"
    result = CliRunner().invoke(main, ["cohort", "reconstruct", "--seed", "3", "--effort", "0.001", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "fitted effects exact" in result.output
    assert len(pd.read_csv(out)) == 268
