"""The range of an index over every defensible way to make it: readings of print, formulas, catchments.

A formula from print has no covariance, so it has no interval. What can be said is how far the index moves
when a choice that print or data leave open is made otherwise. Such a range is neither an interval nor a
probability: nothing says that the truth is inside it, or that its middle is likelier than its ends.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from needsalloc import gradients
from needsalloc.ages import Whose
from needsalloc.catchment import Catchment
from needsalloc.display import sentence_and_table
from needsalloc.errors import InvalidValueError, first_few
from needsalloc.index import BaseName, need_index
from needsalloc.need import NeedFormula
from needsalloc.people import People
from needsalloc.published import NAMES, Sex

FIFTHS = 5
ABOVE, BELOW, BOTH = "above 1", "below 1", "on both sides"
BY_AGE, FLAT = "by age", "held at its mean"
_SEXES: tuple[Sex, ...] = ("man", "woman")
_PEOPLE: tuple[Whose, ...] = ("registered", "resident")
_METHODS = ("first_past_the_post", "threshold", "cumulative")


@dataclass(frozen=True, eq=False)
class IndexRange:
    """Lowest and highest index of every row over the ways to make it; no interval.

    Attributes
    ----------
    table:
        Index team or area: `index` by the first way, `low` and `high`, `lowest_by` and `highest_by` (the way
        that gives each, the first of equals), `ways` that give one, `side` ("above 1" or "below 1" where all
        agree, else "on both sides"); `best_rank` and `worst_rank` by the ways, 1 being the highest index; and
        `fifths`, the number of fifths of the ranking that it is in by one way or another.
    choices:
        Index `choice`: the number of `ways` to make it; `usual` (median over rows) and `largest` difference
        between highest and lowest index when it alone is made otherwise and the others are as in the first
        way; and `moved_most`, the row that differs most.
    indices:
        (rows, ways) the index by every way, columns by choice.
    """

    table: pd.DataFrame
    choices: pd.DataFrame
    indices: pd.DataFrame

    def __repr__(self) -> str:
        sides = self.table["side"].value_counts()
        width = (self.table["high"] - self.table["low"]).median()
        return (
            f"<IndexRange of {len(self.table):,} rows over {self.indices.shape[1]} ways, no interval: as a "
            f"rule {width:.2f} wide; {sides.get(BOTH, 0):,} rows are on both sides of 1>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def range_over(indices: pd.DataFrame) -> IndexRange:
    """The range of each row over the columns: indices by several formulas (`MeasureComparison.england`), say.

    indices: a column for each way; columns of several levels have a level for each choice, all combinations
        of which are there. The first column is the way that `choices` start from.

    Raises InvalidValueError for fewer than two columns, or rows or columns given twice.

    >>> found = range_over(pd.DataFrame({"ours": [1.2, 0.9], "theirs": [1.1, 1.1]}, index=["P1", "P2"]))
    >>> found.table["side"].to_list(), found.table["lowest_by"].to_list()
    (['above 1', 'on both sides'], ['theirs', 'ours'])
    """
    for what, labels in (("rows", indices.index), ("ways", indices.columns)):
        if labels.has_duplicates:
            twice = labels[labels.duplicated()].unique()
            raise InvalidValueError(f"{len(twice):,} {what} are there twice: {first_few(twice)}. Keep one.")
    if indices.shape[1] < 2:
        raise InvalidValueError(
            f"There is {indices.shape[1]} way to make the index: a range is over two or more."
        )
    several = indices.columns.nlevels > 1
    ways = indices.columns.map(", ".join) if several else indices.columns.astype(str)
    named = indices.set_axis(ways, axis=1)
    known = named.notna()
    low, high = named.min(axis=1), named.max(axis=1)
    place = named.rank(ascending=False)
    fifth = pd.DataFrame(np.ceil(FIFTHS * place.to_numpy() / known.sum().to_numpy()), index=named.index)
    some = known.any(axis=1)
    table = pd.DataFrame(
        {
            "index": named.iloc[:, 0],
            "low": low,
            "high": high,
            "lowest_by": named[some].idxmin(axis=1).reindex(named.index),
            "highest_by": named[some].idxmax(axis=1).reindex(named.index),
            "ways": known.sum(axis=1),
            "side": np.select([~some, low > 1, high < 1], ["", ABOVE, BELOW], BOTH),
            "best_rank": place.min(axis=1),
            "worst_rank": place.max(axis=1),
            "fifths": fifth.nunique(axis=1),
        }
    )
    return IndexRange(table, _choices(indices), indices)


def need_range(
    people: People,
    *,
    formulas: Mapping[str, NeedFormula] | None = None,
    catchments: Sequence[Catchment] | None = None,
    base: BaseName = "england",
    icb: str | None = None,
) -> IndexRange:
    """The range of each team's need index over what print and data leave open, over one base.

    - `reading` of the paper's count table, realigned, as printed, or realigned and calibrated by age;
    - `interaction`, the sex that the age x sex term belongs to;
    - `utilisation`: visits and admissions at the paper's mean for each age, as the formula was fitted, or at
      its mean whatever the age (use of services is itself rationed);
    - `people`: those on the team's lists, or residents, shared out proportionally, by first past the post,
      threshold or cumulative (teams of whole areas answer for residents only, so this is one choice).

    formulas: other formulas by name, in place of the first three; then the choice is `formula`.
    catchments: other catchments of the same flows, in place of the four methods.
    base, icb: as in `need_index`; the base is the same for all.

    A team to which a method gives no area has no index by it; `ways` says how many it has. Groups that are no
    team have no row.

    Raises InvalidValueError for two catchments by the same method, and as `need_index` and `range_over`.
    """
    drawn = _catchments(people.catchment) if catchments is None else catchments
    by_formula = every_reading() if formulas is None else {(name,): one for name, one in formulas.items()}
    found: dict[tuple[str, ...], pd.Series] = {}
    home = people.catchment
    for words, formula in by_formula.items():
        use = formula.expected_use(people)
        for one in drawn:
            for whose in _PEOPLE[one.of_whole_areas :]:
                need = need_index(
                    use, base=base, people=whose, icb=icb, catchment=None if one is home else one
                )
                way = (*words, f"{whose}, {one.method.label}")
                if way in found:
                    raise InvalidValueError(
                        f"Two catchments are {one.method.label}, and the ways could not be told apart. Give "
                        "each method once."
                    )
                found[way] = need.teams.loc[need.teams["is_team"], need.column]
    levels = ["formula"] if formulas is not None else ["reading", "interaction", "utilisation"]
    indices = pd.DataFrame(found)
    indices.columns = pd.MultiIndex.from_tuples(found, names=[*levels, "people"])
    return range_over(indices)


def every_reading() -> dict[tuple[str, str, str], NeedFormula]:
    """The district-nursing formula by (reading, interaction, utilisation), the default first."""
    readings = dict.fromkeys(NeedFormula.published(name).name for name in NAMES)
    found = {}
    for name, sex in itertools.product(readings, _SEXES):
        formula = NeedFormula.published(name, interaction=sex)
        words = (name.removeprefix("district-nursing/liverpool-2024-"), f"age x {sex}")
        found[*words, f"utilisation {BY_AGE}"] = formula
        found[*words, f"utilisation {FLAT}"] = utilisation_held(formula)
    return found


def utilisation_held(formula: NeedFormula) -> NeedFormula:
    """The formula with visits and admissions held at the cohort's mean for everybody, whatever their age."""
    mean = gradients.table()["mean"]
    return formula.hold(
        {term: float(mean[term]) for term in gradients.counts()},
        "Use of services is itself rationed, and that of a coming year is not known",
    )


def _catchments(home: Catchment) -> list[Catchment]:
    if home.of_whole_areas:
        return [home]
    return [home, *(home.with_method(name) for name in _METHODS)]


def _choices(indices: pd.DataFrame) -> pd.DataFrame:
    """What each choice moves by itself, the others being those of the first column."""
    columns = indices.columns
    rows = {}
    for level, name in enumerate(columns.names):
        alike = [
            all(way[other] == columns[0][other] for other in range(columns.nlevels) if other != level)
            for way in (columns if columns.nlevels > 1 else columns.to_frame().itertuples(index=False))
        ]
        ways = indices.loc[:, alike]
        moved = ways.max(axis=1) - ways.min(axis=1)
        rows[name or "way"] = {
            "ways": int(np.sum(alike)),
            "usual": moved.median(),
            "largest": moved.max(),
            "moved_most": moved.idxmax() if moved.notna().any() else None,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("choice")


__all__ = ["IndexRange", "every_reading", "need_range", "range_over", "utilisation_held"]
