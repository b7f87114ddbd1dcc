"""How far measures of need agree: the same teams by several formulas, pair by pair."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.errors import InvalidValueError, UnknownCodeError, first_few

Floats = NDArray[np.float64]


def agreement(measures: pd.DataFrame, weights: pd.Series | None = None) -> pd.DataFrame:
    """Each pair of measures: how they correlate, and how far ranks move from one to the other.

    measures: a column for each measure (need indices by several formulas, say), a row for each team or
        area. A pair is compared on the rows that have both.
    weights: people by row, for the correlations; without them every row counts alike.

    Returns index (`measure`, `other`): `rows` compared; `pearson`, and `spearman` (of ranks in which each
    row takes up its weight; equal values share the middle); `usual_rank_change` (median) and
    `largest_rank_change`, in places, with `moved_most`, the row it belongs to (the first of equals). A
    correlation with a measure that does not vary is NaN.

    Raises InvalidValueError for fewer than two measures, a row given twice, or weights that are negative or
    missing; UnknownCodeError for rows without a weight.

    >>> found = agreement(pd.DataFrame({"a": [1, 2, 3], "b": [1, 3, 2]}, index=["P1", "P2", "P3"]))
    >>> found.at[("a", "b"), "moved_most"], float(found.at[("a", "b"), "spearman"])
    ('P2', 0.5)
    """
    if measures.shape[1] < 2:
        raise InvalidValueError(
            f"There is {measures.shape[1]} measure: agreement is between two or more. Give each a column."
        )
    for name, labels in (("measures", measures.columns), ("rows", measures.index)):
        if not labels.is_unique:
            twice = labels[labels.duplicated()].unique()
            raise InvalidValueError(f"{len(twice):,} {name} are there twice: {first_few(twice)}. Keep one.")
    people = pd.Series(1.0, index=measures.index) if weights is None else _checked(weights, measures.index)
    rows = {}
    for first, second in itertools.combinations(measures.columns, 2):
        both = measures[[first, second]].dropna()
        rows[first, second] = _pair(both, np.asarray(people[both.index], dtype=np.float64))
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["measure", "other"])
    return table


def _checked(weights: pd.Series, rows: pd.Index) -> pd.Series:
    lacking = rows.difference(weights.index)
    if len(lacking):
        raise UnknownCodeError(
            f"{len(lacking):,} of {len(rows):,} rows have no weight: {first_few(lacking)}. Add their people."
        )
    found = weights.reindex(rows).astype(np.float64)
    wrong = found.index[~(found >= 0)]
    if len(wrong):
        raise InvalidValueError(
            f"{len(wrong):,} weights are negative or missing: {first_few(wrong)}. Give people, 0 or more."
        )
    return found


def _pair(both: pd.DataFrame, weight: Floats) -> dict[str, object]:
    left, right = both.to_numpy(np.float64).T
    change = (both.iloc[:, 0].rank() - both.iloc[:, 1].rank()).abs()
    return {
        "rows": len(both),
        "pearson": _correlation(left, right, weight),
        "spearman": _correlation(_ranks(left, weight), _ranks(right, weight), weight),
        "usual_rank_change": change.median(),
        "largest_rank_change": change.max(),
        "moved_most": change.idxmax() if len(change) else None,
    }


def _ranks(values: Floats, weight: Floats) -> Floats:
    """The weight below each value and half of that which shares it (rows,)."""
    place = np.unique(values, return_inverse=True)[1]
    shared = np.bincount(place, weight)
    middle: Floats = np.cumsum(shared) - shared / 2
    return middle[place]


def _correlation(left: Floats, right: Floats, weight: Floats) -> float:
    counted = weight > 0
    left, right, weight = left[counted], right[counted], weight[counted]
    if len(left) < 2 or not (np.ptp(left) > 0 and np.ptp(right) > 0):
        return float("nan")
    spread = np.cov(left, right, aweights=weight, ddof=0)
    return float(spread[0, 1] / np.sqrt(spread[0, 0] * spread[1, 1]))


__all__ = ["agreement"]
