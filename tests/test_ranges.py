"""The range of an index over ways to make it, against scipy, hand figures and single indices."""

import doctest
import importlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

import needsalloc as na
from needsalloc import errors
from needsalloc import synthetic as made
from needsalloc.ranges import every_reading, need_range, range_over, utilisation_held

LIVERPOOL = "district-nursing/liverpool-2024"
VISITS = ["gp_consultations", "ae_attendances", "elective_admissions", "emergency_admissions"]
some_indices = arrays.arrays(np.float64, (10, 4), elements=st.integers(1, 8).map(lambda n: n / 4))


@pytest.fixture(scope="module")
def england() -> made.SyntheticEngland:
    return made.england(areas=40, pcns=5, seed=3)


@pytest.fixture(scope="module")
def people(england) -> na.People:
    catchment = na.Catchment.from_registrations(england.registrations, england.membership)
    files = {name: getattr(england, name) for name in ("population", "deprivation", "lists", "conditions")}
    return na.build_people(catchment, **files)


def test_the_example_runs():
    assert doctest.testmod(importlib.import_module("needsalloc.ranges")).failed == 0


@given(some_indices, st.data())
def test_every_way_is_inside_and_both_ends_are_reached(values, data):
    frame = pd.DataFrame(values, [f"P{n}" for n in range(10)], list("abcd"))
    frame.iloc[data.draw(st.integers(0, 9)), data.draw(st.integers(0, 3))] = np.nan
    found = range_over(frame).table
    for row, ways in frame.iterrows():
        known = ways.dropna()
        of = found.loc[row]
        assert (of["low"], of["high"], of["ways"]) == (known.min(), known.max(), len(known))
        assert (known[of["lowest_by"]], known[of["highest_by"]]) == (of["low"], of["high"])
        agree = (known > 1).all() or (known < 1).all()
        assert (of["side"] != "on both sides") == agree
    place = frame.apply(lambda way: stats.rankdata(-way, nan_policy="omit"))
    np.testing.assert_array_equal(found["best_rank"], place.min(axis=1))
    np.testing.assert_array_equal(found["worst_rank"], place.max(axis=1))


def test_choices_by_hand():
    """Reading moves P1 by 0.3 and P2 by 0.1, method P1 by 0 and P2 by 0.4; both together count nowhere."""
    columns = pd.MultiIndex.from_product([["r1", "r2"], ["m1", "m2"]], names=["reading", "method"])
    frame = pd.DataFrame([[1.0, 1.0, 1.3, 9.0], [0.9, 0.5, 0.8, 9.0]], ["P1", "P2"], columns)
    found = range_over(frame)
    assert found.choices.loc["reading", ["usual", "largest"]].tolist() == pytest.approx([0.2, 0.3])
    assert found.choices.loc["method", ["usual", "largest"]].tolist() == pytest.approx([0.2, 0.4])
    assert found.choices["moved_most"].tolist() == ["P1", "P2"]
    assert found.choices["ways"].tolist() == [2, 2]
    assert found.table["highest_by"].tolist() == ["r2, m2"] * 2
    assert found.table["side"].tolist() == ["on both sides"] * 2
    assert found.table["fifths"].tolist() == [2, 2]
    assert "no interval" in repr(found)
    assert "on both sides" in found._repr_html_()


def test_a_row_without_an_index_has_no_range():
    frame = pd.DataFrame({"a": [1.2, np.nan], "b": [1.3, np.nan]}, ["P1", "P2"])
    row = range_over(frame).table.loc["P2"]
    assert row["ways"] == 0
    assert row["side"] == ""
    assert row[["low", "high", "lowest_by", "best_rank"]].isna().all()


def persons(**visits: object) -> pd.DataFrame:
    """A few persons with every term of the paper; visits and admissions as given."""
    printed = na.reference.read("filipe-2024-zero").frame["term"]
    terms = [t for t in printed if t not in ("intercept", "age_x_female", "age_x_imd")]
    rows = pd.DataFrame(np.random.default_rng(2).integers(0, 2, (30, len(terms))), columns=terms)
    return rows.assign(age=np.linspace(18, 95, 30), imd_score=np.linspace(3, 70, 30), **visits)


def test_held_utilisation_is_the_formula_at_the_cohort_s_mean():
    """Means of Table 1 of the paper, typed from print."""
    printed = dict(zip(VISITS, (21.41, 0.36, 0.02, 0.14), strict=True))
    ways = every_reading()
    for reading, interaction, utilisation in ways:
        if utilisation != "utilisation by age":
            continue
        formula = ways[reading, interaction, utilisation]
        held = ways[reading, interaction, "utilisation held at its mean"]
        assert held.predict(persons(**dict.fromkeys(VISITS, 0))).equals(
            utilisation_held(formula).predict(persons(**dict.fromkeys(VISITS, 9)))
        )
        any_visits = {name: np.arange(30) for name in VISITS}
        np.testing.assert_allclose(
            held.predict(persons(**any_visits)), formula.predict(persons(**printed)), rtol=1e-12
        )
        assert any("Use of services is itself rationed" in note.why for note in held.notes)


def test_readings_are_all_there_and_the_default_is_first():
    ways = every_reading()
    assert len(ways) == 12
    first = next(iter(ways.values()))
    assert first.name == na.NeedFormula.published(LIVERPOOL).name
    assert {way[0] for way in ways} == {"realigned", "as-printed", "age-calibrated"}
    assert {way[1] for way in ways} == {"age x man", "age x woman"}


def test_each_way_is_the_index_of_its_own(people):
    found = need_range(people, base="icb")
    assert found.indices.shape[1] == 12 * 5
    assert found.indices.columns.names == ["reading", "interaction", "utilisation", "people"]
    home = people.catchment
    formula = na.NeedFormula.published(f"{LIVERPOOL}-as-printed", interaction="woman")
    need = na.need_index(
        formula.expected_use(people),
        base="icb",
        people="resident",
        catchment=home.with_method("first_past_the_post"),
    )
    way = ("as-printed", "age x woman", "utilisation by age", "resident, first past the post")
    teams = home.teams.index[home.teams["is_team"]]
    np.testing.assert_array_equal(found.indices.loc[teams, way], need.teams.loc[teams, "need_index_icb"])
    default = na.need_index(na.NeedFormula.published(LIVERPOOL).expected_use(people), base="icb")
    np.testing.assert_array_equal(found.table.loc[teams, "index"], default.teams.loc[teams, "need_index_icb"])
    assert set(found.table.index) == set(teams)
    assert (found.choices["largest"] > 0).all()


def test_formulas_and_catchments_of_one_s_own(people):
    ours = na.NeedFormula.published(LIVERPOOL)
    raised = ours.with_constants(ours.constants[0] - 0.5, ours.constants[1])
    found = need_range(
        people, formulas={"ours": ours, "raised": raised}, catchments=[people.catchment], base="icb"
    )
    assert found.indices.columns.names == ["formula", "people"]
    assert found.indices.shape[1] == 4
    assert list(found.choices.index) == ["formula", "people"]


def test_groups_of_areas_answer_for_residents(england, people):
    halves = pd.Series(np.where(np.arange(40) % 2, "odd", "even"), people.catchment.areas)
    found = need_range(people, catchments=[people.catchment.regroup(halves)], base="icb")
    assert set(found.table.index) == {"odd", "even"}
    assert found.indices.shape[1] == 12


def test_what_is_no_range_is_refused(people):
    one = pd.DataFrame({"a": [1.0, 2.0]}, ["P1", "P2"])
    with pytest.raises(errors.InvalidValueError, match="There is 1 way"):
        range_over(one)
    with pytest.raises(errors.InvalidValueError, match="1 rows are there twice: P1"):
        range_over(one.assign(b=1.0).rename(index={"P2": "P1"}))
    with pytest.raises(errors.InvalidValueError, match="Two catchments are proportional"):
        need_range(people, catchments=[people.catchment, people.catchment], base="icb")
    with pytest.raises(errors.UnknownCodeError, match="needs all 33,755 areas"):
        need_range(people)
