from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from cohort.errors import CohortError
from cohort.load import load_cohort
from cohort.reconstruct import published
from cohort.types import Cohort
from evaluation.effects import EFFECT_COLUMNS
from flows import cell_store, cli
from flows import reproduce as module
from flows.cli import main
from flows.environment import tracking_uri
from flows.reproduce import Analysis, Reproduction, described_by_the_paper, draw, reproduce

from .crlm_cases import refused

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
    assert (written["verdict"] != "not in print").sum() == rows
    assert written["verdict"].str.match(r"reproduced|differs|misprint \(|not computed \(|not in print").all()


@pytest.mark.parametrize(
    ("criterion", "share"),
    [
        ("effects reproduced", 95),
        ("effects exact to every digit", 70),
        ("Table 1: counts exact", 100),
        ("Table 1: medians, quartiles, ranges exact", 100),
        ("numbers of the text", 95),
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
    result = CliRunner().invoke(
        main, ["cohort", "reconstruct", "--seed", "3", "--effort", "0.001", "--chains", "1", "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    assert "fitted effects exact" in result.output
    assert len(pd.read_csv(out)) == 268


# ---- cohorts that allow less


def _drawn(cohort: Cohort) -> tuple[set[str], list[str]]:
    """Names of the figures drawn (S2, 1, ...), and the reasons for the others."""
    none = pd.DataFrame(columns=EFFECT_COLUMNS)
    figures, reasons = draw.fn(cohort, Analysis(none, none, none, none, ()), None)
    assert all(png.startswith(b"\x89PNG") for _, png in figures.values())
    return {stem.split("_")[1].upper() for stem in figures}, reasons


_AFTER_RELAPSE = ("relapse_site", "locoregional_treatment", "locoregional_kind")
_UNKNOWN_AFTER = dict.fromkeys(_AFTER_RELAPSE)
_ALL = {"1", "2", "S2", "S3", "S4", "S5", "S6", "S7"}


@pytest.mark.parametrize(
    ("changes", "left_out"),
    [
        ({"relapse": "no", **_UNKNOWN_AFTER}, dict.fromkeys(_ALL - {"S2"}, "nobody relapsed")),
        ({"relapse": None, **_UNKNOWN_AFTER}, dict.fromkeys(_ALL - {"S2"}, "relapse is known in no patient")),
        (
            {"relapse": "no", "dfs_event": False, "os_event": False, "dfs_months": 3.0, "os_months": 4.0, **_UNKNOWN_AFTER},
            dict.fromkeys(_ALL - {"S2"}, "nobody relapsed"),
        ),
        ({"relapse_site": None}, dict.fromkeys(("1", "2", "S4"), "no relapsed patient has a known relapse_site")),
        (
            {"locoregional_treatment": None, "locoregional_kind": None},
            {
                "S5": "no relapsed patient has a known locoregional_kind",
                **dict.fromkeys(("S6", "S7"), "no relapsed patient has a known locoregional_treatment"),
            },
        ),
        ({"relapse_site": "hepatic_only"}, {}),
        ({"dfs_months": 2.0}, {}),
    ],
    ids=["nobody relapsed", "relapse unknown", "censored early", "site unknown", "treatment unknown", "one site", "all early"],
)
def test_every_figure_is_drawn_or_left_out_with_its_reason(changes: Mapping[str, object], left_out: Mapping[str, str]):
    frame = load_cohort().frame.copy()
    for name, value in changes.items():
        frame[name] = pd.Series([value] * len(frame), dtype=frame[name].dtype)
    drawn, reasons = _drawn(Cohort("x", "X", "simulated", frame))
    assert drawn == _ALL - set(left_out)
    said = {re.sub(".*Figure (S?[0-9]): .*", r"\1", reason): reason.partition(": ")[2] for reason in reasons}
    assert said == left_out


def test_three_patients_are_drawn_or_left_out_with_a_reason():
    drawn, reasons = _drawn(Cohort("x", "X", "simulated", load_cohort().frame.head(3)))
    assert len(drawn) + len(reasons) == len(_ALL)


def test_only_the_reconstruction_is_compared_with_print_and_not_what_bears_its_name():
    embedded = load_cohort()
    assert described_by_the_paper(embedded)
    assert not described_by_the_paper(replace(embedded, evidence="real"))
    assert not described_by_the_paper(replace(embedded, name="another"))


def _small(folder: Path, **changes: object) -> tuple[Path, Path]:
    """Contract and file of thirty patients with a regimen."""
    n = 30
    months = np.arange(1.0, n + 1)
    table = pd.DataFrame(
        {
            "id": [f"s{i}" for i in range(n)],
            "t": months,
            "e": 1,
            "ot": months + 5,
            "oe": 1,
            "r": ["doublet", "triplet"] * (n // 2),
        }
    ).assign(**changes)
    table.to_csv(folder / "small.csv", index=False)
    (folder / "small.yaml").write_text(
        "name: small\ntitle: Small\nevidence: simulated\n"
        "columns: {patient_id: id, dfs_months: t, dfs_event: e, os_months: ot, os_event: oe, regimen: r}\n"
    )
    return folder / "small.yaml", folder / "small.csv"


def test_a_cohort_in_which_no_covariate_varies_is_refused_in_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CRLM_WORKSPACE", str(tmp_path))
    monkeypatch.setattr(cli, "prepare_environment", lambda: None)
    monkeypatch.setattr(cli, "_start_quietly", lambda: None)  # the tests' own Prefect server answers
    contract, data = _small(tmp_path, r="doublet")
    said = refused("reproduce", "--cohort", contract, "--data", data)
    assert "no covariate of the paper varies among the 30 patient(s) of the population overall" in said
    assert not (tmp_path / "runs").exists()


def test_a_failed_run_is_continued_by_the_same_code_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CRLM_WORKSPACE", str(tmp_path))
    contract, data = map(str, _small(tmp_path))

    def fail(*_: object) -> None:
        raise RuntimeError("the disk is full")

    runs = tmp_path / "runs" / "reproduce"
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_files", fail)
        with pytest.raises(RuntimeError, match="the disk is full"):
            reproduce(contract, data)
    (failed,) = (path.parent for path in runs.glob("*/run.json"))
    with monkeypatch.context() as patch:
        patch.setattr(cell_store, "code_digest", lambda *_: "other code")
        assert reproduce(contract, data).folder != failed
    assert reproduce(contract, data).folder == failed


def test_pictures_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CRLM_WORKSPACE", str(tmp_path))
    written: list[Path] = []
    original = module.write_atomically

    def recorded(path: Path, content: str | bytes) -> None:
        written.append(path)
        original(path, content)

    monkeypatch.setattr(module, "write_atomically", recorded)
    folder = reproduce(*map(str, _small(tmp_path))).folder
    pictures = set((folder / "figures").iterdir())
    assert pictures
    assert pictures <= set(written)
