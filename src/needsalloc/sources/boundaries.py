"""Boundaries of areas (ONS Open Geography), as maps draw them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from needsalloc.errors import InputFileError, InvalidValueError, MissingColumnError, first_few
from needsalloc.geography import check_vintage, vintage_of
from needsalloc.sources._kinds import plain
from needsalloc.sources._opening import checksum, read_bytes

if TYPE_CHECKING:
    import geopandas as gpd

BRITISH_NATIONAL_GRID = 27700
_AREA = ("LSOA11_CODE", "LSOA21_CODE", "LSOA11CD", "LSOA21CD", "LSOA_CODE")
# "crs" however JSON may spell it, and a value that is blank, a text or a name, with nothing to be fetched.
_CRS = re.compile(rb'"(?:c|\\u0063)(?:r|\\u0072)(?:s|\\u0073)"\s*:\s*')
_NAMED_CRS = re.compile(
    rb'null|"|\{\s*"type"\s*:\s*"name"\s*,\s*"properties"\s*:\s*\{\s*"name"\s*:\s*"[\w:.]*"\s*\}\s*\}'
)
_SUFFIXES = (".parquet", ".geojson", ".json", ".gpkg")


def read_boundaries(
    path: str | Path, *, area: str | None = None, vintage: str | None = None
) -> gpd.GeoDataFrame:
    """Polygons by area code: an index named `lsoa11` or `lsoa21`, `geometry` in metres (EPSG:27700), all
    valid.

    Reads GeoParquet, GeoJSON and GeoPackage. Polygons are made valid after projecting, since projecting can
    break them; a dissolve fails on a broken one. Needs geopandas (pip install "needsalloc[maps]").

    attrs: `source`, file name, sha256 and rows.

    Raises InputFileError, MissingColumnError, InvalidValueError or UnknownCodeError.
    Source: ONS, Lower layer Super Output Areas boundaries.
    """
    path = Path(path)
    shapes = _open(path)
    column = _area_column(path, [str(name) for name in shapes.columns], area)
    codes = _codes(path, shapes[column])
    repeated = codes[codes.duplicated()].unique()
    if len(repeated):
        raise InvalidValueError(
            f"{path.name}: {len(repeated):,} areas have more than one row: {first_few(repeated)}. "
            "Dissolve their parts into one."
        )
    name = check_vintage(vintage) if vintage else vintage_of(codes)
    _refuse_no_polygons(path, shapes.geometry, codes)
    result = _valid(shapes.geometry.to_crs(BRITISH_NATIONAL_GRID), pd.Index(codes, name=name))
    _refuse_no_polygons(path, result.geometry, codes)
    result.attrs = {"source": {"file": path.name, "sha256": checksum(read_bytes(path)), "rows": len(result)}}
    return result


def _open(path: Path) -> gpd.GeoDataFrame:
    try:
        import geopandas as gpd
    except ImportError as error:
        raise InputFileError(
            'Boundaries need geopandas. Install it with: pip install "needsalloc[maps]".'
        ) from error
    if path.suffix not in _SUFFIXES:
        raise InputFileError(f"{path.name} is no boundary file: give one of {', '.join(_SUFFIXES)}.")
    _refuse_other_contents(path, read_bytes(path))
    try:
        shapes = gpd.read_parquet(path) if path.suffix == ".parquet" else gpd.read_file(path)
    # The readers behind geopandas have no error in common.
    except Exception as error:
        raise InputFileError(f"{path.name} cannot be read as boundaries: {error}.") from error
    if not isinstance(shapes, gpd.GeoDataFrame) or shapes.crs is None:
        raise InputFileError(
            f"{path.name} has no geometry with a coordinate system. Give a map file, not a table."
        )
    return shapes


def _refuse_other_contents(path: Path, data: bytes) -> None:
    """InputFileError for what the readers behind geopandas would follow to other files, or into the network.

    They go by the contents, not by the name: a virtual layer names other files to read, and a coordinate
    system may be a link.
    """
    beginning = {".parquet": b"PAR1", ".gpkg": b"SQLite format 3\0"}.get(path.suffix, b"{")
    text = path.suffix in (".json", ".geojson")
    if not (data.removeprefix(b"\xef\xbb\xbf").lstrip() if text else data).startswith(beginning):
        raise InputFileError(
            f"{path.name} cannot be read as boundaries: it does not begin as a {path.suffix} file "
            "does. Fetch it again, or rename it."
        )
    for found in _CRS.finditer(data) if text else ():
        named = _NAMED_CRS.match(data, found.end())
        if not named:
            raise InputFileError(
                f"{path.name} does not name its coordinate system: "
                f"{data[found.start() : found.start() + 60].decode(errors='replace')!r}. It may be a link, "
                "and none is followed. Write the name of the system, as EPSG:27700."
            )


def _refuse_no_polygons(path: Path, shapes: gpd.GeoSeries, codes: pd.Series) -> None:
    drawn = shapes.geom_type.isin(["Polygon", "MultiPolygon"]).to_numpy() & ~shapes.is_empty.to_numpy()
    if not drawn.all():
        raise InvalidValueError(
            f"{path.name}: {int((~drawn).sum()):,} of {len(drawn):,} areas have no polygon: "
            f"{first_few(codes[~drawn])}. Give the boundaries, not centroids or lines."
        )


def _codes(path: Path, column: pd.Series) -> pd.Series:
    try:
        return column.astype("str").str.strip().str.upper()
    # A damaged Parquet file may open and still hold what is no text.
    except (ValueError, TypeError) as error:
        raise InputFileError(f"{path.name} has unreadable area codes: {error}. Fetch it again.") from error


def _valid(drawn: gpd.GeoSeries, areas: pd.Index) -> gpd.GeoDataFrame:
    import geopandas as gpd
    import shapely

    # "structure" leaves polygons where the default leaves bits of line behind.
    polygons = shapely.make_valid(drawn.to_numpy(), method="structure", keep_collapsed=False)
    return gpd.GeoDataFrame(geometry=polygons, index=areas, crs=BRITISH_NATIONAL_GRID)


def _area_column(path: Path, columns: list[str], area: str | None) -> str:
    names = [area] if area else _AREA
    spelling = {plain(column): column for column in reversed(columns)}
    found = next((spelling[plain(name)] for name in names if plain(name) in spelling), None)
    if found is None:
        raise MissingColumnError(
            f"{path.name} lacks the column of area codes, {names[0]}. It has: {first_few(columns, 12)}. "
            'Name it, as in area="its name".'
        )
    return found
