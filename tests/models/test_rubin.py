"""Rubin's rules against R's mice::pool and the formula by hand."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.rubin import pool

REFERENCE = Path(__file__).parent.parent / "reference" / "missing"
IMPUTATIONS = pd.read_csv(REFERENCE / "imputations.csv")
RUBIN = pd.read_csv(REFERENCE / "rubin.csv")
TERMS = list(IMPUTATIONS["term"].unique())


def _wide(column: str) -> np.ndarray:
    return IMPUTATIONS.pivot(index="imputation", columns="term", values=column)[TERMS].to_numpy()


@pytest.mark.parametrize("freedom", sorted(RUBIN["complete_freedom"].unique()))
def test_pooled_values_are_those_of_mice(freedom: float) -> None:
    r = RUBIN[RUBIN["complete_freedom"] == freedom].set_index("term").loc[TERMS]

    pooled = pool(_wide("estimate"), _wide("standard_error"), freedom)

    low, high = pooled.interval()
    ours = (pooled.estimate, pooled.standard_error, pooled.degrees_of_freedom, pooled.p_value, low, high, pooled.fmi)
    for values, column in zip(ours, ("estimate", "standard_error", "df", "p_value", "ci_low", "ci_high", "fmi"), strict=True):
        np.testing.assert_allclose(values, r[column], rtol=1e-9, err_msg=column)


def test_two_imputations_by_hand() -> None:
    # Estimates 1 and 3, errors 1 and 2: W = 2.5, B = 2, T = 2.5 + 1.5 * 2 = 5.5; freedom (1 / (3 / 5.5)^2) * 1.
    pooled = pool(np.array([[1.0], [3.0]]), np.array([[1.0], [2.0]]))

    assert pooled.estimate[0] == 2
    assert pooled.standard_error[0] == pytest.approx(np.sqrt(5.5))
    assert pooled.degrees_of_freedom[0] == pytest.approx((5.5 / 3) ** 2)


def test_without_missing_values_p_is_wald_s() -> None:
    pooled = pool(np.array([[1.959964]]), np.array([[1.0]]))

    assert pooled.p_value[0] == pytest.approx(0.05, abs=1e-6)


def test_an_estimate_without_an_error_is_not_significant() -> None:
    assert pool(np.array([[5.0], [5.0]]), np.zeros((2, 1))).p_value[0] == 1


@pytest.mark.parametrize(("estimates", "errors"), [((2, 3), (2, 2)), ((3,), (3,)), ((0, 3), (0, 3))])
def test_shapes_that_do_not_agree_are_refused(estimates: tuple[int, ...], errors: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="estimates and errors are"):
        pool(np.ones(estimates), np.ones(errors))


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed: the stored values stand unchecked")
def test_running_the_script_again_gives_the_stored_values(tmp_path: Path) -> None:
    if subprocess.run(["Rscript", "-e", "library(mice)"], capture_output=True, check=False).returncode:
        pytest.skip("R's mice is not installed: the stored values stand unchecked")
    subprocess.run(["Rscript", "--vanilla", str(REFERENCE / "missing.R"), str(tmp_path)], check=True, timeout=120)
    stored = sorted(REFERENCE.glob("*.csv"))

    assert sorted(p.name for p in tmp_path.iterdir()) == [p.name for p in stored]
    for path in stored:
        pd.testing.assert_frame_equal(pd.read_csv(path), pd.read_csv(tmp_path / path.name), check_exact=False, rtol=1e-9)
