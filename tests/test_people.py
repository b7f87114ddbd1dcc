"""People from open files: every area keeps its residents and its ages, every practice its registers."""

import numpy as np
import pandas as pd
import pytest

import needsalloc as na
from needsalloc import ages, errors, geography, reference, registers
from small_worlds import (
    AREAS,
    CODES,
    ENGLAND,
    PRACTICES,
    WHOLE,
    catchment,
    law,
    membership,
    people,
    registrations,
    worlds,
)


@pytest.fixture
def whole_england(monkeypatch):
    """An England of eight areas, all of them there."""
    monkeypatch.setitem(geography.AREAS_OF_ENGLAND, "lsoa21", AREAS)


@law(worlds(), examples=15)
def test_ages_and_residents_are_those_of_the_area(world):
    who = people(catchment(world))
    population = ENGLAND.population.loc[who.catchment.areas].to_numpy()
    np.testing.assert_allclose(who.residents, population.sum(axis=1))
    mix = population / population.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(who.age_mix, mix)
    here = np.minimum(who.residents, who.catchment.registered_by_area)
    np.testing.assert_allclose(who.resident_adults, here * mix[:, 18:].sum(axis=1), rtol=1e-9)


@law(worlds(), examples=15)
def test_broad_bands_are_filled_with_the_ages_of_the_lists(world):
    """The area's bands win exactly; within them the ages are those of its practices."""
    first_ages = [0, 16, 25, 35, 50, 65]
    band = np.searchsorted(first_ages, np.arange(91), side="right") - 1
    bands = ENGLAND.population.T.groupby(np.asarray(first_ages)[band]).sum().T
    who = people(catchment(world), population=bands)
    found = pd.DataFrame(who.age_mix).T.groupby(band).sum().T
    wanted = bands.div(bands.sum(axis=1), axis=0).loc[who.catchment.areas]
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    assert (who.age_mix >= 0).all()


def test_one_practice_in_one_area_keeps_the_ages_of_its_list_within_each_band():
    of = catchment((registrations([(PRACTICES[0], CODES[0], 10)]), membership({PRACTICES[0]: "P1"})))
    bands = pd.DataFrame({0: 20.0, 18: 50.0, 65: 30.0}, index=ENGLAND.population.index)
    listed = ENGLAND.lists.loc[PRACTICES[0]].sum().to_numpy()
    listed = np.append(listed[:90], listed[90:].sum())
    mix = people(of, population=bands).age_mix[0]
    for years, share in ((slice(0, 18), 0.2), (slice(18, 65), 0.5), (slice(65, 91), 0.3)):
        np.testing.assert_allclose(mix[years], share * listed[years] / listed[years].sum())


def test_nobody_of_an_age_in_an_area_leaves_every_band_with_its_years():
    none = ENGLAND.population.copy()
    none.loc[CODES[0], list(range(85, 91))] = 0
    who = people(WHOLE, population=none)
    area = WHOLE.areas.get_loc(CODES[0])
    assert who.age_mix[area, 85:].sum() == 0
    np.testing.assert_allclose(who.ages.within[area, 85:], [0.2] * 5 + [1.0])
    in_area = who.ages.pattern.indices == area
    assert who.ages.people["resident"][in_area, 9:].sum() == 0


def test_a_band_of_residents_whom_no_list_has_is_shared_by_all_patients():
    """Two practices with nobody of 85 and over, in an area with some: its patients of all ages say."""
    rows = [(PRACTICES[0], CODES[0], 300), (PRACTICES[1], CODES[0], 100)]
    of = catchment((registrations(rows), membership({p: "P1" for p in PRACTICES[:2]})))
    lists = ENGLAND.lists.copy()
    lists.loc[PRACTICES[:2], list(range(85, 96))] = 0.0
    who = people(of, lists=lists, population=ENGLAND.population.loc[[CODES[0]]])
    resident = who.ages.people["resident"][:, 9:]
    assert resident.sum() > 0
    np.testing.assert_allclose(resident[0], 3 * resident[1])


def test_a_band_that_is_on_no_list_has_even_ages_and_is_said():
    """A practice without children in an area with some: they are there, and nothing tells their ages."""
    of = catchment((registrations([(PRACTICES[0], CODES[0], 10)]), membership({PRACTICES[0]: "P1"})))
    bands = pd.DataFrame({0: 20.0, 20: 50.0, 65: 30.0}, index=ENGLAND.population.index)
    adults = ENGLAND.lists.copy()
    adults.loc[PRACTICES[0], list(range(20))] = 0.0
    who = people(of, population=bands, lists=adults)
    np.testing.assert_allclose(who.age_mix[0, :20], 0.2 / 20)
    assert who.age_mix.sum() == pytest.approx(1)
    assert any("lists have nobody: 1, their ages are even" in note.why for note in who.notes)


def test_a_list_of_nobody_is_no_list():
    bands = pd.DataFrame({0: 20.0, 18: 50.0, 65: 30.0}, index=ENGLAND.population.index)
    empty = ENGLAND.lists.copy()
    empty.loc[PRACTICES[0]] = 0.0
    without = ENGLAND.lists.drop(PRACTICES[0])
    found, expected = (people(WHOLE, population=bands, lists=lists) for lists in (empty, without))
    np.testing.assert_allclose(found.age_mix, expected.age_mix)
    np.testing.assert_allclose(found.female_share, expected.female_share)


@pytest.mark.usefixtures("whole_england")
def test_all_residents_of_england_are_shared_out_by_their_ages():
    who = people(WHOLE)
    by_area = np.zeros((AREAS, len(ages.BANDS)))
    np.add.at(by_area, who.ages.pattern.indices, who.ages.people["resident"])
    years = ENGLAND.population.loc[WHOLE.areas].to_numpy(np.float64)
    np.testing.assert_allclose(by_area, np.add.reduceat(years, ages.BANDS, axis=1), rtol=1e-12)
    adults = ENGLAND.population.loc[:, 18:].to_numpy().sum()
    assert who.resident_adults.sum() == pytest.approx(adults, rel=1e-12)


@pytest.mark.usefixtures("whole_england")
def test_people_of_wales_are_left_out_and_nobody_of_england_is():
    beyond = ENGLAND.population.iloc[[0]]
    wales, lost = (
        pd.concat([ENGLAND.population, beyond.set_axis([code])]) for code in ("W01000001", "E01999999")
    )
    assert people(WHOLE, population=wales).residents.sum() == people(WHOLE).residents.sum()
    with pytest.raises(errors.UnknownCodeError, match=r"E01999999.* would be lost"):
        people(WHOLE, population=lost.rename_axis("lsoa21"))


@law(worlds(), examples=15)
def test_nobody_on_a_list_is_made_or_lost_and_within_a_band_the_years_are_the_areas(world):
    who = people(catchment(world))
    np.testing.assert_allclose(who.ages.people["registered"].sum(axis=1), who.ages.pattern.data, rtol=1e-9)
    assert (who.ages.people["registered"] >= 0).all()
    assert who.ages.adults("registered").sum() == pytest.approx(who.ages.adults_by_practice.sum())
    band = np.searchsorted(ages.BANDS, np.arange(91), side="right") - 1
    assert pd.DataFrame(who.ages.within).T.groupby(band).sum().to_numpy() == pytest.approx(1)
    ratio = who.age_mix[:, [70, 74]] / who.ages.within[:, [70, 74]]
    np.testing.assert_allclose(ratio[:, 0], ratio[:, 1])


def test_patients_have_the_ages_of_their_list_and_of_their_area():
    """Two practices share two areas of the same ages: each practice's patients are as old as its list."""
    rows = [(p, c, 500) for p in PRACTICES[:2] for c in CODES[:2]]
    of = catchment((registrations(rows), membership({p: "P1" for p in PRACTICES[:2]})))
    lists = ENGLAND.lists.loc[PRACTICES[:2]] * 0.0 + 10.0
    lists.loc[PRACTICES[0], list(range(65, 96))] = 20.0
    even = pd.DataFrame(np.ones((2, 91)), index=of.areas, columns=np.arange(91))
    who = people(of, lists=lists, population=even)
    older, younger = who.ages.adults_by_practice[:, 65 - 18 :].sum(axis=1)
    # 31 of 96 years of age are from 65; twice as many people of each of them, and as many.
    assert older == pytest.approx(1000 * 62 / (65 + 62), rel=1e-3)
    assert younger == pytest.approx(1000 * 31 / (65 + 31), rel=1e-3)


@law(worlds(), examples=15)
def test_a_part_of_england_is_not_given_residents_who_are_on_lists_elsewhere(world):
    who = people(catchment(world))
    lists = who.catchment.registered_by_area.to_numpy()
    shared = np.bincount(
        who.ages.pattern.indices, who.ages.people["resident"].sum(axis=1), len(who.residents)
    )
    np.testing.assert_allclose(shared, np.minimum(lists, who.residents), rtol=1e-9)


def test_the_share_of_women_is_that_of_the_practices_list():
    who = people(WHOLE)
    for age, columns in ((40, [40]), (90, range(90, 96))):
        women, men = (
            ENGLAND.lists.loc[(PRACTICES[2], sex), list(columns)].sum() for sex in ("female", "male")
        )
        assert who.female_share[2, age] == pytest.approx(women / (women + men))


def test_a_practice_without_a_list_has_the_sexes_of_all_lists():
    who = people(WHOLE, lists=ENGLAND.lists.drop(PRACTICES[2]))
    total = ENGLAND.lists.drop(PRACTICES[2]).groupby("sex").sum()[40]
    assert who.female_share[2, 40] == pytest.approx(total["female"] / total.sum())
    assert any("no list to go by" in note.what and PRACTICES[2] in note.why for note in who.notes)


# Registers


def liverpool(term: str) -> tuple[pd.DataFrame, float]:
    """A practice with all of Liverpool's registers of a term, and the share that the paper prints."""
    rule = reference.read("open-data-concordance").frame.set_index("term").loc[term]
    adults = float(reference.read("liverpool-calibration").frame["listed_adults"].iloc[0])
    printed = reference.read("filipe-2024-table1").frame.set_index("variable")["number"]
    rows = [
        (PRACTICES[0], code, float(count), 600_000.0, "TOTAL")
        for code, count in zip(
            rule["registers"].split("|"), str(rule["liverpool_register"]).split("|"), strict=True
        )
    ]
    rows.append((PRACTICES[0], "DEP", 1.0, adults, "18OV"))
    columns = ["practice", "condition", "register", "list_size", "list_type"]
    return pd.DataFrame(rows, columns=columns), printed[term] / printed["n_individuals"]


@pytest.mark.parametrize(
    "term", ["palliative_care", "learning_disability", "dementia", "cancer", "cardiovascular_disease", "copd"]
)
def test_liverpools_registers_give_the_papers_share(term):
    registers, printed = liverpool(term)
    found = people(WHOLE, conditions=registers).prevalence.loc[PRACTICES[0], term]
    assert found == pytest.approx(printed, rel=1e-9)


def test_people_on_several_registers_of_one_condition_are_counted_once():
    """As if registers were independent: 1 - 0.9 x 0.8 x 0.95 x 0.9 of 1,000 adults, on the paper's scale."""
    registers, printed = liverpool("cardiovascular_disease")
    adults = registers["list_size"].iloc[-1]
    everybody = 1 - np.prod(1 - registers["register"].iloc[:-1] / adults)
    registers["register"] = [100.0, 200.0, 50.0, 100.0, 1.0]
    registers["list_size"] = 1_000.0
    found = people(WHOLE, conditions=registers).prevalence.loc[PRACTICES[0], "cardiovascular_disease"]
    assert found == pytest.approx((1 - 0.9 * 0.8 * 0.95 * 0.9) * printed / everybody, rel=1e-12)


def test_a_practice_without_adults_on_its_list_is_without_registers():
    """It has the mean of the others, and a share of nobody is none."""
    none = ENGLAND.conditions.copy()
    here = none["practice"] == PRACTICES[3]
    none.loc[here, ["register", "list_size"]] = 0.0
    found = people(WHOLE, conditions=none)
    without = people(WHOLE, conditions=ENGLAND.conditions[~here])
    pd.testing.assert_frame_equal(found.prevalence, without.prevalence)
    assert any("without QOF" in note.what and PRACTICES[3] in note.what for note in found.notes)


def test_a_practice_without_registers_has_the_mean_of_the_others_and_is_named():
    without = ENGLAND.conditions[ENGLAND.conditions["practice"] != PRACTICES[3]]
    who = people(WHOLE, conditions=without)
    dementia = without[without["condition"] == "DEM"]["register"].sum()
    adults = without[without["condition"] == "DEP"]["list_size"].sum()
    share = who.prevalence["dementia"]
    own = without[without["practice"] == PRACTICES[0]].set_index("condition")
    ratio = (dementia / adults) / (own.at["DEM", "register"] / own.at["DEP", "list_size"])
    assert share[PRACTICES[3]] / share[PRACTICES[0]] == pytest.approx(ratio)
    assert any("without QOF" in note.what and PRACTICES[3] in note.what for note in who.notes)


def test_a_register_above_its_list_is_kept_and_named(monkeypatch):
    monkeypatch.setattr(registers, "MOST_OVER", 0.1)
    odd = ENGLAND.conditions.copy()
    row = (odd["practice"] == PRACTICES[2]) & (odd["condition"] == "DEM")
    odd.loc[row, "register"] = odd.loc[row, "list_size"] + 1
    who = people(WHOLE, conditions=odd)
    assert who.prevalence.at[PRACTICES[2], "dementia"] == registers.MOST_PREVALENT
    assert any(f"{PRACTICES[2]} (DEM)" in note.what for note in who.notes)
    assert any("1 values are held at 95%" in note.why for note in who.notes)
    elsewhere = odd[row].assign(practice="Y99999")
    others = people(WHOLE, conditions=pd.concat([ENGLAND.conditions, elsewhere]))
    assert not any("larger than its list" in note.what for note in others.notes)


def test_many_registers_above_their_lists_are_refused():
    odd = ENGLAND.conditions.copy()
    row = odd["condition"] == "DEM"
    odd.loc[row, "register"] = odd.loc[row, "list_size"] + 1
    with pytest.raises(errors.InvalidValueError, match="11 of 11 practices have a register larger"):
        people(WHOLE, conditions=odd)


# The user's own shares


def test_shares_by_practice_go_before_the_registers():
    shares = pd.DataFrame({"dementia": 0.05, "living_alone": 0.3}, index=PRACTICES)
    who = people(WHOLE, shares=shares)
    assert (who.prevalence["dementia"] == 0.05).all()
    assert (who.prevalence["living_alone"] == 0.3).all()
    assert who.prevalence["copd"].equals(people(WHOLE).prevalence["copd"])
    assert any("dementia, living_alone" in note.what for note in who.notes)


@law(worlds(), examples=10)
def test_shares_by_area_keep_their_mean_over_adults(world):
    of = catchment(world)
    shares = pd.DataFrame({"nursing_home": np.linspace(0.0, 0.2, AREAS)}, index=CODES)
    who = people(of, shares=shares)
    adults = who.ages.on_flows(who.ages.adults("registered"))
    by_area = shares.loc[of.areas, "nursing_home"].to_numpy() @ adults.sum(axis=1)
    assert who.prevalence["nursing_home"].to_numpy() @ adults.sum(axis=0) == pytest.approx(by_area)


def test_a_practice_whose_patients_all_live_elsewhere_has_the_mean_of_all_areas():
    rows = [(PRACTICES[0], CODES[0], 900), (PRACTICES[0], CODES[1], 300), (PRACTICES[1], "W01000001", 50)]
    of = catchment((registrations(rows), membership({p: "P1" for p in PRACTICES[:2]})))
    shares = pd.DataFrame({"nursing_home": np.linspace(0.0, 0.2, AREAS)}, index=CODES)
    found = people(of, shares=shares).prevalence["nursing_home"]
    assert found[PRACTICES[1]] == pytest.approx(found[PRACTICES[0]]) != 0


@pytest.mark.parametrize(
    ("shares", "error", "says"),
    [
        ({"dementia": 1.2}, errors.InvalidValueError, "11 of 11 rows .* above 1"),
        ({"dementia": np.nan}, errors.InvalidValueError, "missing"),
        ({"frailty": 0.2}, errors.FormulaError, "no condition of the formula: frailty"),
    ],
)
def test_shares_that_cannot_be_are_refused(shares, error, says):
    with pytest.raises(error, match=says):
        people(WHOLE, shares=pd.DataFrame(shares, index=PRACTICES))
    with pytest.raises(errors.InvalidValueError, match="1 rows stand twice"):
        people(WHOLE, shares=pd.DataFrame({"dementia": 0.1}, index=[*PRACTICES, PRACTICES[0]]))
    with pytest.raises(errors.InvalidValueError, match="must be a pandas DataFrame"):
        people(WHOLE, shares=pd.Series(0.1, index=PRACTICES))
    with pytest.raises(errors.UnknownCodeError, match="1 of 8 areas have no row"):
        people(WHOLE, shares=pd.DataFrame({"dementia": 0.1}, index=CODES[1:]))


# Growth


def test_people_grow_by_age():
    who = people(WHOLE)
    grown = who.grown(na.Growth(pd.Series({75: 1.5, 83: 2.0}), to="2030", source="a test"))
    before, after = who.ages.adults_by_practice, grown.ages.adults_by_practice
    np.testing.assert_allclose(after[:, : 75 - 18], before[:, : 75 - 18])
    np.testing.assert_allclose(after[:, 75 - 18 : 83 - 18], 1.5 * before[:, 75 - 18 : 83 - 18])
    np.testing.assert_allclose(after[:, 83 - 18 :], 2 * before[:, 83 - 18 :])
    years = who.residents[:, None] * who.age_mix
    years[:, 75:83] *= 1.5
    years[:, 83:] *= 2
    np.testing.assert_allclose(grown.residents[:, None] * grown.age_mix, years)
    assert any("2030" in note.what for note in grown.notes)


def test_people_grow_by_area():
    who = people(WHOLE)
    factor = pd.Series(np.linspace(0.9, 1.3, AREAS), index=pd.Index(CODES, name="lsoa21"))
    grown = who.grown(na.Growth(factor, to="2030", source="a test"))
    np.testing.assert_allclose(grown.resident_adults, who.resident_adults * factor[WHOLE.areas])
    np.testing.assert_allclose(grown.registered_adults, who.registered_adults * factor[WHOLE.areas])
    np.testing.assert_allclose(grown.age_mix, who.age_mix)


# Deprivation


@pytest.mark.usefixtures("whole_england")
def test_a_later_edition_goes_in_with_the_same_national_z_on_the_scale_of_2019():
    later = ENGLAND.deprivation.copy()
    later.attrs["edition"] = "IMD 2025"
    who = people(WHOLE, deprivation=later)
    adults = ENGLAND.population.loc[:, 18:].sum(axis=1).to_numpy()
    mean = np.average(who.imd_score, weights=adults)
    # England's adults on IMD 2019: mean 21.4, SD 14.9. All ages from 16 weigh in there, hence the tolerance.
    assert mean == pytest.approx(21.4, abs=0.1)
    assert np.sqrt(np.average((who.imd_score - mean) ** 2, weights=adults)) == pytest.approx(14.9, abs=0.1)
    assert np.corrcoef(who.imd_score, later["imd_score"])[0, 1] == pytest.approx(1)


def test_a_later_edition_for_a_part_of_england_is_refused():
    later = ENGLAND.deprivation.copy()
    later.attrs["edition"] = "IMD 2025"
    with pytest.raises(errors.InvalidValueError, match=r"8 of\s+33,755 areas.*national file"):
        people(WHOLE, deprivation=later)


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"population": ENGLAND.population * 0}, errors.InvalidValueError, "8 areas.*nobody"),
        ({"population": ENGLAND.population * (np.arange(91) < 18)}, errors.InvalidValueError, "no adults"),
        (
            {"population": pd.concat([ENGLAND.population] * 2)},
            errors.InvalidValueError,
            "8 areas stand twice",
        ),
        ({"population": ENGLAND.population.iloc[1:]}, errors.UnknownCodeError, f"1 of 8 areas.*{CODES[0]}"),
        ({"deprivation": ENGLAND.deprivation.iloc[:-1]}, errors.UnknownCodeError, f"1 of 8.*{CODES[-1]}"),
        (
            {"lists": ENGLAND.lists.xs("female", level="sex", drop_level=False)},
            errors.MissingColumnError,
            "male",
        ),
        ({"lists": ENGLAND.lists.loc[:, :17]}, errors.InvalidValueError, "ages"),
        ({"lists": ENGLAND.population}, errors.MissingColumnError, "index of lists= is lsoa21.*read_lists"),
        ({"population": ENGLAND.lists}, errors.MissingColumnError, "index of population= is practice, sex"),
        ({"population": None}, errors.InvalidValueError, "must be a DataFrame, not a NoneType"),
        (
            {"population": ENGLAND.population.assign(total=9.0)},
            errors.InvalidValueError,
            "1 columns of population= are no ages: total",
        ),
        (
            {"population": ENGLAND.population - 2.0},
            errors.InvalidValueError,
            "negative counts",
        ),
        (
            {"deprivation": ENGLAND.deprivation[["deprivation_decile"]]},
            errors.MissingColumnError,
            "deprivation= lacks the columns imd_score",
        ),
        (
            {"conditions": ENGLAND.conditions.drop(columns="register")},
            errors.MissingColumnError,
            "conditions= lacks the columns register",
        ),
        (
            {"conditions": ENGLAND.conditions.assign(register=-1.0)},
            errors.InvalidValueError,
            "registers of the QOF file are negative",
        ),
        (
            {"conditions": ENGLAND.conditions.assign(practice="A00001")},
            errors.InvalidValueError,
            "None of the 11 practices",
        ),
    ],
    ids=[
        "nobody",
        "children alone",
        "areas twice",
        "area without people",
        "area without score",
        "women alone",
        "no adults",
        "residents as lists",
        "lists as residents",
        "no population",
        "a total among the ages",
        "fewer than nobody",
        "no scores",
        "no registers",
        "negative registers",
        "other registers",
    ],
)
def test_files_that_do_not_fit_are_refused(changed, error, says):
    with pytest.raises(error, match=says):
        people(WHOLE, **changed)
