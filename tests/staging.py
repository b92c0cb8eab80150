"""What simulated cohorts lack and published scores ask for: the primary tumour's stages, drawn without meaning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from features.feature_set import Predictors


def stages(n: int, seed: int) -> dict[str, pd.Categorical]:
    rng = np.random.default_rng([seed, 77])
    return {
        "pt_stage": pd.Categorical.from_codes(rng.integers(0, 2, n), ["t1_3", "t4"]),
        "pn_stage": pd.Categorical.from_codes(rng.integers(0, 2, n), ["n0", "n1_2"]),
    }


def staged(predictors: Predictors, seed: int) -> Predictors:
    """The predictors with pT and pN beside them."""
    return replace(predictors, frame=predictors.frame.assign(**stages(len(predictors.frame), seed)))
