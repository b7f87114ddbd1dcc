"""Families against distributions written out here, scipy's, and differences; cells against their people."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from needsalloc.kernels.families import FAMILIES, Counts, Stats

EVERY = pytest.mark.parametrize("name", list(FAMILIES))
LOG_THETA = np.log(0.7)


def predictors(family, count, zero):
    """Linear predictors (cells, k) of a family from those of its two parts."""
    columns = {"count": count, "zero": zero, "log_theta": np.full(len(count), LOG_THETA)}
    return np.column_stack([columns[part] for part in family.parts])


def log_probability(name, y, count, zero, log_theta=LOG_THETA):
    """By the textbook: scipy's masses, then what is done with zeros."""
    mu, theta = np.exp(count), np.exp(log_theta)
    nb = name in ("nb", "zinb", "hurdle-nb")
    base = scipy_stats.nbinom(theta, theta / (theta + mu)) if nb else scipy_stats.poisson(mu)
    chance = 1 / (1 + np.exp(-zero))
    if name in ("zip", "zinb"):
        return np.log(chance * (y == 0) + (1 - chance) * base.pmf(y))
    if name in ("hurdle", "hurdle-nb"):
        return np.log(np.where(y == 0, 1 - chance, chance * base.pmf(y) / (1 - base.pmf(0))))
    return base.logpmf(y)


@pytest.fixture
def people():
    """(cell, y, weight) of 400 people in 12 cells, and the cells' predictors."""
    rng = np.random.default_rng(4)
    cell = np.sort(rng.integers(0, 12, 400))
    y = rng.negative_binomial(0.6, 0.15, 400) * (rng.random(400) < 0.5)
    weight = rng.integers(1, 4, 400).astype(float)
    return cell, y.astype(float), weight, rng.normal(0.8, 0.7, 12), rng.normal(-0.3, 1.0, 12)


def collapsed(cell, y, weight):
    """The cells' sums by plain bincounts."""
    some = y > 0
    return Stats(
        np.bincount(cell, weight * ~some, 12),
        np.bincount(cell, weight * some, 12),
        np.bincount(cell, weight * y, 12),
        np.bincount(cell, weight * y**2, 12),
        np.bincount(cell, weight * np.array([np.sum(np.log(np.arange(1, n + 1))) for n in y]), 12),
        Counts(cell[some], y[some], weight[some]),
    )


@EVERY
def test_likelihood_is_that_of_the_distribution(name):
    count, zero = np.linspace(-3, 3, 13), np.linspace(4, -4, 13)
    y = np.array([0, 1, 2, 3, 0, 5, 8, 0, 1, 40, 2, 0, 365.0])
    eta = predictors(FAMILIES[name], count, zero)
    found = FAMILIES[name].log_likelihood(eta, Stats.of_rows(y))
    # scipy's logs of masses near 1e-80 carry about 1e-12 of error
    assert found == pytest.approx(log_probability(name, y, count, zero), rel=1e-10)


@EVERY
@given(st.floats(-6, 5), st.floats(-8, 8), st.integers(0, 60))
def test_score_and_information_are_the_derivatives(name, count, zero, y):
    family = FAMILIES[name]
    eta, stats = predictors(family, np.array([count]), np.array([zero])), Stats.of_rows([y], [2.0])
    step = 1e-5
    for column in range(len(family.parts)):
        up, down = eta.copy(), eta.copy()
        up[:, column] += step
        down[:, column] -= step
        slope = (family.log_likelihood(up, stats) - family.log_likelihood(down, stats)) / (2 * step)
        curve = -(family.score(up, stats) - family.score(down, stats)) / (2 * step)
        # central differences: step^2 times a third derivative, and rounding over the step
        assert family.score(eta, stats)[:, column] == pytest.approx(slope, rel=1e-5, abs=1e-5)
        assert family.information(eta, stats)[:, column] == pytest.approx(curve, rel=1e-5, abs=1e-5)


@EVERY
def test_cells_say_what_their_people_say(name, people):
    cell, y, weight, count, zero = people
    family = FAMILIES[name]
    eta, cells, rows = predictors(family, count, zero), collapsed(cell, y, weight), Stats.of_rows(y, weight)
    alone = Stats.of_rows(y)
    score = family.score(eta[cell], alone)
    products = weight[:, None, None] * score[:, :, None] * score[:, None, :]
    k = len(family.parts)
    meat, information = np.zeros((12, k, k)), np.zeros((12, k, k))
    np.add.at(meat, cell, products)
    np.add.at(information, cell, family.information(eta[cell], rows))
    likelihood = np.bincount(cell, family.log_likelihood(eta[cell], rows), 12)
    # sums in another order
    assert family.log_likelihood(eta, cells) == pytest.approx(likelihood, rel=1e-12)
    assert family.score(eta, cells) == pytest.approx(
        np.array([np.bincount(cell, weight * column, 12) for column in score.T]).T, rel=1e-10, abs=1e-9
    )
    assert family.information(eta, cells) == pytest.approx(information, rel=1e-10, abs=1e-9)
    assert family.meat(eta, cells) == pytest.approx(meat, rel=1e-10, abs=1e-9)


@EVERY
def test_mean_variance_and_contact_are_those_of_the_distribution(name):
    count, zero = np.array([-1.0, 0.5, 1.5]), np.array([1.0, -0.5, 0.2])
    family = FAMILIES[name]
    eta = predictors(family, count, zero)
    y = np.arange(2000.0)[:, None]
    with np.errstate(divide="ignore"):  # masses below the smallest number
        mass = np.exp(log_probability(name, y, count, zero))
    assert mass.sum(axis=0) == pytest.approx(1)
    mean = (y * mass).sum(axis=0)
    # the tail beyond 2,000 is below 1e-12
    assert family.mean(eta) == pytest.approx(mean, rel=1e-9)
    assert family.variance(eta) == pytest.approx((y**2 * mass).sum(axis=0) - mean**2, rel=1e-9)
    assert family.share_with_contact(eta) == pytest.approx(1 - mass[0], rel=1e-9)


@pytest.mark.parametrize(("nb", "poisson"), [("nb", "poisson"), ("zinb", "zip"), ("hurdle-nb", "hurdle")])
def test_without_dispersion_the_negative_binomial_is_the_poisson(nb, poisson, people):
    cell, y, weight, count, zero = people
    cells = collapsed(cell, y, weight)
    plain = predictors(FAMILIES[poisson], count, zero)
    eta = np.column_stack([plain, np.full(12, 25.0)])
    # theta = 7e10: the difference is of the order of y^2 / theta, 1e-8 here
    assert FAMILIES[nb].log_likelihood(eta, cells) == pytest.approx(
        FAMILIES[poisson].log_likelihood(plain, cells), rel=1e-8
    )
    k = len(FAMILIES[poisson].parts)
    assert FAMILIES[nb].score(eta, cells)[:, :k] == pytest.approx(
        FAMILIES[poisson].score(plain, cells), rel=1e-6, abs=1e-6
    )
    assert np.abs(FAMILIES[nb].score(eta, cells)[:, k]).max() < 1e-5


@EVERY
def test_predictors_far_out_stay_numbers(name):
    family = FAMILIES[name]
    count, zero = np.array([-40.0, 6.0, -40.0, 6.0]), np.array([-600.0, 600.0, 600.0, -600.0])
    eta, stats = predictors(family, count, zero), Stats.of_rows([0, 400, 1, 0])
    for found in (family.log_likelihood, family.score, family.information, family.meat):
        assert np.isfinite(found(eta, stats)).all()


@pytest.mark.parametrize("name", ["zip", "zinb"])
def test_a_certain_never_user_costs_nothing(name):
    """Where mu is 1e18 and never using certain, log P(0) = 0, though log f(0) is -1e18."""
    eta = predictors(FAMILIES[name], np.array([41.5]), np.array([77.5]))
    assert FAMILIES[name].log_likelihood(eta, Stats.of_rows([0])) == pytest.approx(0.0, abs=1e-30)


@EVERY
def test_a_part_of_the_cells_is_those_cells(name, people):
    cell, y, weight, count, zero = people
    family = FAMILIES[name]
    eta, cells = predictors(family, count, zero), collapsed(cell, y, weight)
    assert (family.meat(eta[5:9], cells.part(5, 9)) == family.meat(eta, cells)[5:9]).all()
    assert len(cells.part(5, 9)) == 4


def test_a_dispersed_family_asks_for_the_histogram():
    bare = Stats(*np.ones((5, 3)))
    with pytest.raises(ValueError, match="histogram"):
        FAMILIES["nb"].log_likelihood(np.zeros((3, 2)), bare)
