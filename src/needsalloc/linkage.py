"""How much of the lists a linked cohort covers, by practice and by area: the first table of any fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from needsalloc.alignment import numbers
from needsalloc.disclosure import Rule, SuppressedTable, suppress_table
from needsalloc.display import sentence_and_table
from needsalloc.engines import people_by
from needsalloc.errors import InvalidValueError, MissingColumnError, first_few
from needsalloc.quality import ratio

LITTLE = 0.8
NOT_RECORDED = "not recorded"
_AREAS = ("lsoa21", "lsoa11", "area")


@dataclass(frozen=True, eq=False)
class Linkage:
    """People of a cohort over people listed.

    Attributes
    ----------
    practices, areas:
        Index practice or area, the lowest coverage first: `linked` (of the cohort), `listed`, `coverage`
        (linked / listed; infinite where nobody is listed) and `flag`, which is empty where nothing is odd.
    little:
        The coverage under which a practice or area is flagged.
    """

    practices: pd.DataFrame
    areas: pd.DataFrame
    little: float

    def to_publish(self, rule: Rule | None = None) -> tuple[SuppressedTable, SuppressedTable]:
        """Practices and areas as they can be passed on: without those of few linked people, and others that
        would tell them.

        rule: the default one without it.
        """
        practices, areas = (
            suppress_table(frame.reset_index(), counts=["linked"], rates=["coverage", "flag"], rule=rule)
            for frame in (self.practices, self.areas)
        )
        return practices, areas

    def __repr__(self) -> str:
        linked, listed = self.practices["linked"].sum(), self.practices["listed"].sum()
        odd = self.practices["flag"].value_counts()
        flags = "".join(f", {number:,} {flag}" for flag, number in odd.items() if flag)
        return (
            f"<Linkage: {linked:,.0f} people of {listed:,.0f} listed ({linked / listed:.1%}); "
            f"{len(self.practices):,} practices{flags}; {len(self.areas):,} areas>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.practices)


def linkage_coverage(rows: Any, lists: pd.DataFrame, *, little: float = LITTLE) -> Linkage:
    """Hold a cohort against the lists it was linked from, by practice and by area.

    rows: persons on any engine (as for `collapse`) with the columns `practice` and that of the lists' areas.
    lists: `practice`, an area (`lsoa21`, `lsoa11` or `area`) and `patients`, as of `read_registrations`: of
        the same day and the same ages as the cohort, or the coverage is not one.
    little: flag what is covered by less, "under 80%".

    People without a practice or an area are a row of their own, "not recorded".

    Raises MissingColumnError for a column that is not there, InvalidValueError for counts that are negative
    or no numbers, for nobody listed, or a threshold that is no share.

    >>> cohort = pd.DataFrame({"practice": ["A81001"] * 3, "lsoa21": "E01000001"})
    >>> lists = pd.DataFrame({"practice": ["A81001", "A81002"], "lsoa21": "E01000001", "patients": [4, 5]})
    >>> linkage_coverage(cohort, lists).practices["coverage"].to_dict()
    {'A81002': 0.0, 'A81001': 0.75}
    """
    if not 0 < little <= 1:
        raise InvalidValueError(f"Coverage below {little!r} is to be flagged: write 0.8 for 80 per cent.")
    area = next((name for name in _AREAS if name in lists), _AREAS[0])
    if lacking := [name for name in ("practice", area, "patients") if name not in lists]:
        raise MissingColumnError(f"The lists lack {first_few(lacking)}; they have {first_few(lists, 12)}.")
    patients = numbers(lists["patients"], "The counts of people")
    if not ((patients >= 0) & np.isfinite(patients)).all() or not patients.any():
        raise InvalidValueError("The lists have negative or missing counts, or nobody at all. Mend them.")
    linked = people_by(rows, ["practice", area])
    listed = lists[["practice", area]].assign(people=patients)
    practices, areas = (_covered(linked, listed, column, little) for column in ("practice", area))
    return Linkage(practices, areas, little)


def _covered(linked: pd.DataFrame, listed: pd.DataFrame, column: str, little: float) -> pd.DataFrame:
    """The table of one kind of place, the least covered first."""
    sums = {
        name: people["people"].groupby(_code(people[column])).sum()
        for name, people in (("linked", linked), ("listed", listed))
    }
    table = (
        pd.DataFrame(sums).fillna(0.0).rename_axis(column)
    )  # who is in one of them alone has 0 in the other
    coverage = ratio(table["linked"], table["listed"])
    flag = np.select(
        [table["listed"] == 0, table["linked"] == 0, coverage > 1, coverage < little],
        ["not on the lists", "with nobody linked", "with more than listed", f"under {little:.0%}"],
        "",
    )
    table = table.assign(coverage=coverage, flag=flag.astype(object))
    return table.sort_values("coverage", kind="stable")


def _code(column: pd.Series) -> pd.Series:
    return column.astype("str").str.strip().str.upper().where(column.notna(), NOT_RECORDED)


__all__ = ["Linkage", "linkage_coverage"]
