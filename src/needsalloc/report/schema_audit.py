"""What every column means of the tables of the equity audit, of equality and of contacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from needsalloc.report.column import Column, text

_LEVEL = text(
    "Level",
    "“areas”: small areas, each team's posts spread over those of its people by expected use, an assumption. "
    "“teams”: teams, whose averages dilute the gradient of their areas.",
)
_RESOURCE = text(
    "Resource",
    "What is compared: need (as it is, or at equal ages), posts now, targets, posts in this plan, its years, "
    "other options.",
)
_AGAINST = text(
    "Against",
    "What the resource is set against: people; need as it is, which posts follow; or need as it would be "
    "with the same ages everywhere.",
)
_FEW = text("Too few areas", "Yes where fewer than 10 areas, or 10 teams that serve them: too few to say.")
_PART = Column("{words}", "share", "", "percent", 1)


def _share(label: str, meaning: str) -> Column:
    return replace(_PART, label=label, meaning=meaning)


def _limit(side: str, level: str) -> Column:
    return Column(
        f"{side} {level}%",
        "as the value",
        f"{side} limit of the {level}% interval; blank where none is said.",
        decimals=4,
    )


_INEQUALITY: dict[str, Column] = {
    "level": _LEVEL,
    "resource": _RESOURCE,
    "against": _AGAINST,
    "measure": text(
        "Measure",
        "Slope and relative index of inequality; concentration index, extended, and per person; horizontal "
        "inequity; Kakwani ranked by need; Gini, Theil, Hoover; posts that would have to move, all over or "
        "inside each ICB, for each area or team to have its share.",
    ),
    "value": Column("Value", "as the unit says", "The measure.", decimals=4),
    "change_from_now": Column(
        "Change from now", "as the value", "The value less that of the posts now.", decimals=4, signed=True
    ),
    "low_95": _limit("Lower", "95"),
    "high_95": _limit("Upper", "95"),
    "low_99_8": _limit("Lower", "99.8"),
    "high_99_8": _limit("Upper", "99.8"),
    "interval": text("Interval", "How the limits were found; blank where there are none."),
    "ranking": text("Ranking", "What areas or teams are ranked by, and from where."),
    "sign": text("Sign", "What a positive or negative value means."),
    "weights": text("Weights", "What each area or team is weighted by."),
    "unit": text("Unit", "What the value is in."),
    "areas": Column("Areas or teams", "areas or teams", "How many have weight."),
    "too_few_areas": _FEW,
}
_BY_GROUP: dict[str, Column] = {
    "level": _LEVEL,
    "resource": _RESOURCE,
    "against": _AGAINST,
    "grouping": text(
        "Grouping",
        "Fifths and tenths of deprivation by national rank; Core20, the most deprived fifth; for teams, "
        "fifths of their own people by mean score; urban and rural; ICB.",
    ),
    "group": text("Group", "1 is the most deprived fifth or tenth."),
    "areas": Column("Areas or teams", "areas or teams", "How many have weight."),
    "population": Column("Adults", "people", "Adults of the plan's teams in the group."),
    "amount": Column(
        "Amount", "as the resource", "Posts of the group, or its need-weighted people.", decimals=2
    ),
    "change_from_now": Column(
        "Change from now",
        "as the resource",
        "The amount less that of the posts now.",
        decimals=2,
        signed=True,
    ),
    "share_of_population": _share("Share of adults", "The group's part of all adults."),
    "share_of_need": _share("Share of what it is against", "The group's part of the need, or of people."),
    "share_of_resource": _share("Share of the resource", "The group's part of the resource."),
    "resource_per_need": Column(
        "Per 10,000", "per 10,000", "The resource for 10,000 of what it is set against.", decimals=2
    ),
    "relative_to_all": Column(
        "Relative to all", "ratio", "1 is as much per need as overall; 1.10 is 10% more.", decimals=2
    ),
    "too_few_areas": _FEW,
}
_LORENZ: dict[str, Column] = {
    "level": _LEVEL,
    "resource": _RESOURCE,
    "share_of_need": _share(
        "Share of need", "Of areas from the least resource per need to the most, so far."
    ),
    "share_of_resource": _share("Share of the resource", "What these areas have of it."),
}
_THEIL: dict[str, Column] = {
    "level": _LEVEL,
    "resource": _RESOURCE,
    "against": _AGAINST,
    "part": text("Part", "Between the widest groups, between groups inside them, and inside the narrowest."),
    "groups": Column("Groups", "groups", "How many are compared."),
    "theil": Column("Theil", "index", "This part of Theil's index; the parts add up to it.", decimals=5),
    "share": _share("Share", "Of the whole index."),
}
_EQUALITY: dict[str, Column] = {
    "characteristic": text("Characteristic", "What people are grouped by."),
    "group": text("Group", "Group of people."),
    "people": Column("People", "people", "Adults of the plan's teams, but where the note says otherwise."),
    "share_of_people": _share("Share of people", "Of all in this characteristic."),
    "share_of_need": _share("Share of need", "Of all expected use."),
    "posts_before": Column(
        "Posts now", "{unit}", "Each team's posts now, spread over its people by expected use.", decimals=1
    ),
    "posts_after": Column(
        "Posts in this plan",
        "{unit}",
        "Each team's posts, spread over its people by expected use.",
        decimals=1,
    ),
    "note": text("Note", "Whom it counts, or “no open data”."),
    "mitigation": text("Mitigation", "For the planner: what will be done."),
    "owner": text("Owner", "For the planner: who sees to it."),
}
_OBSERVED: dict[str, Column] = {
    "contacts": Column("Contacts", "contacts a year", "Contacts that the team had."),
    "expected": Column(
        "Expected contacts", "contacts a year", "The contacts of all these teams, shared by need."
    ),
    "observed_over_expected": Column(
        "Observed over expected",
        "ratio",
        "1 is as many contacts as need expects. More is more use for the same need, "
        "fewer may be fewer staff.",
        decimals=2,
    ),
    **{
        f"{side}_{level}": Column(
            f"{word} {per_cent}% limit",
            "ratio",
            f"{word} limit of a funnel around 1 that holds {per_cent}% of teams that differ by chance and as "
            "teams vary anyhow.",
            decimals=2,
        )
        for level, per_cent in (("95", "95"), ("99_8", "99.8"))
        for side, word in (("low", "Lower"), ("high", "Upper"))
    },
}
COLUMNS: Mapping[str, dict[str, Column]] = {
    "inequality": _INEQUALITY,
    "inequality_by_group": _BY_GROUP,
    "lorenz": _LORENZ,
    "theil": _THEIL,
    "equality": _EQUALITY,
    "observed": _OBSERVED,
}

__all__ = ["COLUMNS"]
