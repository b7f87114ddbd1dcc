"""Practices, teams and areas that look unusual: prompts for somebody who knows the place, never removed.

Each screen is one measure with a stated threshold. What a caught code "looks like" is an inference from
numbers alone. The thresholds were set on the lists of England of July 2023 (with lists by age of April 2026)
so that the names of what they catch bear them out; the comment beside each says what that was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from needsalloc.alignment import check_series
from needsalloc.catchment import Catchment
from needsalloc.display import sentence_and_table
from needsalloc.errors import InvalidValueError, first_few
from needsalloc.grouping import OF_AREAS
from needsalloc.kernels import assign, flow, rank
from needsalloc.quality import labels_by_area, overlap, ratio

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# A share of fewer people than this is chance; such lists are caught by their length.
FEWEST = 20
# Under this share of an area's people a team is a stranger there.
STRANGER = 0.05
# Barracks and prisons have many residents of these ages; villages on the Welsh border have few. But where
# hardly anybody is registered it is the border: families and staff of barracks are on ordinary lists.
YOUNG, SHARE_OF_YOUNG, HARDLY_ANYBODY = (18, 44), 0.38, 0.1


@dataclass(frozen=True, slots=True)
class Screen:
    """One measure of one kind of code: caught from `threshold` on, upwards or (`under`) downwards.

    `relative` thresholds are parts of the median of all that were screened.
    """

    kind: str
    what: str
    measure: str
    threshold: float
    sentence: str
    under: bool = False
    relative: bool = False

    def fence(self, typical: float) -> float:
        """The value from which a code is caught."""
        return self.threshold * typical if self.relative else self.threshold


IN_ONE_AREA, ONE_AREA = "share of its patients who live in one area", 0.90
SCREENS = (
    # 99 patients of a nursing home (H85691), a boarding school, almshouses, asylum services, a hospital: 9.
    Screen(
        "institution",
        "practice",
        IN_ONE_AREA,
        ONE_AREA,
        "{value:.0%} of its patients live in one area, most of whose people are with others: looks like a "
        "home, hostel, school or hospital with a list of its own",
    ),
    # Scilly, Alston, West Cornforth: 3.
    Screen(
        "practice of one place",
        "practice",
        IN_ONE_AREA,
        ONE_AREA,
        "{value:.0%} of its patients live in one area, and most of that area is with it: looks like the "
        "practice of an island or a village",
    ),
    # Special allocation schemes, services for homeless people and care homes, GP at Hand and other lists open
    # to a whole city: 40, over a third of them ordinary, in dense cities or without a PCN.
    Screen(
        "scattered",
        "practice",
        "share of its patients who live where its team has under 5% of people",
        0.50,
        "{value:.0%} of its patients live where its team has under 5% of the people: looks like a digital "
        "practice, or a service for people with no ordinary practice",
    ),
    # Homeless, asylum and special allocation services, and practices about to close: 49 of 6,378.
    Screen(
        "short list",
        "practice",
        "patients",
        500,
        "{value:,.0f} patients: looks like a service for a few people, or a practice that opens or closes",
        under=True,
    ),
    # University health centres and practices near them: 57, 13 of them with over half.
    Screen(
        "students",
        "practice",
        "share aged 18-24",
        0.25,
        "{value:.0%} of its list is aged 18 to 24: looks like a practice for students",
    ),
    # Services for homeless people, asylum seekers and special allocation: 34. No list of a prison or of
    # barracks shows itself; those are seen by area.
    Screen(
        "mostly men",
        "practice",
        "share of men among those aged 18-64",
        0.70,
        "{value:.0%} of its patients aged 18 to 64 are men: looks like a service for homeless people, asylum "
        "seekers or men in an institution",
    ),
    # Six care-home services and the Royal Hospital Chelsea have 22 to 68 %; three below have 13 to 15 %.
    Screen(
        "care homes",
        "practice",
        "share aged 85 and over",
        0.10,
        "{value:.0%} of its list is aged 85 or over: looks like a practice for care homes",
    ),
    # GP at Hand; PCNs whose practices lie between those of larger ones, in Liverpool, Hull, Reading: 27.
    Screen(
        "few patients inside",
        "team",
        "share of its patients who live in its own areas",
        1 / 3,
        "{value:.0%} of its patients live in areas where it is the largest team: looks scattered, or it lies "
        "among larger teams; catchments by whole areas hardly show its people",
        under=True,
        relative=True,
    ),
    # 183 of 32,844, rural nearly all: what happens to the list of one practice happens to the area.
    Screen(
        "one practice",
        "area",
        "largest share of one practice",
        0.99,
        "{value:.1%} of its registered people are with one practice: its figures are those of that list",
    ),
    # Nine areas along the Welsh border, whose people are registered in Wales.
    Screen(
        "edge of the lists",
        "area",
        "registered per resident",
        0.50,
        "{value:.3f} registered per resident: looks like the edge of these lists, people being on others",
        under=True,
    ),
    # Catterick, Bulford, Tidworth, Brize Norton, Sandhurst, prisons such as Wymott: 26, a few of students.
    Screen(
        "barracks or prison",
        "area",
        "registered per resident",
        0.50,
        "{value:.2f} registered per resident, and many residents are aged 18 to 44: looks like barracks, a "
        "prison or student halls, whose people are on no ordinary list",
        under=True,
    ),
    # Cambridge, Coventry (14,364 patients of 4,661 residents), new estates: 21.
    Screen(
        "long lists",
        "area",
        "registered per resident",
        2.0,
        "{value:.1f} registered per resident: looks like new homes, students still listed, or an address "
        "that a practice gives to people without one",
    ),
    # University towns: 179.
    Screen(
        "student area",
        "area",
        "share of residents aged 18-24",
        0.50,
        "{value:.0%} of residents are aged 18 to 24: looks like student halls or houses",
    ),
    # Seaside towns and areas with care homes or retirement flats: 34.
    Screen(
        "care-home area",
        "area",
        "share of residents aged 85 and over",
        0.12,
        "{value:.0%} of residents are aged 85 or over: looks like care homes or retirement flats",
    ),
)


@dataclass(frozen=True, eq=False)
class Outliers:
    """What looks unusual, and what was looked at.

    Attributes
    ----------
    table:
        A row for each code caught, by screen, the furthest out first: `kind`, `what` ("practice", "team",
        "area"), `code`, `name`, `patients`, `measure`, `value`, `typical` (the median of all screened),
        `threshold` and a `sentence`.
    screens:
        A row for each screen that could be made: `kind, what, measure, threshold, typical, screened, caught`
        and the `patients` of those caught. A code may be caught by several.
    not_screened:
        Sentences on what could not be looked at, and why.
    """

    table: pd.DataFrame
    screens: pd.DataFrame
    not_screened: tuple[str, ...]

    def __repr__(self) -> str:
        caught = self.table.drop_duplicates(["what", "code"])["what"].value_counts()
        said = ", ".join(f"{caught.get(what, 0):,} {what}s" for what in ("practice", "team", "area"))
        left = f"; not looked at: {len(self.not_screened):,}" if self.not_screened else ""
        return f"<Outliers: {said} to look at, by {len(self.screens):,} screens; nothing was removed{left}>"

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.screens)


def outliers(
    catchment: Catchment,
    *,
    lists: pd.DataFrame | None = None,
    population: pd.DataFrame | None = None,
    names: pd.Series | None = None,
) -> Outliers:
    """Practices, teams and areas that somebody who knows the place should look at; nothing is removed.

    lists: index (practice, sex), columns ages (`read_lists`): students, men, care homes. Of any date; a
        practice that is not in them is not screened by age, and counted.
    population: index area, columns first ages of bands (`read_population`): registered per resident, and ages
        where bands allow. Open counts by area have no sex here, so barracks and prisons are told by age.
    names: code -> name of practices and areas, for the table.

    The own-share screen ("scattered") takes a practice's team to be its PCN; a practice without one is its
    own. Shares of fewer than 20 people are not judged.

    Raises UnknownCodeError or VintageError if the population lacks areas of the catchment, InvalidValueError
    for a table that is another one, a catchment of shares that count nobody, or one whose teams are groups of
    areas.
    """
    catchment.refuse_shares_alone()
    if names is not None:
        check_series(names, "the names")
    if lists is not None:
        _check_by_age(lists, ["practice", "sex"], "lists", "read_lists")
    if population is not None:
        _check_by_age(population, ["area"], "population", "read_population")
    if catchment.practices.name == OF_AREAS:
        raise InvalidValueError(
            "The teams of this catchment are groups of areas, so it holds no lists of practices. Look for "
            "outliers in the catchment that it was made from."
        )
    gaps: list[str] = []
    measured = dict(_of_practices(catchment)) | {"one practice": _of_areas(catchment)}
    if np.bincount(catchment.team_of_practice).max() > 1:
        measured |= dict(_of_belonging(catchment))
    else:
        gaps.append("Every team is one practice: scattered ones are looked for in a catchment of PCNs.")
    measured |= dict(_of_lists(catchment, lists, gaps)) | dict(_of_residents(catchment, population, gaps))
    known = pd.concat([catchment.teams["team_name"], *([] if names is None else [names])])
    known = known[~known.index.duplicated(keep="last")]
    found = [_caught(screen, measured[screen.kind]) for screen in SCREENS if screen.kind in measured]
    table = pd.concat([rows for rows, _ in found], ignore_index=True)
    table.insert(3, "name", table["code"].map(known).fillna(""))
    return Outliers(table, pd.DataFrame([row for _, row in found]), tuple(gaps))


def _check_by_age(table: object, keys: list[str], name: str, reader: str) -> None:
    """Refuse what is no table of people by age, or has lists and population changed about."""
    if not isinstance(table, pd.DataFrame):
        raise InvalidValueError(f"{name} must be the table of {reader}, not a {type(table).__name__}.")
    if table.index.nlevels != len(keys) or (len(keys) > 1 and list(table.index.names) != keys):
        raise InvalidValueError(
            f"{name} must be by {' and '.join(keys)}, as {reader} gives it; this table is by "
            f"{first_few(map(str, table.index.names))}."
        )
    if not pd.api.types.is_integer_dtype(table.columns):
        raise InvalidValueError(
            f"{name} must have a column for each age or first age of a band, as {reader} gives them; this "
            f"table has {first_few(map(str, table.columns))}."
        )


@dataclass(frozen=True, slots=True)
class _Measured:
    """A measure of `codes`, with their patients; `where` tells which of them the screen is about."""

    codes: pd.Index
    patients: Floats
    value: Floats
    where: Bools


def _caught(screen: Screen, of: _Measured) -> tuple[pd.DataFrame, dict[str, object]]:
    judged = np.isfinite(of.value)
    typical = float(np.median(of.value[judged])) if judged.any() else np.nan
    fence = screen.fence(typical)
    beyond = of.value < fence if screen.under else of.value >= fence
    here = np.flatnonzero(judged & beyond & of.where)
    order = here[np.argsort(of.value[here] * (1 if screen.under else -1), kind="stable")]
    rows = pd.DataFrame(
        {
            "kind": screen.kind,
            "what": screen.what,
            "code": of.codes[order].astype("str"),
            "patients": of.patients[order],
            "measure": screen.measure,
            "value": of.value[order],
            "typical": typical,
            "threshold": fence,
            "sentence": [screen.sentence.format(value=value) for value in of.value[order]],
        }
    )
    made = {
        "kind": screen.kind,
        "what": screen.what,
        "measure": screen.measure,
        "threshold": fence,
        "typical": typical,
        "screened": int(judged.sum()),
        "caught": len(rows),
        "patients": float(rows["patients"].sum()),
    }
    return rows, made


def _of_practices(catchment: Catchment) -> Iterator[tuple[str, _Measured]]:
    flows, everyone = catchment.registered_by_practice, _listed(catchment)
    count, practice = len(everyone), _columns(flows)
    # The first entry of each practice, its flows in falling order, is the area where most of it lives.
    order = np.lexsort((-flows.data, practice))
    first = order[np.diff(practice[order], prepend=-1) != 0]
    of_area = np.zeros(count)
    of_area[practice[first]] = flows.data[first] / catchment.size_of_area[flows.indices[first]]
    in_one = _in_one_area(catchment)
    for kind, where in (("institution", of_area < 0.5), ("practice of one place", of_area >= 0.5)):
        yield kind, _Measured(catchment.practices, everyone, in_one, where)
    yield "short list", _Measured(catchment.practices, everyone, everyone, np.full(count, True))


def _in_one_area(catchment: Catchment) -> Floats:
    """(practices,) the largest share of a practice's patients in one area, NaN for a list too short."""
    flows, everyone = catchment.registered_by_practice, _listed(catchment)
    largest = np.zeros(len(everyone))
    np.maximum.at(largest, _columns(flows), flows.data)
    share: Floats = np.where(everyone >= FEWEST, largest / everyone, np.nan)
    return share


def _listed(catchment: Catchment) -> Floats:
    """(practices,) patients, wherever they live."""
    inside = flow.total_by_column(catchment.registered)
    everyone: Floats = inside + catchment.outside_by_practice
    return everyone


def _columns(flows: sparse.csc_array) -> Ints:
    """The column of each entry."""
    return np.repeat(np.arange(flows.shape[1]), np.diff(flows.indptr))


def _of_belonging(catchment: Catchment) -> Iterator[tuple[str, _Measured]]:
    flows, everyone = catchment.registered_by_practice, _listed(catchment)
    count = len(everyone)
    strange = rank.group_sums(_columns(flows), count, flows.data * (_share_of_team(catchment) < STRANGER))
    inside = flow.total_by_column(flows)
    apart = np.divide(strange, inside, out=np.full(count, np.nan), where=(everyone >= FEWEST) & (inside > 0))
    # A list that is all in one area is no scattered one: it has a screen of its own.
    spread = ~(_in_one_area(catchment) >= ONE_AREA)
    yield "scattered", _Measured(catchment.practices, everyone, apart, spread)
    teams = overlap(catchment).teams
    teams = teams[teams["is_team"]]
    patients = teams["registered"].to_numpy(np.float64)
    own = np.where(patients >= FEWEST, teams["living_inside"].to_numpy(np.float64), np.nan)
    yield "few patients inside", _Measured(teams.index, patients, own, np.full(len(teams), True))


def _share_of_team(catchment: Catchment) -> Floats:
    """For each entry of `registered_by_practice`, the share of its area's people with the practice's team."""
    flows = catchment.registered_by_practice
    team = catchment.team_of_practice[_columns(flows)].astype(np.int64)
    key = flows.indices * np.int64(len(catchment.teams)) + team
    by_team = catchment.flows
    keys = assign.rows_of(by_team) * np.int64(len(catchment.teams)) + by_team.indices
    with_team = by_team.data[np.searchsorted(keys, key)]
    # The group of practices without a PCN is no team: each of them stands for itself.
    together = catchment.teams["is_team"].to_numpy(np.bool_)[team]
    people: Floats = np.where(together, with_team, flows.data) / catchment.size_of_area[flows.indices]
    return people


def _of_areas(catchment: Catchment) -> _Measured:
    largest = np.asarray(catchment.registered.max(axis=1).todense(), dtype=np.float64).ravel()
    people = catchment.size_of_area
    share = np.where(people >= FEWEST, largest / people, np.nan)
    return _Measured(catchment.areas, people, share, np.full(len(people), True))


def _of_lists(
    catchment: Catchment, lists: pd.DataFrame | None, gaps: list[str]
) -> Iterator[tuple[str, _Measured]]:
    if lists is None:
        gaps.append(
            "No lists by age were given: students, men and care homes were not looked for by practice."
        )
        return
    everyone = lists.groupby(level="practice").sum()
    here = catchment.practices.isin(everyone.index)
    if not here.all():
        missing = catchment.practices[~here]
        without = _listed(catchment)[~here].sum()
        gaps.append(
            f"{len(missing):,} of {len(here):,} practices ({without:,.0f} patients) have no list by age: "
            f"{first_few(missing)}."
        )
    codes = catchment.practices[here].astype("str")
    everyone = everyone.reindex(codes)
    is_male = lists.index.get_level_values("sex") == "male"
    men = lists[is_male].droplevel("sex").reindex(codes, fill_value=0.0)
    listed = everyone.sum(axis=1)
    adults = _aged(everyone, 18, 64)
    patients, anyone = _listed(catchment)[here], np.full(len(codes), True)
    for kind, part, whole in (
        ("students", _aged(everyone, 18, 24), listed),
        ("mostly men", _aged(men, 18, 64), adults),
        ("care homes", _aged(everyone, 85, None), listed),
    ):
        if part is None or whole is None:
            gaps.append(f"The ages of the lists are in bands too broad to look for {kind}.")
            continue
        share = ratio(part, whole).where(whole >= FEWEST).to_numpy(np.float64)
        yield kind, _Measured(codes, patients, share, anyone)


def _of_residents(
    catchment: Catchment, population: pd.DataFrame | None, gaps: list[str]
) -> Iterator[tuple[str, _Measured]]:
    if population is None:
        gaps.append("No population was given: registered per resident and ages were not looked at by area.")
        return
    people = labels_by_area(catchment.areas, population, "the population")
    resident, registered = people.sum(axis=1), catchment.size_of_area
    everywhere, enough = np.full(len(people), True), resident >= FEWEST
    per_resident = (registered / resident.where(enough)).to_numpy(np.float64)
    young = _aged(people, *YOUNG)
    if not catchment.is_national:
        gaps.append(
            "These are not the lists of all England: areas with few people on them are the edge of the lists "
            "as a rule, so none was looked at for that (see coverage_by_area)."
        )
    elif young is None:
        gaps.append("The ages of the population are in broad bands: barracks are not told from borders.")
        yield "edge of the lists", _Measured(catchment.areas, registered, per_resident, everywhere)
    else:
        many = (young >= SHARE_OF_YOUNG * resident).to_numpy(np.bool_)
        edge = ~many | (per_resident < HARDLY_ANYBODY)
        yield "edge of the lists", _Measured(catchment.areas, registered, per_resident, edge)
        yield "barracks or prison", _Measured(catchment.areas, registered, per_resident, ~edge)
    yield "long lists", _Measured(catchment.areas, registered, per_resident, everywhere)
    for kind, part in (("student area", _aged(people, 18, 24)), ("care-home area", _aged(people, 85, None))):
        if part is None:
            gaps.append(f"The ages of the population are in bands too broad to look for a {kind}.")
            continue
        share = (part / resident.where(enough)).to_numpy(np.float64)
        yield kind, _Measured(catchment.areas, registered, share, everywhere)


def _aged(people: pd.DataFrame, first: int, last: int | None) -> pd.Series | None:
    """People aged from `first` to `last` (or over), by row; None where the columns' bands do not tell."""
    bands = people.columns.to_numpy(np.int64)
    edges = {first} if last is None else {first, last + 1}
    if not edges <= set(bands.tolist()):
        return None
    within = (bands >= first) & (True if last is None else bands <= last)
    return people.loc[:, within].sum(axis=1)


__all__ = ["SCREENS", "Outliers", "Screen", "outliers"]
