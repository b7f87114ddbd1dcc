"""The level of a formula: constants at which known people show known use, and use by group beside print.

Print gives no intercepts. Both are solved together, as observed: at mean supply, with minority ethnicity in
the part that says who has any contact, since the people known had it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import reference
from needsalloc.age_steps import AgeSteps
from needsalloc.ages import ADULT
from needsalloc.errors import FormulaError, UnknownCodeError, first_few
from needsalloc.kernels.families import FAMILIES
from needsalloc.need import NeedFormula
from needsalloc.people import People
from needsalloc.use import Cells

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# First age -> the row of the paper's Table 1.
AGE_BANDS = {18: "age_18_29", 30: "age_30_49", 50: "age_50_69", 70: "age_70_89", 90: "age_90_plus"}
_ZERO_INFLATED = ("zip", "zinb")
_SEXES = {"female": 0, "male": 1}


def on_rows(
    formula: NeedFormula, rows: pd.DataFrame, *, any_contact: float, contacts: float, label: str
) -> NeedFormula:
    """The formula with both constants solved so that persons (rows,) show these means, as observed.

    any_contact: share of persons with any contact in the year. contacts: mean contacts of a person.

    Raises FormulaError if no constants do, or the formula has no share who never use.
    """
    _check_two_parts(formula)
    family = FAMILIES[formula.family]
    log_mean, log_odds = formula.with_constants(0.0, 0.0).parts(rows, "observed")

    def at(zero: float, count: float) -> Floats:
        return np.column_stack([log_mean + count, log_odds + zero])

    def level(zero: float) -> float:
        return float(np.log(contacts / family.mean(at(zero, 0.0)).mean()))

    def share(zero: float) -> float:
        return float(family.share_with_contact(at(zero, level(zero))).mean())

    wanted = _wanted(formula, any_contact, contacts)
    zero = _root(lambda zero: share(zero) - any_contact, -20.0, 20.0, wanted)
    return formula.with_constants(zero, level(zero), label)


def on_people(
    formula: NeedFormula,
    people: People,
    practices: pd.Index,
    *,
    any_contact: float,
    contacts: float,
    label: str,
) -> NeedFormula:
    """The formula with both constants solved on the listed adults of some practices, as observed.

    Contacts follow their level exactly, so one constant is solved inside the other.

    Raises FormulaError if no constants do, or the formula has no share who never use; UnknownCodeError if a
    practice has no patients here.
    """
    _check_two_parts(formula)
    known = _Known(formula.with_constants(0.0, 0.0), people, practices)

    def level(zero: float) -> float:
        return float(np.log(contacts / (known.weight * known.use(zero)).sum()))

    def excess(zero: float) -> float:
        return float((known.weight * known.any_contact(zero, level(zero))).sum() - any_contact)

    zero = _root(excess, -5.0, 15.0, _wanted(formula, any_contact, contacts))
    return formula.with_constants(zero, level(zero), label)


def on_ages(
    formula: NeedFormula,
    people: People,
    practices: pd.Index,
    *,
    any_contact: Mapping[int, float],
    contacts: float,
    label: str,
) -> NeedFormula:
    """The same with one constant of the zero part for each age band.

    formula: with the constants of `on_people`, near which the level of contacts is looked for.
    any_contact: first age -> share of the band's adults with any contact; from 18 on, rising.

    Raises as `on_people`, and FormulaError for bands that do not rise from 18.
    """
    _check_two_parts(formula)
    first = list(any_contact)
    if first != sorted(first) or first[:1] != [ADULT]:
        raise FormulaError(
            f"The age bands begin at {first_few(first)}. Give all adults, from {ADULT}, rising."
        )
    known = _Known(replace(formula.with_constants(0.0, 0.0), steps=None), people, practices)
    years = np.arange(ADULT, ADULT + len(known.weight))
    band = np.searchsorted(list(any_contact), years, side="right") - 1

    def zeros(count: float) -> Floats:
        return np.array(
            [
                _root(_excess(number, count), -8.0, 15.0, _wanted(formula, share, contacts))
                for number, share in enumerate(any_contact.values())
            ]
        )

    def _excess(number: int, count: float) -> Callable[[float], float]:
        of_band = _Part(known, band == number)
        wanted = list(any_contact.values())[number]
        return lambda zero: of_band.any_contact(zero, count) - wanted

    def contacts_at(count: float) -> float:
        by_band = zeros(count)
        found = sum(_Part(known, band == number).use(zero) for number, zero in enumerate(by_band))
        return float(np.log(found) + count - np.log(contacts))

    # The one constant for all ages is near: few users more or less at an age need few contacts more or less.
    near = formula.constants[1]
    wanted = f"{formula.name} does not come near {contacts:.3g} contacts each. Start with on_people."
    count = _root(contacts_at, near - 1.0, near + 1.0, wanted)
    offsets = np.repeat(zeros(count)[:, None], len(_SEXES), axis=1)
    steps = AgeSteps(tuple(any_contact), np.zeros_like(offsets), offsets)
    return replace(formula.with_constants(0.0, count, label), steps=steps)


def use_rates(formula: NeedFormula, people: People, practices: pd.Index) -> pd.DataFrame:
    """Who has any contact, by age, sex and condition: what the formula gives beside what the paper prints.

    On the listed adults of some practices (Liverpool's), as observed. Index `group`; `printed` and `found`,
    each a share with any contact over that of all (the paper's people are three quarters of the lists),
    `miss` (found over printed, less 1), and `adults`, how many the open files put in the group.

    Raises UnknownCodeError if a practice has no patients here.
    """
    known = _Known(formula, people, practices)
    chance = known.any_contact(0.0, 0.0)
    overall = float((known.weight * chance).sum())
    adults = float(people.ages.adults_by_practice[known.practices].sum())
    years = np.arange(ADULT, ADULT + len(known.weight))
    found: dict[str, tuple[float, float]] = {"all": (1.0, overall)}
    band = np.searchsorted(list(AGE_BANDS), years, side="right") - 1
    for number, name in enumerate(AGE_BANDS.values()):
        found[name] = _share(known.weight[band == number], chance[band == number])
    by_sex = known.weight.reshape(*known.weight.shape[:2], len(_SEXES), -1)
    chance_by_sex = chance.reshape(by_sex.shape)
    for name, column in _SEXES.items():
        found[name] = _share(by_sex[:, :, column], chance_by_sex[:, :, column])
    for term in known.cells.effects:
        having = known.weight * known.cells.prevalence_of(term, known.practices)[:, :, None]
        found[term] = _share(having, known.given(term).any_contact(0.0, 0.0))
    table = pd.DataFrame(found, index=["adults", "found"]).T.rename_axis("group")
    rates = reference.read("filipe-2024-use-rates").frame.set_index("group")
    printed = rates["users"] / rates["people"]
    table = table.assign(
        printed=printed / printed["all"], found=table["found"] / overall, adults=table["adults"] * adults
    )
    table["miss"] = table["found"] / table["printed"] - 1
    return table[["printed", "found", "miss", "adults"]]


def _share(weight: Floats, chance: Floats) -> tuple[float, float]:
    with np.errstate(invalid="ignore"):  # NaN for a group of nobody
        return float(weight.sum()), float((weight * chance).sum() / weight.sum())


class _Known:
    """The listed adults of some practices by age, practice and column (sex and score), and their use."""

    def __init__(
        self, formula: NeedFormula, people: People, practices: pd.Index, certain: str | None = None
    ) -> None:
        practices = pd.Index(practices)
        self.formula, self.people, self.index = formula, people, practices
        position = people.catchment.practices.get_indexer(practices)
        if (position < 0).any():
            unknown = practices[position < 0]
            raise UnknownCodeError(
                f"{len(unknown):,} of {len(practices):,} practices have no patients: {first_few(unknown)}."
            )
        self.practices: Ints = position
        self.cells = Cells(formula, people, observed=True, certain=certain)
        self.weight = self.cells.weights(position)
        self.tilted = self.cells.mixture(position)
        self.plain = self.cells.mixture(position, tilted=False)

    def given(self, term: str) -> _Known:
        """The same people, all of them having a condition."""
        return _Known(self.formula, self.people, self.index, certain=term)

    def use(self, zero: float, rows: slice | NDArray[np.bool_] = slice(None)) -> Floats:
        """(ages, practices, columns) contacts at a constant of the zero part; ages may be chosen."""
        chance = self.cells.users(self.tilted.spectrum[rows], zero, rows)
        mean = np.exp(self.cells.log_mean[rows])[:, None, :]
        return np.asarray(chance * mean * self.tilted.multiplier[rows][:, :, None])

    def any_contact(self, zero: float, count: float, rows: slice | NDArray[np.bool_] = slice(None)) -> Floats:
        """(ages, practices, columns) chance of any contact at these constants."""
        chance = self.cells.users(self.plain.spectrum[rows], zero, rows)
        # Those who can have contacts have so many that their mean stands for each of them in e^{-mu}.
        mean = self.use(zero, rows) * np.exp(count) / chance
        return np.asarray(chance * -np.expm1(-mean))


class _Part:
    """The people of some ages among the known, and what they come to."""

    def __init__(self, known: _Known, rows: NDArray[np.bool_]) -> None:
        self.known, self.rows = known, rows

    def any_contact(self, zero: float, count: float) -> float:
        """Share with any contact."""
        weight = self.known.weight[self.rows]
        return float((weight * self.known.any_contact(zero, count, self.rows)).sum() / weight.sum())

    def use(self, zero: float) -> float:
        """What they add to the mean contacts of all."""
        return float((self.known.weight[self.rows] * self.known.use(zero, self.rows)).sum())


def _check_two_parts(formula: NeedFormula) -> None:
    if formula.family not in _ZERO_INFLATED:
        raise FormulaError(
            f"{formula.name} is of the family {formula.family}: both constants are solved for "
            f"{' and '.join(_ZERO_INFLATED)}, which have a share who never use. The level of any other "
            "cancels in an index."
        )


def _wanted(formula: NeedFormula, any_contact: float, contacts: float) -> str:
    return (
        f"No constants of {formula.name} give {any_contact:.2%} of these people a contact and {contacts:.3g} "
        "contacts each: too many, too few, or a few people take up nearly all of them. Check both figures."
    )


def _root(function: Callable[[float], float], low: float, high: float, otherwise: str) -> float:
    """Where a function is 0 between two numbers; FormulaError with what to say if it is nowhere."""
    from scipy.optimize import brentq  # a sixth of a second that most imports need not spend

    with np.errstate(all="ignore"):
        ends = function(low), function(high)
    if not ends[0] * ends[1] <= 0:
        raise FormulaError(otherwise)
    return float(brentq(function, low, high, xtol=1e-12))


__all__ = ["AGE_BANDS", "on_ages", "on_people", "on_rows", "use_rates"]
