"""What a reader found wrong or odd in a file, with the rows, and the report of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.display import sentence_and_table

SHOWN = 10
"""Rows and examples of a finding that are named; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong or odd in a file.

    Attributes
    ----------
    level:
        "error": the file cannot be used so. "warning": it can, as `what` says it was read.
    what:
        What was found, in words.
    count:
        On how many rows (or columns, or cells of a workbook).
    rows:
        The first of them, numbered as a spreadsheet does: the header is row 1. Empty where no row is meant.
    examples:
        The first values, as they stand in the file.
    advice:
        What to do.
    """

    level: Literal["error", "warning"]
    what: str
    count: int = 1
    rows: tuple[int, ...] = ()
    examples: tuple[str, ...] = ()
    advice: str = ""


@dataclass(frozen=True, eq=False)
class QualityReport:
    """What a file is, what it holds, and what is wrong or odd in it.

    Attributes
    ----------
    file:
        Its name; for an archive with the member that was read.
    kind:
        The word for it in a plan's [inputs] ("registrations", "membership" …) or of a reader that plans do
        not need ("payments", "workforce" …); None if no layout that is known.
    what:
        The same in words.
    reader:
        The name of the function that reads it.
    sha256, rows:
        The checksum of the stored file; its rows without header and blank ones.
    vintage:
        "lsoa11" or "lsoa21" for a file by area, else None.
    on:
        The day that the file states, the edition, or None.
    totals:
        What there is to add up or count, by its name in words; empty if the file cannot be used.
    findings:
        Errors first.
    """

    file: str
    kind: str | None = None
    what: str = "a file of no known layout"
    reader: str | None = None
    sha256: str = ""
    rows: int | None = None
    vintage: str | None = None
    on: date | str | None = None
    totals: Mapping[str, float] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What makes the file unusable."""
        return tuple(finding for finding in self.findings if finding.level == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is odd."""
        return tuple(finding for finding in self.findings if finding.level == "warning")

    @property
    def ok(self) -> bool:
        """Whether the file can be used."""
        return not self.errors

    @property
    def table(self) -> pd.DataFrame:
        """One row per finding: `level, what, count, rows, examples, advice`."""
        return pd.DataFrame([asdict(found) for found in self.findings], columns=list(Finding.__slots__))

    def __repr__(self) -> str:
        parts = [f"{self.rows:,} rows"] if self.rows is not None else []
        parts += [f"{value:,.10g} {name}" for name, value in self.totals.items()]
        parts += [str(part) for part in (self.on, self.vintage) if part]
        verdict = f"{len(self.errors)} errors, {len(self.warnings)} warnings"
        return f"<QualityReport: {self.file}: {self.what}; {', '.join([*parts, verdict])}>"

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


_collected: ContextVar[list[Finding] | None] = ContextVar("collected", default=None)


@contextmanager
def collecting() -> Iterator[list[Finding]]:
    """Within it, errors of rows are collected and reading goes on; what is read then must not be used."""
    found: list[Finding] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def collected(finding: Finding) -> bool:
    """Whether an error was taken up by `collecting`; if not, the caller raises it."""
    errors = _collected.get()
    if errors is not None:
        errors.append(finding)
    return errors is not None


def first_rows(wrong: NDArray[np.bool_], numbers: NDArray[np.int64] | None = None) -> tuple[int, ...]:
    """The first rows where `wrong`, as a spreadsheet numbers them; `numbers` where rows were left out."""
    at = np.flatnonzero(wrong)[:SHOWN]
    return tuple((at + 2 if numbers is None else numbers[at]).tolist())


def first_values(values: Iterable[object]) -> tuple[str, ...]:
    """The first distinct values, for a finding."""
    return tuple(str(value) for value in dict.fromkeys(values))[:SHOWN]


__all__ = ["Finding", "QualityReport", "collected", "collecting", "first_rows", "first_values"]
