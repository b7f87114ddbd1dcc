"""Whom an equity audit is over: areas and teams with their people and need, and the resources they have.

Posts are known by team. Each team's are spread over the areas of its people in proportion to their expected
use: an assumption, since nobody records where posts work. So areas differ by the teams that serve them, and
not inside a team.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from needsalloc import alignment
from needsalloc.allocate import Allocation
from needsalloc.assumptions import Assumption
from needsalloc.catchment import Catchment
from needsalloc.errors import InvalidValueError, MissingColumnError, UnknownCodeError, first_few
from needsalloc.fifths import fifths_of_people
from needsalloc.index import NeedIndex
from needsalloc.kernels import assign, flow
from needsalloc.quality import deprivation_fifth, label_of_most_patients, labels_by_area

Floats = NDArray[np.float64]
Level = Literal["areas", "teams"]
Posts = pd.Series | Mapping[str, float]

PLANNED = ("current", "target", "posts")
PEOPLE, NEED, AT_EQUAL_AGES, SCORE, DECILE = (
    "people", "need", "need_at_equal_ages", "imd_score", "deprivation_decile",
)  # fmt: skip
RURAL, CORE20, HOME, ICB = "rural_urban", "core20", "team", "icb"
FIFTH, FIFTH_OF_TEAMS = "deprivation_fifth", "deprivation_fifth_of_teams"
GROUPINGS = (FIFTH, DECILE, CORE20, FIFTH_OF_TEAMS, RURAL, ICB)
NOWHERE = "none"  # the ICB or place of a group that is no team
_NUMBERS = (PEOPLE, NEED, SCORE)
SPREAD = Assumption(
    "Each team's posts are spread over the areas of its people by expected use",
    "Nobody records where posts work: areas differ by the teams that serve them, not inside a team",
    "assumption",
    "",
)


@dataclass(frozen=True, eq=False)
class Audited:
    """Areas, or teams, that are compared.

    Attributes
    ----------
    frame:
        A row for each: `people`, `need` and `need_at_equal_ages` (in need-weighted people), `imd_score`, the
        groups that it is in, and a column for each resource.
    resources:
        Columns of resources.
    nesting:
        Columns of groups that lie in each other, the widest first.
    cluster:
        The column of teams that areas have their resources from.
    """

    level: Level
    frame: pd.DataFrame
    resources: tuple[str, ...]
    nesting: tuple[str, ...]
    cluster: str | None

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns of need: as it is and, where that is known, at equal ages."""
        return tuple(name for name in (NEED, AT_EQUAL_AGES) if name in self.frame)

    @property
    def groupings(self) -> tuple[str, ...]:
        """Columns of groups by which resources are added up, if there are two groups or more."""
        frame = self.frame
        return tuple(name for name in GROUPINGS if name in frame and varies(frame[name]))

    def gap(self) -> Assumption | None:
        """Why nothing can be compared, where that is so."""
        there = self.frame.loc[self.frame[NEED] > 0, SCORE]
        if varies(there):
            return None
        what = f"No inequality between {self.level} is said, of which {len(there):,} have need"
        return Assumption(what, "They are all equally deprived and cannot be ranked", "gap", "")


@dataclass(frozen=True, eq=False)
class Ground:
    """The people of a plan by area and by team, and where its posts are.

    rows: (teams,) of the plan whose people are audited. given: (teams,) which are teams, or are given posts
    all the same. people, need, at_equal_ages: (areas, teams), need in need-weighted people.
    """

    rows: pd.DataFrame
    given: pd.Series
    need_index: NeedIndex
    people: sparse.csc_array
    need: sparse.csc_array
    at_equal_ages: sparse.csc_array

    @classmethod
    def of(cls, rows: pd.DataFrame, given: pd.Series, need: NeedIndex) -> Ground:
        """Of rows of a plan, all of them teams or groups of `need`, of which some are `given` posts."""
        contacts = need.use.of(need.people)
        people, crude, level = (
            _by_area_and_team(flows, need.catchment, rows.index)
            for flows in (contacts.adults, contacts.crude, contacts.at_equal_ages)
        )
        of_team = given.reindex(rows.index) | rows["is_team"]
        return cls(rows, of_team, need, people, crude / need.base.mean_use, level / need.base.mean_use)

    def spread(self, by_team: pd.DataFrame) -> pd.DataFrame:
        """What is in each area of what the teams have: a column for each of theirs."""
        found = flow.column_shares(sparse.csr_array(self.need)) @ by_team.to_numpy(np.float64)
        return pd.DataFrame(found, self.need_index.areas.index, by_team.columns)

    def areas(
        self, resources: pd.DataFrame, nesting: Sequence[str], rural_urban: pd.Series | None
    ) -> Audited:
        """Areas in which people of the plan live; `resources` by team, the rows of the plan."""
        codes = self.need_index.areas.index
        frame = self.need_index.areas[
            [name for name in (SCORE, DECILE) if name in self.need_index.areas]
        ].assign(
            **{
                name: flow.total_by_row(part)
                for name, part in (
                    (PEOPLE, self.people),
                    (NEED, self.need),
                    (AT_EQUAL_AGES, self.at_equal_ages),
                )
            }
        )
        frame[HOME] = self.rows.index.to_numpy()[self._home()]
        by_team = _labels(self.rows, [*dict.fromkeys((*nesting, ICB))])
        frame = frame.join(by_team.loc[frame[HOME]].set_axis(codes))
        frame = frame.join(self.spread(resources))[frame[PEOPLE].to_numpy() > 0]
        frame = _with_groups(frame, rural_urban)
        return Audited("areas", frame, _there(resources), (*nesting, HOME), HOME)

    def teams(
        self, resources: pd.DataFrame, nesting: Sequence[str], rural_urban: pd.Series | None
    ) -> Audited:
        """Teams, with all their people, and groups that are no team but are given posts."""
        need, rows = self.need_index, self.rows
        people = rows[f"{need.people}_adults"]
        crude, level = (flow.total_by_column(part) for part in (self.need, self.at_equal_ages))
        frame = pd.DataFrame({PEOPLE: people, NEED: people * rows[need.column]}).fillna(0.0)
        frame[AT_EQUAL_AGES] = frame[NEED] * np.divide(
            level, crude, out=np.zeros_like(level), where=crude > 0
        )
        # A mean over the people of each team who live in an English area.
        mean = flow.column_shares(sparse.csr_array(self.people)).T
        frame[SCORE] = mean @ need.areas[SCORE].to_numpy(np.float64)
        frame = frame.join(_labels(rows, [*dict.fromkeys((*nesting, ICB))])).join(resources)
        if rural_urban is not None:
            of_most = label_of_most_patients(need.catchment, labels_of_areas(need.areas.index, rural_urban))
            frame[RURAL] = of_most.reindex(frame.index).fillna(NOWHERE)
        frame = frame[self.given & (frame[NEED] > 0)]
        if len(frame):
            frame[FIFTH_OF_TEAMS] = fifths_of_people(frame[SCORE], frame[PEOPLE]).astype(np.int64)
        return Audited("teams", frame, _there(frame[list(resources)]), tuple(nesting), None)

    def _home(self) -> NDArray[np.int64]:
        """(areas,) the team with the most need of each area's people: a group without a team where alone."""
        need = sparse.csr_array(self.need)
        home = np.zeros(need.shape[0], dtype=np.int64)
        row = assign.rows_of(need)
        for allowed in (np.full(need.shape[1], True), self.rows["is_team"].to_numpy(bool)):
            largest = assign.first_past_the_post(need, allowed).entries
            home[row[largest]] = need.indices[largest]
        return home


def resources_by_team(
    rows: pd.DataFrame, given: pd.Series, others: Mapping[str, Posts], teams: pd.Index
) -> pd.DataFrame:
    """What is now, targets, posts and others' posts, by the teams of `rows`, if known of all `given` teams.

    teams: all teams of the plan, which others may name.
    """
    found = {}
    for name in PLANNED:
        # A gap is not nobody: what is in place is compared only when every team said it.
        if name in rows and rows.loc[given, name].notna().all():
            found[name] = rows[name].fillna(0.0)
    for name, posts in others.items():
        refuse_names([name], [*rows.columns, *PLANNED])
        values = pd.Series(posts, dtype=np.float64)
        # A row of nobody without posts may be of another plan's groups.
        known = values[values.index.isin(teams) | (values != 0)]
        needed = given.reindex(teams, fill_value=False).to_numpy(bool)
        aligned = alignment.by_team(known, teams, f"the posts of {name!r}", needed)
        found[name] = pd.Series(aligned, teams)[rows.index]
    return pd.DataFrame(found, index=rows.index, dtype=np.float64)


def of_frame(
    frame: pd.DataFrame,
    others: Mapping[str, Posts],
    nesting: Sequence[str] | None,
    rural_urban: pd.Series | None,
) -> Audited:
    """A user's own areas, or teams where the index is called "team"."""
    lacking = [name for name in (*_NUMBERS, *(nesting or ())) if name not in frame]
    if lacking:
        raise MissingColumnError(
            f"The frame has no columns {first_few(lacking)}. Without a need index it has "
            f"{', '.join(_NUMBERS)} by area or team, and any of {AT_EQUAL_AGES}, {DECILE} and "
            f"{', '.join(PLANNED)}."
        )
    level: Level = "teams" if frame.index.name == HOME else "areas"
    refuse_names(others, [*frame.columns, *PLANNED])
    alignment.refuse_twice(frame.index, "the frame", level)
    given = {name: alignment.by_team(pd.Series(posts), frame.index, f"{name!r}", np.full(len(frame), True))
             for name, posts in others.items()}  # fmt: skip
    resources = [name for name in PLANNED if name in frame and frame[name].notna().all()]
    frame = frame.assign(**given)
    widest = [ICB] if nesting is None and ICB in frame else list(nesting or ())
    cluster = HOME if level == "areas" and HOME in frame else None
    frame = _with_groups(frame, rural_urban)
    inner = () if cluster is None else (cluster,)
    return Audited(level, frame, _there(frame[[*resources, *given]]), (*widest, *inner), cluster)


def audited(plan: Allocation, need: NeedIndex) -> pd.DataFrame:
    """The rows of the plan whose people its audit is over."""
    return plan.table[plan.table["is_team"]] if need.catchment.of_whole_areas else plan.table


def labels_of_areas(areas: pd.Index, labels: pd.Series) -> pd.Series:
    """One label for each area."""
    alignment.check_series(labels, "the classification")
    return labels_by_area(areas, labels.to_frame(RURAL), "the classification")[RURAL]


def refuse_names(names: Sequence[str] | Mapping[str, object], taken: Sequence[str]) -> None:
    """Raise InvalidValueError for allocations called like a column of the audit."""
    own = {*taken, PEOPLE, NEED, AT_EQUAL_AGES, SCORE, *GROUPINGS, HOME}
    if wrong := [name for name in names if name in own]:
        raise InvalidValueError(
            f"{len(wrong):,} other allocations are called like what the audit has already: "
            f'{first_few(wrong)}. Give them other names, such as "option: equal".'
        )


def _with_groups(frame: pd.DataFrame, rural_urban: pd.Series | None) -> pd.DataFrame:
    """With fifths and Core20 where there are deciles, and with the classification where it is given."""
    if DECILE in frame:
        fifth = deprivation_fifth(frame[DECILE])
        frame = frame.assign(deprivation_fifth=fifth, core20=np.where(fifth == 1, CORE20, "others"))
    if rural_urban is not None:
        frame = frame.assign(rural_urban=labels_of_areas(frame.index, rural_urban))
    return frame


def _there(resources: pd.DataFrame) -> tuple[str, ...]:
    """The resources that somebody has."""
    return tuple(str(name) for name in resources if resources[name].any())


def varies(values: pd.Series) -> bool:
    """Whether there are two different values or more."""
    return len(values.unique()) > 1


def _labels(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    if lacking := [name for name in columns if name not in rows]:
        raise MissingColumnError(
            f"The teams have no column {first_few(lacking)} to split by. Add it to the plan's need table."
        )
    return rows[list(columns)].fillna(NOWHERE).replace("", NOWHERE)


def _by_area_and_team(flows: sparse.csc_array, catchment: Catchment, teams: pd.Index) -> sparse.csc_array:
    """What is on flows from areas to practices, by team, in the order of the plan's teams."""
    by_team = catchment.by_team(flows).tocsc()
    return sparse.csc_array(by_team[:, catchment.teams.index.get_indexer(teams)])


def rows_of_frame(frame: pd.DataFrame, need: NeedIndex) -> pd.DataFrame:
    """Rows as a plan has them from a user's posts by team."""
    alignment.refuse_twice(frame.index, "the frame", "teams")
    unknown = frame.index.difference(need.teams.index)
    if len(unknown):
        raise UnknownCodeError(
            f"{len(unknown):,} of {len(frame):,} teams of the frame are not among those of the need index: "
            f"{first_few(unknown)}. Check their codes."
        )
    own = need.teams.loc[frame.index]
    return own.join(frame[[name for name in frame if name not in own]])


__all__ = [
    "AT_EQUAL_AGES",
    "CORE20",
    "DECILE",
    "FIFTH",
    "FIFTH_OF_TEAMS",
    "GROUPINGS",
    "HOME",
    "ICB",
    "NEED",
    "PEOPLE",
    "PLANNED",
    "RURAL",
    "SCORE",
    "SPREAD",
    "Audited",
    "Ground",
    "Level",
    "Posts",
    "audited",
    "labels_of_areas",
    "of_frame",
    "resources_by_team",
    "rows_of_frame",
    "varies",
]
