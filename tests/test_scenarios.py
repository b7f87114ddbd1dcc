"""Plans side by side with what is in place, posts that data move, inequalities and several services."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from needsalloc import errors
from needsalloc.allocate import allocate
from needsalloc.inequalities import SHARES, inequalities_sensitivity, with_inequalities
from needsalloc.limits import Limit
from needsalloc.scenarios import compare_plans, moved_by_data
from needsalloc.services import allocate_services

TEAMS = pd.Index(["P0", "P1", "P2"], name="team")


def need(*weights, **columns):
    return pd.DataFrame({"weighted_population": [float(weight) for weight in weights], **columns}, TEAMS)


NOW = pd.DataFrame(
    {"team": TEAMS, "current": [8.0, 7.0, 5.0], "vacancies": [0.0, 2.0, 1.0], "basis": "in post"}
)


def test_scenarios_by_hand():
    plans = {
        "age and need": allocate(20, need(50, 30, 20), current=NOW),
        "heads": allocate(20, need(40, 30, 30), current=NOW),
        "growth": allocate(22, need(50, 30, 20), current=NOW),
    }
    found = compare_plans(plans)
    assert found.posts["now"].to_list() == [8, 7, 5]
    assert found.posts["growth"].to_list() == [11, 7, 4]
    # Targets 10, 6, 4; 8, 6, 6; 11, 6.6, 4.4.
    assert found.table["side"].to_list() == ["on both sides", "above target", "on both sides"]
    assert found.table["lowest_by"].to_list() == ["heads", "age and need", "age and need"]
    assert found.table["target_high"].to_list() == [11, 6.6, 6]
    summary = found.summary
    assert summary.index.to_list() == ["now", *plans]
    assert summary["total"].to_list() == [20, 20, 20, 22]
    assert summary["gained"].to_list() == [0, 2, 1, 3]
    assert summary["lost"].to_list() == [0, 2, 1, 1]
    assert summary["filled_posts_lost"].to_list() == [0, 0, 0, 0]
    assert summary["teams_below_target"].to_list()[1:] == [1, 1, 1]
    assert summary["from_first"].to_list() == [2, 0, 2, 1]
    assert "1 above by every plan" in repr(found)
    assert "in post" in repr(found)


def test_filled_posts_that_go_are_counted():
    found = compare_plans({"one": allocate(20, need(10, 5, 5), current=NOW)})
    assert found.posts["one"].to_list() == [10, 5, 5]
    assert found.summary["filled_posts_lost"].to_list() == [0, 0]
    more = compare_plans({"one": allocate(20, need(15, 1, 4), current=NOW)})
    # P1 goes from 7 to 1: two are vacant, four are not. P2 from 5 to 4, which is its vacancy.
    assert more.summary["filled_posts_lost"].to_list() == [0, 4]


PLAN = allocate(20, need(50, 30, 20), current=NOW)


@pytest.mark.parametrize(
    ("plans", "error", "says"),
    [
        ({}, errors.InvalidValueError, "no plan"),
        ({"now": PLAN}, errors.AllocationError, "called 'now'"),
        ({"a": allocate(20, need(5, 3, 2))}, errors.InvalidValueError, "'a' has no current posts"),
        (
            {"a": PLAN, "b": allocate(20, need(5, 3, 2).iloc[:2], current={"P0": 1.0})},
            errors.UnknownCodeError,
            "1 teams are in 'b' or in 'a' only: P2",
        ),
        (
            {"a": PLAN, "b": allocate(20, need(5, 3, 2), current=NOW, unit="GBP")},
            errors.InvalidValueError,
            "in GBP",
        ),
        (
            {"a": PLAN, "b": allocate(20, need(5, 3, 2), current=NOW.assign(basis="paid"))},
            errors.InvalidValueError,
            r"other current figures \(paid.*in post",
        ),
        (
            {"a": PLAN, "b": allocate(20, need(5, 3, 2), current=NOW.assign(current=9.0))},
            errors.InvalidValueError,
            "other current figures",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(plans, error, says):
    with pytest.raises(error, match=says):
        compare_plans(plans)


def test_posts_that_move_because_data_moved():
    before = allocate(20, need(50, 30, 20))
    after = allocate(20, need(40, 30, 20).rename({"P2": "P9"}))
    found = moved_by_data(after, before)
    # 20 x 40, 30, 20 over 90: 8.9, 6.7, 4.4. P2 closed and P9 opened.
    assert found["moved"].to_dict() == {"P2": -4, "P9": 4, "P0": -1, "P1": 1}
    assert found.index.to_list()[2:] == ["P0", "P1"]
    assert found.loc["P0", "need_share_change"] == pytest.approx(40 / 90 / 0.5 - 1)
    assert np.isnan(found.loc["P9", "posts_before"])
    assert moved_by_data(before, before).empty
    with pytest.raises(errors.AllocationError, match="differ in choices"):
        moved_by_data(allocate(20, need(4, 3, 2), limits=[Limit("x", "minimum", 1)]), before)


weights = st.lists(st.floats(0.1, 100), min_size=3, max_size=3)


@settings(max_examples=40)
@given(weights, weights, weights, st.floats(0, 0.3))
def test_an_inequalities_share_keeps_the_sum_and_moves_towards_the_weights(size, heads, of_head, share):
    table = need(*size, heads=heads)
    found = with_inequalities(table, dict(zip(TEAMS, of_head, strict=True)), share=share, people="heads")
    before, after = table["weighted_population"], found["weighted_population"]
    assert after.sum() == pytest.approx(before.sum(), rel=1e-12)
    counted = np.array(heads) * of_head
    pull = counted / counted.sum() - before / before.sum()
    np.testing.assert_allclose(after / after.sum() - before / before.sum(), share * pull, atol=1e-12)


def test_sensitivity_to_the_inequalities_share():
    table = need(50, 30, 20, heads=[30, 30, 30])
    found = inequalities_sensitivity(
        20, table, dict(zip(TEAMS, [1.0, 1.0, 4.0], strict=True)), people="heads", current=NOW
    )
    assert found.targets.columns.to_list() == [f"h = {round(100 * h)} %" for h in SHARES]
    # At 30 %: 0.7 x 10 + 0.3 x 20 / 6, and so on.
    np.testing.assert_allclose(found.targets["h = 30 %"], [8.0, 5.2, 6.8])
    # The further from 0, the more posts are elsewhere; "now" stands first.
    assert found.summary["from_first"].iloc[1:].is_monotonic_increasing
    assert found.summary["from_first"].iloc[-1] == 3


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"share": 0.4}, errors.AllocationError, "0.4: choose from 0 to 0.3"),
        ({"people": "adults"}, errors.MissingColumnError, "adults"),
        ({"weights": {"P0": 1.0}}, errors.InvalidValueError, "2 of 3 teams have no inequality weight.*P1"),
        ({"weights": dict.fromkeys(TEAMS, 0.0)}, errors.InvalidValueError, "Nobody counts"),
    ],
)
def test_an_inequalities_share_that_cannot_be_is_refused(options, error, says):
    told = {"weights": dict.fromkeys(TEAMS, 1.0), "share": 0.1, "people": "heads", **options}
    with pytest.raises(error, match=says):
        with_inequalities(need(5, 3, 2, heads=1.0), told.pop("weights"), **told)


SERVICES = pd.DataFrame(
    {
        "total": [20, 3, 900],
        "need": ["adults", "children", "adults"],
        "step": [1, 0.5, 1],
        "unit": ["FTE", "FTE", "£000"],
    },
    index=["district nursing", "health visiting", "equipment"],
)
NEEDS = pd.DataFrame({"adults": [50, 30, 20.0], "children": [1, 1, 4.0]}, TEAMS)


def test_several_services_are_each_alone():
    found = allocate_services(
        SERVICES, NEEDS, current={"district nursing": NOW}, options={"equipment": {"minimum": 200}}
    )
    for name, row in SERVICES.iterrows():
        assert found.posts[name].sum() == row["total"]
    alone = allocate(3, need(1, 1, 4), step=0.5).table["posts"]
    assert found.posts["health visiting"].to_list() == alone.to_list() == [0.5, 0.5, 2]
    assert found.posts["equipment"].min() == 200
    assert found.table.loc[("district nursing", "P0"), "change"] == 2
    assert found.plans["equipment"].unit == "£000"
    assert "health visiting 3 FTE" in repr(found)


@pytest.mark.parametrize(
    ("services", "told", "error", "says"),
    [
        (SERVICES.assign(need="elderly"), {}, errors.MissingColumnError, "3 services.*elderly"),
        (SERVICES.drop(columns="total"), {}, errors.MissingColumnError, "total"),
        (pd.concat([SERVICES, SERVICES]), {}, errors.InvalidValueError, "twice"),
        (SERVICES, {"options": {"podiatry": {}}}, errors.UnknownCodeError, "podiatry"),
    ],
)
def test_services_that_cannot_be_are_refused(services, told, error, says):
    with pytest.raises(error, match=says):
        allocate_services(services, NEEDS, **told)
