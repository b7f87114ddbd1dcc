"""What should add up, added up; and what a planner should know of the files before trusting the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from needsalloc.ages import ADULT
from needsalloc.allocate import Allocation
from needsalloc.errors import ConservationError, first_few
from needsalloc.growth import Growth
from needsalloc.index import NeedIndex
from needsalloc.inputs import Inputs
from needsalloc.matching import matching_checks
from needsalloc.options import Option
from needsalloc.pace import PaceOfChange
from needsalloc.people import People
from needsalloc.plan import Plan
from needsalloc.plan_sections import THIS_PLAN
from needsalloc.report import Check
from needsalloc.skills import SkillMix

LOW_COVERAGE = 0.5


def input_checks(inputs: Inputs, people: People) -> list[Check]:
    """Gaps and mismatches of the files, before anything is computed."""
    registered = people.catchment.registered_by_area.to_numpy()
    low = registered < LOW_COVERAGE * people.residents
    return [
        *matching_checks(inputs.frames, inputs.days),
        Check(
            f"Areas with fewer than {LOW_COVERAGE:.0%} of their residents on these lists",
            "note" if low.any() else "pass",
            f"{low.sum():,} of {len(registered):,} areas, with {registered[low].sum():,.0f} patients",
            "few patients: those who live beyond the edge of the lists",
        ),
        Check(
            "Registered patients over residents, in the other areas",
            "note",
            f"{registered[~low].sum() / people.residents[~low].sum():.3f}",
            "about 1; lists and population have dates of their own",
        ),
    ]


def conservation_checks(inputs: Inputs, need: NeedIndex, allocation: Allocation) -> list[Check]:
    """Every person and post of the files accounted for in the result.

    What is expected is added up here from the files as they were read, not from anything on the way.
    """
    return [
        _equal(
            "Patients in the file, and of the teams",
            need.teams["registered"].sum(),
            float(inputs.frames["registrations"]["patients"].sum()),
        ),
        *_of_residents(inputs, need),
        _equal(
            f"{allocation.unit} in the plan, and of the teams",
            allocation.table["posts"].sum(),
            inputs.plan.plan.total - held_back(inputs.plan),
        ),
    ]


def option_checks(options: Iterable[Option]) -> list[Check]:
    """The total of every option but the plan itself, by its own words."""
    return [
        _equal(
            f"{each.allocation.unit} in the option “{each.name}”, and of the teams",
            each.allocation.table["posts"].sum(),
            each.plan.plan.total - held_back(each.plan),
        )
        for each in options
        if each.name != THIS_PLAN
    ]


def pace_checks(inputs: Inputs, pace: PaceOfChange) -> list[Check]:
    """The total of every year: what is in place now, grown as the plan says, to a step."""
    section, step = inputs.plan.pace, inputs.plan.plan.step
    if section is None:
        return []
    growth = section.growth if isinstance(section.growth, list) else [section.growth] * section.years
    grown = inputs.frames["current"]["current"].sum() * np.cumprod(1.0 + np.array(growth))
    posts = pace.table["posts"].groupby("year").sum()
    return [
        _equal(f"{pace.unit} in year {year} of the pace, and of the teams", found, round(total / step) * step)
        for (year, found), total in zip(posts.items(), grown, strict=True)
    ]


def skill_checks(allocation: Allocation, mix: SkillMix) -> list[Check]:
    """The posts of all bands, and the largest gap between a team's bands and its posts."""
    gap = (mix.posts.sum(axis=1) - allocation.table["posts"]).abs().max()
    return [
        _equal(
            f"{mix.unit} of all bands, and of the plan",
            mix.posts.to_numpy().sum(),
            allocation.table["posts"].sum(),
        ),
        _equal("Largest gap between a team's bands and its posts", float(gap), 0.0),
    ]


def held_back(plan: Plan) -> float:
    """What no team has of the total, by the plan's own words."""
    return sum(float(each.posts) for each in plan.allocate.reserves if not isinstance(each.posts, Mapping))


def _of_residents(inputs: Inputs, need: NeedIndex) -> list[Check]:
    registrations, population = (inputs.frames[role] for role in ("registrations", "population"))
    counted = population[population.index.str.startswith("E")]
    teams, national = need.teams, need.use.people.catchment.is_national
    expected = _grown(counted, inputs.growth)
    if expected is None:
        found = f"{teams['resident'].sum():,.0f}"
        why = "the file's bands cannot be cut at every age that grows"
        return [Check("Residents of the plan year", "note", found, f"not known: {why}")]
    residents = expected.sum(axis=1)
    lists = registrations.groupby(registrations.columns[1], observed=True)["patients"].sum()
    lists = lists[lists.index.isin(counted.index) & (lists > 0)]
    here = residents.reindex(lists.index)
    # Lists share out the residents counted; those shared out grow like the others of their area.
    part = np.minimum(lists / counted.sum(axis=1).reindex(lists.index), 1.0)
    shared_out = float(residents.sum() if national else (here * part).sum())
    checks = [_equal("Residents to be shared out, and of the teams", teams["resident"].sum(), shared_out)]
    if not national:
        beyond = here.sum() - shared_out
        checks.append(
            Check("Residents of these areas taken to be on other lists", "note", f"{beyond:,.0f}", "left out")
        )
    elif ADULT in expected:
        adults = float(expected.loc[:, ADULT:].to_numpy().sum())
        found_adults = teams["resident_adults"].sum()
        checks.append(_equal("Adults in the population file, and of the teams", found_adults, adults))
        if need.base.key == "england":
            weighted = teams["weighted_population"].sum()
            checks.append(_equal("Adults in the population file, and weighted population", weighted, adults))
    return checks


def _grown(population: pd.DataFrame, growth: Growth | None) -> pd.DataFrame | None:
    """The population of the plan year, straight from the file; None if its bands cannot be cut so."""
    if growth is None:
        return population
    factors = growth.factors.sort_index()
    if not growth.by_age:
        return population.mul(factors.reindex(population.index), axis=0)
    first, begins = population.columns.to_numpy(), factors.index.to_numpy()
    if not set(begins[begins >= first.min()]) <= set(first):
        return None
    at = pd.Series(first, index=first).map(lambda age: factors[begins <= age].iloc[-1:].sum() or 1.0)
    return population.mul(at, axis=1)


def refuse_failed(checks: Iterable[Check]) -> None:
    """Raise ConservationError if anything that must add up does not: such a plan must not be seen."""
    failed = [check for check in checks if check.status == "fail"]
    if failed:
        named = [f"{check.name}: {check.found} instead of {check.expected}" for check in failed]
        raise ConservationError(
            f"{len(failed)} checks of the result failed, so nothing was written: {first_few(named)}. "
            "This is a fault of needsalloc: please report it with these figures."
        )


def _equal(name: str, found: float, expected: float) -> Check:
    # Sums of millions of floats agree to about twelve digits; anything lost would show long before nine.
    same = abs(found - expected) <= 1e-9 * max(abs(expected), 1.0)
    return Check(name, "pass" if same else "fail", f"{found:,.1f}", f"{expected:,.1f}")


__all__ = ["conservation_checks", "input_checks", "refuse_failed"]
