"""The numerical core against plain definitions written out here."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from needsalloc.kernels import counts, flow, prevalence, rank, shares


def floats(low, high):
    return st.floats(low, high, allow_subnormal=False)


# The zero-inflated count, and its mean over conditions


def logistic(x):
    return 1 / (1 + np.exp(-x))


@given(floats(-10, 6), floats(-20, 20))
def test_zero_inflated_count(log_mean, log_odds):
    users, mean = 1 - logistic(log_odds), np.exp(log_mean)
    assert counts.mean_contacts(log_mean, log_odds) == pytest.approx(users * mean, rel=1e-6)
    # From the distribution itself: 1 - P(0), with P(0) = pi + (1 - pi) e^-mu.
    some = 1 - (logistic(log_odds) + users * np.exp(-mean))
    assert counts.share_with_contact(log_mean, log_odds) == pytest.approx(some, rel=1e-6, abs=1e-12)


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
    wanted_columns = data.draw(arrays(np.float64, columns, elements=floats(1, 30)))
    raked = shares.rake(seed, wanted_rows, group, wanted_columns, 1e-9, 500)
    for k in range(groups):
        cells, column = raked.cells[:, group == k], wanted_columns[group == k]
        np.testing.assert_allclose(cells.sum(axis=1), wanted_rows[:, k], rtol=1e-12)
        scaled = column / column.sum() * wanted_rows[:, k].sum()
        np.testing.assert_allclose(cells.sum(axis=0), scaled, rtol=2e-9)


def test_rake_says_how_far_off_it_stopped():
    seed, ones = np.array([[1.0, 1.0], [1e-6, 1.0]]), np.ones(2)
    raked = shares.rake(seed, np.ones((2, 1)), np.array([0, 0]), ones, 1e-9, rounds=3)
    assert raked.rounds == 3
    assert raked.gap == pytest.approx(np.abs(raked.cells.sum(axis=0) - 1).max())
    assert raked.gap > 0.01


def test_rake_gives_a_row_without_a_seed_the_shape_of_the_columns():
    raked = shares.rake(
        np.array([[0.0, 0.0], [1.0, 3.0]]),
        np.array([[8.0], [8.0]]),
        np.array([0, 0]),
        np.array([1.0, 3.0]),
        1e-9,
        50,
    )
    np.testing.assert_allclose(raked.cells, [[2, 6], [2, 6]])


def one_at_a_time(weight, total, minimum):
    """Highest averages: each step to the largest weight / (steps so far + 1/2), then weight, then place."""
    steps = list(minimum)
    for _ in range(total - sum(minimum)):
        claims = [
            (Fraction(w) / (2 * s + 1), w, -k) for k, (w, s) in enumerate(zip(weight, steps, strict=True))
        ]
        steps[-max(claims)[2]] += 1
    return steps


@given(st.data(), st.sampled_from([1.0, 0.1, 1 / 3, 1e9]))
def test_webster_gives_each_step_in_turn_to_the_strongest_claim(data, scale):
    # Small whole weights tie often; a scale must not move a tie by its last digit.
    teams = data.draw(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), min_size=1, max_size=8))
    weight, minimum = (list(column) for column in zip(*teams, strict=True))
    assume(sum(weight) > 0)
    total = sum(minimum) + data.draw(st.integers(0, 40))
    found = shares.webster(np.array(weight) * scale, total, np.array(minimum))
    assert found.seats.tolist() == one_at_a_time(weight, total, minimum)


@pytest.mark.parametrize(("weight", "total"), [([1, 4, 6, 3, 3], 9), ([4, 4, 6, 2, 6], 6), ([10, 0.2, 2], 3)])
def test_webster_does_not_break_a_tie_by_a_last_digit(weight, total):
    # Two claims are equal here; a divisor found by halving an interval can round one up and the other down.
    found = shares.webster(np.array(weight, dtype=float), total, np.zeros(len(weight), dtype=int))
    assert found.seats.tolist() == one_at_a_time(weight, total, [0] * len(weight))
    assert found.tied.any()


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(0, 30), st.randoms())
def test_webster_lists_ties_where_the_order_of_teams_decides(weight, total, random):
    """A team is tied if another order of teams could give it another number of steps."""
    found = shares.webster(np.array(weight, dtype=float), total, np.zeros(len(weight), dtype=int))
    order = list(range(len(weight)))
    random.shuffle(order)
    again = shares.webster(np.array(weight, dtype=float)[order], total, np.zeros(len(weight), dtype=int))
    moved = found.seats[order] != again.seats
    assert found.tied[order][moved].all()
    np.testing.assert_array_equal(found.tied[order], again.tied)
    assert found.tied.sum() != 1


# Summaries

some_shares = arrays(np.float64, 4, elements=floats(0, 100)).filter(lambda x: x.sum() > 0.01)


@given(some_shares, some_shares, floats(0.1, 10))
def test_hoover_is_symmetric_from_0_to_1_and_blind_to_scale(first, second, scale):
    found = rank.hoover(first, second)
    assert 0 <= found <= 1 + 1e-12
    assert found == pytest.approx(rank.hoover(second, first))
    assert found == pytest.approx(rank.hoover(first * scale, second))
    assert rank.hoover(first, first * scale) == pytest.approx(0, abs=1e-12)


def test_hoover_is_what_would_have_to_move():
    assert rank.hoover(np.array([5.0, 3.0, 2.0]), np.array([2.0, 3.0, 5.0])) == pytest.approx(0.3)
    assert rank.hoover(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1
