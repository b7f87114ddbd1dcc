"""The same terms by several families: which describes the people, and what each gives up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import estimable, estimation, terms
from needsalloc.collapse import Cells
from needsalloc.display import sentence_and_table
from needsalloc.errors import FormulaError, NeedsallocError
from needsalloc.fit import Fit
from needsalloc.kernels import starts
from needsalloc.kernels.families import COUNT, FAMILIES, ZERO, Family
from needsalloc.kernels.threads import one_blas_thread
from needsalloc.validation import Observed, labels_of

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class FamilyComparison:
    """Families of counts fitted to the same cells.

    Attributes
    ----------
    table:
        Index `family`, the lowest AIC first: `coefficients`, `log_likelihood`, `aic` and `bic` (NaN for a
        quasi-likelihood), `predicted_over_observed`, `zeros_expected_over_observed` (NaN for it too, and
        where all have contact), `dispersion` (Pearson's, 1 where the family is right), `r2_people`,
        `largest_miss_<column>`, how far predicted over observed is from 1 at worst over the levels of a
        column, and `fault`, why there is no fit.
    """

    table: pd.DataFrame

    def __repr__(self) -> str:
        ranked = self.table["aic"].dropna()
        best = f"{ranked.index[0]} has the lowest AIC" if len(ranked) else "none has a likelihood"
        by = f", by {ranked.iloc[1] - ranked.iloc[0]:,.1f}" if len(ranked) > 1 else ""
        failed = (self.table["fault"] != "").sum()
        return (
            f"<FamilyComparison of {len(self.table):,} families: {best}{by}"
            f"{f'; {failed:,} could not be fitted' * bool(failed)}>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def compare_families(
    fit: Fit, cells: Cells, *, by: Iterable[str] = (), families: Iterable[str] | None = None
) -> FamilyComparison:
    """Fit the terms of a fit by every family, and set side by side what each does with the same people.

    The zero part has the terms of the fit's own, or of its count part if it has none. Quasi-Poisson is there
    because it reproduces the observed total of each level of its factors, whatever the law of counts: a
    family with a better likelihood and worse totals by level shares posts out worse. There is no Vuong test
    for zero inflation here: its reference law does not hold for that (Wilson 2015, Economics Letters 127).

    cells: those that were fitted. by: columns of the cells, or their cluster.
    families: all of them by default; of fractional counts, the quasi-likelihood alone.

    Raises FormulaError for an unknown family, MissingColumnError for a column that the cells do not have.
    """
    names = list(FAMILIES if families is None else families)
    if unknown := [name for name in names if name not in FAMILIES]:
        raise FormulaError(f"Unknown family {unknown[0]!r}: choose {', '.join(FAMILIES)}.")
    if cells.fractional and families is None:
        names = [name for name in names if FAMILIES[name].fractions]
    columns = {name: labels_of(cells, name) for name in by}
    rows = {name: _row(fit, cells, FAMILIES[name], columns) for name in names}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("family")
    return FamilyComparison(table.sort_values("aic", kind="stable"))


def _row(
    fit: Fit, cells: Cells, family: Family, columns: Mapping[str, tuple[Ints, pd.Index]]
) -> dict[str, object]:
    try:
        return _fitted(fit, cells, family, columns)
    except NeedsallocError as fault:
        return {"aic": np.nan, "fault": str(fault)}


def _fitted(
    fit: Fit, cells: Cells, family: Family, columns: Mapping[str, tuple[Ints, pd.Index]]
) -> dict[str, object]:
    settled = {COUNT: fit.terms[COUNT]}
    if ZERO in family.parts:
        settled[ZERO] = fit.terms.get(ZERO, fit.terms[COUNT])
    estimation.check_counts(cells, family, fit.count)
    known = terms.variables(cells.keys, {name for part in settled.values() for name in part.variables})
    offset = {part: column for part, column in fit.offset.items() if part in settled}
    problem = estimation.problem_of(cells, family, settled, terms.centred(known, fit.centring), offset)
    with one_blas_thread():
        estimable.check_terms(problem, {part: one.labels for part, one in settled.items()})
        optimum, _ = starts.climb(problem)
        estimable.check_converged(optimum, family)
        _, pearson, _ = estimation.sums_of(problem, optimum.coefficients)
    observed = Observed.of(problem, optimum.coefficients)
    likelihood = np.nan if family.fractions else optimum.log_likelihood
    none, found_none = observed.people @ (1.0 - observed.chance), problem.stats.zeros.sum()
    found: dict[str, object] = {
        "coefficients": problem.size,
        "log_likelihood": likelihood,
        "aic": 2.0 * problem.size - 2.0 * likelihood,
        "bic": np.log(problem.people) * problem.size - 2.0 * likelihood,
        "predicted_over_observed": observed.ratio,
        "zeros_expected_over_observed": np.nan if family.fractions or not found_none else none / found_none,
        "dispersion": pearson / (problem.people - problem.size),
        "r2_people": observed.r_squared(),
    }
    for name, (group, levels) in columns.items():
        ratio = observed.by_group(group, levels)["predicted_over_observed"]
        found[f"largest_miss_{name}"] = (ratio - 1).abs().max()
    return found | {"fault": ""}


__all__ = ["FamilyComparison", "compare_families"]
