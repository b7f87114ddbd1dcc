"""Measures by fifth of deprivation, against plain sums and a spreadsheet's arithmetic."""

import doctest
import importlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from needsalloc import errors
from needsalloc.fifths import fifths_of_people, gradient_by_fifth

ROWS = [f"E{n:02d}" for n in range(20)]
some_rows = st.lists(
    st.tuples(st.floats(0.1, 3), st.floats(0, 500), st.integers(1, 5)), min_size=20, max_size=20
)


def test_the_examples_run():
    assert doctest.testmod(importlib.import_module("needsalloc.fifths")).failed == 0


@given(some_rows)
def test_fifths_weigh_up_to_everybody_s_mean(rows):
    index, people, fifth = (pd.Series(values, ROWS) for values in zip(*rows, strict=True))
    found = gradient_by_fifth(pd.DataFrame({"need": index}), people, fifth).loc["need"]
    in_fifth = people.groupby(fifth).sum().reindex(range(1, 6), fill_value=0.0)
    means = found[[f"fifth_{n}" for n in range(1, 6)]].fillna(0.0).to_numpy()
    # Every person counts in one fifth.
    assert means @ in_fifth.to_numpy() == pytest.approx((index * people).sum(), rel=1e-9, abs=1e-9)
    twice = gradient_by_fifth(pd.DataFrame({"need": index}), people * 2, fifth).loc["need"]
    np.testing.assert_allclose(twice.astype(float), found.astype(float), rtol=1e-9)


def test_by_hand_with_gaps_and_people_of_their_own():
    rows = ["a", "b", "c", "d"]
    measures = pd.DataFrame({"x": [1.5, 1.0, np.nan, 0.5], "y": [2.0, 2.0, 2.0, 1.0]}, rows)
    people = pd.DataFrame({"x": [10.0, 30, 5, 1], "y": [0.0, 1, 1, 1]}, rows)
    found = gradient_by_fifth(measures, people, pd.Series([1, 1, 5, 5], rows))
    assert found.loc["x", "fifth_1"] == pytest.approx((15 + 30) / 40)
    assert found.loc["x", "fifth_5"] == 0.5
    assert found.loc["y", "most_over_least"] == pytest.approx(2 / 1.5)
    assert np.isnan(found.loc["x", "fifth_3"])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 300)), min_size=20, max_size=20))
def test_fifths_hold_as_many_people(rows):
    score, people = (pd.Series(values, ROWS, dtype=float) for values in zip(*rows, strict=True))
    fifth = fifths_of_people(score, people)
    assert fifth.isna().equals(people == 0)
    if people.any():
        cut = people.groupby(fifth).sum().reindex(range(1, 6), fill_value=0.0)
        # The cut falls inside one row, so that a fifth is off by less than the row at either end.
        assert (np.abs(cut.cumsum() - people.sum() * np.arange(1, 6) / 5) <= people.max() / 2 + 1e-9).all()
        known = pd.DataFrame({"score": score, "fifth": fifth}).dropna()
        assert (known.groupby("fifth")["score"].min().diff().dropna() <= 0).all()
    pd.testing.assert_series_equal(fifths_of_people(score[::-1], people), fifth[::-1])


def test_what_has_no_fifth_is_refused():
    measures, people = pd.DataFrame({"x": [1.0, 2.0]}, ["a", "b"]), pd.Series([1, 1], ["a", "b"])
    with pytest.raises(errors.UnknownCodeError, match="1 of 2 rows have no fifth: b"):
        gradient_by_fifth(measures, people, pd.Series([1], ["a"]))
    with pytest.raises(errors.UnknownCodeError, match="1 of 2 rows have no people: b"):
        gradient_by_fifth(measures, people[:1], pd.Series([1, 2], ["a", "b"]))
    with pytest.raises(errors.InvalidValueError, match="not 1 to 5: a, b"):
        gradient_by_fifth(measures, people, pd.Series([0, 10], ["a", "b"]))
    with pytest.raises(errors.UnknownCodeError, match="have no people: b"):
        fifths_of_people(measures["x"], people[:1])
