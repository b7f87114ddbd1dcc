"""Covariances of an estimator from sums: by model, robust, by clusters many or few.

With information I = sum I_g and scores s_g of the clusters g at the optimum, where sum s_g = 0, and M = I^-1:

    model                M
    robust               M (sum over persons of s s') M                        Huber 1967, White 1980
    clustered            G / (G - 1)  M (sum s_g s_g') M                       Liang and Zeger 1986
    bias-reduced (CR2)   L (sum A_g L' s_g s_g' L A_g) L',   A_g = (1 - L' I_g L)^-1/2,   M = L L'

A_g gives back what a fit takes of each cluster's score: were the model true, E[s_g s_g'] = I_g - I_g M I_g.
For a least squares step it is the CR2 of Bell and McCaffrey 2002. Where a cluster alone decides on something,
the root is of a singular matrix and its inverse is taken on the rest (Pustejovsky and Tipton 2018,
doi:10.1080/07350015.2016.1247004). Their Satterthwaite degrees of freedom of each variance, under the same
working model, need the same sums only: with l_k the row k of L, S_g = L' I_g L and r_gk = l_k A_g S_g,

    Q_k[g, h] = (g = h) l_k A_g S_g A_g l_k' - r_gk r_hk',   df_k = tr(Q_k)^2 / |Q_k|^2.

Everything here depends on persons through sums by cluster alone, so cells are as good as persons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from needsalloc.kernels.families import LOG_THETA
from needsalloc.kernels.newton import Part, Problem, over_parts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A direction of which a cluster holds all but this share of the information is its own.
OWN = 1e-10


@dataclass(frozen=True, slots=True)
class ClusterSums:
    """Sums over the people of each cluster at some coefficients.

    scores: (clusters, P). informations: (clusters, P, P).
    """

    scores: Floats
    informations: Floats

    def of(self, coefficients: NDArray[np.bool_]) -> ClusterSums:
        """Those of some of the coefficients (P,), the others being known."""
        return ClusterSums(
            self.scores[:, coefficients], self.informations[:, coefficients][:, :, coefficients]
        )


@dataclass(frozen=True, slots=True)
class BiasReduced:
    """Covariance (P, P), degrees of freedom (P,) and how many directions one cluster alone decides on."""

    covariance: Floats
    degrees_of_freedom: Floats
    own: int


def inverse(information: Floats) -> Floats:
    """The inverse of an information matrix, scaled first, so that units do not matter.

    Raises numpy.linalg.LinAlgError if it is not positive definite.
    """
    scale = np.sqrt(np.diag(information))
    if not (scale > 0).all():
        raise np.linalg.LinAlgError("the information has no positive diagonal")
    factor = linalg.cho_factor(information / np.outer(scale, scale))
    return np.asarray(linalg.cho_solve(factor, np.eye(len(scale))) / np.outer(scale, scale))


def robust(information: Floats, meat: Floats) -> Floats:
    """(P, P) from the sum over people of the outer products of their scores."""
    model = inverse(information)
    return np.asarray(model @ meat @ model)


def clustered(information: Floats, scores: Floats) -> Floats:
    """(P, P) from the scores of the clusters (clusters, P), times G / (G - 1)."""
    groups = len(scores)
    by_cluster = scores @ inverse(information)
    return np.asarray(groups / (groups - 1) * by_cluster.T @ by_cluster)


def bias_reduced(sums: ClusterSums) -> BiasReduced:
    """CR2 and its Satterthwaite degrees of freedom, as the head of this module has them.

    Raises numpy.linalg.LinAlgError if the informations do not add up to a positive definite one.
    """
    root = np.linalg.cholesky(inverse(sums.informations.sum(axis=0)))
    held = root.T @ sums.informations @ root
    share, axes = np.linalg.eigh(held)
    rest = 1.0 - share
    undone = np.where(rest > OWN, 1.0 / np.sqrt(np.maximum(rest, OWN)), 0.0)
    adjusted = (axes * undone[:, None, :]) @ axes.transpose(0, 2, 1)
    estimates = np.einsum("kp,gpq,gq->gk", root, adjusted, sums.scores @ root)
    along = root @ (adjusted @ held)
    alone = np.einsum("gkp,gpq,kq->gk", along, adjusted, root)
    between = -np.einsum("gkp,hkp->kgh", along, along)
    trace = (alone.T + np.einsum("kgg->kg", between)).sum(axis=1)
    between[:, np.arange(len(alone)), np.arange(len(alone))] += alone.T
    freedom = trace**2 / (between**2).sum(axis=(1, 2))
    return BiasReduced(np.asarray(estimates.T @ estimates), freedom, int((rest <= OWN).sum()))


def cluster_scores(problem: Problem, coefficients: Floats, labels: Ints, groups: int) -> Floats:
    """(groups, P) sums of the scores of each cluster's people; labels (cells,) from 0 to groups - 1."""
    slices = problem.slices

    def work(part: Part) -> Floats:
        score = problem.family.score(part.predictors(problem.family), part.stats)
        here = labels[part.start : part.stop]
        found = np.empty((groups, problem.size))
        for column, (name, where) in enumerate(slices.items()):
            for place, values in zip(range(where.start, where.stop), _columns(part, name), strict=True):
                found[:, place] = np.bincount(here, values * score[:, column], groups)
        return found

    return np.asarray(sum(over_parts(problem, coefficients, work), np.zeros((groups, problem.size))))


def cluster_sums(problem: Problem, coefficients: Floats, labels: Ints, groups: int) -> ClusterSums:
    """Scores and informations of each cluster; the informations take groups * P^2 numbers."""
    family, slices = problem.family, problem.slices

    def work(part: Part) -> tuple[Ints, Floats]:
        by_cell = family.information(part.predictors(family), part.stats)
        order = np.argsort(labels[part.start : part.stop], kind="stable")
        there, first = np.unique(labels[part.start : part.stop][order], return_index=True)
        ends = [*first[1:], len(order)]
        sorted_cells = by_cell[order]
        columns = {name: _columns(part, name)[:, order] for name in slices}
        found = np.zeros((len(there), problem.size, problem.size))
        for one, other in family.pairs:
            weight = sorted_cells[:, family.parts.index(one), family.parts.index(other)]
            left, right = columns[one], weight * columns[other]
            # By cluster and not by cell: one matrix product each, which no sum over all cells can match.
            for group, (start, end) in enumerate(zip(first, ends, strict=True)):
                product = left[:, start:end] @ right[:, start:end].T
                found[group, slices[one], slices[other]] = product
                if one != other:
                    found[group, slices[other], slices[one]] = product.T
        return there, found

    informations = np.zeros((groups, problem.size, problem.size))
    for there, found in over_parts(problem, coefficients, work):
        informations[there] += found
    return ClusterSums(cluster_scores(problem, coefficients, labels, groups), informations)


def _columns(part: Part, name: str) -> Floats:
    """(columns, cells) of a part; log theta has a column of ones."""
    designs: Mapping[str, Floats] = part.designs
    return np.ones((1, part.stop - part.start)) if name == LOG_THETA else designs[name]


__all__ = [
    "BiasReduced",
    "ClusterSums",
    "bias_reduced",
    "cluster_scores",
    "cluster_sums",
    "clustered",
    "inverse",
    "robust",
]
