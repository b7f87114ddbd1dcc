"""What a fit says of the people it was made on, and of others: R, plain numpy, and laws of any split."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from linked_people import FORMULA, ROLES, fitted, people
from needsalloc.collapse import Cells, collapse
from needsalloc.errors import FormulaError, InvalidValueError, MissingColumnError
from needsalloc.families_compared import compare_families
from needsalloc.fit import Fit, fit
from needsalloc.held_out import _clusters, _people, held_out
from needsalloc.validation import calibration_by, r_squared, rootogram
from small_worlds import law

pytestmark = pytest.mark.filterwarnings("ignore:<Cells")  # a few thousand people compress poorly

R = Path(__file__).parent / "r"
STORED = json.loads((R / "validation.json").read_text())
STORED.pop("made_with")
OF_R = "contacts ~ age + imd + frail + nurses"
COLUMNS = ["age", "frail", "group", "gp", "nurses"]


@pytest.fixture(scope="module")
def of_r() -> pd.DataFrame:
    return pd.read_csv(R / "cohort.csv")


@pytest.fixture(scope="module")
def cells_of_r(of_r: pd.DataFrame) -> Cells:
    return collapse(of_r, ["age", "imd", "frail", "nurses"], count="contacts", cluster="team")


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return people()


@pytest.fixture(scope="module")
def cells(rows: pd.DataFrame) -> Cells:
    return collapse(rows, COLUMNS, count="contacts", cluster="team", keep_counts=True)


@pytest.fixture(scope="module")
def of_cells(cells: Cells) -> Fit:
    return fit(FORMULA, cells, roles=ROLES, centre=["age"])


@pytest.mark.parametrize("family", list(STORED))
def test_people_by_count_as_r_has_them(family: str, cells_of_r: Cells) -> None:
    found = rootogram(fit(OF_R, cells_of_r, family=family), cells_of_r, up_to=12)
    # R's optimisers leave the fifth digit of a coefficient open, of a nearly empty tail above all.
    assert found.table["expected"].iloc[:-1].to_numpy() == pytest.approx(STORED[family]["people"], rel=2e-5)
    assert found.table["expected"].sum() == pytest.approx(2_400, rel=1e-12)


def test_families_as_r_has_them(cells_of_r: Cells, of_r: pd.DataFrame) -> None:
    found = compare_families(fit(OF_R, cells_of_r, family="zip"), cells_of_r, by=["team", "frail"])
    table = found.table
    assert set(table.index) == {*STORED, "quasi-poisson"}
    none = (of_r["contacts"] == 0).sum()
    for family, stored in STORED.items():
        row = table.loc[family]
        for name in ("log_likelihood", "aic", "bic"):
            assert row[name] == pytest.approx(stored[name], rel=1e-8)
        assert row["predicted_over_observed"] == pytest.approx(
            stored["contacts"] / of_r["contacts"].sum(), rel=1e-6
        )
        assert row["zeros_expected_over_observed"] == pytest.approx(stored["people"][0] / none, rel=1e-6)
    assert table["aic"].dropna().is_monotonic_increasing
    assert f"{table.index[0]} has the lowest AIC" in repr(found)
    assert "<table" in found._repr_html_()
    quasi = table.loc["quasi-poisson"]
    assert np.isnan(quasi["aic"])
    assert quasi["largest_miss_frail"] < 1e-9  # its factors come out, level by level
    assert table.at["zip", "largest_miss_frail"] > 1e-3
    assert quasi["largest_miss_team"] > 0.01  # what is no term does not


def test_people_by_count_are_those_observed(rows: pd.DataFrame, cells: Cells, of_cells: Fit) -> None:
    found = rootogram(of_cells, cells, up_to=5)
    observed = rows["contacts"].clip(upper=5).value_counts().sort_index()
    assert found.table["observed"].tolist() == observed.tolist()
    assert found.table.index.tolist() == ["0", "1", "2", "3", "4", "5+"]
    roots = np.sqrt(found.table["observed"]) - np.sqrt(found.table["expected"])
    assert found.table["gap"].to_numpy() == pytest.approx(roots.to_numpy())
    assert found.zeros == pytest.approx((1 - of_cells.share_with_contact(rows)).sum() / observed[0])
    assert "times the people without contact" in repr(found)
    with pytest.raises(InvalidValueError, match="up_to=0"):
        rootogram(of_cells, cells, up_to=0)
    quasi = fit(FORMULA, cells, family="quasi-poisson")
    with pytest.raises(FormulaError, match="no law of counts"):
        rootogram(quasi, cells)


def test_calibration_by_level_as_pandas_has_it(rows: pd.DataFrame, cells: Cells, of_cells: Fit) -> None:
    predicted, chance = of_cells.predict(rows), of_cells.share_with_contact(rows)
    for by in ("group", "team", "age"):
        table = calibration_by(of_cells, cells, by).table
        grouped = rows.assign(predicted=predicted, chance=chance).groupby(by)
        assert table["people"].tolist() == grouped.size().tolist()
        assert table["observed"].tolist() == grouped["contacts"].sum().tolist()
        assert table["predicted"].to_numpy() == pytest.approx(grouped["predicted"].sum().to_numpy())
        users = (rows["contacts"] > 0).groupby(rows[by]).mean()
        assert table["share_with_contact"].to_numpy() == pytest.approx(users.to_numpy())
        assert table["predicted_share_with_contact"].to_numpy() == pytest.approx(
            grouped["chance"].mean().to_numpy()
        )
    found = calibration_by(of_cells, cells, "team")
    ratio = found.table["predicted"] / found.table["observed"]
    assert found.largest_miss == pytest.approx((ratio - 1).abs().max())
    assert "Calibration by team" in repr(found)


def test_tenths_are_of_equal_size_and_rise(rows: pd.DataFrame, cells: Cells, of_cells: Fit) -> None:
    table = calibration_by(of_cells, cells).table
    assert len(table) == 10
    assert (table["lowest"].iloc[1:].to_numpy() > table["highest"].iloc[:-1].to_numpy()).all()
    predicted = of_cells.predict(rows)
    for tenth in (1, 10):
        inside = predicted.between(*(table.loc[tenth, ["lowest", "highest"]] * [1 - 1e-12, 1 + 1e-12]))
        assert inside.sum() == table.at[tenth, "people"]
        assert rows.loc[inside, "contacts"].sum() == table.at[tenth, "observed"]
    # Nobody's prediction is in two tenths, so that their sizes differ by the people of one prediction.
    assert table["people"].between(400, 800).all()
    fifths = calibration_by(of_cells, cells, "nurses", groups=4).table
    assert fifths["people"].sum() == len(rows)
    assert len(fifths) == 4


@pytest.mark.parametrize("family", ["poisson", "zip", "hurdle"])
def test_r_squared_as_numpy_has_it(rows: pd.DataFrame, cells: Cells, family: str) -> None:
    found = fit(FORMULA, cells, family=family)
    predicted, y = found.predict(rows).to_numpy(), rows["contacts"].to_numpy()
    of_people = 1 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    by_team = pd.DataFrame({"y": y, "m": predicted, "n": 1.0}).groupby(rows["team"]).sum()
    mean, fitted_mean = by_team["y"] / by_team["n"], by_team["m"] / by_team["n"]
    of_teams = 1 - (by_team["n"] @ (mean - fitted_mean) ** 2) / (by_team["n"] @ (mean - y.mean()) ** 2)
    r2 = r_squared(found, cells, by=["team"])
    assert r2["people"] == pytest.approx(of_people, rel=1e-9)
    assert r2["team"] == pytest.approx(of_teams, rel=1e-9)


# People and clusters held out


@law(st.integers(0, 10_000), st.floats(0.1, 0.9), examples=15)
def test_a_split_keeps_everybody_once(cells: Cells, seed: int, share: float) -> None:
    for split in (_people, _clusters):
        parts = split(cells, share, np.random.default_rng(seed))
        for name in ("zeros", "positives", "total", "total_squares", "log_factorials"):
            whole = getattr(cells, name).sum()
            assert sum(getattr(part, name).sum() for part in parts) == pytest.approx(whole, rel=1e-12)
        for part in parts:
            assert (part.people > 0).all()
            by_cell = np.bincount(part.counts["cell"], part.counts["people"])
            assert by_cell == pytest.approx(part.people)
            assert part.histogram["people"].sum() == part.people.sum()
            assert part.histogram["y"] @ part.histogram["people"] == part.total.sum()
    keys = [set(map(tuple, part.keys.assign(c=part.cluster).itertuples(index=False))) for part in parts]
    assert {key[-1] for key in keys[0]}.isdisjoint({key[-1] for key in keys[1]})


def test_people_held_out_are_drawn_by_a_coin_each(cells: Cells) -> None:
    """Of the people of each count, half: a binomial number, so that counts of users vary as they should."""
    drawn = [_people(cells, 0.3, np.random.default_rng(seed))[1] for seed in range(200)]
    sizes = np.array([part.people.sum() for part in drawn])
    n = cells.people.sum()
    assert sizes.mean() == pytest.approx(0.3 * n, abs=4 * np.sqrt(0.21 * n / 200))
    # 200 draws know a standard deviation to 5 %; four of these.
    assert sizes.std() == pytest.approx(np.sqrt(0.21 * n), rel=0.2)


def test_a_fit_without_some_people_is_that_of_the_others(rows: pd.DataFrame) -> None:
    """The same clusters left out of the rows, and the same terms fitted to the rest from the start."""
    cells = collapse(rows, COLUMNS, count="contacts", cluster="team")
    whole = fit(FORMULA, cells)
    found = held_out(whole, cells, of="clusters", share=0.4, seed=3)
    out = _clusters(cells, 0.4, np.random.default_rng(3))[1].cluster.unique()
    inside, outside = rows[~rows["team"].isin(out)], rows[rows["team"].isin(out)]
    again = fit(FORMULA, inside)
    y, predicted = outside["contacts"], again.predict(outside)
    row = found.table.loc["held out"]
    assert len(out) == 3  # of eight teams four tenths, to the nearest
    assert row["people"] == len(outside)
    assert row["predicted_over_observed"] == pytest.approx(predicted.sum() / y.sum(), rel=1e-8)
    r2 = 1 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert row["r2_people"] == pytest.approx(r2, rel=1e-7)
    by_team = pd.DataFrame({"y": y, "m": predicted}).groupby(outside["team"]).sum()
    assert row["clusters"] == len(by_team)
    assert row["clusters_far_off"] == pytest.approx(((by_team["m"] / by_team["y"] - 1).abs() >= 0.1).mean())
    on = found.table.loc["fitted on"]
    assert on["log_likelihood_per_person"] == pytest.approx(again.log_likelihood / len(inside), rel=1e-9)
    assert found.calibration.table["people"].sum() == len(outside)
    assert "HeldOut clusters" in repr(found)
    assert "<table" in found._repr_html_()


@pytest.mark.parametrize("family", ["zip", "nb", "quasi-poisson"])
def test_people_held_out(cells: Cells, family: str) -> None:
    found = held_out(fit(FORMULA, cells, family=family), cells, seed=2)
    assert found.table["people"].sum() == 6_000
    # 3,000 people of about one contact: totals are known to 4 % or so.
    assert found.table.at["held out", "predicted_over_observed"] == pytest.approx(1, abs=0.15)
    assert np.isnan(found.table.at["held out", "log_likelihood_per_person"]) == (family == "quasi-poisson")
    same = held_out(fit(FORMULA, cells, family=family), cells, seed=2)
    pd.testing.assert_frame_equal(found.table, same.table)


def test_what_says_nothing_of_others_fares_worse_on_them(rows: pd.DataFrame) -> None:
    """Fifty flags of chance: a fit of few people explains them, and nobody else."""
    rng = np.random.default_rng(1)
    few = rows.iloc[:800].copy()
    noise = [f"flag{i}" for i in range(25)]
    few[noise] = rng.integers(0, 2, (800, 25))
    cells = collapse(few, [*COLUMNS, *noise], count="contacts", keep_counts=True)
    formula = "contacts ~ age + frail + " + " + ".join(noise)
    r2 = held_out(fit(formula, cells, family="poisson"), cells).table["r2_people"]
    assert r2["held out"] < r2["fitted on"] - 0.05


def test_pictures_are_drawn(cells: Cells, of_cells: Fit) -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    axes = rootogram(of_cells, cells).plot()
    assert axes.get_xlabel() == "Contacts"
    axes = calibration_by(of_cells, cells, "team").plot()
    assert [text.get_text() for text in axes.get_xticklabels()] == [f"T{t}" for t in range(8)]
    plt.close("all")


def test_bad_input_is_named(rows: pd.DataFrame, cells: Cells, of_cells: Fit) -> None:
    for options, fault, said in (
        ({"by": "pcn"}, MissingColumnError, "pcn"),
        ({"by": "group", "groups": 5}, InvalidValueError, "is text"),
        ({"groups": 1}, InvalidValueError, "at least 2"),
    ):
        with pytest.raises(fault, match=said):
            calibration_by(of_cells, cells, **options)
    plain = collapse(rows, COLUMNS, count="contacts")
    for options, fault, said in (
        ({"of": "areas"}, FormulaError, "people or clusters"),
        ({"share": 1.0}, InvalidValueError, "between 0 and 1"),
        ({}, FormulaError, "keep_counts=True"),
        ({"of": "clusters"}, FormulaError, "cluster"),
    ):
        with pytest.raises(fault, match=said):
            held_out(of_cells, plain, **options)
    one = collapse(rows.assign(half=0.5), COLUMNS, count="contacts", weight="half", keep_counts=True)
    with pytest.raises(InvalidValueError, match="part of a person"):
        held_out(of_cells, one)
    with pytest.raises(InvalidValueError, match="has nobody"):
        held_out(of_cells, cells, share=1e-9)
    by_team = collapse(rows, COLUMNS, count="contacts", cluster="team")
    with pytest.raises(FormulaError, match="counts within each cell"):
        held_out(fit(FORMULA, by_team, family="nb"), by_team, of="clusters")
    with pytest.raises(FormulaError, match="Unknown family 'gamma'"):
        compare_families(of_cells, cells, families=["gamma"])


def test_families_that_cannot_be_fitted_say_why(rows: pd.DataFrame) -> None:
    users = rows[rows["contacts"] > 0]
    cells = collapse(users, COLUMNS, count="contacts")
    found = compare_families(fit("contacts ~ age + frail", cells, family="poisson"), cells).table
    assert "no zeros to model" in found.at["zip", "fault"]
    assert found.at["poisson", "fault"] == ""
    hours = collapse(rows.assign(contacts=rows["contacts"] / 2), COLUMNS, count="contacts")
    quasi = compare_families(fit("contacts ~ age", hours, family="quasi-poisson"), hours)
    assert quasi.table.index.tolist() == ["quasi-poisson"]
    assert "none has a likelihood" in repr(quasi)
    with pytest.raises(InvalidValueError, match="no whole numbers"):
        rootogram(fitted(rows), hours)
