"""When a number counts as reproduced, and when as exact to the printed digit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

ABSOLUTE, RELATIVE = 0.02, 0.03


def near(printed: npt.ArrayLike, ours: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Whether ``ours`` lies within 0.02 or 3 % of ``printed``; NaN never does."""
    expected = np.asarray(printed, dtype=np.float64)
    off = np.abs(np.asarray(ours, dtype=np.float64) - expected)
    return np.asarray(off <= np.maximum(ABSOLUTE, RELATIVE * np.abs(expected)) + 1e-12)


def half_unit(text: str) -> float:
    """Half a unit of the last printed digit."""
    return 0.5 * 10.0 ** -len(text.partition(".")[2])


def exact(text: str, ours: float, half: float | None = None) -> bool:
    """Whether ``ours`` would be printed as ``text``; both ways of rounding a half are accepted."""
    return bool(abs(ours - float(text)) <= (half_unit(text) if half is None else half) + 1e-9)
