"""Options side by side, and what each team would have by each: the status quo, this plan and others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from needsalloc.report import schema
from needsalloc.report.bundle import Bundle
from needsalloc.report.column import Column, Form
from needsalloc.report.shown import Shown, head, texts

Floats = npt.NDArray[np.float64]

THIS_PLAN = "This plan"


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Options in columns: `names` and `what` each is, `rows` (label, unit, figures) for each measure.

    `own` is the place of this plan among them, None if it is not there.
    """

    names: list[str]
    what: list[str]
    rows: list[tuple[str, str, list[str]]]
    own: int | None


def side_by_side(bundle: Bundle) -> SideBySide | None:
    """The table `options` on its side, without measures that no option has; None where there is none."""
    if "options" not in bundle.beside:
        return None
    frame = bundle.beside["options"]
    described = {
        name: column
        for name, column in schema.columns(bundle, "options").items()
        if column.form != "text" and frame[name].notna().any()
    }
    names = frame["option"].astype(str).tolist()
    return SideBySide(
        names,
        frame["what"].astype(str).tolist(),
        [(*head(column), texts(frame[name], column)) for name, column in described.items()],
        names.index(THIS_PLAN) if THIS_PLAN in names else None,
    )


def by_team(bundle: Bundle, table: str, across: str, value: str) -> pd.DataFrame | None:
    """A long table with a row for each team and a column for each option or year, both in their order."""
    if table not in bundle.beside:
        return None
    frame = bundle.beside[table]
    wide = frame.pivot(index="team", columns=across, values=value)  # noqa: PD010
    order = [team for team in dict.fromkeys(bundle.allocation["team"].astype(str)) if team in wide.index]
    return wide.loc[order, list(dict.fromkeys(frame[across]))]


def teams_by_option(bundle: Bundle) -> Shown | None:
    """Posts of each team by each option."""
    posts = by_team(bundle, "options_by_team", "option", "posts")
    if posts is None:
        return None
    column = schema.column(bundle, "options_by_team", "posts")
    return wide_table(bundle, posts, [str(name) for name in posts.columns], column)


def teams_by_year(bundle: Bundle) -> Shown | None:
    """Posts of each team by year, with what it has now before and its target after."""
    posts = by_team(bundle, "pace", "year", "posts")
    if posts is None:
        return None
    first, last = posts.columns[0], posts.columns[-1]
    opening, target = (by_team(bundle, "pace", "year", name) for name in ("opening", "target"))
    distance = by_team(bundle, "pace", "year", "closing_distance")
    assert opening is not None
    assert target is not None
    assert distance is not None
    years = {f"Year {year}": posts[year] for year in posts.columns}
    columns = {"Now": opening[first], **years, f"Target, year {last}": target[last]}
    shown = wide_table(bundle, pd.DataFrame(columns), list(columns), schema.column(bundle, "pace", "posts"))
    far = schema.column(bundle, "pace", "closing_distance")
    shown.heads.append(("Distance left", f"year {last}", far.form))
    for row, words in zip(shown.rows, texts(distance[last], far), strict=True):
        row.append((words, far.form))
    return shown


def wide_table(bundle: Bundle, wide: pd.DataFrame, heads: list[str], column: Column) -> Shown:
    """A table of one figure, a row for each team."""
    names = bundle.allocation.set_index(bundle.allocation["team"].astype(str))["team_name"].astype(str)
    form: Form = column.form
    cells = [texts(wide[name], column) for name in wide.columns]
    rows: list[list[tuple[str, Form]]] = [
        [(str(names[team]), "text"), *((text, form) for text in row)]
        for team, row in zip(wide.index, zip(*cells, strict=True), strict=True)
    ]
    return Shown([("Team", "", "text"), *((name, bundle.unit, form) for name in heads)], rows)


def compact(bundle: Bundle, table: str, across: str, values: list[str]) -> dict[str, Any] | None:
    """The same for the script: texts by team of the allocation, option or year, and value."""
    parts = [by_team(bundle, table, across, value) for value in values]
    if any(part is None for part in parts):
        return None
    teams = bundle.allocation["team"].astype(str)
    found: list[Any] = []
    shown = [
        {team: texts(row, schema.column(bundle, table, value)) for team, row in part.iterrows()}
        for part, value in zip(parts, values, strict=True)
        if part is not None
    ]
    for team in teams:
        rows = [of.get(team) for of in shown]
        found.append(None if rows[0] is None else [list(cells) for cells in zip(*rows, strict=True)])
    names = [str(name) for name in parts[0].columns] if parts[0] is not None else []
    return {"names": names, "teams": found}
