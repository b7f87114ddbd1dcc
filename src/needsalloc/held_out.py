"""How a fit fares on people, or on whole teams or practices, that it has not seen.

Each person is left out by the toss of a seeded coin, or so many of the clusters at random; the same terms are
fitted to the rest and held against those left out. Both are exact splits of persons, made on cells: of n
persons alike, with the same predictors and the same count, a binomial number is left out, which is what a
coin for each of them gives. It needs the counts within each cell. Whole clusters need only the cluster in the
key.

The pattern is that of person-based resource allocation: one sample to estimate, a second of people and of
practices to validate (Dixon and others 2011, BMJ 343:d6608). People of a practice left out say how an index
fares where it was not fitted; people left out at random share their practices with those fitted on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaln

from needsalloc import estimable
from needsalloc.collapse import Cells
from needsalloc.display import sentence_and_table
from needsalloc.errors import FormulaError, InvalidValueError
from needsalloc.fit import Fit
from needsalloc.inference import cluster_labels
from needsalloc.kernels import newton, starts
from needsalloc.kernels.threads import one_blas_thread
from needsalloc.validation import PREDICTION, Calibration, Observed, calibrated

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Unit = Literal["people", "clusters"]

FITTED_ON, HELD_OUT = "fitted on", "held out"
FAR = 0.1


@dataclass(frozen=True, eq=False, repr=False)
class HeldOut:
    """A fit made again on a part of the people, on those and on the others.

    Attributes
    ----------
    table:
        Rows "fitted on" and "held out": `people`, `observed` and `predicted` contacts,
        `predicted_over_observed`, `log_likelihood_per_person` (NaN for a quasi-likelihood), `r2_people`; with
        clusters also `clusters`, `r2_clusters` of their means, and `clusters_far_off`, the share of clusters
        whose contacts are predicted a tenth too high or too low, or farther off.
    calibration:
        Those held out, by tenth of prediction.
    of:
        What was held out: "people" or "clusters".
    """

    table: pd.DataFrame
    calibration: Calibration
    of: Unit

    def __repr__(self) -> str:
        inside, outside = self.table.loc[FITTED_ON], self.table.loc[HELD_OUT]
        said = (
            f"<HeldOut {self.of}: {outside['people']:,.0f} people held out, predicted over observed "
            f"{outside['predicted_over_observed']:.3f}, R2 of people {outside['r2_people']:.3f} (fitted on "
            f"{inside['r2_people']:.3f})"
        )
        if "clusters" in self.table:
            said += (
                f", of clusters {outside['r2_clusters']:.3f}; {outside['clusters_far_off']:.0%} of "
                f"{outside['clusters']:,.0f} clusters a tenth off or more"
            )
        return f"{said}>"

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def held_out(fit: Fit, cells: Cells, *, of: Unit = "people", share: float = 0.5, seed: int = 1) -> HeldOut:
    """Fit the same terms again without some people, or some clusters, and hold the fit against them.

    cells: those that were fitted; `collapse(…, keep_counts=True)` to hold out people, `cluster="practice"` to
        hold out clusters. For clusters a negative binomial needs the counts too.
    of: "people" or "clusters". share: the chance of each person to be held out; of clusters their number, at
        least one on either side.

    Centring stays that of all people, which changes no prediction as long as main effects go with products.

    Raises FormulaError for cells without counts or clusters, and for terms that the people left cannot tell;
    InvalidValueError for a share that is none, people who are no whole numbers, and for a part without
    people.
    """
    if of not in get_args(Unit):
        raise FormulaError(f"Unknown unit {of!r}: choose {' or '.join(get_args(Unit))}.")
    if not 0 < share < 1:
        raise InvalidValueError(f"A share of {share:g} is to be held out: give one between 0 and 1.")
    split = _people if of == "people" else _clusters
    rest, out = split(cells, share, np.random.default_rng(seed))
    if fit.family.dispersed and cells.counts is None:
        raise FormulaError(
            f"{fit.family.name} needs the counts within each cell here: collapse(…, keep_counts=True)."
        )
    problem = fit.problem(rest)
    labels = {part: one.labels for part, one in fit.terms.items()}
    with one_blas_thread():
        estimable.check_terms(problem, labels)
        optimum, _ = starts.climb(problem)
    estimable.check_converged(optimum, fit.family)
    found = {
        name: _row(fit, part, optimum.coefficients) for name, part in ((FITTED_ON, rest), (HELD_OUT, out))
    }
    observed = Observed.of(fit.problem(out), optimum.coefficients)
    return HeldOut(pd.DataFrame(found).T, calibrated(observed, out, PREDICTION, None), of)


def _row(fit: Fit, cells: Cells, coefficients: Floats) -> dict[str, float]:
    problem = fit.problem(cells)
    observed = Observed.of(problem, coefficients)
    people = float(observed.people.sum())
    with one_blas_thread():
        likelihood = newton.evaluate(problem, coefficients).log_likelihood
    row = {
        "people": people,
        "observed": float(observed.total.sum()),
        "predicted": float(observed.people @ observed.mean),
        "predicted_over_observed": observed.ratio,
        "log_likelihood_per_person": float("nan") if fit.family.fractions else likelihood / people,
        "r2_people": observed.r_squared(),
    }
    if cells.cluster is not None:
        group, names = pd.factorize(cells.cluster, sort=True)
        _, total, predicted = observed.sums(group.astype(np.int64), len(names))
        far = np.abs(predicted - total) >= FAR * total
        row |= {
            "clusters": float(len(names)),
            "r2_clusters": observed.r_squared_between(group.astype(np.int64), pd.Index(names)),
            "clusters_far_off": float(far.mean()),
        }
    return row


def _people(cells: Cells, share: float, rng: np.random.Generator) -> tuple[Cells, Cells]:
    """Each person in one part or the other, by a binomial number of those alike."""
    if cells.counts is None:
        raise FormulaError(
            "To hold out people the cells need their counts: collapse(…, keep_counts=True), or hold out "
            "clusters."
        )
    people = cells.counts["people"].to_numpy(np.float64)
    if (people % 1 != 0).any():
        raise InvalidValueError(
            "Some cells have a part of a person: people are held out whole or not at all."
        )
    out = rng.binomial(people.astype(np.int64), share).astype(np.float64)
    return _with_counts(cells, people - out), _with_counts(cells, out)


def _clusters(cells: Cells, share: float, rng: np.random.Generator) -> tuple[Cells, Cells]:
    """Each cluster in one part or the other."""
    labels, names = cluster_labels(cells.cluster, len(cells))
    number = min(max(round(share * len(names)), 1), len(names) - 1)
    out = np.isin(labels, rng.permutation(len(names))[:number])
    return _picked(cells, ~out), _picked(cells, out)


def _with_counts(cells: Cells, people: Floats) -> Cells:
    """The same cells with so many people of each count (rows of `counts`), those without anybody left out."""
    assert cells.counts is not None
    cell, y = cells.counts["cell"].to_numpy(np.int64), cells.counts["y"].to_numpy(np.float64)

    def sums(values: Floats) -> Floats:
        return np.bincount(cell, people * values, len(cells)).astype(np.float64)

    some = (y > 0).astype(np.float64)
    thinned = replace(
        cells,
        zeros=sums(1.0 - some),
        positives=sums(some),
        total=sums(y),
        total_squares=sums(y**2),
        log_factorials=sums(gammaln(y + 1.0)),
        counts=cells.counts.assign(people=people),
    )
    return _picked(thinned, thinned.people > 0)


def _picked(cells: Cells, kept: Bools) -> Cells:
    """Some of the cells, their histograms with them where they have counts."""
    if not kept.any() or not cells.people[kept].sum():
        raise InvalidValueError("A part has nobody: choose another share, or more people.")
    counts = histogram = None
    if cells.counts is not None:
        inside = kept[cells.counts["cell"].to_numpy(np.int64)] & (cells.counts["people"] > 0)
        place = np.cumsum(kept) - 1
        counts = cells.counts[inside].reset_index(drop=True)
        counts = counts.assign(cell=place[counts["cell"]])
        histogram = counts.groupby("y", as_index=False)["people"].sum()
    return replace(
        cells,
        keys=cells.keys[kept].reset_index(drop=True),
        zeros=cells.zeros[kept],
        positives=cells.positives[kept],
        total=cells.total[kept],
        total_squares=cells.total_squares[kept],
        log_factorials=cells.log_factorials[kept],
        exposure=None if cells.exposure is None else cells.exposure[kept],
        cluster=None if cells.cluster is None else cells.cluster[kept].reset_index(drop=True),
        counts=counts,
        histogram=histogram,
        rows=int(cells.people[kept].sum()),
        fractional=cells.fractional,
    )


__all__ = ["HeldOut", "held_out"]
