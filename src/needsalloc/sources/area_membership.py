"""Which sub-ICB location, ICB, district and ward an LSOA lies in (ONS lookups)."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from needsalloc.errors import MissingColumnError, first_few
from needsalloc.geography import is_english
from needsalloc.sources._kinds import plain
from needsalloc.sources._reading import SourceFile

_AREA = {
    "area": ("LSOA11_CODE", "LSOA21_CODE", "LSOA11CD", "LSOA21CD", "LSOA_CODE"),
}
# The names of ONS end in CD, CDH (the code that the NHS uses) and NM; two digits are the year.
_BODIES = {"sub_icb": "SICBL", "icb": "ICB", "district": "LAD|LTLA", "ward": "WD|WARD"}


def read_area_membership(
    path: str | Path, *, area: str | None = None, vintage: str | None = None
) -> pd.DataFrame:
    """The bodies of each area of England: those of `sub_icb, icb, district, ward` that the file has, each
    followed by its `…_name` and, for NHS bodies, `…_ons`.

    The index is named `lsoa11` or `lsoa21`. `sub_icb` and `icb` are the codes that the NHS uses ("QNC"), as
    in `read_membership`, where the file has them, else those of ONS ("E54…"); `…_ons` are those of ONS.

    attrs: `source`; `quality`.

    Raises InputFileError, MissingColumnError, UnknownCodeError, or InvalidValueError for an area twice (a
    best-fit lookup has each once) or without a code.
    Source: ONS, LSOA to sub-ICB location, ICB and local authority district; LSOA to ward and district.
    """
    file = SourceFile(path, "the bodies that areas belong to")
    columns = file.find(_AREA, named={"area": area})
    columns |= _body_columns(file)
    table = file.read(columns)
    table.refuse_repeated("area")
    index = table.area_index("area", vintage)
    frame = pd.DataFrame(
        {
            name: (table.words(name) if name.endswith("_name") else table.codes(name)).astype(str)
            for name in columns
            if name != "area"
        },
        index=index,
    )
    frame = frame[is_english(index)]
    frame.attrs = table.attrs()
    return frame


def _body_columns(file: SourceFile) -> dict[str, str]:
    found: dict[str, str] = {}
    for body, short in _BODIES.items():
        ons = _column(file, rf"({short})\d\d_?(CD|CODE)")
        nhs = _column(file, rf"({short})\d\d_?(CDH|CODE_H|CODE_NHS)")
        name = _column(file, rf"({short})\d\d_?(NM|NAME)")
        code = nhs or ons
        if code is None:
            continue
        found[body] = code
        if name is not None:
            found[f"{body}_name"] = name
        if nhs is not None and ons is not None:
            found[f"{body}_ons"] = ons
    if not found:
        raise MissingColumnError(
            f"{file.path.name} names no sub-ICB location, ICB, district or ward by code, as SICBL24CD or "
            f"icb24_code does. It has: {first_few(file.header, 12)}."
        )
    return found


def _column(file: SourceFile, pattern: str) -> str | None:
    return next((name for name in file.header if re.fullmatch(pattern, plain(name))), None)


__all__ = ["read_area_membership"]
