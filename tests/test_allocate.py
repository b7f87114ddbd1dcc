"""Laws of sharing posts: they add up, they follow need, and whoever is given a minimum has it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import needsalloc as na
from needsalloc import errors

STEPS = [1.0, 0.5, 1 / 3, 0.2, 0.1, 0.05]


def table(weights: dict[str, float], no_posts: tuple[str, ...] = ()) -> pd.DataFrame:
    frame = pd.DataFrame({"weighted_population": weights}, dtype=float).rename_axis("team")
    return frame.assign(is_team=~frame.index.isin(no_posts))


@st.composite
def needs(draw: st.DrawFn) -> pd.DataFrame:
    """Up to ten teams: ties, teams nobody is with, a group without posts."""
    weight = st.one_of(st.sampled_from([0.0, 100.0, 100.0]), st.floats(0.01, 90_000))
    weights = draw(st.lists(weight, max_size=9))
    need = {f"P{k}": w for k, w in enumerate([draw(st.floats(1, 90_000)), *weights])}
    return table({**need, "U": draw(weight)}, no_posts=("U",))


@given(needs(), st.integers(0, 500), st.sampled_from(STEPS), st.floats(0, 2))
def test_posts_sum_to_the_total_and_keep_to_the_minimum(need, steps, step, minimum):
    given_any = need["is_team"].to_numpy()
    least = int(np.ceil(round(minimum / step, 9)))
    steps += least * int(given_any.sum())
    plan = na.allocate(steps * step, need, step=step, minimum=minimum)
    assert plan.steps.dtype.kind == "i"
    assert plan.steps.sum() == steps
    np.testing.assert_allclose(plan.table["posts"], plan.steps * step, atol=1e-9)
    assert (plan.steps[given_any] >= least).all()
    assert (plan.steps[~given_any] == 0).all()


@given(needs(), st.integers(0, 500))
def test_targets_are_shares_of_need(need, total):
    plan = na.allocate(total, need).table
    assert plan["target_share"].sum() == pytest.approx(1, abs=1e-12)
    assert plan["target"].sum() == pytest.approx(total, rel=1e-12)
    assert plan.loc["U", ["target_share", "target", "posts"]].eq(0).all()
    teams = plan[plan["is_team"]]
    per_need = teams["target"] * teams["weighted_population"].sum() - teams["weighted_population"] * total
    np.testing.assert_allclose(per_need, 0, atol=1e-6 * max(total, 1))


@given(needs(), st.integers(0, 200), st.sampled_from([0.0, 1.0]))
def test_one_more_step_takes_nothing_away(need, total, minimum):
    total += len(need)
    before = na.allocate(total, need, minimum=minimum).steps
    after = na.allocate(total + 1, need, minimum=minimum).steps
    assert (after >= before).all()


@given(needs(), st.integers(0, 200), st.floats(0.01, 100))
def test_only_relative_need_counts(need, total, scale):
    more = need.assign(weighted_population=need["weighted_population"] * scale)
    np.testing.assert_array_equal(na.allocate(total, more).steps, na.allocate(total, need).steps)


@given(needs(), st.integers(0, 200), st.randoms())
def test_the_order_of_teams_moves_nothing_but_ties(need, total, random):
    order = list(need.index)
    random.shuffle(order)
    plan, again = na.allocate(total, need), na.allocate(total, need.loc[order])
    settled = need.index.difference(pd.Index(plan.tied))
    pd.testing.assert_series_equal(again.table.loc[settled, "posts"], plan.table.loc[settled, "posts"])
    assert set(again.tied) == set(plan.tied)


@given(needs(), st.integers(0, 200), st.sampled_from([0.0, 3.0]))
def test_teams_a_step_or_more_from_target_are_listed(need, total, minimum):
    plan = na.allocate(total + 3 * len(need), need, minimum=minimum)
    off = plan.table["posts"] - plan.table["target"]
    assert list(plan.above_quota) == list(off.index[off > 1 + 1e-6])
    assert list(plan.below_quota) == list(off.index[off < -1 - 1e-6])


def test_distance_is_negative_below_target():
    need = table({"P1": 300.0, "P2": 100.0, "U": 50.0}, no_posts=("U",))
    plan = na.allocate(8, need, current={"P1": 3.0, "P2": 4.0})
    assert list(plan.table["target"]) == [6, 2, 0]
    assert list(plan.table["distance_from_target"])[:2] == [-0.5, 1.0]
    assert list(plan.table["change"])[:2] == [3.0, -2.0]
    assert plan.table.loc["U", ["current", "distance_from_target", "change"]].isna().all()
    assert "1 are below target now" in repr(plan)


def test_what_is_in_place_now_changes_no_target():
    need = table({"P1": 300.0, "P2": 100.0})
    plain, given_now = na.allocate(8, need), na.allocate(8, need, current={"P1": 1.0, "P2": 7.0})
    columns = ["target_share", "target", "posts"]
    pd.testing.assert_frame_equal(plain.table[columns], given_now.table[columns])


def test_a_tie_goes_to_the_larger_need_then_the_lower_code_and_is_listed():
    # 10 / (2 + 1/2) = 2 / (0 + 1/2): the third post is a tie.
    plan = na.allocate(3, table({"P1": 2.0, "P2": 10.0}))
    assert list(plan.table["posts"]) == [0, 3]
    assert plan.tied == ("P1", "P2")
    assert list(na.allocate(1, table({"P1": 5.0, "P2": 5.0})).table["posts"]) == [1, 0]


def test_posts_show_no_noise_of_their_step():
    plan = na.allocate(0.7, table({"P1": 3.0, "P2": 4.0}), step=0.1)
    assert list(plan.table["posts"]) == [0.3, 0.4]


def test_a_minimum_is_rounded_up_to_a_step_and_listed_where_it_moves_posts():
    plan = na.allocate(10, table({"P1": 99.0, "P2": 1.0}), step=0.5, minimum=1.2)
    assert list(plan.table["posts"]) == [8.5, 1.5]
    assert (plan.above_quota, plan.below_quota) == (("P2",), ("P1",))


def test_the_group_without_a_pcn_has_posts_only_if_named():
    need = table({"P1": 1.0, "U": 1.0}, no_posts=("U",))
    assert list(na.allocate(4, need).table["posts"]) == [4, 0]
    assert list(na.allocate(4, need, without_posts=()).table["posts"]) == [2, 2]
    assert list(na.allocate(4, need, without_posts=("P1",)).table["posts"]) == [0, 4]


def test_a_group_of_nobody_is_given_no_minimum():
    need = table({"P1": 9.0, "P2": 0.0, "U": 1.0, "unassigned": 0.0}, no_posts=("U", "unassigned"))
    plan = na.allocate(10, need, minimum=2, without_posts=())
    assert list(plan.table["posts"]) == [6, 2, 2, 0]


NEED = table({"P1": 3.0, "P2": 1.0})


@pytest.mark.parametrize(
    ("total", "need", "options", "error", "says"),
    [
        (10.05, NEED, {"step": 0.1}, errors.AllocationError, "not a multiple of the step 0.1"),
        (-1, NEED, {}, errors.AllocationError, "total is -1"),
        (float("nan"), NEED, {}, errors.AllocationError, "both must be numbers"),
        (10, NEED, {"step": 0}, errors.AllocationError, "the step above 0"),
        (10, NEED, {"minimum": -1}, errors.AllocationError, "cannot be negative"),
        (10, NEED, {"minimum": float("nan")}, errors.AllocationError, "minimum is nan"),
        (10, NEED, {"minimum": 6}, errors.AllocationError, "2 teams needs 12.*total is 10"),
        (10, NEED, {"rule": "droop"}, errors.AllocationError, "droop.*choose webster, hamilton"),
        (10, NEED, {"without_posts": ("P1", "P2")}, errors.AllocationError, "has any need"),
        (10, NEED, {"without_posts": ("P9",)}, errors.UnknownCodeError, "P9"),
        (10, table({"P1": -3.0}), {}, errors.InvalidValueError, "1 teams.*P1"),
        (10, table({"P1": np.nan}), {}, errors.InvalidValueError, "1 teams.*P1"),
        (10, pd.concat([NEED, NEED]), {}, errors.InvalidValueError, "twice.*P1, P2"),
        (10, NEED.drop(columns="weighted_population"), {}, errors.InvalidValueError, "weighted_population"),
        (10, NEED, {"current": {"P9": 1.0}}, errors.UnknownCodeError, "P9.*lost"),
        (10, NEED, {"current": {"P1": -1.0}}, errors.InvalidValueError, "negative or missing: P1"),
        (10, NEED, {"current": pd.Series([1.0, 1.0], index=["P1", "P1"])}, errors.InvalidValueError, "P1"),
    ],
)
def test_what_cannot_be_met_is_refused(total, need, options, error, says):
    with pytest.raises(error, match=says):
        na.allocate(total, need, **options)
