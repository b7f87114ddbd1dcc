"""NHS England's weighted populations: read in every layout, indexed for any group, carried, mixed."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from needsalloc import sources
from needsalloc.errors import (
    FormulaError,
    InputFileError,
    InvalidValueError,
    MissingColumnError,
    UnknownCodeError,
)
from needsalloc.measures import Combination, relative_need, relative_need_by_area
from needsalloc.sources.weighted_populations import COMPONENTS
from small_worlds import CODES, PRACTICES, catchment, law, membership, registrations, worlds

COUNTED = ["population", *COMPONENTS]

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


# Need indices


def whole(rows, edition=None):
    """The reader's frame from (practice, icb, population, weight of every component but the last), scaled so
    that each component sums to the population; the last weighs everybody the same."""
    frame = pd.DataFrame(rows, columns=["practice", "icb", "population", "weight"])
    frame.insert(1, "practice_name", frame["practice"])
    frame.insert(3, "icb_name", frame["icb"] + " ICB")
    for power, component in enumerate(reversed(COMPONENTS)):
        weighted = frame["population"] * frame["weight"] ** power
        frame[component] = weighted * frame["population"].sum() / weighted.sum()
    frame.attrs = {"edition": edition, "source": {}}
    return frame.drop(columns="weight")


FOUR = whole([("A1", "QAA", 100, 1), ("A2", "QAA", 300, 2), ("B1", "QBB", 500, 0.5), ("B2", "QBB", 100, 3)])


def plain_index(part, base, component):
    return (part[component].sum() / part["population"].sum()) / (
        base[component].sum() / base["population"].sum()
    )


def test_two_bases_have_two_columns():
    need = relative_need(FOUR, pd.Series({"a1 ": "North", "A2": "South", "B1": "South"}))
    assert need.table.index.tolist() == ["North", "South", "not in map"]
    assert need.table["is_team"].tolist() == [True, True, False]
    assert need.table["practices"].tolist() == [1, 2, 1]
    assert need.table["icb"].tolist() == ["QAA", "QBB", ""]
    south, qbb = FOUR[FOUR["practice"].isin(["A2", "B1"])], FOUR[FOUR["icb"] == "QBB"]
    for component in COMPONENTS:
        england, icb = need.index(component), need.index(component, "icb")
        assert england["South"] == pytest.approx(plain_index(south, FOUR, component), rel=1e-12)
        assert icb["South"] == pytest.approx(plain_index(south, qbb, component), rel=1e-12)
        assert np.isnan(icb["not in map"])
        assert england["not in map"] > 0
    assert need.index("primary_medical_care_final").tolist() == pytest.approx([1, 1, 1], rel=1e-12)
    assert need.bases.loc["england", "population"] == 1_000
    with pytest.raises(FormulaError, match="no index of 'cost'"):
        need.index("cost")


def test_by_practice_the_table_is_the_file():
    need = relative_need(FOUR)
    pd.testing.assert_frame_equal(need.table[COUNTED], FOUR.set_index("practice")[COUNTED])
    assert need.exceptions.empty
    assert "4 practices, core need from" in repr(need)


def test_a_map_names_who_is_on_one_side_only():
    members = membership({"A1": "P1", "A2": "U", "B1": "P1", "X1": "P1", "X2": "P9"})
    need = relative_need(FOUR, members)
    found = need.table[["team_name", "is_team", "practices", "missing", "population"]]
    assert found.to_dict("index") == {
        "P1": dict(zip(found, ["P1 PCN", True, 2, 1, 600], strict=True)),
        "U": dict(zip(found, ["U PCN", False, 1, 0, 300], strict=True)),
        "not in map": dict(zip(found, ["Practices in no group", False, 1, 0, 100], strict=True)),
        "P9": dict(zip(found, ["P9 PCN", True, 0, 1, 0], strict=True)),
    }
    assert need.exceptions.to_numpy().tolist() == [
        ["B2", "not in map", "not in map", 100.0],
        ["X1", "not in the weighted populations", "P1", 0.0],
        ["X2", "not in the weighted populations", "P9", 0.0],
    ]
    assert need.summary.to_dict() == {
        "codes": {"not in map": 1, "not in the weighted populations": 2},
        "people": {"not in map": 100, "not in the weighted populations": 0},
    }
    assert need.table.loc["P9", [f"{c}_index_england" for c in COMPONENTS]].isna().all()
    assert "2 not in the weighted populations" in repr(need)


def test_places_may_overlap():
    places = pd.DataFrame({"place": ["N", "N", "S", "S"], "practice": ["A1", "A2", "A2", "X1"]})
    need = relative_need(FOUR).of_places(places)
    assert need.table["population"].to_dict() == {"N": 400, "S": 300, "not in map": 600}
    north = FOUR[FOUR["practice"].isin(["A1", "A2"])]
    assert need.index("core")["N"] == pytest.approx(plain_index(north, FOUR, "core"), rel=1e-12)
    several = need.exceptions[need.exceptions["what"] == "in several places"]
    assert several[["code", "team", "people"]].to_numpy().tolist() == [["A2", "N", 300], ["A2", "S", 300]]
    assert need.table.loc["S", "missing"] == 1


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        (pd.Series(["N", "S"], index=["A1", "a1"]), InvalidValueError, "more than one group: A1"),
        (pd.Series(["N"], index=["X1"]), UnknownCodeError, "None of the 1 practices"),
        (pd.DataFrame({"practice": ["A1"]}), MissingColumnError, "'pcn'"),
    ],
)
def test_groups_that_cannot_be_are_refused(groups, error, message):
    with pytest.raises(error, match=message):
        relative_need(FOUR, groups)


def test_a_part_of_the_file_makes_no_england_base():
    with pytest.raises(InvalidValueError, match="8 components do not sum to the population"):
        relative_need(FOUR[FOUR["icb"] == "QAA"])
    with pytest.raises(InvalidValueError, match="1 practices stand twice: A1"):
        relative_need(pd.concat([FOUR, FOUR[:1]]))
    with pytest.raises(MissingColumnError, match="lack 1 columns: community"):
        relative_need(FOUR.drop(columns="community"))
    with pytest.raises(InvalidValueError, match="groups already"):
        relative_need(FOUR, pd.Series({"A1": "N"})).regroup(pd.Series({"N": "M"}))


weights = st.floats(0.1, 10)
files = st.lists(
    st.tuples(st.sampled_from(["QAA", "QBB", "QCC"]), st.integers(1, 20_000), weights),
    min_size=len(PRACTICES),
    max_size=len(PRACTICES),
).map(lambda rows: whole([(p, *row) for p, row in zip(PRACTICES, rows, strict=True)]))
one_of_three = st.sampled_from(["N1", "N2", None])


@law(files, st.lists(one_of_three, min_size=len(PRACTICES), max_size=len(PRACTICES)))
def test_groups_keep_everybody_and_england_is_one(populations, drawn):
    groups = pd.Series(["N1", *drawn[1:]], index=PRACTICES)
    need = relative_need(populations, groups)
    np.testing.assert_allclose(need.table[COUNTED].sum(), populations[COUNTED].sum(), rtol=1e-12)
    for component in COMPONENTS:
        mean = np.average(need.index(component), weights=need.table["population"])
        assert mean == pytest.approx(1, rel=1e-9)
    everybody = relative_need(populations, pd.Series("England", index=PRACTICES))
    for component in COMPONENTS:
        assert everybody.index(component).tolist() == pytest.approx([1], rel=1e-12)
    by_icb = relative_need(populations, populations[["practice", "icb"]], teams="icb")
    assert by_icb.table[[f"{c}_index_icb" for c in COMPONENTS]].to_numpy() == pytest.approx(1, rel=1e-12)


# Carried to areas


@law(files, worlds())
def test_areas_keep_everybody(populations, world):
    drawn = catchment(world)
    here = drawn.registered_by_practice.sum(axis=0) > 0
    known = drawn.practices[np.asarray(here).ravel()]
    need = relative_need_by_area(populations, drawn)
    people = populations.set_index("practice")[COUNTED]
    np.testing.assert_allclose(need.table[COUNTED].sum(), people.loc[known].sum(), rtol=1e-9)
    np.testing.assert_allclose(need.elsewhere, people.drop(known).sum(), rtol=1e-9)
    assert set(need.exceptions["code"]) == set(PRACTICES) - set(known)
    areas = need.regroup(pd.Series("All", index=drawn.areas[:1]))
    np.testing.assert_allclose(areas.table[COUNTED].sum(), people.sum(), rtol=1e-9)


def test_areas_against_plain_pandas():
    rows = [("A1", CODES[0], 30), ("A1", CODES[1], 70), ("A2", CODES[1], 10), ("B1", CODES[2], 5)]
    rows += [("B1", "W01000001", 5), ("X1", CODES[2], 15), ("B2", "W01000001", 9)]
    drawn = catchment((registrations(rows), membership({"A1": "P", "A2": "P", "B1": "P"})))
    need = relative_need_by_area(FOUR, drawn)
    people = FOUR.set_index("practice")["core"]
    expected = [0.3 * people["A1"], 0.7 * people["A1"] + people["A2"], people["B1"]]
    assert need.table["core"].tolist() == pytest.approx(expected, rel=1e-12)
    assert need.table["covered"].tolist() == pytest.approx([1, 1, 0.25])
    assert need.table["icb"].tolist() == ["QAA", "QAA", "QBB"]
    assert need.exceptions.to_numpy().tolist() == [
        ["B2", "no patients in these areas", "", 100.0],
        ["X1", "not in the weighted populations", "", 15.0],
    ]
    qaa = FOUR[FOUR["icb"] == "QAA"]
    own = plain_index(FOUR[FOUR["practice"] == "A1"], qaa, "core")
    assert need.index("core", "icb").iloc[0] == pytest.approx(own, rel=1e-12)
    neighbourhoods = need.regroup(pd.Series({CODES[0]: "N", CODES[1]: "N", "E01999999": "S"}))
    assert neighbourhoods.table["areas"].to_dict() == {
        "N": 2,
        "not in map": 1,
        "S": 0,
        "no patients in these areas": 0,
    }
    assert neighbourhoods.table["population"].tolist() == [400, 500, 0, 100]
    north = (people["A1"] + people["A2"]) / 400 / (people.sum() / 1_000)
    assert neighbourhoods.index("core")["N"] == pytest.approx(north, rel=1e-12)
    with pytest.raises(MissingColumnError, match="for areas"):
        need.regroup(membership({"A1": "P"}))
    with pytest.raises(InvalidValueError, match="groups of areas"):
        relative_need_by_area(FOUR, drawn.regroup(pd.Series({CODES[0]: "N"})))
    with pytest.raises(UnknownCodeError, match="None of the 4 practices"):
        relative_need_by_area(FOUR.assign(practice=["C1", "C2", "C3", "C4"]), drawn)


# Combinations

MIX = {"community": 0.6, "prescribing": 0.4}


def test_a_mix_by_hand():
    rule = Combination("mine", MIX, inequalities=0.25, costed=("community",), normaliser="none")
    cost = pd.Series({"A1": 1.1, "A2": 0.9, "B1": 1.0, "B2": 2.0, "other": 7.0})
    community, prescribing, inequality = (
        FOUR.set_index("practice")[name] for name in ("community", "prescribing", "health_inequalities")
    )
    expected = 0.6 * cost[:4] * (0.75 * community + 0.25 * inequality)
    expected += 0.4 * (0.75 * prescribing + 0.25 * inequality)
    assert rule.weigh(FOUR, cost=cost).tolist() == pytest.approx(expected.tolist(), rel=1e-12)
    assert Combination("mine", MIX).weigh(FOUR).sum() == pytest.approx(1_000, rel=1e-12)


@pytest.mark.parametrize("edition", ["2023/24", "2024/25", "2025/26", "2026/27"])
def test_the_published_rule_of_primary_medical_care(edition):
    rule = Combination.published("primary_medical_care_final", edition)
    mixed = 0.85 * FOUR["primary_medical_care"] + 0.15 * FOUR["health_inequalities"]
    assert rule.weigh(FOUR).tolist() == pytest.approx(mixed.tolist(), rel=1e-12)
    assert rule.weigh(FOUR).name == "primary_medical_care_final"
    assert "Open Government Licence" in rule.source


@pytest.mark.parametrize("edition", ["2018/19", "2023/24", "2024/25", "2025/26"])
def test_the_implied_cost_gives_back_what_it_was_taken_from(edition):
    rule = Combination.published("core", edition)
    assert sum(rule.shares.values()) == pytest.approx(1, rel=1e-12)
    assert "prescribing" in rule.shares
    assert "prescribing" not in rule.costed
    assert "Inferred" in rule.source
    high = FOUR.assign(core=FOUR["population"] * [1.2, 1.0, 0.8, 1.8])
    cost = rule.implied_cost(high)
    assert rule.weigh(high, cost=cost).tolist() == pytest.approx(high["core"].tolist(), rel=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shares": {"dentistry": 1}}, "dentistry"),
        ({"shares": MIX, "costed": ("core",)}, "no components that it has a share of"),
        ({"shares": {"community": 0.9}}, "sum to 0.9000"),
        ({"shares": {"community": 1.5, "core": -0.5}}, "no less than 0"),
        ({"shares": MIX, "inequalities": 1.5}, "must be a share"),
        ({"shares": MIX, "normaliser": "people"}, "normaliser"),
    ],
)
def test_a_mix_that_cannot_be_is_refused(options, message):
    with pytest.raises(FormulaError, match=message):
        Combination("mine", **options)


def test_cost_factors_must_fit():
    rule = Combination.published("core", "2023/24")
    with pytest.raises(UnknownCodeError, match="3 of 4 practices have no cost factor"):
        rule.weigh(FOUR, cost=pd.Series({"A1": 1.0}))
    with pytest.raises(InvalidValueError, match="1 practices have a cost factor that is not above 0: B2"):
        rule.weigh(FOUR, cost=pd.Series([1, 1, 1, 0.0], index=FOUR["practice"]))
    need_only = Combination.published("primary_medical_care_final", "2023/24")
    with pytest.raises(FormulaError, match="no component that cost factors apply to"):
        need_only.weigh(FOUR, cost=pd.Series(1.0, index=FOUR["practice"]))
    with pytest.raises(FormulaError, match="no published result"):
        Combination("mine", MIX, costed=("community",)).implied_cost(FOUR)
    with pytest.raises(MissingColumnError, match="prescribing"):
        rule.weigh(FOUR.drop(columns="prescribing"))
    with pytest.raises(FormulaError, match="choose 2018/19, 2023/24"):
        Combination.published("core", "2030/31")
    with pytest.raises(FormulaError, match="No published rule"):
        Combination.published("community", "2023/24")
