"""What only the planner has, by team: minutes, prices, inequality weights, contacts, an earlier plan."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from needsalloc.errors import InvalidValueError, MissingColumnError, first_few
from needsalloc.sources._kinds import plain
from needsalloc.sources._reading import SourceFile
from needsalloc.sources.current import _rows_as_text, _teams

_TEAM = ("TEAM", "TEAM_CODE", "PCN_CODE", "PCN")
_WORDS = ("team_name", "icb", "icb_name", "practices", "areas")
_PEOPLE = ("registered", "resident")


def read_by_team(path: str | Path, *, team: str | None = None) -> pd.DataFrame:
    """Figures by team, a column for each that the sheet has, under its name in small letters: index `team`.

    Which of them a plan uses, it says by name: minutes, travel, turnover; `price` and `vacancies` are known.
    A blank is NaN, not none. Names of teams, practices and areas are left out.

    attrs: `source`. Raises InputFileError, MissingColumnError, or InvalidValueError for a team twice, or a
    cell that is no number from 0 on.
    """
    return _read(path, "figures by team", team, {})


def read_inequality_weights(
    path: str | Path, *, team: str | None = None, weight: str | None = None
) -> pd.DataFrame:
    """How much a head of each team counts for the inequalities share: index `team`, column `weight`.

    attrs and errors as `read_by_team`.
    """
    return _read(path, "inequality weights by team", team, {"weight": weight})


def read_contacts(path: str | Path, *, team: str | None = None, contacts: str | None = None) -> pd.DataFrame:
    """Contacts that each team had in a year: index `team`, column `contacts`.

    attrs and errors as `read_by_team`.
    """
    return _read(path, "contacts by team", team, {"contacts": contacts})


def read_previous(path: str | Path) -> pd.DataFrame:
    """Need by team of an earlier plan, from its folder's tables/allocation.csv: index `team`, columns
    `weighted_population`, `registered` and `resident`, for `moved_by_data`.

    attrs and errors as `read_by_team`.
    """
    found = _read(
        path, "an earlier plan (tables/allocation.csv)", None, {"weighted_population": None}, _PEOPLE
    )
    # A name that a spreadsheet would run as a formula was written with an apostrophe before it.
    found.index = found.index.str.replace(r"^'(?=[=+@-])", "", regex=True)
    return found


def _read(
    path: str | Path,
    what: str,
    team: str | None,
    wanted: dict[str, str | None],
    may_be_blank: tuple[str, ...] = (),
) -> pd.DataFrame:
    """Figures by team; those of `wanted` alone (ours -> the header's name) if there are any."""
    file = SourceFile(path, what, convert=_rows_as_text)
    fields = {"team": _TEAM} | {name: (name.upper(),) for name in (*wanted, *may_be_blank)}
    columns = file.find(fields, named={"team": team} | wanted)
    if not wanted:
        columns |= _others(file, columns.values())
        if len(columns) == 1:
            raise MissingColumnError(
                f"{file.path.name} has teams and no figure beside them: {first_few(file.header)}. Give a "
                "column for each figure, such as minutes."
            )
    table = file.read(columns)
    teams = pd.Index(_teams(table), name="team", dtype="str")
    found = pd.DataFrame(
        {name: table.numbers(name, blank=np.nan) for name in columns if name != "team"}, index=teams
    )
    lacking = found.index[found[list(wanted)].isna().any(axis=1)]
    if len(lacking):
        raise InvalidValueError(
            f"{file.path.name}: {len(lacking):,} of {len(found):,} teams have a blank for "
            f"{first_few(wanted)}: {first_few(lacking)}. Fill them in; 0 is a figure."
        )
    found.attrs = table.attrs()
    return found


def _others(file: SourceFile, taken: Collection[str]) -> dict[str, str]:
    """Every column that holds figures: in small letters -> the header's name."""
    named = {plain(name).lower(): name for name in file.header if name and name not in taken}
    return {ours: name for ours, name in named.items() if ours not in _WORDS}


__all__ = ["read_by_team", "read_contacts", "read_inequality_weights", "read_previous"]
