"""Who works for PCNs, by role (NHS England, Primary Care Network workforce, monthly)."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from needsalloc.errors import InvalidValueError, UnknownCodeError, first_few
from needsalloc.sources._reading import SourceFile
from needsalloc.sources._table import TextTable

_FIELDS = {
    "pcn": ("PCN_CODE",),
    "pcn_name": ("PCN_NAME",),
    "icb": ("ICB_CODE",),
    "icb_name": ("ICB_NAME",),
    "staff_group": ("STAFF_GROUP",),
    "role": ("STAFF_ROLE",),
    "detailed_role": ("DETAILED_STAFF_ROLE",),
    "fte": ("FTE",),
    "person": ("UNIQUE_IDENTIFIER",),
    "source": ("DATA_SOURCE",),
    "year": ("CENSUS_YEAR", "YEAR"),
    "month": ("CENSUS_MONTH", "MONTH"),
}
_ROLE = ["staff_group", "role", "detailed_role"]
_KEYS = ["pcn", "pcn_name", "icb", "icb_name", *_ROLE]
# A service by contract has one record for the hours of all who give it, a person seldom more than this.
_ONE_PERSON = 1.5


def read_workforce(path: str | Path) -> pd.DataFrame:
    """Staff of PCNs, a row per PCN and detailed role: `pcn, pcn_name, icb, icb_name, staff_group, role,
    detailed_role, fte, records, persons`.

    `fte` is full-time equivalents (1 is 37.5 hours a week) of employed staff and of services by contract;
    `persons` counts employed people, each once in a row of this frame, and is no headcount of a PCN, since a
    person may have several roles; services by contract have records and FTE and no persons. These are people
    who work for the PCN or its practices under its contract: community nurses of a trust are not among them.

    attrs: `on`, the last day of the month; `basis`, "in post"; `source`; `quality`.

    Raises InputFileError, MissingColumnError or InvalidValueError (two months, a PCN with two names).
    Source: NHS England, Primary Care Workforce, PCN individual-level CSV.
    """
    file = SourceFile(path, "staff of PCNs")
    table = file.read(file.find(_FIELDS, optional=("person", "source", "icb", "icb_name")))
    rows = pd.DataFrame(
        {name: pd.Series(table.codes(name)).astype("str") for name in ("pcn", "icb") if name in table}
        | {
            name: pd.Series(table.words(name)).astype("str")
            for name in ("pcn_name", "icb_name", *_ROLE, "person")
            if name in table
        }
    ).assign(fte=table.numbers("fte"))
    names = rows.groupby("pcn")["pcn_name"].nunique()
    if (names > 1).any():
        raise InvalidValueError(
            f"{table.file}: {int((names > 1).sum()):,} PCNs have more than one name: "
            f"{first_few(names.index[names > 1])}. Keep one."
        )
    if "person" in rows:
        beyond = ((rows["fte"] > _ONE_PERSON) & (rows["person"] != "")).to_numpy()
        table.note(f"persons have more than {_ONE_PERSON} FTE in one record, kept as they are", beyond, "fte")
    keys = [name for name in _KEYS if name in rows]
    grouped = rows.groupby(keys, sort=True)
    frame = grouped["fte"].agg(["sum", "size"]).set_axis(["fte", "records"], axis=1)
    if "person" in rows:
        frame["persons"] = grouped["person"].agg(lambda people: people[people != ""].nunique())
    frame = frame.reset_index()
    frame.attrs = table.attrs(on=_month_end(table), basis="in post")
    return frame


def workforce_by_team(workforce: pd.DataFrame, roles: Sequence[str]) -> pd.DataFrame:
    """Full-time equivalents by PCN in some roles, as what is in place now: `team, team_name, current`.

    workforce: of `read_workforce`. roles: names of `staff_group`, `role` or `detailed_role`, each record
    counted once. A PCN with staff and none in these roles has 0: the file lists every one of them.

    Raises UnknownCodeError for a role that nobody has.
    """
    chosen = workforce[_ROLE].isin(list(roles)).any(axis=1)
    known = set(workforce[_ROLE].to_numpy().ravel())
    unknown = [role for role in roles if role not in known]
    if unknown or not chosen.any():
        raise UnknownCodeError(
            f"{len(unknown):,} roles are in no record: {first_few(unknown) or 'none named'}. There are "
            f"{first_few(sorted(set(workforce['role'])), 12)}."
        )
    counted = workforce.assign(current=workforce["fte"].where(chosen, 0.0))
    teams = counted.groupby("pcn").agg(team_name=("pcn_name", "first"), current=("current", "sum"))
    frame = teams.round({"current": 6}).rename_axis("team").reset_index()
    frame.attrs = {name: workforce.attrs.get(name) for name in ("basis", "on", "source")}
    return frame


def _month_end(table: TextTable) -> date:
    years, months = (sorted(set(table.counts(name).tolist())) for name in ("year", "month"))
    if len(years) > 1 or len(months) > 1 or not 2019 <= years[0] <= 2100 or not 1 <= months[0] <= 12:
        raise InvalidValueError(
            f"{table.file} holds the years {first_few(years)} and the months {first_few(months)}. Give the "
            "file of one month."
        )
    return date(years[0], months[0], monthrange(years[0], months[0])[1])


__all__ = ["read_workforce", "workforce_by_team"]
