"""plan.xlsx: one table to a sheet, as real Excel tables, with notes before numbers."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

import pandas as pd

from needsalloc.report import schema
from needsalloc.report.bundle import BESIDE, Bundle
from needsalloc.report.column import Column, is_gap

NAVY, GREY = "#12436D", "#3D3D3D"
MOST_FLOWS = 100_000
NO_CLOCK = datetime.datetime(2000, 1, 1)

SHEETS = {
    "options": "Options",
    "options_by_team": "Options by team",
    "choices": "Choices",
    "pace": "Pace",
    "skills": "Skills",
    "skill_cost": "Cost by band",
    "sensitivity": "Sensitivity",
    "plan_range": "Range of the plan",
    "moved_by_data": "Moved by data",
    "decomposition": "What need is made of",
    "need_range": "Range of need",
    "index_changes": "Other deprivation",
    "inequality": "Inequality",
    "inequality_by_group": "Inequality by group",
    "lorenz": "Lorenz curves",
    "theil": "Theil",
    "equality": "Equality evidence",
    "observed": "Observed contacts",
    "planning_cohorts": "Planning cohorts",
    "cohort_sources": "Cohort sources",
    "checklist": "Checklist",
}
KINDS = {
    "assumption": "held to be so, without data",
    "inference": "worked out from other data",
    "choice": "decided in the plan",
    "gap": "not in any data at hand",
}
NOTES = (
    (
        "What this is",
        "One total of posts shared between teams in proportion to need. It starts a discussion.",
    ),
    (
        "What it does not say",
        "How many nurses are needed in all. If every team is short, every target is short.",
    ),
    ("Not for", "Decisions about individual people or members of staff."),
    ("Not for", "Children's services: the need formula is about adults."),
    ("Figures", "Cells hold full precision; the number format shows them rounded half up."),
    ("Blank cells", "The figure is not known. A blank is never a zero."),
    ("Distance from target", "Below zero: the team has less than its fair share now."),
    ("Deprivation", "Decile and fifth 1 are the most deprived."),
)


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A sheet with one table: `cells` holds a sequence of values for each of `columns`."""

    name: str
    title: str
    columns: Sequence[Column]
    cells: Sequence[Sequence[Any]]


def write_workbook(bundle: Bundle, path: Path) -> None:
    """Write the workbook. Text never becomes a formula or a link, whatever it begins with."""
    import xlsxwriter

    safe = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(path, safe) as book:
        book.set_properties(
            {"title": bundle.title, "comments": f"needsalloc {bundle.version}", "created": NO_CLOCK}
        )
        sheets = _sheets(bundle)
        _cover(book, bundle)
        _contents(book, sheets)
        for sheet in sheets:
            _write_sheet(book, sheet)


def _sheets(bundle: Bundle) -> list[_Sheet]:
    data = [
        _frame_sheet(bundle, "Allocation", "allocation"),
        _frame_sheet(bundle, "Need by area", "need"),
        _frame_sheet(bundle, "Equity", "equity"),
        _frame_sheet(bundle, "Coverage", "coverage"),
    ]
    if len(bundle.flows) <= MOST_FLOWS:
        data.append(_frame_sheet(bundle, "Flows", "flows"))
    beside = [_frame_sheet(bundle, SHEETS[name], name) for name in BESIDE if name in bundle.beside]
    summary = [("Warning", text) for text in bundle.warnings] + [
        ("Finding", text) for text in bundle.sentences
    ]
    return [
        _text_sheet(
            "Summary", "What the figures suggest, and what they leave out", ["Kind", "Statement"], summary
        ),
        _text_sheet("Notes", "Read before use", ["About", "Note"], _notes(bundle)),
        _text_sheet(
            "Parameters", "Settings of this run", ["Setting", "Value"], list(bundle.parameters.items())
        ),
        *data,
        *beside,
        _text_sheet(
            "Assumptions",
            "Assumptions, inferences, choices and gaps",
            ["What", "Kind", "Kind in words", "Why", "Source"],
            [(a.what, a.kind, KINDS[a.kind], a.why, a.source) for a in bundle.assumptions],
        ),
        _text_sheet(
            "Checks",
            "What was checked, what was found and what was expected",
            ["Check", "Status", "Found", "Expected"],
            [(c.name, c.status, c.found, c.expected) for c in bundle.checks],
        ),
        _sources(bundle),
        _text_sheet(
            "Data dictionary",
            "What every column means, here and in the folder “tables”",
            ["Table", "Column in the files", "Heading", "Unit", "Meaning"],
            [(table, name, c.label, c.unit, c.meaning) for table, name, c in schema.dictionary(bundle)],
        ),
    ]


def _notes(bundle: Bundle) -> list[tuple[str, str]]:
    notes = [*NOTES, *((SHEETS[name], bundle.said[name]) for name in BESIDE if name in bundle.beside)]
    if len(bundle.flows) > MOST_FLOWS:
        notes.append(
            (
                "Flows",
                f"{len(bundle.flows):,} rows, too many for a sheet: see tables/flows.csv or flows.parquet.",
            )
        )
    return notes


def _frame_sheet(bundle: Bundle, name: str, table: str) -> _Sheet:
    frame = bundle.table(table)
    described = schema.columns(bundle, table)
    return _Sheet(
        name, schema.TITLES[table], list(described.values()), [_values(frame[key]) for key in described]
    )


def _values(column: pd.Series[Any]) -> list[Any]:
    return [None if is_gap(value) else value for value in column.tolist()]


def _text_sheet(name: str, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> _Sheet:
    described = [Column(head, "", "", "text") for head in heads]
    return _Sheet(name, title, described, [[row[i] for row in rows] for i in range(len(heads))])


def _sources(bundle: Bundle) -> _Sheet:
    heads = ("Role", "File", "Publisher", "Title", "Release", "Licence", "SHA-256")
    described = [*(Column(head, "", "", "text") for head in heads), Column("Rows", "rows", "")]
    rows = [
        (s.role, s.file, s.publisher, s.title, s.release, s.licence, s.sha256, s.rows) for s in bundle.sources
    ]
    return _Sheet(
        "Sources", "Where the figures come from", described, [[row[i] for row in rows] for i in range(8)]
    )


def _cover(book: Any, bundle: Bundle) -> None:
    page = book.add_worksheet("Cover")
    page.hide_gridlines(2)
    page.set_column(0, 0, 3)
    page.set_column(1, 1, 24)
    page.set_column(2, 2, 90)
    title = book.add_format({"bold": True, "font_size": 22, "font_color": NAVY})
    head = book.add_format({"bold": True, "font_color": GREY, "valign": "top"})
    body = book.add_format({"text_wrap": True, "valign": "top"})
    page.set_row(1, 34)
    page.write_string(1, 1, bundle.title, title)
    facts = [
        ("Status", bundle.status),
        ("Service", bundle.service),
        ("Shared", f"{bundle.total:,g} {bundle.unit}, in steps of {bundle.step:g}"),
        ("Need is relative to", f"{bundle.base_name} = 1"),
        ("People", f"{bundle.people} adults"),
        ("Software", f"needsalloc {bundle.version}"),
        ("Licence of the data", " ".join(bundle.attribution)),
    ]
    for row, (name, value) in enumerate(facts, start=3):
        page.set_row(row, _LINE * max(1, len(wrap(value, 84))))
        page.write_string(row, 1, name, head)
        page.write_string(row, 2, value, body)
    _one_page_wide(page)


def _contents(book: Any, sheets: Iterable[_Sheet]) -> None:
    page = book.add_worksheet("Contents")
    page.hide_gridlines(2)
    page.set_column(0, 0, 22)
    page.set_column(1, 1, 80)
    _title(book, page, "Contents")
    page.write_string(2, 0, "Sheet", book.add_format({"bold": True, "bottom": 1}))
    page.write_string(2, 1, "What it holds", book.add_format({"bold": True, "bottom": 1}))
    link = book.add_format({"font_color": NAVY, "underline": 1})
    for row, sheet in enumerate(sheets, start=3):
        page.write_url(row, 0, f"internal:'{sheet.name}'!A1", link, sheet.name)
        page.write_string(row, 1, sheet.title)
    _one_page_wide(page)


def _title(book: Any, page: Any, text: str) -> None:
    page.set_row(0, 26)
    page.write_string(0, 0, text, book.add_format({"bold": True, "font_size": 15, "font_color": NAVY}))


def _write_sheet(book: Any, sheet: _Sheet) -> None:
    page = book.add_worksheet(sheet.name)
    _title(book, page, sheet.title)
    first, rows = 2, max((len(values) for values in sheet.cells), default=0)
    last = first + max(rows, 1)  # Excel refuses a table without a row
    heading = book.add_format(
        {"bold": True, "font_color": "white", "bg_color": NAVY, "text_wrap": True, "valign": "vcenter"}
    )
    widths = [_width(column, cells) for column, cells in zip(sheet.columns, sheet.cells, strict=True)]
    lines = [len(wrap(c.label, width - 4)) for c, width in zip(sheet.columns, widths, strict=True)]
    page.set_row(first, 9 + _LINE * max(lines))
    page.add_table(
        first,
        0,
        last,
        len(sheet.columns) - 1,
        {
            "name": sheet.name.replace(" ", "_"),
            "style": "Table Style Light 1",
            "columns": [{"header": c.label, "header_format": heading} for c in sheet.columns],
        },
    )
    for position, (column, values) in enumerate(zip(sheet.columns, sheet.cells, strict=True)):
        width = widths[position]
        shape = {"num_format": column.excel_format, "valign": "top", "text_wrap": width == _WIDEST}
        page.set_column(position, position, width)
        _write_column(page, first + 1, position, values, book.add_format(shape))
    _row_heights(page, first + 1, sheet, widths)
    numbers = any(c.form != "text" for c in sheet.columns)
    page.freeze_panes(first + 1, 2 if numbers and sheet.columns[1].form == "text" else 1)
    _one_page_wide(page)
    page.repeat_rows(first)


def _one_page_wide(page: Any) -> None:
    page.set_landscape()
    page.set_paper(9)  # A4
    page.fit_to_pages(1, 0)


def _row_heights(page: Any, first: int, sheet: _Sheet, widths: Sequence[int]) -> None:
    """Room for wrapped text: not every program that opens a workbook makes it by itself."""
    wrapped = [cells for cells, width in zip(sheet.cells, widths, strict=True) if width == _WIDEST]
    for row, texts in enumerate(zip(*wrapped, strict=True), start=first):
        lines = max(len(wrap(str(text), _WIDEST - 4)) for text in texts)
        if lines > 1:
            page.set_row(row, _LINE * lines)


def _write_column(page: Any, row: int, position: int, values: Iterable[Any], shape: Any) -> None:
    for offset, value in enumerate(values):
        if value is None:
            continue
        if isinstance(value, int | float):
            page.write_number(row + offset, position, value, shape)
        else:
            page.write_string(row + offset, position, str(value), shape)


_WIDEST = 60
_LINE = 15


def _width(column: Column, values: Sequence[Any]) -> int:
    """Characters for a column; a numeric heading may wrap on to three lines, the filter button beside it."""
    if column.form != "text":
        longest = max((len(column.show(value)) for value in values[:2000]), default=0)
        return max(12, longest + 3, len(column.label) // 3 + 4)
    longest = max((len(str(value)) for value in values), default=0)
    return min(_WIDEST, max(longest, len(column.label) + 3) + 2)
