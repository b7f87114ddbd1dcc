"""Measures of need by fifth of deprivation: how much more the most deprived fifth needs than the least.

mean of a fifth = sum over its rows of people x index / sum of people

Crude, a gradient holds the ages of the fifths: deprived places are younger, so a measure that rises with age
rises less with deprivation, or falls. At equal ages it does not. Neither is the other's correction: posts
follow the crude one, and the other says what is left of it at a given age.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from needsalloc.errors import InvalidValueError, UnknownCodeError, first_few

FIFTHS = 5


def gradient_by_fifth(
    measures: pd.DataFrame, people: pd.Series | pd.DataFrame, fifth: pd.Series
) -> pd.DataFrame:
    """Each measure by fifth of deprivation.

    measures: a column for each index, a row for each area, practice or team.
    people: who the index is over, by row; a frame if each measure has its own.
    fifth: 1 (most deprived) to 5 by row (`deprivation_fifth`, `fifths_of_people`).

    Returns a row for each measure: `fifth_1` to `fifth_5`, means weighted by people, NaN in a fifth where it
    has nobody; and `most_over_least`, the first over the last. A row without people or index counts nowhere.

    Raises UnknownCodeError for rows without a fifth or people, InvalidValueError for other fifths.

    >>> rows = ["E1", "E2", "E3"]
    >>> need, people = pd.DataFrame({"need": [1.2, 1.0, 0.8]}, rows), pd.Series([10, 30, 40], rows)
    >>> gradient_by_fifth(need, people, pd.Series([1, 1, 5], rows))["most_over_least"].round(4).to_list()
    [1.3125]
    """
    for what, given in (("fifth", fifth), ("people", people)):
        lacking = measures.index.difference(given.index)
        if len(lacking):
            raise UnknownCodeError(
                f"{len(lacking):,} of {len(measures):,} rows have no {what}: {first_few(lacking)}. Add them."
            )
    of_row = fifth.reindex(measures.index)
    wrong = of_row.index[~of_row.isin(range(1, FIFTHS + 1))]
    if len(wrong):
        raise InvalidValueError(
            f"{len(wrong):,} rows have a fifth that is not 1 to {FIFTHS}: {first_few(wrong)}. 1 is the most "
            "deprived."
        )
    each = people.reindex(measures.index)
    if isinstance(each, pd.Series):
        each = pd.DataFrame(dict.fromkeys(measures.columns, each))
    counted = each[measures.columns].where(measures.notna() & (each[measures.columns] > 0))
    weighted = (measures * counted).groupby(of_row.to_numpy(np.int64)).sum()
    means = weighted / counted.groupby(of_row.to_numpy(np.int64)).sum().where(lambda total: total > 0)
    table = means.reindex(range(1, FIFTHS + 1)).T.set_axis([f"fifth_{n}" for n in range(1, 6)], axis=1)
    table = table.rename_axis("measure")
    return table.assign(most_over_least=table["fifth_1"] / table["fifth_5"])


def fifths_of_people(score: pd.Series, people: pd.Series) -> pd.Series:
    """Fifths of as many people each, 1 the most deprived, for practices or teams by a deprivation score.

    score: higher is more deprived. A row is in the fifth in which the middle one of its people is; equal
    scores go by code. Rows without people have no fifth (missing).

    Raises UnknownCodeError for rows without people given.

    >>> score = pd.Series([9.0, 8.0, 7.0], ["P1", "P2", "P3"])
    >>> fifths_of_people(score, pd.Series([20, 20, 60], score.index)).to_list()
    [1, 2, 4]
    """
    lacking = score.index.difference(people.index)
    if len(lacking):
        raise UnknownCodeError(
            f"{len(lacking):,} of {len(score):,} rows have no people: {first_few(lacking)}. Add them."
        )
    counted = people.reindex(score.index).astype(np.float64)
    known = score[(counted > 0) & score.notna()].sort_index()
    order = known.sort_values(ascending=False, kind="stable").index
    size = counted[order]
    middle = (size.cumsum() - size / 2) / size.sum()
    fifth = pd.Series(np.ceil(FIFTHS * middle.to_numpy()), order).astype("Int64")
    return fifth.reindex(score.index).rename("deprivation_fifth")


__all__ = ["fifths_of_people", "gradient_by_fifth"]
