"""Every published need measure of the same teams or areas in one table, and what the others lack.

index over a base = (need per head) / (the base's need per head)

District nursing is made on flows from areas to practices, NHS England's weighted populations on practices,
the others on areas; `measures_on_rows` says how each gets to a team or an area.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import get_args

import pandas as pd

from needsalloc.assumptions import Assumption
from needsalloc.catchment import Catchment
from needsalloc.display import sentence_and_table
from needsalloc.errors import FormulaError, InvalidValueError, check_kind, first_few
from needsalloc.fifths import gradient_by_fifth
from needsalloc.measures_on_rows import (
    BaseName,
    Found,
    Rows,
    Unit,
    Whose,
    district_nursing,
    of_areas,
    place_tool,
)
from needsalloc.use import ExpectedUse


@dataclass(frozen=True, eq=False)
class MeasureComparison:
    """Need measures side by side.

    Attributes
    ----------
    measures:
        Index `measure`, a row for each: `title`; `kind` ("index", or "score" whose mean over rows is 0);
        `edition`; `computed`; `made_on` (flows, practices or areas); `people`, whom a row's value is over;
        `base_people`, over whom England's is 1; `bases` there are; `rows` with a value; `lacks`, empty where
        it was computed, else what is missing or wrong in the inputs and what to do; `source`.
    rows:
        Index `team` or the areas' vintage: what they are, with their ICB (of an area, that of the team with
        most of its patients) and `registered` patients.
    england, icb:
        (rows, measures) the index over England and over the row's own ICB. Measures without that base are not
        there, and rows without people are NaN.
    scores:
        (rows, measures) of kind "score": no ratio, and nothing can be shared out by them.
    at_equal_ages:
        (areas, measures) the index over England as if every area had the ages of all; for areas only, and
        where the measure has people by age.
    people:
        (rows, measures) the people each value is over.
    unit:
        What the rows are: "team" or "area".
    notes:
        What was assumed on the way.
    """

    measures: pd.DataFrame
    rows: pd.DataFrame
    england: pd.DataFrame
    icb: pd.DataFrame
    scores: pd.DataFrame
    at_equal_ages: pd.DataFrame
    people: pd.DataFrame
    unit: Unit
    notes: tuple[Assumption, ...] = field(repr=False)

    @cached_property
    def table(self) -> pd.DataFrame:
        """`rows`, and `<measure>_index_england`, `<measure>_index_icb` or `<measure>_score` of every measure.

        A measure's name has an underscore there for every other sign: `community_nhs_england_2023_24`.
        """
        parts = {"_index_england": self.england, "_index_icb": self.icb, "_score": self.scores}
        columns = {
            column_of(name) + suffix: part[name]
            for name in self.measures.index
            for suffix, part in parts.items()
            if name in part
        }
        return pd.concat([self.rows, pd.DataFrame(columns, index=self.rows.index)], axis=1)

    def by_fifth(self, fifth: pd.Series) -> pd.DataFrame:
        """Every index over England by fifth of deprivation: index (`measure`, `ages`).

        `ages` is "crude" and, where there is one, "equal"; columns as of `gradient_by_fifth`, which says what
        it raises. fifth: by row, 1 the most deprived.
        """
        found = {
            "crude": gradient_by_fifth(self.england, self.people, fifth),
            "equal": gradient_by_fifth(self.at_equal_ages, self.people, fifth),
        }
        both = pd.concat(found, names=["ages", "measure"]).swaplevel()
        order = {name: at for at, name in enumerate(self.measures.index)}
        return both.iloc[pd.Series([order[name] for name, _ in both.index]).argsort(kind="stable").to_numpy()]

    def __repr__(self) -> str:
        computed = int(self.measures["computed"].sum())
        rest = len(self.measures) - computed
        lacking = f"; {rest} could not be computed, see measures" if rest else ""
        return f"<MeasureComparison of {len(self.rows):,} {self.unit}s by {computed} measures{lacking}>"

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.measures.drop(columns="source"))


def compare_measures(
    catchment: Catchment,
    *,
    unit: Unit = "team",
    groups: pd.Series | None = None,
    uses: Sequence[ExpectedUse] = (),
    weighted_populations: Sequence[pd.DataFrame] = (),
    inputs: Mapping[str, pd.DataFrame] | None = None,
    people: Whose = "registered",
) -> MeasureComparison:
    """Every need measure that the data at hand feed, by team or area, and what each of the others lacks.

    catchment: the flows, proportional; its practices are those of `uses`.
    unit: "team", a row for each team of the catchment; or "area", one for each area.
    groups: other teams than the catchment's: a name by practice or by area (`Catchment.regroup`).
    uses: expected use by the district-nursing formula, one for each reading (`NeedFormula.expected_use`).
    weighted_populations: NHS England's of any years, all of England (`read_weighted_populations`).
    inputs: frames by area for the other presets, as `formulas.PRESETS` names them: `population` by (area,
        sex), `health_domain`, `care_need_counts`, `health_visiting_counts`. Of all England for its base.
    people: whose need a team answers for: those on its lists, or residents shared by the flows (groups of
        areas answer for residents). NHS England's are always over the lists of the file; the others of an
        area are over those who live in it.

    Values from practices and flows are added up; an area's index is averaged over the row's people, who are
    taken to be as old as their area. A score is made anew from averaged rates.

    Raises FormulaError for an unknown unit or people, InvalidValueError for a measure given twice or a
    catchment that is not proportional, and whatever is wrong with `uses`, `groups` or `weighted_populations`.
    What is wrong with `inputs` is in `measures`.
    """
    if unit not in get_args(Unit) or people not in get_args(Whose):
        raise FormulaError(
            f"There are no measures of {people!r} people by {unit!r}: choose registered or resident, team or "
            "area."
        )
    check_kind(catchment, Catchment, "Catchment.from_registrations makes it")
    catchment.refuse_shares_alone()
    if catchment.method.name != "proportional" or (unit == "area" and groups is not None):
        raise InvalidValueError(
            f"Measures are added up on proportional flows, by area or else by group; these are "
            f"{catchment.method.label}, by {unit}{'' if groups is None else ' with groups'}. Use the "
            "proportional catchment, and groups with teams alone."
        )
    drawn = catchment if groups is None else catchment.regroup(groups)
    rows = Rows(catchment, drawn, unit, people)
    found = [
        *district_nursing(uses, rows),
        *place_tool(weighted_populations, rows),
        *of_areas(inputs or {}, rows),
    ]
    twice = [name for name, times in Counter(one.name for one in found).items() if times > 1]
    if twice:
        raise InvalidValueError(
            f"{len(twice):,} measures are given twice: {first_few(twice)}. Name editions "
            '(read_weighted_populations(path, edition="2024/25")), or give each once.'
        )
    return _compared(found, rows)


def column_of(measure: str) -> str:
    """What a measure is called at the beginning of a column's name."""
    return measure.replace("/", "_").replace("-", "_")


def _compared(found: Sequence[Found], rows: Rows) -> MeasureComparison:
    def frame(key: str) -> pd.DataFrame:
        columns = {one.name: one.by_row[key] for one in found if key in one.by_row}
        return pd.DataFrame(columns, index=rows.table.index, dtype="float64")

    described = {
        one.name: {
            "title": one.title,
            "kind": one.kind,
            "edition": one.edition,
            "computed": not one.lacks,
            "made_on": one.made_on,
            "people": one.people,
            "base_people": one.base_people,
            "bases": ", ".join(base for base in get_args(BaseName) if base in one.by_row),
            "rows": int(next(iter(one.by_row.values())).notna().sum()) if one.by_row else 0,
            "lacks": one.lacks,
            "source": one.source,
        }
        for one in found
    }
    counted = {one.name: one.counted for one in found if one.counted is not None}
    return MeasureComparison(
        pd.DataFrame.from_dict(described, orient="index").rename_axis("measure"),
        rows.table,
        frame("england"),
        frame("icb"),
        frame("score"),
        frame("equal"),
        pd.DataFrame(counted, index=rows.table.index, dtype="float64"),
        rows.unit,
        tuple(dict.fromkeys(note for one in found for note in one.notes)),
    )


__all__ = ["MeasureComparison", "column_of", "compare_measures"]
