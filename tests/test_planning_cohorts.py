"""The planners' first table: totals against plain sums, empty columns that say so, growth, bad input."""

import numpy as np
import pandas as pd
import pytest

import needsalloc as na
from needsalloc import errors
from needsalloc.area_registers import registers_by_area
from needsalloc.growth import Growth
from needsalloc.planning_cohorts import ALONE, BEDS, NOT_CARRIED, planning_cohorts
from small_worlds import CODES, ENGLAND, PRACTICES, WHOLE, by_area, law, people, worlds
from small_worlds import catchment as of_world

LISTS, POPULATION, CONDITIONS, DEPRIVATION = (
    ENGLAND.lists,
    ENGLAND.population,
    ENGLAND.conditions,
    ENGLAND.deprivation,
)
FILES = {"lists": LISTS, "population": POPULATION, "conditions": CONDITIONS, "deprivation": DEPRIVATION}
DISABILITY = pd.DataFrame({"disabled": by_area(np.arange(10.0, 10.0 + len(CODES)))})
AREAS = WHOLE.areas
HERE = list(WHOLE.practices)
WITH_OWN_BEDS = pd.DataFrame({BEDS[0]: by_area(np.full(len(CODES), 4.0)), "hospices": 1.0}).loc[AREAS]


def total(column: str, **given: object) -> float:
    return float(planning_cohorts(WHOLE, **(FILES | given)).table[column].sum())


# Known answers


def test_ages_and_registers_are_plain_sums_over_practices():
    ages = LISTS.groupby(level="practice").sum().loc[HERE]
    for age in (65, 75, 85):
        assert total(f"registered_{age}_and_over") == ages.loc[:, age:].sum(axis=None)
    rows = CONDITIONS[CONDITIONS["practice"].isin(HERE)]
    assert total("dementia_register") == rows.loc[rows["condition"] == "DEM", "register"].sum()
    assert total("palliative_care_register") == rows.loc[rows["condition"] == "PC", "register"].sum()
    assert total("stroke_and_tia_register") == rows.loc[rows["condition"] == "STIA", "register"].sum()
    team = WHOLE.teams.index[WHOLE.team_of_practice[0]]
    same = [p for p, t in zip(HERE, WHOLE.team_of_practice, strict=True) if WHOLE.teams.index[t] == team]
    found = planning_cohorts(WHOLE, **FILES).table.loc[team]
    assert found["registered_85_and_over"] == ages.loc[same, 85:].sum(axis=None)


@law(worlds(), examples=30)
def test_residents_are_shared_out_or_on_other_lists(world):
    of = of_world(world)
    here = POPULATION.loc[of.areas]
    disability = DISABILITY.loc[of.areas]
    table = planning_cohorts(
        of, population=here, deprivation=DEPRIVATION, disability=disability
    ).table.select_dtypes("number")
    sums = table.sum()
    for age in (65, 75, 85):
        assert sums[f"resident_{age}_and_over"] == pytest.approx(here.loc[:, age:].sum(axis=None))
    assert sums["resident"] == pytest.approx(here.sum(axis=None))
    assert sums["resident_disabled"] == pytest.approx(disability["disabled"].sum())
    # A patient of a part of England stands for one resident at most: the others are on other lists.
    by_team = of.populations(here)["resident"]
    np.testing.assert_allclose(table["resident"].reindex(by_team.index), by_team, atol=1e-6)
    core = DEPRIVATION.loc[of.areas, "deprivation_decile"] <= 2
    assert sums["resident_core20"] == pytest.approx(here[core].sum(axis=None))
    assert sums["registered_core20"] == pytest.approx(of.registered_by_area[core].sum())
    assert sums["registered"] == pytest.approx(of.patients)
    assert (table["resident_85_and_over"] <= table["resident_75_and_over"] + 1e-9).all()


def test_a_stratified_catchment_shares_residents_by_their_age():
    stratified = WHOLE.with_method("stratified", lists=LISTS, population=POPULATION)
    plain = planning_cohorts(WHOLE, population=POPULATION)
    found = planning_cohorts(stratified, population=POPULATION)
    of = WHOLE.populations(POPULATION)["resident"].sum()  # what the flows of a part of England share out
    assert found.table.drop("on other lists", errors="ignore")["resident"].sum() == pytest.approx(of)
    assert found.sources.at["resident_85_and_over", "how"] == "shared by age"
    older = stratified.apportion(WHOLE.shared_out(POPULATION)[0].loc[:, 85:]).sum(axis=1)
    np.testing.assert_allclose(found.table.loc[older.index, "resident_85_and_over"], older)
    assert not np.allclose(older, plain.table.loc[older.index, "resident_85_and_over"], rtol=1e-3)


@pytest.mark.parametrize("method", ["first_past_the_post", "threshold"])
def test_teams_of_whole_areas_have_modelled_registers(method):
    of = WHOLE.with_method(method)
    carried = registers_by_area(people(WHOLE), CONDITIONS)
    found = planning_cohorts(of, population=POPULATION, conditions=carried, deprivation=DEPRIVATION)
    dementia = found.table["dementia_register"]
    shares = np.asarray(of.resident_share.sum(axis=1)).ravel()  # over 1 where areas are of two teams
    assert dementia.drop(NOT_CARRIED).sum() == pytest.approx(carried.cases["DEM"] @ shares)
    outside = carried.not_carried.at["patients living in none of these areas", "DEM"]
    assert dementia[NOT_CARRIED] == pytest.approx(outside)
    assert found.sources.at["dementia_register", "how"].startswith("modelled")


def test_groups_of_areas_answer_for_who_lives_there():
    groups = pd.Series(["North", "South"] * (len(AREAS) // 2), AREAS)
    found = planning_cohorts(WHOLE.regroup(groups), population=POPULATION.loc[AREAS]).table
    shared = WHOLE.shared_out(POPULATION)[0].loc[AREAS, 65:].sum(axis=1)
    assert found.at["North", "resident_65_and_over"] == pytest.approx(shared[groups == "North"].sum())


# Columns that are empty, and the user's


def test_what_no_file_gives_is_an_empty_column_that_says_so():
    found = planning_cohorts(WHOLE, conditions=CONDITIONS)
    for name in (ALONE, *BEDS, "resident_disabled", "resident_65_and_over", "registered_core20"):
        assert found.table[name].isna().all()
        assert found.sources.at[name, "how"].startswith("empty: ")
        assert name in found.empty
    assert "dementia_register" not in found.empty
    assert any(BEDS[1] in note.what for note in found.notes)
    nothing = planning_cohorts(WHOLE)
    assert {"dementia_register", "palliative_care_register"} <= set(nothing.empty)


def test_census_bands_leave_older_ages_empty():
    bands = pd.DataFrame({0: POPULATION.loc[:, :64].sum(axis=1), 65: POPULATION.loc[:, 65:].sum(axis=1)})
    found = planning_cohorts(WHOLE, population=bands)
    fine = planning_cohorts(WHOLE, population=POPULATION)
    np.testing.assert_allclose(found.table["resident_65_and_over"], fine.table["resident_65_and_over"])
    assert found.table["resident_75_and_over"].isna().all()
    assert "cut at 75" in found.sources.at["resident_75_and_over", "how"]


def test_own_columns_come_by_area_or_by_team():
    by = planning_cohorts(WHOLE, population=POPULATION, own=WITH_OWN_BEDS, dates={"own": "2026"})
    assert by.table[BEDS[0]].sum() == pytest.approx(WITH_OWN_BEDS[BEDS[0]].sum())
    assert by.table["hospices"].sum() == pytest.approx(len(AREAS))
    assert by.table[BEDS[1]].isna().all()
    assert by.sources.at[BEDS[0], "on"] == "2026"
    teams = WHOLE.teams.index
    own = pd.DataFrame({ALONE: np.arange(len(teams), dtype=float)}, teams)
    found = planning_cohorts(WHOLE, own=own)
    np.testing.assert_array_equal(found.table.loc[teams, ALONE], own[ALONE])


def test_practices_that_a_file_lacks_are_counted_by_team():
    gone = PRACTICES[0]
    found = planning_cohorts(WHOLE, conditions=CONDITIONS[CONDITIONS["practice"] != gone])
    size = np.asarray(WHOLE.registered.sum(axis=0)).ravel() + WHOLE.outside_by_practice
    at = WHOLE.practices.get_loc(gone)
    team = WHOLE.teams.index[WHOLE.team_of_practice[at]]
    assert found.table["registered_without_registers"].sum() == size[at]
    assert found.table.at[team, "registered_without_registers"] == size[at]


def test_a_register_over_its_list_is_kept_and_listed():
    rows = [CONDITIONS.assign(practice=CONDITIONS["practice"] + f"-{k}") for k in range(15)]
    frame = pd.concat([CONDITIONS, *rows], ignore_index=True)
    odd = (frame["practice"] == PRACTICES[0]) & (frame["condition"] == "DEM")
    frame.loc[odd, "register"] = 1e6
    found = planning_cohorts(WHOLE, conditions=frame)
    assert found.exceptions[["practice", "condition"]].to_numpy().tolist() == [[PRACTICES[0], "DEM"]]
    assert found.exceptions["team"].item() in WHOLE.teams.index
    assert found.table["dementia_register"].sum() > 1e6


# Days and growth


def test_each_source_has_its_day():
    found = planning_cohorts(WHOLE, **FILES, dates={"population": "mid-2025", "conditions": "2024/25"})
    on = found.sources["on"]
    assert on["registered_65_and_over"] == str(LISTS.attrs["on"])
    assert on["resident_65_and_over"] == "mid-2025"
    assert on["dementia_register"] == "2024/25"
    assert on["registered"] == str(WHOLE.on)
    assert planning_cohorts(WHOLE, **FILES).sources.at["dementia_register", "on"] == "not given"
    assert any(note.what.startswith("No growth") for note in found.notes)
    assert "no growth" in repr(found)


def test_growth_by_age_multiplies_ages_alone():
    growth = Growth(pd.Series({65: 1.1, 75: 1.2, 85: 1.5}), to="2030/31", source="a projection")
    still, grown = (planning_cohorts(WHOLE, **FILES, growth=g).table for g in (None, growth))
    for who, ages in (("registered", LISTS), ("resident", POPULATION)):
        assert ages.columns.max() >= 85
        older, younger = (still[f"{who}_{age}_and_over"] for age in (85, 75))
        np.testing.assert_allclose(grown[f"{who}_85_and_over"], 1.5 * older)
        np.testing.assert_allclose(grown[f"{who}_75_and_over"], 1.5 * older + 1.2 * (younger - older))
    for same in ("registered", "resident", "dementia_register", "registered_core20"):
        np.testing.assert_allclose(grown[same], still[same])


def test_growth_by_area_multiplies_residents_alone():
    growth = Growth(pd.Series(1.25, AREAS), to="2030/31", source="a projection")
    still, found = (
        planning_cohorts(WHOLE, **FILES, disability=DISABILITY, own=WITH_OWN_BEDS, growth=g)
        for g in (None, growth)
    )
    for name in ("resident", "resident_65_and_over", "resident_disabled", "resident_core20"):
        np.testing.assert_allclose(found.table[name], 1.25 * still.table[name])
        assert found.sources.at[name, "growth"] == "to 2030/31 by area: a projection"
    for same in ("registered", "registered_85_and_over", "dementia_register", BEDS[0]):
        np.testing.assert_allclose(found.table[same], still.table[same])
        assert found.sources.at[same, "growth"] == ""
    assert "grown to 2030/31" in repr(found)
    assert any("dementia_register" in note.why for note in found.notes)


def test_it_says_what_it_is():
    found = planning_cohorts(WHOLE, **FILES)
    assert "teams" in repr(found)
    assert "empty: resident_85_and_over_alone" in repr(found)
    assert "<table" in found._repr_html_()


# Bad input


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"dates": {"ages": "2020"}}, errors.InvalidValueError, "dates= are of"),
        ({"disability": DISABILITY}, errors.InvalidValueError, "Give population= too"),
        ({"disability": DISABILITY.set_axis(["n"], axis=1)}, errors.MissingColumnError, "disabled"),
        ({"deprivation": DEPRIVATION[["imd_score"]]}, errors.MissingColumnError, "deprivation_decile"),
        ({"population": POPULATION.iloc[1:]}, errors.UnknownCodeError, CODES[0]),
        ({"own": by_area(np.ones(len(CODES)))}, errors.InvalidValueError, "pandas DataFrame"),
        ({"own": pd.DataFrame({"beds": [1.0]}, ["Z"])}, errors.UnknownCodeError, "neither areas nor teams"),
        ({"own": -WITH_OWN_BEDS}, errors.InvalidValueError, "negative"),
        (
            {"own": WITH_OWN_BEDS.rename(columns={"hospices": "bed_rate"})},
            errors.InvalidValueError,
            "bed_rate",
        ),
        (
            {"own": WITH_OWN_BEDS.rename(columns={"hospices": "registered"}), "population": POPULATION},
            errors.InvalidValueError,
            "has already: registered",
        ),
        ({"conditions": CONDITIONS.assign(list_size=0.5)}, errors.InvalidValueError, "larger than its list"),
        (
            {"conditions": registers_by_area(people(WHOLE), CONDITIONS)},
            errors.InvalidValueError,
            "give the registers themselves",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(given, error, words):
    with pytest.raises(error, match=words):
        planning_cohorts(WHOLE, **given)


@pytest.mark.parametrize("given", [{"lists": LISTS}, {"conditions": CONDITIONS}])
def test_counts_of_practices_are_refused_for_teams_of_whole_areas(given):
    with pytest.raises(errors.InvalidValueError, match="made of whole areas"):
        planning_cohorts(WHOLE.with_method("first_past_the_post"), **given)


def test_areas_of_another_census_are_refused():
    other = pd.DataFrame({"disabled": [1.0]}, index=pd.Index(["E01000001"], name="lsoa11"))
    with pytest.raises(errors.NeedsallocError, match="E01900001"):
        planning_cohorts(WHOLE, population=POPULATION, disability=other)


@pytest.mark.parametrize(
    ("factors", "to", "source", "words"),
    [
        (pd.Series({65: 0.0}), "2030", "ONS", "above 0"),
        (pd.Series({65: np.nan}), "2030", "ONS", "above 0"),
        (pd.Series({65: 1.0}), " ", "ONS", "plan year"),
        (pd.Series({65: 1.0}), "2030", "", "whose projection"),
    ],
)
def test_growth_needs_a_year_a_source_and_numbers(factors, to, source, words):
    with pytest.raises(errors.InvalidValueError, match=words):
        Growth(factors, to=to, source=source)


def test_growth_must_fit_the_bands_and_areas():
    growth = Growth(pd.Series({66: 1.1}), to="2030", source="ONS")
    bands = pd.DataFrame({0: POPULATION.loc[:, :64].sum(axis=1), 65: POPULATION.loc[:, 65:].sum(axis=1)})
    with pytest.raises(errors.InvalidValueError, match="begin at the ages 66"):
        planning_cohorts(WHOLE, population=bands, growth=growth)
    part = Growth(pd.Series(1.1, AREAS[1:]), to="2030", source="ONS")
    with pytest.raises(errors.UnknownCodeError, match="growth factors"):
        planning_cohorts(WHOLE, population=POPULATION, growth=part)


def test_shares_alone_count_nobody():
    flows = pd.DataFrame({"msoa": ["E02000001"], "trust": ["R1H"], "share": [1.0]})
    of = na.Catchment.from_flows(flows, area="msoa", team="trust", share="share")
    with pytest.raises(errors.InvalidValueError, match="count nobody"):
        planning_cohorts(of)
