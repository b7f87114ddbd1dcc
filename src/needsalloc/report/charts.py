"""Where the marks of the page's charts stand, in per cent of the width; the template draws them.

Every chart is a table whose rows carry a small plot, so that the numbers stand beside the marks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from needsalloc.report import schema
from needsalloc.report.bundle import Bundle
from needsalloc.report.column import Column

MOST_ROWS = 30


@dataclass(frozen=True, slots=True)
class Mark:
    """One value of one row: where it stands (0 to 100), what it says, and its kind for the style sheet."""

    at: float
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    marks: list[Mark]
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """`series` is (kind, name) of the marks, `ticks` (where, words), `line` where the base's 1 stands."""

    title: str
    note: str
    series: list[tuple[str, str]]
    ticks: list[tuple[float, str]]
    rows: list[Row]
    extra: str = ""
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
        shown = Column("", "", "", column.form, decimals)
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


def teams_chart(bundle: Bundle) -> Chart:
    """Posts now and in the plan; where nobody said what is there now, share of people and fair share."""
    teams = bundle.allocation[(bundle.allocation["target_share"] > 0) | bundle.allocation["current"].notna()]
    if bundle.has_current:
        before, after = teams["current"], teams["posts"]
        gap = after - before
        column = schema.column(bundle, "allocation", "current")
        change = schema.column(bundle, "allocation", "change")
        title = f"Each team, in {bundle.unit}"
        series = [("before", "Posts now"), ("after", "Posts in this plan")]
        extra = "Change"
    else:
        adults = teams[f"{bundle.people}_adults"]
        before, after = adults / adults.sum(), teams["target_share"]
        gap = (after - before) * 100
        column = schema.column(bundle, "allocation", "target_share")
        change = Column("", "", "", "number", column.decimals, signed=True)
        title = "Each team’s share of people, and of the total by need"
        series = [("before", f"Share of {bundle.people} adults"), ("after", "Target share, by need")]
        extra = "Difference in percentage points"
    shown, note = _furthest(gap.to_numpy(dtype=float))
    scale = axis([*before.iloc[shown], *after.iloc[shown]])
    rows = [
        Row(
            str(teams["team_name"].iloc[i]),
            [
                Mark(scale.at(value), column.show(value), kind)
                for value, (kind, _) in zip((before.iloc[i], after.iloc[i]), series, strict=True)
                if math.isfinite(value)
            ],
            change.show(gap.iloc[i]),
        )
        for i in shown
    ]
    return Chart(title, note, series, scale.ticks(column), rows, extra)


def _furthest(gap: npt.NDArray[np.float64]) -> tuple[list[int], str]:
    """All teams in their order; of many the ones that differ most each way, the largest rise first."""
    if len(gap) <= MOST_ROWS:
        return list(range(len(gap))), ""
    half = MOST_ROWS // 2
    order = np.argsort(-np.nan_to_num(gap), kind="stable").tolist()
    note = f"The {half} teams that differ most each way; all {len(gap):,} are in the table above."
    return order[:half] + order[-half:], note


def shares_chart(bundle: Bundle) -> Chart:
    """What each fifth of deprivation has of people, need and posts."""
    wanted = [
        ("people", "share_of_people", "Adults"),
        ("need", "share_of_need", "Need"),
        ("before", "share_of_current", "Posts now"),
        ("after", "share_of_posts", "Posts in this plan"),
    ]
    series = [
        entry for entry in wanted if entry[1] in bundle.equity and bundle.equity[entry[1]].notna().any()
    ]
    return _fifths(bundle, "Who has what share", series, zero=True)


def index_chart(bundle: Bundle) -> Chart:
    """Need of each fifth, with its own ages and with the same ages for all."""
    wanted = [
        ("after", "need_index_crude", "As it is"),
        ("before", "need_index_age_standardised", "If all had the same mix of ages"),
    ]
    series = [
        entry for entry in wanted if entry[1] in bundle.equity and bundle.equity[entry[1]].notna().any()
    ]
    return _fifths(bundle, f"Need index ({bundle.base_name} = 1)", series, zero=False)


def _fifths(bundle: Bundle, title: str, series: list[tuple[str, str, str]], *, zero: bool) -> Chart:
    equity = bundle.equity
    values = equity[[name for _, name, _ in series]].to_numpy(dtype=float)
    scale = axis([*values.ravel(), *([] if zero else [1.0])], zero=zero)
    described = [schema.column(bundle, "equity", name) for _, name, _ in series]
    rows = [
        Row(
            fifth_name(fifth),
            [
                Mark(scale.at(value), column.show(value), kind)
                for value, column, (kind, _, _) in zip(row.tolist(), described, series, strict=True)
                if math.isfinite(value)
            ],
        )
        for fifth, row in zip(equity["deprivation_fifth"].tolist(), values, strict=True)
    ]
    ticks = scale.ticks(described[0]) if described else []
    return Chart(
        title,
        "",
        [(kind, name) for kind, _, name in series],
        ticks,
        rows,
        line=None if zero else scale.at(1.0),
    )


def fifth_name(fifth: object) -> str:
    """1 is the most deprived: said in words, for quintiles run the other way elsewhere."""
    return {"1": "1, most deprived", "5": "5, least deprived"}.get(str(fifth), str(fifth))
