"""Measures side by side, against scipy, pandas and rows repeated as often as they weigh."""

import doctest
import importlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from needsalloc import errors
from needsalloc.agreement import agreement, goes_with

some_measures = arrays.arrays(np.int64, (12, 3), elements=st.integers(0, 6))


def framed(values: np.ndarray) -> pd.DataFrame:
    rows = [f"P{n}" for n in range(len(values))]
    return pd.DataFrame(values, index=rows, columns=list("abc"), dtype=np.float64)


def test_the_example_runs():
    # The package has the function under the module's name.
    assert doctest.testmod(importlib.import_module("needsalloc.agreement")).failed == 0


@given(some_measures, st.data())
def test_it_is_what_scipy_finds_on_the_rows_that_have_both(values, data):
    measures = framed(values)
    measures.iloc[data.draw(st.integers(0, 11)), data.draw(st.integers(0, 2))] = np.nan
    found = agreement(measures)
    assert found.index.tolist() == [("a", "b"), ("a", "c"), ("b", "c")]
    for (first, second), row in found.iterrows():
        both = measures[[first, second]].dropna()
        assert row["rows"] == len(both)
        change = np.abs(stats.rankdata(both[first]) - stats.rankdata(both[second]))
        assert row["largest_rank_change"] == change.max()
        assert row["usual_rank_change"] == np.median(change)
        assert row["moved_a_tenth"] == (change > len(both) / 10).sum()
        assert change[both.index.get_loc(row["moved_most"])] == change.max()
        if (both == both.iloc[0]).all().any():
            assert np.isnan([row["pearson"], row["spearman"], row["slope"]]).all()
        else:
            assert row["pearson"] == pytest.approx(stats.pearsonr(both[first], both[second])[0], abs=1e-12)
            assert row["spearman"] == pytest.approx(stats.spearmanr(both[first], both[second])[0], abs=1e-12)
            line, back = (stats.linregress(both[x], both[y]) for x, y in ((first, second), (second, first)))
            assert row["slope"] == pytest.approx(line.slope, abs=1e-12)
            assert row["slope_back"] == pytest.approx(back.slope, abs=1e-12)


@given(some_measures, arrays.arrays(np.int64, 12, elements=st.integers(0, 4)))
def test_a_weight_counts_as_rows_repeated(values, weight):
    measures = framed(values)
    weighted = agreement(measures, pd.Series(weight, index=measures.index)[::-1])
    repeated = framed(np.repeat(values, weight, axis=0))
    columns = ["pearson", "spearman", "slope", "slope_back"]
    np.testing.assert_allclose(weighted[columns], agreement(repeated)[columns], atol=1e-12)
    # Ranks are those of teams, whoever lives there.
    pd.testing.assert_frame_equal(
        weighted.drop(columns=[*columns, "method"]), agreement(measures).drop(columns=[*columns, "method"])
    )
    assert weighted["method"].str.endswith("weighted by people; ranks: every row alike").all()


def test_who_moves_is_counted_by_hand():
    """Ten places; the first and the last change places, P4 goes from 1.0 to 1.2 and from fourth to sixth."""
    rows = [f"P{n}" for n in range(10)]
    first = pd.Series([0.7, 0.8, 0.9, 1.0, 1.1, 1.15, 1.3, 1.4, 1.5, 1.6], rows)
    second = first.copy()
    second[["P0", "P9"]] = [1.6, 0.7]
    second["P3"] = 1.2
    found = agreement(pd.DataFrame({"first": first, "second": second})).loc[("first", "second")]
    assert found["differ_a_tenth"] == 3  # P0, P3, P9; 1.2 is 20 % above 1.0
    assert found["moved_a_tenth"] == 3  # 9, 9 and 2 places of ten; the others move 1 at most
    # In fifths of two: P0 and P9, P3 from the second to the third, and P4 back, from fifth to fourth place.
    assert found["changed_fifth"] == 4
    assert found["moved_most"] == "P0"
    scores = pd.DataFrame({"first": first - 1, "second": second})
    assert np.isnan(agreement(scores).iloc[0]["differ_a_tenth"])


def longley() -> pd.DataFrame:
    """Longley 1967: R datasets::longley, a fit that is hard for careless arithmetic."""
    columns = ["gnp_deflator", "gnp", "unemployed", "armed_forces", "population", "year", "employed"]
    rows = [
        [83.0, 234.289, 235.6, 159.0, 107.608, 1947, 60.323],
        [88.5, 259.426, 232.5, 145.6, 108.632, 1948, 61.122],
        [88.2, 258.054, 368.2, 161.6, 109.773, 1949, 60.171],
        [89.5, 284.599, 335.1, 165.0, 110.929, 1950, 61.187],
        [96.2, 328.975, 209.9, 309.9, 112.075, 1951, 63.221],
        [98.1, 346.999, 193.2, 359.4, 113.270, 1952, 63.639],
        [99.0, 365.385, 187.0, 354.7, 115.094, 1953, 64.989],
        [100.0, 363.112, 357.8, 335.0, 116.219, 1954, 63.761],
        [101.2, 397.469, 290.4, 304.8, 117.388, 1955, 66.019],
        [104.6, 419.180, 282.2, 285.7, 118.734, 1956, 67.857],
        [108.4, 442.769, 293.6, 279.8, 120.445, 1957, 68.169],
        [110.8, 444.546, 468.1, 263.7, 121.950, 1958, 66.513],
        [112.6, 482.704, 381.3, 255.2, 123.366, 1959, 68.655],
        [114.2, 502.601, 393.1, 251.4, 125.368, 1960, 69.564],
        [115.7, 518.173, 480.6, 257.2, 127.852, 1961, 69.331],
        [116.9, 554.894, 400.7, 282.7, 130.081, 1962, 70.551],
    ]
    return pd.DataFrame(rows, columns=columns, index=[f"Y{row[5]}" for row in rows])


def test_what_a_measure_goes_with_is_the_certified_regression():
    """NIST (StRD, Longley) certifies them to 15 digits; traits as collinear as these lose some on the way."""
    data = longley()
    found = goes_with(data[["employed"]], data.drop(columns="employed")).loc["employed"]
    certified = [
        0.0150618722713733, -0.0358191792925910, -0.0202022980381683, -0.0103322686717359,
        -0.0511041056535807, 1.82915146461355,
    ]  # fmt: skip
    np.testing.assert_allclose(found["slope"], certified, rtol=1e-6)
    assert found["explained"].iloc[0] == pytest.approx(0.995479004577296, rel=1e-9)
    assert (found["rows"] == 16).all()


@given(arrays.arrays(np.float64, (12, 3), elements=st.floats(-3, 3)), st.data())
def test_the_fit_by_rows_repeated_and_by_units_of_the_trait(values, data):
    weight = np.array(data.draw(st.lists(st.integers(1, 4), min_size=12, max_size=12)))
    frame = framed(values) + framed(np.random.default_rng(0).normal(size=(12, 3)))
    traits, measure = frame[["b", "c"]], frame[["a"]]
    weighted = goes_with(measure, traits, pd.Series(weight, index=frame.index))
    repeated = frame.loc[np.repeat(frame.index, weight)].reset_index(drop=True)
    plain = np.linalg.lstsq(
        np.column_stack([np.ones(weight.sum()), repeated[["b", "c"]]]), repeated["a"].to_numpy(), rcond=None
    )[0]
    np.testing.assert_allclose(weighted["slope"], plain[1:], rtol=1e-6, atol=1e-9)
    # In standard deviations neither unit matters.
    scaled = goes_with(measure * 7, traits * [3.0, 0.1])
    np.testing.assert_allclose(scaled["standardised"], goes_with(measure, traits)["standardised"], rtol=1e-8)


def test_traits_that_cannot_be_told_apart_are_refused():
    frame = framed(np.random.default_rng(3).normal(size=(8, 3)))
    with pytest.raises(errors.InvalidValueError, match="cannot be told apart"):
        goes_with(frame[["a"]], frame[["b"]].assign(twice=2 * frame["b"] + 1))
    with pytest.raises(errors.InvalidValueError, match="one does not vary"):
        goes_with(frame[["a"]], frame[["b"]] * 0)
    with pytest.raises(errors.InvalidValueError, match="too few to fit"):
        goes_with(frame[["a"]].iloc[:2], frame[["b"]])


def test_what_cannot_be_compared_is_refused():
    measures = framed(np.arange(12).reshape(4, 3))
    with pytest.raises(errors.InvalidValueError, match="There is 1 measure"):
        agreement(measures[["a"]])
    with pytest.raises(errors.InvalidValueError, match="1 rows are there twice: P0"):
        agreement(measures.rename(index={"P3": "P0"}))
    with pytest.raises(errors.InvalidValueError, match="1 columns are there twice: a"):
        agreement(measures.rename(columns={"c": "a"}))
    with pytest.raises(errors.UnknownCodeError, match="2 of 4 rows have no weight: P2, P3"):
        agreement(measures, pd.Series(1.0, index=["P0", "P1"]))
    with pytest.raises(errors.InvalidValueError, match="2 weights are negative or missing: P1, P3"):
        agreement(measures, pd.Series([1, -1, 0, np.nan], index=measures.index))
