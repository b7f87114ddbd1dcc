"""How results show themselves: a sentence, a table with people as whole numbers, axes to draw on."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import pandas as pd

from needsalloc.errors import NeedsallocError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS = 12


def sentence_and_table(result: object, table: pd.DataFrame) -> str:
    """The result's own sentence without its class name, and the first and last rows of a table, as HTML."""
    said = re.sub(r"^<(\w+:? ?)?|>$", "", repr(result))
    shown = table.to_html(max_rows=ROWS, float_format=number, na_rep="")
    return f"<p>{html.escape(said)}</p>{shown}"


def number(value: Any) -> str:
    """A figure as people read it: counts whole, shares and indices to three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"


def side_by_side(values: pd.Series, across: list[str]) -> pd.DataFrame:
    """Values by several labels as a table with a column for each of `across`, in the order they come in.

    (`unstack(sort=False)` puts values in each other's places before pandas 3.)
    """
    labels: Any = values.index
    down = [name for name in labels.names if name not in across]
    rows, columns = labels.droplevel(across).unique(), labels.droplevel(down).unique()
    return values.unstack(across).reindex(index=rows, columns=columns)  # noqa: PD010


def new_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """The axes to draw on: those given, or new ones of so many inches.

    Raises NeedsallocError if matplotlib is not installed.
    """
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise NeedsallocError(
            'Pictures need matplotlib. Install it with: pip install "needsalloc[maps]".'
        ) from error
    return plt.subplots(figsize=(width, height), layout="constrained")[1]


__all__ = ["new_axes", "number", "sentence_and_table", "side_by_side"]
