"""plan.xlsx: one table to a sheet, as real Excel tables, with notes before numbers."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from needsalloc.report import schema
from needsalloc.report.bundle import Bundle
from needsalloc.report.column import CONFIDENTIAL, Column, withheld_cells
from needsalloc.report.sheets import Looks, Sheet, one_page_wide, room_for, text_sheet, values, write_sheet

MOST_ROWS = 100_000  # of a table in a workbook: a longer one is no longer read there
NO_CLOCK = datetime.datetime(2000, 1, 1)

SHEETS = {
    "allocation": "Allocation",
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
    "need": "Need by area",
    "equity": "Equity",
    "inequality": "Inequality",
    "inequality_by_group": "Inequality by group",
    "lorenz": "Lorenz curves",
    "theil": "Theil",
    "equality": "Equality evidence",
    "observed": "Observed contacts",
    "planning_cohorts": "Planning cohorts",
    "cohort_sources": "Cohort sources",
    "checklist": "Checklist",
    "coverage": "Coverage",
    "flows": "Flows",
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
    (
        "Rounding",
        "Cells hold figures at full precision, and number formats show them rounded half up. Nothing is "
        "rounded before, but posts to whole steps. What is shown need not add up; what cells hold does.",
    ),
    ("Blank cells", "There is no such figure, or nobody knows it. A blank is never nought."),
    (f"Cells with {CONFIDENTIAL}", "Confidential: withheld, since people could be told from it."),
    ("Distance from target", "Below zero: the team has less than its fair share now."),
    ("Deprivation", "Decile and fifth 1 are the most deprived."),
)
AUDIENCES = {
    "internal": "Internal: it may name people in small teams. Do not publish it or pass it on as it is.",
    "public": "Public.",
}


def write_workbook(bundle: Bundle, path: Path) -> None:
    """Write the workbook. Text never becomes a formula or a link, whatever it begins with."""
    import xlsxwriter

    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "default_format_properties": {"font_name": "Arial", "font_size": 12},
        "in_memory": True,
    }
    # In memory throughout: a run that is killed leaves no tables in the system's temporary folder, and a disk
    # that is full is an OSError.
    held = io.BytesIO()
    with xlsxwriter.Workbook(held, options) as book:
        book.set_properties(
            {
                "title": bundle.title,
                "subject": f"{bundle.total:g} {bundle.unit} shared by need",
                "keywords": f"{bundle.service}, need, allocation",
                "comments": f"{bundle.status}; needsalloc {bundle.version}",
                "created": NO_CLOCK,
            }
        )
        looks, sheets = Looks.of(book), _sheets(bundle)
        _cover(looks, bundle)
        _contents(looks, sheets)
        for sheet in sheets:
            write_sheet(looks, sheet)
    path.write_bytes(held.getvalue())


def _sheets(bundle: Bundle) -> list[Sheet]:
    """Every sheet after cover and contents: what to read first, the tables, and what they rest on."""
    summary = [("Warning", text) for text in bundle.warnings] + [
        ("Finding", text) for text in bundle.sentences
    ]
    return [
        text_sheet(
            "Summary", "What the figures suggest, and what they leave out", ["Kind", "Statement"], summary
        ),
        text_sheet("Notes", "Read before use", ["About", "Note"], _notes(bundle)),
        text_sheet(
            "Parameters", "Settings of this run", ["Setting", "Value"], list(bundle.parameters.items())
        ),
        *(_frame_sheet(bundle, table) for table in _shown(bundle)),
        text_sheet(
            "Assumptions",
            "Assumptions, inferences, choices and gaps",
            ["What", "Kind", "Kind in words", "Why", "Source"],
            [(a.what, a.kind, KINDS[a.kind], a.why, a.source) for a in bundle.assumptions],
        ),
        text_sheet(
            "Checks",
            "What was checked, what was found and what was expected",
            ["Check", "Status", "Found", "Expected"],
            [(c.name, c.status, c.found, c.expected) for c in bundle.checks],
        ),
        _sources(bundle),
        _dictionary(bundle),
    ]


def _shown(bundle: Bundle) -> list[str]:
    """The tables that have a sheet, in the order of `SHEETS`."""
    return [name for name in SHEETS if name in bundle.tables and len(bundle.table(name)) <= MOST_ROWS]


def _notes(bundle: Bundle) -> list[tuple[str, str]]:
    long = [name for name in bundle.tables if len(bundle.table(name)) > MOST_ROWS]
    return [
        *([("Withheld", bundle.disclosed)] if bundle.disclosed else []),
        *NOTES,
        *(
            (SHEETS[name], f"{len(bundle.table(name)):,} rows, too many for a sheet: see tables/{name}.csv.")
            for name in long
        ),
    ]


def _frame_sheet(bundle: Bundle, table: str) -> Sheet:
    frame, described = bundle.table(table), schema.columns(bundle, table)
    withheld = withheld_cells(frame)
    lines = [
        bundle.said.get(table, ""),
        f"Source: needsalloc {bundle.version}, from the files that the worksheet Sources names.",
        f"Cells with {CONFIDENTIAL} are withheld. {bundle.disclosed}".strip() if withheld else "",
    ]
    return Sheet(
        SHEETS[table],
        schema.TITLES[table],
        list(described.values()),
        [values(frame[name], withheld.get(name)) for name in described],
        [line for line in lines if line],
    )


def _sources(bundle: Bundle) -> Sheet:
    heads = ("Role", "File", "Publisher", "Title", "Release", "Licence", "SHA-256")
    columns = [*(Column(head, "", "", "text") for head in heads), Column("Rows", "rows", "")]
    rows = [
        (s.role, s.file, s.publisher, s.title, s.release, s.licence, s.sha256, s.rows) for s in bundle.sources
    ]
    cells = [[row[i] for row in rows] for i in range(len(columns))]
    return Sheet("Sources", "Where the figures come from", columns, cells, bundle.attribution)


def _dictionary(bundle: Bundle) -> Sheet:
    return text_sheet(
        "Data dictionary",
        "What every column means, here and in the folder “tables”",
        ["Worksheet", "Table in the files", "Column in the files", "Heading", "Unit", "Meaning"],
        [
            (SHEETS[table], table, name, found.label, found.unit, found.meaning)
            for table, name, found in schema.dictionary(bundle)
        ],
    )


_COVER_WIDTH = 100


def _cover(looks: Looks, bundle: Bundle) -> None:
    """Headings and paragraphs in one column, as a page that is read from the top."""
    page = looks.book.add_worksheet("Cover")
    page.hide_gridlines(2)
    page.set_column(0, 0, _COVER_WIDTH)
    page.set_row(0, 30)
    page.write_string(0, 0, bundle.title, looks.title)
    said = [
        ("Status", bundle.status[:1].upper() + bundle.status[1:]),
        ("Who may read it", bundle.disclosed or AUDIENCES[bundle.audience]),
        (
            "What is shared",
            f"{bundle.total:,g} {bundle.unit} of {bundle.service}, in steps of {bundle.step:g}, by need of "
            f"{bundle.people} adults; the need index of {bundle.base_name} is 1.",
        ),
        *(("Read this first", warning) for warning in bundle.warnings[:1]),
        (
            "What is in this workbook",
            "Contents lists the worksheets. Summary says what the figures suggest, Notes how to read them, "
            "Data dictionary what every column means, Sources where the figures come from.",
        ),
        (
            "Figures",
            "Cells hold full precision; formats show it rounded half up. The same tables are in the folder "
            "“tables”, as CSV and Parquet.",
        ),
        ("Software", f"needsalloc {bundle.version}"),
        ("Licence of the data", " ".join(bundle.attribution)),
    ]
    for row, (label, text) in enumerate(said):
        page.write_string(1 + 2 * row, 0, label, looks.label)
        page.set_row(1 + 2 * row, 24)
        page.set_row(2 + 2 * row, 4 + room_for(text, _COVER_WIDTH))
        page.write_string(2 + 2 * row, 0, text, looks.body)
    one_page_wide(page)


def _contents(looks: Looks, sheets: Iterable[Sheet]) -> None:
    listed = list(sheets)
    columns = [
        *(Column(head, "", "", "text") for head in ("Worksheet", "What it holds")),
        Column("Rows", "", ""),
    ]
    cells: list[list[Any]] = [[s.name for s in listed], [s.title for s in listed], [s.rows for s in listed]]
    contents = Sheet("Contents", "Contents", columns, cells)
    page, head = write_sheet(looks, contents)
    for row, name in enumerate(cells[0], start=head + 1):
        page.write_url(row, 0, f"internal:'{name}'!A1", looks.link, name)
