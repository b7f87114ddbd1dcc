"""Lorenz curves and gradients as pictures (matplotlib), in the colours of the maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from needsalloc.display import new_axes, side_by_side
from needsalloc.maps.pictures import INK, NONE, TEAMS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DASHES = ("-", "--", "-.", ":")


def draw_lorenz(points: pd.DataFrame, need: str, ax: Axes | None) -> Axes:
    """Curves of one need; each resource has a dash and a colour of its own, and its name at the key."""
    ax = new_axes(ax, 5.5, 4.8)
    ax.plot([0, 1], [0, 1], color=NONE, label="in proportion to need")
    for number, (resource, curve) in enumerate(points.groupby("resource", sort=False)):
        ax.plot(
            curve["share_of_need"], curve["share_of_resource"], label=str(resource),
            color=TEAMS[number % len(TEAMS)], linestyle=_DASHES[number % len(_DASHES)],
        )  # fmt: skip
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", ylabel="Share of the resource")
    ax.set_xlabel(f"Share of {need}, areas from the least resource per need to the most", color=INK)
    return _finished(ax)


def draw_gradient(groups: pd.DataFrame, need: str, ax: Axes | None) -> Axes:
    """Resource per need of each group over that of all: bars from 1, each with its figure."""
    ax = new_axes(ax, 7.0, 4.8)
    wide = side_by_side(groups.set_index(["group", "resource"])["relative_to_all"], ["resource"])
    place, width = np.arange(len(wide)), 0.8 / wide.shape[1]
    for number, (resource, level) in enumerate(wide.items()):
        left = place + (number - (wide.shape[1] - 1) / 2) * width
        bars = ax.bar(
            left, level - 1, width, bottom=1, color=TEAMS[number % len(TEAMS)], edgecolor=INK, linewidth=0.6,
            label=str(resource),
        )  # fmt: skip
        ax.bar_label(bars, [f"{value:.2f}" for value in level], fontsize=8, color=INK, padding=2)
    ax.axhline(1, color=INK, linewidth=0.8)
    ax.margins(y=0.15)
    ax.set_xticks(place, [str(group) for group in wide.index])
    ax.set_xlabel(str(groups["grouping"].iloc[0]), color=INK)
    ax.set_ylabel(f"Resource per {need}, all areas = 1", color=INK)
    return _finished(ax)


def _finished(ax: Axes) -> Axes:
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8)
    return ax


__all__ = ["draw_gradient", "draw_lorenz"]
