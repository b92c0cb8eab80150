"""The values from R beside this file are what the scripts beside them give."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

HERE = Path(__file__).parent
TABLES = {path.stem for path in HERE.glob("*.csv")}
SCRIPTS = ["survival.R", "paper.R", "optimism.R", "batched.R"]
#: R packages beyond those of every R.
NEEDS = {"optimism.R": "rms"}

#: Tables that come from a numerical optimiser: (relative, absolute) tolerance.
OPTIMISED = {"paper_firth": (1e-4, 1e-4)}


def written_by(script: str) -> set[str]:
    """The stored tables that a script writes: survival.R all but those that the others name after themselves."""
    own = {of: {name for name in TABLES if name.startswith(f"{of}_")} for of in ("paper", "optimism", "batched")}
    return own.get(script.removesuffix(".R"), TABLES - set().union(*own.values()))


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_value_has_a_recipe(script: str) -> None:
    text = (HERE / script).read_text(encoding="utf-8")

    for name in written_by(script):
        assert f'"{name}"' in text or name.startswith("data_"), f"{name}.csv has no recipe"


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed: the stored values stand unchecked")
@pytest.mark.parametrize("script", SCRIPTS)
def test_running_a_script_again_gives_the_stored_values(script: str, tmp_path: Path) -> None:
    if script in NEEDS and subprocess.run(["Rscript", "-e", f"library({NEEDS[script]})"], capture_output=True).returncode:
        pytest.skip(f"R's package {NEEDS[script]} is not installed")
    subprocess.run(["Rscript", "--vanilla", str(HERE / script), str(tmp_path)], check=True, timeout=120)
    again = {path.stem for path in tmp_path.iterdir()}

    assert again == written_by(script)
    for name in again:
        relative, absolute = OPTIMISED.get(name, (1e-9, 1e-12))
        stored, fresh = (pd.read_csv(folder / f"{name}.csv") for folder in (HERE, tmp_path))
        pd.testing.assert_frame_equal(stored, fresh, check_exact=False, rtol=relative, atol=absolute)
