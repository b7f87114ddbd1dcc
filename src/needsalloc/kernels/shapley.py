r"""The Shapley value of a mean that is linear in each of its players, from products of differences.

Let f(x) be linear in each x_i alone, with own values x and reference values r. The value of a coalition S
(own values in S, reference values elsewhere) is a sum over its subsets of their dividends (Harsanyi 1959),

    v(S) = sum over T in S of d(T),    d(T) = prod_{i in T} (x_i - r_i) d^T f / dx_T at r

and Shapley's value gives an equal part of each dividend to each of its players:

    phi_i = sum over T with i of d(T) / |T|,    sum_i phi_i = v(all) - v(none)

Sets are numbered by their members: member j adds 2^j.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_UNITS = 16


def members(players: int) -> NDArray[np.bool_]:
    """(sets, players) who is in each of the 2^players sets."""
    sets = np.arange(2**players, dtype=np.int64)
    return (sets[:, None] >> np.arange(players) & 1).astype(np.bool_)


def differences(mean: Floats, frequency: Floats) -> Floats:
    """Mixed differences of a mean over independent conditions that people have or have not.

    mean: (2^k, ...) of the people with exactly the conditions of each set. frequency: (k, ...), broadcast
    against `mean` without its first axis. Returns (2^k, ...): for each set, the mean of everybody
    differenced between having and not having each of its conditions, the others being as frequent as given.
    """
    found = mean.copy()
    within = members(len(frequency))
    for j, share in enumerate(frequency):
        having, lacking = found[within[:, j]], found[~within[:, j]]
        found[~within[:, j]] = lacking + share * (having - lacking)
        found[within[:, j]] = having - lacking
    return found


def sums_over_sets(amounts: Floats, conditions: Sequence[Floats], slopes: Floats) -> Floats:
    """Sums over kinds and nodes of amounts, the differences in each set of conditions, and its slopes.

    sum_{kind, node} amounts[., unit, kind, node] slopes[T, kind, node] prod_{j in T} condition_j[unit, kind]

    amounts: (parts, units, kinds, nodes). conditions: k of (units, kinds). slopes: (2^k, kinds, nodes).
    Returns (units, 2^k, parts). A few units at a time stay in the processor's cache: one set at a time over
    all units takes eight times as long.
    """
    found = np.empty((amounts.shape[1], len(slopes), len(amounts)))
    by_kind = np.ascontiguousarray(np.moveaxis(slopes, 0, -1))
    for start in range(0, len(found), _UNITS):
        some = slice(start, start + _UNITS)
        product = np.ones((len(by_kind), len(found[some]), 1))
        for difference in conditions:  # the sets without it, then the same sets with it
            product = np.concatenate([product, product * difference[some].T[:, :, None]], axis=-1)
        for part, amount in enumerate(amounts):
            use = np.swapaxes(amount[some], 0, 1) @ by_kind
            use *= product
            found[some, :, part] = use.sum(axis=0)
    return found


def shares(dividends: Floats, players: int) -> Floats:
    """Shapley values (..., players) of games with `dividends` (..., 2^players)."""
    within = members(players)
    size = within.sum(axis=1, keepdims=True)
    result: Floats = dividends @ (within / np.maximum(size, 1))
    return result
