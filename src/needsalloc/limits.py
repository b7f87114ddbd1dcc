"""Limits on the posts of teams, by name: minimums, caps and protected teams, and what clashes with what.

    minimum_k = the largest of the minimums on team k, up to a step;   cap_k = the smallest of its caps, down

Every limit has a name, a reason and an owner, so that a plan can say what holds a team where it is. A set
that cannot be met is refused with the limits that clash and by how much; nothing gives way silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.errors import AllocationError, InvalidValueError, UnknownCodeError, first_few
from needsalloc.kernels.bounded import clash

Kind = Literal["minimum", "cap", "protected"]
Basis = Literal["posts", "per 10,000 people", "share of target", "share of current"]

_KINDS = ("minimum", "cap", "protected")
_COLUMN = {
    "posts": None,
    "per 10,000 people": "people",
    "share of target": "target",
    "share of current": "current",
}
_EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit on the posts of some teams.

    name: how a plan refers to it; kind: "minimum", "cap", or "protected" (both at once: exactly so many).
    value: posts, or so many per 10,000 people, or a share of the team's target or current posts, by `basis`.
    teams: whom it holds; None is everybody. reason, owner: why, and who answers for it.
    """

    name: str
    kind: Kind
    value: float
    basis: Basis = "posts"
    teams: tuple[str, ...] | None = None
    reason: str = ""
    owner: str = ""


@dataclass(frozen=True, eq=False)
class Bounds:
    """What each team must and may have.

    Attributes
    ----------
    table:
        Index team: `minimum` and `cap` in steps of posts (0 and infinite without a limit), `minimum_by` and
        `cap_by`, the names of the limits that they come from, or "".
    limits:
        All of them, with reasons and owners, for the log of a plan.
    step, unit:
        Of posts.
    """

    table: pd.DataFrame
    limits: tuple[Limit, ...]
    step: float
    unit: str

    def check(self, weight: pd.Series, total: float) -> None:
        """Raise AllocationError, saying what clashes and by how much, if no shares of `total` fit.

        weight: need of every team; one without need stays at its minimum.
        """
        table = self.table
        need = weight.reindex(table.index).to_numpy(np.float64)
        found = clash(need, total, table["minimum"].to_numpy(), table["cap"].to_numpy())
        if found.crossed.any():
            said = [
                f"{team} must have {row['minimum']:g} by {row['minimum_by']!r} and may have {row['cap']:g} "
                f"by {row['cap_by']!r}"
                for team, row in table[found.crossed].iterrows()
            ]
            raise AllocationError(
                f"{len(said):,} teams have a minimum above their cap: {first_few(said, 3)}."
            )
        if found.over > _EXACT * max(total, 1.0):
            raise AllocationError(
                f"Minimums need {total + found.over:,.6g} {self.unit}, {found.over:,.6g} more than the total "
                f"of {total:,.6g}: {self._by('minimum', table['minimum'])}. Lower one or raise the total."
            )
        if found.under > _EXACT * max(total, 1.0):
            held = table["cap"].where(need > 0, table["minimum"])
            raise AllocationError(
                f"Caps leave room for {total - found.under:,.6g} {self.unit}, {found.under:,.6g} fewer than "
                f"the total of {total:,.6g}: {self._by('cap', held)}. Raise a cap or lower the total."
            )

    def _by(self, kind: str, posts: pd.Series) -> str:
        """How many teams each limit holds, and at how many posts in all."""
        held = posts.groupby(self.table[f"{kind}_by"]).agg(["size", "sum"])
        held = held[(held.index != "") & (held["sum"] > 0)].sort_values("sum", ascending=False)
        return "; ".join(
            f"{name!r} holds {row['size']:,.0f} teams at {row['sum']:,.6g}" for name, row in held.iterrows()
        )


def bounds(limits: Sequence[Limit], table: pd.DataFrame, *, step: float, unit: str = "FTE") -> Bounds:
    """Bounds of each team from named limits: the tightest, and of limits alike in steps the first named.

    table: index team; `target`, `current` or `people` for limits by share of target, of current posts, or per
        10,000 people.
    step: minimums go up to it and caps down; a protected team keeps its posts only if they are steps.

    Raises InvalidValueError for a limit that is no number or negative, or for teams without the figure that
    it is a share of; UnknownCodeError for teams or words that do not exist; AllocationError for a protected
    number that is no multiple of the step, or two limits of one name.
    """
    if len({limit.name for limit in limits}) < len(limits):
        raise AllocationError(
            "Two limits have the same name. Name each once, so that a plan can refer to it."
        )
    minimum, cap = np.zeros(len(table)), np.full(len(table), np.inf)
    minimum_by, cap_by = np.full((2, len(table)), "", dtype=object)
    for limit in limits:
        held, posts = _posts(limit, table)
        up, down = np.ceil(posts / step - _EXACT) * step, np.floor(posts / step + _EXACT) * step
        if limit.kind == "protected" and (off := table.index[held[up - down > _EXACT]]).size:
            raise AllocationError(
                f"{limit.name!r} protects posts of {len(off):,} teams that are no multiple of the step "
                f"{step:g}: {first_few(off)}. Round them or choose a smaller step."
            )
        if limit.kind != "cap":
            tighter = up > minimum[held]
            minimum[held[tighter]], minimum_by[held[tighter]] = up[tighter], limit.name
        if limit.kind != "minimum":
            tighter = down < cap[held]
            cap[held[tighter]], cap_by[held[tighter]] = down[tighter], limit.name
    found = {"minimum": minimum.round(10), "cap": cap.round(10), "minimum_by": minimum_by, "cap_by": cap_by}
    return Bounds(pd.DataFrame(found, table.index), tuple(limits), step, unit)


def _posts(limit: Limit, table: pd.DataFrame) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Where the teams stand that a limit holds, and the posts that it comes to there."""
    if limit.kind not in _KINDS or limit.basis not in _COLUMN:
        raise UnknownCodeError(
            f"{limit.name!r} is a {limit.kind!r} by {limit.basis!r}: choose {', '.join(_KINDS)}; "
            f"{', '.join(_COLUMN)}."
        )
    if not (np.isfinite(limit.value) and limit.value >= 0):
        raise InvalidValueError(f"{limit.name!r} is {limit.value:g}; give a number that is not negative.")
    held = np.arange(len(table)) if limit.teams is None else table.index.get_indexer(pd.Index(limit.teams))
    if (held < 0).any():
        stray = [team for team in limit.teams or () if team not in table.index]
        raise UnknownCodeError(
            f"{limit.name!r} names {len(stray):,} teams that are not in the plan: {first_few(stray)}."
        )
    column = _COLUMN[limit.basis]
    if column is None:
        return held, np.full(len(held), float(limit.value))
    of = table[column].to_numpy(np.float64)[held] if column in table else np.full(len(held), np.nan)
    lacking = table.index[held[~np.isfinite(of)]]
    if len(lacking):
        raise InvalidValueError(
            f"{limit.name!r} is a {limit.basis}, and {len(lacking):,} teams have no {column}: "
            f"{first_few(lacking)}. Give every team that the limit holds its figure, as the column {column}."
        )
    return held, of * limit.value / (10_000 if column == "people" else 1)


def posts_for_cover(on_duty: float, *, hours_a_week: float, hours_of_a_post: float, away: float) -> float:
    """Posts that keep so many staff on duty: what a minimum team comes to.

    posts = on_duty * hours_a_week / (hours_of_a_post * (1 - away))

    hours_a_week: of the service (12 hours on 7 days are 84). hours_of_a_post: contracted, such as 37.5. away:
    the share of them for leave, sickness and training. All are the service's own: none is built in.

    Raises InvalidValueError for hours that are not above 0, or a share that is not from 0 to below 1.

    >>> round(posts_for_cover(2, hours_a_week=84, hours_of_a_post=37.5, away=0.2), 2)
    5.6
    """
    if not (on_duty > 0 and hours_a_week > 0 and hours_of_a_post > 0 and 0 <= away < 1):
        raise InvalidValueError(
            f"{on_duty:g} on duty for {hours_a_week:g} hours in posts of {hours_of_a_post:g}, {away:g} away: "
            "staff and hours must be above 0, the share away from 0 to below 1."
        )
    return on_duty * hours_a_week / (hours_of_a_post * (1.0 - away))


__all__ = ["Bounds", "Limit", "bounds", "posts_for_cover"]
