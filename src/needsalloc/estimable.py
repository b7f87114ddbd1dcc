"""What the people at hand cannot tell, by name, before a fit: it is refused and not hidden.

No coefficient exists for a column that is a sum of others, nor for a flag of which all people, or none, have
contacts: its likelihood rises for ever. Both are looked for on a sample of cells first, since what a sample
can tell all cells can; only what it cannot is looked for on all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from needsalloc.errors import FormulaError, InvalidValueError, first_few
from needsalloc.kernels import starts
from needsalloc.kernels.designs import Design
from needsalloc.kernels.families import COUNT, ZERO, Family, Stats
from needsalloc.kernels.newton import Optimum, Part, Problem, over_parts
from needsalloc.terms import Variable

Floats = NDArray[np.float64]

# Smallest eigenvalue of the columns' cosines that rounding does not explain.
SINGULAR = 1e-11
# From here on a note is due: the totals off by so much, a spread so far above the family's, a share of never
# users that nobody would notice, and a standard error with which log theta says little.
OFF, SPREAD, FEW_NEVER, VAGUE = 0.01, 1.5, 1e-3, 0.5


def check_outcome(stats: Stats, family: Family, count: str) -> None:
    """Refuse counts that are all zero, and counts of which none is where the family models zeros.

    Raises InvalidValueError.
    """
    zeros, positives = stats.zeros.sum(), stats.positives.sum()
    if not positives:
        raise InvalidValueError(
            f"{count} is 0 for all {zeros:,.0f} people: there is no use to fit. Check the column."
        )
    if not zeros and ZERO in family.parts:
        raise InvalidValueError(
            f"{count} is above 0 for all {positives:,.0f} people: {family.name} has no zeros to model. "
            "Choose poisson or nb, and check that people without contact are among the rows."
        )


def check_constant(known: Mapping[str, Variable]) -> None:
    """Refuse variables that are the same for everybody.

    Raises FormulaError.
    """
    constant = [
        f"{name} (always {one.levels.iloc[0]})" for name, one in known.items() if len(one.levels) == 1
    ]
    if constant:
        raise FormulaError(
            f"{len(constant):,} predictors are the same for everybody: {first_few(constant)}. "
            "Leave them out: a constant says nothing of differences."
        )


def check_terms(problem: Problem, labels: Mapping[str, Sequence[str]]) -> None:
    """Refuse flags that tell those with contact from those without, and columns that are sums of others.

    labels: part -> names of its columns.

    Raises FormulaError.
    """
    few = starts.sample(problem)
    for look in (_separating, _dependent):
        found = look(few, labels)
        if found and few is not problem:
            found = look(problem, labels)
        if found:
            raise FormulaError(f"{len(found):,} terms cannot be estimated. {' '.join(found[:5])}")


def _separating(problem: Problem, labels: Mapping[str, Sequence[str]]) -> list[str]:
    """Flags on one side of which nobody has a contact, or everybody; a sentence for each."""
    found = []
    for part, design in problem.designs.items():
        sides = _sides(design, problem.stats)
        for column, (flag, zeros, positives, total) in enumerate(sides):
            if not flag:
                continue
            for side, (none, some, contacts) in enumerate(zip(zeros, positives, total, strict=True)):
                fault = _fault(problem.family, part, none, some, contacts)
                if fault:
                    people = f"the {none + some:,.0f} people {'with' if side else 'without'}"
                    found.append(
                        f"{part} part: {fault.format(f'{people} {labels[part][column]!r}')}. Leave it out of "
                        "this part, or join it with another group."
                    )
    return found


def _fault(family: Family, part: str, zeros: float, positives: float, total: float) -> str:
    """Why a group has no finite coefficient in a part: "" if it has."""
    if not positives:
        return "none of {} have a contact"
    if part == ZERO and not zeros:
        return "all of {} have a contact"
    if part == COUNT and family.zeros == "hurdle" and total <= positives * (1 + 1e-12):
        return "nobody of {} has more than one contact"
    return ""


def _sides(design: Design, stats: Stats) -> list[tuple[bool, Floats, Floats, Floats]]:
    """Of each column: whether it is a flag, and zeros, positives and total where it is 0, and 1."""
    found = []
    for block in design.blocks:
        size = block.values.shape[1]
        flags = np.isin(block.values, (0.0, 1.0)).all(axis=1) & (np.ptp(block.values, axis=1) == 1)
        if not flags.any():
            found += [(False, *np.zeros((3, 2)))] * len(flags)
            continue
        sums = np.array(
            [np.bincount(block.codes, values, size) for values in (stats.zeros, stats.positives, stats.total)]
        )
        with_flag, everybody = block.values @ sums.T, sums.sum(axis=1)
        for flag, these in zip(flags, with_flag, strict=True):
            found.append((bool(flag), *np.column_stack([everybody - these, these])))
    return found


def _dependent(problem: Problem, labels: Mapping[str, Sequence[str]]) -> list[str]:
    """Sums of columns that are the same for everybody who tells about a part; a sentence for each part."""
    found = []
    for part in problem.designs:
        of_users = part == COUNT and problem.family.zeros == "hurdle"
        gram = _gram(problem, part, of_users)
        scale = np.sqrt(np.diag(gram))
        if not scale.all():
            empty = np.array(labels[part])[scale == 0]
            found.append(f"{part} part: {first_few(empty)} is 0 for everybody; leave it out.")
            continue
        size, axes = np.linalg.eigh(gram / np.outer(scale, scale))
        if size[0] < SINGULAR:
            weight = np.abs(axes[:, 0])
            together = np.array(labels[part])[weight > 1e-3 * weight.max()]
            people = "people with contacts" if of_users else "people"
            found.append(
                f"{part} part: among {people} the terms {first_few(together, 10)} add up to a constant or to "
                "each other. Leave one of them out."
            )
    return found


def _gram(problem: Problem, part: str, of_users: bool) -> Floats:
    """(columns, columns) X'X over people, or over those with contacts."""

    def work(here: Part) -> Floats:
        x, stats = here.designs[part], here.stats
        people = stats.positives if of_users else stats.zeros + stats.positives
        return np.asarray(x @ (people * x).T)

    columns = problem.designs[part].columns
    nowhere = np.zeros(problem.size)
    return np.asarray(sum(over_parts(problem, nowhere, work), np.zeros((columns, columns))))


def check_converged(optimum: Optimum, family: Family) -> None:
    """Refuse what is no optimum. Raises FormulaError."""
    if not optimum.converged:
        raise FormulaError(
            f"The likelihood of {family.name} did not settle in {optimum.iterations} passes: there are no "
            "estimates. Use fewer terms, or a simpler family."
        )


def notes(
    problem: Problem,
    optimum: Optimum,
    labels: Sequence[str],
    *,
    optima: Mapping[str, float],
    predicted_over_observed: float,
    never: float,
    dispersion: float,
    errors: str,
) -> tuple[str, ...]:
    """What to know of a fit before using it, a sentence or two each.

    labels: (P,) names of the coefficients. never: the share of people that are held never to use.
    """
    family = problem.family
    found = [*_boundaries(family, optimum, np.array(labels), never), *_ridge(problem, optimum)]
    best = max(optima.values())
    lower = {name: best - end for name, end in optima.items() if best - end > 1e-3 + 1e-9 * abs(best)}
    if lower:
        ends = ", ".join(f"{name} ({less:,.3g} lower)" for name, less in lower.items())
        found.append(
            f"The likelihood has more than one top: of {len(optima)} starts {len(lower)} ended below the "
            f"best, {ends}. The best is given."
        )
    if abs(predicted_over_observed - 1.0) > OFF:
        found.append(
            f"The fit expects {predicted_over_observed:.3f} times the contacts that there were: a term is "
            "missing, in the zero part above all. Poisson keeps totals."
        )
    if errors == "model" and dispersion > SPREAD and not family.fractions:
        found.append(
            f"People differ {dispersion:,.1f} times as much as {family.name} allows, so that model errors "
            "are too small. Choose errors robust or clustered."
        )
    return tuple(found)


def _boundaries(family: Family, optimum: Optimum, labels: NDArray[np.str_], never: float) -> list[str]:
    found = []
    running = labels[optimum.running]
    if family.dispersed and optimum.running[-1]:
        simpler = {"plain": "poisson", "inflated": "zip", "hurdle": "hurdle"}[family.zeros]
        if optimum.coefficients[-1] < 0:
            return [
                "Theta falls to nothing, and the level of the count part with it: people differ more than a "
                f"negative binomial tells. Choose {simpler} with robust errors."
            ]
        running = running[:-1]
        found.append(
            f"Theta grows without end: people do not differ more than {simpler} allows. Choose {simpler}."
        )
    if len(running):
        found.append(
            f"{len(running):,} coefficients have no finite estimate, the likelihood rises as they grow: "
            f"{first_few(running, 10)}. In some group everybody, or nobody, is held never to use. They "
            "stand where nothing was left to gain and have no errors. Leave these terms out of that part."
        )
    if family.zeros == "inflated" and never < FEW_NEVER:
        plain = "nb" if family.dispersed else "poisson"
        found.append(
            f"The zero part is at its boundary: {never:.2%} of people are held never to use, beyond what "
            f"{plain} expects. Choose {plain}."
        )
    return found


def _ridge(problem: Problem, optimum: Optimum) -> list[str]:
    """Whether theta and the zero part explain the same zeros, so that neither is known."""
    rest = ~optimum.running
    if problem.family.zeros != "inflated" or not problem.family.dispersed or not rest[-1]:
        return []
    information = optimum.information[np.ix_(rest, rest)]
    variance = float(np.linalg.pinv(information, hermitian=True)[-1, -1])
    shared = 1.0 - 1.0 / (variance * information[-1, -1])
    if variance**0.5 < VAGUE or shared < 0.5:
        return []
    return [
        "The likelihood is flat along a ridge between theta and the zero part, which explain the same zeros: "
        f"theta is known within a factor of {np.exp(1.96 * variance**0.5):,.1f} either way. Choose nb or a "
        "hurdle, unless it is sure that some people never use."
    ]


__all__ = ["check_constant", "check_converged", "check_outcome", "check_terms", "notes"]
