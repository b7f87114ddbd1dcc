"""Residents disabled under the Equality Act, by LSOA (Census 2021)."""

from pathlib import Path

import numpy as np
import pandas as pd

from needsalloc.errors import InvalidValueError, first_few
from needsalloc.geography import classify, is_english
from needsalloc.sources._kinds import plain
from needsalloc.sources._reading import SourceFile
from needsalloc.sources._table import TextTable

_FIELDS = {
    "area": ("LSOA21_CODE", "LSOA_CODE", "LSOA21CD", "LSOA21"),
    "category": ("DISABILITY", "CATEGORY"),
    "number": ("N", "OBSERVATION", "COUNT", "NUMBER"),
}
# As published, "Disability: Disabled under the Equality Act" and its opposite are totals of the columns that
# follow each of them.
_AS_PUBLISHED = {
    "area": ("GEOGRAPHY_CODE",),
    "disabled": ("DISABILITY_DISABLED_UNDER_THE_EQUALITY_ACT",),
    "others": ("DISABILITY_NOT_DISABLED_UNDER_THE_EQUALITY_ACT",),
}
_DISABLED, _NOT_DISABLED = "DISABLED UNDER THE EQUALITY ACT", "NOT DISABLED UNDER THE EQUALITY ACT"


def read_disability(
    path: str | Path,
    *,
    area: str | None = None,
    category: str | None = None,
    number: str | None = None,
    vintage: str | None = None,
) -> pd.DataFrame:
    """`disabled` and `residents` by area of England (float64), index `lsoa21`.

    Reads the table as published, with a column per category (census2021-ts038.zip), and one with a row per
    area and category. There, categories that begin with "Disabled under the Equality Act" are added up,
    whatever follows; those that begin with "Not disabled" are the others, and both make up the residents.

    attrs: `source`; `left_out`, group of areas -> persons.

    Raises InputFileError, MissingColumnError, UnknownCodeError, or InvalidValueError for another category (of
    all people together, say) or an area that lacks one of the two.
    Source: ONS, Census 2021, disability (TS038) by LSOA of 2021.
    """
    file = SourceFile(path, "residents by disability and LSOA")
    if {name for names in _AS_PUBLISHED.values() for name in names} <= set(map(plain, file.header)):
        table = file.read(file.find(_AS_PUBLISHED))
        table.refuse_repeated("area")
        index = table.area_index("area", vintage)
        by_area = pd.DataFrame({name: table.numbers(name) for name in ("disabled", "others")}, index=index)
    else:
        table = file.read(file.find(_FIELDS, named={"area": area, "category": category, "number": number}))
        index = table.area_index("area", vintage)
        by_area = _from_rows(table, index)
    by_area["residents"] = by_area.sum(axis=1)
    kept = is_english(by_area.index)
    elsewhere = by_area.loc[~np.asarray(kept), "residents"]
    result = by_area.loc[kept, ["disabled", "residents"]]
    outside = elsewhere.groupby(classify(elsewhere.index)).sum()
    result.attrs = table.attrs(left_out={str(group): float(people) for group, people in outside.items()})
    return result


def _from_rows(table: TextTable, index: pd.Index) -> pd.DataFrame:
    """`disabled` and `others` by area, of a table with a row per area and category."""
    table.refuse_repeated("area", "category")
    words = pd.Series(table.codes("category").astype(str), index=index)
    disabled, other = words.str.startswith(_DISABLED), words.str.startswith(_NOT_DISABLED)
    unknown = words[~(disabled | other)].unique()
    if len(unknown):
        raise InvalidValueError(
            f"{table.source['file']}: {len(unknown):,} categories are neither disabled nor not disabled "
            f"under the Equality Act: {first_few(unknown)}. Leave out those rows."
        )
    persons = pd.Series(table.numbers("number"), index=index)
    by_area = pd.DataFrame(
        {
            "disabled": persons[disabled].groupby(level=0).sum(),
            "others": persons[other].groupby(level=0).sum(),
        }
    )
    lacking = by_area.index[by_area.isna().any(axis=1)]
    if len(lacking):
        raise InvalidValueError(
            f"{table.source['file']}: {len(lacking):,} areas have one category only: {first_few(lacking)}. "
            "Give both, with 0 where there is nobody."
        )
    by_area.index = by_area.index.rename(index.name)
    return by_area
