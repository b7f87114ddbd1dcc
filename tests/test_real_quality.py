"""Coverage, overlap and outliers of England's lists of July 2023, against plain pandas on the files."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import needsalloc as na
from needsalloc.belonging import living_outside, own_icb_assignment, people_served
from needsalloc.errors import InvalidValueError, UnknownCodeError
from needsalloc.outliers import Outliers, outliers
from needsalloc.quality import (
    Overlap,
    coverage_by_area,
    deprivation_fifth,
    deprivation_fifth_of_teams,
    label_of_most_patients,
    overlap,
)

PATIENTS, ENGLISH, WITHOUT_PCN, RESIDENTS = 62_581_556, 62_544_470, 261_137, 56_550_138


@dataclass
class England:
    """The files, once; `rows` are the flows of the registrations with the practice's PCN."""

    folder: Path
    members: pd.DataFrame
    catchment: na.Catchment
    population: pd.DataFrame
    rows: pd.DataFrame

    def labels(self, file: str, column: str) -> pd.Series:
        table = pd.read_csv(self.folder / f"{file}.csv.gz", dtype="str")
        return table.set_index("lsoa11_code")[column].rename_axis("lsoa11")


@pytest.fixture(scope="module")
def england(real_data) -> England:
    folder = real_data / "england-2023"
    registrations = na.read_registrations(folder / "gp-reg-pat-prac-lsoa-all_2023-07.csv.gz")
    members = na.read_membership(folder / "gp-reg-pat-prac-map_for_2023-07.csv.gz")
    rows = registrations.astype({"practice": "str", "lsoa11": "str"})
    rows = rows.merge(members[["practice", "pcn", "icb"]], on="practice")
    return England(
        folder,
        members,
        na.Catchment.from_registrations(registrations, members),
        na.read_population(folder / "population20_lsoa11.csv.gz"),
        rows,
    )


@dataclass
class Staffordshire:
    """The lists of one ICB alone, on areas of 2021."""

    catchment: na.Catchment
    residents: pd.Series


@pytest.fixture(scope="module")
def staffordshire(real_data) -> Staffordshire:
    folder = real_data / "staffordshire-2025"
    lists = na.read_registrations(folder / "gp-reg-pat-prac-lsoa-all_2025-10_QNC.csv.gz")
    members = na.read_membership(folder / "gp-reg-pat-prac-map_2025-10.csv.gz")
    residents = na.read_population(folder / "census21_lsoa21_age6.csv.gz").sum(axis=1)
    return Staffordshire(na.Catchment.from_registrations(lists, members), residents)


@pytest.fixture(scope="module")
def found(england) -> Overlap:
    return overlap(england.catchment)


@pytest.fixture(scope="module")
def odd(england, real_data) -> Outliers:
    lists = na.read_lists(real_data / "lists-2026" / "single_age_sex_practice_2026-04.csv.gz")
    names = england.members.set_index("practice")["practice_name"]
    return outliers(england.catchment, lists=lists, population=england.population, names=names)


def codes(odd: Outliers, kind: str) -> set[str]:
    return set(odd.table.loc[odd.table["kind"] == kind, "code"])


# Coverage


def test_coverage_of_england(england):
    residents = england.population.sum(axis=1)
    coverage = coverage_by_area(england.catchment, residents, residents_on=date(2020, 6, 30))
    border = coverage.table.loc["E01022273"]
    assert border[["registered", "resident", "flag"]].tolist() == [7, 1_452, "under 50%"]
    english = england.rows[england.rows["lsoa11"].str.startswith("E01")]
    lists = english.groupby("lsoa11")["patients"].sum().reindex(residents.index, fill_value=0)
    low = lists < residents / 2
    assert low.sum() == 35
    assert coverage.flagged.index[0] == "E01022273"
    assert set(coverage.flagged.index) == set(low.index[low])
    flagged = coverage.summary.loc["under 50%"]
    assert flagged[["areas", "registered", "resident"]].tolist() == [
        35,
        lists[low].sum(),
        residents[low].sum(),
    ]
    total = coverage.summary.loc["All areas"]
    assert total[["areas", "registered", "resident"]].tolist() == [32_844, ENGLISH, RESIDENTS]
    assert coverage.list_inflation["all"] == pytest.approx(0.106, abs=5e-4)
    assert coverage.list_inflation["50%"] == pytest.approx((lists / residents).median() - 1)
    assert "1 Jul 2023" in repr(coverage)
    assert "30 Jun 2020" in repr(coverage)


def test_one_icbs_lists_do_not_lose_the_rest_of_the_population(staffordshire):
    of, residents = staffordshire.catchment, staffordshire.residents
    coverage = coverage_by_area(of, residents)
    english = residents[residents.index.str.startswith("E")]
    assert coverage.summary.loc["All areas", ["areas", "resident"]].tolist() == [33_755, english.sum()]
    absent = 33_755 - len(of.areas)
    assert coverage.summary.loc["nobody registered", "areas"] == absent


# Overlap


def test_overlap_of_england_is_that_of_plain_pandas(england, found):
    english = england.rows[england.rows["lsoa11"].str.startswith("E01")]
    people = english.groupby("lsoa11")["patients"].sum()
    flows = english[english["pcn"] != "U"].groupby(["lsoa11", "pcn"], as_index=False)["patients"].sum()
    best = flows.sort_values(["patients", "pcn"], ascending=[False, True]).drop_duplicates("lsoa11")
    best = best.set_index("lsoa11").reindex(people.index)
    assert (found.areas["own_team"] == best["pcn"]).all()
    np.testing.assert_allclose(found.areas["own_share"], best["patients"] / people)
    lists = england.rows.groupby("pcn")["patients"].sum()
    inside = best.groupby("pcn")["patients"].sum().reindex(lists.index, fill_value=0)
    np.testing.assert_allclose(found.teams["living_inside"][lists.index], inside / lists)
    assert found.areas["registered"].sum() == ENGLISH
    assert found.areas["own"].sum() == found.teams["in_catchment"].sum() == best["patients"].sum()
    assert found.areas["no_team"].sum() == england.catchment.registered_by_team.loc["U", "inside"]
    assert (
        found.areas["tied"].sum()
        == flows.merge(best["patients"].rename("most"), left_on="lsoa11", right_index=True)
        .query("patients == most")
        .groupby("lsoa11")
        .size()
        .gt(1)
        .sum()
    )


def test_overlap_is_less_in_urban_and_in_deprived_areas_as_the_study_found(england, found):
    """Beaney et al. 2022 print the direction; within rural areas alone, deprivation tells little here."""
    deprivation = na.read_deprivation(england.folder / "imd2019_lsoa11.csv.gz")
    fifth = deprivation_fifth(deprivation["deprivation_decile"])
    by_fifth = found.by(fifth)
    assert by_fifth["own_share"].is_monotonic_increasing
    assert by_fifth["own_share"].round(3).tolist() == [0.697, 0.708, 0.741, 0.764, 0.802]
    assert by_fifth["registered"].sum() == ENGLISH
    rurality = england.labels("ruc11_lsoa11", "ruc").rename("rurality")
    by_rurality = found.by(rurality)
    assert by_rurality["own_share"].round(3).to_dict() == {"Rural": 0.834, "Urban": 0.722}
    both = found.by(pd.DataFrame({"rurality": rurality, "fifth": fifth}).dropna())["own_share"]
    assert both["Urban"].is_monotonic_increasing
    assert both["Urban"][5] - both["Urban"][1] > 0.09
    assert abs(both["Rural"][5] - both["Rural"][1]) < 0.03
    own = found.areas["own"].groupby(fifth).sum() / found.areas["registered"].groupby(fifth).sum()
    np.testing.assert_allclose(by_fifth["own_share"], own)


def test_teams_of_deprived_or_urban_people_have_fewer_of_them_inside(england, found):
    """The other measure of overlap, by teams: it has the gradient of the first, and a steeper one."""
    deprivation = na.read_deprivation(england.folder / "imd2019_lsoa11.csv.gz")
    rurality = england.labels("ruc11_lsoa11", "ruc").rename("rurality")
    fifth = deprivation_fifth_of_teams(england.catchment, deprivation["imd_score"])
    setting = label_of_most_patients(england.catchment, rurality)
    by_fifth, by_setting = found.teams_by(fifth), found.teams_by(setting)
    assert by_fifth["living_inside"].round(3).tolist() == [0.660, 0.706, 0.748, 0.796, 0.819]
    assert by_fifth["team_50%"].round(3).tolist() == [0.646, 0.697, 0.760, 0.827, 0.856]
    assert by_setting["living_inside"].round(3).to_dict() == {"Rural": 0.877, "Urban": 0.724}
    both = found.teams_by(pd.concat([setting, fifth], axis=1))
    assert both.loc["Urban", "living_inside"].is_monotonic_increasing
    assert both.loc["Rural", "teams"].sum() == 184

    rows = england.rows[england.rows["lsoa11"].str.startswith("E01") & (england.rows["pcn"] != "U")]
    rows = rows.assign(score=rows["lsoa11"].map(deprivation["imd_score"]), kind=rows["lsoa11"].map(rurality))
    mean = (rows["score"] * rows["patients"]).groupby(rows["pcn"]).sum()
    mean = mean / rows.groupby("pcn")["patients"].sum()
    plain = pd.qcut(-mean, 5, labels=False) + 1
    # Cut by the values at five equal steps, a team at a step may be in either.
    assert (plain - fifth).abs().sum() <= 4
    kinds = rows.pivot_table(index="pcn", columns="kind", values="patients", aggfunc="sum").fillna(0)
    assert (kinds.idxmax(axis=1) == setting).all()
    own = england.catchment.team_of_area()
    inside = rows["patients"].where(rows["lsoa11"].map(own) == rows["pcn"], 0)
    lists = england.rows[england.rows["pcn"] != "U"]
    expected = (
        inside.groupby(rows["pcn"].map(fifth)).sum()
        / lists["patients"].groupby(lists["pcn"].map(fifth)).sum()
    )
    np.testing.assert_allclose(by_fifth["living_inside"], expected)


def test_catchment_people_go_with_list_sizes_as_in_the_study(england, found):
    """The study prints a correlation of 0.91 for April 2021, over 1,251 PCNs and with other people."""
    teams = found.teams[found.teams["is_team"]]
    assert len(teams) == 1_273
    assert np.corrcoef(teams["registered"], teams["catchment_registered"])[0, 1] == pytest.approx(
        0.91, abs=0.03
    )


# Who lives outside, who comes in


def test_living_outside_the_own_icb(england):
    home = england.labels("lookup_lsoa11_sicbl22_icb22_ltla22", "icb22_code_h")
    rows = england.rows.assign(home=england.rows["lsoa11"].map(home))
    away = rows["home"].notna() & (rows["home"] != rows["icb"])
    found = living_outside(england.catchment, home, of_practice=england.members.set_index("practice")["icb"])
    assert found.teams["registered"].sum() == found.groups["registered"].sum() == PATIENTS
    assert found.groups["live_outside_england"].sum() == PATIENTS - ENGLISH
    expected = rows[away].groupby("icb")["patients"].sum()
    pd.testing.assert_series_equal(
        found.groups["live_elsewhere"], expected, check_names=False, check_dtype=False
    )
    coming = rows[away].groupby("home")["patients"].sum()
    pd.testing.assert_series_equal(
        found.groups["registered_elsewhere"], coming, check_names=False, check_dtype=False
    )
    assert found.teams["no_group"].sum() == 0
    by_team = living_outside(england.catchment, home)
    assert by_team.groups.loc["no group", "registered"] == WITHOUT_PCN


def test_staffordshires_own_lists_against_all_englands(england):
    home = england.labels("lookup_lsoa11_sicbl22_icb22_ltla22", "icb22_code_h")
    found = own_icb_assignment(england.catchment, "QNC", home)
    table = found.table
    assert table["home"].eq("QNC").sum() == home.eq("QNC").sum()
    lists = england.catchment.registered_by_team[england.catchment.teams["icb"] == "QNC"]
    assert table["with_icb"].sum() + found.outside == lists["registered"].sum()
    winner = england.catchment.teams["icb"].reindex(england.catchment.team_of_area()).to_numpy()
    winner = pd.Series(winner, index=england.catchment.areas)
    goes = (home[winner.index] == "QNC") & (winner != "QNC")
    comes = (home[winner.index] != "QNC") & (winner == "QNC")
    kinds = table["what"].value_counts()
    assert kinds["goes to another ICB"] + kinds["none of its teams"] == goes.sum()
    assert kinds["comes from another ICB"] == comes.sum() == 8


def test_a_quarter_of_england_has_two_teams_if_every_pcn_serves_its_list_and_its_areas(england, found):
    residents = england.population.sum(axis=1)
    who = people_served(england.catchment, england.catchment.team_of_area(), "both", residents=residents)
    everybody = who.table.loc["Everybody"]
    lists = england.catchment.registered_by_area
    beyond = (residents - lists).clip(lower=0).sum()
    assert everybody["all"] == pytest.approx(PATIENTS + beyond)
    assert everybody["two_teams"] == found.areas["other_teams"].sum()
    assert everybody["no_team"] == england.catchment.registered_by_team.loc["U", "outside"]
    assert everybody["two_teams"] / PATIENTS == pytest.approx(0.255, abs=5e-4)


def test_one_icbs_lists_take_no_residents_of_other_lists_for_theirs(staffordshire):
    of, residents = staffordshire.catchment, staffordshire.residents
    who = people_served(of, of.team_of_area(), "both", residents=residents)
    assert who.table.at["Everybody", "all"] == pytest.approx(of.patients)
    lists = of.registered_by_area
    beyond = (residents[of.areas] - lists).clip(lower=0).sum()
    assert beyond > 4_000_000  # nearly all of the people of streets where one patient lives
    assert who.table.at["resident, on other lists or none", "all"] == pytest.approx(beyond)
    assert who.teams["people"].max() < 2 * of.registered_by_team["registered"].max()


def test_one_icbs_lists_are_not_taken_for_all_englands(staffordshire):
    of = staffordshire.catchment
    with pytest.raises(InvalidValueError, match="teams of this catchment are of QNC"):
        own_icb_assignment(of, "QNC", pd.Series("QNC", index=of.areas))


def test_homes_in_other_codes_are_refused(england):
    home = england.labels("lookup_lsoa11_sicbl22_icb22_ltla22", "icb22_code")
    with pytest.raises(UnknownCodeError, match=r"No area has QNC as its home; areas have E54.*such as QHM"):
        own_icb_assignment(england.catchment, "QNC", home)


def test_neighbourhoods_of_unchanged_areas_of_2021_are_no_mix_of_censuses(staffordshire):
    of = staffordshire.catchment
    some = of.team_of_area()
    some = some[some.index < "E01033769"].head(100).rename_axis("lsoa21")
    found = overlap(of, own=some)
    assert found.areas["own_team"].notna().sum() == 100
    people = of.registered_by_area[some.index].sum()
    assert found.teams["catchment_registered"].sum() == people
    served = people_served(of, some, "residents").table
    assert served.at["Everybody", "one_team"] == people
    with pytest.raises(UnknownCodeError, match=r"1 of 101 areas .*: E01000004"):
        overlap(of, own=pd.concat([some, pd.Series({"E01000004": some.iloc[0]})]))


# Outliers


def test_outlier_practices_are_those_of_plain_pandas(england, odd):
    rows = england.rows
    lists = rows.groupby("practice")["patients"].sum()
    english = rows[rows["lsoa11"].str.startswith("E01")]
    top = english.sort_values("patients").drop_duplicates("practice", keep="last").set_index("practice")
    in_one = (top["patients"] / lists)[lists >= 20]
    assert codes(odd, "institution") | codes(odd, "practice of one place") == set(in_one.index[in_one >= 0.9])
    assert codes(odd, "short list") == set(lists.index[lists < 500])
    people = english.groupby("lsoa11")["patients"].sum()
    most = english.groupby(["lsoa11", "practice"])["patients"].sum().groupby("lsoa11").max()
    assert codes(odd, "one practice") == set(people.index[(most >= 0.99 * people) & (people >= 20)])
    # Practices without a PCN stand for themselves.
    team = english["pcn"].where(english["pcn"] != "U", english["practice"])
    share = english["patients"].groupby([english["lsoa11"], team]).transform("sum")
    share = share / english["lsoa11"].map(people)
    strange = (english["patients"] * (share < 0.05)).groupby(english["practice"]).sum()
    apart = strange / english.groupby("practice")["patients"].sum()
    expected = set(apart.index[(apart >= 0.5) & (lists[apart.index] >= 20)]) - codes(odd, "institution")
    assert codes(odd, "scattered") == expected


def test_the_names_of_outlier_practices_bear_out_what_they_look_like(odd):
    # A nursing home, a school, almshouses, a service for asylum seekers.
    assert {"H85691", "E87691", "E87711", "Y05412"} <= codes(odd, "institution")
    assert "L82017" in codes(odd, "practice of one place")  # Scilly
    assert {"E85124", "Y06592", "Y00054"} <= codes(odd, "scattered")  # GP at Hand, allocation, homeless
    assert {"U19803"} <= codes(odd, "few patients inside")
    names = odd.table.set_index(["kind", "code"])["name"]
    assert "H85691" in codes(odd, "care homes")
    care = names["care homes"].str.contains("CARE|NURSING|NIGHTINGALE|ROYAL HOSPITAL")
    assert care.sum() >= 7
    # Of the 15 lists with most aged 18 to 24; others are named for a street or a founder beside a university.
    assert names["students"].head(15).str.contains("UNIV|STUDENT|CAMPUS|COLLEGE").sum() >= 10
    assert {"Y00054", "N81655", "J82217", "Y06592"} <= codes(odd, "mostly men")  # homeless, allocation
    assert odd.table.loc[odd.table["what"] == "practice", "name"].ne("").all()


def test_areas_with_few_on_lists_are_told_apart_by_age(odd):
    edge, barracks = codes(odd, "edge of the lists"), codes(odd, "barracks or prison")
    assert (len(edge), len(barracks)) == (9, 26)
    assert "E01022273" in edge  # Forest of Dean, on the Welsh border
    assert {"E01027771", "E01031880", "E01024975"} <= barracks  # Catterick, Tidworth, Wymott


def test_what_could_not_be_screened_is_said(odd):
    assert odd.not_screened == (
        "216 of 6,378 practices (1,232,209 patients) have no list by age: "
        "A81043, A81065, A81630, A81633, A81634 and 211 more.",
    )
    assert "nothing was removed" in repr(odd)
