"""Design matrices of cells, kept as codes: a column takes few values, however many the cells.

The columns of a term are functions of a few variables. A block keeps which of their distinct values each cell
has, once, and what the columns are there: a flag of ten million cells takes 10 MB and not 80, and blocks of
the same variables share their codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.unsignedinteger]


@dataclass(frozen=True, slots=True)
class Block:
    """Columns that depend on the same variables.

    codes: (cells,) which of the distinct values. values: (columns, distinct values).
    """

    codes: Codes
    values: Floats


@dataclass(frozen=True, slots=True)
class Design:
    """A design matrix (cells, columns), as blocks of columns side by side."""

    blocks: tuple[Block, ...]

    @classmethod
    def of_matrix(cls, matrix: Floats) -> Design:
        """From (cells, columns) as they are.

        >>> Design.of_matrix(np.array([[1.0, 0.0], [1.0, 2.5]])).rows(0, 2)
        array([[1. , 1. ],
               [0. , 2.5]])
        """
        blocks = []
        for column in matrix.T:
            values, codes = np.unique(column, return_inverse=True)
            blocks.append(Block(smallest(codes, len(values)), values[None, :]))
        return cls(tuple(blocks))

    @property
    def columns(self) -> int:
        """How many columns there are."""
        return sum(len(block.values) for block in self.blocks)

    @property
    def largest(self) -> Floats:
        """(columns,) largest absolute value of each."""
        return np.concatenate([np.abs(block.values).max(axis=1) for block in self.blocks])

    def rows(self, start: int, stop: int) -> Floats:
        """(columns, stop - start) the columns in the cells from `start` up to `stop`."""
        found = np.empty((self.columns, stop - start))
        column = 0
        for block in self.blocks:
            here = block.codes[start:stop]
            for values in block.values:
                np.take(values, here, out=found[column], mode="clip")
                column += 1
        return found

    def pick(self, cells: NDArray[np.int64]) -> Design:
        """The cells at these places alone."""
        return Design(tuple(Block(block.codes[cells], block.values) for block in self.blocks))


def smallest(codes: NDArray[np.integer], values: int) -> Codes:
    """Codes below `values` in the smallest type that holds them."""
    return codes.astype(np.min_scalar_type(max(values - 1, 0)))


def parts_of(cells: int, size: int) -> Sequence[tuple[int, int]]:
    """(start, stop) of consecutive parts of at most `size` cells."""
    return [(start, min(start + size, cells)) for start in range(0, cells, size)]


__all__ = ["Block", "Design", "parts_of", "smallest"]
