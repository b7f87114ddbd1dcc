"""One run of a plan: files to catchments, people, need, posts and audit, handed whole to the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import needsalloc
from needsalloc import checks, findings, plan_allocation, synthetic
from needsalloc.allocate import Allocation
from needsalloc.audit import EquityAudit, audit_equity
from needsalloc.catchment import Catchment
from needsalloc.index import NeedIndex, need_index
from needsalloc.inputs import Inputs, Progress, cited, read_inputs
from needsalloc.kernels.threads import one_blas_thread
from needsalloc.maps import ATTRIBUTION
from needsalloc.options import audited_name, options_beside, options_of
from needsalloc.people import People
from needsalloc.plan import Plan
from needsalloc.plan_evidence import audit_beside, evidence_beside, rural_urban_of
from needsalloc.plan_people import catchment_of, of_icb, people_of, teams_of
from needsalloc.plan_staff import mix_of, pace_beside, pace_of, skills_beside
from needsalloc.plan_tables import choices_beside
from needsalloc.report import Bundle, Check, write
from needsalloc.run_tables import Beside, tables_beside
from needsalloc.sensitivity import moved_by_data_beside, sensitivity_beside
from needsalloc.withheld import rule_of, withheld_inputs, withheld_teams

_ATTRIBUTION = (
    "Contains public sector information licensed under the Open Government Licence v3.0.",
    ATTRIBUTION,
)
BEYOND = "share_outside_fitted_range"
_ALLOCATION = (
    "team", "team_name", "icb", "registered", "outside", "resident", "registered_adults", "resident_adults",
)  # fmt: skip
_PLANNED = (
    "target_share",
    "per_head",
    "target",
    "posts",
    "current",
    "vacancies",
    "distance_from_target",
    "change",
)


@dataclass(frozen=True, eq=False)
class Result:
    """A finished run: its parts for an analyst, and the bundle for the report. Nothing is written yet."""

    plan: Plan
    need: NeedIndex
    allocation: Allocation
    audit: EquityAudit
    bundle: Bundle

    @property
    def people(self) -> People:
        """The people that need was computed for."""
        return self.need.use.people

    @property
    def catchment(self) -> Catchment:
        """The areas and teams that need was added up for."""
        return self.need.catchment

    def write(self, folder: str | Path | None = None, *, progress: Progress | None = None) -> dict[str, Path]:
        """Write the report's folder, whole or not at all; by default where the plan says.

        Returns the path of each file by its name.
        """
        return write(self.bundle, folder or self.plan.report.out, progress=progress)


def run_plan(plan: Plan, folder: str | Path, *, progress: Progress | None = None) -> Result:
    """Read the files of a plan from `folder` and compute all of it.

    Raises NeedsallocError, saying what to do, for anything that the plan or the files have wrong, and if
    people or posts were lost on the way.
    """
    with one_blas_thread():  # sums over several come out otherwise in their last digit
        return _computed(plan, folder, progress)


def _computed(plan: Plan, folder: str | Path, progress: Progress | None) -> Result:
    say = progress or (lambda _: None)
    inputs = withheld_inputs(read_inputs(plan, folder, progress=progress))
    say("catchments")
    catchment = catchment_of(inputs)
    say("people")
    people = people_of(inputs, catchment)
    say("need")
    teams = teams_of(inputs, catchment)
    use = inputs.formula.expected_use(people)
    need = need_index(
        use, base=plan.need.base, people=plan.need.people, icb=plan.catchment.icb, catchment=teams
    )
    say("allocation")
    asked = plan_allocation.asked(inputs, need)
    allocation = asked.allocate()
    pace, mix = pace_of(inputs, allocation), mix_of(inputs, allocation)
    say("options")
    options = options_of(inputs, need, asked, allocation)
    say("equity")
    others = {audited_name(each.name): each.allocation.table["posts"] for each in options[1:]}
    if pace is not None:
        others |= {f"posts, year {year}": posts for year, posts in pace.by_year.items()}
    audit = audit_equity(allocation, need, others=others, rural_urban=rural_urban_of(inputs))
    say("what need is made of, and how far it ranges")
    beside = tables_beside(inputs, need, allocation)
    beside = beside.joined(
        options_beside(need, options, audit, unit=allocation.unit),
        choices_beside(inputs, asked, allocation),
        sensitivity_beside(inputs, need, asked, allocation, beside),
        moved_by_data_beside(inputs, asked, allocation),
        pace_beside(inputs, allocation, pace),
        skills_beside(inputs, allocation, mix),
        audit_beside(audit),
        evidence_beside(inputs, need, allocation),
    )
    added_up = [
        *checks.option_checks(options),
        *(checks.pace_checks(inputs, pace) if pace is not None else ()),
        *(checks.skill_checks(allocation, mix) if mix is not None else ()),
    ]
    bundle = _bundle(inputs, need, allocation, audit, beside, added_up)
    return Result(plan, need, allocation, audit, bundle)


def _bundle(
    inputs: Inputs,
    need: NeedIndex,
    allocation: Allocation,
    audit: EquityAudit,
    beside: Beside,
    added_up: Sequence[Check],
) -> Bundle:
    plan, people = inputs.plan, need.use.people
    catchment = need.catchment
    made_up = synthetic.is_synthetic(catchment.areas)
    drawn = catchment.team_of_area()
    drawn = drawn[drawn.isin(allocation.table.index)]
    found = (
        *checks.conservation_checks(inputs, need, allocation),
        *added_up,
        *checks.input_checks(inputs, people),
    )
    checks.refuse_failed(found)
    areas, flows, lists = need.areas, catchment.to_frame(), None
    if plan.catchment.icb:
        lists = of_icb(people.catchment.teams, plan.catchment.icb)
        areas = areas.loc[drawn.index]
        flows = flows[flows["team"].isin(allocation.table.index)].reset_index(drop=True)
    return Bundle(
        title=plan.plan.title,
        status=plan.status,
        service="district nursing",
        unit=plan.plan.unit,
        total=plan.plan.total,
        step=plan.plan.step,
        base=need.base.key,
        base_name=need.base.name,
        people=need.people,
        area_column=catchment.vintage,
        sentences=(*findings.sentences(inputs, need, allocation, audit, beside.moved), *beside.findings),
        headings=findings.HEADINGS + (findings.SUGGEST,) * len(beside.findings),
        warnings=findings.warnings(
            need, allocation, audit, found, made_up=made_up, withheld=withheld_teams(inputs)
        ),
        allocation=_allocation_table(allocation, need),
        need=areas.reset_index(),
        coverage=people.catchment.coverage(lists),
        equity=audit.table,
        flows=flows,
        beside=beside.tables,
        said=beside.said,
        parameters=findings.parameters(inputs, need),
        assumptions=tuple(dict.fromkeys((*findings.assumptions(inputs, need, allocation), *beside.notes))),
        checks=found,
        sources=cited(inputs, made_up=made_up),
        attribution=("Made up: no data of anyone are used.",) if made_up else _ATTRIBUTION,
        boundaries=inputs.frames.get("boundaries"),
        teams_of_areas=drawn,
        effective_plan=inputs.pinned_plan.to_toml(),
        version=needsalloc.__version__,
        audience=plan.report.audience,
        rule=rule_of(plan),
        withheld=withheld_teams(inputs),
    )


def _allocation_table(allocation: Allocation, need: NeedIndex) -> pd.DataFrame:
    """A row for each team, by code; the groups without a team come last."""
    table = allocation.table.reset_index().sort_values(["is_team", "team"], ascending=[False, True])
    adults = table[f"{need.people}_adults"].where(table["target_share"] > 0, 0.0)
    table["per_head"] = (allocation.total - allocation.top_slice) * adults / adults.sum()
    # Need alone: an earlier plan is read from here, and has its share for inequalities taken again.
    table["weighted_population"] = table["team"].map(need.teams["weighted_population"])
    planned = list(_PLANNED)
    # What limits and local choices do stands where they do something.
    at = planned.index("posts")
    planned[at:at] = [name for name in ("bounded_target", "held_by") if (table["held_by"] != "").any()]
    planned += [name for name in ("ring_fenced", "adjusted") if table[name].any()]
    used = [name for name in ("minutes", "price") if name in table]
    columns = [*_ALLOCATION, need.column, "weighted_population", *used, *planned]
    if table[BEYOND].notna().any():
        columns.append(BEYOND)
    return table[columns].reset_index(drop=True)


__all__ = ["Result", "run_plan"]
