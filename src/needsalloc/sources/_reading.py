"""What every reader shares: open a file, find its columns, parse its values, say where it came from.

Each column is read as text, dictionary-encoded: a value is parsed once however often it is repeated, and
a value that does not parse is quoted in the message as it stands in the file.
"""

import csv
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from needsalloc.errors import InputFileError, InvalidValueError, MissingColumnError, first_few
from needsalloc.geography import check_vintage, vintage_of
from needsalloc.sources._opening import (
    NotPlainError,
    PlainText,
    as_text,
    checksum,
    read_bytes,
    refuse_other_formats,
)

Fields = Mapping[str, Sequence[str]]
"""Names of our own for columns -> the names that published files give them, each as `plain` spells it."""

_DATE_FORMATS = ("%d%b%Y", "%d-%b-%y", "%Y-%m-%d", "%d/%m/%Y", "%d-%b-%Y", "%d%b%y", "%d %b %Y", "%d %B %Y")
_LARGEST_COUNT = 1e9
_HEADER_SIZE = 1 << 16
_LINE = re.compile(rb"[^\r\n]*\S[^\r\n]*")
_WHOLE_LINE = re.compile(_LINE.pattern + rb"(?=[\r\n])")

# Enough of each published header to tell a user which file was given in place of another.
_SIGNATURES = (
    ({"LSOA_CODE", "NUMBER_OF_PATIENTS"}, "patients by practice and LSOA", "read_registrations"),
    ({"PRACTICE_CODE", "CS_WP"}, "practice weighted populations", "read_weighted_populations"),
    ({"PRACTICE_CODE", "PCN_CODE", "PRACTICE_POSTCODE"}, "the map of practices to PCNs", "read_membership"),
    ({"PRACTICE_CODE", "GROUP_CODE", "REGISTER"}, "QOF registers", "read_conditions"),
    ({"ORG_CODE", "SEX", "AGE"}, "practice lists by single year of age", "read_lists"),
    ({"PRACTICE_CODE", "SEX", "95"}, "practice lists by single year of age", "read_lists"),
    ({"LSOA11_CODE", "LSOA21_CODE"}, "the lookup from LSOA 2011 to LSOA 2021", "read_area_lookup"),
    ({"IMD_SCORE"}, "the Index of Multiple Deprivation", "read_deprivation"),
)


def plain(name: str) -> str:
    """A column name without case, spaces or punctuation: "LSOA code (2011)" -> "LSOA_CODE_2011"."""
    return re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")


class SourceFile:
    """A comma-separated file, plain or gzipped, opened as far as its header.

    `what` says in a message which kind of file was expected; `convert` turns another kind of file into UTF-8
    text separated by commas. UTF-8, with or without a byte-order mark, or Windows-1252.

    Raises InputFileError if the file is not there, is not readable, or is no text table.
    """

    def __init__(
        self, path: str | Path, what: str, *, convert: Callable[[bytes, Path], bytes] | None = None
    ) -> None:
        self.path, self.what = Path(path), what
        self._stored = read_bytes(self.path)
        self.sha256 = checksum(self._stored)
        self._convert = convert
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
        return PlainText(self._stored)

    def _read_header(self) -> tuple[list[str], int]:
        try:
            line = _WHOLE_LINE.search(self._plain().read(_HEADER_SIZE))
        except (NotPlainError, OSError):
            line = None
        line = line or _LINE.search(self._text)
        if line is None:
            raise InputFileError(f"{self.path.name} is empty; expected {self.what}.")
        header = next(csv.reader([line.group().decode().removeprefix("\ufeff")]), [])
        return [name.strip() for name in header], line.end()

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
        look_alike = next(
            (
                f" It looks like {kind}: read it with {reader}."
                for names, kind, reader in _SIGNATURES
                if names <= set(map(plain, self.header)) and kind != self.what
            ),
            "",
        )
        one_column = " Is the file separated by commas?" if len(self.header) == 1 else ""
        return (
            f"{self.path.name} lacks {len(missing)} of the columns of {self.what}: {columns}. "
            f"It has: {first_few(self.header, 12)}.{one_column}{look_alike} "
            f'For a layout of your own, name the column, as in {next(iter(missing))}="its name".'
        )

    def _refuse_repeated(self, names: Iterable[str]) -> None:
        spelt = [plain(name) for name in self.header]
        repeated = [name for name in names if spelt.count(plain(name)) > 1]
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
        return TextTable(
            {
                ours: pd.Categorical.from_codes(*column)
                for ours, column in zip(position, encoded, strict=True)
            },
            dict(columns),
            {"file": self.path.name, "sha256": self.sha256, "rows": table.num_rows},
        )

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
        if not re.compile(rb"\S").search(self._text, self._body):
            raise InputFileError(f"{self.path.name} has a header and no rows; expected {self.what}.")
        broken: list[str] = []

        def note(row: Any) -> str:
            broken.append(str(row.text)[:60])
            return "skip"

        rows = pa.BufferReader(memoryview(self._text)[self._body :])
        try:
            table = self._parse(rows, positions, newlines_in_values=True, invalid_row_handler=note)
        except pa.ArrowException as error:
            raise InputFileError(f"{self.path.name} cannot be read as a table: {error}.") from error
        if broken:
            raise InputFileError(
                f"{self.path.name} has {len(broken):,} rows without the header's {len(self.header)} values; "
                f"first: {first_few(broken, 2)}. Quote text that holds a comma, or fetch the file again."
            )
        return table

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


@dataclass(frozen=True)
class TextTable:
    """Columns of a file as categorical text, each parsed and checked when asked for.

    `columns`: our name -> values; `header`: our name -> the file's name, for messages; `source`: file,
    sha256, rows.
    """

    columns: Mapping[str, pd.Categorical]
    header: Mapping[str, str]
    source: Mapping[str, Any]

    def __contains__(self, field: str) -> bool:
        return field in self.columns

    def words(self, field: str) -> pd.Categorical:
        """Text without surrounding blanks."""
        return _recode(self.columns[field], _texts(self.columns[field]).str.strip())

    def codes(self, field: str) -> pd.Categorical:
        """Codes in upper case without surrounding blanks; InvalidValueError where there is none."""
        values = self.columns[field]
        codes = _recode(values, _texts(values).str.strip().str.upper())
        if codes.categories[0] == "":  # sorted, so that it would be the first
            blank = np.asarray(codes == "")
            raise self._invalid(field, blank, "have no code", "Fill the gaps, or take the rows out.")
        return codes

    def area_index(self, field: str, vintage: str | None) -> pd.Index:
        """The area codes as an index named for their vintage: the one given, else that of the codes."""
        codes = self.codes(field)
        name = check_vintage(vintage) if vintage else vintage_of(codes.categories)
        return pd.Index(codes.astype(str), name=name)

    def numbers(self, field: str, *, blank: float | None = None) -> npt.NDArray[np.float64]:
        """Numbers that are not negative; a blank counts as `blank`, or is an error where that is None."""
        numbers: npt.NDArray[np.float64] = self._distinct(field, blank)[self.columns[field].codes]
        return numbers

    def counts(self, field: str, *, blank: int | None = None) -> npt.NDArray[np.int64]:
        """Whole numbers of people, as `numbers`; fractions are an error."""
        distinct, codes = self._distinct(field, blank), self.columns[field].codes
        fraction = (distinct % 1 != 0) | (distinct > _LARGEST_COUNT)
        if fraction.any():
            raise self._invalid(
                field, fraction[codes], "are no whole number of people", "Give counts, not rates or shares."
            )
        counts: npt.NDArray[np.int64] = distinct.astype(np.int64)[codes]
        return counts

    def _distinct(self, field: str, blank: float | None) -> npt.NDArray[np.float64]:
        """The numbers that the distinct values of a column state."""
        values = self.columns[field]
        read = [_number(text, blank) for text in values.categories.tolist()]
        unreadable = np.array([number is None for number in read], dtype=np.bool_)
        if unreadable.any():
            raise self._invalid(field, unreadable[values.codes], "hold no number", "Write figures only.")
        numbers = np.array(read, dtype=np.float64)
        if (numbers < 0).any():
            raise self._invalid(
                field, (numbers < 0)[values.codes], "are negative", "Correct or leave out those rows."
            )
        return numbers

    def one_date(self, field: str) -> date:
        """The one day that the column holds; InvalidValueError if it holds several, or no date."""
        days = self.words(field).categories
        if len(days) > 1:
            raise InvalidValueError(
                f"{self._where(field)} holds {len(days):,} dates: {first_few(days)}. "
                "Split the file and read one date at a time."
            )
        return self._date(field, str(days[0]))

    def _date(self, field: str, text: str) -> date:
        for layout in _DATE_FORMATS:
            try:
                return datetime.strptime(text, layout).date()
            except ValueError:
                continue
        raise InvalidValueError(
            f"{self._where(field)} holds {text!r}, which is no date. Write it as 2023-07-01."
        )

    def refuse_repeated(self, *fields: str) -> None:
        """InvalidValueError if two rows have the same codes in `fields`."""
        rows = pd.DataFrame({field: self.codes(field) for field in fields})
        repeated = rows[rows.duplicated()].drop_duplicates()
        if len(repeated):
            keys = [" ".join(map(str, key)) for key in repeated.itertuples(index=False)]
            header = " and ".join(self.header[field] for field in fields)
            raise InvalidValueError(
                f"{self.source['file']}: {len(keys):,} values of {header} are on more than one row: "
                f"{first_few(keys)}. Keep one row for each."
            )

    def _where(self, field: str) -> str:
        return f"{self.source['file']}: column {self.header[field]}"

    def _invalid(self, field: str, wrong: npt.NDArray[np.bool_], what: str, advice: str) -> InvalidValueError:
        shown = pd.unique(pd.Series(np.asarray(self.columns[field], dtype=object)[wrong]))
        return InvalidValueError(
            f"{self._where(field)}: {int(wrong.sum()):,} of {len(wrong):,} rows {what}; first: "
            f"{first_few(map(repr, shown))} (row {int(wrong.argmax()) + 2:,}). {advice}"
        )


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


def _texts(values: pd.Categorical) -> pd.Series:
    return pd.Series(values.categories, dtype="str")


def _recode(values: pd.Categorical, texts: pd.Series) -> pd.Categorical:
    """`values` with other texts for their categories, of which several may become one; sorted, as before."""
    if texts.equals(_texts(values)):
        return values
    position, distinct = pd.factorize(texts, sort=True)
    return pd.Categorical.from_codes(position.astype(values.codes.dtype)[values.codes], categories=distinct)


def _number(text: str, blank: float | None) -> float | None:
    """The number that `text` states; `blank` if it is empty; None if it is no finite number."""
    if text.isascii() and text.isdigit():
        return float(text)
    text = text.strip()
    if not text:
        return blank
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    # float() also takes "1_000", "nan" and "inf", none of which is a figure.
    figure = re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,2})?", text, re.IGNORECASE | re.ASCII)
    return float(text) if figure else None
