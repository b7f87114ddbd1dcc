"""Small areas' rates: shrinkage laws, totals, intervals that cover, ranks, and what R finds."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from scipy.stats import gamma, nbinom

from needsalloc import errors
from needsalloc.kernels import shrinkage
from needsalloc.small_areas import small_area_rates
from small_worlds import WHOLE, law, need

LIPS = json.loads((Path(__file__).parent / "r" / "lip_cancer.json").read_text())
DISTRICT = pd.Index([f"D{at:02}" for at in range(56)])
CASES, EXPECTED, OUTDOORS = (
    pd.Series(LIPS[name], DISTRICT, dtype=float) for name in ("cases", "expected", "outdoors")
)


def areas(values: list[float]) -> pd.Series:
    return pd.Series(values, [f"A{at}" for at in range(len(values))], dtype=float)


PEOPLE_OF_100 = areas([50.0] * 100)


def made(seed: int, n: int, phi: float) -> tuple[pd.Series, pd.Series, np.ndarray]:
    """Counts, expected counts and true rates of areas whose relative rates are gamma with variance phi."""
    rng = np.random.default_rng(seed)
    expected = rng.uniform(0.5, 40, n)
    truth = expected * rng.gamma(1 / phi, phi, n)
    return areas(rng.poisson(truth)), areas(expected), truth


# Known answers


@pytest.mark.parametrize("alone", [True, False])
def test_scottish_lip_cancer_is_shrunk_as_by_r(alone):
    answer = LIPS["alone" if alone else "on_outdoors"]
    # R predicts from people = expected; what is expected, and a table without covariates, are the same model.
    given = {"expected": EXPECTED} if alone else {"covariates": OUTDOORS.to_frame("outdoors")}
    found = small_area_rates(CASES, EXPECTED, **given)
    table, to = found.table, {"rtol": 1e-6}  # glm.nb stops at about 1e-8 of theta
    np.testing.assert_allclose(1 / found.overdispersion, answer["theta"], **to)
    np.testing.assert_allclose(table["shrunk_rate"], answer["relative_risk"], **to)
    factor = found.groups["factor"].item()
    np.testing.assert_allclose(table["rate_low"], factor * np.array(answer["low"]), **to)
    np.testing.assert_allclose(table["rate_high"], factor * np.array(answer["high"]), **to)


def test_the_likelihood_is_the_negative_binomial_s():
    counts, expected, _ = made(5, 200, 0.3)
    fitted = shrinkage.fit(counts.to_numpy(), expected.to_numpy(), np.ones((200, 1)))

    def log_likelihood(log_level: float, phi: float) -> float:
        mu = expected * np.exp(log_level)
        return nbinom.logpmf(counts, 1 / phi, 1 / (1 + phi * mu)).sum()

    best = fitted.coefficients[0], fitted.overdispersion
    for step in (-0.01, 0.01):
        assert log_likelihood(best[0] + step, best[1]) < log_likelihood(*best)
        assert log_likelihood(best[0], best[1] * (1 + step)) < log_likelihood(*best)


# Laws

COUNTS = st.lists(st.integers(0, 400), min_size=2, max_size=25).filter(sum)


@law(COUNTS, st.integers(0, 2**16), st.integers(1, 4), examples=60)
def test_totals_hold_and_rates_lie_between_own_and_expected(counts, seed, many):
    rng = np.random.default_rng(seed)
    observed = areas(counts)
    people = areas(rng.uniform(1, 5_000, len(counts)))
    group = pd.Series(rng.integers(0, many, len(counts)), observed.index).map("G{}".format)
    found = small_area_rates(observed, people, groups=group)
    table = found.table
    by_group = (table["rate"] * people).groupby(group).sum()
    np.testing.assert_allclose(by_group, observed.groupby(group).sum(), rtol=1e-12, atol=1e-12)
    low, high = (np.sort(table[["own_rate", "expected_rate"]], axis=1)[:, at] for at in (0, 1))
    # To the rounding of one sum and one ratio.
    assert (table["shrunk_rate"] >= low * (1 - 1e-12)).all()
    assert (table["shrunk_rate"] <= high * (1 + 1e-12)).all()
    weight = table["own_weight"]
    mixed = weight * table["own_rate"] + (1 - weight) * table["expected_rate"]
    np.testing.assert_allclose(mixed, table["shrunk_rate"], rtol=1e-9, atol=1e-12)
    assert (table["rate_low"] <= table["rate_high"]).all()


@law(st.integers(0, 2**16), examples=20)
def test_more_people_are_shrunk_less(seed):
    counts, expected, _ = made(seed, 60, 0.4)
    table = small_area_rates(counts, expected).table.sort_values("people")
    assert table["own_weight"].is_monotonic_increasing


def test_counts_that_vary_by_chance_alone_are_all_expected():
    counts, people = areas([10, 11, 9, 20, 19]), areas([100, 100, 100, 200, 200])
    found = small_area_rates(counts, people)
    assert found.overdispersion == 0
    np.testing.assert_allclose(found.table["rate"], 69 / 700)
    assert (found.table["flag"] == "mostly expected").all()
    assert (found.ranks()["chance_of_top"] == [1, 0, 0, 0, 0]).all()  # equal rates: the first of them


def test_huge_counts_keep_their_own_rate():
    counts = areas([1e7, 2e7, 4e7, 3e7])
    table = small_area_rates(counts, areas([1e8] * 4)).table
    np.testing.assert_allclose(table["rate"], table["own_rate"], rtol=1e-5)  # 1 / (phi expected) is 1e-6
    assert (table["flag"] == "").all()


def test_counts_in_series_are_shrunk_more():
    counts, expected, _ = made(3, 400, 0.3)
    contacts = counts * 10
    once = small_area_rates(contacts, expected, interval="off")
    series = small_area_rates(contacts, expected, dispersion=10, interval="off")
    persons = small_area_rates(counts, expected, interval="off")
    assert series.overdispersion == pytest.approx(persons.overdispersion)
    np.testing.assert_allclose(series.table["rate"], 10 * persons.table["rate"])
    assert (series.table["own_weight"] < once.table["own_weight"]).all()


def test_the_level_of_what_is_expected_does_not_matter():
    counts, expected, _ = made(4, 100, 0.3)
    one, other = (small_area_rates(counts, PEOPLE_OF_100, expected=expected * k) for k in (1, 7))
    pd.testing.assert_frame_equal(one.table, other.table, rtol=1e-8)


# Intervals and ranks


def test_intervals_cover_the_true_rates_as_often_as_they_say():
    counts, expected, truth = made(11, 4_000, 0.25)
    for interval, share, error in (("95", 0.95, 0.0034), ("99.8", 0.998, 0.0007)):
        table = small_area_rates(counts, expected, interval=interval).table
        covered = ((table["rate_low"] <= truth / expected) & (truth / expected <= table["rate_high"])).mean()
        assert abs(covered - share) < 4 * error  # four standard errors of a share of 4,000


def test_intervals_are_off_where_asked():
    counts, expected, _ = made(1, 30, 0.2)
    found = small_area_rates(counts, expected, interval="off")
    assert "rate_low" not in found.table
    assert "no intervals" in repr(found)


def test_ranks_are_those_of_gamma_draws():
    counts, expected, _ = made(2, 40, 0.5)
    found = small_area_rates(counts, expected)
    ranks = found.ranks(draws=4_000, seed=8, top=0.25)
    # The chance that one area is above another, by numerical integration over the other's posterior.
    shape = 1 / found.overdispersion + counts.to_numpy()
    posterior = gamma(shape, scale=found.table["rate"].to_numpy() / shape)
    grid = (np.arange(2_000) + 0.5) / 2_000
    at = posterior.ppf(grid[:, None])
    above = np.array([[(1 - gamma(shape[j], scale=posterior.kwds["scale"][j]).cdf(at[:, i])).mean()
                       for j in range(40)] for i in range(40)])  # fmt: skip
    np.fill_diagonal(above, 0)
    expected_rank = 1 + above.sum(axis=1)
    # The standard error of a mean of 4,000 ranks is under 0.18 (SD of 40 equal chances 11.5).
    np.testing.assert_allclose(ranks["mean_rank"], expected_rank, atol=0.6)
    assert ranks["chance_of_top"].sum() == pytest.approx(10)
    assert ((ranks["rank_low"] <= ranks["mean_rank"]) & (ranks["mean_rank"] <= ranks["rank_high"])).all()
    assert sorted(ranks["rank"]) == list(range(1, 41))


def test_ranks_do_not_depend_on_the_block_in_which_they_are_drawn(monkeypatch):
    counts, expected, _ = made(6, 50, 0.5)
    found = small_area_rates(counts, expected)
    whole = found.ranks(seed=3)
    pd.testing.assert_frame_equal(whole, found.ranks(seed=3))
    assert not whole.equals(found.ranks(seed=4))
    monkeypatch.setattr(shrinkage, "_BLOCK", 170)
    pd.testing.assert_frame_equal(whole, found.ranks(seed=3))


@pytest.mark.slow
def test_all_areas_of_england_are_ranked_in_bounded_memory():
    import tracemalloc

    counts, expected, _ = made(9, 33_755, 0.1)
    found = small_area_rates(counts, expected)
    tracemalloc.start()
    ranks = found.ranks(draws=1_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(ranks) == 33_755
    # Ranks in two bytes are 68 MB, and draws are held 32 MB at a time; all draws at once would be 270 MB.
    assert peak < 250e6


def test_flags_follow_the_stated_rule():
    counts, expected, _ = made(7, 300, 0.2)
    table = small_area_rates(counts, expected).table
    imprecise = table["flag"].str.contains("imprecise")
    mostly = table["flag"].str.contains("mostly expected")
    assert (imprecise == (table["relative_error"] > 0.3)).all()
    assert (mostly == (table["own_weight"] < 0.5)).all()
    assert set(table["flag"]) >= {"", "mostly expected"}


def test_a_group_that_counts_nobody_is_named():
    counts, people = areas([0, 0, 9, 30]), areas([50, 50, 100, 100])
    found = small_area_rates(counts, people, groups=pd.Series(["a", "a", "b", "b"], counts.index))
    assert (found.table["rate"].iloc[:2] == 0).all()
    assert any(note.what.startswith("1 groups count nobody") for note in found.notes)


def test_it_says_what_it_is():
    found = small_area_rates(CASES, EXPECTED)
    assert "56 areas, 536 counted among 536" in repr(found)
    assert "<table" in found._repr_html_()


# Bad input


def test_a_published_index_is_not_shrunk():
    index = need(WHOLE)
    with pytest.raises(errors.FormulaError, match="is not shrunk"):
        small_area_rates(index, areas([1.0, 2.0]))
    column = index.teams["need_index_icb"]
    with pytest.raises(errors.InvalidValueError, match="need_index_icb"):
        small_area_rates(column, column)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"observed": areas([1.5, 2, 3])}, errors.InvalidValueError, "1 of 3 .* not whole: A0"),
        ({"observed": areas([-1, 2, 3])}, errors.InvalidValueError, "negative"),
        ({"observed": areas([np.nan, 2, 3])}, errors.InvalidValueError, "missing"),
        ({"observed": areas([0, 0, 0])}, errors.InvalidValueError, "0 cases in 3 areas"),
        ({"observed": [1, 2, 3]}, errors.InvalidValueError, "pandas Series"),
        ({"observed": pd.Series([1, 2], ["A0", "A0"])}, errors.InvalidValueError, "stand twice"),
        ({"people": areas([0, 2, 3])}, errors.InvalidValueError, "not above 0: A0"),
        ({"people": areas([1, 2])}, errors.UnknownCodeError, "1 of 3 areas .*the people: A2"),
        ({"expected": areas([1, np.inf, 3])}, errors.InvalidValueError, "the expected counts"),
        (
            {"groups": pd.Series(["a", None, "b"], ["A0", "A1", "A2"])},
            errors.UnknownCodeError,
            "no group: A1",
        ),
        ({"interval": "90"}, errors.InvalidValueError, '"99.8"'),
        ({"dispersion": 0.0}, errors.InvalidValueError, "dispersion"),
        ({"covariates": areas([1, 1, 1]).to_frame("x")}, errors.InvalidValueError, "constant or repeat"),
        ({"covariates": areas([1, np.nan, 1]).to_frame("x")}, errors.InvalidValueError, "lack a covariate"),
        (
            {"covariates": areas([1, 2, 4]).to_frame("x"), "expected": areas([1, 2, 3])},
            errors.InvalidValueError,
            "not both",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(change, error, words):
    given = {"observed": areas([1, 2, 3]), "people": areas([10, 10, 10])} | change
    with pytest.raises(error, match=words) as raised:
        small_area_rates(**given)
    assert re.search(r"\.$", str(raised.value))


@pytest.mark.parametrize("options", [{"draws": 10}, {"top": 1.0}])
def test_too_few_draws_or_no_share_are_refused(options):
    with pytest.raises(errors.InvalidValueError, match="100 draws or more"):
        small_area_rates(CASES, EXPECTED).ranks(**options)
