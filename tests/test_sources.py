"""Each reader on small files: layouts, header generations, and what is summed, kept or left out."""

import csv
import gc
import gzip
import io
import tracemalloc
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from needsalloc import sources
from needsalloc.errors import NeedsallocError, OutputError

REGISTRATIONS = "PUBLICATION,EXTRACT_DATE,PRACTICE_CODE,PRACTICE_NAME,LSOA_CODE,SEX,NUMBER_OF_PATIENTS"


@pytest.fixture
def write(tmp_path):
    def write(text, name="file.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def registrations(*rows: str) -> str:
    return "\n".join([REGISTRATIONS, *(f"X,01Jul2023,{row}" for row in rows)]) + "\n"


def test_registrations_have_the_canonical_shape(write):
    frame = sources.read_registrations(
        write(registrations("A81001,SURGERY,E01000001,ALL,3", "A81001,SURGERY,NO2011,ALL,1"))
    )
    assert frame.dtypes.astype(str).to_dict() == {
        "practice": "category",
        "lsoa11": "category",
        "patients": "int64",
    }
    assert frame.to_numpy().tolist() == [["A81001", "E01000001", 3], ["A81001", "NO2011", 1]]
    assert frame.attrs["on"] == date(2023, 7, 1)
    assert frame.attrs["source"]["file"] == "file.csv"
    assert frame.attrs["source"]["rows"] == 2
    assert len(frame.attrs["source"]["sha256"]) == 64


def test_a_gzipped_file_with_windows_line_ends_and_a_mark_reads_the_same(write):
    text = registrations("A81001,SURGERY,E01000001,ALL,3")
    packed = gzip.compress(("\ufeff" + text.replace("\n", "\r\n")).encode())
    plain = sources.read_registrations(write(text))
    pd.testing.assert_frame_equal(sources.read_registrations(write(packed, "file.csv.gz")), plain)


MANY = registrations(*(f"A{i % 7},SURGERY {i % 7},E01{i:06},ALL,{i % 50}" for i in range(1, 40_000)))


@pytest.mark.parametrize(
    "written",
    [
        MANY.encode(),
        MANY.rstrip("\n").encode(),
        ("\n\n" + MANY + "\n\n").encode(),
        MANY.replace("\n", "\r").encode(),
        MANY.replace("A3", '"A3"').encode(),
        MANY.replace("SURGERY", "CHIRURGIE À").encode(),
        MANY.replace("SURGERY", "CHIRURGIE À").encode("cp1252"),
        MANY.replace("SURGERY", "CHIRURGIE À").encode("utf-16"),
        gzip.compress(MANY[:99_999].encode()) + gzip.compress(MANY[99_999:].encode()) + bytes(9),
    ],
    ids=[
        "plain",
        "unended",
        "blank lines",
        "old line ends",
        "quotes",
        "UTF-8",
        "Windows",
        "UTF-16",
        "two parts",
    ],
)
def test_however_a_file_is_written_it_reads_the_same(write, written):
    frame = sources.read_registrations(write(written))
    expected = pd.read_csv(io.StringIO(MANY))
    assert frame.astype(object).to_numpy().tolist() == (
        expected[["PRACTICE_CODE", "LSOA_CODE", "NUMBER_OF_PATIENTS"]].to_numpy().tolist()
    )


def test_line_ends_within_quotes_belong_to_the_value_wherever_they_stand(write):
    # Behind the line end stand as many commas as a row has; each block of the parser ends within quotes.
    name = '"' + "NORTH " * 20 + '\nX,01Jul2023,A9,Y,E01999999,ALL,1"'
    text = registrations(*(f"A{i % 7},{name},E01{i:06},ALL,{i % 50}" for i in range(1, 20_000)))
    rows = list(csv.DictReader(io.StringIO(text)))
    frame = sources.read_registrations(write(text))
    assert frame["practice"].tolist() == [row["PRACTICE_CODE"] for row in rows]
    assert frame["patients"].sum() == sum(int(row["NUMBER_OF_PATIENTS"]) for row in rows)


@pytest.mark.slow
def test_quarter_after_quarter_takes_no_more_memory(write):
    path = write(gzip.compress(MANY.encode()), "file.csv.gz")

    def held() -> tuple[int, int]:
        gc.collect()
        return tracemalloc.get_traced_memory()[0], pa.total_allocated_bytes()

    tracemalloc.start()
    try:
        sources.read_registrations(path)
        python, arrow = held()
        for _ in range(5):
            sources.read_registrations(path)
        later, arrow_later = held()
    finally:
        tracemalloc.stop()
    one_column = 8 * MANY.count("\n")
    assert later - python < one_column / 4
    assert arrow_later <= arrow


def test_codes_are_cleaned_and_repeated_rows_added_up(write):
    frame = sources.read_registrations(
        write(
            registrations(
                "A81001,S,E01000001,ALL,3", " a81001 ,S,e01000001,ALL,4", 'A81001,S,E01033769,ALL,"1,200"'
            )
        )
    )
    assert frame.to_numpy().tolist() == [["A81001", "E01000001", 7], ["A81001", "E01033769", 1200]]
    assert frame.columns[1] == "lsoa21"


def test_both_sexes_are_counted_once(write):
    men_women = ("A81001,S,E01000001,MALE,3", "A81001,S,E01000001,FEMALE,4")
    with_all = sources.read_registrations(write(registrations(*men_women, "A81001,S,E01000001,ALL,8")))
    by_sex = sources.read_registrations(write(registrations(*men_women)))
    assert with_all["patients"].tolist() == [8]
    assert by_sex["patients"].tolist() == [7]


def test_a_layout_of_ones_own_names_its_columns(write):
    path = write("gp;x,lsoa,Heads\nA1,E01000001,5\n".replace("gp;x", "gp"))
    frame = sources.read_registrations(
        path, practice="gp", area="lsoa", patients="heads", vintage="lsoa21", on=date(2026, 4, 1)
    )
    assert frame.columns.tolist() == ["practice", "lsoa21", "patients"]
    assert frame.attrs["on"] == date(2026, 4, 1)


@pytest.mark.parametrize(
    "text", ["01Jul2023", "01-Jul-23", "2023-07-01", "01/07/2023", "1 July 2023", "01-JUL-2023"]
)
def test_the_dates_of_every_release_are_read(write, text):
    path = write(f"PRACTICE_CODE,PCN_CODE,EXTRACT_DATE\nA1,U00001,{text}\n")
    assert sources.read_membership(path).attrs["on"] == date(2023, 7, 1)


def test_the_map_is_read_in_both_generations_of_its_header(write):
    old = "PRACTICE_CODE,PRACTICE_NAME,PCN_CODE,PCN_NAME,CCG_CODE,CCG_NAME,STP_CODE,STP_NAME"
    new = old.replace("CCG", "SUB_ICB_LOCATION").replace("STP", "ICB")
    rows = '\nA81001,"SURGERY, NEW",U89141,North PCN,16C,Tees,QHM,North East\n'
    before, after = (sources.read_membership(write(header + rows)) for header in (old, new))
    pd.testing.assert_frame_equal(before, after)
    assert before.to_numpy().tolist() == [
        ["A81001", "SURGERY, NEW", "U89141", "North PCN", "16C", "Tees", "QHM", "North East"]
    ]


def test_practices_without_a_pcn_stay_under_u(write):
    path = write(
        "PRACTICE_CODE,PCN_CODE,PCN_NAME\nA1,U,unallocated\nA2,,\nA3,U00001,North\nA3,U00001,North\n"
    )
    frame = sources.read_membership(path)
    assert frame["pcn"].tolist() == ["U", "U", "U00001"]
    assert frame["pcn_name"].tolist() == ["Practices without a PCN", "Practices without a PCN", "North"]
    assert frame["icb"].unique().tolist() == ["not given"]


@pytest.mark.parametrize(
    ("column", "age"),
    [
        ("0", 0),
        ("90+", 90),
        ("Aged 16 to 24 years", 16),
        ("Aged 65 years and over", 65),
        ("Aged 15 years and under", 0),
        ("20-24", 20),
        ("85 and over", 85),
        ("Age 7", 7),
        ("total_population", None),
        ("lsoa21_code", None),
        ("2020", None),
        ("F16", None),
    ],
)
def test_a_column_name_states_the_first_age_of_its_band(column, age):
    assert sources.first_age(column) == age


def test_population_keeps_england_and_says_whom_it_leaves_out(write):
    path = write("lsoa21_code,65 and over,0-64\nE01033769,1,4\nW01000001,2,7\n")
    england = sources.read_population(path)
    assert england.index.name == "lsoa21"
    assert england.columns.tolist() == [0, 65]
    assert england.to_numpy().tolist() == [[4.0, 1.0]]
    assert england.attrs["left_out"] == {"Wales": 9.0}
    assert len(sources.read_population(path, areas="all")) == 2


def test_ages_by_sex_are_added_up(write):
    frame = sources.read_population(write("LSOA 2021 Code,Total,F0,F1,M0,M1\nE01000001,10,1,2,3,4\n"))
    assert frame.to_numpy().tolist() == [[4.0, 6.0]]


def test_deprivation_is_read_from_the_publishers_header(write):
    header = (
        "LSOA code (2011),LSOA name (2011),Index of Multiple Deprivation (IMD) Score,"
        "Index of Multiple Deprivation (IMD) Decile (where 1 is most deprived 10% of LSOAs)"
    )
    frame = sources.read_deprivation(write(header + "\nE01000001,City,6.208,9\n"))
    assert frame.loc["E01000001"].tolist() == [6.208, 9]
    assert (frame.index.name, frame.attrs["edition"]) == ("lsoa11", "IMD 2019")


def test_deciles_are_national_or_absent(write):
    part = sources.read_deprivation(write("LSOA11_CODE,IMD_SCORE\nE01000001,6.2\n"))
    assert part.columns.tolist() == ["imd_score"]
    rows = "".join(f"E01{i:06},{i / 1000}\n" for i in range(32_844))
    whole = sources.read_deprivation(write("LSOA11_CODE,IMD_SCORE\n" + rows))
    assert whole["deprivation_decile"].iloc[[0, -1]].tolist() == [10, 1]
    assert whole["deprivation_decile"].value_counts().between(3284, 3285).all()


def test_registers_are_long_with_the_list_they_belong_to(write):
    path = write(
        "PRACTICE_CODE,GROUP_CODE,REGISTER,PATIENT_LIST_TYPE,PRACTICE_LIST_SIZE\nA1,DEM,12.0,TOTAL,4045\n"
    )
    assert sources.read_conditions(path).to_dict("records") == [
        {"practice": "A1", "condition": "DEM", "register": 12.0, "list_size": 4045.0, "list_type": "TOTAL"}
    ]


AGES = [str(age) for age in range(96)]
COUNTS = ["" if age % 7 == 3 else str(age) for age in range(96)]
LONG = "ORG_TYPE,ORG_CODE,SEX,AGE,NUMBER_OF_PATIENTS"


def rows_by_age(practice: str, sex: str) -> list[str]:
    ages = [*AGES[:-1], "95+"]
    return [f"GP,{practice},{sex},{age},{count}" for age, count in zip(ages, COUNTS, strict=True) if count]


def test_lists_read_the_same_from_columns_from_rows_and_from_a_file_for_each_sex(write):
    wide = [",".join(["PRACTICE_CODE", "SEX", *AGES])]
    wide += [",".join([practice, sex, *COUNTS]) for practice, sex in (("A1", "MALE"), ("A2", "FEMALE"))]
    men, women = rows_by_age("A1", "MALE"), rows_by_age("A2", "FEMALE")
    repeating = ["GP,A1,ALL,ALL,999", "GP,A1,MALE,ALL,999", "PCN,U1,MALE,5,999"]
    by_column = sources.read_lists(write("\n".join(wide)))
    by_row = sources.read_lists(write("\n".join([LONG, *men, *women, *repeating])))
    by_file = sources.read_lists(
        write("\n".join([LONG, *men]), "men.csv"), write("\n".join([LONG, *women]), "women.csv")
    )
    for other in (by_row, by_file):
        pd.testing.assert_frame_equal(by_column, other, check_column_type=False)
    # A practice without women has no row for them; an empty cell is nobody of that age.
    assert by_column.index.tolist() == [("A1", "male"), ("A2", "female")]
    assert by_column.loc[("A1", "male"), [2, 3, 95]].tolist() == [2.0, 0.0, 95.0]
    assert by_file.attrs["source"]["file"] == "men.csv and women.csv"


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_the_planners_sheet_is_written_filled_in_and_read_back(tmp_path, synthetic, ending):
    blank = sources.write_template(tmp_path / f"blank{ending}", synthetic.membership)
    filled = tmp_path / f"filled{ending}"
    figures = [2, 3.5, "", "", "", "", 0.4, "in post", "2026-04-01"]
    if ending == ".csv":
        lines = blank.read_text("utf-8-sig").splitlines()
        text = [
            line.rstrip(",") + ",,," + ",".join(map(str, figures)) if line.startswith("U9") else line
            for line in lines
        ]
        filled.write_text("\n".join(text))
    else:
        openpyxl = pytest.importorskip("openpyxl")
        book = openpyxl.load_workbook(blank)
        for row in book["teams"].iter_rows(min_row=2):
            for cell, value in zip(row[4:], figures, strict=True):
                cell.value = value if value != "" else None
        book.save(filled)
    frame = sources.read_current(filled)
    assert frame["team"].tolist() == sorted(set(synthetic.membership["pcn"]) - {"U"})
    assert frame["team_name"].iloc[0] == "Alder PCN"
    assert (frame["current"] == 5.5).all()
    assert (frame["vacancies"] == 0.4).all()
    assert frame.attrs["basis"] == "in post"
    assert frame.attrs["on"] == date(2026, 4, 1)


def test_a_filled_sheet_is_not_written_over(tmp_path):
    path = sources.write_template(tmp_path / "teams.csv", ["North", "South"])
    with pytest.raises(OutputError, match="there already"):
        sources.write_template(path, ["North"])
    sources.write_template(path, ["North"], overwrite=True)
    with pytest.raises(OutputError, match=r"\.xlsx or \.csv"):
        sources.write_template(tmp_path / "teams.doc", ["North"])


def test_any_table_with_a_team_and_a_figure_is_a_sheet(write):
    frame = sources.read_current(write("Neighbourhood,WTE\nNorth,3\n"), team="Neighbourhood", current="WTE")
    assert frame[["team", "current"]].to_numpy().tolist() == [["North", 3.0]]
    assert frame.attrs["basis"] is None
    assert frame.attrs["on"] is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("team,current\nA,\nB,2\n", "1 of 2 teams have no figure; write 0 where nobody is in place: A"),
        ("team,current,fte_band_5,fte_band_6\nA,3,1,1\n", "bands that do not sum to current: A"),
        ("team,current\nA,1\nA,2\n", "are on more than one row: A"),
        ("team,current\nA,-1\n", "are negative"),
        ("team,current\nA,two\n", "hold no number; first: 'two'"),
        ("team,current,basis\nA,1,paid\nB,1,in post\n", "two bases cannot be compared"),
        ("team,current,basis\nA,1,budget\n", "establishment, in post, paid"),
        ("team,current,on\nA,1,2026-04-01\nB,1,2026-05-01\n", "2 dates"),
        ("team,heads\nA,1\n", "has no figure: no column current"),
    ],
)
def test_a_sheet_that_cannot_be_right_is_refused(write, text, message):
    with pytest.raises(NeedsallocError, match=message):
        sources.read_current(write(text))


def test_boundaries_come_in_metres_and_valid(tmp_path, write):
    geopandas = pytest.importorskip("geopandas")
    shapely = pytest.importorskip("shapely")
    bow_tie = shapely.Polygon([(-2, 53), (-1.99, 53.01), (-1.99, 53), (-2, 53.01)])
    square = shapely.box(-1.5, 53, -1.49, 53.01)
    shapes = geopandas.GeoDataFrame(
        {"LSOA21CD": ["E01033769", "E01000002"]}, geometry=[bow_tie, square], crs=4326
    )
    shapes.to_parquet(tmp_path / "b.parquet")
    shapes.to_file(tmp_path / "b.gpkg")
    for name in ("b.parquet", "b.gpkg"):
        drawn = sources.read_boundaries(tmp_path / name)
        assert drawn.crs.to_epsg() == 27700
        assert drawn.index.name == "lsoa21"
        assert drawn.geometry.is_valid.all()
        assert drawn.geom_type.isin(["Polygon", "MultiPolygon"]).all()
        assert np.allclose(drawn.area.iloc[1], 746_000, rtol=0.01)
    with pytest.raises(NeedsallocError, match="cannot be read as boundaries"):
        sources.read_boundaries(write("nothing", "b.geojson"))
    with pytest.raises(NeedsallocError, match=r"give one of \.parquet"):
        sources.read_boundaries(write("nothing", "b.csv"))
    with pytest.raises(NeedsallocError, match="No file"):
        sources.read_boundaries(tmp_path / "absent.parquet")


def test_a_map_that_names_no_pcn_is_none(tmp_path):
    """The place-based tool's files have a column of PCNs, and nothing in it."""
    path = tmp_path / "2023_2024.csv"
    path.write_text("Practice_Code,PCN_Code,ICS22\nA81001,,QHM\nA81002,,QHM\n")
    with pytest.raises(NeedsallocError, match=r"PCN_Code is empty in all 2 rows.*no map"):
        sources.read_membership(path)
