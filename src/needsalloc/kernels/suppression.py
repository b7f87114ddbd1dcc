"""Which cells of a table to withhold, so that none that is small can be worked out from those that are shown.

A count x is small when 0 < x < threshold; small totals too. Whoever reads the table knows that counts are not
negative and that cells sum to their totals. That leaves every withheld count an interval, the lowest and the
highest value that fit; all are to be at least `threshold` wide.

In one direction the sum of what is withheld in a line is published by subtraction: it must itself be no small
count, and of two cells or more. In two directions a count can move only along a closed path of withheld
cells, up and down by turns. Each small one is given the cheapest path of four cells with room enough: the
hypercube method. Totals stand in a further row and column, so that they too can be withheld; a path through
the grand total always has room.

Source: Gusfield, SIAM Journal on Computing 17(3), 1988 (408-424), for tables as graphs of withheld cells;
Hundepool et al., Statistical Disclosure Control, Wiley 2012, chapter 4, for the hypercube method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# A total is worth more than all cells, the grand total twice as much.
_OF_TOTAL = 2.0
# Rows that are tried for the other side of a path in a long table.
_ROWS = 200


@dataclass(frozen=True, slots=True)
class Hidden:
    """What is withheld: flags of cells (cells,) or (rows, columns), of the totals of rows and of columns, and
    of the grand total. In one direction `columns` is empty and `rows` are its lines."""

    cells: Bools
    rows: Bools
    columns: Bools
    total: bool


def small(values: Floats, threshold: float) -> Bools:
    """Which of these are small counts: above 0 and below the threshold."""
    return np.asarray((values > 0) & (values < threshold))


def sums_of(values: Floats | Bools, line: Ints, lines: int) -> Floats:
    """(lines,) sums of (cells,) values by line."""
    return np.asarray(np.bincount(line, values, lines), dtype=np.float64)


def in_lines(values: Floats, line: Ints, lines: int, threshold: float) -> Hidden:
    """What to withhold of counts whose lines' totals, and the total of those, are published.

    values: (cells,) counts that are not negative; line: (cells,) 0 to lines - 1.
    """
    hidden = small(values, threshold)
    totals = sums_of(values, line, lines)
    hidden = _second(hidden, values, line, lines, threshold, sums_of(hidden, line, lines) > 0)
    sums, number = _of(hidden, values, line, lines)
    # A line that cannot protect its own withholds its total, and so do small totals.
    rows = small(totals, threshold) | ((number > 0) & ((number < 2) | (sums < threshold)))
    total = False
    if rows.any():
        while rows.sum() < 2 or sums[rows].sum() < threshold:
            others = np.flatnonzero(~rows & (totals > 0))
            if not len(others):
                total = True
                break
            added = others[np.argmin(totals[others])]
            rows[added] = True
            lone = np.zeros(lines, dtype=np.bool_)
            lone[added] = sums[added] < threshold
            hidden = _second(hidden, values, line, lines, threshold, lone)
            sums, number = _of(hidden, values, line, lines)
    return Hidden(hidden, rows, np.zeros(0, dtype=np.bool_), total or 0 < totals.sum() < threshold)


def _of(hidden: Bools, values: Floats, line: Ints, lines: int) -> tuple[Floats, Floats]:
    """Sum and number of what is withheld in each line."""
    return sums_of(values * hidden, line, lines), sums_of(hidden, line, lines)


def _second(hidden: Bools, values: Floats, line: Ints, lines: int, threshold: float, wanted: Bools) -> Bools:
    """With the smallest count that is shown in each wanted line whose withheld ones do not do."""
    sums, number = _of(hidden, values, line, lines)
    lacking = wanted & ((number < 2) | (sums < threshold))
    free = np.flatnonzero(lacking[line] & ~hidden & (values > 0))
    in_order = free[np.lexsort((values[free], line[free]))]
    _, first = np.unique(line[in_order], return_index=True)
    more = hidden.copy()
    more[in_order[first]] = True
    return more


def crossed(values: Floats, threshold: float) -> Hidden:
    """What to withhold of a table whose totals of rows and of columns, and grand total, are published.

    values: (rows, columns) counts that are not negative.
    """
    every = with_totals(values)
    up, down = _room(every, threshold)
    hidden = small(every, threshold)
    price = 1.0 + every
    price[-1] += _OF_TOTAL * every[-1, -1]
    price[:, -1] += _OF_TOTAL * every[-1, -1]
    if len(values) > 2 * _ROWS:  # row by row first: in a long table that leaves few paths to look for
        row = np.repeat(np.arange(len(values)), values.shape[1])
        flat = hidden[:-1, :-1].ravel()
        some = np.asarray(hidden[:-1, :-1].any(axis=1))
        hidden[:-1, :-1] = _second(flat, values.ravel(), row, len(values), threshold, some).reshape(
            values.shape
        )
    price[hidden] = 0.0
    met = np.zeros(every.shape, dtype=np.bool_)  # on a path with room enough
    while len(failing := np.argwhere(hidden & ~met & (_widths(hidden, up, down) < threshold))):
        rows = {j: _candidates(j, hidden, every) for j in np.unique(failing[:, 1]).tolist()}
        for i, j in failing.tolist():
            if met[i, j]:
                continue
            k, m = _path(i, j, rows[j], every, price, up, down, threshold)
            corners = ([i, i, k, k], [j, m, j, m])
            hidden[corners] = met[corners] = True
            price[corners] = 0.0
    return Hidden(hidden[:-1, :-1], hidden[:-1, -1], hidden[-1, :-1], bool(hidden[-1, -1]))


def with_totals(values: Floats) -> Floats:
    """(rows + 1, columns + 1): the table with its totals in a last row and column."""
    rows = np.column_stack([values, values.sum(axis=1)])
    return np.vstack([rows, rows.sum(axis=0)])


def _room(every: Floats, threshold: float) -> tuple[Floats, Floats]:
    """How far each cell can move up and down a path, no further than the threshold.

    Cells less their total are 0, so that a total moves the other way.
    """
    up, down = np.full(every.shape, threshold), np.minimum(every, threshold)
    for total in (np.s_[:-1, -1], np.s_[-1, :-1]):
        up[total], down[total] = down[total].copy(), up[total].copy()
    return up, down


def _widths(hidden: Bools, up: Floats, down: Floats) -> Floats:
    """A lower bound of the width of each withheld cell's interval, by what other columns or rows give way."""
    by_columns = _by_columns(hidden, up, down)
    if len(hidden) > 2 * _ROWS:  # one by one, the rows of a long table would take the square of their number
        return by_columns
    return np.maximum(by_columns, _by_columns(hidden.T, up.T, down.T).T)


def _by_columns(hidden: Bools, up: Floats, down: Floats) -> Floats:
    """A cell goes up by what another column gives way in its row and both give way in other rows.

    By several columns at once it goes up as far as even the least of them has room for in other rows.
    """
    width = np.zeros(hidden.shape)
    for j in range(hidden.shape[1]):
        both = hidden & hidden[:, [j]]
        both[:, j] = False
        rise, fall = _elsewhere(both, down[:, [j]], up), _elsewhere(both, up[:, [j]], down)
        by_one = np.where(both, np.minimum(down, rise), 0.0).max(axis=1)
        by_all = np.where(both, down, 0.0).sum(axis=1)
        highest = np.maximum(by_one, np.minimum(by_all, np.where(both, rise, np.inf).min(axis=1)))
        lowest = np.where(both, np.minimum(up, fall), 0.0).max(axis=1)
        width[:, j] = np.minimum(up[:, j], highest) + np.minimum(down[:, j], lowest)
    return width


def _elsewhere(both: Bools, mine: Floats, theirs: Floats) -> Floats:
    """(rows, columns) room of the other rows in which this column and the other are both withheld."""
    room = np.where(both, np.minimum(mine, theirs), 0.0)
    return np.asarray(room.sum(axis=0) - room)


def _path(
    i: int,
    j: int,
    rows: Ints,
    every: Floats,
    price: Floats,
    up: Floats,
    down: Floats,
    threshold: float,
) -> tuple[int, int]:
    """The row and column opposite a cell on its cheapest path of four with room enough."""
    rows = rows[rows != i]
    cost = price[i] + price[rows] + price[rows, j][:, None]
    rise = np.minimum(np.minimum(down[i], down[rows, j][:, None]), np.minimum(up[rows], up[i, j]))
    fall = np.minimum(np.minimum(up[i], up[rows, j][:, None]), np.minimum(down[rows], down[i, j]))
    enough = (rise + fall >= threshold) & (every[i] > 0) & (every[rows] > 0) & (every[rows, j] > 0)[:, None]
    enough[:, j] = False
    row, column = np.unravel_index(np.argmin(np.where(enough, cost, np.inf)), cost.shape)
    return int(rows[row]), int(column)


def _candidates(j: int, hidden: Bools, every: Floats) -> Ints:
    """Rows to try: all of a short table; of a long one the totals, those that withhold most, the lowest."""
    last = len(every) - 1
    if last <= 2 * _ROWS:
        return np.arange(last + 1)
    filled = np.flatnonzero(every[:last, j] > 0)
    most = filled[np.argsort(-hidden[filled].sum(axis=1), kind="stable")[:_ROWS]]
    lowest = filled[np.argsort(every[filled, -1], kind="stable")[:_ROWS]]
    return np.unique(np.concatenate([most, lowest, [last]]))


__all__ = ["Hidden", "crossed", "in_lines", "small", "sums_of", "with_totals"]
