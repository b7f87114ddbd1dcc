"""The evidence beside a plan: equity audit, equality by characteristic, contacts observed, and questions."""

from __future__ import annotations

import pandas as pd

from needsalloc.allocate import Allocation
from needsalloc.audit import EquityAudit
from needsalloc.checklist import SAID, checklist
from needsalloc.equality import equality_evidence
from needsalloc.index import NeedIndex
from needsalloc.inputs import Inputs
from needsalloc.observed import observed_over_expected
from needsalloc.run_tables import Beside

_AUDITED = {
    "inequality": "Every measure of inequality, for need, what is in place, targets, posts, options and "
    "years: over small areas, each team's posts spread by need, and between teams.",
    "inequality_by_group": "Groups of areas and of teams beside each other: what each has for its need.",
    "lorenz": "Shares of need and of posts, from the areas with least posts for their need on.",
    "theil": "Inequality between and within the groups that lie in each other.",
}


def rural_urban_of(inputs: Inputs) -> pd.Series | None:
    """Whether each area is rural or urban, where the plan names a classification."""
    return inputs.frames["rurality"]["rural_urban"] if "rurality" in inputs.frames else None


def audit_beside(audit: EquityAudit) -> Beside:
    """The tidy tables of the equity audit, those that have rows."""
    found = {
        "inequality": audit.inequality,
        "inequality_by_group": audit.by_group,
        "lorenz": audit.lorenz,
        "theil": audit.theil,
    }
    tables = {name: table for name, table in found.items() if len(table)}
    return Beside(tables, {name: _AUDITED[name] for name in tables}, audit.notes)


def evidence_beside(inputs: Inputs, need: NeedIndex, plan: Allocation) -> Beside:
    """Equality by characteristic, contacts over those expected where there are any, and the checklist.

    Raises as `equality_evidence` and `observed_over_expected`.
    """
    counts = {"disability": inputs.frames["disability"]} if "disability" in inputs.frames else None
    equality = equality_evidence(plan, need, counts=counts, rural_urban=rural_urban_of(inputs))
    teams = plan.table[plan.table["is_team"]].sort_index()["team_name"].rename_axis("team").reset_index()
    tables = {"equality": equality.table, "checklist": checklist(teams)}
    said = {
        "equality": "People, need and posts before and after by characteristic, and whom no open data show. "
        "Mitigation and owner are for the planners to fill in.",
        "checklist": SAID,
    }
    contacts = inputs.frames.get("contacts")
    if contacts is not None and len(contacts):
        found = observed_over_expected(contacts["contacts"], need)
        outside = len(found.outside("99_8"))
        tables["observed"] = found.table.reset_index()
        said["observed"] = (
            f"Contacts of {len(found.table):,} teams over those that need expects, all together at 1: "
            f"{outside:,} are outside limits of 99.8 %, widened for what teams vary anyhow. Use is not need, "
            "and fewer contacts may be fewer staff."
        )
    return Beside(tables, said, equality.notes)


__all__ = ["audit_beside", "evidence_beside", "rural_urban_of"]
