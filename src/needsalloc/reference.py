"""Published tables: find them, check that they are unchanged, date them and cite them.

A table is two files of one stem in `data/reference`: the figures (`.csv`) and what is known about
them (`.toml`: source, licence, dates, checksum, meaning of each column). An installed wheel carries
the same files as `needsalloc/_reference`.
"""

import datetime as dt
import difflib
import hashlib
import io
import tomllib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import pandas as pd

from needsalloc.errors import ReferenceTableError, first_few

_KEYS: Mapping[str, type] = {
    "title": str,
    "source": str,
    "doi": str,
    "licence": str,
    "on": str,
    "valid_from": dt.date,
    "valid_to": dt.date,
    "retrieved": str,
    "sha256": str,
    "units": str,
    "inferred": bool,
    "evidence": str,
    "notes": list,
    "columns": dict,
}
_DTYPES = {"text": "str", "number": "float64", "whole": "int64"}


class ReferenceTableWarning(UserWarning):
    """A table used for a day after the last one that it was meant for."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: `type` is text, number (may be empty) or whole."""

    type: str
    meaning: str
    unit: str


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A published table and where it comes from.

    `frame` has the columns named in `columns`, in that order; a figure that the source does not give
    is NaN and its row's `status` is "not found". `on` says in words what day or period the figures
    describe; `valid_from` and `valid_to` are the first and last day for which we use them.
    `inferred` is true where the figures are our reading of the source, for the reasons in `evidence`.
    """

    name: str
    frame: pd.DataFrame
    title: str
    source: str
    doi: str
    licence: str
    on: str
    valid_from: dt.date
    valid_to: dt.date
    retrieved: str
    sha256: str
    units: str
    inferred: bool
    evidence: str
    notes: tuple[str, ...]
    columns: Mapping[str, Column]

    def cite(self) -> str:
        """Title, source and licence; for inferred figures also the first sentence of the evidence."""
        where = f"{self.source}. doi:{self.doi}" if self.doi else self.source
        sentences = [self.title, where, f"Licence: {self.licence}"]
        if self.inferred:
            sentences.append(f"Inferred, not as published: {self.evidence.split('. ')[0].rstrip('.')}")
        return ". ".join(sentences) + "."


def names() -> tuple[str, ...]:
    """The names of all tables, in alphabetical order."""
    stems = (file.name.removesuffix(".toml") for file in _folder().iterdir() if file.name.endswith(".toml"))
    return tuple(sorted(stems))


def read(name: str, on: dt.date | str | None = None) -> Table:
    """Read a table; its checksum is compared each time, and no caller can change another's copy.

    `on` is the day for which it is needed (a date or "2023-07-01"). Without it no date is checked.

    Raises ReferenceTableError if there is no such table, if its figures do not have the recorded
    checksum, if its description is incomplete, or if `on` is before `valid_from`. Warns with
    ReferenceTableWarning if `on` is after `valid_to`.
    """
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
        raise ReferenceTableError(f"No reference table is called {name!r}. {hint}")
    meta = _description(name)
    _check_day(name, meta, on)
    raw = _bytes(name)
    found = hashlib.sha256(raw).hexdigest()
    if found != meta["sha256"]:
        raise ReferenceTableError(
            f"{name}.csv has changed: its checksum is {found[:12]}…, recorded is {meta['sha256'][:12]}…. "
            "Restore the file, or put a correction in a table of its own."
        )
    columns = {column: Column(**about) for column, about in meta.pop("columns").items()}
    return Table(
        name=name,
        frame=_frame(name, raw, tuple((column, about.type) for column, about in columns.items())).copy(),
        columns=columns,
        notes=tuple(meta.pop("notes")),
        **meta,
    )


def _folder() -> Traversable:
    packaged = files("needsalloc") / "_reference"
    if packaged.is_dir():
        return packaged
    checkout = Path(__file__).parents[2] / "data" / "reference"
    if checkout.is_dir():
        return checkout
    raise ReferenceTableError("This installation has no reference tables. Install needsalloc again.")


def _bytes(name: str) -> bytes:
    file = _folder() / f"{name}.csv"
    if not file.is_file():
        raise ReferenceTableError(f"{name}.toml has no {name}.csv beside it. Restore the file.")
    return file.read_bytes()


def _description(name: str) -> dict[str, Any]:
    try:
        meta = tomllib.loads((_folder() / f"{name}.toml").read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ReferenceTableError(f"{name}.toml cannot be read: {error}.") from error
    wrong = [key for key, kind in _KEYS.items() if not isinstance(meta.get(key), kind)]
    wrong += [key for key in meta if key not in _KEYS]
    if wrong:
        raise ReferenceTableError(
            f"{name}.toml has {len(wrong)} missing, unknown or mistyped keys: {first_few(wrong)}. "
            f"It needs exactly: {', '.join(_KEYS)}."
        )
    odd = [column for column, about in meta["columns"].items() if not _is_column(about)]
    if odd:
        raise ReferenceTableError(
            f"{name}.toml describes {len(odd)} columns wrongly: {first_few(odd)}. "
            f"Each needs type ({', '.join(_DTYPES)}), meaning and unit."
        )
    return meta


def _is_column(about: object) -> bool:
    return isinstance(about, dict) and set(about) == {"type", "meaning", "unit"} and about["type"] in _DTYPES


def _check_day(name: str, meta: Mapping[str, Any], on: dt.date | str | None) -> None:
    if on is None:
        return
    day = _as_day(on)
    if day < meta["valid_from"]:
        raise ReferenceTableError(
            f"{name} holds from {meta['valid_from']:%d %B %Y}; it was asked for {day:%d %B %Y}. "
            "Use a later day, or a table of that time."
        )
    if day > meta["valid_to"]:
        warnings.warn(
            f"{name} was meant for use up to {meta['valid_to']:%d %B %Y}; it is used for {day:%d %B %Y}. "
            "Look for a newer table.",
            ReferenceTableWarning,
            stacklevel=3,
        )


def _as_day(on: dt.date | str) -> dt.date:
    if isinstance(on, dt.datetime):
        return on.date()
    if isinstance(on, dt.date):
        return on
    try:
        return dt.date.fromisoformat(on)
    except ValueError as error:
        raise ReferenceTableError(f"{on!r} is not a day. Write it as 2023-07-01.") from error


@cache
def _frame(name: str, raw: bytes, types: tuple[tuple[str, str], ...]) -> pd.DataFrame:
    """The figures as a frame; a run asks for the same tables some fifty times."""
    text = pd.read_csv(io.BytesIO(raw), dtype=str, keep_default_na=False)
    described = [column for column, _ in types]
    if list(text.columns) != described:
        raise ReferenceTableError(
            f"{name}.csv has the columns {', '.join(text.columns)}; its description has "
            f"{', '.join(described)}."
        )
    blank_is_nan = {column: text[column].replace("", "nan") for column, kind in types if kind == "number"}
    try:
        return text.assign(**blank_is_nan).astype({column: _DTYPES[kind] for column, kind in types})
    except ValueError as error:
        raise ReferenceTableError(f"{name}.csv has a figure that is no number: {error}.") from error
