"""A report says what it rests on, and can be repeated to the byte from what it says, or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from needsalloc.errors import InputFileError, PlanError
from needsalloc.inputs import read_inputs
from needsalloc.plan import read_plan
from needsalloc.report import write
from needsalloc.report.provenance import read_provenance, software
from needsalloc.run import run_plan
from plan_folders import CURRENT, MAP, PLAN, POPULATION, REGISTRATIONS, command, contents, write_files
from report_samples import sample

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parents[1] / "src"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with its plan, and the report of it."""
    folder = tmp_path_factory.mktemp("provenance")
    plan = write_files(folder / "data")
    assert command("run", plan, "--out", folder / "report").code == 0
    return folder


def test_provenance_names_every_file_read_and_written_with_its_checksum(place: Path) -> None:
    import hashlib

    facts = json.loads((place / "report" / "provenance.json").read_text(encoding="utf-8"))
    written = contents(place / "report")
    assert facts["files"].keys() == written.keys() - {"provenance.json"}
    assert all(hashlib.sha256(written[name]).hexdigest() == told for name, told in facts["files"].items())
    read = contents(place / "data")
    checksums = read_plan(place / "report" / "plan.toml").checksums
    assert {REGISTRATIONS, MAP, POPULATION, CURRENT} <= checksums.keys()
    assert all(hashlib.sha256(read[name]).hexdigest() == told for name, told in checksums.items())
    assert facts["software"]["numpy"] == np.__version__
    assert facts["software"]["pandas"] == pd.__version__


@pytest.mark.parametrize("name", ["provenance.json", "plan.toml"])
def test_a_report_repeats_itself_to_the_byte(place: Path, tmp_path: Path, name: str) -> None:
    ended = command("run", place / "report" / name, "--data", place / "data", "--out", tmp_path / "again")
    assert ended.code == 0
    assert contents(tmp_path / "again") == contents(place / "report")
    told = f"all {len(contents(place / 'report')) - 1} files are those of the earlier run"
    assert (told in ended.out) == (name == "provenance.json")


def test_a_report_can_be_repeated_into_its_own_folder(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert command("run", place / "data" / "plan.toml", "--out", out).code == 0
    ended = command("run", out / "provenance.json", "--data", place / "data", "--out", out)
    assert "byte for byte" in ended.out
    assert contents(out) == contents(place / "report")


@pytest.mark.parametrize("name", ["provenance.json", "plan.toml"])
def test_other_files_are_refused_by_name(place: Path, tmp_path: Path, name: str) -> None:
    write_files(tmp_path / "data")
    for changed in (POPULATION, MAP):
        with (tmp_path / "data" / changed).open("a") as file:
            file.write("\n")
    ended = command("run", place / "report" / name, "--data", tmp_path / "data", "--out", tmp_path / "out")
    assert ended.code == 2
    assert "2 of 7 files are not those that this plan was run on" in ended.err
    assert POPULATION in ended.err
    assert MAP in ended.err
    assert REGISTRATIONS not in ended.err
    assert not (tmp_path / "out").exists()


def test_a_formula_of_ones_own_is_pinned_too(tmp_path: Path) -> None:
    formula = '[count]\n"(Intercept)" = 0.1\n'
    write_files(tmp_path / "data", PLAN.replace('base = "icb"', 'base = "icb"\nformula = "own.toml"'))
    (tmp_path / "data" / "own.toml").write_text(formula)
    plan = read_plan(tmp_path / "data" / "plan.toml")
    wrong = plan.model_copy(update={"checksums": {"own.toml": "0" * 64}})
    with pytest.raises(InputFileError, match=r"1 of 8 files.*own\.toml"):
        read_inputs(wrong, tmp_path / "data")


def test_a_checksum_of_no_file_of_the_plan_is_refused(place: Path) -> None:
    plan = read_plan(place / "data" / "plan.toml")
    wrong = plan.model_copy(update={"checksums": {"another.csv": "0" * 64}})
    with pytest.raises(PlanError, match=r"1 files that the plan does not: another\.csv"):
        read_inputs(wrong, place / "data")


def test_a_path_of_this_machine_alone_is_refused(tmp_path: Path) -> None:
    inside = (tmp_path / "data" / MAP).as_posix()
    write_files(tmp_path / "data", PLAN.replace(f'"{MAP}"', f'"{inside}"'))
    ended = command("run", tmp_path / "data" / "plan.toml", "--out", tmp_path / "out")
    assert "path of this machine alone" in ended.err


def test_no_file_holds_the_folders_of_this_machine(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report"
    write_files(tmp_path / "data", PLAN.replace('out = "report"', f'out = "{out.as_posix()}"'))
    assert command("run", tmp_path / "data" / "plan.toml").code == 0
    for name, held in contents(out).items():
        assert tmp_path.as_posix().encode() not in held, name
    assert contents(out) == contents(place / "report")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"software": {"name": "other"}, "plan": "", "files": {}}'])
def test_a_json_file_that_is_no_provenance_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    ended = command("run", tmp_path / "plan.json")
    assert ended.code == 2
    assert "not the provenance.json of a report" in ended.err


def test_a_repeat_that_differs_says_where_and_with_what(tmp_path: Path) -> None:
    from needsalloc.cli import _compared

    write(sample(), tmp_path / "one")
    write(sample(title="Another"), tmp_path / "two")
    one, two = (read_provenance(tmp_path / name / "provenance.json") for name in ("one", "two"))
    named = {"data-flow.md", "equality.md", "geo/plan.gpkg", "index.html", "log.md", "plan.xlsx"}
    named |= {"tables/schema.json", "teams.html", "transparency.md"}
    assert one.differing(two.files) == sorted(named)
    assert "9 of" in _compared(one, two)
    assert "with the same software" in _compared(one, two)
    older = replace(one, software={**one.software, "numpy": "1.0"})
    assert f"numpy 1.0 then, {np.__version__} now" in _compared(older, two)


def test_software_leaves_out_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("needsalloc.report.provenance._PACKAGES", ("numpy", "no-such-package"))
    assert list(software("0.1.0")) == ["needsalloc", "python", "numpy"]


def test_clock_zone_language_and_hashing_change_no_byte(place: Path, tmp_path: Path) -> None:
    elsewhere = {
        "TZ": "Pacific/Auckland",
        "LC_ALL": "C",
        "LANG": "tr_TR.UTF-8",
        "PYTHONHASHSEED": "12345",
        "USER": "someone else",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(SOURCE),
    }
    plan = write_files(tmp_path / "other data")
    done = subprocess.run(
        [sys.executable, "-m", "needsalloc.cli", "run", str(plan), "--out", str(tmp_path / "out")],
        env={**os.environ, **elsewhere},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found, wanted = contents(tmp_path / "out"), contents(place / "report")
    assert [name for name in wanted if found.get(name) != wanted[name]] == []
    assert found.keys() == wanted.keys()


def test_the_number_of_processors_changes_no_digit(real_data: Path) -> None:
    plan = read_plan(Path(__file__).parents[1] / "examples" / "staffordshire-2025.toml")
    bundles = []
    for threads in (1, 2):
        with threadpool_limits(threads, "blas"):
            bundles.append(run_plan(plan, real_data).bundle)
    one, two = bundles
    for name in one.tables:
        pd.testing.assert_frame_equal(one.table(name), two.table(name), check_exact=True, obj=name)
