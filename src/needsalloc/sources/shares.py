"""The planner's own shares of adults with a condition, by practice or by area."""

from pathlib import Path

import pandas as pd

from needsalloc.errors import MissingColumnError, first_few
from needsalloc.geography import check_vintage, is_english, vintage_of
from needsalloc.sources._reading import SourceFile, plain

_FIELDS = {
    "code": (
        "PRACTICE_CODE", "PRACTICE", "LSOA_CODE", "LSOA11_CODE", "LSOA21_CODE", "LSOA11CD", "LSOA21CD",
        "LSOA11", "LSOA21", "AREA_CODE", "AREA", "CODE",
    ),
}  # fmt: skip


def read_shares(path: str | Path, *, code: str | None = None, vintage: str | None = None) -> pd.DataFrame:
    """Shares of adults, a row per practice or area and a column per condition (float64), for `build_people`.

    Every column but the one of codes is a condition: "Nursing home" is read as `nursing_home`. The index is
    named `practice`, `lsoa11` or `lsoa21`; vintage: for areas too few to tell.

    attrs: `source`, file name, sha256 and rows.

    Raises InputFileError, MissingColumnError, or InvalidValueError for a code twice or a cell without number.
    """
    file = SourceFile(path, "shares of adults by practice or area")
    columns = file.find(_FIELDS, named={"code": code})
    conditions = {plain(name).lower(): name for name in file.header if name not in columns.values()}
    if not conditions:
        raise MissingColumnError(
            f"{file.path.name} has codes and nothing beside them: {first_few(file.header)}. Give a column "
            "for each condition, such as nursing_home."
        )
    # A condition may be called like the field of codes.
    table = file.read({"code of row": columns["code"]} | conditions)
    table.refuse_repeated("code of row")
    codes = pd.Index(table.codes("code of row").astype(str))
    named = "practice"
    if is_english(codes).any():
        named = check_vintage(vintage) if vintage else vintage_of(codes)
    shares = pd.DataFrame({name: table.numbers(name) for name in conditions}, index=codes.rename(named))
    shares.attrs = {"source": dict(table.source)}
    return shares


__all__ = ["read_shares"]
