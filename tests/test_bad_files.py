"""Hundreds of bad files, made of the good ones: each ends in the good file's figures or an error of ours."""
# ruff: noqa: E501  (a case stands on a line)

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest

import bad_files
import small_files
from bad_files import CHANGES, EITHER, REFUSED, SAME, TEXTS
from needsalloc import sources
from needsalloc.errors import (
    InputFileError,
    InvalidValueError,
    MissingColumnError,
    NeedsallocError,
    PlanError,
)
from needsalloc.formulas.tables import open_toml
from needsalloc.plan import read_plan
from needsalloc.sources.by_team import read_by_team

pytestmark = pytest.mark.slow

MAP = TEXTS["membership since 2022"]
HEADER, ROW = MAP.splitlines()
LISTS = (
    "ORG_TYPE,ORG_CODE,SEX,AGE,NUMBER_OF_PATIENTS\nGP,A81001,MALE,{age},{patients}\nGP,A81001,FEMALE,95+,2\n"
)


def figures(frame: pd.DataFrame) -> str:
    """All that a frame says, in an order of its own."""
    frame = frame.reset_index() if frame.index.names != [None] else frame
    return frame.astype(str).sort_values(list(frame.columns)).to_csv(index=False)


@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_each_change_of_a_good_file_ends_as_it_must(tmp_path: Path, kind: str) -> None:
    reader, path = getattr(sources, small_files.reader_of(kind)), tmp_path / "file.csv"
    path.write_text(TEXTS[kind], encoding="utf-8")
    good, otherwise = figures(reader(path)), {}
    for change in CHANGES:
        wanted = bad_files.expected(kind, change)
        if wanted is None:
            continue
        path.write_bytes(change.make(TEXTS[kind]))
        try:
            found = SAME if figures(reader(path)) == good else "other figures"
        except NeedsallocError:
            found = REFUSED
        if found not in ((SAME, REFUSED) if wanted == EITHER else (wanted,)):
            otherwise[change.name] = f"{found}, not {wanted}"
    assert not otherwise


# Figures that would be others without a word


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("lists", ",5,3\n", ",5,1.234\n"),
        ("registrations", ",9\n", ",1.000\n"),
        ("registrations", ",9\n", ",12.345\n"),
        ("population", TEXTS["population"], "lsoa21_code,0,1+\nE01033769,9,1.234\nE01033770,8,950\n"),
        ("conditions", ",12.0,", ",1.234,"),
    ],
)
def test_a_dot_between_thousands_is_no_decimal_point(tmp_path: Path, kind: str, good: str, bad: str) -> None:
    path = tmp_path / "file.csv"
    assert good in TEXTS[kind]
    text = TEXTS[kind].replace(good, bad)
    if kind == "conditions":
        text += "A81002,DEM,7,TOTAL,950\n"
    path.write_text(text)
    with pytest.raises(InvalidValueError, match="dot between thousands"):
        getattr(sources, small_files.reader_of(kind))(path)


def test_a_comma_between_thousands_and_decimals_on_every_row_are_read(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text(TEXTS["registrations"].replace(",9\n", ',"1,234"\n'))
    assert sources.read_registrations(path)["patients"].tolist() == [1234, 4]
    path.write_text("lsoa21_code,0,1+\nE01033769,1.125,20.250\nE01033770,0.125,7.500\n")
    assert sources.read_population(path).to_numpy().sum() == 29.0


def test_a_quote_too_many_loses_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    second, third = ROW.replace("A81001", "A81002"), ROW.replace("A81001", "A81003")
    for first, next_ in (
        (ROW.replace("TPP", '"TPP'), second),
        (ROW.replace("THE", '"THE'), second.replace("THE", '"THE')),
    ):
        path.write_text("\n".join([HEADER, first, next_, third, ""]))
        with pytest.raises(
            InputFileError, match=r"quote behind row \d that does not close, or closes within"
        ):
            sources.read_membership(path)
    # Duly quoted it may be a name, and is told of.
    path.write_text(
        "\n".join([HEADER, ROW.replace("THE", '"THE'), second.replace("SURGERY", 'SURGERY"'), third])
    )
    frame = sources.read_membership(path)
    assert len(frame) == 2
    assert "as many commas as a row" in frame.attrs["quality"][0].what


def test_one_file_behind_another_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lookup.csv"
    path.write_text(TEXTS["lookup"] * 2)
    with pytest.raises(InputFileError, match=r"header again in 1 rows.*row 3"):
        sources.read_area_lookup(path)


@pytest.mark.parametrize(
    ("kind", "one", "other", "message"),
    [
        ("membership since 2022", "PRACTICE_CODE", "PCN_CODE", "codes of PCNs in all 1 rows: U00001"),
        ("conditions", "REGISTER", "PRACTICE_LIST_SIZE", "1 of 1 rows more people are on the register"),
        ("deprivation", "Index of Multiple Deprivation (IMD) Score",
         "Index of Multiple Deprivation (IMD) Decile (where 1 is most deprived 10% of LSOAs)", "no whole number"),
        ("registrations", "PRACTICE_CODE", "LSOA_CODE", "No code is an English LSOA"),
        ("lookup", "LSOA11CD", "CHGIND", "No code is|not an|U"),
    ],
)  # fmt: skip
def test_headers_in_each_others_place_are_found(
    tmp_path: Path, kind: str, one: str, other: str, message: str
) -> None:
    header, rest = TEXTS[kind].split("\n", 1)
    names = header.split(",")
    swapped = [{one: other, other: one}.get(name, name) for name in names]
    assert swapped != names
    path = tmp_path / "file.csv"
    path.write_text(",".join(swapped) + "\n" + rest)
    with pytest.raises(NeedsallocError, match=message):
        getattr(sources, small_files.reader_of(kind))(path)


def test_a_figure_rounded_by_a_spreadsheet_is_refused_and_an_exact_exponent_is_read(tmp_path: Path) -> None:
    path = tmp_path / "lists.csv"
    path.write_text(LISTS.format(age=5, patients="1.23E+05"))
    with pytest.raises(InvalidValueError, match=r"hold no number; first: '1\.23E\+05'"):
        sources.read_lists(path)
    path.write_text(LISTS.format(age=5, patients="1e+05"))  # as R writes 100000
    assert sources.read_lists(path).to_numpy().sum() == 100_002


@pytest.mark.parametrize("digits", ["9" * 13, "9" * 400, "9" * 5_000, "1e13", "9" * 320 + "e90"])
def test_no_figure_is_endless(tmp_path: Path, digits: str) -> None:
    path = tmp_path / "file.csv"
    for text in (LISTS.format(age=5, patients=digits), LISTS.format(age=digits, patients=5)):
        path.write_text(text)
        with pytest.raises(InvalidValueError, match=r"hold no number|no age from 0 to 95"):
            sources.read_lists(path)
    path.write_text(f"lsoa21_code,0,1+\nE01033769,1,{digits}\n")
    with pytest.raises(InvalidValueError, match="hold no number"):
        sources.read_population(path)


@pytest.mark.parametrize("name", ["{}", "F{}", "Aged {} to 5", "Under {}", "{} and under", "Aged {} years"])
def test_no_age_is_endless(tmp_path: Path, name: str) -> None:
    path = tmp_path / "population.csv"
    for digits in ("9" * 5_000, "2020"):
        path.write_text(f"LSOA 2021 Code,{name.format(digits)}\nE01033769,10\n")
        with pytest.raises(MissingColumnError, match="no column of an age"):
            sources.read_population(path)


# Time and memory

LIMITED = """
    import resource, sys
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    from needsalloc.errors import NeedsallocError
    from needsalloc import sources
    from needsalloc.plan import read_plan
    try:
        {call}(sys.argv[1])
    except NeedsallocError as error:
        print(error)
"""


def refusal(call: str, path: Path) -> str:
    """The message with which a process of 3 GB and half a minute refuses a file."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(LIMITED.format(call=call)), str(path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert not done.stderr, done.stderr[-2000:]
    return done.stdout


def sheet(rows: bytes) -> bytes:
    """The workbook of posts in place with these rows of XML behind its own."""
    import io
    import zipfile

    openpyxl = pytest.importorskip("openpyxl")
    book, plain, changed = openpyxl.Workbook(), io.BytesIO(), io.BytesIO()
    for row in (["team", "current"], ["North", 3]):
        book.active.append(row)
    book.save(plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name)
            at_end = name.endswith("sheet1.xml")
            new.writestr(name, text.replace(b"</sheetData>", rows + b"</sheetData>") if at_end else text)
    return changed.getvalue()


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of memory there")
@pytest.mark.parametrize(
    ("name", "call", "make", "message"),
    [
        ("a.xlsx", "sources.read_current",
         lambda: sheet(b'<row r="999999999999"><c><v>1</v></c></row>'), "more than 1,048,576 rows"),
        ("a.xlsx", "sources.read_current",
         lambda: sheet(b"".join(b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>' % (i, i) for i in range(3, 9_000))),
         "20,000,000 cells"),
        ("a.csv", "sources.read_current",
         lambda: ("team,current\n" + "T,1\n" * 20_000 + "X,1" + "," * 1_000_000).encode(), "row of 1,000,002 cells"),
        ("a.toml", "read_plan", lambda: b"a" + b".a" * 100_000 + b" = 1", "more than 50 parts"),
        ("a.toml", "read_plan", lambda: b"[" + b"'a' . " * 1_000 + b"a]", "more than 50 parts"),
        ("a.toml", "read_plan", lambda: b"x = '" + b"y" * 9_000_000 + b"'", "9,000,006 bytes"),
        ("a.json", "read_plan", lambda: b"[" * 1_000_000, "not the provenance.json"),
        ("a.json", "sources.read_places", lambda: b"[" * 1_000_000, "is no JSON"),
    ],
)  # fmt: skip
def test_what_would_go_on_and_on_is_refused(tmp_path: Path, name, call, make, message) -> None:
    path = tmp_path / name
    path.write_bytes(make())
    assert message in refusal(call, path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such devices here")
def test_a_device_is_no_plan() -> None:
    assert "cannot be read: it is no ordinary file" in refusal("read_plan", Path("/dev/zero"))


@pytest.mark.parametrize(
    "text",
    ["a = " + "9" * 5_000, "a = " + "[" * 10_000, "a = " + "{a=" * 10_000, "a" + ".a" * 60 + " = 1", "a"],
)
def test_toml_beyond_measure_is_refused_wherever_it_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(PlanError, match="is not valid TOML"):
        read_plan(path)
    with pytest.raises(InputFileError, match="is not TOML"):
        open_toml(path)


def test_a_table_of_thousands_of_columns_is_read_in_time(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    names = [f"c{i:x}" for i in range(3_000)]
    path.write_text(f"team,{','.join(names)}\nA,{','.join('1' * 3_000)}\n")
    assert read_by_team(path).shape == (1, 3_000)


# Boundaries: what GDAL would follow


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """The address of a server, and what it was asked for after that."""
    found: list[str] = []

    class Listening(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.append(self.path)
            self.send_response(404)
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listening)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.append(f"http://127.0.0.1:{server.server_port}/")
    yield found
    server.shutdown()
    server.server_close()


def collection(geometry: object = "square", crs: str = "") -> str:
    square = {"type": "Polygon", "coordinates": [[[0, 51], [0, 51.1], [0.1, 51.1], [0, 51]]]}
    shape = {"type": "Feature", "properties": {"LSOA21CD": "E01033769"}}
    shape["geometry"] = square if geometry == "square" else geometry
    return f'{{"type": "FeatureCollection", {crs}"features": [{json.dumps(shape)}]}}'


@pytest.mark.parametrize("key", ['"crs"', '"\\u0063rs"'])
@pytest.mark.parametrize("how", ["link", "url", "name"])
def test_no_link_to_a_coordinate_system_is_followed(tmp_path: Path, asked, key: str, how: str) -> None:
    pytest.importorskip("geopandas")
    path, word = tmp_path / "map.geojson", {"link": "href"}.get(how, how)
    at = f'{key}: {{"type": "{how}", "properties": {{"{word}": "{asked[0]}crs"}}}}, '
    path.write_text(collection(crs=at))
    with pytest.raises(InputFileError, match="does not name its coordinate system"):
        sources.read_boundaries(path)
    assert len(asked) == 1
    path.write_text(
        collection(crs='"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}, ')
    )
    assert len(sources.read_boundaries(path)) == 1


@pytest.mark.parametrize("name", ["map.geojson", "map.json", "map.gpkg", "map.parquet"])
def test_no_virtual_layer_is_followed(tmp_path: Path, asked, name: str) -> None:
    pytest.importorskip("geopandas")
    (tmp_path / "secret.csv").write_text("LSOA21CD,x,y\nE01033769,1,2\n")
    for source in (tmp_path / "secret.csv", f"/vsicurl/{asked[0]}secret.csv"):
        (tmp_path / name).write_text(
            f'<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>{source}</SrcDataSource>'
            "<GeometryType>wkbPoint</GeometryType><LayerSRS>EPSG:27700</LayerSRS>"
            '<GeometryField encoding="PointFromColumns" x="x" y="y"/></OGRVRTLayer></OGRVRTDataSource>'
        )
        with pytest.raises(InputFileError, match="does not begin as a"):
            sources.read_boundaries(tmp_path / name)
    assert len(asked) == 1


@pytest.mark.parametrize(
    "geometry",
    [
        None,
        {"type": "Point", "coordinates": [0, 51]},
        {"type": "LineString", "coordinates": [[0, 51], [1, 52]]},
        {"type": "Polygon", "coordinates": []},
        {"type": "GeometryCollection", "geometries": []},
        {"type": "Polygon", "coordinates": [[[500, 500], [2, 2], [3, 3], [500, 500]]]},
    ],
)
def test_an_area_without_a_polygon_is_refused(tmp_path: Path, geometry: object) -> None:
    pytest.importorskip("geopandas")
    path = tmp_path / "map.geojson"
    path.write_text(collection(geometry))
    with pytest.raises(InvalidValueError, match="1 of 1 areas have no polygon: E01033769"):
        sources.read_boundaries(path)
