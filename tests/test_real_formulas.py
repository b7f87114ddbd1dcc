"""The 2007 workload index of England's areas of 2021, against plain pandas on the files as they are stored.

The census bands at hand stop at 65 and over, and the weights change at 75 and 85: so single ages of mid-2020,
which are on areas of 2011, are carried to 2021 with the census's people. Sex by age is England's, from lists.
"""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import needsalloc as na
from needsalloc import formulas
from needsalloc.errors import MissingColumnError
from needsalloc.sources.health_domain import read_health_domain

NAME = "general-practice/england-2007"
ENGLAND = {"lsoa11": 32_844, "lsoa21": 33_755}


@pytest.fixture(scope="module")
def inputs(real_data: Path) -> dict[str, pd.DataFrame]:
    england, staffordshire = real_data / "england-2023", real_data / "staffordshire-2025"
    census = na.read_population(staffordshire / "census21_lsoa21_age6.csv.gz")
    ages = na.read_population(england / "population20_lsoa11.csv.gz")
    lookup = na.read_area_lookup(england / "lookup_lsoa11_lsoa21_ltla22.csv.gz")
    lists = na.read_lists(real_data / "lists-2026" / "single_age_sex_practice_2026-04.csv.gz")
    carried = na.carry_counts(ages, lookup, to="lsoa21", people=census.sum(axis=1).rename("census 2021"))
    return {
        "population": formulas.with_estimated_sex(carried, lists),
        "health_domain": read_health_domain(staffordshire / "imd2025_england_lsoa21.csv.gz"),
        "census": census,
        "ages": ages,
        "lists": lists,
    }


@pytest.fixture(scope="module")
def measured(inputs: dict[str, pd.DataFrame]) -> formulas.Measured:
    return formulas.PRESETS[NAME].compute(inputs)


@pytest.fixture(scope="module")
def imd(real_data: Path) -> pd.DataFrame:
    """IMD 2025 as it is stored, read by nothing of ours."""
    path = real_data / "staffordshire-2025" / "imd2025_england_lsoa21.csv.gz"
    return pd.read_csv(path, index_col="lsoa21_code")


def by_fifth(index: pd.Series, people: pd.Series, score: pd.Series) -> pd.Series:
    """Mean of the index over the people of each fifth of areas, 1 the most deprived."""
    rank = score.reindex(index.index).rank(ascending=False, method="first")
    fifth = np.ceil(5 * rank / len(rank)).astype(int)
    return (index * people).groupby(fifth).sum() / people.groupby(fifth).sum()


def test_weighted_persons_are_the_persons_of_england(inputs: dict[str, pd.DataFrame]) -> None:
    weights = formulas.Weights.published(NAME)
    weighted = weights.weighted_population(inputs["population"], inputs["health_domain"])
    assert len(weighted) == ENGLAND["lsoa21"]
    assert weighted.sum() == pytest.approx(56_550_138)
    assert inputs["ages"].to_numpy().sum() == pytest.approx(56_550_138)


def test_against_plain_pandas(
    inputs: dict[str, pd.DataFrame], measured: formulas.Measured, imd: pd.DataFrame, real_data: Path
) -> None:
    """Every area that did not change between the censuses, weighed from the rows of the files."""
    rows = pd.read_csv(real_data / "england-2023" / "population20_lsoa11.csv.gz", index_col="lsoa11_code")
    listed = pd.read_csv(real_data / "lists-2026" / "single_age_sex_practice_2026-04.csv.gz")
    by_sex = listed.groupby("SEX")[[str(age) for age in range(96)]].sum()
    edges = [0, 5, 15, 45, 65, 75, 85, 200]
    women = [2.241, 1.030, 1.885, 2.115, 2.820, 3.301, 3.090]
    men = [2.354, 1.000, 0.913, 1.373, 2.531, 3.254, 3.193]
    same = rows.index.intersection(imd.index)
    weighted = pd.Series(0.0, index=same)
    for age in range(91):
        column, lists_of = ("90+", range(90, 96)) if age == 90 else (str(age), [age])
        f, m = (by_sex.loc[sex, [str(a) for a in lists_of]].sum() for sex in ("FEMALE", "MALE"))
        band = next(i for i in range(7) if age < edges[i + 1])
        weighted += rows.loc[same, column] * (f * women[band] + m * men[band]) / (f + m)
    per_head = weighted * 1.054 ** imd.loc[same, "Health_score"] / rows.loc[same, "total_population"]
    found = measured.by_place[same]
    # Relative to one area, since the mean of England needs the areas that changed as well.
    np.testing.assert_allclose(found / found.iloc[0], per_head / per_head.iloc[0], rtol=1e-12)
    assert len(same) == 31_810


def test_gradient_beside_the_published_one(
    inputs: dict[str, pd.DataFrame], measured: formulas.Measured, imd: pd.DataFrame
) -> None:
    """Asaria et al. 2016: the most deprived fifth needed 3.8 % more per head than the least in 2013/14.

    Ours is 2.5 %, on people of 2020, IMD 2025 and sexes that are estimated: the same sign and order is all
    that can be asked. Deprived areas are younger, so ages alone say less need, and the score more.
    """
    people = inputs["population"].groupby(level=0).sum().sum(axis=1)
    fifths = by_fifth(measured.by_place, people, imd["IMD_score"])
    assert fifths[1] / fifths[5] == pytest.approx(1.038, abs=0.02)
    no_score = inputs["health_domain"] * 0
    ages_alone = formulas.Weights.published(NAME).index(inputs["population"], no_score)
    alone = by_fifth(ages_alone, people, imd["IMD_score"])
    score = by_fifth(1.054 ** imd["Health_score"].reindex(people.index), people, imd["IMD_score"])
    assert alone[1] / alone[5] < 1 < fifths[1] / fifths[5] < score[1] / score[5]


def test_it_says_what_was_assumed(measured: formulas.Measured) -> None:
    said = " ".join(note.what for note in measured.notes)
    for words in ("Sex is estimated", "carried from areas of lsoa11", "IMD 2025, newer than the formula"):
        assert words in said


def test_imd_2019_lacks_its_domains(inputs: dict[str, pd.DataFrame], real_data: Path) -> None:
    with pytest.raises(MissingColumnError, match="lacks 1 of the columns"):
        read_health_domain(real_data / "england-2023" / "imd2019_lsoa11.csv.gz")
    ages_2011 = formulas.with_estimated_sex(inputs["ages"], inputs["lists"])
    lacks = formulas.available({"population": ages_2011})["lacks"]
    assert "lacks health_domain (health_score by area of the same census)" in lacks[NAME]
    other = formulas.available({"population": ages_2011, "health_domain": inputs["health_domain"]})["lacks"]
    assert "two censuses" in other[NAME]


def test_census_bands_are_too_broad(inputs: dict[str, pd.DataFrame]) -> None:
    census = formulas.with_estimated_sex(inputs["census"], inputs["lists"])
    lacks = formulas.available({"population": census, "health_domain": inputs["health_domain"]})["lacks"]
    assert "change at 5, 15, 45, 75, 85 years" in lacks[NAME]


def test_england_in_seconds(inputs: dict[str, pd.DataFrame]) -> None:
    start = time.perf_counter()
    formulas.PRESETS[NAME].compute(inputs)
    assert time.perf_counter() - start < 5
