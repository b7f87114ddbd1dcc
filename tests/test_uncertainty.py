"""Intervals of a need index: against loops and the delta method by hand, and what must hold of any draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from scipy import sparse

import needsalloc as na
from linked_people import FORMULA, ROLES, fitted, people
from needsalloc.bootstrap import bootstrap_clusters
from needsalloc.collapse import collapse
from needsalloc.errors import FormulaError, InvalidValueError
from needsalloc.fit import Fit, fit
from needsalloc.index_of_people import need_index_of_people
from needsalloc.kernels import drawn_need
from needsalloc.kernels.families import FAMILIES
from needsalloc.uncertainty import index_uncertainty, uncertainty_on_flows
from small_worlds import WHOLE, law
from small_worlds import people as people_of

pytestmark = pytest.mark.filterwarnings("ignore:<Cells")  # a few thousand people compress poorly


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return people()


@pytest.fixture(scope="module")
def of_rows(rows: pd.DataFrame) -> Fit:
    return fitted(rows)


@pytest.mark.parametrize("family", ["poisson", "nb", "zip", "zinb", "hurdle", "hurdle-nb"])
@pytest.mark.parametrize("utilisation", ["as fitted", "held"])
def test_each_draw_is_the_index_of_the_formula_with_its_coefficients(
    rows: pd.DataFrame, family: str, utilisation: str
) -> None:
    """One formula at a time, through the code that predicts persons: another path to the same numbers."""
    few = rows.iloc[:3_000]
    found = fit(FORMULA, few, family=family, roles=ROLES, centre=["age"])
    drawn = found.draw(3, seed=7)
    sure = index_uncertainty(found, few, by="team", draws=drawn, utilisation=utilisation)
    for number, draw in enumerate(drawn.to_numpy()):
        formula = replace(found, coefficients=pd.Series(draw, found.coefficients.index)).formula
        need = formula.predict(few, utilisation=utilisation)
        index = need.groupby(few["team"]).mean() / need.mean()
        assert sure.draws.iloc[number].to_numpy() == pytest.approx(index.to_numpy(), rel=1e-10)
    index = need_index_of_people(found.formula, few, by="team", utilisation=utilisation).table
    assert sure.table["need_index_people"].to_numpy() == pytest.approx(
        index["need_index_people"].to_numpy(), rel=1e-12
    )


def test_the_spread_is_that_of_the_delta_method(rows: pd.DataFrame) -> None:
    """var(log index_k) = g' V g with g the difference of mean gradients, worked out for a Poisson by hand."""
    found = fit("contacts ~ age + frail", rows, family="poisson", centre=["age"], errors="robust")
    age = (rows["age"] - rows["age"].mean()) / rows["age"].std()
    x = np.column_stack([np.ones(len(rows)), age, rows["frail"]])
    need = np.exp(x @ found.coefficients.to_numpy())
    team = rows["team"].to_numpy()
    every = (need[:, None] * x).sum(axis=0) / need.sum()
    variance = []
    for name in np.unique(team):
        own = team == name
        gradient = (need[own, None] * x[own]).sum(axis=0) / need[own].sum() - every
        variance.append(gradient @ found.covariance.to_numpy() @ gradient)
    sure = index_uncertainty(found, rows, by="team", draws=4_000, seed=2)
    # 4,000 draws know a standard deviation to 1.1 %; four of these.
    assert np.log(sure.draws).std().to_numpy() == pytest.approx(np.sqrt(variance), rel=0.045)
    width = sure.table["index_high"] - sure.table["index_low"]
    middle = 2 * 1.96 * np.sqrt(variance) * sure.table["need_index_people"]
    assert width.to_numpy() == pytest.approx(middle.to_numpy(), rel=0.08)


def test_ranks_and_chances_are_those_of_the_draws(rows: pd.DataFrame, of_rows: Fit) -> None:
    sure = index_uncertainty(of_rows, rows, by="team", draws=200, seed=5)
    ranks = sure.draws.rank(axis=1, ascending=False)
    assert (sure.table["rank_low"] == np.sort(ranks, axis=0)[4]).all()  # the 2.5th of 100: the fifth of 200
    assert (sure.table["rank_high"] == np.sort(ranks, axis=0)[194]).all()
    assert sure.table["chance_above_1"].to_numpy() == pytest.approx((sure.draws > 1).mean().to_numpy())
    estimate = sure.table["need_index_people"]
    assert (sure.table["rank"] == estimate.rank(ascending=False)).all()
    assert estimate.between(sure.table["index_low"], sure.table["index_high"]).all()
    share = sure.draws * sure.table["people"] / len(rows)
    assert sure.table["share_of_need_low"].to_numpy() == pytest.approx(share.quantile(0.025).to_numpy())
    assert "not covered" in repr(sure)
    assert "200 draws, model errors" in repr(sure)
    assert "<table" in sure._repr_html_()
    same = index_uncertainty(of_rows, rows, by="team", draws=200, seed=5)
    pd.testing.assert_frame_equal(same.draws, sure.draws)
    assert not same.draws.equals(index_uncertainty(of_rows, rows, by="team", draws=200, seed=6).draws)


def test_parts_of_cells_and_draws_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn_need, "CELLS_AT_ONCE", 7)
    monkeypatch.setattr(drawn_need, "DRAWS_AT_ONCE", 3)
    rng = np.random.default_rng(1)
    x, b, g = rng.normal(size=(2, 50)), rng.normal(size=(10, 2)), rng.normal(size=(10, 2))
    weight = rng.random((50, 5)) * (rng.random((50, 5)) < 0.3)
    found = drawn_need.totals(
        FAMILIES["zip"],
        lambda start, stop: {"count": x[:, start:stop], "zero": x[:, start:stop]},
        {"count": b, "zero": g},
        sparse.csr_array(weight),
    )
    need = np.exp(b @ x) / (1 + np.exp(g @ x))
    assert found == pytest.approx(need @ weight, rel=1e-12)


@law(st.lists(st.floats(0, 12), min_size=8, max_size=8), examples=8)
def test_no_draw_moves_with_supply(rows: pd.DataFrame, of_rows: Fit, nurses: list[float]) -> None:
    few = rows.iloc[:1_000]
    level = dict(zip(sorted(rows["team"].unique()), nurses, strict=True))
    other = few.assign(nurses=few["team"].map(level).astype(np.float64))
    one, two = (index_uncertainty(of_rows, frame, by="team", draws=5).draws for frame in (few, other))
    pd.testing.assert_frame_equal(one, two)


def test_the_base_averages_1_in_every_draw(rows: pd.DataFrame, of_rows: Fit) -> None:
    listed = pd.Series(np.arange(900.0, 1_700.0, 100.0), [f"T{t}" for t in range(8)])
    sure = index_uncertainty(
        of_rows, rows, by="team", draws=20, lists=listed, base=["T0", "T3"], base_name="b"
    )
    mean = (sure.draws * listed)[["T0", "T3"]].sum(axis=1) / listed[["T0", "T3"]].sum()
    assert mean.to_numpy() == pytest.approx(np.ones(20), rel=1e-12)
    assert sure.column == "need_index_b"


def test_who_is_linked_is_chance_as_well(rows: pd.DataFrame, of_rows: Fit) -> None:
    """With coefficients that do not vary: the variance of a ratio of means of random parts, by hand."""
    same = pd.DataFrame(np.tile(of_rows.coefficients, (4_000, 1)), columns=of_rows.coefficients.index)
    listed = rows.groupby("team").size() * np.linspace(1.0, 4.0, 8)
    sure = index_uncertainty(of_rows, rows, by="team", draws=same, lists=listed)
    need = of_rows.formula.predict(rows).groupby(rows["team"]).agg(["mean", "var", "size"])
    relative = need["var"] / need["size"] * (1 - need["size"] / listed) / need["mean"] ** 2
    share = listed * need["mean"] / (listed @ need["mean"])
    expected = relative * (1 - 2 * share) + (share**2 * relative).sum()
    # 4,000 draws know a standard deviation to 1.1 %; four of these.
    assert np.log(sure.draws).std().to_numpy() == pytest.approx(np.sqrt(expected), rel=0.045)
    whole = index_uncertainty(of_rows, rows, by="team", draws=same, lists=rows.groupby("team").size())
    assert whole.draws.std().max() < 1e-12


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Lists of known need, of which some are linked and have contacts by chance: 95 in 100 intervals."""
    rng = np.random.default_rng(11)
    listed = people(8_000, seed=1)
    log_mean = -1.0 + 0.015 * (listed["age"] - 50) + 0.7 * listed["frail"] + 0.1 * (listed["nurses"] - 4)
    need = np.exp(log_mean - 0.1 * (listed["nurses"] - 4))
    truth = need.groupby(listed["team"]).mean() / need.mean()
    size = listed.groupby("team").size()
    inside = []
    for _ in range(150):
        linked = listed[rng.random(8_000) < 0.6]
        unlike = rng.gamma(2.0, 0.5, len(linked))
        rows = linked.assign(contacts=rng.poisson(np.exp(log_mean[linked.index]) * unlike))
        found = fit("contacts ~ age + frail + nurses", rows, family="poisson", roles={"supply": ["nurses"]},
                    errors="robust")  # fmt: skip
        table = index_uncertainty(found, rows, by="team", lists=size, draws=300).table
        inside.append(truth.between(table["index_low"], table["index_high"]))
    # 1,200 intervals, eight of a cohort hanging together: four standard errors are about 0.03.
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


def test_a_cap_holds_in_every_draw(rows: pd.DataFrame, of_rows: Fit) -> None:
    drawn = of_rows.draw(2, seed=1)
    capped = index_uncertainty(of_rows, rows, by="team", draws=drawn, cap=0.5)
    formula = replace(of_rows, coefficients=drawn.iloc[1]).formula
    need = formula.predict(rows).clip(upper=0.5)
    index = need.groupby(rows["team"]).mean() / need.mean()
    assert capped.draws.iloc[1].to_numpy() == pytest.approx(index.to_numpy(), rel=1e-10)


def test_clusters_drawn_again_serve_as_draws(rows: pd.DataFrame) -> None:
    cells = collapse(rows, ["age", "frail", "nurses"], count="contacts", cluster="team")
    found = fit("contacts ~ age + frail", cells, family="poisson", errors="clustered")
    again = bootstrap_clusters(found, cells, replicates=50)
    sure = index_uncertainty(found, cells, by="team", draws=again.coefficients)
    assert len(sure.draws) == 50
    assert sure.errors == "given"


def test_an_offset_enters_each_draw(rows: pd.DataFrame) -> None:
    longer = rows.assign(known=0.3 * (rows["age"] > 60))
    found = fit("contacts ~ frail", longer, family="zip", offset={"count": "known"})
    sure = index_uncertainty(found, longer, by="team", draws=2)
    need = found.predict(longer)
    index = need.groupby(rows["team"]).mean() / need.mean()
    assert sure.table["need_index_people"].to_numpy() == pytest.approx(index.to_numpy(), rel=1e-12)
    drawn = replace(found, coefficients=found.draw(2, 1).iloc[0]).predict(longer)
    index = drawn.groupby(rows["team"]).mean() / drawn.mean()
    assert sure.draws.iloc[0].to_numpy() == pytest.approx(index.to_numpy(), rel=1e-12)


def test_it_is_drawn(rows: pd.DataFrame, of_rows: Fit) -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    axes = index_uncertainty(of_rows, rows, by="team", draws=20).plot()
    assert [text.get_text() for text in axes.get_yticklabels()][-1] in set(rows["team"])
    assert "middle 95 %" in axes.get_xlabel()
    plt.close("all")


def test_bad_input_is_named(rows: pd.DataFrame, of_rows: Fit) -> None:
    printed = na.NeedFormula.published("district-nursing/liverpool-2024")
    with pytest.raises(FormulaError, match="without a covariance"):
        index_uncertainty(printed, rows, by="team")
    with pytest.raises(FormulaError, match="without a covariance"):
        uncertainty_on_flows(printed, people_of(WHOLE))
    with pytest.raises(InvalidValueError, match="no spread"):
        index_uncertainty(of_rows, rows, by="team", draws=1)
    with pytest.raises(InvalidValueError, match="in the fit's order"):
        index_uncertainty(of_rows, rows, by="team", draws=of_rows.draw(5, 1).iloc[:, ::-1])
    with pytest.raises(InvalidValueError, match="no numbers"):
        index_uncertainty(of_rows, rows, by="team", draws=of_rows.draw(5, 1) * np.nan)
    far = of_rows.draw(5, 1) + 900.0
    far["zero"] = -1.0
    with pytest.raises(InvalidValueError, match="no finite need"):
        index_uncertainty(of_rows, rows, by="team", draws=far)


def test_on_flows_each_draw_is_a_need_index() -> None:
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"age": 18.0 + rng.integers(0, 70, 4_000), "imd_score": rng.integers(5, 60, 4_000)})
    rows["contacts"] = rng.poisson(np.exp(-3 + 0.03 * rows["age"] + 0.01 * rows["imd_score"]))
    found = fit("contacts ~ age + imd_score", rows, family="poisson")
    who = people_of(WHOLE)
    sure = uncertainty_on_flows(found, who, draws=4, seed=3, base="icb")
    for number, draw in enumerate(found.draw(4, seed=3).to_numpy()):
        formula = replace(found, coefficients=pd.Series(draw, found.coefficients.index)).formula
        teams = na.need_index(formula.expected_use(who), base="icb").teams
        assert sure.draws.iloc[number].to_numpy() == pytest.approx(teams["need_index_icb"].to_numpy())
    assert {"index_low", "rank_high", "chance_above_1", "weighted_population"} <= set(sure.table)
    assert sorted(sure.table["rank"].dropna()) == [1.0, 2.0]
    assert np.isnan(sure.table.at["U", "rank"])  # practices of no team have none
    flat = uncertainty_on_flows(
        found, who, draws=2, base="icb", adapt=lambda f: f.hold({"age": 50, "imd_score": 20})
    )
    assert flat.draws.to_numpy() == pytest.approx(np.ones((2, 3)))
    with pytest.raises(InvalidValueError, match="take the teams of one ICB"):
        uncertainty_on_flows(found, who, draws=10**7, base="icb")
