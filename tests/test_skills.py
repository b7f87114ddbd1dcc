"""Posts by team and band: both margins kept, each cell a step up or down, and no rounding that is nearer."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import needsalloc as na
from needsalloc import errors
from needsalloc.kernels.rounding import controlled_rounding
from needsalloc.skills import skill_mix

MIX = {"band 3": 0.25, "band 5": 0.5, "band 6": 0.25}


def plan(weight, total=20, step=0.5):
    teams = pd.Index([f"P{k}" for k in range(len(weight))], name="team")
    need = pd.DataFrame({"weighted_population": np.asarray(weight, dtype=float)}, teams)
    return na.allocate(total, need, step=step)


@st.composite
def whole_margins(draw, most=5):
    """Tables with whole margins: whole numbers, and cycles of fractions that move along rows and columns."""
    rows, columns = draw(st.integers(1, most)), draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    table = rng.integers(0, 4, (rows, columns)).astype(float)
    for _ in range(draw(st.integers(0, 6))):
        (k, m), (b, c) = rng.integers(0, rows, 2), rng.integers(0, columns, 2)
        part = rng.choice([0.5, 0.25, rng.random()])
        moved = table.copy()
        for at, by in (((k, b), part), ((m, c), part), ((k, c), -part), ((m, b), -part)):
            moved[at] += by
        table = moved if (moved >= 0).all() else table
    return table


@given(whole_margins(most=30))
def test_margins_are_kept_and_cells_are_next_to_what_they_were(table):
    found = controlled_rounding(table)
    np.testing.assert_array_equal(found.sum(axis=0), np.round(table.sum(axis=0)))
    np.testing.assert_array_equal(found.sum(axis=1), np.round(table.sum(axis=1)))
    assert (np.abs(found - table) < 1).all()
    whole = np.abs(table - np.round(table)) < 1e-9
    np.testing.assert_array_equal(found[whole], np.round(table[whole]))


@given(whole_margins(most=3))
def test_no_rounding_is_nearer(table):
    found = controlled_rounding(table)
    row, column = np.nonzero(np.abs(table - np.round(table)) > 1e-7)
    best = np.inf
    for up in itertools.product([0, 1], repeat=len(row)):
        other = np.round(table)
        other[row, column] = np.floor(table[row, column]) + up
        kept = np.allclose(other.sum(axis=0), table.sum(axis=0)) and np.allclose(
            other.sum(axis=1), table.sum(axis=1)
        )
        best = min(best, ((other - table) ** 2).sum()) if kept else best
    assert (
        (found - table) ** 2
    ).sum() <= best + 1e-3  # nine cells of 1e-4, which the order of cells may cost


def test_equal_roundings_go_to_the_first_team_and_band():
    assert controlled_rounding(np.full((2, 2), 0.5)).tolist() == [[1, 0], [0, 1]]
    assert controlled_rounding(np.array([[0.5, 0.5], [3.5, 3.5]])).tolist() == [[0, 1], [4, 3]]


def test_margins_that_are_not_whole_are_refused():
    with pytest.raises(ValueError, match="not whole"):
        controlled_rounding(np.array([[0.5, 0.2]]))


@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.5, 7.0]), min_size=1, max_size=8),
    st.integers(0, 60),
    st.lists(st.sampled_from([0.0, 1.0, 3.0, 0.7]), min_size=1, max_size=4),
)
def test_teams_and_bands_have_their_posts(weight, steps, parts):
    assume(sum(weight) and sum(parts))
    of = plan(weight, total=steps * 0.2, step=0.2)
    mix = pd.Series(parts, [f"band {k}" for k in range(len(parts))]) / sum(parts)
    found = skill_mix(of, mix)
    np.testing.assert_allclose(found.posts.sum(axis=1), of.table["posts"], atol=1e-9)
    np.testing.assert_allclose(found.posts.sum(), found.totals, atol=1e-9)
    assert found.totals.sum() == pytest.approx(of.total)
    assert ((found.table["posts"] - found.table["fitted"]).abs() < 0.2 + 1e-9).all()
    assert (found.posts.loc[:, mix == 0] == 0).all(axis=None)
    # Without totals of their own, bands are within a step of what the mix wants (the quota of few bands).
    assert ((found.totals - mix * of.total).abs() <= 0.2 + 1e-9).all()


def test_a_mix_by_hand():
    """8, 8 and 4 posts, a quarter, a half and a quarter of each: 2, 4, 2 twice and 1, 2, 1."""
    found = skill_mix(plan([2, 2, 1]), MIX)
    assert found.posts.to_numpy().tolist() == [[2, 4, 2], [2, 4, 2], [1, 2, 1]]
    assert found.totals.to_dict() == {"band 3": 5, "band 5": 10, "band 6": 5}
    assert found.table["difference"].abs().max() == 0


def test_totals_of_ones_own_scale_the_mix():
    """Twice as many of band 6 as wanted, from band 3 alone: its margin and the teams' are kept."""
    totals = {"band 6": 10, "band 5": 5, "band 3": 5}
    found = skill_mix(plan([2, 2, 1]), MIX, totals=totals)
    assert found.posts.sum().to_dict() == totals
    # One mix for all teams: the fitted table is posts times the bands' shares, as a table of independence.
    expected = np.outer([8, 8, 4], [0.25, 0.25, 0.5])
    np.testing.assert_allclose(found.table["fitted"].to_numpy().reshape(3, 3), expected, atol=1e-8)
    assert repr(found) == "<SkillMix of 20 FTE in 3 bands and 3 teams, in steps of 0.5>"
    assert "<table" in found._repr_html_()


def test_a_team_without_a_band_never_has_it():
    mix = pd.DataFrame({"band 5": [1.0, 0.5, 0.5], "band 6": [0.0, 0.5, 0.5]}, ["P0", "P1", "P2"])
    found = skill_mix(plan([2, 2, 1]), mix, totals={"band 5": 14.5, "band 6": 5.5})
    assert found.posts.loc["P0"].tolist() == [8, 0]
    assert found.posts["band 6"].sum() == 5.5
    with pytest.raises(errors.AllocationError, match="No table has these totals by band"):
        skill_mix(plan([2, 2, 1]), mix, totals={"band 5": 7.0, "band 6": 13.0})


BAD = {
    "sum": (
        {"mix": {"a": 0.5, "b": 0.4}},
        errors.InvalidValueError,
        "shares of 3 teams .* do not sum to 1: P0",
    ),
    "negative": ({"mix": {"a": 1.5, "b": -0.5}}, errors.InvalidValueError, "negative"),
    "nothing": ({"mix": {}}, errors.InvalidValueError, "no bands"),
    "team": (
        {"mix": pd.DataFrame({"a": [1.0]}, ["P0"])},
        errors.UnknownCodeError,
        "2 of 3 teams have no mix.*: P1, P2",
    ),
    "bands": ({"totals": {"band 9": 20}}, errors.UnknownCodeError, "totals are for band 9"),
    "step": (
        {"totals": {"band 3": 5.2, "band 5": 9.8, "band 6": 5}},
        errors.AllocationError,
        "2 totals are .* no multiple of the step 0.5: band 3, band 5",
    ),
    "total": (
        {"totals": {"band 3": 5, "band 5": 9, "band 6": 5}},
        errors.AllocationError,
        "sum to 19, the plan to 20 FTE",
    ),
}


@pytest.mark.parametrize(("options", "error", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        skill_mix(plan([2, 2, 1]), **{"mix": MIX, **options})
