"""How far measures of need agree, pair by pair, and what each of them goes with.

Two measures of the same places can rank them alike and still share out differently: the correlation says the
first, the slope the second. So both are given, and how many places move.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.errors import InvalidValueError, UnknownCodeError, first_few
from needsalloc.kernels import inequality

Floats = NDArray[np.float64]


_A_TENTH, _FIFTHS = 0.1, 5


def agreement(measures: pd.DataFrame, weights: pd.Series | None = None) -> pd.DataFrame:
    """Each pair of measures: how they correlate, the slope between them, and how far places move.

    measures: a column for each measure (need indices by several formulas, say), a row for each team or
        area. A pair is compared on the rows that have both.
    weights: people by row, for correlations and slopes; without them every row counts alike.

    Returns index (`measure`, `other`), and the columns

    - `rows` compared;
    - `pearson`, and `spearman` (of ranks in which each row takes up its weight; equal values share the
      middle);
    - `slope` of the other on the measure, by least squares: how much the other changes where the measure
      changes by 1; and `slope_back`, of the measure on the other. Their product is the square of `pearson`;
    - `differ_a_tenth`, rows in which the other is more than a tenth above or below the measure; missing where
      one of the two has values that are not above 0 (a score is no ratio);
    - `usual_rank_change` (median) and `largest_rank_change`, in places, with `moved_most`, the row it belongs
      to (the first of equals); `moved_a_tenth`, rows that move by more than a tenth of all places; and
      `changed_fifth`, rows that are in another fifth of the ranking. In ranks every row counts alike;
    - `method`, in words.

    What belongs to a measure that does not vary is NaN.

    Raises InvalidValueError for fewer than two measures, a row given twice, or weights that are negative or
    missing; UnknownCodeError for rows without a weight.

    >>> found = agreement(pd.DataFrame({"a": [1, 2, 3], "b": [1, 3, 2]}, index=["P1", "P2", "P3"]))
    >>> found.at[("a", "b"), "moved_most"], float(found.at[("a", "b"), "slope"])
    ('P2', 0.5)
    """
    if measures.shape[1] < 2:
        raise InvalidValueError(
            f"There is {measures.shape[1]} measure: agreement is between two or more. Give each a column."
        )
    _refuse_twice(measures)
    people = _people(measures.index, weights)
    rows = {}
    for first, second in itertools.combinations(measures.columns, 2):
        both = measures[[first, second]].dropna()
        rows[first, second] = _pair(both, np.asarray(people[both.index], dtype=np.float64))
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["measure", "other"])
    counted = "every row alike" if weights is None else "weighted by people"
    return table.assign(method=f"Pearson, Spearman and least squares, {counted}; ranks: every row alike")


def goes_with(measures: pd.DataFrame, traits: pd.DataFrame, weights: pd.Series | None = None) -> pd.DataFrame:
    """What each measure goes with: its slope on each trait of the places, the other traits held equal.

    measure = constant + sum over traits of slope x trait + what is left (least squares)

    measures: a column for each measure, a row for each team or area.
    traits: a column for each trait (the share of people aged 75 and over, a score of deprivation), the same
        rows. A measure is fitted on the rows that have it and all traits.
    weights: people by row; without them every row counts alike.

    Returns index (`measure`, `trait`): `slope` (change of the measure with one unit of the trait),
    `standardised` (in standard deviations of both), `explained` (R², the part of the measure's variance that
    goes with all traits together), `rows`, and `method`. It describes: traits of places are no causes.

    Raises as `agreement`, InvalidValueError also for traits that vary together exactly or not at all.

    >>> rows = ["P1", "P2", "P3", "P4"]
    >>> traits = pd.DataFrame({"over_75": [0.1, 0.2, 0.1, 0.2], "imd_score": [10, 10, 30, 30]}, index=rows)
    >>> need = pd.DataFrame({"need": 2 * traits["over_75"] + 0.01 * traits["imd_score"]})
    >>> goes_with(need, traits)["slope"].round(3).to_list()
    [2.0, 0.01]
    """
    for frame in (measures, traits):
        _refuse_twice(frame)
    people = _people(measures.index, weights)
    known = traits.reindex(measures.index)
    rows = {}
    for measure in measures.columns:
        whole = pd.concat([measures[measure], known], axis=1).dropna()
        weight = np.asarray(people[whole.index], dtype=np.float64)
        slopes, standardised, explained = _fit(whole.to_numpy(np.float64), weight, list(map(str, traits)))
        for at, trait in enumerate(traits.columns):
            rows[measure, trait] = (slopes[at], standardised[at], explained, len(whole))
    columns = ["slope", "standardised", "explained", "rows"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    table.index = pd.MultiIndex.from_tuples(rows, names=["measure", "trait"])
    counted = "every row alike" if weights is None else "weighted by people"
    return table.assign(method=f"least squares on {' and '.join(map(str, traits))}, {counted}")


def _refuse_twice(frame: pd.DataFrame) -> None:
    for name, labels in (("columns", frame.columns), ("rows", frame.index)):
        if not labels.is_unique:
            twice = labels[labels.duplicated()].unique()
            raise InvalidValueError(f"{len(twice):,} {name} are there twice: {first_few(twice)}. Keep one.")


def _people(rows: pd.Index, weights: pd.Series | None) -> pd.Series:
    return pd.Series(1.0, index=rows) if weights is None else _checked(weights, rows)


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
    ranks = both.rank().to_numpy()
    change = pd.Series(np.abs(ranks[:, 0] - ranks[:, 1]), index=both.index)
    fifth = np.ceil(_FIFTHS * ranks / max(len(both), 1))
    ratios = bool((left > 0).all() and (right > 0).all())
    return {
        "rows": len(both),
        "pearson": _correlation(left, right, weight),
        "spearman": _correlation(_ranks(left, weight), _ranks(right, weight), weight),
        "slope": _slope(left, right, weight),
        "slope_back": _slope(right, left, weight),
        "differ_a_tenth": (np.abs(right / left - 1) > _A_TENTH).sum() if ratios else np.nan,
        "usual_rank_change": change.median(),
        "largest_rank_change": change.max(),
        "moved_most": change.idxmax() if len(change) else None,
        "moved_a_tenth": (change > _A_TENTH * len(both)).sum(),
        "changed_fifth": (fifth[:, 0] != fifth[:, 1]).sum(),
    }


def _ranks(values: Floats, weight: Floats) -> Floats:
    """Ranks from 0 to 1: the share of weight below each value, and half of that which has it (rows,)."""
    if not weight.any():
        return values  # nothing is weighed, so nothing correlates
    places = inequality.order(values)
    found = np.empty(len(values))
    found[places.rows] = inequality.ridit(weight[places.rows], places)
    return found


def _correlation(left: Floats, right: Floats, weight: Floats) -> float:
    spread = _spread(left, right, weight)
    return float(spread[0, 1] / np.sqrt(spread[0, 0] * spread[1, 1]))


def _slope(left: Floats, right: Floats, weight: Floats) -> float:
    """Of right on left."""
    spread = _spread(left, right, weight)
    return float(spread[0, 1] / spread[0, 0])


def _spread(left: Floats, right: Floats, weight: Floats) -> Floats:
    """(2, 2) variances and covariance; NaN unless both vary among those who have a weight."""
    counted = weight > 0
    left, right, weight = left[counted], right[counted], weight[counted]
    if len(left) < 2 or not (np.ptp(left) > 0 and np.ptp(right) > 0):
        return np.full((2, 2), np.nan)
    return np.asarray(np.cov(left, right, aweights=weight, ddof=0))


def _fit(values: Floats, weight: Floats, traits: list[str]) -> tuple[Floats, Floats, float]:
    """Slopes (traits,), the same in standard deviations, and R². values: (rows, measure and traits)."""
    counted = weight > 0
    values, weight = values[counted], weight[counted]
    if len(values) <= len(traits) + 1:
        raise InvalidValueError(
            f"{len(values):,} rows have the measure and all of {first_few(traits)}: too few to fit. "
            "Give more rows or fewer traits."
        )
    away = values - np.average(values, axis=0, weights=weight)
    spread = np.sqrt(np.average(away**2, axis=0, weights=weight))
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = away / spread * np.sqrt(weight / weight.sum())[:, None]
    among = scaled[:, 1:].T @ scaled[:, 1:]
    if not np.isfinite(among).all() or np.linalg.matrix_rank(among, tol=1e-9) < len(traits):
        raise InvalidValueError(
            f"Of the traits {first_few(traits)} one does not vary, or follows from the others, so their "
            "slopes cannot be told apart. Leave it out."
        )
    beta = np.linalg.solve(among, scaled[:, 1:].T @ scaled[:, 0])
    return beta * spread[0] / spread[1:], beta, float(beta @ (scaled[:, 1:].T @ scaled[:, 0]))


__all__ = ["agreement", "goes_with"]
