"""The need formula: expected contacts a year at fixed supply, as a zero-inflated Poisson.

    need_i = (1 - pi_i) mu_i,   pi_i = logistic(z_i' g)  (never uses),   mu_i = exp(x_i' b)

Supply is held at its mean in both parts and minority ethnicity at 0 in the zero part only (unmet need).
Source: Filipe et al. 2024, BMC Health Services Research 24:1362, doi:10.1186/s12913-024-11832-0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import gradients, reference
from needsalloc import use as flow_use
from needsalloc.ages import ADULT
from needsalloc.assumptions import Assumption
from needsalloc.errors import FormulaError, UnknownCodeError, first_few
from needsalloc.kernels import counts
from needsalloc.people import People
from needsalloc.use import ExpectedUse

Floats = NDArray[np.float64]
Sex = Literal["man", "woman"]
Supply = Literal["mean", "observed"]

SUPPLY = "district_nurses_per_10000"
UNMET_NEED = "minority_ethnicity"
INTERACTIONS = ("age_x_female", "age_x_imd")
READINGS = {
    "district-nursing/liverpool-2024": "realigned",
    "district-nursing/liverpool-2024-realigned": "realigned",
    "district-nursing/liverpool-2024-as-printed": "as-printed",
}
_READING_NOTES = {
    "realigned": "The paper's count table is read one row down (realigned)",
    "as-printed": "The paper's count table is used as printed, though it contradicts the paper's text",
}


@dataclass(frozen=True, eq=False)
class NeedFormula:
    """A zero-inflated Poisson formula of contacts a year, for adults.

    Attributes
    ----------
    name, title:
        What it is.
    count, zero:
        Log rate ratios, and log odds ratios of never using, by term. A term that the source does not give is
        absent, and held by being so.
    constants:
        (zero, count) intercepts, solved on the population that `calibration` names.
    centring:
        Term -> (mean, SD) that its coefficient belongs to.
    supply_mean:
        The supply that need is predicted at, whatever the data's own.
    interaction:
        The sex that the age x sex term belongs to.
    notes:
        What is inferred or chosen, and why.
    citation:
        Paper, tables and licence in one text.
    tables:
        Names of the reference tables that it was made from.
    """

    name: str
    title: str
    count: Mapping[str, float]
    zero: Mapping[str, float]
    constants: tuple[float, float]
    calibration: str
    centring: Mapping[str, tuple[float, float]]
    supply_mean: float
    interaction: Sex
    notes: tuple[Assumption, ...]
    citation: str
    tables: tuple[str, ...]
    supply: str = SUPPLY

    @classmethod
    def published(cls, name: str, *, interaction: Sex = "man") -> NeedFormula:
        """A formula from print: "district-nursing/liverpool-2024", which is its realigned reading, or
        "…-realigned" or "…-as-printed" by name.

        The realigned reading is inferred: the printed count table contradicts its own text for 6 of 21
        predictors; with each label moved down by one, 20 of 20 agree. Neither constant is printed; both are
        solved on Liverpool's open files. A formula from print has no covariance, so it gives no intervals.
        `interaction` is the sex of the age x sex term; "man" fits the paper's text.

        Raises FormulaError for a name that is not published.

        >>> NeedFormula.published("district-nursing/liverpool-2024").name
        'district-nursing/liverpool-2024-realigned'
        """
        if name not in READINGS:
            raise FormulaError(f"No published formula is called {name!r}. There are: {', '.join(READINGS)}.")
        if interaction not in ("man", "woman"):
            raise FormulaError(f"Unknown interaction {interaction!r}: choose man or woman.")
        reading = READINGS[name]
        count_table = reference.read(f"filipe-2024-count-{reading}")
        zero_table = reference.read("filipe-2024-zero")
        printed = reference.read("filipe-2024-table1").frame.set_index("variable")
        solved = reference.read("liverpool-calibration").frame.set_index("reading")
        return cls(
            name=f"district-nursing/liverpool-2024-{reading}",
            title=f"District nursing, Liverpool 2021, adults ({reading} count table)",
            count=_log_ratios(count_table.frame),
            zero=_log_ratios(zero_table.frame),
            constants=(float(solved["zero"][reading]), float(solved["count"][reading])),
            calibration="liverpool-calibration",
            centring={
                term: (float(printed["mean"][term]), float(printed["sd"][term]))
                for term in ("age", "imd_score")
            },
            supply_mean=float(printed["mean"][SUPPLY]),
            interaction=interaction,
            notes=_notes_on(count_table, reading, interaction),
            citation=f"{zero_table.cite()} {count_table.cite()}",
            tables=(count_table.name, zero_table.name, "filipe-2024-table1", "liverpool-calibration"),
        )

    def cite(self) -> str:
        """Paper, tables, licence, and what is inferred."""
        return self.citation

    def with_constants(self, zero: float, count: float, calibration: str = "none") -> NeedFormula:
        """The same formula with other intercepts."""
        return replace(self, constants=(zero, count), calibration=calibration)

    def standardise(self, term: str, value: Floats) -> Floats:
        """A predictor in the standard deviations that its coefficient belongs to."""
        mean, sd = self.centring[term]
        return (value - mean) / sd

    def crosses(self, female: float | Floats) -> float | Floats:
        """1 for the sex that the age x sex term belongs to."""
        return 1.0 - female if self.interaction == "man" else female

    def condition_effects(self, *, observed: bool) -> dict[str, tuple[float, float]]:
        """(log rate ratio, log odds ratio of never using) of each condition that a person has or has not.

        Unless `observed`, minority ethnicity leaves the zero part: unmet need is not counted as no need.
        """
        effects = {term: (self.count[term], self.zero[term]) for term in gradients.conditions()}
        if not observed:
            effects[UNMET_NEED] = (effects[UNMET_NEED][0], 0.0)
        return effects

    def expected_use(self, people: People) -> ExpectedUse:
        """Contacts per adult and year on every flow from area to practice, at mean supply.

        Deprivation and ages come from the area, conditions from the practice. The mean over people is exact
        for conditions that are independent at a given age; it is not the value at the mean covariates.
        """
        return flow_use.expected_use(self, people)

    def predict(self, rows: pd.DataFrame, *, supply: Supply = "mean") -> pd.Series:
        """Expected contacts a year of each person (rows,).

        rows: a column for each term but the interactions: `age` in years, `imd_score` as published, `female`
        0 or 1. With supply "mean" this is need: supply is the formula's own mean and minority ethnicity is 0
        in the zero part, so need does not move when only supply moves. With "observed" it is use.

        Raises FormulaError if a term has no column, somebody is under 18, or `supply` is another word.
        """
        log_mean, log_odds = self.parts(rows, supply)
        return pd.Series(counts.mean_contacts(log_mean, log_odds), index=rows.index, name="expected_use")

    def share_with_contact(self, rows: pd.DataFrame) -> pd.Series:
        """Chance of any contact in the year (rows,), (1 - pi)(1 - exp(-mu)), as observed."""
        log_mean, log_odds = self.parts(rows, "observed")
        chance = counts.share_with_contact(log_mean, log_odds)
        return pd.Series(chance, index=rows.index, name="share_with_contact")

    def calibrate_on_rows(
        self, rows: pd.DataFrame, *, any_contact: float, contacts: float, label: str
    ) -> NeedFormula:
        """The formula with both constants solved so that persons (rows,) show these means, as observed.

        Raises FormulaError if no constants do.
        """
        from scipy.optimize import brentq  # a sixth of a second that most imports need not spend

        log_mean, log_odds = self.with_constants(0.0, 0.0).parts(rows, "observed")

        def level(zero: float) -> float:
            return float(np.log(contacts / counts.mean_contacts(log_mean, log_odds + zero).mean()))

        def excess(zero: float) -> float:
            chance = counts.share_with_contact(log_mean + level(zero), log_odds + zero)
            return float(chance.mean() - any_contact)

        if excess(-20.0) * excess(20.0) > 0:
            raise FormulaError(
                f"No constants of {self.name} give {any_contact:.2%} of these people a contact and "
                f"{contacts:.3g} contacts each: a few people take up nearly all of them."
            )
        zero = float(brentq(excess, -20.0, 20.0, xtol=1e-12))
        return self.with_constants(zero, level(zero), label)

    def calibrate_on_people(
        self, people: People, practices: pd.Index, *, any_contact: float, contacts: float, label: str
    ) -> NeedFormula:
        """The formula with both constants solved on the listed adults of some practices, as observed.

        Raises UnknownCodeError if a practice has no patients here.
        """
        position = people.catchment.practices.get_indexer(practices)
        if (position < 0).any():
            unknown = practices[position < 0]
            raise UnknownCodeError(
                f"{len(unknown):,} of {len(practices):,} practices have no patients: {first_few(unknown)}."
            )
        zero, count = flow_use.solve_constants(
            self, people, position, any_contact=any_contact, contacts=contacts
        )
        return self.with_constants(zero, count, label)

    def parts(self, rows: pd.DataFrame, supply: Supply) -> tuple[Floats, Floats]:
        """Log mean of a user's contacts and log odds of never using (rows,), held as `predict` says."""
        if supply not in ("mean", "observed"):
            raise FormulaError(f"Unknown supply {supply!r}: choose mean or observed.")
        held = {self.supply} if supply == "mean" else set()
        needed = [term for term in self.zero if term not in {*INTERACTIONS, *held}]
        lacking = [term for term in needed if term not in rows]
        if lacking:
            raise FormulaError(
                f"{len(lacking)} terms of {self.name} have no column: {first_few(lacking)}. "
                "Add them, or hold them at a stated value."
            )
        value = {term: rows[term].to_numpy(np.float64) for term in needed}
        children = int((value["age"] < ADULT).sum())
        if children:
            raise FormulaError(
                f"{children:,} of {len(rows):,} people are under {ADULT}; {self.name} was fitted on adults. "
                "Leave them out."
            )
        value |= {term: np.full(len(rows), self.supply_mean) for term in held}
        value |= {term: self.standardise(term, value[term]) for term in self.centring}
        value["age_x_female"] = value["age"] * self.crosses(value["female"])
        value["age_x_imd"] = value["age"] * value["imd_score"]
        unmet = {UNMET_NEED} if supply == "mean" else set()
        log_mean, log_odds = (np.full(len(rows), constant) for constant in reversed(self.constants))
        for term, effect in self.count.items():
            log_mean += effect * value[term]
        for term, effect in self.zero.items():
            if term not in unmet:
                log_odds += effect * value[term]
        return log_mean, log_odds

    def __repr__(self) -> str:
        return f"<NeedFormula {self.name}: {len(self.zero)} terms, adults, constants from {self.calibration}>"


def _log_ratios(table: pd.DataFrame) -> dict[str, float]:
    found = table[(table["term"] != "intercept") & table["ratio"].notna()]
    return dict(zip(found["term"], np.log(found["ratio"]), strict=True))


def _notes_on(count: reference.Table, reading: str, interaction: Sex) -> tuple[Assumption, ...]:
    return (
        Assumption(
            _READING_NOTES[reading],
            count.evidence or "; ".join(count.notes),
            "inference",
            "Filipe et al. 2024, Table 3",
        ),
        Assumption(
            "The constant of the zero part and the level of contacts are solved on Liverpool's open files",
            "The paper prints neither",
            "inference",
            "liverpool-calibration",
        ),
        Assumption(
            f"The age × sex term belongs to the {interaction}",
            "The paper's methods say 1 = male, its tables say female; with the main effect a woman's and the "
            "interaction a man's all of its text fits",
            "inference",
            "Filipe et al. 2024",
        ),
        Assumption(
            "Supply is held at the paper's mean, minority ethnicity at 0 in the zero part",
            "Need must not rise with supply, and use that is missing for want of access is not want of need",
            "choice",
            "Filipe et al. 2024",
        ),
    )


__all__ = ["READINGS", "NeedFormula"]
