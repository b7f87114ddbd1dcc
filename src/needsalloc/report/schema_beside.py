"""What every column means of the tables beside the allocation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from needsalloc.report import schema_audit, schema_plan
from needsalloc.report.column import Column, text

TEAM = text("Team", "Code of the team. “U” is the group of practices without a PCN.")
TEAM_NAME = text("Team name", "Name of the team as published, or as the planner gave it.")
ICB = text("ICB", "Integrated care board of most of the team's patients.")
_PART = Column(
    "{words}",
    "index points",
    "What the team's {words} adds to its need index, or takes from it, against the base. Descriptive.",
    decimals=3,
    signed=True,
)
_DECOMPOSITION: dict[str, Column] = {
    "team": TEAM,
    "team_name": TEAM_NAME,
    "base": Column("Base", "ratio", "Where every index starts: that of the base, 1.", decimals=2),
    "age_and_sex": replace(
        _PART,
        label="Age and sex",
        meaning="What the ages of the team's adults, and the sexes that go with them, add to its need index "
        "or take from it, against the base. Descriptive.",
    ),
    "deprivation": replace(
        _PART,
        label="Deprivation",
        meaning="What the deprivation of its areas adds or takes. Descriptive: the index of deprivation "
        "holds a health domain.",
    ),
}
_NEED_RANGE: dict[str, Column] = {
    "team": TEAM,
    "team_name": TEAM_NAME,
    "index": Column("Need index of this plan", "ratio", "By the plan's own way.", decimals=2),
    "low": Column("Lowest", "ratio", "Lowest index by any way: the end of a range, no interval.", decimals=2),
    "high": Column(
        "Highest", "ratio", "Highest index by any way: the end of a range, no interval.", decimals=2
    ),
    "lowest_by": text("Lowest by", "The way that gives the lowest index: reading and people."),
    "highest_by": text("Highest by", "The way that gives the highest index, the first of equals."),
    "ways": Column("Ways", "ways", "How many ways give the team an index."),
    "side": text("Side of 1", "Whether all ways put the index above or below that of the base."),
    "best_rank": Column("Highest rank", "rank", "The team's highest place by any way; 1 has the most need."),
    "worst_rank": Column("Lowest rank", "rank", "The team's lowest place by any way."),
    "fifths": Column("Fifths", "fifths", "How many fifths of the ranking it is in, by one way or another."),
}
_INDEX_CHANGES: dict[str, Column] = {
    "team": TEAM,
    "team_name": TEAM_NAME,
    "before": Column("Index before", "ratio", "Need index by the edition of deprivation before.", decimals=2),
    "after": Column("Index in this plan", "ratio", "Need index by the edition of this plan.", decimals=2),
    "change": Column(
        "Change of the index",
        "share",
        "The index of this plan over the one before, less 1: what the other edition alone moves.",
        "percent",
        1,
        signed=True,
    ),
    "crosses_1": text("Crosses 1", "Yes where the index is now on the other side of the base's, 1."),
}


def _count(label: str, meaning: str) -> Column:
    return Column(label, "people", meaning)


_YOURS = Column("{words}", "as given", "A count of the planner's own: {words}.")
_REGISTER = _count("{words}", "People on the practices' register of this condition (QOF).")
_PLANNING_COHORTS: dict[str, Column] = {
    "team": TEAM,
    "team_name": TEAM_NAME,
    "icb": ICB,
    "registered": _count("Registered people", "People of all ages on the lists."),
    "resident": _count("Resident people", "People of all ages living in the areas, as the team counts them."),
    **{
        f"{who}_{age}_and_over": _count(
            f"{who.capitalize()}, {age} and over", f"{who.capitalize()} people aged {age} and over."
        )
        for who in ("registered", "resident")
        for age in (65, 75, 85)
    },
    "resident_85_and_over_alone": _count("85 and over, alone", "Residents aged 85 and over who live alone."),
    "care_home_beds_residential": Column("Residential care beds", "beds", "Beds of residential care homes."),
    "care_home_beds_nursing": Column("Nursing care beds", "beds", "Beds of care homes with nursing."),
    "resident_disabled": _count("Disabled residents", "Residents disabled under the Equality Act."),
    "registered_core20": _count(
        "Registered, Core20", "Registered people of the most deprived fifth of areas."
    ),
    "resident_core20": _count("Resident, Core20", "Residents of the most deprived national fifth of areas."),
    "registered_without_list": _count("Without a list", "Patients of practices that the lists by age lack."),
    "registered_without_registers": _count("Without registers", "Patients of practices that QOF lacks."),
}
_COHORT_SOURCES: dict[str, Column] = {
    "column": text("Column", "Column of the planning cohorts."),
    "people": text("Whom it counts", "Registered people, residents or beds."),
    "source": text("File", "The file that it comes from; “not given” where the column is empty."),
    "on": text("Day", "Day or period that the file describes."),
    "how": text("How", "How the counts come to teams; where the column is empty, why."),
    "growth": text("Growth", "Growth to the plan year, if there is any."),
}
_CHECKLIST: dict[str, Column] = {
    "team": TEAM,
    "team_name": TEAM_NAME,
    "domain": text("Domain", "Domain of the framework of Iqbal and others (2025)."),
    "factor": text("Factor", "What helps or hinders such teams, by the evidence syntheses."),
    "question": text("Question", "For the team to talk through; no figure here answers it."),
    "answer": text("Answer", "Blank: the team writes it."),
    "owner": text("Owner", "Blank: who in the team sees to it."),
}


COLUMNS: Mapping[str, dict[str, Column]] = {
    **schema_audit.COLUMNS,
    "checklist": _CHECKLIST,
    "decomposition": _DECOMPOSITION,
    "need_range": _NEED_RANGE,
    "index_changes": _INDEX_CHANGES,
    "planning_cohorts": _PLANNING_COHORTS,
    "cohort_sources": _COHORT_SOURCES,
    "observed": {"team": TEAM, "team_name": TEAM_NAME, **schema_audit.COLUMNS["observed"]},
    **schema_plan.COLUMNS,
}
TITLES: Mapping[str, str] = {
    "options": "Options: the status quo, this plan and others beside each other",
    "options_by_team": "Options by team: what each team would have",
    "choices": "Choices: limits, reserves and adjustments, why, whose they are and what they do",
    "pace": "Pace: each team's posts year by year",
    "skills": "Skills: each team's posts by band",
    "skill_cost": "Cost: posts and pay by band",
    "sensitivity": "Sensitivity: what other choices would move",
    "plan_range": "Range of the plan: each team's posts as sure as the formula is",
    "moved_by_data": "Moved by data: posts that move only because figures are newer",
    "decomposition": "What need is made of: each team's index as 1 and its parts",
    "need_range": "Range of need: lowest and highest index of each team, no interval",
    "index_changes": "Other deprivation: how far teams move only because its edition is another",
    "inequality": "Inequality: one row for each measure and resource",
    "inequality_by_group": "Inequality by group: what each group of people has against its need",
    "lorenz": "Lorenz curves: share of a resource against share of need",
    "theil": "Theil: inequality within and between groups",
    "equality": "Equality: people, need and posts before and after, by characteristic",
    "observed": "Observed: contacts against what need expects",
    "planning_cohorts": "Planning cohorts: the people asked about first, by team",
    "cohort_sources": "Cohort sources: where each column of the planning cohorts comes from",
    "checklist": "Checklist: questions for each neighbourhood, for its team to answer",
}
_ALIKE: Mapping[str, tuple[tuple[str, Column], ...]] = {
    "decomposition": (("", _PART),),
    "planning_cohorts": (("_register", _REGISTER), ("", _YOURS)),
    "skills": (("", schema_plan.BAND),),
}


def alike(table: str, name: str) -> Column | None:
    """The description of a column that stands for a condition or a count of the planner's, whichever."""
    column = next((column for ending, column in _ALIKE.get(table, ()) if name.endswith(ending)), None)
    if column is None:
        return None
    words = name.replace("_", " ").replace("copd", "COPD")
    label = words[:1].upper() + words[1:]
    return replace(
        column, label=column.label.format(words=label), meaning=column.meaning.replace("{words}", words)
    )


__all__ = ["COLUMNS", "ICB", "TEAM", "TEAM_NAME", "TITLES", "alike"]
