"""geo/: areas and teams with their figures, for a geographic information system.

Borders are those of the boundary file at full detail, made one seamless coverage, so that neighbours meet and
a team is exactly the sum of its areas. They are indicative: an area is drawn with the team that the largest
part of its people use.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from needsalloc.maps import FEWEST_PEOPLE, coverage
from needsalloc.report.bundle import Bundle

if TYPE_CHECKING:
    import geopandas as gpd

GEOPACKAGE = "plan.gpkg"
NO_CLOCK = "2000-01-01T00:00:00.000Z"  # a GeoPackage holds the moment of its last change


@dataclass(frozen=True, slots=True)
class Drawn:
    """The areas that are drawn, in the order of their teams and then of their codes.

    team: (areas,) position of each area's team in the allocation.
    geometry: (areas,) a seamless coverage.
    left_out: why some areas are not drawn and how many people live there; empty when all are.
    """

    areas: pd.Index[str]
    team: npt.NDArray[np.int64]
    geometry: npt.NDArray[Any]
    left_out: str


@lru_cache(maxsize=1)  # the files and the map of a report show the same
def drawn_areas(bundle: Bundle) -> Drawn | None:
    """The areas of a run that maps and geo files show, or None when there are no boundaries for any."""
    if bundle.boundaries is None:
        return None
    need = bundle.need.set_index(bundle.need[bundle.area_column].astype(str))
    teams = pd.Index(bundle.allocation["team"].astype(str))
    placed = bundle.teams_of_areas.astype(str).rename(index=str)
    placed = placed[placed.isin(teams) & placed.index.isin(need.index)]
    crowded = need["registered"].reindex(placed.index) >= FEWEST_PEOPLE
    shown = placed[crowded & placed.index.isin(bundle.boundaries.index)].sort_index()
    if shown.empty:
        return None
    team = teams.get_indexer(pd.Index(shown))
    order = np.argsort(team, kind="stable")
    areas = pd.Index(shown.index[order])
    geometry = coverage.seamless(bundle.boundaries.geometry.reindex(areas).to_numpy())
    return Drawn(areas, team[order], geometry, _left_out(need, placed.index.difference(areas)))


def _left_out(need: pd.DataFrame, gone: pd.Index[str]) -> str:
    if gone.empty:
        return ""
    people = need["registered"].reindex(gone).sum()
    return (
        f"{len(gone):,} areas with {people:,.0f} registered people are not drawn: fewer than {FEWEST_PEOPLE} "
        "of the people counted here live in them, or they have no boundary."
    )


def write_geo(bundle: Bundle, folder: Path) -> None:
    """Write areas.parquet and teams.parquet (GeoParquet) and plan.gpkg with a layer of each, EPSG:27700.

    Nothing is written where there are no boundaries. Same bundle, same bytes.
    """
    drawn = drawn_areas(bundle)
    if drawn is None:
        return
    folder.mkdir()
    layers = {"areas": _areas(bundle, drawn), "teams": _teams(bundle, drawn)}
    for name, layer in layers.items():
        layer.to_parquet(folder / f"{name}.parquet", index=False, compression="zstd")
    about = " ".join(filter(None, ("Indicative.", drawn.left_out, *bundle.attribution)))
    path = folder / GEOPACKAGE
    with _without_clock(), _faults_of_the_disk():
        for name, layer in layers.items():
            layer.to_file(
                path,
                layer=name,
                driver="GPKG",
                engine="pyogrio",
                promote_to_multi=True,
                layer_options={"IDENTIFIER": f"{bundle.title}: {name}", "DESCRIPTION": about},
            )
    _refuse_half(path, layers)


@contextmanager
def _faults_of_the_disk() -> Iterator[None]:
    """What GDAL says of a disk that is full or locked, as the OSError that it is."""
    from pyogrio.errors import DataSourceError, FeatureError

    try:
        yield
    except (DataSourceError, FeatureError) as fault:
        raise OSError(f"{GEOPACKAGE}: {fault}") from fault


def _refuse_half(path: Path, layers: Mapping[str, gpd.GeoDataFrame]) -> None:
    """OSError unless a GeoPackage is sound and holds every row of its layers, and each shape in its index.

    GDAL says nothing where the last that it writes, the spatial index, finds no room.
    """
    wanted = {name: len(layer) for name, layer in layers.items()} | {
        f"rtree_{name}_geom_rowid": int((~(layer.geometry.isna() | layer.geometry.is_empty)).sum())
        for name, layer in layers.items()
    }
    try:
        with closing(sqlite3.connect(path)) as package:
            sound = package.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            found = {
                table: package.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in wanted
            }
    except sqlite3.Error as fault:
        raise OSError(f"{path.name}: {fault}") from fault
    if not sound or found != wanted:
        raise OSError(f"{path.name} could not be written to its end")


def _areas(bundle: Bundle, drawn: Drawn) -> gpd.GeoDataFrame:
    """A row for each drawn area: its team, and all that the table of need says of it."""
    need = bundle.need.set_index(bundle.need[bundle.area_column].astype(str))
    team = bundle.allocation[["team", "team_name"]].iloc[drawn.team].astype(str)
    rows = need.loc[drawn.areas].reset_index(drop=True)
    rows.insert(1, "team", team["team"].to_numpy())
    rows.insert(2, "team_name", team["team_name"].to_numpy())
    return _drawn(rows, drawn.geometry)


def _teams(bundle: Bundle, drawn: Drawn) -> gpd.GeoDataFrame:
    """Every row of the allocation; a group that has no area of its own has no shape."""
    teams = len(bundle.allocation)
    shapes = coverage.dissolve(drawn.geometry, np.arange(len(drawn.areas)), drawn.team, teams)
    return _drawn(bundle.allocation, shapes)


def _drawn(rows: pd.DataFrame, shapes: npt.NDArray[Any]) -> gpd.GeoDataFrame:
    import geopandas as gpd

    rows = rows.copy()
    for name in rows.select_dtypes("category"):
        rows[name] = rows[name].astype(str)
    rows.attrs = {}
    return gpd.GeoDataFrame(rows, geometry=gpd.GeoSeries(shapes, index=rows.index, crs=27700))


@contextmanager
def _without_clock() -> Iterator[None]:
    import pyogrio

    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": NO_CLOCK})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


__all__ = ["GEOPACKAGE", "Drawn", "drawn_areas", "write_geo"]
