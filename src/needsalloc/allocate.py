"""Share a total of posts, or of money, between teams in proportion to need.

    target share_k = weighted population_k * u_k / sum,   u_k a price (money), minutes (posts), or 1
    target_k = share_k * (total - reserves) + ring-fenced_k
    bounded target_k = the same inside the limits of the team, with the total kept (water-filling)
    posts_k = bounded targets in whole steps, by an apportionment rule inside the same limits
    distance from target_k = current_k / target_k - 1   (negative: the team has less than its target)

It shares a total. It does not say how many posts are needed: if all teams are short, all targets are short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import choices, in_place, sharing
from needsalloc.assumptions import Assumption
from needsalloc.choices import Adjustment, Price, Reserve, SetAside, Time
from needsalloc.display import sentence_and_table
from needsalloc.errors import AllocationError, InvalidValueError, UnknownCodeError, first_few
from needsalloc.in_place import Current
from needsalloc.kernels.apportion import off_quota
from needsalloc.limits import Bounds, Limit, bounds
from needsalloc.sharing import Rule, Shared, Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Ints = NDArray[np.int64]

_EXACT = 1e-9
_MOST_STEPS = 10**9
# Enough for thirds of a post, too few for the noise of 3 * 0.1.
_DECIMALS = 10


@dataclass(frozen=True, eq=False)
class Allocation:
    """A plan of posts by team.

    Attributes
    ----------
    table:
        Index team: every column of the need table, then `price` or `minutes` where one was given;
        `target_share` of what is shared, `target` before limits and `bounded_target` inside them,
        `ring_fenced` (part of target and posts), `held_by` (the limit that holds a team off its target, or
        ""), `posts`, `difference` (posts - bounded target), `adjusted` (posts less those without
        adjustments); `current`, `distance_from_target` (current / target - 1), `change` (posts - current),
        `vacancies` and `filled_posts_lost` (what is lost beyond vacancies), these five NaN where nobody said
        what is in place.
    total, unit, step, rule, minimum:
        What was shared, and how.
    steps:
        (teams,) whole numbers of steps, in the table's order; they sum to (total - top slice) / step exactly.
    tied:
        Teams between which a tie was decided, by the larger need and then the lower code.
    below_quota, above_quota:
        Teams whose posts are more than a step from target: by a limit (`held_by`), an adjustment, or the
        rule, for all but Hamilton's can leave the quota.
    top_slice:
        What no team has.
    adjustments:
        A row for each: `team`, `posts`, `reason`, `owner`, and the team's posts `before` and `after` all of
        them. What they move elsewhere is the column `adjusted` of `table`.
    basis, on:
        What the current figures are, and of which day; None where nobody said.
    choices:
        Limits, reserves, adjustments and factors, for the log of the plan.
    """

    table: pd.DataFrame
    total: float
    unit: str
    step: float
    rule: Rule
    minimum: float
    steps: Ints
    tied: tuple[str, ...]
    below_quota: tuple[str, ...]
    above_quota: tuple[str, ...]
    top_slice: float
    adjustments: pd.DataFrame
    basis: str | None
    on: str | None
    choices: tuple[Assumption, ...]
    task: Task

    @property
    def has_current(self) -> bool:
        """Whether anyone said what is in place now."""
        return bool(self.table["current"].notna().any())

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw each team's posts now (or its target, where nobody said) and in the plan. Returns the axes.

        Of many teams, the forty that change most. Needs matplotlib (pip install "needsalloc[maps]").
        """
        from needsalloc.allocation_pictures import draw_posts

        return draw_posts(self.table, self.unit, ax)

    def __repr__(self) -> str:
        given = self.table.loc[self.steps > 0]
        sentence = (
            f"<Allocation of {self.total:,.10g} {self.unit} to {len(given):,} teams "
            f"in steps of {self.step:g} by {self.rule}"
        )
        if self.top_slice:
            sentence += f", {self.top_slice:,.10g} of them held back"
        if held := int((self.table["held_by"] != "").sum()):
            sentence += f"; limits hold {held:,}"
        if self.has_current:
            short = int((self.table["distance_from_target"] < 0).sum())
            sentence += f"; {short:,} are below target now"
            sentence += f" ({self.basis})" if self.basis else ""
        return sentence + ">"

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def allocate(
    total: float,
    need: pd.DataFrame,
    *,
    current: Current | None = None,
    step: float = 1.0,
    minimum: float = 0.0,
    limits: Sequence[Limit] = (),
    reserves: Sequence[Reserve] = (),
    adjustments: Sequence[Adjustment] = (),
    price: Price | None = None,
    time: Time | None = None,
    rule: Rule = "webster",
    unit: str = "FTE",
    without_posts: tuple[str, ...] | None = None,
) -> Allocation:
    """Share `total` posts between the teams of `need` in proportion to `weighted_population`.

    need: index team, column `weighted_population` (such as `NeedIndex.teams`, or its rows for one ICB or
        place: only relative need counts, so that the base of its index moves nothing). Teams with `is_team`
        False (practices without a PCN) stay as rows without posts, unless `without_posts` names other teams,
        or none: (). Such a group is given posts only if it has need. Limits per 10,000 people take the
        column `people`.
    current: what is in place now by team, in the same unit; a frame of `read_current` or `carry_current`,
        with its basis and day, or figures by team.
    step: the smallest part of a post to be given (1, 0.5, 0.1 …); the total must be a multiple of it.
    minimum: least posts of each team that is given any; rounded up to a step. limits: others, by name.
    reserves: top-slices and ring-fenced posts, taken off before the rest is shared; limits count them in.
    adjustments: local decisions after the rule; the teams named are held there and the others share the rest.
    price, time: by team; a price for money (unit "£", "£000", "GBP"), minutes for posts.
    rule: "webster" (Sainte-Laguë): each step goes where weighted population over steps so far plus a half is
        largest; "hamilton" (largest remainders), "huntington-hill", "adams" (these two give every team with
        need a step) or "jefferson". Ties go to the larger need, then to the lower code, and are listed.

    Targets are before rounding and before limits. distance_from_target is current / target - 1: below target
    is negative.

    Raises AllocationError for a total, step or limits that cannot be met, saying which clash and by how
    much, and for a price or time that the unit is not for; UnknownCodeError for teams without need,
    InvalidValueError for values that cannot be.

    >>> need = pd.DataFrame({"weighted_population": [53.0, 24.0, 23.0]}, index=["a", "b", "c"])
    >>> allocate(7, need).table["posts"].to_list()
    [3.0, 2.0, 2.0]
    >>> allocate(7, need, rule="hamilton").table["posts"].to_list()
    [4.0, 2.0, 1.0]
    """
    _check_need(need)
    given = _given_posts(need, without_posts)
    weighted = need["weighted_population"].to_numpy(np.float64) * given
    if "is_team" in need:
        given = given & (need["is_team"].to_numpy(bool) | (weighted > 0))
    steps_total = whole_steps(total, step)
    if rule not in get_args(Rule):
        raise AllocationError(f"Unknown rule {rule!r}: choose {', '.join(get_args(Rule))}.")
    _check_minimum(minimum, int(given.sum()), total, step, unit)
    if weighted.sum() <= 0:
        raise AllocationError("No team that is given posts has any need, so there is nothing to share by.")
    teams, weighted = need.index[given], weighted[given]
    factor = choices.per_head(price, time, teams, unit)
    aside = choices.set_aside(tuple(reserves), teams, step)
    now = in_place.in_place(current, need.index)

    table = need.copy()
    if factor.name:
        table[str(factor.name)] = factor
    share = weighted * factor.to_numpy()
    table["target_share"] = _for_all(share / share.sum(), given)
    left = steps_total - aside.top_slice - int(aside.ring_fenced.sum())
    target = table["target_share"].to_numpy()[given] * left + aside.ring_fenced
    table["target"] = _for_all(target * step, given)
    table["current"] = now.current
    asked = (*_own_limits(minimum, aside, teams, step), *limits)
    allowed = bounds(asked, table[given], step=step, unit=unit)
    terms = given, factor.to_numpy(), steps_total, aside
    task = sharing.task_of(*terms, allowed, weighted, rule)
    found = by_rule = sharing.share(task, weighted)
    if adjustments:
        local = choices.adjusted(tuple(adjustments), teams, step)
        allowed = sharing.with_adjustments(allowed, local, by_rule.steps)
        task = sharing.task_of(*terms, allowed, weighted, rule)
        found = sharing.share(task, weighted)

    steps = _for_all(found.steps, given)
    table["bounded_target"] = _for_all(found.bounded * step, given)
    table["ring_fenced"] = _for_all(aside.ring_fenced * step, given).round(_DECIMALS)
    table["held_by"] = _for_all(_held_by(found, allowed, step), given)
    table["posts"] = np.round(steps * step, _DECIMALS)
    table["difference"] = table["posts"] - table["bounded_target"]
    table["adjusted"] = _for_all((found.steps - by_rule.steps) * step, given).round(_DECIMALS)
    table["current"] = table.pop("current")
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = table["current"] / table["target"] - 1.0
    table["distance_from_target"] = distance.where(table["target"] > 0)
    table["change"] = table["posts"] - table["current"]
    table["vacancies"] = now.vacancies
    table["filled_posts_lost"] = in_place.filled_posts_lost(table["change"], now.vacancies)
    below, above = off_quota(found.steps, target)
    return Allocation(
        table,
        float(total),
        unit,
        float(step),
        rule,
        float(minimum),
        steps,
        tuple(teams[found.tied]),
        tuple(teams[below]),
        tuple(teams[above]),
        round(aside.top_slice * step, _DECIMALS),
        _effects(adjustments, table),
        now.basis,
        now.on,
        _logged(limits, reserves, adjustments, price, time),
        task,
    )


def _for_all(values: NDArray[Any], given: NDArray[np.bool_]) -> NDArray[Any]:
    """Values (teams given posts,) among all teams: 0, or "", for the others."""
    found = np.full(len(given), "" if values.dtype == object else 0, dtype=values.dtype)
    found[given] = values
    return found


def _check_minimum(minimum: float, teams: int, total: float, step: float, unit: str) -> None:
    if not (np.isfinite(minimum) and minimum >= 0):
        raise AllocationError(f"The minimum is {minimum:g}; it must be a number and cannot be negative.")
    needed = np.ceil(round(minimum / step, 9)) * step * teams
    if needed > total + _EXACT * max(total, 1.0):
        raise AllocationError(
            f"A minimum of {minimum:g} for each of {teams:,} teams needs {needed:,g} {unit}; the total is "
            f"{total:,g}. Lower the minimum or raise the total."
        )


def _own_limits(minimum: float, aside: SetAside, teams: pd.Index, step: float) -> list[Limit]:
    """The minimum of all teams, and ring-fenced posts, which nobody has fewer than."""
    found = [Limit("minimum", "minimum", minimum)] if minimum else []
    ring = zip(teams, aside.ring_fenced, aside.names, strict=True)
    return found + [
        Limit(f"ring-fenced in {team}: {name}", "minimum", float(steps * step), teams=(team,))
        for team, steps, name in ring
        if steps
    ]


def _held_by(found: Shared, allowed: Bounds, step: float) -> NDArray[np.object_]:
    """(teams,) the limit that holds a target, or ""."""
    table = allowed.table
    low, high = (table[name].to_numpy() / step for name in ("minimum", "cap"))
    up = (found.bounded > found.target) & (found.bounded <= low + _EXACT)
    down = (found.bounded < found.target) & (found.bounded >= high - _EXACT)
    return np.where(up, table["minimum_by"], np.where(down, table["cap_by"], "")).astype(object)


def _effects(adjustments: Sequence[Adjustment], table: pd.DataFrame) -> pd.DataFrame:
    """Adjustments with the posts of their teams before and after all of them."""
    rows = pd.DataFrame(
        [(each.team, each.posts, each.reason, each.owner) for each in adjustments],
        columns=["team", "posts", "reason", "owner"],
    )
    after = table["posts"].reindex(rows["team"]).to_numpy()
    moved = table["adjusted"].reindex(rows["team"]).to_numpy()
    return rows.assign(before=np.round(after - moved, _DECIMALS), after=after)


def _logged(
    limits: Sequence[Limit],
    reserves: Sequence[Reserve],
    adjustments: Sequence[Adjustment],
    price: Price | None,
    time: Time | None,
) -> tuple[Assumption, ...]:
    found = [
        Assumption(
            f"{each.name}: {each.kind} of {each.value:g} {each.basis}", each.reason, "choice", each.owner
        )
        for each in limits
    ]
    for reserve in reserves:
        ring = isinstance(reserve.posts, Mapping)
        amount = sum(reserve.posts.values()) if isinstance(reserve.posts, Mapping) else reserve.posts
        what = f"{reserve.name}: {amount:g} {'ring-fenced' if ring else 'held back'} before sharing"
        found.append(Assumption(what, reserve.reason, "choice", reserve.owner))
    found += [
        Assumption(f"{each.team}: {each.posts:+g} by local adjustment", each.reason, "choice", each.owner)
        for each in adjustments
    ]
    if price is not None:
        found.append(
            Assumption("Need counts by the price of each place", "Money only", "choice", price.source)
        )
    if time is not None:
        what = "Need counts by minutes of a contact and of travel to it"
        found.append(Assumption(what, "Contacts are not workload", "choice", time.source))
    return tuple(found)


def _check_need(need: pd.DataFrame) -> None:
    if "weighted_population" not in need:
        raise InvalidValueError("The need table has no column weighted_population. Pass NeedIndex.teams.")
    if need.index.has_duplicates:
        twice = need.index[need.index.duplicated()].unique()
        raise InvalidValueError(
            f"{len(twice):,} teams stand twice in the need table: {first_few(twice)}. Give each team one row."
        )
    weight = need["weighted_population"]
    bad = need.index[~(np.isfinite(weight) & (weight >= 0))]
    if len(bad):
        raise InvalidValueError(
            f"{len(bad):,} teams have no need, or a negative one: {first_few(bad)}. "
            "Take them out or mend them."
        )


def _given_posts(need: pd.DataFrame, without_posts: tuple[str, ...] | None) -> np.ndarray:
    if without_posts is None:
        return need["is_team"].to_numpy(bool) if "is_team" in need else np.ones(len(need), dtype=bool)
    unknown = [team for team in without_posts if team not in need.index]
    if unknown:
        raise UnknownCodeError(
            f"{len(unknown)} teams named to get no posts are not in the need table: {first_few(unknown)}."
        )
    return ~need.index.isin(without_posts)


def whole_steps(total: float, step: float) -> int:
    """How many steps make up a total; AllocationError if it is no multiple of them."""
    if not (np.isfinite(total) and total >= 0 and np.isfinite(step) and step > 0):
        raise AllocationError(
            f"The total is {total:g} and the step {step:g}; both must be numbers, the step above 0."
        )
    if total / step > _MOST_STEPS:
        raise AllocationError(
            f"{total:g} in steps of {step:g} is more than {_MOST_STEPS:,} steps. Check both."
        )
    steps = round(total / step)
    if abs(steps * step - total) > _EXACT * max(total, 1.0):
        raise AllocationError(
            f"The total {total:,g} is not a multiple of the step {step:g}; the nearest that is: "
            f"{steps * step:,g}. Change one of them."
        )
    return steps


__all__ = ["Allocation", "allocate", "whole_steps"]
