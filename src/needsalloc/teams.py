"""Teams: the groups of practices or areas that a catchment is drawn for, and those that are no teams."""

from __future__ import annotations

import numpy as np
import pandas as pd

from needsalloc.errors import InvalidValueError, MissingColumnError, UnknownCodeError, first_few
from needsalloc.kernels import flow
from needsalloc.sources import NO_PCN

NOT_IN_MAP = "not in map"
NOT_IN_MAP_NAME = "Practices missing from the map"
NO_PCN_ELSEWHERE = "U elsewhere"
AREAS_ELSEWHERE = "areas elsewhere"
UNASSIGNED = "unassigned"
UNASSIGNED_NAME = "In no team's catchment"
NO_TEAM = (NO_PCN, NO_PCN_ELSEWHERE, AREAS_ELSEWHERE, NOT_IN_MAP, UNASSIGNED)


def teams_of_practices(
    practices: pd.Index, membership: pd.DataFrame, size: np.ndarray, column: str = "pcn"
) -> tuple[np.ndarray, pd.DataFrame]:
    """The team of each practice as a position in the teams' table, and that table.

    column: which column of the map names the team. size (practices,): patients of each.

    Raises MissingColumnError, InvalidValueError for a practice that is twice in the map,
    UnknownCodeError if no practice is in it.
    """
    for needed, purpose in ((column, " to make teams of"), ("practice", "")):
        if needed not in membership:
            raise MissingColumnError(
                f"The map has no column {needed!r}{purpose}; it has {first_few(membership, 12)}."
            )
    code_of_row = membership["practice"].astype("str").str.strip().str.upper()
    twice = code_of_row[code_of_row.duplicated()].unique()
    if len(twice):
        raise InvalidValueError(
            f"{len(twice):,} practices stand twice in the map: {first_few(twice)}. Leave one row of each."
        )
    wanted = (column, f"{column}_name", "icb", "icb_name")
    found = pd.Index([name for name in dict.fromkeys(wanted) if name in membership])
    members = membership[found].set_axis(pd.Index(code_of_row)).reindex(practices)
    text = members[column].astype("str").str.strip()
    team = text.mask(members[column].isna() | (text == ""))
    if team.isna().all():
        raise UnknownCodeError(
            f"None of the {len(practices):,} practices with patients ({first_few(practices)}) is in the map. "
            "Use the practice map (gp-reg-pat-prac-map.csv) of the same quarter."
        )
    name = _text(members, f"{column}_name", team).fillna(team)
    return labelled(
        team.fillna(NOT_IN_MAP),
        name.where(team.notna(), NOT_IN_MAP_NAME),
        _text(members, "icb").fillna(""),
        _text(members, "icb_name").fillna(""),
        size,
    )


def labelled(
    code: pd.Series | pd.Index,
    name: pd.Series | pd.Index,
    icb: pd.Series | np.ndarray,
    icb_name: pd.Series | np.ndarray,
    size: np.ndarray,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Positions and table of teams, from one value for each practice or area.

    size: people, which decide the ICB (and the name) of a team that has several.
    """
    team, teams = pd.factorize(np.asarray(code), sort=True)
    of_icb, icbs = pd.factorize(np.asarray(icb), sort=True)
    main = flow.value_of_most(team, of_icb, size)
    there = of_icb == main[team]
    index = pd.Index(teams, name="team", dtype="str")
    is_team = ~index.isin(NO_TEAM)
    icb_names = _of_most(team[there], np.asarray(icb_name)[there], size[there])
    columns = {
        "icb": np.where(is_team, icbs[main], ""),
        "icb_name": np.where(is_team, icb_names, ""),
        "team_name": _of_most(team, name, size),
    }
    return team, pd.DataFrame(columns, index, dtype="str").assign(is_team=is_team)


def _of_most(team: np.ndarray, text: pd.Series | pd.Index | np.ndarray, size: np.ndarray) -> np.ndarray:
    """By team, the text that most of its people have; the first of equals."""
    number, texts = pd.factorize(np.asarray(text), sort=True)
    return texts[flow.value_of_most(team, number, size)]


def with_group(teams: pd.DataFrame, code: str, name: str) -> pd.DataFrame:
    """The table with a last row for a group that is no team, if it has none of that code."""
    if code in teams.index:
        return teams
    row = {"team_name": name, "icb": "", "icb_name": "", "is_team": False}
    return pd.concat([teams, pd.DataFrame(row, index=pd.Index([code], name="team"))])


def practices_in(membership: pd.DataFrame, column: str, code: str) -> pd.Index:
    """The practices of one `icb` or `sub_icb`.

    Raises UnknownCodeError with the codes there are.
    """
    known = pd.Index(membership[column].unique()).sort_values()
    if code not in known:
        raise UnknownCodeError(
            f"There is no {column} {code!r} in the map; it has {len(known):,}: {first_few(known, 50)}. "
            "Write the code as the map does (an ODS code such as QHM, not E54…)."
        )
    return pd.Index(membership.loc[membership[column] == code, "practice"])


def _text(members: pd.DataFrame, column: str, otherwise: pd.Series | None = None) -> pd.Series:
    if column in members:
        return members[column]
    return pd.Series("", index=members.index) if otherwise is None else otherwise


__all__ = [
    "AREAS_ELSEWHERE",
    "NOT_IN_MAP",
    "NO_PCN_ELSEWHERE",
    "NO_TEAM",
    "UNASSIGNED",
    "labelled",
    "practices_in",
    "teams_of_practices",
    "with_group",
]
