"""Pace of change: from what is in place to the targets over some years, as fast as the limits let it.

    distance_k = posts_k / target_k - 1   (negative: below target)
    least_k = opening_k * (1 + floor(distance_k)),   most_k = opening_k * (1 + ceiling(distance_k))

Each year everybody moves towards target as far as least and most allow, and as far as the posts that others
release and take keep the year's total; nobody passes target unless the total has to go somewhere
(`kernels.pace`). Floor and ceiling are numbers or are piecewise linear in the opening distance, so that there
are no cliff edges. NHS England's percentages since 2019 are not published: there are no defaults.

Source of the form: NHS England, allocations 2016/17 to 2020/21 (a least growth for everybody that tapers off
above target); Health Committee, Session 2010-12, on cliff edges in the pace of change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.allocate import Allocation
from needsalloc.display import sentence_and_table
from needsalloc.errors import AllocationError, InvalidValueError, UnknownCodeError, first_few
from needsalloc.kernels.apportion import apportion
from needsalloc.kernels.bounded import Clash, clash
from needsalloc.kernels.pace import goals, one_year

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Limit = float | Mapping[float, float]
Moves = Literal["posts", "vacancies", "new posts"]

_MOVES = ("posts", "vacancies", "new posts")
_LONGEST = 100
_EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class _Rules:
    """How posts may move in a year; arrays are in the order of the teams."""

    floor: Limit | None
    ceiling: Limit | None
    moves: Moves
    turnover: Floats
    dead_band: float
    step: float | None
    unit: str


@dataclass(frozen=True, eq=False)
class PaceOfChange:
    """Posts by team and year.

    Attributes
    ----------
    table:
        Index (year, team), years from 1. `opening`, `target` (the bounded target of the plan, as a part
        of all, times the year's total),
        `opening_distance`, `least` and `most` that the year allows, `closing` before rounding, `posts`
        (closing in steps, the same where no step was given), `change` (posts less those of the year before),
        `closing_distance` (both distances are posts / target of this year - 1: below target is negative;
        NaN without a target) and `held_by`, what keeps a team from its target: "floor", "ceiling",
        "vacancies", "nobody is moved", "dead band", "total" (what others release or take) or "", if nothing.
    totals:
        Index year: what is shared out, to a step where there is one.
    unit:
        Of posts.
    """

    table: pd.DataFrame
    totals: pd.Series
    unit: str
    _shares: Floats
    _growth: tuple[float, ...]
    _rules: _Rules

    @property
    def by_year(self) -> pd.DataFrame:
        """Posts, a row per team and a column per year; each column sums to the year's total."""
        posts = self.table["posts"].to_numpy().reshape(len(self.totals), -1)
        return pd.DataFrame(posts.T, index=self._teams, columns=self.totals.index)

    def years_to_within(self, distance: float) -> pd.Series:
        """Years until each team is within `distance` (0.05 is 5 %) of target and stays there; 0 is now.

        The rules and the last year's growth go on, before rounding. NaN where it takes more than a hundred
        years, or where a team has no target.

        Raises AllocationError if a later year's limits cannot be met.
        """
        growth = self._growth + (self._growth[-1],) * (_LONGEST - len(self._growth))
        rules = replace(self._rules, step=None)
        opening = self.table["opening"].to_numpy(np.float64)[: len(self._teams)]
        start = opening / np.where(self._shares > 0, self._shares * opening.sum(), np.nan) - 1.0
        far = [np.abs(start) > distance + _EXACT]
        for year in _years(self._teams, self._shares, opening, growth, rules):
            far.append(np.abs(year["closing_distance"].to_numpy()) > distance + _EXACT)
        outside = np.array(far)
        last = len(outside) - np.argmax(outside[::-1], axis=0)
        years = np.where(outside.any(axis=0), last, 0).astype(np.float64)
        years[(years > _LONGEST) | ~(self._shares > 0)] = np.nan
        return pd.Series(years, index=self._teams, name="years")

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw each team's distance from target now and after every year. Returns the axes.

        Of many teams, the forty furthest away now. Needs matplotlib (pip install "needsalloc[maps]").
        """
        from needsalloc.allocation_pictures import draw_pace

        return draw_pace(self.table, ax)

    @property
    def _teams(self) -> pd.Index:
        return self.table.xs(1).index

    def __repr__(self) -> str:
        years = len(self.totals)
        last = self.table["closing_distance"].iloc[-len(self._teams) :].dropna()
        return (
            f"<PaceOfChange of {len(self._teams):,} teams over {years} years, "
            f"{self.totals.iloc[0]:,g} to {self.totals.iloc[-1]:,g} {self.unit}; "
            f"distances from target end between {last.min():+.1%} and {last.max():+.1%}>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.by_year)


def pace_of_change(
    plan: Allocation,
    *,
    years: int,
    floor: Limit | None = None,
    ceiling: Limit | None = None,
    growth: float | Sequence[float] = 0.0,
    moves: Moves = "posts",
    turnover: float | pd.Series | Mapping[str, float] | None = None,
    dead_band: float = 0.0,
    step: float | None = None,
) -> PaceOfChange:
    """Move the posts in place towards what `plan` comes to inside its limits, a year at a time.

    plan: an allocation with `current` for every team that has a target share or posts.
    floor, ceiling: least and most change of a team's posts in a year, over its opening posts: -0.025 is 2.5 %
        fewer. Either a number or {distance: change}, linear between and level outside: {0.05: 0.01, 0.10: 0}
        is 1 % more up to 5 % above target, tapering to nothing at 10 %.
    growth: of the total in each year, one for all years or one for each.
    moves: "posts" as far as floor and ceiling go; "vacancies": only posts that fall vacant (`turnover`, share
        of posts a year, by team or for all) and new ones are placed anew; "new posts": nobody is moved.
    dead_band: share of target within which nobody moves; those outside go to its edge.
    step: the smallest part of a post; each year's total is rounded to it, and posts are within a step of what
        the limits allow (largest remainders).

    Raises AllocationError for limits that contradict each other or the total, with the year and by how much;
    InvalidValueError for teams without current posts or turnover, UnknownCodeError for turnover of others.
    """
    _check_options(years, moves, dead_band, step, {"floor": floor, "ceiling": ceiling})
    given = (plan.table["target_share"] > 0) | (plan.table["bounded_target"] > 0)
    chosen = plan.table[given | (plan.table["current"] > 0)]
    missing = chosen.index[chosen["current"].isna()]
    if len(missing):
        raise InvalidValueError(
            f"{len(missing):,} of {len(chosen):,} teams have no current posts: {first_few(missing)}. "
            "Say what is in place, 0 where there is nothing."
        )
    opening = chosen["current"].to_numpy(np.float64)
    if opening.sum() <= 0:
        raise AllocationError("There are no posts in place to start from: share out new ones with allocate.")
    # What the plan comes to inside its limits; a plan that shares out nothing has shares of need alone.
    part = chosen["bounded_target" if chosen["bounded_target"].any() else "target_share"].to_numpy(np.float64)
    shares = part / part.sum()
    steps = (growth,) * years if isinstance(growth, (int, float)) else tuple(growth)
    if len(steps) != years or not all(np.isfinite(steps)) or min(steps) <= -1:
        raise AllocationError(
            f"Growth is {growth!r}: give one number, or one for each of the {years} years, above -1."
        )
    rules = _Rules(
        floor, ceiling, moves, _turnover(turnover, moves, chosen.index), dead_band, step, plan.unit
    )
    done = _years(chosen.index, shares, opening, steps, rules)
    table = pd.concat(dict(enumerate(done, start=1)), names=["year", "team"])
    totals = pd.Series(
        [year.attrs["total"] for year in done], pd.RangeIndex(1, years + 1, name="year"), name="total"
    )
    return PaceOfChange(table, totals, plan.unit, shares, steps, rules)


def _years(
    teams: pd.Index, shares: Floats, opening: Floats, growth: Sequence[float], rules: _Rules
) -> list[pd.DataFrame]:
    """A frame for each year, its total in `attrs`."""
    done: list[pd.DataFrame] = []
    exact, before = opening.sum(), opening
    for number, more in enumerate(growth, start=1):
        exact *= 1.0 + more
        total = exact if rules.step is None else round(exact / rules.step) * rules.step
        target = shares * total
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.where(target > 0, opening / target - 1.0, np.inf)
        least, most, lower = _limits(opening, distance, rules)
        _refuse(clash(target, total, least, most), number, total, teams, rules)
        closing = one_year(opening, target, total, least, most, rules.dead_band)
        posts = closing if rules.step is None else _in_steps(closing, total, rules.step)
        ends = np.divide(closing, target, out=np.full(len(target), np.nan), where=target > 0) - 1.0
        year = pd.DataFrame(
            {
                "opening": opening,
                "target": target,
                "opening_distance": np.where(target > 0, distance, np.nan),
                "least": least,
                "most": most,
                "closing": closing,
                "posts": posts,
                "change": posts - before,
                "closing_distance": ends,
            },
            index=teams,
        )
        year["held_by"] = _held_by(year, lower, rules.dead_band)
        year.attrs["total"] = float(total)
        done.append(year)
        opening, before = closing, posts
    return done


def _limits(opening: Floats, distance: Floats, rules: _Rules) -> tuple[Floats, Floats, NDArray[np.str_]]:
    """Least and most posts at the end of a year, and what the least comes from."""
    by_floor = opening * (1.0 + _at(rules.floor, distance, -1.0))
    # Nothing in place grows by no percentage: a ceiling would hold a new team at nothing for ever.
    more = np.where(opening > 0, _at(rules.ceiling, distance, np.inf), np.inf)
    most = np.where(np.isinf(more), np.inf, opening * (1.0 + np.where(np.isinf(more), 0.0, more)))
    by_leavers = opening * (1.0 - rules.turnover)
    word = {"posts": "floor", "vacancies": "vacancies", "new posts": "nobody is moved"}[rules.moves]
    return np.maximum(by_floor, by_leavers), most, np.where(by_leavers > by_floor, word, "floor")


def _at(limit: Limit | None, distance: Floats, otherwise: float) -> Floats:
    if limit is None:
        return np.full(len(distance), otherwise)
    if isinstance(limit, Mapping):
        knots = sorted(limit)
        return np.interp(distance, knots, [limit[knot] for knot in knots])
    return np.full(len(distance), float(limit))


def _held_by(year: pd.DataFrame, lower: NDArray[np.str_], dead_band: float) -> NDArray[np.object_]:
    """What keeps each team from its target; `lower` names what its least posts come from."""
    opening, target, closing = (year[name].to_numpy() for name in ("opening", "target", "closing"))
    near = _EXACT * np.maximum(opening, target)
    goal = goals(opening, target, dead_band)
    word = np.full(len(year), "total", dtype=object)
    at_least, at_most = closing <= year["least"] + near, closing >= year["most"] - near
    word[at_least & (closing > goal + near)] = lower[at_least & (closing > goal + near)]
    word[at_most & (closing < goal - near)] = "ceiling"
    word[np.abs(closing - goal) <= near] = "dead band"
    word[np.abs(closing - target) <= near] = ""
    return word


def _in_steps(closing: Floats, total: float, step: float) -> Floats:
    return np.round(apportion(closing, round(total / step), rule="hamilton").steps * step, 10)


def _refuse(found: Clash, year: int, total: float, teams: pd.Index, rules: _Rules) -> None:
    if found.crossed.any():
        crossed = teams[found.crossed]
        raise AllocationError(
            f"Year {year}: {len(crossed):,} teams must end above what they may: {first_few(crossed)}. "
            "Lower the floor or raise the ceiling."
        )
    if found.over > _EXACT * total:
        keeps = {"posts": "the floor", "vacancies": "leavers and floor", "new posts": "moving nobody"}
        raise AllocationError(
            f"Year {year}: {keeps[rules.moves]} keeps {total + found.over:,.4g} {rules.unit} where they are, "
            f"{found.over:,.4g} more than the total of {total:,.4g}. Lower the floor, let more posts move or "
            "raise the growth."
        )
    if found.under > _EXACT * total:
        raise AllocationError(
            f"Year {year}: under the ceiling teams take {total - found.under:,.4g} {rules.unit}, "
            f"{found.under:,.4g} fewer than the total of {total:,.4g}. Raise the ceiling or lower the growth."
        )


def _check_options(
    years: int, moves: Moves, dead_band: float, step: float | None, limits: Mapping[str, Limit | None]
) -> None:
    if moves not in _MOVES:
        raise AllocationError(f"Unknown moves {moves!r}: choose {', '.join(_MOVES)}.")
    if not 1 <= years <= _LONGEST:
        raise AllocationError(f"{years} years: choose from 1 to {_LONGEST}.")
    if not 0 <= dead_band < 1:
        raise AllocationError(f"The dead band is {dead_band:g}: it is a share of target, from 0 to below 1.")
    if step is not None and not (np.isfinite(step) and step > 0):
        raise AllocationError(f"The step is {step:g}; it must be above 0.")
    if moves == "posts" and all(limit is None for limit in limits.values()):
        raise AllocationError(
            "Neither floor nor ceiling: all would move at once. Say how fast posts may move in a year; there "
            "is no published default."
        )
    for name, limit in limits.items():
        if limit is not None:
            _check_limit(name, limit)


def _check_limit(name: str, limit: Limit) -> None:
    """At any distance a change of at least -1, and nobody further above target ends below a nearer one."""
    knots = dict(sorted(limit.items())) if isinstance(limit, Mapping) else {0.0: limit}
    distance, change = np.array([*knots], dtype=np.float64), np.array([*knots.values()], dtype=np.float64)
    if not (len(distance) and np.isfinite(distance).all() and (change >= -1.0).all()):
        raise AllocationError(
            f"The {name} is {limit!r}: give a change of -1 or more, or such changes by distance from target."
        )
    slope = np.diff(change) / np.diff(distance)
    # Posts over target at the end of the year, (1 + distance)(1 + change), are a parabola between knots.
    rising = [(1.0 + change[at]) + (1.0 + distance[at]) * slope for at in (slice(0, -1), slice(1, None))]
    if (np.array(rising) < -_EXACT).any():
        raise AllocationError(
            f"The {name} {limit!r} falls so steeply that a team further above target would end the year "
            "below one that is nearer. Spread the change over a wider range of distances."
        )


def _turnover(
    turnover: float | pd.Series | Mapping[str, float] | None, moves: Moves, teams: pd.Index
) -> Floats:
    """The share of posts that may leave each team: all, the vacant ones, or none."""
    if (turnover is None) == (moves == "vacancies"):
        raise AllocationError(
            "Turnover, the share of posts that fall vacant in a year, is for moves='vacancies' and needed "
            "there."
        )
    if turnover is None:
        return np.full(len(teams), 1.0 if moves == "posts" else 0.0)
    if isinstance(turnover, (int, float)):
        rate = pd.Series(float(turnover), index=teams)
    else:
        given = pd.Series(turnover, dtype=np.float64)
        stray = given.index.difference(teams)
        if len(stray):
            raise UnknownCodeError(
                f"{len(stray):,} teams with turnover are not in the plan: {first_few(stray)}. Check them."
            )
        rate = given.reindex(teams)
    bad = rate.index[~rate.between(0, 1)]
    if len(bad):
        raise InvalidValueError(
            f"{len(bad):,} teams have no turnover from 0 to 1: {first_few(bad)}. Give each one, or all."
        )
    return np.asarray(rate, dtype=np.float64)


__all__ = ["PaceOfChange", "pace_of_change"]
