"""What a file is, what it holds and what is wrong with it: every reader behind one function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from needsalloc.errors import InvalidValueError, NeedsallocError
from needsalloc.geography import AREAS_OF_ENGLAND, is_english, vintage_in
from needsalloc.sources import _kinds, boundaries, by_team, growth, own
from needsalloc.sources._containers import is_archive
from needsalloc.sources._opening import checksum, read_bytes
from needsalloc.sources._quality import Finding, QualityReport, collecting
from needsalloc.sources._reading import SourceFile, archive_kinds
from needsalloc.sources._workbook import is_workbook
from needsalloc.sources.area_membership import read_area_membership
from needsalloc.sources.conditions import read_conditions
from needsalloc.sources.current import read_current
from needsalloc.sources.deprivation import read_deprivation
from needsalloc.sources.disability import read_disability
from needsalloc.sources.health_domain import read_health_domain
from needsalloc.sources.lists import read_lists
from needsalloc.sources.lists_by_band import read_lists_by_band
from needsalloc.sources.lookup import read_area_lookup
from needsalloc.sources.membership import NO_PCN, read_membership
from needsalloc.sources.payments import read_payments
from needsalloc.sources.pcn_partners import read_pcn_partners
from needsalloc.sources.population import read_population
from needsalloc.sources.registrations import read_registrations
from needsalloc.sources.rurality import read_rurality
from needsalloc.sources.trust_shares import read_trust_shares
from needsalloc.sources.weighted_populations import read_places, read_weighted_populations
from needsalloc.sources.workforce import read_workforce

Reader = Callable[..., pd.DataFrame]

_READERS: Mapping[str, Reader] = {
    "area_membership": read_area_membership,
    "boundaries": boundaries.read_boundaries,
    "by_team": by_team.read_by_team,
    "conditions": read_conditions,
    "contacts": by_team.read_contacts,
    "counts": own.read_counts,
    "current": read_current,
    "deprivation": read_deprivation,
    "disability": read_disability,
    "growth": growth.read_growth,
    "health_domain": read_health_domain,
    "inequalities": by_team.read_inequality_weights,
    "lists": read_lists,
    "lists_by_band": read_lists_by_band,
    "lookup": read_area_lookup,
    "membership": read_membership,
    "payments": read_payments,
    "pcn_partners": read_pcn_partners,
    "places": read_places,
    "population": read_population,
    "previous": by_team.read_previous,
    "registrations": read_registrations,
    "rurality": read_rurality,
    "shares": own.read_shares,
    "trust_shares": read_trust_shares,
    "weighted_populations": read_weighted_populations,
    "workforce": read_workforce,
}
_WHAT = {kind.key: kind.what for kind in _kinds.KINDS} | {
    "boundaries": "boundaries of areas",
    "by_team": "figures by team",
    "contacts": "contacts by team",
    "counts": "counts by team or area",
    "growth": "growth factors by age or area",
    "inequalities": "inequality weights by team",
    "places": "places of the place-based tool",
    "previous": "an earlier plan",
    "shares": "shares of adults by practice or area",
}
_OWN = {"by_team", "contacts", "counts", "current", "growth", "inequalities", "previous", "shares"}
_MAPS = {".parquet", ".geojson", ".gpkg"}


def inspect_file(path: str | Path, *, kind: str | None = None, **named: Any) -> QualityReport:
    """Read a file with the reader that its columns ask for, and report what it is, holds and lacks.

    kind: what it is meant to be, in the words of a plan ("registrations", "deprivation_before", "shares" …);
        None to tell it from the columns. A file that is another kind is an error.
    named: the columns of a layout of one's own, as the reader takes them.

    Errors of the file are in the report, those of rows all at once; nothing is raised for them.

    Raises InvalidValueError for a kind that there is none of.
    """
    path = Path(path)
    asked = kind.removesuffix("_before") if kind else None
    if asked is not None and asked not in _READERS:
        raise InvalidValueError(f"No kind of file is called {kind!r}: {', '.join(_READERS)}.")
    try:
        stored = read_bytes(path)
    except NeedsallocError as error:
        return _failed(QualityReport(path.name, asked, _WHAT.get(asked or "", QualityReport.what)), error)
    sha256 = checksum(stored)
    try:
        found = _detect(path, stored)
    except NeedsallocError as error:
        return _failed(QualityReport(path.name, asked, sha256=sha256), error)
    key = asked or found
    if key is None:
        report = QualityReport(path.name, sha256=sha256)
        what = "the columns are those of no published layout that is known"
        advice = "Say what it is with kind=, and name its columns."
        return _with(report, Finding("error", what, advice=advice))
    report = QualityReport(path.name, key, _WHAT[key], _READERS[key].__name__, sha256)
    if not named and found and found != key and not _also(found, key):
        known = _READERS[found].__name__
        what = f"the file is {_WHAT[found]}, not {_WHAT[key]}"
        return _with(report, Finding("error", what, advice=f"Read it with {known}, or give another file."))
    return _read(path, report, named)


def _read(path: Path, report: QualityReport, named: Mapping[str, Any]) -> QualityReport:
    assert report.kind is not None
    with collecting() as errors:
        try:
            frame = _READERS[report.kind](path, **named)
        except NeedsallocError as error:
            # What else fails on rows that are wrong already says nothing new.
            return _with(report, *errors) if errors else _failed(report, error)
    if errors:
        return _with(report, *errors)
    attrs = frame.attrs
    source = attrs["source"]
    inside = f": {source['member']}" if "member" in source else ""
    return QualityReport(
        report.file + inside,
        report.kind,
        report.what,
        report.reader,
        report.sha256,
        source["rows"],
        _vintage(frame),
        attrs.get("on") or attrs.get("edition"),
        _TOTALS.get(report.kind, _numbers)(frame),
        tuple(attrs.get("quality", ())),
    )


def _detect(path: Path, stored: bytes) -> str | None:
    """The kind of a file by its columns, or by what only one kind of file can be."""
    if path.suffix.lower() in _MAPS or stored.startswith(b"PAR1"):
        return "boundaries"
    if path.suffix.lower() == ".json":
        return "boundaries" if b'"FeatureCollection"' in stored[:4096] else "places"
    if is_workbook(stored):
        try:
            read_pcn_partners(path)
        except NeedsallocError:
            return "current"
        return "pcn_partners"
    if is_archive(stored):
        return _one_kind(archive_kinds(path, stored))
    header = SourceFile(path, "a table").header
    if (found := _kinds.kind_of(header)) is not None:
        return found.key
    if len(header) == 11 and header[4][:1] == "U" and header[4][1:].isdigit():
        return "pcn_partners"
    return "current" if header and header[0].startswith("#") else None


def _one_kind(kinds: Mapping[str, str | None]) -> str | None:
    """The one kind of the tables of an archive; an archive of several is what the plan says it is."""
    known = {key for key, what in _WHAT.items() if what in kinds.values()}
    return known.pop() if len(known) == 1 else None


def _also(found: str, asked: str) -> bool:
    """Whether a file that looks like one kind can be read as another.

    File 7 holds the domains too, payments name PCNs, and the planner's own sheets may have any columns.
    """
    return (found, asked) in {("deprivation", "health_domain"), ("payments", "membership")} or asked in _OWN


def _failed(report: QualityReport, error: NeedsallocError) -> QualityReport:
    return _with(report, Finding("error", str(error)))


def _with(report: QualityReport, *findings: Finding) -> QualityReport:
    """The report with findings, each once: a column may be looked at twice."""
    return replace(report, findings=tuple(dict.fromkeys(findings)))


def _vintage(frame: pd.DataFrame) -> str | None:
    names = [name for name in (frame.index.name, *frame.columns) if name in AREAS_OF_ENGLAND]
    return vintage_in(frame) if len(names) == 1 else None


def _registrations(frame: pd.DataFrame) -> dict[str, float]:
    area = frame[vintage_in(frame)]
    english = is_english(area)
    return {
        "patients": int(frame["patients"].sum()),
        "practices": frame["practice"].nunique(),
        "areas of England": area[english].nunique(),
        "patients beyond areas of England": int(frame["patients"][~english].sum()),
    }


def _membership(frame: pd.DataFrame) -> dict[str, float]:
    inside = frame[frame["pcn"] != NO_PCN]
    return {
        "practices": len(frame),
        "PCNs": inside["pcn"].nunique(),
        "practices without a PCN": len(frame) - len(inside),
    }


def _people(frame: pd.DataFrame) -> dict[str, float]:
    kinds: dict[str, float] = {"people": float(frame.to_numpy().sum())}
    if frame.index.nlevels > 1:
        return kinds | {"practices": frame.index.get_level_values("practice").nunique()}
    return kinds | {"areas": len(frame)}


def _conditions(frame: pd.DataFrame) -> dict[str, float]:
    whole = frame[frame["list_type"] == "TOTAL"].drop_duplicates("practice")
    return {
        "practices": frame["practice"].nunique(),
        "conditions": frame["condition"].nunique(),
        "people on whole lists": float(whole["list_size"].sum()),
    }


def _numbers(frame: pd.DataFrame) -> dict[str, float]:
    """The sum of each column of amounts, and how many there are of what the rows are about."""
    counted: dict[str, float] = {}
    for column, word in (("practice", "practices"), ("pcn", "PCNs"), ("team", "teams"), ("trust", "trusts")):
        if column in frame:
            counted[word] = frame[column].nunique()
    if frame.index.name in AREAS_OF_ENGLAND:
        counted["areas"] = len(frame)
    sums = {
        str(name): float(frame[name].sum())
        for name in frame
        if frame[name].dtype == "float64" and name not in ("share", "factor", "imd_score", "health_score")
    }
    return counted | sums


_TOTALS: Mapping[str, Callable[[pd.DataFrame], dict[str, float]]] = {
    "registrations": _registrations,
    "membership": _membership,
    "pcn_partners": _membership,
    "population": _people,
    "lists": _people,
    "lists_by_band": _people,
    "conditions": _conditions,
}

__all__ = ["inspect_file"]
