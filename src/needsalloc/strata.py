"""Flows by stratum: how many patients of each age go from an area to a practice, given or estimated.

Proportional flow within strata shares an area's children as its registered children are shared, and its
old people as theirs. The published flows hold no ages, so ages are estimated where they are not given: the
flows are raked to the ages of the areas and of the practices' lists (`kernels.raking`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from needsalloc.assumptions import Assumption
from needsalloc.errors import InvalidValueError, MissingColumnError, UnknownCodeError, first_few
from needsalloc.geography import AREAS_OF_ENGLAND, check_same_vintage, is_english
from needsalloc.kernels.assign import rows_of
from needsalloc.kernels.raking import Margin, rake
from needsalloc.kernels.rank import group_sums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BAND_YEARS = 5
GAP = 1e-3
# Margins of real files contradict each other, and going on to meet them only pushes flows to extremes. With
# made-up ages on England's flows, areas 15 % and lists 5 % off, 50 rounds came nearest to them (of 3 to 100).
ROUNDS = 50
# A practice that has closed or moved since may still have a handful of people on its list.
REMNANT = 0.2
BY_AGE, BY_AGE_AND_SEX = "age", "age and sex"
# So little weight that an area without listed patients follows the others and moves none of them.
TRACE = 1e-9
# Fewer patients than this are a remnant of raking, and no one to share residents by.
NOBODY = 1e-9
HALF_A_PERSON = 0.5


@dataclass(frozen=True, eq=False)
class Strata:
    """Flows from areas to practices, by stratum.

    Attributes
    ----------
    labels:
        The strata: first ages of bands, pairs of sex and first age, or whatever a user's file calls them.
    flows:
        (flows, strata) patients on each flow, in the order of `registered.data` of the flows (areas x
        practices) that they belong to.
    gap:
        What raking left, by margin (`areas`, `practices`, `flows`): `largest`, the largest relative miss of
        any of its groups, and `misplaced`, the share of people in another stratum than the margin says.
    rounds:
        Passes of raking; 0 for flows that were given.
    estimated:
        Whether the strata were estimated.
    notes:
        What was assumed on the way.
    """

    labels: pd.Index
    flows: Floats
    gap: pd.DataFrame
    rounds: int
    estimated: bool
    notes: tuple[Assumption, ...] = field(default=(), repr=False)

    def __repr__(self) -> str:
        how = f"estimated in {self.rounds} rounds" if self.estimated else "given"
        return (
            f"<Strata: {len(self.labels):,} ({first_few(self.labels, 3)}) on {len(self.flows):,} flows, "
            f"{self.flows.sum():,.0f} patients; {how}>"
        )


def estimate(
    registered: sparse.csr_array,
    areas: pd.Index,
    practices: pd.Index,
    *,
    lists: pd.DataFrame,
    population: pd.DataFrame,
    bands: Sequence[int] | None = None,
    by: str = BY_AGE,
    on: date | None = None,
) -> Strata:
    """Ages on every flow, from the ages of the practices' lists and of the areas' residents.

    1. Each list is scaled to the practice's patients in `registered`, each area's residents to the area's.
    2. The lists' ages, all together, are taken as the one age distribution, and areas are raked to it: lists
       are a count of the registered, the population is of residents and often of another year.
    3. The flows, each with that distribution, are raked to area by age, practice by age and to their own
       totals, in this order and at most `ROUNDS` times, until no group is off by more than `GAP`. Flow
       totals are met exactly, so nobody is made or lost. The margins of real files contradict each other
       (a practice that alone serves an area must have that area's ages), so a gap is left, and said.

    registered: patients (areas, practices). lists: index (practice, sex), columns single years of age
    (`read_lists`). population: index area, columns first ages of bands (`read_population`).
    bands: first ages; by default the finest that both files have, of five years or more.
    by: "age", or "age and sex": each practice's patients of an age then have the sexes of its list in every
    area, since residents are not told by sex.
    on: the day of the flows, for the notes.

    Practices without a list, or with a remnant of one, and areas without residents are left free: the other
    margin gives their ages.

    Raises InvalidValueError for bands that a file does not have or rows that are there twice, VintageError
    for areas of another census, UnknownCodeError if no practice or no area is in the files.
    """
    if by not in (BY_AGE, BY_AGE_AND_SEX):
        raise InvalidValueError(f'Unknown strata {by!r}: choose "{BY_AGE}" or "{BY_AGE_AND_SEX}".')
    if set(lists.index.names) != {"practice", "sex"} or population.index.nlevels > 1:
        raise MissingColumnError(
            "The lists must have the index practice and sex, and the population the areas as its index: give "
            "lists= as read_lists and population= as read_population return them."
        )
    if areas.name in AREAS_OF_ENGLAND:
        check_same_vintage(
            areas, population.index, left_name="The registrations", right_name="the population file"
        )
    edges = _bands(population.columns, lists.columns, bands)
    area, practice = _ends(registered)
    of_flow = registered.data.astype(np.float64)
    in_area, in_practice = (
        group_sums(area, len(areas), of_flow),
        group_sums(practice, len(practices), of_flow),
    )
    listed = _known_ages(lists.groupby(level="practice").sum(), edges, practices, in_practice, "the lists")
    remnant = _remnants(listed, in_practice)
    of_practice = _scaled(np.where(remnant[:, None], np.nan, listed), in_practice)
    mix = np.nansum(of_practice, axis=0) / np.nansum(of_practice)
    residents = _known_ages(population, edges, areas, in_area, "the population file")
    listed_in_area = group_sums(area, len(areas), np.where(np.isnan(of_practice[practice, 0]), 0.0, of_flow))
    of_area = _to_one_distribution(_scaled(residents, in_area), listed_in_area, mix)
    margins = (
        Margin(of_area, rows=area),
        Margin(of_practice, rows=practice),
        Margin(of_flow[:, None], columns=np.zeros(len(edges), dtype=np.int64)),
    )
    raked = rake(np.outer(of_flow, mix), margins, GAP, ROUNDS)
    gap = _gap_table(["areas", "practices", "flows"], raked.gap, raked.misplaced)
    notes = (
        _note_on_ages(lists, population, edges, on),
        _note_on_gap(gap, raked.rounds),
        *_note_on_unlisted(practices, in_practice, np.isnan(listed[:, 0]), remnant),
        *_note_on_areas(areas, in_area, np.isnan(of_area[:, 0])),
        *_note_on_sex(by),
    )
    labels, flows = pd.Index(edges, name="age"), raked.cells
    if by == BY_AGE_AND_SEX:
        # Raking by sex would find the same: no margin but the list's own tells the sexes of an age apart.
        sexes, share = _sexes(lists, edges, practices)
        labels = pd.MultiIndex.from_product([sexes, edges], names=["sex", "age"])
        flows = np.hstack([flows * of_sex[practice] for of_sex in share])
    return Strata(labels, flows, gap, raked.rounds, True, notes)


def given(frame: pd.DataFrame, areas: pd.Index, practices: pd.Index, registered: sparse.csr_array) -> Strata:
    """Flows by stratum as the user has them.

    frame: `practice`, `area` (or the name of `areas`, such as lsoa21), `stratum` (any labels) and `patients`;
    rows that are there twice are added. Rows outside England's areas are left out and counted. Strata stand
    in the order of a categorical column, else sorted. Each flow's strata must sum to its patients in
    `registered` (areas, practices).

    Raises MissingColumnError; InvalidValueError for counts that are no counts, or strata that are off a flow
    by more than half a person; UnknownCodeError for areas or practices that are not in `registered`.
    """
    rows, left_out = _known(frame, areas, practices)
    position, labels = pd.factorize(rows["stratum"], sort=True)
    if isinstance(rows["stratum"].dtype, pd.CategoricalDtype):
        labels = pd.Index(labels.astype(rows["stratum"].cat.categories.dtype))
    area, practice = _ends(registered)
    key = np.asarray(area, dtype=np.int64) * len(practices) + practice
    flow = pd.Index(key).get_indexer(pd.Index(rows["area_at"] * len(practices) + rows["practice_at"]))
    patients = rows["patients"].to_numpy(np.float64)
    new = (flow < 0) & (patients > 0)
    if new.any():
        shown = rows.loc[new, "practice"].astype(str) + " in " + areas[rows.loc[new, "area_at"]]
        raise InvalidValueError(
            f"{int(new.sum()):,} rows of the flows by stratum, {patients[new].sum():,.0f} patients, are on "
            f"flows that the registrations do not have: {first_few(shown)}. Use files of one date."
        )
    on_flow = flow >= 0
    size = len(key) * len(labels)
    cells = group_sums(flow[on_flow] * len(labels) + position[on_flow], size, patients[on_flow])
    cells = cells.reshape(len(key), len(labels))
    off = cells.sum(axis=1) - registered.data
    wrong = np.abs(off) > HALF_A_PERSON
    if wrong.any():
        shown = practices[practice[wrong]] + " in " + areas[area[wrong]]
        raise InvalidValueError(
            f"The strata of {int(wrong.sum()):,} of {len(off):,} flows do not sum to their registered "
            f"patients ({off[wrong].sum():+,.0f} in all, at most {np.abs(off).max():,.1f} on one): "
            f"{first_few(shown)}. Use files of one date, with small numbers left as they are."
        )
    missed, some = np.abs(off), registered.data > 0
    largest = (missed[some] / registered.data[some]).max(initial=0.0)
    gap = _gap_table(["flows"], [largest], [missed.sum() / (2 * registered.data.sum())])
    note = Assumption(
        f"Patients by stratum are the user's: {len(labels):,} strata",
        f"They sum to the flows within {missed.max():.2g} persons on each, {off.sum():+.2g} in all; "
        f"{left_out:,.0f} patients outside the areas are left out",
        "choice",
        str(frame.attrs.get("source", {}).get("file", "flows by stratum")),
    )
    return Strata(labels, cells, gap, 0, False, (note,))


def stratum_of_columns(strata: Strata, counts: pd.Series | pd.DataFrame) -> Ints:
    """The position of the stratum that each column of `counts` belongs to: its label, or an age within it.

    Raises InvalidValueError for counts without columns, or with columns of no stratum.
    """
    what = f"the strata are {first_few(strata.labels)}"
    if not isinstance(counts, pd.DataFrame):
        raise InvalidValueError(
            f"A stratified catchment carries counts by stratum, one column for each; {what}. Give a "
            "frame such as that of read_population, or use the proportional method."
        )
    of_both = strata.labels.nlevels > 1 and counts.columns.nlevels == strata.labels.nlevels
    found = _by_sex_and_age(strata, counts) if of_both else strata.labels.get_indexer(counts.columns)
    if (found < 0).any() and strata.labels.name == "age" and pd.api.types.is_integer_dtype(counts.columns):
        ages = counts.columns.to_numpy(np.int64)
        found = np.searchsorted(strata.labels.to_numpy(np.int64), ages, side="right") - 1
    if (found < 0).any():
        unknown = counts.columns[found < 0]
        raise InvalidValueError(
            f"{len(unknown):,} columns are of no stratum: {first_few(unknown)}; {what}. Name the columns so."
        )
    return np.asarray(found, dtype=np.int64)


def _by_sex_and_age(strata: Strata, counts: pd.DataFrame) -> Ints:
    """Positions of columns (sex, age) in strata by sex and band; -1 where there is no such sex."""
    sex, first = (strata.labels.get_level_values(level) for level in ("sex", "age"))
    edges = np.unique(first.to_numpy(np.int64))
    ages = counts.columns.get_level_values(1).to_numpy(np.int64)
    band = edges[np.searchsorted(edges, ages, side="right") - 1]
    wanted = pd.MultiIndex.from_arrays([counts.columns.get_level_values(0), band])
    return np.asarray(pd.MultiIndex.from_arrays([sex, first]).get_indexer(wanted), dtype=np.int64)


def carry(
    strata: Strata,
    registered: sparse.csr_array,
    team_of_practice: Ints,
    teams: int,
    counts: Floats,
    stratum: Ints,
) -> Floats:
    """Counts by area (areas, columns) carried to teams (teams, columns), each column by the resident shares
    of its stratum (columns,); totals are kept.
    """
    carried = np.empty((teams, counts.shape[1]))
    for position in np.unique(stratum):
        columns = np.flatnonzero(stratum == position)
        by_practice = shares_of_stratum(strata, registered, int(position)).T @ counts[:, columns]
        carried[:, columns] = _adder(team_of_practice, teams) @ by_practice
    return carried


def shares_of_stratum(strata: Strata, registered: sparse.csr_array, position: int) -> sparse.csr_array:
    """The part of each area's people of one stratum who are with each practice: rows sum to 1.

    Where nobody of the stratum is registered, the area's patients of all strata say.
    """
    of_stratum = strata.flows[:, position]
    area, _ = _ends(registered)
    by_area = group_sums(area, registered.shape[0], of_stratum)[area]
    everyone = group_sums(area, registered.shape[0], registered.data)[area]
    some = by_area > NOBODY
    share = np.where(some, of_stratum, registered.data) / np.where(some, by_area, everyone)
    return sparse.csr_array((share, registered.indices, registered.indptr), shape=registered.shape)


# Margins


def _bands(of_population: pd.Index, of_lists: pd.Index, asked: Sequence[int] | None) -> Ints:
    """First ages of the bands that both files can be added up to."""
    ages, years = (np.sort(columns.to_numpy(np.int64)) for columns in (of_population, of_lists))
    common = np.intersect1d(ages, years)
    if not len(common) or not common[0] == ages[0] == years[0]:
        raise InvalidValueError(
            f"The population's ages begin at {ages[0]}, the lists' at {years[0]}: some people would be in no "
            "stratum. Use files from the same first age."
        )
    if asked is None:
        kept = [int(common[0])]
        for age in common.tolist():
            if age >= kept[-1] + BAND_YEARS:
                kept.append(age)
        return np.array(kept, dtype=np.int64)
    wanted = np.unique(np.asarray(asked, dtype=np.int64))
    unknown = np.setdiff1d(wanted, common)
    if len(unknown) or not len(wanted) or wanted[0] != common[0]:
        raise InvalidValueError(
            f"The bands {first_few(asked, 20)} cannot be made: they begin at {common[0]}, and both files can "
            f"be cut at {first_few(common, 20)}. Choose among these."
        )
    return wanted


def by_band(ages: pd.DataFrame, edges: Sequence[int] | pd.Index | Ints) -> pd.DataFrame:
    """Columns by first age (int), added up to the bands whose first ages are `edges`.

    >>> by_band(pd.DataFrame({0: [1.0], 1: [2.0], 65: [4.0], 90: [8.0]}), [0, 65]).to_numpy().tolist()
    [[3.0, 12.0]]
    """
    first = np.asarray(edges, dtype=np.int64)
    band = np.searchsorted(first, ages.columns.to_numpy(np.int64), side="right") - 1
    return ages.T.groupby(first[band]).sum().T.reindex(columns=first, fill_value=0.0)


def _known_ages(ages: pd.DataFrame, edges: Ints, codes: pd.Index, people: Floats, file: str) -> Floats:
    """(codes, bands), nan in rows that the file lacks or has nobody in, and where there are no patients."""
    twice = ages.index[ages.index.duplicated()].unique()
    if len(twice):
        raise InvalidValueError(
            f"{len(twice):,} rows stand twice in {file}: {first_few(twice)}. Leave one each."
        )
    found = by_band(ages, edges).reindex(codes).to_numpy(np.float64, copy=True)
    below = codes[np.asarray((found < 0).any(axis=1))]
    if len(below):
        raise InvalidValueError(f"{len(below):,} rows of {file} have negative counts: {first_few(below)}.")
    found[~((found.sum(axis=1) > 0) & (people > 0))] = np.nan
    if np.isnan(found).all():
        raise UnknownCodeError(
            f"None of the {len(codes):,} codes of the registrations ({first_few(codes)}) has people in "
            f"{file}. Use files with the same codes, of dates near each other."
        )
    return found


def _remnants(listed: Floats, patients: Floats) -> NDArray[np.bool_]:
    """(practices,) lists that have shrunk so far, against all others, that their ages tell nothing."""
    known = ~np.isnan(listed[:, 0])
    size = listed.sum(axis=1)
    usual = size[known].sum() / patients[known].sum()
    return np.asarray(known & (size < REMNANT * usual * patients))


def _scaled(ages: Floats, people: Floats) -> Floats:
    return ages * (people / ages.sum(axis=1))[:, None]


def _to_one_distribution(of_area: Floats, listed: Floats, mix: Floats) -> Floats:
    """Areas' ages raked so that their `listed` (areas,) patients have, all together, the ages of the lists.

    Each area keeps its people. The others are raked with them: what the ages of residents lack, they lack for
    everybody. nan rows stay.
    """
    known = ~np.isnan(of_area[:, 0])
    people = of_area[known].sum(axis=1)
    weight = listed[known] + TRACE * people
    margins = (
        Margin(mix[None, :] * weight.sum(), rows=np.zeros(len(people), dtype=np.int64)),
        Margin(weight[:, None], columns=np.zeros(len(mix), dtype=np.int64)),
    )
    result = of_area.copy()
    result[known] = rake(of_area[known], margins, GAP * GAP, ROUNDS).cells * (people / weight)[:, None]
    return result


def _sexes(lists: pd.DataFrame, edges: Ints, practices: pd.Index) -> tuple[pd.Index, Floats]:
    """The sexes of the lists, and the share of each (sexes, practices, bands) of the patients of a band.

    Where a practice has nobody of a band, the share is that of all lists together.
    """
    of_sex = lists.index.get_level_values("sex")
    sexes = of_sex.unique().sort_values()
    of_each = [by_band(lists[of_sex == sex].droplevel("sex"), edges) for sex in sexes]
    everyone = np.array([frame.sum() for frame in of_each])[:, None, :]
    # A practice that lacks one sex has nobody of it.
    people = np.array([frame.reindex(practices).fillna(0.0) for frame in of_each])
    even = np.full_like(everyone, 1 / len(sexes))
    overall = np.divide(everyone, everyone.sum(axis=0), out=even, where=everyone.sum(axis=0) > 0)
    total = people.sum(axis=0)
    return sexes, np.where(total > 0, people / np.where(total > 0, total, 1.0), overall)


# Flows


def _ends(registered: sparse.csr_array) -> tuple[Ints, Ints]:
    """The area and the practice of each flow."""
    area = rows_of(registered)
    return area, registered.indices.astype(np.int64)


def _adder(group: Ints, groups: int) -> sparse.csr_array:
    """(groups, flows), 1 where a flow is in a group."""
    return sparse.csr_array((np.ones(len(group)), (group, np.arange(len(group)))), shape=(groups, len(group)))


def _known(frame: pd.DataFrame, areas: pd.Index, practices: pd.Index) -> tuple[pd.DataFrame, float]:
    """Rows with the positions of their area and practice, and the patients outside England's areas."""
    place = areas.name if areas.name in frame else "area"
    missing = [column for column in ("practice", place, "stratum", "patients") if column not in frame]
    if missing:
        raise MissingColumnError(
            f"The flows by stratum lack the columns {first_few(missing)}; they have {first_few(frame, 12)}. "
            "Name them practice, area, stratum and patients."
        )
    patients = frame["patients"].to_numpy(np.float64)
    bad = ~(np.isfinite(patients) & (patients >= 0)) | frame["stratum"].isna().to_numpy()
    if bad.any():
        raise InvalidValueError(
            f"{int(bad.sum()):,} rows of the flows by stratum have a negative or missing count, or no "
            f"stratum, first at practices {first_few(frame.loc[bad, 'practice'])}. Mend those rows."
        )
    at_place, places = _coded(frame[place], areas)
    at_practice, surgeries = _coded(frame["practice"], practices)
    area, practice = areas.get_indexer(places)[at_place], practices.get_indexer(surgeries)[at_practice]
    outside = (area < 0) & ~is_english(places)[at_place] & (areas.name in AREAS_OF_ENGLAND)
    for unknown, column in (((area < 0) & ~outside, place), (practice < 0, "practice")):
        lost = unknown & (patients > 0)
        if lost.any():
            codes = frame[column][lost].drop_duplicates()
            raise UnknownCodeError(
                f"{len(codes):,} codes in the column {column} of the flows by stratum, with "
                f"{patients[lost].sum():,.0f} patients, are not in the registrations: {first_few(codes)}. "
                "Use files of one date and one vintage."
            )
    kept = (area >= 0) & (practice >= 0)
    rows = frame.loc[kept, ["practice", "stratum", "patients"]]
    rows = rows.assign(area_at=area[kept], practice_at=practice[kept])
    return rows, float(patients[outside].sum())


def _coded(column: pd.Series, known: pd.Index) -> tuple[Ints, pd.Index]:
    """The position of each row's code among the distinct codes, and those as `known` writes them."""
    coded = column.astype("category").cat
    # A row without a code has the last one, which is empty.
    written = pd.Index([str(code).strip() for code in coded.categories] + [""])
    return np.asarray(coded.codes, dtype=np.int64), written.where(written.isin(known), written.str.upper())


# Notes


def _gap_table(
    margins: list[str], largest: Sequence[float] | Floats, misplaced: Sequence[float] | Floats
) -> pd.DataFrame:
    index = pd.Index(margins, name="margin")
    return pd.DataFrame({"largest": np.asarray(largest), "misplaced": np.asarray(misplaced)}, index=index)


def _named(frame: pd.DataFrame, otherwise: str) -> str:
    on: date | None = frame.attrs.get("on")
    file: str = frame.attrs.get("source", {}).get("file", otherwise)
    return f"{file} ({on:%d %b %Y})" if on else f"{file} (its date is not in the file)"


def _note_on_ages(lists: pd.DataFrame, population: pd.DataFrame, edges: Ints, on: date | None) -> Assumption:
    return Assumption(
        f"Ages on the flows are estimated in {len(edges)} bands: practices' lists raked to areas' residents",
        "The flows hold no ages. The lists win: their ages, all together, are those of the registered, and "
        "the areas' ages are raked to them, since residents are counted otherwise and at another time. Flows "
        f"are of {f'{on:%d %b %Y}' if on else 'a day that is not known'}",
        "assumption",
        f"{_named(lists, 'practice lists by age')}; {_named(population, 'residents by age')}",
    )


def _note_on_gap(gap: pd.DataFrame, rounds: int) -> Assumption:
    misplaced, largest = gap["misplaced"].to_dict(), gap["largest"].to_dict()
    off = [
        f"{misplaced[margin]:.2%} of people stand in another band than {ages} (largest miss of any band "
        f"{largest[margin]:.1%})"
        for margin, ages in (("areas", "their area's residents"), ("practices", "on their practice's list"))
    ]
    return Assumption(
        f"Raking stopped after {rounds} rounds: {' and '.join(off)}; flows keep their totals exactly",
        f"It stops when nothing is off by more than {GAP:.1%}, or after {ROUNDS} rounds; files contradict "
        "each other: an area that only one practice serves cannot have other ages than that practice",
        "assumption",
        "",
    )


def _note_on_unlisted(
    practices: pd.Index, patients: Floats, missing: NDArray[np.bool_], remnant: NDArray[np.bool_]
) -> list[Assumption]:
    missing = missing & (patients > 0)
    without = missing | remnant
    if not without.any():
        return []
    return [
        Assumption(
            f"{int(without.sum()):,} of {len(practices):,} practices, {patients[without].sum():,.0f} "
            "patients, have no list to go by: their patients have the ages of the areas they serve",
            f"{int(missing.sum()):,} are not in the lists, {int(remnant.sum()):,} have there less than "
            f"{REMNANT:.0%} of the patients that they have here: {first_few(practices[without])}",
            "gap",
            "",
        )
    ]


def _note_on_areas(areas: pd.Index, patients: Floats, without: NDArray[np.bool_]) -> list[Assumption]:
    without = without & (patients > 0)
    if not without.any():
        return []
    return [
        Assumption(
            f"{int(without.sum()):,} of {len(areas):,} areas, {patients[without].sum():,.0f} patients, have "
            "no residents by age: their patients have the ages of the practices that serve them",
            f"They are not in the population file: {first_few(areas[without])}",
            "gap",
            "",
        )
    ]


def _note_on_sex(by: str) -> list[Assumption]:
    if by == BY_AGE:
        return []
    return [
        Assumption(
            "In every area a practice's patients of an age have the sexes of its list",
            "Residents are not told by sex",
            "assumption",
            "",
        )
    ]


__all__ = [
    "Strata",
    "by_band",
    "carry",
    "estimate",
    "given",
    "shares_of_stratum",
    "stratum_of_columns",
]
