"""Figures as the few classes that a map can show, with the words of its legend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLASSES = 5


def fifths(values: Floats, decimals: int) -> Floats:
    """Limits between five classes of about equal number; fewer when many values are the same."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.array([])
    return np.unique(np.round(np.quantile(known, (0.2, 0.4, 0.6, 0.8)), decimals))


def between(limits: Floats, show: Callable[[float], str]) -> list[str]:
    """The classes between limits in words."""
    words = [show(limit) for limit in limits.tolist()]
    if not words:
        return []
    steps = [f"{low} to under {high}" for low, high in pairwise(words)]
    return [f"below {words[0]}", *steps, f"{words[-1]} and over"]


def classed(
    values: Floats, limits: Floats, names: Sequence[str], noun: str, unknown: str
) -> tuple[Ints, list[tuple[int, str]]]:
    """The class of each value, 0 to 4 or -1 where it is not known, and the legend as (class, words).

    names: of the classes, one more than `limits`. noun: what is counted in the legend ("areas", "teams").
    unknown: the words for -1.
    """
    known = np.isfinite(values)
    if len(names) > 1:
        of_name = np.rint(np.linspace(0, CLASSES - 1, len(names))).astype(np.int64)
    else:
        of_name = np.array([CLASSES // 2])
    found = np.searchsorted(limits, values, side="right")
    counts = np.bincount(found[known], minlength=len(names))
    legend = [
        (of, f"{name} ({count:,} {noun if count != 1 else noun[:-1]})")
        for of, name, count in zip(of_name.tolist(), names, counts.tolist(), strict=False)
    ]
    if not known.all():
        legend.append((-1, unknown))
    return np.where(known, of_name[np.minimum(found, len(of_name) - 1)], -1), legend
