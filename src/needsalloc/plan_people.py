"""Who a plan is for: its catchment, its teams and its people, from its files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from needsalloc.catchment import Catchment
from needsalloc.errors import InvalidValueError, PlanError, UnknownCodeError, first_few
from needsalloc.geography import AREAS_OF_ENGLAND, check_same_vintage
from needsalloc.index import NeedIndex
from needsalloc.inputs import Inputs
from needsalloc.kernels import assign, flow
from needsalloc.people import People, build_people
from needsalloc.sources import NO_PCN
from needsalloc.teams import (
    AREAS_ELSEWHERE,
    NO_PCN_ELSEWHERE,
    NO_TEAM,
    NOT_IN_MAP,
    UNASSIGNED,
    practices_in,
)

_PEOPLE_FILES = ("population", "deprivation", "lists", "conditions", "shares")


def catchment_of(inputs: Inputs) -> Catchment:
    """The plan's catchment: its PCNs, and the teams that the sheet of current posts makes of practices.

    With one ICB, practices without a PCN in other ICBs are a group of their own.
    """
    membership, icb = inputs.frames["membership"], inputs.plan.catchment.icb
    if "current" in inputs.frames:
        membership = _with_own_teams(membership, inputs.frames["current"])
    if icb:
        practices_in(membership, "icb", icb)
        elsewhere = (membership["pcn"] == NO_PCN) & (membership["icb"] != icb)
        membership = membership.assign(
            pcn=membership["pcn"].mask(elsewhere, NO_PCN_ELSEWHERE),
            pcn_name=membership["pcn_name"].mask(elsewhere, "No PCN, in other ICBs"),
        )
    catchment = Catchment.from_registrations(inputs.frames["registrations"], membership)
    if "boundaries" in inputs.frames:
        drawn = inputs.frames["boundaries"].index
        check_same_vintage(catchment.areas, drawn, left_name="The registrations", right_name="the boundaries")
    return catchment


def _with_own_teams(membership: pd.DataFrame, current: pd.DataFrame) -> pd.DataFrame:
    """The map with each practice that the planner's sheet names moved to the team that names it.

    Raises UnknownCodeError for a practice that is not in the map, InvalidValueError for one in two teams.
    """
    blank = pd.Series("", index=current.index)
    own = current.assign(practice=current.get("practices", blank).str.split()).explode("practice")
    own = own.dropna(subset="practice").drop_duplicates(["team", "practice"]).set_index("practice")
    if own.empty:
        return membership
    twice = own.index[own.index.duplicated()].unique()
    if len(twice):
        raise InvalidValueError(
            f"{len(twice):,} practices of the sheet are in two teams: {first_few(twice)}. Keep each in one."
        )
    unknown = own.index.difference(pd.Index(membership["practice"]))
    if len(unknown):
        raise UnknownCodeError(
            f"{len(unknown):,} practices of the sheet are not in the map: {first_few(unknown)}. "
            "Check their codes (such as A81001)."
        )
    team = membership["practice"].map(own["team"])
    own_name = own.get("team_name", own["team"])
    name = membership["practice"].map(own_name.where(own_name != "", own["team"]))
    return membership.assign(pcn=team.fillna(membership["pcn"]), pcn_name=name.fillna(membership["pcn_name"]))


def teams_of(inputs: Inputs, catchment: Catchment) -> Catchment:
    """The teams that the plan is for: those of the catchment, by the plan's method, or the sheet's own of
    areas.

    Raises PlanError for a sheet with teams of areas beside others, beside another method, and where they
    would not serve residents.
    """
    plan = inputs.plan
    areas = inputs.frames["current"].get("areas") if "current" in inputs.frames else None
    if areas is None or not (areas != "").any():
        return catchment.with_method(plan.catchment.method)
    current = inputs.frames["current"]
    others = current.loc[areas == "", "team"]
    if len(others):
        raise PlanError(
            f"{int((areas != '').sum()):,} teams of the sheet are made of areas and {len(others):,} are not: "
            f"{first_few(others)}. People would be counted with both: name the areas of every team, or of "
            "none."
        )
    if plan.need.people != "resident":
        raise PlanError(
            f"The {len(current):,} teams of the sheet are made of areas, so they answer for those who live "
            'there: write people = "resident" under [need].'
        )
    if plan.catchment.method != "proportional":
        raise PlanError(
            f"The {len(current):,} teams of the sheet are made of whole areas, so the method "
            f"{plan.catchment.method} has nothing to decide: take method out of [catchment], or the areas "
            "out of the sheet."
        )
    return _of_areas(catchment, current, plan.catchment.icb)


def _of_areas(catchment: Catchment, current: pd.DataFrame, icb: str | None) -> Catchment:
    """Teams of the areas that the sheet names; those that it does not name are the row "not in map".

    With one ICB that row is of its own areas, and those of other ICBs are a group beyond the plan.

    Raises PlanError for a team named like a group that is no team, or of areas that are another ICB's.
    """
    reserved = current["team"][current["team"].isin(NO_TEAM)]
    if len(reserved):
        raise PlanError(
            f"{len(reserved):,} teams of the sheet are named like a group that is no team: "
            f"{first_few(reserved)}. Give them another name."
        )
    rows = current.assign(area=current["areas"].str.upper().str.split()).explode("area")
    groups = rows.drop_duplicates(["area", "team"]).set_index("area")["team"]
    elsewhere = _areas_elsewhere(catchment, icb) if icb else catchment.areas[:0]
    beyond = pd.Series(AREAS_ELSEWHERE, index=elsewhere.difference(groups.index))
    groups = pd.concat([groups, beyond])
    drawn = catchment.regroup(groups)
    teams = drawn.teams.copy()
    said = {NOT_IN_MAP: "Areas that the sheet does not name", AREAS_ELSEWHERE: "Areas of other ICBs"}
    name = teams.index.to_series().map(said)
    if "team_name" in current:
        name = name.fillna(current.set_index("team")["team_name"].replace("", np.nan))
    teams["team_name"] = name.fillna(teams["team_name"])
    if icb:
        is_elsewhere = catchment.areas.isin(elsewhere)
        most = flow.total_by_column(drawn.flows[is_elsewhere]) > flow.total_by_column(drawn.flows) / 2
        foreign = teams.index[teams["is_team"] & most]
        if len(foreign):
            raise PlanError(
                f"{len(foreign):,} of {len(current):,} teams of the sheet are made of areas in which most "
                f"people use another ICB than {icb}: {first_few(foreign)}. Take them out of the sheet, or "
                "take icb out of [catchment] to plan for all of its teams."
            )
        of_icb = catchment.teams.loc[catchment.teams["icb"] == icb, "icb_name"]
        own = teams["is_team"] | (teams.index == NOT_IN_MAP)
        teams.loc[own, ["icb", "icb_name"]] = icb, next(iter(of_icb), "")
    return replace(drawn, teams=teams)


def _areas_elsewhere(catchment: Catchment, icb: str) -> pd.Index:
    """The areas of other ICBs: an area is of the ICB of its largest team, the first of equals.

    One in which nobody is with a team is elsewhere if all of its people are with practices of other ICBs.
    """
    teams = catchment.teams
    largest = assign.first_past_the_post(catchment.flows, teams["is_team"].to_numpy()).entries
    own = teams.index.isin(of_icb(teams, icb))
    is_own = flow.total_by_row(catchment.flows[:, own]) > 0
    is_own[assign.rows_of(catchment.flows)[largest]] = own[catchment.flows.indices[largest]]
    return catchment.areas[~is_own]


def people_of(inputs: Inputs, catchment: Catchment) -> People:
    """The people of the plan's catchment, from its files, grown to the plan year where it says so."""
    files = {role: inputs.frames[role] for role in _PEOPLE_FILES if role in inputs.frames}
    shares = files.get("shares")
    if shares is not None and shares.index.name in AREAS_OF_ENGLAND:
        check_same_vintage(
            catchment.areas, shares.index, left_name="The registrations", right_name="the shares"
        )
    people = build_people(catchment, **files)
    return people if inputs.growth is None else people.grown(inputs.growth)


def own_rows(need: NeedIndex, icb: str) -> pd.DataFrame:
    """The rows of need of one ICB's teams, and of its own people without a team."""
    teams = need.teams.loc[of_icb(need.teams, icb)].copy()
    if not need.catchment.of_whole_areas:
        return teams
    # By whole areas all who live outside them are in one row, whatever ICB their practices are of.
    lists = need.use.people.catchment
    others = lists.teams.index.difference(of_icb(lists.teams, icb))
    away = float(lists.registered_by_team.loc[others, "outside"].sum())
    row = teams.index[teams["outside"] > 0]
    before = teams.loc[row, "registered"]
    teams.loc[row, ["registered", "outside"]] -= away
    teams.loc[row, "registered_adults"] *= teams.loc[row, "registered"] / before
    return teams


def of_icb(teams: pd.DataFrame, icb: str) -> pd.Index:
    """The teams of one ICB, and the groups without a team, whose ICB nobody knows: it may be this one."""
    return teams.index[(teams["icb"] == icb) | teams.index.isin([NO_PCN, NOT_IN_MAP, UNASSIGNED])]


__all__ = ["catchment_of", "of_icb", "own_rows", "people_of", "teams_of"]
