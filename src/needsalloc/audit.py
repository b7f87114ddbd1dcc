"""Who gains and who loses: the equity audit of a plan, at small areas and between teams.

Areas are ranked by deprivation from the most deprived; fifths are of the national rank, 1 the most deprived.
Each resource (what is now, targets, posts, other plans) is set against need as it is, which posts follow, and
against need as it would be with the same ages everywhere. Need itself is set against people, both ways. The
measures are in `kernels/inequality.py`.

Each team's posts are spread over the areas of its people by their expected use: an assumption, since nobody
records where posts work. So areas of one team stand or fall together, and intervals are of teams. An area's
gradient is not a person's, and teams dilute that of their areas: both levels stand beside each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.allocate import Allocation
from needsalloc.assumptions import Assumption
from needsalloc.audit_areas import (
    AT_EQUAL_AGES,
    DECILE,
    FIFTH,
    ICB,
    NEED,
    PEOPLE,
    PLANNED,
    SPREAD,
    Audited,
    Ground,
    Level,
    Posts,
    audited,
    of_frame,
    resources_by_team,
    rows_of_frame,
)
from needsalloc.audit_tables import NOW, tables
from needsalloc.display import sentence_and_table, side_by_side
from needsalloc.equity import InequalityMeasures
from needsalloc.errors import InvalidValueError, UnknownCodeError, first_few
from needsalloc.index import NeedIndex
from needsalloc.kernels import inequality, rank

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIFTHS = 5
_MOST_CURVES = 4


@dataclass(frozen=True, eq=False)
class EquityAudit:
    """Posts and need by deprivation and against each other, and what would have to move.

    Resources are "current", "target", "posts" and those of `others`; "need" and "need_at_equal_ages" are set
    against people. In every tidy table `level` is "areas" or "teams" and `against` what a resource is set
    against. Amounts of need are in need-weighted people.

    Attributes
    ----------
    table:
        A row for each fifth, `deprivation_fifth` 1 (most deprived) to 5: adults, shares of people, need,
        current, target and posts, the need index crude and with equal ages, posts per 10,000 adults. What is
        in place now is NaN unless every team said it; `change` is that of the teams that did. No rows for a
        frame without deciles.
    hoover:
        Half the sum of the differences between shares of posts now and of targets: where their totals are
        equal, the share of posts that would have to move. NaN if nobody said what is in place now.
    most_deprived_change:
        Posts that the most deprived fifth gains by the plan (negative: loses); NaN likewise.
    inequality:
        A row for each level, resource, what it is against and measure: `value`, `change_from_now` (less that
        of what is in place), limits and how they were found, `ranking`, what the `sign` means, `weights`,
        `unit`, `areas` (or teams), `too_few_areas` (under 10, or under 10 teams that serve them).
        "posts_to_move" is what would have to move, all over or inside each ICB, for each to have its share.
    by_group:
        Resources by fifth and decile of deprivation, Core20, urban and rural, and ICB: columns as
        `InequalityMeasures.by`, and `change_from_now` of the amount. For teams fifths are their own, of equal
        numbers of people by mean score.
    lorenz:
        Curves against need, at most 201 points each: `share_of_need`, `share_of_resource`.
    theil:
        Theil's index by `part` of the nesting, the widest groups first: `groups`, `theil`, `share`. At the
        level of areas the narrowest groups are the teams with the most need of each area's people.
    measures:
        By level, what `inequality` was made from: for bootstraps, bands of no association and other groups.
    notes:
        What was assumed, and what could not be compared.
    """

    table: pd.DataFrame
    hoover: float
    most_deprived_change: float
    inequality: pd.DataFrame
    by_group: pd.DataFrame
    lorenz: pd.DataFrame
    theil: pd.DataFrame
    measures: Mapping[str, InequalityMeasures]
    notes: tuple[Assumption, ...]

    def of(self, resource: str) -> pd.DataFrame:
        """The measures of one resource: a row for each measure, a column for each level and `against`.

        Raises UnknownCodeError for a resource that was not audited.
        """
        rows = self.inequality[self.inequality["resource"] == resource]
        if rows.empty:
            raise UnknownCodeError(
                f"No resource {resource!r} was audited. There are: "
                f"{first_few(self.inequality['resource'].unique(), 20)}."
            )
        by = rows.set_index(["measure", "level", "against"])["value"]
        return side_by_side(by, ["level", "against"])

    def beside(self, level: Level = "areas", against: str = NEED) -> pd.DataFrame:
        """Measures of every resource beside each other, before and after: a column for each resource.

        Raises UnknownCodeError for a level without measures, or nothing that is against this.
        """
        rows = self.inequality[(self.inequality["level"] == level) & (self.inequality["against"] == against)]
        if rows.empty:
            raise UnknownCodeError(f"Nothing was audited for {level!r} against {against!r}.")
        by = rows.set_index(["measure", "resource"])["value"]
        return side_by_side(by, ["resource"])

    def plot(
        self,
        kind: Literal["lorenz", "gradient"] = "lorenz",
        *,
        level: Level = "areas",
        by: str = FIFTH,
        resources: Sequence[str] | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw Lorenz curves against need, or resource per need `by` groups (a gradient). Returns the axes.

        resources: at most four; by default the first four audited. by: a grouping of `by_group`. Needs
        matplotlib (pip install "needsalloc[maps]").

        Raises UnknownCodeError for another kind, level, grouping or resource; InvalidValueError for more than
        four resources.
        """
        from needsalloc.equity_pictures import draw_gradient, draw_lorenz

        if kind not in ("lorenz", "gradient"):
            raise UnknownCodeError(f'There is no picture {kind!r}: "lorenz" or "gradient".')
        rows = self.lorenz if kind == "lorenz" else self.by_group[self.by_group["against"] == NEED]
        rows = rows[rows["level"] == level]
        if kind == "gradient":
            rows = rows[rows["grouping"] == by]
        known = list(rows["resource"].unique())
        shown = known[:_MOST_CURVES] if resources is None else list(resources)
        strange = [name for name in shown if name not in known]
        if strange or not shown:
            what = f"{kind} by {by!r}" if kind == "gradient" else kind
            raise UnknownCodeError(
                f"There is no {what} of {first_few(strange) or 'any resource'} for {level!r}. There are "
                f"those of {first_few(known, 20) or 'none'}."
            )
        if len(shown) > _MOST_CURVES:
            raise InvalidValueError(f"{len(shown)} resources cannot be told apart: choose {_MOST_CURVES}.")
        rows = rows[rows["resource"].isin(shown)]
        return (draw_lorenz if kind == "lorenz" else draw_gradient)(rows, NEED, ax)

    def __repr__(self) -> str:
        said = []
        if len(self.table):
            ends = self.table.iloc[[0, -1]]
            crude, level = (ends[c].to_numpy() for c in ("need_index_crude", "need_index_age_standardised"))
            said.append(
                f"need of the most over the least deprived fifth {crude[0] / crude[1]:.2f} as it is, "
                f"{level[0] / level[1]:.2f} with equal ages"
            )
        if np.isfinite(self.hoover):
            said.append(f"shares of posts now are {self.hoover:.1%} from the targets")
        of_need = (self.inequality["against"] == NEED) & (self.inequality["measure"] == "relative_index")
        rows = self.inequality[of_need].drop_duplicates("resource").set_index("resource")
        # Without the sign of a nought.
        lines = [
            f"{round(row['value'], 3) + 0.0:+.1%} {name}"
            for name, row in rows[rows.index.isin(PLANNED)].iterrows()
        ]
        if lines:
            few = " (too few areas to say)" if rows["too_few_areas"].any() else ""
            said.append(f"per need, from the most to the least deprived, {', '.join(lines)}{few}")
        return f"<EquityAudit: {'; '.join(said) or 'nothing to compare'}>".replace("-", "−")

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table if len(self.table) else self.inequality)


def audit_equity(
    plan: Allocation | pd.DataFrame,
    need: NeedIndex | None = None,
    *,
    others: Mapping[str, Posts] | None = None,
    rural_urban: pd.Series | None = None,
    nesting: Sequence[str] | None = None,
    intervals: Literal["robust", "off"] = "robust",
    aversion: float = 3.0,
) -> EquityAudit:
    """Need, what is in place, targets, posts and other plans by deprivation and against need.

    plan: from `allocate`, its teams among those of `need`; or a frame of posts by team of `need`, with any of
        the columns `current`, `target` and `posts`; or, without `need`, a frame of areas (of teams, if its
        index is called "team") with `people`, `need` and `imd_score`, and any of `need_at_equal_ages`,
        `deprivation_decile`, `icb` and those three; areas that share their posts have the same `team`.
    others: allocations by name, posts by team (for a frame without `need`, by its own index): other
        options, the years of a pace of change, what anybody else proposes.
    rural_urban: the classification of each area (`read_rurality`).
    nesting: columns of the plan's table by which Theil's index is split, the widest groups first ("icb",
        "place"); by default the ICB.
    intervals: "robust" for slope, relative and concentration index, 95 and 99.8 %: a straight line through
        the areas with errors of the teams that serve them; or "off".
    aversion: v of the extended concentration index.

    People are adults, counted as the need index counts them. Patients of practices without a PCN are of the
    plan and count as having no posts; the level of teams leaves them out. Where teams are made of whole
    areas, who lives in no team's areas is beyond the plan and is not counted. What is in place is compared
    only if every team that is given posts said it.

    Raises InvalidValueError if the deprivation file had no deciles, or lacks that of an area, and for values
    that cannot be; MissingColumnError, UnknownCodeError for teams, areas or columns that are not there.

    >>> areas = pd.DataFrame(
    ...     {"people": [30, 30, 30], "need": [40, 30, 20], "imd_score": [40, 20, 10], "current": [3, 3, 3]},
    ...     index=["E1", "E2", "E3"],
    ... )
    >>> found = audit_equity(areas, others={"by need": {"E1": 4, "E2": 3, "E3": 2}})
    >>> found.beside().loc["hoover"].round(3).to_dict()
    {'current': 0.111, 'by need': 0.0}
    """
    named = dict(others or {})
    if need is None:
        return _of_frame(plan, named, rural_urban, nesting, intervals, aversion)
    if DECILE not in need.areas:
        raise InvalidValueError(
            "The deprivation file has no deciles, so areas cannot be put in fifths. Use the national file."
        )
    if isinstance(plan, Allocation):
        every, rows, unit = plan.table, audited(plan, need), plan.unit
        given = every["target"] > 0
    else:
        every = rows = rows_of_frame(plan, need)
        given, unit = rows["is_team"], "posts"
    ground = Ground.of(rows, given, need)
    resources = resources_by_team(rows, given, named, every.index)
    widest = (ICB,) if nesting is None else tuple(nesting)
    levels = (
        ground.areas(resources, widest, rural_urban),
        ground.teams(resources, widest, rural_urban),
    )
    change = None
    if "change" in rows and rows["change"].notna().any():
        change = ground.spread(rows[["change"]].fillna(0.0))["change"].reindex(levels[0].frame.index)
    table = _by_fifth(levels[0].frame, change)
    notes = (SPREAD, *_left_out(resources, levels[1].frame))
    return _audit(table, _hoover(every), levels, unit, notes, intervals, aversion)


def _audit(
    table: pd.DataFrame,
    hoover: float,
    levels: Sequence[Audited],
    unit: str,
    notes: Sequence[Assumption],
    intervals: Literal["robust", "off"],
    aversion: float,
) -> EquityAudit:
    gaps = {level.level: level.gap() for level in levels}
    found = tables([level for level in levels if gaps[level.level] is None], unit, intervals, aversion)
    change = float(table["change"].iloc[0]) if len(table) else float("nan")
    said = [*notes, *(gap for gap in gaps.values() if gap is not None)]
    return EquityAudit(
        table, hoover, change, found.inequality, found.by_group, found.lorenz, found.theil, found.measures,
        tuple(said),
    )  # fmt: skip


def _of_frame(
    frame: Allocation | pd.DataFrame,
    others: Mapping[str, Posts],
    rural_urban: pd.Series | None,
    nesting: Sequence[str] | None,
    intervals: Literal["robust", "off"],
    aversion: float,
) -> EquityAudit:
    if not isinstance(frame, pd.DataFrame):
        raise InvalidValueError(
            f"Without a need index the audit is of a frame of areas or teams, not of {type(frame).__name__}. "
            "Give the need index that the plan was made with: audit_equity(plan, need)."
        )
    level = of_frame(frame, others, nesting, rural_urban)
    table = pd.DataFrame(columns=_TABLE)
    if FIFTH in level.frame:
        both = {"posts", NOW} <= set(level.frame)
        table = _by_fifth(level.frame, level.frame["posts"] - level.frame[NOW] if both else None)
    return _audit(table, _hoover(level.frame), (level,), "posts", (), intervals, aversion)


_TABLE = [
    FIFTH, "people", "share_of_people", "share_of_need", "current", "share_of_current", "target",
    "share_of_target", "posts", "share_of_posts", "change", "need_index_crude",
    "need_index_age_standardised", "posts_per_10000_adults", "current_per_10000_adults",
]  # fmt: skip


def _by_fifth(areas: pd.DataFrame, change: pd.Series | None) -> pd.DataFrame:
    """People, need and posts of areas by fifth; `change` by area, None where nobody knows."""

    def by_fifth(by_area: pd.Series | None) -> NDArray[np.float64]:
        if by_area is None:
            return np.full(FIFTHS, np.nan)
        fifth = areas[FIFTH].to_numpy(np.int64) - 1
        return rank.group_sums(fifth, FIFTHS, by_area.to_numpy(np.float64))

    people, use = by_fifth(areas[PEOPLE]), by_fifth(areas[NEED])
    table = pd.DataFrame({FIFTH: np.arange(1, FIFTHS + 1), "people": people})
    table["share_of_people"] = inequality.shares(people)
    table["share_of_need"] = inequality.shares(use)
    for column in PLANNED:
        table[column] = by_fifth(areas.get(column))
        table[f"share_of_{column}"] = table[column] / table[column].sum()
    table["change"] = by_fifth(change)
    adults_here = table["people"].where(people > 0)
    table["need_index_crude"] = use / adults_here
    table["need_index_age_standardised"] = by_fifth(areas.get(AT_EQUAL_AGES)) / adults_here
    table["posts_per_10000_adults"] = table["posts"] / adults_here * 10_000
    table["current_per_10000_adults"] = table["current"] / adults_here * 10_000
    return table


def _hoover(rows: pd.DataFrame) -> float:
    """Over the teams that are given posts and said what they have."""
    if not {"current", "target"} <= set(rows):
        return float("nan")
    teams = rows[rows["current"].notna() & (rows["target"] > 0)]
    if teams.empty or not teams["current"].sum():
        return float("nan")
    return float(inequality.hoover(*(teams[name].to_numpy(np.float64) for name in ("current", "target"))))


def _left_out(resources: pd.DataFrame, teams: pd.DataFrame) -> list[Assumption]:
    """Notes on teams whose posts nobody is there for, and on resources that nobody has."""
    found = []
    lost = resources.index[(resources > 0).any(axis=1)].difference(teams.index)
    if len(lost):
        what = f"Posts of {len(lost):,} rows are not compared between teams: {first_few(lost)}"
        why = "They are no teams of the plan, or none of their people lives in an English area"
        found.append(Assumption(what, why, "gap", "registrations"))
    if nobody := [name for name in resources if not resources[name].any()]:
        found.append(
            Assumption(f"Not compared, for nobody has any: {first_few(nobody)}", "0 in all", "gap", "")
        )
    return found


__all__ = ["EquityAudit", "audit_equity", "audited"]
