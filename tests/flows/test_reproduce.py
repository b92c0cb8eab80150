from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from flows.reproduce import reproduce

TCIA = Path(__file__).parents[2].parent / "shared" / "data" / "tcia_crlm.csv"

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRLM_WORKSPACE", str(tmp_path))
    return tmp_path


def test_the_embedded_cohort_is_compared_with_print(workspace: Path):
    result = reproduce()
    written = pd.read_csv(workspace / "runs" / "reproduce" / "latest" / "effects.csv")
    assert result.comparison is not None
    assert len(written) == 148
    assert {"ours_estimate", "ours_ci_low", "ours_ci_high", "ours_p_value", "n_used", "n_events", "verdict"} <= set(written)


@pytest.mark.skipif(not TCIA.exists(), reason="the TCIA table is not beside the project; download it from TCIA")
def test_another_cohort_gets_the_analysis_and_no_comparison(workspace: Path):
    result = reproduce("tcia_crlm", str(TCIA))
    assert result.comparison is None
    assert not (result.folder / "effects.csv").exists()
    effects = result.effects.set_index(["outcome", "term"])
    assert effects.loc[("relapse_6m", "age>=65"), "n_events"] == 22
    assert "primary_resected" in result.left_out[0]
