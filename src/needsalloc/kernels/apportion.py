"""Whole steps of posts in proportion to need: four divisor rules and largest remainders, inside bounds.

    steps_k = min(max(R(multiplier * weight_k), minimum_k), cap_k),   multiplier such that all is given

R rounds between n and n + 1 at the rule's signpost d(n): Webster n + 1/2, Jefferson n + 1, Adams n,
Huntington-Hill sqrt(n (n + 1)). Said otherwise: each step in turn goes to the largest weight / d(steps so
far). Hamilton rounds the bounded shares down and gives what is left to the largest remainders.

Source: Balinski and Young, Fair Representation, 2nd ed., 2001, appendix A; Pukelsheim, Proportional
Representation, 2nd ed., 2017, chapters 3 to 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from needsalloc.kernels.bounded import blocks, bounded, of_block

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

RULES = ("webster", "hamilton", "huntington-hill", "adams", "jefferson")

# Claims this near to each other are equal: a last digit must not tell 10 / 2.5 from 2 / 0.5.
_ROUNDING = 1e-12
_BEFORE, _AFTER = 1.0 - 4.0 * _ROUNDING, 1.0 + 8.0 * _ROUNDING
# Steps and quotas are told apart where they differ by more than this.
_QUOTA = 1e-9
_UNMET = "The bounds and the total cannot be met together."


@dataclass(frozen=True, slots=True)
class Steps:
    """Whole steps that sum to the total.

    steps: (draws, teams) whole numbers, or (teams,) for one draw; tied: alike, True where the last step was
    decided by the larger weight or the order of the teams, and not by the rule.
    """

    steps: Ints
    tied: Flags


@dataclass(frozen=True, slots=True)
class _Signposts:
    """`step`: the steps that a quota (rows, teams) is rounded to, written over it. `next`: the quota at which
    one more than `steps` is given. `above`: by how much a quota is rounded up on average. `first`: the steps
    of any weight at all."""

    step: Callable[[Floats], Floats]
    next: Callable[[Floats], Floats]
    above: float
    first: int


def _nearest(quota: Floats) -> Floats:
    quota += 0.5
    return np.floor(quota, out=quota)


def _geometric(quota: Floats) -> Floats:
    whole = np.floor(quota)
    whole += quota * quota > whole * (whole + 1.0)
    return whole


_SIGNPOSTS = {
    "webster": _Signposts(_nearest, lambda steps: steps + 0.5, 0.0, 0),
    "jefferson": _Signposts(lambda quota: np.floor(quota, out=quota), lambda steps: steps + 1.0, -0.5, 0),
    "adams": _Signposts(lambda quota: np.ceil(quota, out=quota), lambda steps: steps.copy(), 0.5, 1),
    "huntington-hill": _Signposts(_geometric, lambda steps: np.sqrt(steps * (steps + 1.0)), 0.0, 1),
}


def apportion(
    weight: Floats,
    total: int,
    minimum: ArrayLike = 0,
    cap: ArrayLike = np.inf,
    *,
    rule: str = "webster",
    level: Floats | None = None,
) -> Steps:
    """Whole steps in proportion to `weight`, none below `minimum` or above `cap`, that sum to `total`.

    weight: (draws, teams) or (teams,), not negative, some of each draw positive; a team without weight has
    its minimum. minimum, cap: whole numbers, alone, (teams,) or (draws, teams); cap may be infinite. They
    must be such that `bounded.clash` finds nothing with `least_steps` as minimum. rule: one of RULES.
    level: what `bounded` found for the same task, (draws,) or a number; where it is known it saves time.

    Ties go to the larger weight, then to the team that stands first. Raises ValueError where no steps meet
    the bounds and the total.
    """
    rows = np.atleast_2d(weight)
    least, most = (np.asarray(bound, dtype=np.float64) for bound in (minimum, cap))
    steps, tied = np.empty(rows.shape, dtype=np.int64), np.zeros(rows.shape, dtype=np.bool_)
    for part in blocks(rows.shape):
        given = rows[part], total, of_block(least, part), of_block(most, part)
        if rule == "hamilton":
            found = _hamilton(*given)
        else:
            near = bounded(*given).level if level is None else np.atleast_1d(level)[part]
            found = _divisor(*given, _SIGNPOSTS[rule], near)
        if (found.steps.sum(axis=1) != total).any():
            raise ValueError(_UNMET)
        steps[part], tied[part] = found.steps, found.tied
    return Steps(steps.reshape(weight.shape), tied.reshape(weight.shape))


def least_steps(weight: Floats, minimum: ArrayLike, cap: ArrayLike, rule: str) -> Floats:
    """The minimum (draws, teams) that a rule comes to: by Adams and Huntington-Hill any need has a step."""
    first = _SIGNPOSTS[rule].first if rule in _SIGNPOSTS else 0
    return np.maximum(minimum, np.minimum(np.where(weight > 0, first, 0), cap))


def off_quota(steps: Ints, quota: Floats) -> tuple[Flags, Flags]:
    """Where steps are a whole step or more below and above `quota`, both (draws, teams) or (teams,)."""
    off = steps - quota
    return off <= -1.0 - _QUOTA, off >= 1.0 + _QUOTA


@dataclass(frozen=True, slots=True)
class _Task:
    """Draws to apportion: weight (rows, teams), total, bounds (rows, teams) or alike, rule, and the level
    (rows,) of the shares inside these bounds."""

    weight: Floats
    total: int
    least: Floats
    most: Floats
    signposts: _Signposts
    level: Floats

    def of(self, rows: Ints) -> _Task:
        """The same for some of the rows; itself for all of them."""
        if len(rows) == len(self.weight):
            return self
        least, most = (bound[rows] if len(bound) > 1 else bound for bound in (self.least, self.most))
        return _Task(self.weight[rows], self.total, least, most, self.signposts, self.level[rows])

    def at(self, multiplier: Floats) -> Floats:
        """The steps (rows, teams) at a multiplier (rows,)."""
        steps = self.signposts.step(self.weight * multiplier[:, None])
        np.maximum(steps, self.least, out=steps)
        return np.minimum(steps, self.most, out=steps)


def _divisor(
    weight: Floats, total: int, least: Floats, most: Floats, signposts: _Signposts, level: Floats
) -> Steps:
    if signposts.first:
        least = np.maximum(least, np.minimum(np.where(weight > 0, signposts.first, 0), most))
    task = _Task(weight, total, np.atleast_2d(least), np.atleast_2d(most), signposts, level)
    steps, critical = _before_the_last(task)
    left = (total - steps.sum(axis=1)).astype(np.int64)
    claims = task.at(critical * (1.0 + _ROUNDING)) > steps
    return _settled(steps, claims & (left > 0)[:, None], left, weight)


def _before_the_last(task: _Task) -> tuple[Floats, Floats]:
    """The steps (rows, teams) just before the last is given, or several at once, and the multiplier (rows,)
    at which that is: 0, and the minimums, where these are the total.

    1. Start a few steps short of the total, by the level of the bounded shares; further down if that is not
       short.
    2. Sort the claims to a next step: the last step goes at the claim that is as many down as are left.
    3. If somebody has two claims below it, that gives too many: it is an upper bound, and half way to it is
       a new start. If nobody has as many claims, it gives too few, and is a lower one.
    """
    found = np.empty(task.weight.shape)
    found[:] = task.least
    critical = np.zeros(len(found))
    rows = np.flatnonzero(found.sum(axis=1) < task.total)
    task = task.of(rows)
    low, high, start = np.zeros(len(rows)), np.full(len(rows), np.inf), _start(task)
    attempt = 0
    while len(rows):
        attempt += 1
        steps = task.at(start)
        missing = task.total - steps.sum(axis=1)
        short = missing > 0
        first, claim, waiting = _claims(task, steps, missing)
        if np.isinf(claim[short]).any():
            raise ValueError(_UNMET)
        claim = np.where(short, claim, start)
        before = task.at(claim * (1.0 - _ROUNDING))
        below = before.sum(axis=1)
        # As many claims as are missing are enough, whatever else happens up to there.
        above, few = np.full(len(rows), float(task.total)), np.flatnonzero(waiting < missing)
        above[few] = task.of(few).at(claim[few] * (1.0 + _ROUNDING)).sum(axis=1)
        done = short & (below <= task.total) & (task.total <= above)
        found[rows[done]], critical[rows[done]] = before[done], claim[done]
        # Nothing is given between the start and the first claim.
        low = np.maximum(low, np.where(short, np.where(above < task.total, claim, first), 0.0) * _BEFORE)
        high = np.minimum(high, np.where(short, np.where(below > task.total, claim, np.inf), start))
        weight = task.weight.sum(axis=1)
        up = low * _AFTER + np.maximum(task.total - above, 0.0) / weight
        down = np.maximum(high - 2.0**attempt * (1.0 - missing) / weight, 0.0)
        half_way = np.where(high > 4.0 * low, np.sqrt(low) * np.sqrt(high), 0.5 * (low + high))
        start = np.where(np.isinf(high), up, np.where(low == 0, down, half_way))
        on = np.flatnonzero(~done)
        rows, low, high, start, task = rows[on], low[on], high[on], start[on], task.of(on)
    return found, critical


def _start(task: _Task) -> Floats:
    """A multiplier (rows,) whose steps are likely to be some short of the total, but not many."""
    share = task.weight * task.level[:, None]
    free = (share > task.least) & (share < task.most)
    number, weight = free.sum(axis=1), np.einsum("ij,ij->i", task.weight, free)
    margin = np.minimum(1.0 + np.sqrt(number), 0.5 * number)
    less = margin + task.signposts.above * number
    return np.maximum(task.level - np.divide(less, weight, out=np.zeros_like(less), where=weight > 0), 0.0)


def _claims(task: _Task, steps: Floats, missing: Floats) -> tuple[Floats, Floats, Ints]:
    """Of the multipliers at which each team has its next step, in order: the first (rows,), and the one that
    is `missing` (rows,) down, or the last that there is; and how many there are."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        # Infinite or nan without weight, and sorted last.
        claims = task.signposts.next(steps) / task.weight
    np.copyto(claims, np.inf, where=steps >= task.most)
    waiting = (claims < np.inf).sum(axis=1)
    claims.sort(axis=1)
    place = np.clip(missing, 1, np.maximum(waiting, 1)).astype(np.int64) - 1
    return claims[:, 0], claims[np.arange(len(claims)), place], waiting


def _hamilton(weight: Floats, total: int, least: Floats, most: Floats) -> Steps:
    share = bounded(weight, total, least, most).share
    rounding = _ROUNDING * (1.0 + share)
    steps = np.floor(share + rounding)
    below_cap = steps < most
    remainder = np.where(below_cap, share - steps, -1.0)
    left = (total - steps.sum(axis=1)).astype(np.int64)
    largest_first = np.sort(remainder, axis=1)[:, ::-1]
    last = largest_first[np.arange(len(share)), np.maximum(left, 1) - 1][:, None]
    some = (left > 0)[:, None]
    steps += (remainder > last + rounding) & some
    left = (total - steps.sum(axis=1)).astype(np.int64)
    return _settled(steps, (np.abs(remainder - last) <= rounding) & below_cap & some, left, weight)


def _settled(steps: Floats, claims: Flags, left: Ints, weight: Floats) -> Steps:
    """Give what is left (rows,) to equal claims (rows, teams): larger weights first, then in order."""
    row, team = np.nonzero(claims)
    order = np.lexsort((team, -weight[row, team], row))
    row, team = row[order], team[order]
    number = np.bincount(row, minlength=len(left))
    place = np.arange(len(row)) - (np.cumsum(number) - number)[row]
    given = place < left[row]
    steps[row[given], team[given]] += 1.0
    tied = np.zeros(claims.shape, dtype=np.bool_)
    tied[row, team] = (left < number)[row]
    return Steps(steps.astype(np.int64), tied)


__all__ = ["RULES", "Steps", "apportion", "least_steps", "off_quota"]
