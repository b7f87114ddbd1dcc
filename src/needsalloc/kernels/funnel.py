"""Limits around 1 of observed over expected counts, widened for what they vary by more than chance.

O_i counts were observed where E_i were expected. On the scale of square roots, where a Poisson count has the
same variance whatever its mean,

    y_i = sqrt(O_i / E_i),   s_i^2 = 1 / (4 E_i),   z_i = (y_i - 1) / s_i

The z are drawn in to their 10th and 90th percentile, so that the units that are far out do not excuse
themselves; phi is the mean of their squares over the I units, divided by c, and what units vary by beyond
chance

    tau^2 = (I phi - (I - 1)) / (sum w - sum w^2 / sum w),   w = 1 / s^2;   0 where that is below 0

    limits of level p:   (1 -+ q_p sqrt(s_i^2 + tau^2))^2,   none below 0

Source: Spiegelhalter 2005, Statistics in Medicine 24:1185 and Quality and Safety in Health Care 14:347 (the
additive model). c = 0.679 is the mean square of standard normal z that were drawn in alike: without it, as
there, one unit in nine is outside limits of 95 % where none is out of the usual.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]

_DRAWN_IN = 0.1
_END = ndtri(1 - _DRAWN_IN)
_MEAN_SQUARE = (
    1 - 2 * _DRAWN_IN - 2 * _END * np.exp(-(_END**2) / 2) / np.sqrt(2 * np.pi) + 2 * _DRAWN_IN * _END**2
)


@dataclass(frozen=True, slots=True)
class Funnel:
    """How far ratios vary. variance: (units,) of y by chance; phi, tau_squared: as above."""

    variance: Floats
    phi: float
    tau_squared: float

    def limits(self, level: float) -> tuple[Floats, Floats]:
        """(units,) the lower and upper limit of a ratio at a level such as 0.95."""
        reach = ndtri((1 + level) / 2) * np.sqrt(self.variance + self.tau_squared)
        return np.maximum(1 - reach, 0.0) ** 2, (1 + reach) ** 2


def funnel(observed: Floats, expected: Floats) -> Funnel:
    """Of counts (units,) against what is expected of each, above 0."""
    variance = 1 / (4 * expected)
    z = (np.sqrt(observed / expected) - 1) / np.sqrt(variance)
    low, high = np.quantile(z, (_DRAWN_IN, 1 - _DRAWN_IN))
    phi = float(np.mean(np.clip(z, low, high) ** 2) / _MEAN_SQUARE)
    weight, units = 1 / variance, len(z)
    spread = weight.sum() - (weight**2).sum() / weight.sum()
    tau_squared = max((units * phi - (units - 1)) / spread, 0.0) if units > 1 else 0.0
    return Funnel(variance, phi, float(tau_squared))
