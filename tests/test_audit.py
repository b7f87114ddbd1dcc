"""Laws of the equity audit: fifths add up to the plan, and posts that follow need are where need is."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

import needsalloc as na
from needsalloc import errors, synthetic
from small_worlds import (
    CODES,
    ENGLAND,
    FORMULA,
    PRACTICES,
    catchment,
    law,
    membership,
    need,
    people,
    registrations,
    worlds,
)


@pytest.fixture(scope="module")
def index() -> na.NeedIndex:
    """The demo's ICB: 300 areas of all fifths, ten PCNs and a practice without one."""
    england = synthetic.england()
    of = na.Catchment.from_registrations(england.registrations, england.membership)
    files = {name: getattr(england, name) for name in ("population", "deprivation", "lists", "conditions")}
    formula = na.NeedFormula.published("district-nursing/liverpool-2024")
    return na.need_index(formula.expected_use(na.build_people(of, **files)), base="icb")


@law(worlds(), st.integers(1, 50), examples=20)
def test_fifths_add_up_to_the_plan(world, total):
    found = need(catchment(world))
    if not found.teams["is_team"].any() or found.teams.query("is_team")["weighted_population"].sum() == 0:
        with pytest.raises(errors.AllocationError):
            na.allocate(total, found.teams)
        return
    plan = na.allocate(total, found.teams)
    table = na.audit_equity(plan, found).table
    assert list(table["deprivation_fifth"]) == [1, 2, 3, 4, 5]
    assert table["people"].sum() == pytest.approx(found.areas["registered_adults"].sum())
    for column in ("posts", "target"):
        assert table[column].sum() == pytest.approx(total, rel=1e-9)
    for column in ("share_of_people", "share_of_need", "share_of_target", "share_of_posts"):
        assert table[column].sum() == pytest.approx(1)
    assert table[["current", "share_of_current", "change"]].isna().to_numpy().all()


def test_people_and_need_stand_in_the_fifth_of_their_area(index):
    table = na.audit_equity(na.allocate(100, index.teams), index).table.set_index("deprivation_fifth")
    fifth = (index.areas["deprivation_decile"] + 1) // 2
    adults, contacts = (
        pd.Series(flows.sum(axis=1), index=index.areas.index)
        for flows in (index.use.registered.adults, index.use.registered.crude)
    )
    np.testing.assert_allclose(table["people"], adults.groupby(fifth).sum())
    np.testing.assert_allclose(table["share_of_need"], contacts.groupby(fifth).sum() / contacts.sum())
    by_fifth = contacts.groupby(fifth).sum() / adults.groupby(fifth).sum() / index.base.mean_use
    np.testing.assert_allclose(table["need_index_crude"], by_fifth)
    level = (adults * index.areas["need_index_age_standardised"]).groupby(fifth).sum()
    np.testing.assert_allclose(table["need_index_age_standardised"], level / adults.groupby(fifth).sum())
    np.testing.assert_allclose(
        table["posts_per_10000_adults"], 10_000 * table["posts"] / adults.groupby(fifth).sum()
    )


def test_posts_in_proportion_to_need_stand_where_need_is():
    """With every practice in a PCN and nobody living elsewhere, targets by fifth are need by fifth."""
    rows = [(p, c, 50 + 7 * i * j) for i, p in enumerate(PRACTICES) for j, c in enumerate(CODES)]
    teams = {p: f"P{k % 3}" for k, p in enumerate(PRACTICES)}
    found = need(catchment((registrations(rows), membership(teams))))
    table = na.audit_equity(na.allocate(90, found.teams, step=0.1), found).table
    np.testing.assert_allclose(table["share_of_target"], table["share_of_need"], rtol=1e-9)


def test_what_would_have_to_move(index):
    teams = index.teams[index.teams["is_team"]]
    target = na.allocate(100, index.teams).table["target"]
    current = target[teams.index].copy()
    at_target = na.audit_equity(na.allocate(100, index.teams, current=current), index)
    assert at_target.hoover == pytest.approx(0, abs=1e-12)
    current.iloc[0] += 3
    current.iloc[1] -= 3
    plan = na.allocate(100, index.teams, current=current)
    moved = na.audit_equity(plan, index)
    assert moved.hoover == pytest.approx(0.03)
    assert moved.table["current"].sum() == pytest.approx(100)
    assert moved.table["change"].sum() == pytest.approx(plan.table["change"].sum(), abs=1e-9)
    assert moved.most_deprived_change == moved.table["change"].iloc[0]
    # Twice the staff everywhere is the same unfairness.
    twice = na.audit_equity(na.allocate(100, index.teams, current=2 * current), index)
    assert twice.hoover == pytest.approx(0.03)


def test_a_plan_of_some_teams_is_audited_over_their_people(index):
    some = index.teams.iloc[[2, 5]]
    table = na.audit_equity(na.allocate(20, some), index).table
    lists = index.use.people.catchment.registered_by_team.loc[some.index]
    inside = some["registered_adults"] * lists["inside"] / lists["registered"]
    assert table["people"].sum() == pytest.approx(inside.sum())
    assert table["posts"].sum() == pytest.approx(20)


def test_a_team_that_did_not_say_what_it_has_is_not_taken_to_have_nobody(index):
    given = index.teams.index[index.teams["is_team"]]
    current = {team: 10.0 for team in given[1:]}
    audit = na.audit_equity(na.allocate(100, index.teams, current=current, step=0.1), index)
    plan = na.allocate(100, index.teams, current=current, step=0.1).table
    assert audit.table[["current", "share_of_current", "current_per_10000_adults"]].isna().all(axis=None)
    assert audit.table["change"].sum() == pytest.approx(plan["change"].sum())
    everyone = na.audit_equity(
        na.allocate(100, index.teams, current=current | {given[0]: 10.0}, step=0.1), index
    )
    assert everyone.table["change"].sum() == pytest.approx(100 - 10 * len(given))
    np.testing.assert_allclose(everyone.table["change"], everyone.table["posts"] - everyone.table["current"])


def test_without_current_figures_nothing_is_said_of_change(index):
    audit = na.audit_equity(na.allocate(100, index.teams), index)
    assert np.isnan([audit.hoover, audit.most_deprived_change]).all()
    assert "move" not in repr(audit)


def test_at_equal_ages_need_rises_with_deprivation(index):
    """The formula's own direction: worse scores and more conditions; ages alone can hide it."""
    level = na.audit_equity(na.allocate(100, index.teams), index).table["need_index_age_standardised"]
    assert level.is_monotonic_decreasing


NOT_ALL = [1.0] * 7 + [np.nan]


@pytest.mark.parametrize(
    ("deciles", "says"),
    [(None, "no deciles.*national file"), (NOT_ALL, f"1 areas.*{CODES[7]}"), ([0] * 8, "8 areas.*1 to 10")],
)
def test_an_area_without_a_decile_is_refused(deciles, says):
    of = catchment((registrations([(PRACTICES[0], c, 9) for c in CODES]), membership({PRACTICES[0]: "P1"})))
    imd = ENGLAND.deprivation.drop(columns="deprivation_decile")
    imd = imd if deciles is None else imd.assign(deprivation_decile=deciles)
    found = na.need_index(FORMULA.expected_use(people(of, deprivation=imd)), base="icb")
    with pytest.raises(errors.InvalidValueError, match=says):
        na.audit_equity(na.allocate(3, found.teams), found)
