"""Files that were made to do harm end in one of our errors, before much is unpacked and without a trace."""

from __future__ import annotations

import gzip
import io
import random
import re
import stat
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import small_files
from needsalloc import sources
from needsalloc.errors import InputFileError, InvalidValueError, NeedsallocError
from needsalloc.sources import _reading, inspect_file

pytestmark = pytest.mark.slow

GOOD = small_files.TEXTS["membership since 2022"][1]
ROW = GOOD.splitlines()[1] + "\n"
# More than 64 MB of text from less than a hundredth: no official file is like it.
BOMB = GOOD.encode() + b"\n" * 70_000_000


def zipped(change: Callable[[zipfile.ZipFile], object]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        change(archive)
    return data.getvalue()


def link(archive: zipfile.ZipFile) -> None:
    about = zipfile.ZipInfo("map.csv")
    about.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(about, "/etc/passwd")


def twice(archive: zipfile.ZipFile) -> None:
    archive.writestr("map.csv", GOOD)
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("map.csv", GOOD)


def encrypted() -> bytes:
    data = bytearray(small_files.packed({"map.csv": GOOD}))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(header) + flags] |= 1
    return bytes(data)


def damaged() -> bytes:
    data = zipped(lambda archive: archive.writestr("map.csv", GOOD, compress_type=zipfile.ZIP_STORED))
    return data.replace(b"U00001", b"U00009", 1)


def of_another_compression() -> bytes:
    data = bytearray(small_files.packed({"map.csv": GOOD}))
    for header, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(header) + method] = 99
    return bytes(data)


NESTED = small_files.packed({"inner.zip": small_files.packed({"map.csv": GOOD})})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: small_files.packed({"map.csv": BOMB}), "unpacks to more than .* MB"),
        (lambda: gzip.compress(BOMB, 6), "unpacks to more than .* MB"),
        (lambda: gzip.compress("É".encode() + BOMB, 6), "unpacks to more than .* MB"),
        (lambda: small_files.packed({"../map.csv": GOOD}), r"1 members lead out of the folder: '\.\./map"),
        (lambda: small_files.packed({"/etc/map.csv": GOOD}), "lead out of the folder"),
        (lambda: small_files.packed({"a/..\\..\\map.csv": GOOD}), "lead out of the folder"),
        (lambda: small_files.packed({"C:\\map.csv": GOOD}), "lead out of the folder"),
        (lambda: zipped(link), "1 members are links"),
        (lambda: zipped(twice), "1 members stand twice: 'map.csv'"),
        (encrypted, "1 members are encrypted"),
        (damaged, r"damaged archive.*Bad CRC"),
        (of_another_compression, "damaged archive, or one of an unusual kind"),
        (lambda: NESTED, "holds no table: inner.zip"),
        (lambda: small_files.packed({"map.csv": NESTED}), "is a zip archive of inner.zip"),
        (lambda: small_files.packed({f"{i}.csv": "" for i in range(2_001)}), "2,001 members are more than"),
        (lambda: small_files.packed({}), "holds no table: nothing"),
        (lambda: small_files.packed({"a.csv": "x,y\n1,2\n", "b.csv": "x\n"}), "holds 2 tables, and none is"),
        (
            lambda: small_files.packed({"a.csv": GOOD, "b.csv": GOOD}),
            "holds 2 tables of the map of",
        ),
        (lambda: small_files.packed({"map.csv": GOOD})[:-30], "damaged archive"),
        (lambda: b"\xd0\xcf\x11\xe0" + bytes(600), "workbook of the old kind, or protected by a password"),
        (lambda: b'PRACTICE_CODE,PCN_CODE\nA1,"U00001' + b"x" * 3_000_000, "cannot be read as a table|rows"),
        (lambda: b" " * 3_000_000 + b"\n" + b"\t" * 3_000_000, "is empty"),
        (lambda: b"x" * 3_000_000, "opens with a line of 3,000,000 bytes"),
        (lambda: b'"' + GOOD.encode() * 900, "or with a quote that never closes"),
    ],
)
def test_a_hostile_file_is_refused_by_name(tmp_path: Path, data: Callable[[], bytes], message: str) -> None:
    path = tmp_path / "map.csv.gz"
    made = data()
    path = path if made.startswith(b"\x1f\x8b") else tmp_path / "map.zip"
    path.write_bytes(made)
    with pytest.raises(NeedsallocError, match=message):
        sources.read_membership(path)
    assert not inspect_file(path, kind="membership").ok
    assert [file.name for file in tmp_path.iterdir()] == [path.name], "nothing is unpacked to disk"


def test_a_bomb_is_left_before_it_goes_off(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    path.write_bytes(small_files.packed({"map.csv": BOMB + bytes(100_000_000).replace(b"\0", b"\n")}))
    tracemalloc.start()
    try:
        with pytest.raises(InputFileError, match="unpacks to more than"):
            sources.read_membership(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2 * (1 << 26), "of 170 MB, what is taken in before the ratio is looked at"


def test_a_large_file_of_ragged_rows_is_not_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "map.csv"
    path.write_text(GOOD + ROW.strip() + ",,\n")
    assert len(sources.read_membership(path)) == 1
    monkeypatch.setattr(_reading, "_LARGEST_MENDED", 100)
    with pytest.raises(InputFileError, match="too large to look at each"):
        sources.read_membership(path)


def test_a_line_of_megabytes_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text(GOOD + ROW.replace("THE SURGERY", "S" * 5_000_000).replace("A81001", "A81002"))
    try:
        assert sources.read_membership(path)["practice"].tolist() == ["A81001", "A81002"]
    except InputFileError as error:
        assert "cannot be read as a table" in str(error)  # noqa: PT017 - either is right


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such devices here")
def test_a_device_is_no_file() -> None:
    with pytest.raises(InputFileError, match="no ordinary file"):
        sources.read_membership("/dev/zero")


def test_what_a_mac_adds_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "map.zip"
    path.write_bytes(
        small_files.packed({"map.csv": GOOD, "__MACOSX/._map.csv": b"\0\5\x16\7", ".DS_Store": b"\0"})
    )
    assert len(sources.read_membership(path)) == 1


def test_names_lose_characters_that_cannot_be_seen_and_codes_with_them_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    odd = "THE\x1b[31m \u202eSUR\x07GERY\u200b\n<script>"
    path.write_text(GOOD.replace("THE SURGERY", f'"{odd}"'), encoding="utf-8")
    frame = sources.read_membership(path)
    # HTML stays the text that it is: the page escapes it.
    assert frame["practice_name"].tolist() == ["THE[31m SURGERY <script>"]
    assert "control or invisible characters" in frame.attrs["quality"][0].what
    path.write_text(GOOD.replace("A81001", "A81\u200b001"), encoding="utf-8")
    with pytest.raises(InvalidValueError, match="1 of 1 rows hold control or invisible characters"):
        sources.read_membership(path)


@pytest.mark.parametrize("code", ["1.00E+05", "8E+10", "#N/A", "########", "#REF!"])
def test_codes_that_a_spreadsheet_has_spoilt_are_refused(tmp_path: Path, code: str) -> None:
    path = tmp_path / "map.csv"
    for good in ("A81001", "U00001", "16C"):
        path.write_text(GOOD.replace(good, code))
        with pytest.raises(InvalidValueError, match="hold what a spreadsheet made of a code"):
            sources.read_membership(path)


# Workbooks


def workbook(parts: dict[str, Callable[[bytes], bytes]] | None = None, **cells: object) -> bytes:
    """A sheet of teams, with cells of it and parts of the file changed."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["team", "current"], ["North", 3], ["South", 4.5]):
        sheet.append(row)
    for cell, value in cells.items():
        sheet[cell] = value
    data = io.BytesIO()
    book.save(data)
    changed = io.BytesIO()
    with zipfile.ZipFile(data) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, (parts or {}).get(name, bytes)(old.read(name)))
        for name in set(parts or {}) - set(old.namelist()):
            new.writestr(name, (parts or {})[name](b""))
    return changed.getvalue()


LAUGHS = b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
ELSEWHERE = b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


def declared(what: bytes) -> Callable[[bytes], bytes]:
    def change(text: bytes) -> bytes:
        return b'<?xml version="1.0"?>' + what + re.sub(rb"^<\?xml[^>]*\?>", b"", text)

    return change


@pytest.mark.parametrize("ending", [".xlsx", ".xlsm"])
def test_macros_and_links_are_left_where_they_are(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"teams{ending}"
    extra = {
        "xl/vbaProject.bin": lambda _: b"\xd0\xcf\x11\xe0" + bytes(100),
        "xl/externalLinks/externalLink1.xml": lambda _: b'<externalLink><r id="x"/></externalLink>',
    }
    path.write_bytes(workbook(extra))
    assert sources.read_current(path)["current"].tolist() == [3.0, 4.5]


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/styles.xml"])
@pytest.mark.parametrize("what", [LAUGHS, ELSEWHERE])
def test_a_workbook_that_declares_entities_is_refused(tmp_path: Path, part: str, what: bytes) -> None:
    path = tmp_path / "teams.xlsx"
    path.write_bytes(workbook({part: declared(what)}))
    with pytest.raises(InputFileError, match="declares entities or is oddly written"):
        sources.read_current(path)
    path.write_bytes(workbook({part: lambda text: text.decode().encode("utf-16")}))
    with pytest.raises(InputFileError, match="declares entities or is oddly written"):
        sources.read_current(path)


def test_a_workbook_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "teams.xlsx"
    path.write_bytes(workbook({"xl/worksheets/sheet1.xml": lambda text: text + b" " * 200_000_000}))
    with pytest.raises(InputFileError, match="unpacks to more than"):
        sources.read_current(path)


def test_a_formula_without_its_value_is_refused_and_one_with_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "teams.xlsx"
    path.write_bytes(workbook(B2="=1+2"))
    with pytest.raises(InvalidValueError, match=r"1 cells of the sheet Sheet hold a formula .*: B2\. Open"):
        sources.read_current(path)
    shown = {"xl/worksheets/sheet1.xml": lambda text: re.sub(rb"<v\s*/>|<v></v>", b"<v>7</v>", text)}
    path.write_bytes(workbook(shown, B2="=1+2"))
    assert sources.read_current(path)["current"].tolist() == [7.0, 4.5]
    # Text that opens with = is a name, where the cell says that it is text.
    as_text = {"xl/worksheets/sheet1.xml": lambda text: text.replace(b">South<", b">=South<")}
    path.write_bytes(
        workbook(as_text | {"xl/sharedStrings.xml": lambda text: text.replace(b"South", b"=South")})
    )
    assert sources.read_current(path)["team"].tolist() == ["North", "=South"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: b"PK\x03\x04" + bytes(100), "damaged archive"),
        (lambda: small_files.packed({"map.csv": GOOD}), "zip archive, no workbook"),
        (lambda: GOOD.encode(), "is no workbook"),
        (lambda: b"\xd0\xcf\x11\xe0" + bytes(600), "workbook of the old kind"),
        (lambda: small_files.packed({"[Content_Types].xml": "<Types/>"}), "cannot be read as a workbook"),
    ],
)
def test_what_is_no_workbook_is_refused(tmp_path: Path, data: Callable[[], bytes], message: str) -> None:
    path = tmp_path / "teams.xlsx"
    path.write_bytes(data())
    with pytest.raises(InputFileError, match=message):
        sources.read_current(path)


# Mutations of good files


TEXTS = {kind: text.encode() for kind, (_, text) in small_files.TEXTS.items()}
PUT = (
    b"", b"-1", b"1.5", b"nan", b"\xff\xfe", b"\0", b'"', b",", b"\n", b"\r", b"1e999", b"E01", b"#",
    b"\xef\xbb\xbf", b"U", b"=", b"20231301", b"\xe2\x80\xae", b"9" * 40,
)  # fmt: skip


@settings(max_examples=300)
@given(
    kind=st.sampled_from(sorted(TEXTS)),
    cut=st.integers(0, 10_000),
    length=st.integers(0, 30),
    put=st.sampled_from(PUT) | st.binary(max_size=6),
    how=st.sampled_from(["plain", "gzip", "zip"]),
)
def test_a_damaged_table_is_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, kind: str, cut: int, length: int, put: bytes, how: str
) -> None:
    good = TEXTS[kind]
    at = cut % len(good)
    data = good[:at] + put + good[at + length :]
    data = {"plain": bytes, "gzip": gzip.compress, "zip": lambda text: small_files.packed({"a.csv": text})}[
        how
    ](data)
    path = tmp_path_factory.mktemp("damaged") / ("file.csv.gz" if how == "gzip" else "file.csv")
    path.write_bytes(data)
    with suppress(NeedsallocError):
        assert len(getattr(sources, small_files.reader_of(kind))(path))
    report = inspect_file(path)
    assert report.ok or report.errors[0].what


@pytest.mark.parametrize("what", ["zip", "gzip", "workbook", "links"])
def test_a_damaged_container_is_read_or_refused_by_name(tmp_path: Path, what: str) -> None:
    """Bytes of a good archive or workbook changed, cut out and doubled at random places."""
    made: dict[str, tuple[str, Callable[[], bytes], Callable[[Path], object]]] = {
        "zip": ("a.zip", lambda: small_files.packed({"map.csv": GOOD * 3}), sources.read_membership),
        "gzip": ("a.csv.gz", lambda: gzip.compress(GOOD.encode() * 3), sources.read_membership),
        "workbook": ("a.xlsx", workbook, sources.read_current),
        "links": ("a.xlsx", workbook, sources.read_pcn_partners),
    }
    name, make, reader = made[what]
    good, dice, path = make(), random.Random(20231101), tmp_path / name
    for _ in range(150):
        data = bytearray(good)
        for _ in range(dice.choice([1, 1, 3, 20])):
            at = dice.randrange(len(data))
            match dice.randrange(3):
                case 0:
                    data[at] = dice.randrange(256)
                case 1:
                    del data[at : at + dice.randrange(1, 60)]
                case _:
                    data[at:at] = data[at : at + dice.randrange(1, 60)]
        path.write_bytes(bytes(data))
        with suppress(NeedsallocError):
            reader(path)
        inspect_file(path)
