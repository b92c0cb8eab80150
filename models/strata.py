"""Groups for stratified folds: every fold has to hold one of each."""

from __future__ import annotations

import numpy as np

from cohort.types import IntArray


def merge_small(group: IntArray, smallest: int) -> IntArray:
    """(n,) groups in which one smaller than ``smallest`` has joined the next, or the last the one before."""
    group = np.array(group, dtype=np.intp)
    while True:
        names, counts = np.unique(group, return_counts=True)
        small = np.flatnonzero(counts < smallest)
        if len(names) == 1 or small.size == 0:
            return group
        at = small[0]
        group[group == names[at]] = names[at + 1] if at + 1 < len(names) else names[at - 1]
