"""NHS England's weighted populations: read in every layout, indexed for any group, carried, mixed."""

import json

import pytest

from needsalloc import sources
from needsalloc.errors import InputFileError, InvalidValueError, MissingColumnError
from needsalloc.sources.weighted_populations import COMPONENTS

WEIGHTED = "G&A WP,CS WP,MH WP,Mat WP,Health Ineq WP,Prescr WP,{core},Primary Medical Care WP,Final PMC WP"
LAYOUTS = {
    "2023/24": (
        "Practice_Code,GP_Practice_Name,Practice_Postcode,Latitude,Longitude,CCG21,Former CCG,PCN_Code,"
        "PCN_Name,LOC22,LOC22name,ICS22,ICS22name,R22,Region22,LAD21,LTLA21,LA21,UTLA21,Patients,pop 2022/23,"
        + WEIGHTED.format(core="Final WP"),
        "{code},The Surgery,ZZ1 1ZZ,54.5,-1.3,16C,A CCG,,,,,{icb},{icb} ICB,Y63,North,E0,Town,E0,Town,,",
    ),
    "2025/26": (
        "Practice_Code,GP_Practice_Name,Practice_Postcode,Latitude,Longitude,CCG,Former CCG,PCN_Code,"
        "PCN_Name,LOC,LOCname,ICB,ICBname,Rcode,Region,LAD,LTLA,LA,UTLA,Patients,Population,"
        + WEIGHTED.format(core="Final WP"),
        "{code},The Surgery,ZZ1 1ZZ,54.5,-1.3,,,,,,,{icb},{icb} ICB,Y63,North,E0,Town,,,,",
    ),
    "2026/27": (
        "Practice_Code,GP_Practice_Name,Practice_Postcode,Latitude,Longitude,ICB,ICBname,RCode,Region,LAD,LADname,"
        "Registered Patients," + WEIGHTED.format(core="Core WP"),
        "{code},The Surgery,ZZ1 1ZZ,54.5,-1.3,{icb},{icb} ICB,Y63,North,E0,Town,",
    ),
}


@pytest.fixture
def write(tmp_path):
    def write(text, name="file.csv"):
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write


def published(
    layout="2023/24", rows=(("A1", "QAA"), ("A2", "QBB")), figures="100.5,90,80,70,60,50,40,30,20,10"
):
    header, start = LAYOUTS[layout]
    return "\n".join([header, *(start.format(code=code, icb=icb) + figures for code, icb in rows)]) + "\n"


# The reader


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_layout_reads_the_same(write, layout, mark):
    frame = sources.read_weighted_populations(write(mark + published(layout)), edition=layout)
    texts = ["practice", "practice_name", "icb", "icb_name"]
    assert list(frame.columns) == [*texts, "population", *COMPONENTS]
    assert frame.iloc[0].tolist() == ["A1", "The Surgery", "QAA", "QAA ICB", 100.5, *range(90, 0, -10)]
    assert frame.dtypes.iloc[4:].astype(str).unique().tolist() == ["float64"]
    assert frame.attrs["edition"] == layout
    assert frame.attrs["source"]["rows"] == 2


def test_no_edition_is_made_up(write):
    assert sources.read_weighted_populations(write(published(), "2023_2024.csv")).attrs["edition"] is None


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (published(rows=[("A1", "Q"), (" a1", "Q")]), InvalidValueError, "more than one row: A1"),
        (published(figures="1,2,3,4,5,6,7,8,9,x"), InvalidValueError, "Final PMC WP.*hold no number"),
        (published(figures="1,2,3,4,5,6,7,8,9,"), InvalidValueError, "Final PMC WP.*hold no number"),
        (published(figures="-1,2,3,4,5,6,7,8,9,1"), InvalidValueError, "pop 2022/23.*are negative"),
        (published().replace("QBB ICB", "X").replace("QBB", "QAA"), InvalidValueError, "more than one name"),
        (published().replace("CS WP", "CS"), MissingColumnError, r"lacks 1 .*CS_WP \(community\)"),
        ("PRACTICE_CODE,GROUP_CODE,REGISTER\nA,DEM,1\n", MissingColumnError, "read it with read_conditions"),
    ],
)
def test_what_cannot_be_is_refused(write, text, error, message):
    with pytest.raises(error, match=message):
        sources.read_weighted_populations(write(text))


def test_other_readers_know_the_file(write):
    with pytest.raises(MissingColumnError, match="read it with read_weighted_populations"):
        sources.read_registrations(write(published()))


# Places


def session(key="places", **places):
    return json.dumps({**places, key: list(places)})


PLACE = {"gps": ["A1: The Surgery: Annexe", " a2 : Other"], "icb": "NHS North ICB"}


@pytest.mark.parametrize("key", ["places", "group_list"])
def test_places_of_both_generations(write, key):
    frame = sources.read_places(write("\ufeff" + session(key, North=PLACE, Small=PLACE | {"gps": ["A1: X"]})))
    assert frame.to_numpy().tolist() == [
        ["North", "A1", "The Surgery: Annexe", "NHS North ICB"],
        ["North", "A2", "Other", "NHS North ICB"],
        ["Small", "A1", "X", "NHS North ICB"],
    ]
    assert frame.attrs["source"]["rows"] == 3


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("A1: The Surgery", InputFileError, "is no JSON"),
        ("[1]", MissingColumnError, "no list of places"),
        ('{"places": "North"}', MissingColumnError, "no list of places"),
        (session(), MissingColumnError, "no list of places"),
        ('{"places": ["North"]}', InvalidValueError, "1 listed places.*North"),
        (json.dumps({"North": PLACE, "places": ["North", "North"]}), InvalidValueError, "stand twice"),
        (session(North=PLACE | {"gps": []}), InvalidValueError, "lack their practices"),
        (session(North=PLACE | {"icb": None}), InvalidValueError, "lack their practices"),
        (session(North=PLACE | {"gps": ["A1: X", "a1"]}), InvalidValueError, "twice in a place: A1 in North"),
        (session(North=PLACE | {"gps": [": X"]}), InvalidValueError, "have no code"),
    ],
)
def test_a_file_that_the_tool_did_not_save_is_refused(write, text, error, message):
    with pytest.raises(error, match=message):
        sources.read_places(write(text, "session.json"))
