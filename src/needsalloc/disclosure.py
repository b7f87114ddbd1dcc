"""Small numbers at output: which are withheld, which others with them, and how the rest is rounded.

A count above 0 and below the threshold is withheld, and others beside it until what is shown, with every
total, leaves each withheld count an interval at least as wide as the threshold. 0 is shown. What is shown is
rounded half up; totals are rounded on their own, so that they stay true but need not add up.

The default is NHS England's for hospital statistics below the nation: 1 to 7 are withheld, the rest is
rounded to the nearest 5. There rounding takes the place of withholding others; here both are done, for rates
beside the counts would undo the rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.display import sentence_and_table
from needsalloc.errors import DisclosureError, InvalidValueError, MissingColumnError, first_few
from needsalloc.kernels.suppression import crossed, in_lines, small, sums_of, with_totals

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

THRESHOLD, ROUND_TO = 8, 5
SOURCE = (
    "NHS Digital, Disclosure control methodology for Hospital Episode Statistics (HES) and Emergency Care "
    "Data Set (ECDS), September 2018"
)
SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class Rule:
    """How small a number is withheld, to what the rest is rounded, and why.

    threshold: counts above 0 and below it are withheld; 0 is no rule at all, and needs a reason, such as
    "published by NHS England as it is". round_to: counts of people that are shown are rounded to it, half up;
    1 leaves them. Posts are never rounded. reason: why not the default.

    Raises DisclosureError for no rule without a reason, and numbers that make none.
    """

    threshold: float = THRESHOLD
    round_to: int = ROUND_TO
    reason: str = ""

    def __post_init__(self) -> None:
        if not (self.threshold == 0 or self.threshold > 1) or self.round_to < 1:
            raise DisclosureError(
                f"A threshold of {self.threshold:g} rounded to {self.round_to:g} is no rule: withhold counts "
                "below 2 or more (0 for none) and round to 1 or more."
            )
        if self.is_off and not self.reason.strip():
            raise DisclosureError(
                'Small numbers are shown only for a reason: say it, such as reason = "published by NHS '
                'England as it is".'
            )

    @property
    def is_off(self) -> bool:
        """Whether nothing is withheld."""
        return self.threshold == 0

    @property
    def source(self) -> str:
        """Where the numbers of the rule are from."""
        is_default = (self.threshold, self.round_to) == (THRESHOLD, ROUND_TO)
        return SOURCE if is_default and not self.reason else self.reason or "the planner's own"

    def is_small(self, values: pd.Series | Floats) -> Bools:
        """Which of these numbers are small; a gap is not."""
        return small(np.asarray(values, dtype=np.float64), self.threshold)

    def rounded(self, values: Floats) -> Floats:
        """The numbers rounded half up to the rule's multiple; no rule rounds nothing."""
        if self.is_off or self.round_to == 1:
            return values
        return np.asarray(np.floor(values / self.round_to + 0.5) * self.round_to)

    def __str__(self) -> str:
        if self.is_off:
            return f"small numbers are shown: {self.reason}"
        rounding = f", other counts of people rounded to {self.round_to:g}" if self.round_to > 1 else ""
        return f"above 0 and under {self.threshold:g} withheld{rounding} ({self.source})"


@dataclass(frozen=True, eq=False, repr=False)
class SuppressedTable:
    """A table that can be passed on.

    Attributes
    ----------
    table:
        The rows as they were given; withheld cells are NaN, and the column `suppressed` names those of the
        row.
    totals:
        `of`, the column whose values are totalled ("" for all), its value `group`, the totals of each count,
        and `suppressed`.
    small, others:
        How many counts, totals among them, are withheld for being small, and how many so that no small one
        can be worked out.
    rule:
        The rule.
    """

    table: pd.DataFrame
    totals: pd.DataFrame
    small: int
    others: int
    rule: Rule

    def __repr__(self) -> str:
        if self.rule.is_off:
            return f"<SuppressedTable of {len(self.table):,} rows: {self.rule}>"
        return (
            f"<SuppressedTable of {len(self.table):,} rows: {self.small:,} counts are withheld for being "
            f"small and {self.others:,} so that none of them can be worked out; {self.rule}>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def suppress_table(
    frame: pd.DataFrame,
    *,
    counts: Sequence[str],
    within: Sequence[str] = (),
    rates: Sequence[str] = (),
    rule: Rule | None = None,
) -> SuppressedTable:
    """Withhold small counts of a table, and others so that none can be worked out from totals.

    counts: columns of counts, each a table of its own (people, contacts). A column that is the sum of others
        is a total: leave it out, and name the others' label in `within` of a long table instead.
    within: columns whose totals are published too. None: the total of all rows is. One ("icb"): totals of
        each ICB, and of all. Two ("team", "band"): a table in two directions, a row for each of its cells.
    rates: columns worked out from the counts (rates, shares, indices), withheld where any count of the row
        is.
    rule: the default one without it.

    Gaps stay gaps and count as nobody. Raises MissingColumnError; InvalidValueError for more than two columns
    of totals, counts that are negative or no numbers, gaps in `within`, or a cell that stands twice.

    >>> teams = pd.DataFrame({"team": ["A", "B", "C"], "people": [3, 40, 12]})
    >>> suppress_table(teams, counts=["people"]).table["people"].tolist()
    [nan, 40.0, nan]
    """
    rule = rule or Rule()
    _check(frame, counts, within, rates)
    codes = [pd.factorize(frame[name]) for name in within]
    table, groups = frame.copy(), _groups(within, codes)
    totals = groups.copy()
    hidden_counts: dict[str, Bools] = {}
    hidden_totals: dict[str, Bools] = {}
    primary = 0
    for name in counts:
        given = frame[name].to_numpy(np.float64)
        values = np.nan_to_num(given)
        hidden, margins, sums = _withhold(values, codes, rule)
        table[name] = np.where(hidden, np.nan, rule.rounded(given))
        totals[name] = np.where(margins, np.nan, rule.rounded(sums))
        hidden_counts[name], hidden_totals[name] = hidden, margins
        primary += int(rule.is_small(values).sum() + rule.is_small(sums).sum())
    any_hidden = np.any(list(hidden_counts.values()), axis=0)
    for name in rates:
        table[name] = frame[name].where(~any_hidden)
        hidden_counts[name] = any_hidden & frame[name].notna().to_numpy()
    every = int(sum(hidden_counts[name].sum() + hidden_totals[name].sum() for name in counts))
    table[SUPPRESSED] = names_of(hidden_counts)
    totals[SUPPRESSED] = names_of(hidden_totals)
    return SuppressedTable(table, totals, primary, every - primary, rule)


def names_of(hidden: dict[str, Bools]) -> NDArray[np.object_]:
    """(rows,) the names of the columns that are withheld in each row, with blanks between them."""
    words = np.full(len(next(iter(hidden.values()))), "", dtype=object)
    for name, flags in hidden.items():
        words[flags] = [f"{word} {name}".strip() for word in words[flags]]
    return words


def _check(frame: pd.DataFrame, counts: Sequence[str], within: Sequence[str], rates: Sequence[str]) -> None:
    if isinstance(counts, str) or isinstance(within, str) or isinstance(rates, str) or not len(counts):
        raise InvalidValueError('Name columns in lists: counts=["people"], within=["icb"].')
    lacking = [name for name in (*counts, *within, *rates) if name not in frame]
    if lacking:
        raise MissingColumnError(
            f"The table lacks {first_few(lacking)}; it has {first_few(frame.columns, 12)}."
        )
    if len(within) > 2:
        raise InvalidValueError(
            f"{len(within)} columns of totals: a table has two directions at most. Add up over the others "
            "first, or publish fewer totals."
        )
    for name in counts:
        numbers = pd.to_numeric(frame[name], errors="coerce")
        bad = frame.index[~(numbers >= 0) & frame[name].notna() | np.isinf(numbers)]
        if len(bad):
            raise InvalidValueError(
                f"{len(bad):,} values of {name} are negative or no numbers, in the rows {first_few(bad)}. "
                "Only counts can be withheld; name what is worked out from them in rates."
            )
    gaps = [name for name in within if frame[name].isna().any()]
    if gaps:
        raise InvalidValueError(
            f"{first_few(gaps)} is blank in some rows, which belong to no total. Name what is blank."
        )
    if len(within) == 2 and (twice := frame.duplicated(list(within))).any():
        raise InvalidValueError(
            f"{twice.sum():,} cells stand in more than one row, such as "
            f"{first_few(map(tuple, frame.loc[twice, list(within)].head(3).to_numpy()))}. Add them up first."
        )


def _groups(within: Sequence[str], codes: Sequence[tuple[NDArray[np.int64], pd.Index]]) -> pd.DataFrame:
    """The rows of `totals` in the order of `_withhold`: those of each column, then that of all."""
    of = [name for name, (_, labels) in zip(within, codes, strict=True) for _ in labels]
    return pd.DataFrame({"of": [*of, ""], "group": [*(g for _, labels in codes for g in labels), "all"]})


def _withhold(
    values: Floats, codes: Sequence[tuple[NDArray[np.int64], pd.Index]], rule: Rule
) -> tuple[Bools, Bools, Floats]:
    """What is withheld of (rows,) counts and of their totals, and the totals as they are."""
    if len(codes) < 2:
        line, lines = (codes[0][0], len(codes[0][1])) if codes else (np.zeros(len(values), np.int64), 1)
        sums = sums_of(values, line, lines)
        found = in_lines(values, line, lines, rule.threshold)
        margins = np.append(found.rows, found.total) if codes else np.array([found.total])
        return found.cells, margins, np.append(sums, sums.sum()) if codes else sums
    (row, rows), (column, columns) = codes
    square = np.zeros((len(rows), len(columns)))
    square[row, column] = values
    every = with_totals(square)
    sums = np.concatenate([every[:-1, -1], every[-1]])
    found = crossed(square, rule.threshold)
    return found.cells[row, column], np.concatenate([found.rows, found.columns, [found.total]]), sums


__all__ = ["Rule", "SuppressedTable", "suppress_table"]
