"""The values from R beside this file are what the script beside them gives."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

HERE = Path(__file__).parent


def test_the_values_are_covered_by_the_script() -> None:
    script = (HERE / "survival.R").read_text(encoding="utf-8")

    for path in HERE.glob("*.csv"):
        assert f'"{path.stem}"' in script or path.stem.startswith("data_"), f"{path.name} has no recipe"


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed: the stored values stand unchecked")
def test_running_the_script_again_gives_the_stored_values(tmp_path: Path) -> None:
    subprocess.run(["Rscript", "--vanilla", str(HERE / "survival.R"), str(tmp_path)], check=True, timeout=60)
    again = {path.name for path in tmp_path.iterdir()}

    assert again == {path.name for path in HERE.glob("*.csv")}
    for name in again:
        stored, fresh = pd.read_csv(HERE / name), pd.read_csv(tmp_path / name)
        pd.testing.assert_frame_equal(stored, fresh, check_exact=False, rtol=1e-9, atol=1e-12)
