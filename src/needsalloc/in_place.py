"""What is in place now: whose figures, on which basis and day, and what a plan would change of it.

Established posts, staff in post and staff paid are three figures: a plan compares with one of them, named.
Moving a vacancy is not moving a nurse: of posts that a team loses, those that nobody fills go first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from needsalloc.catchment import Catchment
from needsalloc.errors import InvalidValueError, MissingColumnError, UnknownCodeError, first_few
from needsalloc.kernels import flow
from needsalloc.sources.current import BASES

Current = pd.Series | Mapping[str, float] | pd.DataFrame

NO_BASIS = "basis not stated"
_STATED = ("basis", "on")
_EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class InPlace:
    """Posts by team (teams,), their `vacancies` (NaN where unknown), basis and day, None where not said."""

    current: pd.Series
    vacancies: pd.Series
    basis: str | None
    on: str | None

    def __str__(self) -> str:
        return f"{self.basis or NO_BASIS}{f', {self.on}' if self.on else ''}"


def in_place(current: Current | None, teams: pd.Index) -> InPlace:
    """Figures by team in the order of `teams`, NaN where there is none.

    Raises InvalidValueError for a team twice, negative or missing figures, vacancies above the figure, and
    for two bases or days; UnknownCodeError for teams that are not in the plan or an unknown basis.
    """
    nothing = pd.Series(np.nan, index=teams)
    if current is None:
        return InPlace(nothing, nothing, None, None)
    frame = current.set_index("team") if isinstance(current, pd.DataFrame) else None
    given = pd.Series(current if frame is None else frame["current"], dtype=np.float64)
    if given.index.has_duplicates:
        twice = given.index[given.index.duplicated()].unique()
        raise InvalidValueError(
            f"{len(twice):,} teams stand twice in the current figures: {first_few(twice)}."
        )
    negative = given.index[~(given >= 0)]
    if len(negative):
        raise InvalidValueError(
            f"{len(negative):,} current figures are negative or missing: {first_few(negative)}."
        )
    stray = given.index.difference(teams)
    if len(stray):
        raise UnknownCodeError(
            f"{len(stray):,} of {len(given):,} teams with current posts are not in the plan: "
            f"{first_few(stray)}. Check their codes; their posts would be lost."
        )
    if frame is None:
        return InPlace(given.reindex(teams), nothing, None, None)
    basis, on = stated(frame)
    vacancies = (
        frame["vacancies"].astype(np.float64) if "vacancies" in frame else nothing.reindex(frame.index)
    )
    bad = given.index[(vacancies < 0) | (vacancies > given)]
    if len(bad):
        raise InvalidValueError(
            f"{len(bad):,} teams have fewer than no vacancies, or more than posts: {first_few(bad)}. "
            "Vacancies are the part of the figure that nobody fills."
        )
    return InPlace(given.reindex(teams), vacancies.reindex(teams), basis, on)


def stated(frame: pd.DataFrame) -> tuple[str | None, str | None]:
    """The one basis and the one day of all rows, None where the frame does not say.

    Raises InvalidValueError for two of either, also where only some rows say it; UnknownCodeError for a
    basis that is none of them.
    """
    found: list[str | None] = []
    for name in _STATED:
        words = frame[name].astype("str").unique().tolist() if name in frame else []
        if len(words) > 1:
            raise InvalidValueError(
                f"The current figures are of more than one {'day' if name == 'on' else name}: "
                f"{first_few(words)}. Funded, filled and paid posts cannot be compared: bring all to one."
            )
        found.append(words[0] if words else None)
    basis, on = found
    if basis is not None and basis not in BASES:
        raise UnknownCodeError(f"Unknown basis {basis!r}: choose {', '.join(BASES)}.")
    return basis, on


def filled_posts_lost(change: pd.Series, vacancies: pd.Series) -> pd.Series:
    """Of the posts that each team loses, those that somebody fills now; NaN where vacancies are unknown."""
    return (-change - vacancies).clip(lower=0.0)


def carry_current(current: pd.DataFrame, catchment: Catchment) -> pd.DataFrame:
    """Figures by practice or by area, as figures by team: a frame that `allocate` takes.

    current: `practice`, or the catchment's kind of area (`lsoa21`), and the columns that are carried, all of
        them counts: `current`, and `vacancies` or `fte_<band>` if there are any; parts of posts are fine.
        `basis` and `on` are kept, one of each. A practice's posts are with its team; where teams are made of
        whole areas, they follow its patients. An area's posts follow its residents (`Catchment.apportion`).

    The total is kept. Raises MissingColumnError without a code or `current`; UnknownCodeError for practices
    or areas that the catchment does not have, or has nobody in; InvalidValueError for figures that are
    missing or negative, for areas that are whole areas of several teams, and as `stated`.
    """
    unit = next((name for name in ("practice", str(catchment.areas.name)) if name in current), None)
    if unit is None or "current" not in current:
        raise MissingColumnError(
            f"Current figures need the column practice or {catchment.areas.name}, and current. There are: "
            f"{first_few(current.columns, 12)}."
        )
    basis, on = stated(current)
    columns = ["current", *(name for name in current if name == "vacancies" or str(name).startswith("fte_"))]
    bad = current.loc[~(current[columns] >= 0).all(axis=1), unit]
    if len(bad):
        raise InvalidValueError(
            f"{len(bad):,} rows have figures that are missing or negative: {first_few(bad)}. Write 0 where "
            "nobody is in place."
        )
    counts = current.groupby(unit, observed=True)[columns].sum().astype(np.float64)
    if unit == "practice":
        found = _of_practices(counts, catchment)
    else:
        found = catchment.apportion(counts.reindex(counts.index.union(catchment.areas), fill_value=0.0))
    before, after = counts["current"].sum(), found["current"].sum()
    if abs(after - before) > _EXACT * max(before, 1.0):
        raise InvalidValueError(
            f"{before:,.6g} posts became {after:,.6g}, for areas are of several teams "
            f"({catchment.method.label}). Draw the catchment proportionally or by first past the post."
        )
    teams = found[(found != 0).any(axis=1) | catchment.teams["is_team"]].rename_axis("team").reset_index()
    for name, value in zip(_STATED, (basis, on), strict=True):
        if value is not None:
            teams[name] = value
    return teams


def _of_practices(counts: pd.DataFrame, catchment: Catchment) -> pd.DataFrame:
    position = catchment.practices.get_indexer(counts.index)
    patients = catchment.registered_by_practice
    here = flow.total_by_column(patients)
    lost = counts.index[(position < 0) | (catchment.of_whole_areas & (here[position] == 0))]
    if len(lost):
        raise UnknownCodeError(
            f"{len(lost):,} practices with current figures have no patients in this catchment: "
            f"{first_few(lost)}. Their posts would be lost: name the practices that took them over."
        )
    values = counts.to_numpy()
    if catchment.of_whole_areas:
        at_areas = flow.column_shares(patients[:, position].tocsr()) @ values
        return catchment.apportion(pd.DataFrame(at_areas, catchment.areas, counts.columns))
    by_team = np.zeros((len(catchment.teams), values.shape[1]))
    np.add.at(by_team, catchment.team_of_practice[position], values)
    return pd.DataFrame(by_team, catchment.teams.index, counts.columns)


__all__ = ["carry_current"]
