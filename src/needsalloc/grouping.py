"""A catchment drawn anew for other teams, and one set of teams crossed with another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from needsalloc import teams as of_teams
from needsalloc.errors import InvalidValueError, UnknownCodeError, first_few
from needsalloc.kernels import assign, flow
from needsalloc.teams import NOT_IN_MAP, UNASSIGNED

if TYPE_CHECKING:
    from needsalloc.catchment import Catchment

OF_AREAS = "group of areas"


def regrouped(catchment: Catchment, groups: pd.Series) -> dict[str, Any]:
    """The fields of a catchment that change when its practices, or its areas, are grouped by name.

    Raises as `Catchment.regroup`.
    """
    if not isinstance(groups, pd.Series):
        raise InvalidValueError(
            "Give the groups as a pandas Series: index the codes of practices or areas, values the names of "
            f"their groups, not a {type(groups).__name__}."
        )
    codes = _as_written(groups.index, catchment.areas.union(catchment.practices))
    by_area = bool(codes.isin(catchment.areas).sum() > codes.isin(catchment.practices).sum())
    noun, known = ("areas", catchment.areas) if by_area else ("practices", catchment.practices)
    name = _name_of_each(groups.set_axis(codes), known, noun)
    label = name.mask(name == NOT_IN_MAP, f"{noun.capitalize()} in no group")
    if by_area:
        return _of_areas(catchment, name, label)
    size = flow.total_by_column(catchment.registered) + catchment.outside_by_practice
    icb, icb_name = _icbs(catchment, catchment.team_of_practice)
    position, teams = of_teams.labelled(name, label, icb, icb_name, size)
    return {"teams": teams, "team_of_practice": position}


def _as_written(codes: pd.Index, known: pd.Index) -> pd.Index:
    """Codes as the catchment writes them: official ones in upper case, names of groups as they are."""
    written = codes.astype("str").str.strip()
    return written.where(written.isin(known), written.str.upper())


def _name_of_each(groups: pd.Series, known: pd.Index, noun: str) -> pd.Series:
    unknown = groups.index.difference(known)
    if len(unknown):
        raise UnknownCodeError(
            f"{len(unknown):,} of {len(groups):,} {noun} of the groups are not in this catchment: "
            f"{first_few(unknown)}. Check the codes, or leave out those who have no patient here."
        )
    group = groups.astype("str").str.strip()
    nameless = groups.isna().to_numpy() | (group == "").to_numpy()
    wrong = groups.index[groups.index.duplicated(keep=False) | nameless].unique()
    if len(wrong):
        raise InvalidValueError(
            f"{len(wrong):,} {noun} have two groups or none: {first_few(wrong)}. Keep each in one group."
        )
    named = group.reindex(known)
    # Who was in no team by the shares given stays so, and is not a gap of the groups.
    named[known == UNASSIGNED] = UNASSIGNED
    return named.fillna(NOT_IN_MAP)


def _of_areas(catchment: Catchment, name: pd.Series, label: pd.Series) -> dict[str, Any]:
    """Teams made of areas: all of an area's people flow to the one team that it belongs to."""
    size = flow.total_by_row(catchment.registered)
    everybody = np.ones(len(catchment.teams), dtype=np.bool_)
    largest = assign.first_past_the_post(catchment.flows, everybody).entries
    # An area of nobody, as on a base of residents, has the ICB of any team: it weighs nothing.
    team = np.zeros(len(name), dtype=np.int64)
    team[assign.rows_of(catchment.flows)[largest]] = catchment.flows.indices[largest]
    icb, icb_name = _icbs(catchment, team)
    position, teams = of_teams.labelled(name, label, icb, icb_name, size)
    if len(catchment.outside) and NOT_IN_MAP not in teams.index:
        teams = of_teams.with_group(teams, NOT_IN_MAP, "People who live in no area")
    shape = (len(name), len(teams))
    return {
        "registered": flow.flow_matrix(np.arange(len(name)), position, size, shape),
        "practices": pd.Index(teams.index, name=OF_AREAS),
        "teams": teams,
        "team_of_practice": np.arange(len(teams)),
        "outside": catchment.outside.assign(practice=NOT_IN_MAP),
    }


def _icbs(catchment: Catchment, team: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Code and name of the ICB of each of these teams, given by position."""
    return catchment.teams["icb"].to_numpy()[team], catchment.teams["icb_name"].to_numpy()[team]


def between(left: Catchment, right: Catchment) -> dict[str, Any]:
    """The fields of the catchment whose areas are the teams of `left` and whose teams are those of `right`.

    Raises as `Catchment.crosswalk`, and InvalidValueError for a catchment of shares alone.
    """
    for either in (left, right):
        either.refuse_shares_alone()
    # Groups of areas of the same names may hold other areas.
    of_areas = OF_AREAS in (left.practices.name, right.practices.name)
    of_areas = of_areas or left.method.by_whole_areas or right.method.by_whole_areas
    teams = right.teams
    if not of_areas and left.practices.equals(right.practices):
        if left.residents is None:
            size = flow.total_by_column(left.registered) + left.outside_by_practice
        else:
            size = flow.total_by_column(flow.scale_rows(left.registered, left.residents / left.size_of_area))
        shape = (len(left.teams), len(right.teams))
        shared = flow.flow_matrix(left.team_of_practice, right.team_of_practice, size, shape)
    elif left.areas.equals(right.areas):
        shared = sparse.csr_array(left.served.T @ right.resident_share)
        if len(left.outside) and left.unit == "patients":
            # Who lives in no area meets no team of the other; nobody is lost on the way.
            teams = of_teams.with_group(teams, UNASSIGNED, of_teams.UNASSIGNED_NAME)
            column = int(teams.index.get_indexer(pd.Index([UNASSIGNED]))[0])
            shared = flow.add_column(shared, left.populations()["outside"].to_numpy(), column)
        shared.sort_indices()
    else:
        raise UnknownCodeError(
            f"The two catchments have no list of areas in common: {len(left.areas):,} {left.areas.name} "
            f"and {len(right.areas):,} {right.areas.name}. Make both from the same flows."
        )
    kept = np.flatnonzero(flow.total_by_row(shared) > 0)
    return {
        "registered": shared[kept],
        "areas": pd.Index(left.teams.index[kept], name="from_team"),
        "practices": pd.Index(teams.index, name="team"),
        "teams": teams,
        "team_of_practice": np.arange(len(teams)),
        "outside": left.outside.iloc[:0],
        "on": left.on,
        "unit": left.unit,
    }


__all__ = ["OF_AREAS", "between", "regrouped"]
