"""Methods side by side: every figure of the comparison against a plain computation, and against print."""

import numpy as np
import pandas as pd
import pytest

import needsalloc as na
from needsalloc import errors
from needsalloc.compare import compare_methods
from small_worlds import CODES, ENGLAND, law, membership, registrations, worlds

SCORES = ENGLAND.deprivation["imd_score"]


def compared(of, **options):
    population = ENGLAND.population.loc[of.areas]
    return compare_methods(of, population, SCORES, **options)


def shared_out(of) -> pd.DataFrame:
    """Residents by age, no more than are registered from an area: the lists are of a part of England."""
    population = ENGLAND.population.loc[of.areas]
    people = population.sum(axis=1)
    return population.mul(np.minimum(people, of.registered_by_area) / people, axis=0)


def members_by_method(flows: pd.DataFrame, teams: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Shares of each area with each team, from flows by area and team, in plain pandas."""
    total = flows.sum(axis=1)
    own = flows.loc[:, teams["is_team"].reindex(flows.columns)]
    largest = own.eq(own.max(axis=1), axis=0) & (own > 0)
    first = largest & largest.astype(int).cumsum(axis=1).eq(1)
    return {
        "proportional": flows.div(total, axis=0),
        "first past the post": first.astype(float),
        "threshold 30%": own.mul(10).ge(total.mul(3), axis=0).astype(float),
    }


@law(worlds())
def test_every_figure_by_method_is_that_of_a_plain_computation(world):
    of = na.Catchment.from_registrations(*world)
    result = compared(of)
    flows = of.to_frame().pivot_table(
        index="lsoa21", columns="team", values="registered", aggfunc="sum", observed=True
    )
    flows = flows.fillna(0.0)
    flows.columns = flows.columns.astype(str)
    population = shared_out(of)
    residents = population.sum(axis=1)
    middle = population.columns.to_numpy() + 0.5
    years = population @ middle
    for method, share in members_by_method(flows, of.teams).items():
        found = result.table.loc[method]
        for team in share:
            people = (share[team] * residents).sum()
            assert found.at[team, "resident"] == pytest.approx(people, rel=1e-9, abs=1e-9)
            assert found.at[team, "areas"] == (share[team] > 0).sum()
            if people:
                mean_age = (share[team] * years).sum() / people
                assert found.at[team, "mean_age"] == pytest.approx(mean_age, rel=1e-9)
                score = (share[team] * residents * SCORES).sum() / people
                assert found.at[team, "imd_score"] == pytest.approx(score, rel=1e-9)
        none = residents.sum() - sum((share[t] * residents).sum() for t in share if of.teams["is_team"][t])
        if method != "threshold 30%":
            assert result.summary.at[method, "of_none"] == pytest.approx(none, abs=1e-6)
        in_teams = (share[[c for c in share if of.teams["is_team"][c]]] > 0).sum(axis=1)
        summary = result.summary.loc[method]
        assert summary["areas_shared"] == (in_teams > 1).sum()
        assert summary["areas_of_none"] == (in_teams == 0).sum()


@law(worlds())
def test_everybody_is_served_counted_twice_or_named(world):
    of = na.Catchment.from_registrations(*world)
    result = compared(of)
    summary, everybody = result.summary, shared_out(of).to_numpy().sum()
    assert result.on_other_lists == pytest.approx(
        ENGLAND.population.loc[of.areas].to_numpy().sum() - everybody
    )
    np.testing.assert_allclose(summary["served_once_or_more"] + summary["of_none"], everybody)
    np.testing.assert_allclose(summary["resident"], everybody + summary["counted_twice"], atol=1e-6)
    assert summary.loc[["proportional", "first past the post"], "counted_twice"].abs().max() < 1e-6


def test_differences_are_from_the_first_method():
    rows = [("A", CODES[0], 6), ("B", CODES[0], 4), ("B", CODES[1], 10)]
    of = na.Catchment.from_registrations(registrations(rows), membership({"A": "P1", "B": "P2"}))
    first = of.with_method("first_past_the_post")
    table = compare_methods(first, ENGLAND.population.loc[of.areas], SCORES, others=[of]).table
    assert table.at[("proportional", "P1"), "resident_difference"] == pytest.approx(-0.4 * 10)
    assert table.at[("proportional", "P2"), "registered_difference"] == 4
    assert (table.loc["first past the post", "resident_difference"] == 0).all()


def test_what_cannot_be_compared_is_refused():
    of = na.Catchment.from_registrations(registrations([("A", CODES[0], 6)]), membership({"A": "P1"}))
    other = na.Catchment.from_registrations(registrations([("A", CODES[1], 6)]), membership({"A": "P1"}))
    with pytest.raises(errors.InvalidValueError, match="there twice"):
        compared(of, others=[of])
    with pytest.raises(errors.InvalidValueError, match="different areas"):
        compared(of, others=[other.with_method("first_past_the_post")])


def test_it_is_a_sentence_and_a_table():
    of = na.Catchment.from_registrations(
        registrations([("A", CODES[0], 6), ("B", CODES[0], 4)]), membership({"A": "P1", "B": "P2"})
    )
    result = compared(of)
    assert "MethodComparison of 4 methods, 2 teams" in repr(result)
    assert "<table" in result._repr_html_()
