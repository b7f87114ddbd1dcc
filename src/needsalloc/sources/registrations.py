"""Patients registered at a GP practice by LSOA of residence (NHS England, quarterly)."""

from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from needsalloc.errors import InvalidValueError, first_few
from needsalloc.geography import check_vintage, vintage_of
from needsalloc.sources._reading import SourceFile, TextTable

_FIELDS = {
    "practice": ("PRACTICE_CODE",),
    "area": (
        "LSOA_CODE",
        "LSOA11_CODE",
        "LSOA21_CODE",
        "LSOA11",
        "LSOA21",
        "LSOA_2011_CODE",
        "LSOA_2021_CODE",
    ),
    "patients": ("NUMBER_OF_PATIENTS", "PATIENTS"),
    "sex": ("SEX",),
    "date": ("EXTRACT_DATE",),
}
_SEXES = {"MALE", "FEMALE"}


def read_registrations(
    path: str | Path,
    *,
    practice: str | None = None,
    area: str | None = None,
    patients: str | None = None,
    vintage: str | None = None,
    on: date | None = None,
) -> pd.DataFrame:
    """Patients by practice and LSOA: `practice`, `lsoa11` or `lsoa21` (category), `patients` (int64).

    One row per practice and area. Codes that are no English LSOA (Wales, `NO2011`, `CLOSED` …) are kept as
    they are. The area column is named for the vintage found in the codes; `vintage` overrules it. Rows for
    both sexes together are used where the file has them, else men and women are added up; never both.

    attrs: `on`, the extract date (`on` for a file without one, else None); `source`, file name, sha256 and
    rows.

    Raises InputFileError, MissingColumnError, InvalidValueError (counts, two dates, one sex only) or
    UnknownCodeError. Source: NHS England, Patients Registered at a GP Practice, gp-reg-pat-prac-lsoa-all.csv.
    """
    file = SourceFile(path, "patients by practice and LSOA")
    named = {"practice": practice, "area": area, "patients": patients}
    table = file.read(file.find(_FIELDS, named=named, optional=("sex", "date")))
    areas = table.codes("area")
    column = check_vintage(vintage) if vintage else vintage_of(areas.categories)
    frame = pd.DataFrame(
        {"practice": table.codes("practice"), column: areas, "patients": table.counts("patients")}, copy=False
    )
    counted = _rows_to_count(table)
    if not counted.all():
        frame = frame[counted].reset_index(drop=True)
    if _has_repeated_pairs(frame["practice"].array, frame[column].array):
        frame = frame.groupby(["practice", column], observed=True, sort=False)["patients"].sum().reset_index()
    frame.attrs = {"on": table.one_date("date") if "date" in table else on, "source": dict(table.source)}
    return frame


def _rows_to_count(table: TextTable) -> npt.NDArray[np.bool_]:
    """The rows for all patients if there are any, else every row, of both sexes."""
    every_row = np.full(table.source["rows"], True)
    if "sex" not in table:
        return every_row
    sex = table.codes("sex")
    found = set(sex.categories)
    if "ALL" in found:
        return np.asarray(sex == "ALL") if len(found) > 1 else every_row
    if found != _SEXES:
        raise InvalidValueError(
            f"{table.source['file']}: {table.header['sex']} holds {first_few(sorted(found))}; "
            "expected ALL, or both MALE and FEMALE. "
            "Use the file for all patients, or put the men's and the women's file into one."
        )
    return every_row


def _has_repeated_pairs(practice: pd.Categorical, area: pd.Categorical) -> bool:
    first, second = practice.codes, area.codes
    later = first[1:] > first[:-1]
    later |= (first[1:] == first[:-1]) & (second[1:] > second[:-1])
    if later.all():  # in order, as published
        return False
    # Sorting one number for each row takes a fifth of the time of DataFrame.duplicated.
    pair = first.astype(np.int64) * len(area.categories) + second
    pair.sort()
    return bool((pair[1:] == pair[:-1]).any())
