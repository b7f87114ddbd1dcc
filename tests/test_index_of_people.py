"""The need index straight from persons: plain pandas, laws, engines and every bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import strategies as st

import needsalloc as na
from linked_people import FORMULA, ROLES, fitted, people
from needsalloc.collapse import collapse
from needsalloc.errors import FormulaError, InvalidValueError, MissingColumnError, UnknownCodeError
from needsalloc.fit import Fit, fit
from needsalloc.index_of_people import need_index_of_people, ways_to_hold
from needsalloc.team_effects import team_effects
from small_worlds import law

pytestmark = pytest.mark.filterwarnings("ignore:<Cells")  # a few thousand people compress poorly

COLUMNS = ["age", "frail", "group", "gp", "nurses", "team"]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return people()


@pytest.fixture(scope="module")
def of_rows(rows: pd.DataFrame) -> Fit:
    return fitted(rows)


def by_hand(of_rows: Fit, rows: pd.DataFrame, *, gp: np.ndarray | None = None) -> np.ndarray:
    """(1 - pi) mu: nurses at the people's mean, and the zero part as if all were of group a."""
    b, g = of_rows.count_coefficients, of_rows.zero_coefficients
    age = (rows["age"] - rows["age"].mean()) / rows["age"].std()
    used = rows["gp"] if gp is None else gp
    linear = {}
    for part, effect in {"count": b, "zero": g}.items():
        eta = effect["Intercept"] + effect["age"] * age + effect["frail"] * rows["frail"]
        eta = eta + effect["gp"] * used + effect["nurses"] * rows["nurses"].mean()
        eta = eta + effect["age:frail"] * age * rows["frail"]
        linear[part] = eta + (effect["group=b"] * (rows["group"] == "b") if part == "count" else 0.0)
    return (np.exp(linear["count"]) / (1 + np.exp(linear["zero"]))).to_numpy()


def test_as_pandas_has_it(rows: pd.DataFrame, of_rows: Fit) -> None:
    found = need_index_of_people(of_rows.formula, rows, by="team")
    need = pd.Series(by_hand(of_rows, rows)).groupby(rows["team"]).agg(["mean", "size"])
    index = need["mean"] / by_hand(of_rows, rows).mean()
    assert found.table["need_index_people"].to_numpy() == pytest.approx(index.to_numpy(), rel=1e-12)
    assert found.table["people"].tolist() == need["size"].tolist()
    weighted = index * need["size"]
    assert found.table["weighted_population"].to_numpy() == pytest.approx(weighted.to_numpy(), rel=1e-12)
    assert found.table["weighted_population"].sum() == pytest.approx(len(rows), rel=1e-12)
    assert found.table["share_of_need"].to_numpy() == pytest.approx((weighted / len(rows)).to_numpy())
    assert "8 of team from" in repr(found)
    assert "people = 1.00 over 6,000 people" in repr(found)
    assert "<table" in found._repr_html_()


def test_services_held_are_those_of_least_squares(rows: pd.DataFrame, of_rows: Fit) -> None:
    age = (rows["age"] - rows["age"].mean()) / rows["age"].std()
    x = np.column_stack([np.ones(len(rows)), age, rows["frail"], age * rows["frail"]])
    expected = x @ np.linalg.lstsq(x, rows["gp"].to_numpy(float), rcond=None)[0]
    need = by_hand(of_rows, rows, gp=expected)
    index = pd.Series(need / need.mean()).groupby(rows["team"]).mean()
    without = rows.drop(columns=["gp", "nurses"])
    found = need_index_of_people(of_rows.formula, without, by="team", utilisation="held")
    assert found.table["need_index_people"].to_numpy() == pytest.approx(index.to_numpy(), rel=1e-9)
    ways = ways_to_hold(of_rows.formula, rows, by="team")
    shares = {
        way: (ways.table["people"] * ways.table[way]) / len(rows)
        for way in ("index_supply_mean", "index_utilisation_held", "index_observed")
    }
    half = (shares["index_utilisation_held"] - shares["index_supply_mean"]).abs().sum() / 2
    assert ways.moved["index_utilisation_held"] == pytest.approx(half, rel=1e-9)
    assert ways.table["index_utilisation_held"].to_numpy() == pytest.approx(index.to_numpy(), rel=1e-9)
    observed = of_rows.predict(rows).groupby(rows["team"]).mean() / of_rows.predict(rows).mean()
    assert ways.table["index_observed"].to_numpy() == pytest.approx(observed.to_numpy(), rel=1e-12)
    assert "supply as it is" in repr(ways)
    assert "<table" in ways._repr_html_()


def test_every_engine_and_cells_give_the_same(rows: pd.DataFrame, of_rows: Fit) -> None:
    duckdb = pytest.importorskip("duckdb")
    expected = need_index_of_people(of_rows.formula, rows, by="team").table
    arrow = pa.Table.from_pandas(rows, preserve_index=False)
    cells = collapse(rows, COLUMNS, count="contacts")
    clustered = collapse(rows, COLUMNS[:-1], count="contacts", cluster="team")
    same = [pl.from_pandas(rows), pl.from_pandas(rows).lazy(), arrow, duckdb.from_arrow(arrow), cells]
    for frame in [*same, clustered, rows.sample(frac=1, random_state=1)]:
        found = need_index_of_people(of_rows.formula, frame, by="team").table
        # Sums in another order.
        pd.testing.assert_frame_equal(found, expected, rtol=1e-12, check_index_type=False)


@law(st.lists(st.floats(0, 12), min_size=8, max_size=8), examples=15)
def test_need_does_not_move_when_only_supply_does(
    rows: pd.DataFrame, of_rows: Fit, nurses: list[float]
) -> None:
    level = dict(zip(sorted(rows["team"].unique()), nurses, strict=True))
    other = rows.assign(nurses=rows["team"].map(level).astype(np.float64))
    table = need_index_of_people(of_rows.formula, other, by="team").table
    pd.testing.assert_frame_equal(table, need_index_of_people(of_rows.formula, rows, by="team").table)


@law(st.integers(1, 5), st.permutations(range(200)), examples=15)
def test_people_counted_over_and_their_order_change_no_index(
    rows: pd.DataFrame, of_rows: Fit, times: int, order: list[int]
) -> None:
    few = rows.iloc[:200]
    again = few.iloc[order].assign(people=times)
    expected = need_index_of_people(of_rows.formula, few, by="team").table
    found = need_index_of_people(of_rows.formula, again, by="team", weight="people").table
    assert found["need_index_people"].to_numpy() == pytest.approx(
        expected["need_index_people"].to_numpy(), rel=1e-12
    )
    assert (found["people"] == times * expected["people"]).all()


def test_a_base_of_some_teams(rows: pd.DataFrame, of_rows: Fit) -> None:
    found = need_index_of_people(of_rows.formula, rows, by="team", base=["T1", "T2"], base_name="icb").table
    inside = found.loc[["T1", "T2"]]
    assert np.average(inside["need_index_icb"], weights=inside["people"]) == pytest.approx(1, rel=1e-12)
    assert inside["weighted_population"].sum() == pytest.approx(inside["people"].sum(), rel=1e-12)
    everyone = need_index_of_people(of_rows.formula, rows, by="team").table["need_index_people"]
    ratio = found["need_index_icb"] / everyone
    assert ratio.to_numpy() == pytest.approx(ratio.iloc[0], rel=1e-12)
    assert found["share_of_need"].dropna().sum() == pytest.approx(1)
    with pytest.raises(UnknownCodeError, match="T9"):
        need_index_of_people(of_rows.formula, rows, by="team", base=["T9"])


def test_linked_people_stand_for_their_lists(rows: pd.DataFrame, of_rows: Fit) -> None:
    listed = pd.Series([900.0] * 7 + [2_000.0, 50.0], [*(f"T{t}" for t in range(8)), "T8"])
    found = need_index_of_people(of_rows.formula, rows, by="team", lists=listed)
    mean = pd.Series(by_hand(of_rows, rows)).groupby(rows["team"]).mean()
    base = (mean * listed[:8]).sum() / listed[:8].sum()
    linked = found.table.loc[mean.index]
    assert linked["need_index_people"].to_numpy() == pytest.approx((mean / base).to_numpy(), rel=1e-12)
    assert linked["weighted_population"].sum() == pytest.approx(listed[:8].sum(), rel=1e-12)
    assert linked["coverage"].to_numpy() == pytest.approx(
        (rows.groupby("team").size() / listed[:8]).to_numpy()
    )
    assert np.isnan(found.table.at["T8", "need_index_people"])
    assert "nobody at hand of T8" in repr(found)
    with pytest.raises(na.NeedsallocError, match="T8"):  # nobody is given posts for need that is not known
        na.allocate(10, found.table)
    with pytest.raises(UnknownCodeError, match="T7"):
        need_index_of_people(of_rows.formula, rows, by="team", lists=listed.drop("T7"))
    with pytest.raises(InvalidValueError, match="twice"):
        need_index_of_people(of_rows.formula, rows, by="team", lists=pd.concat([listed, listed]))


def test_it_shares_posts(rows: pd.DataFrame, of_rows: Fit) -> None:
    found = need_index_of_people(of_rows.formula, rows, by="team")
    plan = na.allocate(40, found.table, step=0.5)
    assert plan.table["target_share"].to_numpy() == pytest.approx(found.table["share_of_need"].to_numpy())


def test_gaps_are_refused_or_closed_by_the_rule(rows: pd.DataFrame, of_rows: Fit) -> None:
    gaps = rows.assign(group=rows["group"].where(rows.index % 50 != 0))
    with pytest.raises(InvalidValueError, match="group is missing in 120"):
        need_index_of_people(of_rows.formula, gaps, by="team")
    found = need_index_of_people(of_rows.formula, gaps, by="team", unknown="reference").table
    expected = need_index_of_people(of_rows.formula, gaps.fillna({"group": "a"}), by="team").table
    pd.testing.assert_frame_equal(found, expected)
    polars = need_index_of_people(of_rows.formula, pl.from_pandas(gaps), by="team", unknown="reference")
    pd.testing.assert_frame_equal(polars.table, expected, rtol=1e-12, check_index_type=False)
    without_team = rows.assign(team=rows["team"].where(rows.index % 100 != 0))
    table = need_index_of_people(of_rows.formula, without_team, by="team").table
    assert table.index[-1] == "not recorded"
    assert table["people"].iloc[-1] == 60
    assert not table["is_team"].iloc[-1]
    assert table["people"].sum() == len(rows)
    flag = fit("contacts ~ age + frail", rows, family="poisson", roles={"unmet_need": ["frail"]})
    some = rows.assign(frail=rows["frail"].where(rows.index % 50 != 0))
    closed = need_index_of_people(flag.formula, some, by="team", unknown="reference").table
    assert closed["people"].sum() == len(rows)


def test_team_effects_stand_beside(rows: pd.DataFrame) -> None:
    cells = collapse(rows, COLUMNS[:-1], count="contacts", cluster="team")
    found = fit(FORMULA, cells, roles=ROLES, centre=["age"], errors="clustered")
    effects = team_effects(found, cells, team="team")
    ways = ways_to_hold(found.formula, cells, by="team", team_effects=effects)
    assert ways.table["index_team_effects"].to_numpy() == pytest.approx(
        effects.table["index_team_effects"].to_numpy()
    )
    shares = effects.table.mul(effects.table["people"], axis=0)[["index_team_effects", "index_supply_mean"]]
    half = (shares / shares.sum()).diff(axis=1).iloc[:, 1].abs().sum() / 2
    assert ways.moved["index_team_effects"] == pytest.approx(half)
    other = rows.assign(team=rows["team"] + "x")
    with pytest.raises(UnknownCodeError, match="no team effect"):
        ways_to_hold(found.formula, other, by="team", team_effects=effects)


def test_bad_input_is_named(rows: pd.DataFrame, of_rows: Fit) -> None:
    formula = of_rows.formula
    for options, fault, said in (
        ({"by": "pcn"}, MissingColumnError, "pcn"),
        ({"by": "team", "supply": "none"}, FormulaError, "mean or observed"),
        ({"by": "team", "utilisation": "no"}, FormulaError, "as fitted or held"),
        ({"by": "team", "unknown": "drop"}, FormulaError, "refuse or reference"),
    ):
        with pytest.raises(fault, match=said):
            need_index_of_people(formula, rows, **options)
    with pytest.raises(MissingColumnError, match="frail"):
        need_index_of_people(formula, rows.drop(columns="frail"), by="team")
    with pytest.raises(FormulaError, match="under"):
        need_index_of_people(formula, rows.assign(age=3.0), by="team")
    with pytest.raises(InvalidValueError, match="infinite"):
        need_index_of_people(formula, rows.assign(age=np.inf), by="team")
    with pytest.raises(InvalidValueError, match="nobody"):
        need_index_of_people(formula, rows.iloc[:0], by="team")
    with pytest.raises(InvalidValueError, match="not above 0"):
        need_index_of_people(formula, rows.assign(w=0), by="team", weight="w")
    with pytest.raises(UnknownCodeError, match="group"):
        need_index_of_people(formula, rows.assign(group="z"), by="team")
    cells = collapse(rows, ["age", "frail"], count="contacts", cluster="team")
    with pytest.raises(MissingColumnError, match="gp"):
        need_index_of_people(formula, cells, by="team")
    with pytest.raises(MissingColumnError, match="pcn"):
        need_index_of_people(formula, cells, by="pcn")
    with pytest.raises(FormulaError, match="weight"):
        need_index_of_people(formula, cells, by="team", weight="w")
