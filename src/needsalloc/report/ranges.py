"""Charts of ranges: need by its ways, contacts against expectation, other choices, the way to target."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from needsalloc.report import schema
from needsalloc.report.bundle import Bundle
from needsalloc.report.charts import MOST_ROWS, SIGNED_PERCENT, Chart, Mark, Row, axis, furthest, marked
from needsalloc.report.column import Column
from needsalloc.report.options import by_team

_NONE_YET = "–"


def range_chart(bundle: Bundle) -> Chart | None:
    """Lowest and highest need index of each team over the ways to make it; of many, the widest."""
    if "need_range" not in bundle.beside:
        return None
    frame = bundle.beside["need_range"].dropna(subset=["low", "high"])
    note = "The bar runs from the lowest to the highest index by any way; the dot is this plan’s."
    if len(frame) > MOST_ROWS:
        width = (frame["high"] - frame["low"]).to_numpy(dtype=float)
        chosen = np.sort(np.argsort(-width, kind="stable")[:MOST_ROWS])
        note += f" The {MOST_ROWS} teams with the widest range; all {len(frame):,} are in the table below."
        frame = frame.iloc[chosen]
    return _spans(
        bundle, "need_range", "Need index of each team, by every way to make it", note,
        frame, ("index", "low", "high"), ("low", "high"),
        [("after", "This plan"), ("range", "Range, no interval")],
    )  # fmt: skip


def observed_chart(bundle: Bundle) -> Chart | None:
    """Contacts over what need expects, with the limits of chance; of many, those furthest from 1."""
    if "observed" not in bundle.beside:
        return None
    frame = bundle.beside["observed"].dropna(subset=["observed_over_expected"])
    ratio = frame["observed_over_expected"].to_numpy(dtype=float)
    shown, note = furthest(ratio)
    words = "The bar holds 95 % of teams that differ by chance and as teams vary anyhow. "
    words += note.replace("above", "below")
    names = ("observed_over_expected", "contacts", "expected")
    return _spans(
        bundle, "observed", "Contacts over what need expects (1 = as expected)", words.strip(),
        frame.iloc[shown], names, ("low_95", "high_95"),
        [("after", "Observed over expected"), ("range", "95 % limits")],
    )  # fmt: skip


def _spans(
    bundle: Bundle,
    table: str,
    title: str,
    note: str,
    frame: pd.DataFrame,
    names: tuple[str, str, str],
    ends: tuple[str, str],
    key: list[tuple[str, str]],
) -> Chart:
    """A chart of a figure and a range of each team."""
    described = [schema.column(bundle, table, name) for name in names]
    low, high = (frame[name].to_numpy(dtype=float) for name in ends)
    centre = frame[names[0]].to_numpy(dtype=float)
    scale = axis([1.0, *low, *high, *centre])
    rows = []
    for i, name in enumerate(frame["team_name"].astype(str)):
        span = (scale.at(low[i]), scale.at(high[i])) if math.isfinite(low[i] + high[i]) else None
        cells = [
            column.show(frame[of].iloc[i]) for of, column in zip(names, described, strict=True)
        ]  # fmt: skip
        rows.append(Row(name, marked(scale, [centre[i]], ["after"]), cells, span))
    heads = [column.label for column in described]
    return Chart(title, note, "Team", key, scale.ticks(described[0]), heads, rows, line=scale.at(1.0))


def sensitivity_chart(bundle: Bundle) -> Chart | None:
    """Posts that another choice would move, a bar for each."""
    if "sensitivity" not in bundle.beside:
        return None
    frame = bundle.beside["sensitivity"]
    described = schema.columns(bundle, "sensitivity")
    moved, teams = described["posts_moved"], described["teams_over_5_percent"]
    scale = axis(frame["posts_moved"], zero=True)
    rows = [
        Row(
            f"{what}: {value}" if value else what,
            [Mark(scale.at(posts), "whole")] if math.isfinite(posts) else [],
            [moved.show(posts), teams.show(count)],
        )
        for what, value, posts, count in zip(
            frame["what"].astype(str),
            frame["value"].astype(str),
            frame["posts_moved"].astype(float),
            frame["teams_over_5_percent"],
            strict=True,
        )
    ]
    return Chart(
        f"Posts that would be elsewhere, in {bundle.unit}",
        "Each bar is one other choice, all else as in this plan.",
        "Choice",
        [],
        scale.ticks(Column("", "", "", decimals=moved.decimals)),
        [moved.label, teams.label],
        rows,
    )


def pace_chart(bundle: Bundle) -> Chart | None:
    """Each team's way to its target: distance now and after every year; of many, those furthest away."""
    if "pace" not in bundle.beside:
        return None
    frame = bundle.beside["pace"]
    closing = by_team(bundle, "pace", "year", "closing_distance")
    opening = by_team(bundle, "pace", "year", "opening")
    target = by_team(bundle, "pace", "year", "target")
    assert closing is not None
    assert opening is not None
    assert target is not None
    years = list(closing.columns)
    start = opening[years[0]] / target[years[0]].where(target[years[0]] > 0) - 1
    held = frame[frame["year"] == years[-1]].set_index("team")["held_by"].fillna("").astype(str)
    shown, note = furthest(start.to_numpy(dtype=float))
    note = note.replace("differ most each way", "are furthest from target each way").replace("above", "below")
    names = frame.drop_duplicates("team").set_index("team")["team_name"].astype(str)
    chosen = closing.index[shown]
    ways = np.column_stack([start[chosen].to_numpy(dtype=float), closing.loc[chosen].to_numpy(dtype=float)])
    scale = axis([0.0, *ways.ravel()])
    kinds = ["before", *["step"] * (len(years) - 1), "after"]
    rows = []
    for team, way in zip(chosen, ways.tolist(), strict=True):
        marks = marked(scale, way, kinds)
        cells = [SIGNED_PERCENT.show(way[0]), SIGNED_PERCENT.show(way[-1]), held[team] or _NONE_YET]
        rows.append(Row(names[team], marks, cells, (marks[0].at, marks[-1].at) if len(marks) > 1 else None))
    key = [("before", "Now"), ("step", "Years between"), ("after", f"After year {years[-1]}")]
    return Chart(
        "Distance from target, now and year by year",
        f"Target here is the team’s part of what the plan comes to inside its limits. {note}".strip(),
        "Team",
        key if len(years) > 1 else [key[0], key[2]],
        scale.ticks(Column("", "", "", "percent", 0, signed=True)),
        ["Now", f"After year {years[-1]}", "Then held by"],
        rows,
        line=scale.at(0.0),
    )
