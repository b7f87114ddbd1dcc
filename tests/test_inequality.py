"""Inequality of a resource by deprivation and against need, against R, other software, and definitions."""

import doctest
import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

import needsalloc as na
from needsalloc import equity, errors
from needsalloc.equity import InequalityMeasures, inequality_measures
from needsalloc.kernels import inequality

R = Path(__file__).parent / "r"
COLUMNS = {"resource": "fte", "need": "need", "population": "people", "deprivation": "imd"}
BY_DEPRIVATION = [
    "slope_index", "relative_index", "concentration_index", "extended_concentration_index",
    "concentration_index_per_person", "concentration_index_of_need", "horizontal_inequity",
]  # fmt: skip
AGAINST_NEED = ["kakwani_by_need", "gini", "theil", "hoover"]
# Sums of a few dozen numbers near 1, divided by each other.
EXACT = {"rtol": 1e-10, "atol": 1e-12}

amount = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.01, 100))


@st.composite
def worlds(draw: st.DrawFn) -> pd.DataFrame:
    """Areas with ties of deprivation, some without posts or need; ICBs and PCNs that lie in them."""
    row = st.tuples(
        amount, amount, st.floats(0.1, 100), st.integers(0, 3), st.integers(0, 1), st.integers(0, 2)
    )
    rows = draw(st.lists(row, min_size=2, max_size=12))
    fte, need, people, imd, icb, pcn = np.array(rows, dtype=np.float64).T
    # Somebody has posts, and two areas with need differ in deprivation.
    fte[0], need[:2], imd[:2] = fte[0] + 1, need[:2] + 1, (0, 1)
    return pd.DataFrame(
        {
            "fte": np.where(need > 0, fte, 0.0),
            "need": need,
            "people": people,
            "imd": imd,
            "icb": [f"Q{n:.0f}" for n in icb],
            "pcn": [f"U{n:.0f}{m:.0f}" for n, m in zip(icb, pcn, strict=True)],
        },
        index=[f"A{n}" for n in range(len(rows))],
    )


def measured(areas: pd.DataFrame, **changed: object) -> InequalityMeasures:
    return inequality_measures(areas, **{**COLUMNS, "most_deprived": "highest", **changed})  # type: ignore[arg-type]


def values(areas: pd.DataFrame, **changed: object) -> pd.Series:
    return measured(areas, **changed).table.set_index("measure")["value"]


def test_the_example_runs():
    assert doctest.testmod(equity).failed == 0


# Answers from outside


@pytest.fixture(scope="module")
def made_up() -> pd.DataFrame:
    return pd.read_csv(R / "inequality_areas.csv", index_col="area")


def test_every_measure_and_limit_is_what_r_finds(made_up):
    answers = json.loads((R / "inequality.json").read_text())
    of_fours = answers.pop("fours")
    table = measured(made_up).table.set_index("measure")
    # fifteen digits are stored, and R's gradient of slope over mean is numerical
    close = {"rel": 1e-9}
    for measure in [*BY_DEPRIVATION, "kakwani_by_need", "gini", "hoover"]:
        answer = answers[measure]
        limits = answer if isinstance(answer, dict) else {"value": answer}
        assert {name: table.at[measure, name] for name in limits} == {
            name: pytest.approx(value, **close) for name, value in limits.items()
        }
    assert table["low_95"].notna().sum() == sum(isinstance(answer, dict) for answer in answers.values())
    fours = measured(made_up.assign(four=np.arange(60) // 4), cluster="four").table.set_index("measure")
    for measure, answer in of_fours.items():
        assert fours.loc[measure, list(answer)].to_dict() == pytest.approx(answer, **close)
    assert (
        fours.at["slope_index", "interval"] == "straight line through the areas, errors of 15 fours (CR3), t"
    )


def test_concentration_of_the_who_package():
    # healthequal 1.0.0 (WHO), tests of rci and aci: people are R's round(rnorm(5, 100, 40)) of seed 123. Its
    # answers have the precision of four bytes.
    single = {"rel": 2e-7}
    people, level = np.array([78.0, 91, 162, 103, 105]), np.arange(20.0, 61, 10)
    rank = inequality.ridit(people, inequality.order(np.arange(5.0)))
    found = inequality.concentration(level, rank, people)
    assert found == pytest.approx(0.17776859, **single)
    assert found * inequality.mean(level, people) == pytest.approx(7.3284202, **single)


def test_gini_of_the_r_package_ineq():
    # ineq (R), its examples with stored answers: mean incomes of ten classes, USA 1968, and two incomes
    classes = np.array([541.0, 1463, 2445, 3438, 4437, 5401, 6392, 8304, 11904, 22261])
    found = inequality.gini(classes, np.ones(10), inequality.order(classes))
    assert found == pytest.approx(0.462091130267624, rel=1e-14)
    two = np.repeat([2.0, 18.0], 5)
    # with its correction n / (n - 1) the package prints 4 / 9
    assert inequality.gini(two, np.ones(10), inequality.order(two)) * 10 / 9 == pytest.approx(
        4 / 9, rel=1e-14
    )


MEXICO = """
10384 27782 2 22361 29855 1 9573 26103 2 3758 36163 5 2934 8684 5 8578 30735 1 8537 28460 1 6909 21358 3
17816 54349 4 12132 17379 2 4359 15585 3 2181 11820 5 4414 12348 3 5309 21610 3 3408 16322 4 3327 11838 3
6936 18170 3 4836 11478 2 9073 38672 1 1892 9010 5 3569 15685 3 11016 26149 3 21965 33442 5 4372 15866 2
4840 15242 2 6399 24068 1 2459 13360 5 7508 23546 1 3605 11701 3 5203 12191 3 7990 17509 5 3734 11130 2
"""  # gross product per head of 32 states in 1940 and 2000, and the region of each (Hanson 1998)


def test_theil_of_mexican_states_is_split_as_by_pysal():
    # inequality 1.1 of PySAL, tests of Theil, TheilD and Gini on the Mexican states, printed digits
    states = pd.DataFrame(np.array(MEXICO.split(), dtype=np.float64).reshape(32, 3))
    states = states.set_axis(["y1940", "y2000", "region"], axis=1).assign(one=1.0, rank=range(32))
    found = measured(states, resource=["y1940", "y2000"], need="one", population="one", deprivation="rank")
    value = found.table.set_index(["resource", "measure"])["value"]
    parts = found.split(["region"]).set_index(["resource", "level"])["theil"]
    for year, whole, between in (("y1940", 0.20894344, 0.0345889), ("y2000", 0.10660832, 0.03635872)):
        assert value[year, "theil"] == pytest.approx(whole, abs=5e-9)
        assert parts[year, "between region"] == pytest.approx(between, abs=5e-8)
        assert parts[year, "within region"] == pytest.approx(whole - between, abs=6e-8)
    assert value["y1940", "gini"] == pytest.approx(0.35372371173452849, rel=1e-14)


def test_a_case_by_hand():
    # Most deprived first: posts 4, 3, 3 for shares of need .5, .3, .2, so .8, 1, 1.5 at ranks .25, .65 and .9
    areas = pd.DataFrame({"fte": [3.0, 4, 3], "need": [3.0, 5, 2], "people": [4.0, 4, 2], "imd": [2.0, 3, 1]})
    found = values(areas)
    covariance = 0.5 * 0.25 * 0.8 + 0.3 * 0.65 * 1 + 0.2 * 0.9 * 1.5 - 0.5
    variance = 0.5 * 0.25**2 + 0.3 * 0.65**2 + 0.2 * 0.9**2 - 0.25
    by_hand = {
        "slope_index": covariance / variance,
        "relative_index": covariance / variance,  # the mean is 1
        "concentration_index": 2 * covariance,
        # per person 1, .75, 1.5 at ranks .2, .6, .9; need 1.25, .75, 1
        "concentration_index_per_person": 2 * (0.4 * 0.2 + 0.3 * 0.6 + 0.3 * 0.9 - 0.5),
        "concentration_index_of_need": 2 * (0.5 * 0.2 + 0.3 * 0.6 + 0.2 * 0.9 - 0.5),
        "gini": 2 * covariance,  # the deprived have the least per need too
        "theil": 0.4 * np.log(0.8) + 0.3 * np.log(1.5),
        "hoover": 0.1,
        # by need per person .75, 1, 1.25: ranks .2, .5, .8 with people .4, .2, .4
        "kakwani_by_need": 2 * (0.3 * 0.2 + 0.3 * 0.5 + 0.4 * 0.8) - 2 * (0.3 * 0.2 + 0.2 * 0.5 + 0.5 * 0.8),
    }
    assert found[list(by_hand)].to_dict() == pytest.approx(by_hand, rel=1e-12)
    assert values(areas, per=100)["slope_index"] == pytest.approx(100 * by_hand["slope_index"], rel=1e-12)
    # C_3 = -3 cov(y, (1 - r)^2)
    square = 0.5 * 0.8 * 0.75**2 + 0.3 * 0.35**2 + 0.2 * 1.5 * 0.1**2
    mean_square = 0.5 * 0.75**2 + 0.3 * 0.35**2 + 0.2 * 0.1**2
    assert found["extended_concentration_index"] == pytest.approx(-3 * (square - mean_square), rel=1e-12)


def test_older_people_of_all_areas_of_england_by_deprivation(real_data):
    folder = real_data / "england-2023"
    residents = na.read_population(folder / "population20_lsoa11.csv.gz")
    areas = na.read_deprivation(folder / "imd2019_lsoa11.csv.gz")
    areas = areas.assign(older=residents.loc[:, 65:].sum(axis=1), residents=residents.sum(axis=1))
    found = inequality_measures(
        areas, resource="older", need="residents", population="residents", deprivation="imd_score",
        most_deprived="highest", per=100,
    )  # fmt: skip
    value = found.table.set_index("measure")["value"]
    # numpy's weighted fit and covariance, on ranks that pandas adds up; sums of 32,844 numbers.
    close = {"rel": 1e-8}
    places = areas.groupby("imd_score")["residents"].sum().sort_index(ascending=False)
    rank = areas["imd_score"].map((places.cumsum() - places / 2) / places.sum())
    share = areas["older"] / areas["residents"]
    slope = np.polyfit(rank, share, 1, w=np.sqrt(areas["residents"]))[0]
    both = np.cov(share, rank, aweights=areas["residents"], ddof=0)
    mean = areas["older"].sum() / areas["residents"].sum()
    assert value["slope_index"] == pytest.approx(100 * slope, **close)
    assert value["concentration_index"] == pytest.approx(2 * both[0, 1] / mean, **close)
    core20 = found.core20("deprivation_decile").iloc[0]
    most_deprived = areas[areas["deprivation_decile"] <= 2]
    assert core20["areas"] == len(most_deprived) == 6_568
    assert core20["resource_per_need"] == pytest.approx(
        100 * most_deprived["older"].sum() / most_deprived["residents"].sum(), **close
    )


# Laws


@given(worlds(), st.floats(0.01, 100), st.floats(0.01, 100))
def test_the_units_of_resource_and_need_do_not_matter(areas, k, m):
    found = values(areas)
    scaled = values(areas.assign(fte=k * areas["fte"], need=m * areas["need"]))
    scaled["slope_index"] *= m / k
    np.testing.assert_allclose(scaled, found, rtol=1e-9, atol=1e-11)


@given(worlds())
def test_ranking_the_other_way_turns_the_signs(areas):
    found, turned = values(areas), values(areas, most_deprived="lowest")
    odd = [measure for measure in BY_DEPRIVATION if not measure.startswith("extended")]
    np.testing.assert_allclose(turned[odd], -found[odd], **EXACT)
    np.testing.assert_allclose(turned[AGAINST_NEED], found[AGAINST_NEED], **EXACT)


@given(worlds(), st.randoms())
def test_the_order_of_rows_does_not_matter_nor_does_the_scale_of_deprivation(areas, random):
    rows = list(areas.index)
    random.shuffle(rows)
    again = areas.loc[rows].assign(imd=lambda frame: np.exp(frame["imd"]))
    np.testing.assert_allclose(values(again), values(areas), **EXACT)


@given(worlds(), st.data())
def test_an_area_in_equal_parts_changes_nothing(areas, data):
    area = data.draw(st.sampled_from(list(areas.index)))
    parts = data.draw(st.integers(2, 3))
    part = areas.loc[[area] * parts].set_axis([f"{area}.{n}" for n in range(parts)])
    part[["fte", "need", "people"]] /= parts
    divided = pd.concat([part, areas.drop(index=area)])
    np.testing.assert_allclose(values(divided), values(areas), **EXACT)
    levels = ["icb", "pcn"]
    np.testing.assert_allclose(
        measured(divided).split(levels)["theil"], measured(areas).split(levels)["theil"], **EXACT
    )


@given(worlds(), st.floats(0.01, 10))
def test_the_same_per_need_everywhere_is_no_inequality(areas, level):
    found = values(areas.assign(fte=level * areas["need"]))
    zero = found.drop(["concentration_index_per_person", "concentration_index_of_need"])
    np.testing.assert_allclose(zero, 0, atol=1e-9)  # theil of shares that differ in the last place


@given(worlds())
def test_concentration_is_the_area_of_its_curve(areas):
    """For grouped data C = sum of p_t L_{t+1} - p_{t+1} L_t (World Bank, technical note 7)."""
    by_place = areas.groupby("imd")[["fte", "need", "people"]].sum().sort_index(ascending=False)
    curve = (by_place / by_place.sum()).cumsum()

    def area_of(resource: str, weight: str) -> float:
        points = [(0.0, 0.0), *zip(curve[weight], curve[resource], strict=True)]
        return sum(p * after - q * before for (p, before), (q, after) in pairwise(points))

    found = values(areas)
    assert found["concentration_index"] == pytest.approx(area_of("fte", "need"), abs=1e-12)
    per_person, of_need = area_of("fte", "people"), area_of("need", "people")
    assert found["concentration_index_per_person"] == pytest.approx(per_person, abs=1e-12)
    assert found["concentration_index_of_need"] == pytest.approx(of_need, abs=1e-12)
    assert found["horizontal_inequity"] == pytest.approx(per_person - of_need, abs=1e-12)
    assert values(areas, aversion=2)["extended_concentration_index"] == pytest.approx(
        found["concentration_index"], abs=1e-12
    )


@given(worlds())
def test_a_lorenz_curve_rises_ever_faster_and_gini_is_twice_the_area_above_it(areas):
    curve = measured(areas).lorenz()
    need, resource = curve["share_of_need"].to_numpy(), curve["share_of_resource"].to_numpy()
    assert (need[0], resource[0]) == (0, 0)
    np.testing.assert_allclose((need[-1], resource[-1]), 1, rtol=1e-12)
    assert (np.diff(need) >= 0).all()
    assert (np.diff(resource) >= 0).all()
    # Convex, and so below the diagonal: each step turns left, but for rounding.
    steps = np.stack([np.diff(need), np.diff(resource)], axis=1)
    assert (steps[:-1, 0] * steps[1:, 1] - steps[1:, 0] * steps[:-1, 1] >= -1e-15).all()
    assert values(areas)["gini"] == pytest.approx(1 - 2 * integrate.trapezoid(resource, need), abs=1e-12)


@given(worlds(), st.floats(0.01, 1))
def test_moving_resource_to_where_there_is_less_of_it_lessens_inequality(areas, part):
    level = areas["fte"] / areas["need"].where(areas["need"] > 0)
    least, most = level.idxmin(), level.idxmax()
    # All of this would make the two equal.
    x, n = areas["fte"], areas["need"]
    evens = (x[most] * n[least] - x[least] * n[most]) / (n[most] + n[least])
    moved = areas.copy()
    moved.loc[[least, most], "fte"] += np.array([1, -1]) * part * evens
    before, after = values(areas)[AGAINST_NEED[1:]], values(moved)[AGAINST_NEED[1:]]
    assert (after <= before + 1e-12).all()
    if level[most] > level[least] + 0.01:
        assert (after[["gini", "theil"]] < before[["gini", "theil"]]).all()


@given(worlds())
def test_parts_of_theil_sum_to_it_and_are_those_of_the_groups(areas):
    found = measured(areas)
    parts = found.split(["icb", "pcn"]).set_index("level")["theil"]
    assert parts.index.tolist() == ["between icb", "between pcn within icb", "within pcn"]
    assert parts.sum() == pytest.approx(values(areas)["theil"], abs=1e-12)
    assert (parts >= -1e-12).all()
    of_pcns = found.within("pcn").set_index("group")
    assert parts["within pcn"] == pytest.approx(
        (of_pcns["amount"] / of_pcns["amount"].sum() * of_pcns["theil"]).sum(), abs=1e-12
    )
    share = areas[["icb", "fte", "need"]].groupby("icb").sum().pipe(lambda sums: sums / sums.sum())
    share = share[share["fte"] > 0]
    between = (share["fte"] * np.log(share["fte"] / share["need"])).sum()
    assert parts["between icb"] == pytest.approx(between, abs=1e-12)


@given(worlds())
def test_what_would_have_to_move_is_what_areas_have_too_much(areas):
    def surplus(these: pd.DataFrame) -> float:
        fair = these["need"] / these["need"].sum() * these["fte"].sum()
        return (these["fte"] - fair).clip(lower=0).sum()

    assert values(areas)["hoover"] * areas["fte"].sum() == pytest.approx(surplus(areas), abs=1e-9)
    of_icbs = measured(areas).within("icb").set_index("group")
    for icb, these in areas.groupby("icb"):
        expected = surplus(these) if these["fte"].sum() > 0 else np.nan
        assert of_icbs.at[icb, "to_move"] == pytest.approx(expected, abs=1e-9, nan_ok=True)
        assert of_icbs.at[icb, "areas"] == (these["need"] > 0).sum()


# Drawing areas anew


def repeated(areas: pd.DataFrame, units: pd.Series, draws: int, seed: int) -> list[pd.DataFrame]:
    """Areas as often as their unit was drawn."""
    names = sorted(units.unique())
    times = np.random.default_rng(seed).multinomial(len(names), [1 / len(names)] * len(names), size=draws)
    return [
        areas.loc[areas.index.repeat(units.map(dict(zip(names, row, strict=True))))].reset_index(drop=True)
        for row in times
    ]


@pytest.mark.parametrize("of", [None, "pcn"])
def test_a_bootstrap_is_of_areas_repeated_as_often_as_they_are_drawn(made_up, of):
    areas = made_up.assign(pcn=np.arange(60) // 3)
    found = measured(areas, per=10_000).bootstrap(of=of, draws=100, seed=5).table.set_index("measure")
    units = pd.Series(range(60), areas.index) if of is None else areas["pcn"]
    drawn = pd.DataFrame([values(these, per=10_000) for these in repeated(areas, units, 100, 5)])
    expected = drawn.quantile([0.025, 0.975]).T.loc[found.index]
    np.testing.assert_allclose(found[["low_95", "high_95"]], expected, rtol=1e-9)
    assert found[["low_99_8", "high_99_8"]].isna().all(axis=None)
    unit = of or "areas"
    assert (found["interval"].str.endswith(f"(100 draws), for a superpopulation of {unit}")).all()
    np.testing.assert_array_equal(found["value"], values(areas, per=10_000)[found.index])


def test_limits_of_998_need_ten_thousand_draws(made_up):
    areas = made_up.head(12)
    short, long = (measured(areas).bootstrap(draws=draws).table for draws in (9_999, 10_000))
    assert short["low_99_8"].isna().all()
    assert (long["low_99_8"] < long["low_95"]).all()
    assert (long["high_99_8"] > long["high_95"]).all()


def test_blocks_of_draws_are_one_set_of_draws(made_up, monkeypatch):
    whole = measured(made_up)
    expected = whole.bootstrap(draws=100).table, whole.no_association_band(draws=100)
    monkeypatch.setattr("needsalloc.against._NUMBERS", 60 * 7)
    again = whole.bootstrap(draws=100).table, whole.no_association_band(draws=100)
    for one, other in zip(expected, again, strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_the_no_association_band_is_of_areas_in_any_other_order(made_up):
    found = measured(made_up).no_association_band(draws=100, seed=3).set_index("measure")
    assert found.index.tolist() == BY_DEPRIVATION
    rows = np.random.default_rng(3).permuted(np.tile(np.arange(60), (100, 1)), axis=1)
    # The area that stands at a place takes the deprivation of that place.
    ranked = made_up["imd"].sort_values(ascending=False).to_numpy()
    drawn = pd.DataFrame([values(made_up.iloc[row].assign(imd=ranked)) for row in rows])
    expected = drawn[BY_DEPRIVATION].quantile([0.025, 0.975]).T
    np.testing.assert_allclose(found[["no_association_low", "no_association_high"]], expected, rtol=1e-9)
    outside = ~found["value"].between(found["no_association_low"], found["no_association_high"])
    assert outside["slope_index"]  # R's interval leaves 0 out as well
    assert (
        found.loc["slope_index", "no_association_low"] < 0 < found.loc["slope_index", "no_association_high"]
    )


# Groups, words and pictures


def test_groups_are_what_pandas_sums(made_up):
    areas = made_up.assign(decile=np.arange(60) % 10 + 1)
    found = measured(areas, per=1_000).by("icb").set_index("group")
    sums = areas.groupby("icb")[["fte", "need", "people"]].sum()
    np.testing.assert_allclose(found["resource_per_need"], sums["fte"] / sums["need"] * 1_000, rtol=1e-12)
    np.testing.assert_allclose(
        found["share_of_population"], sums["people"] / sums["people"].sum(), rtol=1e-12
    )
    np.testing.assert_allclose(
        found["relative_to_all"], found["share_of_resource"] / found["share_of_need"], rtol=1e-12
    )
    assert found["too_few_areas"].to_dict() == {"East": True, "North": False, "South": False}
    fifths = measured(areas).by_fifth("decile").set_index("group")
    core20 = measured(areas).core20("decile").iloc[0]
    of_core20 = areas["decile"] <= 2
    assert fifths.index.tolist() == [1, 2, 3, 4, 5]
    assert core20["share_of_resource"] == pytest.approx(
        areas.loc[of_core20, "fte"].sum() / areas["fte"].sum()
    )
    assert core20["relative_to_all"] == fifths.at[1, "relative_to_all"]
    assert measured(areas.assign(decile=9)).core20("decile").empty


def test_each_resource_is_measured_against_each_need(made_up):
    areas = made_up.assign(target=made_up["need"] / 500, crude=made_up["people"] * 1.0)
    found = measured(areas, resource=["fte", "target"], need=["need", "crude"])
    assert len(found.table) == 4 * len(BY_DEPRIVATION + AGAINST_NEED)
    alone = measured(areas, resource="target", need="crude").table
    both = found.table.query("resource == 'target' and need == 'crude'").reset_index(drop=True)
    pd.testing.assert_frame_equal(both, alone)
    zero = found.table.query("resource == 'target' and need == 'need' and measure == 'hoover'")
    assert zero["value"].item() == pytest.approx(0, abs=1e-12)
    assert len(found.lorenz()) == 4 * 61
    assert "; and 3 more>" in repr(found)


def test_every_figure_says_what_it_is(made_up):
    found = measured(made_up, per=10_000)
    table = found.table.set_index("measure")
    assert table.loc["slope_index", ["ranking", "weights", "unit", "areas"]].tolist() == [
        "imd, from the most deprived (highest)", "need", "fte per 10,000 need, from rank 0 to 1", 60,
    ]  # fmt: skip
    assert table.at["horizontal_inequity", "weights"] == "people"
    assert table.at["kakwani_by_need", "ranking"] == "need per people, from the lowest"
    assert re.fullmatch(
        r"<InequalityMeasures of fte against need in 60 areas: from the most to the least deprived \+81.6% "
        r"of the mean \(\+49.9% to \+113.3%\), 15.4% would have to move>",
        repr(found),
    )
    assert "60 areas" in found._repr_html_()
    off = measured(made_up, intervals="off")
    assert off.table["low_95"].isna().all()
    assert "(" not in repr(off)


def test_too_few_areas_are_flagged_and_have_no_errors(made_up):
    few = made_up.head(9)
    assert measured(few).table["too_few_areas"].all()
    assert "too few areas to say" in repr(measured(few))
    assert not measured(made_up.head(10)).table["too_few_areas"].any()
    # Sixty areas that nine teams serve tell of nine.
    teams = made_up.assign(team=np.arange(60) % 9)
    assert measured(teams, cluster="team").table["too_few_areas"].all()
    two = measured(made_up.iloc[:2]).table.set_index("measure")
    assert np.isfinite(two["value"]).all()
    assert two["low_95"].isna().all()
    # One area alone decides the line: nothing is left to judge the error by.
    alone = made_up.head(5).assign(imd=[1, 1, 1, 1, 9])
    assert measured(alone).table["low_95"].isna().all()


def test_pictures_show_the_figures(made_up):
    pytest.importorskip("matplotlib").use("Agg")
    found = measured(made_up.assign(target=made_up["need"]), resource=["fte", "target"])
    lorenz = found.plot("lorenz")
    curve = lorenz.get_lines()[1].get_xydata()
    np.testing.assert_array_equal(
        curve, found.lorenz().query("resource == 'fte'")[["share_of_need", "share_of_resource"]]
    )
    assert [text.get_text() for text in lorenz.get_legend().get_texts()] == [
        "in proportion to need", "fte", "target",
    ]  # fmt: skip
    gradient = found.plot("gradient", by="icb")
    tops = [bar.get_y() + bar.get_height() for bar in gradient.patches]
    np.testing.assert_allclose(tops, found.by("icb")["relative_to_all"])
    assert [label.get_text() for label in gradient.get_xticklabels()] == ["East", "North", "South"]


# What cannot be measured


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("fte", -1.0, "1 of 60 areas have a fte that is missing or negative: A03"),
        ("need", np.nan, "1 of 60 areas have a need that is missing or negative: A03"),
        ("imd", np.inf, "have a imd that is missing"),
        ("need", 0.0, "1 areas have fte but no need: A03"),
        ("people", 0, "1 areas have need but no people: A03"),
    ],
)
def test_values_that_cannot_be_are_refused(made_up, column, value, message):
    areas = made_up.astype({"imd": "float64", "people": "float64"})
    areas.loc["A03", column] = value
    with pytest.raises(errors.InvalidValueError, match=message):
        measured(areas)


def test_what_else_cannot_be_measured_is_refused(made_up):
    with pytest.raises(errors.MissingColumnError, match="no columns wte"):
        measured(made_up, resource="wte")
    with pytest.raises(errors.InvalidValueError, match="1 areas stand twice in the areas: A01"):
        measured(pd.concat([made_up, made_up.head(1)]))
    with pytest.raises(errors.InvalidValueError, match="The areas have no fte at all"):
        measured(made_up.assign(fte=0))
    with pytest.raises(errors.InvalidValueError, match="All areas with need have the same imd"):
        measured(made_up.assign(imd=1))
    only_a01 = made_up.assign(fte=[1, *[0] * 59], need=[1, *[0] * 59])
    with pytest.raises(errors.InvalidValueError, match="All areas with need have the same imd"):
        measured(only_a01)
    with pytest.raises(errors.InvalidValueError, match="some values are no numbers"):
        measured(made_up.assign(fte="many"))
    with pytest.raises(errors.InvalidValueError, match="not of a Series"):
        measured(made_up["fte"])  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidValueError, match="at least one column"):
        measured(made_up, need=[])
    with pytest.raises(errors.UnknownCodeError, match="not 'first'"):
        measured(made_up, most_deprived="first")
    with pytest.raises(errors.UnknownCodeError, match="not 'bayes'"):
        measured(made_up, intervals="bayes")
    with pytest.raises(errors.InvalidValueError, match="aversion above 1"):
        measured(made_up, aversion=1)
    found = measured(made_up.assign(pcn=["a", "b"] * 30, gap=[None, *"a" * 59], decile=11))
    with pytest.raises(errors.MissingColumnError, match="no column 'place'"):
        found.by("place")
    with pytest.raises(errors.InvalidValueError, match="1 areas have no gap: A01"):
        found.within("gap")
    with pytest.raises(errors.InvalidValueError, match="no deprivation decile from 1 to 10"):
        found.core20("decile")
    with pytest.raises(errors.InvalidValueError, match="2 of pcn lie in more than one of icb: a, b"):
        found.split(["icb", "pcn"])
    with pytest.raises(errors.InvalidValueError, match="widest groups first"):
        found.split("icb")
    for drawing in (found.bootstrap, found.no_association_band):
        with pytest.raises(errors.InvalidValueError, match="99 draws are too few"):
            drawing(draws=99)
    with pytest.raises(errors.UnknownCodeError, match="no picture 'pie'"):
        found.plot("pie")  # type: ignore[arg-type]
    with pytest.raises(errors.UnknownCodeError, match="No need is called 'fte'"):
        found.plot(need="fte")
    with pytest.raises(errors.InvalidValueError, match="by groups of areas"):
        found.plot("gradient")
