"""The map of the page: shapes as SVG paths, and the classes that colour them.

Each area is drawn with the team that the largest part of its people use. Up to `MOST_AREAS` areas are drawn
one by one; beyond that only the teams are, each as the union of its areas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from needsalloc.maps import coverage
from needsalloc.maps.classes import between, classed, fifths
from needsalloc.report import schema
from needsalloc.report.bundle import Bundle
from needsalloc.report.column import Column
from needsalloc.report.geo import drawn_areas

Floats = npt.NDArray[np.float64]

MOST_AREAS = 4_000
WIDTH = 2_000  # units of the drawing, about three to a pixel


@dataclass(frozen=True, slots=True)
class Shape:
    """A drawn area or team: `team` is its row in the allocation, `code` is empty when it is a whole team.

    `colour` is its class of the first measure, so that the map is coloured where scripts are blocked.
    """

    team: int
    path: str
    colour: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """A way to colour the map.

    `classes` holds one of 0 to 4 for each drawn area (or for each team when `of` is "team"), -1 where the
    figure is not known; `scheme` is "s" (sequential) or "d" (diverging); `legend` is (class, words);
    `sentence` says in words what the map shows.
    """

    key: str
    label: str
    of: str
    scheme: str
    classes: list[int]
    legend: list[tuple[str, str]]
    sentence: str

    def colour(self, position: int) -> str:
        found = self.classes[position]
        return "na" if found < 0 else f"{self.scheme}{found}"


@dataclass(frozen=True, slots=True)
class Map:
    """Everything the template needs to draw. `areas`, ordered by team, is empty when there are too many."""

    width: int
    height: int
    areas: list[Shape]
    teams: list[Shape]
    measures: list[Measure]
    shown: list[str]  # the need index of each drawn area, as shown
    left_out: str


def draw(bundle: Bundle) -> Map | None:
    """The map of a run, or None when there are no boundaries for any of its areas."""
    found = drawn_areas(bundle)
    if found is None:
        return None
    import shapely

    drawn, team_of = found.areas, found.team
    geometry = coverage.simplify_for_picture(found.geometry)
    left, bottom, right, top = shapely.total_bounds(geometry)
    scale = WIDTH / (right - left)

    def path(shape: Any) -> str:
        return _path(shape, left, top, scale)

    need = bundle.need.set_index(bundle.need[bundle.area_column].astype(str))
    index = need[bundle.need_index].reindex(drawn).to_numpy(dtype=float)
    by_area = len(drawn) <= MOST_AREAS
    measures = _measures(bundle, index if by_area else None)
    unions = coverage.dissolve(geometry, np.arange(len(geometry)), team_of, len(bundle.allocation))
    outlines = [
        Shape(int(team), path(unions[team]), "" if by_area else measures[0].colour(int(team)))
        for team in np.unique(team_of)
    ]
    areas = [
        Shape(int(team_of[i]), path(geometry[i]), measures[0].colour(i), str(drawn[i]))
        for i in range(len(drawn) if by_area else 0)
    ]
    column = schema.column(bundle, "need", bundle.need_index)
    return Map(
        width=WIDTH,
        height=int(np.ceil((top - bottom) * scale)),
        areas=areas,
        teams=outlines,
        measures=measures,
        shown=[column.show(value) for value in index.tolist()] if by_area else [],
        left_out=found.left_out,
    )


def _path(shape: Any, left: float, top: float, scale: float) -> str:
    """Rings as closed paths of whole units, each point relative to the one before."""
    import shapely

    rings = shapely.get_rings(shapely.get_parts(shape))
    points, ring_of = shapely.get_coordinates(rings, return_index=True)
    units = np.rint((points - (left, top)) * (scale, -scale)).astype(int)
    return "".join(_ring(units[ring_of == ring]) for ring in range(len(rings)))


def _ring(points: npt.NDArray[np.int_]) -> str:
    steps = np.diff(points[:-1], axis=0)  # the last point is the first again: "z" draws that side
    steps = steps[steps.any(axis=1)]
    if len(steps) < 2:
        return ""
    start = f"M{points[0, 0]} {points[0, 1]}l"
    return start + " ".join(f"{x} {y}" for x, y in steps.tolist()).replace(" -", "-") + "z"


def _measures(bundle: Bundle, area_index: Floats | None) -> list[Measure]:
    teams = bundle.allocation
    has_posts = (teams["target_share"] > 0).to_numpy()
    own_index = teams[bundle.need_index].where(has_posts).to_numpy(dtype=float)
    index = area_index if area_index is not None else teams[bundle.need_index].to_numpy(dtype=float)
    column = schema.column(bundle, "allocation", bundle.need_index)
    words = _extremes(
        bundle,
        own_index,
        column,
        "Need for each adult is highest in {} and lowest in {}",
        f"{bundle.base_name} is 1",
    )
    measures = [
        _sequential("need", "Need index", "team" if area_index is None else "area", index, column, words)
    ]
    adults = teams[f"{bundle.people}_adults"].to_numpy(dtype=float)
    rate = np.divide(
        teams["posts"].to_numpy(dtype=float) * 10_000,
        adults,
        out=np.full(len(teams), np.nan),
        where=has_posts & (adults > 0),
    )
    per_adults = schema.column(bundle, "equity", "posts_per_10000_adults")
    label = f"{bundle.unit} in this plan per 10,000 adults"
    words = _extremes(
        bundle, rate, per_adults, "This plan gives the most for 10,000 adults to {}, the least to {}"
    )
    measures.append(_sequential("rate", label, "team", rate, per_adults, words))
    if bundle.has_current:
        distance = teams["distance_from_target"].to_numpy(dtype=float)
        measures.append(_distance(bundle, np.where(np.isfinite(distance), distance, np.nan)))
        measures.append(_change(bundle, np.where(has_posts, teams["change"].to_numpy(dtype=float), np.nan)))
    return measures


def _sequential(key: str, label: str, of: str, values: Floats, column: Column, sentence: str) -> Measure:
    """Five classes of about equal number; fewer when many values are the same."""
    limits = fifths(values, column.decimals)
    return _classed(key, label, of, "s", values, limits, between(limits, column.show), sentence)


def _distance(bundle: Bundle, values: Floats) -> Measure:
    limits = np.array([-0.15, -0.05, 0.05, 0.15])
    names = [
        "more than 15% below",
        "5% to 15% below",
        "within 5% of target",
        "5% to 15% above",
        "more than 15% above",
    ]
    column = schema.column(bundle, "allocation", "distance_from_target")
    below, above = int((values < -0.05).sum()), int((values > 0.05).sum())
    ends = _extremes(bundle, values, column, "Furthest above is {}, furthest below {}")
    sentence = f"{below:,} teams have over 5% less than their target now, {above:,} over 5% more. {ends}"
    return _classed("distance", "Distance from target now", "team", "d", values, limits, names, sentence)


def _change(bundle: Bundle, values: Floats) -> Measure:
    """Posts in this plan less posts now, in classes that are alike on both sides of no change."""
    column = schema.column(bundle, "allocation", "change")
    smallest = 10.0**-column.decimals
    size = np.abs(values[np.isfinite(values)])
    small = max(np.quantile(size, 0.2), smallest) if len(size) else smallest
    large = max(np.quantile(size, 0.7), 2 * small) if len(size) else 2 * smallest
    plain = replace(column, signed=False)
    small, large = (round(float(limit), column.decimals) for limit in (small, large))
    edge = smallest / 2  # figures stand on steps: those on a limit belong to the class that names it
    limits = np.array([-large - edge, edge - small, small - edge, large + edge])
    a, b, unit = plain.show(small), plain.show(large), bundle.unit
    names = [
        f"loses more than {b} {unit}",
        f"loses {a} to {b}",
        f"changes by less than {a}",
        f"gains {a} to {b}",
        f"gains more than {b} {unit}",
    ]
    words = _extremes(bundle, values, column, "{} gains the most, {} the least or loses the most")
    return _classed("change", "Change: this plan less now", "team", "d", values, limits, names, words)


def _classed(
    key: str,
    label: str,
    of: str,
    scheme: str,
    values: Floats,
    limits: Floats,
    names: Sequence[str],
    sentence: str,
) -> Measure:
    noun = "areas" if of == "area" else "teams"
    classes, legend = classed(values, limits, names, noun, "no posts of its own, or not known")
    words = [("na" if found < 0 else f"{scheme}{found}", text) for found, text in legend]
    return Measure(key, label, of, scheme, classes.tolist(), words, sentence)


def _extremes(bundle: Bundle, values: Floats, column: Column, words: str, where: str = "") -> str:
    """A sentence that names the teams with the highest and the lowest value."""
    if np.isfinite(values).sum() < 2:
        return ""
    names = bundle.allocation["team_name"].astype(str).tolist()
    ends = (int(np.nanargmax(values)), int(np.nanargmin(values)))
    named = words.format(*(f"{names[end]} ({column.show(float(values[end]))})" for end in ends))
    return f"{named}, where {where}." if where else f"{named}."
