"""Factors of growth from the day of the counts to the plan year, by age or by area."""

from pathlib import Path

import pandas as pd

from needsalloc.errors import MissingColumnError, first_few
from needsalloc.sources._reading import SourceFile

_FIELDS = {
    "age": ("AGE", "FIRST_AGE", "AGE_FROM"),
    "area": (
        "AREA", "AREA_CODE", "LSOA_CODE", "LSOA11_CODE", "LSOA21_CODE", "LSOA11CD", "LSOA21CD", "LSOA11",
        "LSOA21",
    ),
    "factor": ("FACTOR", "GROWTH", "GROWTH_FACTOR"),
}  # fmt: skip


def read_growth(
    path: str | Path,
    *,
    age: str | None = None,
    area: str | None = None,
    factor: str | None = None,
    vintage: str | None = None,
) -> pd.DataFrame:
    """`factor` (float64) by first age of a band (index `age`, whole numbers) or by area (`lsoa11`, `lsoa21`).

    1.04 is 4 per cent more people in the plan year. An age's factor holds up to the next age of the file.

    attrs: `source`, file name, sha256 and rows.

    Raises InputFileError, MissingColumnError (a file by neither, or by both), or InvalidValueError.
    """
    file = SourceFile(path, "growth factors by age or area")
    columns = file.find(_FIELDS, named={"age": age, "area": area, "factor": factor}, optional=("age", "area"))
    keys = [key for key in ("age", "area") if key in columns]
    if len(keys) != 1:
        raise MissingColumnError(
            f"{file.path.name} has {'both' if keys else 'neither'} a column age {'and' if keys else 'nor'} a "
            f"column area; growth is by one of them. It has: {first_few(file.header, 12)}."
        )
    table = file.read(columns)
    table.refuse_repeated(keys[0])
    if keys == ["age"]:
        index = pd.Index(table.counts("age"), name="age")
    else:
        index = table.area_index("area", vintage)
    factors = pd.DataFrame({"factor": table.numbers("factor")}, index=index).sort_index()
    factors.attrs = table.attrs()
    return factors


__all__ = ["read_growth"]
