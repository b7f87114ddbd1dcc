"""A catchment as a frame with geometry: a row per area or per team."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from needsalloc.errors import InvalidValueError, UnknownCodeError, first_few
from needsalloc.geography import AREAS_OF_ENGLAND, check_same_vintage, english
from needsalloc.grouping import OF_AREAS
from needsalloc.kernels import assign, flow
from needsalloc.maps import coverage
from needsalloc.synthetic import is_synthetic

if TYPE_CHECKING:
    import geopandas as gpd

    from needsalloc.catchment import Catchment

# In lists of a part of England, an area with fewer of their people is far away and would only shrink a map.
FEWEST_PEOPLE = 100
GRID = 27700
ATTRIBUTION = (
    "Source of boundaries: Office for National Statistics, licensed under the Open Government Licence v3.0. "
    "Contains OS data © Crown copyright and database right."
)
_PEOPLE = {"patients": "registered", "residents": "resident"}


def to_geo(
    catchment: Catchment,
    boundaries: gpd.GeoDataFrame,
    *,
    by: Literal["team", "area"] = "team",
    simplify: float | None = None,
    fewest: float | None = None,
) -> gpd.GeoDataFrame:
    """The catchment as a GeoDataFrame (EPSG:27700), without gaps or overlaps between neighbours.

    boundaries: polygons by area code (see `read_boundaries`).
    by: "area", a row for each area: `team` (of those that the method gives it to, the one that the largest
        part of its registered people use) and `team_name`, `resident_share` (the part of its registered
        people who use that team, whatever the method), `teams` (to how many the method gives it) and
        `registered`.
        "team", a row for each team: `team_name`, `icb`, `is_team`, `registered`, the number and the union of
        its `areas`. By a proportional method these are the areas whose `team` it is; by whole areas, all that
        the method gives it, so that the shapes of two teams overlap where they share an area.
    simplify: draw borders with less detail; the side, in metres, of the smallest detail that stays. Borders
        that two areas share are simplified once, before areas become teams, so everything still fits.
    fewest: areas with fewer people have no geometry. By default 100, since the lists of a part of England
        have somebody far away in many areas; with all England's every area is drawn.

    Every area and team keeps its row; what cannot be drawn has no geometry and is counted in `attrs`:
    `areas_without_boundary`, `areas_with_few_people`, `people_not_drawn`, `areas_without_team`,
    `areas_of_several_teams`, `teams_without_area`, `boundaries_without_people`. `attrs["caption"]` says so in
    words, to be shown with any map, and names the rights of others. With residents `registered` is
    `resident`; a catchment of shares alone has neither.

    Raises VintageError for boundaries of another census, UnknownCodeError if no area has a boundary,
    InvalidValueError for a frame that is no map or has a code twice, and for what is no length or number of
    people.

    >>> import needsalloc as na
    >>> england = na.synthetic.england(areas=60, pcns=3, seed=1)
    >>> catchment = na.Catchment.from_registrations(england.registrations, england.membership)
    >>> int(to_geo(catchment, england.boundaries)["areas"].sum())
    60
    """
    if by not in ("team", "area"):
        raise InvalidValueError(f'by={by!r} is unknown: choose "team" or "area".')
    if simplify is not None:
        _check_amount(simplify, "simplify", "a length in metres, such as 200")
    drawing = Drawing.of(catchment, boundaries, fewest)
    if simplify is not None:
        drawing = drawing.simplified(lambda polygons: coverage.simplify(polygons, simplify))
    return drawing.areas if by == "area" else drawing.teams


@dataclass(frozen=True, eq=False)
class Drawing:
    """A catchment and its polygons.

    polygons: (areas,) a seamless coverage, None for an area that is not drawn.
    belongs: (areas, teams) patients of the teams that the method gives each area to.
    """

    catchment: Catchment
    polygons: coverage.Shapes
    belongs: sparse.csr_array
    fewest: float
    left_out: dict[str, int]
    source: dict[str, Any]

    @classmethod
    def of(cls, catchment: Catchment, boundaries: gpd.GeoDataFrame, fewest: float | None) -> Drawing:
        """Match boundaries to areas and make one coverage of those that are drawn."""
        if fewest is None:
            fewest = 0 if catchment.is_national else FEWEST_PEOPLE
        _check_amount(fewest, "fewest", "a number of people, such as 100, or 0 to draw every area")
        shapes = _matched(catchment, boundaries)
        missing = pd.isna(shapes)
        counted = catchment.unit in _PEOPLE  # shares alone are of nobody, so there are never few
        people = catchment.people_of_area
        few = ~missing & counted & (people < fewest)
        shapes[few] = None
        drawn = np.flatnonzero(~(missing | few))
        if not len(drawn):
            raise UnknownCodeError(_nothing_drawn(catchment, boundaries, int(few.sum()), fewest))
        shapes[drawn] = coverage.seamless(shapes[drawn])
        left_out = {
            "areas_without_boundary": int(missing.sum()),
            "areas_with_few_people": int(few.sum()),
            "people_not_drawn": round(float(people[missing | few].sum())) if counted else 0,
            "boundaries_without_people": len(boundaries.index.difference(catchment.areas)),
        }
        source = boundaries.attrs.get("source", {})
        return cls(catchment, shapes, _belongs(catchment), fewest, left_out, source)

    def simplified(self, simplify: Callable[[coverage.Shapes], coverage.Shapes]) -> Drawing:
        """The same with simpler polygons."""
        polygons = self.polygons.copy()
        polygons[self.drawn] = simplify(polygons[self.drawn])
        return replace(self, polygons=polygons)

    @property
    def drawn(self) -> coverage.Ints:
        """Positions of the areas that have a polygon."""
        return np.flatnonzero(~pd.isna(self.polygons))

    @cached_property
    def team_of_area(self) -> coverage.Ints:
        """(areas,) position of the team that each area is drawn with, -1 for none."""
        is_team = self.catchment.teams["is_team"].to_numpy()
        largest = assign.first_past_the_post(self.belongs, is_team).entries
        team = np.full(len(self.catchment.areas), -1)
        team[assign.rows_of(self.belongs)[largest]] = self.belongs.indices[largest]
        return team

    @cached_property
    def members(self) -> tuple[coverage.Ints, coverage.Ints]:
        """(pairs,) positions of areas and of the teams whose shape they are part of."""
        if not self.catchment.method.by_whole_areas:
            area = np.flatnonzero(self.team_of_area >= 0)
            return area, self.team_of_area[area]
        is_team = self.catchment.teams["is_team"].to_numpy()[self.belongs.indices]
        return assign.rows_of(self.belongs)[is_team], self.belongs.indices[is_team]

    @property
    def areas(self) -> gpd.GeoDataFrame:
        """A row for each area (see `to_geo`)."""
        catchment, team = self.catchment, self.team_of_area
        placed = np.flatnonzero(team >= 0)
        share = np.full(len(team), np.nan)
        share[placed] = np.asarray(flow.row_shares(catchment.flows)[placed, team[placed]]).ravel()
        is_team = catchment.teams["is_team"].to_numpy()[self.belongs.indices]
        frame = pd.DataFrame(
            {
                "team": _taken(catchment.teams.index, team),
                "team_name": _taken(catchment.teams["team_name"], team),
                "resident_share": share,
                "teams": np.bincount(assign.rows_of(self.belongs)[is_team], minlength=len(team)),
            },
            index=catchment.areas,
        )
        if catchment.unit in _PEOPLE:
            frame[_PEOPLE[catchment.unit]] = catchment.people_of_area
        return self._geo(frame, self.polygons)

    @cached_property
    def shapes_of_teams(self) -> coverage.Shapes:
        """(teams,) the union of each team's areas, None where none is drawn."""
        area, team = self.members
        drawn = ~pd.isna(self.polygons[area])
        return coverage.dissolve(self.polygons, area[drawn], team[drawn], len(self.catchment.teams))

    @property
    def teams(self) -> gpd.GeoDataFrame:
        """A row for each team (see `to_geo`)."""
        frame = self.catchment.teams[["team_name", "icb", "is_team"]].copy()
        if self.catchment.unit in _PEOPLE:
            frame[_PEOPLE[self.catchment.unit]] = self.catchment.populations()[_PEOPLE[self.catchment.unit]]
        frame["areas"] = np.bincount(self.members[1], minlength=len(frame))
        return self._geo(frame, self.shapes_of_teams)

    @cached_property
    def counts(self) -> dict[str, int]:
        """What is not drawn or drawn for another, by name (see `to_geo`)."""
        is_team = self.catchment.teams["is_team"].to_numpy()
        of_area = np.bincount(self.members[0], minlength=len(self.polygons))[self.drawn]
        return self.left_out | {
            "areas_without_team": int((of_area == 0).sum()),
            "areas_of_several_teams": int((of_area > 1).sum()),
            "teams_without_area": int((is_team & pd.isna(self.shapes_of_teams)).sum()),
        }

    @property
    def caption(self) -> str:
        """What must be said under any map of this."""
        people = "registered people" if self.catchment.unit == "patients" else "people"
        others = "; people in it use other teams too"
        if self.catchment.practices.name == OF_AREAS:
            how, others = "the team that it is part of", ", which has all who live there"
        elif self.catchment.method.by_whole_areas:
            how = f"a team to which the method gives it ({self.catchment.method})"
        else:
            how = f"the team that the largest part of its {people} use"
        counts = self.counts
        told = [f"Indicative: each area is drawn with {how}{others}."]
        if several := counts["areas_of_several_teams"]:
            told.append(
                f"In more than one catchment, and drawn with the team most used: {count_of_areas(several)}."
            )
        if none := counts["areas_without_team"]:
            told.append(f"In no team's catchment: {count_of_areas(none)}.")
        not_drawn = []
        if missing := counts["areas_without_boundary"]:
            not_drawn.append(f"{count_of_areas(missing)} without a boundary")
        if few := counts["areas_with_few_people"]:
            not_drawn.append(
                f"{count_of_areas(few)} where fewer than {self.fewest:g} of the people counted here live"
            )
        if not_drawn:
            people_there = f" ({counts['people_not_drawn']:,} people)" if counts["people_not_drawn"] else ""
            told.append(f"Not drawn: {' and '.join(not_drawn)}{people_there}.")
        if lost := counts["teams_without_area"]:
            told.append(f"{lost:,} {'team has' if lost == 1 else 'teams have'} no area of their own.")
        if spare := counts["boundaries_without_people"]:
            told.append(f"Nobody of this catchment lives in the {spare:,} other areas of the boundaries.")
        return " ".join([*told, *_rights(self.catchment.areas)])

    def _geo(self, frame: pd.DataFrame, shapes: coverage.Shapes) -> gpd.GeoDataFrame:
        import geopandas as gpd

        found = gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(shapes, index=frame.index, crs=GRID))
        found.attrs = {"source": self.source, "caption": self.caption, **self.counts}
        return found


def _check_amount(value: object, name: str, wanted: str) -> None:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < np.inf:
        raise InvalidValueError(f"{name}={value!r} cannot be: give {wanted}.")


def _matched(catchment: Catchment, boundaries: gpd.GeoDataFrame) -> coverage.Shapes:
    """(areas,) the boundary of each area in metres, None where there is none."""
    import geopandas as gpd
    import shapely

    if not isinstance(boundaries, gpd.GeoDataFrame) or boundaries.crs is None:
        raise InvalidValueError(
            "The boundaries are no map: give the frame of read_boundaries, or a GeoDataFrame by area code "
            "that names its coordinate system."
        )
    twice = boundaries.index[boundaries.index.duplicated()].unique()
    if len(twice):
        raise InvalidValueError(
            f"{len(twice):,} areas have two boundaries: {first_few(twice)}. Dissolve their parts into one."
        )
    areas = catchment.areas
    # A set of codes that are in both vintages reads as 2011, so equal names decide before the codes do.
    if areas.name in AREAS_OF_ENGLAND and areas.name != boundaries.index.name:
        check_same_vintage(areas, boundaries.index, left_name="The catchment", right_name="the boundaries")
    geometry = boundaries.geometry
    if geometry.crs.to_epsg() != GRID:
        geometry = geometry.to_crs(GRID)
    shapes = np.asarray(geometry.reindex(areas).to_numpy(), dtype=object)
    shapes[shapely.is_empty(shapes)] = None
    return shapes


def _belongs(catchment: Catchment) -> sparse.csr_array:
    """Patients (areas x teams) of the teams that the method gives each area to, in part or whole."""
    if not catchment.method.by_whole_areas:
        return catchment.flows
    given = sparse.csr_array(catchment.flows.multiply(catchment.resident_share > 0))
    given.sort_indices()
    return given


def _nothing_drawn(catchment: Catchment, boundaries: gpd.GeoDataFrame, few: int, fewest: float) -> str:
    if few:
        return (
            f"None of the {few:,} areas with a boundary has {fewest:g} people of this catchment. "
            "Give fewest= a lower number."
        )
    return (
        f"None of the {len(catchment.areas):,} areas of the catchment ({first_few(catchment.areas, 3)}) has "
        f"a boundary; those given are of {first_few(boundaries.index, 3) or 'nothing'}. Use "
        "boundaries of the same areas."
    )


def count_of_areas(number: int) -> str:
    return "1 area" if number == 1 else f"{number:,} areas"


def _rights(areas: pd.Index) -> list[str]:
    if areas.name not in AREAS_OF_ENGLAND:
        return []
    return ["Made up: no data of anyone are used."] if is_synthetic(english(areas)) else [ATTRIBUTION]


def _taken(labels: pd.Index | pd.Series, position: coverage.Ints) -> Any:
    """Labels by position, missing for -1."""
    return pd.Series(np.asarray(labels)).reindex(position).to_numpy()
