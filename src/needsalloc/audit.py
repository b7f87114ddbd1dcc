"""Who gains and who loses, by deprivation: the first questions of an equity audit.

Areas are ranked nationally by deprivation and cut into fifths, 1 the most deprived. Each team's posts are spread over
the areas of its patients in proportion to their expected use: an assumption, since nobody records where posts work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from needsalloc.allocate import Allocation
from needsalloc.errors import InvalidValueError
from needsalloc.kernels import rank
from needsalloc.need import NeedIndex

FIFTHS = 5


@dataclass(frozen=True, eq=False)
class EquityAudit:
    """Posts and need by fifth of deprivation, and what would have to move.

    Attributes
    ----------
    table: one row per fifth, `deprivation_fifth` 1 (most deprived) to 5.
    hoover: share of the posts now that would have to move for every team to be at target; NaN without
        current figures.
    most_deprived_change: posts that the most deprived fifth gains (negative: loses) by the plan; NaN without
        current figures.
    """

    table: pd.DataFrame
    hoover: float
    most_deprived_change: float

    def __repr__(self) -> str:
        crude = self.table["need_index_crude"]
        level = self.table["need_index_age_standardised"]
        sentence = (
            f"<EquityAudit: need of the most over the least deprived fifth {crude.iloc[0] / crude.iloc[-1]:.2f} as it is, "
            f"{level.iloc[0] / level.iloc[-1]:.2f} at equal ages"
        )
        if np.isfinite(self.hoover):
            sentence += f"; {self.hoover:.1%} of posts would have to move"
        return sentence + ">"

    def _repr_html_(self) -> str:
        return f"<p>{self.__repr__()[1:-1]}</p>" + self.table.to_html(index=False)


def audit_equity(plan: Allocation, need: NeedIndex) -> EquityAudit:
    """Need, current and planned posts by fifth of deprivation, for the teams of the plan.

    plan: from `allocate`, its teams among those of `need`. A fifth is two national deciles of the areas'
    deprivation. People are adults as the need index counts them. Areas without a decile are refused.

    Raises InvalidValueError if the deprivation file had no deciles.
    """
    if "deprivation_decile" not in need.areas:
        raise InvalidValueError(
            "The deprivation file has no deciles, so areas cannot be put in fifths. Use the national file."
        )
    fifth = ((need.areas["deprivation_decile"].to_numpy() - 1) // 2).astype(np.int64)
    adults, contacts, level = _flows_of(plan, need)
    by_fifth = {
        "people": _by_fifth(adults.sum(axis=1), fifth),
        "need": _by_fifth(contacts.sum(axis=1), fifth),
        "level": _by_fifth(level.sum(axis=1), fifth),
    }
    spread = contacts @ sparse.diags_array(_one_over(np.asarray(contacts.sum(axis=0)).ravel()))
    table = pd.DataFrame({"deprivation_fifth": np.arange(1, FIFTHS + 1), "people": by_fifth["people"]})
    table["share_of_people"] = table["people"] / table["people"].sum()
    table["share_of_need"] = by_fifth["need"] / by_fifth["need"].sum()
    for column in ("current", "target", "posts"):
        amount = plan.table[column].to_numpy(np.float64)
        table[column] = (
            _by_fifth(spread @ np.nan_to_num(amount), fifth) if np.isfinite(amount).any() else np.nan
        )
        table[f"share_of_{column}"] = table[column] / table[column].sum()
    table["change"] = table["posts"] - table["current"]
    base_use = need.areas["expected_use"].iloc[0] / need.areas[need.column].iloc[0]
    inhabited = _one_over(by_fifth["people"])
    table["need_index_crude"] = by_fifth["need"] * inhabited / base_use
    table["need_index_age_standardised"] = by_fifth["level"] * inhabited / base_use
    table["posts_per_10000_adults"] = table["posts"] * 10_000 * inhabited
    table["current_per_10000_adults"] = table["current"] * 10_000 * inhabited
    teams = plan.table[plan.table["current"].notna() & (plan.table["target"] > 0)]
    moved = (
        rank.hoover(teams["current"].to_numpy(), teams["target"].to_numpy())
        if plan.has_current
        else float("nan")
    )
    return EquityAudit(table, moved, float(table["change"].iloc[0]))


def _flows_of(
    plan: Allocation, need: NeedIndex
) -> tuple[sparse.csc_array, sparse.csc_array, sparse.csc_array]:
    """Adults, their contacts, and their contacts at equal ages, by area and team of the plan."""
    who = need.use.people
    catchment = who.catchment
    per_patient = who.adult_share * (1.0 if need.people == "registered" else who.residents_per_patient)
    flows = catchment.registered.tocsc()
    adults = sparse.csc_array(
        (flows.data * per_patient[flows.indices], flows.indices, flows.indptr), shape=flows.shape
    )
    teams = catchment.teams.index.get_indexer(plan.table.index)
    to_team = sparse.csr_array(
        (
            np.ones(len(catchment.practices)),
            (np.arange(len(catchment.practices)), catchment.team_of_practice),
        ),
        shape=(len(catchment.practices), len(catchment.teams)),
    ).tocsc()[:, teams]
    return tuple(
        sparse.csc_array(f @ to_team)
        for f in (adults, adults * need.use.crude, adults * need.use.standardised)
    )  # type: ignore[return-value]


def _by_fifth(value: np.ndarray, fifth: np.ndarray) -> np.ndarray:
    return rank.group_sums(fifth, FIFTHS, np.asarray(value).ravel())


def _one_over(value: np.ndarray) -> np.ndarray:
    return np.divide(1.0, value, out=np.zeros_like(value), where=value > 0)


__all__ = ["EquityAudit", "audit_equity"]
