"""Patients registered at a GP practice by LSOA of residence (NHS England, quarterly)."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from needsalloc.errors import InvalidValueError, first_few
from needsalloc.geography import check_vintage, vintage_of
from needsalloc.sources._kinds import plain
from needsalloc.sources._quality import Finding, first_values
from needsalloc.sources._reading import SourceFile
from needsalloc.sources._table import TextTable, joined

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
_PUBLISHED = {"PUBLICATION", "PRACTICE_NAME", ""}

_SEXES = {"MALE", "FEMALE"}
_WHAT = "patients by practice and LSOA"


def read_registrations(
    path: str | Path,
    *others: str | Path,
    practice: str | None = None,
    area: str | None = None,
    patients: str | None = None,
    vintage: str | None = None,
    on: date | None = None,
) -> pd.DataFrame:
    """Patients by practice and LSOA: `practice`, `lsoa11` or `lsoa21` (category), `patients` (int64).

    One row per practice and area. Codes that are no English LSOA (Wales, `NO2011`, `CLOSED` …) are kept as
    they are. The area column is named for the vintage found in the codes; `vintage` overrules it. The zip as
    published holds a table for all patients and one for each sex; men's and women's files may also be given
    one after the other. Rows for both sexes together are used where there are any, else men and women are
    added up; never both.

    attrs: `on`, the extract date (`on` for a file without one, else None); `source`, file name, sha256 and
    rows; `quality`, what was odd.

    Raises InputFileError, MissingColumnError, InvalidValueError (counts, two dates, one sex only, the same
    row twice, two files for all patients) or UnknownCodeError.
    Source: NHS England, Patients Registered at a GP Practice, gp-reg-pat-prac-lsoa-{all,female,male}.csv.
    """
    named = {"practice": practice, "area": area, "patients": patients}
    tables = []
    for file in (file for given in (path, *others) for file in SourceFile.every(given, _WHAT)):
        columns = file.find(_FIELDS, named=named, optional=("sex", "date"))
        known = _PUBLISHED.union(map(plain, columns.values()))
        tables.append((file.read(columns), known >= {plain(name) for name in file.header}))
    kept = _of_all_patients([table for table, _ in tables])
    days = {table.one_date("date") if "date" in table else on for table in kept}
    if len(days) > 1:
        raise InvalidValueError(
            f"{_names(kept)} hold {len(days)} dates: {first_few(days)}. Give files of one date."
        )
    counted = [pair for pair in tables if any(pair[0] is table for table in kept)]
    frame, column = _rows(counted, check_vintage(vintage) if vintage else None)
    if _has_repeated_pairs(frame["practice"].array, frame[column].array):
        frame = frame.groupby(["practice", column], observed=True, sort=False)["patients"].sum().reset_index()
    source = dict(kept[0].source) if len(kept) == 1 else joined([table.source for table in kept])
    quality = tuple(finding for table in kept for finding in table.findings)
    frame.attrs = {"on": days.pop(), "source": source, "quality": quality}
    return frame


def _of_all_patients(tables: Sequence[TextTable]) -> Sequence[TextTable]:
    """The one table for all patients where there is one, else those of men and of women.

    A table of both sexes and of all is kept whole: `_rows` takes what counts of it.
    """
    sexes = [set(table.codes("sex").categories) if "sex" in table else {"ALL"} for table in tables]
    whole = [table for table, found in zip(tables, sexes, strict=True) if "ALL" in found]
    if len(whole) > 1:
        raise InvalidValueError(
            f"{_names(whole)} are {len(whole)} tables of all patients; their patients would count twice. "
            "Give the one whose areas (2011 or 2021) you plan with."
        )
    if whole:
        return whole
    if set.union(*sexes) != _SEXES or sum(map(len, sexes)) > len(_SEXES):
        raise InvalidValueError(
            f"{_names(tables)}: {tables[0].header['sex']} holds "
            f"{first_few(sex for found in sexes for sex in sorted(found))}; expected ALL, or both MALE and "
            "FEMALE, each once. Use the file for all patients, or give the men's and the women's."
        )
    return tables


def _rows(tables: Sequence[tuple[TextTable, bool]], vintage: str | None) -> tuple[pd.DataFrame, str]:
    """Practice, area and patients of the rows that count, and the name of the area column.

    With each table, whether it has the published columns and no others.
    """
    areas = [table.codes("area") for table, _ in tables]
    column = vintage or vintage_of(pd.Index([code for codes in areas for code in codes.categories]))
    frames = []
    for (table, published), codes in zip(tables, areas, strict=True):
        frame = pd.DataFrame(
            {"practice": table.codes("practice"), column: codes, "patients": table.counts("patients")},
            copy=False,
        )
        counted = _rows_to_count(table)
        frame = frame if counted.all() else frame[counted]
        if published and _has_repeated_pairs(frame["practice"].array, frame[column].array):
            _look_at_repeated(frame, table, column)
        frames.append(frame.reset_index(drop=True))
    if len(frames) == 1:
        return frames[0], column
    both = pd.concat([frame.astype({"practice": str, column: str}) for frame in frames], ignore_index=True)
    return both.astype({"practice": "category", column: "category"}), column


def _rows_to_count(table: TextTable) -> npt.NDArray[np.bool_]:
    """The rows for all patients if there are any, else every row."""
    if "sex" not in table:
        return np.full(table.source["rows"], True)
    sex = table.codes("sex")
    whole = np.asarray(sex == "ALL")
    if not whole.any() or whole.all():
        return np.full(len(whole), True)
    counts = table.counts("patients")
    by_sex, together = int(counts[np.asarray(sex.isin(sorted(_SEXES)))].sum()), int(counts[whole].sum())
    if by_sex != together:
        table.findings.append(
            Finding(
                "warning",
                f"rows for all patients count {together:,}, those of men and women {by_sex:,}; the former "
                "are used",
            )
        )
    return whole


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


def _look_at_repeated(frame: pd.DataFrame, table: TextTable, column: str) -> None:
    """Note that a practice and area stands on several rows, which will be added up.

    Where nothing in the file tells two rows apart, the same number again is the same people again:
    InvalidValueError.
    """
    if "sex" in table:
        frame = frame.assign(sex=pd.Series(table.codes("sex")).astype(str)[frame.index])
    pair = [name for name in frame if name != "patients"]
    same, again = frame.duplicated(), frame.duplicated(pair)
    odd = same if same.any() else again
    if not odd.any():
        return
    keys = frame.loc[odd, ["practice", column, "patients"]].astype(str).agg(" ".join, axis=1)
    rows = np.zeros(table.source["rows"], np.bool_)
    rows[frame.index[odd]] = True
    if same.any():
        raise InvalidValueError(
            f"{table.file}: {len(keys):,} rows say the same as one before: {first_few(keys)} (row "
            f"{table.rows_of(rows)[0]:,}). Nothing tells them apart, so they may be the same patients. Take "
            "them out, or add them up yourself."
        )
    what = "rows are of a practice and area that was there before, with other numbers; they were added up"
    table.findings.append(
        Finding("warning", what, len(keys), table.rows_of(rows), first_values(keys), "Look at those rows.")
    )


def _names(tables: Sequence[TextTable]) -> str:
    return " and ".join(table.file for table in tables)
