"""Newton's method on cells: the same as on persons, whatever the parts and threads, and at the top."""

import numpy as np
import pytest
from scipy.optimize import minimize

from needsalloc.kernels import newton, starts
from needsalloc.kernels.designs import Block, Design, parts_of, smallest
from needsalloc.kernels.families import FAMILIES, Counts, Stats

EVERY = pytest.mark.parametrize("name", list(FAMILIES))


def persons(seed=3, n=900):
    """Design (people, 4) of few distinct rows, and contacts, more spread than any Poisson."""
    rng = np.random.default_rng(seed)
    x = np.column_stack(
        [np.ones(n), rng.integers(-2, 3, n) / 2, rng.random(n) < 0.3, rng.integers(0, 3, n)]
    ).astype(float)
    mean = np.exp(x @ [0.4, 0.3, 0.5, -0.2])
    never = 1 / (1 + np.exp(-(x @ [0.3, -0.4, -0.6, 0.2])))
    return x, rng.negative_binomial(1.5, 1.5 / (1.5 + mean)) * (rng.random(n) > never)


def by_rows(name, x, y, weight=1.0):
    family, design = FAMILIES[name], Design.of_matrix(x)
    value, people = np.unique(y[y > 0], return_counts=True)
    if np.ndim(weight):
        people = np.array([weight[y == v].sum() for v in value])
    designs = {part: design for part in family.parts if part != "log_theta"}
    return newton.Problem(family, Stats.of_rows(y, weight), designs, {}, (value.astype(float), people * 1.0))


def by_cells(name, x, y):
    """The same people in cells, by plain numpy."""
    keys, cell = np.unique(x, axis=0, return_inverse=True)
    family, some, n = FAMILIES[name], y > 0, len(keys)
    rows = Stats.of_rows(y)
    sums = (rows.zeros, rows.positives, rows.total, rows.total_squares, rows.log_factorials)
    order = np.argsort(cell[some], kind="stable")
    counts = Counts(cell[some][order], y[some][order].astype(float), np.ones(some.sum()))
    value, people = np.unique(y[some], return_counts=True)
    design = Design.of_matrix(keys)
    designs = {part: design for part in family.parts if part != "log_theta"}
    stats = Stats(*(np.bincount(cell, values, n) for values in sums), counts)
    return newton.Problem(family, stats, designs, {}, (value.astype(float), people * 1.0))


def top(problem):
    return starts.climb(problem)[0]


@EVERY
def test_gradient_and_information_are_derivatives_of_the_likelihood(name):
    problem = by_cells(name, *persons())
    at = 0.1 * np.random.default_rng(0).normal(size=problem.size)
    here, step = newton.evaluate(problem, at), 1e-5
    for column in range(problem.size):
        away = step * np.eye(problem.size)[column]
        up, down = newton.evaluate(problem, at + away), newton.evaluate(problem, at - away)
        slope = (up.log_likelihood - down.log_likelihood) / (2 * step)
        # central differences on a likelihood of some thousands
        assert here.gradient[column] == pytest.approx(slope, rel=1e-6, abs=1e-4)
        curve = -(up.gradient - down.gradient) / (2 * step)
        assert here.information[column] == pytest.approx(curve, rel=1e-6, abs=1e-4)


@EVERY
def test_cells_are_as_good_as_persons(name):
    x, y = persons()
    cells, rows = top(by_cells(name, x, y)), top(by_rows(name, x, y))
    assert len(by_cells(name, x, y).stats) < 35
    assert cells.converged
    assert cells.coefficients == pytest.approx(rows.coefficients, rel=1e-8, abs=1e-10)
    assert cells.log_likelihood == pytest.approx(rows.log_likelihood, rel=1e-12)
    assert newton.meat(by_cells(name, x, y), cells.coefficients) == pytest.approx(
        newton.meat(by_rows(name, x, y), cells.coefficients), rel=1e-9, abs=1e-8
    )


@EVERY
def test_no_direct_search_finds_more(name):
    """scipy's simplex from the optimum, on the likelihood alone."""
    problem = by_cells(name, *persons())
    found = top(problem)

    def loss(coefficients):
        return -newton.evaluate(problem, coefficients).log_likelihood

    away = minimize(loss, found.coefficients + 0.01, method="Powell", options={"xtol": 1e-8, "ftol": 1e-14})
    assert -away.fun <= found.log_likelihood + 1e-9 * abs(found.log_likelihood)


@EVERY
def test_a_weight_of_two_is_the_person_twice(name):
    x, y = persons(n=300)
    weight = np.random.default_rng(1).integers(1, 4, 300)
    twice = np.repeat(np.arange(300), weight)
    assert top(by_rows(name, x, y, weight.astype(float))).coefficients == pytest.approx(
        top(by_rows(name, x[twice], y[twice])).coefficients, rel=1e-8, abs=1e-10
    )


@EVERY
def test_parts_and_threads_change_nothing(name, monkeypatch):
    problem = by_rows(name, *persons())
    at = np.full(problem.size, 0.1)
    whole = newton.evaluate(problem, at)
    monkeypatch.setattr(newton, "CELLS_AT_ONCE", 64)
    parts = newton.evaluate(problem, at)
    monkeypatch.setattr(newton.os, "cpu_count", lambda: 5)
    threads = newton.evaluate(problem, at)
    assert (parts.information == threads.information).all()  # summed in the same order: to the last digit
    assert parts.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-13)
    assert parts.gradient == pytest.approx(whole.gradient, rel=1e-10, abs=1e-9)
    assert newton.meat(problem, at) == pytest.approx(parts_meat(problem, at), rel=1e-10)


def parts_meat(problem, at):
    """Outer products of persons' scores, written out."""
    family, x = problem.family, problem.designs["count"].rows(0, len(problem.stats))
    part = newton.part_of(problem, at, 0, len(problem.stats))
    score = family.score(part.predictors(family), problem.stats)
    wide = [
        score[:, [k]] * (x.T if name != "log_theta" else np.ones((x.shape[1], 1)))
        for k, name in enumerate(family.parts)
    ]
    persons = np.hstack(wide)
    return persons.T @ persons


def small_cohort(seed):
    """Zero-inflated, of 40 to 200 people, drawn from coefficients that are themselves drawn."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(40, 200))
    x, flag = rng.normal(size=n), (rng.random(n) < 0.2) * 1.0
    mean = np.exp(rng.normal(0.5, 1) + rng.normal(0, 1) * x + rng.normal(0, 1) * flag)
    odds = rng.normal(0, 1) + rng.normal(0, 1) * x + rng.normal(0, 2) * flag
    y = rng.negative_binomial(0.5, 0.5 / (0.5 + mean)) * (rng.random(n) > 1 / (1 + np.exp(-odds)))
    return by_rows("zip", np.column_stack([np.ones(n), x, flag]), y)


# Of 4,000 small cohorts some have likelihoods with several tops; on these a single start ends in a lower one.
@pytest.mark.parametrize("seed", [616, 804, 1074, 1789, 1872])
def test_the_best_of_several_tops(seed):
    problem, rng = small_cohort(seed), np.random.default_rng(seed)
    found = starts.find(problem)
    assert max(found.optima.values()) - min(found.optima.values()) > 0.5
    anywhere = [newton.maximise(problem, rng.normal(size=problem.size)).log_likelihood for _ in range(30)]
    assert found.optimum.log_likelihood >= max(anywhere) - 1e-6


# Two or three users in all: the likelihood is flat far out, and steps there must not be of any length.
@pytest.mark.parametrize("seed", [467, 957, 1639, 2137])
def test_where_the_likelihood_is_flat_nothing_leaps(seed):
    assert np.abs(starts.find(small_cohort(seed)).coefficients).max() < 20_000


@EVERY
def test_a_sample_leads_to_the_same_top(name, monkeypatch):
    problem = by_rows(name, *persons())
    whole = top(problem)
    few = starts.sample(problem, 300)
    stats = problem.stats
    assert len(few.stats) == 300
    for sum_of in ("positives", "zeros", "total"):  # it stands for everybody
        assert getattr(few.stats, sum_of).sum() == pytest.approx(getattr(stats, sum_of).sum())
    monkeypatch.setattr(starts, "sample", lambda problem: few if len(problem.stats) == 900 else problem)
    start = starts.find(problem)
    assert start.optimum is None
    found = newton.maximise(problem, start.coefficients)
    assert found.coefficients == pytest.approx(whole.coefficients, rel=1e-7, abs=1e-8)


def test_what_runs_away_is_named():
    x, y = persons()
    alike = np.random.default_rng(0).poisson(3.0, len(y))
    assert top(by_rows("nb", x, np.minimum(alike, 4))).running.tolist() == [False] * 4 + [True]
    group = x[:, 2] == 1
    nobody_never = np.where(group, np.maximum(y, 1), y)
    found = top(by_rows("zip", x, nobody_never))
    assert found.converged
    assert found.running.tolist() == [False] * 6 + [True, False]
    assert found.coefficients[6] < -8


def test_cells_far_out_that_the_sample_did_not_know(monkeypatch):
    """Their mean is infinite where the sample would begin, so that the fit begins from constants."""
    problem = by_rows("poisson", *persons())
    with pytest.raises(ValueError, match="not finite"):
        newton.maximise(problem, np.full(4, 4_000.0))
    monkeypatch.setattr(starts, "find", lambda problem: starts.Start(np.full(4, 4_000.0), {}, None))
    found = top(problem).coefficients
    monkeypatch.undo()
    assert found == pytest.approx(top(problem).coefficients, rel=1e-9)


def test_designs_hold_few_values():
    x, _ = persons()
    design = Design.of_matrix(x)
    assert (design.rows(10, 30) == x[10:30].T).all()
    assert [block.codes.dtype.itemsize for block in design.blocks] == [1] * 4
    assert design.largest.tolist() == [1, 1, 1, 2]
    wide = Block(smallest(np.arange(300), 300), np.arange(600.0).reshape(2, 300))
    assert wide.codes.dtype == np.uint16
    assert (Design((wide,)).rows(250, 260) == wide.values[:, 250:260]).all()
    assert (Design((wide,)).pick(np.array([5, 7])).rows(0, 2) == wide.values[:, [5, 7]]).all()
    assert parts_of(5, 2) == [(0, 2), (2, 4), (4, 5)]
