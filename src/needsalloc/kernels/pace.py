"""One year's movement of posts towards targets, inside limits, with the total met.

    goal_k  = target_k, or the nearer edge of target_k * (1 -+ band), or what is in place if that is between
    posts_k = level * target_k, kept between what is in place and the goal, and between least_k and most_k

with the level such that the posts sum to the year's total: if the limits let teams above target release more
than those below may take, those above go less far, all to the same distance from target, and the other way
round. A team at its goal stays. Only if the total cannot be met so is what is over shared out beyond the
goals, first to those that are furthest below, or taken first from those that are furthest above.

Posts over target are piecewise linear in the distance from target, without a jump, and keep its order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from needsalloc.kernels.bounded import bounded

Floats = NDArray[np.float64]

_ROUNDING = 1e-12


def one_year(
    current: Floats, target: Floats, total: float | Floats, least: Floats, most: Floats, band: float = 0.0
) -> Floats:
    """Posts (draws, teams) or (teams,) at the end of a year, which sum to `total`.

    current, target: (draws, teams) or (teams,), not negative, in one unit; a team without a target goes down
    to its least. total: a number or (draws,). least, most: as current, what a team may have at the end of the
    year; `bounded.clash` must find nothing. band: share of target within which nobody moves.
    """
    goal = goals(current, target, band)
    low = np.clip(np.minimum(current, goal), least, most)
    high = np.where(target > 0, np.clip(np.maximum(current, goal), least, most), low)
    slack = _ROUNDING * total
    over = (low.sum(axis=-1) > total + slack)[..., None]
    under = (high.sum(axis=-1) < total - slack)[..., None]
    lower = np.where(over, least, np.where(under, high, low))
    upper = np.where(over, low, np.where(under, most, high))
    return bounded(target, total, lower, upper).share


def goals(current: Floats, target: Floats, band: float) -> Floats:
    """Where each team would go: to its target, or only to the edge of the band around it."""
    return np.clip(current, (1.0 - band) * target, (1.0 + band) * target)


__all__ = ["goals", "one_year"]
