"""Which practice belongs to which PCN, sub-ICB location and ICB (NHS England, with every list release)."""

from pathlib import Path

import pandas as pd

from needsalloc.errors import InvalidValueError, first_few
from needsalloc.sources._reading import SourceFile
from needsalloc.sources._table import TextTable

NO_PCN = "U"
NO_PCN_NAME = "Practices without a PCN"
_NOT_GIVEN = "not given"
_PCN = r"U\d{5}"

# Until June 2022 the columns carry the names of CCGs and STPs, which sub-ICB locations and ICBs replaced.
FIELDS = {
    "practice": ("PRACTICE_CODE",),
    "practice_name": ("PRACTICE_NAME",),
    "pcn": ("PCN_CODE",),
    "pcn_name": ("PCN_NAME",),
    "sub_icb": ("SUB_ICB_LOCATION_CODE", "CCG_CODE"),
    "sub_icb_name": ("SUB_ICB_LOCATION_NAME", "CCG_NAME"),
    "icb": ("ICB_CODE", "STP_CODE"),
    "icb_name": ("ICB_NAME", "STP_NAME"),
    "date": ("EXTRACT_DATE",),
}
_COLUMNS = tuple(field for field in FIELDS if field != "date")
_REQUIRED = ("practice", "pcn")


def read_membership(
    path: str | Path, *, practice: str | None = None, pcn: str | None = None, icb: str | None = None
) -> pd.DataFrame:
    """One row per practice, all text: `practice, pcn, sub_icb, icb`, each followed by its `…_name`.

    Both generations of the header are read. A practice in no PCN has the code "U", and a name that says so.
    A file of one's own needs practice and PCN only: a missing name repeats the code, a missing code reads
    "not given".

    attrs: `on`, the extract date or None; `source`, file name, sha256 and rows.

    Raises InputFileError, MissingColumnError or InvalidValueError (one practice in two PCNs, two dates).
    Source: NHS England, Patients Registered at a GP Practice, gp-reg-pat-prac-map.csv.
    """
    file = SourceFile(path, "the map of practices to PCNs")
    optional = set(FIELDS) - set(_REQUIRED)
    table = file.read(
        file.find(FIELDS, named={"practice": practice, "pcn": pcn, "icb": icb}, optional=optional)
    )
    practices = table.codes("practice")
    frame = pd.DataFrame({"practice": pd.Series(practices).astype(str)})
    for column in _COLUMNS[1:]:
        frame[column] = _text(table, column, frame)
    if (frame["pcn"] == "").all():
        raise InvalidValueError(
            f"{table.file}: column {table.header['pcn']} is empty in all {len(frame):,} rows, so "
            "this is no map of practices to PCNs. Use gp-reg-pat-prac-map.csv, or name the column with pcn=."
        )
    if frame["practice"].str.fullmatch(_PCN).all():
        raise InvalidValueError(
            f"{table.file}: column {table.header['practice']} holds codes of PCNs in all {len(frame):,} "
            f"rows: {first_few(frame['practice'])}. Are the columns of "
            "practices and PCNs in each other's place?"
        )
    outside = frame["pcn"].isin(["", NO_PCN])
    frame.loc[outside, ["pcn", "pcn_name"]] = NO_PCN, NO_PCN_NAME
    again = frame.duplicated(["practice", "pcn"]).to_numpy()
    table.note("rows say again which PCN a practice is in; each counts once", again, "practice")
    frame = frame[~again].reset_index(drop=True)
    _refuse_two_pcns(frame, table)
    frame.attrs = table.attrs(on=table.one_date("date") if "date" in table else None)
    return frame[list(_COLUMNS)]


def _text(table: TextTable, column: str, frame: pd.DataFrame) -> pd.Series:
    is_name = column.endswith("_name")
    if column in table:
        found = table.words(column) if is_name else table.codes(column, may_lack=True)
        return pd.Series(found).astype(str)
    return frame[column.removesuffix("_name")] if is_name else pd.Series(_NOT_GIVEN, index=frame.index)


def _refuse_two_pcns(frame: pd.DataFrame, table: TextTable) -> None:
    repeated = frame.loc[frame["practice"].duplicated(), "practice"].unique()
    if len(repeated):
        raise InvalidValueError(
            f"{table.file}: {len(repeated):,} practices are in more than one PCN: "
            f"{first_few(repeated)}. Keep the PCN of the day the lists were taken."
        )
