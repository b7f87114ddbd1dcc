"""How well lists, areas and teams fit each other: coverage, overlap, who lives outside, who is served.

Nothing here changes a catchment: each function reads its flows and says what a planner should know of them.

Sources: overlap as in Beaney et al. 2022, BJGP Open 6(4) BJGPO.2022.0037 (PCNs, April 2021); the localisation
index as in Mazumdar et al. 2014, Int J Health Geogr 13:38.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from needsalloc.alignment import check_series, numbers, refuse_counts, refuse_rates, refuse_twice
from needsalloc.catchment import Catchment
from needsalloc.display import sentence_and_table
from needsalloc.errors import InvalidValueError, UnknownCodeError, first_few
from needsalloc.geography import AREAS_OF_ENGLAND, FIRST_2021_CODE, check_same_vintage, is_english
from needsalloc.kernels import assign, flow, rank

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, eq=False)
class AreaCoverage:
    """Registered over resident, by area.

    Attributes
    ----------
    table:
        Index area, every English area of the residents: `registered`, `resident`, `coverage` (registered /
        resident; infinite where nobody is resident) and `flag`, which is empty where nothing is odd.
    people:
        All patients by what became of them (`Catchment.coverage`): those without a team or an English area
        have rows of their own.
    below:
        The coverage under which an area is flagged.
    registered_on, residents_on:
        The days of the two counts, None where not known. What they differ by holds the growth between them.
    """

    table: pd.DataFrame
    people: pd.DataFrame
    below: float
    registered_on: date | None
    residents_on: date | None

    @property
    def flagged(self) -> pd.DataFrame:
        """The areas with a flag, the lowest coverage first."""
        return self.table[self.table["flag"] != ""].sort_values("coverage", kind="stable")

    @property
    def summary(self) -> pd.DataFrame:
        """Index `flag`, "none" and "All areas" the last: `areas, registered, resident, coverage`."""
        table = self.table.assign(flag=self.table["flag"].replace("", "none"), areas=1)
        order = sorted(table["flag"].unique(), key=lambda flag: (flag == "none", flag))
        rows = table.groupby("flag")[["areas", "registered", "resident"]].sum().loc[order]
        rows.loc["All areas"] = rows.sum()
        rows["areas"] = rows["areas"].astype(np.int64)
        return rows.assign(coverage=ratio(rows["registered"], rows["resident"]))

    @property
    def list_inflation(self) -> pd.Series:
        """Registered / resident - 1: "all" areas together, and quantiles over areas where both are known."""
        table = self.table[(self.table["registered"] > 0) & (self.table["resident"] > 0)]
        quantiles = table["coverage"].quantile(list(QUANTILES)) - 1
        whole = table["registered"].sum() / table["resident"].sum() - 1 if len(table) else np.nan
        rows = pd.concat([pd.Series({"all": whole}), quantiles.set_axis([f"{q:.0%}" for q in QUANTILES])])
        return rows.rename("list_inflation").rename_axis("areas")

    def __repr__(self) -> str:
        total = self.summary.loc["All areas"]
        low = self.table[self.table["coverage"] < self.below]
        return (
            f"<AreaCoverage: {total['registered']:,.0f} registered ({_day(self.registered_on)}) and "
            f"{total['resident']:,.0f} resident ({_day(self.residents_on)}) in {len(self.table):,} areas, "
            f"{total['coverage']:.3f} to one; {len(low):,} areas are under {self.below:.0%}, with "
            f"{low['registered'].sum():,.0f} registered of {low['resident'].sum():,.0f} residents>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.flagged)


def coverage_by_area(
    catchment: Catchment, residents: pd.Series, *, below: float = 0.5, residents_on: date | None = None
) -> AreaCoverage:
    """Registered patients over residents of each area, with a flag where the two cannot be the same people.

    residents: people by area (the population file's ages added up), no rate. Areas in which nobody of these
        lists lives stay in the table, flagged; areas of other countries are left out.
    below: flag areas with less registered per resident, "under 50%". Low coverage is the mark of the edge of
        the lists (people registered in Wales), barracks and prisons; in England in July 2023, 35 areas.
    residents_on: the day of the population, for the record.

    Raises UnknownCodeError if an area with patients has no residents given, VintageError for two vintages,
    InvalidValueError for an area twice, missing or negative numbers, what is named as a rate, or a threshold
    that is no share.

    >>> from needsalloc import Catchment, synthetic
    >>> england = synthetic.england(areas=60, pcns=3, seed=1)
    >>> catchment = Catchment.from_registrations(england.registrations, england.membership)
    >>> list(coverage_by_area(catchment, england.population.sum(axis=1)).table)
    ['registered', 'resident', 'coverage', 'flag']
    """
    catchment.refuse_shares_alone()
    if not 0 < below <= 1:
        raise InvalidValueError(f"Areas below {below!r} are to be flagged: write 0.5 for 50 per cent.")
    counted = people_living(catchment, residents)
    catchment.aligned(counted, "the residents", cover=False)
    resident = counted.sort_index()
    resident.index.name = catchment.areas.name
    registered = catchment.registered_by_area.reindex(resident.index, fill_value=0.0)
    coverage = ratio(registered, resident)
    flag = np.select(
        [resident == 0, registered == 0, coverage < below],
        ["nobody resident", "nobody registered", f"under {below:.0%}"],
        "",
    )
    table = pd.DataFrame(
        {"registered": registered, "resident": resident, "coverage": coverage, "flag": flag.astype(object)}
    )
    return AreaCoverage(table, catchment.coverage(), below, catchment.on, residents_on)


def deprivation_fifth(decile: pd.Series) -> pd.Series:
    """Fifths of areas, 1 the most deprived, from national deciles of 1 to 10.

    Raises InvalidValueError for anything else in the column.

    >>> deprivation_fifth(pd.Series([1, 2, 3, 10])).tolist()
    [1, 1, 2, 5]
    """
    check_series(decile, "the deciles")
    wrong = decile.index[~decile.isin(range(1, 11))]
    if len(wrong):
        raise InvalidValueError(
            f"{len(wrong):,} areas have no deprivation decile from 1 to 10: {first_few(wrong)}. "
            "Mend those rows of the deprivation file."
        )
    return ((decile.astype(np.int64) + 1) // 2).rename("deprivation_fifth")


def deprivation_fifth_of_teams(catchment: Catchment, score: pd.Series) -> pd.Series:
    """Fifths of teams, 1 the most deprived: five groups of equal number by the mean score of their patients.

    score: a deprivation score by area, the higher the more deprived. The mean is over each team's patients
        who live in these areas, whatever the method; a team without any has no fifth. Equal means go by code.

    Raises UnknownCodeError or VintageError if an area has no score, InvalidValueError for deciles or ranks,
    which grow the other way, and for what is named as a count.
    """
    check_series(score, "the scores")
    if re.search("decile|quintile|fifth|rank", str(score.name).lower()):
        raise InvalidValueError(
            f"{score.name} is no score: it falls as deprivation grows, and its steps are uneven. Give the "
            "score itself (imd_score)."
        )
    refuse_counts(score, "averaging", "a score by area")
    by_team = flow.column_shares(catchment.flows).T @ catchment.aligned(score, "the scores", cover=False)
    anybody = flow.total_by_column(catchment.flows) > 0
    mean = pd.Series(by_team, index=catchment.teams.index)[catchment.teams["is_team"].to_numpy() & anybody]
    place = (-mean).rank(method="first")
    fifth = (5 * (place - 1) // len(mean) + 1).astype("Int64")
    teams = catchment.teams.index[catchment.teams["is_team"]]
    return fifth.reindex(teams).rename("deprivation_fifth")


def label_of_most_patients(catchment: Catchment, labels: pd.Series) -> pd.Series:
    """The label of areas (urban or rural, a district) in which the largest part of each team's patients live.

    labels: a label by area, every area. Counted over the team's patients who live in these areas, whatever
        the method; a team without any has none. Of equals the first in order.

    Raises UnknownCodeError or VintageError if an area has no label.
    """
    check_series(labels, "the labels")
    found = labels_by_area(catchment.areas, labels.to_frame("label"), "the labels")["label"]
    code, known = pd.factorize(found, sort=True)
    flows = catchment.flows
    pair = flows.indices.astype(np.int64) * len(known) + code[assign.rows_of(flows)]
    teams = catchment.teams
    patients = rank.group_sums(pair, len(teams) * len(known), flows.data).reshape(len(teams), -1)
    most = pd.Series(np.asarray(known)[patients.argmax(axis=1)], index=teams.index, name=labels.name)
    return most.where(patients.sum(axis=1) > 0)[teams["is_team"].to_numpy(np.bool_)]


@dataclass(frozen=True, eq=False)
class Overlap:
    """How far areas are with their own team, and teams' patients live in their own areas.

    The patients who make up both shares are the same: those who live in an area and are with its own team.

    Attributes
    ----------
    areas:
        Index area: `own_team` (missing where the area has none), `registered`, `own` (patients with that
        team), `other_teams`, `no_team` (of practices without one), `own_share` (own / registered: the
        localisation of the area; NaN without a team of its own), the next largest `second_team` with its
        `second_share`, and `tied`, where only the order of the codes made the team the area's own.
    teams:
        Index team: `team_name`, `is_team`, `registered`, `in_catchment` (patients who live in its areas),
        `living_inside` (in_catchment / registered: the localisation of the team), the number of its `areas`,
        `catchment_registered` (patients of anybody who live in them) and `own_share` (in_catchment /
        catchment_registered).
    of_part:
        Whether the lists are of a part of England: people of these areas who are on other lists are missing.
    """

    areas: pd.DataFrame
    teams: pd.DataFrame
    of_part: bool

    def by(self, groups: pd.Series | pd.DataFrame) -> pd.DataFrame:
        """Overlap of the areas by any grouping of them: a fifth of deprivation, rurality, both, an ICB.

        groups: a Series, or several columns of a DataFrame, by area; every area must have its group.
        Returns, by group: `areas`, `registered`, `own`, `own_share` (own / registered: the mean over people),
        `area_mean` and the quantiles of the areas' shares. Areas without an own team count as own 0 in
        `own_share` and are left out of the mean and quantiles.

        Raises UnknownCodeError if an area has no group.
        """
        keys = labels_by_area(self.areas.index, _as_frame(groups), "the groups")
        return _by_group(self.areas, keys, "area", "own", "own_share")

    def teams_by(self, groups: pd.Series | pd.DataFrame) -> pd.DataFrame:
        """Localisation of the teams by any grouping of them: their fifth of deprivation, rurality, an ICB.

        groups: a Series, or several columns of a DataFrame, by team (`deprivation_fifth_of_teams`,
            `label_of_most_patients`); every team must be in it, one without a group is counted in a row NaN.
            Groups that are no team are left out.
        Returns, by group: `teams`, `registered`, `in_catchment`, `living_inside` (in_catchment / registered:
        the mean over patients), `team_mean` and the quantiles of the teams' shares.

        The measure is the study's, the share of a PCN's patients who live in its catchment. Its areas are
        those of `by`; here a patient counts with the group of the team, wherever that patient lives.

        Raises UnknownCodeError if a team is missing from the groups.
        """
        frame = _as_frame(groups)
        teams = self.teams[self.teams["is_team"]]
        missing = teams.index.difference(frame.index)
        if len(missing):
            raise UnknownCodeError(
                f"{len(missing):,} of {len(teams):,} teams are missing from the groups: "
                f"{first_few(missing)}. Groups of teams go by team; those of areas are for by()."
            )
        refuse_twice(frame.index, "the groups", "teams")
        return _by_group(teams, frame.loc[teams.index], "team", "in_catchment", "living_inside")

    def __repr__(self) -> str:
        areas, teams = self.areas, self.teams[self.teams["is_team"]]
        # An area far from these lists, with one patient on them, is all its own team's.
        median = "" if self.of_part else f" (median area {areas['own_share'].median():.1%})"
        part = "; by these lists alone, which are not all England's" if self.of_part else ""
        return (
            f"<Overlap: {areas['own'].sum() / areas['registered'].sum():.1%} of registered people are with "
            f"their area's own team{median}; the median of "
            f"{len(teams):,} teams has {teams['living_inside'].median():.1%} of its patients inside its "
            f"catchment; areas tied: {int(areas['tied'].sum()):,}{part}>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.teams)


def overlap(catchment: Catchment, own: pd.Series | None = None) -> Overlap:
    """Share of each area registered with its own team, and of each team's patients who live in its catchment.

    own: area -> team, the catchments by whole areas; areas that it lacks have no team. By default the team
        with the largest share (first past the post, ties to the lower code), as in the study of PCNs. Groups
        that are no team never own an area; their patients stay in every denominator.

    It is read from all lists that the catchment holds. With one ICB's alone, areas at their edge seem wholly
    its own: read the shares by people, or use the lists of all England.

    Raises UnknownCodeError for a team or an area that the catchment does not have, VintageError for areas of
    another census.
    """
    catchment.refuse_shares_alone()
    flows, is_team = catchment.flows, catchment.teams["is_team"].to_numpy(np.bool_)
    row, registered = assign.rows_of(flows), catchment.size_of_area
    first = assign.first_past_the_post(flows, is_team)
    owner = chosen_team(flows, first) if own is None else owners(catchment, own)
    with_own = flows.indices == owner[row]
    others = flows.copy()
    others.data = np.where(with_own, 0.0, flows.data)
    second = chosen_team(others, assign.first_past_the_post(others, is_team))

    def by_area(people: Floats) -> Floats:
        return rank.group_sums(row, len(owner), people)

    own_patients = by_area(flows.data * with_own)
    no_team = by_area(flows.data * ~is_team[flows.indices])
    second_patients = by_area(others.data * (flows.indices == second[row]))
    tied = np.full(len(owner), False)
    if own is None:
        tied[row[first.tied]] = True
    areas = pd.DataFrame(
        {
            "own_team": team_codes(catchment, owner),
            "registered": registered,
            "own": own_patients,
            "other_teams": registered - own_patients - no_team,
            "no_team": no_team,
            "own_share": np.where(owner >= 0, own_patients / registered, np.nan),
            "second_team": team_codes(catchment, second),
            "second_share": np.where(second >= 0, second_patients / registered, np.nan),
            "tied": tied,
        },
        index=catchment.areas,
    )
    return Overlap(areas, _overlap_of_teams(catchment, owner, own_patients), of_part_of_england(catchment))


def _overlap_of_teams(catchment: Catchment, owner: Ints, own_patients: Floats) -> pd.DataFrame:
    owned, count = owner >= 0, len(catchment.teams)
    teams = catchment.teams[["team_name", "is_team"]].copy()
    teams["registered"] = catchment.registered_by_team["registered"]
    teams["in_catchment"] = rank.group_sums(owner[owned], count, own_patients[owned])
    teams["living_inside"] = ratio(teams["in_catchment"], teams["registered"])
    teams["areas"] = np.bincount(owner[owned], minlength=count)
    people = catchment.size_of_area
    teams["catchment_registered"] = rank.group_sums(owner[owned], count, people[owned])
    teams["own_share"] = ratio(teams["in_catchment"], teams["catchment_registered"])
    return teams


def _as_frame(groups: pd.Series | pd.DataFrame) -> pd.DataFrame:
    return groups.to_frame(str(groups.name or "group")) if isinstance(groups, pd.Series) else groups


def _by_group(table: pd.DataFrame, keys: pd.DataFrame, noun: str, part: str, share: str) -> pd.DataFrame:
    """Areas or teams (`noun`) by their groups (`keys`, same rows): people, their share, and shares each."""
    count = f"{noun}s"
    by = [keys[column].set_axis(table.index) for column in keys]
    # What the rows are counted in may be the name of one of their columns.
    rows = table[["registered", part, share]].assign(**{count: 1})
    grouped = rows.groupby(by, observed=True, dropna=False)
    found = grouped[[count, "registered", part]].sum()
    found[share] = ratio(found[part], found["registered"])
    found[f"{noun}_mean"] = grouped[share].mean()
    for quantile in QUANTILES:
        found[f"{noun}_{quantile:.0%}"] = grouped[share].quantile(quantile)
    found.index.names = list(keys)
    return found


def _day(day: date | None) -> str:
    return f"{day.day} {day:%b %Y}" if day else "day not given"


def ratio(part: pd.Series, whole: pd.Series) -> pd.Series:
    """part / whole; NaN where both are 0, infinite where only the whole is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return pd.Series(part.to_numpy(np.float64) / whole.to_numpy(np.float64), index=part.index)


def chosen_team(flows: sparse.csr_array, chosen: assign.Chosen) -> Ints:
    """The chosen column of each row (rows,), -1 where none is."""
    column = np.full(flows.shape[0], -1, dtype=np.int64)
    column[assign.rows_of(flows)[chosen.entries]] = flows.indices[chosen.entries]
    return column


def team_codes(catchment: Catchment, team: Ints, column: str | None = None) -> pd.Series:
    """Codes (or a column of `teams`) at positions, by area; missing where a position is -1."""
    values = catchment.teams.index if column is None else catchment.teams[column]
    codes = pd.Series(values.to_numpy(object)[team], index=catchment.areas, dtype="str")
    return codes.where(team >= 0)


def owners(catchment: Catchment, own: pd.Series) -> Ints:
    """Positions of the teams to which whole areas are given (areas,), -1 where an area has none."""
    check_series(own, "the teams of areas")
    given = own.dropna()
    if given.empty:  # no team leads anywhere
        return np.full(len(catchment.areas), -1)
    _check_known(catchment.areas, given.index, "the teams of areas")
    teams = catchment.teams.index[catchment.teams["is_team"]]
    unknown = pd.Index(given[~given.isin(teams)].unique())
    if len(unknown):
        raise UnknownCodeError(
            f"{len(unknown):,} teams of areas are no teams of this catchment: {first_few(unknown)}. "
            f"It has {len(teams):,}: {first_few(teams)}."
        )
    at_area = given.reindex(catchment.areas)
    return catchment.teams.index.get_indexer(pd.Index(at_area)).astype(np.int64)


def _of_these_areas(catchment: Catchment, areas: pd.Index) -> NDArray[np.bool_]:
    """Which areas are England's, or the catchment's own; all of them where the areas are no LSOAs."""
    if catchment.areas.name not in AREAS_OF_ENGLAND:
        return np.full(len(areas), True)
    return is_english(areas) | areas.isin(catchment.areas)


def of_part_of_england(catchment: Catchment) -> bool:
    """Whether the lists are of a part of England, so that people of these areas may be on others."""
    return catchment.areas.name in AREAS_OF_ENGLAND and not catchment.is_national


def people_living(catchment: Catchment, residents: pd.Series) -> pd.Series:
    """People by area, of England or of the catchment's own areas, checked to be counts."""
    check_series(residents, "the residents")
    refuse_rates(residents, "counting residents by it", "the people of each area")
    here = residents[_of_these_areas(catchment, residents.index)]
    people = pd.Series(numbers(here, "the residents"), index=here.index)
    wrong = people.index[~(np.isfinite(people) & (people >= 0))]
    if len(wrong):
        raise InvalidValueError(
            f"{len(wrong):,} areas have missing or negative residents: {first_few(wrong)}. Mend those rows."
        )
    return people


def _check_once(given: pd.Index, what: str) -> None:
    if given.nlevels > 1:
        raise InvalidValueError(
            f"Give {what} by area alone; the index is {first_few(given.names)}, of {given.nlevels} levels."
        )
    if given.has_duplicates:
        twice = given[given.duplicated()].unique()
        raise InvalidValueError(
            f"{len(twice):,} areas stand twice in {what}: {first_few(twice)}. Leave one row of each."
        )


def _check_known(areas: pd.Index, given: pd.Index, what: str) -> None:
    """Refuse what is given for other areas than `areas`; it need not be there for all of them."""
    _check_once(given, what)
    unknown = given.difference(areas)
    if unknown.empty:  # a code names the same area in either census
        return
    # Codes that are in both censuses read as 2011, so only a name or a code of 2021 alone tells.
    is_new = (unknown[is_english(unknown)] >= FIRST_2021_CODE).any()
    named = given.name in AREAS_OF_ENGLAND and given.name != areas.name
    if areas.name in AREAS_OF_ENGLAND and (named or (areas.name == "lsoa11" and is_new)):
        check_same_vintage(given, areas, left_name=what, right_name="the catchment")
    raise UnknownCodeError(
        f"{len(unknown):,} of {len(given):,} areas of {what} are not in this catchment: "
        f"{first_few(unknown)}. Check their codes and their census; if nobody of these lists lives there, "
        "leave them out."
    )


def labels_by_area(areas: pd.Index, labels: pd.DataFrame, what: str) -> pd.DataFrame:
    """Labels in the order of `areas`, all there and all known."""
    if not isinstance(labels, pd.DataFrame):
        raise InvalidValueError(
            f"Give {what} as a pandas Series or DataFrame by area, not a {type(labels).__name__}."
        )
    _check_once(labels.index, what)
    if areas.name in AREAS_OF_ENGLAND and areas.name != labels.index.name:
        check_same_vintage(areas, labels.index, left_name="The catchment", right_name=what)
    found = labels.reindex(areas)
    missing = areas[found.isna().any(axis=1)]
    if len(missing):
        raise UnknownCodeError(
            f"{len(missing):,} of {len(areas):,} areas are missing from {what}: {first_few(missing)}. "
            "Use a file that covers every area of the registrations."
        )
    return found


__all__ = [
    "AreaCoverage",
    "Overlap",
    "coverage_by_area",
    "deprivation_fifth",
    "deprivation_fifth_of_teams",
    "label_of_most_patients",
    "overlap",
]
