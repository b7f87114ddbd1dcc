"""Whole areas given to teams: which entries of the flows (areas x teams) a rule chooses.

Each rule returns masks over `flows.data`; `flows` has its indices sorted, columns stand in the order of their
codes and only `allowed` columns may be given areas. Every column counts in the totals.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Flows carried between vintages are fractions: what differs by less than this is equal.
_ROUNDING = 1e-12
_DECIMALS = 12
# Of a running sum of shares; one person of England's 60 million is more.
_RUNNING = 1e-9
_SMALL = 1e-3


@dataclass(frozen=True, slots=True)
class Chosen:
    """Masks over the entries of the flows.

    entries: those that the rule chooses; tied: those between which only the order of the codes decided, the
    chosen and the others.
    """

    entries: Bools
    tied: Bools


def rows_of(flows: sparse.csr_array) -> Ints:
    """The row of each entry."""
    return np.repeat(np.arange(flows.shape[0]), np.diff(flows.indptr))


def first_past_the_post(flows: sparse.csr_array, allowed: Bools) -> Chosen:
    """In each row the allowed column with the largest flow, the first of equals."""
    row = rows_of(flows)
    flow = np.where(allowed[flows.indices], flows.data, 0.0)
    best = np.zeros(flows.shape[0])
    filled = np.flatnonzero(np.diff(flows.indptr))
    if len(filled):
        best[filled] = np.maximum.reduceat(flow, flows.indptr[filled])
    at_best = (flow >= best[row] * (1.0 - _ROUNDING)) & (flow > 0)
    first = np.full(len(flow), False)
    candidates = np.flatnonzero(at_best)
    first[candidates[np.diff(row[candidates], prepend=-1) != 0]] = True
    tied = at_best & (np.bincount(row[at_best], minlength=flows.shape[0]) > 1)[row]
    return Chosen(first, tied)


def threshold(flows: sparse.csr_array, allowed: Bools, share: float, *, or_largest: bool) -> Chosen:
    """Every allowed column with at least `share` of its row's flow; with `or_largest` a row where none has
    so much goes to the largest."""
    row = rows_of(flows)
    total = np.bincount(row, weights=flows.data, minlength=flows.shape[0])
    entries = allowed[flows.indices] & (flows.data >= share * total[row] * (1.0 - _ROUNDING))
    entries &= flows.data > 0
    tied = np.full(len(entries), False)
    if or_largest:
        empty = (np.bincount(row[entries], minlength=flows.shape[0]) == 0)[row]
        largest = first_past_the_post(flows, allowed)
        entries |= largest.entries & empty
        tied = largest.tied & empty
    return Chosen(entries, tied)


def cumulative(flows: sparse.csr_array, allowed: Bools, share: float) -> Chosen:
    """For each allowed column the fewest rows that hold `share` of its flow: the largest first, the first of
    equals before the others."""
    total = np.bincount(flows.indices, weights=flows.data, minlength=flows.shape[1])
    part = flows.data / np.where(total > 0, total, 1.0)[flows.indices]
    among = np.flatnonzero(_may_be_taken(part, flows.indices, allowed, share))
    part, of = part[among], flows.indices[among]
    size = np.round(part, _DECIMALS)
    order = _in_order(2.0 * of - size)  # by column, the largest first, of equals the first row
    part, size, of = part[order], size[order], of[order]
    # One running sum for all columns: that of a column is taken off where the next begins, so that a small
    # one does not carry the rounding of all the large ones before it.
    start = np.flatnonzero(np.diff(of, prepend=-1))
    step = part.copy()
    if len(start):
        step[start[1:]] -= np.add.reduceat(part, start)[:-1]
    before = np.cumsum(step) - part
    taken = before < share - _RUNNING
    # The last row taken of each column ties with those of the same flow that were not.
    least = np.full(flows.shape[1], np.inf)
    np.minimum.at(least, of[taken], size[taken])
    at_edge = size == least[of]
    left_out = np.bincount(of[at_edge & ~taken], minlength=flows.shape[1]) > 0
    entries, tied = np.zeros(flows.nnz, dtype=np.bool_), np.zeros(flows.nnz, dtype=np.bool_)
    entries[among[order]], tied[among[order]] = taken, at_edge & left_out[of]
    return Chosen(entries, tied)


def _in_order(key: Floats) -> Ints:
    """Positions by `key`, those of equals as they stand; lexsort takes five times as long."""
    by_key = np.argsort(key)
    run = np.cumsum(np.diff(key[by_key], prepend=np.nan) != 0) * len(key)
    return np.asarray(np.sort(run + by_key) - run)


def _may_be_taken(part: Floats, column: Ints, allowed: Bools, share: float) -> Bools:
    """The entries of allowed columns that need to be put in order, which is what takes time.

    Most are so small that the others of their column hold `share` without them.
    """
    large = part >= _SMALL
    held = np.bincount(column[large], weights=part[large], minlength=len(allowed))
    enough = held >= share + _RUNNING
    return np.asarray((large | ~enough[column]) & allowed[column] & (part > 0))
