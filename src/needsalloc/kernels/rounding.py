"""A table rounded to whole numbers with both of its margins kept: controlled rounding.

    choose x_kb in {floor(p_kb), floor(p_kb) + 1}, equal where p_kb is whole,
    with sum_b x_kb = row_k and sum_k x_kb = column_b, and sum (x_kb - p_kb)^2 least

for a table p whose margins are whole numbers already. Rounding up rather than down costs 1 - 2 f_kb, where
f_kb is the fraction, so that this is a transportation problem. Its constraints are those of a bipartite
graph: every corner is whole, and there always is one, since the fractions themselves meet the margins.

Source: Causey, Cox and Ernst, Journal of the American Statistical Association 80, 1985 (903-909).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Cells this near to a whole number are one; raked margins are met about as well.
_WHOLE = 1e-7
# What a cell's place in the order costs: below any difference that matters, above the solver's tolerance.
_TIE = 1e-4


def controlled_rounding(table: Floats) -> Ints:
    """Whole numbers (rows, columns) next to `table`, not negative, with its margins.

    table: (rows, columns), with row and column sums that are whole numbers but for rounding. Of roundings
    that are equally near (within 1e-4 a cell) one is taken that rounds up larger cells, then earlier rows,
    then earlier columns; in tables of thousands of fractions the solver decides between the last of them,
    always alike. Raises ValueError where margins are not whole.
    """
    from scipy.optimize import linprog

    down = np.floor(table + _WHOLE)
    fraction = np.where(table - down > _WHOLE, table - down, 0.0)
    up = [np.round(margin) for margin in (table.sum(axis=1), table.sum(axis=0))]
    if any(
        np.abs(whole - table.sum(axis=axis)).max(initial=0.0) > 10 * _WHOLE * max(table.shape)
        for whole, axis in zip(up, (1, 0), strict=True)
    ):
        raise ValueError("The margins of the table are not whole numbers.")
    row, column = np.nonzero(fraction)
    if not len(row):
        return down.astype(np.int64)
    left = np.concatenate([up[0] - down.sum(axis=1), up[1] - down.sum(axis=0)])
    cells = np.arange(len(row))
    meets = sparse.csr_array(
        (np.ones(2 * len(row)), (np.concatenate([row, len(table) + column]), np.concatenate([cells, cells]))),
        shape=(sum(table.shape), len(row)),
    )
    later = np.argsort(np.lexsort((column, row, -table[row, column])))
    # The root, since one early and one late cell must not cost what two between them do.
    cost = 1.0 - 2.0 * fraction[row, column] + _TIE * np.sqrt(later / len(row))
    solved = linprog(cost, A_eq=meets, b_eq=left, bounds=(0.0, 1.0), method="highs-ds")
    if solved.x is None:
        raise ValueError("The margins of the table cannot be met by rounding each cell up or down.")
    rounded = down.astype(np.int64)
    rounded[row, column] += np.round(solved.x).astype(np.int64)
    return rounded


__all__ = ["controlled_rounding"]
