"""The table of teams: what a reader needs first of each; the workbook has every column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from needsalloc.report import schema
from needsalloc.report.bundle import Bundle
from needsalloc.report.column import CONFIDENTIAL, Column, is_gap, withheld_cells
from needsalloc.report.shown import head

SUMMED = (
    "registered_adults",
    "resident_adults",
    "weighted_population",
    "per_head",
    "current",
    "target",
    "posts",
    "change",
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the table of teams; `bar` is a signed part (-1 to 1) of half a bar's width."""

    text: str
    kind: str
    bar: float | None = None


@dataclass(frozen=True, slots=True)
class TeamTable:
    """`rows` (codes, name, cells) are in the order of the allocation.

    `sort_by` holds, for each row, what each column sorts it by.
    """

    heads: list[tuple[str, str]]
    rows: list[tuple[str, str, list[Cell]]]
    totals: list[Cell]
    sort_by: list[list[float | str | None]]


def team_table(bundle: Bundle) -> TeamTable:
    """Teams in the order of the allocation, with their totals."""
    teams = bundle.allocation
    names = [f"{bundle.people}_adults", bundle.need_index, "weighted_population"]
    if bundle.has_current:
        names += ["current", "target", "distance_from_target", "posts", "change"]
    else:
        names += ["per_head", "target", "posts"]
    described = {name: schema.column(bundle, "allocation", name) for name in names}
    lists = {name: [None if is_gap(value) else value for value in teams[name].tolist()] for name in names}
    widest = np.nanmax([0.01, *teams["distance_from_target"].abs().clip(upper=1.0)])
    codes, labels = teams["team"].astype(str).tolist(), teams["team_name"].astype(str).tolist()
    if len(teams["icb"].dropna().unique()) > 1:
        codes = [f"{code} · {icb}" if icb else code for code, icb in zip(codes, teams["icb"], strict=True)]
    withheld = withheld_cells(teams)
    nothing = np.zeros(len(teams), dtype=np.bool_)
    hidden = {name: withheld.get(name, nothing) for name in names}
    rows = [
        (
            code,
            label,
            [_cell(name, described[name], lists[name][i], hidden[name][i], widest) for name in names],
        )
        for i, (code, label) in enumerate(zip(codes, labels, strict=True))
    ]
    totals = [
        Cell(_total(described[name], teams[name], name in withheld) if name in SUMMED else "", column.form)
        for name, column in described.items()
    ]
    return TeamTable(
        heads=[("Team", ""), *(head(column) for column in described.values())],
        rows=rows,
        totals=totals,
        sort_by=[[label, *(lists[name][i] for name in names)] for i, label in enumerate(labels)],
    )


def _total(column: Column, values: pd.Series, withheld: bool) -> str:
    """The sum of a column; that of the teams which are shown is none of all."""
    return CONFIDENTIAL if withheld else column.show(float(values.sum()))


def _cell(name: str, column: Column, value: Any, hidden: bool, widest: float) -> Cell:
    kind = {"posts": "number strong", "change": "number signed"}.get(name, column.form)
    bar = None
    if name == "distance_from_target" and value is not None:
        bar = round(float(np.clip(value / widest, -1, 1)), 3)
    return Cell(CONFIDENTIAL if hidden else column.show(value), kind, bar)


__all__ = ["Cell", "TeamTable", "team_table"]
