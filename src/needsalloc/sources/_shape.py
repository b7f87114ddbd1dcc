"""Whether a fetched file is what it should be: whole, of its kind, with its columns, of its release."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path

from needsalloc.errors import InputFileError, first_few
from needsalloc.sources._containers import Archive
from needsalloc.sources._download import NotTheFileError
from needsalloc.sources._kinds import plain
from needsalloc.sources.registry import Series

_HEAD = 1 << 16
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_MONTH = re.compile(r"\d{4}-\d\d")
_DATES = ("%d%b%Y", "%Y-%m-%d", "%d-%b-%y", "%d/%m/%Y", "%d-%b-%Y")
_ARCHIVES = (".zip", ".xlsx")


def check_shape(path: Path, name: str, series: Series, release: str) -> None:
    """Refuse a file that is not of the series and release; `name` is what it is called, with its suffix.

    The table inside a zip is read through once, so that its own checksum is compared. Of a table the header
    is compared, and the extract date where it has one. A map is looked at from outside only.

    Raises NotTheFileError.
    """
    suffix = Path(name).suffix.lower()
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if _HTML.match(head.removeprefix(b"\xef\xbb\xbf")):
            raise NotTheFileError(f"{name} is a web page, not the file.")
        if not head:
            raise NotTheFileError(f"{name} is empty.")
        if suffix in _ARCHIVES:
            try:
                head = _table_of(Archive(head + file.read(), name), series)
            except InputFileError as error:
                raise NotTheFileError(str(error)) from error
    if suffix in (".zip", ".csv"):
        _check_header(head, name, series, release)
    elif series.columns and series.reader != "read_boundaries":
        raise NotTheFileError(f"{name} is no CSV file and no zip that holds one.")


def _table_of(archive: Archive, series: Series) -> bytes:
    """The table of an archive; nothing of a workbook, whose sheets the reader looks at."""
    if archive.is_workbook:
        return b""
    wanted = series.member or "*.csv"
    inside = [member for member in archive.names if fnmatch(member.lower(), wanted.lower())]
    if len(inside) != 1:
        raise NotTheFileError(
            f"{archive.name} holds {len(inside)} files called {wanted}, not one. It holds "
            f"{first_few(archive.names) or 'nothing'}."
        )
    return archive.read(inside[0])[:_HEAD]


def _check_header(head: bytes, name: str, series: Series, release: str) -> None:
    lines = head.removeprefix(b"\xef\xbb\xbf").decode("cp1252", errors="replace").splitlines()
    rows = [row for row in csv.reader(lines[:3]) if any(cell.strip() for cell in row)]
    header = [plain(column) for column in rows[0]] if rows else []
    missing = [names[0] for names in series.columns if not set(names) & set(header)]
    if missing:
        raise NotTheFileError(
            f"{name} lacks {len(missing)} columns of {series.title}: {first_few(missing)}. It has "
            f"{first_few(rows[0], 12) if rows else 'none'}."
        )
    if "EXTRACT_DATE" in header and len(rows) > 1 and _MONTH.fullmatch(release):
        _check_month(rows[1], header.index("EXTRACT_DATE"), name, release)


def _check_month(row: Sequence[str], position: int, name: str, release: str) -> None:
    said = row[position].strip() if position < len(row) else ""
    month = _month(said)
    if month is not None and month != release:
        raise NotTheFileError(
            f"{name} was extracted on {said}: it is release {month}, not {release}. Ask for --release "
            f"{month}."
        )


def _month(said: str) -> str | None:
    for layout in _DATES:
        try:
            return f"{datetime.strptime(said, layout):%Y-%m}"
        except ValueError:
            continue
    return None


__all__ = ["check_shape"]
