"""Coverage, overlap, who lives outside, who is served: everybody in one row, and small worlds by hand."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

import needsalloc as na
from needsalloc import errors
from needsalloc.belonging import living_outside, own_icb_assignment, people_served
from needsalloc.outliers import SCREENS, outliers
from needsalloc.quality import (
    coverage_by_area,
    deprivation_fifth,
    deprivation_fifth_of_teams,
    label_of_most_patients,
    overlap,
)
from small_worlds import CODES, PRACTICES, catchment, law, membership, registrations, worlds

A, B, C, D, E = CODES[:5]
P1, P2, P3 = PRACTICES[:3]
WORDS = ["registered", "residents", "both"]
HOME = pd.Series(["QAA", "QBB"] * (len(CODES) // 2), index=pd.Index(CODES, name="lsoa21"))


def people(*numbers: float) -> pd.Series:
    return pd.Series(numbers, index=pd.Index(CODES[: len(numbers)], name="lsoa21"), dtype=float)


@pytest.fixture(scope="module")
def small() -> na.Catchment:
    """Two teams and a practice without one, in three areas; five patients of P1 live in Wales."""
    rows = [(P1, A, 60), (P1, B, 10), (P2, A, 40), (P2, B, 30), (P2, C, 5), (P3, B, 60), (P1, "W01000001", 5)]
    teams = membership({P1: "T1", P2: "T2", P3: "U"}, icb={P1: "QAA", P2: "QBB", P3: "QAA"})
    return na.Catchment.from_registrations(registrations(rows), teams)


def two_icbs(world: tuple[pd.DataFrame, pd.DataFrame]) -> na.Catchment:
    rows, teams = world
    return na.Catchment.from_registrations(
        rows, teams.assign(icb=np.where(teams["pcn"] == "P1", "QAA", "QBB"))
    )


# Coverage by area


def test_coverage_of_a_small_world(small):
    found = coverage_by_area(small, people(120, 90, 5, 50, 0), below=0.9, residents_on=date(2020, 6, 30))
    assert found.table["registered"].tolist() == [100, 100, 5, 0, 0]
    assert found.table["flag"].tolist() == ["under 90%", "", "", "nobody registered", "nobody resident"]
    np.testing.assert_allclose(found.table["coverage"], [100 / 120, 100 / 90, 1, 0, np.nan])
    assert found.summary.loc["All areas", ["areas", "registered", "resident"]].tolist() == [5, 205, 265]
    assert found.summary.index[-2:].tolist() == ["none", "All areas"]
    assert found.list_inflation["all"] == pytest.approx(205 / 215 - 1)
    assert found.people.set_index("group").loc["Wales", "patients"] == 5
    assert "30 Jun 2020" in repr(found)
    assert "day not given" in repr(found)
    assert "2 areas are under 90%" in found._repr_html_()


@law(worlds(), st.lists(st.integers(0, 2_000), min_size=len(CODES), max_size=len(CODES)))
def test_every_area_and_everybody_is_in_one_row_of_the_coverage(world, residents):
    of = catchment(world)
    found = coverage_by_area(of, people(*residents))
    assert found.table.index.tolist() == sorted(CODES)
    assert found.table["registered"].sum() == of.registered_by_area.sum()
    assert found.table["resident"].sum() == sum(residents)
    rows = found.summary
    total = rows.loc["All areas"]
    assert (
        rows.drop(index="All areas")[["areas", "registered", "resident"]].sum().tolist() == total[:3].tolist()
    )
    low = (found.table["resident"] > 0) & (found.table["coverage"] < 0.5)
    assert (found.table["flag"].isin(["under 50%", "nobody registered"]) == low).all()


@pytest.mark.parametrize(
    ("residents", "below", "message"),
    [
        (people(120, 90), 0.5, "1 of 3 areas"),
        (people(120, -1, 5), 0.5, "negative residents"),
        (people(120, np.nan, 5), 0.5, "missing or negative"),
        (people(120, 90, 5), 50, "write 0.5 for 50 per cent"),
        (people(20, 30, 5).rename("imd_score"), 0.5, "imd_score is a rate"),
        (people(120, 90, 5).astype(object).replace(90, "many"), 0.5, "some values are no numbers"),
        (people(120, 90, 5).to_frame(), 0.5, "a table of 1 columns"),
    ],
)
def test_residents_that_cannot_be_used_are_refused(small, residents, below, message):
    with pytest.raises(errors.NeedsallocError, match=message):
        coverage_by_area(small, residents, below=below)


def test_fifths_are_pairs_of_deciles():
    assert deprivation_fifth(pd.Series(range(1, 11))).tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    with pytest.raises(errors.InvalidValueError, match="1 areas have no deprivation decile"):
        deprivation_fifth(pd.Series([1, 0]))


# Overlap


def test_overlap_of_a_small_world(small):
    found = overlap(small)
    assert found.areas["own_team"].tolist() == ["T1", "T2", "T2"]
    np.testing.assert_allclose(found.areas["own_share"], [0.6, 0.3, 1.0])
    assert found.areas["second_team"].iloc[:2].tolist() == ["T2", "T1"]
    np.testing.assert_allclose(found.areas["second_share"], [0.4, 0.1, np.nan])
    assert found.areas[["own", "other_teams", "no_team"]].loc[B].tolist() == [30, 10, 60]
    columns = ["registered", "in_catchment", "living_inside", "areas", "catchment_registered", "own_share"]
    np.testing.assert_allclose(found.teams.loc["T1", columns].astype(float), [75, 60, 0.8, 1, 100, 0.6])
    np.testing.assert_allclose(found.teams.loc["T2", columns].astype(float), [75, 35, 35 / 75, 2, 105, 1 / 3])
    assert found.teams.loc["U", ["in_catchment", "areas"]].tolist() == [0, 0]
    table = found.by(pd.Series(["urban", "urban", "rural"], index=[A, B, C], name="rurality"))
    assert table.loc["urban", ["areas", "registered", "own"]].tolist() == [2, 200, 90]
    assert table.loc["urban", ["own_share", "area_mean"]].tolist() == pytest.approx([0.45, 0.45])
    assert "46.3%" in repr(found)  # 95 of 205


def test_another_drawing_of_the_areas_can_be_the_own_one(small):
    found = overlap(small, own=pd.Series({A: "T2", B: "T1"}))
    assert found.areas["own"].tolist() == [40, 10, 0]
    assert found.areas["own_team"].isna().tolist() == [False, False, True]
    assert found.areas["second_team"].tolist() == ["T1", "T2", "T2"]
    assert not found.areas["tied"].any()
    with pytest.raises(errors.UnknownCodeError, match="1 teams of areas are no teams"):
        overlap(small, own=pd.Series({A: "U"}))


def test_neighbourhoods_of_some_areas_of_2021_are_taken_and_strangers_are_not():
    # The third area has a code of 2021 alone, so a table of the other two reads as one of 2011.
    old, new = ["E01000001", "E01000002"], "E01033800"
    rows = [(P1, old[0], 5), (P1, old[1], 3), (P2, old[1], 4), (P2, new, 7)]
    of = catchment((registrations(rows), membership({P1: "T1", P2: "T2"})))
    for name in (None, "lsoa11", "lsoa21"):
        own = pd.Series({old[0]: "T1", old[1]: "T1"}).rename_axis(name)
        assert overlap(of, own=own).areas["own"].tolist() == [5, 3, 0]
        assert people_served(of, own, "residents").table.loc["Everybody"].tolist() == [7, 12, 0, 19]
    for look in (lambda own: overlap(of, own=own), lambda own: people_served(of, own, "both")):
        with pytest.raises(
            errors.UnknownCodeError, match=r"1 of 2 areas .* not in this catchment: E01000004"
        ):
            look(pd.Series({old[0]: "T1", "E01000004": "T1"}))
        with pytest.raises(errors.InvalidValueError, match="1 areas stand twice"):
            look(pd.Series(["T1", "T2"], index=[new, new]))
        with pytest.raises(errors.VintageError, match="of two censuses"):
            look(pd.Series({old[0]: "T1", "E01033001": "T1"}).rename_axis("lsoa11"))
    earlier = registrations([(P1, old[0], 5), (P2, old[1], 4)]).rename(columns={"lsoa21": "lsoa11"})
    of = na.Catchment.from_registrations(earlier, membership({P1: "T1", P2: "T2"}))
    with pytest.raises(errors.VintageError, match="of two censuses"):
        overlap(of, own=pd.Series({old[0]: "T1", new: "T1"}))


def test_localisation_of_teams_by_their_own_groups(small):
    found = overlap(small)
    table = found.teams_by(pd.Series({"T1": "town", "T2": "town"}, name="setting"))
    assert table.columns[:3].tolist() == ["teams", "registered", "in_catchment"]
    # 60 of 75 and 35 of 75: by people, and in the middle of the two teams.
    assert table.loc["town", ["teams", "registered", "in_catchment"]].tolist() == [2, 150, 95]
    expected = [95 / 150, (60 / 75 + 35 / 75) / 2]
    assert table.loc["town", ["living_inside", "team_mean"]].tolist() == pytest.approx(expected)
    two = found.teams_by(pd.DataFrame({"teams": ["x", None], "fifth": [1, 2]}, index=["T1", "T2"]))
    assert two["teams"].sum() == 2
    assert two.index.names == ["teams", "fifth"]
    with pytest.raises(errors.UnknownCodeError, match=r"1 of 2 teams are missing .*by\(\)"):
        found.teams_by(pd.Series({"T1": 1, A: 2}))
    with pytest.raises(errors.InvalidValueError, match="1 teams stand twice in the groups: T2"):
        found.teams_by(pd.Series([1, 2, 3], index=["T1", "T2", "T2"]))


def test_teams_take_the_fifth_and_the_label_of_their_patients(small):
    # T1: 60 patients in A and 10 in B; T2: 40, 30 and 5 in C.
    score = pd.Series({A: 10.0, B: 80.0, C: 10.0}, name="imd_score")
    assert deprivation_fifth_of_teams(small, score).to_dict() == {"T1": 3, "T2": 1}  # means 20 and 38
    labels = pd.Series({A: "town", B: "village", C: "village"}, name="setting")
    assert label_of_most_patients(small, labels).to_dict() == {"T1": "town", "T2": "town"}
    labels[A] = "village"
    assert label_of_most_patients(small, labels).unique().tolist() == ["village"]
    with pytest.raises(errors.InvalidValueError, match="imd_decile is no score"):
        deprivation_fifth_of_teams(small, score.rename("imd_decile"))
    with pytest.raises(errors.UnknownCodeError, match="1 of 3 areas are missing from the labels"):
        label_of_most_patients(small, labels.drop(C))


def test_a_team_of_nobody_here_has_no_fifth_and_is_counted_as_such():
    rows = [(P1, A, 5), (P2, "W01000001", 5)]
    of = catchment((registrations(rows), membership({P1: "T1", P2: "T2"})))
    fifth = deprivation_fifth_of_teams(of, pd.Series({A: 10.0}))
    assert fifth["T1"] == 1
    assert fifth.isna()["T2"]
    assert label_of_most_patients(of, pd.Series({A: "town"})).isna().to_dict() == {"T1": False, "T2": True}
    assert overlap(of).teams_by(fifth)["registered"].tolist() == [5, 5]


@law(worlds(), st.lists(st.integers(0, 60), min_size=len(CODES), max_size=len(CODES)))
def test_fifths_of_teams_are_equal_groups_in_order(world, scores):
    of, score = catchment(world), people(*scores).rename("imd_score")
    fifth = deprivation_fifth_of_teams(of, score).dropna().astype(int)
    counts = fifth.value_counts().reindex(range(1, 6), fill_value=0)
    assert counts.max() - counts.min() <= 1
    flows = of.to_frame().assign(score=lambda rows: rows["lsoa21"].astype(str).map(score))
    flows["of_score"] = flows["score"] * flows["registered"]
    sums = flows.groupby("team", observed=True)[["of_score", "registered"]].sum()
    mean = (sums["of_score"] / sums["registered"])[fifth.index]
    for more, less in zip(fifth.sort_values().index, fifth.sort_values().index[1:], strict=False):
        assert fifth[more] == fifth[less] or mean[more] >= mean[less] - 1e-9
    found = overlap(of)
    if len(fifth) == found.teams["is_team"].sum():
        table = found.teams_by(fifth)
        teams = found.teams[found.teams["is_team"]]
        assert table["in_catchment"].sum() == pytest.approx(teams["in_catchment"].sum())
        assert table["registered"].sum() == pytest.approx(teams["registered"].sum())


def test_overlap_of_a_part_of_england_says_so(small, monkeypatch):
    assert "by these lists alone, which are not all England's" in repr(overlap(small))
    monkeypatch.setattr(na.Catchment, "is_national", property(lambda _: True))
    assert "these lists" not in repr(overlap(small))
    assert "46.3% of registered people are with their area's own team (median area 60.0%)" in repr(
        overlap(small)
    )


def test_a_tie_goes_to_the_lower_code_and_is_marked():
    rows = [(P1, A, 5), (P2, A, 5), (P1, B, 6), (P2, B, 5)]
    found = overlap(catchment((registrations(rows), membership({P1: "T2", P2: "T1"}))))
    assert found.areas["own_team"].tolist() == ["T1", "T2"]
    assert found.areas["tied"].tolist() == [True, False]


@law(worlds())
def test_overlap_counts_everybody_once_and_both_ways_alike(world):
    of = catchment(world)
    found = overlap(of)
    parts = found.areas[["own", "other_teams", "no_team"]]
    np.testing.assert_allclose(parts.sum(axis=1), found.areas["registered"])
    assert (parts >= 0).all(axis=None)
    assert found.areas["own"].sum() == pytest.approx(found.teams["in_catchment"].sum())
    assert (found.areas["second_share"].fillna(0) <= found.areas["own_share"].fillna(0) + 1e-12).all()
    assert found.teams["areas"].sum() == found.areas["own_team"].notna().sum()
    assert found.areas["own_team"].dropna().to_dict() == of.team_of_area().to_dict()
    flows = of.to_frame().merge(of.teams["is_team"], left_on="team", right_index=True)
    largest = flows[flows["is_team"]].groupby("lsoa21", observed=True)["registered"].max()
    assert found.areas["own"][found.areas["own_team"].notna()].to_dict() == pytest.approx(largest.to_dict())
    whole = found.by(pd.Series("all", index=of.areas))
    assert whole["own"].sum() == pytest.approx(found.areas["own"].sum())


def test_groups_must_hold_every_area(small):
    with pytest.raises(errors.UnknownCodeError, match="1 of 3 areas are missing from the groups"):
        overlap(small).by(pd.Series({A: 1, B: 2}))


# Living outside


def test_living_outside_a_small_world(small):
    found = living_outside(small, HOME)  # T1 is of QAA, the home of A and C; T2 of QBB, the home of B
    columns = ["registered", "in_own", "in_others", "no_group", "outside_england"]
    assert found.teams.loc["T1", columns].tolist() == [75, 60, 10, 0, 5]
    assert found.teams.loc["T2", columns].tolist() == [75, 30, 45, 0, 0]
    assert found.teams.loc["U", columns].tolist() == [60, 0, 0, 60, 0]
    assert found.groups.loc["QAA"].tolist() == [75, 60, 10, 5, 105, 45]
    assert found.groups.loc["QBB"].tolist() == [75, 30, 45, 0, 100, 70]
    practices = living_outside(small, HOME, of_practice=pd.Series({P1: "QAA", P2: "QBB", P3: "QAA"}))
    assert practices.groups.loc["QAA"].tolist() == [135, 60, 70, 5, 105, 45]
    assert "55 of 210 patients" in repr(found)


@law(worlds())
def test_patients_live_in_one_place_and_are_registered_in_one(world):
    of = two_icbs(world)
    if not set(of.teams["icb"]) & {"QAA", "QBB"}:
        with pytest.raises(errors.UnknownCodeError, match="same codes"):
            living_outside(of, HOME)
        return
    found = living_outside(of, HOME)
    parts = found.teams[["in_own", "in_others", "no_group", "outside_england"]]
    np.testing.assert_allclose(parts.sum(axis=1), found.teams["registered"])
    groups = found.groups
    np.testing.assert_allclose(
        groups[["live_here", "live_elsewhere", "live_outside_england"]].sum(axis=1), groups["registered"]
    )
    assert groups["registered"].sum() == pytest.approx(of.patients)
    assert groups["resident_registered"].sum() == pytest.approx(of.registered_by_area.sum())
    # Whoever lives elsewhere is, somewhere, registered elsewhere.
    assert groups["live_elsewhere"].sum() == pytest.approx(groups["registered_elsewhere"].sum())


# One ICB's lists against all


def test_an_area_at_the_edge_goes_to_the_neighbour(small):
    found = own_icb_assignment(small, "QBB", HOME)
    assert found.table["what"].to_dict() == {
        A: "only some patients",  # of QAA, and mostly with T1
        B: "same team",
        C: "comes from another ICB",  # of QAA, but T2 alone is there
    }
    found = own_icb_assignment(small, "QAA", HOME)
    assert found.table["what"].tolist() == ["same team", "only some patients", "none of its teams"]
    assert found.outside == 5
    other_way = pd.Series({A: "QBB", B: "QAA", C: "QBB"})
    found = own_icb_assignment(small, "QAA", other_way)
    assert found.table.loc[B, ["what", "own_icb_team", "largest_team"]].tolist() == [
        "goes to another ICB",
        "T1",
        "T2",
    ]
    assert "by the lists of 2 ICBs (not all England's) 1 of its areas (100 registered people) go" in repr(
        found
    )
    with pytest.raises(errors.UnknownCodeError, match="No team belongs to the ICB 'E54'"):
        own_icb_assignment(small, "E54", HOME)
    with pytest.raises(errors.UnknownCodeError, match=r"No area has QAA .*E54000001.* such as QHM"):
        own_icb_assignment(small, "QAA", HOME.replace({"QAA": "E54000001", "QBB": "E54000002"}))
    with pytest.raises(errors.InvalidValueError, match="a table of 1 columns"):
        own_icb_assignment(small, "QAA", HOME.to_frame())


def test_one_icbs_lists_alone_are_compared_with_nothing():
    rows = [(P1, A, 5), (P2, A, 4), (P3, B, 4)]
    teams = membership({P1: "T1", P2: "T2", P3: "U"}, icb={P1: "QAA", P2: "QAA", P3: "QBB"})
    with pytest.raises(errors.InvalidValueError, match="All 2 teams of this catchment are of QAA"):
        own_icb_assignment(na.Catchment.from_registrations(registrations(rows), teams), "QAA", HOME)


def test_with_all_englands_lists_the_assignment_says_so(small, monkeypatch):
    monkeypatch.setattr(na.Catchment, "is_national", property(lambda _: True))
    assert "by all England's lists 0 of its areas" in repr(own_icb_assignment(small, "QAA", HOME))


@law(worlds())
def test_all_of_an_icb_is_in_one_row_of_its_assignment(world):
    of = two_icbs(world)
    icbs = set(of.teams.loc[of.teams["is_team"], "icb"])
    for icb in icbs if len(icbs) > 1 else ():
        found = own_icb_assignment(of, icb, HOME)
        lists = of.registered_by_team[(of.teams["icb"] == icb) & of.teams["is_team"]]
        assert found.table["with_icb"].sum() + found.outside == pytest.approx(lists["registered"].sum())
        assert set(of.areas[HOME[of.areas] == icb]) <= set(found.table.index)
        assert found.summary["areas"].sum() == len(found.table)
        same = found.table["what"] == "same team"
        assert (found.table["own_icb_team"] == found.table["largest_team"])[same].all()


# Served


def test_served_in_a_small_world(small, monkeypatch):
    monkeypatch.setattr(na.Catchment, "is_national", property(lambda _: True))
    areas, residents = pd.Series({A: "T1", B: "T2", C: "T2"}), people(120, 90, 5)
    found = people_served(small, areas, pd.Series({"T1": "both", "T2": "residents"}), residents=residents)
    assert found.table.loc["Everybody"].tolist() == [0, 220, 10, 230]
    assert found.table.loc["resident, on no list"].tolist() == [0, 20, 0, 20]
    assert found.teams.loc["T1"].tolist() == ["both", 15, 60, 60, 135, 10]
    assert found.teams.loc["T2"].tolist() == ["residents", 0, 105, 0, 105, 10]
    found = people_served(small, areas, pd.Series({"T1": "both", "T2": "registered"}), residents=residents)
    assert found.table.loc["Everybody"].tolist() == [60, 130, 40, 230]
    assert found.areas.loc[A].tolist() == [0, 80, 40]
    assert "40 have two and 60 none" in repr(found)
    assert "not known" in repr(people_served(small, areas, "both"))


def test_residents_beyond_the_lists_of_a_part_of_england_stand_apart(small):
    areas, residents = pd.Series({A: "T1", B: "T2", C: "T2"}), people(120, 90, 5_005)
    found = people_served(small, areas, pd.Series({"T1": "registered", "T2": "both"}), residents=residents)
    alone = people_served(small, areas, pd.Series({"T1": "registered", "T2": "both"}))
    assert found.table.index.tolist() == [
        "registered",
        "registered, outside these areas",
        "Everybody",
        "resident, on other lists or none",
    ]
    # A has 20 residents more than patients, C 5,000; T2 answers for those who live in C.
    assert found.table.loc["resident, on other lists or none"].tolist() == [20, 5_000, 0, 5_020]
    assert found.table.loc["Everybody"].tolist() == alone.table.loc["Everybody"].tolist()
    pd.testing.assert_frame_equal(found.teams, alone.teams)
    pd.testing.assert_frame_equal(found.areas, alone.areas)
    assert "of 210 people" in repr(found)
    assert "5,020 other residents are on other lists or on none" in repr(found)


@pytest.mark.parametrize(
    ("residents", "message"),
    [
        (people(20, 30, 5).rename("imd_score"), "imd_score is a rate"),
        (people(120, -90, 5), "1 areas have missing or negative residents"),
        (people(120, 90), "1 of 3 areas"),
    ],
)
def test_residents_that_nobody_can_be_are_refused(small, residents, message):
    with pytest.raises(errors.NeedsallocError, match=message):
        people_served(small, small.team_of_area(), "both", residents=residents)


@law(
    worlds(),
    st.lists(st.sampled_from(WORDS), min_size=3, max_size=3),
    st.lists(st.integers(0, 3_000), min_size=len(CODES), max_size=len(CODES)),
)
def test_served_counts_everybody_once(world, words, numbers):
    of, residents = catchment(world), people(*numbers)
    serves = pd.Series(words, index=["P1", "P2", "P3"])
    areas = of.team_of_area()
    if not of.teams["is_team"].any():
        return
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(na.Catchment, "is_national", property(lambda _: True))
        found = people_served(of, areas, serves, residents=residents)
    expected = {0: 0.0, 1: 0.0, 2: 0.0}
    by_team = dict.fromkeys(of.teams.index[of.teams["is_team"]], 0.0)
    for code, team, patients in of.to_frame()[["lsoa21", "team", "registered"]].itertuples(index=False):
        teams = {team} if serves.get(team) in ("registered", "both") else set()
        if serves.get(areas.get(code)) in ("residents", "both"):
            teams.add(areas[code])
        expected[len(teams)] += patients
        for one in teams:
            by_team[one] += patients
    for code, row in of.registered_by_team.iterrows():
        lists = serves.get(code) in ("registered", "both")
        expected[int(lists)] += row["outside"]
        if lists:
            by_team[code] += row["outside"]
    for code, number in of.registered_by_area.items():
        beyond = max(residents[code] - number, 0)
        place = serves.get(areas.get(code)) in ("residents", "both")
        expected[int(place)] += beyond
        if place:
            by_team[areas[code]] += beyond
    assert found.table.loc["Everybody"].tolist()[:3] == pytest.approx(list(expected.values()))
    assert found.teams["people"].to_dict() == pytest.approx(by_team)
    assert found.table["all"].iloc[:-1].sum() == pytest.approx(found.table.loc["Everybody", "all"])
    inside = found.table.drop(index=["registered, outside these areas", "Everybody"])
    np.testing.assert_allclose(found.areas.sum(), inside.iloc[:, :3].sum())
    once_twice = found.table.loc["Everybody", "one_team"] + 2 * found.table.loc["Everybody", "two_teams"]
    assert found.teams["people"].sum() == pytest.approx(once_twice)
    assert found.teams["shared"].sum() == pytest.approx(2 * found.table.loc["Everybody", "two_teams"])


@pytest.mark.parametrize(
    ("serves", "message"),
    [
        ("everybody", "serve something else"),
        (pd.Series({"T1": "both"}), "1 of 2 teams do not say whom they serve: T2"),
    ],
)
def test_teams_must_say_whom_they_serve(small, serves, message):
    with pytest.raises(errors.NeedsallocError, match=message):
        people_served(small, small.team_of_area(), serves)


# Outliers


@pytest.fixture(scope="module")
def odd() -> na.Catchment:
    """A village practice (P1), a home of 99 (P2) in its area, a city practice (P3) and a scattered one."""
    rows = [(P1, A, 1_000), (P2, A, 99), (P3, B, 900), (P3, C, 900)]
    rows += [(PRACTICES[3], code, 30) for code in (A, B, C)]
    teams = membership({P1: "T1", P2: "T1", P3: "T3", PRACTICES[3]: "T4"})
    return na.Catchment.from_registrations(registrations(rows), teams)


def ages(**groups: tuple[int, int]) -> pd.DataFrame:
    """Lists by single year of age of (women, men) aged 20, 40 and 90, for P1, P2, P3."""
    keys = pd.MultiIndex.from_product([[P1, P2, P3], ["female", "male"]], names=["practice", "sex"])
    table = pd.DataFrame(0.0, index=keys, columns=range(96))
    for practice, (age, women, men) in groups.items():
        table.loc[(practice, "female"), age], table.loc[(practice, "male"), age] = women, men
    return table


def caught(found) -> dict[str, list[str]]:
    return found.table.groupby("kind")["code"].agg(list).to_dict()


def test_outliers_of_a_small_world(odd, monkeypatch):
    monkeypatch.setattr(na.Catchment, "is_national", property(lambda _: True))
    lists = ages(**{P1: (40, 500, 500), P2: (90, 60, 39), P3: (20, 200, 800)})
    lived = {A: {40: 3_000}, B: {20: 900, 40: 10, 90: 30}, C: {40: 300, 90: 100}}
    population = pd.DataFrame(lived).T.reindex(columns=range(91)).fillna(0).rename_axis("lsoa21")
    found = outliers(odd, lists=lists, population=population, names=pd.Series({P2: "A HOME"}))
    assert caught(found) == {
        "institution": [P2],
        "practice of one place": [P1],
        "scattered": [PRACTICES[3]],
        "short list": [PRACTICES[3], P2],
        "students": [P3],
        "mostly men": [P3],
        "care homes": [P2],
        # B and C are wholly T3's, A is T1's: nothing of T4 is in its own areas.
        "few patients inside": ["T4"],
        "barracks or prison": [A],
        "long lists": [C],
        "student area": [B],
        "care-home area": [C],
    }
    home = found.table[found.table["kind"] == "institution"].iloc[0]
    assert home[["name", "patients", "value", "threshold"]].tolist() == ["A HOME", 99, 1, 0.9]
    assert "looks like" in home["sentence"]
    assert found.not_screened[0].startswith("1 of 4 practices (90 patients) have no list by age")
    assert "4 practices, 1 team" in repr(found)
    assert "nothing was removed" in repr(found)


def test_what_was_not_looked_at_is_said(odd):
    found = outliers(odd)
    assert len(found.not_screened) == 2
    assert len(found.screens) == 6
    bands = pd.DataFrame({0: [10.0] * 3, 16: [50.0] * 3, 65: [9.0] * 3}, index=odd.areas)
    found = outliers(odd, population=bands)
    assert any("too broad to look for a student area" in gap for gap in found.not_screened)
    assert any("not the lists of all England" in gap for gap in found.not_screened)
    assert "edge of the lists" not in set(found.screens["kind"])
    alone = na.Catchment.from_registrations(registrations([(P1, A, 600), (P2, B, 700)]))
    assert any("Every team is one practice" in gap for gap in outliers(alone).not_screened)


@law(worlds(), examples=20)
def test_outliers_remove_nothing_and_state_their_threshold(world):
    of = catchment(world)
    before = of.patients, of.registered.sum()
    found = outliers(of)
    assert (of.patients, of.registered.sum()) == before
    under = {screen.kind: screen.under for screen in SCREENS}
    for kind, value, threshold in found.table[["kind", "value", "threshold"]].itertuples(index=False):
        assert value < threshold if under[kind] else value >= threshold
    codes = {*of.practices, *of.areas, *of.teams.index[of.teams["is_team"]]}
    assert set(found.table["code"]) <= codes
    assert found.screens["caught"].sum() == len(found.table)
    assert found.table.groupby(["kind", "code"]).size().le(1).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lists": people(1, 2, 3).to_frame(18)}, "lists must be by practice and sex"),
        ({"lists": people(1, 2, 3)}, "lists must be the table of read_lists"),
        ({"population": ages()}, "population must be by area"),
        ({"population": people(1, 2, 3).to_frame("imd_score")}, "this table has imd_score"),
        ({"names": people(1, 2, 3).to_frame()}, "The names are a table"),
    ],
)
def test_tables_that_are_others_are_refused(odd, wrong, message):
    with pytest.raises(errors.InvalidValueError, match=message):
        outliers(odd, **wrong)


def test_groups_of_areas_hold_no_lists(small):
    with pytest.raises(errors.InvalidValueError, match="groups of areas"):
        outliers(small.regroup(small.team_of_area()))


def test_shares_count_nobody_and_are_refused(small):
    flows = pd.DataFrame({"msoa": ["E02000001"] * 2, "trust": ["R1H", "RAL"], "share": [0.6, 0.4]})
    shares = na.Catchment.from_flows(flows, area="msoa", team="trust", share="share")
    for look in (overlap, outliers, lambda of: own_icb_assignment(of, "QAA", pd.Series())):
        with pytest.raises(errors.InvalidValueError, match="count nobody"):
            look(shares)
    found = overlap(shares.with_residents(pd.Series({"E02000001": 1_000.0})))
    assert found.areas["own"].tolist() == [600]
