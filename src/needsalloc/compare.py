"""Catchments of one set of flows by several methods, side by side: the choice of method moves results.

Chelsea and Westminster Hospital served 530,980 people by first past the post, 569,682 by a threshold of 30
% and 484,249 by stratified flows; so no method is shown alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.alignment import check_series
from needsalloc.assumptions import Assumption
from needsalloc.catchment import Catchment
from needsalloc.display import sentence_and_table
from needsalloc.errors import InvalidValueError
from needsalloc.kernels import flow

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MethodComparison:
    """What each method makes of the same flows.

    Attributes
    ----------
    table:
        A row per method, as `catchment.method.label` names it, and team (index `method`, `team`):
        `team_name`, `is_team`, `areas` (with any of its people), `areas_shared` (of these, also of another
        team), `registered` and `resident` people, `mean_age` of the residents, `imd_score` (mean over the
        residents), and for each of the last four `…_difference` from the first method.
    summary:
        A row per method: `teams` with people, `areas` of a team (mean), `areas_shared` and `areas_of_none`
        in all, `ties`, `resident` people `served_once_or_more`, `counted_twice` (people beyond once),
        `of_none` (with groups that are no team, or in no catchment), `usual_difference` (median over teams
        of the relative difference of their residents from the first method, without its sign),
        `largest_difference`, and `correlation` of the teams' residents with their lists.
    on_other_lists:
        With lists of a part of England, residents whom they do not share out (`Catchment.shared_out`).
    notes:
        What was assumed for the stratified method, and the gap that raking left.
    """

    table: pd.DataFrame
    summary: pd.DataFrame
    on_other_lists: float
    notes: tuple[Assumption, ...]

    def __repr__(self) -> str:
        methods = self.summary.index
        teams = int(self.summary["teams"].iloc[0])
        usual = self.summary["usual_difference"].iloc[1:]
        parts = [f"{name} {difference:.1%}" for name, difference in usual.items()]
        return (
            f"<MethodComparison of {len(methods)} methods, {teams:,} teams: the residents of a team differ "
            f"from {methods[0]} as a rule by {', '.join(parts)}>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.summary)


def compare_methods(
    catchment: Catchment,
    population: pd.DataFrame,
    deprivation: pd.Series,
    *,
    lists: pd.DataFrame | None = None,
    others: Sequence[Catchment] | None = None,
) -> MethodComparison:
    """Population, areas, age and deprivation of every team by each method, with differences.

    catchment: the first method, with which the others are compared.
    population: residents by area, columns first ages of bands (`read_population`).
    deprivation: a score by area (`read_deprivation(...)["imd_score"]`).
    lists: ages by practice (`read_lists`); with them the stratified method is one of the others.
    others: catchments of the same flows; by default first past the post, threshold (30 %), cumulative (80 %)
        and, with `lists`, stratified.

    People of areas in no catchment are the team "unassigned". Raises InvalidValueError for catchments of
    other areas or practices, or a method that is there twice, and what `Catchment.apportion` raises.
    """
    check_series(deprivation, "the scores of deprivation")
    if not isinstance(population, pd.DataFrame):
        raise InvalidValueError(
            "The population must be a table with a column for each age, as read_population gives it."
        )
    if isinstance(others, Catchment):
        raise InvalidValueError("Give the other catchments as a list, even if there is one.")
    if others is None:
        others = [
            catchment.with_method("first_past_the_post"),
            catchment.with_method("threshold"),
            catchment.with_method("cumulative"),
        ]
        if lists is not None:
            others.append(catchment.with_method("stratified", lists=lists, population=population))
    of_area = catchment.aligned(deprivation, "the scores of deprivation", cover=False)
    scores = pd.Series(of_area, catchment.areas)
    population, beyond = catchment.shared_out(population)
    drawn = [catchment, *others]
    names = [one.method.label for one in drawn]
    if len(set(names)) < len(names):
        raise InvalidValueError(f"A method is there twice in {', '.join(names)}. Compare each once.")
    if not all(one.areas.equals(catchment.areas) for one in others):
        raise InvalidValueError("The catchments have different areas. Draw them from the same flows.")
    tables = {name: _teams(one, population, scores) for name, one in zip(names, drawn, strict=True)}
    table = pd.concat(tables, names=["method", "team"])
    for column in ("registered", "resident", "mean_age", "imd_score"):
        first = tables[names[0]][column]
        table[f"{column}_difference"] = table[column] - table.index.get_level_values("team").map(dict(first))
    summary = pd.DataFrame(
        {name: _summary(one, tables[name], tables[names[0]]) for name, one in zip(names, drawn, strict=True)}
    ).T
    whole = ["teams", "areas_shared", "areas_of_none", "ties"]
    summary = summary.astype(dict.fromkeys(whole, np.int64)).rename_axis("method")
    notes = tuple(note for one in drawn if one.strata is not None for note in one.strata.notes)
    return MethodComparison(table, summary, beyond, notes)


def _teams(catchment: Catchment, population: pd.DataFrame, scores: pd.Series) -> pd.DataFrame:
    """The teams of one method: areas, people, age and deprivation."""
    served = catchment.served.astype(bool)
    by_team = served.astype(np.float64)
    several = flow.total_by_row(by_team[:, _teams_proper(catchment)]) > 1
    by_age = catchment.apportion(population)
    resident = by_age.sum(axis=1)
    ages = _middle(population.columns.to_numpy(np.float64))
    of_score = catchment.apportion(population.mul(scores.reindex(population.index), axis=0)).sum(axis=1)
    people = resident.where(resident > 0)
    return catchment.teams[["team_name", "is_team"]].assign(
        areas=flow.total_by_column(by_team).astype(np.int64),
        areas_shared=(by_team.T @ several.astype(np.float64)).astype(np.int64),
        registered=catchment.populations()["registered"],
        resident=resident,
        mean_age=pd.Series(by_age.to_numpy() @ ages, index=by_age.index) / people,
        imd_score=of_score / people,
    )


def _summary(catchment: Catchment, teams: pd.DataFrame, first: pd.DataFrame) -> dict[str, float]:
    proper = teams[teams["is_team"]]
    by_team = catchment.served[:, _teams_proper(catchment)].astype(bool).astype(np.float64)
    teams_of_area = flow.total_by_row(by_team)
    everybody = float(first["resident"].sum())
    none = float(teams.loc[~teams["is_team"], "resident"].sum())
    difference = (proper["resident"] / first["resident"].reindex(proper.index) - 1).abs()
    lists = catchment.registered_by_team["registered"].reindex(proper.index)
    return {
        "teams": float((proper["resident"] > 0).sum()),
        "areas": float(proper["areas"].mean()),
        "areas_shared": float((teams_of_area > 1).sum()),
        "areas_of_none": float((teams_of_area == 0).sum()),
        "ties": float(catchment.ties[catchment.areas.name].nunique()),
        "resident": float(teams["resident"].sum()),
        "served_once_or_more": everybody - none,
        # The sum of an area's shares misses 1 by a last digit.
        "counted_twice": round(float(teams["resident"].sum()) - everybody, 6) + 0.0,
        "of_none": none,
        "usual_difference": float(difference.median()),
        "largest_difference": float(difference.max()),
        "correlation": _correlation(lists.to_numpy(), proper["resident"].to_numpy()),
    }


def _correlation(left: Floats, right: Floats) -> float:
    """Pearson's; NaN where one of the two does not vary."""
    if len(left) < 2 or not (np.ptp(left) > 0 and np.ptp(right) > 0):
        return float("nan")
    return float(np.corrcoef(left, right)[0, 1])


def _teams_proper(catchment: Catchment) -> NDArray[np.intp]:
    return np.flatnonzero(catchment.teams["is_team"].to_numpy())


def _middle(first: Floats) -> Floats:
    """The middle of each band of ages; the last, open one is taken to be as wide as the one before it."""
    width = np.diff(first, append=2 * first[-1] - first[-2] if len(first) > 1 else first[-1] + 1)
    return first + width / 2


__all__ = ["MethodComparison", "compare_methods"]
