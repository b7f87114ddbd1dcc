"""Expected counts for many draws of the coefficients, summed by group: draws and people go through in parts.

With designs X_j (columns, cells) of the parts of a family and draws b_j (draws, columns),

    need[draw, cell] = mean(b_count X_count + offset, b_zero X_zero + offset, log theta)
    total[draw, group] = sum over cells of need * people[cell, group]

Nothing is as large as draws by cells: a part of the cells meets a part of the draws at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from needsalloc.kernels.designs import parts_of
from needsalloc.kernels.families import COUNT, LOG_THETA, Family

Floats = NDArray[np.float64]

CELLS_AT_ONCE, DRAWS_AT_ONCE = 2**12, 64


def totals(
    family: Family,
    designs: Callable[[int, int], Mapping[str, Floats]],
    draws: Mapping[str, Floats],
    people: sparse.csr_array,
    most: float = np.inf,
) -> Floats:
    """(draws, groups) expected counts of all people of each group.

    designs: (start, stop) -> part -> (columns, stop - start) of these cells.
    draws: part -> (draws, columns), log theta as (draws, 1).
    people: sparse (cells, groups). most: what a person's count is capped at.
    """
    number = len(draws[COUNT])

    def work(bounds: tuple[int, int]) -> Floats:
        start, stop = bounds
        here, x = people[start:stop], designs(start, stop)
        found = np.empty((number, people.shape[1]))
        for low, high in parts_of(number, DRAWS_AT_ONCE):
            found[low:high] = np.minimum(_means(family, x, draws, low, high), most) @ here
        return found

    total = np.zeros((number, people.shape[1]))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for found in pool.map(work, parts_of(people.shape[0], CELLS_AT_ONCE)):
            total += found
    return total


def _means(
    family: Family, x: Mapping[str, Floats], draws: Mapping[str, Floats], low: int, high: int
) -> Floats:
    """(high - low, cells) the mean of every person by these draws."""
    shape = high - low, x[COUNT].shape[1]
    eta = np.empty((shape[0] * shape[1], len(family.parts)))
    for column, part in enumerate(family.parts):
        drawn = draws[part][low:high]
        found = np.broadcast_to(drawn, shape) if part == LOG_THETA else drawn @ x[part]
        eta[:, column] = found.ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        return family.mean(eta).reshape(shape)


__all__ = ["totals"]
