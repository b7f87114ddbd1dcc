"""What other choices would move of a plan, one at a time; and what moved only because data did.

    posts moved = half the sum over teams of |target - target by the other choice|

Targets are those inside the plan's limits and before rounding, so that a rounding is not taken for a choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from needsalloc.allocate import Allocation
from needsalloc.choices import Time, is_money
from needsalloc.errors import NeedsallocError, PlanError
from needsalloc.index import NeedIndex, need_index
from needsalloc.inequalities import SHARES
from needsalloc.inputs import Inputs
from needsalloc.plan_allocation import PEOPLE, Asked
from needsalloc.run_tables import Beside
from needsalloc.scenarios import moved_by_data
from needsalloc.sources import NO_PCN
from needsalloc.teams import NO_TEAM

_NOTHING = Beside({}, {}, ())
_MUCH = 0.05
_LONGER = 0.1


def sensitivity_beside(
    inputs: Inputs, need: NeedIndex, asked: Asked, plan: Allocation, beside: Beside
) -> Beside:
    """A row for each choice that could be another: readings and people of the formula, the catchment method,
    minutes and travel, and the inequalities share where there are weights.

    beside: the tables of need, with the ways to read its formula.
    """
    rows = [
        {"what": what, "value": value, **_from_plan(plan, other)}
        for what, value, other in _others(inputs, need, asked, beside)
    ]
    if not is_money(plan.unit):
        rows.append(_one_team_longer(plan))
    if not rows:
        return _NOTHING
    table = pd.DataFrame(rows)
    most = table.nlargest(1, "posts_moved").iloc[0]
    said = (
        f"One choice at a time, all else as in the plan: at most {most['posts_moved']:,.1f} {plan.unit} "
        f"would be elsewhere ({most['what']}: {most['value']}). How much moves does not say which choice is "
        "right."
    )
    return Beside({"sensitivity": table}, {"sensitivity": said}, ())


def _others(
    inputs: Inputs, need: NeedIndex, asked: Asked, beside: Beside
) -> Iterator[tuple[str, str, Asked]]:
    """Each other choice: of what, which, and what is then asked."""
    own, reading = inputs.plan.need, need.use.formula.name.rpartition("2024-")[2]
    for (other, people), weighted in beside.ways.items():
        if people == f"{own.people} people":
            yield "Reading of the formula", other, asked.by_need(weighted)
        elif other == reading:
            heads = need.teams[people.removesuffix(" people")]
            yield "Whose need", people, asked.by_need(weighted, heads)
    yield from _by_catchment(inputs, need, asked)
    if asked.weights is not None:
        for share in SHARES:
            if share != asked.inequalities:
                yield "Share for inequalities", f"{share:.0%}", asked.with_inequalities(share)
    time: Time | None = asked.options["time"]
    if time is not None:
        for factor in (0.8, 1.2):
            words = f"{factor - 1:+.0%}".replace("-", "−")
            travel: Any = time.travel
            yield "Travel", words, asked.but(time=replace(time, travel=travel * factor))
        yield "Minutes and travel", "the same in every team", asked.but(time=None)


def _by_catchment(inputs: Inputs, need: NeedIndex, asked: Asked) -> Iterator[tuple[str, str, Asked]]:
    """Residents of whole areas, against residents by the flows or registered people."""
    plan, home = inputs.plan, need.use.people.catchment
    if plan.catchment.method != "proportional" or need.catchment.of_whole_areas:
        return
    whole = need_index(
        need.use,
        base=plan.need.base,
        people="resident",
        icb=plan.catchment.icb,
        catchment=home.with_method("first_past_the_post"),
    )
    others = whole.teams["weighted_population"], whole.teams["resident"]
    yield "Catchment", "whole areas, by residents", asked.by_need(*others)


def _from_plan(plan: Allocation, other: Asked) -> dict[str, float]:
    target = plan.table["bounded_target"]
    try:
        by_other = other.allocate().table["bounded_target"].reindex(target.index)
    except NeedsallocError:
        return {"posts_moved": np.nan, "teams_over_5_percent": np.nan}
    return _figures(target, by_other)


def _figures(target: pd.Series, other: pd.Series) -> dict[str, float]:
    given = target > 0
    far = (other[given] / target[given] - 1.0).abs() > _MUCH
    return {
        "posts_moved": 0.5 * float((other - target).abs().sum()),
        "teams_over_5_percent": float(far.sum()),
    }


def _one_team_longer(plan: Allocation) -> dict[str, Any]:
    """The largest change of one team's target if its contacts alone took longer.

    With a share s of what is shared, and contacts q times as long, its share is s q / (1 - s + s q).
    """
    share = plan.table["target_share"].to_numpy(np.float64)
    longer = 1.0 + _LONGER
    more = share * longer / (1.0 - share + share * longer) - share
    at, shared = int(np.argmax(more)), float(plan.table["target"].sum() - plan.table["ring_fenced"].sum())
    changed = share[at] > 0 and more[at] / share[at] > _MUCH
    others = more[at] / (1.0 - share[at]) > _MUCH if share[at] < 1 else False
    team = plan.table["team_name"].iloc[at]
    return {
        "what": "Minutes of a contact",
        "value": f"{_LONGER:.0%} longer in one team (the largest: {team})",
        "posts_moved": more[at] * shared,
        "teams_over_5_percent": float(changed) + (int((share > 0).sum()) - 1) * float(others),
    }


def moved_by_data_beside(inputs: Inputs, asked: Asked, plan: Allocation) -> Beside:
    """Teams whose posts are others than by the need of an earlier plan, all choices being those of this one.

    Raises PlanError if this plan's choices cannot be applied to the teams of the earlier one.
    """
    if "previous" not in inputs.frames:
        return _NOTHING
    before = inputs.frames["previous"]
    rows = before.assign(is_team=~before.index.isin(NO_TEAM), team_name=before.index)
    rows[PEOPLE] = before[inputs.plan.need.people]
    rows = rows[rows.index.isin(asked.rows.index) | (rows["weighted_population"] > 0)]
    options = dict(asked.options)
    current = options["current"]
    if current is not None:
        options["current"] = current[current["team"].isin(rows.index)]
    if options["without_posts"] is not None:
        options["without_posts"] = tuple(rows.index[~rows["is_team"] & (rows.index != NO_PCN)])
    try:
        earlier = replace(asked, rows=rows, options=options).allocate()
    except NeedsallocError as error:
        raise PlanError(
            f"The choices of this plan cannot be applied to the need of [inputs] previous: {error} Take "
            "previous out, or give the folder of a plan for the same teams."
        ) from error
    found = moved_by_data(plan, earlier)
    names = plan.table["team_name"]
    table = pd.DataFrame(
        {
            "team": found.index,
            "team_name": found.index.to_series().map(names).fillna("no team of this plan").to_numpy(),
            "before": found["posts_before"].to_numpy(),
            "after": found["posts"].to_numpy(),
            "change": found["moved"].to_numpy(),
        }
    )
    half = 0.5 * float(table["change"].abs().sum())
    said = (
        f"Only because data moved since the earlier plan, its choices being those of this one, {half:,.1f} "
        f"{plan.unit} are elsewhere, in {len(table):,} of {int((plan.table['posts'] > 0).sum()):,} teams."
    )
    if table.empty:
        return Beside({}, {}, (), ("No team's posts move because data moved since the earlier plan.",))
    return Beside({"moved_by_data": table}, {"moved_by_data": said}, (), (said,))


__all__ = ["moved_by_data_beside", "sensitivity_beside"]
