"""The report: a folder that is whole or absent, and files that say no more than they know."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from openpyxl.cell import Cell
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet
from pyarrow import csv

from needsalloc.errors import OutputError
from needsalloc.report import Bundle, charts, schema, workbook, write
from needsalloc.report.bundle import BESIDE, TABLES
from needsalloc.report.column import Column
from needsalloc.report.log import log
from needsalloc.report.map import draw
from needsalloc.report.page import page
from report_samples import sample

SAMPLE = sample()
FILES = {
    "index.html",
    "teams.html",
    "plan.xlsx",
    "log.md",
    "provenance.json",
    "plan.toml",
    "equality.md",
    "data-flow.md",
    "transparency.md",
    "tables/schema.json",
    "geo/areas.parquet",
    "geo/teams.parquet",
    "geo/plan.gpkg",
    *(f"tables/{name}.{kind}" for name in SAMPLE.tables for kind in ("csv", "parquet")),
}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return SAMPLE


@pytest.fixture(scope="module")
def folder(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "out"
    write(bundle, out)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def named(bundle: Bundle, name: str) -> Bundle:
    """The same run with a first team of this name."""
    teams = bundle.allocation.copy()
    teams.loc[0, "team_name"] = name
    return replace(bundle, allocation=teams)


# The folder


def test_every_file_is_written_and_told(bundle: Bundle, tmp_path: Path) -> None:
    heard: list[str] = []
    written = write(bundle, tmp_path / "deep" / "out", progress=heard.append)
    assert set(written) == FILES == set(contents(tmp_path / "deep" / "out"))
    assert all(path.is_file() for path in written.values())
    assert heard == ["tables", "workbook", "maps", "page"]


def test_the_same_run_gives_the_same_bytes(bundle: Bundle, folder: Path, tmp_path: Path) -> None:
    write(sample(), tmp_path / "elsewhere")
    assert contents(tmp_path / "elsewhere") == contents(folder)


def test_no_file_names_this_machine(folder: Path) -> None:
    for name, held in contents(folder).items():
        assert str(folder.parent).encode() not in held, name


def test_a_report_replaces_a_report_and_an_empty_folder(bundle: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    write(bundle, out)
    write(replace(bundle, title="A second title"), out)
    assert json.loads((out / "provenance.json").read_text())["title"] == "A second title"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("with_report", [False, True], ids=["alone", "beside a report"])
def test_a_strangers_file_is_never_lost(bundle: Bundle, tmp_path: Path, with_report: bool) -> None:
    out = tmp_path / "out"
    if with_report:
        write(bundle, out)
    out.mkdir(exist_ok=True)
    (out / "minutes of the board.docx").write_text("mine")
    with pytest.raises(OutputError, match=r"1 file.*minutes of the board\.docx"):
        write(bundle, out)
    assert (out / "minutes of the board.docx").read_text() == "mine"


def test_a_provenance_of_another_program_does_not_open_the_folder(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "provenance.json").write_text('{"software": {"name": "other"}, "files": {}}')
    with pytest.raises(OutputError, match="did not write"):
        write(bundle, tmp_path)


@pytest.mark.parametrize("fault", [RuntimeError("bad figure"), OSError(28, "No space left on device")])
@pytest.mark.parametrize(
    "part", ["workbook.write_workbook", "geo.write_geo", "page.page", "write.table_schema"]
)
def test_a_failure_half_way_leaves_the_old_report(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, part: str
) -> None:
    out = tmp_path / "out"
    write(bundle, out)
    before = contents(out)

    def fail(*_: object) -> None:
        raise fault

    module, _, name = part.partition(".")
    monkeypatch.setattr(import_module(f"needsalloc.report.{module}"), name, fail)
    with pytest.raises((RuntimeError, OutputError)):
        write(replace(bundle, title="never"), out)
    assert contents(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_place_that_cannot_be_written_is_said(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Choose another"):
        write(bundle, tmp_path / "file" / "out")
    with pytest.raises(OutputError, match="is a file"):
        write(bundle, tmp_path / "file")


def test_an_undescribed_column_is_refused_before_anything_is_written(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="mystery"):
        write(replace(bundle, need=bundle.need.assign(mystery=1)), tmp_path / "out")
    beside = {**bundle.beside, "theil": pd.DataFrame({"mystery": [1]})}
    with pytest.raises(OutputError, match="mystery"):
        write(replace(bundle, beside=beside), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_every_table_has_a_title_and_a_sheet() -> None:
    assert set(schema.TITLES) == {*TABLES, *BESIDE}
    assert set(workbook.SHEETS) == {*TABLES, *BESIDE}
    assert all(len(name) <= 31 for name in workbook.SHEETS.values())  # Excel's limit


# Tables


@pytest.mark.parametrize("name", SAMPLE.tables)
def test_tables_come_back_as_they_were(bundle: Bundle, folder: Path, name: str) -> None:
    wanted = bundle.table(name)
    for found in (
        csv.read_csv(folder / "tables" / f"{name}.csv").to_pandas(),
        pd.read_parquet(folder / "tables" / f"{name}.parquet"),
    ):
        assert list(found.columns) == list(wanted.columns)
        for column in wanted:
            if pd.api.types.is_numeric_dtype(wanted[column]):
                np.testing.assert_array_equal(found[column], wanted[column])
            else:
                # An empty text is an empty cell, which a reader may take for a gap.
                both = [
                    each.astype(object).fillna("").astype(str).tolist()
                    for each in (found[column], wanted[column])
                ]
                assert both[0] == both[1]


def test_the_schema_describes_every_table_column_by_column(bundle: Bundle, folder: Path) -> None:
    package = json.loads((folder / "tables" / "schema.json").read_text(encoding="utf-8"))
    assert [found["name"] for found in package["resources"]] == list(bundle.tables)
    assert package["licenses"][0]["name"] == "OGL-UK-3.0"
    read_as = {"string": str, "integer": "int64", "number": float, "boolean": bool}
    for found in package["resources"]:
        fields = found["schema"]["fields"]
        kinds = {field["name"]: read_as[field["type"]] for field in fields}
        rows = pd.read_csv(
            folder / "tables" / found["path"], dtype=kinds, na_values=[""], keep_default_na=False
        )
        assert list(rows) == list(kinds)
        assert all(field["title"] and field["description"] and field["unit"] for field in fields)
        if "primaryKey" in found["schema"]:
            assert not rows.duplicated(found["schema"]["primaryKey"]).any()


def test_data_that_are_made_up_have_no_licence(bundle: Bundle, tmp_path: Path) -> None:
    made_up = replace(bundle, sources=tuple(replace(s, licence="made up") for s in bundle.sources))
    write(made_up, tmp_path / "out")
    assert "licenses" not in json.loads((tmp_path / "out" / "tables" / "schema.json").read_text())


def test_attributes_of_a_frame_do_not_stop_it(bundle: Bundle, tmp_path: Path) -> None:
    need = bundle.need.copy()
    need.attrs = {"on": pd.Timestamp("2025-10-01").date(), "frame": bundle.need}
    assert write(replace(bundle, need=need), tmp_path / "out")


# Words and rounding


@pytest.mark.parametrize(
    ("value", "column", "shown"),
    [
        (2.5, Column("", "", ""), "3"),  # half up, where Python's round gives 2
        (0.125, Column("", "", "", decimals=2), "0.13"),
        (1.005, Column("", "", "", decimals=2), "1.01"),  # as written, not as stored in binary
        (np.float64(-0.123), Column("", "", "", "percent", 1, signed=True), "−12.3%"),
        (np.int64(1234567), Column("", "", ""), "1,234,567"),
        (0.04, Column("", "", "", decimals=1, signed=True), "0.0"),
        (-0.04, Column("", "", "", decimals=1, signed=True), "0.0"),
        (float("nan"), Column("", "", ""), "–"),
        (float("inf"), Column("", "", "", "percent"), "–"),
        (None, Column("", "", "", "text"), "–"),
        (True, Column("", "", ""), "yes"),
        (np.False_, Column("", "", "", "text"), "no"),
    ],
)
def test_numbers_are_shown_rounded_half_up(value: object, column: Column, shown: str) -> None:
    assert column.show(value) == shown


@pytest.mark.parametrize(("step", "decimals"), [(1.0, 0), (0.1, 1), (0.5, 1), (0.25, 2), (10.0, 0)])
def test_posts_show_as_many_decimals_as_the_step_has(step: float, decimals: int) -> None:
    assert schema.column(sample(step=step), "allocation", "posts").decimals == decimals


def test_every_column_is_described_and_no_two_share_a_label(bundle: Bundle) -> None:
    for table in bundle.tables:
        described = schema.columns(bundle, table).values()
        assert all(column.label and column.unit and column.meaning for column in described)
        assert not any("{" in column.label + column.unit + column.meaning for column in described)
        labels = [column.label.casefold() for column in described]
        assert len(set(labels)) == len(labels)


def test_need_indices_of_any_base_are_described(bundle: Bundle) -> None:
    assert schema.column(bundle, "need", "need_index_england").label == "Need index (England = 1)"
    assert schema.column(bundle, "need", "need_index_icb").label == "Need index (icb = 1)"


# The workbook


def opened(path: Path) -> Workbook:
    return openpyxl.load_workbook(path / "plan.xlsx" if path.is_dir() else path)


def table_of(sheet: Worksheet) -> tuple[list[str], list[tuple[Cell, ...]]]:
    """Headings and rows of the sheet's only table."""
    (table,) = sheet.tables.values()
    head, *rows = sheet[table.ref]
    return [cell.value for cell in head], rows


def test_the_workbook_leads_from_cover_to_data_dictionary(folder: Path) -> None:
    book = opened(folder)
    assert book.sheetnames[:6] == ["Cover", "Contents", "Summary", "Notes", "Parameters", "Allocation"]
    assert book.sheetnames[-4:] == ["Assumptions", "Checks", "Sources", "Data dictionary"]
    assert book.active.title == "Cover"
    heads, rows = table_of(book["Contents"])
    assert heads == ["Worksheet", "What it holds", "Rows"]
    assert [row[0].value for row in rows] == book.sheetnames[2:]
    assert [row[0].hyperlink.location for row in rows] == [f"'{name}'!A1" for name in book.sheetnames[2:]]
    assert [row[2].value for row in rows][3] == len(SAMPLE.allocation)


def test_every_sheet_is_laid_out_as_the_analysis_function_asks(folder: Path) -> None:
    book = opened(folder)
    assert book.properties.title == SAMPLE.title
    for sheet in book:
        assert sheet["A1"].value, sheet.title
        assert sheet["A1"].font.b
        assert not sheet.merged_cells.ranges
        assert not sheet.oddHeader.center.text
        assert not sheet.oddFooter.center.text
        assert not any(row.hidden for row in sheet.row_dimensions.values())
        assert not any(column.hidden for column in sheet.column_dimensions.values())
        assert all(cell.fill.fill_type is None for row in sheet.iter_rows() for cell in row)
        assert {cell.font.name for row in sheet.iter_rows() for cell in row} == {"Arial"}
        assert min(cell.font.sz for row in sheet.iter_rows() for cell in row) == 12
    assert book["Cover"].sheet_view.selection[0].activeCell == "A1"


def test_every_sheet_after_the_cover_holds_one_named_table_and_nothing_beside_it(folder: Path) -> None:
    for sheet in opened(folder).worksheets[1:]:
        (table,) = sheet.tables.values()
        assert table.displayName == sheet.title.replace(" ", "_")
        assert table.autoFilter is None
        left, top, right, bottom = openpyxl.utils.range_boundaries(table.ref)
        assert left == 1
        assert (sheet.max_column, sheet.max_row) == (right, bottom)  # nothing beside or under it
        assert sheet["A2"].value == "This worksheet contains one table."
        assert all(sheet.cell(row, 1).value for row in range(1, top))  # no blank row above it
        heads, rows = table_of(sheet)
        assert all(heads)
        assert len({head.casefold() for head in heads}) == len(heads)
        assert all(any(cell.value is not None for cell in row) for row in rows)
        has_blanks = any(cell.value is None for row in rows for cell in row)
        told = any("A blank is never nought" in sheet.cell(row, 1).value for row in range(1, top))
        assert told == has_blanks, sheet.title
        assert bool(sheet.freeze_panes) == (len(rows) > 40)


def test_the_workbook_keeps_full_precision_and_leaves_gaps_blank(bundle: Bundle, folder: Path) -> None:
    heads, rows = table_of(opened(folder)["Allocation"])
    for name, column in schema.columns(bundle, "allocation").items():
        position = heads.index(column.label)
        for row, value in zip(rows, bundle.allocation[name], strict=True):
            wanted = pytest.approx(value, rel=1e-15) if isinstance(value, float) else value
            assert row[position].value is None if pd.isna(value) else row[position].value == wanted
    posts = rows[0][heads.index("Posts in this plan")]
    assert posts.number_format == "#,##0.0"


def test_what_is_said_of_a_table_stands_above_it(bundle: Bundle, folder: Path) -> None:
    sheet = opened(folder)["What need is made of"]
    assert sheet["A1"].value == schema.TITLES["decomposition"]
    assert sheet["A3"].value == bundle.said["decomposition"]


def test_withheld_cells_are_marked_and_explained(bundle: Bundle, tmp_path: Path) -> None:
    teams = bundle.allocation.assign(suppressed="")
    teams.loc[0, ["current", "change"]] = np.nan
    teams.loc[0, "suppressed"] = "current change"
    said = "Posts now of 1 team are withheld."
    workbook.write_workbook(replace(bundle, allocation=teams, disclosed=said), tmp_path / "plan.xlsx")
    book = opened(tmp_path)
    heads, rows = table_of(book["Allocation"])
    marked = {
        (row, heads[i]) for row, cells in enumerate(rows) for i, c in enumerate(cells) if c.value == "[c]"
    }
    assert marked == {(0, "Posts now"), (0, "Change")}
    assert any(said in str(row) for row in book["Allocation"].iter_rows(max_row=8, values_only=True))
    assert any(said in str(row) for row in book["Notes"].iter_rows(values_only=True))
    assert any(said in str(row) for row in book["Cover"].iter_rows(values_only=True))


def test_yes_and_no_are_words_in_a_sheet(bundle: Bundle, tmp_path: Path) -> None:
    coverage = bundle.coverage.assign(practices=[True, False, True, False])
    workbook.write_workbook(replace(bundle, coverage=coverage), tmp_path / "plan.xlsx")
    heads, rows = table_of(opened(tmp_path)["Coverage"])
    assert [row[heads.index("Practices")].value for row in rows] == ["yes", "no", "yes", "no"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "http://"])
def test_text_never_becomes_a_formula_or_a_link(bundle: Bundle, tmp_path: Path, start: str) -> None:
    name = f"{start}cmd|' /C calc'!A0"
    workbook.write_workbook(named(bundle, name), tmp_path / "plan.xlsx")
    cell = table_of(opened(tmp_path)["Allocation"])[1][0][1]
    assert (cell.value, cell.data_type, cell.hyperlink) == (name, "s", None)


def test_long_tables_stay_out_of_the_workbook_and_it_says_where_they_are(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "MOST_ROWS", 10)
    workbook.write_workbook(bundle, tmp_path / "plan.xlsx")
    book = opened(tmp_path)
    assert "Flows" not in book.sheetnames
    assert "Need by area" not in book.sheetnames
    assert "Allocation" in book.sheetnames
    assert any("tables/flows.csv" in str(row) for row in book["Notes"].iter_rows(values_only=True))


def test_an_empty_table_is_still_a_table(bundle: Bundle, tmp_path: Path) -> None:
    workbook.write_workbook(replace(bundle, assumptions=(), sources=()), tmp_path / "plan.xlsx")
    assert opened(tmp_path)["Assumptions"].tables


# The page


def test_names_are_data_on_the_page(bundle: Bundle) -> None:
    html = page(named(bundle, "</script><script>alert(1)</script><img src=x onerror=alert(2)>"))
    assert "<img src=x" not in html
    assert html.count("<script") == 2
    assert "&lt;img src=x" in html


def test_the_page_asks_for_nothing_from_anywhere(bundle: Bundle) -> None:
    html = page(bundle)
    assert "default-src 'none'" in html
    assert "http://" not in html
    assert "https://" not in html


def test_without_figures_of_today_there_is_no_before(bundle: Bundle) -> None:
    html = page(sample(current=False))
    assert "Nobody has said what is in place now" in html
    assert "Distance from target now" not in html
    assert "Fair shares" in html
    assert charts.teams_chart(sample(current=False)).key[0][1] == "Share of registered adults"


def test_a_team_with_posts_now_and_no_target_has_no_distance(bundle: Bundle, tmp_path: Path) -> None:
    teams = bundle.allocation.copy()
    teams.loc[8, ["current", "distance_from_target", "change"]] = [2.0, np.inf, -2.0]
    assert write(replace(bundle, allocation=teams), tmp_path / "out")
    assert "Infinity" not in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("teams", "areas"), [(1, 1), (1, 5), (2, 2), (30, 31)])
@pytest.mark.parametrize("current", [False, True])
def test_small_places_have_a_report_too(tmp_path: Path, teams: int, areas: int, current: bool) -> None:
    assert write(sample(teams=teams, areas=areas, current=current), tmp_path / "out")


def test_without_boundaries_the_page_says_why_there_is_no_map() -> None:
    html = page(sample(boundaries=None))
    assert "There is no map" in html
    assert "<path" not in html


def test_warnings_come_before_findings(bundle: Bundle) -> None:
    html = page(bundle)
    assert html.index(bundle.warnings[0]) < html.index("You asked how")


# The map and the charts


def test_every_area_is_drawn_once_with_its_team(bundle: Bundle) -> None:
    drawn = draw(bundle)
    assert drawn is not None
    assert {shape.code for shape in drawn.areas} == set(bundle.need["lsoa21"])
    assert len(drawn.teams) == 8
    for shape in drawn.areas:
        assert bundle.allocation["team"][shape.team] == bundle.teams_of_areas[shape.code]
        assert shape.path.startswith("M")
        assert shape.path.endswith("z")


def test_areas_and_teams_may_be_categories(bundle: Bundle) -> None:
    teams = bundle.teams_of_areas.astype("category")
    teams.index = pd.CategoricalIndex(teams.index)
    need = bundle.need.astype({"lsoa21": "category"})
    allocation = bundle.allocation.astype({"team": "category", "team_name": "category", "icb": "category"})
    changed = replace(bundle, teams_of_areas=teams, need=need, allocation=allocation)
    assert page(changed) == page(bundle)


def test_classes_follow_the_areas_as_drawn(bundle: Bundle) -> None:
    drawn = draw(bundle)
    assert drawn is not None
    index = bundle.need.set_index("lsoa21")["need_index_england"]
    values = [index[shape.code] for shape in drawn.areas]
    by_class = pd.Series(values).groupby(drawn.measures[0].classes)
    assert (by_class.max().to_numpy()[:-1] <= by_class.min().to_numpy()[1:]).all()
    assert [shape.colour for shape in drawn.areas] == [f"s{found}" for found in drawn.measures[0].classes]
    assert drawn.shown == [f"{value:.2f}" for value in values]


def test_many_areas_are_drawn_as_teams(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("needsalloc.report.map.MOST_AREAS", 10)
    drawn = draw(bundle)
    assert drawn is not None
    assert not drawn.areas
    assert {measure.of for measure in drawn.measures} == {"team"}
    assert "teams" in page(bundle)


def test_far_areas_of_few_people_are_left_out_by_name(bundle: Bundle) -> None:
    need = bundle.need.copy()
    need.loc[[0, 1], "registered"] = 3
    drawn = draw(replace(bundle, need=need))
    assert drawn is not None
    assert len(drawn.areas) == 58
    assert "2 areas with 6 registered people are not drawn" in drawn.left_out


def test_boundaries_of_other_places_give_no_map(bundle: Bundle) -> None:
    assert bundle.boundaries is not None
    assert draw(replace(bundle, boundaries=bundle.boundaries.iloc[:0])) is None


@pytest.mark.parametrize("values", [[5.8, 9.3], [0.2, 0.21], [3.0], [], [0.0, 0.0], [1e-4, 2e-4], [0, 1200]])
@pytest.mark.parametrize("zero", [False, True])
def test_an_axis_holds_its_values(values: list[float], zero: bool) -> None:
    found = charts.axis(values, zero=zero)
    assert all(-1e-6 <= found.at(value) <= 100 + 1e-6 for value in values)
    assert 2 <= len(found.ticks(Column("", "", "", decimals=2))) <= 9


def test_of_many_teams_the_chart_shows_those_that_differ_most() -> None:
    many = sample(teams=50, areas=300)
    shown = charts.teams_chart(many)
    assert len(shown.rows) == charts.MOST_ROWS
    gap = (many.allocation["posts"] - many.allocation["current"]).nlargest(1).index[0]
    assert many.allocation["team_name"][gap] in {row.name for row in shown.rows}


def test_a_gap_in_the_deprivation_table_is_not_drawn(bundle: Bundle) -> None:
    equity = bundle.equity.copy()
    equity.loc[4, ["need_index_crude", "need_index_age_standardised"]] = np.nan
    rows = charts.index_chart(replace(bundle, equity=equity)).rows
    assert [len(row.marks) for row in rows] == [2, 2, 2, 2, 0]


# The log


def test_the_log_holds_every_assumption_and_check_as_table_rows(bundle: Bundle) -> None:
    text = log(bundle)
    for found in bundle.assumptions:
        assert f"| {found.what} | {found.kind} |" in text
    for check in bundle.checks:
        assert f"| {check.name} | {check.status} |" in text


def test_a_cell_of_the_log_cannot_break_its_table(bundle: Bundle) -> None:
    odd = replace(bundle.checks[0], found="a | b\nc <b>")
    assert "a \\| b c &lt;b>" in log(replace(bundle, checks=(odd,)))
