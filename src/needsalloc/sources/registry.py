"""The official files that the library reads: what they are, whose, of when, and where they lie."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache

import pandas as pd

from needsalloc import reference
from needsalloc.errors import UnknownCodeError

# The input of a plan that is an older release of another one.
_OLDER = {"deprivation_before": ("deprivation", "2019")}
_OWN = ("current", "by_team", "inequalities", "contacts", "previous", "shares", "counts", "growth")
_NO_FILE = {
    "population_before": "fetch population_estimates, release 2020, and save the sheet of all persons as CSV",
} | dict.fromkeys(_OWN, "it is your own: docs/plan.md says what it holds")


@dataclass(frozen=True, slots=True)
class Series:
    """A publication that comes out in releases, as the table `official-series` describes it.

    `columns`: of each column that must be there, the names that it has had, as `plain` spells them.
    `patterns`: names under which its files are downloaded. `member`: the name of the file inside a zip.
    """

    name: str
    title: str
    publisher: str
    licence: str
    attribution: str
    landing: str
    look_for: str
    patterns: tuple[str, ...]
    reader: str
    member: str
    columns: tuple[tuple[str, ...], ...]

    @property
    def where(self) -> str:
        """What to do where no address of the registry helps."""
        return (
            f"Look on {self.landing} for {self.look_for}. Save it, and give its folder or its address with "
            "--from."
        )


@dataclass(frozen=True, slots=True)
class OfficialFile:
    """One file of a release, as the table `official-files` has it; `part` where a release has several.

    `kind` is "file", or "features" for a feature service that is read page by page.
    """

    series: Series
    release: str
    part: str
    kind: str
    file: str
    address: str


def registry() -> pd.DataFrame:
    """Every official file that can be fetched by name: a row for each file of each release.

    name, release, part, on, vintage, title, publisher, licence, attribution, landing, look_for, reader,
    member, columns, kind, file, address, dated_by: all text; the tables `official-series` and
    `official-files` say what each means. Nothing is fetched, and no address was opened to make the list.

    >>> registry().query("name == 'deprivation'")[["release", "vintage", "publisher"]].values.tolist()[0][:2]
    ['2019', 'LSOA 2011']
    """
    files, series = reference.read("official-files").frame, reference.read("official-series").frame
    columns = [
        "name", "release", "part", "on", "vintage", "title", "publisher", "licence", "attribution", "landing",
        "look_for", "reader", "member", "columns", "kind", "file", "address", "dated_by",
    ]  # fmt: skip
    return files.merge(series, on="name", validate="many_to_one")[columns]


def find_series(name: str) -> Series:
    """The series of that name, or for that input of a plan; UnknownCodeError with the nearest name."""
    known = _series()
    wanted = _OLDER.get(name, (name,))[0]
    if wanted in known:
        return known[wanted]
    if name in _NO_FILE:
        raise UnknownCodeError(f"{name} is no official file that can be fetched: {_NO_FILE[name]}.")
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
    raise UnknownCodeError(f"No official file is called {name!r}. {hint}")


def newest(name: str) -> str:
    """The newest release of a series in the registry, or the one that an input of a plan is."""
    return _OLDER[name][1] if name in _OLDER else max(releases(name))


def releases(name: str) -> tuple[str, ...]:
    """The releases of a series that have an address here, oldest first."""
    return tuple(sorted({file.release for file in _files() if file.series.name == find_series(name).name}))


def files_of(name: str, release: str) -> tuple[OfficialFile, ...]:
    """The files of a release, one for each part; none where the registry does not know the release."""
    series = find_series(name).name
    return tuple(file for file in _files() if (file.series.name, file.release) == (series, release))


def parts(name: str) -> tuple[str, ...]:
    """The parts in which every release of a series comes: ("",) for one file."""
    return tuple(dict.fromkeys(file.part for file in _files() if file.series.name == find_series(name).name))


def _rows(table: str) -> list[dict[str, str]]:
    frame = reference.read(table).frame
    return [dict(zip(map(str, frame), map(str, row), strict=True)) for row in frame.to_numpy()]


@cache
def _series() -> dict[str, Series]:
    found = {}
    for row in _rows("official-series"):
        patterns, columns = row.pop("pattern").split("|"), row.pop("columns").split()
        spellings = tuple(tuple(column.split("|")) for column in columns)
        found[row["name"]] = Series(patterns=tuple(patterns), columns=spellings, **row)
    return found


@cache
def _files() -> tuple[OfficialFile, ...]:
    return tuple(
        OfficialFile(
            _series()[row["name"]], row["release"], row["part"], row["kind"], row["file"], row["address"]
        )
        for row in _rows("official-files")
    )


__all__ = ["OfficialFile", "Series", "files_of", "find_series", "newest", "parts", "registry", "releases"]
