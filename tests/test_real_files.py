"""The real files read with the totals that were published for them, or counted when they were collected."""

import time
from datetime import date

import pytest

from needsalloc import geography, sources
from needsalloc.errors import VintageError


@pytest.fixture(scope="session")
def england(real_data):
    return real_data / "england-2023"


@pytest.fixture(scope="session")
def staffordshire(real_data):
    return real_data / "staffordshire-2025"


@pytest.fixture(scope="session")
def july_2023(england):
    return sources.read_registrations(england / "gp-reg-pat-prac-lsoa-all_2023-07.csv.gz")


def by_group(registrations):
    area = registrations[geography.vintage_in(registrations)]
    return registrations["patients"].groupby(geography.classify(area)).sum().to_dict()


def test_registrations_of_july_2023(july_2023):
    assert len(july_2023) == 868_505
    assert july_2023["patients"].sum() == 62_581_556
    assert july_2023["practice"].nunique() == 6_378
    assert geography.vintage_in(july_2023) == "lsoa11"
    assert len(geography.english(july_2023["lsoa11"])) == 32_844
    assert july_2023.attrs["on"] == date(2023, 7, 1)
    assert by_group(july_2023) == {
        "England": 62_544_470,
        "Wales": 13_769,
        "no area recorded (NO2011)": 23_317,
    }


def test_the_checksum_is_that_of_the_manifest(july_2023):
    assert july_2023.attrs["source"] == {
        "file": "gp-reg-pat-prac-lsoa-all_2023-07.csv.gz",
        "sha256": "a899583a6a2b1f66c134b2ccbfed36eb79faf39a7b2bf135dd3fba53d729a39f",
        "rows": 868_505,
    }


def test_the_large_file_is_read_in_about_a_second(england):
    path = england / "gp-reg-pat-prac-lsoa-all_2023-07.csv.gz"

    def seconds():
        start = time.perf_counter()
        sources.read_registrations(path)
        return time.perf_counter() - start

    # 0.5 s on two idle cores; the bound leaves room for a busy machine, not for a slower way of reading.
    assert min(seconds() for _ in range(3)) < 2.0


@pytest.mark.parametrize(
    ("file", "practices", "pcns", "without", "on"),
    [
        ("england-2023/gp-reg-pat-prac-map_for_2023-07.csv.gz", 6_378, 1_273, 69, date(2023, 7, 1)),
        ("england-2023/gp-reg-pat-prac-map_2022-01.csv.gz", 6_527, 1_254, 68, date(2022, 1, 1)),
        ("staffordshire-2025/gp-reg-pat-prac-map_2025-10.csv.gz", 6_202, 1_297, 71, date(2025, 10, 1)),
        ("staffordshire-2025/gp-reg-pat-prac-map_2026-01.csv.gz", 6_171, 1_298, 59, date(2026, 1, 1)),
    ],
)
def test_maps_of_practices(real_data, file, practices, pcns, without, on):
    members = sources.read_membership(real_data / file)
    inside = members[members["pcn"] != "U"]
    assert (len(members), inside["pcn"].nunique(), len(members) - len(inside)) == (practices, pcns, without)
    assert members["practice"].is_unique
    assert members["icb"].nunique() == 42
    assert members.attrs["on"] == on


def test_patients_without_a_pcn_in_july_2023(england, july_2023):
    members = sources.read_membership(england / "gp-reg-pat-prac-map_for_2023-07.csv.gz")
    outside = july_2023["practice"].isin(members.loc[members["pcn"] == "U", "practice"])
    assert july_2023.loc[outside, "patients"].sum() == 261_137
    assert set(july_2023["practice"]) == set(members["practice"])


def test_population_of_mid_2020(england):
    people = sources.read_population(england / "population20_lsoa11.csv.gz")
    assert people.shape == (32_844, 91)
    assert people.to_numpy().sum() == 56_550_138
    assert people.loc[:, 18:].to_numpy().sum() == 44_456_850
    assert people.loc[:, 65:].to_numpy().sum() == 10_464_019
    assert people.to_numpy().sum() + people.attrs["left_out"]["Wales"] == 59_719_724


def test_population_of_the_census(staffordshire):
    people = sources.read_population(staffordshire / "census21_lsoa21_age6.csv.gz")
    assert people.columns.tolist() == [0, 16, 25, 35, 50, 65]
    assert len(people) == 33_755
    assert people.to_numpy().sum() + people.attrs["left_out"]["Wales"] == 59_597_114


@pytest.mark.parametrize(
    ("file", "areas", "vintage", "edition"),
    [
        ("england-2023/imd2019_lsoa11.csv.gz", 32_844, "lsoa11", "IMD 2019"),
        ("staffordshire-2025/imd2025_england_lsoa21.csv.gz", 33_755, "lsoa21", "IMD 2025"),
    ],
)
def test_deprivation(real_data, file, areas, vintage, edition):
    imd = sources.read_deprivation(real_data / file)
    assert (len(imd), imd.index.name, imd.attrs["edition"]) == (areas, vintage, edition)
    assert imd["deprivation_decile"].value_counts().between(areas // 10, areas // 10 + 1).all()
    assert imd.groupby("deprivation_decile")["imd_score"].mean().is_monotonic_decreasing


def test_deciles_made_from_the_scores_are_the_published_ones_but_for_rounding(england, tmp_path):
    path = england / "imd2019_lsoa11.csv.gz"
    published = sources.read_deprivation(path)
    scores = tmp_path / "scores.csv"
    published[["imd_score"]].rename_axis("LSOA11_CODE").to_csv(scores)
    made = sources.read_deprivation(scores)
    difference = made["deprivation_decile"] - published["deprivation_decile"]
    assert (difference != 0).sum() == 6
    assert difference.abs().max() == 1


@pytest.mark.parametrize(
    ("file", "rows", "practices", "dementia"),
    [
        ("england-2023/PREVALENCE_2122.csv.gz", 135_870, 6_470, None),
        ("staffordshire-2025/PREVALENCE_2425.csv.gz", 129_948, 6_188, 498_887),
    ],
)
def test_registers(real_data, file, rows, practices, dementia):
    qof = sources.read_conditions(real_data / file)
    assert (len(qof), qof["practice"].nunique(), qof["condition"].nunique()) == (rows, practices, 21)
    if dementia:
        assert qof.loc[qof["condition"] == "DEM", "register"].sum() == dementia


def test_lists_of_april_2026(real_data):
    lists = sources.read_lists(real_data / "lists-2026" / "single_age_sex_practice_2026-04.csv.gz")
    assert lists.index.get_level_values("practice").nunique() == 6_168
    assert len(lists) == 6_168 + 6_163, "five practices list men only"
    assert lists.to_numpy().sum() == 63_673_685
    assert lists.loc[:, 65:].to_numpy().sum() == 11_672_634
    assert lists.loc[:, 85:].to_numpy().sum() == 1_543_560


def test_staffordshire(staffordshire):
    patients = sources.read_registrations(staffordshire / "gp-reg-pat-prac-lsoa-all_2025-10_QNC.csv.gz")
    members = sources.read_membership(staffordshire / "gp-reg-pat-prac-map_2025-10.csv.gz")
    here = members[members["practice"].isin(patients["practice"])]
    assert geography.vintage_in(patients) == "lsoa21"
    assert patients["patients"].sum() == 1_210_283
    assert patients["practice"].nunique() == len(here) == 141
    assert here.loc[here["pcn"] != "U", "pcn"].nunique() == 25
    assert by_group(patients) == {
        "England": 1_208_850,
        "Wales": 24,
        "Scotland": 16,
        "Northern Ireland": 7,
        "closed (CLOSED)": 333,
        "empty (EMPTY)": 1_048,
        "pseudo-code (L99999999)": 4,
        "pseudo-code (M99999999)": 1,
    }


def test_the_exact_fit_lookup(england, tmp_path):
    path = england / "lookup_lsoa11_lsoa21_ltla22.csv.gz"
    lookup = sources.read_area_lookup(path)
    english = lookup[geography.is_english(lookup["lsoa11"])]
    assert (english["lsoa11"].nunique(), english["lsoa21"].nunique()) == (32_844, 33_755)
    assert english["change"].value_counts().to_dict() == {"U": 31_810, "S": 1_842, "M": 194, "X": 9}
    assert english["lsoa11"].max() < geography.FIRST_2021_CODE
    only_2021 = set(english["lsoa21"]) - set(english["lsoa11"])
    assert min(only_2021) == geography.FIRST_2021_CODE

    # A best-fit lookup gives each area of 2011 one area of 2021.
    best_fit = tmp_path / "best-fit.csv"
    english.drop_duplicates("lsoa11").rename(columns={"lsoa11": "LSOA11CD", "lsoa21": "LSOA21CD"}).rename(
        columns={"change": "CHGIND"}
    ).to_csv(best_fit, index=False)
    with pytest.raises(VintageError, match="are missing, as in a best-fit lookup"):
        sources.read_area_lookup(best_fit)


def test_areas_of_2011_do_not_meet_deprivation_of_2021(staffordshire, july_2023):
    imd = sources.read_deprivation(staffordshire / "imd2025_england_lsoa21.csv.gz")
    with pytest.raises(VintageError, match=r"1,034 of 32,844 codes do not match"):
        geography.check_same_vintage(july_2023["lsoa11"], imd.index)


@pytest.mark.parametrize(
    ("file", "areas", "vintage"),
    [
        ("england-2023/boundaries_lsoa11.parquet", 34_753, "lsoa11"),
        ("staffordshire-2025/boundaries_lsoa21.parquet", 35_672, "lsoa21"),
    ],
)
def test_boundaries(real_data, file, areas, vintage):
    pytest.importorskip("geopandas")
    drawn = sources.read_boundaries(real_data / file)
    assert (len(drawn), drawn.index.name, drawn.crs.to_epsg()) == (areas, vintage, 27700)
    assert drawn.geometry.is_valid.all()
    assert drawn.geom_type.isin(["Polygon", "MultiPolygon"]).all()
    # England and Wales measure 151,000 km² to the coast.
    assert drawn.area.sum() / 1e6 == pytest.approx(151_000, rel=0.01)
