"""Whoever wants to know what a table withholds: the lowest and highest values that fit what is published."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import linprog


class Interval(NamedTuple):
    low: float
    high: float

    @property
    def width(self) -> float:
        return self.high - self.low


def intervals(unknowns: int, rows: list[dict[int, float]], low: list[float], high: list[float], floor=0.0):
    """The interval of each figure, none below `floor`, of which low <= row @ figures <= high."""
    of, at, value = zip(*[(i, j, v) for i, row in enumerate(rows) for j, v in row.items()], strict=True)
    matrix = sparse.csr_array((value, (of, at)), shape=(len(rows), unknowns))
    matrix, limits = sparse.vstack([matrix, -matrix]), np.concatenate([high, -np.asarray(low)])

    def extreme(unknown: int, sign: float) -> float:
        aim = np.zeros(unknowns)
        aim[unknown] = sign
        found = linprog(aim, A_ub=matrix, b_ub=limits, bounds=(floor, None), method="highs")
        assert found.status in (0, 3), found.message
        return float(sign * found.fun) if found.status == 0 else sign * -np.inf

    return [Interval(extreme(k, 1.0), extreme(k, -1.0)) for k in range(unknowns)]


def of_table(shown: np.ndarray, round_to: float = 0.0) -> dict[tuple[int, int], Interval]:
    """Intervals of the withheld (NaN) cells and totals of a table whose last row and column are totals.

    round_to: what is shown may be half of it away from the truth.
    """
    m, n = shown.shape
    blank = [tuple(map(int, at)) for at in np.argwhere(np.isnan(shown))]
    place = {at: k for k, at in enumerate(blank)}
    lines = [([(i, j) for j in range(n - 1)], (i, n - 1)) for i in range(m)]
    lines += [([(i, j) for i in range(m - 1)], (m - 1, j)) for j in range(n)]
    rows, low, high = [], [], []
    for cells, total in lines:
        signed = [*((at, 1.0) for at in cells), (total, -1.0)]
        row = {place[at]: sign for at, sign in signed if at in place}
        if row:
            known = [sign * shown[at] for at, sign in signed if at not in place]
            slack = round_to / 2 * len(known)
            rows.append(row)
            low.append(-sum(known) - slack)
            high.append(-sum(known) + slack)
    return dict(zip(blank, intervals(len(blank), rows, low, high), strict=True)) if blank else {}
