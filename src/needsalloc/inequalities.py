"""A share for inequalities: h of every block goes by heads that count more where lives are shorter.

    need'_k = (1 - h) need_k + h * sum(need) * people_k w_k / sum(people w)

NHS England takes 10 % of core services and 15 % of primary medical care this way, by avoidable mortality;
the weights of its bands are not published, so that weights are the user's own, and h is shown from 0 to
30 %. Where its own index by practice is to be used, `Combination` has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from needsalloc.allocate import allocate
from needsalloc.choices import ByTeam
from needsalloc.errors import AllocationError, InvalidValueError, MissingColumnError, first_few
from needsalloc.scenarios import PlanComparison, compare_plans

MOST = 0.30
SHARES = (0.0, 0.05, 0.10, 0.15, 0.20, 0.25, 0.30)


def with_inequalities(
    need: pd.DataFrame,
    weights: ByTeam,
    *,
    share: float,
    people: str,
    blocks: Sequence[str] = ("weighted_population",),
) -> pd.DataFrame:
    """The need table with `share` of every block by inequality-weighted heads; the sum of each block is kept.

    weights: how much a head of each team counts, relative to others. Weights by area are carried to teams by
        `Catchment.average`.
    share: from 0 to 0.30. people: the column of heads. blocks: the columns of need.

    Raises MissingColumnError; AllocationError for a share outside 0 to 0.30; InvalidValueError for teams with
    people and without a weight, or a negative one.

    >>> need = pd.DataFrame({"weighted_population": [60.0, 40.0], "registered": [50, 50]}, index=["a", "b"])
    >>> found = with_inequalities(need, {"a": 1.0, "b": 3.0}, share=0.2, people="registered")
    >>> found["weighted_population"].to_list()
    [53.0, 47.0]
    """
    lacking = [name for name in (people, *blocks) if name not in need]
    if lacking:
        raise MissingColumnError(f"The need table has no column {first_few(lacking)}: {first_few(need, 12)}.")
    if not 0 <= share <= MOST:
        raise AllocationError(f"The inequalities share is {share:g}: choose from 0 to {MOST:g}.")
    heads = need[people].fillna(0.0).astype(np.float64)
    given = pd.Series(weights, dtype=np.float64).reindex(need.index)
    bad = need.index[(heads > 0) & ~(np.isfinite(given) & (given >= 0))]
    if len(bad):
        raise InvalidValueError(
            f"{len(bad):,} of {len(need):,} teams have no inequality weight, or a negative one: "
            f"{first_few(bad)}. Give every team with people its weight."
        )
    counted = heads * given.fillna(0.0)
    if counted.sum() <= 0:
        raise InvalidValueError("Nobody counts by these weights: give some team a weight above 0.")
    part = counted / counted.sum()
    return need.assign(
        **{name: (1 - share) * need[name] + share * need[name].sum() * part for name in blocks}
    )


def inequalities_sensitivity(
    total: float,
    need: pd.DataFrame,
    weights: ByTeam,
    *,
    people: str,
    shares: Sequence[float] = SHARES,
    **options: Any,
) -> PlanComparison:
    """Posts by team for each inequalities share, beside what is in place now.

    options: as for `allocate`, with `current`. Scenarios are named "h = 10 %", and the first is h = 0.

    Raises as `with_inequalities`, `allocate` and `compare_plans`.
    """
    return compare_plans(
        {
            f"h = {share:.0%}".replace("%", " %"): allocate(
                total, with_inequalities(need, weights, share=share, people=people), **options
            )
            for share in sorted({0.0, *shares})
        }
    )


__all__ = ["inequalities_sensitivity", "with_inequalities"]
