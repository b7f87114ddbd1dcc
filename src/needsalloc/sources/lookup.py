"""The ONS exact-fit lookup from LSOAs of 2011 to LSOAs of 2021."""

from pathlib import Path

import pandas as pd

from needsalloc.geography import changes, check_exact_fit
from needsalloc.sources._reading import SourceFile

_FIELDS = {
    "lsoa11": ("LSOA11_CODE", "LSOA11CD", "F_LSOA11CD"),
    "lsoa21": ("LSOA21_CODE", "LSOA21CD"),
    "change": ("CHANGE_CODE", "CHGIND"),
}


def read_area_lookup(
    path: str | Path, *, lsoa11: str | None = None, lsoa21: str | None = None, change: str | None = None
) -> pd.DataFrame:
    """Pairs of areas of 2011 and 2021 that share land: `lsoa11, lsoa21, change` (text).

    `change` is U unchanged, S split, M merged, X fragmented; a file without it is given what its pairs say.
    Wales is kept as it is.

    attrs: `source`, file name, sha256 and rows.

    Raises InputFileError, MissingColumnError, or VintageError for a best-fit lookup, which loses areas.
    Source: ONS, LSOA (2011) to LSOA (2021) to Local Authority District (2022) exact-fit lookup for England
    and Wales.
    """
    file = SourceFile(path, "the lookup from LSOA 2011 to LSOA 2021")
    named = {"lsoa11": lsoa11, "lsoa21": lsoa21, "change": change}
    # The best-fit file has no change codes; it must be told what it is, not that it lacks a column.
    table = file.read(file.find(_FIELDS, named=named, optional=("change",)))
    fields = [field for field in _FIELDS if field in table]
    frame = pd.DataFrame({field: table.codes(field).astype(str) for field in fields})
    frame = frame.drop_duplicates(ignore_index=True)
    check_exact_fit(frame)
    if "change" not in frame:
        frame["change"] = changes(frame)
    frame.attrs = table.attrs()
    return frame
