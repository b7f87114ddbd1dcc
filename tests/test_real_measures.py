"""NHS England's weighted populations of three years, against plain pandas on the published files."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import needsalloc as na
from needsalloc import sources
from needsalloc.measures import Combination, RelativeNeed, relative_need, relative_need_by_area
from needsalloc.sources.weighted_populations import COMPONENTS

FILES = {
    "2023/24": "england-2023/place_tool_2023_2024.csv.gz",
    "2024/25": "england-2023/place_tool_2024_2025.csv.gz",
    "2025/26": "staffordshire-2025/place_tool_2025_2026.csv.gz",
}
MAPS = {
    "2023/24": "england-2023/gp-reg-pat-prac-map_for_2023-07.csv.gz",
    "2024/25": "england-2023/gp-reg-pat-prac-map_for_2023-07.csv.gz",
    "2025/26": "staffordshire-2025/gp-reg-pat-prac-map_2025-10.csv.gz",
}
# Practices and people, as the folder's list of files has them.
PUBLISHED = {
    "2023/24": (6_553, 61_903_547),
    "2024/25": (6_553, 62_154_630),
    "2025/26": (6_348, 63_849_324),
}
HEADERS = {
    "general_and_acute": "G&A WP",
    "community": "CS WP",
    "mental_health": "MH WP",
    "maternity": "Mat WP",
    "health_inequalities": "Health Ineq WP",
    "prescribing": "Prescr WP",
    "core": "Final WP",
    "primary_medical_care": "Primary Medical Care WP",
    "primary_medical_care_final": "Final PMC WP",
}


@dataclass
class Year:
    """One edition: as read, as pandas reads it, and its map."""

    edition: str
    frame: pd.DataFrame
    plain: pd.DataFrame
    members: pd.DataFrame


@pytest.fixture(scope="module")
def years(real_data):
    return {
        edition: Year(
            edition,
            sources.read_weighted_populations(real_data / file, edition=edition),
            pd.read_csv(real_data / file, encoding="utf-8-sig").rename(
                columns={"pop 2022/23": "people", "Population": "people", "ICS22": "ICB"}
            ),
            na.read_membership(real_data / MAPS[edition]),
        )
        for edition, file in FILES.items()
    }


@pytest.fixture(params=FILES)
def year(request, years):
    return years[request.param]


@pytest.fixture(scope="module")
def flows(real_data, years):
    registrations = na.read_registrations(
        real_data / "england-2023" / "gp-reg-pat-prac-lsoa-all_2023-07.csv.gz"
    )
    return na.Catchment.from_registrations(registrations, years["2023/24"].members)


@pytest.fixture(scope="module")
def by_area(years, flows):
    return relative_need_by_area(years["2023/24"].frame, flows)


def indices(sums, base):
    """Plain indices of rows of sums over a row (or rows) of sums."""
    columns = list(HEADERS.values())
    return sums[columns].div(sums["people"], axis=0) / (base[columns].div(base["people"], axis=0))


def assert_same(need: RelativeNeed, base: str, plain: pd.DataFrame) -> None:
    columns = [f"{component}_index_{base}" for component in COMPONENTS]
    found = need.table.loc[plain.index, columns].to_numpy()
    np.testing.assert_allclose(found, plain[list(HEADERS.values())].to_numpy(), rtol=0, atol=1e-9)


# The files


def test_each_component_sums_to_the_people(year):
    practices, people = PUBLISHED[year.edition]
    assert len(year.frame) == practices
    assert round(year.frame["population"].sum()) == people
    for component, header in HEADERS.items():
        assert (year.frame[component] == year.plain[header]).all()
        assert year.frame[component].sum() == pytest.approx(year.frame["population"].sum(), rel=2e-11)


def test_a_file_of_one_icb_is_no_england(year):
    part = year.frame[year.frame["icb"] == "QNC"]
    with pytest.raises(na.NeedsallocError, match="These are not all practices of England"):
        relative_need(part)


# Indices of groups


def test_pcns_are_those_of_a_direct_computation(year):
    need = relative_need(year.frame, year.members)
    pcn = year.plain["Practice_Code"].map(year.members.set_index("practice")["pcn"])
    rows = year.plain.assign(team=pcn.fillna("not in map"))
    sums = rows.groupby("team").sum(numeric_only=True)
    assert set(need.table.index) == set(sums.index)
    england = rows.sum(numeric_only=True).to_frame("england").T
    assert_same(need, "england", indices(sums, england.loc[["england"] * len(sums)].set_axis(sums.index)))
    teams = need.table[need.table["is_team"]]
    most = rows.pivot_table("people", "team", "ICB", "sum").idxmax(axis=1)
    assert (most[teams.index] == teams["icb"]).all()
    bases = rows.groupby("ICB").sum(numeric_only=True).loc[teams["icb"]].set_axis(teams.index)
    assert_same(need, "icb", indices(sums.loc[teams.index], bases))
    for component in COMPONENTS:
        mean = np.average(need.index(component), weights=need.table["population"])
        assert mean == pytest.approx(1, rel=1e-12)
    missing = set(year.plain["Practice_Code"]) - set(year.members["practice"])
    named = need.exceptions[need.exceptions["what"] == "not in map"]
    assert set(named["code"]) == missing
    assert need.table.loc["not in map", "practices"] == len(missing)


def test_icbs_are_1_over_themselves_and_england_is_1_to_the_last_digit(year):
    need = relative_need(year.frame, year.frame[["practice", "icb"]], teams="icb")
    sums = year.plain.groupby("ICB").sum(numeric_only=True)
    england = sums.sum().to_frame("england").T
    assert_same(need, "england", indices(sums, england.loc[["england"] * len(sums)].set_axis(sums.index)))
    own = need.table[[f"{component}_index_icb" for component in COMPONENTS]]
    assert (own == 1).all(axis=None)
    whole = relative_need(year.frame, pd.Series("England", index=year.frame["practice"][::-1]))
    for component in COMPONENTS:
        assert whole.index(component)["England"] == 1


def test_any_cluster_of_practices(year):
    rng = np.random.default_rng(1)
    chosen = year.plain.sample(700, random_state=1)
    cluster = pd.Series(rng.choice(["a", "b", "c"], len(chosen)), index=chosen["Practice_Code"])
    need = relative_need(year.frame, cluster)
    sums = chosen.groupby(cluster.to_numpy()).sum(numeric_only=True)
    england = year.plain.sum(numeric_only=True).to_frame("england").T
    assert_same(need, "england", indices(sums, england.loc[["england"] * 3].set_axis(sums.index)))


def test_a_place_that_was_saved_in_the_tool(year, tmp_path):
    # The place that the tool itself starts with.
    codes = ["B85005", "B85022", "B85061", "B85026"]
    place = {"gps": [f"{code}: A NAME" for code in codes], "icb": "NHS West Yorkshire ICB"}
    file = tmp_path / "session.json"
    file.write_text(json.dumps({"Default Place": place, "places": ["Default Place"]}))
    need = relative_need(year.frame).of_places(sources.read_places(file))
    part = year.plain[year.plain["Practice_Code"].isin(codes)]
    own = year.plain[year.plain["ICB"] == "QWO"].sum(numeric_only=True).to_frame("Default Place").T
    assert need.table.loc["Default Place", "practices"] == 4
    sums = part.sum(numeric_only=True).to_frame("Default Place").T
    assert_same(need, "icb", indices(sums, own))


# Carried to areas


@pytest.mark.slow
def test_areas_are_those_of_a_direct_computation(years, flows, by_area, real_data):
    lists = pd.read_csv(real_data / "england-2023" / "gp-reg-pat-prac-lsoa-all_2023-07.csv.gz")
    lists = lists[lists["LSOA_CODE"].str.startswith("E01")]
    patients = lists["NUMBER_OF_PATIENTS"]
    share = patients / patients.groupby(lists["PRACTICE_CODE"]).transform("sum")
    plain = years["2023/24"].plain.set_index("Practice_Code")
    columns = ["people", *HEADERS.values()]
    carried = plain[columns].reindex(lists["PRACTICE_CODE"]).fillna(0).mul(share.to_numpy(), axis=0)
    sums = carried.groupby(lists["LSOA_CODE"].to_numpy()).sum()
    england = plain[columns].sum().to_frame("england").T
    assert len(sums) == 32_844
    assert_same(by_area, "england", indices(sums, england.loc[["england"] * len(sums)].set_axis(sums.index)))
    away = by_area.summary.loc["no patients in these areas"]
    assert away["codes"] == (~plain.index.isin(lists["PRACTICE_CODE"])).sum()
    total = by_area.table["population"].sum() + by_area.elsewhere["population"]
    assert total == pytest.approx(plain["people"].sum(), rel=1e-12)
    assert away["people"] == pytest.approx(by_area.elsewhere["population"], rel=1e-12)
    assert (by_area.table["covered"] > 0.95).all()


def test_neighbourhoods_of_areas(by_area, real_data):
    lookup = pd.read_csv(real_data / "england-2023" / "lookup_lsoa11_sicbl22_icb22_ltla22.csv.gz")
    district = lookup.set_index("lsoa11_code")[next(c for c in lookup if c.startswith("ltla22"))]
    need = by_area.regroup(district)
    sums = by_area.table.groupby(district.reindex(by_area.table.index).to_numpy())["community"].sum()
    np.testing.assert_allclose(need.table.loc[sums.index, "community"], sums, rtol=1e-12)
    assert need.table["population"].sum() == pytest.approx(PUBLISHED["2023/24"][1], abs=1)
    assert need.table["is_team"].value_counts().to_dict() == {True: len(sums), False: 1}


# Combinations


def test_primary_medical_care_is_the_published_rule_for_every_practice(year):
    rule = Combination.published("primary_medical_care_final", year.edition)
    mixed = rule.weigh(year.frame).to_numpy()
    difference = np.abs(mixed - year.plain["Final PMC WP"].to_numpy())
    print(f"{year.edition}: largest difference {difference.max():.1e} patients of {len(difference):,}")
    assert difference.max() < 1e-5


def test_core_without_cost_factors_misses_by_what_is_said(year):
    mixed = Combination.published("core", year.edition).weigh(year.frame).to_numpy()
    core, people = year.plain["Final WP"], year.plain["people"]
    missed = np.abs(mixed - core).sum() / people.sum()
    print(f"{year.edition}: core missed by {missed:.4f} of a head on average")
    assert 0.025 < missed < 0.035
    assert mixed.sum() == pytest.approx(people.sum(), rel=1e-12)


def test_cost_factors_of_one_year_give_the_core_of_the_next(years):
    first, second = years["2023/24"], years["2024/25"]
    cost = Combination.published("core", "2023/24").implied_cost(first.frame)
    mixed = Combination.published("core", "2024/25").weigh(second.frame, cost=cost).to_numpy()
    per_head = np.abs(mixed - second.plain["Final WP"]) / second.plain["people"]
    print(f"core of 2024/25 missed by at most {per_head.max():.1e} of a head")
    assert per_head.max() < 2e-4
    large = second.plain["people"] > 1_000
    assert cost[large.to_numpy()].between(0.94, 1.12).all()


# The deprivation gradient


def test_gradients_by_fifth_are_near_the_published_formulas_of_another_year(years, flows, real_data):
    """Fifths of people by their practice's IMD 2019 score, July 2023 flows; the figures compared with are
    of 2026/27 by IMD 2025, so that only their order and size can agree."""
    deprivation = na.read_deprivation(real_data / "england-2023" / "imd2019_lsoa11.csv.gz")
    practices = flows.regroup(pd.Series(flows.practices, index=flows.practices))
    score = practices.average(deprivation["imd_score"])
    frame = years["2023/24"].frame
    people = frame.set_index("practice")["population"].reindex(score.index).dropna()
    order = score[people.index].sort_values(ascending=False).index
    fifth = np.ceil(people[order].cumsum() / people.sum() * 5).clip(1, 5).astype(int)
    need = relative_need(frame, fifth.astype(str).rename("fifth"))
    ratio = {c: need.index(c)["1"] / need.index(c)["5"] for c in COMPONENTS}
    print({component: round(value, 4) for component, value in ratio.items()})
    published = {
        "core": 1.2132,
        "general_and_acute": 1.0430,
        "community": 1.0186,
        "mental_health": 1.8778,
        "maternity": 1.3578,
        "prescribing": 1.0857,
        "health_inequalities": 2.4421,
        "primary_medical_care": 1.0459,
        "primary_medical_care_final": 1.1915,
    }
    found = pd.DataFrame({"found": ratio, "published": published})
    assert found.corr(method="spearman").loc["found", "published"] > 0.9
    assert (found["found"] / found["published"]).between(0.85, 1.2).all()
