"""Every need measure of England and of Staffordshire side by side, against plain pandas on the files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import needsalloc as na
from needsalloc import formulas
from needsalloc.agreement import agreement, goes_with
from needsalloc.fifths import fifths_of_people, gradient_by_fifth
from needsalloc.need_measures import MeasureComparison, compare_measures
from needsalloc.sources.weighted_populations import COMPONENTS

pytestmark = pytest.mark.slow

OURS = "district-nursing/liverpool-2024-realigned"
PRINTED = "district-nursing/liverpool-2024-as-printed"
BY_AGE = "district-nursing/liverpool-2024-age-calibrated"
WORKLOAD = "general-practice/england-2007"
COMMUNITY = "community/nhs-england-2024-25"
PLACE_TOOL = {
    "2023/24": "england-2023/place_tool_2023_2024.csv.gz",
    "2024/25": "england-2023/place_tool_2024_2025.csv.gz",
    "2025/26": "staffordshire-2025/place_tool_2025_2026.csv.gz",
}


@dataclass
class Shared:
    """What both places use: single ages of mid-2020 on areas of 2011, IMD 2025, lists, the place tool."""

    ages: pd.DataFrame
    lists: pd.DataFrame
    health: pd.DataFrame
    lookup: pd.DataFrame
    census: pd.DataFrame
    weighted: dict[str, pd.DataFrame]

    def inputs(self, vintage: str) -> dict[str, pd.DataFrame]:
        """The inputs of the workload index on areas of either census."""
        people = self.census.sum(axis=1).rename("census 2021")
        if vintage == "lsoa11":
            health = na.carry_rates(self.health, self.lookup, to="lsoa11", people=people)
            return {"population": na.with_estimated_sex(self.ages, self.lists), "health_domain": health}
        ages = na.carry_counts(self.ages, self.lookup, to="lsoa21", people=people)
        return {"population": na.with_estimated_sex(ages, self.lists), "health_domain": self.health}


@dataclass
class Place:
    """Flows, map, deprivation and expected use of a place."""

    catchment: na.Catchment
    registrations: pd.DataFrame
    members: pd.DataFrame
    deprivation: pd.DataFrame
    uses: list[na.ExpectedUse]


@pytest.fixture(scope="module")
def shared(real_data: Path) -> Shared:
    old, new = real_data / "england-2023", real_data / "staffordshire-2025"
    return Shared(
        na.read_population(old / "population20_lsoa11.csv.gz"),
        na.read_lists(real_data / "lists-2026" / "single_age_sex_practice_2026-04.csv.gz"),
        na.read_health_domain(new / "imd2025_england_lsoa21.csv.gz"),
        na.read_area_lookup(old / "lookup_lsoa11_lsoa21_ltla22.csv.gz"),
        na.read_population(new / "census21_lsoa21_age6.csv.gz"),
        {y: na.read_weighted_populations(real_data / f, edition=y) for y, f in PLACE_TOOL.items()},
    )


def read_place(folder: Path, names: dict[str, str], population: pd.DataFrame, lists: pd.DataFrame) -> Place:
    registrations = na.read_registrations(folder / names["registrations"])
    members = na.read_membership(folder / names["membership"])
    deprivation = na.read_deprivation(folder / names["deprivation"])
    catchment = na.Catchment.from_registrations(registrations, members)
    people = na.build_people(
        catchment,
        population=population,
        deprivation=deprivation,
        lists=lists,
        conditions=na.read_conditions(folder / names["conditions"]),
    )
    uses = [na.NeedFormula.published(name).expected_use(people) for name in (OURS, PRINTED, BY_AGE)]
    return Place(catchment, registrations, members, deprivation, uses)


@pytest.fixture(scope="module")
def staffordshire(real_data: Path, shared: Shared) -> Place:
    names = {
        "registrations": "gp-reg-pat-prac-lsoa-all_2025-10_QNC.csv.gz",
        "membership": "gp-reg-pat-prac-map_2025-10.csv.gz",
        "deprivation": "imd2025_england_lsoa21.csv.gz",
        "conditions": "PREVALENCE_2425.csv.gz",
    }
    return read_place(real_data / "staffordshire-2025", names, shared.census, shared.lists)


@pytest.fixture(scope="module")
def england(real_data: Path, shared: Shared) -> Place:
    names = {
        "registrations": "gp-reg-pat-prac-lsoa-all_2023-07.csv.gz",
        "membership": "gp-reg-pat-prac-map_for_2023-07.csv.gz",
        "deprivation": "imd2019_lsoa11.csv.gz",
        "conditions": "PREVALENCE_2122.csv.gz",
    }
    return read_place(real_data / "england-2023", names, shared.ages, shared.lists)


@pytest.fixture(scope="module")
def given(england: Place, shared: Shared) -> dict[str, object]:
    return {
        "uses": england.uses,
        "weighted_populations": list(shared.weighted.values()),
        "inputs": shared.inputs("lsoa11"),
    }


@pytest.fixture(scope="module")
def by_pcn(england: Place, given: dict[str, object]) -> MeasureComparison:
    return compare_measures(england.catchment, **given)


@pytest.fixture(scope="module")
def by_area(england: Place, given: dict[str, object]) -> MeasureComparison:
    return compare_measures(england.catchment, unit="area", **given)


def test_one_icb_has_its_own_base_and_england_s_where_the_files_are_national(
    staffordshire: Place, shared: Shared
) -> None:
    found = compare_measures(
        staffordshire.catchment,
        uses=staffordshire.uses,
        weighted_populations=[shared.weighted["2025/26"]],
        inputs=shared.inputs("lsoa21"),
    )
    bases = found.measures["bases"]
    assert bases[OURS] == bases[PRINTED] == "icb"
    assert bases["community/nhs-england-2025-26"] == bases[WORKLOAD] == "england, icb"
    assert found.rows["is_team"].sum() == 25
    lacks = found.measures["lacks"]
    assert lacks["care-need-index/sweden"].startswith("care-need-index/sweden lacks care_need_counts")
    assert lacks["health-visiting/norfolk-2001"].startswith("health-visiting/norfolk-2001 lacks")
    # Patients' mean of the national index of their area, from the rows of the file.
    national = formulas.PRESETS[WORKLOAD].compute(shared.inputs("lsoa21")).by_place
    rows = staffordshire.registrations.merge(staffordshire.members, on="practice")
    rows = rows.assign(index=rows["lsoa21"].astype(str).map(national)).dropna(subset=["index"])
    rows["weighted"] = rows["index"] * rows["patients"]
    sums = rows.groupby("pcn")[["weighted", "patients"]].sum()
    expected = (sums["weighted"] / sums["patients"])[found.rows.index]
    np.testing.assert_allclose(found.england[WORKLOAD], expected, rtol=1e-10)
    assert any("IMD 2025, newer than the formula" in note.what for note in found.notes)


def test_areas_of_another_census_are_named_as_lacking(staffordshire: Place, shared: Shared) -> None:
    found = compare_measures(staffordshire.catchment, inputs=shared.inputs("lsoa11"))
    assert not found.measures.at[WORKLOAD, "computed"]
    assert "2021" in found.measures.at[WORKLOAD, "lacks"]


def test_england_in_one_table(by_pcn: MeasureComparison, by_area: MeasureComparison) -> None:
    for found, rows in ((by_pcn, 1_273), (by_area, 32_844)):
        computed = found.measures[found.measures["computed"]]
        assert len(computed) == 3 + 3 * len(COMPONENTS) + 1
        assert list(found.measures.index[~found.measures["computed"]]) == [
            "care-need-index/sweden",
            "health-visiting/norfolk-2001",
        ]
        assert (computed["bases"] == "england, icb").all()
        assert (computed["rows"] >= rows).all()
    # Over England the mean is 1: exactly for what is made on areas and flows, and to the practices without
    # patients in these flows for the place tool (1 % of people).
    mean = (by_area.england * by_area.people).sum() / by_area.people.sum()
    np.testing.assert_allclose(mean[[OURS, PRINTED, BY_AGE, WORKLOAD]], 1, rtol=1e-12)
    np.testing.assert_allclose(mean, 1, atol=0.005)


def test_icbs_of_practices(england: Place, given: dict[str, object], shared: Shared) -> None:
    icb = england.members.set_index("practice")["icb"]
    found = compare_measures(england.catchment, groups=icb, **given)
    teams = found.rows.index[found.rows["is_team"]]
    assert len(teams) == 42
    np.testing.assert_allclose(found.icb.loc[teams, [OURS, PRINTED, WORKLOAD]], 1, rtol=1e-12)
    plain = shared.weighted["2024/25"].assign(team=lambda rows: rows["practice"].map(icb))
    sums = plain.groupby("team")[["community", "population"]].sum().loc[teams]
    # Practices that the lists of July 2023 lack are in no row.
    missing = set(plain["practice"]) - set(england.catchment.practices)
    assert plain.loc[plain["practice"].isin(missing), "team"].isna().all()
    expected = sums["community"] / sums["population"] / (plain["community"].sum() / plain["population"].sum())
    np.testing.assert_allclose(found.england.loc[teams, COMMUNITY], expected, rtol=1e-9)


def test_the_workload_index_is_the_same_on_either_census(by_area: MeasureComparison, shared: Shared) -> None:
    """On 2021 areas with carried ages, and on 2011 areas with a carried score: where an area did not change,
    only the mean of England differs."""
    native = formulas.PRESETS[WORKLOAD].compute(shared.inputs("lsoa21")).by_place
    carried = by_area.england[WORKLOAD]
    same = carried.index.intersection(native.index)
    assert len(same) == 31_810
    ratio = carried[same] / native[same]
    assert np.ptp(ratio) < 1e-12
    assert ratio.iloc[0] == pytest.approx(1, abs=1e-4)


def test_gradients_by_fifth_of_areas(england: Place, by_area: MeasureComparison) -> None:
    found = by_area.by_fifth(na.deprivation_fifth(england.deprivation["deprivation_decile"]))
    crude, equal = (found["most_over_least"].xs(ages, level="ages") for ages in ("crude", "equal"))
    print(pd.DataFrame({"crude": crude, "equal": equal}).round(3).to_string())
    # Deprived areas are younger: what rises with age falls with deprivation, but for a given age it rises.
    assert crude[OURS] < 0.9 < 1.1 < equal[OURS]
    assert crude[PRINTED] < 1.05 < 1.4 < equal[PRINTED]
    assert 1 < crude[WORKLOAD] < equal[WORKLOAD]
    assert len(equal) == 4
    # By plain sums over the file's deciles.
    poor = by_area.rows.index.isin(england.deprivation.index[england.deprivation["deprivation_decile"] <= 2])
    people, index = by_area.people.loc[poor, OURS], by_area.england.loc[poor, OURS]
    assert found.at[(OURS, "crude"), "fifth_1"] == pytest.approx(np.average(index, weights=people), rel=1e-12)


def test_gradients_by_fifth_of_practices_beside_those_of_2026(england: Place, shared: Shared) -> None:
    """The reference is of 2026/27 by IMD 2025; ours of 2024/25 by IMD 2019 and the lists of July 2023, so
    that only order and size can agree: each ratio within 5 %."""
    practices = england.catchment.regroup(
        pd.Series(england.catchment.practices, index=england.catchment.practices)
    )
    score = practices.average(england.deprivation["imd_score"])
    need = na.relative_need(shared.weighted["2024/25"]).table
    both = need.index.intersection(score.dropna().index)
    fifth = fifths_of_people(score[both], need.loc[both, "population"])
    indices = pd.DataFrame({c: need.loc[both, f"{c}_index_england"] for c in COMPONENTS})
    found = gradient_by_fifth(indices, need.loc[both, "population"], fifth)
    published = (
        na.reference.read("deprivation-gradients-2026").frame.set_index("measure").loc[list(COMPONENTS)]
    )
    compared = found["most_over_least"] / published["most_over_least"]
    print(compared.round(3).to_string())
    assert compared.between(0.95, 1.05).all()
    assert stats.spearmanr(found["most_over_least"], published["most_over_least"])[0] > 0.95
    fifths = [f"fifth_{n}" for n in range(1, 6)]
    assert (found[fifths] - published[fifths]).abs().max(axis=None) < 0.06


def test_our_index_and_community_services_explained(
    england: Place, by_pcn: MeasureComparison, shared: Shared
) -> None:
    """Both go with age alike; community services give deprivation at equal age four times the weight."""
    years = shared.lists.groupby(level="practice").sum()
    pcn = england.members.set_index("practice")["pcn"].reindex(years.index)
    of_pcn = years.groupby(pcn).sum()
    traits = pd.DataFrame(
        {
            "over_75": of_pcn.loc[:, of_pcn.columns >= 75].sum(axis=1) / of_pcn.sum(axis=1),
            "imd_score": england.catchment.average(england.deprivation["imd_score"]),
        }
    )
    teams = by_pcn.rows.index[by_pcn.rows["is_team"]]
    both, people = by_pcn.england.loc[teams, [OURS, COMMUNITY]], by_pcn.people.loc[teams, OURS]
    pair = agreement(both, people).iloc[0]
    print(pair.to_string())
    assert 0.85 < pair["pearson"] < 0.93
    assert 0.9 < pair["slope"] < 1.05
    found = goes_with(both, traits.reindex(teams), people)
    print(found.drop(columns="method").round(4).to_string())
    assert (found["explained"] > 0.93).all()
    ours, community = (found["slope"].xs(measure) for measure in (OURS, COMMUNITY))
    assert community["over_75"] / ours["over_75"] == pytest.approx(1.15, abs=0.1)
    assert 3 < community["imd_score"] / ours["imd_score"] < 5
    # By least squares of rows times the root of their weight.
    rows = pd.concat([both[OURS], traits.reindex(teams), people.rename("people")], axis=1).dropna()
    root = np.sqrt(rows["people"].to_numpy())[:, None]
    design = np.column_stack([np.ones(len(rows)), rows[["over_75", "imd_score"]]])
    plain = np.linalg.lstsq(design * root, rows[OURS].to_numpy() * root[:, 0], rcond=None)[0]
    np.testing.assert_allclose(ours[["over_75", "imd_score"]], plain[1:], rtol=1e-9)
