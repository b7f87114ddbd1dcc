"""How good and how sure a fit is, as pictures (matplotlib), in the colours of the maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from needsalloc.display import new_axes
from needsalloc.maps.pictures import INK, TEAMS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FIRST, _, _BESIDE = TEAMS[:3]


def draw_intervals(table: pd.DataFrame, column: str, errors: str, ax: Axes | None) -> Axes:
    """Every team's index and interval, the highest at the top, beside the line at 1."""
    shown = table[table["rank"].notna()].sort_values("rank", ascending=False)
    ax = new_axes(ax, 7.0, 0.28 * len(shown) + 1.4)
    place = np.arange(len(shown))
    ax.hlines(place, shown["index_low"], shown["index_high"], color=_FIRST, linewidth=2)
    ax.plot(shown[column], place, "o", color=_FIRST, markersize=5)
    ax.axvline(1, color=_BESIDE, linewidth=1, linestyle="--")
    ax.set_yticks(place, [str(label) for label in shown.index])
    ax.set_xlabel(f"{column}, middle 95 % of draws ({errors} errors)", color=INK)
    return _finished(ax)


def draw_rootogram(table: pd.DataFrame, family: str, ax: Axes | None) -> Axes:
    """Bars of observed people hang from the expected curve, as square roots: below 0, too few are expected.

    People without contact would dwarf the others: they are in the title.
    """
    ax = new_axes(ax, 7.0, 4.2)
    none, some = table.iloc[0], table.iloc[1:]
    expected, observed = (np.sqrt(some[name].to_numpy(np.float64)) for name in ("expected", "observed"))
    place = np.arange(len(some))
    ax.bar(
        place, observed, bottom=expected - observed, color=_FIRST, edgecolor=INK, linewidth=0.4,
        label="people, hanging from what is expected",
    )  # fmt: skip
    ax.plot(place, expected, color=_BESIDE, marker="o", markersize=3, label=f"expected by {family}")
    ax.axhline(0, color=INK, linewidth=0.8)
    every = max(len(some) // 12, 1)
    ax.set_xticks(place[::every], [str(count) for count in some.index[::every]])
    ax.set_xlabel("Contacts", color=INK)
    ax.set_ylabel("Square root of people", color=INK)
    without = f"Without contact {none['observed']:,.0f}, expected {none['expected']:,.0f}"
    ax.set_title(without, loc="left", fontsize=10, color=INK)
    ax.legend(frameon=False, fontsize=8)
    return _finished(ax)


def draw_calibration(table: pd.DataFrame, by: str, ax: Axes | None) -> Axes:
    """Predicted over observed by group, each with its figure, about the line at 1."""
    ax = new_axes(ax, 7.0, 4.2)
    place = np.arange(len(table))
    ratio = table["predicted_over_observed"].to_numpy(np.float64)
    bars = ax.bar(place, ratio - 1, bottom=1, color=_FIRST, edgecolor=INK, linewidth=0.6)
    ax.bar_label(bars, [f"{value:.2f}" for value in ratio], fontsize=8, color=INK, padding=2)
    ax.axhline(1, color=_BESIDE, linewidth=1, linestyle="--")
    ax.margins(y=0.15)
    ax.set_xticks(place, [str(group) for group in table.index], rotation=90 if len(table) > 12 else 0)
    ax.set_xlabel(by, color=INK)
    ax.set_ylabel("Predicted over observed contacts", color=INK)
    return _finished(ax)


def _finished(ax: Axes) -> Axes:
    ax.spines[["top", "right"]].set_visible(False)
    return ax


__all__ = ["draw_calibration", "draw_intervals", "draw_rootogram"]
