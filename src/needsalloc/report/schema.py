"""What every column means, in the words of the people who will read it.

The workbook's data dictionary, its number formats and the page's tables all come from here, so that a
column has one label, one unit and one definition wherever it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from needsalloc.disclosure import SUPPRESSED
from needsalloc.errors import OutputError
from needsalloc.report import schema_beside
from needsalloc.report.bundle import Bundle
from needsalloc.report.column import WITHHELD, Column, text
from needsalloc.report.schema_beside import ICB, TEAM, TEAM_NAME

_LSOA11 = text("Area (LSOA 2011)", "Lower layer super output area of the 2011 census.")
_LSOA21 = text("Area (LSOA 2021)", "Lower layer super output area of the 2021 census.")
_NEED_INDEX = Column(
    "Need index ({base_name} = 1)",
    "ratio",
    "Expected use for each adult, divided by that of {base_name}. At 1.20 an adult here is expected to need "
    "20% more contacts than the average adult of {base_name}, with the same supply.",
    decimals=2,
)

_ALLOCATION: dict[str, Column] = {
    "team": TEAM,
    "team_name": TEAM_NAME,
    "icb": ICB,
    "registered": Column(
        "Registered people", "people", "People of all ages on the lists of the team's practices."
    ),
    "outside": Column(
        "Living outside English areas",
        "people",
        "Registered people whose area is not an English one, or is not recorded (see coverage); they carry "
        "the team's mean need.",
    ),
    "resident": Column(
        "Resident people",
        "people",
        "People of all ages living in the areas, shared among teams as the areas' patients are.",
    ),
    "registered_adults": Column("Registered adults", "people", "Registered people aged 18 and over."),
    "resident_adults": Column("Resident adults", "people", "Resident people aged 18 and over."),
    "weighted_population": Column(
        "Weighted population",
        "people",
        "Adults multiplied by their need index, then scaled alike for all teams so that those of the base "
        "add up to its adults; the parameters give the scale.",
    ),
    "target_share": Column(
        "Target share", "share", "The team's part of all need: its fair share.", "percent", 2
    ),
    "per_head": Column(
        "Equal per adult",
        "{unit}",
        "What the team would have if every {people} adult counted the same: what sharing by need is set "
        "against when nobody said what is in place now.",
        decimals=2,
    ),
    "target": Column(
        "Target", "{unit}", "Fair share of the total, before rounding to whole steps.", decimals=2
    ),
    "minutes": Column(
        "Minutes of a contact",
        "minutes",
        "With the patient and on the way, as the planner gave them.",
        decimals=1,
    ),
    "price": Column(
        "Price",
        "ratio",
        "What a unit of care costs here over the average, as the planner gave it.",
        decimals=3,
    ),
    "bounded_target": Column(
        "Target inside limits",
        "{unit}",
        "Fair share inside the plan's limits and choices, the total kept, before rounding.",
        decimals=2,
    ),
    "held_by": text("Held by", "The limit that keeps the team off its target, if one does."),
    "ring_fenced": Column(
        "Ring-fenced", "{unit}", "Part of the posts that the team has on top of its share.", decimals=1
    ),
    "adjusted": Column(
        "Moved by adjustments",
        "{unit}",
        "Posts in this plan less those without the local adjustments.",
        decimals=1,
        signed=True,
    ),
    "posts": Column(
        "Posts in this plan",
        "{unit}",
        "Fair share rounded to steps of {step}, so that the total is kept exactly.",
    ),
    "current": Column("Posts now", "{unit}", "In place now, as the planner gave it.", decimals=1),
    "vacancies": Column(
        "Vacancies", "{unit}", "Part of the posts now that nobody fills, as the planner gave it.", decimals=1
    ),
    "distance_from_target": Column(
        "Distance from target",
        "share",
        "Posts now divided by target, less 1. Below zero the team has less than its fair share.",
        "percent",
        1,
        signed=True,
    ),
    "change": Column("Change", "{unit}", "Posts in this plan less posts now.", decimals=1, signed=True),
    "share_outside_fitted_range": Column(
        "Adults outside the fitted range",
        "share",
        "Part of the team's {people} adults who live in areas less deprived than the mean of Liverpool's "
        "least deprived fifth: there the formula is carried beyond the areas that it was fitted on.",
        "percent",
        1,
    ),
}

_NEED: dict[str, Column] = {
    "lsoa11": _LSOA11,
    "lsoa21": _LSOA21,
    "imd_score": Column(
        "Deprivation score", "score", "Index of Multiple Deprivation; higher is more deprived.", decimals=2
    ),
    "deprivation_decile": Column(
        "Deprivation decile", "1 to 10", "National tenth of deprivation; 1 is the most deprived."
    ),
    "registered": Column("Registered people", "people", "Patients of any practice who live in the area."),
    "resident": Column("Resident people", "people", "People of all ages living in the area."),
    "registered_adults": Column("Registered adults", "people", "Patients of the area aged 18 and over."),
    "resident_adults": Column("Resident adults", "people", "People aged 18 and over living in the area."),
    "expected_use": Column(
        "Expected use",
        "per adult and year",
        "What the need formula expects, supply held the same: contacts, unless a formula of the planner's "
        "own counts something else.",
        decimals=2,
    ),
    "need_index_age_standardised": Column(
        "Need index, ages made equal",
        "ratio",
        "Need index if every area had the same mix of ages: what is left is deprivation and conditions.",
        decimals=2,
    ),
}

_COVERAGE: dict[str, Column] = {
    "group": text("Group", "Who is counted in this row, and why they are told apart."),
    "practices": Column("Practices", "practices", "Practices with patients in this group."),
    "areas": Column("Areas", "areas", "Areas with patients in this group."),
    "patients": Column("Patients", "people", "Registered patients in this group."),
    "share": Column("Share of patients", "share", "Part of all registered patients read.", "percent", 2),
}


def _share_of(what: str, meaning: str) -> Column:
    return Column(f"Share of {what}", "share", meaning, "percent", 1)


_EQUITY: dict[str, Column] = {
    "deprivation_fifth": Column(
        "Deprivation fifth",
        "1 to 5",
        "Areas ranked by deprivation and cut into fifths by national rank; 1 is the most deprived.",
    ),
    "people": Column(
        "Adults",
        "people",
        "Adults of the plan's teams who live in the fifth's areas, as the teams count them.",
    ),
    "current": _ALLOCATION["current"],
    "target": _ALLOCATION["target"],
    "posts": replace(
        _ALLOCATION["posts"], meaning="Posts in this plan, each team's spread over its areas by need."
    ),
    "change": _ALLOCATION["change"],
    "share_of_people": _share_of("adults", "The fifth's part of all adults."),
    "share_of_need": _share_of("need", "The fifth's part of all expected use."),
    "share_of_current": _share_of(
        "posts now", "The fifth's part of the posts now, each team's spread by need."
    ),
    "share_of_target": _share_of("target", "The fifth's part of all targets, each team's spread by need."),
    "share_of_posts": _share_of(
        "posts in this plan", "The fifth's part of the posts in this plan, spread by need."
    ),
    "need_index_crude": Column(
        "Need index, as it is",
        "ratio",
        "Mean need index of the fifth's adults, with the ages they have.",
        decimals=2,
    ),
    "need_index_age_standardised": Column(
        "Need index, ages made equal",
        "ratio",
        "Mean need index if every fifth had the same mix of ages: what is left is not age.",
        decimals=2,
    ),
    "posts_per_10000_adults": Column(
        "Posts in this plan per 10,000 adults",
        "{unit} per 10,000 adults",
        "Posts in this plan by adults.",
        decimals=2,
    ),
    "current_per_10000_adults": Column(
        "Posts now per 10,000 adults", "{unit} per 10,000 adults", "Posts now by adults.", decimals=2
    ),
}

_FLOWS: dict[str, Column] = {
    "lsoa11": _LSOA11,
    "lsoa21": _LSOA21,
    "team": TEAM,
    "registered": Column(
        "Registered people", "people", "People who live in the area and are registered with the team."
    ),
    "resident_share": Column(
        "Share of the area",
        "share",
        "Of the area's registered people, the part with this team.",
        "percent",
        1,
    ),
    "patient_share": Column(
        "Share of the team", "share", "Of the team's patients, the part living in this area.", "percent", 2
    ),
}

_COLUMNS: Mapping[str, dict[str, Column]] = {
    "allocation": _ALLOCATION,
    "need": _NEED,
    "coverage": _COVERAGE,
    "equity": _EQUITY,
    "flows": _FLOWS,
    **schema_beside.COLUMNS,
}
TITLES: Mapping[str, str] = {
    "allocation": "Allocation: one row for each team",
    "need": "Need: one row for each area",
    "coverage": "Coverage: who is counted, who is not, and why",
    "equity": "Equity: one row for each fifth of deprivation, the most deprived first",
    "flows": "Flows: which team the people of each area are registered with",
    **schema_beside.TITLES,
}


def decimals_of(step: float) -> int:
    """Decimals that a step of posts needs: 0 for 1, 1 for 0.1 and 0.5, 2 for 0.25."""
    exponent = Decimal(repr(step)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def column(bundle: Bundle, table: str, name: str) -> Column:
    """How a column of a table is shown in this run.

    Raises
    ------
    OutputError
        The column is not described: nothing may be shown that a reader cannot look up.
    """
    known = {SUPPRESSED: WITHHELD} | _COLUMNS.get(table, {})
    found = known.get(name) or (
        _NEED_INDEX if name.startswith("need_index_") else schema_beside.alike(table, name)
    )
    if found is None:
        raise OutputError(
            f"Column “{name}” of the {table} table is not described in report/schema.py. "
            f"Described are: {', '.join(known) or 'none'}. Describe it there, or leave it out of the table."
        )
    other_base = name.removeprefix("need_index_").replace("_", " ")
    base_name = bundle.base_name if name == bundle.need_index else other_base
    words = {"unit": bundle.unit, "step": f"{bundle.step:g}", "base_name": base_name, "people": bundle.people}
    decimals = found.decimals
    if name == "posts":
        decimals = decimals_of(bundle.step)
    elif name in ("current", "change"):
        decimals = max(decimals, decimals_of(bundle.step))
    return replace(
        found,
        label=found.label.format(**words),
        unit=found.unit.format(**words),
        meaning=found.meaning.format(**words),
        decimals=decimals,
    )


def columns(bundle: Bundle, table: str) -> dict[str, Column]:
    """Every column of a table in its order, described for this run."""
    return {str(name): column(bundle, table, str(name)) for name in bundle.table(table).columns}


def dictionary(bundle: Bundle) -> list[tuple[str, str, Column]]:
    """(table, column, description) of every column that this run writes."""
    return [(table, name, found) for table in bundle.tables for name, found in columns(bundle, table).items()]
