"""Posts shared out in whole steps by Webster's rule."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Seats:
    """Whole steps by Webster's rule.

    seats: (teams,) whole numbers that sum to the total; tied: (teams,) True where the last step was
    decided by the order of the teams and not by their weights.
    """

    seats: Ints
    tied: NDArray[np.bool_]


def webster(weight: Floats, total: int, minimum: Ints) -> Seats:
    """Whole steps in proportion to `weight` (teams,), at least `minimum` (teams,) each, summing to `total`.

    Sainte-Lague: each step in turn goes to the team with the largest weight / (steps so far + 1/2). Found at
    once by the divisor at which the rounded shares sum to the total; steps that tie go to the larger weight,
    then to the team that stands first.
    """

    def at(multiplier: float) -> Ints:
        rounded = np.floor(weight * multiplier + 0.5).astype(np.int64)
        return np.maximum(rounded, minimum)

    low, high = 0.0, (total + len(weight)) / weight.sum()
    while at(high).sum() < total:
        high *= 2.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        if at(middle).sum() <= total:
            low = middle
        else:
            high = middle
    # Claims within rounding of each other are a tie: a last digit must not tell 10 / 2.5 from 2 / 0.5.
    seats = at(low * (1.0 - _ROUNDING))
    left = int(total - seats.sum())
    claimants = np.flatnonzero(at(high * (1.0 + _ROUNDING)) > seats)
    claimants = claimants[np.lexsort((claimants, -weight[claimants]))]
    seats[claimants[:left]] += 1
    tied = np.zeros(len(weight), dtype=np.bool_)
    tied[claimants] = 0 < left < len(claimants)
    return Seats(seats, tied)
