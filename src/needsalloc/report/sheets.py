"""Sheets of a workbook in the layout of the Analysis Function: title, what to know, then one real table.

Nothing stands above the title, beside the table or under it. No cell is merged, hidden or filled with
colour; no filter, header or footer is set. Panes are frozen only where a table is longer than a screen.
Source: Analysis Function, Making spreadsheets accessible: a brief checklist of the basics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from textwrap import wrap
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from needsalloc.report.column import CONFIDENTIAL, YES_NO, Column, is_gap

BLANKS = "Blank cells: there is no such figure, or nobody knows it. A blank is never nought."
ONE_TABLE = "This worksheet contains one table."
_WIDEST, _TO_FILL = 60, 40  # characters
_LINE = 16  # points, for one line of text
_NARROWEST, _BROADEST = 90, 160  # characters of a line above a table
_A_SCREEN = 40  # rows
_FREEZE_WIDEST = 70  # characters that may stay in sight beside what scrolls


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet with one table.

    name, title: of the tab, and of the first cell.
    columns, cells: how each column is shown, and its values; None and "" are blank cells.
    lines: what to know before reading, a paragraph each, between title and table.
    """

    name: str
    title: str
    columns: Sequence[Column]
    cells: Sequence[Sequence[Any]]
    lines: Sequence[str] = ()

    @property
    def rows(self) -> int:
        return max((len(values) for values in self.cells), default=0)


def values(column: pd.Series[Any], withheld: npt.NDArray[np.bool_] | None = None) -> list[Any]:
    """The cells of a column: None for a gap, `CONFIDENTIAL` for what is withheld, words for yes and no."""
    cells = [None if is_gap(value) else value for value in column.tolist()]
    if pd.api.types.is_bool_dtype(column):
        cells = [YES_NO[bool(cell)] for cell in cells]
    if withheld is None:
        return cells
    return [CONFIDENTIAL if hidden else cell for cell, hidden in zip(cells, withheld, strict=True)]


def text_sheet(name: str, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Sheet:
    """A sheet of words: `rows` hold a text for each of `heads`."""
    columns = [Column(head, "", "", "text") for head in heads]
    return Sheet(name, title, columns, [[row[i] for row in rows] for i in range(len(heads))])


@dataclass(frozen=True, slots=True)
class Looks:
    """The formats of a workbook: sans serif, 12 points, black; bold says what is a heading."""

    book: Any
    title: Any
    label: Any
    body: Any
    link: Any

    @classmethod
    def of(cls, book: Any) -> Looks:
        return cls(
            book,
            title=book.add_format({"bold": True, "font_size": 16}),
            label=book.add_format({"bold": True, "font_size": 14}),
            body=book.add_format({"text_wrap": True, "valign": "top"}),
            link=book.add_format({"font_color": "#0563C1", "underline": 1, "valign": "top"}),
        )

    @staticmethod
    def _side(column: Column, first: bool) -> dict[str, object]:
        """Figures to the right; words to the left, off the figures before them."""
        return {"align": "left", "indent": int(not first)} if column.form == "text" else {"align": "right"}

    def heading(self, column: Column, first: bool) -> Any:
        shape = {"bold": True, "text_wrap": True, "valign": "bottom", "bottom": 1}
        return self.book.add_format(shape | self._side(column, first))

    def cell(self, column: Column, first: bool, wrapped: bool) -> Any:
        shape = {"num_format": column.excel_format, "valign": "top", "text_wrap": wrapped}
        return self.book.add_format(shape | self._side(column, first))


def write_sheet(looks: Looks, sheet: Sheet) -> tuple[Any, int]:
    """Write one sheet; returns it, to be added to, and the row of its headings, counted from 0."""
    page = looks.book.add_worksheet(sheet.name)
    page.set_row(0, 24)
    page.write_string(0, 0, sheet.title, looks.title)
    widths = [_width(column, cells) for column, cells in zip(sheet.columns, sheet.cells, strict=True)]
    above = _above(sheet, sum(widths))
    for row, line in enumerate(above, start=1):
        page.write_string(row, 0, line)
    first = 1 + len(above)
    page.add_table(
        first,
        0,
        first + max(sheet.rows, 1),  # Excel refuses a table without a row
        len(sheet.columns) - 1,
        {
            "name": sheet.name.replace(" ", "_"),
            "style": None,
            "autofilter": False,
            "columns": [
                {"header": column.label, "header_format": looks.heading(column, not position)}
                for position, column in enumerate(sheet.columns)
            ],
        },
    )
    lines = [len(wrap(c.label, width - 2)) for c, width in zip(sheet.columns, widths, strict=True)]
    page.set_row(first, 6 + _LINE * max(lines))
    for position, (column, cells, width) in enumerate(zip(sheet.columns, sheet.cells, widths, strict=True)):
        page.set_column(position, position, width)
        _write_cells(page, first + 1, position, cells, looks.cell(column, not position, width >= _TO_FILL))
    _row_heights(page, first + 1, sheet, widths)
    if sheet.rows > _A_SCREEN:
        page.freeze_panes(first + 1, _frozen(sheet.columns, widths))
    one_page_wide(page)
    page.repeat_rows(first)
    return page, first


def one_page_wide(page: Any) -> None:
    """Print on A4, all columns on one page."""
    page.set_landscape()
    page.set_paper(9)  # A4
    page.fit_to_pages(1, 0)


@lru_cache(maxsize=1024)  # a checklist asks every team the same
def room_for(text: str, width: int) -> int:
    """Points of a text wrapped at `width` characters: not every program makes room by itself."""
    return _LINE * max(1, len(wrap(text, width)))


def _above(sheet: Sheet, width: int) -> list[str]:
    """All that stands between title and table, in lines about as wide as it is."""
    blank = any(value is None or value == "" for values in sheet.cells for value in values)
    said = [ONE_TABLE, *sheet.lines, *([BLANKS] if blank else [])]
    room = min(max(width, _NARROWEST), _BROADEST)
    return [line for paragraph in said for line in wrap(paragraph, room)]


def _frozen(columns: Sequence[Column], widths: Sequence[int]) -> int:
    """How many first columns stay in sight: those that name the row, if they leave room for the others."""
    named = 0
    while named < len(columns) and columns[named].form == "text":
        named += 1
    named = min(named, 2) if named < len(columns) else 1
    while named and sum(widths[:named]) > _FREEZE_WIDEST:
        named -= 1
    return named


def _row_heights(page: Any, first: int, sheet: Sheet, widths: Sequence[int]) -> None:
    wrapped = [cells for cells, width in zip(sheet.cells, widths, strict=True) if width == _WIDEST]
    for row, texts in enumerate(zip(*wrapped, strict=True), start=first):
        longest = max((str(text) for text in texts if text is not None), key=len, default="")
        if len(longest) > _WIDEST:
            page.set_row(row, room_for(longest, _WIDEST))


def _write_cells(page: Any, row: int, position: int, cells: Iterable[Any], look: Any) -> None:
    for offset, value in enumerate(cells):
        if value is None or value == "":
            continue
        if isinstance(value, int | float):
            page.write_number(row + offset, position, value, look)
        else:
            page.write_string(row + offset, position, str(value), look)


def _width(column: Column, cells: Sequence[Any]) -> int:
    """Characters for a column; the heading of a figure may wrap on to three lines."""
    if column.form != "text":
        figures = [value for value in cells if isinstance(value, int | float)]
        ends = (min(figures), max(figures)) if figures else ()  # with fixed decimals no other is wider
        longest = max((len(column.show(value)) for value in ends), default=0)
        return max(12, longest + 3, len(column.label) // 3 + 4)
    longest = max((len(str(value)) for value in cells if value is not None), default=0)
    if cells and not longest:
        return _TO_FILL
    return min(_WIDEST, max(longest, len(column.label)) + 3)


__all__ = [
    "BLANKS",
    "ONE_TABLE",
    "Looks",
    "Sheet",
    "one_page_wide",
    "room_for",
    "text_sheet",
    "values",
    "write_sheet",
]
