"""Gamma-Poisson shrinkage of counts toward an expectation, fitted by its marginal likelihood.

y_i | theta_i ~ Poisson(mu_i theta_i),  theta_i ~ Gamma(shape 1/phi, mean 1, variance phi),
mu_i = exposure_i exp(x_i' b)

so that y_i is negative binomial with mean mu_i and variance mu_i + phi mu_i^2, and theta_i given y_i is
Gamma(shape 1/phi + y_i, rate 1/phi + mu_i). Source: Clayton & Kaldor 1987, Biometrics 43(3):671-681.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaincinv

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_STEP = 1e-11
_ROUNDS = 200
# A variance of the relative risk below this is none: it would move no count by a tenth of a per cent.
_LEAST = 1e-6
_MOST = 1e6
# Values drawn at a time: 32 MB.
_BLOCK = 4_000_000


@dataclass(frozen=True, slots=True)
class Fitted:
    """The fitted prior.

    coefficients: (terms,) b. expected: (areas,) mu. overdispersion: phi, 0 where counts vary no more than
    chance. converged: whether the regression settled.
    """

    coefficients: Floats
    expected: Floats
    overdispersion: float
    converged: bool


def fit(counts: Floats, exposure: Floats, design: Floats) -> Fitted:
    """b and phi at the largest marginal likelihood, with `counts` and `exposure` (areas,).

    1. b by Poisson regression (phi = 0). 2. Where the likelihood does not rise from there with phi, phi is 0.
    3. Else phi is the root of its score, with b fitted anew for each phi.

    design: (areas, terms), the first column ones, the others with a mean of 0 and about unit size.
    """
    from scipy.optimize import brentq  # a sixth of a second that most imports need not spend

    start = np.zeros(design.shape[1])
    start[0] = np.log(counts.sum() / exposure.sum())
    poisson, expected, settled = _regression(counts, exposure, design, 0.0, start)

    def score(log_phi: float) -> float:
        phi = float(np.exp(log_phi))
        return _score(counts, _regression(counts, exposure, design, phi, poisson)[1], phi)

    low, high = np.log(_LEAST), 0.0
    if not settled or score(low) <= 0:
        return Fitted(poisson, expected, 0.0, settled)
    while score(high) > 0 and high < np.log(_MOST):
        high += 2.0
    phi = float(np.exp(brentq(score, low, high, xtol=1e-12, rtol=1e-12)))
    coefficients, expected, settled = _regression(counts, exposure, design, phi, poisson)
    return Fitted(coefficients, expected, phi, settled)


def _score(counts: Floats, expected: Floats, phi: float) -> float:
    """Slope of the log likelihood in the shape 1/phi, with its sign turned: above 0 where phi is too low."""
    shape = 1.0 / phi
    by_area = digamma(counts + shape) - digamma(shape) - np.log1p(expected * phi)
    return -float(np.sum(by_area + (expected - counts) / (expected + shape)))


def _regression(
    counts: Floats, exposure: Floats, design: Floats, phi: float, start: Floats
) -> tuple[Floats, Floats, bool]:
    """b and mu at a fixed phi by scoring, and whether it settled."""
    b = start
    for _ in range(_ROUNDS):
        mu = exposure * np.exp(design @ b)
        weight = mu / (1.0 + phi * mu)
        information = design.T @ (design * weight[:, None])
        step = np.linalg.solve(information, design.T @ ((counts - mu) / (1.0 + phi * mu)))
        # A far start overshoots where the exponential is steep.
        step /= max(1.0, float(np.abs(step).max()))
        b = b + step
        if np.abs(step).max() < _STEP:
            return b, exposure * np.exp(design @ b), True
    return b, exposure * np.exp(design @ b), False


def own_weight(expected: Floats, overdispersion: float) -> Floats:
    """(areas,) the weight of an area's own count: 0 is the expectation, 1 the count."""
    return overdispersion * expected / (1.0 + overdispersion * expected)


def shrink(counts: Floats, expected: Floats, overdispersion: float) -> Floats:
    """(areas,) the posterior mean of mu theta: own_weight * count + (1 - own_weight) * expected."""
    return expected * (1.0 + overdispersion * counts) / (1.0 + overdispersion * expected)


def relative_error(counts: Floats, overdispersion: float) -> Floats:
    """(areas,) posterior standard deviation over posterior mean."""
    return np.sqrt(overdispersion / (1.0 + overdispersion * counts))


def quantile(counts: Floats, expected: Floats, overdispersion: float, at: float) -> Floats:
    """(areas,) the posterior quantile of mu theta at probability `at`."""
    if overdispersion == 0:
        return expected
    shape = 1.0 / overdispersion + counts
    return np.asarray(shrink(counts, expected, overdispersion) * gammaincinv(shape, at) / shape)


def ranks_of_draws(
    counts: Floats, scale: Floats, overdispersion: float, draws: int, rng: np.random.Generator
) -> Ints:
    """(draws, areas) the rank of each area in each draw of its rate, 1 the highest; of equals the first.

    scale: (areas,) the posterior mean of the rate. Ranks are of the smallest whole type; values are held for
    a block of draws at a time, and the draws do not depend on its size.
    """
    areas = len(counts)
    ranks = np.empty((draws, areas), dtype=np.min_scalar_type(areas))
    place = np.arange(1, areas + 1, dtype=ranks.dtype)
    block = max(1, _BLOCK // areas)
    for first in range(0, draws, block):
        rows = slice(first, min(first + block, draws))
        if overdispersion == 0:
            values = np.broadcast_to(scale, ranks[rows].shape)
        else:
            shape = 1.0 / overdispersion + counts
            values = rng.standard_gamma(shape, ranks[rows].shape) * (scale / shape)
        order = np.argsort(-values, axis=1, kind="stable")
        np.put_along_axis(ranks[rows], order, np.broadcast_to(place, order.shape), axis=1)
    return ranks
