"""Posts now and in a plan, and the way to target, as pictures (matplotlib), in the colours of the maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.display import new_axes
from needsalloc.maps.pictures import BORDER, INK, PAPER, SEQUENTIAL, TEAMS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_TEAMS = 40
_PLAN, _PASSED = TEAMS[0], SEQUENTIAL[2]


def draw_posts(table: pd.DataFrame, unit: str, ax: Axes | None) -> Axes:
    """A row for each team with a target or posts: a ring where it is now, a dot where the plan puts it.

    Without posts now the ring is its target. Of many teams, those whose ring and dot are furthest apart.
    """
    shown = table[(table["target_share"] > 0) | (table["posts"] > 0) | (table["current"] > 0)]
    before = "current" if shown["current"].notna().any() else "target"
    chosen, left_out = _furthest((shown["posts"] - shown[before]).to_numpy(np.float64))
    shown = shown.iloc[chosen]
    start, end = (shown[name].to_numpy(np.float64) for name in (before, "posts"))
    ax = new_axes(ax, 8.0, 0.26 * len(shown) + 1.6)
    place = np.arange(len(shown))
    ax.hlines(place, np.fmin(start, end), np.fmax(start, end), color=BORDER, linewidth=1.5, zorder=1)
    ax.plot(
        start, place, "o", color=PAPER, markeredgecolor=INK, markersize=7, linestyle="",
        label="posts now" if before == "current" else "target",
    )  # fmt: skip
    ax.plot(end, place, "o", color=_PLAN, markersize=6, linestyle="", label="posts in the plan")
    return _finished(ax, _names(shown), f"Posts, {unit}{left_out}")


def draw_pace(table: pd.DataFrame, ax: Axes | None) -> Axes:
    """A row for each team: a ring at its distance from target now, a dot after each year, the last one dark.

    Of many teams, those furthest from target now.
    """
    opening = table.xs(1)["opening_distance"]
    closing = table["closing_distance"].unstack("year")  # noqa: PD010
    opening = opening[opening.notna()]
    chosen, left_out = _furthest(opening.to_numpy(np.float64))
    opening = opening.iloc[chosen]
    closing = closing.loc[opening.index]
    ax = new_axes(ax, 8.0, 0.26 * len(opening) + 1.6)
    place = np.arange(len(opening))
    ends = closing.to_numpy(np.float64)
    every = np.column_stack([opening.to_numpy(np.float64), ends])
    ax.axvline(0, color=INK, linewidth=0.8, linestyle="--")
    ax.hlines(place, every.min(axis=1), every.max(axis=1), color=BORDER, linewidth=1.5, zorder=1)
    ax.plot(
        every[:, 0], place, "o", color=PAPER, markeredgecolor=INK, markersize=7, linestyle="", label="now"
    )
    for year, at in zip(closing.columns[:-1], ends.T[:-1], strict=True):
        label = "years between" if year == closing.columns[0] else "_between"
        ax.plot(at, place, "o", color=_PASSED, markersize=4, linestyle="", label=label)
    last = f"after year {closing.columns[-1]}"
    ax.plot(ends[:, -1], place, "o", color=_PLAN, markersize=6, linestyle="", label=last)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:+.0%}".replace("-", "−") if value else "0%")
    return _finished(ax, [str(team) for team in opening.index], f"Distance from target{left_out}")


def _furthest(gap: NDArray[np.float64]) -> tuple[NDArray[np.int64], str]:
    """All rows, or of many those with the largest gaps in their own order, and words that say so."""
    if len(gap) <= MOST_TEAMS:
        return np.arange(len(gap)), ""
    chosen = np.sort(np.argsort(-np.nan_to_num(np.abs(gap)), kind="stable")[:MOST_TEAMS])
    return chosen, f" (the {MOST_TEAMS} of {len(gap):,} teams that differ most)"


def _names(table: pd.DataFrame) -> list[str]:
    return [str(name) for name in table.get("team_name", table.index)]


def _finished(ax: Axes, names: list[str], label: str) -> Axes:
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.grid(axis="x", color="#e3e8ea", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_xlabel(label, color=INK)
    ax.legend(frameon=False, fontsize=8, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    return ax


__all__ = ["draw_pace", "draw_posts"]
