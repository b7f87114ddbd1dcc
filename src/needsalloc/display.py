"""How results show themselves in Jupyter: a sentence, and a table with people as whole numbers."""

from __future__ import annotations

import html
import re
from typing import Any

import pandas as pd

ROWS = 12


def sentence_and_table(result: object, table: pd.DataFrame) -> str:
    """The result's own sentence without its class name, and the first and last rows of a table, as HTML."""
    said = re.sub(r"^<(\w+:? ?)?|>$", "", repr(result))
    shown = table.to_html(max_rows=ROWS, float_format=number, na_rep="")
    return f"<p>{html.escape(said)}</p>{shown}"


def number(value: Any) -> str:
    """A figure as people read it: counts whole, shares and indices to three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"


__all__ = ["number", "sentence_and_table"]
