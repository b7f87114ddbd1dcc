"""Contacts that teams had over those that need expects of them, with limits of a funnel around 1.

expected_k = contacts of all teams * need of k / need of all

so that all teams together are at 1. More contacts than expected are more use for the same need; fewer may be
fewer staff. Use is not need: neither says what a team should do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from needsalloc.against import FEW, LEVELS, LIMITS
from needsalloc.alignment import numbers, refuse_twice
from needsalloc.display import sentence_and_table
from needsalloc.errors import InvalidValueError, UnknownCodeError, first_few
from needsalloc.index import NeedIndex
from needsalloc.kernels.funnel import funnel


@dataclass(frozen=True, eq=False)
class ObservedOverExpected:
    """Contacts against need, by team.

    Attributes
    ----------
    table:
        Index team: `team_name`, `contacts`, `expected`, `observed_over_expected`, and limits `low_95`,
        `high_95`, `low_99_8`, `high_99_8` between which it lies for that share of teams that differ by chance
        and by what teams vary anyhow.
    phi, tau_squared:
        What ratios vary by, over what chance alone would give (1), and the variance between teams that is
        added to chance, on the scale of square roots.
    """

    table: pd.DataFrame
    phi: float
    tau_squared: float

    def outside(self, level: str = "95") -> pd.Index:
        """The teams outside the limits of 95 % ("95") or 99.8 % ("99_8")."""
        ratio = self.table["observed_over_expected"]
        inside = ratio.between(self.table[f"low_{level}"], self.table[f"high_{level}"])
        return self.table.index[~inside]

    def __repr__(self) -> str:
        ratio = self.table["observed_over_expected"]
        few = "; too few teams to say what is usual" if len(ratio) < FEW else ""
        return (
            f"<ObservedOverExpected: contacts of {len(ratio):,} teams from {ratio.min():.2f} to "
            f"{ratio.max():.2f} of what need expects; {len(self.outside()):,} outside limits of 95 %, "
            f"{len(self.outside('99_8')):,} of 99.8 %; ratios vary {self.phi:,.3g} times as much as by "
            f"chance, and limits are widened for it{few}>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def observed_over_expected(
    contacts: pd.Series | Mapping[str, float], need: NeedIndex
) -> ObservedOverExpected:
    """Contacts of a year by team over those that the need of its adults expects.

    contacts: by team of `need`; teams that are not named are left out, and the others are compared with each
        other.

    Limits are those of a funnel around 1: Poisson, on the scale of square roots, with the variance between
    teams added (see `kernels.funnel`). One person's contacts go together, so chance alone is far too narrow.

    Raises UnknownCodeError for teams that are not there; InvalidValueError for a team twice, contacts that
    are negative or missing, fewer than two teams, no contacts, or a team without need.
    """
    given = pd.Series(contacts, dtype=np.float64)
    refuse_twice(given.index, "the contacts", "teams")
    unknown = given.index.difference(need.teams.index)
    if len(unknown):
        raise UnknownCodeError(
            f"{len(unknown):,} of {len(given):,} teams with contacts are not among those of the need index: "
            f"{first_few(unknown)}. Check their codes."
        )
    wrong = given.index[~(np.isfinite(numbers(given, "the contacts")) & (given >= 0))]
    if len(wrong):
        raise InvalidValueError(
            f"{len(wrong):,} teams have contacts that are missing or negative: {first_few(wrong)}. Leave out "
            "teams whose contacts nobody knows."
        )
    teams = need.teams.loc[given.index]
    share = (teams[f"{need.people}_adults"] * teams["expected_use"]).fillna(0.0)
    nobody = given.index[~(share > 0)]
    if len(nobody):
        raise InvalidValueError(
            f"Nothing is expected of {len(nobody):,} teams with contacts, for they have no adults here: "
            f"{first_few(nobody)}. Leave them out."
        )
    if len(given) < 2 or not given.sum() > 0:
        raise InvalidValueError("Give the contacts of two teams or more, some of them above 0.")
    expected = given.sum() * share / share.sum()
    found = funnel(given.to_numpy(), expected.to_numpy())
    table = pd.DataFrame({"team_name": teams["team_name"], "contacts": given, "expected": expected})
    table["observed_over_expected"] = given / expected
    table[LIMITS] = np.column_stack([side for level in LEVELS.values() for side in found.limits(level)])
    return ObservedOverExpected(table.rename_axis("team"), found.phi, found.tau_squared)


__all__ = ["ObservedOverExpected", "observed_over_expected"]
