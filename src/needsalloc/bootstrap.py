"""How sure a fit is, by drawing its clusters again: a check on errors that come from formulas.

Teams, practices or areas are drawn with replacement, as many as there are, and the model is fitted to each
draw. Nothing is supposed of how people of one cluster hang together, but that clusters are alike and many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from needsalloc import display
from needsalloc.collapse import Cells
from needsalloc.errors import FormulaError, InvalidValueError
from needsalloc.fit import Fit
from needsalloc.inference import FEW, cluster_labels
from needsalloc.kernels import resampling
from needsalloc.kernels.threads import one_blas_thread

Method = Literal["one-step", "refit"]


@dataclass(frozen=True, eq=False, repr=False)
class ClusterBootstrap:
    """Coefficients found again on clusters drawn with replacement.

    Attributes
    ----------
    coefficients:
        (replicates, P) estimates, by (part, term).
    clusters:
        How many there are, and are drawn each time.
    method:
        "one-step" from the optimum of all people, or "refit".
    refitted:
        How many replicates went on to their own optimum.
    boundless:
        In how many a coefficient ran away: the replicate separates users from others. Percentiles hold all
        the same, standard errors do not.
    """

    coefficients: pd.DataFrame
    clusters: int
    method: Method
    refitted: int
    boundless: int

    @property
    def covariance(self) -> pd.DataFrame:
        """(P, P) over the replicates."""
        return self.coefficients.cov()

    @property
    def table(self) -> pd.DataFrame:
        """Rows (part, term): `standard_error`, and `low` to `high`, its middle 95 %."""
        return pd.DataFrame(
            {
                "standard_error": self.coefficients.std(),
                "low": self.coefficients.quantile(0.025),
                "high": self.coefficients.quantile(0.975),
            }
        )

    def __repr__(self) -> str:
        how = "refits" if self.method == "refit" else f"one Newton step, {self.refitted:,} of them refitted"
        few = f", which are few: prefer errors that are bias-reduced below {FEW}" * (self.clusters < FEW)
        away = f"; a coefficient runs away in {self.boundless:,}" * bool(self.boundless)
        return (
            f"<ClusterBootstrap: {len(self.coefficients):,} replicates of {self.clusters:,} clusters by {how}"
            f"{few}{away}>"
        )

    def _repr_html_(self) -> str:
        return display.sentence_and_table(self, self.table.reset_index())


def bootstrap_clusters(
    fit: Fit, cells: Cells, *, replicates: int = 500, seed: int = 1, method: Method = "one-step"
) -> ClusterBootstrap:
    """Draw the clusters of the cells with replacement, and find the coefficients again from the fit's.

    cells: those that were fitted, `collapse(…, cluster="practice")`; for a negative binomial with
        `keep_counts=True`.
    method: "one-step" takes a single Newton step, for all replicates at once, whose error is the square of
        how far the estimate moves; a replicate that lost most of the information on something is refitted.
        "refit" goes on to the optimum of each: with few people, or a zero-inflated negative binomial, trust
        this one.

    Raises FormulaError for an unknown method, for cells without a cluster, and for a negative binomial
    without its counts by cell; InvalidValueError for missing labels, a single cluster and fewer than two
    replicates.
    """
    if method not in get_args(Method):
        raise FormulaError(f"Unknown method {method!r}: choose {', '.join(get_args(Method))}.")
    if replicates < 2:
        raise InvalidValueError(f"{replicates} replicates have no spread: ask for 500, say.")
    if fit.family.dispersed and cells.counts is None:
        raise FormulaError(
            f"A bootstrap of {fit.family.name} needs the counts within each cell: "
            "collapse(…, keep_counts=True)."
        )
    labels, names = cluster_labels(cells.cluster, len(cells))
    times = resampling.multiplicities(len(names), replicates, np.random.default_rng(seed))
    with one_blas_thread():
        found = resampling.resample(
            fit.problem(cells),
            fit.coefficients.to_numpy(np.float64),
            labels,
            times,
            held=np.isnan(fit.inference.degrees_of_freedom),
            refit=method == "refit",
        )
    return ClusterBootstrap(
        pd.DataFrame(found.coefficients, columns=fit.coefficients.index),
        len(names),
        method,
        int(found.refitted.sum()),
        int(found.boundless.sum()),
    )


__all__ = ["ClusterBootstrap", "bootstrap_clusters"]
