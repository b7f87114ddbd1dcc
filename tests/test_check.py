"""The check of a plan's files: what each is, how they fit each other and what is published, what fails."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from needsalloc import read_membership, read_registrations
from needsalloc.check import EXIT_CODES, Reconciliation, check_inputs
from needsalloc.errors import InputFileError, PlanError
from needsalloc.matching import day_of, matching_checks, unmatched_practices
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

FILES = {
    "registrations": REGISTRATIONS,
    "membership": MAP,
    "population": POPULATION,
    "deprivation": DEPRIVATION,
    "lists": LISTS,
    "conditions": CONDITIONS,
    "current": CURRENT,
}
EXAMPLES = Path(__file__).parents[1] / "examples"


def checked(place: Path, *spoils, plan: str = PLAN) -> Reconciliation:
    path = write_files(place / "mine", plan)
    for spoil in spoils:
        spoil(path.parent)
    return check_inputs(path)


def found(of: Reconciliation, name: str) -> tuple[str, str]:
    """Status and finding of the one check whose name begins so."""
    (check,) = (check for check in of.checks if check.name.startswith(name))
    return check.status, check.found


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Reconciliation:
    return checked(tmp_path_factory.mktemp("right"))


# What is said of files that are right


def test_files_that_fit_pass_and_every_file_is_named_with_what_it_is(right: Reconciliation) -> None:
    assert (right.status, EXIT_CODES[right.status], right.warnings) == ("pass", 0, ())
    files = right.files.set_index("role")
    assert files["file"].to_dict() == FILES
    assert (files["status"] == "pass").all()
    made = england()
    totals = {
        "registrations": made.registrations["patients"].sum(),
        "membership": len(made.membership),
        "population": made.population.to_numpy().sum(),
        "deprivation": len(made.deprivation),
        "lists": made.lists.to_numpy().sum(),
        "conditions": made.conditions.query("list_type == 'TOTAL'")
        .groupby("practice")["list_size"]
        .max()
        .sum(),
        "current": made.current["current"].sum(),
    }
    assert files["total"].to_dict() == pytest.approx(totals)
    assert files.loc["registrations", ["rows", "on", "vintage"]].to_list() == [502, "2026-01-01", "lsoa21"]
    assert "21 practices in 40 English areas of 2021 and 6 other codes" in files.loc["registrations", "found"]
    assert (files["sha256"].str.len() == 64).all()


def test_a_check_is_a_result_like_any_other(right: Reconciliation) -> None:
    assert repr(right).startswith("<Reconciliation: pass; 7 of 7 files read, ")
    assert "checks hold, 0 warnings, 0 fail" in repr(right)
    assert "<table" in right._repr_html_()
    assert list(right.table) == ["status", "name", "found", "expected"]
    assert (
        right.coverage.loc[right.coverage["group"] == "All patients", "patients"].item()
        == right.files["total"].iloc[0]
    )
    assert any("lists outside the data" in assumption.what for assumption in right.assumptions)
    assert any(assumption.what == "No team gets less than 1" for assumption in right.assumptions)


def test_no_need_and_no_posts_are_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a check runs nothing")

    monkeypatch.setattr("needsalloc.need.NeedFormula.expected_use", never)
    monkeypatch.setattr("needsalloc.index.need_index", never)
    monkeypatch.setattr(sys.modules["needsalloc.allocate"], "allocate", never)
    assert checked(tmp_path).status == "pass"


# A file that cannot be read is a row, and the others are reported


@pytest.mark.parametrize("role", FILES)
@pytest.mark.parametrize("wrong", ["absent", "noise", "empty", "another file"])
def test_a_wrong_file_in_any_role_fails_and_the_others_are_reported(
    tmp_path: Path, role: str, wrong: str
) -> None:
    path = write_files(tmp_path / "mine")
    file, other = path.parent / FILES[role], LISTS if role != "lists" else MAP
    if wrong == "absent":
        file.unlink()
    else:
        file.write_bytes(
            {
                "noise": bytes(range(256)) * 9,
                "empty": b"",
                "another file": (path.parent / other).read_bytes(),
            }[wrong]
        )
    result = check_inputs(path)
    files = result.files.set_index("role")
    assert result.status == "fail"
    assert files.index[files["status"] == "fail"].to_list() == [role]
    assert files.loc[role, "fault"]
    if wrong == "another file":
        assert "practice" in files.loc[role, "found"]  # what it really is
    assert (files.drop(role)["rows"] > 0).all()
    assert not result.assumptions
    assert result.checks  # what can be said of the others is said


def test_several_wrong_files_are_all_named(tmp_path: Path) -> None:
    path = write_files(tmp_path / "mine")
    for role in ("registrations", "lists", "deprivation"):
        (path.parent / FILES[role]).unlink()
    ended = command("check", path)
    assert ended.code == 2
    for role in ("registrations", "lists", "deprivation"):
        assert f"No file {path.parent / FILES[role]}" in ended.out
    assert "A run would be refused" in ended.out


def test_a_formula_of_ones_own_is_a_file_too(tmp_path: Path) -> None:
    plan = PLAN.replace("[need]", '[need]\nformula = "ours.toml"')
    result = checked(tmp_path, plan=plan)
    assert result.files.set_index("role").loc["formula", ["status", "file"]].to_list() == [
        "fail",
        "ours.toml",
    ]
    (tmp_path / "mine" / "ours.toml").write_text('name = "ours"\nsource = "us"\n[weights]\n"18+" = 1.0\n')
    result = check_inputs(tmp_path / "mine" / "plan.toml")
    assert result.files.set_index("role").loc["formula", ["status", "found"]].to_list() == ["pass", "ours"]


def test_a_plan_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="cannot be read"):
        check_inputs(tmp_path / "absent.toml")
    path = write_files(tmp_path / "mine", PLAN.replace("total =", "totl ="))
    with pytest.raises(PlanError, match="did you mean 'total'"):
        check_inputs(path)
    with pytest.raises(InputFileError, match="does not exist"):
        check_inputs(write_files(tmp_path / "other"), tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[catchment]", '[catchment]\nicb = "QQQ"', "no icb 'QQQ'"),
        ("total = 20.0", "total = 20.3", "not a multiple of the step 0.5"),
        ("[catchment]", f'deprivation_before = "{DEPRIVATION}"\n[catchment]', "Give that edition"),
    ],
)
def test_what_a_run_refuses_a_check_fails(tmp_path: Path, old: str, new: str, says: str) -> None:
    result = checked(tmp_path, plan=PLAN.replace(old, new))
    assert found(result, "The plan and its files together")[0] == "fail"
    assert says in found(result, "The plan and its files together")[1]
    assert found(result, "Patients of practices missing from the map") == ("pass", "0")
    ended = command("run", tmp_path / "mine" / "plan.toml", "--out", tmp_path / "out")
    assert (ended.code, says in ended.err) == (2, True)


# Practices


def test_practices_missing_from_the_map_are_listed_with_their_patients(tmp_path: Path) -> None:
    result = checked(tmp_path, edit(MAP, lambda rows: rows.iloc[2:]))
    gone = ["Z00001", "Z00002"]
    rows = england().registrations
    lost = rows[rows["practice"].isin(gone)]["patients"].sum()
    assert result.status == "warnings"
    status, said = found(result, "Patients of practices missing from the map")
    assert (status, said) == ("warning", f"{lost:,} of 2 practices")
    table = result.practices[result.practices["finding"] == "not in the map"]
    assert table["practice"].to_list() == gone
    assert table["registered"].sum() == lost


def test_practices_that_the_lists_lack_are_listed_with_their_patients(tmp_path: Path) -> None:
    result = checked(tmp_path, edit(LISTS, lambda rows: rows[rows["ORG_CODE"] != "Z00003"]))
    rows = england().registrations
    lost, total = rows[rows["practice"] == "Z00003"]["patients"].sum(), rows["patients"].sum()
    assert found(result, "Patients of practices that the lists by age lack") == (
        "warning",
        f"{lost:,} of 1 practices ({lost / total:.2%})",
    )
    assert result.practices.loc[0, ["practice", "finding"]].to_list() == ["Z00003", "not in the lists by age"]
    assert result.practices.loc[0, "practice_name"] == "Synthetic Practice 3"


def test_lists_of_another_size_are_found_by_practice_and_in_all(tmp_path: Path) -> None:
    def doubled(rows: pd.DataFrame) -> pd.DataFrame:
        number = rows["NUMBER_OF_PATIENTS"].astype(int)
        return rows.assign(
            NUMBER_OF_PATIENTS=number.mask(rows["ORG_CODE"] == "Z00001", 2 * number).astype(str)
        )

    result = checked(tmp_path, edit(LISTS, doubled))
    rows = england().registrations
    patients = rows[rows["practice"] == "Z00001"]["patients"].sum()
    status, said = found(
        result, "Patients of practices whose list differs by more than 20% in the lists by age"
    )
    assert (status, said) == ("note", f"{patients:,} of 1 practices")
    # The two files are of one day, when they count the same people: even 5 % more are too many.
    total = rows["patients"].sum()
    assert found(result, "Patients of the lists by age over the registrations")[0] == "warning"
    assert f"{1 + patients / total:.3f}" in found(result, "Patients of the lists by age over the reg")[1]
    row = result.practices.iloc[0]
    assert (row["finding"], row["registered"], row["there"]) == (
        "of another size in the lists by age", patients, 2 * patients,
    )  # fmt: skip


def test_practices_of_the_map_without_patients_are_a_note_where_the_others_have_some(tmp_path: Path) -> None:
    result = checked(tmp_path, edit(REGISTRATIONS, lambda rows: rows[rows["PRACTICE_CODE"] != "Z00004"]))
    listed = england().lists.loc["Z00004"].to_numpy().sum()
    name = "Practices of the map without patients"
    assert found(result, name) == ("note", f"1, with {listed:,.0f} patients in the lists by age")
    row = result.practices.iloc[0]
    assert (row["practice"], row["finding"], row["there"]) == (
        "Z00004",
        "in the map, without patients",
        listed,
    )
    assert np.isnan(row["registered"])
    # Elsewhere, where the registrations have nobody at all, a map of all England has practices too.
    sub_icb = england().membership.set_index("practice")["sub_icb"]
    elsewhere = sub_icb.index[sub_icb == sub_icb["Z00004"]]
    result = checked(
        tmp_path / "part", edit(REGISTRATIONS, lambda rows: rows[~rows["PRACTICE_CODE"].isin(elsewhere)])
    )
    assert found(result, name) == ("pass", "0")


def test_adults_of_the_two_kinds_of_lists_are_compared_as_shares(tmp_path: Path) -> None:
    def fewer(rows: pd.DataFrame) -> pd.DataFrame:
        size = rows["PRACTICE_LIST_SIZE"].astype(float)
        adult = rows["PATIENT_LIST_TYPE"] == "18OV"
        rows["PRACTICE_LIST_SIZE"] = size.mask(adult, size * 0.9).round().astype(int).astype(str)
        return rows

    assert found(checked(tmp_path, edit(CONDITIONS, fewer)), "Patients aged 18 and over")[0] == "warning"


# Days


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (MAP, "Days between the lists and the map"),
        (LISTS, "Days between the registrations and the lists by age"),
    ],
)
def test_files_of_another_quarter_are_a_warning(tmp_path: Path, file: str, name: str) -> None:
    result = checked(tmp_path, edit(file, lambda rows: rows.assign(EXTRACT_DATE="01Jan2025")))
    assert found(result, name) == ("warning", "365")


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("1 April 2026", date(2026, 4, 1)),
        ("census of 21 March 2021", date(2021, 3, 21)),
        ("mid-2020", date(2020, 6, 30)),
        ("2023-07-01", date(2023, 7, 1)),
        ("1 Sep 2020", date(2020, 9, 1)),
        (date(2023, 7, 1), date(2023, 7, 1)),
        ("QOF year 2021/22", None),
        ("31 February 2021", None),
        ("a while ago", None),
        (None, None),
    ],
)
def test_days_are_read_from_the_words_of_a_plan(said: object, day: date | None) -> None:
    assert day_of(said) == day


def test_a_plan_may_say_the_day_of_a_file_that_does_not(tmp_path: Path) -> None:
    plan = PLAN.replace(f'lists = "{LISTS}"', f'lists = {{ path = "{LISTS}", on = "1 April 2027" }}')
    result = checked(tmp_path, edit(LISTS, lambda rows: rows.drop(columns="EXTRACT_DATE")), plan=plan)
    assert found(result, "Days between the registrations and the lists")[0] == "warning"
    assert result.files.set_index("role").loc["lists", "on"] == "1 April 2027"


# Areas


@pytest.mark.parametrize(
    ("file", "name"), [(POPULATION, "population file"), (DEPRIVATION, "deprivation file")]
)
def test_files_of_two_censuses_fail_by_name_and_number(tmp_path: Path, file: str, name: str) -> None:
    result = checked(
        tmp_path, edit(file, lambda rows: rows.replace(r"^E0190(\d{4})$", r"E0100\1", regex=True))
    )
    status, said = found(result, f"Census of the areas of the {name}")
    assert status == "fail"
    assert "40 of 40 codes do not match" in said
    assert found(result, "The plan and its files together")[0] == "fail"


def test_areas_that_a_file_lacks_fail_with_their_patients(tmp_path: Path) -> None:
    result = checked(tmp_path, edit(DEPRIVATION, lambda rows: rows.iloc[1:]))
    rows = england().registrations
    area = england().deprivation.index[0]
    patients = rows[rows["lsoa21"] == area]["patients"].sum()
    assert found(result, "Areas that the deprivation file lacks") == (
        "fail",
        f"1, with {patients:,} patients: {area}",
    )


@pytest.mark.parametrize(("patients", "status"), [("0", "pass"), ("1", "fail")])
def test_an_area_in_which_nobody_lives_is_not_missed(tmp_path: Path, patients: str, status: str) -> None:
    def further(rows: pd.DataFrame) -> pd.DataFrame:
        row = rows.iloc[[0]].assign(LSOA_CODE="E01900999", NUMBER_OF_PATIENTS=patients)
        return pd.concat([rows, row])

    result = checked(tmp_path, edit(REGISTRATIONS, further))
    assert found(result, "Areas that the population file lacks")[0] == status


def test_an_edition_on_areas_of_another_census_is_a_warning() -> None:
    areas = pd.Index(["E01033769", "E01033770"], name="lsoa21")
    frame = pd.DataFrame({"imd_score": [1.0, 2.0]}, index=areas)
    frame.attrs["edition"] = "IMD 2019"
    (check,) = (c for c in matching_checks({"deprivation": frame}, {}) if c.name.startswith("Edition"))
    assert (check.status, check.found) == ("warning", "IMD 2019 on areas of 2021")
    frame.attrs["edition"] = "IMD 2025"
    assert not [c for c in matching_checks({"deprivation": frame}, {}) if c.status == "warning"]


# England's published totals


def national(residents: float) -> pd.DataFrame:
    areas = pd.Index([f"E0100{number:04}" for number in range(1, 1001)], name="lsoa11")
    return pd.DataFrame({0: residents / 4000, 18: 3 * residents / 4000}, index=areas)


@pytest.mark.parametrize(
    ("residents", "day", "status"),
    [
        (56_550_138, date(2020, 6, 30), "pass"),
        (56_550_138 * 0.98, date(2020, 6, 30), "warning"),  # an ICB lost
        (57_690_300, date(2020, 6, 30), "warning"),  # the count of another year
        (57_690_300, date(2023, 6, 30), "pass"),
        (57_100_000, date(2022, 6, 30), "pass"),  # between two published ones
        (57_000_000, None, "pass"),
        (40_000_000, None, "warning"),
    ],
)
def test_a_national_file_is_held_against_what_is_published(
    residents: float, day: date | None, status: str
) -> None:
    checks = matching_checks({"population": national(residents)}, {"population": day})
    (check,) = (check for check in checks if check.name.endswith("England's"))
    assert check.status == status
    assert check.found == f"{residents:,.0f}"


def test_a_file_of_a_part_of_england_is_held_against_nothing(right: Reconciliation) -> None:
    assert not [check for check in right.checks if check.name.endswith("England's")]


def test_without_registrations_no_practice_is_compared() -> None:
    assert unmatched_practices({"membership": england().membership}).empty
    assert not matching_checks({}, {})


# The sheet of posts


def test_teams_without_posts_are_a_warning_and_strange_ones_fail(tmp_path: Path) -> None:
    assert found(
        checked(tmp_path / "less", edit(CURRENT, lambda rows: rows.iloc[1:])), "Teams without a figure"
    ) == ("warning", "1 of 4")
    strange = checked(tmp_path / "strange", first_cells(CURRENT, "team", "U99999"))
    assert "U99999" in found(strange, "The plan and its files together")[1]
    without = checked(tmp_path / "none", plan=PLAN.replace(f'current = "{CURRENT}"\n', ""))
    assert found(without, "Posts in place now") == ("note", "not given")


# The command


def test_json_holds_what_the_document_promises(tmp_path: Path) -> None:
    path = write_files(tmp_path / "mine")
    edit(MAP, lambda rows: rows.iloc[1:])(path.parent)
    before = contents(path.parent)
    done = subprocess.run(
        [sys.executable, "-m", "needsalloc.cli", "check", path, "--json"],
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr) == (1, "")
    said = json.loads(done.stdout)
    assert said["status"], said["exit_code"] == ("warnings", 1)
    assert {
        key: sorted(said[key][0]) for key in ("files", "checks", "practices", "coverage", "assumptions")
    } == {
        "files": sorted(
            [
                "role",
                "status",
                "file",
                "found",
                "rows",
                "on",
                "vintage",
                "total",
                "counted",
                "sha256",
                "fault",
            ]
        ),
        "checks": sorted(["status", "name", "found", "expected"]),
        "practices": sorted(["practice", "practice_name", "finding", "registered", "there"]),
        "coverage": sorted(["group", "practices", "areas", "patients", "share"]),
        "assumptions": sorted(["what", "why", "kind", "source"]),
    }
    assert contents(path.parent) == before
    document = (Path(__file__).parents[1] / "docs" / "check.md").read_text(encoding="utf-8")
    for key in {*said, *(key for rows in said.values() if isinstance(rows, list) for key in rows[0])}:
        assert f"`{key}`" in document, key


# The real files


@pytest.mark.parametrize(
    ("example", "files", "warnings"),
    [
        (
            "staffordshire-2025",
            {
                "registrations": 1_210_283,
                "population": 56_489_608,
                "lists": 63_673_685,
                "conditions": 63_766_671,
            },
            {"Days between the registrations and the lists by age": "182"},
        ),
        pytest.param(
            "england-2023",
            {
                "registrations": 62_581_556,
                "population": 56_550_138,
                "lists": 63_673_685,
                "conditions": 61_604_213,
            },
            {
                "Days between the registrations and the lists by age": "1,005",
                "Patients of practices that the lists by age lack": "1,232,209 of 216 practices (1.97%)",
            },
            marks=pytest.mark.slow,
        ),
    ],
)
def test_the_real_folders_pass_with_the_expected_warnings_only(
    real_data: Path, example: str, files: dict[str, float], warnings: dict[str, str]
) -> None:
    result = check_inputs(EXAMPLES / f"{example}.toml", real_data)
    assert result.status == "warnings"
    assert {check.name: check.found for check in result.warnings} == warnings
    found_files = result.files.set_index("role")
    assert (found_files["status"] == "pass").all()
    assert found_files.loc[list(files), "total"].to_dict() == files  # as the manifest of the files has them
    if example == "england-2023":
        assert found(result, "Patients of practices that the QOF lists lack")[1].startswith(
            "25,119 of 34 practices"
        )
        assert "44,456,850 of them 18 and over" in found_files.loc["population", "found"]
        assert (result.practices["finding"] == "not in the lists by age").sum() == 216


@pytest.mark.parametrize(
    ("name", "apart"),
    [
        ("england-2023/gp-reg-pat-prac-map_2022-01", 1369),
        ("staffordshire-2025/gp-reg-pat-prac-map_2026-01", 92),
    ],
)
def test_a_map_of_another_quarter_says_how_many_patients_it_moves(
    real_data: Path, name: str, apart: int
) -> None:
    """The lists of October 2025 with the map of January 2022, and with that of January 2026."""
    lists = real_data / "staffordshire-2025" / "gp-reg-pat-prac-lsoa-all_2025-10_QNC.csv.gz"
    rows = pd.read_csv(lists, dtype=str)
    patients = rows["NUMBER_OF_PATIENTS"].astype(int).groupby(rows["PRACTICE_CODE"]).sum()
    known = pd.read_csv(real_data / f"{name}.csv.gz", dtype=str)["PRACTICE_CODE"]
    lost = patients[~patients.index.isin(known)]
    frames = {
        "registrations": read_registrations(lists),
        "membership": read_membership(real_data / f"{name}.csv.gz"),
    }
    days = {role: frame.attrs["on"] for role, frame in frames.items()}
    said = {check.name: check.found for check in matching_checks(frames, days)}
    wanted = f"{lost.sum():,} of {len(lost)} practices" if len(lost) else "0"
    assert said["Patients of practices missing from the map"] == wanted
    assert said["Days between the lists and the map"] == f"{apart:,}"
    table = unmatched_practices(frames)
    missing = table[table["finding"] == "not in the map"]
    assert missing.set_index("practice")["registered"].to_dict() == lost.to_dict()
