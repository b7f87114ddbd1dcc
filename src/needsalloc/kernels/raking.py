"""Raking: a table scaled in turn to each of its margins, until all are met or as nearly as they can be.

Source: iterative proportional fitting, Deming and Stephan, Annals of Mathematical Statistics 11, 1940.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Margin:
    """What groups of cells of a (rows, columns) table shall sum to.

    totals: (row groups, column groups); nan where it is not known, and there the cells stay as they come.
    rows: (rows,) the row group of each row; columns: (columns,) the column group of each column; None where
    each stands by itself.
    """

    totals: Floats
    rows: Ints | None = None
    columns: Ints | None = None


@dataclass(frozen=True, slots=True)
class Raked:
    """A table fitted to its margins.

    cells: (rows, columns); rounds: passes over all margins; gap: (margins,) the largest |sum / total - 1|
    that is left; misplaced: (margins,) the share of what is counted that stands in the wrong group. The last
    margin is met exactly.
    """

    cells: Floats
    rounds: int
    gap: Floats
    misplaced: Floats


def rake(seed: Floats, margins: Sequence[Margin], tolerance: float, rounds: int) -> Raked:
    """Scale `seed` (rows, columns), not negative, to each margin in turn.

    Stops when no group's gap is above `tolerance`, or after `rounds` (one or more). Margins that contradict
    each other end with a gap, and the later ones prevail. Zeros stay zero, with one exception, so that the
    last margin is always met: its groups with a total but no cell to carry it take the shape of the seed's
    column sums, or an even one where those are zero too.
    """
    indicators = [_indicators(margin, seed.shape) for margin in margins]
    shape, last = seed.sum(axis=0), len(margins) - 1
    cells = _carried(seed, shape, margins[last], _sums(seed, *indicators[last]))
    reached: list[Floats] = []
    gap = np.full(len(margins), np.inf)
    done = 0
    while done < rounds and gap.max() > tolerance:
        done += 1
        for k, margin in enumerate(margins):
            # The first margin's sums are those that the round before ended with.
            sums = reached[0] if k == 0 and reached else _sums(cells, *indicators[k])
            if k == last and _empty(margin, sums).any():
                cells = _carried(cells, shape, margin, sums)
                sums = _sums(cells, *indicators[k])
            factor = np.divide(margin.totals, sums, out=np.zeros_like(sums), where=sums > 0)
            cells *= _spread(np.where(np.isnan(margin.totals), 1.0, factor), margin)
        reached = [_sums(cells, *indicator) for indicator in indicators]
        gap = _over(_largest, reached, margins)
    return Raked(cells, done, gap, _over(_misplaced, reached, margins))


def _indicators(margin: Margin, shape: tuple[int, ...]) -> tuple[sparse.csr_array | None, Floats | None]:
    """(row groups, rows) and (columns, column groups), 1 where one is in the other."""
    of_rows = of_columns = None
    if margin.rows is not None:
        ones, position = np.ones(shape[0]), np.arange(shape[0])
        groups = margin.totals.shape[0]
        of_rows = sparse.csr_array((ones, (margin.rows, position)), shape=(groups, shape[0]))
    if margin.columns is not None:
        of_columns = np.equal.outer(margin.columns, np.arange(margin.totals.shape[1])).astype(np.float64)
    return of_rows, of_columns


def _sums(cells: Floats, of_rows: sparse.csr_array | None, of_columns: Floats | None) -> Floats:
    by_row = cells if of_rows is None else of_rows @ cells
    return by_row if of_columns is None else by_row @ of_columns


def _spread(values: NDArray, margin: Margin) -> NDArray:  # type: ignore[type-arg]
    """A value for each group (row groups, column groups) on its cells; single groups are left as one."""
    if margin.columns is not None and values.shape[1] > 1:
        values = values.take(margin.columns, axis=1)
    if margin.rows is not None and values.shape[0] > 1:
        values = values.take(margin.rows, axis=0)  # faster than values[margin.rows]
    return values


def _empty(margin: Margin, sums: Floats) -> NDArray[np.bool_]:
    return (sums == 0) & (margin.totals > 0)


def _carried(cells: Floats, shape: Floats, margin: Margin, sums: Floats) -> Floats:
    """The cells, those of groups that are empty but have a total in the shape (columns,) of the whole."""
    columns = np.zeros(len(shape), dtype=np.int64) if margin.columns is None else margin.columns
    nobody = np.bincount(columns, weights=shape)[columns] == 0
    return np.where(_spread(_empty(margin, sums), margin), np.where(nobody, 1.0, shape), cells)


def _largest(sums: Floats, totals: Floats) -> float:
    some = totals > 0
    return float(np.abs(sums[some] / totals[some] - 1).max(initial=0.0))


def _misplaced(sums: Floats, totals: Floats) -> float:
    known = ~np.isnan(totals)
    people = totals[known].sum()
    return float(np.abs(sums[known] - totals[known]).sum() / (2 * people)) if people > 0 else 0.0


def _over(
    measure: Callable[[Floats, Floats], float], reached: list[Floats], margins: Sequence[Margin]
) -> Floats:
    return np.array([measure(sums, margin.totals) for sums, margin in zip(reached, margins, strict=True)])
