"""Sums by group."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def group_sums(group: Ints, groups: int, value: Floats) -> Floats:
    """Sums of `value` (rows,) by `group` (rows,): (groups,)."""
    return np.bincount(group, weights=value, minlength=groups).astype(np.float64, copy=False)
