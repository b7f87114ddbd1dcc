"""What should add up, added up; and what a planner should know of the files before trusting the rest."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from needsalloc.ages import ADULT
from needsalloc.allocate import Allocation
from needsalloc.errors import ConservationError, first_few
from needsalloc.growth import Growth
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
            allocation.total,
        ),
    ]


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
