"""What should add up, added up; and what a planner should know of the files before trusting the rest."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from needsalloc.ages import ADULT
from needsalloc.allocate import Allocation
from needsalloc.errors import ConservationError, first_few
from needsalloc.index import NeedIndex
from needsalloc.inputs import Inputs
from needsalloc.people import People
from needsalloc.report import Check
from needsalloc.teams import NOT_IN_MAP

DAYS_APART = 100
LOW_COVERAGE = 0.5


def input_checks(inputs: Inputs, people: People) -> list[Check]:
    """Gaps and mismatches of the files, before anything is computed."""
    catchment = people.catchment
    lost = float(catchment.registered_by_team["registered"].get(NOT_IN_MAP, 0.0))
    checks = [
        Check(
            "Patients of practices missing from the map", "warning" if lost else "pass", f"{lost:,.0f}", "0"
        )
    ]
    lists_on, map_on = (inputs.frames[role].attrs.get("on") for role in ("registrations", "membership"))
    if lists_on and map_on:
        apart = abs((lists_on - map_on).days)
        checks.append(
            Check(
                "Days between the lists and the map",
                "warning" if apart > DAYS_APART else "pass",
                f"{apart:,}",
                f"at most {DAYS_APART}",
            )
        )
    if "boundaries" in inputs.frames:
        blank = len(catchment.areas.difference(inputs.frames["boundaries"].index))
        checks.append(
            Check("Areas that the boundary file lacks", "warning" if blank else "pass", f"{blank:,}", "0")
        )
    registered = catchment.registered_by_area.to_numpy()
    low = registered < LOW_COVERAGE * people.residents
    checks.append(
        Check(
            f"Areas with fewer than {LOW_COVERAGE:.0%} of their residents on these lists",
            "note" if low.any() else "pass",
            f"{low.sum():,} of {len(registered):,} areas, with {registered[low].sum():,.0f} patients",
            "few patients: those who live beyond the edge of the lists",
        )
    )
    checks.append(
        Check(
            "Registered patients over residents, in the other areas",
            "note",
            f"{registered[~low].sum() / people.residents[~low].sum():.3f}",
            "about 1; lists and population have dates of their own",
        )
    )
    return checks


def conservation_checks(inputs: Inputs, need: NeedIndex, allocation: Allocation) -> list[Check]:
    """Every person and post of the files accounted for in the result.

    What is expected is added up here from the files as they were read, not from anything on the way.
    """
    registrations, population = (inputs.frames[role] for role in ("registrations", "population"))
    population = population[population.index.str.startswith("E")]
    residents = population.sum(axis=1)
    teams, national = need.teams, need.use.people.catchment.is_national
    lists = registrations.groupby(registrations.columns[1], observed=True)["patients"].sum()
    lists = lists[lists.index.isin(population.index) & (lists > 0)]
    here = residents.reindex(lists.index)
    shared_out = float(residents.sum() if national else np.minimum(here, lists).sum())
    checks = [
        _equal(
            "Patients in the file, and of the teams",
            teams["registered"].sum(),
            float(registrations["patients"].sum()),
        ),
        _equal("Residents to be shared out, and of the teams", teams["resident"].sum(), shared_out),
        _equal(
            f"{allocation.unit} in the plan, and of the teams",
            allocation.table["posts"].sum(),
            allocation.total,
        ),
    ]
    if not national:
        beyond = here.sum() - shared_out
        checks.append(
            Check("Residents of these areas taken to be on other lists", "note", f"{beyond:,.0f}", "left out")
        )
    elif ADULT in population:
        adults = float(population.loc[:, ADULT:].to_numpy().sum())
        found = teams["resident_adults"].sum()
        checks.append(_equal("Adults in the population file, and of the teams", found, adults))
        if need.base.key == "england":
            weighted = teams["weighted_population"].sum()
            checks.append(_equal("Adults in the population file, and weighted population", weighted, adults))
    return checks


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
