"""The rural-urban classification by LSOA (ONS), of 2011 or 2021."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from needsalloc.geography import is_english
from needsalloc.sources._reading import SourceFile

_FIELDS = {
    "area": ("LSOA11_CODE", "LSOA21_CODE", "LSOA11CD", "LSOA21CD", "LSOA_CODE"),
    "code": ("RUC11_CODE", "RUC21_CODE", "RUC11CD", "RUC21CD"),
    "classification": ("CLASSIFICATION", "RUC11", "RUC21NM", "RUC11NM"),
    "rural_urban": ("RUC", "URBAN_RURAL_FLAG"),
}
# The first letters of a code say it, in both editions: A, B, C of 2011 and U of 2021 are urban.
_URBAN, _RURAL = ("A", "B", "C", "U"), ("D", "E", "F", "R")


def read_rurality(path: str | Path, *, area: str | None = None, vintage: str | None = None) -> pd.DataFrame:
    """`rural_urban` ("rural" or "urban"), `code` and `classification` by area of England (text).

    The index is named `lsoa11` or `lsoa21`. Rural or urban is what the code says; a file's own flag must
    agree.

    attrs: `source`; `quality`.

    Raises InputFileError, MissingColumnError, UnknownCodeError, or InvalidValueError (an area twice, a code
    of another classification, a flag that says otherwise).
    Source: ONS, Rural Urban Classification of LSOAs, 2011 and 2021.
    """
    file = SourceFile(path, "rural and urban areas")
    table = file.read(file.find(_FIELDS, named={"area": area}, optional=("rural_urban", "classification")))
    table.refuse_repeated("area")
    index = table.area_index("area", vintage)
    code = pd.Series(table.codes("code"), index=index).astype("str")
    urban, rural = code.str.startswith(_URBAN), code.str.startswith(_RURAL)
    other = ~(urban | rural).to_numpy()
    if other.any():
        table.refuse("code", other, "are no code of the rural-urban classification", "Correct those rows.")
    frame = pd.DataFrame({"rural_urban": np.where(urban, "urban", "rural"), "code": code}, index=index)
    if "classification" in table:
        frame["classification"] = np.asarray(table.words("classification").astype(str))
    if "rural_urban" in table:
        flag = pd.Series(table.words("rural_urban"), index=index).astype("str").str.lower()
        wrong = (flag != frame["rural_urban"]).to_numpy()
        if wrong.any():
            table.refuse("rural_urban", wrong, "say otherwise than their codes", "Fetch the file again.")
    frame = frame[is_english(index)]
    frame.attrs = table.attrs()
    return frame


__all__ = ["read_rurality"]
