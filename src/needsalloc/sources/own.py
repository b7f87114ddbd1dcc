"""What only the planner has, by practice, area or team: shares of adults with a condition, and counts."""

from pathlib import Path

import pandas as pd

from needsalloc.errors import MissingColumnError, first_few
from needsalloc.geography import check_vintage, is_english, vintage_of
from needsalloc.sources._kinds import plain
from needsalloc.sources._reading import SourceFile

_AREA = ("LSOA_CODE", "LSOA11_CODE", "LSOA21_CODE", "LSOA11CD", "LSOA21CD", "LSOA11", "LSOA21", "AREA")


def read_shares(path: str | Path, *, code: str | None = None, vintage: str | None = None) -> pd.DataFrame:
    """Shares of adults, a row per practice or area and a column per condition (float64), for `build_people`.

    Every column but the one of codes is a condition: "Nursing home" is read as `nursing_home`. The index is
    named `practice`, `lsoa11` or `lsoa21`; vintage: for areas too few to tell.

    attrs: `source`, file name, sha256 and rows.

    Raises InputFileError, MissingColumnError, or InvalidValueError for a code twice or a cell without number.
    """
    file = SourceFile(path, "shares of adults by practice or area")
    return _by_code(file, ("PRACTICE_CODE", "PRACTICE", *_AREA, "CODE"), "practice", code, vintage)


def read_counts(path: str | Path, *, code: str | None = None, vintage: str | None = None) -> pd.DataFrame:
    """Counts of the planner's own, a row per team or area, a column each (float64), for `planning_cohorts`.

    As `read_shares`, but of teams: `care_home_beds_residential`, `care_home_beds_nursing`,
    `resident_85_and_over_alone`, or any others.
    """
    file = SourceFile(path, "counts by team or area")
    return _by_code(file, ("TEAM", "TEAM_CODE", "PCN_CODE", "PCN", *_AREA, "CODE"), "team", code, vintage)


def _by_code(
    file: SourceFile, codes: tuple[str, ...], named: str, code: str | None, vintage: str | None
) -> pd.DataFrame:
    """Numbers by the code of a row; areas are told by their codes."""
    columns = file.find({"code": codes}, named={"code": code})
    others = {plain(name).lower(): name for name in file.header if name not in columns.values()}
    if not others:
        raise MissingColumnError(
            f"{file.path.name} has codes and nothing beside them: {first_few(file.header)}. Give a column of "
            f"{file.what}."
        )
    # A column of numbers may be called like the field of codes.
    table = file.read({"code of row": columns["code"]} | others)
    table.refuse_repeated("code of row")
    index = pd.Index(pd.Series(table.words("code of row")).astype(str), name=named)
    if is_english(index.str.upper()).any():
        index = index.str.upper().rename(check_vintage(vintage) if vintage else vintage_of(index.str.upper()))
    elif named == "practice":
        index = index.str.upper()
    found = pd.DataFrame({name: table.numbers(name) for name in others}, index=index)
    found.attrs = table.attrs()
    return found


__all__ = ["read_counts", "read_shares"]
