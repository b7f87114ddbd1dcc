"""The cells of a workbook as text: the values that it shows, never its macros, links or formulas."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from needsalloc.errors import InputFileError, InvalidValueError, first_few
from needsalloc.sources._containers import Archive, is_archive
from needsalloc.sources._opening import refuse_other_formats

WORKBOOKS = (".xlsx", ".xlsm")

_LARGEST = 1 << 27
# What a sheet of a spreadsheet can have; and cells, blank ones too, of the largest that is read.
_MOST_ROWS = 1 << 20
_MOST_CELLS = 20_000_000
_XML = (".xml", ".rels", ".vml")
# An Office file has no use for either; both let a few bytes stand for gigabytes, or for a file elsewhere.
_DECLARED = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
# A cell, its formula and its value; none of the parts can run over the next, so that one pass is enough.
_TAG = re.compile(rb"<(/?)(?:\w+:)?([cfv])((?:\s[^<>]*)?)>(?=([^<])?)")
_ADDRESS = re.compile(rb'\br="(\w+)"')


def is_workbook(data: bytes) -> bool:
    """Whether the bytes are those of an .xlsx or .xlsm file."""
    return is_archive(data) and b"[Content_Types].xml" in data


def read_sheet(data: bytes, path: Path, choose: Callable[[list[str]], str | None]) -> list[list[str]]:
    """The rows of a sheet as text; `choose` names it, given the names of all.

    A cell is what the workbook last showed: macros are not run, links not followed, formulas not worked out.
    Dates are written as 2023-07-01.

    Raises InputFileError for a damaged or hostile workbook or one without that sheet, and InvalidValueError
    for a formula without its last value, as programs write them.
    """
    if not is_archive(data):
        refuse_other_formats(data, path)
        raise InputFileError(f"{path.name} is no workbook. Save it again as .xlsx, or as CSV UTF-8.")
    parts = _parts(Archive(data, path.name))
    openpyxl = imported(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and validations, which are not read
            book = openpyxl.load_workbook(
                io.BytesIO(data), read_only=True, data_only=True, keep_links=False, keep_vba=False
            )
            names = [sheet.title for sheet in book.worksheets]
            name = choose(names)
            if name is None:
                raise InputFileError(f"{path.name} has no such sheet: {first_few(names)}.")
            sheet = book[name]
            # What a sheet says of its size may be wrong; the rows are not.
            sheet.reset_dimensions()
            rows = _filled_rows(sheet.iter_rows(values_only=True), path)
            text = parts[sheet._worksheet_path.lstrip("/")]
    except InputFileError:
        raise
    # A damaged workbook ends in whichever error its damage leads to.
    except Exception as error:
        raise InputFileError(
            f"{path.name} cannot be read as a workbook: {error}. Save it again as .xlsx."
        ) from error
    _refuse_unknown_values(text, path, name)
    return rows


def _filled_rows(found: Iterable[Sequence[object]], path: Path) -> list[list[str]]:
    """The rows as text; a number of a row or column far away stands for a sheet of blanks without end."""
    rows: list[list[str]] = []
    cells = 0
    for number, row in enumerate(found):
        cells += len(row)
        if number >= _MOST_ROWS or cells > _MOST_CELLS:
            raise InputFileError(
                f"{path.name} has more than {_MOST_ROWS:,} rows or {_MOST_CELLS:,} cells, most of them "
                "blank. Copy the table to a new sheet, or save it as CSV UTF-8."
            )
        rows.append([_text(cell) for cell in row])
    return rows


def _parts(archive: Archive) -> dict[str, bytes]:
    """The text of the workbook, refused if it is what no spreadsheet writes."""
    if not archive.is_workbook:
        raise InputFileError(f"{archive.name} is a zip archive, no workbook. Unpack it.")
    parts = {name: archive.read(name) for name in archive.names if name.lower().endswith(_XML)}
    size = sum(map(len, parts.values()))
    if size > _LARGEST:
        raise InputFileError(
            f"{archive.name} holds {size >> 20:,} MB of text, too much for one. Save the sheet as CSV."
        )
    odd = [name for name, text in parts.items() if _DECLARED.search(text) or b"\0" in text[:200]]
    if odd:
        raise InputFileError(
            f"{archive.name}: {first_few(odd)} declares entities or is oddly written. "
            "Save it again as .xlsx, or as CSV UTF-8."
        )
    return parts


def _refuse_unknown_values(sheet: bytes, path: Path, name: str) -> None:
    """InvalidValueError if a formula has no value: read as blank, it would count as nobody."""
    unknown: list[str] = []
    about, formula, value = b"", False, False
    for closing, tag, attributes, content in _TAG.findall(sheet):
        if tag == b"f":
            formula = True
        elif tag == b"v":
            value = value or bool(content and not closing)
        elif not closing:
            about, formula, value = attributes, False, False
        # A formula may come to a blank text, and says so by its type.
        elif formula and not value and b't="str"' not in about:
            address = _ADDRESS.search(about)
            unknown.append(address[1].decode() if address else "a cell")
    if unknown:
        raise InvalidValueError(
            f"{path.name}: {len(unknown):,} cells of the sheet {name} hold a formula and not its value: "
            f"{first_few(unknown)}. Open the workbook in a spreadsheet program, save it and read it again."
        )


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return "" if value is None else str(value)


def imported(path: Path) -> Any:
    """openpyxl, or InputFileError that says how to get it."""
    try:
        import openpyxl
    except ImportError as error:
        raise InputFileError(
            f'{path.name}: workbooks need openpyxl (pip install "needsalloc[report]"). Or use a .csv file.'
        ) from error
    return openpyxl


__all__ = ["WORKBOOKS", "imported", "is_workbook", "read_sheet"]
