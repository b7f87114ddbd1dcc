"""Maps: shapes that fit together, rows that account for everybody, captions that say what is left out."""

import subprocess
import sys

import geopandas as gpd
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

import needsalloc as na
from needsalloc import synthetic as made
from needsalloc.errors import InvalidValueError, NeedsallocError, UnknownCodeError, VintageError
from needsalloc.maps import coverage, explore, plot, to_geo
from needsalloc.maps.classes import between, classed, fifths
from small_worlds import catchment, law, membership, registrations, worlds

mpl.use("Agg")

KILOMETRE = 1_000.0
AREAS = pd.Index([f"E0190000{i}" for i in range(1, 5)], name="lsoa21")


def row_of_squares(codes: pd.Index = AREAS) -> gpd.GeoDataFrame:
    """Squares of a kilometre side by side, from west to east."""
    west, south = 400_000 + np.arange(len(codes)) * KILOMETRE, 300_000
    squares = shapely.box(west, south, west + KILOMETRE, south + KILOMETRE)
    return gpd.GeoDataFrame(geometry=squares, index=codes, crs=27700)


def four_areas() -> na.Catchment:
    """Team A has the west, B the east. In the second area both have at least 30 %, in the third nobody has,
    and most people of the fourth are with a practice that is in no PCN."""
    teams = {"Z1": "A", "Z2": "B", "Z3": "C", "Z4": "D", "Z5": "U"}
    rows = [
        ("Z1", AREAS[0], 900), ("Z2", AREAS[0], 100),
        ("Z1", AREAS[1], 550), ("Z2", AREAS[1], 450),
        ("Z1", AREAS[2], 250), ("Z2", AREAS[2], 260), ("Z3", AREAS[2], 245), ("Z4", AREAS[2], 245),
        ("Z2", AREAS[3], 310), ("Z5", AREAS[3], 690),
    ]  # fmt: skip
    return na.Catchment.from_registrations(registrations(rows), membership(teams))


def is_seamless(shapes: np.ndarray) -> bool:
    """No overlaps, no gaps between neighbours narrower than a metre."""
    return bool(shapely.coverage_is_valid(shapes, gap_width=1.0))


# --- the coverage


def test_overlaps_go_to_the_first_and_slivers_to_the_longest_border() -> None:
    # Two fields that overlap by half a metre; 0.2 m on, a third and a fourth; a strip below all, one above.
    west, south = [0, 99.5, 200.2, 200.2, 0, 0], [0, 0, 0, 70, -20, 100]
    east, north = [100, 200, 300, 300, 300, 300], [100, 100, 70, 100, 0, 120]
    whole = coverage.seamless(shapely.box(west, south, east, north))
    assert is_seamless(whole)
    # By hand: the overlap of 0.5 x 100 is the first one's, the gap of 0.2 x 100 the second one's.
    assert shapely.area(whole) == pytest.approx([10_000, 10_020, 6_986, 2_994, 6_000, 6_000])
    assert shapely.union_all(whole).area == pytest.approx(300 * 140)


def test_a_valid_coverage_stays_as_it_was_drawn() -> None:
    drawn = row_of_squares().geometry.to_numpy()
    assert list(coverage.seamless(drawn)) == list(drawn)


def test_broken_polygons_are_mended_first() -> None:
    bow_tie = shapely.Polygon([(0, 0), (1_000, 1_000), (1_000, 0), (0, 1_000)])
    whole = coverage.seamless(np.array([bow_tie, shapely.box(1_000, 0, 2_000, 1_000)]))
    assert shapely.is_valid(whole).all()
    assert shapely.area(whole) == pytest.approx([500_000, 1_000_000])


def test_a_lake_and_a_wide_gap_stay() -> None:
    ring = shapely.box(0, 0, 90, 90).difference(shapely.box(30, 30, 60, 60))
    drawn = np.array([ring, shapely.box(89, 0, 200, 90)])
    assert shapely.union_all(coverage.seamless(drawn)).area == pytest.approx(200 * 90 - 900)


def test_a_shared_border_is_simplified_once() -> None:
    up = np.linspace(0, 1_000, 101)
    zigzag = np.column_stack([500 + 5 * (np.arange(101) % 2), up])
    west = shapely.Polygon([(0, 0), *zigzag, (0, 1_000)])
    east = shapely.Polygon([(1_000, 0), *zigzag, (1_000, 1_000)])
    simple = coverage.simplify(np.array([west, east]), 50)
    assert shapely.get_num_coordinates(simple).sum() < 20
    assert is_seamless(simple)
    assert shapely.area(simple).sum() == pytest.approx(1_000_000)


def test_a_hole_that_meets_the_edge_in_a_point_is_a_hole() -> None:
    west = shapely.Polygon([(0, 0), (3, 0), (2, 1), (3, 2), (3, 4), (0, 4)])
    east = shapely.Polygon([(3, 0), (6, 0), (6, 4), (3, 4), (3, 2), (4, 1)])
    (whole,) = coverage.dissolve(np.array([west, east]), np.array([0, 1]), np.array([0, 0]), 1)
    assert whole.is_valid
    assert whole.area == 6 * 4 - 2
    assert len(whole.interiors) == 1


@law(
    st.integers(0, 50),
    st.lists(st.integers(0, 5), min_size=40, max_size=40),
    st.sampled_from([0, 400, 4_000]),
)
def test_dissolving_loses_and_doubles_no_land(seed: int, team: list[int], tolerance: int) -> None:
    areas = made.england(areas=40, pcns=2, seed=seed).boundaries.geometry.to_numpy()
    areas = coverage.simplify(coverage.seamless(areas), tolerance) if tolerance else coverage.seamless(areas)
    teams = coverage.dissolve(areas, np.arange(40), np.array(team), 7)
    assert [shape is not None for shape in teams] == [t in team for t in range(7)]
    shapes = teams[~pd.isna(teams)]
    assert shapely.is_valid(shapes).all()
    assert is_seamless(shapes)
    by_team = np.bincount(team, weights=shapely.area(areas), minlength=7)
    assert shapely.area(shapes) == pytest.approx(by_team[by_team > 0])
    assert shapely.union_all(areas).area == pytest.approx(by_team.sum())


@law(st.integers(0, 1_000), st.integers(1, 60))
def test_neighbours_differ_in_colour(seed: int, areas: int) -> None:
    shapes = made.england(areas=areas, pcns=1, seed=seed).boundaries.geometry.to_numpy()
    left, right = coverage.neighbours(shapes)
    colour = coverage.colouring(left, right, areas)
    assert (colour[left] != colour[right]).all()
    assert set(colour) <= set(range(6))


def test_seven_that_all_touch_share_six_colours() -> None:
    left, right = np.nonzero(~np.eye(7, dtype=bool))
    colour = coverage.colouring(left, right, 7)
    assert sorted(np.bincount(colour, minlength=6)) == [1, 1, 1, 1, 1, 2]


# --- classes


def test_classes_say_their_limits_and_counts() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan])
    limits = fifths(values, 1)
    # By hand: numpy's quantiles of 1 to 5.
    assert limits == pytest.approx([1.8, 2.6, 3.4, 4.2])
    of, legend = classed(values, limits, between(limits, "{:.1f}".format), "teams", "no figure")
    assert of.tolist() == [0, 1, 2, 3, 4, -1]
    assert legend[0] == (0, "below 1.8 (1 team)")
    assert legend[1] == (1, "1.8 to under 2.6 (1 team)")
    assert legend[-2:] == [(4, "4.2 and over (1 team)"), (-1, "no figure")]


def test_equal_values_make_fewer_classes() -> None:
    of, legend = classed(np.ones(3), fifths(np.ones(3), 0), ["below 1", "1 and over"], "areas", "")
    assert of.tolist() == [4, 4, 4]
    assert legend == [(0, "below 1 (0 areas)"), (4, "1 and over (3 areas)")]


# --- frames


@law(worlds())
def test_each_area_is_with_the_team_that_most_of_its_people_use(
    world: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    of = catchment(world)
    frame = to_geo(of, row_of_squares(of.areas), by="area", fewest=0)
    # In plain pandas: sums by area and team, the largest of those that are teams, the lower code of two.
    rows, teams = world
    rows = rows[rows["lsoa21"].astype(str).isin(of.areas)].astype({"lsoa21": str, "practice": str})
    rows = rows.assign(team=rows["practice"].map(teams.set_index("practice")["pcn"]).fillna("not in map"))
    flows = rows.pivot_table(index="lsoa21", columns="team", values="patients", aggfunc="sum", fill_value=0)
    flows = flows.loc[flows.sum(axis=1) > 0]
    share = flows.div(flows.sum(axis=1), axis=0)
    named = share.drop(columns=["U", "not in map"], errors="ignore").sort_index(axis=1)
    for area in of.areas:
        row = named.loc[area] if named.shape[1] else pd.Series(dtype=float)
        if row.sum() == 0:
            assert pd.isna(frame.at[area, "team"])
            assert pd.isna(frame.at[area, "resident_share"])
        else:
            assert frame.at[area, "team"] == row.idxmax()
            assert frame.at[area, "resident_share"] == pytest.approx(row.max())
        assert frame.at[area, "teams"] == (row > 0).sum()
        assert frame.at[area, "registered"] == flows.loc[area].sum()
    assert frame.crs.to_epsg() == 27700


@law(worlds(), st.sampled_from(["proportional", "first_past_the_post", "threshold", "cumulative"]))
def test_every_area_and_team_keeps_its_row(world: tuple[pd.DataFrame, pd.DataFrame], method: str) -> None:
    of = catchment(world).with_method(method)
    drawn = row_of_squares(of.areas)
    areas, teams = to_geo(of, drawn, by="area", fewest=0), to_geo(of, drawn, fewest=0)
    assert areas.index.equals(of.areas)
    assert teams.index.equals(of.teams.index)
    assert teams["registered"].sum() == pytest.approx(of.populations()["registered"].sum())
    assert not teams.loc[~teams["is_team"], "areas"].any()
    assert teams.geometry.area.to_numpy() == pytest.approx(
        np.where(teams["areas"] > 0, teams["areas"] * KILOMETRE**2, np.nan), nan_ok=True
    )
    if method in ("proportional", "first_past_the_post"):
        assert teams["areas"].sum() == areas["team"].notna().sum()
        counted = areas["team"].value_counts()
        assert (teams.loc[counted.index, "areas"] == counted).all()
    missing = (teams["is_team"] & teams.geometry.isna()).sum()
    assert teams.attrs["teams_without_area"] == missing
    assert teams.attrs["areas_without_team"] == areas["team"].isna().sum()


def test_by_threshold_teams_overlap_where_they_share_an_area() -> None:
    of = four_areas()
    frame = to_geo(of.with_method("threshold", share=0.30), row_of_squares())
    # By hand: the second area is of A and B; the third of none; the fourth of B, with 31 % of it.
    assert frame["areas"].to_dict() == {"A": 2, "B": 2, "C": 0, "D": 0, "U": 0, "unassigned": 0}
    assert frame.at["A", "geometry"].intersection(frame.at["B", "geometry"]).area == KILOMETRE**2
    assert frame.geometry.isna().to_dict() == {
        "A": False, "B": False, "C": True, "D": True, "U": True, "unassigned": True,
    }  # fmt: skip
    counts = {
        key: frame.attrs[key]
        for key in ("areas_of_several_teams", "areas_without_team", "teams_without_area")
    }
    assert counts == {"areas_of_several_teams": 1, "areas_without_team": 1, "teams_without_area": 2}
    caption = frame.attrs["caption"]
    assert "the method gives it (threshold: at least 30% of an area's registered people" in caption
    assert "In more than one catchment, and drawn with the team most used: 1 area." in caption
    assert "In no team's catchment: 1 area." in caption
    assert "2 teams have no area of their own." in caption
    areas = to_geo(of.with_method("threshold", share=0.30), row_of_squares(), by="area")
    assert areas["teams"].tolist() == [1, 2, 0, 1]
    assert areas["team"].tolist()[:2] == ["A", "A"]
    assert areas["resident_share"].tolist()[:2] == pytest.approx([0.9, 0.55])


def test_what_cannot_be_drawn_is_counted() -> None:
    drawn = row_of_squares(AREAS[1:].append(pd.Index(["W01000001", "E01900009"])))
    frame = to_geo(four_areas(), drawn, by="area")
    assert frame.geometry.isna().tolist() == [True, False, False, False]
    assert frame.attrs["areas_without_boundary"] == 1
    assert frame.attrs["people_not_drawn"] == 1_000
    assert frame.attrs["boundaries_without_people"] == 2
    assert frame.attrs["caption"] == (
        "Indicative: each area is drawn with the team that the largest part of its registered people use; "
        "people in it use other teams too. Not drawn: 1 area without a boundary (1,000 people). 2 teams "
        "have no area of their own. Nobody of this catchment lives in the 2 other areas of the boundaries. "
        "Made up: no data of anyone are used."
    )
    drawn.loc[AREAS[1], "geometry"] = shapely.Polygon()
    assert to_geo(four_areas(), drawn).attrs["areas_without_boundary"] == 2


def test_areas_with_few_people_are_not_drawn_when_asked() -> None:
    of = na.Catchment.from_registrations(
        registrations([("Z1", AREAS[0], 100), ("Z1", AREAS[1], 99)]), membership({"Z1": "A"})
    )
    frame = to_geo(of, row_of_squares())  # lists of a part of England: 100
    assert frame.geometry.area.tolist() == [KILOMETRE**2]
    assert frame.attrs["areas_with_few_people"] == 1
    assert "1 area where fewer than 100 of the people counted here live (99 people)" in frame.attrs["caption"]
    assert frame.at["A", "areas"] == 2
    with pytest.raises(
        UnknownCodeError, match=r"None of the 2 areas with a boundary has 101 people.*fewest="
    ):
        to_geo(of, row_of_squares(), fewest=101)
    assert to_geo(of, row_of_squares(), fewest=0).attrs["areas_with_few_people"] == 0


def test_lists_of_all_england_are_drawn_wherever_somebody_lives(monkeypatch) -> None:
    of = na.Catchment.from_registrations(registrations([("Z1", AREAS[0], 7)]), membership({"Z1": "A"}))
    monkeypatch.setattr(na.Catchment, "is_national", property(lambda _: True))
    assert to_geo(of, row_of_squares()).attrs["areas_with_few_people"] == 0


def test_teams_made_of_areas_have_all_who_live_there() -> None:
    of = four_areas().regroup(pd.Series({AREAS[0]: "West", AREAS[1]: "West", AREAS[3]: "East"}))
    said = to_geo(of, row_of_squares()).attrs["caption"]
    assert "with the team that it is part of, which has all who live there." in said
    assert "other teams" not in said


@pytest.mark.parametrize(
    "wrong", [{"simplify": "a"}, {"simplify": -5}, {"simplify": np.inf}, {"fewest": -1}, {"fewest": True}]
)
def test_what_is_no_length_or_number_of_people_is_refused(wrong) -> None:
    with pytest.raises(InvalidValueError, match="cannot be: give a"):
        to_geo(four_areas(), row_of_squares(), **wrong)


def test_simplified_frames_have_fewer_points_and_still_fit(synthetic: made.SyntheticEngland) -> None:
    of = na.Catchment.from_registrations(synthetic.registrations, synthetic.membership)
    jagged = synthetic.boundaries.assign(geometry=synthetic.boundaries.segmentize(100))
    teams, areas = (to_geo(of, jagged, by=by, simplify=300) for by in ("team", "area"))
    for frame in (teams, areas):
        assert is_seamless(frame.geometry.dropna().to_numpy())
    assert len(areas.get_coordinates()) < len(jagged.get_coordinates()) / 5
    # Areas and teams have the same borders.
    of_teams = areas.geometry.area.groupby(areas["team"]).sum()
    assert teams.geometry.area.dropna().to_dict() == pytest.approx(of_teams.to_dict())


def test_other_coordinates_are_projected() -> None:
    frame = to_geo(four_areas(), row_of_squares().to_crs(4326))
    assert frame.crs.to_epsg() == 27700
    assert frame.at["A", "geometry"].area == pytest.approx(2 * KILOMETRE**2, rel=1e-6)


def test_residents_and_shares_are_called_what_they_are() -> None:
    flows = pd.DataFrame({"msoa": ["E02000001", "E02000002"], "trust": ["R1H", "RAL"], "share": [1.0, 1.0]})
    of = na.Catchment.from_flows(flows, area="msoa", team="trust", share="share")
    squares = row_of_squares(of.areas)
    assert not {"registered", "resident"} & set(to_geo(of, squares, fewest=100))
    assert "with the team that the largest part of its people use" in to_geo(of, squares).attrs["caption"]
    residents = pd.Series([7_000.0, 8_000.0], index=of.areas, name="residents")
    assert to_geo(of.with_residents(residents), squares)["resident"].tolist() == [7_000, 8_000]


def test_what_is_no_map_of_these_areas_is_refused() -> None:
    of, squares = four_areas(), row_of_squares()
    with pytest.raises(InvalidValueError, match="team"):
        to_geo(of, squares, by="pcn")  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="no map"):
        to_geo(of, pd.DataFrame(index=AREAS))  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="no map"):
        to_geo(of, gpd.GeoDataFrame(geometry=squares.geometry.to_numpy(), index=AREAS))
    with pytest.raises(InvalidValueError, match="1 areas have two boundaries: E01900001"):
        to_geo(of, pd.concat([squares, squares.iloc[:1]]))
    with pytest.raises(VintageError, match=r"2021 .* and 2011 "):
        to_geo(of, row_of_squares(pd.Index(["E01000001", "E01000002"], name="lsoa11")))
    with pytest.raises(UnknownCodeError, match=r"None of the 4 areas .* has a boundary"):
        to_geo(of, row_of_squares(pd.Index(["E01900008"], name="lsoa21")))


def test_codes_of_both_vintages_are_taken_by_the_name_of_their_index() -> None:
    old = pd.Index(["E01000001", "E01000002"], name="lsoa21")
    rows = registrations([("Z1", old[0], 500), ("Z1", "E01900001", 500)])
    of = na.Catchment.from_registrations(rows, membership({"Z1": "A"}))
    assert to_geo(of, row_of_squares(old)).attrs["areas_without_boundary"] == 1


# --- pictures


@pytest.fixture
def of(synthetic: made.SyntheticEngland) -> na.Catchment:
    return na.Catchment.from_registrations(synthetic.registrations, synthetic.membership)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def caption(ax: Axes) -> str:
    return " ".join(ax.get_xlabel().split())


def legend(ax: Axes) -> list[str]:
    found = ax.get_legend()
    return [] if found is None else [" ".join(text.get_text().split()) for text in found.get_texts()]


def test_teams_are_told_apart_numbered_and_named(of: na.Catchment, synthetic: made.SyntheticEngland) -> None:
    ax = plot(of, synthetic.boundaries, title="District nursing")
    assert isinstance(ax, Axes)
    assert ax.get_title(loc="left") == "District nursing"
    assert ax.get_aspect() == 1
    assert not ax.get_xticks().size
    assert not ax.get_ylabel()
    assert caption(ax).startswith("Indicative: each area is drawn with the team that the largest part")
    names = sorted(of.teams.loc[of.teams["is_team"], "team_name"])
    assert legend(ax) == [f"{number} {name}" for number, name in enumerate(names, 1)]
    assert {text.get_text() for text in ax.texts} == {str(number) for number in range(1, len(names) + 1)}
    colours = [to_hex(patch.get_facecolor()) for patch in ax.get_legend().get_patches()]
    teams = to_geo(of, synthetic.boundaries).dropna(subset="geometry").sort_values("team_name")
    left, right = coverage.neighbours(teams.geometry.to_numpy())
    assert len(left) > 0
    assert all(colours[a] != colours[b] for a, b in zip(left, right, strict=True))


def test_many_teams_are_not_listed() -> None:
    england = made.england(areas=300, pcns=60)
    of = na.Catchment.from_registrations(england.registrations, england.membership)
    ax = plot(of, england.boundaries)
    assert legend(ax) == []
    assert not ax.texts
    assert "Colours only tell each of the 53 teams" in caption(ax)


def test_areas_of_no_team_are_grey_and_named() -> None:
    ax = plot(four_areas().with_method("threshold"), row_of_squares())
    assert legend(ax) == ["1 A PCN", "2 B PCN", "in no team's catchment (1 area)"]
    assert to_hex(ax.get_legend().get_patches()[2].get_facecolor()) == "#b9b9b9"


def test_figures_by_team_and_by_area_are_shaded(of: na.Catchment, synthetic: made.SyntheticEngland) -> None:
    teams = of.average(synthetic.deprivation["imd_score"])[of.teams["is_team"]]
    ax = plot(of, synthetic.boundaries, values=teams.iloc[1:])
    assert ax.get_legend().get_title().get_text() == "imd_score"
    assert len(legend(ax)) == 6
    assert legend(ax)[-1] == "no figure"
    assert sum(int(words.split("(")[1].split()[0]) for words in legend(ax)[:-1]) == len(teams) - 1
    ax = plot(of, synthetic.boundaries, values=synthetic.deprivation["imd_score"])
    assert len(legend(ax)) == 5
    assert sum(int(words.split("(")[1].split()[0]) for words in legend(ax)) == len(of.areas)


def test_axes_of_the_caller_are_used() -> None:
    import matplotlib.pyplot as plt

    _, both = plt.subplots(1, 2)
    assert plot(four_areas(), row_of_squares(), ax=both[1]) is both[1]
    assert not both[0].collections


def test_values_that_are_of_nothing_here_are_refused() -> None:
    of, squares = four_areas(), row_of_squares()
    with pytest.raises(UnknownCodeError, match="neither team nor area: X1"):
        plot(of, squares, values=pd.Series([1.0], index=["X1"]))
    with pytest.raises(UnknownCodeError, match="1 of 2 values are of no team"):
        plot(of, squares, values=pd.Series([1.0, 2.0], index=["A", "X1"]))
    with pytest.raises(InvalidValueError, match="stand twice: A"):
        plot(of, squares, values=pd.Series([1.0, 2.0], index=["A", "A"]))
    with pytest.raises(InvalidValueError, match="a table of 1 columns"):
        plot(of, squares, values=pd.DataFrame({"x": [1.0]}, index=["A"]))  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="no numbers"):
        plot(of, squares, values=pd.Series(["high"], index=["A"]))


def test_the_page_to_explore_fetches_leaflet_alone_and_says_so() -> None:
    named = membership({"Z1": "A"}).assign(pcn_name="</script><b>Mine & yours</b>")
    of = na.Catchment.from_registrations(registrations([("Z1", AREAS[0], 500)]), named)
    html = explore(of, row_of_squares(), title="<Title>").get_root().render()
    fetched = {part.split('"')[0].rsplit("/", 1)[1] for part in html.split('"https://')[1:]}
    assert fetched == {"leaflet.js", "leaflet.css"}
    assert "tileLayer" not in html
    assert "<b>Mine" not in html
    assert "&lt;Title&gt;" in html
    assert "Indicative: each area is drawn" in html
    assert "The map itself shows only with a network" in html


def test_the_page_to_explore_has_a_key_of_figures() -> None:
    values = pd.Series([1.0, 2.0, 3.0, 4.0], index=AREAS, name="score")
    html = explore(four_areas(), row_of_squares(), values=values).get_root().render()
    assert "<b>score</b>" in html
    assert "E01900004, B PCN: 4.0" in html


@pytest.mark.parametrize(("draw", "package"), [(plot, "matplotlib.patches"), (explore, "folium")])
def test_a_missing_package_is_named_with_the_way_to_get_it(draw, package, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(NeedsallocError, match=r'pip install "needsalloc\[maps\]"'):
        draw(four_areas(), row_of_squares())


@pytest.mark.slow
def test_importing_maps_brings_no_drawing_package_in() -> None:
    heavy = ("geopandas", "shapely", "matplotlib", "folium")
    code = f"import sys, needsalloc.maps; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- real files


@pytest.fixture(scope="module")
def england(real_data):
    folder = real_data / "england-2023"
    of = na.Catchment.from_registrations(
        na.read_registrations(folder / "gp-reg-pat-prac-lsoa-all_2023-07.csv.gz"),
        na.read_membership(folder / "gp-reg-pat-prac-map_for_2023-07.csv.gz"),
    )
    return of, na.read_boundaries(folder / "boundaries_lsoa11.parquet")


@pytest.mark.slow
def test_england_is_one_seamless_coverage(england) -> None:
    of, drawn = england
    teams = to_geo(of, drawn)
    assert teams.attrs["areas_without_boundary"] == teams.attrs["teams_without_area"] == 0
    # The file has the 1,909 LSOAs of Wales too.
    assert teams.attrs["boundaries_without_people"] == 1_909
    assert teams["areas"].sum() == 32_844
    shapes = teams.geometry.dropna().to_numpy()
    assert len(shapes) == 1_273
    assert shapely.is_valid(shapes).all()
    assert is_seamless(shapes)
    whole = shapely.union_all(shapes)
    # As many square metres in one piece as in 1,273, no hole, and as published but for 5.2 m2 drawn twice.
    assert whole.area == pytest.approx(shapely.area(shapes).sum(), abs=0.01)
    assert shapely.get_num_interior_rings(shapely.get_parts(whole)).sum() == 0
    assert whole.area == pytest.approx(drawn.geometry.reindex(of.areas).area.sum(), abs=6)


@pytest.mark.slow
def test_england_draws_with_no_two_neighbours_alike(england) -> None:
    of, drawn = england
    ax = plot(of, drawn)
    assert "Not drawn" not in caption(ax)
    assert "Source of boundaries: Office for National Statistics" in caption(ax)
    teams = to_geo(of, drawn).geometry.dropna().to_numpy()
    left, right = coverage.neighbours(teams)
    colour = coverage.colouring(left, right, len(teams))
    assert (colour[left] != colour[right]).all()
    assert np.bincount(colour).min() > 150


@pytest.mark.slow
def test_the_teams_of_one_icb_do_not_reach_across_england(real_data) -> None:
    folder = real_data / "staffordshire-2025"
    of = na.Catchment.from_registrations(
        na.read_registrations(folder / "gp-reg-pat-prac-lsoa-all_2025-10_QNC.csv.gz"),
        na.read_membership(folder / "gp-reg-pat-prac-map_2025-10.csv.gz"),
    )
    drawn = na.read_boundaries(folder / "boundaries_lsoa21.parquet")
    west, south, east, north = to_geo(of, drawn).total_bounds
    # Staffordshire is some 70 km from west to east and 95 km from south to north.
    assert east - west < 80_000
    assert north - south < 100_000
    teams = of.teams["is_team"]
    people = to_geo(of, drawn).attrs["people_not_drawn"]
    assert people < 0.03 * of.registered_by_team.loc[teams, "inside"].sum()
    assert to_geo(of, drawn, fewest=0).total_bounds[3] - south > 300_000


@pytest.mark.slow
def test_england_of_2021_has_no_gap_either(real_data) -> None:
    drawn = na.read_boundaries(real_data / "staffordshire-2025" / "boundaries_lsoa21.parquet")
    areas = drawn.geometry[drawn.index.str.startswith("E")].to_numpy()
    assert not shapely.coverage_is_valid(areas)
    whole = coverage.seamless(areas)
    assert is_seamless(whole)
    assert np.abs(shapely.area(whole) - shapely.area(areas)).max() < 25
    assert shapely.get_num_interior_rings(shapely.get_parts(shapely.coverage_union_all(whole))).sum() == 0
