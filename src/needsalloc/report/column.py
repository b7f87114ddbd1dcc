"""How one column is shown: its words, its unit and its decimals, wherever it stands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from numbers import Real
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from needsalloc.disclosure import SUPPRESSED

# The symbol of the Government Statistical Service for what is confidential.
CONFIDENTIAL = "[c]"
YES_NO = {True: "yes", False: "no"}
Form = Literal["text", "number", "percent"]


@dataclass(frozen=True, slots=True)
class Column:
    """How one column is shown: `decimals` are those of the display, full precision stays beneath."""

    label: str
    unit: str
    meaning: str
    form: Form = "number"
    decimals: int = 0
    signed: bool = False

    @property
    def excel_format(self) -> str:
        """Number format of a spreadsheet cell; Excel rounds half up when it shows a number."""
        if self.form == "text":
            return "@"
        plain = ("#,##0" if self.form == "number" else "0") + ("." + "0" * self.decimals) * bool(
            self.decimals
        )
        plain += "%" * (self.form == "percent")
        return f"+{plain};-{plain};{plain}" if self.signed else plain

    def show(self, value: object) -> str:
        """The value as it is printed on the page: rounded half up, an en dash where there is none."""
        if is_gap(value):
            return "–"
        if isinstance(value, bool | np.bool_):
            return YES_NO[bool(value)]
        if self.form == "text" or not isinstance(value, Real):
            return str(value)
        scaled = Decimal(str(value)) * (100 if self.form == "percent" else 1)
        rounded = scaled.quantize(Decimal(1).scaleb(-self.decimals), ROUND_HALF_UP)
        sign = "−" if rounded < 0 else "+" if self.signed and rounded > 0 else ""
        return f"{sign}{abs(rounded):,}" + "%" * (self.form == "percent")


def is_gap(value: object) -> bool:
    """Whether there is no figure: missing, or the infinite distance of a team whose target is nought."""
    return value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value))


def withheld_cells(frame: pd.DataFrame) -> dict[str, npt.NDArray[np.bool_]]:
    """Column -> (rows,) which of its cells are withheld and to be shown as `CONFIDENTIAL`; no others."""
    if SUPPRESSED not in frame:
        return {}
    words = [set(str(names).split()) for names in frame[SUPPRESSED]]
    every = set().union(*words)
    return {str(name): np.array([name in row for row in words]) for name in frame.columns if name in every}


def text(label: str, meaning: str) -> Column:
    return Column(label, "text", meaning, "text")


WITHHELD = text(
    "Withheld", "Columns of the row that are withheld, since small numbers could be told from them."
)

__all__ = ["CONFIDENTIAL", "WITHHELD", "YES_NO", "Column", "Form", "is_gap", "text", "withheld_cells"]
