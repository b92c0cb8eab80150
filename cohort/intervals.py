"""The two-sided 95 % quantile that every interval of this project uses."""

from __future__ import annotations

#: Standard normal quantile of 0.975, to the last digit of double precision.
Z_95 = 1.959963984540054
