"""Bad input through the command: one message that says what to do, exit code 2, and nothing written."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan_folders import (
    CONDITIONS,
    CURRENT,
    DEPRIVATION,
    LISTS,
    MAP,
    PLAN,
    POPULATION,
    REGISTRATIONS,
    command,
    contents,
    edit,
    england,
    first_cells,
    write_files,
)

pytestmark = pytest.mark.slow

Spoil = Callable[[Path], object]


def keep(_: Path) -> None:
    """Leave the files as they are."""


def drop(name: str, word: str) -> Spoil:
    """Every column whose name holds this word taken out."""
    return edit(name, lambda rows: rows.loc[:, ~rows.columns.str.contains(word)])


def without_rows(name: str, count: int) -> Spoil:
    return edit(name, lambda rows: rows.iloc[count:])


def with_bytes(name: str, data: bytes) -> Spoil:
    return lambda folder: (folder / name).write_bytes(data)


def of_2011(name: str) -> Spoil:
    """The codes of a file's areas replaced by codes of 2011, which end below those of 2021."""
    return edit(name, lambda rows: rows.replace(r"^E0190(\d{4})$", r"E0100\1", regex=True))


def folder_in_place_of(name: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return spoil


def link_out_of_the_folder(name: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).rename(folder.parent / name)
        (folder / name).symlink_to(folder.parent / name)

    return spoil


def put(old: str, new: str) -> str:
    """The plan with one passage replaced."""
    assert old in PLAN
    return PLAN.replace(old, new, 1)


class Fault(NamedTuple):
    """A fault in files or plan, and what the message must say: what, how many, which, what to do."""

    name: str
    says: tuple[str, ...]
    spoil: Spoil = keep
    plan: str = PLAN


COUNT = "NUMBER_OF_PATIENTS"
FAULTS = (
    Fault("a missing column", ("lacks 1", COUNT, "It has:", "name the column"), drop(REGISTRATIONS, COUNT)),
    Fault(
        "the map given as registrations",
        ("lacks 2", "LSOA_CODE", COUNT, "patients by practice and LSOA"),
        plan=put(f'registrations = "{REGISTRATIONS}"', f'registrations = "{MAP}"'),
    ),
    Fault(
        "registrations given as the map",
        ("lacks 1", "PCN_CODE", "looks like patients by practice and LSOA"),
        plan=put(f'membership = "{MAP}"', f'membership = "{REGISTRATIONS}"'),
    ),
    Fault(
        "a lookup given as the population",
        ("no column of an age", "LSOA11CD, LSOA21CD"),
        with_bytes(POPULATION, b"LSOA11CD,LSOA21CD,CHGIND\nE01000001,E01000001,U\n"),
    ),
    Fault(
        "a lookup given as deprivation",
        ("IMD_SCORE", "LSOA11CD, LSOA21CD"),
        with_bytes(DEPRIVATION, b"LSOA11CD,LSOA21CD,CHGIND\nE01000001,E01000001,U\n"),
    ),
    Fault(
        "areas of 2011 in the population",
        ("2021 (lsoa21)", "2011 (lsoa11)", "40 of 40", "E01900001", "35 more", "one vintage"),
        of_2011(POPULATION),
    ),
    Fault(
        "areas of 2011 in deprivation",
        ("2021 (lsoa21)", "2011 (lsoa11)", "40 of 40", "E01900001", "one vintage"),
        of_2011(DEPRIVATION),
    ),
    Fault(
        "no practice in the map",
        ("None of the 21 practices", "Z00001", "16 more", "same quarter"),
        edit(MAP, lambda rows: rows.assign(PRACTICE_CODE="X" + rows["PRACTICE_CODE"])),
    ),
    Fault(
        "negative counts",
        (COUNT, "1 of 502 rows are negative", "'-5' (row 2)", "Correct"),
        first_cells(REGISTRATIONS, COUNT, "-5"),
    ),
    Fault(
        "counts that are no numbers",
        ("2 of 502 rows hold no number", "'*', '<5' (row 2)", "Write figures only"),
        first_cells(REGISTRATIONS, COUNT, "*", "<5"),
    ),
    Fault(
        "an unknown ICB",
        ("no icb 'QQQ'", "it has 2: QZY, QZZ"),
        plan=put("[catchment]", '[catchment]\nicb = "QQQ"'),
    ),
    Fault("a file of noise", ("not a text table",), with_bytes(REGISTRATIONS, bytes(range(256)) * 9)),
    Fault("a folder for a file", (REGISTRATIONS, "is a folder"), folder_in_place_of(REGISTRATIONS)),
    Fault("no file", ("No file", MAP, "Check the path"), lambda folder: (folder / MAP).unlink()),
    Fault("an empty file", (MAP, "is empty"), with_bytes(MAP, b"")),
    Fault("a header alone", (MAP, "a header and no rows"), edit(MAP, lambda rows: rows.iloc[:0])),
    Fault("two dates", ("2 dates", "01Jan2026", "02Jan2026"), first_cells(MAP, "EXTRACT_DATE", "02Jan2026")),
    Fault("a misspelt key", ("[plan]", "'totl'", "did you mean 'total'"), plan=put("total =", "totl =")),
    Fault("a misspelt section", ("'nead'", "did you mean 'need'"), plan=put("[need]", "[nead]")),
    Fault("no section", ("section [report] is missing",), plan=PLAN[: PLAN.index("[report]")]),
    Fault("a wrong type", ("total = 'twenty'", "number"), plan=put("20.0", '"twenty"')),
    Fault("no TOML", ("not valid TOML", "line 4"), plan=put("step = 0.5", "step = ")),
    Fault("an empty plan", ("[plan]", "[inputs]", "[report]", "missing"), plan=""),
    Fault("a negative total", ("[plan] total = -20", "greater than 0"), plan=put("20.0", "-20")),
    Fault("a total of nan", ("[plan] total = nan", "finite"), plan=put("20.0", "nan")),
    Fault("a total of inf", ("[plan] total = inf", "finite"), plan=put("20.0", "inf")),
    Fault(
        "no multiple of the step",
        ("20.3 is not a multiple of the step 0.5", "nearest that is: 20.5", "Change"),
        plan=put("20.0", "20.3"),
    ),
    Fault(
        "minimums above the total",
        ("minimum of 9", "4 teams", "36 FTE", "total is 20", "Lower the minimum or raise the total"),
        plan=put("minimum = 1.0", "minimum = 9"),
    ),
    Fault(
        "a minimum of inf",
        ("[allocate] minimum = inf", "finite"),
        plan=put("minimum = 1.0", "minimum = inf"),
    ),
    Fault(
        "an unknown formula",
        ("'district-nursing/leeds-1999'", "There are:", "district-nursing/liverpool-2024-as-printed"),
        plan=put("[need]", '[need]\nformula = "district-nursing/leeds-1999"'),
    ),
    Fault(
        "a column that is not in the file",
        ("POSTCODE_AREA (area)", "It has:", "LSOA_CODE"),
        plan=put(f'"{REGISTRATIONS}"', f'{{ path = "{REGISTRATIONS}", area = "POSTCODE_AREA" }}'),
    ),
    Fault(
        "a column that no reader knows",
        ("[inputs.registrations]", "'aera'"),
        plan=put(f'"{REGISTRATIONS}"', f'{{ path = "{REGISTRATIONS}", aera = "LSOA_CODE" }}'),
    ),
    Fault(
        "posts of a team that is not in the plan",
        ("1 of 4 teams", "not in the plan", "U99999", "Check their codes"),
        edit(CURRENT, lambda rows: rows.replace("U90001", "U99999")),
    ),
    Fault(
        "negative posts",
        ("column current", "1 of 4 rows are negative", "'-1'"),
        first_cells(CURRENT, "current", "-1"),
    ),
    Fault("two bases", ("establishment, paid", "one word for the"), first_cells(CURRENT, "basis", "paid")),
    Fault("a team twice", ("U90002", "more than one row"), first_cells(CURRENT, "team", "U90002")),
    Fault(
        "bands that miss their total",
        ("1 of 4 teams", "U90001", "do not sum"),
        first_cells(CURRENT, "current", "99"),
    ),
    Fault(
        "a population that lacks areas",
        ("2 of 40 areas", "the population file", "E01900001, E01900002", "covers every area"),
        without_rows(POPULATION, 2),
    ),
    Fault(
        "deprivation that lacks areas",
        ("2 of 40 areas", "the deprivation file", "E01900001, E01900002", "covers every area"),
        without_rows(DEPRIVATION, 2),
    ),
    Fault("no deciles", ("no deciles", "Use the national file"), drop(DEPRIVATION, "Decile|decile")),
    Fault(
        "lists of one sex",
        ("one sex only: female", "both files"),
        edit(LISTS, lambda rows: rows[rows["SEX"] == "FEMALE"]),
    ),
    Fault(
        "a register twice",
        ("more than one row", "Z00001"),
        edit(CONDITIONS, lambda rows: pd.concat([rows, rows.iloc[:1]])),
    ),
    Fault(
        "England as the base of a part of it",
        ("all 33,755 areas", "have 40", 'Choose base = "icb"'),
        plan=put('base = "icb"', 'base = "england"'),
    ),
    Fault(
        "a path that climbs out",
        ("registrations = '../secret.csv'", "leads out of the data folder", "--data"),
        plan=put(REGISTRATIONS, "../secret.csv"),
    ),
    Fault(
        "an absolute path", ("a path of this machine alone", "--data"), plan=put(REGISTRATIONS, "/etc/hosts")
    ),
    Fault("a path with a NUL", ("[inputs] registrations", "no path"), plan=put(REGISTRATIONS, "a\\u0000b")),
    Fault(
        "two files where one is read",
        ("[inputs] membership names 2 files", "only lists may have several"),
        plan=put(f'membership = "{MAP}"', 'membership = ["a.csv", "b.csv"]'),
    ),
    Fault(
        "no file of lists", ("[inputs] lists names no file",), plan=put(f'lists = "{LISTS}"', "lists = []")
    ),
    Fault(
        "a file that is a number",
        ("[inputs] lists = 3", "give a path"),
        plan=put(f'lists = "{LISTS}"', "lists = 3"),
    ),
    Fault(
        "registers of other practices",
        ("None of the 21 practices", "QOF file"),
        edit(CONDITIONS, lambda rows: rows.assign(PRACTICE_CODE="X" + rows["PRACTICE_CODE"])),
    ),
    Fault(
        "nobody at all",
        ("No patient", "English area"),
        edit(REGISTRATIONS, lambda rows: rows.assign(NUMBER_OF_PATIENTS="0")),
    ),
    Fault("a link that leads out", ("leads out of the data folder",), link_out_of_the_folder(REGISTRATIONS)),
)


def assert_one_message(ended, says):
    """Exit code 2, nothing on the output, and one sentence or two for a reader on the error stream."""
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("needsalloc: ")
    assert ended.err.count("\n") == 1
    assert ended.err.rstrip().endswith(".")
    assert not re.search(r"Traceback|Warning|Error\b|pydantic|site-packages", ended.err)
    assert len(ended.err) < 800
    for part in says:
        assert part in ended.err


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_ends_in_one_message_and_nothing_written(tmp_path, fault):
    plan = write_files(tmp_path / "mine", fault.plan)
    fault.spoil(plan.parent)
    before = contents(tmp_path)
    ended = command("run", plan, "--out", tmp_path / "new" / "out")
    assert_one_message(ended, fault.says)
    assert contents(tmp_path) == before
    assert not (tmp_path / "new").exists()


def test_the_folder_of_the_data_must_be_there(tmp_path):
    plan = write_files(tmp_path / "mine")
    ended = command("run", plan, "--data", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert_one_message(ended, ("nowhere does not exist", "--data"))
    assert not (tmp_path / "out").exists()


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    plan = write_files(tmp_path / "mine")
    read = Path.read_bytes

    # Tests may run as root, who may read everything.
    def refuse(path):
        if path.name == MAP:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    ended = command("run", plan, "--out", tmp_path / "out")
    assert_one_message(ended, (MAP, "cannot be read", "Permission denied"))
    assert not (tmp_path / "out").exists()


def test_an_output_folder_with_files_of_others_stays_as_it_is(tmp_path):
    plan = write_files(tmp_path / "mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.docx").write_text("years of work")
    before = contents(tmp_path)
    ended = command("run", plan, "--out", tmp_path / "out")
    assert_one_message(ended, ("1 file(s) that needsalloc did not write", "thesis.docx", "another output"))
    assert contents(tmp_path) == before


def test_an_output_folder_that_is_a_file_stays_as_it_is(tmp_path):
    plan = write_files(tmp_path / "mine")
    (tmp_path / "out").write_text("a file")
    before = contents(tmp_path)
    ended = command("run", plan, "--out", tmp_path / "out")
    assert_one_message(ended, ("is a file, not a folder", "Choose another output folder"))
    assert contents(tmp_path) == before


def test_an_output_folder_inside_a_file_cannot_be_made(tmp_path):
    plan = write_files(tmp_path / "mine")
    before = contents(tmp_path)
    ended = command("run", plan, "--out", plan / "out")
    assert_one_message(ended, ("Cannot write", "Choose another place"))
    assert contents(tmp_path) == before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_in_a_place_that_may_not_be_written(tmp_path):
    plan = write_files(tmp_path / "mine")
    (tmp_path / "closed").mkdir(mode=0o555)
    ended = command("run", plan, "--out", tmp_path / "closed" / "out")
    assert_one_message(ended, ("Cannot write", "Permission denied", "Choose another place"))


def test_a_full_disk_leaves_the_old_report_as_it_was(tmp_path, monkeypatch):
    plan = write_files(tmp_path / "mine")
    assert command("run", plan, "--out", tmp_path / "out").code == 0
    before = contents(tmp_path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("needsalloc.report.page.page", full)
    ended = command("run", plan, "--out", tmp_path / "out")
    assert_one_message(ended, ("No space left", "Nothing was changed"))
    assert contents(tmp_path) == before


def test_boundaries_of_another_census_are_refused(tmp_path):
    import geopandas as gpd

    plan = write_files(tmp_path / "mine", put("[catchment]", 'boundaries = "b.parquet"\n\n[catchment]'))
    drawn = england().boundaries
    codes = drawn.index.str.replace("E0190", "E0100")
    gpd.GeoDataFrame({"LSOA11CD": codes}, geometry=list(drawn.geometry), crs=27700).to_parquet(
        plan.parent / "b.parquet"
    )
    ended = command("run", plan, "--out", tmp_path / "out")
    assert_one_message(ended, ("the boundaries", "2021 (lsoa21)", "2011 (lsoa11)", "one vintage"))


def test_areas_without_a_boundary_are_counted(tmp_path):
    plan = write_files(tmp_path / "mine", put("[catchment]", 'boundaries = "b.parquet"\n\n[catchment]'))
    england().boundaries.iloc[2:].rename_axis("lsoa21_code").reset_index().to_parquet(
        plan.parent / "b.parquet"
    )
    ended = command("check", plan)
    assert ended.code == 1
    assert "warning  Areas that the boundary file lacks: 2, with " in ended.out


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (put("20.0", "20.3"), "not a multiple of the step"),
        (put("[need]", '[need]\nformula = "x"'), "No published formula"),
        (put('base = "icb"', 'base = "england"'), "needs all 33,755 areas"),
    ],
)
def test_check_finds_what_run_finds_in_the_plan(tmp_path, plan, says):
    ended = command("check", write_files(tmp_path / "mine", plan))
    assert (ended.code, ended.err) == (2, "")
    assert says in ended.out


def test_nobody_in_place_is_no_nan(tmp_path):
    plan = write_files(tmp_path / "nobody")
    edit(CURRENT, lambda rows: rows[["team"]].assign(current="0"))(plan.parent)
    ended = command("run", plan, "--out", tmp_path / "out")
    assert ended.code == 0
    assert "nan%" not in ended.out


def test_check_finds_what_run_finds_in_the_files(tmp_path):
    plan = write_files(tmp_path / "mine")
    first_cells(REGISTRATIONS, COUNT, "-5")(plan.parent)
    ended = command("check", plan)
    assert (ended.code, ended.err) == (2, "")
    assert "1 of 502 rows are negative" in ended.out


INJECTED = st.sampled_from([b"", b"-1", b"nan", b"\xff", b"\0", b'"', b",", b"\n", b"E01", b"U", b"1e9"])


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    return write_files(tmp_path_factory.mktemp("pristine") / "mine").parent


@settings(max_examples=40)
@given(
    name=st.sampled_from([REGISTRATIONS, MAP, LISTS, POPULATION, DEPRIVATION, CONDITIONS, CURRENT]),
    cut=st.integers(0, 100_000),
    length=st.integers(0, 30),
    new=INJECTED,
)
def test_whatever_the_damage_a_run_is_whole_or_refused(pristine, name, cut, length, new):
    """Exit code 0 and the whole folder, or 2 and none; never a stack of code, never half a folder."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "mine"
        shutil.copytree(pristine, folder)
        good = (folder / name).read_bytes()
        at = cut % len(good)
        (folder / name).write_bytes(good[:at] + new + good[at + length :])
        ended = command("run", folder / "plan.toml", "--out", Path(place) / "out")
        assert ended.code in (0, 2)
        assert (Path(place) / "out" / "index.html").exists() == (ended.code == 0)
        assert not [path for path in Path(place).iterdir() if path.name not in ("mine", "out")]
