"""The planners' table, registers by area and shrunk registers on the real files, against plain sums."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import needsalloc as na
from needsalloc.area_registers import LIVING_OUTSIDE, NOT_HERE, OVER_ITS_LIST, registers_by_area
from needsalloc.planning_cohorts import BEDS, planning_cohorts
from needsalloc.small_areas import small_area_rates
from needsalloc.sources.disability import read_disability

REGISTERED, RESIDENT = 62_581_556, 56_550_138  # the registration file; the ONS estimates of mid-2020
WITHOUT_LIST, WITHOUT_REGISTERS = 1_232_209, 25_119  # practices of July 2023 that lists and QOF lack
DEMENTIA = 443_902  # the QOF file of 2021/22
STAFFORDSHIRE = 1_210_283


@pytest.fixture(scope="module")
def england(real_data) -> SimpleNamespace:
    folder = real_data / "england-2023"
    membership = na.read_membership(folder / "gp-reg-pat-prac-map_for_2023-07.csv.gz")
    registrations = na.read_registrations(folder / "gp-reg-pat-prac-lsoa-all_2023-07.csv.gz")
    return SimpleNamespace(
        catchment=na.Catchment.from_registrations(registrations, membership),
        population=na.read_population(folder / "population20_lsoa11.csv.gz"),
        deprivation=na.read_deprivation(folder / "imd2019_lsoa11.csv.gz"),
        conditions=na.read_conditions(folder / "PREVALENCE_2122.csv.gz"),
        lists=na.read_lists(real_data / "lists-2026" / "single_age_sex_practice_2026-04.csv.gz"),
    )


@pytest.fixture(scope="module")
def carried(england):
    people = na.build_people(
        england.catchment,
        population=england.population,
        deprivation=england.deprivation,
        lists=england.lists,
        conditions=england.conditions,
    )
    return registers_by_area(people, england.conditions)


def files(of: SimpleNamespace) -> dict[str, pd.DataFrame]:
    return {name: value for name, value in vars(of).items() if name != "catchment"}


def test_england_s_table_sums_to_the_files(england):
    found = planning_cohorts(england.catchment, **files(england))
    sums = found.table.select_dtypes("number").sum()
    raw = england.conditions.groupby("condition")["register"].sum()
    assert sums["registered"] == REGISTERED
    assert sums["resident"] == pytest.approx(RESIDENT)
    for age in (65, 75, 85):
        assert sums[f"registered_{age}_and_over"] == england.lists.loc[:, age:].sum(axis=None)
        assert sums[f"resident_{age}_and_over"] == pytest.approx(
            england.population.loc[:, age:].sum(axis=None)
        )
    assert sums["dementia_register"] == raw["DEM"] == DEMENTIA
    assert sums["palliative_care_register"] == raw["PC"]
    assert sums["depression_register"] == raw["DEP"]
    core = england.deprivation["deprivation_decile"].reindex(england.population.index) <= 2
    assert sums["resident_core20"] == pytest.approx(england.population[core].sum(axis=None))
    here = england.catchment.registered_by_area[core.reindex(england.catchment.areas)]
    assert sums["registered_core20"] == pytest.approx(here.sum())
    assert sums["registered_without_list"] == WITHOUT_LIST
    assert sums["registered_without_registers"] == WITHOUT_REGISTERS
    assert found.table[list(BEDS)].isna().all(axis=None)


def test_the_register_of_england_that_is_over_its_list_is_kept_and_listed(england):
    found = planning_cohorts(england.catchment, conditions=england.conditions)
    assert found.exceptions[["practice", "condition"]].to_numpy().tolist() == [["Y05750", "LD"]]
    raw = england.conditions.groupby("condition")["register"].sum()
    assert found.table["learning_disability_register"].sum() == raw["LD"]


def test_a_team_of_england_is_the_sum_of_its_practices(england):
    of = england.catchment
    team = "U89141"  # Stockton PCN
    practices = of.practices[of.teams.index[of.team_of_practice] == team]
    found = planning_cohorts(of, **files(england)).table.loc[team]
    ages = england.lists.groupby(level="practice").sum().reindex(practices)
    assert found["registered_85_and_over"] == ages.loc[:, 85:].sum(axis=None)
    rows = england.conditions[england.conditions["practice"].isin(practices)]
    assert found["dementia_register"] == rows.loc[rows["condition"] == "DEM", "register"].sum()


@pytest.mark.slow
def test_registers_of_england_are_in_areas_or_said_to_be_in_none(england, carried):
    total = carried.cases.sum() + carried.not_carried.sum()
    raw = england.conditions.groupby("condition")["register"].sum()
    np.testing.assert_allclose(total[raw.index], raw, rtol=1e-12)
    away = england.conditions[~england.conditions["practice"].isin(england.catchment.practices)]
    missing = away.groupby("condition")["register"].sum()
    np.testing.assert_allclose(carried.not_carried.loc[NOT_HERE, missing.index], missing)
    assert carried.not_carried.at[OVER_ITS_LIST, "LD"] == 129
    assert 0 < carried.not_carried.at[LIVING_OUTSIDE, "DEM"] < 0.001 * DEMENTIA  # 37,086 of 62.6 million
    assert len(carried.cases) == 32_844


@pytest.mark.slow
def test_going_by_areas_loses_a_fifth_of_the_differences_between_pcns(england, carried):
    kept = carried.differences_kept(england.catchment)
    slope, off = kept["slope"], kept["off_by_a_tenth"]
    # 0.78 to 0.81 is what the recipe was found to keep; here prevalence is over the lists of the QOF file.
    assert slope[["DEM", "PC", "LD"]].between(0.77, 0.83).all()
    assert 0.30 < off["DEM"] < 0.37  # "a third of PCNs"
    assert slope.between(0.75, 0.95).all()


@pytest.mark.slow
def test_dementia_is_where_old_people_are(england, carried):
    population = england.population.loc[carried.cases.index]
    old = population.loc[:, 80:].sum(axis=1) / population.sum(axis=1)
    assert np.corrcoef(carried.prevalence["DEM"], old)[0, 1] > 0.7
    # Within practices cases follow age, so areas differ more than if each had its practices' mean.
    of = england.catchment
    own = (carried.registers["DEM"] / carried.list_sizes["DEM"]).fillna(0.0).to_numpy()
    plain = of.registered @ own / of.size_of_area
    assert carried.prevalence["DEM"].std() > 1.3 * plain.std()


@pytest.mark.slow
def test_dementia_registers_of_practices_are_shrunk_toward_their_ages(carried):
    some = carried.registers["DEM"].notna() & (carried.expected["DEM"] > 0)
    register, size, expected = (
        frame["DEM"][some] for frame in (carried.registers, carried.list_sizes, carried.expected)
    )
    by_age, by_list = (small_area_rates(register, size, expected=given) for given in (expected, None))
    assert by_age.table["rate"] @ size == pytest.approx(register.sum())
    # Ages tell much of why registers differ: what is left between practices is less.
    assert by_age.overdispersion < 0.6 * by_list.overdispersion
    assert by_age.table.loc[by_age.table["observed"] < 5, "flag"].str.contains("imprecise").mean() > 0.5


@pytest.mark.parametrize("people", [None, "mid-2021"])
def test_staffordshire_s_table_sums_to_the_files(real_data, people):
    folder = real_data / "staffordshire-2025"
    membership = na.read_membership(folder / "gp-reg-pat-prac-map_2025-10.csv.gz")
    registrations = na.read_registrations(folder / "gp-reg-pat-prac-lsoa-all_2025-10_QNC.csv.gz")
    of = na.Catchment.from_registrations(registrations, membership)
    population = na.read_population(folder / "census21_lsoa21_age6.csv.gz").loc[of.areas]
    disability = read_disability(folder / "disability21_lsoa21_ew.csv.gz")
    conditions = na.read_conditions(folder / "PREVALENCE_2425.csv.gz")
    lists = na.read_lists(real_data / "lists-2026" / "single_age_sex_practice_2026-04.csv.gz")
    found = planning_cohorts(
        of,
        population=population,
        lists=lists,
        conditions=conditions,
        deprivation=na.read_deprivation(folder / "imd2025_england_lsoa21.csv.gz"),
        disability=disability,
        dates={"population": people} if people else None,
    )
    sums = found.table.select_dtypes("number").sum()
    assert sums["registered"] == STAFFORDSHIRE
    assert sums["resident"] == pytest.approx(population.sum(axis=None))
    assert sums["resident_65_and_over"] == pytest.approx(population[65].sum())
    assert found.table["resident_85_and_over"].isna().all()  # the census bands end at 65
    assert sums["resident_disabled"] == pytest.approx(disability.loc[of.areas, "disabled"].sum())
    ages = lists.groupby(level="practice").sum()
    assert sums["registered_75_and_over"] == ages[ages.index.isin(of.practices)].loc[:, 75:].sum(axis=None)
    rows = conditions[conditions["practice"].isin(of.practices) & (conditions["condition"] == "DEM")]
    assert sums["dementia_register"] == rows["register"].sum()
    assert "on other lists" in found.table.index
    assert found.sources.at["resident", "on"] == (people or "not given")


def test_the_census_of_disability_is_whole(real_data):
    found = read_disability(real_data / "staffordshire-2025" / "disability21_lsoa21_ew.csv.gz")
    assert len(found) == 33_755
    raw = pd.read_csv(real_data / "staffordshire-2025" / "disability21_lsoa21_ew.csv.gz")
    english = raw[raw["lsoa21_code"].str.startswith("E")]
    disabled = english["disability"].eq("Disabled under the Equality Act")
    assert found["disabled"].sum() == english.loc[disabled, "n"].sum()
    assert found["residents"].sum() == english["n"].sum()
