"""Share a total of posts between teams in proportion to need.

    target share_k = weighted population_k / sum,   target_k = share_k * total
    distance from target_k = current_k / target_k - 1   (negative: the team has less than its target)

It shares a total. It does not say how many posts are needed: if all teams are short, all targets are short.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from needsalloc.display import sentence_and_table
from needsalloc.errors import AllocationError, InvalidValueError, UnknownCodeError, first_few
from needsalloc.kernels.apportion import apportion

Rule = Literal["webster"]
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
        Index team: every column of the need table, then `target_share`, `target`, `posts`, `current`,
        `distance_from_target` (current / target - 1) and `change` (posts - current), the last three NaN where
        nobody said what is in place now.
    total, unit, step, rule, minimum:
        What was shared, and how.
    steps:
        (teams,) whole numbers of steps, in the table's order; they sum to total / step exactly.
    tied:
        Teams between which a tie was decided, by the larger need and then the lower code.
    below_quota, above_quota:
        Teams whose posts are more than a step from target: by a minimum, or by Webster's rule, which can
        leave the quota.
    """

    table: pd.DataFrame
    total: float
    unit: str
    step: float
    rule: Rule
    minimum: float
    steps: np.ndarray
    tied: tuple[str, ...]
    below_quota: tuple[str, ...]
    above_quota: tuple[str, ...]

    @property
    def has_current(self) -> bool:
        """Whether anyone said what is in place now."""
        return bool(self.table["current"].notna().any())

    def __repr__(self) -> str:
        given = self.table.loc[self.steps > 0]
        sentence = (
            f"<Allocation of {self.total:,g} {self.unit} to {len(given):,} teams "
            f"in steps of {self.step:g} by {self.rule}"
        )
        if self.has_current:
            short = int((self.table["distance_from_target"] < 0).sum())
            sentence += f"; {short:,} are below target now"
        return sentence + ">"

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def allocate(
    total: float,
    need: pd.DataFrame,
    *,
    current: pd.Series | Mapping[str, float] | pd.DataFrame | None = None,
    step: float = 1.0,
    minimum: float = 0.0,
    rule: Rule = "webster",
    unit: str = "FTE",
    without_posts: tuple[str, ...] | None = None,
) -> Allocation:
    """Share `total` posts between the teams of `need` in proportion to `weighted_population`.

    need: index team, column `weighted_population` (such as `NeedIndex.teams`, or its rows for one ICB). Teams
        with `is_team` False (practices without a PCN) stay as rows without posts, unless
        `without_posts` names other teams, or none: (). Such a group is given posts only if it has need.
    current: what is in place now by team, in the same unit; a frame of `read_current` will do.
    step: the smallest part of a post to be given (1, 0.5, 0.1 …); the total must be a multiple of it.
    minimum: least posts of each team that is given any; rounded up to a step.
    rule: "webster" (Sainte-Lague): each step goes where weighted population over steps so far plus a half is
        largest. Ties go to the larger need, then to the lower code, and are listed.

    Targets are before rounding and before minimums. distance_from_target is current / target - 1: below
    target is negative.

    Raises AllocationError for a total, step or minimum that cannot be met, UnknownCodeError for current
    posts of teams without need, InvalidValueError for values that cannot be.

    >>> need = pd.DataFrame({"weighted_population": [53.0, 24.0, 23.0]}, index=["a", "b", "c"])
    >>> allocate(7, need).table["posts"].to_list()
    [3.0, 2.0, 2.0]
    """
    if rule != "webster":
        raise AllocationError(f"Unknown rule {rule!r}: choose webster.")
    _check_need(need)
    share_in = _given_posts(need, without_posts)
    weight = need["weighted_population"].to_numpy(np.float64) * share_in
    if "is_team" in need:
        share_in = share_in & (need["is_team"].to_numpy(bool) | (weight > 0))
    steps_total = _whole_steps(total, step)
    if not (np.isfinite(minimum) and minimum >= 0):
        raise AllocationError(f"The minimum is {minimum:g}; it must be a number and cannot be negative.")
    least = np.where(share_in, int(np.ceil(round(minimum / step, 9))), 0)
    if least.sum() > steps_total:
        raise AllocationError(
            f"A minimum of {minimum:g} for each of {share_in.sum():,} teams needs {least.sum() * step:,g} "
            f"{unit}; the total is {total:,g}. Lower the minimum or raise the total."
        )
    if weight.sum() <= 0:
        raise AllocationError("No team that is given posts has any need, so there is nothing to share by.")
    given = apportion(weight, steps_total, least, rule=rule)
    table = need.copy()
    table["target_share"] = weight / weight.sum()
    table["target"] = table["target_share"] * total
    table["posts"] = np.round(given.steps * step, _DECIMALS)
    table["current"] = _current(current, table.index)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = table["current"] / table["target"] - 1.0
    table["distance_from_target"] = distance.where(table["target"] > 0)
    table["change"] = table["posts"] - table["current"]
    off = given.steps - table["target"].to_numpy() / step
    return Allocation(
        table,
        float(total),
        unit,
        float(step),
        rule,
        float(minimum),
        given.steps,
        tuple(table.index[given.tied]),
        tuple(table.index[off <= -1.0 - _EXACT]),
        tuple(table.index[off >= 1.0 + _EXACT]),
    )


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


def _whole_steps(total: float, step: float) -> int:
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


def _current(current: pd.Series | Mapping[str, float] | pd.DataFrame | None, teams: pd.Index) -> pd.Series:
    if current is None:
        return pd.Series(np.nan, index=teams)
    if isinstance(current, pd.DataFrame):
        current = current.set_index("team")["current"]
    given = pd.Series(current, dtype=np.float64)
    if given.index.has_duplicates:
        twice = given.index[given.index.duplicated()].unique()
        raise InvalidValueError(
            f"{len(twice):,} teams stand twice in the current figures: {first_few(twice)}."
        )
    negative = given.index[~(given >= 0)]
    if len(negative):
        raise InvalidValueError(
            f"{len(negative):,} current figures are negative or missing: {first_few(negative)}."
        )
    stray = given.index.difference(teams)
    if len(stray):
        raise UnknownCodeError(
            f"{len(stray):,} of {len(given):,} teams with current posts are not in the plan: "
            f"{first_few(stray)}. Check their codes; their posts would be lost."
        )
    return given.reindex(teams)


__all__ = ["Allocation", "allocate"]
