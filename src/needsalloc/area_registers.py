"""Disease registers of practices carried to the areas where their patients live, by the ages of these.

cases[a, p] = register[p] * e[a, p] / sum_a e[a, p],   e[a, p] = sum over ages of people[a, p, age] * w[age]

e is what the ages on the flow from area a to practice p would lead one to expect, up to a level that cancels.
All patients of a practice of one age are taken to be as likely to be on its register, wherever they live: the
result is modelled, and within a practice it knows of ages alone.

Source: House of Commons Library, Constituency data: health conditions (the recipe; the code is ours).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from needsalloc import gradients, reference
from needsalloc.ages import ADULT, AGES, BANDS, FlowAges
from needsalloc.assumptions import Assumption
from needsalloc.catchment import Catchment
from needsalloc.display import sentence_and_table
from needsalloc.errors import InvalidValueError, UnknownCodeError, first_few
from needsalloc.kernels import flow
from needsalloc.people import People
from needsalloc.registers import by_practice, larger_than_lists

Floats = NDArray[np.float64]

OVER_ITS_LIST = "register larger than its list"
NOT_HERE = "practice not in the registrations"
LIVING_OUTSIDE = "patients living in none of these areas"
# One register of 135,870 was over its list in 2021/22; many more are two files that do not belong together.


@dataclass(frozen=True, eq=False)
class AreaRegisters:
    """People on disease registers by area: modelled from the registers of practices.

    Attributes
    ----------
    cases:
        Index area, a column for each condition of the file: people on a register, registered patients only.
    people:
        The same shape: the lists that the registers are of, carried likewise, by people of the register's
        ages. Practices without a usable register are in neither.
    expected:
        Index practice, a column for each condition: what its list and its patients' ages alone would give, at
        the level of all usable registers; NaN for a practice without one. It is what a practice's own
        register may be shrunk toward (`small_area_rates`).
    weights:
        Index condition: `rule` ("slope", "even" or "given"), the `term` whose slope by age was used, its
        `slope`, and the `first_age` that cases are given to.
    not_carried:
        Index reason, a column for each condition: people on registers that are in no area. With `cases` they
        add up to the file.
    registers, list_sizes:
        Index practice, a column for each condition: the usable registers and the lists that they are of; NaN
        where there is none.
    exceptions:
        Registers left out: `practice, condition, register, list_size, what`.
    notes:
        What was assumed.
    """

    cases: pd.DataFrame
    people: pd.DataFrame
    expected: pd.DataFrame
    weights: pd.DataFrame
    not_carried: pd.DataFrame
    registers: pd.DataFrame
    list_sizes: pd.DataFrame
    exceptions: pd.DataFrame
    notes: tuple[Assumption, ...]

    @property
    def prevalence(self) -> pd.DataFrame:
        """Share of `people` on each register, by area; NaN where there is nobody."""
        return self.cases / self.people.where(self.people > 0)

    def differences_kept(self, catchment: Catchment) -> pd.DataFrame:
        """How much of the differences between teams is left when registers go to areas and back.

        Index condition: `teams`; `slope` of the prevalence by way of areas on that of the teams' own
        registers, 1 where nothing is lost (weighted by people); and `off_by_a_tenth`, the share of teams
        whose prevalence by way of areas is more than a tenth off their own.

        catchment: the same areas and practices, proportional.
        """
        own = self._of_teams(self.registers, catchment) / self._of_teams(self.list_sizes, catchment)
        through = (catchment.apportion(self.cases) / catchment.apportion(self.people)).reindex(own.index)
        weight = self._of_teams(self.list_sizes, catchment).where(own.notna() & through.notna(), 0.0)
        own, through = own.where(weight > 0, 0.0), through.where(weight > 0, 0.0)
        away = weight * (own - (weight * own).sum() / weight.sum())
        off = ((through - own).abs() > 0.1 * own) & (weight > 0)
        teams = (weight > 0).sum()
        columns = {
            "teams": teams,
            "slope": (away * through).sum() / (away * own).sum(),
            "off_by_a_tenth": off.sum() / teams,
        }
        return pd.DataFrame(columns).rename_axis("condition")

    def _of_teams(self, by_practice: pd.DataFrame, catchment: Catchment) -> pd.DataFrame:
        """Sums over the practices of each team; those of no team are left out."""
        at = self.registers.index.get_indexer(catchment.practices)
        rows = by_practice.iloc[at].fillna(0.0).groupby(catchment.team_of_practice).sum()
        return rows.set_axis(catchment.teams.index[rows.index])[
            catchment.teams["is_team"].to_numpy(np.bool_)[rows.index]
        ]

    def __repr__(self) -> str:
        return (
            f"<AreaRegisters: {self.cases.shape[1]:,} registers of practices carried to "
            f"{len(self.cases):,} areas, modelled by age; {len(self.exceptions):,} left out>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.cases)


def registers_by_area(
    people: People, conditions: pd.DataFrame, *, by_age: Mapping[str, pd.Series] | None = None
) -> AreaRegisters:
    """QOF registers carried to areas along the registration flows, by the ages on each flow.

    people: the areas, practices and ages on flows (`build_people`).
    conditions: registers by practice (`read_conditions`).
    by_age: QOF code -> rates by single year of age (index 0 to 90), published ones. Otherwise a condition
        with a slope of its own (`age-gradients`; low confidence, adults only) has that, and any other is even
        over the ages of its list.

    A register larger than its list is left out and listed. A practice whose patients have none of the ages
    shares its register by its patients.

    Raises UnknownCodeError if no practice of the file has patients here, or for rates of a condition that the
    file lacks; InvalidValueError for rates that are no rates, or if more than 1 % of practices have a
    register larger than its list.
    """
    catchment = people.catchment
    registers, over = usable_registers(conditions)
    here = catchment.practices.intersection(registers.index)
    if here.empty:
        raise UnknownCodeError(
            f"None of the {len(registers):,} practices of the registers ({first_few(registers.index)}) has "
            "patients in this catchment. Use registers of a year near the registrations."
        )
    whole = registers.fillna(0.0).sum()
    register = registers.reindex(catchment.practices)
    list_sizes = by_practice(conditions, "list_size").reindex(catchment.practices).where(register.notna())
    inside = flow.total_by_column(catchment.registered)
    everyone = inside + catchment.outside_by_practice
    share_inside = np.divide(inside, everyone, out=np.zeros_like(inside), where=everyone > 0)
    first = _first_ages(conditions)
    rules = {str(code): _rule(str(code), first[code], by_age or {}) for code in registers.columns}
    _refuse_unknown(by_age or {}, registers.columns)
    cases, listed, expected = {}, {}, {}
    for code, rule in rules.items():
        of_ages = (AGES >= first[code]).astype(np.float64)
        likely, counted = (_on_flows(people.ages, curve) for curve in (rule.curve, of_ages))
        own, size = (frame[code].to_numpy(np.float64) for frame in (register, list_sizes))
        cases[code] = _shared(likely, np.nan_to_num(own) * share_inside, people.ages)
        listed[code] = _shared(counted, np.nan_to_num(size) * share_inside, people.ages)
        expected[code] = _by_ages(likely, counted, own, size)
    found = pd.DataFrame(cases, index=catchment.areas)
    away = registers.drop(here)
    not_carried = pd.DataFrame(
        {
            OVER_ITS_LIST: over.groupby("condition")["register"].sum().reindex(registers.columns),
            NOT_HERE: away.sum(),
            LIVING_OUTSIDE: whole - away.sum() - found.sum(),
        }
    ).fillna(0.0)
    weights = pd.DataFrame(
        {code: (rule.name, rule.term, rule.slope, rule.first_age) for code, rule in rules.items()},
        index=["rule", "term", "slope", "first_age"],
    ).T.rename_axis("condition")
    return AreaRegisters(
        found,
        pd.DataFrame(listed, index=catchment.areas),
        pd.DataFrame(expected, index=catchment.practices),
        weights.astype({"slope": np.float64, "first_age": np.int64}),
        not_carried.T.rename_axis("reason"),
        register,
        list_sizes,
        over,
        _notes(weights, catchment, here, over, conditions),
    )


def usable_registers(conditions: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Registers by practice and condition, NaN where there is none or it is larger than its list; and those.

    Raises InvalidValueError if more than 1 % of practices have a register larger than its list.
    """
    register = by_practice(conditions, "register")
    over = larger_than_lists(conditions)
    too_large = register > by_practice(conditions, "list_size")
    return register.where(~too_large), over.assign(what=OVER_ITS_LIST)


class _Rule(NamedTuple):
    """How cases are weighted by age: `curve` (91,), and what to say of it."""

    name: str
    term: str
    slope: float
    first_age: int
    curve: Floats


def _rule(code: str, first_age: int, by_age: Mapping[str, pd.Series]) -> _Rule:
    if code in by_age:
        given = by_age[code].reindex(pd.Index(AGES)).to_numpy(np.float64)
        if not (np.isfinite(given).all() and (given >= 0).all() and given.any()):
            raise InvalidValueError(
                f"The rates by age of {code} must be numbers from 0 for each age from 0 to 90, some above 0."
            )
        return _Rule("given", "", np.nan, int(AGES[given > 0][0]), given)
    term = _terms().get(code)
    if term is None:
        return _Rule("even", "", 0.0, first_age, (AGES >= first_age).astype(np.float64))
    curve = gradients.reference_curve(term, gradients.mid_year(AGES))
    return _Rule("slope", term, gradients.slope(term), ADULT, np.where(AGES >= ADULT, curve, 0.0))


def _terms() -> dict[str, str]:
    """QOF code -> the formula's term that it stands for, whose slope by age it has."""
    rules = reference.read("open-data-concordance").frame
    rules = rules[rules["rule"] == "rescaled"]
    return {
        code: str(row.term) for row in rules.itertuples(index=False) for code in str(row.registers).split("|")
    }


def _first_ages(conditions: pd.DataFrame) -> dict[str, int]:
    """The first age of the list that each register is of: "06OV" is 6, "TOTAL" 0."""
    kinds = conditions.drop_duplicates("condition").set_index("condition")["list_type"].astype("str")
    digits = kinds.str.extract(r"^(\d+)", expand=False)
    return {str(code): int(age) if isinstance(age, str) else 0 for code, age in digits.items()}


def _refuse_unknown(by_age: Mapping[str, pd.Series], codes: pd.Index) -> None:
    unknown = [code for code in by_age if code not in codes]
    if unknown:
        raise UnknownCodeError(
            f"There are rates by age of {first_few(unknown)}, which the file lacks; it has "
            f"{first_few(codes, 30)}."
        )


def _on_flows(ages: FlowAges, curve: Floats) -> sparse.csc_array:
    """What the registered people on each flow sum to, each counting as `curve` (91,) at their age."""
    by_band = np.add.reduceat(ages.within * curve, BANDS, axis=1)
    at_area = by_band[ages.pattern.indices]
    return ages.on_flows(np.einsum("fb,fb->f", ages.people["registered"], at_area))


def _shared(by_flow: sparse.csc_array, carried: Floats, ages: FlowAges) -> Floats:
    """(areas,) `carried` (practices,) shared over a practice's flows as `by_flow`, else as its patients."""
    total, patients = flow.total_by_column(by_flow), flow.total_by_column(ages.pattern)
    some, anybody = total > 0, patients > 0
    share = np.divide(carried, total, out=np.zeros_like(total), where=some)
    rest = np.divide(carried, patients, out=np.zeros_like(total), where=~some & anybody)
    return np.asarray(by_flow @ share + ages.pattern @ rest)


def _by_ages(likely: sparse.csc_array, counted: sparse.csc_array, own: Floats, size: Floats) -> Floats:
    """(practices,) registers that lists of `size` and these ages would have, at the level of all `own`."""
    cases, people = flow.total_by_column(likely), flow.total_by_column(counted)
    known = np.isfinite(own) & (cases > 0) & (people > 0)
    rate = np.divide(cases, people, out=np.full_like(cases, np.nan), where=known)
    return np.where(known, rate * size * (own[known].sum() / (rate * size)[known].sum()), np.nan)


def _notes(
    weights: pd.DataFrame,
    catchment: Catchment,
    here: pd.Index,
    over: pd.DataFrame,
    conditions: pd.DataFrame,
) -> tuple[Assumption, ...]:
    file = str(conditions.attrs.get("source", {}).get("file", "QOF registers"))
    rules = weights["rule"]
    notes = [
        Assumption(
            "People on registers by area are modelled: each practice's register is shared over its patients "
            "by where they live and how old they are",
            "Nothing else of a practice's patients is known, so that deprived and other areas of one "
            "practice and age have the same; differences between areas come out too small",
            "inference",
            f"{file}; recipe of the House of Commons Library",
        )
    ]
    for name, what in (
        ("slope", "change with age by one labelled slope each, of low confidence, from 18"),
        ("even", "are even over the ages of their list: no gradient by age is at hand"),
        ("given", "have the rates by age given"),
    ):
        codes = weights.index[rules == name]
        if len(codes):
            notes.append(
                Assumption(f"{first_few(codes, 30)} {what}", "Registers have no ages", "assumption", "")
            )
    without = catchment.practices.difference(here)
    if len(without):
        notes.append(
            Assumption(
                f"Practices without registers: {len(without):,} ({first_few(without)})",
                "Their patients are in neither the cases nor the people of any area",
                "gap",
                file,
            )
        )
    if len(over):
        names = (over["practice"] + " (" + over["condition"] + ")").tolist()
        notes.append(
            Assumption(
                f"Registers left out, larger than their list: {first_few(names)}", "As published", "gap", file
            )
        )
    return tuple(notes)


__all__ = ["AreaRegisters", "registers_by_area", "usable_registers"]
