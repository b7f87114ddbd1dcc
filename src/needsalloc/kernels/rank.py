"""Summaries by group and of the difference between two ways of sharing."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def group_sums(group: Ints, groups: int, value: Floats) -> Floats:
    """Sums of `value` (rows,) by `group` (rows,): (groups,)."""
    return np.bincount(group, weights=value, minlength=groups).astype(np.float64, copy=False)


def hoover(first: Floats, second: Floats) -> float:
    """Half the sum of absolute differences of two sets of shares: what would have to move.

    Both are divided by their sums first, so only equal totals compare as posts.
    """
    return float(0.5 * np.abs(first / first.sum() - second / second.sum()).sum())
