"""Persons become cells: nothing lost, nothing filled, nothing let out."""

import copy
import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from scipy.special import gammaln

from needsalloc.collapse import Cells, collapse
from needsalloc.errors import InputFileError, InvalidValueError, MissingColumnError, OutputError
from small_worlds import law

KEY = ["age", "female", "place"]


def persons(people: int = 3_000, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 24, people) + 0.5,
            "female": rng.random(people) < 0.5,
            "place": rng.choice(["home", "care home", "élsewhere"], people),
            "contacts": rng.poisson(3.0, people) * (rng.random(people) < 0.4),
            "weight": rng.integers(1, 4, people),
            "team": rng.choice(["U1", "U2"], people),
        }
    )


def by_hand(rows: pd.DataFrame, key: list[str], weight: pd.Series) -> pd.DataFrame:
    """The sums of each cell in plain pandas."""
    y = rows["contacts"]
    sums = pd.DataFrame(
        {
            "zeros": weight * (y == 0),
            "positives": weight * (y > 0),
            "total": weight * y,
            "total_squares": weight * y**2,
            "log_factorials": weight * gammaln(y + 1),
        }
    )
    return sums.groupby([rows[name] for name in key]).sum()


@pytest.mark.parametrize("weight", [None, "weight"])
def test_cells_are_the_sums_of_their_persons(weight: str | None) -> None:
    rows = persons()
    cells = collapse(rows, KEY, count="contacts", weight=weight)
    expected = by_hand(rows, KEY, rows[weight] if weight else pd.Series(1, rows.index))
    assert list(map(tuple, cells.keys.astype({"female": bool}).to_numpy(object))) == list(expected.index)
    for name in ("zeros", "positives", "total", "total_squares"):
        assert getattr(cells, name).tolist() == expected[name].tolist()
    # Summed in another order, and by a series instead of a special function.
    assert cells.log_factorials == pytest.approx(expected["log_factorials"].to_numpy(), rel=1e-13)
    people = rows[weight].sum() if weight else len(rows)
    assert cells.people.sum() == cells.histogram["people"].sum() == people
    assert (cells.rows, cells.fractional) == (len(rows), 0)


def test_log_factorials_are_those_of_any_count() -> None:
    y = np.concatenate([np.arange(400), 10.0 ** np.arange(3, 9), [0.3, 1.5, 2.25]])
    rows = pd.DataFrame({"person": np.arange(len(y)), "minutes": y})
    with pytest.warns(UserWarning, match="409 people in 409 cells"):
        cells = collapse(rows, ["person"], count="minutes")
    assert cells.log_factorials == pytest.approx(gammaln(y + 1), rel=1e-14, abs=1e-14)
    assert (cells.fractional, cells.histogram) == (3, None)


def test_kept_counts_are_the_histogram_of_each_cell() -> None:
    rows = persons()
    plain = collapse(rows, KEY, count="contacts", weight="weight")
    kept = collapse(rows, KEY, count="contacts", weight="weight", keep_counts=True)
    same_cells(kept, plain)
    expected = rows.groupby([*KEY, "contacts"])["weight"].sum()
    assert kept.counts["people"].tolist() == expected.tolist()
    assert kept.counts["y"].tolist() == expected.index.get_level_values("contacts").tolist()
    assert np.bincount(kept.counts["cell"], kept.counts["people"]).tolist() == plain.people.tolist()
    pd.testing.assert_frame_equal(
        kept.counts.groupby("y", as_index=False)["people"].sum(), kept.histogram, check_dtype=False
    )


def same_cells(found: Cells, expected: Cells) -> None:
    """AssertionError unless keys and whole sums are the same to the last digit."""
    pd.testing.assert_frame_equal(found.keys, expected.keys)
    for name in ("zeros", "positives", "total", "total_squares"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    # The order of summing is the engine's.
    np.testing.assert_allclose(found.log_factorials, expected.log_factorials, rtol=1e-13)
    assert found.rows == expected.rows


def test_exposure_and_cluster_join_the_key() -> None:
    rows = persons().assign(days=lambda d: np.where(d["age"] > 22, 100.0, 365.0))
    cells = collapse(rows, ["female"], count="contacts", exposure="days", cluster="team")
    assert list(cells.keys) == ["female"]
    assert cells.exposure.tolist() == [100.0, 100.0, 365.0, 365.0] * 2
    assert cells.cluster.tolist() == ["U1", "U2"] * 4
    both = collapse(rows, ["female", "team"], count="contacts", cluster="team")
    assert both.cluster.tolist() == both.keys["team"].tolist() == ["U1", "U2"] * 2


def test_a_band_stands_for_the_mean_of_its_people() -> None:
    rows = persons()
    cells = collapse(rows, ["age", "female"], count="contacts", weight="weight", bands={"age": [18, 20, 23]})
    band = np.digitize(rows["age"], [20, 23])
    mean = (rows["age"] * rows["weight"]).groupby(band).sum() / rows["weight"].groupby(band).sum()
    assert cells.keys["age"].unique() == pytest.approx(mean.to_numpy(), rel=1e-15)
    overall = np.average(rows["age"], weights=rows["weight"])
    assert np.average(cells.keys["age"], weights=cells.people) == pytest.approx(overall, rel=1e-14)
    with pytest.raises(InvalidValueError, match=r"age is below its first band \(20\) in \d+"):
        collapse(rows, ["age"], count="contacts", bands={"age": [20, 23]})


@law(
    st.lists(
        st.tuples(
            st.sampled_from([-0.0, 0.0, 1.5, -2.0]), st.booleans(), st.integers(0, 3), st.integers(1, 5)
        ),
        min_size=1,
        max_size=30,
    ),
    st.randoms(use_true_random=False),
)
def test_cells_follow_neither_order_nor_repetition(drawn: list[tuple], shuffle: object) -> None:
    rows = pd.DataFrame(drawn, columns=["score", "flag", "contacts", "weight"])
    order = list(range(len(rows)))
    shuffle.shuffle(order)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few people are poorly compressed
        cells = collapse(rows, ["score", "flag"], count="contacts", weight="weight")
        shuffled = collapse(rows.iloc[order], ["score", "flag"], count="contacts", weight="weight")
        repeated = rows.loc[rows.index.repeat(rows["weight"])]
        one_each = collapse(repeated, ["score", "flag"], count="contacts")
        kept = collapse(rows, ["score", "flag"], count="contacts", weight="weight", keep_counts=True)
    same_cells(shuffled, cells)
    same_cells(kept, cells)
    assert cells.people.sum() == rows["weight"].sum()
    for name in ("zeros", "positives", "total", "total_squares"):
        assert getattr(one_each, name).tolist() == getattr(cells, name).tolist()
    pd.testing.assert_frame_equal(one_each.keys, cells.keys)
    assert not cells.keys.duplicated().any()


def test_no_predictor_makes_one_cell() -> None:
    cells = collapse(persons(), [], count="contacts")
    assert (len(cells), cells.keys.shape, cells.people.tolist()) == (1, (1, 0), [3_000])


def test_poor_compression_is_said_and_its_cause_named() -> None:
    rows = persons(100).assign(person=range(100))
    with pytest.warns(UserWarning, match=r"100 cells .* 100 alone in theirs.*person \(100\)"):
        cells = collapse(rows, ["female", "person"], count="contacts")
    assert cells.alone == 100
    assert cells.compression == 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        collapse(rows, ["female"], count="contacts")


def test_cells_are_confidential() -> None:
    rows = persons(2_000).assign(age=lambda d: d["age"].where(d.index > 0, 97.25))
    cells = collapse(rows, ["age"], count="contacts")
    assert cells.alone == 1
    assert "97" not in repr(cells) + str(cells) + f"{cells}"
    assert not hasattr(cells, "_repr_html_")
    assert not [name for name in dir(cells) if name.startswith("to_")]
    for let_out in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(OutputError, match="confidential"):
            let_out(cells)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"age": [None, 20.0, 21.0], "contacts": [1, -1, -2]},
            "age is missing in 1, contacts is negative in 2",
        ),
        ({"age": [np.inf, -np.inf, 1.0]}, "Of 3 rows age is infinite in 2"),
        ({"contacts": [np.inf, np.nan, 1.0]}, "contacts is missing in 1, contacts is infinite in 1"),
        ({"weight": [0, -1, 1]}, "weight is not above 0 in 2"),
        ({"weight": [np.nan, 1, 1]}, "weight is missing in 1"),
        ({"days": [0.0, 365.0, 1.0]}, "days is not above 0 in 1"),
        ({"place": ["a", None, "b"]}, "place is missing in 1"),
        ({"contacts": ["1", "2", "3"]}, "1 columns are text and must be numbers: contacts"),
        ({"age": pd.to_datetime(["2020-01-01"] * 3)}, "neither numbers, flags nor text: age"),
        ({"contacts": [0.5, 1.0, 2.5]}, "contacts is no whole number in 2"),
    ],
)
def test_what_cannot_be_fitted_is_refused_by_name(change: dict[str, list], said: str) -> None:
    rows = pd.DataFrame(
        {"age": [20, 21, 22], "place": "home", "days": 365.0, "weight": 1, "contacts": [0, 1, 2]}
    ).assign(**change)
    with pytest.raises(InvalidValueError, match=said):
        collapse(rows, ["age", "place"], count="contacts", weight="weight", exposure="days", keep_counts=True)


def test_wrong_requests_are_refused(tmp_path: Path) -> None:
    rows = persons(10)
    with pytest.raises(
        MissingColumnError, match=r"2 columns are not in the rows: imd, carers\. They have age"
    ):
        collapse(rows, ["age", "imd", "carers"], count="contacts")
    with pytest.raises(InvalidValueError, match="'contacts' is the count"):
        collapse(rows, ["age", "contacts"], count="contacts")
    with pytest.raises(MissingColumnError, match="to be banded are no predictors: weight"):
        collapse(rows, ["age"], count="contacts", bands={"weight": [0, 1]})
    with pytest.raises(InvalidValueError, match="lower edges, rising"):
        collapse(rows, ["age"], count="contacts", bands={"age": [30, 20]})
    with pytest.raises(InvalidValueError, match="must be numbers: place"):
        collapse(rows, ["place"], count="contacts", bands={"place": [0]})
    with pytest.raises(InvalidValueError, match="The rows are empty"):
        collapse(rows.head(0), ["age"], count="contacts")
    with pytest.raises(InvalidValueError, match="Rows are a list"):
        collapse([1, 2], ["age"], count="contacts")
    with pytest.raises(InputFileError, match="no Parquet"):
        collapse(tmp_path, ["age"], count="contacts")
