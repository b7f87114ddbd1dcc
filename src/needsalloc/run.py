"""One run of a plan: read, check, compute, and hand everything to the report with its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import needsalloc
from needsalloc import reference, sources, synthetic
from needsalloc.allocate import Allocation, allocate
from needsalloc.assumptions import Assumption
from needsalloc.audit import EquityAudit, audit_equity
from needsalloc.catchment import NO_PCN_ELSEWHERE, NOT_IN_MAP, Catchment, practices_in
from needsalloc.errors import InputFileError, PlanError
from needsalloc.kernels import rank
from needsalloc.need import NeedFormula, NeedIndex, need_index
from needsalloc.people import People, build_people
from needsalloc.plan import InputFile, Plan
from needsalloc.report import Bundle, Check, Source, write
from needsalloc.sources import NO_PCN

Progress = Callable[[str], None]

_READERS: Mapping[str, Callable[..., pd.DataFrame]] = {
    "registrations": sources.read_registrations,
    "membership": sources.read_membership,
    "population": sources.read_population,
    "deprivation": sources.read_deprivation,
    "lists": sources.read_lists,
    "conditions": sources.read_conditions,
    "current": sources.read_current,
    "boundaries": sources.read_boundaries,
}
_PUBLISHED = {
    "registrations": ("NHS England", "Patients registered at a GP practice, by LSOA"),
    "membership": ("NHS England", "Patients registered at a GP practice: practice mapping"),
    "population": ("Office for National Statistics", "Population by LSOA and age"),
    "deprivation": ("MHCLG", "English Indices of Deprivation"),
    "lists": ("NHS England", "Patients registered at a GP practice, by single year of age and sex"),
    "conditions": ("NHS England", "Quality and Outcomes Framework: registers"),
    "current": ("the planner", "Posts in place now"),
    "boundaries": ("Office for National Statistics", "LSOA boundaries"),
}
OGL = "Open Government Licence v3.0"
_ATTRIBUTION = (
    "Contains public sector information licensed under the Open Government Licence v3.0.",
    "Contains OS data © Crown copyright and database right.",
)
_TABLES_USED = (
    "filipe-2024-zero",
    "filipe-2024-table1",
    "open-data-concordance",
    "age-gradients",
    "liverpool-calibration",
)
_DAYS_APART = 100
_LOW_COVERAGE = 0.5
_EXACT = 1e-9


@dataclass(frozen=True, eq=False)
class Inputs:
    """The files of a plan, read: frames by role."""

    plan: Plan
    frames: Mapping[str, pd.DataFrame]


@dataclass(frozen=True, eq=False)
class Result:
    """A finished run: its parts for an analyst, and the bundle for the report."""

    plan: Plan
    catchment: Catchment
    people: People
    need: NeedIndex
    allocation: Allocation
    audit: EquityAudit
    bundle: Bundle

    def write(self, folder: str | Path | None = None, *, progress: Progress | None = None) -> dict[str, Path]:
        """Write the report's folder, whole or not at all; by default where the plan says."""
        return write(self.bundle, folder or self.plan.report.out, progress=progress)


def read_inputs(plan: Plan, folder: str | Path, *, progress: Progress | None = None) -> Inputs:
    """Read every file of the plan from `folder`.

    Raises PlanError for a path outside the folder, and whatever the readers refuse.
    """
    frames = {}
    for role, file in plan.inputs.files().items():
        if progress:
            progress(f"reading {role}")
        path = _inside(Path(folder), role, file)
        try:
            frames[role] = _READERS[role](path, **file.named_columns)
        except TypeError as error:
            if "unexpected keyword" not in str(error):
                raise
            raise PlanError(
                f"[inputs.{role}] names a column that its reader does not know: {error}."
            ) from error
    return Inputs(plan, frames)


def _inside(folder: Path, role: str, file: InputFile) -> Path:
    if not folder.is_dir():
        raise InputFileError(f"The data folder {folder.name} does not exist. Give it with --data.")
    path = (folder / file.path).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise PlanError(
            f"[inputs] {role} = {file.path!r} leads out of the data folder. Put the file inside it, or give another folder with --data."
        )
    return path


def run_plan(plan: Plan, folder: str | Path, *, progress: Progress | None = None) -> Result:
    """Read the files of a plan from `folder`, compute it, and return all of it; nothing is written.

    Raises NeedsallocError, with what to do, for anything that the files or the plan have wrong.
    """
    say = progress or (lambda _: None)
    inputs = read_inputs(plan, folder, progress=progress)
    say("catchments")
    catchment = build_catchment(inputs)
    say("people")
    people = build_plan_people(inputs, catchment)
    say("need")
    formula = NeedFormula.published(plan.need.formula)
    need = _need(plan, formula, people)
    other = _need(plan, NeedFormula.published(_other_reading(formula.name)), people)
    say("allocation")
    allocation = _allocate(inputs, need)
    audit = audit_equity(allocation, need)
    moved = _moved_by_reading(allocation, other)
    bundle = _bundle(inputs, catchment, need, allocation, audit, moved)
    return Result(plan, catchment, people, need, allocation, audit, bundle)


def build_catchment(inputs: Inputs) -> Catchment:
    """The plan's catchment; with one ICB, practices without a PCN elsewhere are a group of their own."""
    membership, icb = inputs.frames["membership"], inputs.plan.catchment.icb
    if icb:
        practices_in(membership, "icb", icb)
        elsewhere = (membership["pcn"] == NO_PCN) & (membership["icb"] != icb)
        membership = membership.assign(
            pcn=membership["pcn"].mask(elsewhere, NO_PCN_ELSEWHERE),
            pcn_name=membership["pcn_name"].mask(elsewhere, "No PCN, in other ICBs"),
        )
    return Catchment.from_registrations(inputs.frames["registrations"], membership)


def build_plan_people(inputs: Inputs, catchment: Catchment) -> People:
    """The plan's people, from the files it has."""
    roles = ("population", "deprivation", "lists", "conditions")
    return build_people(catchment, **{role: inputs.frames[role] for role in roles if role in inputs.frames})


def _need(plan: Plan, formula: NeedFormula, people: People) -> NeedIndex:
    return need_index(
        formula.expected_use(people), base=plan.need.base, people=plan.need.people, icb=plan.catchment.icb
    )


def _rows(plan: Plan, teams: pd.DataFrame) -> pd.Series:
    """The teams that the plan is about: all, or those of its ICB and its practices without a PCN."""
    icb = plan.catchment.icb
    return (
        pd.Series(True, index=teams.index) if icb is None else (teams["icb"] == icb) | (teams.index == NO_PCN)
    )


def _allocate(inputs: Inputs, need: NeedIndex) -> Allocation:
    plan = inputs.plan
    return allocate(
        plan.plan.total,
        need.teams[_rows(plan, need.teams)],
        current=inputs.frames.get("current"),
        step=plan.plan.step,
        minimum=plan.allocate.minimum,
        rule=plan.allocate.rule,
        unit=plan.plan.unit,
        without_posts=(NOT_IN_MAP,)
        if plan.allocate.posts_without_pcn and NOT_IN_MAP in need.teams.index
        else ()
        if plan.allocate.posts_without_pcn
        else None,
    )


def _other_reading(name: str) -> str:
    stem, reading = name.rsplit("-", 1)[0], name.endswith("realigned")
    return f"{stem.removesuffix('-as')}-as-printed" if reading else f"{stem.removesuffix('-as')}-realigned"


def _moved_by_reading(allocation: Allocation, other: NeedIndex) -> float:
    """Share of posts that would move if the other reading of the count table were used."""
    given = allocation.table["target_share"] > 0
    second = other.teams.loc[allocation.table.index[given], "weighted_population"]
    return rank.hoover(allocation.table.loc[given, "target_share"].to_numpy(), second.to_numpy())


def _bundle(
    inputs: Inputs,
    catchment: Catchment,
    need: NeedIndex,
    allocation: Allocation,
    audit: EquityAudit,
    moved: float,
) -> Bundle:
    plan = inputs.plan
    made_up = synthetic.is_synthetic(catchment.areas)
    drawn = catchment.team_of_area()
    drawn = drawn[drawn.isin(allocation.table.index)]
    areas = need.areas if plan.catchment.icb is None else need.areas.loc[drawn.index]
    flows = catchment.to_frame()
    if plan.catchment.icb is not None:
        flows = flows[flows["team"].isin(allocation.table.index)].reset_index(drop=True)
    assumptions = _assumptions(need, allocation, made_up)
    return Bundle(
        title=plan.plan.title,
        status=plan.plan.status,
        service="district nursing",
        unit=plan.plan.unit,
        total=plan.plan.total,
        step=plan.plan.step,
        base=need.base,
        base_name=need.base_name,
        people=need.people,
        area_column=catchment.vintage,
        sentences=_sentences(plan, catchment, need, allocation, audit, moved),
        warnings=_warnings(need, allocation, audit, made_up),
        allocation=_allocation_table(allocation, need),
        need=areas.reset_index(),
        coverage=catchment.coverage(),
        equity=audit.table,
        flows=flows,
        parameters=_parameters(plan, need),
        assumptions=assumptions,
        checks=tuple(_checks(inputs, catchment, need, allocation)),
        sources=_sources(inputs, need.use.formula, made_up),
        attribution=() if made_up else _ATTRIBUTION,
        boundaries=inputs.frames.get("boundaries"),  # type: ignore[arg-type]
        teams_of_areas=drawn,
        effective_plan=plan.to_toml(),
        version=needsalloc.__version__,
    )


def _allocation_table(allocation: Allocation, need: NeedIndex) -> pd.DataFrame:
    columns = [
        "team", "team_name", "icb", "registered", "outside", "resident", "registered_adults", "resident_adults",
        need.column, "weighted_population", "target_share", "target", "posts", "current", "distance_from_target", "change",
    ]  # fmt: skip
    table = allocation.table.reset_index()
    order = table["is_team"].astype(int)
    return (
        table.assign(order=order)
        .sort_values(["order", "team"], ascending=[False, True])[columns]
        .reset_index(drop=True)
    )


def _sentences(
    plan: Plan,
    catchment: Catchment,
    need: NeedIndex,
    allocation: Allocation,
    audit: EquityAudit,
    moved: float,
) -> tuple[str, ...]:
    table, unit = allocation.table, plan.plan.unit
    teams = table[table["target_share"] > 0]
    index = teams[need.column]
    high, low = index.idxmax(), index.idxmin()
    lines = [
        f"The plan shares {plan.plan.total:,g} {unit} of district nursing between {len(teams):,} teams, in steps of "
        f"{plan.plan.step:g}, in proportion to the expected need of their {need.people} adults.",
        f"Need per adult runs from {index[low]:.2f} ({teams.at[low, 'team_name']}) to {index[high]:.2f} "
        f"({teams.at[high, 'team_name']}), where {need.base_name} is 1.00.",
    ]
    if allocation.has_current:
        short = teams[teams["distance_from_target"] < 0]
        gain = teams["change"].idxmax()
        lines.append(
            f"{len(short):,} of {len(teams):,} teams have less than their target now. {audit.hoover:.1%} of posts would have to move; "
            f"the largest gain is {teams.at[gain, 'change']:+.1f} {unit} ({teams.at[gain, 'team_name']})."
        )
    else:
        lines.append("What each team has now was not given, so the plan shows targets and no changes.")
    lines.append(
        "The formula is from print and gives no interval. Read the other way, its count table would move "
        f"{moved:.1%} of the posts: a range over readings, not a measure of chance."
    )
    without = table.loc[~table["is_team"], "registered"].sum()
    beyond = table["outside"].sum()
    lines.append(
        f"Left out: children (the formula is for adults); {without:,.0f} patients of practices without a PCN, shown as a row "
        f"without posts; whatever no open file says of need. {beyond:,.0f} patients who live outside English areas "
        "carry their team's mean need. The plan shares a total; it does not say how many posts are needed."
    )
    return tuple(lines)


def _warnings(need: NeedIndex, allocation: Allocation, audit: EquityAudit, made_up: bool) -> tuple[str, ...]:
    warnings = []
    if made_up:
        warnings.append("Everything here is made up: a synthetic ICB, to show what a plan looks like.")
    first = audit.table.iloc[0]
    why = (
        f"Its adults are younger: as it is, its need index is {first['need_index_crude']:.2f}; with the same ages everywhere it would be "
        f"{first['need_index_age_standardised']:.2f}."
    )
    if allocation.has_current and audit.most_deprived_change < 0:
        warnings.append(
            f"The most deprived fifth would lose {-audit.most_deprived_change:,.1f} {allocation.unit} against today. {why}"
        )
    elif first["share_of_posts"] < first["share_of_people"]:
        warnings.append(
            f"The most deprived fifth has {first['share_of_people']:.1%} of adults and would get {first['share_of_posts']:.1%} of posts. {why}"
        )
    if allocation.tied:
        warnings.append(
            f"The last step of {len(allocation.tied)} teams was decided by a tie: {', '.join(allocation.tied[:5])}."
        )
    off = allocation.below_quota + allocation.above_quota
    if off:
        warnings.append(
            f"{len(off):,} teams are a step or more from their target after rounding or by the minimum: {', '.join(off[:5])}."
        )
    return tuple(warnings)


def _parameters(plan: Plan, need: NeedIndex) -> dict[str, str]:
    return {
        "Service": "District nursing",
        "Total": f"{plan.plan.total:,g} {plan.plan.unit}",
        "Step": f"{plan.plan.step:g} {plan.plan.unit}",
        "Teams": "PCNs" + (f" of ICB {plan.catchment.icb}" if plan.catchment.icb else ""),
        "Catchment method": plan.catchment.method,
        "Need formula": need.use.formula.name,
        "Base of the need index": f"{need.base_name}: {need.base_people:,.0f} adults",
        "People of a team": f"{need.people} adults",
        "Rounding rule": plan.allocate.rule,
        "Minimum": f"{plan.allocate.minimum:g} {plan.plan.unit} a team",
    }


def _assumptions(need: NeedIndex, allocation: Allocation, made_up: bool) -> tuple[Assumption, ...]:
    own = [
        Assumption(
            "A contact costs the same time everywhere",
            "No open file gives travel or minutes by team; contacts are not workload",
            "assumption",
            "methods, section 3",
        ),
        Assumption(
            "Each team's posts are spread over its areas by expected use in the equity table",
            "Nobody records where posts work",
            "assumption",
            "methods, section 4",
        ),
    ]
    if not need.use.people.catchment.is_national:
        own.append(
            Assumption(
                "Residents beyond the registered are taken to be on lists outside the data",
                "The flows of a part of England do not show where else an area's people are registered",
                "gap",
                "registrations",
            )
        )
    if allocation.minimum:
        own.append(
            Assumption(f"No team gets less than {allocation.minimum:g}", "As the plan says", "choice", "plan")
        )
    return (*need.use.formula.notes, *need.use.people.notes, *own)


def _checks(inputs: Inputs, catchment: Catchment, need: NeedIndex, allocation: Allocation) -> list[Check]:
    """What should add up, added up; and what a planner should look at before trusting the rest."""
    people = need.use.people
    read = float(inputs.frames["registrations"]["patients"].sum())
    shares = np.asarray(
        catchment.to_frame().groupby(catchment.areas.name, observed=True)["resident_share"].sum()
    )
    residents = float((people.residents_per_patient * catchment.registered_by_area).sum())
    in_base = need.teams.index
    if need.base == "icb" and inputs.plan.catchment.icb:
        in_base = in_base[need.teams["icb"] == inputs.plan.catchment.icb]
    steps = round(allocation.total / allocation.step)
    checks = [
        _equal("Patients read and patients in the catchments", catchment.patients, read),
        _equal(
            "Largest distance of an area's shares from 1",
            float(np.abs(shares - 1).max()),
            0.0,
            "{:.1e}",
            1e-12,
        ),
        _equal("Residents shared out and residents of teams", float(need.teams["resident"].sum()), residents),
        _equal(
            "Adult residents shared out and those of teams",
            float(need.teams["resident_adults"].sum()),
            float(people.resident_adults.sum()),
        ),
        _equal(
            "Weighted population of the teams and adults of the base",
            float(need.teams.loc[in_base, "weighted_population"].sum()),
            need.base_people,
        ),
        _equal("Steps of posts given and steps of the total", float(allocation.steps.sum()), float(steps)),
    ]
    if need.base == "england":
        mean = np.average(need.areas[need.column], weights=need.areas["resident_adults"])
        checks.append(_equal("Mean of the need index over the base", float(mean), 1.0, "{:.9f}"))
    return checks + input_checks(inputs, catchment, people)


def input_checks(inputs: Inputs, catchment: Catchment, people: People | None = None) -> list[Check]:
    """What a planner should know of the files before anything is computed."""
    frames = inputs.frames
    lost = catchment.registered_by_team["registered"].get(NOT_IN_MAP, 0.0)
    checks = [
        Check(
            "Patients of practices missing from the map", "warning" if lost else "pass", f"{lost:,.0f}", "0"
        ),
    ]
    there, map_day = frames["registrations"].attrs.get("on"), frames["membership"].attrs.get("on")
    if there and map_day:
        apart = abs((there - map_day).days)
        checks.append(
            Check(
                "Days between the lists and the map",
                "warning" if apart > _DAYS_APART else "pass",
                f"{apart:,}",
                f"at most {_DAYS_APART}",
            )
        )
    if people is not None:
        coverage = catchment.registered_by_area.to_numpy() / people.residents
        low = int((coverage < _LOW_COVERAGE).sum())
        checks.append(
            Check(
                f"Areas with fewer than {_LOW_COVERAGE:.0%} of residents registered here",
                "note" if low else "pass",
                f"{low:,} of {len(coverage):,}",
                "0; areas at the edge of the data have some",
            )
        )
        checks.append(
            Check(
                "Registered patients over residents",
                "note",
                f"{catchment.registered_by_area.sum() / people.residents.sum():.3f}",
                "near 1; lists and population have their own dates",
            )
        )
    return checks


def _equal(
    name: str, found: float, expected: float, form: str = "{:,.3f}", tolerance: float = _EXACT
) -> Check:
    good = abs(found - expected) <= tolerance * max(abs(expected), 1.0)
    return Check(name, "pass" if good else "fail", form.format(found), form.format(expected))


def _sources(inputs: Inputs, formula: NeedFormula, made_up: bool) -> tuple[Source, ...]:
    found = []
    for role, frame in inputs.frames.items():
        attrs: dict[str, Any] = frame.attrs
        source = attrs["source"]
        publisher, title = _PUBLISHED[role]
        own = role == "current"
        if made_up:
            publisher = "needsalloc (made up)"
        release = str(attrs.get("on") or attrs.get("edition") or "not stated in the file")
        licence = "made up" if made_up else "the planner's own" if own else OGL
        found.append(
            Source(
                role,
                source["file"],
                publisher,
                title,
                release,
                licence,
                source["sha256"],
                int(source["rows"]),
            )
        )
    count = f"filipe-2024-count-{formula.name.split('2024-')[1]}"
    for name in (count, *_TABLES_USED):
        table = reference.read(name)
        found.append(
            Source(
                "reference table",
                f"{name}.csv",
                table.source,
                table.title,
                table.on,
                table.licence,
                table.sha256,
                len(table.frame),
            )
        )
    return tuple(found)


__all__ = [
    "Inputs",
    "Result",
    "build_catchment",
    "build_plan_people",
    "input_checks",
    "read_inputs",
    "run_plan",
]
