"""What every reader shares: open a file, find its columns, read them as text, dictionary-encoded."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from needsalloc.errors import InputFileError, MissingColumnError, first_few
from needsalloc.sources._containers import Archive, is_archive
from needsalloc.sources._kinds import kind_of, plain
from needsalloc.sources._opening import (
    NotPlainError,
    PlainText,
    as_text,
    checksum,
    read_bytes,
    refuse_other_formats,
)
from needsalloc.sources._quality import Finding, first_rows
from needsalloc.sources._table import TextTable, texts_of

Fields = Mapping[str, Sequence[str]]
"""Names of our own for columns -> the names that published files give them, each as `plain` spells it."""

_HEADER_SIZE = 1 << 16
_LARGEST_MENDED = 1 << 26
_SAYS = re.compile(rb"\S")
_REST_OF_LINE = re.compile(rb"[^\r\n]*")
_NOT_BLANK = re.compile(rb"[^\r\n]+")
_NEXT_LINE = re.compile(rb"[\r\n]+[^\r\n]*")


class SourceFile:
    """A comma-separated file, plain, gzipped or in a zip archive as published, opened as far as its header.

    `what` says in a message which kind of file was expected; `convert` turns another kind of file into UTF-8
    text separated by commas. UTF-8, with or without a byte-order mark, UTF-16 or Windows-1252. Of an archive
    the one table is read that is of the expected kind (`every` opens several).

    Raises InputFileError if the file is not there, is not readable, or is no text table.
    """

    def __init__(
        self, path: str | Path, what: str, *, convert: Callable[[bytes, Path], bytes] | None = None
    ) -> None:
        path = Path(path)
        stored = read_bytes(path)
        if is_archive(stored) and not convert:
            members = _tables_of(path, stored, what)
            if len(members) > 1:
                raise InputFileError(
                    f"{path.name} holds {len(members)} tables of {what}: {first_few(members)}. Unpack it and "
                    "give one of them."
                )
            ((member, text),) = members.items()
        else:
            member, text = None, stored
        self._open(path, what, text, checksum(stored), member, convert)

    @classmethod
    def every(cls, path: str | Path, what: str) -> "list[SourceFile]":
        """The file, or each table of an archive that is of the expected kind."""
        path = Path(path)
        stored = read_bytes(path)
        if not is_archive(stored):
            return [cls(path, what)]
        found = []
        for member, text in _tables_of(path, stored, what).items():
            file = cls.__new__(cls)
            file._open(path, what, text, checksum(stored), member, None)
            found.append(file)
        return found

    def _open(
        self,
        path: Path,
        what: str,
        text: bytes,
        sha256: str,
        member: str | None,
        convert: Callable[[bytes, Path], bytes] | None,
    ) -> None:
        self.what, self.sha256, self._stored, self._convert = what, sha256, text, convert
        self.path = path if member is None else Path(f"{path.name}: {PurePosixPath(member).name}")
        self.source: dict[str, Any] = {"file": path.name, "sha256": sha256}
        if member is not None:
            self.source["member"] = member
        self.findings: list[Finding] = []
        self.header, self._body = self._read_header()

    @cached_property
    def _text(self) -> bytes:
        """The whole text in UTF-8; InputFileError for whatever can be wrong with it."""
        return (self._convert or as_text)(self._stored, self.path)

    def _plain(self) -> PlainText:
        """The text as it is unpacked, where it is plain; else NotPlainError, and `_text` has to be taken."""
        if self._convert:
            raise NotPlainError
        refuse_other_formats(self._stored, self.path)
        return PlainText(self._stored, self.path.name)

    def _read_header(self) -> tuple[list[str], int]:
        try:
            start = bytes(self._plain().read(_HEADER_SIZE))
            line = _header(start)
            # The block may end within the header, or just behind it and before the rest of a line.
            line = line if line and line.stop < len(start) else None
        except (NotPlainError, OSError):
            line = None
        text = start if line else self._text
        line = line or _header(text)
        if line is None:
            raise InputFileError(f"{self.path.name} is empty; expected {self.what}.")
        if line.stop - line.start > _HEADER_SIZE:
            raise InputFileError(
                f"{self.path.name} opens with a line of {line.stop - line.start:,} bytes, or with a "
                f"quote that never closes; expected the header of {self.what}."
            )
        names = _cells(text[line].decode().removeprefix("\ufeff"))
        return [name.strip() for name in names], line.stop

    def find(
        self, fields: Fields, *, named: Mapping[str, str | None] | None = None, optional: Collection[str] = ()
    ) -> dict[str, str]:
        """The header's name for each field: the one the user named, else the first published one there is.

        Raises MissingColumnError, with the columns found and the file that it looks like.
        """
        given = {field: name for field, name in (named or {}).items() if name is not None}
        spelling = {plain(name): name for name in reversed(self.header)}
        wanted = {
            field: [plain(given[field])] if field in given else names for field, names in fields.items()
        }
        found = {
            field: spelling[name]
            for field, names in wanted.items()
            if (name := next((name for name in names if name in spelling), None)) is not None
        }
        required = {field for field in wanted if field in given or field not in optional}
        missing = {field: wanted[field] for field in wanted if field in required - set(found)}
        if missing:
            raise MissingColumnError(self._missing(missing))
        self._refuse_repeated(found.values())
        return found

    def _missing(self, missing: Fields) -> str:
        columns = " and ".join(f"{names[0]} ({field})" for field, names in missing.items())
        kind = kind_of(self.header)
        known = kind is not None and kind.what != self.what
        look_alike = f" It looks like {kind.what}: read it with {kind.reader}." if kind and known else ""
        one_column = " Is the file separated by commas?" if len(self.header) == 1 else ""
        return (
            f"{self.path.name} lacks {len(missing)} of the columns of {self.what}: {columns}. "
            f"It has: {first_few(self.header, 12)}.{one_column}{look_alike} "
            f'For a layout of your own, name the column, as in {next(iter(missing))}="its name".'
        )

    def _refuse_repeated(self, names: Iterable[str]) -> None:
        spelt = Counter(plain(name) for name in self.header)
        repeated = [name for name in names if spelt[plain(name)] > 1]
        if repeated:
            raise InputFileError(
                f"{self.path.name} has {len(repeated)} column names more than once: {first_few(repeated)}. "
                "Keep one of each."
            )

    def read(self, columns: Mapping[str, str]) -> "TextTable":
        """The columns of the header named by `columns` (ours -> the header's), as text.

        Raises InputFileError if there is no row, or if a row has more or fewer values than the header.
        """
        self._refuse_repeated(columns.values())
        # Columns go by position, so that an odd or repeated name elsewhere in the header does no harm.
        position = {ours: str(self.header.index(name)) for ours, name in columns.items()}
        table = self._read_plain(list(position.values())) or self._read_any(list(position.values()))
        with ThreadPoolExecutor(2) as both:
            encoded = list(both.map(_encoded, (table[at] for at in position.values())))
        values = {
            ours: pd.Categorical.from_codes(*column) for ours, column in zip(position, encoded, strict=True)
        }
        self._refuse_header_again(columns, values)
        numbers = self._filled(list(values.values()))
        if numbers is not None:
            values = {ours: column[numbers - 2].remove_unused_categories() for ours, column in values.items()}
        rows = table.num_rows if numbers is None else len(numbers)
        return TextTable(
            values, dict(columns), self.source | {"rows": rows}, self.path.name, numbers, list(self.findings)
        )

    def _refuse_header_again(self, columns: Mapping[str, str], values: Mapping[str, pd.Categorical]) -> None:
        """InputFileError if the header stands between the rows, where one file was put behind another."""
        if not all(columns[ours] in column.categories for ours, column in values.items()):
            return
        again = np.logical_and.reduce([np.asarray(values[ours] == name) for ours, name in columns.items()])
        if again.any():
            raise InputFileError(
                f"{self.path.name} has its header again in {int(again.sum()):,} rows, so it is several files "
                f"in one; first: row {first_rows(again)[0]:,}. Give one of them."
            )

    def _filled(self, columns: list[pd.Categorical]) -> npt.NDArray[np.int64] | None:
        """The numbers of the rows that say something, None if all do; spreadsheets leave blank ones."""
        blank = np.full(len(columns[0]), True)
        for column in columns:
            empty = (texts_of(column).str.strip() == "").to_numpy(np.bool_)
            if not empty.any():
                return None
            blank &= empty[column.codes]
        if not blank.any():
            return None
        if blank.all():
            raise InputFileError(f"{self.path.name} has a header and no rows; expected {self.what}.")
        self.findings.append(
            Finding(
                "warning",
                "rows are blank in every column that is read, and were left out",
                int(blank.sum()),
                first_rows(blank),
            )
        )
        return np.flatnonzero(~blank) + 2

    def _read_plain(self, positions: list[str]) -> pa.Table | None:
        """The columns of a plain file without fault, a row on each line; None for any other file."""
        try:
            text = self._plain()
            text.read(self._body)
            header = text.lines
            table = self._parse(text, positions)
        except (NotPlainError, pa.ArrowException, OSError):
            return None
        # A parser that need not look for line ends within quotes is quicker, and where each line is a row
        # there are none.
        return table if table.num_rows == text.lines - header else None

    def _read_any(self, positions: list[str]) -> pa.Table:
        """The columns of any file; InputFileError for whatever is wrong with it."""
        if not _SAYS.search(self._text, self._body):
            raise InputFileError(f"{self.path.name} has a header and no rows; expected {self.what}.")
        broken: list[bool] = []

        def note(_: Any) -> str:
            broken.append(True)
            return "skip"

        rows = pa.BufferReader(memoryview(self._text)[self._body :])
        try:
            table = self._parse(rows, positions, newlines_in_values=True, invalid_row_handler=note)
        except pa.ArrowException as error:
            raise InputFileError(f"{self.path.name} cannot be read as a table: {error}.") from error
        if broken and len(self._text) > _LARGEST_MENDED:
            raise InputFileError(
                f"{self.path.name} has {len(broken):,} rows without the header's {len(self.header)} values. "
                "It is too large to look at each: fetch it again."
            )
        self._look_at_quotes(table.num_rows)
        return self._mended(positions) if broken else table

    def _look_at_quotes(self, rows: int) -> None:
        """InputFileError if a quote that does not close, or closes within a cell, takes whole rows into it.

        A cell over several lines that holds as many commas as a row, duly quoted, may be what it says.
        """
        body = self._text[self._body :]
        if b'"' not in body or rows >= len(_NOT_BLANK.findall(body)):
            return
        lines = io.TextIOWrapper(io.BytesIO(body), encoding="utf-8", newline="")
        odd = np.zeros(rows + 1, np.bool_)
        first = ""
        number = -1
        try:
            for number, row in enumerate(filter(None, csv.reader(lines, strict=True))):
                if any(cell.count(",") >= max(len(self.header) - 1, 1) and "\n" in cell for cell in row):
                    odd[min(number, rows)] = True
                    first = first or ",".join(row)[:60]
        except csv.Error as error:
            raise InputFileError(
                f"{self.path.name} has a quote behind row {number + 2:,} that does not close, or closes "
                f"within a cell, so that rows may be lost in it ({error}). Take it out, or fetch the "
                "file again."
            ) from error
        if odd.any():
            what = "rows have a cell over several lines with as many commas as a row; a quote may be missing"
            self.findings.append(Finding("warning", what, int(odd.sum()), first_rows(odd), (first,)))

    def _mended(self, positions: list[str]) -> pa.Table:
        """The columns of a file whose rows differ in length, where that leaves no doubt about a value.

        Spreadsheets leave out the empty cells at the end of some rows, and put empty ones behind others. A
        row that is too short for a column, or has something beyond the header, is an error: a comma within a
        name moves every value behind it.
        """
        wanted = [int(at) for at in positions]
        columns: list[list[str]] = [[] for _ in wanted]
        odd: list[int] = []
        broken: list[int] = []
        first = ""
        try:
            rows = csv.reader(io.StringIO(self._text[self._body :].decode(), newline=""))
            for number, row in enumerate((row for row in rows if row), 2):
                if len(row) != len(self.header):
                    if len(row) <= max(wanted) or any(map(str.strip, row[len(self.header) :])):
                        first = first or ",".join(row)[:60]
                        broken.append(number)
                        continue
                    odd.append(number)
                for values, at in zip(columns, wanted, strict=True):
                    values.append(row[at])
        except csv.Error as error:
            raise InputFileError(f"{self.path.name} cannot be read as a table: {error}.") from error
        if broken:
            raise InputFileError(
                f"{self.path.name} has {len(broken):,} rows without the header's {len(self.header)} values; "
                f"first: {first} (row {broken[0]:,}). Quote text that holds a comma, or fetch the file again."
            )
        what = "rows are shorter or longer than the header; only empty cells are concerned"
        self.findings.append(Finding("warning", what, len(odd), tuple(odd[:10])))
        return pa.table(
            {at: pa.array(values, pa.string()) for at, values in zip(positions, columns, strict=True)}
        )

    def _parse(self, rows: Any, positions: list[str], **options: Any) -> pa.Table:
        """Columns as text; to encode them on the way takes longer, since each block gets codes of its own."""
        return pyarrow.csv.read_csv(
            rows,
            read_options=pyarrow.csv.ReadOptions(column_names=[str(i) for i in range(len(self.header))]),
            parse_options=pyarrow.csv.ParseOptions(**options),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=positions,
                column_types=dict.fromkeys(positions, pa.string()),
                strings_can_be_null=False,
                check_utf8=False,  # the text is UTF-8 by now
            ),
        )


def _tables_of(path: Path, stored: bytes, what: str) -> dict[str, bytes]:
    """The tables of an archive that are of the expected kind; the only table, whatever it is."""
    archive = Archive(stored, path.name)
    if archive.is_workbook:
        raise InputFileError(f"{path.name} is a workbook. Save the sheet as CSV UTF-8.")
    kinds = archive_kinds(path, stored) if len(archive.tables) > 1 else {}
    if not archive.tables:
        raise InputFileError(
            f"{path.name} holds no table: {first_few(archive.names) or 'nothing'}. Expected {what}; unpack "
            "what is inside, or fetch the archive that the publisher's page names."
        )
    fit = archive.tables
    if kinds:
        fit = [name for name in fit if kinds[name] == what]
        if not fit:
            held = [f"{name} ({kind or 'unknown'})" for name, kind in kinds.items()]
            raise InputFileError(
                f"{path.name} holds {len(held)} tables, and none is {what}: {first_few(held)}. For a layout "
                "of your own, unpack it and give the table."
            )
    # A census table comes with the same header for every geography.
    by_lsoa = [name for name in fit if name.lower().endswith("-lsoa.csv")]
    return {name: archive.read(name) for name in by_lsoa or fit}


def archive_kinds(path: Path, stored: bytes) -> dict[str, str | None]:
    """The tables of an archive -> which kind of file each is, in words; None if it is none that is known."""
    archive = Archive(stored, path.name)
    return {name: _kind_of_member(archive.read(name, most=_HEADER_SIZE)) for name in archive.tables}


def _kind_of_member(start: bytes) -> str | None:
    wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = start.decode("utf-16" if wide else "utf-8", "replace").encode()
    line = _header(text)
    kind = kind_of(_cells(text[line].decode().removeprefix("\ufeff"))) if line else None
    return kind.what if kind else None


def _header(text: bytes) -> slice | None:
    """The first line that says something, with the lines that its quotes hold; None if there is none."""
    says = _SAYS.search(text)
    if says is None:
        return None
    start = 1 + max(text.rfind(end, 0, says.start()) for end in (b"\r", b"\n"))
    end = _end_of(_REST_OF_LINE, text, says.start())
    while text.count(b'"', start, end) % 2 and _HEADER_SIZE > end - start and end < len(text):
        end = _end_of(_NEXT_LINE, text, end)
    return slice(start, end)


def _end_of(pattern: re.Pattern[bytes], text: bytes, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _cells(line: str) -> list[str]:
    return next(csv.reader(io.StringIO(line, newline="")), [])


def _encoded(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.integer[Any]], pd.Index]:
    """A column of text as the positions of its values among the distinct ones, and those, sorted."""
    first = column[0]
    # A column that says the same on every row, as dates and sexes do, is seen to do so faster than encoded.
    if first == column[-1] and pyarrow.compute.all(pyarrow.compute.equal(column, first)).as_py():
        return np.zeros(len(column), np.int8), pd.Index([first.as_py()])
    array = column.dictionary_encode().combine_chunks()
    order = pyarrow.compute.array_sort_indices(array.dictionary)
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order))
    return rank[array.indices], pd.Index(array.dictionary.take(order).to_pandas())
