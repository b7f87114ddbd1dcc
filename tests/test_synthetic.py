"""The synthetic England: same seed, same land; the readers' shapes; what makes real data awkward is in it."""

import numpy as np
import pandas as pd
import pytest

from needsalloc import geography, sources
from needsalloc import synthetic as made
from needsalloc.errors import InvalidValueError

FRAMES = ("registrations", "membership", "population", "deprivation", "conditions", "lists", "current")


@pytest.fixture(scope="module")
def written(synthetic, tmp_path_factory):
    return synthetic.write(tmp_path_factory.mktemp("published"))


@pytest.mark.parametrize("name", FRAMES)
def test_what_is_written_in_the_published_layout_reads_back_the_same(synthetic, written, name):
    frame = getattr(synthetic, name)
    read = getattr(sources, f"read_{name}")(written[name])
    pd.testing.assert_frame_equal(read, frame, check_categorical=False, check_column_type=False)
    assert read.dtypes.astype(str).tolist() == frame.dtypes.astype(str).tolist()
    assert read.attrs.pop("quality") == (), "the synthetic England has no oddities"
    assert set(read.attrs) == set(frame.attrs)
    assert read.attrs.get("on") == frame.attrs.get("on")


def test_the_boundaries_read_back_and_cover_each_area_once(synthetic, tmp_path):
    pytest.importorskip("geopandas")
    shapely = pytest.importorskip("shapely")
    drawn = synthetic.boundaries
    assert drawn.crs.to_epsg() == 27700
    assert drawn.index.equals(synthetic.population.index)
    assert drawn.area.sum() == pytest.approx(shapely.union_all(drawn.geometry).area)
    homes = shapely.points(synthetic.places.to_numpy())
    assert shapely.covers(drawn.geometry.to_numpy(), homes).all()
    read = sources.read_boundaries(synthetic.write(tmp_path, boundaries=True)["boundaries"])
    assert read.index.equals(drawn.index)
    assert read.geom_equals(drawn.geometry).all()


def test_a_seed_gives_one_england_and_another_seed_another():
    first, again, other = (made.england(areas=40, pcns=3, seed=seed) for seed in (7, 7, 8))
    for name in FRAMES:
        pd.testing.assert_frame_equal(getattr(first, name), getattr(again, name))
    assert not first.registrations["patients"].equals(other.registrations["patients"])


@pytest.mark.parametrize(("areas", "pcns", "icbs"), [(1, 1, 1), (3, 3, 3), (40, 36, 36), (500, 20, 4)])
def test_an_england_of_any_size_hangs_together(areas, pcns, icbs):
    england = made.england(areas=areas, pcns=pcns, icbs=icbs)
    assert len(england.population) == areas
    assert england.membership.loc[england.membership["pcn"] != "U", "pcn"].nunique() == pcns
    assert england.membership["icb"].nunique() == icbs
    assert set(england.registrations["practice"]) <= set(england.membership["practice"])
    registered = england.registrations.groupby("practice", observed=True)["patients"].sum()
    listed = england.lists.sum(axis=1).groupby(level="practice").sum()
    assert registered.astype(float).sort_index().tolist() == listed.sort_index().tolist()


@pytest.mark.parametrize(
    ("areas", "pcns", "icbs"), [(0, 0, 1), (5, 6, 1), (50, 40, 37), (50, 2, 3), (5, 1, 0)]
)
def test_a_size_that_cannot_be_is_refused(areas, pcns, icbs):
    with pytest.raises(InvalidValueError, match="make no England"):
        made.england(areas=areas, pcns=pcns, icbs=icbs)


def test_it_has_what_makes_real_data_awkward(synthetic):
    groups = set(geography.classify(synthetic.registrations["lsoa21"]))
    assert {"England", "Wales", "closed (CLOSED)", "empty (EMPTY)"} <= groups
    assert (synthetic.membership["pcn"] == "U").sum() == 1
    assert geography.vintage_of(synthetic.population.index) == "lsoa21"
    assert synthetic.registrations["patients"].sum() > synthetic.population.to_numpy().sum()


def test_its_people_are_as_old_as_englands(synthetic):
    people = synthetic.population.sum()
    share = people / people.sum()
    # England, mid-2020: 18.5 % are 65 and over, 78.6 % are 18 and over.
    assert share.loc[65:].sum() == pytest.approx(0.185, abs=0.02)
    assert share.loc[18:].sum() == pytest.approx(0.786, abs=0.02)


def test_deprived_areas_are_younger_and_iller_at_a_given_age_and_have_fewer_posts(synthetic):
    residents = synthetic.population.groupby(synthetic.deprivation["deprivation_decile"]).sum()
    old = residents.loc[:, 65:].sum(axis=1) / residents.sum(axis=1)
    assert old.loc[1] < old.loc[10]

    score = synthetic.deprivation["imd_score"]
    flows = synthetic.registrations[synthetic.registrations["lsoa21"].isin(score.index)]
    flows = flows.astype({"practice": "str", "lsoa21": "str"})
    weighted = flows["patients"] * flows["lsoa21"].map(score)
    poverty = weighted.groupby(flows["practice"]).sum() / flows.groupby("practice")["patients"].sum()

    copd = synthetic.conditions.query("condition == 'COPD'").set_index("practice")["register"]
    over_50 = synthetic.lists.loc[:, 50:].sum(axis=1).groupby(level="practice").sum()
    assert np.corrcoef((copd / over_50).loc[poverty.index], poverty)[0, 1] > 0.3

    pcn = synthetic.membership.set_index("practice")["pcn"]
    size = flows.groupby(flows["practice"].map(pcn))["patients"].sum()
    pcn_poverty = weighted.groupby(flows["practice"].map(pcn)).sum() / size
    posts = synthetic.current.set_index("team")["current"] / size.drop("U")
    assert np.corrcoef(posts, pcn_poverty.loc[posts.index])[0, 1] < -0.3
    assert synthetic.current["current"].sum() == pytest.approx(150)


def test_scores_of_a_whole_england_stay_below_100() -> None:
    scores = made.england(areas=33_755, pcns=100, seed=1).deprivation["imd_score"]
    assert scores.between(0, 100).all()
