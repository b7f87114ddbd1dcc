"""A total shared by need inside limits, and put in whole steps: for one need or for many draws of it at once.

    weight_k = need_k * factor_k,   target_k = weight_k / sum * steps + ring-fenced_k
    bounded target_k = min(max(level * weight_k, least_k), most_k) + ring-fenced_k

All in steps. Whoever is given posts, what limits come to, and what is set aside is settled before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.choices import SetAside
from needsalloc.errors import AllocationError, first_few
from needsalloc.kernels.apportion import apportion, least_steps
from needsalloc.kernels.bounded import bounded
from needsalloc.limits import Bounds

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Rule = Literal["webster", "hamilton", "huntington-hill", "adams", "jefferson"]


@dataclass(frozen=True, slots=True)
class Task:
    """What is shared between the teams that are given posts, `given` (all teams,).

    factor: (teams,) what a unit of need takes. steps: how many are shared; ring_fenced: (teams,) those that a
    team has beside its share. least, most: (teams,) bounds of the share alone.
    """

    given: Flags
    factor: Floats
    steps: int
    ring_fenced: Ints
    least: Floats
    most: Floats
    rule: Rule


@dataclass(frozen=True, slots=True)
class Shared:
    """Targets before limits and inside them, whole steps, and ties: (draws, teams) or (teams,), in steps."""

    target: Floats
    bounded: Floats
    steps: Ints
    tied: Flags


def task_of(
    given: Flags, factor: Floats, total: int, aside: SetAside, allowed: Bounds, need: Floats, rule: Rule
) -> Task:
    """The task inside limits. need: (teams,); total: steps, reserves included.

    Raises AllocationError for limits that clash, and for a rule that gives every team a step where there are
    too few.
    """
    step, unit = allowed.step, allowed.unit
    whole = total - aside.top_slice
    weight = pd.Series(need * factor, allowed.table.index)
    if whole < 0:
        raise AllocationError(
            f"{aside.top_slice * step:,g} {unit} are held back; the total is {total * step:,g}. Lower one or "
            "raise the other."
        )
    allowed.check(weight, whole * step)
    least, most = (np.round(allowed.table[name].to_numpy(np.float64) / step) for name in ("minimum", "cap"))
    least, most = np.maximum(least - aside.ring_fenced, 0.0), most - aside.ring_fenced
    shared = whole - int(aside.ring_fenced.sum())
    first = least_steps(need * factor, least, most, rule).sum()
    if first > shared:
        raise AllocationError(
            f"By {rule} every team with need has a step before need counts: {first * step:,g} {unit}, and "
            f"{shared * step:,g} are shared. Choose webster, or a smaller step."
        )
    return Task(given, factor, shared, aside.ring_fenced, least, most, rule)


def share(task: Task, need: Floats) -> Shared:
    """Need (draws, teams) or (teams,), not negative, some of each draw positive, to targets and steps."""
    weight = need * task.factor
    at = bounded(weight, task.steps, task.least, task.most)
    given = apportion(weight, task.steps, task.least, task.most, rule=task.rule, level=at.level)
    weight *= task.steps / weight.sum(axis=-1, keepdims=True)
    weight += task.ring_fenced
    return Shared(weight, at.share + task.ring_fenced, given.steps + task.ring_fenced, given.tied)


def with_adjustments(allowed: Bounds, local: Ints, steps: Ints) -> Bounds:
    """The limits with every adjusted team held at its `steps` and `local` ones: (teams,) both.

    Raises AllocationError for a team that would have fewer than none; a limit that stands against an
    adjustment is found by `Bounds.check`.
    """
    table, moved = allowed.table.copy(), local != 0
    after = np.round((steps + local) * allowed.step, 10)
    short = table.index[moved & (after < 0)]
    if len(short):
        raise AllocationError(
            f"Adjustments take more from {len(short):,} teams than they have: {first_few(short)}. Take less."
        )
    name = "adjustment"
    for bound, by, tighter in (
        ("minimum", "minimum_by", after > table["minimum"]),
        ("cap", "cap_by", after < table["cap"]),
    ):
        table.loc[moved & tighter, bound] = after[moved & tighter]
        table.loc[moved & tighter, by] = name
    return replace(allowed, table=table)


__all__ = ["Rule", "Shared", "Task", "share", "task_of", "with_adjustments"]
