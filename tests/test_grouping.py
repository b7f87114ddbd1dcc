"""Other teams for the same flows, one set of teams crossed with another, and people who live there."""

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import needsalloc as na
import plain_catchments as plain
from needsalloc import errors
from plain_catchments import METHODS, crowds, drawn, entries, flows, frame
from small_worlds import CODES, PRACTICES, catchment, law, membership, worlds

GROUPS = st.sampled_from(["North", "South", "mid", None])
AREA = CODES[:4]
HOME = [("A", AREA[0], 6), ("B", AREA[0], 2), ("B", AREA[1], 4), ("C", AREA[2], 9), ("A", "W01000001", 5)]
MAP = membership({"A": "P1", "B": "P2", "C": "U"})
by_place = arrays(np.float64, len(CODES), elements=st.floats(0, 1_000, allow_subnormal=False))


def home(**method: object) -> na.Catchment:
    of = na.Catchment.from_registrations(frame(HOME), MAP)
    return of.with_method(**method) if method else of


def series(group_of: dict[str, str | None]) -> pd.Series:
    """A user's groups: those listed, in no particular order."""
    listed = {code: group for code, group in reversed(group_of.items()) if group is not None}
    return pd.Series(listed, dtype="object")


# Groups of practices


@law(crowds(), st.lists(GROUPS, min_size=5, max_size=5), examples=30)
def test_groups_of_practices_hold_the_sums_of_their_practices(crowd, groups):
    of = drawn(crowd)
    name = dict(zip(PRACTICES, groups, strict=False))
    found = of.regroup(series({p: name[p] for p in of.practices}))
    wanted: dict[tuple[str, str], int] = defaultdict(int)
    everyone: dict[str, int] = defaultdict(int)
    for practice, area, patients in crowd[0]:
        if not patients:
            continue
        everyone[name[practice] or "not in map"] += patients
        if area.startswith("E01"):
            wanted[area, name[practice] or "not in map"] += patients
    assert entries(found, found.flows) == wanted
    assert found.registered_by_team["registered"].to_dict() == everyone
    assert found.patients == of.patients
    assert found.teams["is_team"].to_dict() == {t: t != "not in map" for t in everyone}
    assert found.coverage()["patients"].iloc[0] == of.coverage()["patients"].iloc[0]


@law(worlds())
def test_regrouping_practices_by_their_pcn_is_the_catchment_of_pcns(world):
    read, members = world
    of = catchment(world)
    code = members.set_index("practice")["pcn"]
    again = na.Catchment.from_registrations(read).regroup(code[code.index.isin(of.practices)])
    pd.testing.assert_frame_equal(again.to_frame(), of.to_frame())
    pd.testing.assert_frame_equal(again.registered_by_team, of.registered_by_team)
    assert again.teams["is_team"].equals(of.teams["is_team"])


@law(worlds(), st.lists(GROUPS, min_size=len(PRACTICES), max_size=len(PRACTICES)))
def test_grouping_again_starts_from_the_practices(world, groups):
    of = catchment(world)
    listed = series({p: g for p, g in zip(PRACTICES, groups, strict=True) if p in of.practices})
    once = of.regroup(listed)
    again = of.regroup(pd.Series("All", index=of.practices)).regroup(listed)
    pd.testing.assert_frame_equal(once.to_frame(), again.to_frame())


@pytest.mark.parametrize("teams", ["pcn", "practice", "sub_icb", "icb", "neighbourhood"])
def test_teams_are_those_of_any_column_of_the_map(teams):
    members = MAP.assign(neighbourhood=["North", "North", None], sub_icb=["S1", "S2", "S2"])
    of = na.Catchment.from_registrations(frame(HOME), members, teams=teams)
    column = members.set_index("practice", drop=False)[teams].fillna("not in map")
    rows = frame([row for row in HOME if row[1].startswith("E01")])
    plainly = rows.assign(team=rows["practice"].map(column)).groupby(["lsoa21", "team"])["patients"].sum()
    assert entries(of, of.flows) == plainly.to_dict()
    assert of.patients == 26
    with pytest.raises(errors.MissingColumnError, match=r"no column 'ward'.*it has practice"):
        na.Catchment.from_registrations(frame(HOME), members, teams="ward")


def test_a_team_of_several_icbs_is_one_team_in_that_of_most_of_its_people():
    rows = [("A", AREA[0], 6), ("B", AREA[0], 5), ("C", AREA[1], 5)]
    members = membership(dict.fromkeys("ABC", "P1"), icb={"A": "QAA", "B": "QBB", "C": "QBB"})
    # Spelt in two ways, the larger ICB is still the larger one.
    members["icb_name"] = ["Alpha", "Beta", "BETA"]
    members["pcn_name"] = ["One", "Other", "OTHER"]
    of = na.Catchment.from_registrations(frame(rows), members)
    assert of.teams.loc["P1"].tolist() == ["QBB", "BETA", "One", True]
    assert of.registered_by_team.loc["P1", "registered"] == 16


def test_a_team_without_a_name_is_called_by_its_code():
    members = MAP.assign(pcn_name=[None, "Two", "No PCN"])
    of = na.Catchment.from_registrations(frame([*HOME, ("D", AREA[0], 1)]), members)
    assert of.teams["team_name"].to_dict() == {
        "P1": "P1",
        "P2": "Two",
        "U": "No PCN",
        "not in map": "Practices missing from the map",
    }


def test_a_name_with_blanks_is_the_same_team_and_one_of_blanks_is_none():
    members = MAP.assign(place=pd.Series(["North", " North ", " "], dtype="object"))
    of = na.Catchment.from_registrations(frame(HOME), members, teams="place")
    assert of.registered_by_team["registered"].to_dict() == {"North": 17, "not in map": 9}
    numbered = MAP.assign(place=[1, 2, None])
    of = na.Catchment.from_registrations(frame(HOME), numbered.astype({"place": "Int64"}), teams="place")
    assert of.teams["is_team"].to_dict() == {"1": True, "2": True, "not in map": False}


def test_a_group_is_in_the_icb_of_most_of_its_people_wherever_they_live():
    rows = [("A", AREA[0], 5), ("B", AREA[0], 3), ("B", "W01000001", 4)]
    members = membership({"A": "P1", "B": "P2"}, icb={"A": "QAA", "B": "QBB"})
    both = na.Catchment.from_registrations(frame(rows), members).regroup(pd.Series({"A": "x", "B": "x"}))
    assert both.teams.at["x", "icb"] == "QBB"


# Groups of areas


@law(crowds(), st.lists(GROUPS, min_size=5, max_size=5), examples=30)
def test_groups_of_areas_hold_everybody_who_lives_there(crowd, groups):
    of = drawn(crowd)
    name = dict(zip(plain.AREA, groups, strict=True))
    if not any(name[a] for a in of.areas):
        return
    found = of.regroup(series({a: name[a] for a in of.areas}))
    wanted: dict[tuple[str, str], int] = defaultdict(int)
    for (area, _), patients in flows(crowd).items():
        wanted[area, name[area] or "not in map"] += patients
    assert entries(found, found.flows) == wanted
    assert found.serves == "residents"
    # Who lives elsewhere stays, and is in no group.
    assert found.patients == of.patients
    outside = of.outside["patients"].sum()
    assert found.registered_by_team["outside"].sum() == outside
    assert (
        found.coverage()[["group", "patients"]]
        .iloc[: 1 + of.outside["group"].nunique()]
        .equals(of.coverage()[["group", "patients"]].iloc[: 1 + of.outside["group"].nunique()])
    )
    if outside:
        assert found.registered_by_team.at["not in map", "outside"] == outside


def test_groups_of_areas_are_grouped_again_by_area_and_by_group():
    of = home()
    first = of.regroup(pd.Series({AREA[0]: "North", AREA[1]: "South", AREA[2]: "South"}))
    assert first.populations()["inside"].to_dict() == {"North": 8, "South": 13, "not in map": 0}
    whole = first.regroup(pd.Series({"North": "Town", "South": "Town"}))
    assert whole.populations()["inside"].to_dict() == {"Town": 21, "not in map": 0}
    other = first.regroup(pd.Series({AREA[0]: "East", AREA[1]: "East", AREA[2]: "West"}))
    assert other.populations()["inside"].to_dict() == {"East": 12, "West": 9, "not in map": 0}
    assert whole.patients == other.patients == of.patients == 26


@pytest.mark.parametrize("method", METHODS[1:])
def test_new_groups_are_shared_out_until_a_method_is_named(method):
    of = home(**method).regroup(pd.Series({"A": "x", "B": "y", "C": "y"}))
    assert of.method.name == "proportional"
    assert "unassigned" not in of.teams.index
    assert of.populations().loc["x"].tolist() == [6, 5, 11]


@pytest.mark.parametrize("spell", [str.lower, str.upper, lambda code: f" {code} "])
def test_codes_of_groups_may_be_spelt_with_blanks_and_in_lower_case(spell):
    for codes in ("ABC", AREA[:3]):
        clean = pd.Series(["x", "y", "y"], index=list(codes))
        spelt = pd.Series(pd.Categorical([" x", "y", "y "]), index=[spell(code) for code in codes])
        pd.testing.assert_frame_equal(home().regroup(spelt).to_frame(), home().regroup(clean).to_frame())


@pytest.mark.parametrize(
    ("groups", "error", "says"),
    [
        (pd.Series({"A": "x", "Z": "x"}), errors.UnknownCodeError, r"1 of 2 practices.*Z"),
        (pd.Series({AREA[0]: "x", AREA[1]: "x", "E01999999": "x"}), errors.UnknownCodeError, "1 of 3 areas"),
        (pd.Series({"A": "x", "B": None}), errors.InvalidValueError, r"1 practices.*two groups or none: B"),
        (pd.Series({"A": "x", "B": np.nan}), errors.InvalidValueError, "two groups or none: B"),
        (pd.Series({"A": "x", "B": " "}), errors.InvalidValueError, "two groups or none: B"),
        (pd.Series(["x", "y"], index=["A", "a "]), errors.InvalidValueError, "two groups or none: A"),
        (pd.Series(["x", "x"], index=["A", "A"]), errors.InvalidValueError, "two groups or none: A"),
        ({"A": "x"}, errors.InvalidValueError, "pandas Series.*not a dict"),
        (pd.DataFrame({"group": ["x"]}, index=["A"]), errors.InvalidValueError, "not a DataFrame"),
    ],
    ids=["practice", "area", "none", "nan", "blank", "twice", "same twice", "dict", "frame"],
)
def test_groups_that_cannot_be_are_refused(groups, error, says):
    with pytest.raises(error, match=says):
        home().regroup(groups)


# One set of teams crossed with another


@law(crowds(), st.lists(GROUPS, min_size=5, max_size=5), examples=30)
def test_two_groupings_of_practices_share_whole_practices(crowd, groups):
    """Exactly: patients of both, wherever they live."""
    of = drawn(crowd)
    name = dict(zip(PRACTICES, groups, strict=False))
    other = of.regroup(series({p: name[p] for p in of.practices}))
    across = of.crosswalk(other)
    wanted: dict[tuple[str, str], int] = defaultdict(int)
    for practice, _, patients in crowd[0]:
        if patients:
            wanted[crowd[1][practice] or "not in map", name[practice] or "not in map"] += patients
    assert entries(across, across.flows) == wanted
    assert across.patients == of.patients
    assert across.teams.equals(other.teams)
    # The people themselves arrive where they are counted.
    carried = across.apportion(of.registered_by_team.loc[across.areas, "registered"])
    np.testing.assert_allclose(carried, other.registered_by_team["registered"], rtol=1e-12)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: "-".join(map(str, m.values())))
@law(crowds(), by_place, examples=20)
def test_a_crosswalk_keeps_what_it_carries(method, crowd, values):
    left, right = drawn(crowd, name="first_past_the_post"), drawn(crowd, **method)
    across = left.crosswalk(right)
    counts = pd.Series(values[: len(across.areas)], index=across.areas)
    found = across.apportion(counts)
    assert list(found.index.drop("unassigned", errors="ignore")) == [
        team for team in right.teams.index if team != "unassigned"
    ]
    assert found.sum() == pytest.approx(counts.sum(), rel=1e-12)
    n, part = flows(crowd), entries(right, right.resident_share)
    size = {a: sum(flow.values()) for a, flow in plain.by_area(n).items()}
    wanted: dict[tuple[str, str], float] = defaultdict(float)
    for (area, mine), _ in entries(left, left.resident_share).items():
        for (place, theirs), share in part.items():
            if place == area:
                wanted[mine, theirs] += size[area] * share
    # Who lives in none of the areas is in no catchment of theirs.
    outside = left.outside["patients"].sum()
    wanted["unassigned", "unassigned"] += outside
    wanted = {pair: n for pair, n in wanted.items() if n}
    assert entries(across, across.flows) == pytest.approx(wanted)


@pytest.mark.parametrize("method", METHODS[:2], ids=["proportional", "first_past_the_post"])
@law(crowds(), examples=25)
def test_a_catchment_crossed_with_itself_is_diagonal(method, crowd):
    of = drawn(crowd, **method)
    same = of.crosswalk(of)
    people = of.populations()["registered"]
    assert entries(same, same.flows) == {(t, t): n for t, n in people.items() if n}
    if not of.method.by_whole_areas:
        counts = pd.Series(1.0, index=same.areas)
        assert same.apportion(counts)[same.areas].tolist() == counts.tolist()


def test_groups_of_areas_of_the_same_names_are_not_the_same_groups():
    west = home().regroup(pd.Series({AREA[0]: "One", AREA[1]: "One", AREA[2]: "Two"}))
    east = home().regroup(pd.Series({AREA[0]: "Two", AREA[1]: "One", AREA[2]: "One"}))
    found = west.crosswalk(east)
    assert entries(found, found.flows) == {
        ("One", "Two"): 8,
        ("One", "One"): 4,
        ("Two", "One"): 9,
        ("not in map", "unassigned"): 5,
    }
    assert found.patients == home().patients


def test_practices_meet_neighbourhoods_in_the_areas_where_their_people_live():
    of = home()
    places = of.regroup(pd.Series({AREA[0]: "North", AREA[1]: "South", AREA[2]: "South"}))
    found = of.crosswalk(places)
    assert entries(found, found.flows) == {
        ("P1", "North"): 6,
        ("P1", "unassigned"): 5,
        ("P2", "North"): 2,
        ("P2", "South"): 4,
        ("U", "South"): 9,
    }
    assert found.patients == of.patients == 26
    back = places.crosswalk(of)
    assert entries(back, back.flows) == {
        ("North", "P1"): 6,
        ("North", "P2"): 2,
        ("South", "P2"): 4,
        ("South", "U"): 9,
        ("not in map", "unassigned"): 5,
    }
    posts = pd.Series({"P1": 11.0, "P2": 3.0, "U": 1.0})
    assert found.apportion(posts).to_dict() == {"North": 7, "South": 3, "not in map": 0, "unassigned": 5}


@law(crowds(), examples=25)
def test_from_practices_over_pcns_to_icbs_the_people_are_those_of_icbs(crowd):
    rows, teams = crowd
    members = membership(teams, icb={p: f"Q{k % 2}" for k, p in enumerate(PRACTICES)})
    practices, pcns, icbs = (
        na.Catchment.from_registrations(frame(rows), members, teams=t) for t in ("practice", "pcn", "icb")
    )
    patients = practices.registered_by_team["registered"]
    by_pcn = practices.crosswalk(pcns).apportion(patients)
    by_icb = pcns.crosswalk(icbs).apportion(by_pcn)
    direct = practices.crosswalk(icbs).apportion(patients)
    np.testing.assert_allclose(by_icb, direct, rtol=1e-12)
    np.testing.assert_allclose(direct, icbs.registered_by_team["registered"], rtol=1e-12)


def test_catchments_that_share_neither_practices_nor_areas_are_refused():
    other = na.Catchment.from_registrations(frame([("Z", AREA[3], 1)]))
    with pytest.raises(errors.UnknownCodeError, match=r"no list of areas in common.*same flows"):
        home().crosswalk(other)


def test_shares_of_nobody_are_not_crossed():
    shares = pd.DataFrame({"lsoa21": AREA[:3], "trust": ["R1", "R1", "R2"], "share": 1.0})
    trusts = na.Catchment.from_flows(shares, area="lsoa21", team="trust", share="share")
    for left, right in ((trusts, home()), (home(), trusts)):
        with pytest.raises(errors.InvalidValueError, match=r"count nobody.*with_residents"):
            left.crosswalk(right)
    living = trusts.with_residents(pd.Series([1.0, 1, 1], index=trusts.areas))
    assert home().crosswalk(living).flows.sum() == 26


# The people who live there


@pytest.mark.parametrize("method", METHODS, ids=lambda m: "-".join(map(str, m.values())))
@law(crowds(), by_place.map(lambda x: x + 1), examples=25)
def test_residents_are_shared_out_as_patients_are(method, crowd, values):
    of = drawn(crowd, **method)
    # With the lists of a part of England no more are shared out than are registered.
    residents = pd.Series(values[: len(of.areas)], index=of.areas).clip(upper=of.registered_by_area)
    there = of.with_residents(residents)
    assert there.unit == "residents"
    assert there.serves == "residents"
    assert entries(there, there.resident_share) == entries(of, of.resident_share)
    assert entries(there, there.flows) == entries(of, of.flows)
    both = of.populations(residents)
    np.testing.assert_allclose(there.populations()["resident"], both["resident"], rtol=1e-12)
    np.testing.assert_allclose(there.populations()["registered"], both["registered"], rtol=1e-12)
    rates = pd.Series(values[::-1][: len(of.areas)], index=of.areas)
    weighted = of.apportion((residents * rates).rename(None))
    np.testing.assert_allclose(
        there.average(rates), (weighted / both["resident"]).where(both["resident"] > 0), rtol=1e-9
    )
    assert of.unit == "patients"
    again = there.with_residents(residents)
    assert entries(again, again.served) == entries(there, there.served)
    # Residents first and the method then is the same.
    other = drawn(crowd).with_residents(residents).with_method(**method)
    assert entries(other, other.served) == entries(there, there.served)


def test_registered_and_resident_people_stand_side_by_side():
    residents = pd.Series([4.0, 2, 3], index=pd.Index(AREA[:3], name="lsoa21"), name="people")
    table = home().populations(residents)
    assert table.columns.tolist() == ["inside", "outside", "registered", "resident"]
    assert table.loc["P1"].tolist() == [6, 5, 11, 3]
    assert table.loc["P2"].tolist() == [6, 0, 6, 3]
    assert table.loc["U"].tolist() == [9, 0, 9, 3]
    by_area = home(name="first_past_the_post").populations(residents)
    assert by_area.loc["P1"].tolist() == [8, 0, 8, 4]
    assert by_area.loc["unassigned"].tolist() == [9, 5, 14, 3]


def test_residents_beyond_the_lists_of_a_part_of_england_are_a_row_of_their_own():
    """Eight, four and nine patients live in the three areas; these lists cannot tell with whom others are."""
    residents = pd.Series([16.0, 2, 10], index=pd.Index(AREA[:3], name="lsoa21"), name="people")
    table = home().populations(residents)
    assert table["resident"].to_dict() == {"P1": 6.0, "P2": 4.0, "U": 9.0, "on other lists": 9.0}
    assert table.loc["on other lists", ["inside", "outside", "registered"]].tolist() == [0, 0, 0]
    assert table["resident"].sum() == residents.sum()
    by_age = pd.DataFrame({0: residents * 0.25, 65: residents * 0.75})
    pd.testing.assert_frame_equal(home().populations(by_age), table)
    there = home().with_residents(residents)
    assert there.populations()["resident"].to_dict() == {"P1": 6.0, "P2": 4.0, "U": 9.0}
    shared_out, beyond = home().shared_out(by_age)
    assert (shared_out.sum(axis=1).tolist(), beyond) == ([8, 2, 9], 9)


def test_a_count_in_an_area_without_residents_is_kept():
    there = home().with_residents(pd.Series([0.0, 4, 5], index=AREA[:3]))
    assert there.apportion(pd.Series([10.0, 0, 0], index=AREA[:3])).sum() == 10


def test_the_fewest_areas_stay_the_same_over_residents():
    of = na.Catchment.from_registrations(frame([("A", AREA[0], 10), ("A", AREA[1], 2)]))
    of = of.with_method("cumulative", share=0.8)
    there = of.with_residents(pd.Series([1.0, 100], index=AREA[:2]))
    assert entries(there, there.resident_share) == entries(of, of.resident_share)


def test_a_team_with_nobody_of_the_residents_has_no_mean_and_spoils_no_other():
    there = home().with_residents(pd.Series([3.0, 2, 0], index=AREA[:3]))
    assert there.patient_share.sum(axis=0).tolist() == pytest.approx([1, 1, 0])
    placed = there.apportion_to_areas(pd.Series({"P1": 4.0, "P2": 6.0}))
    assert placed.tolist() == pytest.approx([4 + 6 * 2.25 / 8.25, 6 * 6 / 8.25, 0])
    assert np.isnan(there.average(pd.Series([1.0, 2, 3], index=AREA[:3]))["U"])


def test_teams_of_the_same_practices_share_whole_practices_over_residents_too():
    there = home().with_residents(pd.Series([4.0, 2, 3], index=AREA[:3]))
    found = there.crosswalk(home())
    assert entries(found, found.flows) == pytest.approx({("P1", "P1"): 3, ("P2", "P2"): 3, ("U", "U"): 3})


def test_new_groups_forget_the_strata():
    rows = [(p, a, n, age) for p, a, n in HOME[:4] for age in ("0-64", "65+")]
    strata = pd.DataFrame(rows, columns=["practice", "lsoa21", "patients", "stratum"])
    of = home().with_method("stratified", flows=strata.assign(patients=strata["patients"] / 2))
    groups, count = pd.Series({"A": "x", "B": "y", "C": "y"}), pd.Series(1.0, index=of.areas)
    pd.testing.assert_series_equal(
        of.regroup(groups).apportion(count), home().regroup(groups).apportion(count)
    )


def test_areas_of_nobody_can_be_grouped():
    there = home().with_residents(pd.Series([0.0, 4, 5], index=AREA[:3]))
    found = there.regroup(pd.Series({AREA[0]: "North", AREA[1]: "South", AREA[2]: "South"}))
    assert found.populations().loc[["North", "South"], "resident"].to_dict() == {"North": 0, "South": 9}
    assert np.isnan(found.average(pd.Series([1.0, 2, 3], index=AREA[:3]))["North"])
    with pytest.raises(errors.InvalidValueError, match="3 of 3 areas have no residents"):
        home().with_residents(pd.Series(0.0, index=AREA[:3]))
    with pytest.raises(errors.InvalidValueError, match="have no residents"):
        home().with_residents(pd.Series([-1.0, 4, 5], index=AREA[:3]))


def test_residents_beyond_the_catchment_are_refused():
    of = home()
    with pytest.raises(errors.UnknownCodeError, match=AREA[3]):
        of.with_residents(pd.Series(1.0, index=AREA))
    with pytest.raises(errors.UnknownCodeError, match="1 of 3 areas"):
        of.with_residents(pd.Series(1.0, index=AREA[:2]))
    with pytest.raises(errors.InvalidValueError, match="no number"):
        of.with_residents(pd.Series([1.0, np.nan, 1], index=AREA[:3]))
