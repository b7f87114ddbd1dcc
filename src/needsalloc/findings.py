"""What a run says in sentences: what was asked, what the figures suggest, how sure, what they leave out."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from needsalloc.allocate import Allocation
from needsalloc.assumptions import Assumption
from needsalloc.audit import EquityAudit, audited
from needsalloc.errors import first_few
from needsalloc.grouping import OF_AREAS
from needsalloc.index import NeedIndex, least_fitted_score
from needsalloc.inputs import Inputs
from needsalloc.people import People
from needsalloc.plan import Plan
from needsalloc.report import Check
from needsalloc.teams import NOT_IN_MAP
from needsalloc.withheld import withheld_in_words

SUGGEST, LEFT_OUT = "What the figures suggest", "What they leave out"
# Of each of `sentences`.
HEADINGS = ("What was asked", SUGGEST, SUGGEST, "How sure", LEFT_OUT, LEFT_OUT)


def sentences(
    inputs: Inputs, need: NeedIndex, allocation: Allocation, audit: EquityAudit, moved: float | None
) -> tuple[str, ...]:
    """The headline findings; `moved` is the share of posts that the formula's other reading would move."""
    plan = inputs.plan
    unit, table = plan.plan.unit, allocation.table
    teams = table[table["target_share"] > 0]
    index = teams[need.column]
    names = dict(zip(teams.index, teams["team_name"], strict=True))
    low, high = index.idxmin(), index.idxmax()
    left_out = _without_a_team(need, table, plan.catchment.icb)
    return (
        f"The plan shares {plan.plan.total:,g} {unit} of district nursing between {len(teams):,} teams, in "
        f"steps of {plan.plan.step:g}, in proportion to the expected need of their {need.people} adults"
        f"{_choices_in_words(inputs, allocation)}.",
        f"Need per adult runs from {index.min():.2f} ({names[low]}) to {index.max():.2f} "
        f"({names[high]}), where {need.base.name} is 1.00.",
        _against_now(inputs, allocation, audit),
        _how_sure(inputs, moved),
        f"Left out: children, since the formula is for adults; {left_out}; {_time_in_words(plan)}"
        "and whatever no open file says of need.",
        "The plan shares a total. It does not say how many posts are needed: if all teams are short, all "
        "targets are short.",
    )


def _choices_in_words(inputs: Inputs, allocation: Allocation) -> str:
    """What a plan takes into account beside need, as the end of a sentence; "" if nothing."""
    section, unit = inputs.plan.allocate, allocation.unit
    said = []
    if section.inequalities:
        said.append(f"{section.inequalities:.0%} of it by heads that count more where the planner says so")
    if section.time:
        said.append(f"times the minutes of a contact ({section.time.source})")
    if section.price:
        said.append(f"times the price of each place ({section.price.source})")
    if allocation.top_slice:
        said.append(f"after {allocation.top_slice:,g} {unit} are held back")
    if held := int((~allocation.table["held_by"].isin(["", "adjustment"])).sum()):
        said.append(f"inside limits, which hold {held:,} team{'s' * (held > 1)}")
    if section.adjustments:
        count = len(section.adjustments)
        said.append(f"with {count:,} local adjustment{'s' * (count > 1)}")
    return "".join(f", {part}" for part in said)


def _time_in_words(plan: Plan) -> str:
    if plan.allocate.time or plan.allocate.price:
        return ""
    return (
        "travel and the time of a contact, since contacts are not workload and no open file gives minutes; "
    )


def _how_sure(inputs: Inputs, moved: float | None) -> str:
    if inputs.own_formula is not None:
        return (
            f"The formula is the planner's own ({inputs.formula.name}, {inputs.own_formula['file']}). It "
            "gives no interval, and nothing here says how well it describes these people."
        )
    said = "The formula is from print and gives no interval. "
    if moved is not None:
        said += (
            f"Its count table read the other way would move {moved:.1%} of the posts: a range over readings, "
            "not a measure of chance. "
        )
    return said + "How contacts rise with age among users is held to no published figure."


def _without_a_team(need: NeedIndex, table: pd.DataFrame, icb: str | None) -> str:
    without = table.loc[~table["is_team"], "registered"].sum()
    outside = table["outside"].sum()
    if need.catchment.of_whole_areas:
        whose = f" of ICB {icb}" if icb else ""
        return (
            f"{without:,.0f} patients{whose} who live in no team's areas, {outside:,.0f} of them outside "
            "England, shown in rows of their own"
        )
    return (
        f"{without:,.0f} patients of practices without a team, shown in rows of their own (patients who live "
        f"outside English areas, {outside:,.0f}, carry their team's mean need)"
    )


def _against_now(inputs: Inputs, allocation: Allocation, audit: EquityAudit) -> str:
    withheld = withheld_in_words(inputs)
    if not allocation.has_current:
        return withheld or "Nobody said what each team has now, so the plan shows targets and no changes."
    given = allocation.table[allocation.table["target_share"] > 0]
    known = given[given["current"].notna()]
    short = int((known["distance_from_target"] < 0).sum())
    now, shared = allocation.table["current"].sum(), allocation.total - allocation.top_slice
    sentence = f"{short:,} of {len(known):,} teams have less than their target now."
    if withheld:
        sentence = f"{withheld} Of the others {sentence}"
    elif math.isfinite(audit.hoover):
        if abs(now - shared) < allocation.step:
            sentence += f" {audit.hoover:.1%} of posts would have to move"
        else:
            sentence += (
                f" They have {now:,.1f} {allocation.unit} where the plan has {shared:,.1f}; "
                f"compared as shares, {audit.hoover:.1%} are elsewhere"
            )
        gains = known.nlargest(1, "change").iloc[0]
        largest = f"{gains['change']:+.1f} {allocation.unit} ({gains['team_name']})"
        sentence += f"; the largest gain is {largest}." if gains["change"] > 0 else "; no team gains."
    return f"{sentence}{_vacancies_in_words(known, allocation.unit)} {_basis_in_words(allocation)}"


def _vacancies_in_words(known: pd.DataFrame, unit: str) -> str:
    """What of the losses nobody fills, where every team that loses said so."""
    losing = known[known["change"] < 0]
    if losing.empty or losing["vacancies"].isna().any():
        return ""
    lost, filled = -losing["change"].sum(), losing["filled_posts_lost"].sum()
    return (
        f" Of {lost:,.1f} {unit} that teams lose, {lost - filled:,.1f} are vacant now and {filled:,.1f} are "
        "filled."
    )


def _basis_in_words(allocation: Allocation) -> str:
    basis, on = allocation.basis, allocation.on
    if basis is None:
        return "The sheet does not say whether posts now are funded, in post or paid."
    words = {"establishment": "funded posts (establishment)", "in post": "staff in post"}
    day = f" on {on}" if on else ", of a day that is not stated"
    return f"Posts now are {words.get(basis, 'paid posts, bank and agency among them')}{day}."


def warnings(
    need: NeedIndex,
    allocation: Allocation,
    audit: EquityAudit,
    checks: Iterable[Check],
    *,
    made_up: bool,
    withheld: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """What must be read before anything else; `withheld` are teams whose posts now the public is not told."""
    found = (
        ["Everything here is made up: a synthetic ICB, to show what a plan looks like."] if made_up else []
    )
    found += [
        f"{check.name}: {check.found}; expected {check.expected}."
        for check in checks
        if check.status == "warning"
    ]
    lists = need.use.people.catchment.registered_by_team["registered"]
    if NOT_IN_MAP in lists:
        counted = "they are a row without posts. Some of them may belong to teams of this plan"
        if need.catchment.of_whole_areas:
            counted = "they count with the team in whose areas they live"
        found.append(
            f"The practices of {lists[NOT_IN_MAP]:,.0f} patients are missing from the map; {counted}."
        )
    found += _audited_in_part(need, allocation)
    found += _teams_of_nobody(need, allocation)
    first = audit.table.iloc[0]
    crude, at_equal_ages = first["need_index_crude"], first["need_index_age_standardised"]
    why = (
        ("Its adults are younger: its" if crude < at_equal_ages else "Its")
        + f" need index is {crude:.2f} with the ages it has, and would be {at_equal_ages:.2f} with the same "
        "ages everywhere."
    )
    if audit.most_deprived_change < 0 and not withheld:
        loss = f"{-audit.most_deprived_change:,.1f} {allocation.unit}"
        found.append(f"The most deprived fifth would lose {loss} against today. {why}")
    elif first["share_of_posts"] < first["share_of_people"]:
        found.append(
            f"The most deprived fifth has {first['share_of_people']:.1%} of adults and would get "
            f"{first['share_of_posts']:.1%} of posts. {why}"
        )
    given = allocation.table[allocation.table["target_share"] > 0]
    unknown = given.index[given["current"].isna()].difference(list(withheld))
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
        held = int((allocation.table.loc[list(off), "held_by"] != "").sum())
        by = f"; limits or adjustments hold {held:,} of them" if held else ""
        found.append(f"Teams more than a step from their target: {len(off):,} ({first_few(off)}){by}.")
    return tuple(found)


def _teams_of_nobody(need: NeedIndex, allocation: Allocation) -> list[str]:
    """Teams whose need nothing is known of, if there are any."""
    teams = allocation.table[allocation.table["is_team"]]
    if not need.catchment.of_whole_areas:
        teams = teams[teams["registered"] > 0]
    nobody = teams.index[teams["expected_use"].isna()]
    if not len(nobody):
        return []
    why = "any patient in an English area" if not need.catchment.of_whole_areas else "an area"
    get = f"no more than the minimum of {allocation.minimum:g}" if allocation.minimum else "no posts"
    return [
        f"Teams without {why}, whose need is not known and who get {get}: "
        f"{len(nobody):,} ({first_few(nobody)})."
    ]


def _audited_in_part(need: NeedIndex, allocation: Allocation) -> list[str]:
    """Adults of the plan's rows whom the equity table leaves out, if there are any."""
    adults = allocation.table[f"{need.people}_adults"]
    counted = adults[audited(allocation, need).index].sum()
    left_out = adults.sum() - counted
    if left_out <= 0:
        return []
    return [
        f"{left_out:,.0f} adults live in areas of no team of this plan. They get no posts, and the equity "
        f"table leaves them out: it is of the {counted:,.0f} adults who live in the teams' areas."
    ]


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
        "Teams": _teams_in_words(inputs, need),
        "Catchment method": _method_in_words(need),
        "Need formula": need.use.formula.name,
        **_asked_of_need(inputs),
        "Base of the need index": f"{need.base.name}: {need.base.adults:,.0f} adults",
        "People of a team": f"{need.people} adults, whose mean need index is {mean:.3f}",
        "Weighted population": (
            f"adults × need index × {need.base.adults / (adults.sum() * mean):.4f}, which makes it add up to "
            "the adults of the base"
        ),
        "Rounding rule": plan.allocate.rule,
        "Minimum": f"{plan.allocate.minimum:g} {unit} a team",
        "Practices without a PCN": _without_pcn_in_words(plan, need),
        "Posts now": now,
        **{f"Date of {role}": inputs.dated(role) for role in inputs.frames if role != "current"},
    }


def _asked_of_need(inputs: Inputs) -> dict[str, str]:
    """What the plan holds for everybody, and how it grows people, where it does."""
    asked, growth = {}, inputs.growth
    if held := inputs.plan.need.hold:
        asked["Held for everybody"] = ", ".join(f"{name} at {value:g}" for name, value in held.items())
    if growth is not None:
        asked["Growth"] = growth.said
    return asked


def _teams_in_words(inputs: Inputs, need: NeedIndex) -> str:
    icb = inputs.plan.catchment.icb
    whose = f" of ICB {icb}" if icb else ""
    if need.catchment.practices.name == OF_AREAS:
        return f"neighbourhoods{whose}, made of the areas that the sheet of posts now names"
    sheet = inputs.frames.get("current", pd.DataFrame())
    if "practices" in sheet and (sheet["practices"] != "").any():
        return f"neighbourhoods{whose}, made of the practices that the sheet of posts now names, and PCNs"
    return "PCNs" + whose


def _method_in_words(need: NeedIndex) -> str:
    if need.catchment.practices.name == OF_AREAS:
        return "whole areas, as the sheet of posts now names them"
    return need.catchment.method.name


def _without_pcn_in_words(plan: Plan, need: NeedIndex) -> str:
    if need.catchment.of_whole_areas:
        return "no group: their patients count with the team in whose areas they live"
    return "given posts" if plan.allocate.posts_without_pcn else "given no posts"


def assumptions(inputs: Inputs, need: NeedIndex, allocation: Allocation) -> tuple[Assumption, ...]:
    """Of the formula, of the people, and of sharing posts."""
    outside = [] if inputs.own_formula is not None else [_outside_fitted_range(need, allocation)]
    return (*assumed(inputs, need.use.people), *outside)


def assumed(inputs: Inputs, people: People) -> list[Assumption]:
    """What a plan assumes before anything is computed: of its formula, its people, and of sharing posts."""
    from_print = inputs.own_formula is None
    found = []
    if inputs.plan.allocate.time is None:
        found.append(
            Assumption(
                "A contact takes the same time everywhere",
                "No open file gives travel or minutes by team; contacts are not workload",
                "assumption",
                "Filipe et al. 2024 count contacts" if from_print else "",
            )
        )
    if from_print:
        found.append(_contacts_by_age())
    if not people.catchment.is_national:
        found.append(
            Assumption(
                "Residents beyond the registered are taken to be on lists outside the data",
                "The flows of a part of England do not show where else an area's people are registered",
                "gap",
                "registrations",
            )
        )
    if minimum := inputs.plan.allocate.minimum:
        found.append(Assumption(f"No team gets less than {minimum:g}", "The plan says so", "choice", "plan"))
    return [*inputs.formula.notes, *people.notes, *found]


def _contacts_by_age() -> Assumption:
    return Assumption(
        "How contacts rise with age among users is not held to any published figure",
        "In a made-up cohort with the paper's margins the largest cell of the index by age, sex and "
        "deprivation is about 21; the paper's Figure 1 has about 11. Leaving conditions and emergency "
        "admissions out of the count part brings 90 and over to 11 and moves about 1 % of the posts",
        "inference",
        "docs/methods.md",
    )


def _outside_fitted_range(need: NeedIndex, allocation: Allocation) -> Assumption:
    teams = allocation.table
    share, adults = teams["share_outside_fitted_range"], teams[f"{need.people}_adults"]
    beyond = (share * adults).sum() / adults[share.notna()].sum()
    return Assumption(
        f"{beyond:.1%} of {need.people} adults live in areas less deprived than the mean of Liverpool's "
        f"least deprived fifth (a score of {least_fitted_score(need.use.formula):.1f}); by team, from "
        f"{share.min():.0%} to {share.max():.0%}",
        "The formula is carried there beyond the areas it was fitted on",
        "inference",
        "Filipe et al. 2024, Table 1",
    )


__all__ = ["HEADINGS", "SUGGEST", "assumed", "assumptions", "parameters", "sentences", "warnings"]
