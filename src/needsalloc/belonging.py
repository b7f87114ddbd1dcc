"""Who belongs to whom: patients who live outside, areas at an ICB's edge, people of two teams or of none.

Nothing here changes a catchment: each function reads its flows and counts everybody once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.alignment import check_series
from needsalloc.catchment import Catchment
from needsalloc.display import sentence_and_table
from needsalloc.errors import InvalidValueError, UnknownCodeError, first_few
from needsalloc.kernels import assign, rank
from needsalloc.quality import (
    chosen_team,
    labels_by_area,
    of_part_of_england,
    owners,
    people_living,
    ratio,
    team_codes,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NO_GROUP = "no group"


@dataclass(frozen=True, eq=False)
class LivingOutside:
    """Patients by whether they live in the areas of their own practice's ICB (or other group).

    Attributes
    ----------
    teams:
        Index team: `team_name`, `registered`, and of these `in_own`, `in_others`, `no_group` (of practices
        that have none) and `outside_england` (living in no English area).
    groups:
        Index group: `registered` (with its practices), of these `live_here`, `live_elsewhere`,
        `live_outside_england`; `resident_registered` (living here, on any list), of these `live_here` again
        and `registered_elsewhere`. "no group" holds practices that have none.
    """

    teams: pd.DataFrame
    groups: pd.DataFrame

    def __repr__(self) -> str:
        total, groups = self.teams.sum(numeric_only=True), self.groups.drop(NO_GROUP, errors="ignore")
        away = ratio(groups["live_elsewhere"] + groups["live_outside_england"], groups["registered"])
        most = f"; most in {away.idxmax()}, {away.max():.1%}" if away.notna().any() else ""
        return (
            f"<LivingOutside: {total['in_others']:,.0f} of {total['registered']:,.0f} patients "
            f"({total['in_others'] / total['registered']:.1%}) live in the areas of another group than their "
            f"practice's, {total['outside_england']:,.0f} in no English area{most}>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.groups)


def living_outside(
    catchment: Catchment, home: pd.Series, *, of_practice: pd.Series | None = None
) -> LivingOutside:
    """Who lives outside the areas of the own ICB, by team and by ICB; and who lives there but is not with it.

    home: area -> ICB (or any other group), every area of the catchment.
    of_practice: practice -> ICB, in the same codes. By default that of the practice's team, which for a
        PCN that straddles two is that of most of its patients, and for practices without a PCN none.

    Raises UnknownCodeError if an area has no home or no practice's group is among the homes (an ODS code such
    as QHM in one and an ONS code E54… in the other), VintageError for areas of two vintages.
    """
    catchment.refuse_shares_alone()
    check_series(home, "the homes of areas")
    area_group = labels_by_area(catchment.areas, home.to_frame("home"), "the homes of areas")["home"]
    if of_practice is None:
        ours = catchment.teams["icb"].iloc[catchment.team_of_practice]
    else:
        check_series(of_practice, "the groups of practices")
        ours = of_practice.reindex(catchment.practices)
    ours = ours.astype(object).where(ours.notna() & (ours != ""), NO_GROUP)
    if not ours.isin(home).any():
        raise UnknownCodeError(
            "No practice belongs to a group that areas have: practices to "
            f"{first_few(pd.unique(ours[ours != NO_GROUP]))}, areas to {first_few(pd.unique(home))}. Give "
            "both in the same codes (an ODS code such as QHM, not E54…)."
        )
    groups = pd.Index(pd.unique(pd.concat([area_group.astype(object), ours]))).sort_values()
    lives, belongs = groups.get_indexer(pd.Index(area_group)), groups.get_indexer(pd.Index(ours))
    flows = catchment.registered.tocoo()
    at_home = lives[flows.row] == belongs[flows.col]
    practices = len(catchment.practices)
    own = rank.group_sums(flows.col, practices, flows.data * at_home)
    inside = rank.group_sums(flows.col, practices, flows.data)
    outside = catchment.outside_by_practice
    grouped = (ours != NO_GROUP).to_numpy()
    parts = {
        "in_own": own,
        "in_others": (inside - own) * grouped,
        "no_group": inside * ~grouped,
        "outside_england": outside,
    }
    teams = catchment.teams[["team_name"]].assign(registered=catchment.registered_by_team["registered"])
    for column, part in parts.items():
        teams[column] = rank.group_sums(catchment.team_of_practice, len(teams), part)

    def by_group(of: Ints, people: Floats) -> Floats:
        return rank.group_sums(of, len(groups), people)

    table = pd.DataFrame(index=groups.rename("group"))
    table["registered"] = by_group(belongs, inside + outside)
    table["live_here"] = by_group(belongs, own)
    table["live_elsewhere"] = by_group(belongs, inside - own)
    table["live_outside_england"] = by_group(belongs, outside)
    table["resident_registered"] = by_group(lives, catchment.size_of_area)
    table["registered_elsewhere"] = table["resident_registered"] - table["live_here"]
    return LivingOutside(teams, table)


SAME, GOES, COMES, FEW = "same team", "goes to another ICB", "comes from another ICB", "only some patients"
UNSERVED = "none of its teams"


@dataclass(frozen=True, eq=False)
class OwnIcbAssignment:
    """Areas of an ICB by its own practices' lists alone, and by all the lists of the catchment.

    Attributes
    ----------
    icb:
        The ICB.
    table:
        Index area, each that is of the ICB or where a patient of its teams lives: `home`, `registered` (on
        any list), `with_icb` (on its teams' lists), `own_icb_team` (largest of its teams; missing if none has
        a patient), `largest_team`, `largest_icb` (of all lists) and `what`.
    outside:
        Patients of its teams who live in no English area.
    lists:
        Whose lists all of them are: "all England's lists", or those of so many ICBs.
    """

    icb: str
    table: pd.DataFrame
    outside: float
    lists: str

    @property
    def summary(self) -> pd.DataFrame:
        """Index `what`: `areas`, `registered`, `with_icb`.

        "same team": an area of the ICB with one team either way. "goes to another ICB": an area of the ICB
        whose largest team is another's. "comes from another ICB": an area of another whose largest team is
        this one's. "only some patients": an area of another ICB, with another's team. "none of its teams": an
        area of the ICB in which none of its teams has a patient.
        """
        table = self.table.assign(areas=1)
        return table.groupby("what")[["areas", "registered", "with_icb"]].sum()

    def __repr__(self) -> str:
        goes, comes = (self.table.loc[self.table["what"] == what, "registered"] for what in (GOES, COMES))
        return (
            f"<OwnIcbAssignment of {self.icb}: by {self.lists} {len(goes):,} of its areas "
            f"({goes.sum():,.0f} registered people) go to a team of another ICB, and {len(comes):,} "
            f"({comes.sum():,.0f}) come from another>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.summary)


def own_icb_assignment(catchment: Catchment, icb: str, home: pd.Series) -> OwnIcbAssignment:
    """First past the post from one ICB's lists alone, beside that from all lists: best all England's.

    A file cut to one ICB cannot show that an area at its edge is mostly with the neighbour's practices: its
    own lists give it the area all the same. So it cannot be asked here; with the lists of the ICBs around,
    what it is compared to is those. `home`: area -> ICB, every area of the catchment.

    Raises UnknownCodeError if no team belongs to `icb`, if no area has it as its home, or if an area has no
    home, InvalidValueError for the lists of this ICB alone or for shares that count nobody.
    """
    catchment.refuse_shares_alone()
    check_series(home, "the homes of areas")
    is_team = catchment.teams["is_team"].to_numpy(np.bool_)
    ours = (catchment.teams["icb"] == icb).to_numpy() & is_team
    icbs = set(catchment.teams.loc[is_team, "icb"]) - {""}
    if not ours.any():
        raise UnknownCodeError(
            f"No team belongs to the ICB {icb!r}; there are {len(icbs):,}: {first_few(sorted(icbs), 50)}. "
            "Write the code as the map does (an ODS code such as QHM, not E54…)."
        )
    if ours[is_team].all():
        raise InvalidValueError(
            f"All {int(ours.sum()):,} teams of this catchment are of {icb}: there are no other lists to set "
            "its own beside. Read the registrations of all England, or of the ICBs around it too."
        )
    if not (home == icb).any():
        raise UnknownCodeError(
            f"No area has {icb} as its home; areas have {first_few(home.dropna().unique())}. Give both in "
            "the same codes (an ODS code such as QHM, not E54…)."
        )
    area_home = labels_by_area(catchment.areas, home.to_frame("home"), "the homes of areas")["home"]
    flows = catchment.flows
    alone = chosen_team(flows, assign.first_past_the_post(flows, ours))
    largest = chosen_team(flows, assign.first_past_the_post(flows, is_team))
    here = (area_home == icb).to_numpy()
    won = (largest >= 0) & ours[largest]
    what = np.select([here & won, here & (alone < 0), here, won], [SAME, UNSERVED, GOES, COMES], FEW).astype(
        object
    )
    table = pd.DataFrame(
        {
            "home": area_home.to_numpy(),
            "registered": catchment.size_of_area,
            "with_icb": flows @ ours.astype(np.float64),
            "own_icb_team": team_codes(catchment, alone),
            "largest_team": team_codes(catchment, largest),
            "largest_icb": team_codes(catchment, largest, column="icb"),
            "what": what,
        },
        index=catchment.areas,
    )
    beyond = float(catchment.registered_by_team.loc[ours, "outside"].sum())
    lists = (
        "all England's lists"
        if catchment.is_national
        else f"the lists of {len(icbs):,} ICBs (not all England's)"
    )
    return OwnIcbAssignment(icb, table[here | (alone >= 0)], beyond, lists)


LISTED, BEYOND, UNLISTED = "registered", "registered, outside these areas", "resident, on no list"
ELSEWHERE = "resident, on other lists or none"
SERVES = ("registered", "residents", "both")


@dataclass(frozen=True, eq=False)
class PeopleServed:
    """Everybody by the number of teams that answer for them.

    Attributes
    ----------
    table:
        Index `people`, three groups and "Everybody": people served by `no_team`, `one_team`, `two_teams`, and
        `all`. "registered" live in these areas; "registered, outside these areas" do not; "resident, on no
        list" are the residents that an area has more than registered patients. With the lists of a part of
        England these are nearly all on lists that were not read: their row is then "resident, on other lists
        or none", stands after "Everybody", and is in neither that sum, `teams` nor `areas`.
    teams:
        Index team, those that are teams: `serves`, and its people `as_registered` only, `as_resident` only
        (on another list, or on none), as `both`, `people` in all, and of these `shared` with a second team.
    areas:
        Index area: people living there served by `no_team`, `one_team` and `two_teams`.
    residents_known:
        Whether residents were given; without them nobody is known to be on no list.
    """

    table: pd.DataFrame
    teams: pd.DataFrame
    areas: pd.DataFrame
    residents_known: bool

    def __repr__(self) -> str:
        total = self.table.loc["Everybody"]
        if ELSEWHERE in self.table.index:
            beyond = float(self.table["all"][ELSEWHERE])
            rest = f"; {beyond:,.0f} other residents are on other lists or on none, and not among them"
        else:
            rest = "" if self.residents_known else "; residents on no list are not known"
        return (
            f"<PeopleServed: of {total['all']:,.0f} people {total['one_team']:,.0f} have one team, "
            f"{total['two_teams']:,.0f} have two and {total['no_team']:,.0f} none{rest}>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def people_served(
    catchment: Catchment,
    areas: pd.Series,
    serves: str | pd.Series,
    *,
    residents: pd.Series | None = None,
) -> PeopleServed:
    """Count people served by no team, one team and two, when teams answer for lists, for areas or for both.

    areas: area -> team, the whole areas whose residents a team answers for (`team_of_area()`); an area that
        is not in it has no such team.
    serves: "registered" (everybody on its lists, wherever they live), "residents" (everybody who lives in its
        areas, whatever their list), or "both"; one word for all teams, or a Series team -> word. Groups that
        are no team serve nobody.
    residents: people by area. Those an area has beyond its registered patients are on no list: no team that
        serves its registered patients alone answers for them. With the lists of a part of England they are
        on other lists or none, and stand apart (see `PeopleServed`), as everywhere in this library. More
        registered than resident adds nobody.

    A team that serves both and has a patient in its own areas is one team for that patient.

    Raises InvalidValueError for an unknown word, or for residents that are negative or named as a rate;
    UnknownCodeError for a team without a word, or an area or team that the catchment does not have;
    VintageError for areas of another census.
    """
    catchment.refuse_shares_alone()
    is_team = catchment.teams["is_team"].to_numpy(np.bool_)
    word = _words(catchment.teams.index[is_team], serves).reindex(catchment.teams.index)
    by_list = word.isin(["registered", "both"]).to_numpy()
    by_place = word.isin(["residents", "both"]).to_numpy()
    owner = owners(catchment, areas)
    placed = (owner >= 0) & by_place[owner]
    flows = catchment.flows
    row, team = assign.rows_of(flows), flows.indices
    same = owner[row] == team
    listed, resident = by_list[team], placed[row]
    teams_of_flow = listed.astype(np.int64) + resident - (listed & resident & same)
    outside = catchment.registered_by_team["outside"].to_numpy()
    unlisted = np.zeros(len(catchment.areas))
    if residents is not None:
        known = catchment.aligned(people_living(catchment, residents), "the residents", cover=False)
        unlisted = np.maximum(known - catchment.size_of_area, 0.0)
    apart = residents is not None and of_part_of_england(catchment)
    parts = {
        LISTED: (flows.data, teams_of_flow),
        BEYOND: (outside, by_list.astype(np.int64)),
        ELSEWHERE if apart else UNLISTED: (unlisted, placed.astype(np.int64)),
    }
    table = pd.DataFrame(
        {name: rank.group_sums(count, 3, people) for name, (people, count) in parts.items()},
        index=["no_team", "one_team", "two_teams"],
    ).T.rename_axis("people")
    table.loc["Everybody"] = table.drop(index=ELSEWHERE, errors="ignore").sum()
    if apart:
        table = table.loc[[LISTED, BEYOND, "Everybody", ELSEWHERE]]
        unlisted = np.zeros(len(catchment.areas))
    by_area = rank.group_sums(row * 3 + teams_of_flow, 3 * len(owner), flows.data).reshape(-1, 3)
    by_area[np.arange(len(owner)), placed.astype(np.int64)] += unlisted
    by_team = _served_by_team(catchment, word, flows.data, (row, team), owner, (listed, resident, same))
    by_team["as_registered"] += np.where(by_list, outside, 0.0)
    by_team["as_resident"] += rank.group_sums(owner[placed], len(catchment.teams), unlisted[placed])
    by_team.insert(4, "people", by_team[["as_registered", "as_resident", "both"]].sum(axis=1))
    return PeopleServed(
        table.assign(all=table.sum(axis=1)),
        by_team[is_team],
        pd.DataFrame(by_area, index=catchment.areas, columns=["no_team", "one_team", "two_teams"]),
        residents is not None,
    )


def _served_by_team(
    catchment: Catchment,
    word: pd.Series,
    people: Floats,
    flow: tuple[Ints, Ints],
    owner: Ints,
    how: tuple[Bools, Bools, Bools],
) -> pd.DataFrame:
    """People on flows by team and by how it serves them, a row for each of `teams`."""
    (row, team), (listed, resident, same) = flow, how

    def add(of: Ints, which: Bools) -> Floats:
        return rank.group_sums(of[which], len(catchment.teams), people[which])

    lives_with = owner[row]
    shared = listed & resident & ~same
    return pd.DataFrame(
        {
            "serves": word.to_numpy(object),
            "as_registered": add(team, listed & ~(resident & same)),
            "as_resident": add(lives_with, resident & ~(listed & same)),
            "both": add(team, listed & resident & same),
            "shared": add(team, shared) + add(lives_with, shared),
        },
        index=catchment.teams.index,
    )


def _words(teams: pd.Index, serves: str | pd.Series) -> pd.Series:
    """What each team serves, checked."""
    words = pd.Series(serves, index=teams) if isinstance(serves, str) else serves
    missing = teams.difference(words.dropna().index)
    if len(missing):
        raise UnknownCodeError(
            f"{len(missing):,} of {len(teams):,} teams do not say whom they serve: {first_few(missing)}. "
            f"Give each one of {', '.join(SERVES)}."
        )
    if words.index.has_duplicates:
        twice = words.index[words.index.duplicated()].unique()
        raise InvalidValueError(f"{len(twice):,} teams say twice whom they serve: {first_few(twice)}.")
    wrong = words[~words.isin(SERVES)]
    if len(wrong):
        raise InvalidValueError(
            f"{len(wrong):,} teams serve something else than {', '.join(SERVES)}: "
            f"{first_few(wrong.unique())}. Choose one of these words."
        )
    return words.reindex(teams)


__all__ = [
    "LivingOutside",
    "OwnIcbAssignment",
    "PeopleServed",
    "living_outside",
    "own_icb_assignment",
    "people_served",
]
