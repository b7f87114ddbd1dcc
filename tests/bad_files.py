"""Changes of a good file, and what must come of each: the same figures, an error, or one of the two."""
# ruff: noqa: E501  (a change stands on a line)

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Mapping
from typing import NamedTuple

import small_files

Rows = list[list[str]]
SAME, REFUSED, EITHER = "same", "refused", "either"


class Change(NamedTuple):
    """expect: SAME figures as of the good file; REFUSED with an error of ours; EITHER, never other figures."""

    name: str
    make: Callable[[str], bytes]
    expect: str


def rows_of(text: str) -> Rows:
    return list(csv.reader(io.StringIO(text, newline="")))


def text_of(rows: Rows, **form: str) -> str:
    text = io.StringIO()
    csv.writer(text, **{"lineterminator": "\n"} | form).writerows(rows)
    return text.getvalue()


def by_rows(change: Callable[[Rows], Rows]) -> Callable[[str], bytes]:
    return lambda text: text_of(change(rows_of(text))).encode()


def by_text(change: Callable[[str], str]) -> Callable[[str], bytes]:
    return lambda text: change(text).encode()


def cells(change: Callable[[str], str]) -> Callable[[str], bytes]:
    """Every cell behind the header changed."""
    return by_rows(lambda rows: [rows[0], *([change(cell) for cell in row] for row in rows[1:])])


def is_figure(cell: str) -> bool:
    return cell.replace(".", "", 1).isdigit()


def zipped(text: str) -> bytes:
    return small_files.packed({"a folder/table.csv": text})


def _with_decimals(cell: str) -> str:
    return f"{cell}.00" if cell.isdigit() and len(cell) < 8 else cell


HARMLESS = (
    Change("line ends of Windows", by_text(lambda text: text.replace("\n", "\r\n")), SAME),
    Change("line ends of an old Mac", by_text(lambda text: text.replace("\n", "\r")), SAME),
    Change("no end of the last line", by_text(lambda text: text.removesuffix("\n")), SAME),
    Change("blank lines before, between and behind", by_text(lambda t: "\n\n" + t.replace("\n", "\n\n")), SAME),
    Change("byte-order mark", lambda text: text.encode("utf-8-sig"), SAME),
    Change("UTF-16", lambda text: text.encode("utf-16"), SAME),
    Change("UTF-16, big end first", lambda text: b"\xfe\xff" + text.encode("utf-16-be"), SAME),
    Change("every cell in quotes", lambda t: text_of(rows_of(t), quoting=csv.QUOTE_ALL).encode(), SAME),
    Change("blanks around every cell", cells(lambda cell: f" {cell}  "), SAME),
    Change("header in capitals", by_rows(lambda rows: [[c.upper() for c in rows[0]], *rows[1:]]), SAME),
    Change("columns backwards", by_rows(lambda rows: [row[::-1] for row in rows]), SAME),
    Change("rows backwards", by_rows(lambda rows: [rows[0], *rows[:0:-1]]), SAME),
    Change("a scribble in a column of its own", by_rows(lambda r: [[*row, "x" * (i % 2)] for i, row in enumerate(r)]), SAME),
    Change("empty cells behind some rows", by_rows(lambda r: [r[0], [*r[1], "", ""], *r[2:]]), SAME),
    Change("gzip", lambda text: gzip.compress(text.encode()), SAME),
    Change("gzip in two parts", lambda t: gzip.compress(t[:40].encode()) + gzip.compress(t[40:].encode()), SAME),
    Change("zip", zipped, SAME),
    Change("zip in a zip", lambda text: small_files.packed({"a.zip": zipped(text)}), REFUSED),
)  # fmt: skip
FORM = (
    Change("semicolons", by_text(lambda text: text.replace(",", ";")), REFUSED),
    Change("tabs", by_text(lambda text: text.replace(",", "\t")), REFUSED),
    Change("nothing", lambda _: b"", REFUSED),
    Change("the header alone", by_text(lambda text: text.splitlines()[0] + "\n"), REFUSED),
    Change("UTF-16 without a mark", lambda text: text.encode("utf-16-le"), REFUSED),
    Change("UTF-32", lambda text: text.encode("utf-32"), REFUSED),
    Change("a NUL", by_text(lambda text: text[:-3] + "\0" + text[-3:]), REFUSED),
    Change("zip cut short", lambda text: zipped(text)[:-9], REFUSED),
    Change("gzip cut short", lambda text: gzip.compress(text.encode())[:-9], REFUSED),
    Change("zip behind a program", lambda text: b"MZ\x90\0" * 99 + zipped(text), REFUSED),
    Change("two files in one", lambda text: (text + text).encode(), REFUSED),
    Change("two files in one, by gzip", lambda text: gzip.compress(text.encode()) * 2, REFUSED),
    Change("a row too short", by_text(lambda text: text + "X\n"), REFUSED),
    Change("a row too long", by_rows(lambda rows: [*rows, [*rows[-1], "1"]]), REFUSED),
    Change("every column of values one to the right", by_rows(lambda r: [r[0], *([row[-1], *row[:-1]] for row in r[1:])]), EITHER),
    Change("the first column again", by_rows(lambda rows: [[row[0], *row] for row in rows]), EITHER),
    Change("the last column again", by_rows(lambda rows: [[*row, row[-1]] for row in rows]), EITHER),
    Change("rows of HTML", lambda _: b"<!DOCTYPE html><html><body>403 Forbidden</body></html>\n" * 9, REFUSED),
    Change("JSON", lambda _: b'{"error": {"code": 400}}', REFUSED),
)  # fmt: skip
FIGURES = (
    Change("figures with two decimals of nought", cells(_with_decimals), SAME),
    Change("figures in exponents of a spreadsheet", cells(lambda c: f"{float(c):.2E}" if c.isdigit() else c), REFUSED),
    Change("figures of forty digits", cells(lambda c: "9" * 40 if is_figure(c) else c), REFUSED),
    Change("figures of five thousand digits", cells(lambda c: "9" * 5_000 if is_figure(c) else c), REFUSED),
    *(Change(f"{bad!r} for figures", cells(lambda c, bad=bad: bad if is_figure(c) else c), REFUSED) for bad in (
        "nan", "inf", "-inf", "NULL", "*", "<5", "1e400", "1e99", "0x10", "1_000", "1.2.3", "1,23", "1 234", "1'234", "(5)", "5-",
        "--5", "٥", "½", "#REF!", "=1+1", "5%", "£5", "five")),
)  # fmt: skip
CODES = (
    *(Change(f"{bad!r} for codes", cells(lambda c, bad=bad: bad if c and not is_figure(c) and c.isalnum() and any(map(str.isdigit, c)) else c), REFUSED)
      for bad in ("#N/A", "1.00E+05", "########", "A\u200b1", "A\r1", "")),
)  # fmt: skip
CHANGES: tuple[Change, ...] = (*HARMLESS, *FORM, *FIGURES, *CODES)

TEXTS: Mapping[str, str] = {kind: text for kind, (_, text) in small_files.TEXTS.items()}

_HEADERLESS = (
    "blank lines before, between and behind",
    "columns backwards",
    "a scribble in a column of its own",
)
# Why a kind of file comes to something else: no header to go by, the same link twice is one link, a sheet
# may be a workbook (an archive too), an age is no figure that has decimals.
ELSE: Mapping[tuple[str, str], str] = (
    {("pcn_partners", name): REFUSED for name in _HEADERLESS}
    | {("pcn_partners", f"two files in one{how}"): SAME for how in ("", ", by gzip")}
    | {(kind, "zip"): REFUSED for kind in ("pcn_partners", "pcn_partners with header", "current")}
    | {("lists", "figures with two decimals of nought"): REFUSED}
)


def expected(kind: str, change: Change) -> str | None:
    """What must come of a change of this kind of file; None where it changes nothing."""
    if change.expect != SAME and change.make(TEXTS[kind]) == TEXTS[kind].encode():
        return None
    return ELSE.get((kind, change.name), change.expect)
