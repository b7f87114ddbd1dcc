"""What every column means of the tables of a plan's options, choices, pace and cost."""

from __future__ import annotations

from collections.abc import Mapping

from needsalloc.report.column import Column, text

_TEAM = text("Team", "Code of the team. “U” is the group of practices without a PCN.")
_TEAM_NAME = text("Team name", "Name of the team as published, or as the planner gave it.")
_OPTION = text(
    "Option", "What is in place now, this plan, an equal share per adult, or another of the plan's."
)
_CHANGE = Column("Change", "{unit}", "Posts less posts now.", decimals=1, signed=True)
_OPTIONS: dict[str, Column] = {
    "option": _OPTION,
    "what": text("What it is", "In the planner's words, but for those that every report has."),
    "posts": Column("Posts", "{unit}", "Posts that the option gives to teams."),
    "posts_moved": Column(
        "Posts that some team loses",
        "{unit}",
        "Sum over teams of what they would lose against now.",
        decimals=1,
    ),
    "teams_gaining": Column("Teams that gain", "teams", "Teams with more posts than now."),
    "teams_losing": Column("Teams that lose", "teams", "Teams with fewer posts than now."),
    "largest_gain": Column("Largest gain", "{unit}", "Of one team, against now.", decimals=1),
    "largest_loss": Column("Largest loss", "{unit}", "Of one team, against now.", decimals=1),
    "most_deprived_change": Column(
        "Change for the most deprived fifth",
        "{unit}",
        "Posts that the most deprived national fifth of areas gains (or loses), each team's spread by need.",
        decimals=1,
        signed=True,
    ),
    "relative_index": Column(
        "Relative index of inequality",
        "ratio",
        "Posts for equal need of the least deprived areas less those of the most, over the mean, along a "
        "straight line through all areas. Below zero the most deprived have more for their need.",
        decimals=3,
        signed=True,
    ),
    "hoover": Column(
        "Posts away from need",
        "share",
        "Part of the posts that would have to be in other areas for each to have its share by need.",
        "percent",
        1,
    ),
}
_OPTIONS_BY_TEAM: dict[str, Column] = {
    "option": _OPTION,
    "team": _TEAM,
    "team_name": _TEAM_NAME,
    "posts": Column("Posts", "{unit}", "Posts that the option gives to the team."),
    "change": _CHANGE,
    "posts_per_10000_adults": Column(
        "Posts per 10,000 adults", "{unit} per 10,000 adults", "By the adults of this plan.", decimals=2
    ),
}
_CHOICES: dict[str, Column] = {
    "kind": text("Kind", "Minimum, cap, protected, held back, ring-fenced, adjustment, time, price …"),
    "name": text("Choice", "As the plan names it."),
    "teams": text("Teams", "Whom it holds; the first few of many."),
    "value": text("Value", "What it comes to, as the plan gives it."),
    "reason": text("Reason", "Why, as the plan gives it."),
    "owner": text("Owner", "Who answers for it; of figures, where they are from."),
    "effect": Column(
        "Effect",
        "{unit}",
        "Posts that teams would have without this choice, all else kept, and do not have with it; none where "
        "the other choices cannot be met without it.",
        decimals=1,
    ),
}
_PACE: dict[str, Column] = {
    "year": Column("Year", "year", "Year of the plan, from 1."),
    "team": _TEAM,
    "team_name": _TEAM_NAME,
    "opening": Column("Opening", "{unit}", "Posts at the start of the year, before rounding.", decimals=1),
    "target": Column("Target", "{unit}", "The team's part of what the year has to share.", decimals=2),
    "posts": Column("Posts", "{unit}", "Posts at the end of the year, in steps of {step}."),
    "change": Column("Change", "{unit}", "Posts less those of the year before.", decimals=1, signed=True),
    "closing_distance": Column(
        "Distance left",
        "share",
        "Posts at the end of the year over target, less 1, before rounding. Below zero: less than its share.",
        "percent",
        1,
        signed=True,
    ),
    "held_by": text("Held by", "What keeps the team from its target: floor, ceiling, vacancies, total …"),
}
_SKILLS: dict[str, Column] = {"team": _TEAM, "team_name": _TEAM_NAME}
BAND = Column("{words}", "{unit}", "Posts of the team in {words}.", decimals=1)
_SKILL_COST: dict[str, Column] = {
    "band": text("Band", "Pay band or role, as the plan names it."),
    "posts_now": Column("Posts now", "{unit}", "In place now in this band.", decimals=1),
    "posts": Column("Posts", "{unit}", "Posts of the plan in this band."),
    "pay": Column("Pay", "a post and year", "What a full-time post of the band costs, as the plan gives it."),
    "cost_now": Column("Cost now", "a year", "Posts now times pay."),
    "cost": Column("Cost of the plan", "a year", "Posts of the plan times pay."),
}
_SENSITIVITY: dict[str, Column] = {
    "what": text("What is chosen otherwise", "One choice at a time, all else as in the plan."),
    "value": text("How", "The other choice."),
    "posts_moved": Column(
        "Posts that are elsewhere",
        "{unit}",
        "Half the sum of differences from the plan's targets inside limits, before rounding to steps.",
        decimals=1,
    ),
    "teams_over_5_percent": Column(
        "Teams that move by over 5 %", "teams", "Teams whose target inside limits is another by over 5 %."
    ),
}
_MOVED_BY_DATA: dict[str, Column] = {
    "team": _TEAM,
    "team_name": _TEAM_NAME,
    "before": Column(
        "By the data before", "{unit}", "Posts by the earlier need and this plan's choices.", decimals=1
    ),
    "after": Column("By these data", "{unit}", "Posts in this plan.", decimals=1),
    "change": Column("Change", "{unit}", "What moves only because data moved.", decimals=1, signed=True),
}
COLUMNS: Mapping[str, dict[str, Column]] = {
    "options": _OPTIONS,
    "options_by_team": _OPTIONS_BY_TEAM,
    "choices": _CHOICES,
    "pace": _PACE,
    "skills": _SKILLS,
    "skill_cost": _SKILL_COST,
    "sensitivity": _SENSITIVITY,
    "moved_by_data": _MOVED_BY_DATA,
}
