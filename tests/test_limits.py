"""Limits by name: the tightest holds, and a set that cannot be met says which clash and by how much."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from needsalloc import errors
from needsalloc.kernels.apportion import apportion
from needsalloc.limits import Limit, bounds, posts_for_cover

TABLE = pd.DataFrame(
    {"target": [10.0, 6.0, 4.0], "current": [12.0, 5.3, 4.0], "people": [50_000, 30_000, 20_000]},
    index=pd.Index(["P0", "P1", "P2"], name="team"),
)
COVER = Limit("safe cover", "minimum", 4.65, reason="two nurses on every shift", owner="Director of Nursing")
NEED = TABLE["target"]


def found(*limits, step=0.5):
    return bounds(limits, TABLE, step=step).table


def test_the_tightest_limit_holds_and_is_named():
    table = found(COVER, Limit("no cut beyond a tenth", "minimum", 0.9, "share of current"))
    assert table["minimum"].to_list() == [11.0, 5.0, 5.0]  # 10.8, 4.77 and 4.65, up to a half
    # Of two that are alike in steps the first named.
    assert table["minimum_by"].to_list() == ["no cut beyond a tenth", "safe cover", "safe cover"]
    assert np.isinf(table["cap"]).all()
    assert set(table["cap_by"]) == {""}


def test_every_basis_and_kind():
    table = found(
        Limit("one in ten thousand", "minimum", 1.0, "per 10,000 people"),
        Limit("a fifth above target", "cap", 1.2, "share of target"),
        Limit("rebuilt", "protected", 1.0, "share of current", teams=("P2",)),
    )
    assert table["minimum"].to_list() == [5, 3, 4]
    assert table["cap"].to_list() == [12, 7, 4]  # 7.2 down to a half
    assert table.loc["P2", ["minimum_by", "cap_by"]].to_list() == ["rebuilt", "rebuilt"]


@given(st.lists(st.floats(0, 30), min_size=1, max_size=5), st.sampled_from([0.1, 0.2, 0.5, 1.0]))
def test_minimums_go_up_and_caps_down_to_a_step(values, step):
    limits = [Limit(str(k), "minimum" if k % 2 else "cap", value) for k, value in enumerate(values)]
    table = found(*limits, step=step)
    minimums, caps = values[1::2], values[0::2]
    assert (table["minimum"] >= max([0.0, *minimums]) - 1e-8).all()
    assert (table["minimum"] < max([0.0, *minimums]) + step).all()
    assert (table["cap"] <= min(caps) + 1e-8).all()
    assert (table["cap"] > min(caps) - step).all()
    for bound in ("minimum", "cap"):
        steps = table[bound] / step
        np.testing.assert_allclose(steps, steps.round(), atol=1e-9)


@given(
    st.lists(st.tuples(st.sampled_from(["minimum", "cap"]), st.integers(0, 12)), max_size=4),
    st.integers(0, 30),
)
def test_what_is_not_refused_can_be_apportioned(drawn, total):
    limits = [Limit(str(k), kind, value) for k, (kind, value) in enumerate(drawn)]
    of = bounds(limits, TABLE, step=1)
    least, most = of.table["minimum"].to_numpy(), of.table["cap"].to_numpy()
    try:
        of.check(NEED, total)
    except errors.AllocationError:
        assert (least > most).any() or least.sum() > total or most.sum() < total
    else:
        steps = apportion(NEED.to_numpy(), total, least, most).steps
        assert steps.sum() == total
        assert ((steps >= least) & (steps <= most)).all()


def test_a_clash_names_limits_and_by_how_much():
    of = bounds([COVER, Limit("estate", "cap", 4.0, teams=("P1", "P2"))], TABLE, step=0.5)
    with pytest.raises(
        errors.AllocationError,
        match=r"2 teams have .* above their cap: P1 must have 5 by 'safe cover' and may have 4 by 'estate'",
    ):
        of.check(NEED, 20)
    of = bounds([COVER, Limit("city", "minimum", 9, teams=("P0",))], TABLE, step=0.5)
    with pytest.raises(
        errors.AllocationError,
        match="need 19 FTE, 1 more than the total of 18: 'safe cover' holds 2 teams at 10; 'city'",
    ):
        of.check(NEED, 18)
    of.check(NEED, 19)
    of = bounds([Limit("estate", "cap", 6)], TABLE, step=0.5)
    with pytest.raises(
        errors.AllocationError, match="room for 18 FTE, 2 fewer than the total of 20: 'estate'"
    ):
        of.check(NEED, 20)
    # A team without need takes nothing beyond its minimum of nothing.
    with pytest.raises(errors.AllocationError, match="room for 12 FTE, 6 fewer than the total of 18"):
        of.check(NEED.where(NEED > 4, 0.0), 18)


BAD = {
    "kind": (Limit("x", "floor", 1.0), errors.UnknownCodeError, "choose minimum, cap, protected"),
    "basis": (Limit("x", "cap", 1.0, "per head"), errors.UnknownCodeError, "per 10,000 people"),
    "value": (Limit("x", "cap", -1.0), errors.InvalidValueError, "is -1"),
    "nan": (Limit("x", "cap", float("nan")), errors.InvalidValueError, "not negative"),
    "team": (
        Limit("x", "cap", 1.0, teams=("P9",)),
        errors.UnknownCodeError,
        "1 teams .* not in the plan: P9",
    ),
    "protected": (
        Limit("x", "protected", 1.0, "share of current"),
        errors.AllocationError,
        "1 teams that are no multiple of the step 0.5: P1",
    ),
}


@pytest.mark.parametrize(("limit", "error", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_is_refused(limit, error, message):
    with pytest.raises(error, match=message):
        found(limit)


def test_what_is_missing_is_named():
    share = Limit("x", "cap", 1.0, "share of current")
    for table in (TABLE.drop(columns="current"), TABLE.assign(current=np.nan)):
        with pytest.raises(errors.InvalidValueError, match="3 teams have no current: P0, P1, P2"):
            bounds([share], table, step=1)
    with pytest.raises(errors.AllocationError, match="same name"):
        found(COVER, COVER)


def test_a_minimum_team_from_stated_cover():
    # Two on duty for 12 hours on 7 days are 168 hours; a post of 37.5 hours with 20 % away has 30.
    assert posts_for_cover(2, hours_a_week=84, hours_of_a_post=37.5, away=0.2) == pytest.approx(5.6)
    with pytest.raises(errors.InvalidValueError, match="1 away"):
        posts_for_cover(2, hours_a_week=84, hours_of_a_post=37.5, away=1.0)
