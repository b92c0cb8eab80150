"""The risk that a scikit-survival forest gives, read from its leaves at one time: several times faster than whole curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cohort.types import FloatArray
from models.contributions import Contributions, tree_contributions


def forest_risk(forest: Any, x: pd.DataFrame, horizon_months: float) -> FloatArray:
    """(n,) the mean over trees of 1 - S(horizon) in a patient's leaf."""
    values = np.ascontiguousarray(x.to_numpy(), dtype=np.float32)
    risk = np.zeros(len(x))
    for tree, of_node in zip(_trees(forest), _node_risks(forest, horizon_months), strict=True):
        risk += of_node[tree.apply(values)]
    return np.clip(risk / len(forest.estimators_), 0.0, 1.0)


def forest_contributions(forest: Any, x: pd.DataFrame, horizon_months: float) -> Contributions:
    """To the risk by the horizon, of which the forest is the mean of its trees."""
    shares = [risk / len(forest.estimators_) for risk in _node_risks(forest, horizon_months)]
    values, base = tree_contributions(_trees(forest), shares, x)
    return Contributions(values, base, forest_risk(forest, x, horizon_months), "risk")


def _trees(forest: Any) -> list[Any]:
    return [tree.tree_ for tree in forest.estimators_]


def _node_risks(forest: Any, horizon_months: float) -> list[FloatArray]:
    """Of each tree, 1 - S(horizon) in every node; 0 before the first training time, where S is 1."""
    step = int(np.searchsorted(forest.unique_times_, horizon_months, side="right")) - 1
    return [1.0 - tree.value[:, step, 1] if step >= 0 else np.zeros(tree.node_count) for tree in _trees(forest)]
