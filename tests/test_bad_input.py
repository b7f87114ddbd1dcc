"""Files that cannot be right end in one clear message: what, how many, first few, what to do."""

import gzip
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from needsalloc import sources
from needsalloc import synthetic as made
from needsalloc.errors import (
    InputFileError,
    InvalidValueError,
    MissingColumnError,
    NeedsallocError,
    VintageError,
)

REGISTRATIONS = "EXTRACT_DATE,PRACTICE_CODE,LSOA_CODE,SEX,NUMBER_OF_PATIENTS\n"
MAP = "EXTRACT_DATE,PRACTICE_CODE,PRACTICE_POSTCODE,PCN_CODE,PCN_NAME\n"
POPULATION = "lsoa11_code,total_population,0,1+\n"
IMD = "lsoa11_code,IMD_score,IMD_decile\n"
QOF = "PRACTICE_CODE,GROUP_CODE,REGISTER,PATIENT_LIST_TYPE,PRACTICE_LIST_SIZE\n"
LISTS = "ORG_CODE,SEX,AGE,NUMBER_OF_PATIENTS\n"
GOOD_ROW = "01Jul2023,A1,E01000001,ALL,5\n"


def row(patients="5", *, day="01Jul2023", practice="A1", area="E01000001", sex="ALL"):
    return f"{day},{practice},{area},{sex},{patients}\n"


@pytest.mark.parametrize(
    ("reader", "text", "error", "message"),
    [
        ("registrations", "", InputFileError, "file.csv is empty; expected patients by practice and LSOA"),
        ("registrations", " \n\n", InputFileError, "is empty"),
        ("registrations", REGISTRATIONS, InputFileError, "has a header and no rows"),
        (
            "registrations",
            "EXTRACT_DATE,PRACTICE_CODE,LSOA_CODE,SEX\n1,2,3,4\n",
            MissingColumnError,
            r'NUMBER_OF_PATIENTS \(patients\)\. It has: EXTRACT_DATE.*patients="its name"',
        ),
        (
            "registrations",
            MAP + "01Jul2023,A1,AB1 2CD,U00001,N\n",
            MissingColumnError,
            r"looks like the map of practices to PCNs: read it with read_membership",
        ),
        (
            "membership",
            REGISTRATIONS.replace(",SEX", "") + "01Jul2023,A1,E01000001,5\n",
            MissingColumnError,
            r"PCN_CODE \(pcn\).*looks like patients by practice and LSOA: read it with read_registrations",
        ),
        (
            "registrations",
            REGISTRATIONS.replace(",", ";") + "a;b\n",
            MissingColumnError,
            "separated by commas",
        ),
        (
            "registrations",
            REGISTRATIONS + row("-3") + row("2", practice="A2"),
            InvalidValueError,
            r"NUMBER_OF_PATIENTS: 1 of 2 rows are negative; first: '-3' \(row 2\)",
        ),
        ("registrations", REGISTRATIONS + row() + row("2.5"), InvalidValueError, r"'2\.5' \(row 3\)"),
        ("registrations", REGISTRATIONS + row("many"), InvalidValueError, "hold no number; first: 'many'"),
        ("registrations", REGISTRATIONS + row(""), InvalidValueError, "hold no number; first: ''"),
        ("registrations", REGISTRATIONS + row("1e12"), InvalidValueError, "no whole number of people"),
        ("registrations", REGISTRATIONS + row("inf"), InvalidValueError, "hold no number"),
        ("registrations", REGISTRATIONS + row("*"), InvalidValueError, r"hold no number; first: '\*'"),
        (
            "registrations",
            REGISTRATIONS + row(area=""),
            InvalidValueError,
            "LSOA_CODE: 1 of 1 rows have no code",
        ),
        (
            "registrations",
            REGISTRATIONS + row(area="Leeds 001A"),
            NeedsallocError,
            "No code is an English LSOA",
        ),
        (
            "registrations",
            REGISTRATIONS + row() + row(day="01Oct2023"),
            InvalidValueError,
            "2 dates: 01Jul2023, 01Oct2023. Split the file",
        ),
        (
            "registrations",
            REGISTRATIONS + row(day="last summer"),
            InvalidValueError,
            "'last summer', which is no date",
        ),
        ("registrations", REGISTRATIONS + row(sex="MALE"), InvalidValueError, "both MALE and FEMALE"),
        (
            "registrations",
            REGISTRATIONS + row() + "a,b\n",
            InputFileError,
            "1 rows without the header's 5 values",
        ),
        (
            "registrations",
            "LSOA_CODE," + REGISTRATIONS + "x," + row(),
            InputFileError,
            "column names more than once: LSOA_CODE",
        ),
        (
            "membership",
            MAP + "1Jul2023,A1,P,U00001,N\n1Jul2023,A1,P,U00002,S\n",
            InvalidValueError,
            "1 practices are in more than one PCN: A1",
        ),
        ("population", "lsoa11_code,people\nE01000001,5\n", MissingColumnError, "no column of an age"),
        (
            "population",
            POPULATION + "E01000001,9,1,2\n",
            InvalidValueError,
            "do not sum to the total in 1 of 1",
        ),
        (
            "population",
            POPULATION + "E01000001,3,1,2\n" * 2,
            InvalidValueError,
            "more than one row: E01000001",
        ),
        ("population", "lsoa11_code,0-4,0 to 4\nE01000001,1,2\n", InvalidValueError, "overlapping age bands"),
        (
            "population",
            "lsoa11_code,0-15,10 to 64,65+\nE01000001,1,2,3\n",
            InvalidValueError,
            "1 age bands overlap the next, or leave ages out behind them: 0-15",
        ),
        ("population", "lsoa11_code,Under 15,16+\nE01000001,1,2\n", InvalidValueError, "them: Under 15"),
        ("population", "lsoa11_code,0-15,16-64\nE01000001,1,2\n", InvalidValueError, "them: 16-64"),
        (
            "deprivation",
            IMD + "E01000001,5,11\n",
            InvalidValueError,
            "deciles of deprivation are not 1 to 10: 11",
        ),
        ("deprivation", IMD + "E01000001,5,1\n" * 2, InvalidValueError, "more than one row"),
        (
            "deprivation",
            IMD + "E01000001,high,1\n",
            InvalidValueError,
            "IMD_score: 1 of 1 rows hold no number",
        ),
        ("conditions", QOF + "A1,DEM,3,TOTAL,90\n" * 2, InvalidValueError, "more than one row: A1 DEM"),
        ("lists", "PRACTICE_CODE,SEX,0,1\nA1,MALE,1,2\n", MissingColumnError, "lacks 94 columns of the ages"),
        ("lists", LISTS + "A1,ALL,5,2\n", InvalidValueError, "lists by sex"),
        ("lists", LISTS + "A1,MALE,5,2\n", InvalidValueError, "one sex only: male. Give both files"),
        ("lists", LISTS + "A1,MALE,0_4,2\n", InvalidValueError, r"no age from 0 to 95\+: 0_4"),
        ("lists", LISTS + "A1,MALE,5,2\nA1,MALE,5,2\n", InvalidValueError, "more than one row: A1 male 5"),
        (
            "area_lookup",
            "LSOA11CD,LSOA21CD\nE01000001,E01033769\n",
            VintageError,
            "as in a best-fit lookup",
        ),
    ],
)
def test_each_fault_has_its_message(tmp_path, reader, text, error, message):
    path = tmp_path / "file.csv"
    path.write_text(text)
    with pytest.raises(error, match=message):
        getattr(sources, f"read_{reader}")(path)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("junk.csv", bytes(range(256)) * 20, "not a text table"),
        ("junk.csv", b"\x81\x8d\x8f" * 50, "not a text table"),
        ("nul.csv", (REGISTRATIONS + GOOD_ROW).encode().replace(b"A1", b"A\0"), "holds NUL bytes"),
        ("utf16.csv", (REGISTRATIONS + GOOD_ROW).encode("utf-16-le"), "Save it as CSV UTF-8"),
        ("utf16.csv", (REGISTRATIONS + GOOD_ROW).encode("utf-16") + b"\xd8", "goes on otherwise"),
        ("plain.csv.gz", (REGISTRATIONS + GOOD_ROW).encode(), "is not a gzip file"),
        ("cut.csv.gz", gzip.compress(GOOD_ROW.encode() * 999)[:-12], "damaged gzip file"),
        ("book.csv", b"PK\x03\x04" + b"x" * 99, "damaged archive"),
        ("table.csv", b"PAR1" + b"x" * 99, "Parquet file"),
    ],
)
def test_a_file_that_is_no_text_table(tmp_path, name, data, message):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputFileError, match=message):
        sources.read_registrations(path)


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(InputFileError, match=r"No file .*absent\.csv\. Check the path"):
        sources.read_registrations(tmp_path / "absent.csv")
    with pytest.raises(InputFileError, match="is a folder"):
        sources.read_registrations(tmp_path)
    with pytest.raises(InputFileError, match="cannot be read"):
        sources.read_registrations("nul\0byte.csv")


def test_a_vintage_that_is_none_is_refused(tmp_path):
    path = tmp_path / "file.csv"
    path.write_text(REGISTRATIONS + GOOD_ROW)
    with pytest.raises(VintageError, match="choose lsoa11 or lsoa21"):
        sources.read_registrations(path, vintage="2021")


READERS = ("registrations", "membership", "population", "deprivation", "conditions", "lists", "current")
INJECTED = (
    b"",
    b"-1",
    b"1.5",
    b"nan",
    b"\xff\xfe",
    b"\0",
    b'"',
    b",",
    b"\n",
    b"\r",
    b"1e999",
    b"E01",
    b"#",
    b"\xef\xbb\xbf",
)


@pytest.fixture(scope="module")
def good_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    england = made.england(areas=4, pcns=1)
    return {name: path.read_bytes() for name, path in england.write(folder).items()}


@settings(max_examples=150)
@given(
    name=st.sampled_from(READERS),
    cut=st.integers(0, 10_000),
    length=st.integers(0, 30),
    put=st.sampled_from(INJECTED) | st.binary(max_size=6),
    packed=st.booleans(),
)
def test_a_damaged_file_is_read_or_refused_by_name(
    good_files, tmp_path_factory, name, cut, length, put, packed
):
    """Whatever is cut out of a good file and put in its place: a frame or a NeedsallocError, nothing else."""
    good = gzip.compress(good_files[name], mtime=0) if packed else good_files[name]
    at = cut % len(good)
    path = tmp_path_factory.mktemp("damaged") / ("file.csv.gz" if packed else "file.csv")
    path.write_bytes(good[:at] + put + good[at + length :])
    with suppress(NeedsallocError):
        assert len(getattr(sources, f"read_{name}")(path))


@settings(max_examples=60)
@given(data=st.data(), name=st.sampled_from(READERS))
def test_dropped_columns_and_changed_cells_are_read_or_refused_by_name(
    good_files, tmp_path_factory, data, name
):
    rows = [line.split(",") for line in good_files[name].decode().splitlines()][:40]
    width = min(map(len, rows))
    dropped = data.draw(st.sets(st.integers(0, width - 1), max_size=2))
    at, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, width - 1))
    rows[at][column] = data.draw(st.text(st.characters(codec="utf-8"), max_size=5) | st.integers().map(str))
    kept = [[cell for i, cell in enumerate(row) if i not in dropped] for row in rows]
    path = tmp_path_factory.mktemp("changed") / "file.csv"
    path.write_bytes("\n".join(map(",".join, kept)).encode())
    with suppress(NeedsallocError):
        assert len(getattr(sources, f"read_{name}")(path))
