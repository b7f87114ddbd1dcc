"""How sure a plan is: draws of need go through targets, limits and posts, all at once.

    target_dk, posts_dk = the plan's rule, limits, reserves and factors, on the need of draw d = 1 … draws
    chance below target_k = share of draws with current_k < target_dk
    moved_d = half the sum over k of |posts_k - posts_dk|

moved_d is how many posts of the plan would be elsewhere if the need of draw d were the true one; its mean
says how robust the plan is as a whole. Intervals are the middle 95 % of draws. Draws are of a fit; a formula
from print has none, and what can be shown of it is a range over plans (`compare_plans`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import sharing
from needsalloc.allocate import Allocation
from needsalloc.display import sentence_and_table
from needsalloc.errors import InvalidValueError, UnknownCodeError, first_few
from needsalloc.in_place import NO_BASIS
from needsalloc.kernels.threads import one_blas_thread

Floats = NDArray[np.float64]

LOW, HIGH = 0.025, 0.975
NOT_COVERED = (
    "Draws cover what the people fitted on leave open about the coefficients. They do not cover the choice "
    "of model, errors in the data, or the figure of what is in place."
)
# Columns at a time, so that a quantile sorts what a core's cache holds.
_COLUMNS = 64


@dataclass(frozen=True, eq=False)
class PlanUncertainty:
    """A plan with what draws of need leave open.

    Attributes
    ----------
    table:
        Index team, those that are given posts: `target`, `target_low`, `target_high`; `posts`, `posts_low`,
        `posts_high` (whole steps); `current`, `distance_from_target` (current / target - 1: below target is
        negative), `distance_low`, `distance_high` and `chance_below_target`, the share of draws in which the
        team has less than its target now; NaN where nobody said what is in place.
    moved:
        (draws,) posts of the plan that would be elsewhere by the plan that each draw would give.
    unit, basis:
        Of posts, and of what is in place.
    """

    table: pd.DataFrame
    moved: Floats
    unit: str
    basis: str

    @property
    def expected_moved(self) -> float:
        """The mean of `moved`: the smaller, the more robust is the plan."""
        return float(self.moved.mean())

    def sentence(self, team: str) -> str:
        """What the draws say of a team, and what they do not. Raises UnknownCodeError for other teams."""
        if team not in self.table.index:
            raise UnknownCodeError(f"{team} is not given posts in this plan: {first_few(self.table.index)}.")
        row = self.table.loc[team]
        said = (
            f"{team}: target {row['target']:,.1f} {self.unit} ({row['target_low']:,.1f} to "
            f"{row['target_high']:,.1f} in 95 % of draws)"
        )
        if pd.notna(row["current"]):
            chance = float(row.to_dict()["chance_below_target"])
            side, share = ("under", chance) if chance >= 0.5 else ("not under", 1.0 - chance)
            said += (
                f"; {row['current']:,.1f} now ({self.basis}), {side} target in {_percent(share)} of draws, "
                f"distance {row['distance_low']:+.1%} to {row['distance_high']:+.1%}"
            )
        return f"{said}. {NOT_COVERED}"

    def __repr__(self) -> str:
        low, high = np.quantile(self.moved, [LOW, HIGH])
        sure = ((self.table["chance_below_target"] - 0.5).abs() >= 0.45).sum()
        return (
            f"<PlanUncertainty of {len(self.table):,} teams over {len(self.moved):,} draws: "
            f"{self.expected_moved:,.1f} {self.unit} of the plan would be elsewhere as a rule ({low:,.1f} to "
            f"{high:,.1f}); {sure:,} teams are on one side of target in 95 % of draws or more. {NOT_COVERED}>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def plan_uncertainty(plan: Allocation, draws: pd.DataFrame) -> PlanUncertainty:
    """Intervals of each team's target, posts and distance, and how robust the plan is.

    draws: (draws, teams) weighted populations, a column for every team that is given posts; of an
        `IndexUncertainty` they are `draws * table["people"]`. Other columns are left out. Two draws at least;
        ends of intervals want some hundreds.

    Limits, ring-fenced posts and adjusted teams are held at the posts that they come to in the plan: a limit
    that is a share of target does not move with the draws.

    Raises UnknownCodeError for teams without draws; InvalidValueError for fewer than two draws, and for draws
    that are negative, no numbers, or without any need.
    """
    teams = plan.table.index[plan.task.given]
    need = _aligned(draws, teams)
    with one_blas_thread():
        found = sharing.share(plan.task, need)
    given = plan.table.loc[teams]
    posts = plan.steps[plan.task.given]
    moved = 0.5 * plan.step * np.abs(found.steps - posts).sum(axis=1)
    target_low, target_high = plan.step * _quantiles(found.target)
    # Posts are whole steps: they are not interpolated.
    posts_low, posts_high = plan.step * _quantiles(found.steps, whole=True)
    current = given["current"].to_numpy(np.float64)
    below = (found.target * plan.step > current).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = [np.where(end > 0, current / end - 1.0, np.nan) for end in (target_high, target_low)]
    table = pd.DataFrame(
        {
            "target": given["target"],
            "target_low": target_low,
            "target_high": target_high,
            "posts": given["posts"],
            "posts_low": posts_low.round(10),
            "posts_high": posts_high.round(10),
            "current": given["current"],
            "distance_from_target": given["distance_from_target"],
            "distance_low": distance[0],
            "distance_high": distance[1],
            "chance_below_target": np.where(np.isnan(current), np.nan, below),
        },
        index=teams,
    )
    return PlanUncertainty(table, moved, plan.unit, plan.basis or NO_BASIS)


def _aligned(draws: pd.DataFrame, teams: pd.Index) -> Floats:
    """(draws, teams) in the plan's order."""
    missing = teams.difference(draws.columns)
    if len(missing):
        raise UnknownCodeError(
            f"{len(missing):,} of {len(teams):,} teams have no draws: {first_few(missing)}. Draw need for "
            "the teams of the plan."
        )
    if len(draws) < 2 or draws.columns.has_duplicates:
        raise InvalidValueError(
            f"There are {len(draws):,} draws, or a team has two columns: give two draws at least, some "
            "hundreds for intervals, and each team once."
        )
    need = draws[teams].to_numpy(np.float64)
    bad = teams[~(np.isfinite(need) & (need >= 0)).all(axis=0)]
    if len(bad) or not (need.sum(axis=1) > 0).all():
        raise InvalidValueError(
            f"{len(bad):,} teams have draws that are negative or no numbers ({first_few(bad)}), or a draw "
            "has no need at all. Mend the draws."
        )
    return need


def _quantiles(values: NDArray[np.float64] | NDArray[np.int64], *, whole: bool = False) -> Floats:
    """(2, teams) the ends of the middle 95 % of draws (draws, teams)."""
    parts = [
        np.quantile(
            np.ascontiguousarray(values[:, at : at + _COLUMNS].T),
            np.array([LOW, HIGH]),
            axis=1,
            method="inverted_cdf" if whole else "linear",
        )
        for at in range(0, values.shape[1], _COLUMNS)
    ]
    return np.concatenate(parts, axis=1)


def _percent(share: float) -> str:
    """A share in whole per cent; one that is not all of them never reads 100 %."""
    return f"{min(round(100 * share), 99) if share < 1 else 100} %"


__all__ = ["NOT_COVERED", "PlanUncertainty", "plan_uncertainty"]
