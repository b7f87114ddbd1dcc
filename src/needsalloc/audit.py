"""Who gains and who loses, by deprivation: the first questions of an equity audit.

Areas are cut into fifths by their national rank of deprivation, 1 the most deprived. Each team's posts are
spread over the areas of its patients in proportion to their expected use: an assumption, since nobody
records where posts work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from needsalloc.allocate import Allocation
from needsalloc.catchment import Catchment
from needsalloc.display import sentence_and_table
from needsalloc.errors import InvalidValueError
from needsalloc.index import NeedIndex
from needsalloc.kernels import flow, rank
from needsalloc.quality import deprivation_fifth

FIFTHS = 5


@dataclass(frozen=True, eq=False)
class EquityAudit:
    """Posts and need by fifth of deprivation, and what would have to move.

    Attributes
    ----------
    table:
        A row for each fifth, `deprivation_fifth` 1 (most deprived) to 5: adults, shares of people, need,
        current, target and posts, the need index crude and with equal ages, posts per 10,000 adults. What is
        in place now is NaN unless every team said it; `change` is that of the teams that did.
    hoover:
        Half the sum of the differences between shares of posts now and of targets: where their totals are
        equal, the share of posts that would have to move. NaN if nobody said what is in place now.
    most_deprived_change:
        Posts that the most deprived fifth gains by the plan (negative: loses); NaN likewise.
    """

    table: pd.DataFrame
    hoover: float
    most_deprived_change: float

    def __repr__(self) -> str:
        ends = self.table.iloc[[0, -1]]
        crude, level = (ends[c].to_numpy() for c in ("need_index_crude", "need_index_age_standardised"))
        known = np.isfinite(self.hoover)
        moved = f"; shares of posts now are {self.hoover:.1%} from the targets" if known else ""
        return (
            f"<EquityAudit: need of the most over the least deprived fifth {crude[0] / crude[1]:.2f} "
            f"as it is, {level[0] / level[1]:.2f} with equal ages{moved}>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def audit_equity(plan: Allocation, need: NeedIndex) -> EquityAudit:
    """Need, current and planned posts by fifth of deprivation, over the people of the plan's teams.

    plan: from `allocate`, its teams among those of `need`. A fifth is two national deciles of an area's
    deprivation (`deprivation_decile`). People are adults, counted as the need index counts them. Patients of
    practices without a PCN are of the plan and count as having no posts; where teams are made of whole
    areas, who lives in no team's areas is beyond the plan and is not counted.

    Raises InvalidValueError if the deprivation file had no deciles, or lacks that of an area.
    """
    if "deprivation_decile" not in need.areas:
        raise InvalidValueError(
            "The deprivation file has no deciles, so areas cannot be put in fifths. Use the national file."
        )
    fifth = deprivation_fifth(need.areas["deprivation_decile"]).to_numpy() - 1

    def by_fifth(by_area: NDArray[np.float64]) -> NDArray[np.float64]:
        return rank.group_sums(fifth, FIFTHS, by_area)

    on_flows, counted = need.use.of(need.people), audited(plan, need)
    adults, contacts, at_equal_ages = (
        _by_area_and_team(flows, need.catchment, counted.index)
        for flows in (on_flows.adults, on_flows.crude, on_flows.at_equal_ages)
    )
    people, use, level = (by_fifth(part.sum(axis=1)) for part in (adults, contacts, at_equal_ages))
    table = pd.DataFrame({"deprivation_fifth": np.arange(1, FIFTHS + 1), "people": people})
    table["share_of_people"] = people / people.sum()
    table["share_of_need"] = use / use.sum()
    spread = flow.column_shares(sparse.csr_array(contacts))
    given = plan.table["target"] > 0
    for column in ("current", "target", "posts"):
        # Posts now are by fifth only when every team said what it has: a gap is not nobody.
        whole = plan.table.loc[given, column].notna().all()
        amount = counted[column].fillna(0.0).to_numpy(np.float64)
        table[column] = by_fifth(spread @ amount) if whole else np.nan
        table[f"share_of_{column}"] = table[column] / table[column].sum()
    change = counted["change"].fillna(0.0).to_numpy(np.float64)
    table["change"] = by_fifth(spread @ change) if plan.has_current else np.nan
    adults_here = table["people"].where(people > 0)
    table["need_index_crude"] = use / adults_here / need.base.mean_use
    table["need_index_age_standardised"] = level / adults_here / need.base.mean_use
    table["posts_per_10000_adults"] = table["posts"] / adults_here * 10_000
    table["current_per_10000_adults"] = table["current"] / adults_here * 10_000
    return EquityAudit(table, _hoover(plan), float(table["change"].iloc[0]))


def audited(plan: Allocation, need: NeedIndex) -> pd.DataFrame:
    """The rows of the plan whose people the audit is over."""
    return plan.table[plan.table["is_team"]] if need.catchment.of_whole_areas else plan.table


def _by_area_and_team(flows: sparse.csc_array, catchment: Catchment, teams: pd.Index) -> sparse.csc_array:
    """What is on flows from areas to practices, by team, in the order of the plan's teams."""
    by_team = catchment.by_team(flows).tocsc()
    return sparse.csc_array(by_team[:, catchment.teams.index.get_indexer(teams)])


def _hoover(plan: Allocation) -> float:
    """Over the teams that are given posts and said what they have."""
    teams = plan.table[plan.table["current"].notna() & (plan.table["target"] > 0)]
    if teams.empty or not teams["current"].sum():
        return float("nan")
    return rank.hoover(teams["current"].to_numpy(), teams["target"].to_numpy())


__all__ = ["EquityAudit", "audit_equity", "audited"]
