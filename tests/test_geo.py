"""geo/: what a geographic information system opens, and that it adds up to the tables."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest

from needsalloc.report.geo import drawn_areas, write_geo
from plan_folders import contents
from report_samples import sample

SAMPLE = sample()
SQUARE = 900.0 * 900.0  # metres: the side of the sample's areas


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("geo") / "geo"
    write_geo(SAMPLE, out)
    return out


def read(folder: Path, layer: str, kind: str) -> gpd.GeoDataFrame:
    if kind == "GeoParquet":
        return gpd.read_parquet(folder / f"{layer}.parquet")
    return gpd.read_file(folder / "plan.gpkg", layer=layer)


@pytest.mark.parametrize("kind", ["GeoParquet", "GeoPackage"])
def test_areas_have_their_team_their_figures_and_their_border(folder: Path, kind: str) -> None:
    areas = read(folder, "areas", kind).set_index("lsoa21")
    assert areas.crs == "EPSG:27700"
    need = SAMPLE.need.set_index("lsoa21")
    assert set(areas.index) == set(need.index)
    for name in need:
        np.testing.assert_array_equal(areas[name], need.loc[areas.index, name])
    assert areas["team"].to_dict() == SAMPLE.teams_of_areas.to_dict()
    names = SAMPLE.allocation.set_index("team")["team_name"]
    assert (areas["team_name"] == areas["team"].map(names)).all()
    drawn = SAMPLE.boundaries.geometry.loc[areas.index]
    assert areas.geometry.geom_equals(drawn.set_axis(areas.index)).all()


@pytest.mark.parametrize("kind", ["GeoParquet", "GeoPackage"])
def test_teams_are_their_areas_and_keep_every_row_of_the_allocation(folder: Path, kind: str) -> None:
    teams = read(folder, "teams", kind)
    assert teams.crs == "EPSG:27700"
    assert teams["team"].tolist() == SAMPLE.allocation["team"].tolist()
    assert teams["posts"].sum() == pytest.approx(SAMPLE.total, rel=1e-12)
    areas = SAMPLE.teams_of_areas.value_counts().reindex(teams["team"])
    np.testing.assert_allclose(teams.geometry.area, areas * SQUARE)  # no gap, no overlap
    assert teams.geometry.isna().tolist() == [False] * 8 + [True]  # practices without a PCN have no area


def test_the_same_run_gives_the_same_bytes_at_any_time(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    write_geo(sample(), tmp_path / "geo")
    assert contents(tmp_path / "geo") == contents(folder)
    with sqlite3.connect(folder / "plan.gpkg") as package:
        changed = package.execute("SELECT DISTINCT last_change FROM gpkg_contents").fetchall()
    assert changed == [("2000-01-01T00:00:00.000Z",)]


def test_the_clock_of_other_geopackages_goes_on(tmp_path: Path) -> None:
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    write_geo(SAMPLE, tmp_path / "geo")
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") == before


def test_layers_say_what_they_are_and_whose_the_borders_are(folder: Path) -> None:
    with sqlite3.connect(folder / "plan.gpkg") as package:
        told = package.execute("SELECT identifier, description FROM gpkg_contents ORDER BY 1").fetchall()
    assert [identifier for identifier, _ in told] == [f"{SAMPLE.title}: areas", f"{SAMPLE.title}: teams"]
    assert all("Indicative" in about and SAMPLE.attribution[0] in about for _, about in told)


def test_far_areas_of_few_people_are_left_out_and_counted() -> None:
    need = SAMPLE.need.copy()
    need.loc[[0, 1], "registered"] = 3
    drawn = drawn_areas(replace(SAMPLE, need=need))
    assert drawn is not None
    assert not {*need["lsoa21"][:2]} & {*drawn.areas}
    assert "2 areas with 6 registered people are not drawn" in drawn.left_out


@pytest.mark.parametrize("boundaries", [None, SAMPLE.boundaries.iloc[:0]], ids=["none", "of elsewhere"])
def test_without_boundaries_there_is_nothing_for_gis(
    boundaries: gpd.GeoDataFrame | None, tmp_path: Path
) -> None:
    write_geo(replace(SAMPLE, boundaries=boundaries), tmp_path / "geo")
    assert not (tmp_path / "geo").exists()


def test_categories_and_attributes_of_frames_do_not_stop_it(folder: Path, tmp_path: Path) -> None:
    need = SAMPLE.need.astype({"lsoa21": "category"})
    need.attrs = {"on": pd.Timestamp("2025-10-01").date()}
    allocation = SAMPLE.allocation.astype({"team": "category", "icb": "category"})
    write_geo(replace(SAMPLE, need=need, allocation=allocation), tmp_path / "geo")
    assert contents(tmp_path / "geo") == contents(folder)
