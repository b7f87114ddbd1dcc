"""Posts by team and band at once: what each team has and what each band has are both kept.

    wanted_kb = posts_k * mix_kb,   table = wanted, scaled to posts_k by team and total_b by band (raking)

The table is then rounded to steps, each cell up or down, so that both margins are met exactly
(`kernels.rounding`). The mix is a judgement of the service: none is built in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.allocate import Allocation
from needsalloc.display import sentence_and_table
from needsalloc.errors import AllocationError, InvalidValueError, UnknownCodeError, first_few
from needsalloc.kernels.apportion import apportion
from needsalloc.kernels.raking import Margin, rake
from needsalloc.kernels.rounding import controlled_rounding

Floats = NDArray[np.float64]

_EXACT = 1e-9
_TOLERANCE, _ROUNDS = 1e-10, 10_000
_DECIMALS = 10


@dataclass(frozen=True, eq=False)
class SkillMix:
    """Posts by team and band.

    Attributes
    ----------
    table:
        Index (team, band): `wanted` (the team's posts by its mix), `fitted` (scaled so that bands have their
        totals), `posts` (fitted, to a step up or down) and `difference` (posts - wanted).
    posts:
        Index team, a column per band. Rows sum to the plan's posts, columns to `totals`.
    totals:
        Index band: posts of each band.
    step, unit:
        Of posts.
    """

    table: pd.DataFrame
    posts: pd.DataFrame
    totals: pd.Series
    step: float
    unit: str

    def __repr__(self) -> str:
        return (
            f"<SkillMix of {self.totals.sum():,g} {self.unit} in {len(self.totals)} bands "
            f"and {len(self.posts):,} teams, in steps of {self.step:g}>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.posts)


def skill_mix(
    plan: Allocation,
    mix: pd.Series | Mapping[str, float] | pd.DataFrame,
    *,
    totals: Mapping[str, float] | None = None,
) -> SkillMix:
    """Divide the posts of each team of `plan` between bands.

    mix: share of each band, one for all teams, or a frame with a row per team and a column per band. Shares
        of a team sum to 1; a zero stays zero.
    totals: posts of each band, which sum to the plan's; without them each band has what the mix wants, to a
        step (Webster).

    Raises AllocationError for totals that are no steps, do not sum to the plan's, or cannot be met with the
    zeros of the mix; InvalidValueError for shares that are negative or do not sum to 1, UnknownCodeError for
    teams or bands that do not match.
    """
    posts = plan.table["posts"]
    shares = _shares(mix, posts.index)
    wanted: Floats = shares.to_numpy() * plan.steps[:, None]
    steps = _band_steps(totals, shares.columns, wanted, plan)
    fitted = _fitted(wanted, plan.steps.astype(np.float64), steps.astype(np.float64), shares.columns)
    given = controlled_rounding(fitted)
    index = pd.MultiIndex.from_product([posts.index, shares.columns], names=["team", "band"])
    table = pd.DataFrame(
        {
            "wanted": (wanted * plan.step).ravel(),
            "fitted": (fitted * plan.step).ravel(),
            "posts": np.round(given * plan.step, _DECIMALS).ravel(),
        },
        index,
    )
    table["difference"] = table["posts"] - table["wanted"]
    by_team = pd.DataFrame(np.round(given * plan.step, _DECIMALS), posts.index, shares.columns)
    return SkillMix(
        table,
        by_team,
        pd.Series(np.round(steps * plan.step, _DECIMALS), shares.columns, name="posts"),
        plan.step,
        plan.unit,
    )


def _shares(mix: pd.Series | Mapping[str, float] | pd.DataFrame, teams: pd.Index) -> pd.DataFrame:
    if isinstance(mix, pd.DataFrame):
        missing = teams.difference(mix.index)
        if len(missing) or mix.index.has_duplicates:
            raise UnknownCodeError(
                f"{len(missing):,} of {len(teams):,} teams have no mix, or some have two: "
                f"{first_few(missing)}. Give each team one row."
            )
        shares = mix.reindex(teams).astype(np.float64)
    else:
        one = pd.Series(mix, dtype=np.float64)
        shares = pd.DataFrame(np.tile(one.to_numpy(), (len(teams), 1)), teams, one.index)
    shares = shares.rename_axis(columns="band")
    if shares.columns.has_duplicates or not len(shares.columns):
        raise InvalidValueError("The mix has no bands, or one of them twice. Name each band once.")
    bad = teams[~(shares.ge(0).all(axis=1) & ((shares.sum(axis=1) - 1.0).abs() <= 1e-6))]
    if len(bad):
        raise InvalidValueError(
            f"The shares of {len(bad):,} teams are negative or missing, or do not sum to 1: {first_few(bad)}."
        )
    return shares.div(shares.sum(axis=1), axis=0)


def _band_steps(
    totals: Mapping[str, float] | None, bands: pd.Index, wanted: Floats, plan: Allocation
) -> NDArray[np.int64]:
    """Steps of each band (bands,)."""
    all_steps = int(plan.steps.sum())
    if totals is None:
        return apportion(wanted.sum(axis=0), all_steps).steps
    given = pd.Series(totals, dtype=np.float64)
    if set(given.index) != set(bands) or given.index.has_duplicates:
        raise UnknownCodeError(
            f"The totals are for {first_few(given.index)} and the mix for {first_few(bands)}. Name the same "
            "bands in both."
        )
    steps = given.reindex(bands).to_numpy() / plan.step
    off = bands[~((steps >= 0) & (np.abs(steps - np.round(steps)) <= _EXACT * np.maximum(steps, 1.0)))]
    if len(off):
        raise AllocationError(
            f"{len(off)} totals are negative, missing or no multiple of the step {plan.step:g}: "
            f"{first_few(off)}. Change them or the step."
        )
    whole: NDArray[np.int64] = np.round(steps).astype(np.int64)
    if whole.sum() != all_steps:
        raise AllocationError(
            f"The totals of the bands sum to {whole.sum() * plan.step:,g}, the plan to "
            f"{all_steps * plan.step:,g} {plan.unit}. Change one of them."
        )
    return whole


def _fitted(wanted: Floats, by_team: Floats, by_band: Floats, bands: pd.Index) -> Floats:
    """The table (teams, bands) nearest to what is wanted, in relative entropy, with these margins."""
    some = by_team > 0
    fitted = np.zeros(wanted.shape)
    if not some.any():
        return fitted
    empty = bands[(wanted.sum(axis=0) == 0) & (by_band > 0)]
    margins = [
        Margin(by_band[None, :], rows=np.zeros(int(some.sum()), dtype=np.int64)),
        Margin(by_team[some, None], columns=np.zeros(len(bands), dtype=np.int64)),
    ]
    raked = rake(wanted[some], margins, _TOLERANCE, _ROUNDS)
    if len(empty) or raked.gap.max() > _TOLERANCE:
        raise AllocationError(
            "No table has these totals by band with the zeros of the mix: a band is wanted by too few teams, "
            f"or too much of it is to be placed. Largest gap: {raked.gap.max():.1%} of a total. Change the "
            "totals or allow the band in more teams."
        )
    fitted[some] = raked.cells
    return fitted


__all__ = ["SkillMix", "skill_mix"]
