"""Expected use where people and practices meet: on every flow from an area to a practice.

Deprivation belongs to the area, registers and sexes to the practice, ages to the flow. For each practice, use
is worked out by single year of age at a few deprivation scores; each flow then takes its area's score and its
own ages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit

from needsalloc import gradients, predictors
from needsalloc.ages import ADULT, AGES, BANDS, Whose
from needsalloc.errors import FormulaError, InvalidValueError, check_kind, first_few
from needsalloc.formulas.tables import number
from needsalloc.kernels import prevalence
from needsalloc.people import People

if TYPE_CHECKING:
    from needsalloc.need import NeedFormula

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ages = slice | NDArray[np.bool_]

LOG_DAYS = float(np.log(365.0))
ACCURACY = 1e-8
# Use is smooth in the score: seven Chebyshev nodes over its range give that of the paper to twelve digits;
# formulas that rise more steeply with it take more.
_SCORE_NODES = (7, 10, 14, 20, 28, 40, 56)
_SCORES_BETWEEN = 101
_SECOND_BAND = BANDS[BANDS > ADULT][0]
_PRACTICES_AT_ONCE = 512
_WOMAN = (1.0, 0.0)
SEXES = len(_WOMAN)


@dataclass(frozen=True, eq=False)
class Contacts:
    """Adults and their expected contacts a year on the flows, each sparse (areas x practices).

    `crude` by the ages that the adults of each flow have; `at_equal_ages` as if all had those of everybody.
    """

    adults: sparse.csc_array
    crude: sparse.csc_array
    at_equal_ages: sparse.csc_array


@dataclass(frozen=True, eq=False)
class ExpectedUse:
    """Expected contacts of the people on the lists and of the residents, on the flows from area to practice.

    `registered` and `resident` differ in how many people of which age are on a flow; `of` takes either word.
    """

    formula: NeedFormula
    people: People
    registered: Contacts
    resident: Contacts

    def of(self, whose: Whose) -> Contacts:
        """The contacts of "registered" or of "resident" people."""
        return self.registered if whose == "registered" else self.resident

    def __repr__(self) -> str:
        flows = self.registered.adults.nnz
        return f"<ExpectedUse by {self.formula.name} on {flows:,} flows from area to practice>"


def expected_use(formula: NeedFormula, people: People, *, dependence: float = 0.0) -> ExpectedUse:
    """Contacts a year of the adults on every flow, at mean supply and without unmet need.

    dependence: 0 for conditions that are independent at an age; with 0.3, say, half of the people of each age
        have every condition 30 % more often, the other half 30 % less.
    """
    check_kind(people, People, "build_people makes it from a catchment and its files")
    if not 0 <= number(dependence) <= 1:
        raise InvalidValueError(f"The dependence is {dependence!r}; it must be a number from 0 (none) to 1.")
    cells, ages = Cells(formula, people, observed=False, dependence=dependence), people.ages
    flows = ages.pattern
    adult_bands = BANDS >= ADULT
    ages_of_all = ages.by_practice(ages.people["resident"]).sum(axis=0)
    ages_of_all /= ages_of_all.sum()
    by_band, standardised = np.empty((flows.nnz, adult_bands.sum())), np.empty(flows.nnz)
    for first in range(0, flows.shape[1], _PRACTICES_AT_ONCE):
        chunk = np.arange(first, min(first + _PRACTICES_AT_ONCE, flows.shape[1]))
        for practice, table in zip(chunk, cells.use_by_age(chunk), strict=True):
            flow = slice(flows.indptr[practice], flows.indptr[practice + 1])
            at_score = cells.score_weights[flows.indices[flow]] @ table.T
            by_band[flow] = ages.by_band(flow, at_score)
            standardised[flow] = at_score @ ages_of_all

    def contacts(whose: Whose) -> Contacts:
        adults = ages.adults(whose)
        crude = np.einsum("fb,fb->f", ages.people[whose][:, adult_bands], by_band)
        return Contacts(*(ages.on_flows(part) for part in (adults, crude, adults * standardised)))

    return ExpectedUse(formula, people, contacts("registered"), contacts("resident"))


class Cells:
    """Use by practice, single year of age, sex and deprivation score.

    Arrays are (ages, practices, columns); a column is a sex at one of the nodes of the score. `observed`: as
    it was, unmet need counted. `certain`: a condition that everybody has.
    """

    def __init__(
        self,
        formula: NeedFormula,
        people: People,
        *,
        observed: bool,
        certain: str | None = None,
        dependence: float = 0.0,
    ) -> None:
        self.formula, self.people = formula, people
        self.certain, self.dependence = certain, dependence
        self.age_years = gradients.mid_year(AGES[ADULT:])
        female = people.female_share[:, ADULT:]
        self.sex_share = np.stack([female, 1.0 - female], axis=-1)
        held = formula.at_mean_supply() if observed else formula.at_need()
        of_persons = [term for term in gradients.conditions() if term in {*held.count, *held.zero}]
        self.effects = {term: (held.count.get(term, 0.0), held.zero.get(term, 0.0)) for term in of_persons}
        count, zero = (
            {term: value for term, value in part.items() if term not in self.effects}
            for part in (held.count, held.zero)
        )
        self.alone = replace(held, count=count, zero=zero)
        _check_terms(self.alone)
        score = formula.standardise("imd_score", people.imd_score)
        self.nodes, self.score_weights = _score_nodes(score, self._without_conditions, formula.name)
        self.own = [term for term in self.effects if term in people.prevalence]
        self.held = {
            term: gradients.reference_curve(term, self.age_years)
            for term in self.effects
            if term not in self.own
        }
        by_age = people.ages.adults_by_practice
        total = by_age.sum(axis=1, keepdims=True)
        # A practice whose patients all live outside England's areas is given everybody's ages.
        self.age_weight = np.where(total > 0, by_age, by_age.sum(axis=0))
        self.age_weight /= self.age_weight.sum(axis=1, keepdims=True)
        size = np.abs(self.log_odds).max() if formula.has_zero_part else 0.0
        reach = size + sum(abs(zero) for _, zero in self.effects.values())
        self.rule = prevalence.quadrature(float(reach), ACCURACY)

    @cached_property
    def log_mean(self) -> Floats:
        """(ages, columns) log contacts of a user without any condition."""
        return self._linear("count", self.nodes)

    @cached_property
    def log_odds(self) -> Floats:
        """(ages, columns) log odds of never using, without any condition."""
        return self._linear("zero", self.nodes)

    def _without_conditions(self, score: Floats) -> Floats:
        """(cases, scores) use by age and sex, log odds being those of people without any condition, with each
        that makes use likelier, and with each that makes it rarer.
        """
        effects = [zero for _, zero in self.effects.values()]
        moves = 0.0, sum(min(zero, 0.0) for zero in effects), sum(max(zero, 0.0) for zero in effects)
        log_mean, log_odds = (self._linear(part, score).reshape(-1, len(score)) for part in ("count", "zero"))
        return np.vstack([np.exp(log_mean) * expit(-log_odds - move) for move in moves])

    def _linear(self, part: Literal["count", "zero"], score: Floats) -> Floats:
        """(ages, columns) the constant and the terms of a part that are no conditions, at some scores."""
        age, woman = self.age_years[:, None, None], np.array(_WOMAN)[None, :, None]
        value: dict[str, Floats] = {
            "age": self.formula.standardise("age", age),
            "female": woman,
            "female=1": woman,
            "female=0": 1.0 - woman,
            "imd_score": score[None, None, :],
            "log_days_alive": np.array(LOG_DAYS),
        }
        for term in gradients.counts():
            value[term] = gradients.reference_curve(term, self.age_years)[:, None, None]
        shape = len(self.age_years), SEXES, len(score)
        found = predictors.linear(getattr(self.alone, part), value, shape)
        found += self.alone.constants[0 if part == "zero" else 1]
        if self.formula.steps is not None:
            found += self.formula.steps.at(part, age, woman)
        return found.reshape(shape[0], -1)

    def users(self, spectrum: prevalence.Complexes, zero: float = 0.0, ages: Ages = slice(None)) -> Floats:
        """(ages, practices, columns) the mean of 1 - pi, `zero` added to the constant; of some ages."""
        log_odds = self.log_odds[ages]
        if not self.formula.has_zero_part:
            return np.ones((*spectrum.shape[:2], log_odds.shape[1]))
        return prevalence.users(spectrum, log_odds + zero, self.rule)

    def mixture(self, practices: Ints, *, tilted: bool = True, lift: float = 0.0) -> prevalence.Mixture:
        """The conditions of each practice and age: multiplier (ages, practices), spectrum (…, nodes).

        lift: how much more often everybody has each of them, as a share; no more often than always.
        """
        ages, n = len(self.age_years), len(practices)
        everywhere = self._mix(self.held, ages, tilted, lift)
        here = self._mix(self.curves(practices), n * ages, tilted, lift)
        return prevalence.Mixture(
            everywhere.multiplier[:, None] * here.multiplier.reshape(n, ages).T,
            everywhere.spectrum[:, None, :] * here.spectrum.reshape(n, ages, -1).swapaxes(0, 1),
        )

    def _mix(self, share: Mapping[str, Floats], cells: int, tilted: bool, lift: float) -> prevalence.Mixture:
        columns = np.empty((cells, len(share)))
        for j, (term, values) in enumerate(share.items()):
            # As much less often in one half of the people as more often in the other: the mean stays.
            more = np.minimum(abs(lift), 1 / np.maximum(values, 1e-300) - 1) * np.sign(lift)
            columns[:, j] = 1.0 if term == self.certain else (values * (1 + more)).ravel()
        count = np.array([self.effects[term][0] * tilted for term in share])
        zero = np.array([self.effects[term][1] for term in share])
        return prevalence.mix(columns, count, zero, self.rule)

    def curves(self, practices: Ints) -> dict[str, Floats]:
        """Each condition of the practices' registers by age (practices, ages), the practice's share met."""
        found = {}
        for term in self.own:
            slope_z = gradients.slope(term) * gradients.standardised(self.age_years)
            share = self.people.prevalence[term].to_numpy()[practices]
            constant = gradients.level(share, self.age_weight[practices], slope_z)
            found[term] = expit(constant[:, None] + slope_z)
        return found

    def prevalence_of(self, term: str, practices: Ints) -> Floats:
        """(ages, practices) share of the people who have a condition."""
        if term in self.held:
            return np.repeat(self.held[term][:, None], len(practices), axis=1)
        return self.curves(practices)[term].T

    def use_by_sex(self, practices: Ints) -> Floats:
        """Contacts per adult and year, women then men: (practices, ages, sexes, score nodes)."""
        lifts = (-self.dependence, self.dependence) if self.dependence else (0.0,)
        halves = [self._use(self.mixture(practices, lift=lift)) for lift in lifts]
        use = np.mean(halves, axis=0)
        return np.asarray(use.reshape(*use.shape[:2], SEXES, -1).swapaxes(0, 1))

    def _use(self, mixture: prevalence.Mixture) -> Floats:
        """(ages, practices, columns) contacts per adult and year."""
        mean = np.exp(self.log_mean)[:, None, :] * mixture.multiplier[:, :, None]
        return np.asarray(self.users(mixture.spectrum) * mean)

    def use_by_age(self, practices: Ints) -> Floats:
        """The same, both sexes together: (practices, ages, score nodes)."""
        both: Floats = np.einsum("pasn,pas->pan", self.use_by_sex(practices), self.sex_share[practices])
        return both

    def weights(self, practices: Ints) -> Floats:
        """What each cell of some practices weighs in a mean over their adults; sums to 1."""
        registered, ages = self.people.ages.people["registered"], self.people.ages
        by_node = [ages.by_practice(registered, at)[practices] for at in self.score_weights.T]
        adults = np.stack(by_node, axis=-1)
        weight: Floats = np.einsum("pas,pan->apsn", self.sex_share[practices], adults / adults.sum())
        return weight.reshape(len(self.age_years), len(practices), -1)


def _check_terms(formula: NeedFormula) -> None:
    """Refuse what cannot be told of the people of a flow, who are adults of any age."""
    first, last = formula.ages
    # Rows may have the middle of an age band: those of 18 to 25 are 22 then.
    if first >= _SECOND_BAND or last < AGES[-1]:
        raise FormulaError(
            f"{formula.name} is for ages {first:g} to {last:g}, and on flows there are all adults. Predict "
            "persons of these ages, or say why it may be used for others: formula.for_all_ages(reason)."
        )
    if np.isfinite(formula.cap):
        raise FormulaError(
            f"{formula.name} predicts at most {formula.cap:g} contacts for anybody, and on flows there are "
            "means. Predict persons, or take the cap off: dataclasses.replace(formula, cap=numpy.inf)."
        )
    if formula.family.startswith("hurdle"):
        raise FormulaError(
            f"{formula.name} is a hurdle: its mean over people of unknown conditions is not known here. "
            "Predict persons with it, or fit a zero-inflated one."
        )
    known = {"age", "female", "female=0", "female=1", "imd_score", "log_days_alive", *gradients.counts()}
    terms = [*formula.count, *formula.zero]
    strange = dict.fromkeys(term for term in terms if not known.issuperset(predictors.atoms([term])))
    if strange:
        raise FormulaError(
            f"{len(strange):,} terms of {formula.name} are in no open file: {first_few(strange)}. Hold their "
            "columns at a stated value (hold), or predict persons."
        )


def _score_nodes(score: Floats, use: Callable[[Floats], Floats], name: str) -> tuple[Floats, Floats]:
    """Chebyshev nodes over the range of `score` (areas,), and the weights (areas, nodes) that interpolate.

    As many as give `use`, of some scores (cases, scores), to `ACCURACY` between them.
    """
    centre = (score.max() + score.min()) / 2
    half = max(np.ptp(score) / 2, 0.5)
    between = np.linspace(-1.0, 1.0, _SCORES_BETWEEN)
    exact = use(centre + half * between)
    some = exact > 0
    for count in _SCORE_NODES:
        unit = np.polynomial.chebyshev.chebpts1(count)
        found = use(centre + half * unit) @ _interpolating(unit, between).T
        if np.abs(found[some] / exact[some] - 1.0).max(initial=0.0) < ACCURACY:
            return centre + half * unit, _interpolating(unit, (score - centre) / half)
    raise FormulaError(
        f"Use by {name} changes more than {exact[some].max() / exact[some].min():.0e}-fold over these areas' "
        "scores, ages and sexes, which cannot be right. Check that imd_score has the mean and SD (centring) "
        "that its coefficients belong to."
    )


def _interpolating(unit: Floats, at: Floats) -> Floats:
    """(points, nodes) what values at Chebyshev nodes `unit` weigh at other points, all from -1 to 1."""
    vander = np.polynomial.chebyshev.chebvander
    degree = len(unit) - 1
    return np.asarray(vander(at, degree) @ np.linalg.inv(vander(unit, degree)))


__all__ = ["SEXES", "Cells", "Contacts", "ExpectedUse", "expected_use"]
