"""Tables as the page shows them: cells as text, heads with their units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from needsalloc.disclosure import SUPPRESSED
from needsalloc.report import schema
from needsalloc.report.bundle import Bundle
from needsalloc.report.charts import fifth_name
from needsalloc.report.column import CONFIDENTIAL, Column, Form, withheld_cells

MOST_ROWS = 1_500  # longer tables are in the files


@dataclass(frozen=True, slots=True)
class Shown:
    """A table as text: `heads` are (label, unit, form), `rows` hold (text, form).

    `left_out` says where a table is that is too long to be shown.
    """

    heads: list[tuple[str, str, Form]]
    rows: list[list[tuple[str, Form]]]
    left_out: str = ""
    classes: list[str] = field(default_factory=list)


def head(column: Column) -> tuple[str, str]:
    """Label and unit of a heading; the unit is left out where the label has said it."""
    label, _, base = column.label.partition(" (")
    unit = base.rstrip(")") or column.unit
    said = unit in ("text", "share", "ratio", "people", "1 to 5") or unit == label.lower() or " per " in label
    return label, "" if said else unit


def shown(bundle: Bundle, table: str, *, without: Iterable[str] = ()) -> Shown:
    """A table of the bundle; no column without a figure."""
    frame = bundle.table(table)
    described = {
        name: column
        for name, column in schema.columns(bundle, table).items()
        if name not in {SUPPRESSED, *without} and frame[name].notna().any()
    }
    heads = [(*head(column), column.form) for column in described.values()]
    if len(frame) > MOST_ROWS:
        files = f"{len(frame):,} rows: in the workbook, and in tables/{table}.csv beside this page."
        return Shown(heads, [], files)
    cells = [
        _fifths(frame[name]) if name == "deprivation_fifth" else cells_of(frame, name, column)
        for name, column in described.items()
    ]
    forms = [column.form for column in described.values()]
    rows = [list(zip(row, forms, strict=True)) for row in zip(*cells, strict=True)]
    return Shown(heads, rows)


def cells_of(frame: pd.DataFrame, name: str, column: Column) -> list[str]:
    """A column of a table as it is printed, withheld cells marked."""
    words = texts(frame[name], column)
    hidden = withheld_cells(frame).get(name)
    if hidden is None:
        return words
    return [CONFIDENTIAL if gone else word for word, gone in zip(words, hidden, strict=True)]


def texts(values: pd.Series, column: Column) -> list[str]:
    """A column as it is printed."""
    return [column.show(value) for value in values.tolist()]


def _fifths(values: pd.Series) -> list[str]:
    return [fifth_name(value) for value in values.tolist()]
