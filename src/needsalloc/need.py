"""The need formula: expected contacts a year at fixed supply.

    need_i = (1 - pi_i) mu_i,   pi_i = logistic(z_i' g)  (never uses),   mu_i = exp(x_i' b)

Supply is held at one value in both parts, and unmet need at its reference where the formula says who has any
contact at all. A formula from print, one fitted on person rows and weights by age are used alike.
Source: Filipe et al. 2024, BMC Health Services Research 24:1362, doi:10.1186/s12913-024-11832-0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import age_steps, predictors, published
from needsalloc import use as flow_use
from needsalloc.age_steps import AgeSteps
from needsalloc.ages import ADULT
from needsalloc.assumptions import Assumption
from needsalloc.errors import FormulaError, first_few
from needsalloc.formulas.tables import number
from needsalloc.formulas.weights import Weights
from needsalloc.kernels.families import FAMILIES, Family
from needsalloc.people import People
from needsalloc.predictors import INTERCEPT
from needsalloc.use import ExpectedUse

Floats = NDArray[np.float64]
Supply = Literal["mean", "observed"]
Utilisation = Literal["as fitted", "held"]
Unknown = Literal["refuse", "reference"]

# R's pscl has the odds of any use in a hurdle, so that no part of it is a chance of never using.
_IN_TWO_PARTS = ("zip", "zinb", "hurdle", "hurdle-nb")


@dataclass(frozen=True, eq=False)
class NeedFormula:
    """A formula of contacts a year.

    Attributes
    ----------
    name, title:
        What it is.
    count, zero:
        Log rate ratios, and log odds ratios of never using, by term (`predictors`: "age", "age:imd_score",
        "ethnicity=asian"). A term that the source does not give is absent, and held by being so. In a hurdle
        the zero part is of the odds of any use.
    constants:
        (zero, count) intercepts; -inf for a formula without a zero part.
    calibration:
        Where the constants come from.
    centring:
        Column -> (mean, SD) that its coefficients belong to.
    supply:
        Column -> the supply that need is predicted at, whatever the data's own.
    notes:
        What is inferred or chosen, and why.
    citation:
        Source and licence in one text.
    tables:
        Names of the reference tables that it was made from.
    unmet_need:
        Columns held at their reference where the formula says who has any contact (in a family without such
        a part, everywhere): use that is missing for want of access is not want of need.
    utilisation:
        Column of services used -> what age, sex and conditions make expected of it, by term.
    levels:
        Column -> the levels that it may have.
    family:
        "zip" and the others of `kernels.families`; `log_theta` is its log dispersion.
    ages:
        The ages (first, last) that it may be used for.
    steps:
        Offsets by age band.
    cap:
        The most contacts a year that are predicted for anybody.
    """

    name: str
    title: str
    count: Mapping[str, float]
    zero: Mapping[str, float]
    constants: tuple[float, float]
    calibration: str
    centring: Mapping[str, tuple[float, float]]
    supply: Mapping[str, float]
    notes: tuple[Assumption, ...]
    citation: str
    tables: tuple[str, ...] = ()
    unmet_need: tuple[str, ...] = ()
    utilisation: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    family: str = "zip"
    log_theta: float | None = None
    ages: tuple[float, float] = (ADULT, np.inf)
    steps: AgeSteps | None = None
    cap: float = np.inf

    @classmethod
    def published(cls, name: str, *, interaction: published.Sex = "man") -> NeedFormula:
        """A formula from print: "district-nursing/liverpool-2024", which is its realigned reading, or
        "…-realigned" or "…-as-printed" by name; "…-age-calibrated" is the realigned one with offsets by age
        band at which Liverpool's users by age come out as printed.

        The realigned reading is inferred: the printed count table contradicts its own text for 6 of 21
        predictors; with each label moved down by one, 20 of 20 agree. Neither constant is printed; both are
        solved on Liverpool's open files. A formula from print has no covariance, so it gives no intervals.
        `interaction` is the sex of the age x sex term; "man" fits the paper's text.

        Raises FormulaError for a name that is not published.

        >>> NeedFormula.published("district-nursing/liverpool-2024").name
        'district-nursing/liverpool-2024-realigned'
        """
        return cls(**published.read(name, interaction))

    @classmethod
    def from_weights(cls, weights: Weights) -> NeedFormula:
        """Weights by age, or by age and sex, as a formula: a weight is the need of a person a year.

        Factors of an area's score (`imd_score` alone) are kept. The formula is for adults: weights of younger
        ages are left out, and people of adult ages without a weight have no need; both are said in the notes.

        Raises FormulaError for weights without an adult age, or with factors of other scores;
        InvalidValueError for what are no weights.

        >>> ours = Weights.from_bands({"0-64": 0.5, "65+": 3.0}, name="ours", source="an example")
        >>> rows = pd.DataFrame({"age": [40, 80], "female": [1, 0]})
        >>> NeedFormula.from_weights(ours).predict(rows).round(9).tolist()
        [0.5, 3.0]
        """
        return cls(**age_steps.read(weights))

    @classmethod
    def from_toml(cls, path: str | Path) -> NeedFormula:
        """A formula of coefficients from a file: see `coefficients.read` for its keys.

        Raises InputFileError if there is no such file or it is no TOML, FormulaError for keys that are
        unknown or missing and for values that cannot be.
        """
        from needsalloc import coefficients

        return cls(**coefficients.read(path))

    @property
    def has_zero_part(self) -> bool:
        """Whether some never use."""
        return bool(self.constants[0] != -np.inf)

    def cite(self) -> str:
        """Source, tables, licence, and what is inferred."""
        return self.citation

    def with_constants(self, zero: float, count: float, calibration: str = "none") -> NeedFormula:
        """The same formula with other intercepts."""
        return replace(self, constants=(zero, count), calibration=calibration)

    def hold(self, values: Mapping[str, float], why: str = "") -> NeedFormula:
        """The formula with some columns (or levels, "column=level") at one value for everybody, noted.

        Values of centred columns are in the column's own unit.

        Raises FormulaError for what the formula does not have, and for values that are no numbers.
        """
        known = {*predictors.atoms(self.count), *predictors.atoms(self.zero)}
        if lacking := [atom for atom in values if atom not in known]:
            raise FormulaError(
                f"{self.name} has no {first_few(lacking)} to hold. It has {first_few(sorted(known), 40)}."
            )
        if no_number := [atom for atom, value in values.items() if not np.isfinite(number(value))]:
            raise FormulaError(
                f"{self.name} can hold {first_few(no_number)} at a number alone. Give one for everybody."
            )
        note = Assumption(
            "Held for everybody: " + ", ".join(f"{atom} at {value:g}" for atom, value in values.items()),
            why or "The data do not have them",
            "choice",
            self.name,
        )
        return replace(self._held(values), notes=(*self.notes, note))

    def _held(self, values: Mapping[str, float]) -> NeedFormula:
        at = {atom: float(self.standardise(atom, np.array(value))) for atom, value in values.items()}
        zero, count = (predictors.held(terms, at) for terms in (self.zero, self.count))
        constants = (
            self.constants[0] + zero.pop(INTERCEPT, 0.0),
            self.constants[1] + count.pop(INTERCEPT, 0.0),
        )
        return replace(self, zero=zero, count=count, constants=constants)

    def for_all_ages(self, reason: str) -> NeedFormula:
        """The formula for persons of every age, with the reason in its notes; children are extrapolated.

        On flows people stay adults. Raises FormulaError without a reason.
        """
        if not reason.strip():
            raise FormulaError(
                f"{self.name} is for ages {self.ages[0]:g} and over. To use it for others, give the reason "
                "that will be printed with every result."
            )
        note = Assumption(
            f"Used for all ages, though it was made for ages {self.ages[0]:g} and over: {reason}",
            "Outside these ages its need is extrapolated and rests on nothing",
            "choice",
            self.name,
        )
        return replace(self, ages=(0.0, np.inf), notes=(*self.notes, note))

    def at_mean_supply(self) -> NeedFormula:
        """The formula with supply held at the mean that it was made with."""
        return self._held(self.supply)

    def at_need(self) -> NeedFormula:
        """The formula that need is predicted with: supply held, unmet need at its reference."""
        formula = self.at_mean_supply()
        unmet = {
            atom: 0.0
            for atom in (*predictors.atoms(self.count), *predictors.atoms(self.zero))
            if predictors.column_of(atom) in self.unmet_need
        }
        if self.family in _IN_TWO_PARTS:
            return replace(formula, zero=predictors.held(formula.zero, unmet))
        return replace(formula, count=predictors.held(formula.count, unmet))

    def standardise(self, column: str, value: Floats) -> Floats:
        """A predictor in the standard deviations that its coefficients belong to."""
        mean, sd = self.centring.get(column, (0.0, 1.0))
        return (value - mean) / sd

    def expected_use(self, people: People, *, dependence: float = 0.0) -> ExpectedUse:
        """Contacts of the adults on every flow from area to practice, at mean supply.

        Deprivation comes from the area, conditions and sexes from the practice, ages from both. The mean over
        people is exact for conditions that are independent at a given age; it is not the value at the mean
        covariates. dependence: to see what would come of conditions that go together, from 0 to 1: half of
        the people of each age have every condition so much more often, the other half so much less.

        Raises FormulaError for a formula with terms that open files do not have: `hold` them, or predict
        persons.
        """
        return flow_use.expected_use(self, people, dependence=dependence)

    def predict(
        self,
        rows: pd.DataFrame,
        *,
        supply: Supply = "mean",
        utilisation: Utilisation = "as fitted",
        unknown: Unknown = "refuse",
    ) -> pd.Series:
        """Expected contacts a year of each person (rows,), at most `cap`.

        rows: a column for each column of the terms: `age` in years, `imd_score` as published, flags 0 or 1.
        supply: with "mean" this is need: supply is the formula's own mean and unmet need is at its reference,
            so need does not move when only supply moves. With "observed" it is use.
        utilisation: "held" puts in what age, sex and conditions make expected of the services used.
        unknown: what a gap in a column of unmet need (ethnicity) is: refused, or of the reference group.

        Raises FormulaError if a term has no column, somebody is of an age that the formula is not for, or a
        word is unknown; InvalidValueError for gaps; UnknownCodeError for levels that were not there.
        """
        eta = self._predictors(rows, supply, utilisation, unknown)
        mean = np.minimum(self._family.mean(eta), self.cap)
        return pd.Series(mean, index=rows.index, name="expected_use")

    def share_with_contact(self, rows: pd.DataFrame) -> pd.Series:
        """Chance of any contact in the year (rows,), (1 - pi)(1 - exp(-mu)) with a Poisson, as observed."""
        eta = self._predictors(rows, "observed", "as fitted", "refuse")
        chance = self._family.share_with_contact(eta)
        return pd.Series(chance, index=rows.index, name="share_with_contact")

    def parts(
        self,
        rows: pd.DataFrame,
        supply: Supply,
        utilisation: Utilisation = "as fitted",
        unknown: Unknown = "refuse",
    ) -> tuple[Floats, Floats]:
        """Log mean of a user's contacts and linear predictor of the zero part (rows,), as `predict` says."""
        for word, known in (
            (supply, ("mean", "observed")),
            (utilisation, ("as fitted", "held")),
            (unknown, ("refuse", "reference")),
        ):
            if word not in known:
                raise FormulaError(f"Unknown word {word!r}: choose {' or '.join(known)}.")
        formula = self.at_need() if supply == "mean" else self
        rows = self._prepared(rows, formula, utilisation, unknown)
        wanted = predictors.atoms([*formula.count, *formula.zero])
        value = predictors.of_rows(rows, wanted, self.levels, self.name)
        value = {atom: self.standardise(atom, found) for atom, found in value.items()}
        found = {
            "zero": predictors.linear(formula.zero, value, (len(rows),)) + formula.constants[0],
            "count": predictors.linear(formula.count, value, (len(rows),)) + formula.constants[1],
        }
        if self.steps is not None:
            person = predictors.of_rows(rows, ["age", "female"], {}, self.name)
            found["zero"] += self.steps.at("zero", person["age"], person["female"])
            found["count"] += self.steps.at("count", person["age"], person["female"])
        return found["count"], found["zero"]

    def _prepared(
        self, rows: pd.DataFrame, formula: NeedFormula, utilisation: Utilisation, unknown: Unknown
    ) -> pd.DataFrame:
        """The rows after the ages were checked, gaps of unmet need closed and services held, where asked."""
        if "age" in rows:
            first, last = self.ages
            age = predictors.of_rows(rows, ["age"], {}, self.name)["age"]
            outside = int(((age < first) | (age > last)).sum())
            if outside:
                raise FormulaError(
                    f"{outside:,} of {len(rows):,} people are under {first:g}"
                    + (f" or over {last:g}" if np.isfinite(last) else "")
                    + f"; {self.name} was made for the others. Leave them out, or see for_all_ages."
                )
        if unknown == "reference":
            rows = rows.fillna({name: self._reference(name) for name in self.unmet_need if name in rows})
        if utilisation == "held":
            used = predictors.columns([*formula.count, *formula.zero])
            expected = {name: self._expected(rows, name) for name in self.utilisation if name in used}
            rows = rows.assign(**expected)
        return rows

    def _reference(self, column: str) -> object:
        """The value that no term of a column is about."""
        named = {*predictors.atoms(self.count), *predictors.atoms(self.zero)}
        levels = self.levels.get(column, ())
        return next((level for level in levels if f"{column}={level}" not in named), 0)

    def _expected(self, rows: pd.DataFrame, service: str) -> Floats:
        """What age, sex and conditions make expected of a service used (rows,)."""
        terms = self.utilisation[service]
        value = predictors.of_rows(rows, predictors.atoms(terms), self.levels, self.name)
        standardised = {atom: self.standardise(atom, found) for atom, found in value.items()}
        return predictors.linear(terms, standardised, (len(rows),))

    @property
    def _family(self) -> Family:
        return FAMILIES[self.family]

    def _predictors(
        self, rows: pd.DataFrame, supply: Supply, utilisation: Utilisation, unknown: Unknown
    ) -> Floats:
        """(rows, parts of the family) linear predictors."""
        log_mean, zero = self.parts(rows, supply, utilisation, unknown)
        theta = np.full(len(rows), np.nan if self.log_theta is None else self.log_theta)
        found = {"count": log_mean, "zero": zero, "log_theta": theta}
        return np.column_stack([found[part] for part in self._family.parts])

    def __repr__(self) -> str:
        of = f"{len({*self.count, *self.zero})} terms"
        if self.steps is not None:
            of += f", {len(self.steps.first_ages)} age bands"
        first, last = self.ages
        ages = "adults" if (first, last) == (ADULT, np.inf) else f"ages {first:g} to {last:g}"
        return f"<NeedFormula {self.name}: {of}, {ages}, constants from {self.calibration}>"


__all__ = ["NeedFormula"]
