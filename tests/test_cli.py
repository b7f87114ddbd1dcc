"""The command: demo, run, check, template; their exit codes, what they print and what they leave behind."""

import csv
import os
import shutil
import subprocess
import sys
import tomllib

import openpyxl
import pandas as pd
import pytest

from needsalloc import __version__, cli, read_current
from plan_folders import (
    CURRENT,
    LISTS,
    MAP,
    PLAN,
    REGISTRATIONS,
    command,
    contents,
    edit,
    first_cells,
    write_files,
)

TABLES = (
    "allocation", "coverage", "equity", "flows", "need", "options", "options_by_team", "sensitivity",
    "decomposition", "need_range", "inequality", "inequality_by_group", "lorenz", "theil", "equality",
    "planning_cohorts", "cohort_sources", "checklist",
)  # fmt: skip


def report(*more: str) -> set[str]:
    """The files of a report with these tables beside the usual ones."""
    names = (*TABLES, *more)
    tables = {f"tables/{name}.{kind}" for name in names for kind in ("csv", "parquet")}
    files = {"index.html", "teams.html", "plan.xlsx", "log.md", "provenance.json", "plan.toml"}
    documents = {"equality.md", "data-flow.md", "transparency.md"}
    return files | documents | tables | {"tables/schema.json"}


# The plan of `write_files` has a minimum, which is a choice.
REPORT = report("choices")
# This ICB has the PCNs U90001 and U90002, and the practice without one.
ONE_ICB = PLAN.replace("[catchment]", '[catchment]\nicb = "QZZ"')


def allocation(folder):
    return pd.read_csv(folder / "tables" / "allocation.csv", index_col="team")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "first"
    return folder, command("demo", "--out", folder)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A plan in its folder, run once: the plan, the report's folder, how the command ended."""
    place = tmp_path_factory.mktemp("finished")
    plan = write_files(place / "mine")
    return plan, place / "out", command("run", plan, "--out", place / "out")


def test_the_demo_ends_well_and_says_where_its_folder_is(demo):
    folder, ended = demo
    assert (ended.code, ended.err) == (0, "")
    shapes = {f"geo/{name}" for name in ("plan.gpkg", "areas.parquet", "teams.parquet")}
    assert set(contents(folder / "report")) == report("pace") | shapes
    for name in ("index.html", "plan.xlsx", "log.md"):
        assert str(folder / "report" / name) in ended.out
    assert "U90001" in ended.out
    assert "made up" in ended.out
    assert "Checks: " in ended.out


def test_the_demo_can_be_opened(demo):
    folder, _ = demo
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    book = openpyxl.load_workbook(folder / "report" / "plan.xlsx")
    assert {"Cover", "Allocation", "Assumptions", "Checks", "Data dictionary"} <= set(book.sheetnames)
    for name in TABLES:
        kept = pd.read_parquet(folder / "report" / "tables" / f"{name}.parquet")
        assert len(kept) == len(pd.read_csv(folder / "report" / "tables" / f"{name}.csv")) > 0


def test_the_demo_shares_its_total_exactly(demo):
    folder, _ = demo
    table = allocation(folder / "report")
    plan = tomllib.loads((folder / "plan.toml").read_text(encoding="utf-8"))
    assert table["posts"].sum() == plan["plan"]["total"]
    assert table.loc["U", "posts"] == 0
    assert table.loc["U", "registered"] > 0


@pytest.mark.slow
def test_two_demos_are_the_same_bytes(demo, tmp_path):
    folder, _ = demo
    assert command("demo", "--out", tmp_path / "elsewhere" / "second").code == 0
    assert contents(tmp_path / "elsewhere" / "second") == contents(folder)


@pytest.mark.slow
def test_a_demo_is_replaced_by_another_seed_and_names_no_place(demo, tmp_path):
    folder, _ = demo
    for seed in (1, 2):
        assert command("demo", "--out", tmp_path / "demo", "--seed", seed).code == 0
    other = contents(tmp_path / "demo")
    assert set(other) == set(contents(folder))
    assert other["report/tables/need.csv"] != contents(folder)["report/tables/need.csv"]
    assert not [name for name, data in other.items() if str(tmp_path).encode() in data]


def test_a_run_writes_the_folder_and_nothing_else(finished):
    plan, out, ended = finished
    assert (ended.code, ended.err) == (0, "")
    assert set(contents(out)) == REPORT
    assert {path.name for path in out.parent.iterdir()} == {"mine", "out"}
    assert set(contents(plan.parent)) == {"plan.toml", *(path.name for path in plan.parent.iterdir())}


@pytest.mark.slow
def test_the_effective_plan_runs_again_to_the_same_bytes(finished, tmp_path):
    plan, out, _ = finished
    again = command("run", out / "plan.toml", "--data", plan.parent, "--out", tmp_path / "again")
    assert again.code == 0
    assert contents(tmp_path / "again") == contents(out)


@pytest.mark.slow
def test_a_report_is_replaced_by_its_next_run(finished, tmp_path):
    plan, out, _ = finished
    for _ in range(2):
        assert command("run", plan, "--out", tmp_path / "out").code == 0
    assert contents(tmp_path / "out") == contents(out)


def test_data_may_lie_elsewhere_and_the_plan_says_where_the_report_goes(finished, tmp_path, monkeypatch):
    plan, out, _ = finished
    (tmp_path / "mine.toml").write_text(PLAN.replace('"report"', '"out/of/mine"'), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    relative = os.path.relpath(plan.parent)
    assert command("run", "mine.toml", "--data", relative).code == 0
    written = contents(tmp_path / "out" / "of" / "mine")
    different = {name for name, data in contents(out).items() if written[name] != data}
    assert different == {"plan.toml", "provenance.json"}


def test_distance_and_change_follow_from_the_sheet(finished):
    plan, out, _ = finished
    sheet = read_current(plan.parent / CURRENT).set_index("team")["current"]
    teams = allocation(out).loc[sheet.index]
    assert teams["current"].to_list() == sheet.to_list()
    pd.testing.assert_series_equal(
        teams["distance_from_target"], sheet / teams["target"] - 1, check_names=False
    )
    pd.testing.assert_series_equal(teams["change"], teams["posts"] - sheet, check_names=False)


def test_practices_missing_from_the_map_are_a_row_of_the_result(finished, tmp_path):
    plan = write_files(tmp_path / "mine")
    edit(MAP, lambda rows: rows.iloc[3:])(plan.parent)
    lists = pd.read_csv(plan.parent / REGISTRATIONS)
    lost = lists.loc[lists["PRACTICE_CODE"].isin(["Z00001", "Z00002", "Z00003"]), "NUMBER_OF_PATIENTS"].sum()
    assert command("run", plan, "--out", tmp_path / "out").code == 0
    table = allocation(tmp_path / "out")
    assert table.loc["not in map", "team_name"] == "Practices missing from the map"
    assert table.loc["not in map", ["registered", "posts"]].to_list() == [lost, 0]
    assert table["registered"].sum() == allocation(finished[1])["registered"].sum()
    covered = pd.read_csv(tmp_path / "out" / "tables" / "coverage.csv", index_col="group")["patients"]
    assert covered["of whom: Practices missing from the map (not in map)"] == lost


def test_check_reads_everything_and_writes_nothing(finished):
    plan, _, _ = finished
    before = contents(plan.parent)
    ended = command("check", plan)
    assert (ended.code, ended.err) == (0, "")
    for name in ("registrations", "current", REGISTRATIONS, "502 rows", "England", "Wales", "All patients"):
        assert name in ended.out
    assert "warning" not in ended.out
    assert contents(plan.parent) == before


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (edit(MAP, lambda rows: rows.iloc[1:]), "warning  Patients of practices missing from the map"),
        (
            edit(MAP, lambda rows: rows.assign(EXTRACT_DATE="01Jan2025")),
            "warning  Days between the lists and the map: 365 (expected: at most 100)",
        ),
    ],
)
def test_check_ends_with_1_when_something_should_be_looked_at(tmp_path, spoil, says):
    plan = write_files(tmp_path / "mine")
    spoil(plan.parent)
    ended = command("check", plan)
    assert ended.code == 1
    assert says in ended.out


def test_check_ends_with_2_when_a_file_cannot_be_right(tmp_path):
    plan = write_files(tmp_path / "mine")
    first_cells(REGISTRATIONS, "NUMBER_OF_PATIENTS", "-1")(plan.parent)
    ended = command("check", plan)
    assert (ended.code, ended.err) == (2, "")
    assert "1 of 502 rows are negative" in ended.out


def test_a_template_without_a_map_is_a_heading_to_fill_in(tmp_path):
    ended = command("template", tmp_path / "sheet.csv")
    assert (ended.code, ended.out.strip()) == (0, str(tmp_path / "sheet.csv"))
    rows = list(csv.reader((tmp_path / "sheet.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [row[0] for row in rows if not row[0].startswith("#")] == ["team"]


def fill_in_csv(path):
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    start = next(i for i, line in enumerate(lines) if not line.lstrip('"').startswith("#"))
    rows = list(csv.DictReader(lines[start:]))
    for row in rows:
        row |= {
            "fte_band_5": "3.5",
            "fte_band_6": "1.2",
            "vacancies": "0.4",
            "basis": "in post",
            "on": "2026-04-01",
        }
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write("\n".join(lines[:start]) + "\n")
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def fill_in_workbook(path):
    book = openpyxl.load_workbook(path)
    page = book.worksheets[0]
    column = {cell.value: cell.column for cell in page[1]}
    for row in range(2, page.max_row + 1):
        for name, value in (
            ("fte_band_5", 3.5),
            ("fte_band_6", 1.2),
            ("basis", "in post"),
            ("on", "2026-04-01"),
        ):
            page.cell(row, column[name], value)
    book.save(path)


def test_a_workbook_without_a_map_is_a_heading_to_fill_in(tmp_path):
    assert command("template", tmp_path / "sheet.xlsx").code == 0
    page = openpyxl.load_workbook(tmp_path / "sheet.xlsx").worksheets[0]
    assert (page.max_row, page["A1"].value) == (1, "team")


@pytest.mark.parametrize(("suffix", "fill_in"), [("csv", fill_in_csv), ("xlsx", fill_in_workbook)])
def test_a_template_filled_in_is_what_run_reads_as_current(tmp_path, suffix, fill_in):
    plan = write_files(tmp_path / "mine", ONE_ICB.replace(CURRENT, f"sheet.{suffix}"))
    sheet = plan.parent / f"sheet.{suffix}"
    assert command("template", sheet, "--map", plan.parent / MAP, "--icb", "QZZ").code == 0
    fill_in(sheet)
    assert command("run", plan, "--out", tmp_path / "out").code == 0
    table = allocation(tmp_path / "out")
    assert table.loc[["U90001", "U90002"], "current"].to_list() == [4.7, 4.7]
    assert table["posts"].sum() == 20
    assert table["change"].sum() == pytest.approx(20 - 2 * 4.7)
    assert table.loc["U", ["current", "distance_from_target", "change"]].isna().all()


def test_a_pcn_across_a_border_is_in_one_template_alone(tmp_path):
    plan = write_files(tmp_path / "mine")
    rows = pd.read_csv(plan.parent / MAP, dtype="str")
    across = rows["PCN_CODE"] == "U90001"
    first = rows.index[across][0]
    rows.loc[first, "ICB_CODE"] = "QZY"
    rows.to_csv(plan.parent / MAP, index=False)
    for icb, there in (("QZZ", True), ("QZY", False)):
        sheet = tmp_path / f"{icb}.csv"
        assert command("template", sheet, "--map", plan.parent / MAP, "--icb", icb).code == 0
        assert ("U90001" in sheet.read_text(encoding="utf-8-sig")) is there


def test_a_template_left_empty_is_refused_by_the_names_of_its_teams(tmp_path):
    plan = write_files(tmp_path / "mine", ONE_ICB.replace(CURRENT, "sheet.csv"))
    command("template", plan.parent / "sheet.csv", "--map", plan.parent / MAP, "--icb", "QZZ")
    ended = command("run", plan, "--out", tmp_path / "out")
    assert ended.code == 2
    assert "2 of 2 teams have no figure; write 0 where nobody is in place: U90001, U90002" in ended.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["sheet.txt"], "ends in .xlsx or .csv"),
        (["mine/current.csv"], "is there already and may be filled in"),
        (["nowhere/sheet.csv"], "Cannot write"),
        (["sheet.csv", "--map", "mine/absent.csv"], "No file"),
        (["sheet.csv", "--map", f"mine/{REGISTRATIONS}"], "looks like patients by practice and LSOA"),
        (
            ["sheet.csv", "--map", f"mine/{MAP}", "--icb", "QQQ"],
            "no icb 'QQQ' in the map; it has 2: QZY, QZZ",
        ),
    ],
)
def test_a_template_that_cannot_be_written_is_a_message(tmp_path, monkeypatch, arguments, says):
    write_files(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    before = contents(tmp_path)
    ended = command("template", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("needsalloc: ")
    assert says in ended.err
    assert contents(tmp_path) == before


@pytest.mark.slow
def test_the_module_is_the_command(tmp_path):
    plan = write_files(tmp_path / "mine")
    run = [sys.executable, "-m", "needsalloc.cli", "run"]
    given = {"env": os.environ | {"PYTHONIOENCODING": "utf-8"}, "capture_output": True, "text": True}
    done = subprocess.run([*run, plan, "--out", tmp_path / "out"], check=False, encoding="utf-8", **given)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(contents(tmp_path / "out")) == REPORT
    refused = subprocess.run([*run, tmp_path / "absent.toml"], check=False, encoding="utf-8", **given)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("needsalloc: The plan absent.toml cannot be read")


def test_lists_may_be_two_files_as_published(finished, tmp_path):
    plan = write_files(tmp_path / "mine", PLAN.replace(f'lists = "{LISTS}"', 'lists = ["f.csv", "m.csv"]'))
    rows = pd.read_csv(plan.parent / LISTS, dtype="str")
    for name, sex in (("f.csv", "FEMALE"), ("m.csv", "MALE")):
        rows[rows["SEX"] == sex].to_csv(plan.parent / name, index=False)
    assert command("run", plan, "--out", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "tables" / "need.csv").read_bytes() == (
        finished[1] / "tables" / "need.csv"
    ).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_an_output_without_the_minus_sign_is_no_fault(tmp_path, encoding):
    plan = write_files(tmp_path / "mine")
    run = [sys.executable, "-m", "needsalloc.cli", "run", plan, "--out", tmp_path / "out"]
    done = subprocess.run(
        run, check=False, capture_output=True, env=os.environ | {"PYTHONIOENCODING": encoding}
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"U90001" in done.stdout


@pytest.mark.slow
def test_a_reader_who_has_seen_enough_is_no_fault(tmp_path):
    plan = write_files(tmp_path / "mine")
    read_end, write_end = os.pipe()
    os.close(read_end)
    run = [sys.executable, "-m", "needsalloc.cli", "check", plan]
    done = subprocess.run(run, check=False, stdout=write_end, stderr=subprocess.PIPE)
    os.close(write_end)
    assert done.stderr == b""


def test_a_demo_deletes_no_notes_beside_its_data(demo, tmp_path):
    folder, _ = demo
    shutil.copytree(folder, tmp_path / "demo")
    (tmp_path / "demo" / "data" / "notes.txt").write_text("mine")
    ended = command("demo", "--out", tmp_path / "demo", "--seed", "2")
    assert (ended.code, ended.out) == (2, "")
    assert "1 files that are not the demo's: notes.txt" in ended.err
    assert (tmp_path / "demo" / "data" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("there", ["plan.toml", "data/notes.txt"])
def test_a_demo_takes_the_place_of_nobodys_files(tmp_path, there):
    mine = tmp_path / "mine" / there
    mine.parent.mkdir(parents=True)
    mine.write_text("[plan]\ntitle = 'my own'\n")
    before = contents(tmp_path)
    ended = command("demo", "--out", tmp_path / "mine")
    assert (ended.code, ended.out) == (2, "")
    assert "not the demo's" in ended.err
    assert contents(tmp_path) == before


def test_a_demo_that_cannot_be_written_is_a_message(tmp_path):
    (tmp_path / "file").write_text("")
    ended = command("demo", "--out", tmp_path / "file")
    assert (ended.code, ended.out) == (2, "")
    assert "Cannot write" in ended.err
    ended = command("demo", "--out", tmp_path / "demo", "--seed", "-1")
    assert (ended.code, ended.out) == (2, "")
    assert "The seed is -1" in ended.err


@pytest.mark.slow
def test_names_of_teams_are_printed_as_they_are(tmp_path):
    plan = write_files(tmp_path / "mine")
    first_cells(MAP, "PCN_NAME", *["[bold]A[/x] & <b>B</b>"] * 5)(plan.parent)
    ended = command("run", plan, "--out", tmp_path / "out")
    assert ended.code == 0
    assert "[bold]A[/x] & <b>B</b>" in " ".join(ended.out.split())


@pytest.mark.slow
def test_a_run_that_is_stopped_leaves_nothing(tmp_path, monkeypatch):
    plan = write_files(tmp_path / "mine")

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("needsalloc.report.page.page", stop)
    before = contents(tmp_path)
    ended = command("run", plan, "--out", tmp_path / "out")
    assert (ended.code, ended.err) == (2, "needsalloc: stopped; nothing was written.\n")
    assert contents(tmp_path) == before


def test_a_library_that_is_not_installed_is_named(tmp_path, monkeypatch):
    plan = write_files(tmp_path / "mine")
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    ended = command("run", plan, "--out", tmp_path / "out")
    assert ended.code == 2
    assert "xlsxwriter is not installed" in ended.err
    assert 'pip install "needsalloc[all]"' in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", [[], ["demo"], ["run"], ["check"], ["template"]])
def test_help_and_version(capsys, verb):
    with pytest.raises(SystemExit) as ended:
        cli.main([*verb, "--help"])
    assert ended.value.code == 0
    assert "needsalloc" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"needsalloc {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["rn"], ["run"], ["demo", "--seed", "one"], ["check", "a", "b"]])
def test_a_command_that_is_none_ends_with_2_and_its_usage(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "usage: needsalloc" in capsys.readouterr().err
