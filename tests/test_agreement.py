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
from needsalloc.agreement import agreement

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
        assert change[both.index.get_loc(row["moved_most"])] == change.max()
        if (both == both.iloc[0]).all().any():
            assert np.isnan([row["pearson"], row["spearman"]]).all()
        else:
            assert row["pearson"] == pytest.approx(stats.pearsonr(both[first], both[second])[0], abs=1e-12)
            assert row["spearman"] == pytest.approx(stats.spearmanr(both[first], both[second])[0], abs=1e-12)


@given(some_measures, arrays.arrays(np.int64, 12, elements=st.integers(0, 4)))
def test_a_weight_counts_as_rows_repeated(values, weight):
    measures = framed(values)
    weighted = agreement(measures, pd.Series(weight, index=measures.index)[::-1])
    repeated = framed(np.repeat(values, weight, axis=0))
    columns = ["pearson", "spearman"]
    np.testing.assert_allclose(weighted[columns], agreement(repeated)[columns], atol=1e-12)
    # Ranks are those of teams, whoever lives there.
    pd.testing.assert_frame_equal(weighted.drop(columns=columns), agreement(measures).drop(columns=columns))


def test_what_cannot_be_compared_is_refused():
    measures = framed(np.arange(12).reshape(4, 3))
    with pytest.raises(errors.InvalidValueError, match="There is 1 measure"):
        agreement(measures[["a"]])
    with pytest.raises(errors.InvalidValueError, match="1 rows are there twice: P0"):
        agreement(measures.rename(index={"P3": "P0"}))
    with pytest.raises(errors.InvalidValueError, match="1 measures are there twice: a"):
        agreement(measures.rename(columns={"c": "a"}))
    with pytest.raises(errors.UnknownCodeError, match="2 of 4 rows have no weight: P2, P3"):
        agreement(measures, pd.Series(1.0, index=["P0", "P1"]))
    with pytest.raises(errors.InvalidValueError, match="2 weights are negative or missing: P1, P3"):
        agreement(measures, pd.Series([1, -1, 0, np.nan], index=measures.index))
