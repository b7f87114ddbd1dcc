"""The need formula against its own words, and the laws of the need index."""

import itertools
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import needsalloc as na
from needsalloc import calibration, errors, geography, gradients, reference
from small_worlds import (
    AREAS,
    CODES,
    ENGLAND,
    FORMULA,
    PRACTICES,
    SUPPLY,
    WHOLE,
    catchment,
    law,
    membership,
    need,
    people,
    registrations,
    with_ages,
    worlds,
)

READINGS = ["realigned", "as-printed"]
CONDITIONS = gradients.conditions()
COUNTS = gradients.counts()


def person(**known: float) -> pd.DataFrame:
    """A man of the cohort's mean age and score without any condition or use of services."""
    plain = dict.fromkeys([*CONDITIONS, *COUNTS], 0.0)
    base = {"age": 47.11, "imd_score": 43.02, "female": 0.0, "log_days_alive": math.log(365), SUPPLY: 4.17}
    return pd.DataFrame([plain | base | known])


# A person


@cache
def published(reading: str, interaction: str = "man") -> na.NeedFormula:
    return na.NeedFormula.published(f"district-nursing/liverpool-2024-{reading}", interaction=interaction)


@cache
def printed(reading: str) -> dict[str, tuple[float, dict[str, float]]]:
    """Part -> its constant, and log ratios by term, from the tables themselves."""
    constants = reference.read("liverpool-calibration").frame.set_index("reading").loc[reading]
    tables = {"count": f"filipe-2024-count-{reading}", "zero": "filipe-2024-zero"}
    ratios = {part: reference.read(name).frame.set_index("term")["ratio"] for part, name in tables.items()}
    return {
        part: (constants[part], {t: math.log(r) for t, r in found.dropna().items() if t != "intercept"})
        for part, found in ratios.items()
    }


def by_hand(row: pd.Series, reading: str, interaction: str, supply: str) -> float:
    """(1 - pi) mu, term by term from the printed ratios; Table 1: age 47.11 (18.61), IMD 43.02 (20.62)."""
    x = row.to_dict()
    x["age"], x["imd_score"] = (row["age"] - 47.11) / 18.61, (row["imd_score"] - 43.02) / 20.62
    x["age_x_female"] = x["age"] * (row["female"] if interaction == "woman" else 1 - row["female"])
    x["age_x_imd"] = x["age"] * x["imd_score"]
    if supply == "mean":
        x[SUPPLY] = 4.17
    parts = {}
    for part, (constant, effects) in printed(reading).items():
        unmet = {"minority_ethnicity"} if part == "zero" and supply == "mean" else set()
        parts[part] = constant + sum(effect * x[t] for t, effect in effects.items() if t not in unmet)
    return math.exp(parts["count"]) / (1 + math.exp(parts["zero"]))


some_person = st.fixed_dictionaries(
    {"age": st.floats(18, 100), "imd_score": st.floats(0.5, 93), "female": st.sampled_from([0.0, 1.0])}
    | {term: st.sampled_from([0.0, 1.0]) for term in CONDITIONS}
    | {term: st.integers(0, 4).map(float) for term in COUNTS}
    | {SUPPLY: st.floats(0, 12), "log_days_alive": st.floats(0, 5.9)}
)


@given(
    some_person,
    st.sampled_from(READINGS),
    st.sampled_from(["man", "woman"]),
    st.sampled_from(["mean", "observed"]),
)
def test_expected_use_of_a_person_is_the_formula_term_by_term(who, reading, interaction, supply):
    formula = published(reading, interaction)
    rows = person(**who)
    expected = by_hand(rows.iloc[0], reading, interaction, supply)
    assert formula.predict(rows, supply=supply).iloc[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("reading", READINGS)
@settings(max_examples=50)
@given(some_person, st.floats(0, 12))
def test_need_does_not_change_when_only_supply_changes(reading, who, other):
    formula = published(reading)
    here, there = person(**who), person(**{**who, SUPPLY: other})
    assert formula.predict(here).equals(formula.predict(there))
    without = formula.predict(here.drop(columns=SUPPLY))
    assert formula.predict(here).equals(without)


def test_use_as_observed_does_change_with_supply_and_need_is_blind_to_unmet_need():
    few, many = (FORMULA.predict(person(**{SUPPLY: n}), supply="observed").iloc[0] for n in (1, 8))
    assert many > few
    # In the zero part alone, minority ethnicity stands for unmet need.
    white, other = (FORMULA.predict(person(minority_ethnicity=m)).iloc[0] for m in (0, 1))
    assert other / white == pytest.approx(math.exp(FORMULA.count["minority_ethnicity"]))


def test_a_person_needs_every_term_and_a_known_supply():
    with pytest.raises(errors.FormulaError, match=r"1 terms .* dementia"):
        FORMULA.predict(person().drop(columns="dementia"))
    with pytest.raises(errors.FormulaError, match="choose mean or observed"):
        FORMULA.predict(person(), supply="median")
    with pytest.raises(errors.FormulaError, match=r"district-nursing/liverpool-2024, district"):
        na.NeedFormula.published("district-nursing/liverpool")


@pytest.mark.parametrize("reading", READINGS)
def test_constants_solved_on_persons_return_what_was_asked(reading):
    rng = np.random.default_rng(5)
    rows = pd.concat([person(age=a, female=f, dementia=d) for a, f, d in rng.random((40, 3)).round(1)])
    rows["age"] = 18 + 80 * rows["age"]
    formula = published(reading)
    solved = calibration.on_rows(formula, rows, any_contact=0.05461, contacts=0.8549, label="a test")
    assert solved.share_with_contact(rows).mean() == pytest.approx(0.05461, rel=1e-9)
    assert solved.predict(rows, supply="observed").mean() == pytest.approx(0.8549, rel=1e-9)


# A cell of people


def one_age(age: int, score: float) -> na.People:
    """Everybody of one practice lives in one area and is of one age: conditions are then as frequent as its
    registers say, and every pattern can be written out."""
    of = catchment((registrations([(PRACTICES[1], CODES[2], 100)]), membership({PRACTICES[1]: "P1"})))
    who = people(of)
    return replace(with_ages(who, np.eye(91)[[age]]), imd_score=np.array([score]))


def patterns(who: na.People, age: int, lift: float = 1.0) -> tuple[pd.DataFrame, np.ndarray]:
    """Every sex and pattern of conditions of the cell as a person, and how frequent each is.

    lift: how much more often than usual everybody has each condition.
    """
    years = gradients.mid_year(np.array([age]))
    share = {term: gradients.reference_curve(term, years)[0] for term in CONDITIONS}
    share |= who.prevalence.iloc[0].to_dict()
    # In the other half as much less often as there is room for more in this one.
    room = {term: min(abs(lift - 1), 1 / value - 1) for term, value in share.items()}
    share = {term: value * (1 + np.sign(lift - 1) * room[term]) for term, value in share.items()}
    share["female"] = who.female_share[0, age]
    has = np.array(list(itertools.product([0.0, 1.0], repeat=len(share))))
    rows = pd.DataFrame(has, columns=list(share))
    weight = np.prod(np.where(has == 1, list(share.values()), 1 - np.array(list(share.values()))), axis=1)
    rows[["age", "imd_score"]] = years[0], who.imd_score[0]
    for term in COUNTS:
        rows[term] = gradients.reference_curve(term, years)[0]
    return rows.assign(log_days_alive=math.log(365), **{SUPPLY: 4.17}), weight


@pytest.mark.parametrize(("age", "score"), [(30, 12.0), (75, 55.0), (90, 80.0)])
@pytest.mark.parametrize("reading", READINGS)
def test_expected_use_of_a_cell_is_the_mean_over_every_pattern_of_conditions(reading, age, score):
    formula = published(reading)
    who = one_age(age, score)
    rows, weight = patterns(who, age)
    assert weight.sum() == pytest.approx(1)
    use = formula.expected_use(who)
    expected = 100 * weight @ formula.predict(rows)
    assert use.registered.crude.data == pytest.approx(expected, rel=1e-6)
    assert use.registered.at_equal_ages.data == pytest.approx(expected, rel=1e-6)
    assert use.registered.adults.data == pytest.approx(100)


@pytest.mark.parametrize("palliative", [0.01, 0.9])
def test_conditions_that_go_together_are_two_halves_of_the_people(palliative):
    """Nobody has a condition more often than always: of nine in ten, halves have it in ten and in eight."""
    who = one_age(50, 40.0)
    who = replace(who, prevalence=who.prevalence.assign(palliative_care=palliative))
    halves = [
        weight @ FORMULA.predict(rows) for rows, weight in (patterns(who, 50, 1 + d) for d in (-0.4, 0.4))
    ]
    use = FORMULA.expected_use(who, dependence=0.4)
    assert use.registered.crude.data == pytest.approx(100 * np.mean(halves), rel=1e-6)
    alone = FORMULA.expected_use(who).registered.crude.data
    assert abs(use.registered.crude.data / alone - 1) > 1e-3


def test_constants_solved_on_a_cell_return_what_was_asked():
    who = one_age(80, 40.0)
    solved = calibration.on_people(
        FORMULA, who, who.catchment.practices, any_contact=0.2, contacts=3.0, label="a test"
    )
    rows, weight = patterns(who, 80)
    assert weight @ solved.predict(rows, supply="observed") == pytest.approx(3.0, rel=1e-6)
    # Chance of any contact takes users' mean for each of them, which is off by less than a hundredth.
    assert weight @ solved.share_with_contact(rows) == pytest.approx(0.2, rel=0.01)


def test_use_by_group_is_the_mean_over_those_who_have_a_condition():
    """Chance of any contact takes users' mean for each of them, which is off by less than a hundredth."""
    who = one_age(80, 40.0)
    table = calibration.use_rates(FORMULA, who, who.catchment.practices)
    rows, weight = patterns(who, 80)
    chance = FORMULA.share_with_contact(rows).to_numpy()
    for term in ("dementia", "nursing_home", "female"):
        has = weight * rows[term].to_numpy()
        relative = has @ chance / has.sum() / (weight @ chance)
        assert table.at[term, "found"] == pytest.approx(relative, rel=0.01)
        assert table.at[term, "adults"] == pytest.approx(100 * has.sum(), rel=1e-9)
        assert abs(relative - 1) > 0.02


@given(st.floats(1e-4, 0.95), st.floats(-3, 3), st.integers(0, 2**32 - 1))
def test_a_curve_over_ages_keeps_its_prevalence(share, slope, seed):
    weight = np.random.default_rng(seed).dirichlet(np.ones(73))
    slope_z = slope * gradients.standardised(np.arange(18, 91) + 0.5)
    constant = gradients.level(np.array([share]), weight[None, :], slope_z)
    assert weight @ (1 / (1 + np.exp(-(constant + slope_z)))) == pytest.approx(share, rel=1e-9)


# The index


@law(worlds(), st.sampled_from(["registered", "resident"]), examples=15)
def test_the_index_averages_1_and_weighted_populations_sum_to_the_base(world, whose):
    found = need(catchment(world), people=whose)
    teams = found.teams[found.teams["expected_use"].notna()]
    adults = teams[f"{whose}_adults"]
    assert (teams["need_index_icb"] * adults).sum() == pytest.approx(adults.sum(), rel=1e-9)
    assert found.teams["weighted_population"].sum() == pytest.approx(found.base.adults, rel=1e-9)
    assert found.base.adults == pytest.approx(adults.sum(), rel=1e-12)


@law(worlds(), examples=15)
def test_use_summed_by_area_and_by_team_is_the_same(world):
    found = need(catchment(world), people="resident")
    by_area = (found.areas["expected_use"] * found.areas["resident_adults"]).sum()
    by_team = (found.teams["expected_use"] * found.teams["resident_adults"]).sum()
    assert by_team == pytest.approx(by_area, rel=1e-9)
    assert found.teams["resident_adults"].sum() == pytest.approx(found.areas["resident_adults"].sum())
    lists = found.use.people.catchment.registered_by_team
    inside = found.teams["registered_adults"] * lists["inside"] / lists["registered"]
    assert inside.sum() == pytest.approx(found.areas["registered_adults"].sum(), rel=1e-9)


@law(worlds(), st.randoms(), examples=10)
def test_neither_order_nor_size_of_the_lists_moves_the_index(world, random):
    read, members = world
    order = list(range(len(read)))
    random.shuffle(order)
    again = read.iloc[order].assign(patients=2 * read["patients"].iloc[order])
    first, second = need(catchment(world)), need(catchment((again, members.iloc[::-1])))
    pd.testing.assert_series_equal(first.teams["need_index_icb"], second.teams["need_index_icb"])
    np.testing.assert_allclose(second.teams["weighted_population"], 2 * first.teams["weighted_population"])


def test_patients_outside_england_carry_their_teams_mean_need():
    home = [(PRACTICES[0], CODES[0], 900), (PRACTICES[1], CODES[3], 1000)]
    teams = membership({PRACTICES[0]: "P1", PRACTICES[1]: "P2"})
    without = need(catchment((registrations(home), teams))).teams
    beyond = need(catchment((registrations([*home, (PRACTICES[0], "W01000001", 100)]), teams))).teams
    assert beyond.at["P1", "expected_use"] == pytest.approx(without.at["P1", "expected_use"])
    assert beyond.at["P1", "registered_adults"] / without.at["P1", "registered_adults"] == pytest.approx(
        10 / 9
    )
    weighted = beyond["weighted_population"], without["weighted_population"]
    relative = [w["P1"] / w["P2"] for w in weighted]
    assert relative[0] / relative[1] == pytest.approx(10 / 9)


def test_england_is_the_base_of_a_whole_england(monkeypatch):
    monkeypatch.setitem(geography.AREAS_OF_ENGLAND, "lsoa21", AREAS)
    found = na.need_index(FORMULA.expected_use(people(WHOLE)), base="england")
    adults = ENGLAND.population.loc[:, 18:].to_numpy().sum()
    assert found.base.adults == pytest.approx(adults)
    assert found.teams["weighted_population"].sum() == pytest.approx(adults)
    mean = np.average(found.areas["need_index_england"], weights=found.areas["resident_adults"])
    assert mean == pytest.approx(1, abs=1e-12)
    assert found.teams["resident_adults"].sum() == pytest.approx(adults)


def test_a_part_of_england_is_no_base_of_england():
    use = FORMULA.expected_use(people(WHOLE))
    with pytest.raises(errors.UnknownCodeError, match=r'33,755 areas.*have 8\. Choose base = "icb"'):
        na.need_index(use, base="england")
    with pytest.raises(errors.UnknownCodeError, match="QXX"):
        na.need_index(use, base="icb", icb="QXX")
    with pytest.raises(errors.FormulaError, match="choose england or icb"):
        na.need_index(use, base="wales")
    with pytest.raises(errors.FormulaError, match="choose registered or resident"):
        na.need_index(use, base="icb", people="everybody")


def test_an_icb_whose_patients_all_live_elsewhere_is_no_base():
    rows = [(PRACTICES[0], CODES[0], 9), (PRACTICES[1], "W01000001", 9)]
    icbs = {PRACTICES[0]: "QAA", PRACTICES[1]: "QBB"}
    teams = membership({PRACTICES[0]: "P1", PRACTICES[1]: "P2"}, icb=icbs)
    of = catchment((registrations(rows), teams))
    assert need(of, icb="QAA").base.adults == pytest.approx(need(of).base.adults)
    with pytest.raises(errors.InvalidValueError, match="No patient of the 1 teams"):
        need(of, icb="QBB")
