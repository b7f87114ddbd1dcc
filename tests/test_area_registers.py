"""Registers carried to areas by age: totals, the recipe written out, what is left out and said."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import needsalloc as na
from needsalloc import errors, gradients
from needsalloc.ages import AGES, BANDS
from needsalloc.area_registers import LIVING_OUTSIDE, NOT_HERE, OVER_ITS_LIST, registers_by_area
from small_worlds import (
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

WHOLE_PEOPLE = people(WHOLE)
CONDITIONS = ENGLAND.conditions
TOTAL = CONDITIONS.groupby("condition")["register"].sum()


def changed(code: str, practice: str, register: float) -> pd.DataFrame:
    """The registers with one of them as given."""
    frame = CONDITIONS.copy()
    frame.loc[(frame["condition"] == code) & (frame["practice"] == practice), "register"] = register
    return frame


def many(conditions: pd.DataFrame, copies: int = 150) -> pd.DataFrame:
    """The registers and those of `copies` practices from elsewhere: one odd practice is then under 1 %."""
    one = conditions[conditions["practice"] == PRACTICES[-1]]
    others = [one.assign(practice=f"Y{at:05}") for at in range(copies)]
    return pd.concat([conditions, *others], ignore_index=True)


def plainly(of: na.People, conditions: pd.DataFrame, code: str) -> dict[str, float]:
    """Cases by area, one flow, one age at a time."""
    term = {"DEM": "dementia", "PC": "palliative_care", "LD": "learning_disability"}[code]
    register = conditions[conditions["condition"] == code].set_index("practice")["register"]
    slope, level = gradients.slope(term), gradients.reference_level(term)
    mean, sd = 47.11, 18.61  # the paper's cohort
    flows = of.ages.pattern.tocoo()
    order = np.lexsort((flows.row, flows.col))  # by practice, as the ages are
    expected = {}
    for at, flow in enumerate(order):
        area, practice = int(flows.row[flow]), int(flows.col[flow])
        cases = 0.0
        for age in range(18, 91):
            band = max(k for k, first in enumerate(BANDS) if first <= age)
            persons = of.ages.people["registered"][at, band] * of.ages.within[area, age]
            middle = 92.8 if age == 90 else age + 0.5
            cases += persons * expit(level + slope * (middle - mean) / sd)
        expected[area, practice] = cases
    found = dict.fromkeys(of.catchment.areas, 0.0)
    for (area, practice), cases in expected.items():
        whole = sum(value for (_, p), value in expected.items() if p == practice)
        name = of.catchment.practices[practice]
        away = of.catchment.outside_by_practice[practice]
        inside = of.catchment.registered.sum(axis=0)[practice]
        if name in register.index:
            found[of.catchment.areas[area]] += register[name] * inside / (inside + away) * cases / whole
    return found


@pytest.mark.parametrize("code", ["DEM", "PC", "LD"])
def test_the_recipe_written_out_gives_the_same(code):
    found = registers_by_area(WHOLE_PEOPLE, CONDITIONS)
    plain = pd.Series(plainly(WHOLE_PEOPLE, CONDITIONS, code))
    np.testing.assert_allclose(found.cases[code], plain, rtol=1e-9)  # sums in another order


@law(worlds(), examples=15)
def test_nobody_on_a_register_is_lost(world):
    of = people(catchment(world))
    found = registers_by_area(of, CONDITIONS)
    total = found.cases.sum() + found.not_carried.sum()
    np.testing.assert_allclose(total[TOTAL.index], TOTAL, rtol=1e-9)
    assert (found.cases >= 0).all(axis=None)
    away = CONDITIONS[~CONDITIONS["practice"].isin(of.catchment.practices)]
    missing = away.groupby("condition")["register"].sum().reindex(TOTAL.index).fillna(0.0)
    np.testing.assert_allclose(found.not_carried.loc[NOT_HERE, TOTAL.index], missing, atol=1e-9)


def test_who_lives_outside_takes_their_part_of_the_register():
    rows = [(PRACTICES[0], CODES[0], 300), (PRACTICES[0], "W01000001", 100), (PRACTICES[1], CODES[1], 200)]
    of = people(catchment((registrations(rows), membership(dict.fromkeys(PRACTICES, "P1")))))
    found = registers_by_area(of, CONDITIONS)
    register = CONDITIONS.set_index(["condition", "practice"])["register"]
    assert found.not_carried.at[LIVING_OUTSIDE, "DEM"] == pytest.approx(register["DEM", PRACTICES[0]] / 4)
    assert found.cases.at[CODES[0], "DEM"] == pytest.approx(register["DEM", PRACTICES[0]] * 0.75)
    assert found.cases.at[CODES[1], "DEM"] == pytest.approx(register["DEM", PRACTICES[1]])


def test_a_condition_without_a_gradient_is_even_over_the_ages_of_its_list():
    found = registers_by_area(WHOLE_PEOPLE, CONDITIONS)
    assert found.weights.loc["AST", ["rule", "first_age"]].tolist() == ["even", 6]
    given = {"AST": pd.Series((AGES >= 6) * 0.07, index=AGES)}
    again = registers_by_area(WHOLE_PEOPLE, CONDITIONS, by_age=given)
    np.testing.assert_allclose(again.cases["AST"], found.cases["AST"])
    assert again.weights.loc["AST", "rule"] == "given"
    np.testing.assert_allclose(found.prevalence["AST"], plain_prevalence("AST"))


def plain_prevalence(code: str) -> pd.Series:
    """By area, each practice's prevalence weighted by its list shared as its people over six."""
    of = WHOLE_PEOPLE.ages
    over = np.add.reduceat(of.within * (AGES >= 6), BANDS, axis=1)
    persons = of.on_flows((of.people["registered"] * over[of.pattern.indices]).sum(axis=1)).toarray()
    rows = CONDITIONS[CONDITIONS["condition"] == code].set_index("practice").loc[WHOLE.practices]
    there = persons / persons.sum(axis=0) * rows["list_size"].to_numpy() * inside()
    own = (rows["register"] / rows["list_size"]).to_numpy()
    return pd.Series(there @ own / there.sum(axis=1), WHOLE.areas)


def inside() -> np.ndarray:
    """The part of each practice's patients who live in England."""
    here = np.asarray(WHOLE.registered.sum(axis=0)).ravel()
    return here / (here + WHOLE.outside_by_practice)


def test_rates_by_age_that_are_given_count_by_their_shape_alone():
    curve = pd.Series(np.where(AGES >= 85, 0.2, 0.01), index=AGES)
    once, more = (registers_by_area(WHOLE_PEOPLE, CONDITIONS, by_age={"DEM": curve * k}) for k in (1, 3))
    np.testing.assert_allclose(once.cases, more.cases)
    assert not np.allclose(once.cases["DEM"], registers_by_area(WHOLE_PEOPLE, CONDITIONS).cases["DEM"])


def test_a_register_over_its_list_is_left_out_and_listed():
    odd = PRACTICES[0]
    frame = many(changed("DEM", odd, 1e6))
    found = registers_by_area(WHOLE_PEOPLE, frame)
    assert found.exceptions[["practice", "condition", "register"]].to_numpy().tolist() == [[odd, "DEM", 1e6]]
    assert found.not_carried.at[OVER_ITS_LIST, "DEM"] == 1e6
    assert found.people["DEM"].sum() < found.people["PC"].sum()  # nor are its patients counted
    assert any(odd in note.what for note in found.notes)
    total = frame.groupby("condition")["register"].sum()
    np.testing.assert_allclose((found.cases.sum() + found.not_carried.sum())[total.index], total, rtol=1e-9)


def test_what_ages_expect_of_practices_sums_to_the_registers():
    found = registers_by_area(WHOLE_PEOPLE, CONDITIONS)
    np.testing.assert_allclose(found.expected.sum(), found.registers.sum(), rtol=1e-9)
    assert (found.expected.index == WHOLE.practices).all()


def test_prevalence_is_cases_over_people_whose_practice_has_a_register():
    without = CONDITIONS[CONDITIONS["practice"] != PRACTICES[0]]
    found = registers_by_area(WHOLE_PEOPLE, without)
    listed = without[without["condition"] == "DEM"].set_index("practice")["list_size"]
    listed = (listed.reindex(WHOLE.practices).fillna(0.0) * inside()).sum()
    assert found.people["DEM"].sum() == pytest.approx(listed)
    np.testing.assert_allclose(found.prevalence * found.people, found.cases)
    assert any(note.what.startswith("Practices without registers: 1") for note in found.notes)


def test_teams_of_their_own_areas_lose_no_differences():
    # Each practice in an area of its own: going by areas is going by practices.
    rows = [(practice, code, 1_000) for practice, code in zip(PRACTICES, CODES, strict=False)]
    own = dict(zip(PRACTICES, [f"P{at}" for at in range(len(PRACTICES))], strict=True))
    own[PRACTICES[0]] = "U"
    of = people(catchment((registrations(rows), membership(own))))
    kept = registers_by_area(of, CONDITIONS).differences_kept(of.catchment)
    np.testing.assert_allclose(kept["slope"], 1.0)
    assert (kept["off_by_a_tenth"] == 0).all()
    assert kept.at["DEM", "teams"] == len(rows) - 1  # U is no team
    mixed = [(practice, code, 100) for practice in PRACTICES for code in CODES]
    of = people(catchment((registrations(mixed), membership(own))))
    lost = registers_by_area(of, CONDITIONS).differences_kept(of.catchment)
    assert (lost["slope"].abs() < 0.1).all()  # every area has them all: the teams come out alike


def test_it_says_what_it_is():
    found = registers_by_area(WHOLE_PEOPLE, CONDITIONS)
    assert "modelled by age" in repr(found)
    assert "<table" in found._repr_html_()


# Bad input


def test_many_registers_over_their_lists_are_refused():
    with pytest.raises(errors.InvalidValueError, match="practices have a register larger than its list"):
        registers_by_area(WHOLE_PEOPLE, CONDITIONS.assign(list_size=1.0, register=2.0))


def test_registers_of_other_places_are_refused():
    with pytest.raises(errors.UnknownCodeError, match="has patients in this catchment"):
        registers_by_area(WHOLE_PEOPLE, CONDITIONS.assign(practice="Z" + CONDITIONS["practice"]))


@pytest.mark.parametrize(
    ("rates", "error"),
    [
        ({"DEM": pd.Series(0.0, index=AGES)}, errors.InvalidValueError),
        ({"DEM": pd.Series([0.1], index=[65])}, errors.InvalidValueError),
        ({"DEM": pd.Series(-0.1, index=AGES)}, errors.InvalidValueError),
        ({"XYZ": pd.Series(0.1, index=AGES)}, errors.UnknownCodeError),
    ],
)
def test_rates_that_are_none_are_refused(rates, error):
    with pytest.raises(error, match=next(iter(rates))):
        registers_by_area(WHOLE_PEOPLE, CONDITIONS, by_age=rates)
