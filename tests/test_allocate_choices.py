"""Limits, reserves, adjustments and factors in one allocation: the total is kept and what holds is named."""

import heapq

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from needsalloc import errors
from needsalloc.allocate import allocate
from needsalloc.choices import Adjustment, Price, Reserve, Time
from needsalloc.limits import Limit

RULES = ["webster", "hamilton", "huntington-hill", "adams", "jefferson"]
SIGNPOST = {
    "webster": lambda n: n + 0.5,
    "jefferson": lambda n: n + 1.0,
    "adams": lambda n: n,
    "huntington-hill": lambda n: (n * (n + 1.0)) ** 0.5,
}


def table(*weights, **columns):
    index = pd.Index([f"P{k}" for k in range(len(weights))], name="team")
    return pd.DataFrame({"weighted_population": [float(weight) for weight in weights], **columns}, index)


@st.composite
def tasks(draw):
    """Need with zeros, bounds by team that can be met, a ring-fenced part, and a top-slice."""
    number = draw(st.integers(1, 7))
    weights = [
        draw(st.floats(0.5, 1e5)),
        *(draw(st.sampled_from([0.0, 50.0, 51.0])) for _ in range(number - 1)),
    ]
    least = draw(st.lists(st.integers(0, 4), min_size=number, max_size=number))
    ring = draw(st.lists(st.integers(0, 2), min_size=number, max_size=number))
    cap = [max(low, inside) + draw(st.integers(1, 9)) for low, inside in zip(least, ring, strict=True)]
    cap[0] = 500
    total = sum(max(low, inside + 1) for low, inside in zip(least, ring, strict=True)) + draw(
        st.integers(0, 40)
    )
    return table(*weights), least, cap, ring, total, draw(st.integers(0, 3))


def choices(least, cap, ring):
    limits = [Limit(f"least {k}", "minimum", low, teams=(f"P{k}",)) for k, low in enumerate(least)]
    limits += [Limit(f"most {k}", "cap", high, teams=(f"P{k}",)) for k, high in enumerate(cap)]
    return limits, Reserve("ring", {f"P{k}": float(posts) for k, posts in enumerate(ring)})


@settings(max_examples=40)
@given(tasks(), st.sampled_from(RULES))
def test_posts_sum_to_the_total_inside_every_limit(task, rule):
    need, least, cap, ring, total, top = task
    limits, fence = choices(least, cap, ring)
    plan = allocate(total + top, need, limits=limits, reserves=(fence, Reserve("night", top)), rule=rule)
    posts = plan.table["posts"].to_numpy()
    assert posts.sum() + plan.top_slice == total + top
    assert (posts >= np.maximum(least, ring)).all()
    assert (posts <= cap).all()
    bounded = plan.table["bounded_target"].to_numpy()
    assert bounded.sum() == pytest.approx(total, rel=1e-12)
    assert (bounded >= np.maximum(least, ring) - 1e-9).all()
    assert (bounded <= np.array(cap) + 1e-9).all()
    assert plan.table["target"].sum() == pytest.approx(total, rel=1e-12)
    held = plan.table["held_by"] != ""
    off = (plan.table["bounded_target"] - plan.table["target"]).abs()
    assert not held[off < 1e-12].any()


@settings(max_examples=40)
@given(tasks(), st.sampled_from(sorted(SIGNPOST)))
def test_each_step_goes_to_the_strongest_claim_on_what_is_shared(task, rule):
    need, least, cap, ring, total, _ = task
    limits, fence = choices(least, cap, ring)
    plan = allocate(total, need, limits=limits, reserves=(fence,), rule=rule)
    weight, own = need["weighted_population"].to_numpy(), np.array(ring)
    steps = np.maximum(np.array(least) - own, 0)
    # Adams and Huntington-Hill give everybody with need a first step.
    first = (weight > 0) & (SIGNPOST[rule](0) == 0)
    steps = np.maximum(steps, np.minimum(first, np.array(cap) - own))
    left = total - own.sum() - steps.sum()

    def claim(k):
        return (-weight[k] / SIGNPOST[rule](int(steps[k])), -weight[k], k)

    claims = [claim(k) for k in range(len(weight)) if weight[k] > 0 and steps[k] < cap[k] - own[k]]
    heapq.heapify(claims)
    for _ in range(left):
        k = heapq.heappop(claims)[-1]
        steps[k] += 1
        if steps[k] < cap[k] - own[k]:
            heapq.heappush(claims, claim(k))
    expected = pd.Series(steps + own, need.index)
    settled = need.index.difference(pd.Index(plan.tied))
    assert (plan.table.loc[settled, "posts"] == expected[settled]).all()


@settings(max_examples=40)
@given(tasks(), st.sampled_from(RULES), st.integers(-2, 3))
def test_an_adjustment_moves_its_team_by_its_size_and_keeps_the_total(task, rule, size):
    need, least, cap, ring, total, _ = task
    limits, fence = choices(least, cap, ring)
    told = {"limits": limits, "reserves": (fence,), "rule": rule}
    plain = allocate(total, need, **told)
    try:
        moved = allocate(
            total, need, adjustments=[Adjustment("P0", size, "a rise in frailty", "DoN")], **told
        )
    except errors.AllocationError:
        # Either its own limits stand against it, or those of all others together.
        first = plain.table.loc["P0", "posts"] + size
        others = np.where(need["weighted_population"] > 0, cap, np.maximum(least, ring))[1:].sum()
        least_of_others = np.maximum(least, ring)[1:].sum()
        zero = rule in ("adams", "huntington-hill")
        assert (
            first < max(least[0], ring[0])
            or others + first < total
            or first + least_of_others > total
            or zero
        )
        return
    assert moved.table["posts"].sum() == total
    assert moved.table.loc["P0", "posts"] == plain.table.loc["P0", "posts"] + size
    assert moved.table["adjusted"].sum() == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(
        moved.table["posts"] - moved.table["adjusted"], plain.table["posts"], atol=1e-9
    )
    row = moved.adjustments.iloc[0]
    assert (row["before"], row["after"]) == (plain.table.loc["P0", "posts"], moved.table.loc["P0", "posts"])


def test_a_plan_by_hand():
    # 20 posts, 2 of them a night team's, 1 ring-fenced in P2. Shares of the 17: 8.5, 5.1, 3.4. P0 has 6 at
    # most: what it leaves goes 3 to 2, so 6, 6.6 + 0, 4.4 + 1. In whole posts 6.6 and 4.4 are 7 and 4.
    plan = allocate(
        20,
        table(50, 30, 20),
        limits=[Limit("no room", "cap", 6.9, teams=("P0",), reason="one base", owner="Estates")],
        reserves=[Reserve("night", 2), Reserve("homeless team", {"P2": 1.0})],
        current={"P0": 9.0, "P1": 5.0, "P2": 5.0},
    )
    np.testing.assert_allclose(plan.table["target"], [8.5, 5.1, 4.4])
    np.testing.assert_allclose(plan.table["bounded_target"], [6, 6.6, 5.4])
    assert plan.table["posts"].to_list() == [6, 7, 5]
    np.testing.assert_allclose(plan.table["difference"], [0, 0.4, -0.4])
    assert plan.table["held_by"].to_list() == ["no room", "", ""]
    assert plan.table["ring_fenced"].to_list() == [0, 0, 1]
    np.testing.assert_allclose(plan.table["distance_from_target"], [9 / 8.5 - 1, 5 / 5.1 - 1, 5 / 4.4 - 1])
    assert (plan.top_slice, plan.below_quota, plan.above_quota) == (2, ("P0",), ("P1",))
    assert [each.source for each in plan.choices] == ["Estates", "", ""]
    assert "2 of them held back; limits hold 1" in repr(plan)


def test_adjustments_by_hand():
    decided = [
        Adjustment("P0", 1.5, "a hostel opened", "Place board"),
        Adjustment("P1", -0.5, "merged", "DoN"),
    ]
    plan = allocate(20, table(50, 30, 20), step=0.5, adjustments=decided)
    assert plan.table["posts"].to_list() == [11.5, 5.5, 3.0]
    assert plan.table["adjusted"].to_list() == [1.5, -0.5, -1.0]
    assert plan.adjustments[["before", "after"]].to_numpy().tolist() == [[10, 11.5], [6, 5.5]]
    assert plan.adjustments["owner"].to_list() == ["Place board", "DoN"]
    assert plan.table["held_by"].to_list() == ["adjustment", "adjustment", ""]


def test_time_and_price_scale_need():
    # Half the need and twice the minutes: the same posts.
    slow = Time(pd.Series({"P0": 20.0, "P1": 30.0}), travel={"P0": 0.0, "P1": 10.0}, source="diary, May 2026")
    plan = allocate(8, table(2, 1), time=slow)
    assert plan.table["posts"].to_list() == [4, 4]
    assert plan.table["minutes"].to_list() == [20, 40]
    money = allocate(8000, table(2, 1), price=Price({"P0": 1.0, "P1": 1.2}, "MFF"), unit="£000")
    assert money.table["target"].to_list() == pytest.approx([5000, 3000])
    assert [each.source for each in (*plan.choices, *money.choices)] == ["diary, May 2026", "MFF"]
    assert allocate(8, table(2, 1), time=Time(25.0, source="all alike")).table["posts"].to_list() == [5, 3]


def test_vacancies_stand_beside_changes():
    now = pd.DataFrame({"team": ["P0", "P1"], "current": [8.0, 2.0], "vacancies": [1.0, np.nan]})
    now = now.assign(basis="establishment", on="2026-04-01")
    plan = allocate(10, table(1, 1), current=now)
    assert plan.table["change"].to_list() == [-3, 3]
    assert plan.table.loc["P0", "filled_posts_lost"] == 2
    assert np.isnan(plan.table.loc["P1", "filled_posts_lost"])
    assert (plan.basis, plan.on) == ("establishment", "2026-04-01")
    assert "1 are below target now (establishment)" in repr(plan)


@pytest.mark.parametrize("rule", RULES)
def test_edges(rule):
    assert allocate(0, table(0, 0, 3)).table["posts"].to_list() == [0, 0, 0]
    assert allocate(7, table(3), rule=rule).table["posts"].to_list() == [7]
    all_at_minimum = allocate(6, table(9, 1, 1), limits=[Limit("two each", "minimum", 2)], rule=rule)
    assert all_at_minimum.table["posts"].to_list() == [2, 2, 2]
    assert allocate(4, table(9, 0, 1), rule=rule).table.loc["P1", "posts"] == 0


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        (
            {"limits": [Limit("cover", "minimum", 4), Limit("size", "cap", 3, teams=("P1",))]},
            errors.AllocationError,
            "P1 must have 4 by 'cover' and may have 3 by 'size'",
        ),
        (
            {"limits": [Limit("cover", "minimum", 4)]},
            errors.AllocationError,
            r"need 12 FTE, 2 more than the total of 10: 'cover' holds 3 teams at 12",
        ),
        (
            {"limits": [Limit("size", "cap", 3)]},
            errors.AllocationError,
            r"room for 9 FTE, 1 fewer than the total of 10: 'size' holds 3 teams at 9",
        ),
        ({"reserves": [Reserve("night", 11)]}, errors.AllocationError, "11 FTE are held back.*total is 10"),
        (
            {"reserves": [Reserve("x", {"P1": 8.0}), Reserve("y", 3)]},
            errors.AllocationError,
            "ring-fenced in P1: x",
        ),
        ({"reserves": [Reserve("night", 0.3)]}, errors.AllocationError, "night: 0.3.*multiple of the step 1"),
        ({"reserves": [Reserve("x", {"P9": 1.0})]}, errors.UnknownCodeError, "'x' names 1 teams.*P9"),
        ({"reserves": [Reserve("x", 1), Reserve("x", 1)]}, errors.AllocationError, "same name"),
        ({"adjustments": [Adjustment("P1", 1, "", "DoN")]}, errors.InvalidValueError, "P1 has no reason"),
        (
            {"adjustments": [Adjustment("P1", -9, "a", "b")]},
            errors.AllocationError,
            "take more from 1 teams.*P1",
        ),
        (
            {
                "adjustments": [Adjustment("P1", 1, "a", "b")],
                "limits": [Limit("size", "cap", 3, teams=("P1",))],
            },
            errors.AllocationError,
            "P1 must have 4 by 'adjustment' and may have 3 by 'size'",
        ),
        ({"rule": "adams", "total": 2}, errors.AllocationError, "By adams every team.*3 FTE, and 2"),
        ({"price": Price({"P0": 1.0}, "x")}, errors.AllocationError, "A price is for money; the unit.*FTE"),
        ({"time": Time(5.0, source="x"), "unit": "£000"}, errors.AllocationError, "Minutes are for posts"),
        (
            {"time": Time(5.0, source="x"), "price": Price({"P0": 1.0}, "x")},
            errors.AllocationError,
            "Both a price and a time",
        ),
        (
            {"time": Time({"P0": 5.0}, source="x")},
            errors.InvalidValueError,
            "2 of 3 teams have no minutes.*P1",
        ),
        (
            {"time": Time(5.0, travel=-1.0, source="x")},
            errors.InvalidValueError,
            "3 of 3 teams have no travel",
        ),
        ({"time": Time(5.0)}, errors.InvalidValueError, "source is empty"),
        (
            {"current": pd.DataFrame({"team": ["P0", "P1"], "current": 1.0, "basis": ["paid", "in post"]})},
            errors.InvalidValueError,
            "more than one basis: paid, in post",
        ),
        (
            {"current": pd.DataFrame({"team": ["P0"], "current": 1.0, "basis": ["planned"]})},
            errors.UnknownCodeError,
            "planned.*establishment",
        ),
        (
            {"current": pd.DataFrame({"team": ["P0"], "current": 1.0, "vacancies": [2.0]})},
            errors.InvalidValueError,
            "or more than posts: P0",
        ),
        ({"limits": [Limit("x", "minimum", 1, "per 10,000 people")]}, errors.InvalidValueError, "no people"),
    ],
)
def test_what_cannot_be_is_refused(options, error, says):
    told = {"total": 10, **options}
    with pytest.raises(error, match=says):
        allocate(told.pop("total"), table(50, 30, 20), **told)
