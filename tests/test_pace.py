"""Pace of change: every year adds up, nobody passes a limit, and nobody is moved without a reason."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import brentq

import needsalloc as na
from needsalloc import errors
from needsalloc.allocate import allocate
from needsalloc.choices import Adjustment, Reserve
from needsalloc.kernels.pace import one_year
from needsalloc.limits import Limit
from needsalloc.pace import pace_of_change
from small_worlds import law


def plan(weight, current):
    teams = pd.Index([f"P{k}" for k in range(len(weight))], name="team")
    need = pd.DataFrame({"weighted_population": np.asarray(weight, dtype=float)}, teams)
    return na.allocate(len(teams), need, current=pd.Series(current, teams, dtype=float))


@st.composite
def plans(draw):
    """Up to eight teams; some without need, some with nothing in place, some at target."""
    team = st.tuples(st.sampled_from([0.0, 1.0, 2.0, 5.0, 0.3]), st.sampled_from([0.0, 1.0, 2.0, 3.7, 8.0]))
    teams = [(1.0, 2.0), *draw(st.lists(team, max_size=7))]
    weight, current = zip(*teams, strict=True)
    return plan(weight, current)


GROWTH = st.lists(st.sampled_from([0.0, 0.03, -0.01, 0.2]), min_size=1, max_size=4)
RULES = st.sampled_from(
    [
        {"floor": -0.05, "ceiling": 0.25},
        {"floor": -0.3},
        {"ceiling": 0.4},
        {"floor": {0.05: 0.0, 0.10: -0.02, 0.5: -0.10}, "ceiling": {-0.1: 0.5, 0.0: 0.3}},
        {"moves": "vacancies", "turnover": 0.1},
        {"moves": "vacancies", "turnover": 0.1, "floor": -0.04, "dead_band": 0.05},
        {"moves": "new posts"},
        {"floor": -0.05, "dead_band": 0.1},
    ]
)


def carried_out(of, growth, rules, **more):
    try:
        return pace_of_change(of, years=len(growth), growth=growth, **rules, **more)
    except errors.AllocationError:
        assume(False)


@law(plans(), GROWTH, RULES)
def test_every_year_adds_up_inside_its_limits(of, growth, rules):
    done = carried_out(of, growth, rules)
    total = of.table["current"].sum() * np.cumprod(1 + np.array(growth))
    np.testing.assert_allclose(done.totals, total, rtol=1e-12)
    np.testing.assert_allclose(done.by_year.sum(), total, rtol=1e-12)
    table = done.table
    assert (table["closing"] >= table["least"] - 1e-12).all()
    assert (table["closing"] <= table["most"] + 1e-12).all()
    for year in range(2, len(growth) + 1):
        pd.testing.assert_series_equal(
            table.loc[year, "opening"], table.loc[year - 1, "closing"], check_names=False
        )
    change = table["change"].groupby("team").sum() + of.table["current"].reindex(done.by_year.index)
    np.testing.assert_allclose(change.reindex(done.by_year.index), done.by_year.iloc[:, -1], atol=1e-12)


@law(plans(), GROWTH, RULES, st.sampled_from([0.1, 0.5, 1.0]))
def test_posts_in_steps_add_up_too(of, growth, rules, step):
    done = carried_out(of, growth, rules, step=step)
    steps = done.table["posts"] / step
    np.testing.assert_allclose(steps, steps.round(), atol=1e-9)
    np.testing.assert_allclose(done.by_year.sum(), done.totals, rtol=1e-9)
    assert ((done.table["posts"] - done.table["closing"]).abs() < step + 1e-9).all()
    change = done.by_year.diff(axis=1)
    change[1] = done.by_year[1] - of.table["current"].reindex(done.by_year.index)
    for year in change:
        np.testing.assert_allclose(done.table.loc[year, "change"], change[year], atol=1e-9)


@law(plans(), GROWTH, RULES)
def test_nobody_overtakes_anybody(of, growth, rules):
    """Whoever is further above target is not further below it a year later: there are no cliff edges."""
    done = carried_out(of, growth, rules)
    for _, year in done.table.groupby("year"):
        year = year[year["opening"] > 0].dropna().sort_values("opening_distance")
        assert (year["closing_distance"].diff().dropna() >= -1e-9).all()


@law(plans(), RULES)
def test_without_growth_nobody_passes_the_target(of, rules):
    # Posts of a team without need are released whether or not others are below target.
    assume((of.table.loc[of.table["target"] == 0, "current"] == 0).all())
    year = carried_out(of, [0.0], rules).table.loc[1]
    assert (year["closing"] >= year[["opening", "target"]].min(axis=1) - 1e-9).all()
    assert (year["closing"] <= year[["opening", "target"]].max(axis=1) + 1e-9).all()


@law(plans(), st.sampled_from([0.0, 0.02, 0.3]), st.sampled_from([0.0, 0.1, 0.5]))
def test_only_leavers_and_new_posts_move(of, growth, turnover):
    for rules in ({"moves": "new posts"}, {"moves": "vacancies", "turnover": turnover}):
        done = pace_of_change(of, years=3, growth=growth, **rules)
        stay = done.table["opening"] * (1 - rules.get("turnover", 0.0))
        assert (done.table["closing"] >= stay - 1e-12).all()


@law(plans(), RULES, st.randoms(), st.floats(0.01, 100))
def test_neither_order_nor_unit_matters(of, rules, random, scale):
    done = carried_out(of, [0.03, 0.0], rules)
    order = list(of.table.index)
    random.shuffle(order)
    weight, current = (of.table.loc[order, name] for name in ("weighted_population", "current"))
    again = na.allocate(len(order), weight.to_frame(), current=current * scale)
    again = pace_of_change(again, years=2, growth=[0.03, 0.0], **rules)
    expected = done.by_year.loc[again.by_year.index] * scale
    np.testing.assert_allclose(again.by_year, expected, rtol=1e-9, atol=1e-9 * scale)


def test_four_teams_by_hand():
    """Targets 10, 10, 10, 20. P0 may release 0.6 and P1 take 0.4: nobody else moves."""
    done = pace_of_change(plan([1, 1, 1, 2], [12, 8, 10, 20]), years=2, floor=-0.05, ceiling=0.05)
    assert done.by_year[1].to_list() == pytest.approx([11.6, 8.4, 10, 20])
    # In the second year P1 may take 5 % of 8.4.
    assert done.by_year[2].to_list() == pytest.approx([11.18, 8.82, 10, 20])
    assert done.table.loc[1, "held_by"].to_list() == ["total", "ceiling", "", ""]
    assert done.table.loc[1, "closing_distance"].to_list() == pytest.approx([0.16, -0.16, 0, 0])
    # 8 * 1.05^n: 9.261 after three years, 9.724 after four; P0 mirrors it, 10.739 and 10.276.
    assert done.years_to_within(0.05).to_list() == [4, 4, 0, 0]
    assert done.years_to_within(0.0).to_list() == [5, 5, 0, 0]


def test_new_posts_go_to_those_furthest_below_and_vacancies_from_those_above():
    of = plan([1, 1, 1, 2], [12, 8, 10, 20])
    done = pace_of_change(of, years=1, moves="new posts", growth=0.06)
    # 3 new posts, targets 10.6 and 21.2: 2 bring P1 to the distance of P2 and P3, the rest is for all three:
    # 38 + 3 = 41 posts over 42.4 of target.
    assert done.by_year[1].to_list() == pytest.approx([12, 41 / 4, 41 / 4, 41 / 2])
    done = pace_of_change(of, years=1, moves="vacancies", turnover=pd.Series([0.1, 0, 0, 0], of.table.index))
    assert done.by_year[1].to_list() == pytest.approx([10.8, 9.2, 10, 20])
    assert done.table["held_by"].to_list() == ["vacancies", "total", "", ""]


def test_what_is_over_goes_beyond_targets_and_takes_from_nobody():
    """By hand: targets 10. P1 may take 0.75 of 3 new posts; P2 and P3 share the rest and P0 keeps its 12."""
    done = pace_of_change(plan([1, 1, 1, 1], [12, 5, 10, 10]), years=1, ceiling=0.15, growth=3 / 37)
    assert done.by_year[1].to_list() == pytest.approx([12, 5.75, 11.125, 11.125])


def test_a_dead_band_stops_at_its_edge():
    of = plan([1, 1, 1, 2], [12, 8, 10.3, 19.7])
    done = pace_of_change(of, years=1, floor=-1, dead_band=0.05)
    # P0 goes to 10.5 and P1 to 9.5, and P2 and P3 stay: 1.5 each way.
    assert done.by_year[1].to_list() == pytest.approx([10.5, 9.5, 10.3, 19.7])
    assert done.table["held_by"].to_list() == ["dead band"] * 4


def test_a_floor_that_grows_with_the_distance():
    """By hand: 1 % fewer up to 5 % above target, 2 % from 10 % on, and 1.5 % at 7.5 %."""
    of = plan([1, 1, 1], [107.5, 102.5, 90])
    year = pace_of_change(of, years=1, floor={0.05: -0.01, 0.10: -0.02}).table.loc[1]
    assert year["opening_distance"].to_list() == pytest.approx([0.075, 0.025, -0.1])
    assert year["least"].to_list() == pytest.approx([107.5 * 0.985, 102.5 * 0.99, 90 * 0.99])
    assert year["closing"].to_list() == pytest.approx([105.8875, 101.475, 92.6375])
    assert year["held_by"].to_list() == ["floor", "floor", "total"]


@given(st.integers(0, 2**32 - 1))
def test_a_year_is_what_a_root_finder_finds(seed):
    """The level by scipy's bracketed root finder, where posts and targets have one total."""
    rng = np.random.default_rng(seed)
    target, current = rng.lognormal(size=(2, 3, 20))
    current *= (target.sum(axis=1) / current.sum(axis=1))[:, None]
    least, most = current * rng.uniform(0.8, 1, 20), current * rng.uniform(1, 1.3, 20)
    found = one_year(current, target, target.sum(axis=1), least, most)
    for k in range(3):
        low = np.clip(np.minimum(current[k], target[k]), least[k], most[k])
        high = np.clip(np.maximum(current[k], target[k]), least[k], most[k])

        def posts(level, k=k, low=low, high=high):
            return np.clip(level * target[k], low, high)

        level = brentq(lambda at, posts=posts, k=k: posts(at).sum() - target[k].sum(), 1e-6, 1e6, xtol=1e-14)
        np.testing.assert_allclose(found[k], posts(level), rtol=1e-9)


BAD = {
    "crossed": ({"floor": 0.1, "ceiling": 0.05}, "Year 1: 4 teams must end above what they may"),
    "over": (
        {"moves": "new posts", "growth": -0.1},
        "moving nobody keeps 50 FTE .* 5 more than the total of 45",
    ),
    "under": ({"ceiling": 0.02, "growth": 0.10}, "teams take 51 FTE, 4 fewer than the total of 55"),
    "no pace": ({}, "Neither floor nor ceiling"),
    "moves": ({"moves": "people"}, "choose posts, vacancies, new posts"),
    "years": ({"floor": -1, "years": 0}, "0 years: choose from 1"),
    "growth": ({"floor": -1, "growth": [0.1]}, "one for each of the 2 years"),
    "band": ({"floor": -1, "dead_band": 1.5}, "dead band is 1.5"),
    "step": ({"floor": -1, "step": 0.0}, "step is 0"),
    "floor": ({"floor": -2.0}, "change of -1 or more"),
    "no knots": ({"floor": {}}, "change of -1 or more"),
    "cliff": ({"floor": {0.05: 0.0, 0.0501: -0.2}}, "falls so steeply"),
    "turnover": ({"moves": "vacancies"}, "needed there"),
    "no turnover": ({"floor": -1, "turnover": 0.1}, "is for moves='vacancies'"),
}


@pytest.mark.parametrize(("options", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(errors.AllocationError, match=message):
        pace_of_change(plan([1, 1, 1, 2], [12, 8, 10, 20]), **{"years": 2, **options})


def test_what_is_missing_is_named():
    of = plan([1, 1, 1, 2], [12, 8, 10, 20])
    need = of.table[["weighted_population"]]
    with pytest.raises(errors.InvalidValueError, match="1 of 4 teams have no current posts: P3"):
        pace_of_change(na.allocate(4, need, current={"P0": 1, "P1": 1, "P2": 0}), years=1, floor=-1)
    with pytest.raises(errors.AllocationError, match="no posts in place"):
        pace_of_change(na.allocate(4, need, current=dict.fromkeys(need.index, 0)), years=1, floor=-1)
    for turnover in ({"P0": 0.1}, {**dict.fromkeys(need.index, 0.1), "P3": 1.5}):
        with pytest.raises(errors.InvalidValueError, match="no turnover from 0 to 1"):
            pace_of_change(of, years=1, moves="vacancies", turnover=turnover)
    with pytest.raises(errors.UnknownCodeError, match="1 teams with turnover are not in the plan: P9"):
        pace_of_change(of, years=1, moves="vacancies", turnover={**dict.fromkeys(need.index, 0.1), "P9": 0.1})


def test_it_says_what_it_is():
    done = pace_of_change(plan([1, 1, 1, 2], [12, 8, 10, 20]), years=2, floor=-0.05, ceiling=0.05)
    assert repr(done) == (
        "<PaceOfChange of 4 teams over 2 years, 50 to 50 FTE; "
        "distances from target end between -11.8% and +11.8%>"
    )
    assert "<table" in done._repr_html_()


def test_a_team_moves_towards_what_the_plan_comes_to_inside_its_limits():
    need = pd.DataFrame({"weighted_population": [3.0, 1.0]}, pd.Index(["P0", "P1"], name="team"))
    # 8 shared 6 to 2, and 2 more in P1.
    of = allocate(10, need, current={"P0": 8.0, "P1": 2.0}, reserves=[Reserve("hostel", {"P1": 2.0})])
    assert pace_of_change(of, years=1, floor=-0.5).table["closing"].to_list() == [6, 4]
    # At most 5 in P0, and one more by decision in P1 than the rule gives.
    held = {
        "limits": [Limit("full", "cap", 5.0, teams=("P0",))],
        "adjustments": [Adjustment("P1", 1, "a", "b")],
    }
    of = allocate(10, need, current={"P0": 8.0, "P1": 2.0}, **held)
    assert of.table["posts"].to_list() == [4, 6]
    assert pace_of_change(of, years=1, floor=-0.9).table["closing"].to_list() == [4, 6]
    # With nothing to share there is nothing to be on target of but the shares of need.
    empty = allocate(0, need, current={"P0": 5.0, "P1": 3.0})
    assert pace_of_change(empty, years=1, floor=-0.5).table["closing"].to_list() == [6, 2]
