"""What each feature adds to a prediction: SHAP values, exact for trees and for linear predictors.

A model that can tell has a method ``contributions`` (:class:`Explains`); of the others only permutation speaks. Trees by TreeSHAP
along the training patients' paths (Lundberg et al., Nat Mach Intell 2020;2:56), linear predictors by the formula for independent
features, ``coefficient * (value - mean)`` (Lundberg and Lee, NeurIPS 2017).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from cohort.types import FloatArray

#: What contributions add up to. They are additive on the model's own scale, which is a risk for a forest only.
Scale = Literal["risk", "logit", "log hazard"]
#: XGBoost computes in single precision.
_TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class Contributions:
    """``base + values.sum(axis=1) = predicted``: ``values`` (n, q) by encoded column, ``predicted`` (n,) on ``scale``.

    ``predicted`` comes from the model itself. Raises ``ValueError`` where the sums do not meet it.
    """

    values: FloatArray
    base: float
    predicted: FloatArray
    scale: Scale

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.predicted.shape != (len(self.values),):
            raise ValueError(f"values {self.values.shape} are (n, q) and predicted {self.predicted.shape} (n,)")
        off = np.abs(self.base + self.values.sum(axis=1) - self.predicted).max(initial=0.0)
        if not off <= _TOLERANCE * max(1.0, np.abs(self.predicted).max(initial=0.0)):
            raise ValueError(f"contributions miss the prediction by {off:.2g}")


@runtime_checkable
class Explains(Protocol):
    """A risk model that tells what each encoded column of (n, q) ``x`` adds to its prediction."""

    def contributions(self, x: pd.DataFrame, horizon_months: float) -> Contributions: ...


def tree_contributions(trees: Sequence[Any], node_values: Sequence[FloatArray], x: pd.DataFrame) -> tuple[FloatArray, float]:
    """(n, q) SHAP values of a sum of scikit-learn's trees, and their base: the sum's mean over the training patients.

    trees : ``tree_`` of fitted trees. node_values : what each tree's leaves give, one value a node (those of inner nodes are not
    read). Single precision is what the trees compare in, so ``x`` is rounded to it first.
    """
    split = [(tree, values) for tree, values in zip(trees, node_values, strict=True) if tree.node_count > 1]
    base = float(sum(values[0] for tree, values in zip(trees, node_values, strict=True) if tree.node_count == 1))
    if not split:
        return np.zeros(x.shape), base
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # matplotlib's and numba's, about shap's own code
        from shap import TreeExplainer
    explainer = TreeExplainer(
        {"trees": [_as_shap(tree, values) for tree, values in split], "input_dtype": np.float64, "internal_dtype": np.float64},
        feature_perturbation="tree_path_dependent",
    )
    values = explainer.shap_values(x.to_numpy(dtype=np.float32).astype(np.float64), check_additivity=False)
    # Versions differ in whether one output has an axis of its own.
    return np.asarray(values, dtype=np.float64).reshape(x.shape), base + float(np.ravel(explainer.expected_value)[0])


def _as_shap(tree: Any, values: FloatArray) -> dict[str, Any]:
    return {
        "children_left": tree.children_left.astype(np.int32),
        "children_right": tree.children_right.astype(np.int32),
        "children_default": tree.children_left.astype(np.int32),
        "features": tree.feature.astype(np.int32),
        "thresholds": tree.threshold.astype(np.float64),
        "values": np.array(values, dtype=np.float64).reshape(-1, 1),
        "node_sample_weight": tree.weighted_n_node_samples.astype(np.float64),
    }
