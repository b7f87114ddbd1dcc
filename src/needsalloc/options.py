"""Options beside each other: what is in place, the plan, an equal share per adult, the planner's own.

    posts moved = sum over teams of max(now - posts, 0)

What is in place stands beside the others only where every team that is given posts said it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from needsalloc.allocate import Allocation
from needsalloc.audit import EquityAudit
from needsalloc.index import NeedIndex, need_index
from needsalloc.inputs import Inputs
from needsalloc.plan import OptionSection, Plan
from needsalloc.plan_allocation import Asked, asked
from needsalloc.plan_people import teams_of
from needsalloc.plan_sections import PER_ADULT, STATUS_QUO, THIS_PLAN
from needsalloc.run_tables import Beside
from needsalloc.use import ExpectedUse

_SAME_TOTAL = 1e-6
_FIGURES = ("posts_moved", "teams_gaining", "teams_losing", "largest_gain", "largest_loss")


@dataclass(frozen=True, eq=False)
class Option:
    """A way to plan: its name, what it is in words, the plan that it is, and its posts."""

    name: str
    what: str
    plan: Plan
    asked: Asked
    allocation: Allocation


def options_of(inputs: Inputs, need: NeedIndex, own: Asked, allocation: Allocation) -> tuple[Option, ...]:
    """This plan, an equal share per adult, and the plan's own options, in this order.

    own, allocation: what this plan asks and gets. No file is read, and expected use is computed again for
    another formula alone.

    Raises whatever an option's formula, teams or limits are refused for.
    """
    plan = inputs.plan
    found = [
        Option(THIS_PLAN, "By need, inside the limits and choices of the plan", plan, own, allocation),
        _per_adult(inputs, need, own),
    ]
    uses = {_formula_of(plan): need.use}
    for section in plan.options:
        found.append(_of_section(inputs, need, section, uses))
    return tuple(found)


def _per_adult(inputs: Inputs, need: NeedIndex, own: Asked) -> Option:
    """The total by adults alone, without limits and choices; what no team has is held back here too."""
    adults = own.rows[f"{need.people}_adults"]
    top_slices = tuple(each for each in own.options["reserves"] if isinstance(each.posts, (int, float)))
    plain = replace(own.by_need(adults), inequalities=0.0).but(
        minimum=0.0, limits=(), adjustments=(), reserves=top_slices, time=None, price=None
    )
    what = f"Every {need.people} adult counts the same, without limits and choices"
    return Option(PER_ADULT, what, inputs.plan, plain, plain.allocate())


def _of_section(
    inputs: Inputs, need: NeedIndex, section: OptionSection, uses: dict[tuple[object, ...], ExpectedUse]
) -> Option:
    """An option of the plan's own; `uses` are by formula, and gain that of this one."""
    plan = inputs.plan.with_option(section)
    formula = _formula_of(plan)
    if formula not in uses:
        uses[formula] = inputs.option_formulas[section.name][0].expected_use(need.use.people)
    if (plan.need, plan.catchment) != (inputs.plan.need, inputs.plan.catchment):
        teams = need.catchment
        if plan.catchment != inputs.plan.catchment:
            teams = teams_of(replace(inputs, plan=plan), need.use.people.catchment)
        need = need_index(
            uses[formula],
            base=plan.need.base,
            people=plan.need.people,
            icb=plan.catchment.icb,
            catchment=teams,
        )
    own = asked(inputs, need, plan)
    return Option(section.name, section.why, plan, own, own.allocate())


def _formula_of(plan: Plan) -> tuple[object, ...]:
    return plan.need.formula, *sorted(plan.need.hold.items())


def posts_by_option(options: Sequence[Option]) -> pd.DataFrame:
    """Index team, those that are a team or have posts by any option; `Status quo` if it is known, then a
    column for each option.

    A team that an option does not have has none by it.
    """
    first = options[0].allocation
    posts = pd.DataFrame({each.name: each.allocation.table["posts"] for each in options}).fillna(0.0)
    order = first.table.sort_values(["is_team", "team"], ascending=[False, True]).index
    order = order.append(posts.index.difference(order))
    posts = posts.loc[order]
    is_team = first.table["is_team"].reindex(order, fill_value=False).astype(bool)
    now = first.table["current"].reindex(order)
    if all_known(first):
        posts.insert(0, STATUS_QUO, now.fillna(0.0))
    return posts[is_team | (posts > 0).any(axis=1)]


def all_known(plan: Allocation) -> bool:
    """Whether every team that is given posts said what it has now."""
    given = (plan.table["target_share"] > 0) | (plan.table["posts"] > 0)
    return bool(plan.table.loc[given, "current"].notna().all()) and plan.has_current


def options_beside(need: NeedIndex, options: Sequence[Option], audit: EquityAudit, *, unit: str) -> Beside:
    """The two tables of options: a row for each, and each team's posts by each.

    audit: of this plan, with the posts of each option under `audited_name`.
    """
    posts = posts_by_option(options)
    what = {STATUS_QUO: "What is in place now"} | {each.name: each.what for each in options}
    known = STATUS_QUO in posts
    by_option = posts.T
    table = pd.DataFrame({"option": posts.columns, "what": [what[name] for name in posts.columns]})
    table["posts"] = by_option.sum(axis=1).to_numpy()
    change = by_option.sub(posts[STATUS_QUO]) if known else by_option * np.nan
    change = change.round(10)
    figures = {
        "posts_moved": (-change).clip(lower=0.0).sum(axis=1),
        "teams_gaining": (change > 0).sum(axis=1),
        "teams_losing": (change < 0).sum(axis=1),
        "largest_gain": change.max(axis=1).clip(lower=0.0),
        "largest_loss": change.min(axis=1).clip(upper=0.0).abs(),
    }
    for name in _FIGURES:
        table[name] = figures[name].to_numpy(np.float64) if known else np.nan
    for name, by_resource in _of_audit(audit).items():
        table[name] = [by_resource.get(audited_name(option), np.nan) for option in posts.columns]
    people = need.teams[f"{need.people}_adults"].reindex(posts.index)
    long = posts.rename_axis("team").reset_index().melt("team", var_name="option", value_name="posts")
    names = options[0].allocation.table["team_name"]
    long.insert(1, "team_name", long["team"].map(names).fillna(long["team"]))
    long["change"] = (long["posts"] - long["team"].map(posts[STATUS_QUO])).round(10) if known else np.nan
    adults = long["team"].map(people)
    long["posts_per_10000_adults"] = 10_000 * long["posts"] / adults.where(adults > 0)
    columns = ["option", "team", "team_name", "posts", "change", "posts_per_10000_adults"]
    tables = {"options": table, "options_by_team": long[columns]}
    said = {
        "options": _in_words(table, known=known, unit=unit),
        "options_by_team": "What each team would have by each option, per 10,000 of its adults as this plan "
        "counts them.",
    }
    return Beside(tables, said, ())


def audited_name(option: str) -> str:
    """What the equity audit calls the posts of an option."""
    return {STATUS_QUO: "current", THIS_PLAN: "posts"}.get(option, f"option: {option}")


def _of_audit(audit: EquityAudit) -> dict[str, dict[str, float]]:
    """Column of the options -> resource -> value, over small areas and against need."""
    measured, groups = audit.inequality, audit.by_group
    areas = measured[(measured["level"] == "areas") & (measured["against"] == "need")]
    found: dict[str, dict[str, float]] = {}
    poorest = groups[
        (groups["level"] == "areas")
        & (groups["against"] == "need")
        & (groups["grouping"] == "deprivation_fifth")
        & (groups["group"].astype("str") == "1")
    ]
    found["most_deprived_change"] = dict(zip(poorest["resource"], poorest["change_from_now"], strict=True))
    for name in ("relative_index", "hoover"):
        rows = areas[areas["measure"] == name]
        found[name] = dict(zip(rows["resource"], rows["value"], strict=True))
    return found


def _in_words(table: pd.DataFrame, *, known: bool, unit: str) -> str:
    said = f"{len(table)} ways to share beside each other, all judged by the need that this plan goes by."
    if known:
        moved = [f"{row['option']} {row['posts_moved']:,.1f}" for _, row in table.iloc[1:].iterrows()]
        said += f" {unit} that some team would lose: {'; '.join(moved)}."
    others = table.loc[(table["posts"] - table["posts"].iloc[0]).abs() > _SAME_TOTAL, "option"]
    if len(others):
        said += (
            f" Not of the same total as the first: {', '.join(others)}; there, gains and losses are of other "
            "totals as well as of other shares."
        )
    return said + (
        " A relative index below 0 means that the most deprived areas have more for their need than the "
        "least deprived. Posts away from need are counted over small areas; what would have to move between "
        "teams is counted against their targets, so the two differ."
    )


__all__ = ["Option", "all_known", "audited_name", "options_beside", "options_of", "posts_by_option"]
