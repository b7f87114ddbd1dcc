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
from needsalloc.kernels import newton, resampling, sandwich
from needsalloc.kernels.newton import Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Errors = Literal["model", "robust", "clustered"]
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


def draw(coefficients: Floats, inference: Inference, n: int, seed: int = 1) -> Floats:
    """(n, P) draws of the coefficients about their estimates (P,).

    They are normal with the covariance of the inference, or multivariate t with clusters - 1 degrees of
    freedom where it goes by clusters. Coefficients that were taken as known stay as they are.
    """
    rng = np.random.default_rng(seed)
    free = ~np.isnan(inference.degrees_of_freedom)
    covariance = inference.covariance[np.ix_(free, free)]
    found = np.tile(coefficients, (n, 1))
    found[:, free] = resampling.draws(coefficients[free], covariance, n, inference.joint_freedom, rng)
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
    "Inference",
    "cluster_labels",
    "draw",
    "infer",
]
