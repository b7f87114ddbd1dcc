"""The need index: expected use over the mean of a named base, by area and by team.

index_k = mean(need in k) / mean(need in the base)
weighted population_k = population_k * index_k, rescaled to the base's population
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import reference
from needsalloc.ages import Whose
from needsalloc.catchment import Catchment
from needsalloc.display import sentence_and_table
from needsalloc.errors import FormulaError, InvalidValueError, UnknownCodeError, check_kind
from needsalloc.geography import AREAS_OF_ENGLAND
from needsalloc.grouping import OF_AREAS
from needsalloc.kernels import flow
from needsalloc.use import ExpectedUse

if TYPE_CHECKING:
    from needsalloc.need import NeedFormula

Floats = NDArray[np.float64]
BaseName = Literal["england", "icb"]
# Table 1 of Filipe et al. 2024 describes the people that its formula was fitted on.
FITTED_ON = "filipe-2024-table1"


@dataclass(frozen=True, slots=True)
class Base:
    """Where the index is 1: `key` in column names, `name` for readers, its adults and their mean use.

    `teams` (teams,) tells which teams' people sum to it.
    """

    key: BaseName
    name: str
    adults: float
    mean_use: float
    teams: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class NeedIndex:
    """Need relative to a base, by area and by team.

    Attributes
    ----------
    use:
        The expected use on flows that it was made from.
    areas:
        Index area: `imd_score`, `deprivation_decile`, `registered`, `resident`, `registered_adults`,
        `resident_adults`; of its residents `expected_use` (per adult), `need_index_<base>`,
        `need_index_age_standardised`.
    teams:
        Index team: `team_name`, `icb`, `icb_name`, `is_team`, `registered`, `outside` (of these, not living
        in an English area), `resident`, `registered_adults`, `resident_adults`, `expected_use`,
        `need_index_<base>`, `weighted_population`, and `share_outside_fitted_range` of its adults, who live
        in areas less deprived than the formula was fitted on (NaN where that is not known).
    base:
        Where the index is 1.
    people:
        Whose need a team answers for: "registered" or "resident" adults.
    catchment:
        The teams' own catchment, which may be drawn otherwise than the one that use was computed on.
    """

    use: ExpectedUse
    areas: pd.DataFrame
    teams: pd.DataFrame
    base: Base
    people: Whose
    catchment: Catchment

    @property
    def column(self) -> str:
        """The name of the index column, with its base."""
        return f"need_index_{self.base.key}"

    def __repr__(self) -> str:
        index = self.teams.loc[self.teams["is_team"], self.column]
        return (
            f"<NeedIndex by {self.use.formula.name}: {len(index):,} teams from {index.min():.2f} to "
            f"{index.max():.2f}, {self.base.name} = 1.00 over {self.base.adults:,.0f} adults>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.teams)


def need_index(
    use: ExpectedUse,
    *,
    base: BaseName = "england",
    people: Whose = "registered",
    icb: str | None = None,
    catchment: Catchment | None = None,
) -> NeedIndex:
    """Expected use over the base's mean, by area and by team.

    base: "england" (its resident adults; every area of England must be there) or "icb" (the adults of the
        teams at hand, or of the one `icb` named, counted as `people` says). Who lives in no team's areas,
        where teams are groups of areas, is in the base if their row is of the `icb` named.
    people: whose need a team answers for: the adults on its lists, or residents shared by the flows. Patients
        who live in no English area carry their team's mean need.
    catchment: the teams, if they are others than those that `use` was computed for: other groups of the same
        practices, or teams of whole areas (first past the post, neighbourhoods made of areas), who answer for
        residents.

    The index averages 1 over the base's adults. `weighted_population` is adults times index, rescaled over
    the base's teams to the base's adults.

    Raises FormulaError for an unknown base or people, or teams that cannot answer for these people;
    UnknownCodeError if the base is not all there or the catchment has other areas, InvalidValueError if
    nobody of it lives in England.
    """
    check_kind(use, ExpectedUse, "formula.expected_use(people) makes it")
    if people not in ("registered", "resident"):
        raise FormulaError(f"Unknown people {people!r}: choose registered or resident.")
    if base not in ("england", "icb"):
        raise FormulaError(f"Unknown base {base!r}: choose england or icb.")
    who = use.people
    drawn = who.catchment if catchment is None else catchment
    _check_teams(who.catchment, drawn, people)
    teams = _count_people(use, drawn)
    contacts, adults = (drawn.sum_by_team(part) for part in (use.of(people).crude, use.of(people).adults))
    teams["expected_use"] = contacts / adults
    counted = teams[f"{people}_adults"]
    if base == "england":
        found = _england(use, len(teams))
    else:
        found = _icb(drawn, counted, teams["expected_use"], icb)
    column = f"need_index_{base}"
    teams[column] = teams["expected_use"] / found.mean_use
    weighted = (counted * teams[column]).fillna(0.0)
    teams["weighted_population"] = weighted * (found.adults / weighted[found.teams].sum())
    teams["share_outside_fitted_range"] = _beyond(use, drawn, people) / adults
    living = use.resident
    resident_adults, contacts_of_area, level = (
        flow.total_by_row(part) for part in (living.adults, living.crude, living.at_equal_ages)
    )
    areas = who.deprivation.assign(
        registered=who.catchment.registered_by_area.to_numpy(),
        resident=who.residents,
        registered_adults=flow.total_by_row(use.registered.adults),
        resident_adults=resident_adults,
        expected_use=contacts_of_area / resident_adults,
    )
    areas[column] = areas["expected_use"] / found.mean_use
    areas["need_index_age_standardised"] = level / resident_adults / found.mean_use
    return NeedIndex(use, areas, teams, found, people, drawn)


def _check_teams(home: Catchment, drawn: Catchment, people: Whose) -> None:
    """Refuse teams that need on the flows of `home` cannot be added up for."""
    if not home.areas.equals(drawn.areas):
        raise UnknownCodeError(
            f"The teams' catchment has {len(drawn.areas):,} areas, the people {len(home.areas):,} or others. "
            "Draw both from the same registrations."
        )
    if drawn.method.name == "stratified":
        raise FormulaError(
            "Need is computed for each flow and age already: a stratified catchment carries counts by age. "
            "Use the proportional one."
        )
    if drawn.of_whole_areas and people != "resident":
        raise FormulaError(
            "Teams made of whole areas answer for those who live there: people must be resident, not "
            f"{people}. Registered people belong to their practice's team, in proportional catchments."
        )
    if not drawn.of_whole_areas and not home.practices.equals(drawn.practices):
        raise UnknownCodeError(
            "The teams' catchment has other practices than the people. Draw both from the same registrations."
        )


def _count_people(use: ExpectedUse, drawn: Catchment) -> pd.DataFrame:
    """The teams with their people, registered and resident, of all ages and adults."""
    lists, ages = drawn.populations(), use.people.ages
    # Patients who live in no English area are taken to be adults as often as the rest of their list.
    lift = (lists["registered"] / lists["inside"].where(lists["inside"] > 0)).where(
        lists["registered"] > 0, 1
    )
    return drawn.teams.assign(
        registered=lists["registered"],
        outside=lists["outside"],
        resident=drawn.sum_by_team(ages.on_flows(ages.people["resident"].sum(axis=1))),
        registered_adults=drawn.sum_by_team(use.registered.adults) * lift,
        resident_adults=drawn.sum_by_team(use.resident.adults),
    )


def least_fitted_score(formula: NeedFormula) -> float:
    """The mean score of the least deprived fifth that the formula was fitted on; NaN where not known."""
    if FITTED_ON not in formula.tables:
        return np.nan
    printed = reference.read(FITTED_ON).frame.set_index("variable")["mean"]
    return float(printed["imd_quintile_5_least_deprived_score"])


def _beyond(use: ExpectedUse, drawn: Catchment, people: Whose) -> pd.Series:
    """(teams,) adults who live in areas less deprived than the formula was fitted on."""
    least = least_fitted_score(use.formula)
    if np.isnan(least):
        return pd.Series(np.nan, drawn.teams.index)
    adults = use.of(people).adults
    outside = use.people.imd_score[adults.indices] < least
    return drawn.sum_by_team(use.people.ages.on_flows(np.where(outside, adults.data, 0.0)))


def refuse_part_of_england(catchment: Catchment) -> None:
    """UnknownCodeError if a catchment has not all of England's areas, as a base of England needs."""
    if not catchment.is_national:
        whole = AREAS_OF_ENGLAND[catchment.vintage]
        raise UnknownCodeError(
            f"A need index with England as its base needs all {whole:,} areas of England; the registrations "
            f'have {len(catchment.areas):,}. Choose base = "icb", or use the national registration file.'
        )


def _england(use: ExpectedUse, teams: int) -> Base:
    refuse_part_of_england(use.people.catchment)
    adults = float(use.resident.adults.sum())
    mean = float(use.resident.crude.sum() / adults)
    return Base("england", "England", adults, mean, np.full(teams, True))


def _icb(catchment: Catchment, counted: pd.Series, use_by_team: pd.Series, icb: str | None) -> Base:
    teams = catchment.teams
    of_areas = catchment.practices.name == OF_AREAS
    if icb is not None:
        inside = (teams["icb"] == icb).to_numpy()
    else:
        inside = teams["is_team"].to_numpy() if of_areas else np.full(len(teams), True)
    if not inside.any():
        raise UnknownCodeError(f"No team belongs to the ICB {icb!r}. Give the code of an ICB in the map.")
    names = cast("list[str]", teams.loc[inside & teams["is_team"], "icb_name"].unique().tolist())
    adults = float(counted[inside].sum())
    if adults <= 0:
        raise InvalidValueError(
            f"No patient of the {inside.sum():,} teams of the base lives in an English area, so there is no "
            "mean need. Use the lists that hold them."
        )
    mean = float((counted * use_by_team)[inside].sum() / adults)
    # Groups of areas may be a part of one ICB, whose name must not stand for them.
    named = len(names) == 1 and not (of_areas and icb is None)
    name = names[0].replace("Integrated Care Board", "ICB") if named else ""
    return Base("icb", name or "All teams", adults, mean, inside)


__all__ = ["Base", "NeedIndex", "least_fitted_score", "need_index", "refuse_part_of_england"]
