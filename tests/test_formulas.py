"""Weights by age and the other published measures: known answers, what must hold, what is refused."""

import doctest
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from scipy import stats

from needsalloc import formulas
from needsalloc import synthetic as made
from needsalloc.errors import (
    FormulaError,
    InputFileError,
    InvalidValueError,
    MissingColumnError,
    UnknownCodeError,
    VintageError,
)
from needsalloc.formulas import PRESETS, Weights
from needsalloc.sources.health_domain import read_health_domain
from small_worlds import law

WORKLOAD = Weights.published("general-practice/england-2007")
FIRST_AGES = [0, 5, 15, 45, 65, 75, 85]


def ours(weights: dict[str, object] | None = None, **options: object) -> Weights:
    bands = {"0-4": 2.0, "5-64": 1.0, "65+": 4.0} if weights is None else weights
    return Weights.from_bands(bands, name="ours", source="an audit", **options)  # type: ignore[arg-type]


def people(rows: dict[str, list[float]], ages: list[int]) -> pd.DataFrame:
    return pd.DataFrame(rows, index=ages, dtype=np.float64).T


def by_sex(rows: dict[tuple[str, str], list[float]], ages: list[int]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, index=ages, dtype=np.float64).T
    return frame.rename_axis(["place", "sex"])


def test_examples_in_the_documentation() -> None:
    assert doctest.testmod(formulas.weights).failed == 0


# Weights


def test_weights_by_hand() -> None:
    population = people({"a": [10, 80, 10], "b": [0, 50, 50]}, [0, 5, 65])
    # a: 20 + 80 + 40 = 140; b: 50 + 200 = 250; 390 over 200 people.
    assert ours().weighted_sum(population).tolist() == [140, 250]
    assert ours().index(population, base="all").tolist() == pytest.approx([140 / 195, 250 / 195])
    weighted = ours().weighted_population(population, base="all")
    assert weighted.tolist() == pytest.approx([14_000 / 195, 25_000 / 195])
    assert weighted.name == "weighted_population"


def test_women_and_men_have_their_own_weights() -> None:
    weights = ours({"female": {"0-64": 1.0, "65+": 3.0}, "male": {"0-64": 0.5, "65+": 5.0}})
    population = by_sex({("a", "female"): [10, 1], ("a", "male"): [20, 2], ("b", "male"): [4, 0]}, [0, 65])
    assert weights.weighted_sum(population).to_dict() == {"a": 10 + 3 + 10 + 10, "b": 2}
    assert weights.people(population).to_dict() == {"a": 33, "b": 4}


def test_weights_for_persons_add_the_sexes_up() -> None:
    population = by_sex({("a", "female"): [10, 1], ("b", "male"): [4, 0], ("a", "male"): [20, 2]}, [0, 65])
    assert ours({"0-64": 1, "65+": 10}).weighted_sum(population).to_dict() == {"a": 60, "b": 4}


def test_ages_without_a_weight_are_in_nothing() -> None:
    population = people({"a": [7, 90, 10], "b": [3, 50, 0]}, [0, 5, 65])
    children = ours({"0-4": 2.0})
    assert children.people(population).tolist() == [7, 3]
    assert children.index(population, base="all").tolist() == [1, 1]
    assert "0 to 4" in repr(children)
    (note,) = children.assumptions(population)
    assert "outside ages 0 to 4" in note.what
    adults = ours({"18-64": 1.0, "65+": 4.0})
    grown = people({"a": [1_000, 90, 10]}, [0, 18, 65])
    assert adults.weighted_sum(grown).tolist() == [130]
    assert adults.people(grown).tolist() == [100]


def test_a_factor_multiplies_for_each_unit_of_the_score() -> None:
    population = people({"a": [1, 1, 1], "b": [1, 1, 1]}, [0, 5, 65])
    scores = pd.DataFrame({"imd_score": [3.0, 0.0, 9.0]}, index=["a", "b", "elsewhere"])
    weighted = ours(factors={"imd_score": 1.1}).weighted_sum(population, scores)
    assert weighted.tolist() == pytest.approx([7 * 1.1**3, 7])


def test_the_base_is_in_the_name_and_has_a_mean_of_one() -> None:
    population = people({"a": [10, 80, 10], "b": [0, 50, 50], "c": [40, 20, 0]}, [0, 5, 65])
    index = ours().index(population, base=pd.Index(["a", "c"], name="icb"))
    assert index.name == "need_index_icb"
    heads = population.sum(axis=1)
    assert np.average(index[["a", "c"]], weights=heads[["a", "c"]]) == pytest.approx(1)
    assert ours().index(population, base=pd.Index(["a"])).name == "need_index_base"


def test_nobody_has_no_index_and_no_weight() -> None:
    population = people({"a": [10, 80, 10], "b": [0, 0, 0]}, [0, 5, 65])
    assert np.isnan(ours().index(population, base="all")["b"])
    assert ours().weighted_population(population, base="all").to_dict() == pytest.approx({"a": 100, "b": 0})


counts = st.lists(st.lists(st.integers(0, 500), min_size=7, max_size=7), min_size=2, max_size=6)


@law(counts, st.lists(st.floats(0.01, 50), min_size=7, max_size=7), st.randoms())
def test_laws_of_weights(rows: list[list[int]], values: list[float], random: object) -> None:
    rows[0][3] += 1  # somebody is there
    codes = [f"p{i}" for i in range(len(rows))]
    population = people(dict(zip(codes, rows, strict=True)), FIRST_AGES)
    bands = ["0-4", "5-14", "15-44", "45-64", "65-74", "75-84", "85+"]
    weights = ours(dict(zip(bands, values, strict=True)))
    weighted = weights.weighted_population(population, base="all")
    total = population.to_numpy().sum()
    assert weighted.sum() == pytest.approx(total)
    # Neither the order of the places, nor twice as many of everybody, nor another unit changes an index.
    index = weights.index(population, base="all")
    shuffled = codes.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = weights.index(2 * population.loc[shuffled], base="all").loc[codes]
    pd.testing.assert_series_equal(again, index)
    tripled = ours({band: 3 * value for band, value in zip(bands, values, strict=True)})
    pd.testing.assert_series_equal(tripled.index(population, base="all"), index)
    # Data in finer bands give the same: half of each band a year later.
    finer = pd.concat(
        [population / 2, (population / 2).set_axis([a + 1 for a in FIRST_AGES], axis=1)], axis=1
    )
    pd.testing.assert_series_equal(weights.index(finer.sort_index(axis=1), base="all"), index)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "has no weights"),
        ({"0-4": 1, "4-64": 1, "65+": 1}, "0-4 and 4-64 overlap"),
        ({"0-4": 1, "6+": 1}, "no weight for 5 to 5 years"),
        ({"0+": 1, "65+": 1}, r"0\+ and 65\+ overlap"),
        ({"0-64": 1, "65+": -2}, "negative or no numbers, in the bands 65"),
        ({"0-64": 1, "65+": "2"}, "1 weights that are negative or no numbers"),
        ({"0-64": 1, "65+": True}, "1 weights"),
        ({"0-64": 1, "65+": float("nan")}, "1 weights"),
        ({"0-64": 0, "65+": 0}, "All weights of ours are 0"),
        ({"64-0": 1}, "'64-0' is no band of age"),
        ({"old": 1}, "'old' is no band"),
        ({"0-200": 1}, "is no band"),
        ({"female": {"0+": 1}}, "exactly two, female and male"),
        ({"female": {"0+": 1}, "male": {"0+": 1}, "0-4": 2}, "exactly two"),
        ({"female": {"0+": 1}, "men": {"0+": 1}}, "exactly two"),
        ({"female": {"0-4": 1, "5+": 1}, "male": {"0+": 1}}, "other bands of age for women"),
    ],
)
def test_faulty_weights_are_refused(weights: dict[str, object], message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        ours(weights)


def test_faulty_factors_are_refused() -> None:
    for factor in (0, -1.0, "1.1", True, float("inf")):
        with pytest.raises(FormulaError, match="1 factors that are no positive numbers: imd_score"):
            ours(factors={"imd_score": factor})


def test_bands_are_never_split() -> None:
    census = people({"a": [1, 2, 3, 4, 5, 6]}, [0, 16, 25, 35, 50, 65])
    with pytest.raises(FormulaError, match=r"change at 5 years.*A band is never split"):
        ours().weighted_sum(census)
    with pytest.raises(FormulaError, match=r"change at 75 years"):
        ours({"0-64": 1, "65-74": 1, "75+": 1}).weighted_sum(census)
    with pytest.raises(FormulaError, match=r"change at 5 years"):
        ours({"0-4": 1}).weighted_sum(census)


def test_faulty_populations_are_refused() -> None:
    good = people({"a": [10, 80, 10], "b": [0, 50, 50]}, [0, 5, 65])
    for value in (-1.0, np.nan):
        bad = good.copy()
        bad.loc["b", 5] = value
        with pytest.raises(InvalidValueError, match=r"1 of 2 rows have a missing or negative number.*: b"):
            ours().weighted_sum(bad)
    with pytest.raises(InvalidValueError, match="1 places stand twice"):
        ours().weighted_sum(good.loc[["a", "b", "a"]])
    with pytest.raises(InvalidValueError, match="must be the first ages"):
        ours().weighted_sum(good.set_axis(["0-4", "5-64", "65+"], axis=1))
    with pytest.raises(InvalidValueError, match="must be the first ages"):
        ours().weighted_sum(good[[5, 0, 65]])
    odd = by_sex({("a", "woman"): [1, 2, 3]}, [0, 5, 65])
    with pytest.raises(InvalidValueError, match="the sexes woman; known are female and male"):
        ours().weighted_sum(odd)
    with pytest.raises(InvalidValueError, match="by place and sex, in this order"):
        ours().weighted_sum(odd.rename_axis(["sex", "place"]))


def test_scores_must_be_there() -> None:
    weights = ours(factors={"imd_score": 1.1})
    population = people({"a": [10, 80, 10], "b": [0, 50, 50]}, [0, 5, 65])
    with pytest.raises(FormulaError, match="lacking: imd_score"):
        weights.weighted_sum(population)
    with pytest.raises(FormulaError, match="lacking: imd_score"):
        weights.weighted_sum(population, pd.DataFrame({"score": [1.0, 1.0]}, index=["a", "b"]))
    scores = pd.DataFrame({"imd_score": [1.0]}, index=["a"])
    with pytest.raises(
        UnknownCodeError, match="1 of 2 places of the population have no row in the scores: b"
    ):
        weights.weighted_sum(population, scores)
    with pytest.raises(InvalidValueError, match="1 of 2 rows have no number among the scores: b"):
        weights.weighted_sum(population, scores.reindex(["a", "b"]))
    with pytest.raises(InvalidValueError, match="1 places stand twice in the scores: a"):
        weights.weighted_sum(population, scores.loc[["a", "a"]])


def test_scores_of_another_census_are_refused() -> None:
    population = people({"E01000001": [1, 1, 1], "E01033769": [1, 1, 1]}, [0, 5, 65]).rename_axis("lsoa21")
    scores = pd.DataFrame(
        {"imd_score": [1.0, 1.0]}, index=pd.Index(["E01000001", "E01000002"], name="lsoa11")
    )
    with pytest.raises(VintageError, match="1 of 2 codes do not match"):
        ours(factors={"imd_score": 1.1}).weighted_sum(population, scores)


def test_faulty_bases_are_refused() -> None:
    population = people({"a": [10, 80, 10], "b": [0, 0, 0]}, [0, 5, 65])
    with pytest.raises(FormulaError, match="Unknown base 'icb'"):
        ours().index(population, base="icb")
    with pytest.raises(UnknownCodeError, match="needs every area of England"):
        ours().index(population)
    with pytest.raises(UnknownCodeError, match="1 of 2 places of the base are not in the data: z"):
        ours().index(population, base=pd.Index(["a", "z"]))
    with pytest.raises(InvalidValueError, match="The base has 0 people"):
        ours().index(population, base=pd.Index(["b"]))


# A file of weights

FILE = """
name = "community-2025"
source = "Contacts by age, our trust, 2024/25"
unit = "contacts a year"
[weights.female]
"0-64" = 0.31
"65-84" = 2.4
"85+" = 9.8
[weights.male]
"0-64" = 0.2
"65-84" = 2
"85+" = 8.1
[factors]
imd_score = 1.004
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "weights.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_weights(tmp_path: Path) -> None:
    weights = Weights.from_toml(written(tmp_path, FILE))
    assert repr(weights) == (
        "<Weights community-2025: women and men apart, all ages, in 3 bands of age, × 1.004 ^ imd_score>"
    )
    assert weights.cite() == "community-2025. Contacts by age, our trust, 2024/25."
    assert weights.unit == "contacts a year"
    assert weights.weight == {"female": (0.31, 2.4, 9.8), "male": (0.2, 2.0, 8.1)}
    with pytest.raises(AttributeError):
        weights.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("unit =", "units =", FormulaError, "1 unknown keys: units. Did you mean unit?"),
        ("[factors]", "[factor]", FormulaError, "Did you mean factors?"),
        ("source = ", "# ", FormulaError, "lacks source"),
        ('"Contacts by age, our trust, 2024/25"', "2025", FormulaError, "source is of the wrong kind"),
        ("[weights.female]", "[weights.women]", FormulaError, "exactly two, female and male"),
        ("= 9.8", "= -9.8", FormulaError, r"community-2025 \(female\) has 1 weights that are negative"),
        (
            '"65-84" = 2.4',
            '"66-84" = 2.4',
            FormulaError,
            "no weight for 65 to 65 years, between 0-64 and 66-84",
        ),
        ("= 9.8", "= 9,8", InputFileError, "weights.toml is not TOML"),
        ('"85+" = 9.8', '"65-84" = 9.8', InputFileError, "is not TOML"),
    ],
)
def test_faulty_files_are_refused(
    tmp_path: Path, old: str, new: str, error: type[Exception], message: str
) -> None:
    assert old in FILE
    with pytest.raises(error, match=message):
        Weights.from_toml(written(tmp_path, FILE.replace(old, new, 1)))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"none.toml cannot be read"):
        Weights.from_toml(tmp_path / "none.toml")


# The formula review of 2007


def test_workload_of_one_person_each() -> None:
    nobody = [0.0] * 7
    rows = {
        ("boys", "male"): [0, 1, 0, 0, 0, 0, 0],
        ("babies", "female"): [1, *nobody[1:]],
        ("old women", "female"): [*nobody[1:], 1],
    }
    population = by_sex(rows, FIRST_AGES)
    scores = pd.DataFrame({"health_score": [0.0, 0.0, 1.0]}, index=["boys", "babies", "old women"])
    found = WORKLOAD.weighted_sum(population, scores)
    assert found.to_dict() == pytest.approx({"boys": 1.0, "babies": 2.241, "old women": 3.09 * 1.054})
    assert "Asaria" in WORKLOAD.cite()
    assert "Licence" in WORKLOAD.cite()


def test_unknown_published_weights() -> None:
    with pytest.raises(FormulaError, match="There are: general-practice/england-2007"):
        Weights.published("general-practice")


def test_workload_without_sexes_is_refused(synthetic: made.SyntheticEngland) -> None:
    scores = pd.DataFrame({"health_score": 0.0}, index=synthetic.population.index)
    with pytest.raises(FormulaError, match=r"the population has no sex.*with_estimated_sex"):
        WORKLOAD.weighted_sum(synthetic.population, scores)


def test_estimated_sexes_are_those_of_the_people(synthetic: made.SyntheticEngland) -> None:
    population = formulas.with_estimated_sex(synthetic.population, synthetic.lists)
    back = population.groupby(level=0).sum()
    pd.testing.assert_frame_equal(back, synthetic.population, check_names=False)
    women_listed, listed = (
        part.T.groupby(np.minimum(part.columns, 90)).sum().sum(axis=1)
        for part in (synthetic.lists.xs("female", level="sex"), synthetic.lists)
    )
    share = (women_listed / listed).to_numpy()
    band = np.searchsorted(FIRST_AGES, np.arange(91), side="right") - 1
    women, men = (np.array(WORKLOAD.weight[sex])[band] for sex in ("female", "male"))
    expected = synthetic.population.to_numpy() @ (share * women + (1 - share) * men)
    scores = pd.DataFrame({"health_score": 0.0}, index=synthetic.population.index)
    found = WORKLOAD.weighted_sum(population, scores)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert any("Sex is estimated" in note.what for note in WORKLOAD.assumptions(population))


def test_equal_ages_leave_the_scores_alone(synthetic: made.SyntheticEngland) -> None:
    """With one age mix everywhere, what is left of the index is the factor of the score."""
    population = formulas.with_estimated_sex(synthetic.population, synthetic.lists)
    level = formulas.with_equal_ages(population)
    pd.testing.assert_series_equal(level.sum(axis=1).groupby(level=0).sum(), synthetic.population.sum(axis=1))
    np.testing.assert_allclose(level.sum(), population.sum(), rtol=1e-12)
    places = synthetic.population.index
    scores = pd.DataFrame({"health_score": np.linspace(-2, 2, len(places))}, index=places)
    index = WORKLOAD.index(level, scores, base="all")
    np.testing.assert_allclose(index / index.iloc[0], 1.054 ** (scores["health_score"] + 2), rtol=1e-12)
    persons = formulas.with_equal_ages(synthetic.population)
    np.testing.assert_allclose(level.groupby(level=0).sum(), persons, rtol=1e-12)


def test_sexes_of_broad_bands_come_from_the_ages_in_them() -> None:
    lists = by_sex({("p", "female"): [1, 1, 6], ("p", "male"): [3, 1, 4]}, [0, 1, 2])
    population = people({"a": [60, 100]}, [0, 2])
    found = formulas.with_estimated_sex(population, lists)
    assert found.loc[("a", "female")].tolist() == pytest.approx([20, 60])
    assert found.index.names == [None, "sex"]
    with pytest.raises(MissingColumnError, match="begins at 3"):
        formulas.with_estimated_sex(people({"a": [60, 100]}, [0, 3]), lists)
    with pytest.raises(InvalidValueError, match="only one by place alone"):
        formulas.with_estimated_sex(lists, lists)
    with pytest.raises(MissingColumnError, match="by sex, female and male"):
        formulas.with_estimated_sex(population, lists.xs("male", level="sex", drop_level=False))
    with pytest.raises(InvalidValueError, match="nobody in 1 bands where the population has people: from 2"):
        formulas.with_estimated_sex(
            population, lists.assign(**{"2": 0.0}).drop(columns=2).rename(columns={"2": 2})
        )


def test_weights_apply_to_practice_lists(synthetic: made.SyntheticEngland) -> None:
    weighted = WORKLOAD.weighted_sum(
        synthetic.lists, pd.DataFrame({"health_score": 0.0}, index=synthetic.lists.index.unique("practice"))
    )
    practice = weighted.index[0]
    ages = np.searchsorted(FIRST_AGES, np.arange(96), side="right") - 1
    by_hand = sum(
        (synthetic.lists.loc[(practice, sex)].to_numpy() * np.array(WORKLOAD.weight[sex])[ages]).sum()
        for sex in ("female", "male")
    )
    assert weighted[practice] == pytest.approx(by_hand)


# Sweden's Care Need Index

# As Statistics Sweden prints them: Enhet 1, Enhet 2.
SCB = pd.DataFrame(
    [[595, 1391, 484, 167, 385, 981, 632, 5912], [293, 330, 215, 80, 240, 300, 210, 2407]],
    index=["Enhet 1", "Enhet 2"],
    columns=[*formulas.care_need_weights().index, "population"],
)


def test_care_need_of_the_printed_examples() -> None:
    total = formulas.care_need_sum(SCB)
    assert total.tolist() == pytest.approx([22_709.42, 7_869.74])
    assert np.floor(total).tolist() == [22_709, 7_869]
    assert formulas.care_need_mean_of_sweden() == pytest.approx(2.476, abs=5e-4)
    for unit, index, people_there, relative in (
        ("Enhet 1", 22_709, 5_912, 1.5513),
        ("Enhet 2", 7_869, 2_407, 1.3204),
    ):
        assert index / people_there / relative == pytest.approx(formulas.care_need_mean_of_sweden(), abs=5e-4)
        assert formulas.care_need_index(SCB)[unit] == pytest.approx(relative, abs=5e-5)


def test_care_need_relative_to_the_places_at_hand() -> None:
    found = formulas.care_need_index(SCB, base="all")
    assert found.name == "need_index_all"
    assert np.average(found, weights=SCB["population"]) == pytest.approx(1)
    assert found["Enhet 1"] / found["Enhet 2"] == pytest.approx(1.5513 / 1.3204, rel=1e-4)
    assert formulas.care_need_index(SCB).name == "need_index_sweden"


def test_faulty_care_need_counts_are_refused() -> None:
    with pytest.raises(MissingColumnError, match=r"needs 8 columns; lacking: single_parent, moved_in\."):
        formulas.care_need_sum(SCB.drop(columns=["moved_in", "single_parent"]))
    with pytest.raises(MissingColumnError, match="lacking: population"):
        formulas.care_need_sum(SCB.drop(columns="population"))
    for value in (-1.0, np.nan):
        with pytest.raises(InvalidValueError, match=r"1 of 2 places have a missing or negative.*Enhet 2"):
            formulas.care_need_sum(SCB.assign(moved_in=[5.0, value]))
    with pytest.raises(InvalidValueError, match=r"more people in a group than in all: Enhet 1"):
        formulas.care_need_sum(SCB.assign(moved_in=[5913, 0]))
    with pytest.raises(InvalidValueError, match="stand twice"):
        formulas.care_need_sum(pd.concat([SCB, SCB]))
    with pytest.raises(FormulaError, match="must hold numbers"):
        formulas.care_need_sum(SCB.assign(moved_in=["many", "few"]))


# Steel, Reading and Allen 2001


def rates(rows: list[list[float]]) -> pd.DataFrame:
    columns = ["under_5", "elective_admissions_under_5", "births_under_2500_g", "deaths_under_65"]
    frame = pd.DataFrame(rows, columns=columns, index=[f"p{i}" for i in range(len(rows))])
    return frame.assign(population=[10_000.0, 20_000.0, 10_000.0][: len(rows)])


def test_steel_by_hand() -> None:
    # Rates per 10,000: 500 and 700, 30 and 10, 8 and 4, 20 and 30. Of two numbers one is 1 SD above the mean.
    two = rates([[500, 30, 8, 20], [1400, 20, 8, 60]])
    assert formulas.steel_score(two).tolist() == pytest.approx([-1 + 1 + 1 - 1, 1 - 1 - 1 + 1])
    found = formulas.steel_score(two.assign(deaths_under_65=[40, 60]))
    assert found.to_dict() == pytest.approx({"p0": 2.0, "p1": -2.0})
    assert found.name == "need_score_all"


def test_steel_against_scipy_and_on_a_base() -> None:
    three = rates([[500, 30, 8, 20], [1400, 20, 8, 60], [640, 22, 3, 10]])
    per_10_000 = three.drop(columns="population").div(three["population"], axis=0) * 10_000
    expected = stats.zscore(per_10_000, axis=0).sum(axis=1)
    np.testing.assert_allclose(formulas.steel_score(three), expected)
    assert formulas.steel_score(three).sum() == pytest.approx(0)
    base = formulas.steel_score(three, base=pd.Index(["p0", "p1"], name="norfolk"))
    assert base.name == "need_score_norfolk"
    assert base[["p0", "p1"]].tolist() == pytest.approx(formulas.steel_score(three.iloc[:2]).tolist())


def test_faulty_rates_are_refused() -> None:
    two = rates([[500, 30, 8, 20], [1400, 20, 8, 60]])
    with pytest.raises(MissingColumnError, match="lacking: under_5"):
        formulas.steel_score(two.drop(columns="under_5"))
    with pytest.raises(InvalidValueError, match="1 places have nobody, so no rates: p1"):
        formulas.steel_score(two.assign(population=[1.0, 0.0]))
    with pytest.raises(InvalidValueError, match="deaths_under_65: the rate is the same in all 2 places"):
        formulas.steel_score(two.assign(deaths_under_65=[30, 60]))


# Presets


def user_counts(england: made.SyntheticEngland) -> dict[str, pd.DataFrame]:
    """The user's columns for the synthetic England: children from its ages, the rest made up."""
    rng = np.random.default_rng(3)
    total = england.population.sum(axis=1)
    under_5 = england.population[[0, 1, 2, 3, 4]].sum(axis=1)
    poor = england.deprivation["imd_score"] / 100
    groups = [name for name in formulas.care_need_weights().index if name != "under_5"]
    care_need = pd.DataFrame(
        {name: rng.binomial(total.astype(int), 0.02 + 0.1 * poor) for name in groups}, total.index
    )
    events = {
        name: rng.poisson(rate * total)
        for name, rate in (
            ("elective_admissions_under_5", 0.002),
            ("births_under_2500_g", 0.001),
            ("deaths_under_65", 0.002),
        )
    }
    return {
        "population": formulas.with_estimated_sex(england.population, england.lists),
        "health_domain": pd.DataFrame({"health_score": poor * 5 - 1}, total.index),
        "care_need_counts": care_need.assign(under_5=under_5, population=total),
        "health_visiting_counts": pd.DataFrame(events, total.index).assign(under_5=under_5, population=total),
    }


def test_every_preset_on_the_synthetic_england(synthetic: made.SyntheticEngland) -> None:
    inputs = user_counts(synthetic)
    table = formulas.available(inputs, base="all")
    assert table["can_be_computed"].all()
    assert (table["lacks"] == "").all()
    total = synthetic.population.sum(axis=1)
    poorest = synthetic.deprivation["deprivation_decile"] <= 2
    for preset in PRESETS.values():
        found = preset.compute(inputs, base="all")
        assert found.by_place.index.equals(synthetic.population.index)
        np.testing.assert_allclose(found.people, total, rtol=1e-12)
        assert preset.source in preset.cite()
        assert found.notes
        assert preset.name in repr(found)
        if preset.kind == "index":
            assert np.average(found.by_place, weights=total) == pytest.approx(1)
        else:
            assert found.by_place.mean() == pytest.approx(0, abs=1e-9)
    care_need = PRESETS["care-need-index/sweden"].compute(inputs, base="all").by_place
    assert care_need[poorest].mean() > 1.2


def test_what_cannot_be_computed_says_what_it_lacks(synthetic: made.SyntheticEngland) -> None:
    nothing = formulas.available({})
    assert not nothing["can_be_computed"].any()
    assert nothing["lacks"]["general-practice/england-2007"].startswith(
        "general-practice/england-2007 lacks population (people by place and sex"
    )
    inputs = user_counts(synthetic) | {"population": synthetic.population}
    del inputs["care_need_counts"]
    inputs["health_visiting_counts"] = inputs["health_visiting_counts"].drop(columns="deaths_under_65")
    lacks = formulas.available(inputs, base="all")["lacks"]
    assert "the population has no sex" in lacks["general-practice/england-2007"]
    assert "care_need_counts (population, under_5" in lacks["care-need-index/sweden"]
    assert "lacking: deaths_under_65" in lacks["health-visiting/norfolk-2001"]
    with pytest.raises(FormulaError, match=r"lacks care_need_counts"):
        PRESETS["care-need-index/sweden"].compute(inputs)
    # 300 areas are not England.
    assert "needs every area of England" in formulas.available(user_counts(synthetic))["lacks"].iloc[0]


# The score of the health domain


def test_health_domain_is_read(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(
        "LSOA code (2021),Health Deprivation and Disability Score\nE01033769,-1.25\nE01000001,0.5\n"
    )
    frame = read_health_domain(path)
    assert frame["health_score"].to_dict() == {"E01033769": -1.25, "E01000001": 0.5}
    assert frame.index.name == "lsoa21"
    assert frame.attrs["edition"] == "IMD 2025"


@pytest.mark.parametrize("value", ["26525", "43.1", "n/a"])
def test_what_is_no_score_of_the_domain(tmp_path: Path, value: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(f"lsoa21_code,Health_score\nE01033769,{value}\nE01000001,0.5\n")
    with pytest.raises(InvalidValueError, match=r"1 scores of the health domain.*E01033769|no number.*'n/a'"):
        read_health_domain(path)
