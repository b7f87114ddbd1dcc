"""What a run says in sentences: what was asked, what the figures suggest, how sure, what they leave out."""

from __future__ import annotations

import math
from collections.abc import Iterable

from needsalloc import reference
from needsalloc.allocate import Allocation
from needsalloc.assumptions import Assumption
from needsalloc.audit import EquityAudit
from needsalloc.catchment import Catchment
from needsalloc.errors import first_few
from needsalloc.index import NeedIndex
from needsalloc.inputs import Inputs
from needsalloc.plan import Plan
from needsalloc.report import Check
from needsalloc.teams import NOT_IN_MAP


def sentences(
    plan: Plan, need: NeedIndex, allocation: Allocation, audit: EquityAudit, moved: float
) -> tuple[str, ...]:
    """The headline findings; `moved` is the share of posts that the formula's other reading would move."""
    unit, table = plan.plan.unit, allocation.table
    teams = table[table["target_share"] > 0]
    index = teams[need.column]
    names = dict(zip(teams.index, teams["team_name"], strict=True))
    low, high = index.idxmin(), index.idxmax()
    without = table.loc[~table["is_team"], "registered"].sum()
    outside = table["outside"].sum()
    return (
        f"The plan shares {plan.plan.total:,g} {unit} of district nursing between {len(teams):,} teams, in "
        f"steps of {plan.plan.step:g}, in proportion to the expected need of their {need.people} adults.",
        f"Need per adult runs from {index.min():.2f} ({names[low]}) to {index.max():.2f} "
        f"({names[high]}), where {need.base.name} is 1.00.",
        _against_now(allocation, audit),
        "The formula is from print and gives no interval. Its count table read the other way would move "
        f"{moved:.1%} of the posts: a range over readings, not a measure of chance. How contacts rise with "
        "age among users is held to no published figure.",
        f"Left out: children, since the formula is for adults; {_without_a_team(need, without, outside)}; "
        "and whatever no open file says of need.",
        "The plan shares a total. It does not say how many posts are needed: if all teams are short, all "
        "targets are short.",
    )


def _without_a_team(need: NeedIndex, without: float, outside: float) -> str:
    if need.catchment.of_whole_areas:
        return (
            f"{without:,.0f} patients who live in no team's areas, {outside:,.0f} of them outside England, "
            "shown in rows of their own"
        )
    return (
        f"{without:,.0f} patients of practices without a team, shown in rows of their own (patients who live "
        f"outside English areas, {outside:,.0f}, carry their team's mean need)"
    )


def _against_now(allocation: Allocation, audit: EquityAudit) -> str:
    if not allocation.has_current:
        return "Nobody said what each team has now, so the plan shows targets and no changes."
    given = allocation.table[allocation.table["target_share"] > 0]
    known = given[given["current"].notna()]
    short = int((known["distance_from_target"] < 0).sum())
    now = allocation.table["current"].sum()
    sentence = f"{short:,} of {len(known):,} teams have less than their target now."
    if math.isfinite(audit.hoover):
        if abs(now - allocation.total) < allocation.step:
            sentence += f" {audit.hoover:.1%} of posts would have to move"
        else:
            sentence += (
                f" They have {now:,.1f} {allocation.unit} where the plan has {allocation.total:,.1f}; "
                f"compared as shares, {audit.hoover:.1%} are elsewhere"
            )
        gains = known.nlargest(1, "change").iloc[0]
        largest = f"{gains['change']:+.1f} {allocation.unit} ({gains['team_name']})"
        sentence += f"; the largest gain is {largest}." if gains["change"] > 0 else "; no team gains."
    return sentence


def warnings(
    catchment: Catchment,
    allocation: Allocation,
    audit: EquityAudit,
    checks: Iterable[Check],
    *,
    made_up: bool,
) -> tuple[str, ...]:
    """What must be read before anything else."""
    found = (
        ["Everything here is made up: a synthetic ICB, to show what a plan looks like."] if made_up else []
    )
    found += [
        f"{check.name}: {check.found}; expected {check.expected}."
        for check in checks
        if check.status == "warning"
    ]
    missing = catchment.teams.index.intersection([NOT_IN_MAP])
    if len(missing):
        lost = float(catchment.registered_by_team["registered"][NOT_IN_MAP])
        found.append(
            f"The practices of {lost:,.0f} patients are missing from the map; they are a row without posts. "
            "Some of them may belong to teams of this plan."
        )
    teams = allocation.table[allocation.table["is_team"] & (allocation.table["registered"] > 0)]
    elsewhere = teams.index[teams["expected_use"].isna()]
    if len(elsewhere):
        found.append(
            f"Teams without any patient in an English area, whose need is not known and who get no posts: "
            f"{len(elsewhere):,} ({first_few(elsewhere)})."
        )
    first = audit.table.iloc[0]
    crude, at_equal_ages = first["need_index_crude"], first["need_index_age_standardised"]
    why = (
        ("Its adults are younger: its" if crude < at_equal_ages else "Its")
        + f" need index is {crude:.2f} with the ages it has, and would be {at_equal_ages:.2f} with the same "
        "ages everywhere."
    )
    if audit.most_deprived_change < 0:
        loss = f"{-audit.most_deprived_change:,.1f} {allocation.unit}"
        found.append(f"The most deprived fifth would lose {loss} against today. {why}")
    elif first["share_of_posts"] < first["share_of_people"]:
        found.append(
            f"The most deprived fifth has {first['share_of_people']:.1%} of adults and would get "
            f"{first['share_of_posts']:.1%} of posts. {why}"
        )
    given = allocation.table[allocation.table["target_share"] > 0]
    unknown = given.index[given["current"].isna()]
    if allocation.has_current and len(unknown):
        found.append(
            f"Posts now were not given for {len(unknown):,} of {len(given):,} teams: {first_few(unknown)}. "
            "What would have to move, and who gains, leaves them out."
        )
    if allocation.tied:
        found.append(
            f"A tie decided the last step of {len(allocation.tied):,} teams: {first_few(allocation.tied)}."
        )
    if off := allocation.below_quota + allocation.above_quota:
        found.append(f"{len(off):,} teams are more than a step from their target: {first_few(off)}.")
    return tuple(found)


def parameters(inputs: Inputs, need: NeedIndex) -> dict[str, str]:
    """Every setting of the run, in words, and the days that its files describe."""
    plan, current = inputs.plan, inputs.frames.get("current")
    unit = plan.plan.unit
    teams = need.teams[need.base.teams]
    adults = teams[f"{need.people}_adults"]
    mean = float((adults * teams[need.column]).sum() / adults.sum())
    now = "not given"
    if current is not None:
        basis, on = (current.attrs.get(name) or "not stated" for name in ("basis", "on"))
        now = f"basis: {basis}; day: {on}"
    return {
        "Service": "district nursing",
        "Total": f"{plan.plan.total:,g} {unit}",
        "Step": f"{plan.plan.step:g} {unit}",
        "Teams": "PCNs" + (f" of ICB {plan.catchment.icb}" if plan.catchment.icb else ""),
        "Catchment method": plan.catchment.method,
        "Need formula": need.use.formula.name,
        "Base of the need index": f"{need.base.name}: {need.base.adults:,.0f} adults",
        "People of a team": f"{need.people} adults, whose mean need index is {mean:.3f}",
        "Weighted population": (
            f"adults × need index × {need.base.adults / (adults.sum() * mean):.4f}, which makes it add up to "
            "the adults of the base"
        ),
        "Rounding rule": plan.allocate.rule,
        "Minimum": f"{plan.allocate.minimum:g} {unit} a team",
        "Practices without a PCN": "given posts" if plan.allocate.posts_without_pcn else "given no posts",
        "Posts now": now,
        **{f"Date of {role}": inputs.dated(role) for role in inputs.frames if role != "current"},
    }


def assumptions(need: NeedIndex, allocation: Allocation) -> tuple[Assumption, ...]:
    """Of the formula, of the people, and of sharing posts."""
    found = [
        Assumption(
            "A contact takes the same time everywhere",
            "No open file gives travel or minutes by team; contacts are not workload",
            "assumption",
            "Filipe et al. 2024 count contacts",
        ),
        Assumption(
            "In the equity table each team's posts are spread over its areas by expected use",
            "Nobody records where posts work",
            "assumption",
            "",
        ),
        Assumption(
            "How contacts rise with age among users is not held to any published figure",
            "In a made-up cohort with the paper's margins the largest cell of the index by age, sex and "
            "deprivation is about 21; the paper's Figure 1 has about 11. Leaving conditions and emergency "
            "admissions out of the count part brings 90 and over to 11 and moves about 1 % of the posts",
            "inference",
            "docs/methods.md",
        ),
        _outside_fitted_range(need),
    ]
    if not need.use.people.catchment.is_national:
        found.append(
            Assumption(
                "Residents beyond the registered are taken to be on lists outside the data",
                "The flows of a part of England do not show where else an area's people are registered",
                "gap",
                "registrations",
            )
        )
    if allocation.minimum:
        found.append(
            Assumption(f"No team gets less than {allocation.minimum:g}", "The plan says so", "choice", "plan")
        )
    return (*need.use.formula.notes, *need.use.people.notes, *found)


def _outside_fitted_range(need: NeedIndex) -> Assumption:
    printed = reference.read("filipe-2024-table1").frame.set_index("variable")
    least_deprived = printed["mean"]["imd_quintile_5_least_deprived_score"]
    adults = need.areas["registered_adults"]
    beyond = adults[need.use.people.imd_score < least_deprived].sum() / adults.sum()
    return Assumption(
        f"{beyond:.1%} of adults live in areas less deprived than the mean of Liverpool's least deprived "
        "fifth",
        "The formula is carried there beyond the areas it was fitted on",
        "inference",
        "Filipe et al. 2024, Table 1",
    )


__all__ = ["assumptions", "parameters", "sentences", "warnings"]
