"""Bad files by the thousand: a good file of each kind, changed at random, and what comes of reading it."""
# ruff: noqa: E501  (many pieces on a line)

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pandas as pd

import small_files
from needsalloc import sources
from needsalloc.errors import NeedsallocError
from needsalloc.formulas.tables import open_toml
from needsalloc.plan import read_plan
from needsalloc.sources import by_team, growth, own
from plan_folders import PLAN

SLOWEST = 5.0
"""Seconds that a file of a few kilobytes may take on a busy machine."""

PIECES = (
    b"", b"-1", b"1.5", b"nan", b"inf", b"1e999", b"1e13", b"1.234", b'"1,234"', b"9" * 40, b"9" * 5_000, b"\xff\xfe",
    b"\0", b'"', b'""', b",", b",,,,", b"\n", b"\r", b"\r\n\r\n", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\xe2\x80\x8b", b"=",
    b"=cmd|' /C calc'!A0", b"@SUM(A1)", b"+1", b"#N/A", b"1.00E+05", b"<script>", b"20231301", b"29FEB2023", b"ALL",
    b"MALE", b"E01000001", b"U00001", b"U", b"[", b"{", b"]]", b"'''", b" = ", b"../", b"\x1b[31m", b"\xed\xa0\x80", b"\x1a",
)  # fmt: skip
SQUARE = {"type": "Polygon", "coordinates": [[[0, 51], [0, 51.1], [0.1, 51.1], [0, 51]]]}
GEOJSON = json.dumps(
    {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
        "features": [{"type": "Feature", "properties": {"LSOA21CD": "E01033769"}, "geometry": SQUARE}],
    }
)
PLACES = json.dumps({"places": ["North"], "North": {"gps": ["A81001: The Surgery"], "icb": "Tees"}})


class Target(NamedTuple):
    """What is read, from a file of which name, beginning with which bytes; `is_text`: a table of text."""

    read: Callable[[Path], object]
    file: str
    seed: bytes
    is_text: bool = False


def _workbook() -> bytes:
    import openpyxl

    book, data = openpyxl.Workbook(), io.BytesIO()
    for row in (["team", "current"], ["North", 3], ["South", 4.5]):
        book.active.append(row)
    book.save(data)
    return data.getvalue()


def _map(ending: str) -> bytes:
    import tempfile

    import geopandas
    import shapely

    drawn = geopandas.GeoDataFrame(
        {"LSOA21CD": ["E01033769"]}, geometry=[shapely.box(-1.5, 53, -1.4, 53.1)], crs=4326
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"map{ending}"
        drawn.to_parquet(path) if ending == ".parquet" else drawn.to_file(path)
        return path.read_bytes()


def _table(kind: str) -> Target:
    reader = getattr(sources, small_files.reader_of(kind))
    return Target(reader, "file.csv", small_files.TEXTS[kind][1].encode(), kind != "pcn_partners")


MAP = small_files.TEXTS["membership since 2022"][1].encode()
_OWN_TABLES = {
    "by_team": (by_team.read_by_team, b"team,minutes,price\nU00001,30,41000\nU00002,28.5,\n"),
    "contacts": (by_team.read_contacts, b"team,contacts\nU00001,30\nU00002,28\n"),
    "previous": (by_team.read_previous, b"team,weighted_population,registered,resident\nU00001,30,31,\n"),
    "growth": (growth.read_growth, b"age,factor\n0,1.01\n65,1.02\n"),
    "counts": (own.read_counts, b"team,frail\nU00001,30\nU00002,28\n"),
    "shares": (own.read_shares, b"practice,hypertension\nA81001,0.3\nA81002,0.2\n"),
}
TARGETS: dict[str, Callable[[], Target]] = {
    **{kind: (lambda kind=kind: _table(kind)) for kind in small_files.TEXTS},
    **{
        name: (lambda read=read, seed=seed: Target(read, "file.csv", seed, True))
        for name, (read, seed) in _OWN_TABLES.items()
    },
    "zip": lambda: Target(sources.read_membership, "file.zip", small_files.packed({"map.csv": MAP * 1})),
    "gzip": lambda: Target(sources.read_membership, "file.csv.gz", gzip.compress(MAP)),
    "workbook": lambda: Target(sources.read_current, "file.xlsx", _workbook()),
    "workbook of partners": lambda: Target(sources.read_pcn_partners, "file.xlsx", _workbook()),
    "places": lambda: Target(sources.read_places, "file.json", PLACES.encode()),
    "boundaries GeoJSON": lambda: Target(sources.read_boundaries, "file.geojson", GEOJSON.encode()),
    "boundaries Parquet": lambda: Target(sources.read_boundaries, "file.parquet", _map(".parquet")),
    "boundaries GeoPackage": lambda: Target(sources.read_boundaries, "file.gpkg", _map(".gpkg")),
    "plan": lambda: Target(read_plan, "plan.toml", PLAN.encode()),
    "own formula": lambda: Target(open_toml, "formula.toml", PLAN.encode()),
}
NATIVE = ("boundaries GeoJSON", "boundaries Parquet", "boundaries GeoPackage")
"""Targets whose libraries could end the whole process."""


def mutated(data: bytes, dice: random.Random) -> bytes:
    """The bytes with one to a few of them replaced, cut out, doubled, moved, or some inside an archive."""
    if data[:4] == b"PK\x03\x04" and dice.random() < 0.7:
        # What is changed may be damaged already: then it is changed as any bytes are.
        with suppress(Exception):
            return _mutated_member(data, dice)
    found = bytearray(data)
    for _ in range(dice.choice([1, 1, 1, 2, 5])):
        at, length = dice.randrange(len(found) + 1), dice.choice([0, 1, 1, 2, 8, 40])
        piece = dice.choice(PIECES)
        match dice.randrange(7):
            case 0:
                found[at : at + length] = piece
            case 1 if found:
                found[min(at, len(found) - 1)] ^= 1 << dice.randrange(8)
            case 2:
                del found[at : at + length]
            case 3:
                found[at:at] = found[at : at + length]
            case 4:
                del found[at:]
            case _:
                found = _other_cell(found, piece, dice)
    return bytes(found)


def _other_cell(data: bytearray, piece: bytes, dice: random.Random) -> bytearray:
    """A whole cell, row or line changed: what a spreadsheet or a careless hand does."""
    lines = bytes(data).split(b"\n")
    at = dice.randrange(len(lines))
    cells = lines[at].split(b",")
    column = dice.randrange(len(cells))
    match dice.randrange(5):
        case 0 | 1:
            cells[column] = piece
            lines[at] = b",".join(cells)
        case 2:
            lines.insert(dice.randrange(len(lines) + 1), lines[at])
        case 3:
            lines = [b",".join(row.split(b",")[:column] + row.split(b",")[column + 1 :]) for row in lines]
        case _:
            other = dice.randrange(len(cells))
            cells[column], cells[other] = cells[other], cells[column]
            lines[at] = b",".join(cells)
    return bytearray(b"\n".join(lines))


def _mutated_member(data: bytes, dice: random.Random) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        chosen = dice.choice(old.namelist())
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, mutated(text, dice) if name == chosen else text)
    return made.getvalue()


def outcome(target: Target, data: bytes, path: Path) -> str:
    """ "read" or "refused"; AssertionError for figures that hang on how the rows are quoted, or much time.

    Whatever else a reader raises goes on to the caller: it is no error of ours.
    """
    path.write_bytes(data)
    start = time.perf_counter()
    try:
        found = target.read(path)
    except NeedsallocError:
        return "refused"
    finally:
        took = time.perf_counter() - start
        assert took < SLOWEST, f"{took:.1f} s for {len(data):,} bytes"
    if target.is_text and isinstance(found, pd.DataFrame):
        _same_when_written_again(target, data, path, found)
    return "read"


def _same_when_written_again(target: Target, data: bytes, path: Path, found: pd.DataFrame) -> None:
    """The rows as another parser finds them, each cell in quotes, give the same frame."""
    try:
        rows = [
            row for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True) if row
        ]
    except (csv.Error, UnicodeDecodeError):
        return
    again = io.StringIO()
    csv.writer(again, quoting=csv.QUOTE_ALL).writerows(rows)
    path.write_text(again.getvalue(), encoding="utf-8", newline="")
    pd.testing.assert_frame_equal(pd.DataFrame(target.read(path)), pd.DataFrame(found))


def try_out(name: str, folder: Path, seconds: float, seed: int) -> Counter[str]:
    """How many mutations of a target's file were read and refused, in so many seconds."""
    target, dice, found = TARGETS[name](), random.Random(f"{name} {seed}"), Counter[str]()
    known = [target.seed]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        data = mutated(dice.choice(known), dice)
        try:
            how = outcome(target, data, folder / target.file)
        except BaseException:
            (folder / f"found-{target.file}").write_bytes(data)
            raise
        found[how] += 1
        # What is still read is a good file of another shape: mutations of it go further.
        if how == "read" and len(known) < 200 and len(data) < 4 * len(target.seed):
            known.append(data)
    return found
