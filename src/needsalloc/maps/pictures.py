"""Maps of a catchment: `plot` draws a still one with matplotlib, `explore` one to look into with folium.

Colours: the categorical and sequential palettes of the Government Analysis Function, the categorical one with
a pale yellow and a pale blue in place of its plum and charcoal, which look like each other or its navy to
people who see no red or no green.
"""

from __future__ import annotations

import html
import textwrap
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from needsalloc.alignment import check_series
from needsalloc.errors import InvalidValueError, NeedsallocError, UnknownCodeError, first_few
from needsalloc.geography import AREAS_OF_ENGLAND, check_same_vintage
from needsalloc.maps import coverage
from needsalloc.maps.classes import between, classed, fifths
from needsalloc.maps.frames import GRID, Drawing, count_of_areas

if TYPE_CHECKING:
    import folium
    import geopandas as gpd
    from matplotlib.axes import Axes

    from needsalloc.catchment import Catchment

TEAMS = ("#12436d", "#28a197", "#f46a25", "#a285d1", "#f7dc6f", "#c9e4f5")
SEQUENTIAL = ("#dceaf6", "#a9cff0", "#6bace6", "#2073bc", "#12436d")
NONE, INK, BORDER, PAPER = "#b9b9b9", "#212b32", "#768692", "#ffffff"
MOST_NAMED = 40  # teams that a legend can name
BOX = 400  # pixels at the side of the page for its caption
_LEAFLET = ("leaflet", "leaflet_css")
_NETWORK = "The map itself shows only with a network: the browser fetches Leaflet, which draws it."


@dataclass(frozen=True, slots=True)
class _Picture:
    """What is drawn.

    shapes: `colour`, and `words` for who points at one. key: colour and words. numbered: whether the shapes
    are numbered, and named in the key. outlines: of teams, over areas.
    """

    shapes: gpd.GeoDataFrame
    key: list[tuple[str, str]]
    caption: str
    key_title: str = ""
    numbered: bool = False
    outlines: gpd.GeoSeries | None = None


def plot(
    catchment: Catchment,
    boundaries: gpd.GeoDataFrame,
    *,
    values: pd.Series | None = None,
    ax: Axes | None = None,
    title: str | None = None,
    fewest: float | None = None,
) -> Axes:
    """Draw the catchment's teams, or a figure of theirs, with a caption that says how far to trust the map.

    boundaries: polygons by area code (see `read_boundaries`).
    values: a figure by team or by area (its index decides), drawn in five classes of about equal number, the
        lighter the less; without it each team has a colour that its neighbours do not have, and up to 40
        teams are numbered and named. An area or team without a figure is grey.
    ax: draw here; otherwise on a new figure. fewest: areas with fewer people are not drawn; by default 100,
        or 0 with the lists of all England (see `to_geo`).

    Returns the axes; the caption is the label of their x axis. Needs matplotlib
    (pip install "needsalloc[maps]").

    Raises as `to_geo`, and UnknownCodeError or InvalidValueError for values that are of neither teams nor
    areas, or of one twice.
    """
    try:
        from matplotlib.patches import Patch
    except ImportError as error:
        raise NeedsallocError(
            'Maps need matplotlib. Install it with: pip install "needsalloc[maps]".'
        ) from error
    picture = _picture(catchment, boundaries, values, fewest)
    shapes = picture.shapes
    if ax is None:
        ax = _new_axes(shapes.total_bounds, picture.key)
    if picture.outlines is None:
        shapes.plot(ax=ax, color=shapes["colour"], edgecolor=BORDER, linewidth=_width(shapes))
    else:
        shapes.plot(ax=ax, color=shapes["colour"], edgecolor="face", linewidth=0.1)
        picture.outlines.boundary.plot(ax=ax, color=INK, linewidth=_width(picture.outlines))
    if picture.numbered:
        _number(ax, shapes)
    if picture.key:
        handles = [
            Patch(facecolor=colour, edgecolor=INK, label=textwrap.fill(words, 40))
            for colour, words in picture.key
        ]
        ax.legend(
            handles=handles, title=picture.key_title, loc="center left", bbox_to_anchor=(1, 0.5),
            frameon=False, fontsize=8, title_fontsize=9, alignment="left",
        )  # fmt: skip
    ax.set_aspect("equal")
    ax.set(xticks=[], yticks=[], ylabel="")
    ax.spines[:].set_visible(False)
    if title:
        ax.set_title(title, loc="left", fontweight="bold", color=INK)
    ax.set_xlabel(_wrapped(picture.caption, ax), x=0, ha="left", fontsize=8, color=INK)
    return ax


def explore(
    catchment: Catchment,
    boundaries: gpd.GeoDataFrame,
    *,
    values: pd.Series | None = None,
    title: str | None = None,
    fewest: float | None = None,
) -> folium.Map:
    """The map of `plot` to zoom into, with names and figures under the pointer: `.save("map.html")`.

    The page has no background of streets, and nothing is fetched while it is made. When it is opened the
    browser fetches Leaflet, the programme that draws it, from a public address (no data are sent); without a
    network only title and caption show. The page of a report draws its map without any network.

    Arguments and errors as `plot`. Needs folium (pip install "needsalloc[maps]").
    """
    try:
        import folium
    except ImportError as error:
        raise NeedsallocError(
            'Maps to look into need folium. Install it with: pip install "needsalloc[maps]".'
        ) from error
    picture = _picture(catchment, boundaries, values, fewest)
    shapes = _for_leaflet(picture.shapes)
    page = folium.Map(tiles=None, prefer_canvas=True, zoom_snap=0.25)
    # What these maps do not use would be fetched all the same.
    page.default_js = [entry for entry in page.default_js if entry[0] in _LEAFLET]
    page.default_css = [entry for entry in page.default_css if entry[0] in _LEAFLET]
    folium.GeoJson(
        shapes,
        style_function=_style,
        highlight_function=lambda _: {"weight": 3, "color": INK},
        tooltip=folium.GeoJsonTooltip(["words"], labels=False),
    ).add_to(page)
    west, south, east, north = shapes.total_bounds
    page.fit_bounds([[south, west], [north, east]], padding_top_left=(BOX, 20), padding_bottom_right=(20, 20))
    root: Any = page.get_root()
    root.html.add_child(folium.Element(_beside(picture, title)))
    return page


def _picture(
    catchment: Catchment, boundaries: gpd.GeoDataFrame, values: pd.Series | None, fewest: float | None
) -> _Picture:
    by_area = values is not None and _by_area(values, catchment)
    drawing = Drawing.of(catchment, boundaries, fewest).simplified(coverage.simplify_for_picture)
    teams = _drawn_teams(drawing)
    if values is None:
        return _told_apart(teams, drawing.caption)
    figures = pd.to_numeric(values).astype(np.float64)
    if not by_area:
        return _shaded(teams, figures, "teams", drawing.caption)
    areas = drawing.areas.iloc[drawing.drawn]
    areas["name"] = [
        f"{area}, {team}" if isinstance(team, str) else str(area) for area, team in areas["team_name"].items()
    ]
    picture = _shaded(areas, figures, "areas", drawing.caption)
    return replace(picture, outlines=teams.geometry)


def _by_area(values: pd.Series, catchment: Catchment) -> bool:
    """Whether values are by area rather than by team; refuses those that are neither."""
    check_series(values, "the values")
    index, areas, teams = values.index, catchment.areas, catchment.teams.index
    if index.has_duplicates:
        twice = index[index.duplicated()].unique()
        raise InvalidValueError(f"{len(twice):,} values stand twice: {first_few(twice)}. Leave one of each.")
    if not pd.api.types.is_numeric_dtype(values):
        raise InvalidValueError(f"The values are {values.dtype}, no numbers: give one figure for each code.")
    if index.isin(teams).any():
        unknown = index.difference(teams)
        if len(unknown):
            raise UnknownCodeError(
                f"{len(unknown):,} of {len(index):,} values are of no team of this catchment: "
                f"{first_few(unknown)}. Check their codes, or leave them out."
            )
        return False
    if not index.isin(areas).any():
        raise UnknownCodeError(
            f"The values are by neither team nor area: {first_few(index, 3) or 'there are none'}. "
            f"Teams here are {first_few(teams, 3)}; areas {first_few(areas, 3)}."
        )
    if areas.name in AREAS_OF_ENGLAND and areas.name != index.name:
        check_same_vintage(index, areas, left_name="The values", right_name="the catchment")
    return True


def _drawn_teams(drawing: Drawing) -> gpd.GeoDataFrame:
    """The drawn areas of each team as one shape (`name`, by team); last, if any, those of no team, without a
    code."""
    import geopandas as gpd

    teams = drawing.catchment.teams
    team = drawing.team_of_area[drawing.drawn]
    shapes = coverage.dissolve(
        drawing.polygons, drawing.drawn, np.where(team < 0, len(teams), team), len(teams) + 1
    )
    of_none = f"in no team's catchment ({count_of_areas(int((team < 0).sum()))})"
    frame = pd.DataFrame({"name": [*teams["team_name"], of_none]}, index=[*teams.index, ""])
    return gpd.GeoDataFrame(frame, geometry=shapes, crs=GRID)[~pd.isna(shapes)]


def _told_apart(teams: gpd.GeoDataFrame, caption: str) -> _Picture:
    """Each team in a colour that its neighbours do not have; few teams are named, many are not."""
    named = (teams.index != "").sum() <= MOST_NAMED
    if named:
        # The legend is searched by name; what is in no team stays last.
        teams = teams.iloc[np.lexsort((teams["name"], teams.index == ""))]
    is_team = teams.index != ""
    drawn = teams.geometry.to_numpy()[is_team]
    colour = np.full(len(teams), NONE, dtype=object)
    colour[is_team] = np.array(TEAMS)[coverage.colouring(*coverage.neighbours(drawn), len(drawn), len(TEAMS))]
    key = [
        (of, f"{number}  {name}" if known else name)
        for number, (of, name, known) in enumerate(zip(colour, teams["name"], is_team, strict=True), 1)
        if named or not known
    ]
    if not named:
        caption += f" Colours only tell each of the {len(drawn):,} teams from those beside it."
    return _Picture(teams.assign(colour=colour, words=teams["name"]), key, caption, numbered=named)


def _shaded(shapes: gpd.GeoDataFrame, figures: pd.Series, noun: str, caption: str) -> _Picture:
    """Areas or teams in five shades of a figure."""
    found = figures.reindex(shapes.index).to_numpy()
    decimals = _decimals(found)

    def show(value: float) -> str:
        return f"{value:,.{decimals}f}"

    limits = fifths(found, decimals)
    classes, legend = classed(found, limits, between(limits, show), noun, "no figure")
    shades = np.array([*SEQUENTIAL, NONE])  # -1 is the last
    words = [
        f"{name}: {show(value) if np.isfinite(value) else 'no figure'}"
        for name, value in zip(shapes["name"], found, strict=True)
    ]
    key = [(str(shades[of]), text) for of, text in legend]
    title = str(figures.name or "")
    return _Picture(shapes.assign(colour=shades[classes], words=words), key, caption, key_title=title)


def _decimals(values: Any) -> int:
    """Enough of them to tell two hundredths of what the middle of the values spans."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0
    low, high = np.quantile(known, (0.1, 0.9))
    return int(np.clip(1 - np.floor(np.log10(high - low)), 0, 6)) if high > low else 2


def _new_axes(bounds: Any, key: list[tuple[str, str]]) -> Axes:
    """Axes in the shape of the map, on a figure with room for title, legend and caption (inches)."""
    import matplotlib.pyplot as plt

    across, up = bounds[2] - bounds[0], bounds[3] - bounds[1]
    scale = min(7.5 / across, 9.0 / up)
    width, height = max(across * scale, 5.0), max(up * scale, 0.18 * len(key))
    title, caption, legend, edge = 0.5, 1.1, 3.2 if key else 0.0, 0.2
    whole = width + legend + 2 * edge, height + title + caption
    figure = plt.figure(figsize=whole)
    return figure.add_axes((edge / whole[0], caption / whole[1], width / whole[0], height / whole[1]))


def _width(shapes: gpd.GeoDataFrame | gpd.GeoSeries) -> float:
    """Of borders, in points: thin where many would cover small shapes."""
    return 0.6 if len(shapes) <= 400 else 0.15


def _number(ax: Axes, shapes: gpd.GeoDataFrame) -> None:
    """The number of each team, in the widest place of its largest part and of any other that has room."""
    import shapely
    from matplotlib.patheffects import withStroke

    teams = shapes.geometry[shapes.index != ""].to_numpy()
    parts, team = shapely.get_parts(teams, return_index=True)
    reach = np.array([shapely.maximum_inscribed_circle(part, shapely.length(part) / 500) for part in parts])
    room = shapely.length(reach)
    widest = np.lexsort((-room, team))[np.flatnonzero(np.diff(np.sort(team), prepend=-1))]
    roomy = np.flatnonzero(room > np.max(np.ptp(shapes.total_bounds.reshape(2, 2), axis=0)) / 60)
    for part in np.union1d(widest, roomy).tolist():
        ax.annotate(
            str(team[part] + 1), shapely.get_coordinates(reach[part])[0], ha="center", va="center",
            fontsize=8, fontweight="bold", color=INK,
            path_effects=[withStroke(linewidth=2.5, foreground=PAPER)],
        )  # fmt: skip


def _wrapped(text: str, ax: Axes) -> str:
    """Lines about as long as the axes are wide, at eight points."""
    ax.apply_aspect()
    points = ax.get_window_extent().width / ax.figure.dpi * 72
    return textwrap.fill(text, max(int(points / 4.2), 40))


def _for_leaflet(shapes: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """In degrees, to about a metre; words that no name can make into markup."""
    import shapely

    degrees = shapes[["geometry", "colour"]].to_crs(4326)
    rounded = shapely.transform(degrees.geometry.to_numpy(), lambda points: np.round(points, 5))
    words = [html.escape(text) for text in shapes["words"]]
    return degrees.set_geometry(rounded, crs=4326).assign(words=words).reset_index(drop=True)


def _style(feature: dict[str, Any]) -> dict[str, Any]:
    return {"fillColor": feature["properties"]["colour"], "fillOpacity": 1, "color": BORDER, "weight": 0.7}


def _beside(picture: _Picture, title: str | None) -> str:
    """Title, legend and caption as a box on the page."""
    heading = f"<h1 style='font-size:1.1rem;margin:0 0 .5rem'>{html.escape(title)}</h1>" if title else ""
    key = "".join(
        f"<div><span style='display:inline-block;width:1.2em;height:.9em;margin-right:.5em;"
        f"border:1px solid {INK};background:{colour}'></span>{html.escape(words)}</div>"
        for colour, words in picture.key
        if not picture.numbered
    )
    return (
        f"<section style='position:fixed;bottom:1rem;left:1rem;z-index:1000;width:{BOX - 60}px;padding:12px;"
        f"background:{PAPER};color:{INK};font:14px/1.4 Arial,sans-serif;border:1px solid {INK}'>"
        f"{heading}<b>{html.escape(picture.key_title)}</b>{key}"
        f"<p style='margin:.5rem 0 0'>{html.escape(picture.caption)} {_NETWORK}</p></section>"
    )
