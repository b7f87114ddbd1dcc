"""Plans over the same teams in one table, with what is in place now always among them.

Formulas from print have no draws: their plans are compared, and what is said is a range over them and
whether all agree on the side of target that a team is on. A range is neither an interval nor a probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from needsalloc.allocate import Allocation
from needsalloc.display import sentence_and_table
from needsalloc.errors import AllocationError, InvalidValueError, UnknownCodeError, first_few
from needsalloc.in_place import NO_BASIS

NOW = "now"
BELOW, ABOVE, BOTH = "below target", "above target", "on both sides"


@dataclass(frozen=True, eq=False)
class PlanComparison:
    """Scenarios side by side.

    Attributes
    ----------
    table:
        Index team: `now`; `target_low` and `target_high` over the plans, `lowest_by` and `highest_by` (the
        plan that gives each, the first of equals); `posts_low` and `posts_high`; `side` of target that the
        team is on now by every plan ("below target", "above target"), else "on both sides".
    posts:
        Index team: `now`, and posts by each plan.
    targets:
        Index team: the target by each plan, before limits and rounding.
    summary:
        Index scenario, the first `now`: `total`; `gained` and `lost` posts against now (of teams that gain
        and lose), the numbers of `teams_gaining` and `teams_losing`, the `largest_gain` and `largest_loss`,
        `filled_posts_lost` where vacancies are known; `teams_below_target` now; and `from_first`, half the
        sum of differences from the first plan: the posts that are elsewhere.
    unit, basis:
        Of posts, and of what is in place now.
    """

    table: pd.DataFrame
    posts: pd.DataFrame
    targets: pd.DataFrame
    summary: pd.DataFrame
    unit: str
    basis: str

    def __repr__(self) -> str:
        sides = self.table["side"].value_counts()
        return (
            f"<PlanComparison of {len(self.targets.columns):,} plans for {len(self.table):,} teams with what "
            f"is in place now ({self.basis}): {sides.get(BELOW, 0):,} are below target by every plan, "
            f"{sides.get(ABOVE, 0):,} above by every plan; up to "
            f"{self.summary['from_first'].max():,.4g} {self.unit} are elsewhere than by the first>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.summary)


def compare_plans(plans: Mapping[str, Allocation]) -> PlanComparison:
    """Compare plans for the same teams, against the same figures of what is in place.

    plans: by name, from `allocate`: by other needs (formulas, catchments, bases), totals, limits or rules.
        Every plan has `current`, for the status quo is always a scenario. The first is the one that others
        are compared with.

    Raises InvalidValueError for no plan, plans in several units, without current figures or with different
    ones (other bases or days too); UnknownCodeError for other teams; AllocationError for a plan named "now".
    """
    _check(plans)
    first = next(iter(plans.values()))
    given = first.table.index[
        np.any([each.table["target"] > 0 for each in plans.values()], axis=0) | (first.table["current"] > 0)
    ]
    now = first.table.loc[given, "current"]
    targets = pd.DataFrame({name: each.table.loc[given, "target"] for name, each in plans.items()})
    posts = pd.DataFrame({name: each.table.loc[given, "posts"] for name, each in plans.items()})
    low, high = targets.min(axis=1), targets.max(axis=1)
    table = pd.DataFrame(
        {
            NOW: now,
            "target_low": low,
            "target_high": high,
            "lowest_by": targets.idxmin(axis=1),
            "highest_by": targets.idxmax(axis=1),
            "posts_low": posts.min(axis=1),
            "posts_high": posts.max(axis=1),
            "side": np.select([now.isna(), now < low, now > high], ["", BELOW, ABOVE], BOTH),
        }
    )
    posts.insert(0, NOW, now)
    summary = pd.DataFrame({name: _summary(posts[name], posts) for name in posts}).T
    summary["filled_posts_lost"] = [
        0.0,
        *(each.table.loc[given, "filled_posts_lost"].sum(skipna=False) for each in plans.values()),
    ]
    summary["teams_below_target"] = [np.nan, *(targets.gt(now, axis=0).sum())]
    return PlanComparison(
        table, posts, targets, summary.rename_axis("scenario"), first.unit, first.basis or NO_BASIS
    )


def _summary(posts: pd.Series, every: pd.DataFrame) -> pd.Series:
    change = posts - every[NOW]
    return pd.Series(
        {
            "total": posts.sum(),
            "gained": change.clip(lower=0).sum(),
            "lost": (-change).clip(lower=0).sum(),
            "teams_gaining": (change > 0).sum(),
            "teams_losing": (change < 0).sum(),
            "largest_gain": max(change.max(), 0.0),
            "largest_loss": max(-change.min(), 0.0),
            "from_first": 0.5 * (posts - every.iloc[:, 1]).abs().sum(),
        }
    )


def _check(plans: Mapping[str, Allocation]) -> None:
    if not plans:
        raise InvalidValueError("There is no plan to compare. Give at least one, by name.")
    if NOW in plans:
        raise AllocationError(f"A plan is called {NOW!r}, as what is in place is. Choose another name.")
    (first_name, first), *others = plans.items()
    if not first.has_current:
        raise InvalidValueError(
            f"{first_name!r} has no current posts, and what is in place now is always one of the scenarios. "
            "Give allocate the same current for every plan."
        )
    for name, each in others:
        if len(stray := each.table.index.symmetric_difference(first.table.index)):
            raise UnknownCodeError(
                f"{len(stray):,} teams are in {name!r} or in {first_name!r} only: {first_few(stray)}. "
                "Compare plans for the same teams."
            )
        if each.unit != first.unit:
            raise InvalidValueError(f"{name!r} is in {each.unit}, {first_name!r} in {first.unit}.")
        if (each.basis, each.on) != (first.basis, first.on) or not each.table["current"].reindex(
            first.table.index
        ).equals(first.table["current"]):
            raise InvalidValueError(
                f"{name!r} is compared with other current figures ({each.basis or NO_BASIS}, {each.on}) than "
                f"{first_name!r} ({first.basis or NO_BASIS}, {first.on}). Give both the same."
            )


def moved_by_data(plan: Allocation, before: Allocation) -> pd.DataFrame:
    """The teams whose posts move only because data moved since the last release.

    plan, before: the same total by the same rule inside the same limits, by the need of this release and of
        the last.

    Index team, those that move most first: `posts_before`, `posts`, `moved`, `target_before`, `target`, and
    `need_share_change`, of the team's share of need. A team that is in one release only has NaN in the other.

    Raises AllocationError for plans that differ in more than data.
    """
    for what in ("total", "unit", "step", "rule", "minimum", "choices"):
        if getattr(plan, what) != getattr(before, what):
            raise AllocationError(
                f"The plans differ in {what}, so that posts do not move by data alone. Run the last "
                "release's need through the options of this plan."
            )
    both = pd.DataFrame(
        {
            "posts_before": before.table["posts"],
            "posts": plan.table["posts"],
            "target_before": before.table["target"],
            "target": plan.table["target"],
            "need_share_change": plan.table["target_share"] / before.table["target_share"] - 1.0,
        }
    ).rename_axis("team")
    moved = both["posts"].fillna(0.0) - both["posts_before"].fillna(0.0)
    both.insert(2, "moved", moved.round(10))
    both = both[both["moved"] != 0]
    return both.iloc[np.lexsort((both.index.to_numpy(str), -both["moved"].abs().to_numpy()))]


__all__ = ["PlanComparison", "compare_plans", "moved_by_data"]
