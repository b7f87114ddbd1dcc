"""The tables of a run beside its posts: what need is made of, how far it ranges, and who lives there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from needsalloc.ages import Whose
from needsalloc.allocate import Allocation
from needsalloc.area_registers import registers_by_area
from needsalloc.assumptions import Assumption
from needsalloc.catchment import Catchment
from needsalloc.decompose import decompose
from needsalloc.errors import InvalidValueError, PlanError, first_few
from needsalloc.growth import Growth
from needsalloc.index import NeedIndex, need_index
from needsalloc.index_changes import index_changes
from needsalloc.inputs import Inputs, with_held
from needsalloc.kernels import inequality
from needsalloc.need import NeedFormula
from needsalloc.people import ON_2019_SCALE
from needsalloc.plan_allocation import asked
from needsalloc.planning_cohorts import PlanningCohorts, planning_cohorts
from needsalloc.published import NAMES, READINGS
from needsalloc.ranges import BOTH, range_over
from needsalloc.vintages import carry_rates

_PEOPLE: tuple[Whose, ...] = ("registered", "resident")
_COHORT_FILES = ("lists", "population", "conditions", "deprivation", "disability")
# Practices times sets of conditions: England with eleven conditions, about half a minute.
MOST_WORK = 16_000_000


@dataclass(frozen=True, slots=True)
class Beside:
    """Tables beside the allocation, a sentence for each, and what was assumed for them.

    `moved` is the share of posts that the other reading of a formula from print would move, None where there
    is none; `findings` are sentences for the first screen. `ways` are the weighted population of each team by
    the other readings of a formula from print and by other people, by (reading, people).
    """

    tables: Mapping[str, pd.DataFrame]
    said: Mapping[str, str]
    notes: tuple[Assumption, ...]
    findings: tuple[str, ...] = ()
    moved: float | None = None
    ways: Mapping[tuple[str, str], pd.Series] = field(default_factory=dict)

    def joined(self, *others: Beside) -> Beside:
        """These tables and the others, with all that is said of either."""
        every = (self, *others)
        return Beside(
            {name: table for each in every for name, table in each.tables.items()},
            {name: said for each in every for name, said in each.said.items()},
            tuple(note for each in every for note in each.notes),
            tuple(finding for each in every for finding in each.findings),
            next((each.moved for each in every if each.moved is not None), None),
            {way: weighted for each in every for way, weighted in each.ways.items()},
        )


def tables_beside(inputs: Inputs, need: NeedIndex, allocation: Allocation) -> Beside:
    """Every table beside the allocation that the plan's formula and files give, for the plan's own teams.

    Raises PlanError for an edition of deprivation that cannot be compared, and whatever the parts refuse.
    """
    rows = allocation.table.reset_index().sort_values(["is_team", "team"], ascending=[False, True])
    shown = pd.Index(rows["team"])
    own = replace(need, teams=need.teams.loc[shown])
    tables: dict[str, pd.DataFrame] = {}
    said: dict[str, str] = {}
    findings: list[str] = []
    moved, ways = None, dict[tuple[str, str], pd.Series]()
    notes = _too_much_to_take_apart(need)
    if not notes:
        found = decompose(need).table.drop(columns="is_team").loc[shown]
        tables["decomposition"] = found.rename_axis("team").reset_index()
        said["decomposition"] = (
            "Each team’s need index is 1 and what age and sex, deprivation and each condition add to it or "
            f"take from it, against {need.base.name}. The split is descriptive: deprivation holds a health "
            "domain, and a condition is what practices have registered."
        )
    if inputs.plan.need.formula in NAMES:
        tables["need_range"], said["need_range"], moved, ways = _range(inputs, own, allocation)
    cohorts, ungrown = _cohorts(inputs, need)
    counted = cohorts.table.drop(columns=["icb_name", "is_team"])
    others = counted.index[:0] if inputs.plan.catchment.icb else counted.index.difference(shown)
    tables["planning_cohorts"] = counted.loc[[*shown, *others]].reset_index()
    # The library's own words name its argument; a plan names a file.
    how = cohorts.sources["how"].str.replace("(own=)", "([inputs] counts)", regex=False)
    tables["cohort_sources"] = cohorts.sources.assign(how=how).reset_index()
    said["planning_cohorts"] = _cohorts_in_words(cohorts)
    said["cohort_sources"] = "Whom each column of the planning cohorts counts, of which file and day."
    notes += [*cohorts.notes, *ungrown]
    if "deprivation_before" in inputs.frames:
        before, carried = scores_before(inputs, need.catchment)
        notes += carried
        tables["index_changes"], said["index_changes"] = _changes(inputs, own, before)
        findings.append(said["index_changes"])
    return Beside(tables, said, tuple(notes), tuple(findings), moved, ways)


def _too_much_to_take_apart(need: NeedIndex) -> list[Assumption]:
    """A note if there are so many conditions that an index cannot be taken apart in the time of a run."""
    prevalence, formula = need.use.people.prevalence, need.use.formula
    conditions = [name for name in prevalence if name in {*formula.count, *formula.zero}]
    if len(prevalence) * 2 ** len(conditions) <= MOST_WORK:
        return []
    what = f"The need index is not taken apart: {len(conditions)} conditions differ between practices"
    return [Assumption(what, "Every set of them would have to be looked at", "gap", "")]


def _range(
    inputs: Inputs, need: NeedIndex, allocation: Allocation
) -> tuple[pd.DataFrame, str, float | None, dict[tuple[str, str], pd.Series]]:
    """The range of each team's index, its sentence, the share of posts that the other reading moves, and the
    weighted population of each team by the other ways."""
    plan, drawn, people, own = inputs.plan, need.catchment, need.use.people, need.use.formula.name
    other, moved = _other_reading(plan.need.formula), None
    # The sex of the interaction, held use of services and other catchments would double the time of a run
    # each; `need_range` has them.
    readings = {formula.name: formula for formula in map(NeedFormula.published, NAMES)}
    found: dict[tuple[str, str], pd.Series] = {}
    ways: dict[tuple[str, str], pd.Series] = {}
    # The plan's own way comes first: what a choice moves is told from there.
    for name, formula in sorted(readings.items(), key=lambda reading: reading[0] != own):
        use = with_held(formula, plan).expected_use(people) if found else need.use
        for whose in sorted(_PEOPLE[drawn.of_whole_areas :], key=lambda whose: whose != need.people):
            index = need_index(
                use, base=plan.need.base, people=whose, icb=plan.catchment.icb, catchment=drawn
            )
            way = name.rpartition("2024-")[2], f"{whose} people"
            found[way] = index.teams[index.column]
            if (name, whose) != (own, need.people):
                ways[way] = index.teams["weighted_population"]
            if name == other and whose == need.people:
                moved = _moved(inputs, need, allocation, index)
    indices = pd.DataFrame(found).loc[need.teams.index[need.teams["is_team"]]]
    indices.columns.names = ["reading", "people"]
    ranged = range_over(indices)
    table = ranged.table
    table.insert(0, "team_name", need.teams["team_name"])
    alone = [f"{name} {row['usual']:.2f}" for name, row in ranged.choices.iterrows() if row["ways"] > 1]
    sides = int((table["side"] == BOTH).sum())
    apart = (table["high"] - table["low"]).median()
    sentence = (
        f"Over {indices.shape[1]} ways to make the index that print and plan leave open, as a rule the "
        f"highest and the lowest are {apart:.2f} apart (by each choice alone: {', '.join(alone)}); {sides:,} "
        f"of {len(table):,} teams are on both sides of 1. It is a range, no interval and no "
        "probability: nothing says that the truth is inside it."
    )
    return table.rename_axis("team").reset_index(), sentence, moved, ways


def _other_reading(formula: str) -> str | None:
    """The published formula whose count table is read the other way, if there is one."""
    if formula not in READINGS:
        return None
    return next(name for name, reading in reversed(READINGS.items()) if reading != READINGS[formula])


def _moved(inputs: Inputs, need: NeedIndex, allocation: Allocation, other: NeedIndex) -> float:
    """The share of posts that would be elsewhere with the other need index, time and all else as they are."""
    by_other = asked(inputs, need).by_need(other.teams["weighted_population"])
    shares = by_other.but(minimum=0.0, limits=(), adjustments=()).allocate().table["target_share"]
    own = allocation.table["target_share"]
    return float(inequality.hoover(own.to_numpy(), shares.reindex(own.index).to_numpy()))


def _cohorts(inputs: Inputs, need: NeedIndex) -> tuple[PlanningCohorts, list[Assumption]]:
    """The planners' first table from the files at hand, and a note if it cannot be grown as people are."""
    files: dict[str, object] = {role: inputs.frames[role] for role in _COHORT_FILES if role in inputs.frames}
    dates = {role: inputs.dated(role) for role in files}
    if need.catchment.of_whole_areas:
        del files["lists"], dates["lists"]
        if "conditions" in files:
            files["conditions"] = registers_by_area(need.use.people, inputs.frames["conditions"])
    if "counts" in inputs.frames:
        files["own"], dates["own"] = inputs.frames["counts"], inputs.dated("counts")
    growth, notes = _usable(inputs.growth, inputs.frames["population"])
    return planning_cohorts(need.catchment, **files, growth=growth, dates=dates), notes  # type: ignore[arg-type]


def _usable(growth: Growth | None, population: pd.DataFrame) -> tuple[Growth | None, list[Assumption]]:
    """The growth if the population's bands can be cut at its ages; else none, and a note."""
    if growth is None or not growth.by_age:
        return growth, []
    try:
        growth.of_ages(population.iloc[:1])
    except InvalidValueError:
        said = "The planning cohorts are as counted, though need is that of the plan year"
        bands = first_few(population.columns, 12)
        why = f"The population's bands begin at {bands}: they cannot be cut at every age that grows"
        return None, [Assumption(said, why, "gap", "population")]
    return growth, []


def _cohorts_in_words(cohorts: PlanningCohorts) -> str:
    empty = [str(name).replace("_", " ") for name in cohorts.empty]
    return (
        "People whom planners ask about first, counted by team. They stand beside the index and are no "
        "weights in it; one person may be in several columns."
        + (f" Empty, since no file of the plan gives them: {', '.join(empty)}." if empty else "")
    )


def _changes(inputs: Inputs, need: NeedIndex, scores: pd.Series) -> tuple[pd.DataFrame, str]:
    """The teams, by how far they move only because one edition of deprivation took another's place."""
    plan, people = inputs.plan, need.use.people
    score = people.catchment.aligned(scores, "the deprivation file of the edition before", cover=False)
    use = need.use.formula.expected_use(replace(people, imd_score=score))
    before = need_index(
        use, base=plan.need.base, people=need.people, icb=plan.catchment.icb, catchment=need.catchment
    )
    before = replace(before, teams=before.teams.loc[need.teams.index])
    every, listed = index_changes(before, need, more_than=0), index_changes(before, need)
    old, new = (inputs.frames[role].attrs["edition"] for role in ("deprivation_before", "deprivation"))
    sentence = (
        f"Only because {new} took the place of {old}, all else equal, the need index of "
        f"{len(listed.table):,} of {listed.teams:,} teams is another by more than {listed.more_than:.0%}"
    )
    if len(every.table):
        most, crossing = every.table.iloc[0], int(every.table["crosses_1"].sum())
        change = f"{most['change']:+.1%}".replace("-", "−")
        sentence += f"; the furthest moves {most['team_name']} ({change}). Index across 1: {crossing:,}"
    table = every.table.assign(crosses_1=np.where(every.table["crosses_1"], "yes", "no"))
    return table.reset_index(), f"{sentence}."


def scores_before(inputs: Inputs, catchment: Catchment) -> tuple[pd.Series, list[Assumption]]:
    """The scores of the edition before, carried to the plan's areas if need be, and a note if they were.

    Raises PlanError for an edition on another scale, or if the files that carry it are lacking.
    """
    before = inputs.frames["deprivation_before"]
    edition, scores = before.attrs["edition"], before["imd_score"]
    if edition not in ON_2019_SCALE:
        raise PlanError(
            f"[inputs] deprivation_before is {edition}; what moves is told against {ON_2019_SCALE[0]}, the "
            "scale that the published formula was fitted on. Give that edition."
        )
    if before.index.name == catchment.vintage:
        return scores, []
    lacking = [role for role in ("lookup", "population_before") if role not in inputs.frames]
    if lacking:
        raise PlanError(
            f"[inputs] deprivation_before is on areas of {before.index.name}, the registrations on those "
            f"of {catchment.vintage}; to carry it, the plan lacks {' and '.join(lacking)}: the exact-fit "
            f"lookup, and the people of the areas of {before.index.name}."
        )
    residents = inputs.frames["population_before"].sum(axis=1)
    what = (
        f"Scores of {edition} were carried from areas of {before.index.name} to those of {catchment.vintage}"
    )
    why = "A part of a split area has the score of the whole, merged areas have the mean over their people"
    note = Assumption(what, why, "assumption", "exact-fit lookup")
    return carry_rates(scores, inputs.frames["lookup"], to=catchment.vintage, people=residents), [note]


__all__ = ["Beside", "scores_before", "tables_beside"]
