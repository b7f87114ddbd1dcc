"""Fit a count model to person rows: collapsed where they live, exact, and with nothing kept of anybody.

    rows on any engine --collapse--> cells --Newton on the exact likelihood--> coefficients and their errors

Names and signs are those of R's pscl: a part "count", log rates, and a part "zero", log odds of never using
for zero-inflated families and of any use for hurdles. A fit holds coefficients, their covariance, and sums
and means over all people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import display, estimable, estimation, fitted, inference, terms
from needsalloc.collapse import Cells
from needsalloc.errors import FormulaError, InvalidValueError, MissingColumnError, first_few
from needsalloc.inference import Errors, Inference
from needsalloc.kernels import starts
from needsalloc.kernels.families import COUNT, FAMILIES, LOG_THETA, ZERO, Family
from needsalloc.kernels.newton import Problem
from needsalloc.kernels.threads import one_blas_thread
from needsalloc.need import NeedFormula
from needsalloc.terms import ParsedFormula, Terms, Variable

Floats = NDArray[np.float64]
Role = Literal["supply", "unmet_need", "utilisation", "need"]

ROWS_AT_ONCE = 200_000


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """A fitted count model. It holds nobody's row or cell, and may be saved.

    Attributes
    ----------
    family:
        The family of counts, with its log-likelihood, mean and variance.
    count:
        Name of the column of counts.
    terms:
        "count", and "zero" where the family has it -> the right-hand side, levels settled.
    coefficients:
        Estimates by (part, term); log theta is ("log_theta", "log_theta").
    inference:
        Their covariance, of what kind it is, and the law that their errors follow.
    roles:
        Variable -> "need", "utilisation", "supply" or "unmet_need"; "need" if not named.
    centring:
        Variable -> (mean, SD) of the people, for those that enter in SDs from their mean.
    means:
        Variable -> mean over the people, as it came; "column=level" -> share of the people, of text.
    services:
        Variable of utilisation -> what the terms of need alone make expected of it, by term.
    levels:
        Variable that is text -> its levels.
    ages:
        The lowest whole year of age and infinity, if `age` is in the formula; else None.
    exposure, offset:
        The column whose logarithm is added to the count part, or None; part -> column that is added.
    log_likelihood:
        At the estimates, log y! included; of a quasi-likelihood it is that of the Poisson.
    people, cells, contacts:
        Persons (frequency weights counted), cells that they collapsed to, and the sum of their counts.
    predicted:
        Sum of the expected counts of the same people.
    dispersion:
        Pearson's: squared errors over the family's variance, summed, by people less coefficients. 1 where the
        family is right.
    optima:
        Log-likelihood that each start led to, on a sample of cells where there are many.
    iterations:
        Passes over the cells, the last of which found nothing more to gain.
    notes:
        What to know before using it: estimates at a boundary, a flat likelihood, contacts that do not add up.
    """

    family: Family
    count: str
    terms: Mapping[str, Terms]
    coefficients: pd.Series
    inference: Inference
    roles: Mapping[str, Role]
    centring: Mapping[str, tuple[float, float]]
    means: Mapping[str, float]
    services: Mapping[str, Mapping[str, float]]
    levels: Mapping[str, tuple[str, ...]]
    ages: tuple[float, float] | None
    exposure: str | None
    offset: Mapping[str, str]
    log_likelihood: float
    people: float
    cells: int
    contacts: float
    predicted: float
    dispersion: float
    optima: Mapping[str, float]
    iterations: int
    notes: tuple[str, ...]

    @property
    def count_coefficients(self) -> pd.Series:
        """(terms,) log rate ratios; in an inflated or hurdle family, of those who use."""
        return self.coefficients[COUNT]

    @property
    def zero_coefficients(self) -> pd.Series:
        """(terms,) log odds ratios of never using (zip, zinb) or of any use (hurdles).

        Raises FormulaError if the family has no zero part.
        """
        if ZERO not in self.family.parts:
            raise FormulaError(f"{self.family.name} has no zero part.")
        return self.coefficients[ZERO]

    @property
    def log_theta(self) -> float | None:
        """Log of theta, where the variance is mu + mu^2 / theta; None for a Poisson base."""
        return float(self.coefficients.iloc[-1]) if self.family.dispersed else None

    @property
    def covariance(self) -> pd.DataFrame:
        """(P, P) of the coefficients, by (part, term)."""
        index = self.coefficients.index
        return pd.DataFrame(self.inference.covariance, index=index, columns=index)

    @property
    def aic(self) -> float:
        """2 P - 2 log-likelihood; NaN for a quasi-likelihood."""
        return self._criterion(2.0)

    @property
    def bic(self) -> float:
        """P log(people) - 2 log-likelihood; NaN for a quasi-likelihood."""
        return self._criterion(float(np.log(self.people)))

    @property
    def predicted_over_observed(self) -> float:
        """Expected contacts of all people over those that they had."""
        return self.predicted / self.contacts

    @property
    def table(self) -> pd.DataFrame:
        """A row for each coefficient.

        Columns: `part`, `term`, `role`, `coefficient`, `ratio` (rate or odds ratio, exp of it), `low` and
        `high` (95 % interval of the ratio), `standard_error`, `p` (two-sided, against 0) and `errors`, their
        kind.
        """
        estimate = self.coefficients.to_numpy(np.float64)
        error, reach = self.inference.standard_errors, self.inference.quantile(0.975)
        return pd.DataFrame(
            {
                "part": self.coefficients.index.get_level_values("part"),
                "term": self.coefficients.index.get_level_values("term"),
                "role": [self.role(part, term) for part, term in self.coefficients.index],
                "coefficient": estimate,
                "ratio": np.exp(estimate),
                "low": np.exp(estimate - reach * error),
                "high": np.exp(estimate + reach * error),
                "standard_error": error,
                "p": self.inference.p_values(estimate),
                "errors": self.inference.kind,
            }
        )

    def role(self, part: str, term: str) -> str:
        """What a term stands for: of an interaction's roles, supply before unmet need, utilisation and need.

        It is "" for an intercept and for log theta.
        """
        uses = self.terms[part].variables_of[term] if part in self.terms else ()
        found = {self.roles.get(name, "need") for name in uses}
        return next((role for role in get_args(Role) if role in found), "")

    @property
    def formula(self) -> NeedFormula:
        """The need formula: supply at its mean over the people, unmet need at its reference.

        Give it a name and a cap of yours by `dataclasses.replace(formula, name=…, cap=365)`. It is for an
        exposure of 1; offsets are terms with a coefficient of 1.

        Raises FormulaError for terms that are no products of columns, such as "np.log(age)".
        """
        return fitted.need_formula(self)

    def predict(self, rows: Any) -> pd.Series:
        """Expected count of each person (rows,), everything as it is observed.

        rows: a frame of any library that collects to pandas, with the columns of the formula and, if there
        was one, of exposure and offsets. To hold supply at its mean, predict from the need formula instead.

        Raises MissingColumnError, InvalidValueError for missing or infinite values, and UnknownCodeError for
        a level that was not there at fitting.
        """
        found, index = self._over_rows(rows, self.family.mean)
        return pd.Series(found, index=index, name=f"expected_{self.count}")

    def share_with_contact(self, rows: Any) -> pd.Series:
        """Chance that each person (rows,) has any contact. Rows and errors as for `predict`."""
        found, index = self._over_rows(rows, self.family.share_with_contact)
        return pd.Series(found, index=index, name="share_with_contact")

    def draw(self, n: int, seed: int) -> pd.DataFrame:
        """(n, P) draws of the coefficients about their estimates, by (part, term)."""
        found = inference.draw(self.coefficients.to_numpy(np.float64), self.inference, n, seed)
        return pd.DataFrame(found, columns=self.coefficients.index)

    def problem(self, cells: Cells) -> Problem:
        """These or other cells with the design, offsets and centring of this fit: what kernels work on.

        Raises MissingColumnError and UnknownCodeError as `predict`.
        """
        names = sorted({name for part in self.terms.values() for name in part.variables})
        known = terms.centred(terms.variables(cells.keys, names), self.centring)
        return estimation.problem_of(cells, self.family, self.terms, known, self.offset)

    def __repr__(self) -> str:
        notes = [f"notes: {len(self.notes)}"] * bool(self.notes)
        return (
            f"<Fit: {self.family.name} of {self.count} on {self.people:,.0f} people in {self.cells:,} cells, "
            f"{len(self.coefficients)} coefficients, {self.inference.kind} errors, "
            f"{', '.join([f'log-likelihood {self.log_likelihood:,.1f}', *notes])}>"
        )

    def _repr_html_(self) -> str:
        return display.sentence_and_table(self, self.table)

    def _criterion(self, price: float) -> float:
        if self.family.fractions:
            return float("nan")
        return price * len(self.coefficients) - 2.0 * self.log_likelihood

    def _over_rows(self, rows: Any, measure: Any) -> tuple[Floats, pd.Index]:
        frame = _checked(_pandas(rows), self._columns())
        found = np.empty(len(frame))
        for start in range(0, len(frame), ROWS_AT_ONCE):
            here = frame.iloc[start : start + ROWS_AT_ONCE]
            found[start : start + ROWS_AT_ONCE] = measure(self._predictors(here))
        return found, frame.index

    def _columns(self) -> list[str]:
        names = [name for part in self.terms.values() for name in part.variables]
        names += [self.exposure] if self.exposure else []
        return list(dict.fromkeys([*names, *self.offset.values()]))

    def _predictors(self, rows: pd.DataFrame) -> Floats:
        """(rows, parts) linear predictors."""
        seen = terms.prepared(rows, self.centring)
        eta = np.empty((len(rows), len(self.family.parts)))
        for column, part in enumerate(self.family.parts):
            if part == LOG_THETA:
                eta[:, column] = self.log_theta
                continue
            eta[:, column] = self.terms[part].matrix(seen) @ self.coefficients[part].to_numpy(np.float64)
            if part in self.offset:
                eta[:, column] += rows[self.offset[part]].to_numpy(np.float64)
        if self.exposure:
            eta[:, 0] += np.log(rows[self.exposure].to_numpy(np.float64))
        return eta


def fit(
    formula: str,
    data: Any,
    *,
    family: str = "zip",
    zero: str | None = None,
    roles: Mapping[Role, Iterable[str]] | None = None,
    centre: Iterable[str] = (),
    exposure: str | None = None,
    offset: Mapping[str, str] | None = None,
    weight: str | None = None,
    cluster: str | None = None,
    errors: Errors = "model",
) -> Fit:
    """Fit a count model to persons, by exact maximum likelihood on the cells that they collapse to.

    formula: "contacts ~ age + imd_score + age:imd_score + ethnicity + nurses"; or R's "… ~ count | zero".
    data: rows on any engine that `collapse` takes, or Cells. Cells have their weight, exposure and cluster.
    family: "poisson", "quasi-poisson" (counts may be fractions), "nb", "zip", "zinb", "hurdle", "hurdle-nb".
    zero: "~ …" for the zero part; the same terms as the count part by default.
    roles: "supply", "unmet_need" or "utilisation" -> variables; the others are need.
    centre: variables that enter in SDs from the mean, both the people's own, and kept.
    exposure: column of the time or people that counts are over; its logarithm is added to the count part.
    offset: "count" or "zero" -> column that is added to the linear predictor of that part as it is.
    weight: column of how many persons each row stands for: exact frequencies, not survey weights.
    cluster, errors: "model", "robust" (people are independent, whatever their spread) or "clustered" by
        `cluster`, a column such as practice or team; bias-reduced below 40 clusters.

    Raises FormulaError for a formula that cannot be read or computed, a predictor that is the same for
    everybody or a sum of others, a flag of which all people or none have contacts, and a likelihood that
    does not settle; InvalidValueError for
    counts that are all 0, never 0 where zeros are modelled, or fractions of a count family; and as `collapse`
    for missing, negative and infinite values.

    >>> rows = pd.DataFrame({"contacts": [0, 0, 2, 1, 4, 9], "age": [1.0, 2.0, 1.0, 2.0, 3.0, 3.0]})
    >>> round(float(fit("contacts ~ age", rows, family="poisson").count_coefficients["age"]), 4)
    1.3005
    """
    if family not in FAMILIES:
        raise FormulaError(f"Unknown family {family!r}: choose {', '.join(FAMILIES)}.")
    chosen = FAMILIES[family]
    parsed = terms.parse(formula, zero, chosen)
    added = _offsets(offset, parsed)
    role_of = _roles(roles, parsed.variables)
    cells = estimation.cells_of(data, parsed, added, chosen, exposure, weight, cluster, errors)
    estimation.check_counts(cells, chosen, parsed.count)
    raw = terms.variables(cells.keys, parsed.variables)
    estimable.check_constant(raw)
    centring = estimation.centring_of(cells.people, raw, centre)
    known = terms.centred(raw, centring)
    settled = {part: terms.settle(right, known) for part, right in parsed.parts.items()}
    problem = estimation.problem_of(cells, chosen, settled, known, added)
    index = _index(chosen, settled)
    services = {name: raw[name] for name, role in role_of.items() if role == "utilisation"}
    need = [term for term, uses in settled[COUNT].variables_of.items() if not set(uses) & set(role_of)]
    with one_blas_thread():
        estimable.check_terms(problem, {part: one.labels for part, one in settled.items()})
        optimum, optima = starts.climb(problem)
        estimable.check_converged(optimum, chosen)
        predicted, pearson, never = estimation.sums_of(problem, optimum.coefficients)
        expected_services = estimation.services_of(problem, settled[COUNT], services, need)
        dispersion = pearson / (problem.people - problem.size)
        inferred = inference.infer(
            problem,
            optimum.coefficients,
            optimum.information,
            errors=errors,
            cluster=cells.cluster,
            held=optimum.running,
            dispersion=dispersion,
        )
    contacts = float(problem.stats.total.sum())
    return Fit(
        family=chosen,
        count=parsed.count,
        terms=settled,
        coefficients=pd.Series(optimum.coefficients, index, name="coefficient"),
        inference=inferred,
        roles=role_of,
        centring=centring,
        means=estimation.means_of(cells.people, raw),
        services=expected_services,
        levels={
            name: tuple(map(str, one.levels))
            for name, one in raw.items()
            if not pd.api.types.is_numeric_dtype(one.levels.dtype)
        },
        ages=_ages(raw),
        exposure=exposure,
        offset=added,
        log_likelihood=optimum.log_likelihood,
        people=problem.people,
        cells=len(cells),
        contacts=contacts,
        predicted=predicted,
        dispersion=dispersion,
        optima=optima,
        iterations=optimum.iterations,
        notes=estimable.notes(
            problem,
            optimum,
            [f"{part} {term}" for part, term in index],
            optima=optima,
            predicted_over_observed=predicted / contacts,
            never=never,
            dispersion=dispersion,
            errors=inferred.kind,
        ),
    )


def _index(family: Family, settled: Mapping[str, Terms]) -> pd.MultiIndex:
    labels = {part: settled[part].labels if part in settled else (part,) for part in family.parts}
    pairs = [(part, label) for part, names in labels.items() for label in names]
    return pd.MultiIndex.from_tuples(pairs, names=["part", "term"])


def _roles(roles: Mapping[Role, Iterable[str]] | None, variables: tuple[str, ...]) -> dict[str, Role]:
    found: dict[str, Role] = {}
    for role, names in (roles or {}).items():
        if role not in get_args(Role):
            raise FormulaError(f"Unknown role {role!r}: choose {', '.join(get_args(Role))}.")
        for name in names:
            if name not in variables:
                raise FormulaError(
                    f"{name!r} has the role {role} but is not in the formula, of {first_few(variables, 30)}."
                )
            if name in found:
                raise FormulaError(f"{name!r} has two roles, {found[name]} and {role}: give it one.")
            found[name] = role
    return found


def _offsets(offset: Mapping[str, str] | None, parsed: ParsedFormula) -> dict[str, str]:
    found = dict(offset or {})
    if unknown := [part for part in found if part not in parsed.parts]:
        raise FormulaError(
            f"There is no part {unknown[0]!r} for an offset to be added to: choose {', '.join(parsed.parts)}."
        )
    return found


def _ages(known: Mapping[str, Variable]) -> tuple[float, float] | None:
    """A cohort begins at an age, which is nobody's secret; where it ends may be one person's age."""
    if "age" not in known or not pd.api.types.is_numeric_dtype(known["age"].levels.dtype):
        return None
    return float(np.floor(known["age"].levels.min())), np.inf


def _pandas(rows: Any) -> pd.DataFrame:
    if isinstance(rows, pd.DataFrame):
        return rows
    import narwhals as nw

    return nw.from_native(rows).lazy().collect().to_pandas()


def _checked(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The columns alone, none missing and none without a value."""
    if lacking := [name for name in columns if name not in rows]:
        raise MissingColumnError(
            f"{len(lacking):,} columns of the formula are not in the rows: {first_few(lacking)}. Add them."
        )
    found = rows[columns]
    numbers = found.select_dtypes("number")
    faults = {f"{name} is missing": found[name].isna() for name in found}
    faults |= {f"{name} is infinite": numbers[name].abs() == np.inf for name in numbers}
    if wrong := [f"{what} in {where.sum():,}" for what, where in faults.items() if where.any()]:
        raise InvalidValueError(
            f"Of {len(found):,} rows {first_few(wrong, 12)}. Leave these people out, by a rule that you can "
            "name: nobody's need is guessed here."
        )
    return found


__all__ = ["Fit", "fit"]
