"""Residents by LSOA and age, in single years or in bands (ONS mid-year estimates, Census)."""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from needsalloc.errors import InvalidValueError, MissingColumnError, first_few
from needsalloc.geography import classify, is_english
from needsalloc.sources._reading import SourceFile
from needsalloc.sources._table import TextTable

_FIELDS = {
    "area": (
        "LSOA11_CODE", "LSOA21_CODE", "LSOA_CODE", "LSOA_2011_CODE", "LSOA_2021_CODE", "LSOA11CD", "LSOA21CD",
        "LSOA_CODE_2011", "LSOA_CODE_2021", "LSOA11", "LSOA21", "AREA_CODE",
        "GEOGRAPHY_CODE",
    ),
    "total": ("TOTAL_POPULATION", "TOTAL", "ALL_AGES", "AGE_TOTAL"),
}  # fmt: skip
_AGES = (
    (re.compile(r"(?:AGED_)?(\d{1,3})(?:_YEARS?)?_AND_UNDER|UNDER_\d{1,3}"), "0"),
    (re.compile(r"(?:AGED?_)?(\d{1,3})(?:_TO_|_)(\d{1,3})(?:_YEARS?)?"), r"\1"),
    (re.compile(r"(?:AGED?_)?(\d{1,3})(?:_YEARS?)?(?:_AND_OVER|_OR_OVER)?"), r"\1"),
)
_OLDEST = 120
_OLDEST_STATED = 100  # a band to here has everybody who is older
_BY_SEX = re.compile(r"([FM])(\d{1,3})")


def first_age(column: str) -> int | None:
    """The first age of the band that a column names, or None: "90+" -> 90, "Aged 16 to 24 years" -> 16."""
    name = "_".join(re.findall(r"[A-Z]+|\d+", column.upper())).removeprefix("AGE_")
    age = next((int(match.expand(age)) for rule, age in _AGES if (match := rule.fullmatch(name))), None)
    # A column named 2020 is a year.
    return age if age is not None and age <= _OLDEST else None


def read_population(
    path: str | Path, *, area: str | None = None, vintage: str | None = None, areas: str = "england"
) -> pd.DataFrame:
    """Residents by area and age, float64: a row per LSOA, a column per age band named by its first age (int).

    The index is named `lsoa11` or `lsoa21`. Ages ascend, the last band is open: 0 to 90 for single years, 0,
    16, 25, 35, 50, 65 for the census bands. Columns F0… and M0… of the ONS sheets are added up. Where the
    file has a total, the ages must sum to it. `areas="england"` leaves other areas out, "all" keeps them.

    attrs: `source`, file name, sha256 and rows; `left_out`, group of areas -> persons.

    Raises InputFileError, MissingColumnError, InvalidValueError or UnknownCodeError.
    Source: ONS, LSOA mid-year population estimates; Census 2021, table TS007 and its bandings.
    """
    if areas not in ("england", "all"):
        raise InvalidValueError(f'areas={areas!r} is unknown: choose "england" or "all".')
    file = SourceFile(path, "residents by LSOA and age")
    columns = file.find(_FIELDS, named={"area": area}, optional=("total",))
    ages = _age_columns(file, set(columns.values()))
    table = file.read(columns | {name: name for name in ages})
    table.refuse_repeated("area")
    index = table.area_index("area", vintage)
    persons = pd.DataFrame(_persons(table, ages), index=index)
    if "total" in table:
        _check_total(persons, table.numbers("total"), file.path.name)
    kept = is_english(index) if areas == "england" else np.full(len(index), True)
    outside = persons[~kept].sum(axis=1).groupby(classify(index[~kept])).sum()
    result = persons[kept]
    result.attrs = table.attrs(left_out={str(k): float(v) for k, v in outside.items()})
    return result


def _persons(table: TextTable, ages: dict[str, int]) -> dict[int, npt.NDArray[np.float64]]:
    persons: dict[int, npt.NDArray[np.float64]] = {}
    for name, age in sorted(ages.items(), key=lambda item: item[1]):
        persons[age] = persons.get(age, np.float64(0)) + table.people(name)
    return persons


def _age_columns(file: SourceFile, taken: set[str]) -> dict[str, int]:
    """The columns that state an age -> its first age; by sex only if there are none for both together."""
    others = [name for name in file.header if name not in taken]
    both = {name: age for name in others if (age := first_age(name)) is not None}
    by_sex = {
        name: int(match[2])
        for name in others
        if (match := _BY_SEX.fullmatch(name.upper())) and int(match[2]) <= _OLDEST
    }
    found = both or by_sex
    if not found:
        raise MissingColumnError(
            f"{file.path.name} has no column of an age, such as 0, 90+ or Aged 16 to 24 years. "
            f"It has: {first_few(file.header, 12)}. Rename its age columns to the first age of each band."
        )
    if both and len(set(both.values())) < len(both):
        raise InvalidValueError(
            f"{file.path.name} has overlapping age bands: {first_few(both, 12)}. Keep one set of bands."
        )
    if both:
        _refuse_gaps(both, file.path.name)
    return found


def _refuse_gaps(bands: dict[str, int], file: str) -> None:
    """InvalidValueError if a band that states its last age does not end where the next begins."""
    first = sorted(bands.values())
    following = dict(zip(first, [*first[1:], _OLDEST + 1], strict=True))
    last = {name: age for name in bands if (age := _last_age(name)) is not None}
    wrong = [name for name, age in last.items() if age + 1 != following[bands[name]] and age < _OLDEST_STATED]
    if wrong:
        raise InvalidValueError(
            f"{file}: {len(wrong):,} age bands overlap the next, or leave ages out behind them: "
            f"{first_few(wrong)}. Give bands that follow each other, the last without an end (85 and over)."
        )


def _last_age(column: str) -> int | None:
    name = "_".join(re.findall(r"[A-Z]+|\d+", column.upper())).removeprefix("AGE_")
    under, between = (rule.fullmatch(name) for rule, _ in _AGES[:2])
    if under:
        return int(under[1]) if under[1] else int(name.removeprefix("UNDER_")) - 1
    return int(between[2]) if between else None


def _check_total(persons: pd.DataFrame, total: npt.NDArray[np.float64], file: str) -> None:
    wrong = np.abs(persons.sum(axis=1).to_numpy() - total) > 0.5
    if wrong.any():
        raise InvalidValueError(
            f"{file}: the ages do not sum to the total in {int(wrong.sum()):,} of {len(persons):,} areas; "
            f"first: {first_few(persons.index[wrong])}. Check that the ages are complete and do not overlap."
        )
