"""The numerical core against plain definitions written out here."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from needsalloc.kernels import flow, inequality, prevalence, raking
from needsalloc.kernels.families import FAMILIES
from needsalloc.kernels.raking import Margin


def floats(low, high):
    return st.floats(low, high, allow_subnormal=False)


# The zero-inflated count, and its mean over conditions


def logistic(x):
    return 1 / (1 + np.exp(-x))


@given(floats(-10, 6), floats(-20, 20))
def test_zero_inflated_count(log_mean, log_odds):
    users, mean = 1 - logistic(log_odds), np.exp(log_mean)
    zip_, eta = FAMILIES["zip"], np.array([[log_mean, log_odds]])
    assert zip_.mean(eta)[0] == pytest.approx(users * mean, rel=1e-6)
    # From the distribution itself: 1 - P(0), with P(0) = pi + (1 - pi) e^-mu.
    some = 1 - (logistic(log_odds) + users * np.exp(-mean))
    assert zip_.share_with_contact(eta)[0] == pytest.approx(some, rel=1e-6, abs=1e-12)


def by_enumeration(share, count, zero, log_odds):
    """E[(1 - pi) prod of rate ratios] over all 2^k patterns of the conditions."""
    total = 0.0
    for pattern in itertools.product([0, 1], repeat=len(share)):
        has = np.array(pattern, dtype=bool)
        chance = np.prod(np.where(has, share, 1 - share))
        total += chance * np.exp(count[has].sum()) * (1 - logistic(log_odds + zero[has].sum()))
    return total


@settings(max_examples=60)
@given(st.data(), st.integers(0, 10), floats(-6, 6))
def test_mixing_conditions_is_the_mean_over_all_patterns(data, k, log_odds):
    share = data.draw(arrays(np.float64, (2, k), elements=floats(0, 0.9)))
    count, zero = (data.draw(arrays(np.float64, k, elements=floats(-2, 2))) for _ in range(2))
    rule = prevalence.quadrature(abs(log_odds) + np.abs(zero).sum())
    mixture = prevalence.mix(share, count, zero, rule)
    found = mixture.multiplier * prevalence.users(mixture.spectrum, np.array([log_odds]), rule)[:, 0]
    expected = [by_enumeration(row, count, zero, log_odds) for row in share]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


# Flows


@given(st.data(), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3))
def test_flows_are_the_sums_and_shares_of_a_table(data, areas, practices, teams):
    row = st.tuples(st.integers(0, areas - 1), st.integers(0, practices - 1), st.integers(1, 9))
    rows = np.array(data.draw(st.lists(row, max_size=20)), dtype=np.int64).reshape(-1, 3)
    team = np.array(data.draw(st.lists(st.integers(0, teams - 1), min_size=practices, max_size=practices)))
    table = np.zeros((areas, practices))
    np.add.at(table, (rows[:, 0], rows[:, 1]), rows[:, 2])
    by_team = np.column_stack([table[:, team == k].sum(axis=1) for k in range(teams)])

    flows = flow.flow_matrix(rows[:, 0], rows[:, 1], rows[:, 2].astype(float), table.shape)
    np.testing.assert_array_equal(flows.toarray(), table)
    grouped = flow.group_columns(flows, team, teams)
    np.testing.assert_array_equal(grouped.toarray(), by_team)
    some = np.maximum(by_team.sum(axis=1, keepdims=True), 1), np.maximum(by_team.sum(axis=0), 1)
    np.testing.assert_allclose(flow.row_shares(grouped).toarray(), by_team / some[0])
    np.testing.assert_allclose(flow.column_shares(grouped).toarray(), by_team / some[1])


# Totals shared out


@settings(max_examples=50)
@given(st.data(), st.integers(1, 5), st.integers(2, 6))
def test_rake_meets_both_margins(data, rows, columns):
    groups = data.draw(st.integers(1, columns))
    group = np.arange(columns) % groups
    # Wilder seeds converge as slowly as one likes; then `gap` says so.
    seed = data.draw(arrays(np.float64, (rows, columns), elements=floats(0.3, 3)))
    wanted_rows = data.draw(arrays(np.float64, (rows, groups), elements=floats(1, 30)))
    column = data.draw(arrays(np.float64, columns, elements=floats(1, 30)))
    # Two margins can be met together only if they agree on how many are in each group.
    in_group = np.array([column[group == k].sum() for k in range(groups)])
    wanted_columns = column / in_group[group] * wanted_rows.sum(axis=0)[group]
    margins = (
        Margin(wanted_columns[None, :], rows=np.zeros(rows, dtype=int)),
        Margin(wanted_rows, columns=group),
    )
    raked = raking.rake(seed, margins, 1e-9, 500)
    for k in range(groups):
        cells = raked.cells[:, group == k]
        np.testing.assert_allclose(cells.sum(axis=1), wanted_rows[:, k], rtol=1e-12)
        np.testing.assert_allclose(cells.sum(axis=0), wanted_columns[group == k], rtol=2e-9)
    assert (raked.gap <= 1e-9).all()
    assert (raked.misplaced <= 1e-9).all()


def test_rake_says_how_far_off_it_stopped():
    seed = np.array([[1.0, 1.0], [1e-6, 1.0]])
    margins = (
        Margin(np.ones((1, 2)), rows=np.array([0, 0])),
        Margin(np.ones((2, 1)), columns=np.array([0, 0])),
    )
    raked = raking.rake(seed, margins, 1e-9, rounds=3)
    assert raked.rounds == 3
    off = np.abs(raked.cells.sum(axis=0) - 1)
    assert raked.gap == pytest.approx([off.max(), 0], abs=1e-15)
    assert raked.misplaced == pytest.approx([off.sum() / 4, 0], abs=1e-15)
    assert raked.gap[0] > 0.01


def test_rake_gives_a_row_without_a_seed_the_shape_of_the_whole():
    margins = (
        Margin(np.array([[4.0, 12.0]]), rows=np.array([0, 0])),
        Margin(np.array([[8.0], [8.0]]), columns=np.array([0, 0])),
    )
    for seed, shape in (([[0, 0], [1, 3]], [2, 6]), ([[0, 0], [0, 0]], [2, 6])):
        raked = raking.rake(np.array(seed, dtype=float), margins, 1e-9, 50)
        np.testing.assert_allclose(raked.cells, [shape, shape])


def test_rake_keeps_the_last_margin_where_an_earlier_one_leaves_a_row_nothing():
    """Nobody may be young and nobody old is asked for: the row's four people must still be somewhere."""
    margins = (
        Margin(np.array([[0.0, 4.0], [6.0, 0.0]])),
        Margin(np.array([[6.0, 0.0]]), rows=np.array([0, 0])),
        Margin(np.array([[4.0], [6.0]]), columns=np.array([0, 0])),
    )
    raked = raking.rake(np.array([[1.0, 1.0], [1.0, 1.0]]), margins, 1e-9, 20)
    np.testing.assert_allclose(raked.cells.sum(axis=1), [4, 6], rtol=1e-12)
    assert raked.gap[0] > 0.1
    assert raked.rounds == 20


def test_rake_leaves_a_total_that_is_not_known_as_it_comes():
    seed = np.array([[1.0, 3.0], [2.0, 2.0]])
    margins = (Margin(np.array([[8.0, 8.0], [np.nan, np.nan]])),)
    np.testing.assert_allclose(raking.rake(seed, margins, 1e-9, 5).cells, [[8, 8], [2, 2]])


def by_einsum(seed, first_third, second_third, first_second, rounds=2_000):
    """Three two-way margins of a three-way table, one after the other, in the plainest way."""
    table = seed.copy()
    for _ in range(rounds):
        table *= (first_third / np.einsum("aps->as", table))[:, None, :]
        table *= (second_third / np.einsum("aps->ps", table))[None, :, :]
        table *= (first_second / np.einsum("aps->ap", table))[:, :, None]
    return table


@settings(max_examples=25)
@given(st.data(), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_rake_finds_a_three_way_table_from_its_two_way_margins(data, areas, practices, strata):
    """A table without three-way interaction is the only one of its kind with its margins."""
    ends = ((areas, practices), (areas, strata), (practices, strata))
    ap, as_, ps = (data.draw(arrays(np.float64, end, elements=floats(0.5, 2))) for end in ends)
    truth = np.einsum("ap,as,ps->aps", ap, as_, ps)
    flow_totals = truth.sum(axis=2)
    area, practice = (position.ravel() for position in np.indices((areas, practices)))
    margins = (
        Margin(truth.sum(axis=1), rows=area),
        Margin(truth.sum(axis=0), rows=practice),
        Margin(flow_totals.reshape(-1, 1), columns=np.zeros(strata, dtype=int)),
    )
    raked = raking.rake(np.repeat(flow_totals.reshape(-1, 1), strata, axis=1), margins, 1e-10, 2_000)
    np.testing.assert_allclose(raked.cells.reshape(truth.shape), truth, rtol=1e-6)
    # With another seed the answer is another one: the plain way must find the same.
    seed = data.draw(arrays(np.float64, truth.shape, elements=floats(0.5, 2)))
    raked = raking.rake(seed.reshape(-1, strata), margins, 1e-10, 2_000)
    plain = by_einsum(seed, truth.sum(axis=1), truth.sum(axis=0), flow_totals)
    np.testing.assert_allclose(raked.cells.reshape(truth.shape), plain, rtol=1e-6)


def test_rake_by_hand():
    """2 x 2 x 2 with every two-way total 4: the table can only be 2 + x or 2 - x, turn and turn about.

    Raking keeps the seed's three-way odds ratio, here 3, so ((2 + x) / (2 - x)) ** 4 = 3.
    """
    signs = np.array([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
    seed = np.ones((2, 2, 2))
    seed[0, 0, 0] = 3.0
    four = np.full((2, 2), 4.0)
    area, practice = (position.ravel() for position in np.indices((2, 2)))
    margins = (
        Margin(four, rows=area),
        Margin(four, rows=practice),
        Margin(four.reshape(-1, 1), columns=np.array([0, 0])),
    )
    raked = raking.rake(seed.reshape(4, 2), margins, 1e-12, 500)
    root = 3**0.25
    x = 2 * (root - 1) / (root + 1)
    np.testing.assert_allclose(raked.cells.reshape(2, 2, 2), 2 + x * signs, rtol=1e-9)


some_shares = arrays(np.float64, 4, elements=floats(0, 100)).filter(lambda x: x.sum() > 0.01)


@given(some_shares, some_shares, floats(0.1, 10))
def test_hoover_is_symmetric_from_0_to_1_and_blind_to_scale(first, second, scale):
    found = inequality.hoover(first, second)
    assert 0 <= found <= 1 + 1e-12
    assert found == pytest.approx(inequality.hoover(second, first))
    assert found == pytest.approx(inequality.hoover(first * scale, second))
    assert inequality.hoover(first, first * scale) == pytest.approx(0, abs=1e-12)


def test_hoover_is_what_would_have_to_move():
    assert inequality.hoover(np.array([5.0, 3.0, 2.0]), np.array([2.0, 3.0, 5.0])) == pytest.approx(0.3)
    assert inequality.hoover(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1
