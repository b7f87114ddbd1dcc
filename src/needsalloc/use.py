"""Expected use where people and practices meet: on every flow from an area to a practice.

Deprivation belongs to the area, registers and sexes to the practice, ages to the flow. For each practice, use
is worked out by single year of age at a few deprivation scores; each flow then takes its area's score and its
own ages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit

from needsalloc import gradients
from needsalloc.ages import ADULT, AGES, BANDS, Whose
from needsalloc.kernels import prevalence
from needsalloc.people import People

if TYPE_CHECKING:
    from needsalloc.need import NeedFormula

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LOG_DAYS = float(np.log(365.0))
ACCURACY = 1e-8
# Use is so smooth in the score that seven Chebyshev nodes over its range give it to ten digits.
_IMD_NODES = 7
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


def expected_use(formula: NeedFormula, people: People) -> ExpectedUse:
    """Contacts a year of the adults on every flow, at mean supply and without unmet need."""
    cells, ages = Cells(formula, people, observed=False), people.ages
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


def solve_constants(
    formula: NeedFormula, people: People, practices: Ints, *, any_contact: float, contacts: float
) -> tuple[float, float]:
    """The constants of the zero and the count part at which the practices' adults show these means.

    As observed: with minority ethnicity in the zero part. Contacts follow their level exactly, so one
    constant is solved inside the other.
    """
    from scipy.optimize import brentq  # a sixth of a second that most imports need not spend

    cells = Cells(formula.with_constants(0.0, 0.0), people, observed=True)
    weight = cells.weights(practices)
    tilted, plain = cells.mixture(practices), cells.mixture(practices, tilted=False)

    def contacts_at(zero: float) -> Floats:
        chance = prevalence.users(tilted.spectrum, cells.log_odds + zero, cells.rule)
        return chance * np.exp(cells.log_mean)[:, None, :] * tilted.multiplier[:, :, None]

    def level(zero: float) -> float:
        return float(np.log(contacts / (weight * contacts_at(zero)).sum()))

    def excess(zero: float) -> float:
        chance = prevalence.users(plain.spectrum, cells.log_odds + zero, cells.rule)
        # Those who can have contacts have so many that their mean stands for each of them in e^{-mu}.
        mean = contacts_at(zero) * np.exp(level(zero)) / chance
        return float((weight * chance * -np.expm1(-mean)).sum() - any_contact)

    zero = float(brentq(excess, -5.0, 15.0, xtol=1e-12))
    return zero, level(zero)


class Cells:
    """Use by practice, single year of age, sex and deprivation score.

    Arrays are (ages, practices, columns); a column is a sex at one of the nodes of the score.
    """

    def __init__(self, formula: NeedFormula, people: People, *, observed: bool) -> None:
        self.formula, self.people = formula, people
        self.age_years = gradients.mid_year(AGES[ADULT:])
        female = people.female_share[:, ADULT:]
        self.sex_share = np.stack([female, 1.0 - female], axis=-1)
        self.nodes, self.score_weights = _score_nodes(formula.standardise("imd_score", people.imd_score))
        self.effects = formula.condition_effects(observed=observed)
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
        reach = np.abs(self.log_odds).max() + sum(abs(zero) for _, zero in self.effects.values())
        self.rule = prevalence.quadrature(float(reach), ACCURACY)

    @cached_property
    def log_mean(self) -> Floats:
        """(ages, columns) log contacts of a user without any condition."""
        return self._linear(self.formula.count, self.formula.constants[1])

    @cached_property
    def log_odds(self) -> Floats:
        """(ages, columns) log odds of never using, without any condition."""
        return self._linear(self.formula.zero, self.formula.constants[0])

    def _linear(self, part: Mapping[str, float], constant: float) -> Floats:
        age = self.formula.standardise("age", self.age_years)[:, None]
        alone = np.full_like(age, constant)
        alone += (
            part["log_days_alive"] * LOG_DAYS + part.get(self.formula.supply, 0.0) * self.formula.supply_mean
        )
        for term in gradients.counts():
            alone = alone + part[term] * gradients.reference_curve(term, self.age_years)[:, None]
        score = self.nodes[None, :]
        both = alone + part["age"] * age + part["imd_score"] * score + part["age_x_imd"] * age * score
        crossed = part["age_x_female"] * age
        return np.concatenate(
            [both + part["female"] * woman + crossed * self.formula.crosses(woman) for woman in _WOMAN],
            axis=1,
        )

    def mixture(self, practices: Ints, *, tilted: bool = True) -> prevalence.Mixture:
        """The conditions of each practice and age: multiplier (ages, practices), spectrum (…, nodes)."""
        ages, n = len(self.age_years), len(practices)
        everywhere = self._mix(self.held, ages, tilted)
        here = self._mix(self.curves(practices), n * ages, tilted)
        return prevalence.Mixture(
            everywhere.multiplier[:, None] * here.multiplier.reshape(n, ages).T,
            everywhere.spectrum[:, None, :] * here.spectrum.reshape(n, ages, -1).swapaxes(0, 1),
        )

    def _mix(self, share: Mapping[str, Floats], cells: int, tilted: bool) -> prevalence.Mixture:
        columns = np.empty((cells, len(share)))
        for j, values in enumerate(share.values()):
            columns[:, j] = values.ravel()
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

    def use_by_sex(self, practices: Ints) -> Floats:
        """Contacts per adult and year, women then men: (practices, ages, sexes, score nodes)."""
        mixture = self.mixture(practices)
        chance = prevalence.users(mixture.spectrum, self.log_odds, self.rule)
        use = chance * np.exp(self.log_mean)[:, None, :] * mixture.multiplier[:, :, None]
        return np.asarray(use.reshape(*use.shape[:2], SEXES, -1).swapaxes(0, 1))

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


def _score_nodes(score: Floats) -> tuple[Floats, Floats]:
    """Chebyshev nodes over the range of `score` (areas,), and the weights (areas, nodes) that interpolate."""
    centre = (score.max() + score.min()) / 2
    half = max(np.ptp(score) / 2, 0.5)
    unit = np.polynomial.chebyshev.chebpts1(_IMD_NODES)
    vander = np.polynomial.chebyshev.chebvander
    weights = vander((score - centre) / half, _IMD_NODES - 1) @ np.linalg.inv(vander(unit, _IMD_NODES - 1))
    return centre + half * unit, weights


__all__ = ["SEXES", "Cells", "Contacts", "ExpectedUse", "expected_use", "solve_constants"]
