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
        (P, P) in the order of the coefficients.
    degrees_of_freedom:
        (P,) of Student's t for each coefficient; infinite where it is the normal law.
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

        finite = np.isfinite(self.degrees_of_freedom)
        freedom = np.where(finite, self.degrees_of_freedom, 1.0)
        return np.where(finite, stdtrit(freedom, chance), ndtri(chance))

    def p_values(self, coefficients: Floats) -> Floats:
        """(P,) two-sided chance of an estimate as far from 0, were the coefficient 0."""
        from scipy.special import ndtr, stdtr

        far = -np.abs(coefficients) / self.standard_errors
        finite = np.isfinite(self.degrees_of_freedom)
        freedom = np.where(finite, self.degrees_of_freedom, 1.0)
        return 2.0 * np.where(finite, stdtr(freedom, far), ndtr(far))

    def __repr__(self) -> str:
        return f"<Inference: {self.note}>"


def infer(
    problem: Problem,
    coefficients: Floats,
    information: Floats,
    *,
    errors: Errors = "model",
    cluster: pd.Series | None = None,
) -> Inference:
    """The covariance of the coefficients (P,) at the optimum of a problem.

    information: (P, P) observed, there. cluster: the label of each cell (cells,), for clustered errors; below
        40 clusters these are bias-reduced, and the note says so.

    Raises FormulaError for unknown errors, errors by cluster without clusters, those of a negative binomial
    without its counts by cell, model errors of a quasi-likelihood, and an information that leaves some
    coefficients open; InvalidValueError for missing labels and for a single cluster.
    """
    if errors not in get_args(Errors):
        raise FormulaError(f"Unknown errors {errors!r}: choose {', '.join(get_args(Errors))}.")
    if errors != "model":
        _require_counts(problem, errors)
    try:
        model = sandwich.inverse(information)
    except np.linalg.LinAlgError as error:
        raise FormulaError(
            f"The data do not determine all {problem.size} coefficients, so that they have no errors: "
            "leave out terms that others imply."
        ) from error
    normal = np.full(problem.size, np.inf)
    if errors == "model":
        if problem.family.fractions:
            raise FormulaError(
                f"{problem.family.name} has no likelihood, so no model errors: "
                "choose errors robust or clustered."
            )
        return Inference("model", model, normal, None, "model errors: no more spread than the family allows")
    if errors == "robust":
        found = sandwich.robust(information, newton.meat(problem, coefficients))
        note = "robust errors: people are independent, whatever their spread"
        return Inference("robust", found, normal, None, note)
    labels, names = cluster_labels(cluster, len(problem.stats))
    groups = len(names)
    if groups >= FEW:
        scores = sandwich.cluster_scores(problem, coefficients, labels, groups)
        found = sandwich.clustered(information, scores)
        note = f"errors by {groups:,} clusters, t with {groups - 1:,} degrees of freedom"
        return Inference("clustered", found, np.full(problem.size, groups - 1.0), groups, note)
    reduced = sandwich.bias_reduced(sandwich.cluster_sums(problem, coefficients, labels, groups))
    freedom = np.minimum(reduced.degrees_of_freedom, groups - 1.0)
    note = (
        f"bias-reduced errors (CR2) by {groups} clusters, which are few: Satterthwaite's degrees of freedom, "
        f"{freedom.min():.1f} to {freedom.max():.1f}"
    )
    if reduced.own:
        note += f"; {reduced.own} directions rest on one cluster alone, and these errors do not know them"
    return Inference("bias-reduced", reduced.covariance, freedom, groups, note)


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


def _require_counts(problem: Problem, errors: str) -> None:
    if problem.family.dispersed and problem.stats.counts is None:
        raise FormulaError(
            f"{errors.capitalize()} errors of {problem.family.name} need the counts within each cell: "
            "collapse(…, keep_counts=True)."
        )


__all__ = ["FEW", "Inference", "cluster_labels", "infer"]
