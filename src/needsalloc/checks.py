"""What should add up, added up; and what a planner should know of the files before trusting the rest."""

from __future__ import annotations

import numpy as np

from needsalloc.allocate import Allocation
from needsalloc.catchment import NOT_IN_MAP, Catchment
from needsalloc.index import NeedIndex
from needsalloc.inputs import Inputs
from needsalloc.people import People
from needsalloc.report import Check

DAYS_APART = 100
LOW_COVERAGE = 0.5


def input_checks(inputs: Inputs, catchment: Catchment, people: People) -> list[Check]:
    """Gaps and mismatches of the files, before anything is computed."""
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


def conservation_checks(
    inputs: Inputs, catchment: Catchment, need: NeedIndex, allocation: Allocation
) -> list[Check]:
    """Every person and post accounted for, before and after each step."""
    people, teams = need.use.people, need.teams
    read = float(inputs.frames["registrations"]["patients"].sum())
    shares = catchment.share_sums()
    reached = float(people.residents_per_patient @ catchment.registered_by_area.to_numpy())
    steps = round(allocation.total / allocation.step)
    weighted = float(teams.loc[need.base.teams, "weighted_population"].sum())
    checks = [
        _equal("Patients read, and patients in the catchments", catchment.patients, read),
        _equal("Furthest that an area's shares sum from 1", float(np.abs(shares - 1).max()), 0.0, "{:.1e}"),
        _equal("Residents shared out, and residents of the teams", float(teams["resident"].sum()), reached),
        _equal(
            "Resident adults, and those of the teams",
            float(teams["resident_adults"].sum()),
            float(people.resident_adults.sum()),
        ),
        _equal("Weighted population, and the adults of the base", weighted, need.base.adults),
        _equal("Steps of posts given, and steps in the total", float(allocation.steps.sum()), float(steps)),
    ]
    if need.base.key == "england":
        mean = np.average(need.areas[need.column], weights=need.areas["resident_adults"])
        checks.append(_equal("Mean of the need index over the base", float(mean), 1.0, "{:.9f}"))
    return checks


def _equal(name: str, found: float, expected: float, form: str = "{:,.3f}") -> Check:
    # Sums of millions of floats agree to about twelve digits; anything lost would show long before nine.
    same = abs(found - expected) <= 1e-9 * max(abs(expected), 1.0)
    return Check(name, "pass" if same else "fail", form.format(found), form.format(expected))


__all__ = ["conservation_checks", "input_checks"]
