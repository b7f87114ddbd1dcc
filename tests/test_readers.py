"""Every published layout is told by its columns, read into canonical ones, and inspected."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

import small_files
from needsalloc import Catchment, sources
from needsalloc.errors import InvalidValueError, NeedsallocError, UnknownCodeError
from needsalloc.sources import QualityReport, inspect_file
from needsalloc.sources._kinds import KINDS

KINDS_OF_FILES = list(small_files.TEXTS)


@pytest.fixture
def read(tmp_path: Path):
    def read(kind: str, replace: tuple[str, str] = ("", ""), **options: object) -> pd.DataFrame:
        path = small_files.write(tmp_path, kind)
        text = path.read_text()
        if replace[0]:
            assert replace[0] in text
            path.write_text(text.replace(*replace))
        return getattr(sources, small_files.reader_of(kind))(path, **options)

    return read


@pytest.mark.parametrize("kind", KINDS_OF_FILES)
def test_each_layout_is_told_by_its_columns_and_by_no_name(tmp_path: Path, kind: str) -> None:
    path = small_files.write(tmp_path, kind)
    path = path.rename(tmp_path / "download (1).csv")
    report = inspect_file(path)
    if kind == "lookup":  # one pair is no lookup; of which file it is, is told all the same
        assert report.kind == "lookup"
        return
    assert (report.kind, report.ok, report.warnings) == (kind.split(" ")[0], True, tuple(report.warnings))
    assert report.reader == small_files.reader_of(kind)
    assert report.rows
    assert report.totals or kind == "trust_shares"
    assert len(report.sha256) == 64


@pytest.mark.parametrize("kind", [kind for kind in KINDS_OF_FILES if kind != "lookup"])
def test_each_reads_the_same_from_a_zip_with_others_inside(tmp_path: Path, kind: str) -> None:
    path = small_files.write(tmp_path, kind)
    other = small_files.TEXTS["conditions" if kind != "conditions" else "membership"][1]
    archive = tmp_path / "published.zip"
    archive.write_bytes(
        small_files.packed({"a/readme.pdf": b"x", "b/other.csv": other, f"c/{path.name}": path.read_bytes()})
    )
    reader = getattr(sources, small_files.reader_of(kind))
    if kind in ("current", "pcn_partners", "pcn_partners with header"):
        with pytest.raises(NeedsallocError):
            reader(archive)
        return
    plain, unpacked = reader(path), reader(archive)
    pd.testing.assert_frame_equal(plain, unpacked)
    if kind != "lists":
        assert unpacked.attrs["source"]["member"] == f"c/{path.name}"
    assert unpacked.attrs["source"]["file"] == "published.zip"


def test_every_kind_has_a_reader_and_a_small_file() -> None:
    assert {kind.key for kind in KINDS} == {name.split(" ")[0] for name in small_files.TEXTS}
    assert all(hasattr(sources, kind.reader) for kind in KINDS)
    assert len({kind.what for kind in KINDS}) == len(KINDS)


# Registrations of all, men and women


def by_sex(sex: str, first: int, second: int) -> str:
    return small_files.REGISTRATIONS.format(sex=sex, first=first, second=second)


def test_the_zip_as_published_counts_nobody_twice(tmp_path: Path) -> None:
    files = {
        "gp-reg-pat-prac-lsoa-all.csv": by_sex("ALL", 9, 4),
        "gp-reg-pat-prac-lsoa-female.csv": by_sex("FEMALE", 5, 2),
        "gp-reg-pat-prac-lsoa-male.csv": by_sex("MALE", 4, 2),
    }
    archive = tmp_path / "gp-reg-pat-prac-lsoa-male-female-July-23.zip"
    archive.write_bytes(small_files.packed(files))
    assert sources.read_registrations(archive)["patients"].tolist() == [9, 4]
    del files["gp-reg-pat-prac-lsoa-all.csv"]
    archive.write_bytes(small_files.packed(files))
    both = sources.read_registrations(archive)
    assert both["patients"].tolist() == [9, 4]
    assert both.attrs["source"]["rows"] == 4
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    women, men = (tmp_path / name for name in files)
    pd.testing.assert_frame_equal(sources.read_registrations(women, men), both)
    with pytest.raises(InvalidValueError, match="both MALE and FEMALE, each once"):
        sources.read_registrations(women, women)
    with pytest.raises(InvalidValueError, match="both MALE and FEMALE"):
        sources.read_registrations(women)


def test_two_files_for_all_patients_are_refused(tmp_path: Path) -> None:
    archive = tmp_path / "both-vintages.zip"
    archive.write_bytes(
        small_files.packed(
            {"lsoa-2011-all.csv": by_sex("ALL", 9, 4), "lsoa-2021-all.csv": by_sex("ALL", 9, 4)}
        )
    )
    with pytest.raises(InvalidValueError, match=r"2 tables of all patients.*count twice"):
        sources.read_registrations(archive)


def test_the_same_row_twice_is_refused_and_other_numbers_are_added_up_and_said(tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    text = by_sex("ALL", 9, 4)
    path.write_text(text + text.splitlines()[1] + "\n")
    with pytest.raises(InvalidValueError, match=r"1 rows say the same.*A81001 E01000001 9 \(row 4\)"):
        sources.read_registrations(path)
    path.write_text(text + text.splitlines()[1].replace(",9", ",3") + "\n")
    frame = sources.read_registrations(path)
    assert frame["patients"].tolist() == [12, 4]
    (finding,) = frame.attrs["quality"]
    assert (finding.count, finding.rows, finding.examples) == (1, (4,), ("A81001 E01000001 3",))
    # Of two repeated rows, one says the same again.
    path.write_text(text + text.splitlines()[1] + "\n" + text.splitlines()[2].replace(",4", ",1") + "\n")
    with pytest.raises(InvalidValueError, match=r"1 rows say the same.*A81001 E01000001 9 \(row 4\)"):
        sources.read_registrations(path)
    # A column that is not read may tell rows apart: ages, in a table of one's own.
    path.write_text("PRACTICE_CODE,LSOA_CODE,AGE,PATIENTS\nA1,E01000001,5,3\nA1,E01000001,6,3\n")
    assert sources.read_registrations(path)["patients"].tolist() == [6]
    # Men and women of a place may be as many.
    path.write_text(by_sex("MALE", 9, 4) + "\n".join(by_sex("FEMALE", 9, 4).splitlines()[1:]))
    assert sources.read_registrations(path)["patients"].tolist() == [18, 8]


def test_all_patients_and_each_sex_that_disagree_are_said(tmp_path: Path) -> None:
    path = tmp_path / "all-and-each.csv"
    rows = [by_sex(sex, *counts).splitlines()[1:] for sex, counts in (("MALE", (4, 2)), ("FEMALE", (4, 2)))]
    path.write_text("\n".join([by_sex("ALL", 9, 4).strip(), *(row for part in rows for row in part)]))
    frame = sources.read_registrations(path)
    assert frame["patients"].tolist() == [9, 4]
    assert "rows for all patients count 13, those of men and women 12" in frame.attrs["quality"][0].what


# The links of practices and PCNs


@pytest.mark.parametrize(
    ("on", "pcn"), [(None, "U00002"), (date(2022, 3, 31), "U00001"), (date(2022, 4, 1), "U00002")]
)
def test_a_practice_is_in_the_pcn_of_the_day(read, on: date | None, pcn: str) -> None:
    bare, headed = (read(kind, on=on) for kind in ("pcn_partners", "pcn_partners with header"))
    pd.testing.assert_frame_equal(bare, headed)
    assert dict(zip(bare["practice"], bare["pcn"], strict=True)) == {"A81001": pcn, "A81002": "U00001"}
    assert bare.columns.tolist() == [
        *("practice", "practice_name", "pcn", "pcn_name", "sub_icb", "sub_icb_name", "icb", "icb_name")
    ]
    assert bare.attrs["left_out"] == 1


def test_links_stand_in_for_the_map(read, tmp_path: Path) -> None:
    catchment = Catchment.from_registrations(
        sources.read_registrations(small_files.write(tmp_path, "registrations")), read("pcn_partners")
    )
    assert catchment.registered_by_team["registered"].to_dict() == {"U00001": 4.0, "U00002": 9.0}


def test_on_the_day_of_the_change_the_new_link_counts_and_two_links_are_refused(read) -> None:
    same_day = read("pcn_partners", ("20220331", "20220401"), on=date(2022, 4, 1))
    assert same_day.set_index("practice")["pcn"].to_dict() == {"A81001": "U00002", "A81002": "U00001"}
    with pytest.raises(InvalidValueError, match="1 practices are in more than one PCN on 2022-05-01: A8"):
        read("pcn_partners", ("20220331", "20230331"), on=date(2022, 5, 1))
    with pytest.raises(InvalidValueError, match="first begins on 2019-10-01"):
        read("pcn_partners", on=date(2018, 1, 1))
    with pytest.raises(InvalidValueError, match=r"End Date: 1 of 3 rows are before their start.*row 2"):
        read("pcn_partners with header", ("20220331", "20180331"))


def test_the_workbook_of_links_reads_as_the_text(read, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "PCNDetails"
    book.active.append(["PCN Code", "PCN Name"])
    sheet = book.create_sheet("PCN Core Partner Details")
    header, *rows = [
        line.split(",") for line in (small_files.PARTNERS_HEADER + small_files.PARTNERS).splitlines()
    ]
    sheet.append([name.replace(" ", "\n") for name in header])
    for row in rows:
        sheet.append([int(cell) if cell.isdigit() else cell or None for cell in row])
    book.save(tmp_path / "ePCN.xlsx")
    frame = sources.read_pcn_partners(tmp_path / "ePCN.xlsx")
    pd.testing.assert_frame_equal(frame, read("pcn_partners"))
    assert inspect_file(tmp_path / "ePCN.xlsx").kind == "pcn_partners"


# Five-year bands


def test_bands_are_of_practices_alone_and_all_ages_are_not_added(read) -> None:
    frame = read("lists_by_band")
    assert frame.index.tolist() == [("A81001", "female"), ("A81001", "male")]
    assert frame.columns.tolist() == list(range(0, 100, 5))
    assert frame.loc[("A81001", "female")].unique().tolist() == [2.0]
    assert frame.to_numpy().sum() == 3 * 20
    assert frame.attrs["on"] == date(2026, 7, 1)


@pytest.mark.parametrize(
    ("replace", "message"),
    [
        (
            ("GP,A81001,,,MALE,0_4,1", "GP,A81001,,,MALE,0_4,2"),
            "age bands do not sum .* in 1 practices",
        ),
        (("GP,A81001,,,MALE,0_4,1", "GP,A81001,,,MALE,0_7,1"), "are no five-year age band; first: '0_7'"),
        (("GP,A81001,,,MALE,0_4,1", "GP,A81001,,,MALE,5_9,1"), "more than one row: GP A81001 MALE 5_9"),
        (("PCN,U00001,,,ALL,ALL,60", "PCN,U00001,,,ALL,ALL,61"), "practices have 60 patients and PCNs 61"),
        (("FEMALE", "ALL2"), "expected FEMALE and MALE"),
    ],
)
def test_bands_that_do_not_add_up_are_refused(read, replace: tuple[str, str], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        read("lists_by_band", replace)


# Payments and staff as what is in place now


def test_payments_are_in_pounds_by_practice_and_team(read, tmp_path: Path) -> None:
    paid = read("payments")
    assert paid["practice_payments"].tolist() == [2000.5, -20.0, 70.0]
    assert paid["pcn_payments"].tolist() == [600.0, 0.0, 0.0]
    assert paid["all_payments"].tolist() == [2600.5, -20.0, 70.0]
    assert paid["pcn"].tolist() == ["U00001", "U00001", "U"]
    assert paid["sub_icb"].tolist() == ["16C"] * 3
    (finding,) = paid.attrs["quality"]
    assert (finding.count, finding.rows, finding.examples) == (1, (3,), ("'A81002'",))
    teams = sources.payments_by_team(paid)
    assert teams.to_dict("records") == [{"team": "U00001", "team_name": "NORTH PCN", "current": 2580.5}]
    assert teams.attrs["left_out"] == {"Practices without a PCN": 70.0}
    other = pd.DataFrame(
        {
            "practice": ["A81001", "A81002", "A81003"],
            "pcn": ["U1", "U2", "U2"],
            "pcn_name": ["One", "Two", "Two"],
        }
    )
    moved = sources.payments_by_team(paid, other, money="practice_payments")
    assert moved.set_index("team")["current"].to_dict() == {"U1": 2000.5, "U2": 50.0}
    with pytest.raises(UnknownCodeError, match="1 of 3 practices that were paid are not in the map: A81003"):
        sources.payments_by_team(paid, other[:2])
    with pytest.raises(InvalidValueError, match="one of practice_payments, pcn_payments, all_payments"):
        sources.payments_by_team(paid, money="global_sum")


@pytest.mark.parametrize(
    ("replace", "message"),
    [
        (("2600.5,100", "2600.5,101"), r"1 of 3 rows are not the sum of their parts.*row 2"),
        (("A81002", "A81001"), "more than one row: A81001"),
        (("U00001", "X"), r"holds no PCN \(U and five digits\): X"),
        (("2000.5", "£2000"), "hold no number; first: '£2000'"),
    ],
)
def test_payments_that_do_not_add_up_are_refused(read, replace: tuple[str, str], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        read("payments", replace)


def test_payments_of_practices_alone_need_the_map(read) -> None:
    paid = read("payments", (",Code,CCG NAME,", ",x,y,"))
    assert not {"pcn", "pcn_name"} & set(paid)
    with pytest.raises(InvalidValueError, match="name no PCN"):
        sources.payments_by_team(paid)


def test_staff_are_counted_by_role_and_contracts_have_no_persons(read) -> None:
    staff = read("workforce")
    nurses = staff.set_index(["pcn", "role"]).loc[("U00001", "Nurse Specialists")]
    assert (round(nurses["fte"], 9), nurses["records"], nurses["persons"]) == (3.5, 3, 1)
    assert (staff.attrs["on"], staff.attrs["basis"]) == (date(2026, 6, 30), "in post")
    teams = sources.workforce_by_team(staff, ["Other Nurses", "Nurse Specialists"])
    assert teams.set_index("team")["current"].round(9).to_dict() == {"U00001": 3.5, "U00002": 0.0}
    assert teams.attrs["basis"] == "in post"
    with pytest.raises(UnknownCodeError, match="1 roles are in no record: Astronauts"):
        sources.workforce_by_team(staff, ["Astronauts"])
    with pytest.raises(InvalidValueError, match="the months 6, 7"):
        read("workforce", ("2026,6,U00002", "2026,7,U00002"))


# Areas


def test_rurality_is_what_the_code_says(read) -> None:
    frame = read("rurality")
    assert frame["rural_urban"].to_dict() == {"E01033769": "urban", "E01000001": "rural"}
    # 2011: C is city and town, D a rural town.
    older = read(
        "rurality", ("LSOA21CD,LSOA21NM,RUC21CD,RUC21NM,Urban_rural_flag", "LSOA11CD,NM,RUC11CD,RUC11,F")
    )
    assert older["classification"].iloc[1] == "Smaller rural"
    for code, said in (("C1", "urban"), ("D1", "rural"), ("A1", "urban"), ("E2", "rural")):
        frame = read("rurality", ("RSF1,Smaller rural,Rural", f"{code},X,{said.title()}"))
        assert frame.loc["E01000001", "rural_urban"] == said
    with pytest.raises(InvalidValueError, match="are no code of the rural-urban classification; first: 'Q1'"):
        read("rurality", ("RSF1", "Q1"))
    with pytest.raises(InvalidValueError, match="say otherwise than their codes"):
        read("rurality", ("Smaller rural,Rural", "Smaller rural,Urban"))


def test_bodies_of_areas_carry_the_codes_of_the_nhs(read) -> None:
    row = read("area_membership").loc["E01033769"]
    assert row[["sub_icb", "icb", "icb_ons", "district"]].tolist() == ["01F", "QYG", "E54000008", "E06000006"]


def test_trust_shares_make_a_catchment(read) -> None:
    shares = read("trust_shares")
    catchment = Catchment.from_flows(shares, area="msoa", team="trust", share="share", remainder="unassigned")
    assert set(catchment.teams.index) >= {"R1H", "RAL"}
    with pytest.raises(InvalidValueError, match="shares of 1 areas sum to more than 1: E02000001"):
        read("trust_shares", ("0.3", "0.5"))
    with pytest.raises(InvalidValueError, match="are above 1"):
        read("trust_shares", ("0.6", "60"))


# Reports


def test_a_report_has_every_fault_of_the_rows_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(
        "EXTRACT_DATE,PRACTICE_CODE,LSOA_CODE,SEX,NUMBER_OF_PATIENTS\n"
        "01Jul2023,A81001,E01000001,ALL,-3\n01Jul2023,,E01000002,ALL,many\n01Aug2023,1.00E+05,E01000003,ALL,2.5\n"
    )
    report = inspect_file(path)
    assert not report.ok
    found = {finding.what.split(": rows ")[-1]: finding for finding in report.errors}
    assert found["have no code"].rows == (3,)
    assert found["hold what a spreadsheet made of a code"].examples == ("1.00E+05",)
    assert found["are negative"].rows == (2,)
    assert found["hold no number"].examples == ("many",)
    assert found["are no whole number of people"].rows == (4,)
    assert any("holds 2 dates" in what for what in found)
    assert report.totals == {}
    assert report.rows is None, "nothing is counted of a file that cannot be used"
    assert report.table.columns.tolist() == ["level", "what", "count", "rows", "examples", "advice"]
    with pytest.raises(InvalidValueError, match="holds 2 dates"):
        sources.read_registrations(path)


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    path = small_files.write(tmp_path, "membership")
    report = inspect_file(path, kind="registrations")
    assert (
        report.errors[0].what == "the file is the map of practices to PCNs, not patients by practice and LSOA"
    )
    assert "read_membership" in report.errors[0].advice
    with pytest.raises(InvalidValueError, match="No kind of file is called 'nothing'"):
        inspect_file(path, kind="nothing")
    assert inspect_file(tmp_path / "absent.csv").errors[0].what.startswith("No file")
    unknown = tmp_path / "own.csv"
    unknown.write_text("gp,lsoa,heads\nA1,E01000001,5\n")
    assert inspect_file(unknown).kind is None
    named = inspect_file(unknown, kind="registrations", practice="gp", area="lsoa", patients="heads")
    assert named.totals["patients"] == 5
    assert isinstance(named, QualityReport)
    assert "5 patients" in repr(named)
    assert "<table" in named._repr_html_()


def test_blank_rows_ragged_rows_and_scribbles_beside_the_table_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "saved.csv"
    text = (
        "PRACTICE_CODE,PCN_CODE,PCN_NAME,,\nA1,U00001,North,,checked by Tom\nA2,U00001,North\n,,,,\n"
        "A3,U00002,South,,,,\n"
    )
    path.write_text(text)
    frame = sources.read_membership(path)
    assert frame["practice"].tolist() == ["A1", "A2", "A3"]
    ragged, blank = frame.attrs["quality"]
    assert (ragged.count, ragged.rows, blank.count, blank.rows) == (2, (3, 5), 1, (4,))
    path.write_text(text.replace("A2,U00001,North", "A2,U00001"))
    with pytest.raises(NeedsallocError, match=r"without the header's 5 values; first: A2,U00001 \(row 3\)"):
        sources.read_membership(path)
    path.write_text(text.replace("South,,,,", "South,,,,x"))
    with pytest.raises(NeedsallocError, match=r"Quote text that holds a comma"):
        sources.read_membership(path)


def test_rows_are_numbered_as_in_the_file_where_blank_ones_were_left_out(tmp_path: Path) -> None:
    path = tmp_path / "gaps.csv"
    path.write_text("PRACTICE_CODE,LSOA_CODE,PATIENTS\n,,\nA1,E01000001,5\n,,\nA2,E01000002,-5\n")
    with pytest.raises(InvalidValueError, match=r"1 of 2 rows are negative; first: '-5' \(row 5\)"):
        sources.read_registrations(path)


def test_dates_are_read_or_refused_never_guessed(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_text("PRACTICE_CODE,PCN_CODE,EXTRACT_DATE\nA1,U00001,2023-07-01 00:00:00\n")
    assert sources.read_membership(path).attrs["on"] == date(2023, 7, 1)
    for text in ("202371", "01/07/1023", "2023-13-01", "1 July", "01Jul20231"):
        path.write_text(f"PRACTICE_CODE,PCN_CODE,EXTRACT_DATE\nA1,U00001,{text}\n")
        with pytest.raises(InvalidValueError, match="which is no date"):
            sources.read_membership(path)
    path.write_text("PRACTICE_CODE,PCN_CODE,EXTRACT_DATE\nA1,U00001,45108\n")
    with pytest.raises(InvalidValueError, match=r"no date\. It may be a spreadsheet's number for a day"):
        sources.read_membership(path)


def test_numbers_with_thousands_separators_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "thousands.csv"
    path.write_text('PRACTICE_CODE,LSOA_CODE,PATIENTS\nA1,E01000001,"1,234,567"\nA2,E01000002, 12 \n')
    assert sources.read_registrations(path)["patients"].tolist() == [1_234_567, 12]
    path.write_text('PRACTICE_CODE,LSOA_CODE,PATIENTS\nA1,E01000001,"1,23"\n')
    with pytest.raises(InvalidValueError, match="hold no number; first: '1,23'"):
        sources.read_registrations(path)
