"""What the file of a plan's input was found to be: kind, rows, day, census, and what it adds up to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from needsalloc.ages import ADULT
from needsalloc.geography import AREAS_OF_ENGLAND, is_english
from needsalloc.plan import InputFile
from needsalloc.sources import NO_PCN

FIELDS = ("role", "status", "file", "found", "rows", "on", "vintage", "total", "counted", "sha256", "fault")
_CENSUS = {"lsoa11": "2011", "lsoa21": "2021"}


def about_file(role: str, file: InputFile, **known: Any) -> dict[str, Any]:
    """A row of `Reconciliation.files`: what is known of one input, and blanks for the rest."""
    nothing: dict[str, Any] = dict.fromkeys(FIELDS, "") | {"status": "pass", "rows": 0, "total": float("nan")}
    name = " and ".join(Path(path).name for path in file.paths)
    return nothing | {"role": role, "file": name, "on": str(file.on or "")} | known


def described(role: str, file: InputFile, frame: pd.DataFrame) -> dict[str, Any]:
    """What a frame was found to be, for its row."""
    attrs, source = frame.attrs, frame.attrs["source"]
    found, total, counted = _KINDS.get(role, _other)(frame)
    names = [str(name) for name in (frame.index.name, *frame.columns) if name in AREAS_OF_ENGLAND]
    odd = "; ".join(f"{finding.what} ({finding.count:,})" for finding in attrs.get("quality", ()))
    return {
        "status": "warning" if odd else "pass",
        "fault": odd,
        "found": found,
        "rows": source["rows"],
        "on": str(attrs.get("on") or attrs.get("edition") or file.on or ""),
        "vintage": names[0] if len(names) == 1 else "",
        "total": total,
        "counted": counted,
        "sha256": source["sha256"],
    }


Described = tuple[str, float, str]


def _registrations(frame: pd.DataFrame) -> Described:
    vintage = next(name for name in AREAS_OF_ENGLAND if name in frame)
    codes = pd.Index(frame[vintage].astype("str").unique())
    english = int(is_english(codes).sum())
    words = (
        f"patients of {frame['practice'].nunique():,} practices in {english:,} English areas of "
        f"{_CENSUS[vintage]} and {len(codes) - english:,} other codes"
    )
    return words, float(frame["patients"].sum()), "patients"


def _membership(frame: pd.DataFrame) -> Described:
    pcns, icbs = frame.loc[frame["pcn"] != NO_PCN, "pcn"].nunique(), frame["icb"].nunique()
    return f"practices in {pcns:,} PCNs and {icbs:,} ICBs", float(len(frame)), "practices"


def _population(frame: pd.DataFrame) -> Described:
    ages = frame.columns.to_numpy()
    words = f"residents of {len(frame):,} {_areas(frame)} in {len(ages):,} bands of age"
    if ADULT in ages:
        words += f", {frame.loc[:, ADULT:].to_numpy().sum():,.0f} of them {ADULT} and over"
    return words, float(frame.to_numpy().sum()), "residents"


def _deprivation(frame: pd.DataFrame) -> Described:
    low, high = frame["imd_score"].min(), frame["imd_score"].max()
    words = f"scores of {_areas(frame)}, {low:.1f} to {high:.1f}"
    return words, float(len(frame)), "areas"


def _lists(frame: pd.DataFrame) -> Described:
    practices = frame.index.get_level_values("practice").nunique()
    words = f"lists of {practices:,} practices by sex, ages {frame.columns[0]} to {frame.columns[-1]}"
    return words, float(frame.to_numpy().sum()), "patients"


def _conditions(frame: pd.DataFrame) -> Described:
    sizes = frame[frame["list_type"] == "TOTAL"].groupby("practice")["list_size"].max()
    words = f"{frame['condition'].nunique():,} registers of {frame['practice'].nunique():,} practices"
    return words, float(sizes.sum()), "patients on their lists"


def _current(frame: pd.DataFrame) -> Described:
    basis = frame.attrs.get("basis") or "basis not stated"
    return f"posts of {len(frame):,} teams ({basis})", float(frame["current"].sum()), "posts"


def _lookup(frame: pd.DataFrame) -> Described:
    words = f"{frame['lsoa11'].nunique():,} areas of 2011 to {frame['lsoa21'].nunique():,} of 2021"
    return words, float(len(frame)), "pairs of areas"


def _other(frame: pd.DataFrame) -> Described:
    """Any table by area, practice or team: how many rows of what, and the columns if they are few."""
    what = _areas(frame) if frame.index.name in _CENSUS else f"rows by {frame.index.name or 'number'}"
    columns = ", ".join(str(name) for name in frame.columns[:4] if name != "geometry")
    return f"{len(frame):,} {what}" + (f": {columns}" if columns else ""), float("nan"), ""


def _areas(frame: pd.DataFrame) -> str:
    return f"areas of {_CENSUS[str(frame.index.name)]}"


_KINDS: Mapping[str, Callable[[pd.DataFrame], Described]] = {
    "registrations": _registrations,
    "membership": _membership,
    "population": _population,
    "population_before": _population,
    "deprivation": _deprivation,
    "deprivation_before": _deprivation,
    "lists": _lists,
    "conditions": _conditions,
    "current": _current,
    "lookup": _lookup,
}


__all__ = ["FIELDS", "about_file", "described"]
