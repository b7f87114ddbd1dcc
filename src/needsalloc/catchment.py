"""Catchments: who uses which team, by where they live.

`n[a, t]` patients live in area `a` and are registered with team `t`. Two directions, two names:
`resident_share` is the part of an area's people who are with a team; `patient_share` is the part of a team's
patients who live in an area (columns sum to 1). How shares follow from flows is the method (`methods`): by
default every area is shared out in proportion to its flows, and its row sums to 1.

Source: proportional flow, Norris-Bailey / South West Public Health Observatory 2006; Jones et al. 2011,
doi:10.1007/s10729-011-9154-y.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
import pandas as pd
from scipy import sparse

from needsalloc import alignment, grouping
from needsalloc import strata as of_strata
from needsalloc import teams as of_teams
from needsalloc.display import sentence_and_table
from needsalloc.errors import InvalidValueError, UnknownCodeError, first_few
from needsalloc.geography import AREAS_OF_ENGLAND, Vintage, is_english, vintage_in
from needsalloc.kernels import assign, flow
from needsalloc.methods import PROPORTIONAL, Method, method
from needsalloc.relations import check_vintage_of, kind_of_area, relation, whole_shares
from needsalloc.strata import Strata
from needsalloc.teams import UNASSIGNED

if TYPE_CHECKING:
    import folium
    import geopandas as gpd
    from matplotlib.axes import Axes

ON_OTHER_LISTS = "on other lists"
_AREA_NAMES = {"lsoa11": "LSOAs (2011)", "lsoa21": "LSOAs (2021)"}
_RESULTS = ("team", "registered", "resident_share", "patient_share", "given")
_Values = TypeVar("_Values", pd.Series, pd.DataFrame)


@dataclass(frozen=True, eq=False)
class Catchment:
    """Areas to teams: an immutable relation with labels.

    Attributes
    ----------
    registered:
        Patients by area and practice: sparse, (areas, practices).
    areas, practices:
        Their codes, sorted. `areas.name` is the census vintage, "lsoa11" or "lsoa21", or the name of another
        kind of area. Flows to other providers than practices, such as trusts, have these in `practices`.
    teams:
        One row per team, index `team`: `team_name`, `icb` (of most of its patients), `icb_name`,
        and `is_team`, False for the groups that are no team (practices without a PCN, practices missing from
        the map, areas in no catchment).
    team_of_practice:
        (practices,) position of each practice's team in `teams`.
    outside:
        Patients who live in no such area: `practice, group, patients`.
    on:
        The day the lists were counted.
    method:
        How shares follow from flows.
    unit:
        What is counted: "patients", "residents" (see `with_residents`), or "shares" where nobody is.
    residents:
        (areas,) people who live there, where they are counted in place of the patients.
    strata:
        The flows by age, or by age and sex, of a stratified catchment.
    """

    registered: sparse.csr_array
    areas: pd.Index
    practices: pd.Index
    teams: pd.DataFrame
    team_of_practice: np.ndarray
    outside: pd.DataFrame
    on: date | None
    method: Method = PROPORTIONAL
    unit: Literal["patients", "residents", "shares"] = "patients"
    residents: np.ndarray | None = None
    strata: Strata | None = None

    def __post_init__(self) -> None:
        # Shares are worked out once: what they rest on must not change under them.
        for array in (self.registered.data, self.registered.indices, self.registered.indptr):
            array.setflags(write=False)

    @classmethod
    def from_registrations(
        cls,
        registrations: pd.DataFrame,
        membership: pd.DataFrame | None = None,
        *,
        teams: str = "pcn",
        areas: str = "england",
    ) -> Catchment:
        """The catchment of PCNs, or of the practices themselves if there is no `membership`.

        registrations: `practice`, `lsoa11` or `lsoa21`, `patients` (see `read_registrations`); rows that
            repeat a practice and area are added up.
        membership: `practice, pcn, pcn_name, icb, icb_name` (see `read_membership`).
        teams: the column of the map that names the team: "pcn", "practice", "sub_icb", "icb", or one of your
            own, such as a neighbourhood.
        areas: "england" sets patients who live elsewhere aside, named and counted; "all" makes Welsh,
            Scottish and Northern Irish areas of the catchment too. Codes of no place are set aside in any
            case.

        Practices without a PCN and practices missing from the map are kept as groups of their own.

        Raises InvalidValueError for negative counts, for a practice that is twice in the map or if nobody
        lives in an area, UnknownCodeError if no practice is in the map.

        >>> from needsalloc import synthetic
        >>> england = synthetic.england(areas=60, pcns=3, seed=1)
        >>> Catchment.from_registrations(england.registrations, england.membership).teams.index.name
        'team'
        """
        if areas not in ("england", "all"):
            raise InvalidValueError(f'areas={areas!r} is unknown: choose "england" or "all".')
        vintage = vintage_in(registrations)
        found = relation(registrations, vintage, "practice", areas)
        registered, places, practices, away = found
        check_vintage_of(places)
        size = flow.total_by_column(registered)
        size += np.bincount(
            practices.get_indexer(pd.Index(away["practice"])), weights=away["patients"], minlength=len(size)
        )
        if membership is None:
            membership, teams = pd.DataFrame({"practice": practices}), "practice"
        team_of_practice, table = of_teams.teams_of_practices(practices, membership, size, teams)
        on = registrations.attrs.get("on")
        return cls(registered, places, practices, table, team_of_practice, away, on)

    @classmethod
    def from_flows(
        cls,
        flows: pd.DataFrame,
        *,
        area: str,
        team: str,
        patients: str | None = None,
        share: str | None = None,
        remainder: str = "refuse",
    ) -> Catchment:
        """The catchment of any flows from areas to teams, or of shares that somebody has worked out.

        flows: a row per area and team (a matrix becomes one by `melt`). `area` and `team` name the columns of
            codes, and either `patients` the column of counts (activity, any weight), or `share` that of the
            part of each area that is with the team.
        remainder: what to do where the shares of an area sum to less than 1, as published shares do when
            small numbers are suppressed: "refuse", "unassigned" (a group of its own, no team), or "rescale"
            to 1.

        Shares count nobody: give them people by `with_residents` before a rate is averaged.

        Raises InvalidValueError for negative values, for shares that do not sum to 1 (more than 1 in any
        case).

        >>> flows = pd.DataFrame({"msoa": ["E02000001"] * 2, "trust": ["R1H", "RAL"], "share": [0.6, 0.3]})
        >>> Catchment.from_flows(flows, area="msoa", team="trust", share="share", remainder="unassigned")
        <Catchment: 1 areas (msoa) → 2 teams, shares alone; 10.00% without a team>
        """
        if (patients is None) == (share is None):
            raise InvalidValueError("Name one column: patients= for counts, or share= for shares.")
        if share is None and remainder != "refuse":
            raise InvalidValueError("Counts have no remainder: leave remainder= out, or name a share=.")
        value = str(patients or share)
        if lacking := [name for name in (area, team, value) if name not in flows]:
            raise InvalidValueError(
                f"The flows lack the columns {first_few(lacking)}; they have {first_few(flows, 12)}."
            )
        twice = flows.columns[flows.columns.duplicated()].intersection([area, team, value])
        if len({area, team, value}) < 3 or area in _RESULTS or len(twice):
            raise InvalidValueError(
                f"area={area!r}, team={team!r} and {value!r} must be three columns, each there once, and the "
                f"areas must not be called {', '.join(_RESULTS)}, as columns of the results are."
            )
        if flows[team].astype("str").str.strip().str.lower().isin([UNASSIGNED]).any():
            raise InvalidValueError(
                f"No team may be called {UNASSIGNED!r}: that is the group of those in none."
            )
        kind = kind_of_area(flows[area], area)
        frame = pd.DataFrame({"practice": flows[team], kind: flows[area], "patients": flows[value]})
        if share is not None:
            frame = whole_shares(frame, kind, remainder)
        registered, places, codes, away = relation(frame, kind, "team", "england")
        blank = np.full(len(codes), "")
        position, table = of_teams.labelled(codes, codes, blank, blank, np.ones(len(codes)))
        table.loc[table.index == UNASSIGNED, "team_name"] = of_teams.UNASSIGNED_NAME
        return cls(
            registered,
            places if kind in AREAS_OF_ENGLAND else places.rename(area),
            codes,
            table,
            position,
            away,
            flows.attrs.get("on"),
            unit="patients" if share is None else "shares",
        )

    def with_method(
        self,
        name: str,
        *,
        share: float | None = None,
        residual: str | None = None,
        flows: pd.DataFrame | None = None,
        lists: pd.DataFrame | None = None,
        population: pd.DataFrame | None = None,
        by: str = of_strata.BY_AGE,
    ) -> Catchment:
        """The same flows by another method.

        name: "proportional", "first_past_the_post", "threshold", "cumulative" or "stratified" (see
            `methods`).
        share: of the threshold, 0.30 by default: an area is in the catchment of every team that at least this
            part of its registered people are with. Of the cumulative method, 0.80 by default, 0.50 to 0.98: a
            catchment is the fewest areas that hold this part of a team's patients.
        residual: of the threshold, what becomes of an area in which no team reaches it: "unassigned" (in no
            catchment, the default) or "largest" (to the team with the largest share).
        flows: for the stratified method, patients by stratum: `practice`, the areas' column, `stratum` and
            `patients`; or, to have them estimated by raking (`strata.estimate`),
        lists, population: the ages of practices (`read_lists`) and of areas (`read_population`), both; `by`
            "age", or "age and sex" for counts that have both in their columns.

        Practices without a PCN, or missing from the map, count in every share and are given no area. Equal
        claims go to the first by code and are listed in `ties`. Areas in no catchment are the row
        "unassigned".

        Raises InvalidValueError for an unknown method or option, and what `strata` raises.
        """
        chosen = method(name, share, residual)
        strata = self._strata(chosen, flows, lists, population, by)
        used = np.zeros(len(self.teams), dtype=np.bool_)
        used[self.team_of_practice] = True
        teams = self.teams[used]
        if chosen.by_whole_areas:
            teams = of_teams.with_group(teams, UNASSIGNED, of_teams.UNASSIGNED_NAME)
        made = replace(self, method=chosen, teams=teams, strata=strata)
        # The flows are the same ones; what comes or goes is the last group, which has none of them.
        own, shape = self.flows, (len(self.areas), len(teams))
        vars(made)["flows"] = sparse.csr_array((own.data, own.indices, own.indptr), shape=shape)
        vars(made)["size_of_area"] = self.size_of_area
        return made

    def _strata(
        self,
        chosen: Method,
        flows: pd.DataFrame | None,
        lists: pd.DataFrame | None,
        population: pd.DataFrame | None,
        by: str,
    ) -> Strata | None:
        """The flows by stratum that the stratified method needs, given or estimated."""
        ages = lists is not None and population is not None
        any_ages = lists is not None or population is not None
        if chosen.name != "stratified" and (flows is not None or any_ages):
            raise InvalidValueError(f"The method {chosen.name!r} takes no flows, lists or population.")
        if chosen.name == "stratified" and (any_ages != ages or ages == (flows is not None)):
            raise InvalidValueError(
                "The stratified method needs flows= by stratum; or lists= and population=, to estimate them."
            )
        if flows is not None:
            return of_strata.given(flows, self.areas, self.practices, self.registered)
        if lists is None or population is None:
            return None
        return of_strata.estimate(
            self.registered, self.areas, self.practices, lists=lists, population=population, by=by, on=self.on
        )

    def with_residents(self, residents: pd.Series) -> Catchment:
        """The same shares over the people who live in each area, in place of those registered.

        residents: people by area. They are what `served`, `patient_share` and `average` then count; `flows`
            and the choice of a method stay those of the patients. With shares alone (`from_flows`) this is
            what puts people into them.

        Raises as `apportion`, and InvalidValueError if there is nobody, or with shares alone nobody in an
        area.
        """
        alignment.check_series(residents, "the residents")
        people = self.aligned(residents, str(residents.name or "the residents"))
        if self.strata is not None:
            raise InvalidValueError(
                "A stratified catchment shares residents by age: give populations() the residents by area "
                "and age, or take the proportional method."
            )
        alone = self.unit == "shares"
        nobody = self.areas[people <= 0]
        if (people < 0).any() or not people.any() or (alone and len(nobody)):
            raise InvalidValueError(
                f"{len(nobody):,} of {len(people):,} areas have no residents: {first_few(nobody)}. "
                "Give people by area, of a date near the flows."
            )
        if alone:
            return replace(self, registered=flow.scale_rows(self.registered, people), unit="residents")
        return replace(self, residents=self.residents_here(people), unit="residents")

    def regroup(self, groups: pd.Series) -> Catchment:
        """The catchment of groups of practices, or of groups of areas.

        groups: index practices, or index areas; values the name of each one's group. A practice (or area)
            that is not in it stays, in the group "not in map" that is no team. A group of areas serves the
            people who live in them, whoever they are registered with. The method is proportional until
            another is named.

        Raises UnknownCodeError for a code that is not in this catchment, InvalidValueError for one that
        stands twice or has no group.
        """
        return replace(self, method=PROPORTIONAL, strata=None, **grouping.regrouped(self, groups))

    def crosswalk(self, other: Catchment) -> Catchment:
        """From the teams of this catchment to those of another, by the people they share.

        The teams of this catchment are the areas of the result: `apportion` carries their counts (staff,
        contacts) to the other's teams. Two groupings of the same practices share whole practices, and
        nothing is assumed; otherwise people meet in their areas, and within an area the two memberships are
        taken to be independent (which is exact where one of the two holds whole areas).

        Raises UnknownCodeError if the two have neither practices nor areas in common.
        """
        return Catchment(**grouping.between(self, other))

    @property
    def vintage(self) -> Vintage:
        """The census of the areas: "lsoa11" or "lsoa21"; VintageError if they are no LSOAs."""
        return vintage_in(pd.DataFrame(index=self.areas))

    @property
    def of_whole_areas(self) -> bool:
        """Whether teams are made of whole areas, by the method or by name, and not of practices."""
        return self.method.by_whole_areas or self.practices.name == grouping.OF_AREAS

    @property
    def serves(self) -> str:
        """Whom a team answers for: "registered" people, or "residents" where it is made of areas."""
        return "residents" if self.of_whole_areas or self.unit == "residents" else "registered"

    @cached_property
    def registered_by_practice(self) -> sparse.csc_array:
        """`registered` with each practice's areas together: sparse by columns, (areas, practices)."""
        return self.registered.tocsc()

    @cached_property
    def flows(self) -> sparse.csr_array:
        """Patients by area and team, whatever the method: (areas, teams)."""
        return flow.group_columns(self.registered, self.team_of_practice, len(self.teams))

    @cached_property
    def size_of_area(self) -> np.ndarray:
        """(areas,) patients of any team."""
        return flow.total_by_row(self.registered)

    @property
    def people_of_area(self) -> np.ndarray:
        """(areas,) the people who are shared out: the residents given, else the patients."""
        return self.size_of_area if self.residents is None else self.residents

    @cached_property
    def _chosen(self) -> assign.Chosen:
        """Which flows put an area into a catchment, for a method by whole areas."""
        return self.method.choose(self.flows, self.teams["is_team"].to_numpy())

    @cached_property
    def resident_share(self) -> sparse.csr_array:
        """The part of each area's people who are with each team, by the method: (areas, teams). Of a
        stratified catchment, the part of its registered people of all ages together.

        Rows sum to 1, but for threshold and cumulative catchments, in which an area may be of several teams;
        one that is of none is wholly "unassigned".
        """
        if not self.method.by_whole_areas:
            return flow.row_shares(self.flows)
        return flow.whole_rows(
            self.flows, self._chosen.entries, int(self.teams.index.get_indexer(pd.Index([UNASSIGNED]))[0])
        )

    @cached_property
    def served(self) -> sparse.csr_array:
        """People by area and team, by the method: registered ones, or the residents given. (areas, teams)."""
        if not self.method.by_whole_areas and self.residents is None:
            return self.flows
        return flow.scale_rows(self.resident_share, self.people_of_area)

    @cached_property
    def patient_share(self) -> sparse.csr_array:
        """The part of each team's people who live in each area: `served`, columns summing to 1."""
        return flow.column_shares(self.served)

    @property
    def ties(self) -> pd.DataFrame:
        """Equal claims to an area that the order of codes decided: area, `team`, `registered`, `given`."""
        if not self.method.by_whole_areas:
            empty = np.zeros(self.flows.nnz, dtype=np.bool_)
            tied, given = empty, empty
        else:
            tied, given = self._chosen.tied, self._chosen.entries
        frame = self._by_flow(self.flows, tied)
        return frame.assign(registered=self.flows.data[tied], given=given[tied])

    @cached_property
    def registered_by_area(self) -> pd.Series:
        """Patients of any team who live in each area."""
        return pd.Series(self.size_of_area, index=self.areas, name="registered")

    @cached_property
    def outside_by_practice(self) -> np.ndarray:
        """(practices,) patients who live in no area of the catchment."""
        position = self.practices.get_indexer(pd.Index(self.outside["practice"]))
        return np.bincount(position, weights=self.outside["patients"], minlength=len(self.practices))

    @cached_property
    def registered_by_team(self) -> pd.DataFrame:
        """Index `team`: patients `inside` the areas, `outside` them, and all `registered`, by their lists."""
        inside = flow.total_by_column(self.flows)
        outside = np.bincount(
            self.team_of_practice, weights=self.outside_by_practice, minlength=len(self.teams)
        )
        table = pd.DataFrame({"inside": inside, "outside": outside}, index=self.teams.index)
        return table.assign(registered=table["inside"] + table["outside"])

    def populations(self, residents: pd.Series | pd.DataFrame | None = None) -> pd.DataFrame:
        """Index `team`: its people by the method, on the registered and on the resident base side by side.

        `registered` (patients `inside` areas and `outside` them), and `resident` if there are residents,
        given here (by area, or by area and age) or by `with_residents`. By whole areas a team has everybody
        registered who lives in its areas, and who lives outside has no team. With lists of a part of
        England a last row, "on other lists", has the residents whom these do not share out (`shared_out`).
        """
        if residents is None:
            self.refuse_shares_alone()
        table = pd.DataFrame(index=self.teams.index)
        beyond = 0.0
        if self.unit == "patients" or self.residents is not None:
            whole = self.method.by_whole_areas  # else each patient counts once, to the last digit
            table["inside"] = (
                self.resident_share.T @ self.size_of_area if whole else flow.total_by_column(self.flows)
            )
            table["outside"] = self._outside_by_team
            table["registered"] = table["inside"] + table["outside"]
        if residents is not None:
            shared_out, beyond = self.shared_out(residents)
            table["resident"] = self.apportion(shared_out).sum(axis=1)
        elif self.unit == "residents":
            table["resident"] = flow.total_by_column(self.served)
        if beyond:
            table.loc[ON_OTHER_LISTS] = 0.0
            table.loc[ON_OTHER_LISTS, "resident"] = beyond
        return table

    def shared_out(self, residents: pd.Series | pd.DataFrame) -> tuple[pd.DataFrame, float]:
        """The residents by area (and age) whom the flows share between teams, and how many they do not.

        With the lists of all England these are all. With those of a part, an area has at most as many as are
        registered from it: the others are taken to be on lists that were not read, and stay out.
        """
        by_age = residents.to_frame("residents") if isinstance(residents, pd.Series) else residents
        if self._tells_of_everybody:
            return by_age, 0.0
        people = self.aligned(by_age.sum(axis=1), "the residents")
        here = self.residents_here(people)
        part = here / np.where(people > 0, people, 1.0)
        return by_age.loc[self.areas].mul(part, axis=0), round(float(people.sum() - here.sum()), 6)

    def residents_here(self, people: np.ndarray) -> np.ndarray:
        """(areas,) of these people by area, those whom the flows share out (see `shared_out`)."""
        return people if self._tells_of_everybody else np.minimum(people, self.size_of_area)

    @property
    def _tells_of_everybody(self) -> bool:
        """Whether nobody of these areas is on a list that was not read."""
        return self.areas.name not in AREAS_OF_ENGLAND or self.is_national

    @property
    def _outside_by_team(self) -> np.ndarray:
        """(teams,) patients who live in no area, by the method."""
        if self.method.by_whole_areas:
            away = float(self.outside["patients"].sum())
            return np.where(self.teams.index == UNASSIGNED, away, 0.0)
        return self.registered_by_team["outside"].to_numpy()

    @property
    def _these_areas(self) -> str:
        english = self.areas.name in AREAS_OF_ENGLAND and is_english(self.areas).all()
        return "English areas" if english else "these areas"

    @property
    def is_national(self) -> bool:
        """Whether every area of England is here, so that all of an area's registrations are known."""
        whole = AREAS_OF_ENGLAND.get(self.areas.name)  # type: ignore[call-overload]
        return whole is not None and int(is_english(self.areas).sum()) == whole

    @property
    def patients(self) -> float:
        """All patients that were read, wherever they live."""
        return float(self.registered_by_team["registered"].sum())

    def scaled_by_area(self, per_patient: np.ndarray) -> sparse.csc_array:
        """The flows (areas x practices), each patient counted as `per_patient` (areas,)."""
        flows = self.registered_by_practice
        return sparse.csc_array(
            (flows.data * per_patient[flows.indices], flows.indices, flows.indptr), shape=flows.shape
        )

    def by_team(self, flows: sparse.csc_array) -> sparse.csr_array:
        """What is on flows (areas x practices), by area and team: that of a practice goes to its team; where
        teams are made of whole areas, all that is in an area goes to the area's."""
        if self.of_whole_areas:
            return flow.scale_rows(self.resident_share, flow.total_by_row(flows))
        return flow.group_columns(flows, self.team_of_practice, len(self.teams))

    def sum_by_team(self, flows: sparse.csc_array) -> pd.Series:
        """What is on flows (areas x practices), added up by team."""
        return pd.Series(flow.total_by_column(self.by_team(flows)), index=self.teams.index)

    def apportion(self, counts: _Values) -> _Values:
        """Carry counts by area (people, contacts) to teams, by resident share.

        counts: index areas; a frame carries each of its columns. Proportional catchments keep the total. In
        catchments by whole areas the count of an area of two teams is with both, and that of an area of
        none is in the row "unassigned". A stratified catchment carries each column by the flows of its
        stratum: columns are the strata, or ages within them.

        Raises VintageError or UnknownCodeError if the counts lack areas of the catchment, or hold
        people in areas where nobody is registered, InvalidValueError for what is named as a rate.
        """
        alignment.refuse_rates(counts, "apportioning", "average(rates)")
        values = self.aligned(counts, _named(counts, "the counts"))
        if self.strata is None:
            return _labelled(self.resident_share.T @ values, self.teams.index, counts)
        stratum = of_strata.stratum_of_columns(self.strata, counts)
        of_team = self.team_of_practice, len(self.teams)
        carried = of_strata.carry(self.strata, self.registered, *of_team, values, stratum)
        return _labelled(carried, self.teams.index, counts)

    def apportion_to_areas(self, counts: _Values) -> _Values:
        """Carry counts by team (posts, patients on a register) to areas, by patient share; the total is kept.

        counts: index team. All of a team's count goes to the areas, that of patients who live outside them
            too.

        Raises UnknownCodeError for a team that is not in the catchment, for a missing one, and for a count
        of a team that nobody of these areas is with; InvalidValueError for what is named as a rate.
        """
        alignment.refuse_rates(counts, "apportioning", "average_to_areas(rates)")
        self.refuse_shares_alone()
        here = flow.total_by_column(self.served) > 0
        what = _named(counts, "the counts")
        values = alignment.by_team(counts, self.teams.index, what, here)
        lost = self.teams.index[~here & alignment.any_of_row(values > 0)]
        if len(lost):
            raise UnknownCodeError(
                f"{len(lost):,} teams of {what} have a count but nobody in these areas: {first_few(lost)}. "
                "Their count would be lost: leave them out, and report them by name."
            )
        return _labelled(self.patient_share @ values, self.areas, counts)

    def average(self, rates: _Values) -> _Values:
        """The mean of a rate by area (a score, an index) over each team's people, by patient share.

        rates: index areas. NaN for a team that nobody of these areas is with. The people are the registered;
        on a catchment `with_residents`, the residents.

        Raises as `apportion`, and InvalidValueError for what is named as a count.
        """
        alignment.refuse_counts(rates, "averaging", "apportion(counts)")
        self.refuse_shares_alone()
        values = self.aligned(rates, _named(rates, "the rates"), cover=False)
        mean = self.patient_share.T @ values
        mean[flow.total_by_column(self.served) == 0] = np.nan
        return _labelled(mean, self.teams.index, rates)

    def average_to_areas(self, rates: _Values) -> _Values:
        """The mean of a rate by team over the people of each area, by resident share.

        rates: index team; the groups that are no team need a rate too, where people are in them. The teams
            of an area that the method gives to several weigh the same.

        Raises UnknownCodeError or InvalidValueError.
        """
        alignment.refuse_counts(rates, "averaging", "apportion_to_areas(counts)")
        here = flow.total_by_column(self.served) > 0
        values = alignment.by_team(rates, self.teams.index, _named(rates, "the rates"), here)
        return _labelled(flow.row_shares(self.resident_share) @ values, self.areas, rates)

    def aligned(
        self, by_area: pd.Series | pd.DataFrame, what: str = "the values", *, cover: bool = True
    ) -> np.ndarray:
        """The rows of `by_area` in the order of `areas`; refuses what cannot be matched.

        With `cover`, areas with people where nobody is registered are refused too: they would be lost.
        """
        return alignment.by_area(by_area, self.areas, what, cover=cover)

    def team_of_area(self) -> pd.Series:
        """The team with the largest share of each area's patients (for drawing); ties to the lower code."""
        first = assign.first_past_the_post(self.flows, self.teams["is_team"].to_numpy()).entries
        return self._by_flow(self.flows, first).astype("str").set_index(self.areas.name)["team"]

    def to_geo(
        self,
        boundaries: gpd.GeoDataFrame,
        *,
        by: Literal["team", "area"] = "team",
        simplify: float | None = None,
        fewest: float | None = None,
    ) -> gpd.GeoDataFrame:
        """The catchment with polygons, by team or by area, without gaps between them (`maps.to_geo`).

        simplify: metres. fewest: areas with fewer people have no geometry; by default 100 with the lists of a
            part of England, whose patients live all over it.
        """
        from needsalloc import maps

        return maps.to_geo(self, boundaries, by=by, simplify=simplify, fewest=fewest)

    def plot(
        self,
        boundaries: gpd.GeoDataFrame,
        *,
        values: pd.Series | None = None,
        ax: Axes | None = None,
        title: str | None = None,
        fewest: float | None = None,
    ) -> Axes:
        """A still map, with a caption that says how far to trust it (matplotlib; `needsalloc.maps.plot`).

        boundaries: polygons by area (`read_boundaries`). values: a figure by team or by area, in five
            classes; without it the teams, each in a colour that its neighbours do not have. `fewest` as for
            `to_geo`. Returns the axes `ax`.

        For one ICB, draw the catchment of its practices' lists alone.
        """
        from needsalloc import maps

        return maps.plot(self, boundaries, values=values, ax=ax, title=title, fewest=fewest)

    def explore(
        self,
        boundaries: gpd.GeoDataFrame,
        *,
        values: pd.Series | None = None,
        title: str | None = None,
        fewest: float | None = None,
    ) -> folium.Map:
        """The map of `plot` to zoom into; the browser that opens it fetches Leaflet (`maps.explore`)."""
        from needsalloc import maps

        return maps.explore(self, boundaries, values=values, title=title, fewest=fewest)

    def to_frame(self) -> pd.DataFrame:
        """One row per flow: area, `team`, `registered`, `resident_share`, `patient_share`.

        `registered` are the people that the method gives the team in that area; for a proportional catchment
        those who are registered with it. On a catchment `with_residents` they are `resident`.
        """
        frame = self._by_flow(self.served, np.ones(self.served.nnz, dtype=np.bool_))
        return frame.assign(
            **{"resident" if self.unit == "residents" else "registered": self.served.data},
            resident_share=self.resident_share.data,
            patient_share=self.patient_share.data,
        )

    def _by_flow(self, flows: sparse.csr_array, chosen: np.ndarray) -> pd.DataFrame:
        """Area and team of the chosen entries of `flows`, as categories."""
        rows, columns = assign.rows_of(flows)[chosen], flows.indices[chosen]
        return pd.DataFrame(
            {
                self.areas.name: pd.Categorical.from_codes(rows, self.areas),
                "team": pd.Categorical.from_codes(columns, self.teams.index),
            }
        )

    def refuse_shares_alone(self) -> None:
        """Raise InvalidValueError for a catchment of shares alone, in which nobody is counted."""
        if self.unit == "shares":
            raise InvalidValueError(
                "This catchment was made from shares, which count nobody: there is nobody to count or to "
                "take a mean over. Give it people first: catchment.with_residents(people by area)."
            )

    def coverage(self, teams: pd.Index | None = None) -> pd.DataFrame:
        """Who is counted and who is not, in rows that say so: `group, practices, areas, patients, share`.

        The first rows, down to "All patients", add up; those after it tell the same people apart in another
        way. With `teams` the first rows are of their patients, and a last one holds all that were read.
        """
        self.refuse_shares_alone()
        of = np.full(len(self.teams), True) if teams is None else self.teams.index.isin(teams)
        practice = of[self.team_of_practice]
        inside = self.registered[:, practice]
        lives_in = int((inside.sum(axis=1) > 0).sum())
        rows: list[tuple[str, int, int, float]] = [
            (
                f"{'England: p' if self._these_areas[0] == 'E' else 'P'}eople living in {self._these_areas}",
                int((inside.sum(axis=0) > 0).sum()),
                lives_in,
                float(inside.sum()),
            )
        ]
        away = self.outside[self.outside["practice"].isin(self.practices[practice])]
        for group, part in away.groupby("group"):
            rows.append((str(group), part["practice"].nunique(), 0, float(part["patients"].sum())))
        total = float(inside.sum() + away["patients"].sum())
        rows.append(("All patients", int(practice.sum()), lives_in, total))
        counted = self.flows
        if self.method.by_whole_areas:
            counted = flow.scale_rows(self.resident_share, self.size_of_area)
        everyone = flow.total_by_column(counted) + self._outside_by_team
        # By whole areas patients without a PCN are with their area's team, or with none.
        without = ~self.teams["is_team"] & of & ((everyone > 0) | (not self.method.by_whole_areas))
        for position in np.flatnonzero(without).tolist():
            label = f"of whom: {self.teams['team_name'].iloc[position]} ({self.teams.index[position]})"
            areas = int((counted[:, [position]].toarray() > 0).sum())
            practices = int((self.team_of_practice == position).sum())
            rows.append((label, practices, areas, float(everyone[position])))
        if teams is not None:
            rows.append(("All patients that were read", len(self.practices), len(self.areas), self.patients))
        table = pd.DataFrame(rows, columns=["group", "practices", "areas", "patients"])
        return table.assign(share=table["patients"] / total)

    def __repr__(self) -> str:
        named = int(self.teams["is_team"].sum())
        beyond = float(self.outside["patients"].sum()) if self.unit == "patients" else 0.0
        served = pd.Series(flow.total_by_column(self.served), index=self.teams.index)
        everybody = float(self.people_of_area.sum()) + beyond
        without = float(served[~self.teams["is_team"]].sum())
        if beyond:
            without += float(self._outside_by_team[~self.teams["is_team"].to_numpy()].sum())
        day = f" of {self.on.day} {self.on:%b %Y}" if self.on else ""
        areas = _AREA_NAMES.get(str(self.areas.name), f"areas ({self.areas.name})")
        how = "" if self.method == PROPORTIONAL else f" by {self.method}"
        count = f"{everybody / 1e6:.1f} million" if everybody >= 1e6 else f"{everybody:,.0f}"
        many = "shares alone" if self.unit == "shares" else f"{count} {self.unit}"
        away = f", {beyond / everybody:.2%} outside {self._these_areas}" if self.unit == "patients" else ""
        return (
            f"<Catchment{day}: {len(self.areas):,} {areas} → {named:,} teams{how}, {many}; "
            f"{without / everybody:.2%} without a team{away}>"
        )

    def _repr_html_(self) -> str:
        if self.unit == "shares":
            return sentence_and_table(self, self.teams)
        return sentence_and_table(self, self.teams[["team_name"]].join(self.populations()))


def _named(values: pd.Series | pd.DataFrame, otherwise: str) -> str:
    """What to call a user's values in a message."""
    return str(values.name or otherwise) if isinstance(values, pd.Series) else otherwise


def _labelled(values: np.ndarray, index: pd.Index, like: _Values) -> _Values:
    """`values` as a series or frame with the name or columns that `like` has."""
    if isinstance(like, pd.Series):
        return pd.Series(values, index=index, name=like.name)
    return pd.DataFrame(values, index=index, columns=like.columns)


__all__ = ["Catchment"]
