"""teams.html: a sheet of A4 for each team: its figures, what its need is made of, questions to answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from needsalloc.report import options, schema
from needsalloc.report.bundle import Bundle
from needsalloc.report.charts import Chart
from needsalloc.report.page import questions, template_text, templates
from needsalloc.report.shown import cells_of, head
from needsalloc.report.team_table import Cell, team_table
from needsalloc.report.waterfall import waterfalls


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one sheet says; `by_option` and `by_year` hold (name, posts, change), `cohorts` (words, count)."""

    code: str
    name: str
    figures: list[Cell]
    waterfall: Chart | None
    by_option: list[tuple[str, list[str]]]
    by_year: list[tuple[str, list[str]]]
    cohorts: list[tuple[str, str]]


def team_sheets(bundle: Bundle) -> str:
    """A sheet for each team that has a target or posts now, as one HTML text without any script."""
    from markupsafe import Markup

    table = team_table(bundle)
    falls = waterfalls(bundle)
    by_option = options.of_each_team(bundle, "options_by_team", "option")
    by_year = options.of_each_team(bundle, "pace", "year")
    cohorts = _cohorts(bundle)
    teams = bundle.allocation
    chosen = ((teams["target_share"] > 0) | teams["current"].notna()).to_numpy().nonzero()[0].tolist()
    sheets = [
        Sheet(
            code=table.rows[i][0],
            name=table.rows[i][1],
            figures=table.rows[i][2],
            waterfall=None if falls is None else falls.chart(i, ""),
            by_option=_rows(by_option, i),
            by_year=_rows(by_year, i),
            cohorts=cohorts.get(str(teams["team"].iloc[i]), []),
        )
        for i in chosen
    ]
    return (
        templates()
        .get_template("teams.html.j2")
        .render(
            bundle=bundle,
            heads=table.heads[1:],
            sheets=sheets,
            base_at=None if falls is None else falls.scale.at(1.0),
            asked=questions(bundle),
            style=Markup(template_text("teams.css")),
        )
    )


def _rows(found: dict[str, Any] | None, team: int) -> list[tuple[str, list[str]]]:
    if found is None or found["teams"][team] is None:
        return []
    return list(zip(found["names"], found["teams"][team], strict=True))


def _cohorts(bundle: Bundle) -> dict[str, list[tuple[str, str]]]:
    """By team: what the planning cohorts count, in words."""
    if "planning_cohorts" not in bundle.beside:
        return {}
    frame = bundle.beside["planning_cohorts"]
    described = {
        name: column
        for name, column in schema.columns(bundle, "planning_cohorts").items()
        if column.form != "text" and frame[name].notna().any() and _asked_first(name)
    }
    labels = [
        " ".join(filter(None, head(column))) if column.unit == "beds" else column.label
        for column in described.values()
    ]
    cells = [cells_of(frame, name, column) for name, column in described.items()]
    return {
        str(team): list(zip(labels, row, strict=True))
        for team, row in zip(frame["team"], zip(*cells, strict=True), strict=True)
    }


def _asked_first(name: str) -> bool:
    """Whether a count is one that planners ask first: of the registers of conditions, two are."""
    if name.startswith("registered_without"):
        return False
    return not name.endswith("_register") or name in ("dementia_register", "palliative_care_register")


__all__ = ["Sheet", "team_sheets"]
