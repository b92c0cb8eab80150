"""Logistic regression by statsmodels, as R's ``glm`` answers: Wald errors, and an answer under separation too."""

from __future__ import annotations

import warnings

import numpy as np
import statsmodels.api as sm
from statsmodels.tools.sm_exceptions import ConvergenceWarning, PerfectSeparationWarning, SingularMatrixWarning

from cohort.types import FloatArray, Outcome

#: R's glm has as many iterations; they end a separated fit, whose coefficients grow by one an iteration.
_MAX_ITERATIONS = 25
#: Change of every coefficient at the last step, relative and absolute. The next step would be of the order of its square.
_TOLERANCE = 1e-10


def fit_logistic(x: FloatArray, outcome: Outcome) -> tuple[FloatArray, FloatArray, float]:
    """Coefficients and standard errors of x's columns, and the intercept. ``outcome.event`` is the status at the horizon."""
    # Centred, so that a column that is constant among these patients gets no share of the intercept.
    centre = x.mean(axis=0)
    design = np.column_stack([np.ones(len(x)), x - centre])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # A separated level (BRAF: 6 patients) ends at a large coefficient with a larger standard error, as R's glm does.
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        # Forms of one variable can be collinear; the fitted risks are the same whichever of them carries the coefficient.
        warnings.simplefilter("ignore", SingularMatrixWarning)
        # Until the coefficients stand still. statsmodels' errors are those of the step before the last: a criterion on the
        # deviance, whose change is the square of the step, would leave them in the sixth digit.
        fit = sm.GLM(outcome.event.astype(np.float64), design, family=sm.families.Binomial()).fit(
            maxiter=_MAX_ITERATIONS, tol_criterion="params", atol=_TOLERANCE, rtol=_TOLERANCE
        )
    coefficients = np.asarray(fit.params[1:], dtype=np.float64)
    return coefficients, np.asarray(fit.bse[1:]), float(fit.params[0] - centre @ coefficients)
