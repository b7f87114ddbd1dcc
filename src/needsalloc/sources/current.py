"""What is in place now, by team: the sheet that a planner fills in on the first morning."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from needsalloc import spreadsheet
from needsalloc.errors import InputFileError, InvalidValueError, MissingColumnError, OutputError, first_few
from needsalloc.sources._kinds import plain
from needsalloc.sources._opening import as_text
from needsalloc.sources._reading import SourceFile
from needsalloc.sources._table import TextTable
from needsalloc.sources._workbook import WORKBOOKS, imported, is_workbook, read_sheet
from needsalloc.sources.membership import NO_PCN
from needsalloc.whole import whole_file

BASES = ("establishment", "in post", "paid")
NOTES = (
    "One row for each team. Take out the rows of teams that you do not plan for.",
    "team: the PCN code, or a name of your own, spelt the same wherever the team is named.",
    "practices, areas: for a team of your own, the codes of its practices or LSOAs, with blanks between. "
    "Leave both empty for a PCN.",
    "fte_band_3 and so on: full-time equivalents by Agenda for Change band. Add a column for any other band. "
    "If you have only the total, write it in current.",
    "vacancies: how much of the figure nobody fills now. 0 if there are none; empty if you do not know.",
    "basis: what the figure is: establishment (funded), in post, or paid (bank and agency included). "
    "The same for every team.",
    "on: the day on which the figure holds, as 2026-04-01. The same for every team.",
)
_FIELDS = {
    "team": ("TEAM", "TEAM_CODE", "PCN_CODE", "PCN"),
    "team_name": ("TEAM_NAME", "PCN_NAME"),
    "practices": ("PRACTICES",),
    "areas": ("AREAS",),
    "current": ("CURRENT", "CURRENT_FTE", "FTE", "FTE_TOTAL"),
    "vacancies": ("VACANCIES",),
    "basis": ("BASIS",),
    "on": ("ON", "DATE"),
}
_BANDS = tuple(f"fte_band_{band}" for band in (3, 4, 5, 6, 7))
_TEMPLATE = ("team", "team_name", "practices", "areas", *_BANDS, "current", "vacancies", "basis", "on")
_TEXT = ("team_name", "practices", "areas")
_NOTE = "#"
# A sheet without teams is for a planner who names them all.
_EMPTY_ROWS = 200
_MOST_COLUMNS = 1 << 14
# Sheets are kept to one or two decimals, so bands may miss their total by a rounding.
_ROUNDING = 0.051


def read_current(path: str | Path, *, team: str | None = None, current: str | None = None) -> pd.DataFrame:
    """Full-time equivalents by team: `team, current`, then those of `team_name`, `practices`, `areas`,
    `fte_<band>`, `vacancies`, `basis` and `on` that the sheet has.

    Reads the sheet of `write_template`, filled in (.csv, .csv.gz or the first sheet of an .xlsx), or any
    table with a team and a figure; rows that open with # are notes. `current` is the sum of the bands where
    there is no total. An empty band beside a filled one is 0, a team with no figure at all is an error:
    nobody is taken to have none. Vacancies may be unknown (NaN).

    attrs: `basis`, one of "establishment", "in post", "paid", or None; `on`, a date or None; `source`.

    Raises InputFileError, MissingColumnError or InvalidValueError (a team twice, no figure, two bases or
    dates, bands that miss their total).
    """
    file = SourceFile(path, "posts in place by team", convert=_rows_as_text)
    named = {"team": team, "current": current}
    columns = file.find(_FIELDS, named=named, optional=set(_FIELDS) - {"team"})
    bands = {
        plain(name).lower(): name
        for name in file.header
        if plain(name).startswith("FTE_") and name not in columns.values()
    }
    if "current" not in columns and not bands:
        raise MissingColumnError(
            f"{file.path.name} has no figure: no column current, and none by band such as fte_band_5. "
            f'It has: {first_few(file.header, 12)}. Name one, as in current="its name".'
        )
    table = file.read(columns | bands)
    frame = pd.DataFrame({"team": _teams(table), "current": _totals(table, list(bands))})
    for name in _TEXT:
        if name in table and (words := pd.Series(table.words(name)).astype("str")).any():
            frame[name] = words
    for name in bands:
        frame[name] = table.numbers(name, blank=0)
    if "vacancies" in table:
        frame["vacancies"] = table.numbers("vacancies", blank=np.nan)
    basis, on = _basis(table), _on(table)
    if basis:
        frame["basis"] = basis
    if on:
        frame["on"] = on.isoformat()
    frame.attrs = table.attrs(basis=basis, on=on)
    return frame


def _teams(table: TextTable) -> pd.Series:
    table.refuse_repeated("team")
    teams = pd.Series(table.words("team")).astype("str")
    # A PCN code may be typed in lower case; a team's own name stays as it is written.
    return teams.where(~teams.str.fullmatch(r"u\d{5}"), teams.str.upper())


def _totals(table: TextTable, bands: Sequence[str]) -> pd.Series:
    by_band = pd.DataFrame({name: table.numbers(name, blank=np.nan) for name in bands})
    total = (
        by_band.sum(axis=1, min_count=1) if bands else pd.Series(np.nan, index=range(table.source["rows"]))
    )
    if "current" in table:
        stated = pd.Series(table.numbers("current", blank=np.nan))
        _refuse(table, (stated - total).abs() > _ROUNDING, "have bands that do not sum to current")
        total = stated.fillna(total)
    _refuse(table, total.isna(), "have no figure; write 0 where nobody is in place")
    return total.round(6)


def _refuse(table: TextTable, wrong: pd.Series, what: str) -> None:
    if wrong.any():
        teams = pd.Series(table.words("team")).astype("str")[wrong]
        raise InvalidValueError(
            f"{table.file}: {len(teams):,} of {len(wrong):,} teams {what}: {first_few(teams)}. "
            "Correct the sheet and run again."
        )


def _basis(table: TextTable) -> str | None:
    if "basis" not in table:
        return None
    found = sorted({str(word).lower() for word in table.words("basis").categories} - {""})
    if len(found) > 1 or not set(found) <= set(BASES):
        raise InvalidValueError(
            f"{table.file}: basis holds {first_few(found)}. "
            f"Use one word for the whole sheet, out of {', '.join(BASES)}: two bases cannot be compared."
        )
    return found[0] if found else None


def _on(table: TextTable) -> date | None:
    filled = "on" in table and any(table.words("on").categories)
    return table.one_date("on") if filled else None


def _rows_as_text(data: bytes, path: Path) -> bytes:
    """The filled rows of the sheet, without its notes, as text separated by commas."""
    rows: Iterable[list[str]]
    if path.suffix.lower() in WORKBOOKS or is_workbook(data):
        rows = read_sheet(data, path, lambda names: names[0] if names else None)
    else:
        rows = csv.reader(io.StringIO(as_text(data, path).decode("utf-8-sig"), newline=""))
    try:
        kept = [row for row in rows if any(map(str.strip, row)) and not row[0].startswith(_NOTE)]
    except csv.Error as error:
        raise InputFileError(f"{path.name} cannot be read as a table: {error}.") from error
    width = max((len(row) for row in kept), default=0)
    if width > _MOST_COLUMNS:
        raise InputFileError(
            f"{path.name} has a row of {width:,} cells, more than a sheet has columns. Save the sheet again."
        )
    text = io.StringIO()
    # Spreadsheets leave out the empty cells at the end of a row.
    csv.writer(text).writerows([*row, *[""] * (width - len(row))] for row in kept)
    return text.getvalue().encode()


def write_template(path: str | Path, teams: pd.DataFrame | Iterable[str], *, overwrite: bool = False) -> Path:
    """Write the sheet that a planner fills in, as .xlsx or .csv, with notes that say how; `read_current`
    reads it.

    `teams`: the frame of `read_membership` (a row for each of its PCNs), a frame with `team` and `team_name`,
    or names. A sheet that is there stays as it is unless `overwrite=True`.

    Raises OutputError if the file is there, cannot be written, or is neither .xlsx nor .csv.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise OutputError(f"{path} is there already and may be filled in. Choose another name.")
    sheet = _blank_sheet(teams)
    write = {".xlsx": _write_workbook, ".csv": _write_text}.get(path.suffix.lower())
    if write is None:
        raise OutputError(f"{path.name}: give the sheet a name that ends in .xlsx or .csv.")
    with whole_file(path) as draft:
        write(draft, sheet)
    return path


def _blank_sheet(teams: pd.DataFrame | Iterable[str]) -> pd.DataFrame:
    if not isinstance(teams, pd.DataFrame):
        teams = pd.DataFrame({"team": list(teams)}, dtype="str")
    elif "pcn" in teams:
        pcns = teams[teams["pcn"] != NO_PCN].drop_duplicates("pcn").sort_values("pcn")
        teams = pcns[["pcn", "pcn_name"]].set_axis(["team", "team_name"], axis=1)
    return teams.reindex(columns=list(_TEMPLATE), fill_value="").astype("str")


def _write_text(path: Path, sheet: pd.DataFrame) -> None:
    # With a byte-order mark, Excel reads the file as UTF-8.
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        rows = csv.writer(file)
        rows.writerows([f"{_NOTE} {note}"] for note in NOTES)
        rows.writerow(sheet.columns)
        rows.writerows([spreadsheet.as_text(cell) for cell in row] for row in sheet.to_numpy())


def _write_workbook(path: Path, sheet: pd.DataFrame) -> None:
    openpyxl = imported(path)
    book = openpyxl.Workbook()
    page = book.active
    page.title = "teams"
    page.append(list(sheet.columns))
    for row in sheet.itertuples(index=False):
        page.append([value or None for value in row])
        for cell in page[page.max_row]:
            # A name that opens with = is a name, not a formula.
            cell.data_type = "s" if cell.value else cell.data_type
    choices = openpyxl.worksheet.datavalidation.DataValidation(type="list", formula1=f'"{",".join(BASES)}"')
    page.add_data_validation(choices)
    basis = openpyxl.utils.get_column_letter(_TEMPLATE.index("basis") + 1)
    choices.add(f"{basis}2:{basis}{max(len(sheet), _EMPTY_ROWS) + 1}")
    page.freeze_panes = "C2"
    page.column_dimensions["B"].width = 40
    notes = book.create_sheet("notes")
    for note in NOTES:
        notes.append([note])
    notes.column_dimensions["A"].width = 120
    book.save(path)
