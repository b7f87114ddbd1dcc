"""Charts and tables of the equity audit: gradients, Lorenz curves and measures with their intervals."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from needsalloc.report.bundle import Bundle
from needsalloc.report.charts import Chart, Row, axis, between, fifth_name, marked
from needsalloc.report.column import Column, Form
from needsalloc.report.shown import Shown

AREAS, NEED = "areas", "need"
NOW, PLAN, EQUAL = "current", "posts", "option: Equal per adult"
# Resources that a picture can hold, in the order to be drawn, with their kinds for the style sheet.
DRAWN = ((NOW, "before"), (PLAN, "after"), (EQUAL, "other"))
WITHIN, TO_MOVE = "posts_to_move_within_icb", "posts_to_move"
MEASURES = {
    "slope_index": (
        "Slope index",
        "Posts for 10,000 need-weighted adults: the least deprived end less the most deprived, by a line "
        "through the areas",
    ),
    "relative_index": ("Relative index", "The slope index over the mean"),
    "concentration_index": (
        "Concentration index",
        "How far posts lean to one end of the ranking by deprivation",
    ),
    "kakwani_by_need": ("Kakwani index, by need", "How far posts follow need more or less than in step"),
    "gini": ("Gini index", "How unequal posts are against need, whoever has them"),
    TO_MOVE: ("Posts out of step", "Posts that would have to move for all to have the same for need"),
    WITHIN: ("Posts out of step within ICBs", "Those that would move inside their ICB"),
}
_AT = (0.2, 0.4, 0.6, 0.8)
_SHARE = Column("", "", "", "percent", 1)
_RATIO = Column("", "", "", decimals=2)
_INDEX = Column("", "", "", decimals=3, signed=True)
_UNSIGNED = Column("", "", "", decimals=3)
_POSTS = Column("", "", "", decimals=1)


@dataclass(frozen=True, slots=True)
class Curves:
    """Lorenz curves: (kind, name, points of a polyline on a square of 100), and their figures as a table."""

    curves: list[tuple[str, str, str]]
    table: Shown


@dataclass(frozen=True, slots=True)
class Measures:
    """`rows` hold (measure, what it is and its sign says, [(value, interval) of each resource])."""

    resources: list[str]
    rows: list[tuple[str, str, list[tuple[str, str]]]]


def resource_name(resource: str) -> str:
    """A resource of the audit in words."""
    if resource.startswith("option: "):
        return resource.removeprefix("option: ")
    words = {NOW: "Posts now", "target": "Target", PLAN: "This plan"}
    return words.get(resource, resource.replace("posts, ", "This plan, "))


def lorenz(bundle: Bundle) -> Curves | None:
    """Shares of need against shares of each resource, by area; None where there are none."""
    drawn = _drawn(bundle, "lorenz")
    if not drawn:
        return None
    frame = _of_areas(bundle.beside["lorenz"])
    curves, rows = [], []
    for resource, kind in drawn:
        curve = frame[frame["resource"] == resource]
        x, y = (curve[name].to_numpy(dtype=float) for name in ("share_of_need", "share_of_resource"))
        points = " ".join(f"{100 * a:.4g},{100 - 100 * b:.4g}" for a, b in zip(x, y, strict=True))
        name = resource_name(resource)
        curves.append((kind, name, points))
        at = [(_SHARE.show(value), _SHARE.form) for value in np.interp(_AT, x, y).tolist()]
        rows.append([(name, "text"), *at])
    heads: list[tuple[str, str, Form]] = [("Areas with the least for their need", "", "text")]
    heads += [(f"first {share:.0%} of need", "", "percent") for share in _AT]
    return Curves(curves, Shown(heads, rows))


def gradient_chart(bundle: Bundle) -> Chart | None:
    """Posts for the same need by fifth of deprivation, over those of all; None without such a table."""
    drawn = _drawn(bundle, "inequality_by_group")
    if not drawn:
        return None
    frame = _of_areas(bundle.beside["inequality_by_group"])
    frame = frame[frame["grouping"] == "deprivation_fifth"]
    wide = frame.pivot(index="group", columns="resource", values="relative_to_all")  # noqa: PD010
    if wide.empty:
        return None
    values = wide.reindex(columns=[resource for resource, _ in drawn])
    scale = axis([1.0, *values.to_numpy(dtype=float).ravel()])
    rows = []
    for fifth, row in zip(values.index, values.to_numpy(dtype=float).tolist(), strict=True):
        marks = marked(scale, row, [kind for _, kind in drawn])
        rows.append(Row(fifth_name(fifth), marks, [_RATIO.show(value) for value in row], between(marks)))
    key = [(kind, resource_name(resource)) for resource, kind in drawn]
    title = "Posts for the same need, by fifth of deprivation (all together = 1)"
    note = "Below 1 a fifth has less for its need than all areas together, above 1 more."
    heads = [name for _, name in key]
    return Chart(title, note, "Fifth", key, scale.ticks(_RATIO), heads, rows, line=scale.at(1.0))


def measures(bundle: Bundle) -> Measures | None:
    """Measures in rows, each resource in a column with its 95 % interval; None without such a table."""
    if "inequality" not in bundle.beside:
        return None
    frame = _of_areas(bundle.beside["inequality"])
    resources = _told(frame)
    found = {(row["measure"], row["resource"]): row for row in frame.to_dict("records")}
    rows = []
    for measure, (label, meaning) in MEASURES.items():
        known = [found.get((measure, name)) for name in resources]
        if any(known) and not (measure == WITHIN and _one_icb(frame)):
            cells = [_with_interval(measure, row) if row else ("–", "") for row in known]
            sign = str(frame.loc[frame["measure"] == measure, "sign"].iloc[0])
            rows.append((label, f"{meaning}. {sign[:1].upper()}{sign[1:]}.", cells))
    return Measures([resource_name(name) for name in resources], rows) if rows else None


def _told(frame: pd.DataFrame) -> list[str]:
    """The resources of the picture and the last year of the pace; the others are in the table behind."""
    years = [name for name in dict.fromkeys(frame["resource"]) if str(name).startswith("posts, ")]
    known = set(frame["resource"])
    return [name for name in (*(resource for resource, _ in DRAWN), *years[-1:]) if name in known]


def _one_icb(frame: pd.DataFrame) -> bool:
    """Whether what would move inside ICBs is all that would move."""
    within, all_of_it = (
        frame.loc[frame["measure"] == name, "value"].to_numpy(float) for name in (WITHIN, TO_MOVE)
    )
    return len(within) == len(all_of_it) and bool(np.allclose(within, all_of_it, equal_nan=True))


def _with_interval(measure: str, row: Mapping[Hashable, Any]) -> tuple[str, str]:
    """The value, and its interval in words."""
    column = _POSTS if measure in (TO_MOVE, WITHIN) else _UNSIGNED if measure == "gini" else _INDEX
    text = column.show(float(row["value"]))
    if bool(row.get("too_few_areas", False)):
        return text, "too few areas to say"
    low, high = row.get("low_95"), row.get("high_95")
    if low is None or high is None or pd.isna(low) or pd.isna(high):
        return text, ""
    return text, f"{column.show(float(low))} to {column.show(float(high))}"


def _drawn(bundle: Bundle, table: str) -> list[tuple[str, str]]:
    """Those of the resources to draw that a table has."""
    if table not in bundle.beside:
        return []
    known = set(_of_areas(bundle.beside[table])["resource"])
    return [(resource, kind) for resource, kind in DRAWN if resource in known]


def _of_areas(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows by area, of resources against need."""
    chosen = frame[frame["level"] == AREAS]
    return chosen[chosen["against"] == NEED] if "against" in chosen else chosen
