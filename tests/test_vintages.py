"""Numbers carried between the LSOAs of 2011 and 2021: nobody is lost, and nothing is split without people."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

import needsalloc as na
from needsalloc.errors import InvalidValueError, UnknownCodeError, VintageError
from needsalloc.geography import changes
from needsalloc.vintages import carry_counts, carry_rates, carry_registrations
from small_worlds import law

# One area of each kind: A unchanged, B split in three, C and D merged, E and F fragmented, W in Wales.
A, B, C, D, E, F = (f"E0100000{i}" for i in range(1, 7))
B1, B2, B3, CD, EF, E2 = (f"E0103380{i}" for i in range(1, 7))
W, W1, W2 = "W01000001", "W01002001", "W01002002"
PAIRS = [(A, A), (B, B1), (B, B2), (B, B3), (C, CD), (D, CD), (E, EF), (F, EF), (E, E2), (W, W1), (W, W2)]
LOOKUP = pd.DataFrame(PAIRS, columns=["lsoa11", "lsoa21"])
OLD = [A, B, C, D, E, F]
NEW = [A, B1, B2, B3, CD, EF, E2]
BOTH = {"lsoa21": (OLD, NEW), "lsoa11": (NEW, OLD)}


def series(areas: list[str], values: list[float], vintage: str | None = None) -> pd.Series:
    return pd.Series(values, index=pd.Index(areas, name=vintage), dtype=np.float64)


PEOPLE_21 = series(NEW, [7, 100, 300, 0, 5, 60, 20], "lsoa21")
PEOPLE_11 = series(OLD, [7, 400, 30, 10, 50, 40], "lsoa11")


def registrations(rows: list[tuple[str, str, float]], vintage: str = "lsoa11") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["practice", vintage, "patients"])
    frame.attrs = {"on": "a day", "source": {"file": "by hand"}}
    return frame.astype({"practice": "category", vintage: "category"})


def by(frame: pd.DataFrame, *columns: str) -> pd.Series:
    return frame.groupby(list(columns), observed=True)["patients"].sum()


# By hand


def test_the_kinds_of_change_are_told_from_the_pairs():
    assert "".join(changes(LOOKUP)) == "USSSMMXXXSS"


def test_counts_are_split_by_people_added_up_and_kept():
    counts = series(OLD, [1, 8, 3, 4, 16, 10], "lsoa11").rename("posts")
    found = carry_counts(counts, LOOKUP, to="lsoa21", people=PEOPLE_21)
    # B 1 : 3 : 0; C and D together; E 60 : 20 and all of F.
    assert found.to_dict() == {A: 1, B1: 2, B2: 6, B3: 0, CD: 7, EF: 22, E2: 4}
    assert (found.index.name, found.name) == ("lsoa21", "posts")
    assert found.attrs["carried"] == {
        "from": "lsoa11",
        "to": "lsoa21",
        "people": "people",
        "split": 2,
        "merged": 2,
    }


def test_counts_come_back_to_2011_by_the_people_of_2011():
    counts = series(NEW, [1, 2, 6, 0, 8, 18, 4], "lsoa21")
    found = carry_counts(counts, LOOKUP, to="lsoa11", people=PEOPLE_11)
    # C and D 30 : 10; EF 50 : 40 between E and F; E2 all to E.
    assert found.to_dict() == {A: 1, B: 8, C: 6, D: 2, E: 14, F: 8}


def test_rates_are_averaged_over_people_and_never_split():
    rates = pd.DataFrame({"score": [1.0, 8, 20, 40, 9, 18]}, index=pd.Index(OLD, name="lsoa11"))
    found = carry_rates(rates, LOOKUP, to="lsoa21", people=PEOPLE_11)
    # (20 × 30 + 40 × 10) / 40; (9 × 50 + 18 × 40) / 90.
    assert found["score"].to_dict() == pytest.approx({A: 1, B1: 8, B2: 8, B3: 8, CD: 25, EF: 13, E2: 9})
    assert isinstance(found, pd.DataFrame)


def test_registrations_keep_practices_and_codes_that_are_no_english_area():
    rows = [("P1", B, 8), ("P1", C, 1), ("P1", D, 2), ("P2", B, 4), ("P2", W, 5), ("P2", "NO2011", 6)]
    found = carry_registrations(registrations(rows), LOOKUP, to="lsoa21", people=PEOPLE_21)
    assert by(found, "practice", "lsoa21").to_dict() == {
        ("P1", B1): 2,
        ("P1", B2): 6,
        ("P1", CD): 3,
        ("P2", B1): 1,
        ("P2", B2): 3,
        ("P2", W): 5,
        ("P2", "NO2011"): 6,
    }
    assert (found.attrs["on"], found.attrs["carried"]["to"]) == ("a day", "lsoa21")
    assert found["patients"].dtype == np.float64


def test_an_area_that_has_nobody_in_any_part_is_refused_if_there_is_something_to_split():
    people = PEOPLE_21.replace({100: 0, 300: 0})
    counts = series(OLD, [1, 0, 3, 4, 16, 10])
    assert carry_counts(counts, LOOKUP, to="lsoa21", people=people)[[B1, B2, B3]].to_list() == [0, 0, 0]
    with pytest.raises(InvalidValueError, match=f"1 areas have counts and were split.*: {B}"):
        carry_counts(counts + 1, LOOKUP, to="lsoa21", people=people)
    with pytest.raises(InvalidValueError, match=f"1 areas have counts and were split.*: {B}"):
        carry_registrations(registrations([("P1", B, 1)]), LOOKUP, to="lsoa21", people=people)
    with pytest.raises(
        InvalidValueError, match=f"1 areas are made up of areas where `people` has nobody: {CD}"
    ):
        carry_rates(counts, LOOKUP, to="lsoa21", people=PEOPLE_11.replace({30: 0, 10: 0}))


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"values": PEOPLE_21}, VintageError, "on areas of 2021 .lsoa21. already"),
        ({"values": PEOPLE_21.rename_axis(None)}, VintageError, f"6 of 7 areas of the values .*: {B1}"),
        ({"values": series([A, "NO2011"], [1, 2])}, UnknownCodeError, "1 of 2 .* not in the lookup: NO2011"),
        ({"values": PEOPLE_11.drop(D)}, UnknownCodeError, rf"in part only \({CD}\): they lack {D}"),
        ({"values": PEOPLE_11.replace(7, np.nan)}, InvalidValueError, f"1 areas have no number.*: {A}"),
        ({"values": pd.concat([PEOPLE_11, PEOPLE_11[:1]])}, InvalidValueError, f"stand twice.*: {A}"),
        (
            {"values": PEOPLE_11.to_frame().assign(name="x")},
            InvalidValueError,
            "1 columns .* no numbers: name",
        ),
        ({"people": None}, InvalidValueError, "No area is split equally"),
        ({"people": PEOPLE_21.to_frame()}, InvalidValueError, "added up first"),
        ({"people": PEOPLE_11}, VintageError, "`people` is by lsoa11; here it must be by lsoa21"),
        ({"people": PEOPLE_11.rename_axis(None)}, UnknownCodeError, f"5 of 5 areas .* no row .*: {B1}"),
        ({"people": PEOPLE_21.replace(300, -1)}, InvalidValueError, f"negative or missing .*: {B2}"),
        ({"people": pd.concat([PEOPLE_21] * 2)}, InvalidValueError, "7 areas stand twice in `people`"),
        ({"lookup": LOOKUP.drop_duplicates("lsoa11")}, VintageError, f"one row only: {B} to {B1}"),
        ({"to": "lsoa01"}, VintageError, "choose lsoa11 or lsoa21"),
    ],
)
def test_wrong_use_is_refused(changed, error, message):
    given = {"values": PEOPLE_11, "lookup": LOOKUP, "to": "lsoa21", "people": PEOPLE_21} | changed
    with pytest.raises(error, match=message):
        carry_counts(**given)


def test_registrations_are_refused_as_counts_are():
    frame = registrations([("P1", A, 1.0), ("P1", "E01999999", 2)])
    with pytest.raises(UnknownCodeError, match="1 of 2 areas of the values are not in the lookup: E01999999"):
        carry_registrations(frame, LOOKUP, to="lsoa21", people=PEOPLE_21)
    with pytest.raises(VintageError, match=r"on areas of 2011 .lsoa11. already"):
        carry_registrations(frame, LOOKUP, to="lsoa11", people=PEOPLE_11)
    with pytest.raises(
        InvalidValueError, match=r"1 rows of registrations have no number of patients, .* practices P1"
    ):
        carry_registrations(frame.replace(2.0, np.nan), LOOKUP, to="lsoa21", people=PEOPLE_21)


# Laws

counts_of = st.lists(st.floats(0, 1e6), min_size=7, max_size=7)
people_of = st.lists(st.integers(1, 5_000), min_size=7, max_size=7)


@law(counts_of, people_of, st.sampled_from(["lsoa11", "lsoa21"]), st.randoms())
def test_totals_are_kept_in_any_order_of_rows(counts, people, to, random):
    sources, targets = BOTH[to]
    values = series(sources, counts[: len(sources)])
    residents = series(targets, people[: len(targets)])
    found = carry_counts(values, LOOKUP, to=to, people=residents)
    assert found.index.to_list() == sorted(targets)
    assert found.sum() == pytest.approx(values.sum(), rel=1e-9)
    assert found[A] == values[A]
    order = random.sample(sources, len(sources))
    rows = LOOKUP.sample(frac=1, random_state=random.randrange(99))
    again = carry_counts(values[order], rows, to=to, people=residents[::-1] * 2)
    pd.testing.assert_series_equal(found, again, rtol=1e-12)


@law(counts_of, people_of, st.sampled_from(["lsoa11", "lsoa21"]))
def test_a_constant_rate_stays_and_means_stay_within_bounds(rates, people, to):
    sources, _ = BOTH[to]
    values = series(sources, rates[: len(sources)])
    residents = series(sources, people[: len(sources)])
    found = carry_rates(values, LOOKUP, to=to, people=residents)
    assert found.between(values.min() * (1 - 1e-12), values.max() * (1 + 1e-12)).all()
    flat = carry_rates(values * 0 + 3.5, LOOKUP, to=to, people=residents)
    assert flat.to_list() == pytest.approx([3.5] * len(flat), rel=1e-12)


@law(
    st.lists(st.tuples(st.sampled_from("PQR"), st.sampled_from([*OLD, W, "EMPTY"]), st.integers(0, 99))),
    people_of,
)
def test_registrations_keep_the_patients_of_each_practice(rows, people):
    frame = registrations([("P", A, 1), *rows])
    found = carry_registrations(frame, LOOKUP, to="lsoa21", people=series(NEW, people))
    before, after = by(frame, "practice"), by(found, "practice").reindex(["P", "Q", "R"], fill_value=0)
    assert after[before.index].to_list() == pytest.approx(before.to_list(), rel=1e-9)
    assert not found.duplicated(["practice", "lsoa21"]).any()
    # The frame and a table of counts by practice are carried alike.
    wide = frame.pivot_table("patients", "lsoa11", "practice", "sum", observed=True).reindex(OLD).fillna(0)
    carried = carry_counts(wide, LOOKUP, to="lsoa21", people=series(NEW, people))
    here = found.pivot_table("patients", "lsoa21", "practice", "sum", observed=True)
    np.testing.assert_allclose(here.reindex_like(carried).fillna(0), carried, rtol=1e-9)


# England


@pytest.fixture(scope="module")
def lookup(real_data) -> pd.DataFrame:
    return na.read_area_lookup(real_data / "england-2023/lookup_lsoa11_lsoa21_ltla22.csv.gz")


@pytest.fixture(scope="module")
def census(real_data) -> pd.Series:
    """Residents on Census day 2021 by area of 2021, England and Wales, added up from six bands of age."""
    table = pd.read_csv(real_data / "staffordshire-2025/census21_lsoa21_age6.csv.gz", index_col="lsoa21_code")
    return table.sum(axis=1).rename("Census 2021")


@pytest.fixture(scope="module")
def july_2023(real_data) -> pd.DataFrame:
    return na.read_registrations(real_data / "england-2023/gp-reg-pat-prac-lsoa-all_2023-07.csv.gz")


def unchanged(lookup: pd.DataFrame) -> list[str]:
    return lookup.loc[(lookup["change"] == "U") & lookup["lsoa11"].str.startswith("E"), "lsoa11"].to_list()


def test_the_kinds_of_change_are_the_published_ones(lookup):
    # geographr, aggregate_lba_lsoas: areas of 2011 in England that are unchanged, split, merged, fragmented.
    english = lookup[lookup["lsoa11"].str.startswith("E")]
    areas = english.drop_duplicates("lsoa11")["change"].value_counts().to_dict()
    assert areas == {"U": 31_810, "S": 834, "M": 194, "X": 6}
    assert (changes(lookup) == lookup["change"]).all()


def test_englands_population_is_kept_on_areas_of_2021(real_data, lookup, census):
    people = na.read_population(real_data / "england-2023/population20_lsoa11.csv.gz")
    found = carry_counts(people, lookup, to="lsoa21", people=census)
    assert found.shape == (33_755, 91)
    # ONS, mid-2020 estimate for England.
    assert found.to_numpy().sum() == pytest.approx(56_550_138, rel=1e-9)
    same = unchanged(lookup)
    assert (found.loc[same] == people.loc[same]).all(axis=None)

    # An independent way to the same: each pair takes its part, by a merge.
    pairs = lookup[lookup["lsoa11"].str.startswith("E")].assign(living=lambda p: p["lsoa21"].map(census))
    part = pairs["living"] / pairs.groupby("lsoa11")["living"].transform("sum")
    expected = (part * pairs["lsoa11"].map(people.sum(axis=1))).groupby(pairs["lsoa21"]).sum()
    np.testing.assert_allclose(found.sum(axis=1), expected, rtol=1e-9)


def test_scores_of_2019_on_areas_of_2021(real_data, lookup):
    imd = na.read_deprivation(real_data / "england-2023/imd2019_lsoa11.csv.gz")["imd_score"]
    people = na.read_population(real_data / "england-2023/population20_lsoa11.csv.gz").sum(axis=1)
    found = carry_rates(imd, lookup, to="lsoa21", people=people)
    assert len(found) == 33_755
    split = lookup[(lookup["change"] == "S") & lookup["lsoa11"].str.startswith("E")]
    assert (found[split["lsoa21"]].to_numpy() == imd[split["lsoa11"]].to_numpy()).all()
    merged = lookup[(lookup["change"] == "M") & lookup["lsoa11"].str.startswith("E")]
    over = merged.assign(living=merged["lsoa11"].map(people), score=merged["lsoa11"].map(imd))
    mean = (over["living"] * over["score"]).groupby(over["lsoa21"]).sum() / over.groupby("lsoa21")[
        "living"
    ].sum()
    np.testing.assert_allclose(found[mean.index], mean, rtol=1e-12)


def test_the_lists_of_july_2023_go_to_2021_and_come_back(real_data, july_2023, lookup, census):
    there = carry_registrations(july_2023, lookup, to="lsoa21", people=census)
    patients = july_2023.groupby("lsoa11", observed=True)["patients"].sum()
    back = carry_registrations(there, lookup, to="lsoa11", people=patients)
    for frame in (there, back):
        assert frame["patients"].sum() == pytest.approx(62_581_556, rel=1e-9)
        pd.testing.assert_series_equal(
            by(frame, "practice"), by(july_2023, "practice"), rtol=1e-9, check_dtype=False
        )

    same = [*unchanged(lookup), "NO2011"]
    assert (by(there, "lsoa21")[same].to_numpy() == patients[same].to_numpy()).all()
    # All but the six fragmented areas return to what they were.
    returned = by(back, "lsoa11")
    changed = returned.index[~np.isclose(returned, patients[returned.index], rtol=1e-9)]
    assert set(changed) == set(lookup.loc[lookup["change"] == "X", "lsoa11"])

    members = na.read_membership(real_data / "england-2023/gp-reg-pat-prac-map_for_2023-07.csv.gz")
    catchment = na.Catchment.from_registrations(there, members)
    assert (catchment.vintage, len(catchment.areas), catchment.is_national) == ("lsoa21", 33_755, True)
    assert catchment.patients == pytest.approx(62_581_556, rel=1e-9)
