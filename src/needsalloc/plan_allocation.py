"""What a plan asks of `allocate`: its rules, limits and choices, on the need of its own teams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from needsalloc.allocate import Allocation, allocate
from needsalloc.choices import Adjustment, Price, Reserve, Time
from needsalloc.errors import MissingColumnError, PlanError, first_few
from needsalloc.index import NeedIndex
from needsalloc.inequalities import with_inequalities
from needsalloc.inputs import Inputs
from needsalloc.limits import Limit
from needsalloc.plan import Plan
from needsalloc.plan_people import own_rows
from needsalloc.sources import NO_PCN

PEOPLE = "people"


@dataclass(frozen=True, eq=False)
class Asked:
    """What `allocate` is asked: `total` by the need of `rows`, with its `options` by keyword.

    rows: index team, those of the plan's ICB if it has one, before any share for inequalities.
    weights, inequalities: how much a head counts by team (None where nobody said), and the share that goes
        by them.
    """

    total: float
    rows: pd.DataFrame
    options: Mapping[str, Any]
    weights: pd.Series | None = None
    inequalities: float = 0.0

    def allocate(self) -> Allocation:
        """The posts."""
        return allocate(self.total, self._need(), **self.options)

    def but(self, **options: Any) -> Asked:
        """The same with other options of `allocate`."""
        return replace(self, options={**self.options, **options})

    def with_inequalities(self, share: float) -> Asked:
        """The same with another share for inequalities."""
        return replace(self, inequalities=share)

    def by_need(self, weighted_population: pd.Series, people: pd.Series | None = None) -> Asked:
        """The same by another need, and of other people if given; a team that is not named has none."""
        others = {"weighted_population": weighted_population} | ({} if people is None else {PEOPLE: people})
        own = {name: by_team.reindex(self.rows.index).fillna(0.0) for name, by_team in others.items()}
        return replace(self, rows=self.rows.assign(**own))

    def _need(self) -> pd.DataFrame:
        if not self.inequalities or self.weights is None:
            return self.rows
        without = self.options["without_posts"]
        given = ~self.rows.index.isin(without) if without is not None else self.rows["is_team"].to_numpy(bool)
        need = self.rows.copy()
        shared = with_inequalities(need[given], self.weights, share=self.inequalities, people=PEOPLE)
        need.loc[given, "weighted_population"] = shared["weighted_population"]
        return need


def asked(inputs: Inputs, need: NeedIndex, plan: Plan | None = None) -> Asked:
    """What a plan asks, by its own need: the plan of the inputs, unless an option's is given.

    Raises PlanError for a column that the sheet by team does not have.
    """
    plan = plan or inputs.plan
    section = plan.allocate
    rows = need.teams if plan.catchment.icb is None else own_rows(need, plan.catchment.icb)
    without = None
    if section.posts_without_pcn:
        without = tuple(rows.index[~rows["is_team"] & (rows.index != NO_PCN)])
    options: dict[str, Any] = {
        "current": current_of(inputs),
        "step": plan.plan.step,
        "minimum": section.minimum,
        "rule": section.rule,
        "unit": plan.plan.unit,
        "without_posts": without,
        "limits": tuple(
            Limit(
                each.name,
                each.kind,
                each.value,
                each.basis,
                None if each.teams is None else tuple(each.teams),
                each.reason,
                each.owner,
            )
            for each in section.limits
        ),
        "reserves": tuple(
            Reserve(each.name, each.posts, each.reason, each.owner) for each in section.reserves
        ),
        "adjustments": tuple(
            Adjustment(each.team, each.posts, each.reason, each.owner) for each in section.adjustments
        ),
        "time": _time(inputs, plan),
        "price": _price(inputs, plan),
    }
    weights = inputs.frames["inequalities"]["weight"] if "inequalities" in inputs.frames else None
    return Asked(
        plan.plan.total,
        rows.assign(**{PEOPLE: rows[need.people]}),
        options,
        weights,
        section.inequalities,
    )


def current_of(inputs: Inputs) -> pd.DataFrame | None:
    """What is in place now, of the teams with a figure; vacancies of the sheet by team if that has them.

    Raises PlanError if both sheets have vacancies.
    """
    if "current" not in inputs.frames:
        return None
    current = inputs.frames["current"]
    by_team = inputs.frames.get("by_team")
    if by_team is not None and "vacancies" in by_team:
        if "vacancies" in current and current["vacancies"].notna().any():
            raise PlanError(
                "[inputs] current and by_team both have vacancies. Keep one of the two columns, so that "
                "nobody has to ask which holds."
            )
        current = current.assign(vacancies=current["team"].map(by_team["vacancies"]))
    known = current[current["current"].notna()]
    return known if len(known) else None


def column_by_team(inputs: Inputs, place: str, name: str) -> pd.Series:
    """A column of the sheet by team, for the place of the plan that names it.

    Raises MissingColumnError if it has no such column.
    """
    sheet = inputs.frames["by_team"]
    if name not in sheet:
        raise MissingColumnError(
            f"{place} is the column {name!r} of [inputs] by_team, which has {first_few(sheet, 12)}. "
            "Write one of these, in small letters, or a number for all teams."
        )
    return sheet[name].dropna()


def number_or_column(inputs: Inputs, place: str, value: float | str) -> float | pd.Series:
    """The number that a plan gives for all teams, or the column that it names."""
    return column_by_team(inputs, place, value) if isinstance(value, str) else float(value)


def _time(inputs: Inputs, plan: Plan) -> Time | None:
    time = plan.allocate.time
    if time is None:
        return None
    minutes, travel = (
        number_or_column(inputs, f"[allocate.time] {name}", getattr(time, name))
        for name in ("minutes", "travel")
    )
    return Time(minutes, travel, time.source)


def _price(inputs: Inputs, plan: Plan) -> Price | None:
    price = plan.allocate.price
    if price is None:
        return None
    return Price(column_by_team(inputs, "[allocate.price]", "price"), price.source)


__all__ = ["Asked", "asked", "column_by_team", "current_of", "number_or_column"]
