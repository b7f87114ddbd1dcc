"""Catchments: who uses which team, by where they live, as proportional flows.

`n[a, t]` patients live in area `a` and are registered with team `t`. Two directions, two names:
`resident_share` is the part of an area's registered people who are with a team (rows sum to 1);
`patient_share` is the part of a team's patients who live in an area (columns sum to 1).

Source: proportional flow, Norris-Bailey / South West Public Health Observatory 2006; Jones et al. 2011,
doi:10.1007/s10729-011-9154-y.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse

from needsalloc.errors import InvalidValueError, UnknownCodeError, first_few
from needsalloc.geography import AREAS_OF_ENGLAND, ENGLAND, Vintage, check_same_vintage, classify, vintage_in
from needsalloc.kernels import flow
from needsalloc.sources import NO_PCN

NOT_IN_MAP = "not in map"
NOT_IN_MAP_NAME = "Practices missing from the map"
NO_PCN_ELSEWHERE = "U elsewhere"
NO_TEAM = (NO_PCN, NO_PCN_ELSEWHERE, NOT_IN_MAP)
_VINTAGE_NAMES = {"lsoa11": "LSOAs (2011)", "lsoa21": "LSOAs (2021)"}


@dataclass(frozen=True, eq=False)
class Catchment:
    """Areas to teams by proportional flow: an immutable relation with labels.

    Attributes
    ----------
    registered:
        Patients by English area and practice: sparse, (areas, practices).
    areas, practices:
        Their codes, sorted. `areas.name` is the census vintage, "lsoa11" or "lsoa21".
    teams:
        One row per team, index `team`: `team_name`, `icb` (of most of its patients), `icb_name`, and
        `is_team`, False for the group of practices without a PCN and for practices missing from the map.
    team_of_practice:
        (practices,) position of each practice's team in `teams`.
    outside:
        Patients who live in no English area: `practice, group, patients`.
    on:
        The day the lists were counted.
    """

    registered: sparse.csr_array
    areas: pd.Index
    practices: pd.Index
    teams: pd.DataFrame
    team_of_practice: np.ndarray
    outside: pd.DataFrame
    on: date | None

    @classmethod
    def from_registrations(
        cls, registrations: pd.DataFrame, membership: pd.DataFrame | None = None
    ) -> Catchment:
        """The catchment of PCNs, or of the practices themselves if there is no `membership`.

        registrations: `practice`, `lsoa11` or `lsoa21`, `patients` (see `read_registrations`).
        membership: `practice, practice_name, pcn, pcn_name, icb, icb_name` (see `read_membership`).
        Patients outside England's areas, practices without a PCN and practices missing from the map are
        kept, named and counted (`coverage`). Any name may stand in the `pcn` column: a neighbourhood is a set
        of practices.

        Raises InvalidValueError for negative counts, for a practice that is twice in the map or if nobody
        lives in England, UnknownCodeError if no practice is in the map.

        >>> from needsalloc import synthetic
        >>> england = synthetic.england(areas=60, pcns=3, seed=1)
        >>> Catchment.from_registrations(england.registrations, england.membership).teams.index.name
        'team'
        """
        vintage = vintage_in(registrations)
        patients = registrations["patients"].to_numpy(np.float64)
        if not (patients >= 0).all():
            bad = registrations.loc[~(patients >= 0), "practice"]
            raise InvalidValueError(
                f"{len(bad):,} rows of registrations have negative or missing counts, first at practices "
                f"{first_few(bad)}. Read the file with read_registrations, or mend those rows."
            )
        # A row of nobody must not bring an area in: no flow would carry the people who live there.
        registrations, patients = registrations[patients > 0], patients[patients > 0]
        practice, practices = _codes(registrations["practice"])
        area, places = _codes(registrations[vintage])
        group = classify(places)
        areas = places[group == ENGLAND].rename(vintage)
        if areas.empty:
            raise InvalidValueError(
                "No patient of the registrations lives in an English area; "
                f"found: {first_few(places) or 'nobody'}. "
                "Use the file of patients registered at a GP practice by LSOA."
            )
        position = np.cumsum(group == ENGLAND) - 1
        inside = (group == ENGLAND)[area]
        registered = flow.flow_matrix(
            position[area[inside]], practice[inside], patients[inside], (len(areas), len(practices))
        )
        away = pd.DataFrame(
            {
                "practice": practices[practice[~inside]],
                "group": group[area[~inside]],
                "patients": patients[~inside],
            }
        )
        away = away.groupby(["practice", "group"])["patients"].sum().reset_index()
        size = np.bincount(practice, weights=patients, minlength=len(practices))
        if membership is None:
            members = pd.DataFrame({"practice": practices, "pcn": practices, "pcn_name": practices})
            members[["icb", "icb_name"]] = ""
        else:
            members = membership
        team_of_practice, teams = _teams(practices, members, size)
        return cls(registered, areas, practices, teams, team_of_practice, away, registrations.attrs.get("on"))

    @property
    def vintage(self) -> Vintage:
        """The census of the areas: "lsoa11" or "lsoa21"."""
        return vintage_in(pd.DataFrame(index=self.areas))

    @cached_property
    def registered_by_practice(self) -> sparse.csc_array:
        """`registered` with each practice's areas together: sparse by columns, (areas, practices)."""
        return self.registered.tocsc()

    @cached_property
    def flows(self) -> sparse.csr_array:
        """Patients by English area and team: (areas, teams)."""
        return flow.group_columns(self.registered, self.team_of_practice, len(self.teams))

    @cached_property
    def registered_by_area(self) -> pd.Series:
        """Patients of any team who live in each area."""
        total = np.asarray(self.flows.sum(axis=1)).ravel()
        return pd.Series(total, index=self.areas, name="registered")

    @cached_property
    def registered_by_team(self) -> pd.DataFrame:
        """Index `team`: patients `inside` English areas, `outside` them, and all `registered`."""
        away = pd.Series(0.0, index=self.practices)
        lost = self.outside.groupby("practice")["patients"].sum()
        away.loc[lost.index] = lost
        inside = np.asarray(self.flows.sum(axis=0)).ravel()
        outside = np.bincount(self.team_of_practice, weights=away, minlength=len(self.teams))
        table = pd.DataFrame({"inside": inside, "outside": outside}, index=self.teams.index)
        return table.assign(registered=table["inside"] + table["outside"])

    @property
    def is_national(self) -> bool:
        """Whether every area of England is here, so that all of an area's registrations are known."""
        return len(self.areas) == AREAS_OF_ENGLAND[self.vintage]

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

    def sum_by_team(self, flows: sparse.csc_array) -> pd.Series:
        """What is on flows (areas x practices), added up by team."""
        by_practice = np.asarray(flows.sum(axis=0)).ravel()
        total = np.bincount(self.team_of_practice, weights=by_practice, minlength=len(self.teams))
        return pd.Series(total, index=self.teams.index)

    def apportion(self, counts: pd.Series) -> pd.Series:
        """Carry counts by area (people, contacts) to teams by resident share; the total is kept.

        Raises VintageError or UnknownCodeError if the counts lack areas of the catchment, or hold
        people in areas where nobody is registered.
        """
        values = self.aligned(counts, str(counts.name or "the counts"))
        return pd.Series(flow.row_shares(self.flows).T @ values, index=self.teams.index, name=counts.name)

    def average(self, rates: pd.Series) -> pd.Series:
        """The mean of a rate by area (a score, an index) over each team's patients, by patient share."""
        values = self.aligned(rates, str(rates.name or "the rates"), cover=False)
        mean = flow.column_shares(self.flows).T @ values
        return pd.Series(mean, index=self.teams.index, name=rates.name).where(
            self.registered_by_team["inside"] > 0
        )

    def aligned(
        self, by_area: pd.Series | pd.DataFrame, what: str = "the values", *, cover: bool = True
    ) -> np.ndarray:
        """The rows of `by_area` in the order of `areas`; refuses what cannot be matched.

        With `cover`, areas with people where nobody is registered are refused too: they would be lost.
        """
        known = by_area.index
        check_same_vintage(self.areas, known, left_name="The registrations", right_name=what)
        if known.has_duplicates:
            twice = known[known.duplicated()].unique()
            raise InvalidValueError(
                f"{len(twice):,} areas stand twice in {what}: {first_few(twice)}. Leave one row of each."
            )
        position = known.get_indexer(self.areas)
        if (position < 0).any():
            missing = self.areas[position < 0]
            raise UnknownCodeError(
                f"{len(missing):,} of {len(self.areas):,} areas with registered patients have no row in "
                f"{what}: {first_few(missing)}. Use a file that covers every area of the registrations."
            )
        everything = by_area.to_numpy(np.float64)
        values: np.ndarray = everything[position]
        if cover:
            left_out = np.setdiff1d(np.arange(len(known)), position)
            lost = known[left_out[everything[left_out] > 0]]
            if len(lost):
                raise UnknownCodeError(
                    f"{len(lost):,} areas of {what} have people but no registered patient in this "
                    f"catchment: {first_few(lost)}. Check the LSOA vintage (this catchment is "
                    f"{self.vintage}), or leave them out."
                )
        if not np.isfinite(values).all():
            empty = self.areas[~np.isfinite(values.reshape(len(self.areas), -1)).all(axis=1)]
            raise InvalidValueError(
                f"{len(empty):,} areas have no number in {what}: {first_few(empty)}. Fill them in the file."
            )
        return values

    def team_of_area(self) -> pd.Series:
        """The team with the largest share of each area's patients (for drawing); ties to the lower code."""
        teams = self.flows[:, self.teams["is_team"].to_numpy()]
        largest = flow.largest_column(sparse.csr_array(teams))
        codes = self.teams.index[self.teams["is_team"]]
        drawn = largest >= 0
        return pd.Series(codes[largest[drawn]], index=self.areas[drawn], name="team")

    def to_frame(self) -> pd.DataFrame:
        """One row per flow: area, `team`, `registered`, `resident_share`, `patient_share`."""
        flows = self.flows.tocoo()
        rows, columns = flows.row, flows.col
        return pd.DataFrame(
            {
                self.areas.name: pd.Categorical.from_codes(rows, self.areas),
                "team": pd.Categorical.from_codes(columns, self.teams.index),
                "registered": flows.data,
                "resident_share": flow.row_shares(self.flows).data,
                "patient_share": flow.column_shares(self.flows).data,
            }
        )

    def coverage(self, teams: pd.Index | None = None) -> pd.DataFrame:
        """Who is counted and who is not, in rows that say so: `group, practices, areas, patients, share`.

        The first rows, down to "All patients", add up; those after it tell the same people apart in another
        way. With `teams` the first rows are of their patients, and a last one holds all that were read.
        """
        of = np.full(len(self.teams), True) if teams is None else self.teams.index.isin(teams)
        practice = of[self.team_of_practice]
        inside = self.registered[:, practice]
        lives_in = int((inside.sum(axis=1) > 0).sum())
        rows: list[tuple[str, int, int, float]] = [
            (
                "England: people living in English areas",
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
        everyone = self.registered_by_team["registered"].to_numpy()
        for position in np.flatnonzero(~self.teams["is_team"] & of).tolist():
            label = f"of whom: {self.teams['team_name'].iloc[position]} ({self.teams.index[position]})"
            areas = int((self.flows[:, [position]].toarray() > 0).sum())
            practices = int((self.team_of_practice == position).sum())
            rows.append((label, practices, areas, float(everyone[position])))
        if teams is not None:
            rows.append(("All patients that were read", len(self.practices), len(self.areas), self.patients))
        table = pd.DataFrame(rows, columns=["group", "practices", "areas", "patients"])
        return table.assign(share=table["patients"] / total)

    def __repr__(self) -> str:
        named = int(self.teams["is_team"].sum())
        without = self.registered_by_team.loc[~self.teams["is_team"], "registered"].sum()
        beyond = self.registered_by_team["outside"].sum()
        day = f" of {self.on.day} {self.on:%b %Y}" if self.on else ""
        return (
            f"<Catchment{day}: {len(self.areas):,} {_VINTAGE_NAMES[self.vintage]} → {named:,} teams, "
            f"{self.patients / 1e6:.1f} million patients; {without / self.patients:.2%} without a team, "
            f"{beyond / self.patients:.2%} outside English areas>"
        )


def _codes(column: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Positions and sorted distinct codes of a column, whether it is categorical or not."""
    categories = column.astype("category").cat.remove_unused_categories()
    labels = pd.Index(categories.cat.categories.astype(str))
    order = labels.argsort()
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[categories.cat.codes.to_numpy()], labels[order]


def _teams(
    practices: pd.Index, membership: pd.DataFrame, size: np.ndarray
) -> tuple[np.ndarray, pd.DataFrame]:
    """The team of each practice, and the teams' table; `size` (practices,) decides a team's ICB."""
    twice = membership.loc[membership["practice"].duplicated(), "practice"].unique()
    if len(twice):
        raise InvalidValueError(
            f"{len(twice):,} practices stand twice in the map: {first_few(twice)}. Leave one row of each."
        )
    members = membership.set_index("practice").reindex(practices)
    if members["pcn"].isna().all():
        raise UnknownCodeError(
            f"None of the {len(practices):,} practices with patients ({first_few(practices)}) is in the map. "
            "Use the practice map (gp-reg-pat-prac-map.csv) of the same quarter."
        )
    code = members["pcn"].fillna(NOT_IN_MAP)
    name = members["pcn_name"].fillna(NOT_IN_MAP_NAME)
    table = pd.DataFrame(
        {
            "team": code.to_numpy(),
            "team_name": name.to_numpy(),
            "icb": members["icb"].fillna("").to_numpy(),
            "icb_name": members["icb_name"].fillna("").to_numpy(),
            "size": size,
        }
    )
    in_icb = table.groupby(["team", "icb", "icb_name", "team_name"])["size"].sum().reset_index()
    largest = in_icb.sort_values(["size", "icb"], ascending=[False, True], kind="stable")
    teams = largest.drop_duplicates("team").set_index("team").sort_index().drop(columns="size")
    no_team = teams.index.isin(NO_TEAM)
    teams["is_team"] = ~no_team
    teams.loc[no_team, ["icb", "icb_name"]] = ""
    return teams.index.get_indexer(pd.Index(code)), teams


def practices_in(membership: pd.DataFrame, column: str, code: str) -> pd.Index:
    """The practices of one `icb` or `sub_icb`.

    Raises UnknownCodeError with the codes there are.
    """
    known = pd.Index(membership[column].unique()).sort_values()
    if code not in known:
        raise UnknownCodeError(
            f"There is no {column} {code!r} in the map; it has {len(known):,}: {first_few(known, 50)}. "
            "Write the code as the map does (an ODS code such as QHM, not E54…)."
        )
    return pd.Index(membership.loc[membership[column] == code, "practice"])


__all__ = ["NO_TEAM", "Catchment", "practices_in"]
