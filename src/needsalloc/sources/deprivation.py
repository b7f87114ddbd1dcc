"""The English Indices of Deprivation by LSOA (MHCLG): score and national decile."""

from pathlib import Path

import numpy as np
import pandas as pd

from needsalloc.errors import InvalidValueError, first_few
from needsalloc.geography import AREAS_OF_ENGLAND, Vintage, is_english, vintage_in
from needsalloc.sources._reading import SourceFile

FIELDS = {
    "area": (
        "LSOA_CODE_2011",
        "LSOA_CODE_2021",
        "LSOA11_CODE",
        "LSOA21_CODE",
        "LSOA11CD",
        "LSOA21CD",
        "LSOA_CODE",
    ),
    "score": ("INDEX_OF_MULTIPLE_DEPRIVATION_IMD_SCORE", "IMD_SCORE"),
    "decile": (
        "INDEX_OF_MULTIPLE_DEPRIVATION_IMD_DECILE_WHERE_1_IS_MOST_DEPRIVED_10_OF_LSOAS",
        "IMD_DECILE",
        "DEPRIVATION_DECILE",
    ),
}
_EDITION: dict[Vintage, str] = {"lsoa11": "IMD 2019", "lsoa21": "IMD 2025"}


def read_deprivation(
    path: str | Path,
    *,
    area: str | None = None,
    score: str | None = None,
    decile: str | None = None,
    vintage: str | None = None,
    edition: str | None = None,
) -> pd.DataFrame:
    """Deprivation by area: `imd_score` (float64) and `deprivation_decile` (int, 1 = most deprived).

    The index is named `lsoa11` or `lsoa21`. A file without deciles gets them from the ranks of its scores if
    it has every LSOA of England; for part of England the column is absent, since deciles are national.
    (Rounded scores tie: 6 of the 32,844 areas of 2019 come out in the neighbouring decile.)

    attrs: `edition`, "IMD 2019" for areas of 2011 and "IMD 2025" for areas of 2021 unless it is given;
    `source`.

    Raises InputFileError, MissingColumnError, InvalidValueError or UnknownCodeError.
    Source: MHCLG, English Indices of Deprivation, File 7.
    """
    file = SourceFile(path, "the Index of Multiple Deprivation")
    columns = file.find(FIELDS, named={"area": area, "score": score, "decile": decile}, optional=("decile",))
    table = file.read(columns)
    table.refuse_repeated("area")
    index = table.area_index("area", vintage)
    frame = pd.DataFrame({"imd_score": table.numbers("score")}, index=index)
    _refuse_outside(frame["imd_score"], 0, 100, "scores", file.path.name)
    found = vintage_in(frame)
    if "decile" in table:
        frame["deprivation_decile"] = table.counts("decile")
        _refuse_outside(frame["deprivation_decile"], 1, 10, "deciles", file.path.name)
    elif int(is_english(frame.index).sum()) == len(frame) == AREAS_OF_ENGLAND[found]:
        frame["deprivation_decile"] = _deciles(frame["imd_score"])
    frame.attrs = table.attrs(edition=edition or _EDITION[found])
    return frame


def _deciles(scores: pd.Series) -> pd.Series:
    rank = scores.rank(ascending=False, method="first")
    return rank.mul(10 / len(scores)).round(9).apply(np.ceil).astype(np.int64)


def _refuse_outside(values: pd.Series, least: int, most: int, what: str, file: str) -> None:
    wrong = values[~values.between(least, most)]
    if len(wrong):
        raise InvalidValueError(
            f"{file}: {len(wrong):,} {what} of deprivation are not {least} to {most}: "
            f"{first_few(wrong.unique())}. Check the column: it must hold the national index, whose most "
            "deprived areas have the highest scores and decile 1."
        )
