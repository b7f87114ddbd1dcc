"""What planners decide beside need: posts set aside, adjustments of single teams, prices and times by team.

Each has a name or a reason, an owner or a source, so that a plan can say who decided what, and what it moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.errors import AllocationError, InvalidValueError, UnknownCodeError, first_few

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ByTeam = pd.Series | Mapping[str, float]

_EXACT = 1e-9
_MONEY = ("gbp", "pounds")


@dataclass(frozen=True, slots=True)
class Reserve:
    """Posts (or money) set aside before the rest is shared by need.

    posts: a number is a top-slice, which no team has; posts by team are ring-fenced, which these teams have
        on top of their share. name, reason, owner: what for, why, and who answers for it.
    """

    name: str
    posts: float | Mapping[str, float]
    reason: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A local decision about one team, after the rule: so many posts more (or fewer) than the rule gives.

    The others share what that leaves, by the same rule inside the same limits, so that the total is kept.
    """

    team: str
    posts: float
    reason: str
    owner: str


@dataclass(frozen=True, slots=True)
class Price:
    """What a unit of care costs in each team's place over the average (the market forces factor). For money.

    In a formula of several blocks a factor belongs to some of them only: weigh the blocks first
    (`Combination.weigh`). source: where the factors are from.
    """

    factor: ByTeam
    source: str


@dataclass(frozen=True, slots=True)
class Time:
    """Minutes that a contact takes: with the patient, and on the way there. For posts.

    minutes, travel: a number for all teams, or by team. source: where they are from.
    """

    minutes: ByTeam | float
    travel: ByTeam | float = 0.0
    source: str = ""


@dataclass(frozen=True, slots=True)
class SetAside:
    """Reserves in steps: `top_slice`, `ring_fenced` (teams,), and whose each team's are, by name or ""."""

    top_slice: int
    ring_fenced: Ints
    names: NDArray[np.object_]


def is_money(unit: str) -> bool:
    """Whether a unit is money: £ with whatever follows, GBP or pounds."""
    return unit.startswith("£") or unit.lower() in _MONEY


def per_head(price: Price | None, time: Time | None, teams: pd.Index, unit: str) -> pd.Series:
    """What a unit of need takes in each team: its price, its minutes, or 1, named `price` or `minutes`.

    Raises AllocationError for both at once, a price of posts or minutes of money; InvalidValueError for a
    team without a figure, one that is not above 0, or no source.
    """
    if price is None and time is None:
        return pd.Series(1.0, teams, name="")
    if price is not None and time is not None:
        raise AllocationError(
            "Both a price and a time: money is shared by price, posts by time, and neither by both. Make two "
            "plans."
        )
    if (price is not None) != is_money(unit):
        fault = "A price is for money" if price is not None else "Minutes are for posts"
        raise AllocationError(
            f"{fault}; the unit of this plan is {unit}. A nurse's hour is as long where it is dear: share "
            "posts by time, money by price."
        )
    if price is not None:
        found, source = _of_teams(price.factor, teams, "price"), price.source
    else:
        assert time is not None
        travel = _of_teams(time.travel, teams, "travel", or_none=True)
        found = (_of_teams(time.minutes, teams, "minutes") + travel).rename("minutes")
        source = time.source
    if not source:
        raise InvalidValueError(f"Say where the {found.name} by team come from: source is empty.")
    return found


def _of_teams(values: ByTeam | float, teams: pd.Index, name: str, *, or_none: bool = False) -> pd.Series:
    if isinstance(values, (int, float)):
        found = pd.Series(float(values), teams)
    else:
        given = pd.Series(values, dtype=np.float64)
        if given.index.has_duplicates:
            raise InvalidValueError(f"Some teams have their {name} twice. Give each team one figure.")
        found = given.reindex(teams)
    bad = found.index[~(np.isfinite(found) & ((found > 0) | (or_none & (found == 0))))]
    if len(bad):
        raise InvalidValueError(
            f"{len(bad):,} of {len(teams):,} teams have no {name}, or one that cannot be: {first_few(bad)}. "
            "Give every team that is given posts its figure."
        )
    return found.rename(name)


def set_aside(reserves: tuple[Reserve, ...], teams: pd.Index, step: float) -> SetAside:
    """Reserves in whole steps, added up by team.

    Raises AllocationError for posts that are no multiple of the step or negative, or two of one name;
    UnknownCodeError for teams that are given no posts.
    """
    if len({each.name for each in reserves}) < len(reserves):
        raise AllocationError("Two reserves have the same name. Name each once.")
    top, ring = 0, np.zeros(len(teams), dtype=np.int64)
    names = np.full(len(teams), "", dtype=object)
    for each in reserves:
        if not isinstance(each.posts, Mapping):
            top += whole(each.posts, step, each.name)
            continue
        position = positions(teams, each.posts, each.name)
        ring[position] += [whole(posts, step, each.name) for posts in each.posts.values()]
        names[position] = [f"{name}, {each.name}" if name else each.name for name in names[position]]
    return SetAside(top, ring, names)


def adjusted(adjustments: tuple[Adjustment, ...], teams: pd.Index, step: float) -> Ints:
    """Steps more or fewer by team, those of one team added up. Raises as `set_aside`, and
    InvalidValueError for an adjustment without a reason or owner."""
    found = np.zeros(len(teams), dtype=np.int64)
    for each in adjustments:
        if not (each.reason and each.owner):
            raise InvalidValueError(
                f"The adjustment of {each.team} has no reason or no owner: write both, they are printed."
            )
        (position,) = positions(teams, [each.team], "An adjustment")
        found[position] += whole(each.posts, step, f"the adjustment of {each.team}", least=-np.inf)
    return found


def positions(teams: pd.Index, named: Mapping[str, float] | list[str], what: str) -> NDArray[np.intp]:
    """Where teams stand; UnknownCodeError for those that are not there."""
    found = teams.get_indexer(pd.Index(list(named)))
    stray = [team for team, at in zip(named, found, strict=True) if at < 0]
    if stray:
        raise UnknownCodeError(
            f"{what!r} names {len(stray):,} teams that are given no posts here: {first_few(stray)}."
        )
    return found


def whole(posts: float, step: float, what: str, least: float = 0.0) -> int:
    """Posts in steps; AllocationError where they are no whole number of them, or below `least`."""
    steps = posts / step
    if not (np.isfinite(steps) and posts >= least and abs(steps - round(steps)) <= _EXACT * max(steps, 1.0)):
        raise AllocationError(
            f"{what}: {posts:g} is negative or no multiple of the step {step:g}. Change one of them."
        )
    return round(steps)


__all__ = ["Adjustment", "Price", "Reserve", "Time"]
