"""A fit as a need formula: what is used on areas and teams, like one from print."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from needsalloc import predictors
from needsalloc.ages import ADULT
from needsalloc.assumptions import Assumption
from needsalloc.errors import FormulaError, first_few
from needsalloc.kernels.families import COUNT, ZERO
from needsalloc.need import NeedFormula
from needsalloc.predictors import INTERCEPT

if TYPE_CHECKING:
    from needsalloc.fit import Fit


def need_formula(fit: Fit) -> NeedFormula:
    """The need formula of a fit, as `Fit.formula` has it.

    Raises FormulaError for terms that are no products of columns, unmet need without a reference to be held
    at, and services used that enter by level, so that no number of them can be put in.
    """
    count = _coefficients(fit, COUNT)
    zero = _coefficients(fit, ZERO) if ZERO in fit.family.parts else {}
    variables = {name for part in fit.terms.values() for name in part.variables}
    terms = [*count, *zero]
    if odd := [
        term for term in terms if not set(predictors.columns([term])) <= {*variables, *fit.offset.values()}
    ]:
        raise FormulaError(
            f"{len(odd):,} terms are no products of columns: {first_few(dict.fromkeys(odd))}. Make them "
            "columns of the rows before fitting, so that a formula can hold and name them."
        )
    _check_held(fit, zero or count, terms)
    constants = zero.pop(INTERCEPT, 0.0) if zero else -np.inf, count.pop(INTERCEPT, 0.0)
    source = f"a fit of {fit.count} on {fit.people:,.0f} people"
    return NeedFormula(
        name=f"fitted-{fit.family.name}",
        title=f"{fit.count} by {fit.family.name}, fitted on {fit.people:,.0f} people",
        count=count,
        zero=zero,
        constants=constants,
        calibration="the fit",
        centring=dict(fit.centring),
        supply=_supply(fit, predictors.atoms(terms)),
        notes=_notes(fit, source),
        citation=f"Fitted by needsalloc: {source}, {fit.inference.kind} errors.",
        unmet_need=tuple(name for name, role in fit.roles.items() if role == "unmet_need"),
        utilisation=fit.services,
        levels=fit.levels,
        family=fit.family.name,
        log_theta=fit.log_theta,
        ages=fit.ages or (ADULT, np.inf),
    )


def _coefficients(fit: Fit, part: str) -> dict[str, float]:
    found = {str(term): float(value) for term, value in fit.coefficients[part].items()}
    return found | ({fit.offset[part]: 1.0} if part in fit.offset else {})


def _check_held(fit: Fit, contact: Iterable[str], terms: Iterable[str]) -> None:
    """Refuse what cannot be held. contact: the terms of the part that says who has any contact."""
    atoms = set(predictors.atoms(contact))
    unmet = [name for name, role in fit.roles.items() if role == "unmet_need"]
    if centred := [name for name in unmet if name in fit.centring]:
        raise FormulaError(
            f"{first_few(centred)} is unmet need, held at its reference, which is 0, and is centred at a "
            "mean: leave it out of centre=[…]."
        )
    if full := [
        name
        for name in unmet
        if name in fit.levels and atoms >= {f"{name}={level}" for level in fit.levels[name]}
    ]:
        raise FormulaError(
            f"{first_few(full)} is unmet need and each of its levels has a term, so that none is the "
            "reference: leave the intercept in, and main effects beside products."
        )
    by_level = [atom for atom in predictors.atoms(terms) if "=" in atom]
    if services := [atom for atom in by_level if predictors.column_of(atom) in fit.services]:
        raise FormulaError(
            f"{first_few(services)} is utilisation by level; held, it is what need makes expected, a number. "
            "Let it enter as a number, or give it the role of need."
        )


def _supply(fit: Fit, atoms: list[str]) -> dict[str, float]:
    """The mean of supply; of text, such as teams, the share of people with each level."""
    return {atom: fit.means[atom] for atom in atoms if fit.roles.get(predictors.column_of(atom)) == "supply"}


def _notes(fit: Fit, source: str) -> tuple[Assumption, ...]:
    found = [Assumption(note, "Found when fitting", "inference", source) for note in fit.notes]
    held = [name for name, role in fit.roles.items() if role == "supply"]
    if held:
        found.append(
            Assumption(
                f"Supply ({first_few(held)}) is held at the mean of the people fitted on",
                "Need must not rise with supply",
                "choice",
                source,
            )
        )
    if fit.exposure:
        found.append(
            Assumption(
                f"Use is for an exposure of 1 in {fit.exposure}", "It was fitted over it", "choice", source
            )
        )
    return tuple(found)


__all__ = ["need_formula"]
