"""Draws of need through a whole plan: each draw as if it were alone, chances by count, a fit to the end."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linked_people import fitted, people
from needsalloc import errors
from needsalloc.allocate import allocate
from needsalloc.choices import Adjustment, Reserve, Time
from needsalloc.limits import Limit
from needsalloc.plan_uncertainty import NOT_COVERED, plan_uncertainty
from needsalloc.uncertainty import index_uncertainty

TEAMS = pd.Index([f"P{k}" for k in range(5)], name="team")
SIZE = np.array([50.0, 30.0, 20.0, 12.0, 8.0])
NOW = dict(zip(TEAMS, [40.0, 34.0, 22.0, 20.0, 4.0], strict=True))


def need(values=SIZE):
    return pd.DataFrame({"weighted_population": np.asarray(values, dtype=float)}, TEAMS)


def drawn(number, spread=0.1, seed=3):
    noise = np.random.default_rng(seed).standard_normal((number, len(SIZE)))
    return pd.DataFrame(SIZE * np.exp(spread * noise), columns=TEAMS)


@settings(max_examples=8)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["webster", "hamilton", "adams", "huntington-hill", "jefferson"]),
    st.sampled_from([1.0, 0.5]),
)
def test_each_draw_is_the_plan_that_it_alone_would_give(seed, rule, step):
    options = {
        "step": step,
        "rule": rule,
        "current": NOW,
        "limits": [Limit("cover", "minimum", 9), Limit("room", "cap", 38)],
        "reserves": [Reserve("night", 4), Reserve("hostel", {"P3": 2.0})],
        "time": Time(dict(zip(TEAMS, [20.0, 25, 20, 30, 22], strict=True)), source="diary"),
    }
    draws = drawn(40, seed=seed)
    plan = allocate(120, need(), **options)
    found = plan_uncertainty(plan, draws)
    alone = [allocate(120, need(draw), **options).table for draw in draws.to_numpy()]
    targets = np.array([each["target"] for each in alone])
    posts = np.array([each["posts"] for each in alone])
    np.testing.assert_allclose(found.moved, np.abs(posts - plan.table["posts"].to_numpy()).sum(axis=1) / 2)
    ends = np.quantile(targets, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(found.table[["target_low", "target_high"]].T, ends)
    chance = (targets > np.array([*NOW.values()])).mean(axis=0)
    np.testing.assert_allclose(found.table["chance_below_target"], chance)
    # Of 40 sorted draws, the first makes up 2.5 % and the 39th 97.5 %.
    ordered = np.sort(posts, axis=0)
    np.testing.assert_allclose(found.table[["posts_low", "posts_high"]].T, ordered[[0, 38]])
    distance = np.array([*NOW.values()]) / ends[::-1] - 1
    np.testing.assert_allclose(found.table[["distance_low", "distance_high"]].T, distance)


def test_draws_without_spread_leave_nothing_open():
    plan = allocate(120, need(), current=NOW)
    found = plan_uncertainty(plan, pd.DataFrame([SIZE] * 3, columns=TEAMS))
    assert found.expected_moved == 0
    for what in ("target", "posts"):
        np.testing.assert_allclose(found.table[f"{what}_low"], plan.table[what])
        np.testing.assert_allclose(found.table[f"{what}_high"], plan.table[what])
    assert found.table["chance_below_target"].to_list() == [1, 0, 0, 0, 1]


def test_the_unit_of_need_in_a_draw_is_of_no_matter():
    plan, draws = allocate(120, need(), current=NOW), drawn(50)
    scaled = draws.mul(np.linspace(0.1, 9, 50), axis=0)
    pd.testing.assert_frame_equal(plan_uncertainty(plan, draws).table, plan_uncertainty(plan, scaled).table)


def test_adjusted_teams_stay_where_they_were_put():
    plan = allocate(120, need(), adjustments=[Adjustment("P4", 3, "a hostel opened", "DoN")])
    found = plan_uncertainty(plan, drawn(100)).table
    assert found.loc["P4", ["posts_low", "posts_high"]].to_list() == [11, 11]
    assert found.loc["P0", "posts_low"] < found.loc["P0", "posts_high"]
    assert found["chance_below_target"].isna().all()


def test_what_is_said_of_a_team():
    # P1 has 34 and needs 30 in 23 of 25 draws, more than 34 in two.
    rows = np.array([SIZE] * 23 + [[46, 36, 20, 10, 8]] * 2)
    found = plan_uncertainty(allocate(120, need(), current=NOW), pd.DataFrame(rows, columns=TEAMS))
    said = found.sentence("P1")
    assert "34.0 now (basis not stated), not under target in 92 % of draws" in said
    assert said.endswith(NOT_COVERED)
    assert "under target in 100 % of draws" in found.sentence("P0")
    assert "choice of model" in repr(found)
    with pytest.raises(errors.UnknownCodeError, match="P9 is not given posts"):
        found.sentence("P9")


def test_a_fit_goes_through_to_posts():
    rows = people()
    index = index_uncertainty(fitted(rows, errors="robust"), rows, by="team", draws=400, seed=5)
    of_team = index.table.loc[index.table["is_team"], ["people", "weighted_population"]]
    found = plan_uncertainty(allocate(40, of_team, step=0.5), index.draws * index.table["people"])
    share = index.table.loc[of_team.index, ["share_of_need_low", "share_of_need_high"]]
    # Shares of need are those of the base, which here is all of the plan's people.
    np.testing.assert_allclose(found.table[["target_low", "target_high"]], 40 * share, rtol=1e-9)
    assert (
        (found.table["posts_low"] <= found.table["posts"])
        & (found.table["posts"] <= found.table["posts_high"])
    ).all()
    assert 0 < found.expected_moved < 10


@pytest.mark.parametrize(
    ("draws", "error", "says"),
    [
        (drawn(9).drop(columns=["P1", "P3"]), errors.UnknownCodeError, "2 of 5 teams have no draws: P1, P3"),
        (drawn(1), errors.InvalidValueError, "There are 1 draws"),
        (-drawn(9), errors.InvalidValueError, "5 teams have draws that are negative"),
        (drawn(9).assign(P2=np.nan), errors.InvalidValueError, "1 teams have draws.*P2"),
        (0 * drawn(9), errors.InvalidValueError, "no need at all"),
        (pd.concat([drawn(9), drawn(9)], axis=1), errors.InvalidValueError, "two columns"),
    ],
)
def test_draws_that_cannot_be_are_refused(draws, error, says):
    with pytest.raises(error, match=says):
        plan_uncertainty(allocate(120, need()), draws)
