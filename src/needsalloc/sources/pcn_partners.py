"""Which practice was in which PCN on a day, by the links of the Organisation Data Service (ePCN)."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from needsalloc.errors import InvalidValueError, first_few
from needsalloc.sources._kinds import plain
from needsalloc.sources._opening import as_text
from needsalloc.sources._reading import SourceFile
from needsalloc.sources._workbook import is_workbook, read_sheet
from needsalloc.sources.membership import FIELDS as MEMBERSHIP

_FIELDS = {
    "practice": ("PARTNER_ORGANISATION_CODE",),
    "practice_name": ("PARTNER_NAME",),
    "sub_icb": ("PRACTICE_PARENT_SUB_ICB_LOC_CODE", "PRACTICE_PARENT_SUB_ICB_LOCATION_CODE"),
    "sub_icb_name": ("PRACTICE_PARENT_SUB_ICB_LOC_NAME", "PRACTICE_PARENT_SUB_ICB_LOCATION_NAME"),
    "pcn": ("PCN_CODE",),
    "pcn_name": ("PCN_NAME",),
    "start": ("PRACTICE_TO_PCN_RELATIONSHIP_START_DATE",),
    "end": ("PRACTICE_TO_PCN_RELATIONSHIP_END_DATE",),
}
# The report is served without a header, its columns in this order.
_HEADERLESS = (
    "Partner Organisation Code", "Partner Name", "Practice Parent Sub ICB Location Code",
    "Practice Parent Sub ICB Location Name", "PCN Code", "PCN Name", "PCN Parent Sub ICB Location Code",
    "PCN Parent Sub ICB Location Name", "Practice to PCN Relationship Start Date",
    "Practice to PCN Relationship End Date", "Practice Sub ICB and PCN Sub ICB Match?",
)  # fmt: skip
_SHEET = "PCN_CORE_PARTNER_DETAILS"
_PCN = re.compile(r"U\d{5}")
_NOT_GIVEN = "not given"


def read_pcn_partners(path: str | Path, *, on: date | None = None) -> pd.DataFrame:
    """The practices that were in a PCN on a day, in the columns of `read_membership`.

    Reads the ePCN workbook (its sheet of core partners) and the report as CSV, with a header row or, as it is
    served, without. A link holds from its start to its end, both days included; where one ends on the day on
    which the next begins, the next counts. The file knows neither ICBs ("not given") nor practices outside a
    PCN, which are absent.

    on: the day, None for the links that have no end.

    attrs: `on`; `source`; `quality`; `left_out`, the number of links that did not hold on the day.

    Raises InputFileError, MissingColumnError, or InvalidValueError (a practice in two PCNs on the day, a link
    that ends before it begins, no link on the day).
    Source: NHS England, Organisation Data Service, ePCN and epcncorepartnerdetails.
    """
    file = SourceFile(path, "partners of PCNs", convert=_links_as_text)
    table = file.read(file.find(_FIELDS))
    links = pd.DataFrame(
        {
            name: pd.Series(table.words(name) if name.endswith("_name") else table.codes(name)).astype("str")
            for name in _FIELDS
            if name not in ("start", "end")
        }
    )
    links["start"], links["end"] = table.days("start"), table.days("end")
    backwards = (links["end"] < links["start"]).to_numpy()
    if backwards.any():
        table.refuse("end", backwards, "are before their start", "Correct the days, or take the rows out.")
    day = np.datetime64(on, "D") if on else None
    held = links["end"].isna() if day is None else (links["end"].isna() | (links["end"] >= day))
    held &= True if day is None else links["start"] <= day
    current = links[held].sort_values("start", kind="stable")
    if current.empty:
        raise InvalidValueError(
            f"{table.file} has no link of a practice and a PCN on {on}: the first begins on "
            f"{links['start'].min():%Y-%m-%d}. Give a later day."
        )
    # A practice that changes PCN on the day itself has two links that hold; the new one begins that day.
    new = set(current.loc[current["start"] == day, "practice"]) if day is not None else set()
    current = current[~(current["practice"].isin(new) & (current["end"] == day))]
    current = current.drop_duplicates(["practice", "pcn"])
    twice = current.loc[current["practice"].duplicated(), "practice"].unique()
    if len(twice):
        raise InvalidValueError(
            f"{table.file}: {len(twice):,} practices are in more than one PCN on {on or 'the last day'}: "
            f"{first_few(twice)}. End the links that no longer hold."
        )
    frame = current.assign(icb=_NOT_GIVEN, icb_name=_NOT_GIVEN).sort_index().reset_index(drop=True)
    frame = frame[[name for name in MEMBERSHIP if name != "date"]]
    frame.attrs = table.attrs(on=on, left_out=int((~held).sum()))
    return frame


def _links_as_text(data: bytes, path: Path) -> bytes:
    """The links as text separated by commas, with a header."""
    if is_workbook(data):
        rows = read_sheet(data, path, _partner_sheet)
        rows = [row for row in rows if any(map(str.strip, row))]
    else:
        text = as_text(data, path).decode("utf-8-sig")
        first = next(csv.reader(io.StringIO(text[:10_000], newline="")), [])
        if not _is_link(first):
            return text.encode()
        return _as_csv([list(_HEADERLESS)]) + text.encode()
    return _as_csv([list(_HEADERLESS), *rows] if rows and _is_link(rows[0]) else rows)


def _partner_sheet(names: list[str]) -> str | None:
    return next((name for name in names if plain(name) == _SHEET), names[0] if len(names) == 1 else None)


def _is_link(row: list[str]) -> bool:
    return len(row) == len(_HEADERLESS) and bool(_PCN.fullmatch(row[4].strip()))


def _as_csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


__all__ = ["read_pcn_partners"]
