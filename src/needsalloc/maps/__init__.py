"""Catchments as frames with geometry and as maps: still ones (matplotlib) and ones to look into (folium)."""

from needsalloc.maps.frames import FEWEST_PEOPLE, to_geo
from needsalloc.maps.pictures import explore, plot

__all__ = ["FEWEST_PEOPLE", "explore", "plot", "to_geo"]
