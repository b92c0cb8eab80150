from __future__ import annotations

import numpy as np
import pytest

from models.strata import merge_small


@pytest.mark.parametrize(
    ("group", "merged"),
    [
        ([0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1]),
        ([0, 1, 1, 1, 2, 2, 2], [1, 1, 1, 1, 2, 2, 2]),
        ([0, 0, 0, 2], [0, 0, 0, 0]),
        ([0, 1, 2, 2, 2], [2, 2, 2, 2, 2]),
        ([0, 3], [3, 3]),
    ],
    ids=["large enough", "joins the next", "the last joins the one before", "one after the other", "one group is left as it is"],
)
def test_a_small_group_joins_its_neighbour(group: list[int], merged: list[int]):
    given = np.array(group)
    assert merge_small(given, smallest=3).tolist() == merged
    assert given.tolist() == group, "the caller's groups stay as they were"
