"""Totals shared out: raking to margins, and posts by Webster's rule."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Raked:
    """A table fitted to two margins.

    cells: (rows, columns); rounds: passes made; gap: largest |column sum / wanted - 1| that is left
    (rows are fitted last and so exactly).
    """

    cells: Floats
    rounds: int
    gap: float


@dataclass(frozen=True, slots=True)
class Seats:
    """Whole steps by Webster's rule.

    seats: (teams,) whole numbers that sum to the total; tied: (teams,) True where the last step was
    decided by the order of the teams and not by their weights.
    """

    seats: Ints
    tied: NDArray[np.bool_]


def rake(
    seed: Floats, row_group_totals: Floats, group: Ints, column_totals: Floats, tolerance: float, rounds: int
) -> Raked:
    """Scale `seed` (rows, columns) to row totals within groups of columns, and to column shares.

    group: (columns,) the group of each column; row_group_totals: (rows, groups). The column totals are first
    scaled, group by group, to the rows' grand total, which wins: the rows are exact at the end.
    A row without any seed in a group that has people takes the column totals' shape.
    """
    groups = row_group_totals.shape[1]
    indicator = np.equal.outer(group, np.arange(groups)).astype(np.float64)
    wanted = column_totals * (row_group_totals.sum(axis=0) / (column_totals @ indicator))[group]
    empty = ((seed @ indicator) == 0) & (row_group_totals > 0)
    cells = np.where(empty[:, group], wanted[None, :], seed)
    gap = np.inf
    done = 0
    while gap > tolerance and done < rounds:
        done += 1
        column_sums = cells.sum(axis=0)
        cells = cells * np.divide(wanted, column_sums, out=np.zeros_like(wanted), where=column_sums > 0)
        sums = cells @ indicator
        factor = np.divide(row_group_totals, sums, out=np.zeros_like(sums), where=sums > 0)
        cells = cells * factor[:, group]
        reached = cells.sum(axis=0)
        gap = float(
            np.max(np.abs(np.divide(reached, wanted, out=np.ones_like(wanted), where=wanted > 0) - 1))
        )
    return Raked(cells, done, gap)


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
