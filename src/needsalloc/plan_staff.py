"""How a plan gets there, and with whom: its pace of change, its posts by band, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping

from needsalloc.allocate import Allocation
from needsalloc.assumptions import Assumption
from needsalloc.cost import plan_cost
from needsalloc.inputs import Inputs
from needsalloc.options import all_known
from needsalloc.pace import PaceOfChange, pace_of_change
from needsalloc.plan_allocation import current_of, number_or_column
from needsalloc.plan_sections import PaceSection
from needsalloc.run_tables import Beside
from needsalloc.skills import SkillMix, skill_mix

_NOTHING = Beside({}, {}, ())
_BY_YEAR = ("opening", "target", "posts", "change", "closing_distance", "held_by")
_NEAR = 0.05


def pace_of(inputs: Inputs, plan: Allocation) -> PaceOfChange | None:
    """The plan's pace of change; None if it asks for none, or if posts now are not known of every team.

    Raises as `pace_of_change`.
    """
    section = inputs.plan.pace
    if section is None or not all_known(plan):
        return None
    turnover = section.turnover
    return pace_of_change(
        plan,
        years=section.years,
        floor=_by_distance(section.floor),
        ceiling=_by_distance(section.ceiling),
        growth=section.growth,
        moves=section.moves,
        turnover=None if turnover is None else number_or_column(inputs, "[pace] turnover", turnover),
        dead_band=section.dead_band,
        step=plan.step,
    )


def pace_beside(inputs: Inputs, plan: Allocation, pace: PaceOfChange | None) -> Beside:
    """Each team's posts by year, and how near that brings them to target."""
    section = inputs.plan.pace
    if section is None:
        return _NOTHING
    if pace is None:
        what = "There is no pace of change: what is in place now is not known of every team"
        return Beside({}, {}, (Assumption(what, "What nobody said is not filled", "gap", "current"),))
    # Whoever is at target is at nought, not at the last digit of a float.
    table = pace.table.round({"closing_distance": 10}).reset_index()
    table.insert(2, "team_name", table["team"].map(plan.table["team_name"]))
    within = pace.years_to_within(_NEAR).dropna()
    last = pace.totals.index[-1]
    far = table.loc[table["year"] == last, "closing_distance"].dropna()
    near = int((far.abs() <= _NEAR).sum())
    moved = pace.table["change"].clip(lower=0.0).groupby("year").sum()
    ends = dict.fromkeys(f"{pace.totals.iloc[at]:,.10g}" for at in (0, -1))
    totals = f"{' to '.join(ends)} {plan.unit}"
    sentence = (
        f"Over {len(pace.totals)} years, sharing {totals}, {near:,} of {len(far):,} teams come within "
        f"{_NEAR:.0%} of what the plan comes to for them; in the first year {moved.iloc[0]:,.1f} {plan.unit} "
        f"are placed anew. The rules: {_rules_in_words(section)}."
    )
    if abs(pace.totals.iloc[-1] - plan.table["posts"].sum()) >= plan.step:
        sentence += (
            f" The plan itself shares {plan.table['posts'].sum():,.10g}; the years start from what is in "
            "place and grow by the growth of [pace] alone."
        )
    said = sentence + (
        f" As a rule it takes {within.median():,.0f} years to come within {_NEAR:.0%}, the rules going on."
        if len(within)
        else ""
    )
    note = Assumption(
        f"Pace of change: {_rules_in_words(section)}", "The plan says so", "choice", section.source
    )
    columns = ["year", "team", "team_name", *_BY_YEAR]
    return Beside({"pace": table[columns]}, {"pace": said}, (note,), (sentence,))


def _by_distance(limit: float | list[list[float]] | None) -> float | Mapping[float, float] | None:
    return {float(at): float(change) for at, change in limit} if isinstance(limit, list) else limit


def _rules_in_words(section: PaceSection) -> str:
    said = []
    for name, limit in (("floor", section.floor), ("ceiling", section.ceiling)):
        if isinstance(limit, list):
            knots = ", ".join(f"{change:+.1%} at {at:+.1%} from target" for at, change in limit)
            said.append(f"{name} {knots}")
        elif limit is not None:
            said.append(f"{name} {limit:+.1%} a year")
    said += {
        "posts": [],
        "vacancies": ["only vacancies and new posts are placed anew"],
        "new posts": ["nobody is moved, only new posts are placed"],
    }[section.moves]
    if section.dead_band:
        said.append(f"nobody moves within {section.dead_band:.1%} of target")
    return "; ".join(said).replace("-", "−")


def mix_of(inputs: Inputs, plan: Allocation) -> SkillMix | None:
    """The plan's posts by band, None if it asks for none. Raises as `skill_mix`."""
    section = inputs.plan.skills
    return None if section is None else skill_mix(plan, section.shares, totals=section.totals)


def skills_beside(inputs: Inputs, plan: Allocation, mix: SkillMix | None) -> Beside:
    """Each team's posts by band, and what they cost before and after, where the plan asks.

    Raises as `plan_cost`.
    """
    if mix is None:
        return _NOTHING
    shown = plan.table.index[plan.table["is_team"] | (plan.table["posts"] > 0)]
    order = plan.table.loc[shown].sort_values(["is_team", "team"], ascending=[False, True]).index
    by_team = mix.posts.loc[order].rename_axis(index="team", columns=None).reset_index()
    by_team.insert(1, "team_name", by_team["team"].map(plan.table["team_name"]))
    tables = {"skills": by_team}
    bands = "; ".join(f"{_words(band)} {posts:,.10g}" for band, posts in mix.totals.items())
    said = {
        "skills": f"Posts by band, each team and each band to its total in steps of {mix.step:g}: {bands} "
        f"{plan.unit}. The mix is the plan's own."
    }
    why = "No open figure says which mix need asks for"
    notes = [Assumption("Every team has the same mix of bands, to a step", why, "choice", "plan")]
    cost = inputs.plan.cost
    if cost is None:
        return Beside(tables, said, tuple(notes))
    current = current_of(inputs)
    if current is None or not all_known(plan) or not any(str(name).startswith("fte_") for name in current):
        what = "There is no cost before and after: posts now by band are not known of every team"
        notes.append(Assumption(what, "What nobody said is not filled", "gap", "current"))
        return Beside(tables, said, tuple(notes))
    found = plan_cost(mix, current, cost.pay, source=cost.source)
    names = {"unit_cost": "pay", "now": "posts_now", "cost_of_plan": "cost"}
    by_band = found.bands.reset_index().rename(columns=names)
    tables["skill_cost"] = by_band[["band", "posts_now", "posts", "pay", "cost_now", "cost"]]
    before, after = by_band["cost_now"].sum(), by_band["cost"].sum()
    more = f"{after - before:+,.0f}".replace("-", "−")
    said["skill_cost"] = (
        f"The plan's posts cost {after:,.0f} a year where what is in place ({found.basis}) costs "
        f"{before:,.0f}, at the same pay for each band: {more}. Pay: {cost.source}."
    )
    notes.append(
        Assumption("Pay by band is the same in every team", "The plan says so", "choice", cost.source)
    )
    return Beside(tables, said, tuple(notes), (said["skill_cost"],))


def _words(band: object) -> str:
    return str(band).replace("_", " ")


__all__ = ["mix_of", "pace_beside", "pace_of", "skills_beside"]
