"""How one count of people comes to teams, with what must be said of it: a column of the planners' table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.catchment import ON_OTHER_LISTS, Catchment
from needsalloc.errors import InvalidValueError
from needsalloc.geography import AREAS_OF_ENGLAND
from needsalloc.growth import Growth

Floats = NDArray[np.float64]

NOT_IN_REGISTRATIONS = "not in the registrations"
NOT_GIVEN = "not given"
_NOBODY = 1e-6


class Column(NamedTuple):
    """A count by team, and whom it counts, its file, its day, how it came to teams, and its growth.

    counts: index team, and rows of their own for those who are with none; NaN where no file gives it.
    """

    name: str
    counts: pd.Series
    people: str
    source: str
    on: str
    how: str
    growth: str = ""


@dataclass(frozen=True, eq=False)
class Carrier:
    """Carries counts to the teams of a catchment.

    shared_out: (areas,) the part of the residents whom the flows share out, None where it is not known.
    dates: by argument, the day or period of files that do not say it.
    """

    catchment: Catchment
    growth: Growth | None
    dates: Mapping[str, str]
    shared_out: Floats | None

    @classmethod
    def of(
        cls,
        catchment: Catchment,
        population: pd.DataFrame | None,
        growth: Growth | None,
        dates: Mapping[str, str],
    ) -> Carrier:
        """With the part shared out from the residents, all of them where the lists are of all England."""
        if catchment.is_national or catchment.areas.name not in AREAS_OF_ENGLAND:
            return cls(catchment, growth, dates, np.ones(len(catchment.areas)))
        if population is None:
            return cls(catchment, growth, dates, None)
        people = catchment.aligned(population.sum(axis=1), "the population file", cover=False)
        here = catchment.residents_here(people)
        part = np.divide(here, people, out=np.ones_like(people), where=people > 0)
        return cls(catchment, growth, dates, part)

    def by_practice(
        self, name: str, counts: pd.Series, argument: str, file: pd.DataFrame, growth: str = ""
    ) -> Column:
        """A count by practice, added up by team; a row has the practices that nobody of England is with."""
        of = self.catchment
        here = counts.reindex(of.practices).fillna(0.0).to_numpy(np.float64)
        by_team = pd.Series(np.bincount(of.team_of_practice, here, len(of.teams)), of.teams.index)
        known = of.practices.get_indexer(counts.index) >= 0  # its lookup is kept from one column to the next
        away = counts[~known]
        how = f"added up over {known.sum():,} practices"
        if of.is_national:
            by_team.loc[NOT_IN_REGISTRATIONS] = away.sum()
        elif len(away):
            how += f"; {len(away):,} of the file are not in these lists of a part of England"
        on = self.date(argument, file)
        return Column(name, by_team, "registered", file_of(file), on, how, growth)

    def by_area(
        self,
        name: str,
        counts: pd.Series | pd.DataFrame,
        argument: str,
        file: pd.DataFrame,
        *,
        people: str = "residents",
        grows: bool = True,
    ) -> Column:
        """A count by area, or by area and age, shared as the catchment shares its residents.

        Raises InvalidValueError if the lists are of a part of England and residents are not known; else as
        `Catchment.aligned`.
        """
        of = self.catchment
        if self.shared_out is None:
            raise InvalidValueError(
                f"The lists are of a part of England, so {name} cannot be shared out by itself: some of "
                "these people are on lists that were not read. Give population= too."
            )
        has_ages = isinstance(counts, pd.DataFrame)
        table = counts.to_frame(name) if isinstance(counts, pd.Series) else counts
        by_age = self.growth is not None and self.growth.by_age
        grown = self.growth if grows and (has_ages or not by_age) else None
        if grown is not None and grown.by_age:
            table = grown.of_ages(table)
        values = of.aligned(table, f"{argument}= ({name})", cover=of.is_national)
        if grown is not None and not grown.by_age:
            values = values * grown.of_areas(of)[:, None]
        here = values * self.shared_out[:, None]
        if has_ages and of.strata is not None:
            carried = of.apportion(pd.DataFrame(here, of.areas, table.columns)).sum(axis=1)
            how = "shared by age"
        else:
            carried = pd.Series(of.resident_share.T @ here.sum(axis=1), of.teams.index)
            how = f"shared by {of.method}"
        beyond = float(values.sum() - here.sum())
        if beyond > _NOBODY:
            carried.loc[ON_OTHER_LISTS] = beyond
        growth = "" if grown is None else grown.said
        return Column(name, carried, people, file_of(file), self.date(argument, file), how, growth)

    def registered(self, name: str, per_area: Floats | None, counts: pd.Series | None, how: str) -> Column:
        """Patients of the registrations themselves: by area (areas,), or by team."""
        of = self.catchment
        if counts is None:
            counts = pd.Series(of.resident_share.T @ per_area, of.teams.index)
        return Column(name, counts, "registered", "the registrations", str(of.on or NOT_GIVEN), how)

    def empty(self, name: str, people: str, why: str) -> Column:
        """A column that no file gives, and why."""
        nothing = pd.Series(np.nan, self.catchment.teams.index)
        return Column(name, nothing, people, NOT_GIVEN, "", f"empty: {why}")

    def date(self, argument: str, file: pd.DataFrame | None) -> str:
        """The day or period of a file: as the user says, else as it says itself."""
        own = None if file is None else file.attrs.get("on")
        return str(self.dates.get(argument) or own or NOT_GIVEN)


def file_of(frame: pd.DataFrame) -> str:
    return str(frame.attrs.get("source", {}).get("file", "yours"))


__all__ = ["NOT_GIVEN", "NOT_IN_REGISTRATIONS", "Carrier", "Column", "file_of"]
