"""How each need measure gets to the rows of a comparison: from flows, from practices, from areas.

What belongs to practices or flows is added up; an area's index is averaged over the people of the row, who
are taken to be as old as their area; a score, which is no ratio, is made anew from averaged rates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import pandas as pd

from needsalloc.assumptions import Assumption
from needsalloc.catchment import Catchment
from needsalloc.errors import NeedsallocError, UnknownCodeError
from needsalloc.formulas import PRESETS, Measured, Preset, with_equal_ages
from needsalloc.index import NeedIndex, need_index
from needsalloc.measures import NO_PATIENTS_HERE, RelativeNeed, relative_need, relative_need_by_area
from needsalloc.need import NeedFormula
from needsalloc.published import NAMES
from needsalloc.sources.weighted_populations import COMPONENTS
from needsalloc.use import ExpectedUse

Unit = Literal["team", "area"]
Whose = Literal["registered", "resident"]
BaseName = Literal["england", "icb"]

PLACE_TOOL = "nhs-england"
_BASES: tuple[BaseName, ...] = ("england", "icb")
_PLACE_TOOL_SOURCE = "NHS England, ICB place-based allocation tool"


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a comparison, and how what is known elsewhere gets to them.

    `home` is the catchment that use was computed on, `drawn` that of the teams (the same without groups);
    `whose` people a team answers for.
    """

    home: Catchment
    drawn: Catchment
    unit: Unit
    whose: Whose

    @cached_property
    def table(self) -> pd.DataFrame:
        if self.unit == "team":
            lists = self.drawn.populations()["registered"]
            return self.drawn.teams.assign(registered=lists)
        team = self.home.team_of_area().reindex(self.home.areas)
        icb = self.home.teams[["icb", "icb_name"]].reindex(team).fillna("").set_axis(self.home.areas)
        return icb.assign(registered=self.home.registered_by_area)

    @property
    def groups(self) -> pd.Series:
        """The team of each practice, or of each area where teams are made of areas."""
        if self.drawn.of_whole_areas:
            return self.drawn.team_of_area()
        return pd.Series(
            self.drawn.teams.index[self.drawn.team_of_practice], self.drawn.practices, name="team"
        )

    def over_icb(self, per_head: pd.Series, people: pd.Series) -> pd.Series:
        """Need per head over that of the row's ICB; rows of no ICB have none."""
        icb = self.table["icb"].where(self.table["icb"] != "")
        counted = people.where(per_head.notna())
        mean = (per_head * counted).groupby(icb).sum() / counted.groupby(icb).sum()
        return per_head / icb.map(mean)

    def average(self, rates: pd.Series, people: pd.Series) -> tuple[pd.Series, pd.Series]:
        """An area's rate over the people of each row, and how many these are."""
        if self.unit == "area":
            here = self.home.aligned(people, "the people of the measure", cover=False)
            found = self.home.aligned(rates, "the measure", cover=False)
            return pd.Series(found, self.home.areas), pd.Series(here, self.home.areas)
        if self.whose == "registered":
            return self.drawn.average(rates), self.drawn.populations()["inside"]
        self.home.aligned(people, "the people of the measure", cover=False)
        lived = self.drawn.with_residents(people.reindex(self.home.areas).rename("residents"))
        return lived.average(rates), lived.populations()["resident"]


@dataclass(frozen=True, eq=False)
class Found:
    """A measure: its row in `measures`, and its values by row, or why there are none."""

    name: str
    title: str
    source: str
    made_on: str
    kind: str = "index"
    edition: str = ""
    people: str = ""
    base_people: str = ""
    by_row: Mapping[str, pd.Series] = field(default_factory=dict)
    counted: pd.Series | None = None
    notes: tuple[Assumption, ...] = ()
    lacks: str = ""


def district_nursing(uses: Sequence[ExpectedUse], rows: Rows) -> Iterator[Found]:
    """The need index of each use on the rows, and the published ones that are not among them."""
    for use in uses:
        who = use.people
        base: BaseName = "england" if who.catchment.is_national else "icb"
        need = need_index(
            use, base=base, people=rows.whose, catchment=None if rows.drawn is rows.home else rows.drawn
        )
        yield _of_use(need, base, rows)
    given = {use.formula.name for use in uses}
    published = {formula.name: formula for formula in map(NeedFormula.published, NAMES)}
    for formula in published.values():
        if formula.name not in given:
            yield Found(
                formula.name,
                formula.title,
                formula.cite(),
                "flows",
                lacks=f"uses: NeedFormula.published({formula.name!r}).expected_use(people), the people being "
                "those of build_people (population by age, deprivation and lists by age and sex).",
            )


def _of_use(need: NeedIndex, base: BaseName, rows: Rows) -> Found:
    """A need index on the rows."""
    whose = "resident" if rows.unit == "area" else need.people
    table = need.areas if rows.unit == "area" else need.teams
    counted = table[f"{whose}_adults"]
    values = {"icb": rows.over_icb(table["expected_use"], counted)}
    if base == "england":
        values["england"] = table[need.column]
        if rows.unit == "area":
            values["equal"] = table["need_index_age_standardised"]
    formula = need.use.formula
    return Found(
        formula.name,
        formula.title,
        formula.cite(),
        "flows",
        people=f"{whose} adults",
        base_people="England's resident adults" if base == "england" else "",
        by_row=values,
        counted=counted,
        notes=(*formula.notes, *need.use.people.notes),
    )


def place_tool(editions: Sequence[pd.DataFrame], rows: Rows) -> Iterator[Found]:
    """Every component of each edition of NHS England's weighted populations on the rows."""
    for populations in editions:
        edition = str(populations.attrs.get("edition") or "")
        name = "-".join(["/" + PLACE_TOOL, *([edition.replace("/", "-")] if edition else [])])
        need, notes = _relative_need(populations, rows)
        table = need.table.reindex(rows.table.index)
        for component in COMPONENTS:
            yield Found(
                component.replace("_", "-") + name,
                f"NHS England, {component.replace('_', ' ')}, {edition}".rstrip(", "),
                _PLACE_TOOL_SOURCE,
                "practices",
                edition=edition,
                people="patients of the file's practices",
                base_people="patients of all practices of the file",
                by_row={base: table[f"{component}_index_{base}"] for base in _BASES},
                counted=table["population"],
                notes=notes,
            )
    if not editions:
        yield Found(
            f"place-tool/{PLACE_TOOL}",
            f"NHS England, weighted populations: {', '.join(COMPONENTS)}".replace("_", " "),
            _PLACE_TOOL_SOURCE,
            "practices",
            lacks="weighted_populations: the file of any year (read_weighted_populations).",
        )


def _relative_need(populations: pd.DataFrame, rows: Rows) -> tuple[RelativeNeed, tuple[Assumption, ...]]:
    if rows.unit == "area" or rows.drawn.of_whole_areas:
        need = relative_need_by_area(populations, rows.home)
        away = need.elsewhere["population"]
        practices = int(need.summary["codes"].get(NO_PATIENTS_HERE, 0))
        if rows.unit == "team":
            need = need.regroup(rows.groups)
    else:
        # Practices of the file without patients here would else be with the catchment's that the map lacks.
        practices_of_both = rows.groups.index.union(pd.Index(populations["practice"]))
        need = relative_need(populations, rows.groups.reindex(practices_of_both, fill_value=NO_PATIENTS_HERE))
        gone = need.table.reindex([NO_PATIENTS_HERE]).fillna({"population": 0.0, "practices": 0})
        away, practices = gone["population"].iloc[0], int(gone["practices"].iloc[0])
    if not practices:
        return need, ()
    edition = need.edition or "the edition given"
    note = Assumption(
        f"{practices:,} practices of the weighted populations of {edition}, with {away:,.0f} people, have no "
        "patients in these flows: they count in the England base and in no row",
        "Practices close, open and change codes between the two files, or the flows are of a part of England",
        "gap",
        str(populations.attrs.get("source", {}).get("file", edition)),
    )
    return need, (note,)


def of_areas(inputs: Mapping[str, pd.DataFrame], rows: Rows) -> Iterator[Found]:
    """Every preset by area carried to the rows, or what it lacks."""
    return (_of_areas(preset, inputs, rows) for preset in PRESETS.values())


def _of_areas(preset: Preset, inputs: Mapping[str, pd.DataFrame], rows: Rows) -> Found:
    about = (preset.name, preset.title, preset.source, "areas", preset.kind)
    try:
        if preset.kind == "score":
            values, counted, measured = _score(preset, inputs, rows)
        else:
            values, counted, measured = _index_of_areas(preset, inputs, rows)
    except NeedsallocError as error:
        return Found(*about, lacks=str(error))
    listed = rows.unit == "team" and rows.whose == "registered"
    return Found(
        *about,
        people="registered patients" if listed else "residents",
        base_people="the people of all England's areas" if "england" in values else "",
        by_row=values,
        counted=counted,
        notes=measured.notes,
    )


def _index_of_areas(
    preset: Preset, inputs: Mapping[str, pd.DataFrame], rows: Rows
) -> tuple[dict[str, pd.Series], pd.Series, Measured]:
    try:
        measured, national = preset.compute(inputs, "england"), True
    except UnknownCodeError:
        measured, national = preset.compute(inputs, "all"), False
    index, counted = rows.average(measured.by_place, measured.people)
    values = {"icb": rows.over_icb(index, counted)}
    if national:
        values["england"] = index
        if rows.unit == "area" and "population" in preset.needs:
            level = dict(inputs) | {"population": with_equal_ages(inputs["population"])}
            equal = preset.compute(level, "england").by_place
            values["equal"] = rows.average(equal, measured.people)[0]
    return values, counted, measured


def _score(
    preset: Preset, inputs: Mapping[str, pd.DataFrame], rows: Rows
) -> tuple[dict[str, pd.Series], pd.Series, Measured]:
    measured = preset.compute(inputs, "all")
    if rows.unit == "area":
        score, counted = rows.average(measured.by_place, measured.people)
        return {"score": score}, counted, measured
    (name,) = preset.needs
    counts = inputs[name].drop(columns="population")
    rates = {
        column: rows.average((counts[column] / measured.people).rename("rate"), measured.people)
        for column in counts
    }
    counted = next(iter(rates.values()))[1]
    averaged = pd.DataFrame({column: rate for column, (rate, _) in rates.items()})
    teams = averaged[rows.table["is_team"] & averaged.notna().all(axis=1)].assign(population=1.0)
    score = preset.compute({name: teams}, "all").by_place
    return {"score": score.reindex(rows.table.index)}, counted, measured


__all__ = ["BaseName", "Found", "Rows", "Unit", "Whose", "district_nursing", "of_areas", "place_tool"]
