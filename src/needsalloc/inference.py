"""How sure the coefficients of a fit are: by its model, robust, by cluster, and with few clusters.

Contacts are far more spread than any count family says (variance over mean among users 122 in the published
cohort), so model errors are too small; people of one team or practice resemble each other, so robust ones
are too. With few clusters both the errors and the normal law mislead: below `FEW` the errors are
bias-reduced (CR2) and each coefficient has Satterthwaite's degrees of freedom, which fall far below
clusters - 1 for a term that has one value for a whole team, as supply has. The mathematics is in
kernels/sandwich.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.errors import FormulaError, InvalidValueError
from needsalloc.kernels import newton, sandwich
from needsalloc.kernels.newton import Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Errors = Literal["model", "robust", "clustered"]
Method = Literal["one-step", "refit"]
Kind = Literal["model", "robust", "clustered", "bias-reduced"]

FEW = 40


@dataclass(frozen=True, slots=True, eq=False)
class Inference:
    """The covariance of a fit's coefficients, and the law that their errors follow.

    Attributes
    ----------
    kind:
        "model", "robust", "clustered", or "bias-reduced" for fewer than 40 clusters.
    covariance:
        (P, P) in the order of the coefficients; NaN for one that is taken as known.
    degrees_of_freedom:
        (P,) of Student's t for each coefficient; infinite where it is the normal law, NaN for a known one.
    clusters:
        How many there are; None without clusters.
    note:
        What the errors are, in a sentence.
    """

    kind: Kind
    covariance: Floats
    degrees_of_freedom: Floats
    clusters: int | None
    note: str

    @property
    def standard_errors(self) -> Floats:
        """(P,) square roots of the diagonal."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def joint_freedom(self) -> float:
        """Degrees of freedom of all coefficients together: clusters - 1, or infinite."""
        return np.inf if self.clusters is None else float(self.clusters - 1)

    def quantile(self, chance: float) -> Floats:
        """(P,) the quantile of each coefficient's law, in standard errors."""
        from scipy.special import ndtri, stdtrit

        normal = np.isinf(self.degrees_of_freedom)
        freedom = np.where(normal, 1.0, self.degrees_of_freedom)
        return np.where(normal, ndtri(chance), stdtrit(freedom, chance))

    def p_values(self, coefficients: Floats) -> Floats:
        """(P,) two-sided chance of an estimate as far from 0, were the coefficient 0."""
        from scipy.special import ndtr, stdtr

        far = -np.abs(coefficients) / self.standard_errors
        normal = np.isinf(self.degrees_of_freedom)
        freedom = np.where(normal, 1.0, self.degrees_of_freedom)
        return 2.0 * np.where(normal, ndtr(far), stdtr(freedom, far))

    def __repr__(self) -> str:
        return f"<Inference: {self.note}>"


@dataclass(frozen=True, slots=True, eq=False)
class ClusterBootstrap:
    """Coefficients found again on clusters drawn with replacement.

    Attributes
    ----------
    coefficients:
        (replicates, P) estimates.
    clusters:
        How many there are, and are drawn each time.
    method:
        "one-step" from the optimum of all people, or "refit".
    refitted:
        How many replicates were refitted to their own optimum.
    boundless:
        In how many refits a coefficient ran away: the replicate separates users from others. Percentiles hold
        all the same, standard errors do not.
    """

    coefficients: Floats
    clusters: int
    method: Method
    refitted: int
    boundless: int

    @property
    def covariance(self) -> Floats:
        """(P, P) over the replicates."""
        away = self.coefficients - self.coefficients.mean(axis=0)
        return np.asarray(away.T @ away / (len(away) - 1))

    @property
    def standard_errors(self) -> Floats:
        """(P,) over the replicates."""
        return np.sqrt(np.diag(self.covariance))

    def interval(self, level: float = 0.95) -> Floats:
        """(2, P) percentiles that leave out as many replicates below as above."""
        tail = (1.0 - level) / 2.0
        return np.asarray(np.quantile(self.coefficients, [tail, 1.0 - tail], axis=0))

    def __repr__(self) -> str:
        how = "refits" if self.method == "refit" else f"one Newton step, {self.refitted} of them refitted"
        number = len(self.coefficients)
        away = f"; a coefficient runs away in {self.boundless:,}" if self.boundless else ""
        return f"<ClusterBootstrap: {number:,} replicates of {self.clusters:,} clusters by {how}{away}>"


def infer(
    problem: Problem,
    coefficients: Floats,
    information: Floats,
    *,
    errors: Errors = "model",
    cluster: pd.Series | None = None,
    held: Bools | None = None,
    dispersion: float = 1.0,
) -> Inference:
    """The covariance of the coefficients (P,) at the optimum of a problem.

    information: (P, P) observed, there.
    cluster: the label of each cell (cells,), for clustered errors; below 40 clusters these are bias-reduced,
        and the note says so.
    held: (P,) coefficients that are taken as known, for their estimates are infinite: their rows and columns
        are NaN.
    dispersion: Pearson's, by which the model covariance of a quasi-likelihood is multiplied.

    Raises FormulaError for unknown errors, errors by cluster without clusters, those of a negative binomial
    without its counts by cell, and an information that leaves some coefficients open; InvalidValueError for
    missing labels and for a single cluster.
    """
    if errors not in get_args(Errors):
        raise FormulaError(f"Unknown errors {errors!r}: choose {', '.join(get_args(Errors))}.")
    if errors != "model":
        _require_counts(problem, errors)
    free = np.ones(problem.size, dtype=np.bool_) if held is None else ~held
    among = np.ix_(free, free)
    try:
        model = sandwich.inverse(information[among])
    except np.linalg.LinAlgError as error:
        raise FormulaError(
            f"The data do not determine all {problem.size} coefficients, so that they have no errors: "
            "leave out terms that others imply."
        ) from error
    normal = np.full(int(free.sum()), np.inf)
    if errors == "model":
        note = "model errors: no more spread than the family allows"
        if problem.family.fractions:
            model, note = (
                model * dispersion,
                f"model errors: spread over the mean is {dispersion:.3g} for all",
            )
        return _full("model", model, normal, None, note, free)
    if errors == "robust":
        found = sandwich.robust(information[among], newton.meat(problem, coefficients)[among])
        note = "robust errors: people are independent, whatever their spread"
        return _full("robust", found, normal, None, note, free)
    labels, names = cluster_labels(cluster, len(problem.stats))
    groups = len(names)
    if groups >= FEW:
        scores = sandwich.cluster_scores(problem, coefficients, labels, groups)[:, free]
        found = sandwich.clustered(information[among], scores)
        note = f"errors by {groups:,} clusters, t with {groups - 1:,} degrees of freedom"
        return _full("clustered", found, np.full(len(found), groups - 1.0), groups, note, free)
    reduced = sandwich.bias_reduced(sandwich.cluster_sums(problem, coefficients, labels, groups).of(free))
    freedom = np.minimum(reduced.degrees_of_freedom, groups - 1.0)
    note = (
        f"bias-reduced errors (CR2) by {groups} clusters, which are few: Satterthwaite's degrees of freedom, "
        f"{freedom.min():.1f} to {freedom.max():.1f}"
    )
    if reduced.own:
        note += f"; {reduced.own} directions rest on one cluster alone, and these errors do not know them"
    return _full("bias-reduced", reduced.covariance, freedom, groups, note, free)


def bootstrap_clusters(
    problem: Problem,
    coefficients: Floats,
    cluster: pd.Series | None,
    *,
    replicates: int = 500,
    seed: int = 1,
    method: Method = "one-step",
    held: Bools | None = None,
) -> ClusterBootstrap:
    """Draw clusters with replacement and estimate again, from the optimum (P,) of all people.

    No row is drawn: a cluster that comes up twice counts its cells twice. "one-step" takes a single Newton
    step, whose error is the square of how far the estimate moves, for all replicates at once; a replicate
    that has lost most of the information on some direction is refitted. "refit" goes on to the optimum of
    each: with few people, or a zero-inflated negative binomial, it is the one to trust.

    held: (P,) coefficients that a step leaves where they are, for their estimates are infinite.

    Raises FormulaError for an unknown method, without clusters, and for a negative binomial without its
    counts by cell; InvalidValueError for missing labels, a single cluster and fewer than two replicates.
    """
    if method not in get_args(Method):
        raise FormulaError(f"Unknown method {method!r}: choose {', '.join(get_args(Method))}.")
    if replicates < 2:
        raise InvalidValueError(f"{replicates} replicates have no spread: ask for 500, say.")
    _require_counts(problem, "bootstrap")
    labels, names = cluster_labels(cluster, len(problem.stats))
    free = np.ones(problem.size, dtype=np.bool_) if held is None else ~held
    sums = sandwich.cluster_sums(problem, coefficients, labels, len(names)).of(free)
    times = sandwich.multiplicities(len(names), replicates, np.random.default_rng(seed))
    found = np.tile(coefficients, (replicates, 1))
    found[:, free] = sandwich.one_step(coefficients[free], sums, times)
    stepless: Bools = np.isnan(found).any(axis=1)
    again = np.arange(replicates) if method == "refit" else np.flatnonzero(stepless)
    boundless = 0
    for replicate in again:
        start = coefficients if stepless[replicate] else found[replicate]
        drawn = sandwich.reweighted(problem, times[replicate][labels])
        if not np.isfinite(newton.evaluate(drawn, start).log_likelihood):
            start = coefficients
        optimum = newton.maximise(drawn, start)
        found[replicate] = optimum.coefficients
        boundless += bool(optimum.running.any())
    return ClusterBootstrap(found, len(names), method, len(again), boundless)


def draw(coefficients: Floats, inference: Inference, n: int, seed: int = 1) -> Floats:
    """(n, P) draws of the coefficients about their estimates (P,).

    They are normal with the covariance of the inference, or multivariate t with clusters - 1 degrees of
    freedom where it goes by clusters. Coefficients that were taken as known stay as they are.
    """
    rng = np.random.default_rng(seed)
    free = ~np.isnan(inference.degrees_of_freedom)
    covariance = inference.covariance[np.ix_(free, free)]
    found = np.tile(coefficients, (n, 1))
    found[:, free] = sandwich.draws(coefficients[free], covariance, n, inference.joint_freedom, rng)
    return found


def cluster_labels(cluster: pd.Series | None, cells: int) -> tuple[Ints, pd.Index]:
    """Labels (cells,) from 0, and the names of the clusters.

    Raises FormulaError without clusters; InvalidValueError if labels are missing or there is but one.
    """
    if cluster is None or len(cluster) != cells:
        raise FormulaError(
            "Errors by cluster need the cluster of each person: name its column, as in "
            'fit(…, cluster="practice", errors="clustered"), so that it joins the key of the cells.'
        )
    labels, names = pd.factorize(cluster, sort=True)
    if missing := int((labels < 0).sum()):
        raise InvalidValueError(
            f"{missing:,} of {cells:,} cells have no cluster. Give these people one, or leave them out."
        )
    if len(names) < 2:
        raise InvalidValueError(
            f"There is one cluster, {names[0]!r}: it says nothing of how clusters differ. "
            "Choose robust errors, or a smaller unit."
        )
    return labels.astype(np.int64), pd.Index(names)


def _full(
    kind: Kind, covariance: Floats, freedom: Floats, clusters: int | None, note: str, free: Bools
) -> Inference:
    """The inference on all coefficients, NaN where one is taken as known."""
    every = np.full((len(free), len(free)), np.nan)
    every[np.ix_(free, free)] = covariance
    degrees = np.full(len(free), np.nan)
    degrees[free] = freedom
    return Inference(kind, every, degrees, clusters, note)


def _require_counts(problem: Problem, errors: str) -> None:
    if problem.family.dispersed and problem.stats.counts is None:
        raise FormulaError(
            f"The {errors} errors of {problem.family.name} need the counts within each cell: "
            "collapse(…, keep_counts=True)."
        )


__all__ = [
    "FEW",
    "ClusterBootstrap",
    "Inference",
    "bootstrap_clusters",
    "cluster_labels",
    "draw",
    "infer",
]
