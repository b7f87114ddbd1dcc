"""Catchments as frames with geometry and as maps: still ones (matplotlib) and ones to look into (folium)."""

from needsalloc.maps.frames import ATTRIBUTION, FEWEST_PEOPLE, to_geo
from needsalloc.maps.pictures import explore, plot

__all__ = ["ATTRIBUTION", "FEWEST_PEOPLE", "explore", "plot", "to_geo"]
