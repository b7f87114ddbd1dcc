"""What every reader shares: open a file, find its columns, parse its values, say where it came from.

Each column is read as text, dictionary-encoded: a value is parsed once however often it is repeated, and
a value that does not parse is quoted in the message as it stands in the file.
"""

import csv
import gzip
import hashlib
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from needsalloc.errors import InputFileError, InvalidValueError, MissingColumnError, first_few
from needsalloc.geography import check_vintage, vintage_of

Fields = Mapping[str, Sequence[str]]
"""Names of our own for columns -> the names that published files give them, each as `plain` spells it."""

_DATE_FORMATS = ("%d%b%Y", "%d-%b-%y", "%Y-%m-%d", "%d/%m/%Y", "%d-%b-%Y", "%d%b%y", "%d %b %Y", "%d %B %Y")
_LARGEST_COUNT = 1e9

# Enough of each published header to tell a user which file was given in place of another.
_SIGNATURES = (
    ({"LSOA_CODE", "NUMBER_OF_PATIENTS"}, "patients by practice and LSOA", "read_registrations"),
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
        stored = read_bytes(self.path)
        self.sha256 = checksum(stored)
        self._data = (convert or as_text)(stored, self.path)
        self.header, self._body = self._read_header()

    def _read_header(self) -> tuple[list[str], int]:
        line = re.compile(rb"[^\r\n]*\S[^\r\n]*").search(self._data)
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
        broken: list[str] = []

        def note(row: Any) -> str:
            broken.append(str(row.text)[:60])
            return "skip"

        if not re.compile(rb"\S").search(self._data, self._body):
            raise InputFileError(f"{self.path.name} has a header and no rows; expected {self.what}.")
        # Columns go by position, so that an odd or repeated name elsewhere in the header does no harm.
        position = {ours: str(self.header.index(name)) for ours, name in columns.items()}
        text = pa.dictionary(pa.int32(), pa.string())
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(memoryview(self._data)[self._body :]),
                read_options=pyarrow.csv.ReadOptions(column_names=[str(i) for i in range(len(self.header))]),
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=list(position.values()),
                    column_types=dict.fromkeys(position.values(), text),
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowException as error:
            raise InputFileError(f"{self.path.name} cannot be read as a table: {error}.") from error
        if broken:
            raise InputFileError(
                f"{self.path.name} has {len(broken):,} rows without the header's {len(self.header)} values; "
                f"first: {first_few(broken, 2)}. Quote text that holds a comma, or fetch the file again."
            )
        return TextTable(
            {ours: table[at].to_pandas().array for ours, at in position.items()},
            dict(columns),
            {"file": self.path.name, "sha256": self.sha256, "rows": table.num_rows},
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
        return _recode(self.columns[field], [str(text).strip() for text in self.columns[field].categories])

    def codes(self, field: str) -> pd.Categorical:
        """Codes in upper case without surrounding blanks; InvalidValueError where there is none."""
        values = self.columns[field]
        codes = _recode(values, [str(text).strip().upper() for text in values.categories])
        blank = np.asarray(codes == "")
        if blank.any():
            raise self._invalid(field, blank, "have no code", "Fill the gaps, or take the rows out.")
        return codes

    def area_index(self, field: str, vintage: str | None) -> pd.Index:
        """The area codes as an index named for their vintage: the one given, else that of the codes."""
        codes = self.codes(field)
        name = check_vintage(vintage) if vintage else vintage_of(codes.categories)
        return pd.Index(codes.astype(str), name=name)

    def numbers(self, field: str, *, blank: float | None = None) -> npt.NDArray[np.float64]:
        """Numbers that are not negative; a blank counts as `blank`, or is an error where that is None."""
        values = self.columns[field]
        read = [_number(str(text), blank) for text in values.categories]
        parsed = np.array([np.nan if number is None else number for number in read], dtype=np.float64)
        numbers: npt.NDArray[np.float64] = parsed[values.codes]
        unreadable = np.array([number is None for number in read], dtype=np.bool_)
        if unreadable.any():
            raise self._invalid(field, unreadable[values.codes], "hold no number", "Write figures only.")
        if (parsed < 0).any():
            raise self._invalid(field, numbers < 0, "are negative", "Correct or leave out those rows.")
        return numbers

    def counts(self, field: str, *, blank: int | None = None) -> npt.NDArray[np.int64]:
        """Whole numbers of people, as `numbers`; fractions are an error."""
        numbers = self.numbers(field, blank=blank)
        fraction = (numbers % 1 != 0) | (numbers > _LARGEST_COUNT)
        if fraction.any():
            raise self._invalid(
                field, fraction, "are no whole number of people", "Give counts, not rates or shares."
            )
        return numbers.astype(np.int64)

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


def read_bytes(path: Path) -> bytes:
    """The file as it is stored; InputFileError if it is not there or cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputFileError(f"No file {path}. Check the path, and the folder that it starts from.") from None
    except IsADirectoryError:
        raise InputFileError(f"{path} is a folder. Give the file inside it.") from None
    except (OSError, ValueError) as error:
        raise InputFileError(f"{path} cannot be read: {error}.") from error


def checksum(data: bytes) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def as_text(data: bytes, path: Path) -> bytes:
    """The text of a plain or gzipped file, in UTF-8; InputFileError if it is no text."""
    return _as_utf8(_unpack(data, path), path)


def _unpack(data: bytes, path: Path) -> bytes:
    if data.startswith(b"PK\x03\x04"):
        raise InputFileError(
            f"{path.name} is a zip archive or a workbook. Unpack it, or save the sheet as CSV."
        )
    if data.startswith(b"PAR1"):
        raise InputFileError(f"{path.name} is a Parquet file. Save the table as CSV.")
    if not data.startswith(b"\x1f\x8b"):
        if path.suffix == ".gz" and data:
            raise InputFileError(
                f"{path.name} is not a gzip file. Rename it if it is plain text, or fetch it again."
            )
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise InputFileError(f"{path.name} is a damaged gzip file ({error}). Fetch it again.") from error


def _as_utf8(data: bytes, path: Path) -> bytes:
    if b"\0" in data:
        raise InputFileError(f"{path.name} is not a text table (it holds NUL bytes). Save it as CSV UTF-8.")
    try:
        data.decode()
        return data
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252").encode()
    except UnicodeDecodeError as error:
        raise InputFileError(
            f"{path.name} is not a text table ({error.reason}). Save it as CSV UTF-8."
        ) from error


def _recode(values: pd.Categorical, categories: Sequence[str]) -> pd.Categorical:
    """`values` with other names for their categories, of which several may become one."""
    position, distinct = pd.factorize(pd.Series(categories, dtype="str"))
    return pd.Categorical.from_codes(position[values.codes], categories=distinct)


def _number(text: str, blank: float | None) -> float | None:
    """The number that `text` states; `blank` if it is empty; None if it is no finite number."""
    text = text.strip()
    if not text:
        return blank
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    # float() also takes "1_000", "nan" and "inf", none of which is a figure.
    figure = re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,2})?", text, re.IGNORECASE | re.ASCII)
    return float(text) if figure else None
