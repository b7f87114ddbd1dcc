"""Practice lists by sex and single year of age (NHS England, monthly)."""

import re
from pathlib import Path

import pandas as pd

from needsalloc.errors import InvalidValueError, MissingColumnError, first_few
from needsalloc.sources._kinds import plain
from needsalloc.sources._reading import SourceFile
from needsalloc.sources._table import TextTable, joined

OLDEST = 95
_AGES = range(OLDEST + 1)
_AGE = re.compile(r"\d{1,3}", re.ASCII)
_LONG = {
    "practice": ("ORG_CODE",),
    "sex": ("SEX",),
    "age": ("AGE",),
    "patients": ("NUMBER_OF_PATIENTS",),
    "kind": ("ORG_TYPE",),
    "date": ("EXTRACT_DATE",),
}
_WIDE = {"practice": ("PRACTICE_CODE", "ORG_CODE"), "sex": ("SEX",), "date": ("EXTRACT_DATE",)}
_WHAT = "practice lists by single year of age"
_SEXES = {"FEMALE": "female", "MALE": "male"}


def read_lists(path: str | Path, *others: str | Path) -> pd.DataFrame:
    """Registered patients, float64: rows (practice, sex), sex "female" or "male"; columns ages 0 to 95 (95+).

    Reads the published rows by age, women and men in one file or in one each, and the wide layout with a
    column per age. An empty cell is nobody of that age: the files print no zero at all. A practice may lack
    one sex (a men's prison has no row for women): no row here either. Rows for all sexes or all ages together
    are left out, since they repeat the others.

    attrs: `on`, the extract date or None; `source`, file names, sha256 and rows.

    Raises InputFileError, MissingColumnError or InvalidValueError (one sex only, two dates, bands of age).
    Source: NHS England, Patients Registered at a GP Practice, gp-reg-pat-prac-sing-age-{female,male}.csv.
    """
    parts = [_read(file) for given in (path, *others) for file in SourceFile.every(given, _WHAT)]
    frame = pd.concat(parts).sort_index()
    files = " and ".join(dict.fromkeys(part.attrs["source"]["file"] for part in parts))
    _refuse_repeated(frame.index, files)
    if len(frame.index.unique("sex")) < len(_SEXES):
        raise InvalidValueError(
            f"{files} holds one sex only: {first_few(frame.index.unique('sex'))}. "
            "Give both files, women and men."
        )
    days = {part.attrs["on"] for part in parts}
    if len(days) > 1:
        raise InvalidValueError(f"{files} hold {len(days)} dates: {first_few(days)}. Give files of one date.")
    frame.attrs = {
        "on": days.pop(),
        "source": joined([part.attrs["source"] for part in parts]),
        "quality": tuple(finding for part in parts for finding in part.attrs["quality"]),
    }
    return frame


def _read(file: SourceFile) -> pd.DataFrame:
    is_long = {"ORG_CODE", "AGE"} <= {plain(name) for name in file.header}
    table = file.read(file.find(_LONG, optional=("kind", "date")) if is_long else _wide_columns(file))
    frame = _from_rows(table) if is_long else _from_columns(table)
    frame.attrs = table.attrs(on=table.one_date("date") if "date" in table else None)
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
    frame = pd.DataFrame({age: table.counts(str(age), blank=0) for age in _AGES}, index=rows, dtype="float64")
    return frame[sexes.notna().to_numpy()]


def _from_rows(table: TextTable) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "practice": table.codes("practice").astype(str),
            "sex": _sexes(table),
            "age": _ages(table),
            "patients": table.counts("patients", blank=0).astype("float64"),
        }
    )
    is_practice = pd.Series(table.codes("kind")).isin(["GP", "PRACTICE"]) if "kind" in table else True
    rows = rows[rows["sex"].notna() & rows["age"].notna() & is_practice]
    _refuse_repeated(pd.MultiIndex.from_frame(rows[["practice", "sex", "age"]]), table.source["file"])
    wide = rows.pivot_table("patients", ["practice", "sex"], "age", aggfunc="sum")
    # A row that is not there is nobody of that age, as an empty cell is in the wide layout.
    wide = wide.reindex(columns=list(_AGES)).fillna(0.0).rename_axis(columns=None)
    return wide.set_axis(list(_AGES), axis=1)


def _ages(table: TextTable) -> pd.Series:
    """Years of age, or missing for the rows of all ages together."""
    codes = table.codes("age")
    years = {code: int(text) for code in codes.categories if _AGE.fullmatch(text := code.removesuffix("+"))}
    unknown = [code for code in codes.categories if code != "ALL" and years.get(code, -1) not in _AGES]
    if unknown:
        raise InvalidValueError(
            f"{table.file}: {table.header['age']} holds {len(unknown):,} values that are "
            f"no age from 0 to {OLDEST}+: {first_few(unknown)}. "
            "Use the lists by single year of age, not by five-year band."
        )
    return pd.Series(codes).astype(object).map(years)


def _sexes(table: TextTable) -> pd.Series:
    """female, male, or missing for the rows of both together."""
    codes = table.codes("sex")
    unknown = set(codes.categories) - {*_SEXES, "ALL"}
    if unknown or not set(_SEXES) & set(codes.categories):
        raise InvalidValueError(
            f"{table.file}: {table.header['sex']} holds {first_few(codes.categories)}; "
            "expected FEMALE and MALE. Use the lists by sex."
        )
    return pd.Series(codes).astype(object).map(_SEXES)


def _refuse_repeated(keys: pd.Index, files: str) -> None:
    repeated = keys[keys.duplicated()].unique()
    if len(repeated):
        shown = [" ".join(map(str, key)) for key in repeated]
        raise InvalidValueError(
            f"{files}: {len(repeated):,} practices and sexes are on more than one row: {first_few(shown)}. "
            "Keep one row for each."
        )
