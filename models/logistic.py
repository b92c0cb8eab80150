"""Logistic regression as R's ``glm`` answers: Wald errors, and an answer under separation too.

One fit of :mod:`models.batched`; agrees with R's ``glm`` and with statsmodels (tests/models/).
"""

from __future__ import annotations

import numpy as np

from cohort.types import FloatArray, Outcome
from models.batched.regression import BatchedRegression


def fit_logistic(x: FloatArray, outcome: Outcome) -> tuple[FloatArray, FloatArray, float]:
    """Coefficients and standard errors (p,) of x's columns, and the intercept. ``outcome.event`` is the status at the horizon.

    A separated level (BRAF: 6 patients) ends at a large coefficient with a larger standard error, as in R's glm. A column that is
    constant, or a combination of those before it (forms of one variable can be), has the coefficient and error 0: the fitted
    risks are the same whichever of them carries the coefficient. Where all patients have one status the intercept is infinite.
    Raises ``ValueError`` on missing values.
    """
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or len(x) != len(outcome) or not np.isfinite(x).all():
        raise ValueError("x is a finite (n, p) matrix with one row a patient")
    fit = BatchedRegression.logistic(x, outcome.event).fit_once()
    return fit.coefficients[0], fit.standard_errors[0], float(fit.intercept[0, 0])
