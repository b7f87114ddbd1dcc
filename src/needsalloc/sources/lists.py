"""Practice lists by sex and single year of age (NHS England, monthly)."""

from pathlib import Path

import numpy as np
import pandas as pd

from needsalloc.errors import InvalidValueError, MissingColumnError, first_few
from needsalloc.sources._reading import SourceFile, TextTable

OLDEST = 95
_AGES = range(OLDEST + 1)
_LONG = {
    "practice": ("ORG_CODE",),
    "sex": ("SEX",),
    "age": ("AGE",),
    "patients": ("NUMBER_OF_PATIENTS",),
    "kind": ("ORG_TYPE",),
    "date": ("EXTRACT_DATE",),
}
_WIDE = {"practice": ("PRACTICE_CODE", "ORG_CODE"), "sex": ("SEX",), "date": ("EXTRACT_DATE",)}
_SEXES = {"FEMALE": "female", "MALE": "male"}


def read_lists(path: str | Path) -> pd.DataFrame:
    """Registered patients, float64: rows (practice, sex), sex "female" or "male"; columns ages 0 to 95 (95
    and over).

    Reads the published rows by age and the wide layout with a column per age. An empty cell is nobody of that
    age: the files print no zero at all. A practice may lack one sex (a men's prison has no row for women): no
    row here either. Rows for all sexes or all ages together are left out, since they repeat the others.

    attrs: `on`, the extract date or None; `source`, file name, sha256 and rows.

    Raises InputFileError, MissingColumnError or InvalidValueError.
    Source: NHS England, Patients Registered at a GP Practice, gp-reg-pat-prac-sing-age-{female,male}.csv.
    """
    file = SourceFile(path, "practice lists by single year of age")
    is_long = {"ORG_CODE", "AGE"} <= {name.upper() for name in file.header}
    table = file.read(file.find(_LONG, optional=("kind", "date")) if is_long else _wide_columns(file))
    frame = _from_rows(table) if is_long else _from_columns(table)
    frame = frame.sort_index()
    frame.attrs = {"on": table.one_date("date") if "date" in table else None, "source": dict(table.source)}
    return frame


def _wide_columns(file: SourceFile) -> dict[str, str]:
    columns = file.find(_WIDE, optional=("date",))
    ages = {str(age): name for name in file.header if (age := name.strip().removesuffix("+")).isdecimal()}
    missing = [age for age in map(str, _AGES) if age not in ages]
    if missing:
        raise MissingColumnError(
            f"{file.path.name} lacks {len(missing)} columns of the ages 0 to {OLDEST}: {first_few(missing)}. "
            "Use the lists by single year of age, not by five-year band."
        )
    return columns | {age: ages[age] for age in map(str, _AGES)}


def _from_columns(table: TextTable) -> pd.DataFrame:
    sexes = _sexes(table)
    rows = pd.MultiIndex.from_arrays([table.codes("practice").astype(str), sexes], names=["practice", "sex"])
    frame = pd.DataFrame({age: table.numbers(str(age), blank=0) for age in _AGES}, index=rows)
    frame = frame[sexes.notna().to_numpy()]
    _refuse_repeated(frame.index, table)
    return frame


def _from_rows(table: TextTable) -> pd.DataFrame:
    ages = pd.to_numeric(pd.Series(table.codes("age")).astype(str).str.removesuffix("+"), errors="coerce")
    rows = pd.DataFrame(
        {
            "practice": table.codes("practice").astype(str),
            "sex": _sexes(table),
            "age": ages,
            "patients": table.numbers("patients", blank=0),
        }
    )
    practices = pd.Series(table.codes("kind")).isin(["GP", "PRACTICE"]) if "kind" in table else True
    rows = rows[rows["sex"].notna() & rows["age"].isin(_AGES) & practices].astype({"age": np.int64})
    _refuse_repeated(pd.MultiIndex.from_frame(rows[["practice", "sex", "age"]]), table)
    wide = rows.pivot_table("patients", ["practice", "sex"], "age", aggfunc="sum")
    # A row that is not there is nobody of that age, as an empty cell is in the wide layout.
    return wide.reindex(columns=list(_AGES)).fillna(0.0).rename_axis(columns=None)


def _sexes(table: TextTable) -> pd.Series:
    """female, male, or missing for the rows of both together."""
    codes = table.codes("sex")
    unknown = set(codes.categories) - {*_SEXES, "ALL"}
    if unknown or not set(_SEXES) & set(codes.categories):
        raise InvalidValueError(
            f"{table.source['file']}: {table.header['sex']} holds {first_few(codes.categories)}; "
            "expected FEMALE and MALE. Use the lists by sex."
        )
    return pd.Series(codes).astype(object).map(_SEXES)


def _refuse_repeated(keys: pd.Index, table: TextTable) -> None:
    repeated = keys[keys.duplicated()].unique()
    if len(repeated):
        shown = [" ".join(map(str, key)) for key in repeated]
        raise InvalidValueError(
            f"{table.source['file']}: {len(repeated):,} practices and sexes are on more than one row: "
            f"{first_few(shown)}. Keep one row for each."
        )
