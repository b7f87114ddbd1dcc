"""Where the marks of the page's charts stand, in per cent of the width; the template draws them.

Every chart is a table whose rows carry a small plot, so that the numbers stand beside the marks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from needsalloc.report import schema
from needsalloc.report.bundle import Bundle
from needsalloc.report.column import CONFIDENTIAL, Column

MOST_ROWS = 30
SIGNED_PERCENT = Column("", "", "", "percent", 1, signed=True)


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark of a row: where it stands (0 to 100), its kind for the style sheet, and where a bar begins."""

    at: float
    kind: str
    start: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """`cells` are the figures beside the plot, one for each column of the chart; `span` is a drawn range."""

    name: str
    marks: list[Mark]
    cells: list[str]
    span: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """`key` is (kind, name) of the marks, `ticks` (where, words), `line` where the base's 1 stands.

    `columns` heads the figures of the rows, `first` their names.
    """

    title: str
    note: str
    first: str
    key: list[tuple[str, str]]
    ticks: list[tuple[float, str]]
    columns: list[str]
    rows: list[Row]
    line: float | None = None


@dataclass(frozen=True, slots=True)
class Axis:
    low: float
    high: float
    step: float

    def at(self, value: float) -> float:
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    def ticks(self, column: Column) -> list[tuple[float, str]]:
        scale = 100 if column.form == "percent" else 1
        decimals = max(0, -math.floor(math.log10(self.step * scale) + 1e-9))
        shown = Column("", "", "", column.form, decimals, column.signed)
        count = round((self.high - self.low) / self.step)
        values = [round(self.low + n * self.step, 12) for n in range(count + 1)]
        return [(self.at(value), shown.show(value)) for value in values]


def axis(values: Iterable[float], *, zero: bool = False) -> Axis:
    """Round limits around the values with about five ticks; from nought where bars need it."""
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = (0.0 if zero else min(known)), max(known)
    span = (high - low) or abs(high) or 1.0
    rough = span / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Axis(first * step, max(last, first + 1) * step, step)


def furthest(gap: npt.NDArray[np.float64]) -> tuple[list[int], str]:
    """All rows in their order; of many the ones that differ most each way, the largest rise first."""
    if len(gap) <= MOST_ROWS:
        return list(range(len(gap))), ""
    half = MOST_ROWS // 2
    order = np.argsort(-np.nan_to_num(gap), kind="stable").tolist()
    note = f"The {half} teams that differ most each way; all {len(gap):,} are in the table above."
    return order[:half] + order[-half:], note


def marked(scale: Axis, values: Sequence[float], kinds: Sequence[str]) -> list[Mark]:
    """A mark for each value that is known."""
    return [
        Mark(scale.at(value), kind) for value, kind in zip(values, kinds, strict=True) if math.isfinite(value)
    ]


def between(marks: list[Mark]) -> tuple[float, float] | None:
    """The line that joins two marks."""
    return (marks[0].at, marks[1].at) if len(marks) == 2 else None


def teams_chart(bundle: Bundle) -> Chart:
    """Posts now and in the plan; where nobody said what is there now, share of people and fair share."""
    teams = bundle.allocation[(bundle.allocation["target_share"] > 0) | bundle.allocation["current"].notna()]
    if bundle.has_current:
        before, after = teams["current"], teams["posts"]
        gap = after - before
        column = schema.column(bundle, "allocation", "current")
        change = schema.column(bundle, "allocation", "change")
        title = f"Each team, in {bundle.unit}"
        key = [("before", "Posts now"), ("after", "Posts in this plan")]
        extra = "Change"
    else:
        adults = teams[f"{bundle.people}_adults"]
        before, after = adults / adults.sum(), teams["target_share"]
        gap = (after - before) * 100
        column = schema.column(bundle, "allocation", "target_share")
        change = Column("", "", "", "number", column.decimals, signed=True)
        title = "Each team’s share of people, and of the total by need"
        key = [("before", f"Share of {bundle.people} adults"), ("after", "Target share, by need")]
        extra = "Difference in percentage points"
    shown, note = furthest(gap.to_numpy(dtype=float))
    scale = axis([*before.iloc[shown], *after.iloc[shown]])
    gone = teams["team"].astype(str).isin(bundle.withheld) & before.isna()
    rows = []
    for i in shown:
        pair = (before.iloc[i], after.iloc[i])
        marks = marked(scale, pair, [kind for kind, _ in key])
        cells = [*(column.show(value) for value in pair), change.show(gap.iloc[i])]
        if gone.iloc[i]:
            cells[0] = cells[-1] = CONFIDENTIAL
        rows.append(Row(str(teams["team_name"].iloc[i]), marks, cells, between(marks)))
    heads = [*(name for _, name in key), extra]
    return Chart(title, note, "Team", key, scale.ticks(column), heads, rows)


def shares_chart(bundle: Bundle) -> Chart:
    """What each fifth of deprivation has of people, need and posts."""
    wanted = [
        ("people", "share_of_people", "Adults"),
        ("need", "share_of_need", "Need"),
        ("before", "share_of_current", "Posts now"),
        ("after", "share_of_posts", "Posts in this plan"),
    ]
    return _fifths(bundle, "Who has what share", wanted, zero=True)


def index_chart(bundle: Bundle) -> Chart:
    """Need of each fifth, with its own ages and with the same ages for all."""
    wanted = [
        ("after", "need_index_crude", "As it is"),
        ("before", "need_index_age_standardised", "If all had the same mix of ages"),
    ]
    return _fifths(bundle, f"Need index ({bundle.base_name} = 1)", wanted, zero=False)


def _fifths(bundle: Bundle, title: str, wanted: list[tuple[str, str, str]], *, zero: bool) -> Chart:
    equity = bundle.equity
    series = [entry for entry in wanted if entry[1] in equity and equity[entry[1]].notna().any()]
    values = equity[[name for _, name, _ in series]].to_numpy(dtype=float)
    scale = axis([*values.ravel(), *([] if zero else [1.0])], zero=zero)
    described = [schema.column(bundle, "equity", name) for _, name, _ in series]
    rows = []
    for fifth, row in zip(equity["deprivation_fifth"].tolist(), values.tolist(), strict=True):
        marks = marked(scale, row, [kind for kind, _, _ in series])
        cells = [column.show(value) for value, column in zip(row, described, strict=True)]
        rows.append(Row(fifth_name(fifth), marks, cells, between(marks)))
    return Chart(
        title,
        "",
        "Fifth",
        [(kind, name) for kind, _, name in series],
        scale.ticks(described[0]) if described else [],
        [name for _, _, name in series],
        rows,
        line=None if zero else scale.at(1.0),
    )


def fifth_name(fifth: object) -> str:
    """1 is the most deprived: said in words, for quintiles run the other way elsewhere."""
    return {"1": "1, most deprived", "5": "5, least deprived"}.get(str(fifth), str(fifth))
