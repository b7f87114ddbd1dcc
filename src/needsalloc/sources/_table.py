"""The columns of a file as text, parsed and checked when asked for.

A value is parsed once however often it is repeated, and one that does not parse is quoted in the message as
it stands in the file.
"""

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from needsalloc.errors import InvalidValueError, first_few
from needsalloc.geography import check_vintage, vintage_of
from needsalloc.sources._quality import Finding, collected, first_rows, first_values

_DATE_FORMATS = (
    "%d%b%Y", "%d-%b-%y", "%Y-%m-%d", "%Y%m%d", "%d/%m/%Y", "%d-%b-%Y", "%d%b%y", "%d %b %Y", "%d %B %Y",
)  # fmt: skip
_COMPACT = "%Y%m%d"
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_MIDNIGHT = re.compile(r"[ T]00:00(:00(\.0+)?)?$")
_LARGEST_COUNT = 1e9
# More than any figure of these files, in people or in pounds.
_LARGEST = 1e12
# No letter of a name: control and invisible characters, and those that turn the direction of writing.
_INVISIBLE = (
    "[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\uffff]"
)
# What a spreadsheet makes of a code that it takes for a number, and its errors.
_MANGLED = r"\d+(\.\d+)?E\+\d+|#+|#(N/A|REF!|NAME\?|VALUE!|DIV/0!|NUM!|NULL!)"
# How a spreadsheet shows a large number in a narrow column, and saves it: two decimals are all that is left.
_ROUNDED = re.compile(r"[-+]?\d\.\d\dE[-+]\d\d")
_DOTTED = re.compile(r"[-+]?[1-9]\d{0,2}\.\d{3}")


@dataclass(frozen=True)
class TextTable:
    """Columns of a file as categorical text, each parsed and checked when asked for.

    `columns`: our name -> values; `header`: our name -> the file's name, for messages; `source`: file,
    sha256, rows; `file`: its name in messages; `numbers`: those of the rows where some were left out;
    `findings`: what was odd so far.
    """

    columns: Mapping[str, pd.Categorical]
    header: Mapping[str, str]
    source: Mapping[str, Any]
    file: str
    numbers_of_rows: npt.NDArray[np.int64] | None = None
    findings: list[Finding] = field(default_factory=list)

    def __contains__(self, field: str) -> bool:
        return field in self.columns

    def attrs(self, **more: Any) -> dict[Hashable | None, Any]:
        """What a reader's frame says of its file: `source`, `quality` (findings) and what the reader adds."""
        found: dict[Hashable | None, Any] = {
            "source": dict(self.source),
            "quality": tuple(self.findings),
        }
        return found | {name: value for name, value in more.items()}

    def words(self, field: str) -> pd.Categorical:
        """Text on one line, without surrounding blanks and invisible characters."""
        texts = texts_of(self.columns[field])
        odd = texts.str.contains(_INVISIBLE, regex=True)
        if odd.any():
            what = (
                f"values of {self.header[field]} hold control or invisible characters, which were taken out"
            )
            self.note(what, odd.to_numpy(np.bool_)[self.columns[field].codes], field)
            texts = texts.str.replace(_INVISIBLE, "", regex=True)
        return _recode(self.columns[field], texts.str.replace(r"[\r\n\t]+", " ", regex=True).str.strip())

    def codes(self, field: str, *, may_lack: bool = False) -> pd.Categorical:
        """Codes in upper case without surrounding blanks.

        InvalidValueError where there is none, unless rows `may_lack` one, and for what is no code any more.
        """
        values = self.columns[field]
        codes = _recode(values, texts_of(values).str.strip().str.upper())
        texts = texts_of(codes)
        for wrong, what, advice in (
            ((texts == "") & (not may_lack), "have no code", "Fill the gaps, or take the rows out."),
            (
                texts.str.fullmatch(_MANGLED),
                "hold what a spreadsheet made of a code",
                "Import the column as text, or fetch the file again.",
            ),
            (
                texts.str.contains(_INVISIBLE + r"|[\r\n\t]", regex=True),
                "hold control or invisible characters",
                "Type those codes again.",
            ),
        ):
            if wrong.any():
                self.refuse(field, wrong.to_numpy(np.bool_)[codes.codes], what, advice)
        return codes

    def area_index(self, field: str, vintage: str | None) -> pd.Index:
        """The area codes as an index named for their vintage: the one given, else that of the codes."""
        codes = self.codes(field)
        name = check_vintage(vintage) if vintage else vintage_of(codes.categories)
        return pd.Index(codes.astype(str), name=name)

    def numbers(
        self, field: str, *, blank: float | None = None, signed: bool = False
    ) -> npt.NDArray[np.float64]:
        """Numbers, not negative unless `signed`; a blank counts as `blank`, or is an error where that is
        None."""
        distinct = self._distinct(field, blank, signed)
        numbers: npt.NDArray[np.float64] = distinct[self.columns[field].codes]
        return numbers

    def counts(self, field: str, *, blank: int | None = None) -> npt.NDArray[np.int64]:
        """Whole numbers of people, as `numbers`; fractions are an error."""
        distinct, codes = self._distinct(field, blank), self.columns[field].codes
        self._refuse_dotted(field)
        fraction = (distinct % 1 != 0) | (distinct > _LARGEST_COUNT)
        if fraction.any():
            self.refuse(
                field, fraction[codes], "are no whole number of people", "Give counts, not rates or shares."
            )
            distinct = np.where(fraction, 0.0, distinct)
        counts: npt.NDArray[np.int64] = distinct.astype(np.int64)[codes]
        return counts

    def people(self, field: str) -> npt.NDArray[np.float64]:
        """Numbers of people, as `numbers`, which may be fractions; thousands with dots are an error."""
        self._refuse_dotted(field)
        return self.numbers(field)

    def _refuse_dotted(self, field: str) -> None:
        """InvalidValueError for 1.234 beside 567 and no 1234: with dots between thousands, not decimals.

        Decimals would have other lengths, or stand on every row.
        """
        texts = [text.strip() for text in self.columns[field].categories.tolist()]
        dotted = np.array([_DOTTED.fullmatch(text) is not None for text in texts], dtype=np.bool_)
        other = [text for text, is_dotted in zip(texts, dotted, strict=True) if text and not is_dotted]
        if dotted.any() and other and all(text.isdigit() and len(text) < 4 for text in other):
            self.refuse(
                field,
                dotted[self.columns[field].codes],
                "may have a dot between thousands, or decimals that are no people",
                "Write 1234 or 1,234.",
            )

    def _distinct(self, field: str, blank: float | None, signed: bool = False) -> npt.NDArray[np.float64]:
        """The numbers that the distinct values of a column state."""
        values = self.columns[field]
        read = [_number(text, blank) for text in values.categories.tolist()]
        unreadable = np.array([number is None for number in read], dtype=np.bool_)
        if unreadable.any():
            self.refuse(field, unreadable[values.codes], "hold no number", "Write figures only.")
        numbers = np.array([0.0 if number is None else number for number in read], dtype=np.float64)
        if not signed and (numbers < 0).any():
            self.refuse(
                field, (numbers < 0)[values.codes], "are negative", "Correct or leave out those rows."
            )
        return numbers

    def one_date(self, field: str) -> date:
        """The one day that the column holds; InvalidValueError if it holds several, or no date."""
        days = self.words(field).categories
        if len(days) > 1:
            what = f"holds {len(days):,} dates: {first_few(days)}"
            self._fault(
                f"{self._where(field)} {what}. Split the file and read one date at a time.",
                Finding("error", f"{self.header[field]} {what}", len(days), (), first_values(days)),
            )
        return self._date(field, str(days[0]))

    def days(self, field: str) -> npt.NDArray[np.datetime64]:
        """A day on each row, NaT where the cell is blank; InvalidValueError for what is no date."""
        words = self.words(field)
        found = [
            np.datetime64(self._date(field, str(text)) if text else "NaT", "D") for text in words.categories
        ]
        days: npt.NDArray[np.datetime64] = np.array(found, "datetime64[D]")[words.codes]
        return days

    def _date(self, field: str, text: str) -> date:
        day = _MIDNIGHT.sub("", text)
        for layout in _DATE_FORMATS:
            try:
                found = datetime.strptime(day, layout).date()
            except ValueError:
                continue
            # 202371 would be a day of some year too.
            if _FIRST_YEAR <= found.year <= _LAST_YEAR and (
                layout != _COMPACT or len(day) == len("20230701")
            ):
                return found
        serial = (
            " It may be a spreadsheet's number for a day." if re.fullmatch(r"[34]\d{4}(\.0+)?", day) else ""
        )
        what = f"holds {text!r}, which is no date"
        self._fault(
            f"{self._where(field)} {what}.{serial} Write it as 2023-07-01.",
            Finding("error", f"{self.header[field]} {what}", 1, (), (text,), "Write it as 2023-07-01."),
        )
        return date.min

    def refuse_repeated(self, *fields: str) -> None:
        """InvalidValueError if two rows have the same codes in `fields`."""
        rows = pd.DataFrame({field: self.codes(field) for field in fields})
        again = rows.duplicated()
        repeated = rows[again].drop_duplicates()
        if len(repeated):
            keys = [" ".join(map(str, key)) for key in repeated.itertuples(index=False)]
            header = " and ".join(self.header[field] for field in fields)
            what = f"values of {header} are on more than one row"
            advice = "Keep one row for each."
            self._fault(
                f"{self.file}: {len(keys):,} {what}: {first_few(keys)}. {advice}",
                Finding("error", what, len(keys), self.rows_of(again.to_numpy()), first_values(keys), advice),
            )

    def refuse(self, field: str, wrong: npt.NDArray[np.bool_], what: str, advice: str) -> None:
        """InvalidValueError for the rows where a column is wrong, with the first values and row."""
        shown = self._values(field, wrong)
        rows = self.rows_of(wrong)
        finding = Finding(
            "error",
            f"{self.header[field]}: rows {what}",
            int(wrong.sum()),
            rows,
            first_values(shown),
            advice,
        )
        self._fault(
            f"{self._where(field)}: {int(wrong.sum()):,} of {len(wrong):,} rows {what}; first: "
            f"{first_few(map(repr, shown))} (row {rows[0]:,}). {advice}",
            finding,
        )

    def note(self, what: str, odd: npt.NDArray[np.bool_], field: str, advice: str = "") -> None:
        """A warning about the rows where something is odd, with the values of a column there."""
        if odd.any():
            shown = first_values(map(repr, self._values(field, odd)))
            self.findings.append(Finding("warning", what, int(odd.sum()), self.rows_of(odd), shown, advice))

    def rows_of(self, wrong: npt.NDArray[np.bool_]) -> tuple[int, ...]:
        """The first rows where `wrong`, as a spreadsheet numbers them."""
        return first_rows(wrong, self.numbers_of_rows)

    def _values(self, field: str, where: npt.NDArray[np.bool_]) -> list[str]:
        column = self.columns[field]
        return [str(value) for value in pd.unique(pd.Series(np.asarray(column[where], dtype=object)))]

    def _where(self, field: str) -> str:
        return f"{self.file}: column {self.header[field]}"

    @staticmethod
    def _fault(message: str, finding: Finding) -> None:
        if not collected(finding):
            raise InvalidValueError(message)


def joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The `source` of a frame that is read from several files."""
    return {
        "file": " and ".join(dict.fromkeys(part["file"] for part in parts)),
        "sha256": " ".join(dict.fromkeys(part["sha256"] for part in parts)),
        "rows": sum(part["rows"] for part in parts),
    }


def texts_of(values: pd.Categorical) -> pd.Series:
    """The distinct values of a column."""
    return pd.Series(values.categories, dtype="str")


def _recode(values: pd.Categorical, texts: pd.Series) -> pd.Categorical:
    """`values` with other texts for their categories, of which several may become one; sorted, as before."""
    if texts.equals(texts_of(values)):
        return values
    position, distinct = pd.factorize(texts, sort=True)
    return pd.Categorical.from_codes(position.astype(values.codes.dtype)[values.codes], categories=distinct)


def _number(text: str, blank: float | None) -> float | None:
    """The number that `text` states; `blank` if it is empty; None if it is none, or one beyond any figure."""
    if text.isascii() and text.isdigit():
        return float(text) if len(text) < 13 else None
    text = text.strip()
    if not text:
        return blank
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    # float() also takes "1_000", "nan" and "inf", none of which is a figure.
    figure = re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,2})?", text, re.IGNORECASE | re.ASCII)
    if not figure or _ROUNDED.fullmatch(text) or abs(number := float(text)) > _LARGEST:
        return None
    return number


__all__ = ["TextTable", "joined", "texts_of"]
