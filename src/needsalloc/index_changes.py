"""Which teams' need index changes when one thing is made otherwise: another edition of deprivation, say."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from needsalloc.display import sentence_and_table
from needsalloc.errors import InvalidValueError, UnknownCodeError, first_few
from needsalloc.index import NeedIndex


@dataclass(frozen=True, eq=False)
class IndexChanges:
    """Teams whose need index changes by more than a stated part of it.

    Attributes
    ----------
    table:
        Index team, the largest change first: `team_name`, `before`, `after`, `change` (after / before - 1)
        and `crosses_1`, whether the index is on the other side of 1 afterwards.
    more_than:
        The least change that is listed: 0.05 is 5 per cent.
    teams:
        How many teams have both indices.
    """

    table: pd.DataFrame
    more_than: float
    teams: int

    def __repr__(self) -> str:
        crossing = int(self.table["crosses_1"].sum())
        said = f"{len(self.table):,} of {self.teams:,} teams move by more than {self.more_than:.0%}"
        if len(self.table):
            first = self.table.iloc[0]
            said += f", {crossing:,} of them to the other side of 1; most {first['team_name']}"
            said += f" ({first['change']:+.1%})".replace("-", "−")
        return f"<IndexChanges: {said}>"

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def index_changes(before: NeedIndex, after: NeedIndex, *, more_than: float = 0.05) -> IndexChanges:
    """The teams whose index is another by more than `more_than` of it, groups that are no team left out.

    Both have one base and one set of teams, so that only what was made otherwise can move them. A team
    without an index in either is not counted.

    Raises InvalidValueError for two bases or kinds of people, or a `more_than` below 0, UnknownCodeError for
    other teams.
    """
    if not more_than >= 0:
        raise InvalidValueError(f"more_than is {more_than:g}; give a share from 0, such as 0.05.")
    if (before.column, before.people) != (after.column, after.people):
        raise InvalidValueError(
            f"One index is {before.column} of {before.people} people, the other {after.column} of "
            f"{after.people}: a difference between them would not be a change. Use the same base and people."
        )
    others = before.teams.index.symmetric_difference(after.teams.index)
    if len(others):
        raise UnknownCodeError(
            f"{len(others):,} teams are in one index alone: {first_few(others)}. Make both for one catchment."
        )
    teams = after.teams[after.teams["is_team"]]
    table = pd.DataFrame(
        {
            "team_name": teams["team_name"],
            "before": before.teams.loc[teams.index, before.column],
            "after": teams[after.column],
        }
    ).dropna(subset=["before", "after"])
    table["change"] = table["after"] / table["before"] - 1
    table["crosses_1"] = (table["before"] > 1) != (table["after"] > 1)
    moved = table[table["change"].abs() > more_than]
    order = moved["change"].abs().sort_values(ascending=False, kind="stable").index
    return IndexChanges(moved.loc[order].rename_axis("team"), more_than, len(table))


__all__ = ["IndexChanges", "index_changes"]
