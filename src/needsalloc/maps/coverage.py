"""Polygons as one seamless coverage: mended, simplified, dissolved, told apart by colour.

Arrays of shapely geometries in metres, in and out. Neighbours of a coverage share each vertex of their common
border, so that borders can be simplified and dissolved without gaps or overlaps.
"""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Shapes = NDArray[Any]

POLYGON, MULTIPOLYGON = 3, 6
DETAILS = 1_500  # that a picture can show from side to side
SLIVER = 1.0  # metres: a gap narrower than this comes from drawing one border twice


def seamless(polygons: Shapes) -> Shapes:
    """Polygons as a valid coverage.

    Published boundaries overlap by a few square metres in places, and leave slivers of gaps there: an overlap
    goes to the first polygon, a sliver to the one with the longest border. All else stays. None may be None.
    """
    return _mended(_valid(polygons))


def simplify(polygons: Shapes, tolerance: float) -> Shapes:
    """A coverage with shared borders simplified once, so that they still fit.

    tolerance: about the side, in metres, of the smallest detail that stays.
    """
    import shapely

    simplified: Shapes = shapely.coverage_simplify(polygons, tolerance)
    return simplified


def simplify_for_picture(polygons: Shapes) -> Shapes:
    """A coverage with no more detail than a picture of all of it can show."""
    import shapely

    left, bottom, right, top = shapely.total_bounds(polygons)
    return simplify(polygons, max(right - left, top - bottom) / DETAILS)


def dissolve(polygons: Shapes, member: Ints, group: Ints, groups: int) -> Shapes:
    """(groups,) the union of each group's polygons, None for a group without any.

    `member` and `group` (pairs,) say which polygon is in which group. The polygons are a coverage.
    """
    import shapely

    order = np.argsort(group, kind="stable")
    found, start = np.unique(group[order], return_index=True)
    union = np.full(groups, None, dtype=object)
    for position, part in zip(found, np.split(polygons[member[order]], start[1:]), strict=False):
        union[position] = shapely.coverage_union_all(part)
    # GEOS before 3.14 leaves a ring that touches itself where a hole meets the edge in a point.
    union[found] = _valid(union[found])
    return union


def neighbours(polygons: Shapes) -> tuple[Ints, Ints]:
    """(pairs,) positions of polygons that touch each other, each pair in both directions."""
    import shapely

    left, right = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    apart = left != right
    return left[apart], right[apart]


def colouring(left: Ints, right: Ints, size: int, colours: int = 6) -> Ints:
    """(size,) a colour for each of `size` things, so that neighbours (`left`, `right`) differ.

    Smallest-last order (Matula and Beck 1983, doi:10.1145/2402.322385), for which six colours are always
    enough if things lie on a plane, each in one piece. Where pieces need more, two neighbours share the
    colour that fewest neighbours have. Of the free colours the least used is taken, so that all are used.
    """
    order = np.argsort(left, kind="stable")
    near = np.split(right[order], np.searchsorted(left[order], np.arange(1, size)))
    colour = np.full(size, -1)
    used = np.zeros(colours)
    for thing in reversed(_smallest_last(near)):
        of_neighbours = colour[near[thing]]
        taken = np.bincount(of_neighbours[of_neighbours >= 0], minlength=colours)
        colour[thing] = np.lexsort((used, taken))[0]
        used[colour[thing]] += 1
    return colour


def _smallest_last(near: list[Ints]) -> list[int]:
    """Things in the order in which the one with fewest remaining neighbours is taken away."""
    degree = [len(neighbour) for neighbour in near]
    waiting = [(count, thing) for thing, count in enumerate(degree)]
    heapq.heapify(waiting)
    gone: dict[int, None] = {}
    while waiting:
        count, thing = heapq.heappop(waiting)
        if thing in gone or count != degree[thing]:
            continue
        gone[thing] = None
        for other in near[thing].tolist():
            if other not in gone:
                degree[other] -= 1
                heapq.heappush(waiting, (degree[other], other))
    return list(gone)


def _valid(polygons: Shapes) -> Shapes:
    """Valid polygons alone: the default method can leave a stray line, which nothing can simplify."""
    import shapely

    broken = ~shapely.is_valid(polygons)
    valid = polygons.copy()
    valid[broken] = shapely.make_valid(polygons[broken], method="structure", keep_collapsed=False)
    return valid


def _mended(polygons: Shapes) -> Shapes:
    import shapely

    wrong = ~shapely.is_empty(shapely.coverage_invalid_edges(polygons, SLIVER))
    if not wrong.any():
        return polygons
    # Only what touches a wrong border is drawn anew, so that the rest stays as published.
    near = np.unique(shapely.STRtree(polygons).query(polygons[wrong], predicate="intersects")[1])
    borders = shapely.boundary(polygons[near])
    faces = shapely.get_parts(shapely.polygonize([shapely.union_all(borders)]))
    face, owner = shapely.STRtree(polygons[near]).query(
        shapely.point_on_surface(faces), predicate="intersects"
    )
    nobody = len(near)
    first = np.full(len(faces), nobody)
    np.minimum.at(first, face, owner)
    slivers = (first == nobody) & shapely.is_empty(shapely.buffer(faces, -SLIVER / 2))
    for sliver in np.flatnonzero(slivers):
        shared = shapely.length(shapely.intersection(shapely.boundary(faces[sliver]), borders))
        first[sliver] = shared.argmax()
    kept = np.flatnonzero(first < nobody)
    mended = polygons.copy()
    mended[near] = dissolve(faces, kept, first[kept], nobody)
    return mended
