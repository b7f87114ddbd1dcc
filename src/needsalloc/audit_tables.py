"""Tidy tables of an equity audit: measures, groups, Lorenz curves and Theil's index of one level."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from needsalloc.against import LIMITS
from needsalloc.audit_areas import AT_EQUAL_AGES, ICB, NEED, PEOPLE, SCORE, Audited, varies
from needsalloc.equity import InequalityMeasures, inequality_measures

PER = 10_000
POINTS = 201
NOW = "current"
TO_MOVE, TO_MOVE_WITHIN = "posts_to_move", "posts_to_move_within_icb"
# Of need against people: the others are 0 there, or are said by these.
_OF_NEED = (
    "slope_index", "relative_index", "concentration_index", "extended_concentration_index", "gini", "theil",
)  # fmt: skip
_GROUP = ["level", "grouping", "group"]
_MEASURED = [
    "level", "resource", "against", "measure", "value", "change_from_now", *LIMITS, "interval", "ranking",
    "sign", "weights", "unit", "areas", "too_few_areas",
]  # fmt: skip
_GROUPED = [
    "level", "resource", "against", "grouping", "group", "areas", "population", "amount", "change_from_now",
    "share_of_population", "share_of_need", "share_of_resource", "resource_per_need", "relative_to_all",
    "too_few_areas",
]  # fmt: skip
_CURVES = ["level", "resource", "share_of_need", "share_of_resource"]
_PARTS = ["level", "resource", "against", "part", "groups", "theil", "share"]


@dataclass(frozen=True, slots=True)
class Tables:
    """Tidy tables, a row each as their columns say; `measures` by level, of resources against need."""

    inequality: pd.DataFrame
    by_group: pd.DataFrame
    lorenz: pd.DataFrame
    theil: pd.DataFrame
    measures: dict[str, InequalityMeasures]


def tables(
    levels: Iterable[Audited], unit: str, intervals: Literal["robust", "off"], aversion: float
) -> Tables:
    """The tables of every level, one below the other."""
    parts: dict[str, list[pd.DataFrame]] = {"inequality": [], "by_group": [], "lorenz": [], "theil": []}
    measures: dict[str, InequalityMeasures] = {}
    for level in levels:
        for found in _measured(level, intervals, aversion):
            if found.needs != (PEOPLE,):
                measures[level.level] = found
            for name, frame in _parts(found, level, unit):
                parts[name].append(frame.assign(level=level.level))
    measured, grouped = _joined(parts["inequality"], _MEASURED), _joined(parts["by_group"], _GROUPED)
    return Tables(
        _with_change(measured, ["level", "against", "measure"], "value")[_MEASURED],
        _with_change(grouped.astype({"group": "str"}), [*_GROUP, "against"], "amount")[_GROUPED],
        _joined(parts["lorenz"], _CURVES)[_CURVES],
        _joined(parts["theil"], _PARTS)[_PARTS],
        measures,
    )


def _parts(found: InequalityMeasures, level: Audited, unit: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Frames of one set of resources, by the table that they are a part of."""
    for grouping in level.groupings:
        yield "by_group", found.by(grouping)
    if found.needs == (PEOPLE,):
        yield "inequality", _table_of_need(found)
        return
    yield "inequality", _table_of_posts(found, level, unit)
    curves = found.lorenz(POINTS)
    yield "lorenz", curves[curves["need"] == NEED]
    if nesting := _that_split(level):
        yield "theil", found.split(nesting).rename(columns={"level": "part"})


def _measured(
    level: Audited, intervals: Literal["robust", "off"], aversion: float
) -> Iterable[InequalityMeasures]:
    """Need against people, then every resource against need."""
    asked: list[tuple[tuple[str, ...], tuple[str, ...]]] = [(level.needs, (PEOPLE,))]
    if level.resources:
        asked.append((level.resources, level.needs))
    for resource, need in asked:
        yield inequality_measures(
            level.frame,
            resource=resource,
            need=need,
            population=PEOPLE,
            deprivation=SCORE,
            most_deprived="highest",
            per=PER,
            aversion=aversion,
            intervals=intervals,
            cluster=level.cluster,
        )


def _table_of_need(found: InequalityMeasures) -> pd.DataFrame:
    table = found.table[found.table["measure"].isin(_OF_NEED)]
    # The kernel's words are of a resource against need; here need is against people.
    sign = table["sign"].str.replace("per need", "per person").str.replace("to need", "to people")
    return table.assign(sign=sign)


def _table_of_posts(found: InequalityMeasures, level: Audited, unit: str) -> pd.DataFrame:
    """With what would have to move in posts, of all and inside each ICB."""
    hoover = found.table[found.table["measure"] == "hoover"]
    posts = hoover["resource"].map(level.frame[list(level.resources)].sum())
    to_move = {TO_MOVE: hoover["value"] * posts}
    if ICB in level.frame:
        by_icb = found.within(ICB).groupby(["resource", "need"])["to_move"].sum()
        pairs = pd.MultiIndex.from_frame(hoover[["resource", "need"]])
        to_move[TO_MOVE_WITHIN] = pd.Series(by_icb.reindex(pairs).to_numpy(), hoover.index)
    rows = [hoover.assign(measure=name, value=value, unit=unit) for name, value in to_move.items()]
    whole = pd.concat([found.table, *rows])
    # Each below the measures of its resource and need.
    place = whole.groupby(["resource", "need"], sort=False).ngroup().to_numpy()
    return whole.iloc[np.argsort(place, kind="stable")]


def _that_split(level: Audited) -> list[str]:
    """The columns of the nesting that have groups to tell apart."""
    return [name for name in level.nesting if varies(level.frame[name])]


def _joined(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """One below the other, `need` called `against`: what a resource is compared with."""
    if not frames:
        return pd.DataFrame(columns=columns)
    return pd.concat(frames, ignore_index=True).rename(columns={"need": "against"})


def _with_change(table: pd.DataFrame, keys: list[str], value: str) -> pd.DataFrame:
    """With what each value is above that of what is in place now; NaN where nobody said what is."""
    now = (
        table[table["resource"] == NOW].set_index(keys)[value] if len(table) else pd.Series(dtype=np.float64)
    )
    if now.empty:
        return table.assign(change_from_now=np.nan)
    before = now.reindex(pd.MultiIndex.from_frame(table[keys])).to_numpy()
    planned = ~table["resource"].isin([NEED, AT_EQUAL_AGES])
    return table.assign(change_from_now=(table[value] - before).where(planned))


__all__ = ["NOW", "TO_MOVE", "TO_MOVE_WITHIN", "Tables", "tables"]
