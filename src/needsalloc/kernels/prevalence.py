r"""The mean of (1 - pi) mu over people whose conditions are 0/1 and independent within their cell.

With prevalences p_j, log rate ratios b_j and log odds ratios of never using g_j,

    E[(1 - pi) mu] = exp(m) * prod_j (1 + p_j (e^{b_j} - 1)) * E~[1 - logistic(z + sum_j g_j X_j)]

where under E~ the prevalences are tilted, p_j e^{b_j} / (1 + p_j (e^{b_j} - 1)). The mean of the logistic
needs only the characteristic function of S = sum_j g_j X_j, a product over the conditions:

    1 - logistic(x) = 1/2 - int_0^inf sin(t x) / sinh(pi t) dt
    E~[1 - logistic(z + S)] = 1/2 - int_0^inf Im(e^{i t z} phi(t)) / sinh(pi t) dt

The midpoint rule with step h is wrong by about e^{-(2 pi / h - |x|)}, so a few dozen nodes are enough; the
intercept z enters only as a phase, so one spectrum serves every deprivation score and sex of a cell.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

_CELLS = 1_024  # at a time, which stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Mixture:
    """Cells of people with independent conditions, ready for any intercept.

    multiplier: (cells,) mean of the product of the conditions' rate ratios.
    spectrum: (cells, nodes) characteristic function of the tilted log odds.
    Two mixtures of independent conditions over the same cells combine by multiplying both fields.
    """

    multiplier: Floats
    spectrum: Complexes


@dataclass(frozen=True, slots=True)
class Quadrature:
    """Midpoint nodes (nodes,) and weights h / sinh(pi t) (nodes,)."""

    nodes: Floats
    weights: Floats


def quadrature(reach: float, tolerance: float = 1e-9) -> Quadrature:
    """Nodes for log odds up to `reach` in size, with the mean relative error below `tolerance`.

    The rarest share is about e^{-reach}, so the absolute error aimed at is that times the tolerance.
    """
    digits = reach - np.log(tolerance)
    step = 2.0 * np.pi / (digits + reach)
    nodes = (np.arange(int(np.ceil(digits / np.pi / step))) + 0.5) * step
    return Quadrature(nodes, step / np.sinh(np.pi * nodes))


def mix(prevalence: Floats, log_rate_ratio: Floats, log_odds_ratio: Floats, rule: Quadrature) -> Mixture:
    """Mix conditions with `prevalence` (cells, conditions) and effects (conditions,)."""
    lift = np.expm1(log_rate_ratio)
    multiplier = np.ones(prevalence.shape[0])
    spectrum = np.ones((prevalence.shape[0], len(rule.nodes)), dtype=np.complex128)
    turns = np.expm1(1j * np.outer(log_odds_ratio, rule.nodes))
    for start in range(0, len(spectrum), _CELLS):
        some = slice(start, start + _CELLS)
        for j, present in enumerate(prevalence[some].T):
            mean_ratio = 1.0 + present * lift[j]
            tilted = present * np.exp(log_rate_ratio[j]) / mean_ratio
            multiplier[some] *= mean_ratio
            factor = tilted[:, None] * turns[j]
            factor += 1.0
            spectrum[some] *= factor
    return Mixture(multiplier, spectrum)


def users(spectrum: Complexes, log_odds_never: Floats, rule: Quadrature) -> Floats:
    """The mean of 1 - pi for every cell and every intercept.

    spectrum: (..., cells, nodes); log_odds_never: (..., intercepts). Returns (..., cells, intercepts).
    """
    phase = rule.weights[:, None] * np.exp(1j * rule.nodes[:, None] * log_odds_never[..., None, :])
    # Im(spectrum @ phase) as two real products: half the work of a complex one.
    imaginary = spectrum.real @ phase.imag + spectrum.imag @ phase.real
    result: Floats = 0.5 - imaginary
    return result
