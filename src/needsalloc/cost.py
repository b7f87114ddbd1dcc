"""What a plan costs by pay band, before and after, at the service's own unit costs.

    cost now_k = sum over bands of current_kb * unit cost_b
    cost of the plan_k = sum over bands of posts_kb * unit cost_b

No unit cost is built in: those with on-costs, by grade and place, are the service's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from needsalloc.display import sentence_and_table
from needsalloc.errors import InvalidValueError, MissingColumnError, UnknownCodeError, first_few
from needsalloc.in_place import NO_BASIS, stated
from needsalloc.skills import SkillMix

_PREFIX = "fte_"


@dataclass(frozen=True, eq=False)
class PlanCost:
    """Cost by team and by band.

    Attributes
    ----------
    table:
        Index team: `cost_now`, `cost_of_plan`, `change`.
    bands:
        Index band: `unit_cost`; `now`, `posts` and `change` in posts; `cost_now`, `cost_of_plan` and
        `cost_change`.
    source:
        Of the unit costs.
    basis:
        Of what is in place now.
    """

    table: pd.DataFrame
    bands: pd.DataFrame
    source: str
    basis: str

    def __repr__(self) -> str:
        now, plan = self.table["cost_now"].sum(), self.table["cost_of_plan"].sum()
        return (
            f"<PlanCost of {len(self.table):,} teams in {len(self.bands)} bands: {plan:,.0f}, where what "
            f"is in place ({self.basis}) costs {now:,.0f}; unit costs: {self.source}>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.bands)


def plan_cost(
    mix: SkillMix, current: pd.DataFrame, unit_costs: Mapping[str, float], *, source: str
) -> PlanCost:
    """Cost of the posts of `mix` and of what is in place now, by team and band.

    current: `team` and `fte_<band>` for the bands of the mix (`read_current`, `carry_current`); posts in a
        band that the mix does not have are refused, for they would cost nothing after.
    unit_costs: of a full-time post by band. source: where they are from.

    Raises MissingColumnError without bands; UnknownCodeError for bands or teams that do not match;
    InvalidValueError for costs that are no numbers above 0, figures that are missing or negative, two bases,
    or no source.
    """
    bands = mix.posts.columns
    here = [str(name).removeprefix(_PREFIX) for name in current if str(name).startswith(_PREFIX)]
    if "team" not in current or not here:
        raise MissingColumnError(
            f"Current figures need team and columns by band such as {_PREFIX}{bands[0]}. There are: "
            f"{first_few(current.columns, 12)}."
        )
    now = current.set_index("team")[[_PREFIX + name for name in here]].set_axis(here, axis=1)
    filled = [name for name in here if name not in bands and (now[name] > 0).any()]
    uncosted = [name for name in bands if name not in unit_costs]
    if filled or uncosted:
        raise UnknownCodeError(
            f"Bands that are filled now and not in the mix: {first_few(filled) or 'none'}; bands without a "
            f"unit cost: {first_few(uncosted) or 'none'}. Name the same bands in all three."
        )
    stray = now.index.symmetric_difference(mix.posts.index[mix.posts.sum(axis=1) > 0])
    stray = stray[~stray.isin(mix.posts.index) | ~stray.isin(now.index)]
    if len(stray) or now.index.has_duplicates:
        raise UnknownCodeError(
            f"{len(stray):,} teams are in the plan or in the current figures only, or some stand twice: "
            f"{first_few(stray)}. Give every team of the plan one row."
        )
    cost = pd.Series(unit_costs, dtype=np.float64).reindex(bands)
    if not source or not (np.isfinite(cost) & (cost > 0)).all():
        raise InvalidValueError(
            f"Unit costs must be numbers above 0 with a source: {cost.to_dict()}, source {source!r}."
        )
    now = now.reindex(index=mix.posts.index, columns=bands, fill_value=0.0).astype(np.float64)
    bad = now.index[~(now >= 0).all(axis=1)]
    if len(bad):
        raise InvalidValueError(
            f"{len(bad):,} teams have figures by band that are missing or negative: {first_few(bad)}."
        )
    basis, _ = stated(current)
    table = pd.DataFrame({"cost_now": now @ cost, "cost_of_plan": mix.posts @ cost})
    by_band = pd.DataFrame({"unit_cost": cost, "now": now.sum(), "posts": mix.posts.sum()})
    by_band["change"] = by_band["posts"] - by_band["now"]
    by_band["cost_now"], by_band["cost_of_plan"] = by_band["now"] * cost, by_band["posts"] * cost
    return PlanCost(
        table.assign(change=table["cost_of_plan"] - table["cost_now"]),
        by_band.assign(cost_change=by_band["cost_of_plan"] - by_band["cost_now"]).rename_axis("band"),
        source,
        basis or NO_BASIS,
    )


__all__ = ["PlanCost", "plan_cost"]
