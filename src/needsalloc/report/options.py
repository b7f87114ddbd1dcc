"""Options side by side, and what each team would have by each: the status quo, this plan and others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from needsalloc.report import schema
from needsalloc.report.bundle import Bundle
from needsalloc.report.column import Form
from needsalloc.report.shown import Shown, cells_of, head

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
        [(*head(column), cells_of(frame, name, column)) for name, column in described.items()],
        names.index(THIS_PLAN) if THIS_PLAN in names else None,
    )


def by_team(
    bundle: Bundle, table: str, across: str, value: str, *, as_text: bool = False
) -> pd.DataFrame | None:
    """A long table with a row for each team and a column for each option or year, both in their order."""
    if table not in bundle.beside:
        return None
    frame = bundle.beside[table]
    cells: pd.Series | list[str] = frame[value]
    if as_text:
        cells = cells_of(frame, value, schema.column(bundle, table, value))
    wide = frame[["team", across]].assign(cell=cells).pivot(index="team", columns=across, values="cell")  # noqa: PD010
    order = [team for team in dict.fromkeys(bundle.allocation["team"].astype(str)) if team in wide.index]
    return wide.loc[order, list(dict.fromkeys(frame[across]))]


def teams_by_option(bundle: Bundle) -> Shown | None:
    """Posts of each team by each option."""
    posts = by_team(bundle, "options_by_team", "option", "posts", as_text=True)
    return None if posts is None else _wide_table(bundle, posts)


def teams_by_year(bundle: Bundle) -> Shown | None:
    """Posts of each team by year, with what it has now before and its target after."""
    posts, opening, target, distance = (
        by_team(bundle, "pace", "year", name, as_text=True)
        for name in ("posts", "opening", "target", "closing_distance")
    )
    if posts is None or opening is None or target is None or distance is None:
        return None
    first, last = posts.columns[0], posts.columns[-1]
    years = {f"Year {year}": posts[year] for year in posts.columns}
    ends = {f"Target, year {last}": target[last], f"Distance left, year {last}": distance[last]}
    return _wide_table(bundle, pd.DataFrame({"Now": opening[first], **years, **ends}))


def _wide_table(bundle: Bundle, wide: pd.DataFrame) -> Shown:
    """Texts of figures, a row for each team."""
    names = bundle.allocation.set_index(bundle.allocation["team"].astype(str))["team_name"].astype(str)
    rows: list[list[tuple[str, Form]]] = [
        [(str(names[str(team)]), "text"), *((text, "number") for text in row)]
        for team, row in zip(wide.index, wide.to_numpy().tolist(), strict=True)
    ]
    return Shown([("Team", "", "text"), *((str(name), "", "number") for name in wide.columns)], rows)


def of_each_team(bundle: Bundle, table: str, across: str) -> dict[str, Any] | None:
    """What a team's own tables and the script show: by team of the allocation and option or year, the posts.

    `heads` are "Posts" and, where anyone said what is there now, "Change"; `teams` hold a text for each.
    """
    values = ["posts", "change"] if bundle.has_current else ["posts"]
    parts = [by_team(bundle, table, across, value, as_text=True) for value in values]
    wide = [part for part in parts if part is not None]
    if not wide:
        return None
    cells = np.stack([part.to_numpy() for part in wide], axis=-1).tolist()
    of_team = dict(zip(wide[0].index.astype(str), cells, strict=True))
    return {
        "heads": [value.capitalize() for value in values],
        "names": [str(name) for name in wide[0].columns],
        "teams": [of_team.get(team) for team in bundle.allocation["team"].astype(str)],
    }
