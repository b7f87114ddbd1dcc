"""An estimator on people drawn again: clusters with replacement, or coefficients about their estimates.

No row is drawn. A cluster that comes up w times counts its cells w times, so that a replicate maximises
sum w_g l_g(b). With scores s_g and informations I_g at the optimum b of all people, its first Newton step is

    b + (sum w_g I_g)^-1 sum w_g s_g,

which misses its optimum by the square of how far it goes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from needsalloc.kernels import newton
from needsalloc.kernels.families import Counts, Stats
from needsalloc.kernels.newton import Problem
from needsalloc.kernels.sandwich import ClusterSums, cluster_sums, inverse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Of the information on each direction a replicate must keep so much for one step to lead near its optimum.
KEPT = 0.25


@dataclass(frozen=True, slots=True)
class Replicates:
    """Estimates on clusters drawn again.

    coefficients: (replicates, P). refitted: (replicates,) those that went on to their optimum. boundless:
    (replicates,) those of which a coefficient ran away.
    """

    coefficients: Floats
    refitted: Bools
    boundless: Bools


def resample(
    problem: Problem,
    coefficients: Floats,
    labels: Ints,
    times: Floats,
    *,
    held: Bools,
    refit: bool,
) -> Replicates:
    """Estimates where the clusters of the cells, `labels` (cells,), count `times` (replicates, clusters).

    From the optimum (P,): one step, and on to the optimum of those that are too far off for it, or of all if
    `refit`. held: (P,) coefficients that no step moves, for their estimates are infinite.
    """
    replicates, groups = times.shape
    sums = cluster_sums(problem, coefficients, labels, groups).of(~held)
    found = np.tile(coefficients, (replicates, 1))
    found[:, ~held] = one_step(coefficients[~held], sums, times)
    far: Bools = np.isnan(found[:, ~held][:, 0])
    again = np.ones(replicates, dtype=np.bool_) if refit else far
    boundless = np.zeros(replicates, dtype=np.bool_)
    for replicate in np.flatnonzero(again):
        drawn = reweighted(problem, times[replicate][labels])
        start = coefficients if far[replicate] else found[replicate]
        if not np.isfinite(newton.evaluate(drawn, start).log_likelihood):
            start = coefficients
        optimum = newton.maximise(drawn, start)
        found[replicate] = optimum.coefficients
        boundless[replicate] = optimum.running.any()
    return Replicates(found, again, boundless)


def multiplicities(groups: int, replicates: int, rng: np.random.Generator) -> Floats:
    """(replicates, groups) how often each cluster is drawn, with replacement, as many draws as clusters."""
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=replicates).astype(np.float64)


def one_step(coefficients: Floats, sums: ClusterSums, times: Floats) -> Floats:
    """(replicates, P) one Newton step from the optimum (P,) for each reweighting (replicates, clusters).

    A replicate that has lost most of the information on some direction is too far off for one step: its row
    is NaN.
    """
    groups, size = sums.scores.shape
    root = np.linalg.cholesky(inverse(sums.informations.sum(axis=0)))
    scores = times @ (sums.scores @ root)
    held = root.T @ sums.informations @ root
    informations = (times @ held.reshape(groups, -1)).reshape(-1, size, size)
    near = np.linalg.eigvalsh(informations)[:, 0] > KEPT
    found = np.full(scores.shape, np.nan)
    steps = np.linalg.solve(informations[near], scores[near, :, None])[:, :, 0]
    found[near] = coefficients + steps @ root.T
    return found


def reweighted(problem: Problem, times: Floats) -> Problem:
    """The same problem with the people of each cell counted `times` (cells,) over."""
    stats = problem.stats
    counts, histogram = stats.counts, problem.histogram
    if counts is not None:
        counts = Counts(counts.cell, counts.y, counts.people * times[counts.cell])
        y, where = np.unique(counts.y, return_inverse=True)
        histogram = (y, np.bincount(where, counts.people).astype(np.float64))
    return replace(
        problem,
        stats=Stats(
            stats.zeros * times,
            stats.positives * times,
            stats.total * times,
            stats.total_squares * times,
            stats.log_factorials * times,
            counts,
        ),
        histogram=histogram,
    )


def draws(
    coefficients: Floats, covariance: Floats, n: int, freedom: float, rng: np.random.Generator
) -> Floats:
    """(n, P) of a multivariate t about the coefficients, normal where `freedom` is infinite.

    The covariance may lack rank, as one of few clusters does: it is factored by its eigenvectors.
    """
    scale = np.sqrt(np.diag(covariance))
    scale = np.where(scale > 0, scale, 1.0)
    size, axes = np.linalg.eigh(covariance / np.outer(scale, scale))
    root = axes * np.sqrt(np.maximum(size, 0.0))
    noise = rng.standard_normal((n, len(size))) @ root.T * scale
    if np.isfinite(freedom):
        noise *= np.sqrt(freedom / rng.chisquare(freedom, size=n))[:, None]
    return np.asarray(coefficients + noise)


__all__ = ["Replicates", "draws", "multiplicities", "one_step", "resample", "reweighted"]
