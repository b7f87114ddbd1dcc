"""The zero-inflated count: never users with probability pi, else a Poisson mean mu."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]


def mean_contacts(log_mean: Floats, log_odds_never: Floats) -> Floats:
    """(1 - pi) mu, with mu = exp(log_mean) and pi = logistic(log_odds_never); any one shape."""
    return expit(-log_odds_never) * np.exp(log_mean)


def share_with_contact(log_mean: Floats, log_odds_never: Floats) -> Floats:
    """(1 - pi)(1 - exp(-mu)): somebody outside the zero group can still have no contact in the year."""
    return expit(-log_odds_never) * -np.expm1(-np.exp(log_mean))
