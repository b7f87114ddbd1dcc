"""Maximum likelihood of a count family on cells, by Newton's method with a line search.

With eta_j = X_j b_j + offset_j in each part j, score u_j and information w_jk by cell,

    gradient_j = X_j' u_j        information_jk = X_j' diag(w_jk) X_k        step = information^-1 gradient

all exact on the people, for cells are sums over them. Cells are gone through in parts, so that memory is
bounded whatever their number; parts are shared out to threads and summed in their own order, so that the
result does not depend on the threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from needsalloc.kernels.designs import Design, parts_of
from needsalloc.kernels.families import COUNT, LOG_THETA, ZERO, Family, Pair, Stats, rising

Floats = NDArray[np.float64]
T = TypeVar("T")

CELLS_AT_ONCE = 2**14
ITERATIONS = 200
# Twice what the log-likelihood would still gain: a step of 1e-7 standard errors is left, and is taken.
DECREMENT = 1e-14
FLAT = 1e-8
RUNNING = 0.05
FARTHEST = 30.0
SMALLEST_STEP = 2.0**-30


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be fitted.

    Attributes
    ----------
    family:
        The family of counts.
    stats:
        Sums over the people of each cell.
    designs:
        "count", and "zero" where the family has it -> design of the cells. Both may be the same object.
    offsets:
        Part -> (cells,) what is added to its linear predictor; a part without one is absent.
    histogram:
        (y, people) of the positive counts of all cells together, for a dispersed family.
    """

    family: Family
    stats: Stats
    designs: Mapping[str, Design]
    offsets: Mapping[str, Floats] = field(default_factory=dict)
    histogram: tuple[Floats, Floats] | None = None

    @property
    def slices(self) -> dict[str, slice]:
        """Where the coefficients of each part of the family are among all."""
        sizes = [1 if part == LOG_THETA else self.designs[part].columns for part in self.family.parts]
        ends = list(accumulate(sizes))
        return {
            part: slice(end - size, end)
            for part, size, end in zip(self.family.parts, sizes, ends, strict=True)
        }

    @property
    def size(self) -> int:
        """How many coefficients there are."""
        return max(where.stop for where in self.slices.values())

    @property
    def people(self) -> float:
        """How many people, frequency weights counted."""
        return float(self.stats.zeros.sum() + self.stats.positives.sum())


@dataclass(frozen=True, slots=True)
class Part:
    """Some consecutive cells: where they are, their designs (columns, cells), predictors and sums by part."""

    start: int
    stop: int
    designs: Mapping[str, Floats]
    eta: Mapping[str, Floats]
    stats: Stats

    def predictors(self, family: Family) -> Floats:
        """(cells, k) as a family's methods by cell want them."""
        found = np.empty((self.stop - self.start, len(family.parts)))
        for column, part in enumerate(family.parts):
            found[:, column] = self.eta[part]
        return found


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Log-likelihood, gradient (P,) and observed information (P, P) at some coefficients."""

    log_likelihood: float
    gradient: Floats
    information: Floats

    @property
    def finite(self) -> bool:
        """Whether all of it are numbers."""
        return bool(
            np.isfinite(self.log_likelihood)
            and np.isfinite(self.gradient).all()
            and np.isfinite(self.information).all()
        )


@dataclass(frozen=True, slots=True)
class Optimum:
    """Where Newton's method ended.

    Attributes
    ----------
    coefficients:
        (P,) those of the parts of the family one after the other.
    log_likelihood, gradient, information:
        There, but for the last step, which is below 1e-7 standard errors.
    iterations:
        Evaluations of the likelihood.
    converged:
        Whether the likelihood has no more to gain.
    running:
        (P,) coefficients that still moved when it had not: their estimates are infinite.
    """

    coefficients: Floats
    log_likelihood: float
    gradient: Floats
    information: Floats
    iterations: int
    converged: bool
    running: NDArray[np.bool_]


def part_of(problem: Problem, coefficients: Floats, start: int, stop: int) -> Part:
    """The cells from `start` up to `stop` at these coefficients."""
    designs: dict[str, Floats] = {}
    eta: dict[str, Floats] = {}
    for part, where in problem.slices.items():
        if part == LOG_THETA:
            eta[part] = coefficients[where]
            continue
        shared = part == ZERO and problem.designs[ZERO] is problem.designs[COUNT]
        designs[part] = designs[COUNT] if shared else problem.designs[part].rows(start, stop)
        eta[part] = coefficients[where] @ designs[part]
        if part in problem.offsets:
            eta[part] += problem.offsets[part][start:stop]
    return Part(start, stop, designs, eta, problem.stats.part(start, stop))


def over_parts(problem: Problem, coefficients: Floats, work: Callable[[Part], T]) -> Iterator[T]:
    """What `work` makes of each part of the cells, in their order, by as many threads as there are cores."""
    parts = parts_of(len(problem.stats), CELLS_AT_ONCE)

    def done(bounds: tuple[int, int]) -> T:
        # Far from the optimum a mean may be infinite: such a place is not accepted.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return work(part_of(problem, coefficients, *bounds))

    if len(parts) == 1:
        yield done(parts[0])
        return
    threads = min(os.cpu_count() or 1, len(parts))
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(done, parts)


def evaluate(problem: Problem, coefficients: Floats) -> Evaluation:
    """Log-likelihood, gradient and information at these coefficients (P,), in one pass over the cells."""
    family, slices, size = problem.family, problem.slices, problem.size

    def work(part: Part) -> Evaluation:
        found = family.derivatives(part.eta, part.stats)
        gradient = np.empty(size)
        for name, where in slices.items():
            gradient[where] = _columns(part, name) @ found.score[name]
        information = _products(part, found.information, slices, size)
        return Evaluation(float(found.log_likelihood.sum()), gradient, information)

    likelihood, gradient, information = 0.0, np.zeros(size), np.zeros((size, size))
    for here in over_parts(problem, coefficients, work):
        likelihood += here.log_likelihood
        gradient += here.gradient
        information += here.information
    if family.dispersed:
        y, people = _histogram(problem)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            value, first, second = rising(y, float(coefficients[-1]))
        likelihood += float(people @ value)
        gradient[-1] += people @ first
        information[-1, -1] -= people @ second
    return Evaluation(likelihood, gradient, information)


def meat(problem: Problem, coefficients: Floats) -> Floats:
    """(P, P) sum over people of outer products of their scores; a dispersed family needs counts by cell."""
    family, slices = problem.family, problem.slices

    def work(part: Part) -> Floats:
        by_cell = family.meat(part.predictors(family), part.stats)
        pairs = {
            (one, other): by_cell[:, family.parts.index(one), family.parts.index(other)]
            for one, other in family.pairs
        }
        return _products(part, pairs, slices, problem.size)

    return np.asarray(sum(over_parts(problem, coefficients, work), np.zeros((problem.size, problem.size))))


def maximise(problem: Problem, start: Floats) -> Optimum:
    """The coefficients of largest likelihood, from `start` (P,).

    1. Evaluate likelihood, gradient and information.
    2. Step to the top of the parabola that they make; where it opens upwards in some direction, go up there
       by as much as its curvature would have it.
    3. Halve the step until the likelihood rises by a ten-thousandth of what the gradient promises.
    4. End when nothing is left to gain, or when what is left comes from coefficients that run away.

    Raises ValueError where the start has no finite likelihood.
    """
    reach = np.concatenate(
        [np.ones(1) if part == LOG_THETA else problem.designs[part].largest for part in problem.family.parts]
    )
    coefficients, evaluations, converged = start, 1, False
    at = evaluate(problem, start)
    if not at.finite:
        raise ValueError("the likelihood of the start is not finite")
    running = np.zeros(problem.size, dtype=np.bool_)
    while not converged and evaluations < ITERATIONS:
        step, upward = _step(at, reach)
        gain = float(at.gradient @ step)
        moves = np.abs(step) * reach
        if gain < DECREMENT and not upward:
            coefficients, converged = coefficients + step, True
            break
        if gain < FLAT and moves.max() > RUNNING:
            converged, running = True, moves > RUNNING / 5
            break
        size, noise = 1.0, 1e-13 * abs(at.log_likelihood)
        while True:
            tried = evaluate(problem, coefficients + size * step)
            evaluations += 1
            if tried.finite and tried.log_likelihood >= at.log_likelihood + 1e-4 * size * gain - noise:
                break
            size /= 2.0
            if size < SMALLEST_STEP or evaluations >= ITERATIONS:
                return Optimum(coefficients, *_fields(at), evaluations, gain < FLAT, running)
        coefficients, at = coefficients + size * step, tried
    return Optimum(coefficients, *_fields(at), evaluations, converged, running)


def _fields(at: Evaluation) -> tuple[float, Floats, Floats]:
    return at.log_likelihood, at.gradient, at.information


def _step(at: Evaluation, reach: Floats) -> tuple[Floats, bool]:
    """The step, and whether the likelihood curves upwards somewhere."""
    scale = np.sqrt(np.abs(np.diag(at.information)))
    scale = np.where(scale > 0, scale, 1.0)
    information = at.information / np.outer(scale, scale)
    try:
        factor = linalg.cho_factor(information)
    except linalg.LinAlgError:
        curvature, axes = linalg.eigh(information)
        size = np.maximum(np.abs(curvature), 1e-8)
        along = axes.T @ (at.gradient / scale) / size
        step = np.asarray(axes @ along / scale)
        # Where the likelihood is flat a step is of any length, and predictors beyond this differ in nothing.
        return step * min(1.0, FARTHEST / max((np.abs(step) * reach).max(), 1e-9)), bool(curvature[0] < -1e-8)
    return np.asarray(linalg.cho_solve(factor, at.gradient / scale) / scale), False


def _columns(part: Part, name: str) -> Floats:
    """(columns, cells) of a part; log theta has a column of ones."""
    return np.ones((1, part.stop - part.start)) if name == LOG_THETA else part.designs[name]


def _products(part: Part, weights: Mapping[Pair, Floats], slices: Mapping[str, slice], size: int) -> Floats:
    """(P, P) X_j' diag(w_jk) X_k for every pair of parts."""
    found = np.zeros((size, size))
    for (one, other), weight in weights.items():
        product = _columns(part, one) @ (weight * _columns(part, other)).T
        found[slices[one], slices[other]] = product
        if one != other:
            found[slices[other], slices[one]] = product.T
    return found


def _histogram(problem: Problem) -> tuple[Floats, Floats]:
    if problem.histogram is None:
        raise ValueError("a dispersed family needs the histogram of y")
    return problem.histogram


__all__ = [
    "Evaluation",
    "Optimum",
    "Part",
    "Problem",
    "evaluate",
    "maximise",
    "meat",
    "over_parts",
    "part_of",
]
