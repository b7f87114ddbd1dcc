"""Contacts over what need expects: limits by hand, against exact Poisson ones, and on made-up teams."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.integrate import quad

import needsalloc as na
from needsalloc import errors, synthetic
from needsalloc.kernels.funnel import funnel
from needsalloc.observed import observed_over_expected


@pytest.fixture(scope="module")
def index() -> na.NeedIndex:
    england = synthetic.england()
    of = na.Catchment.from_registrations(england.registrations, england.membership)
    files = {name: getattr(england, name) for name in ("population", "deprivation", "lists", "conditions")}
    formula = na.NeedFormula.published("district-nursing/liverpool-2024")
    return na.need_index(formula.expected_use(na.build_people(of, **files)), base="icb")


def test_limits_by_hand():
    # Of 100 expected s is 1/20, so that sqrt(O/E) of 1.2, 1, 1, 1 and 0.8 have z of 4, 0, 0, 0 and -4; their
    # 10th and 90th percentiles are -2.4 and 2.4, and phi (5.76 + 5.76) / 5 = 2.304 over that of normal z.
    drawn_in = quad(lambda z: np.clip(z, *stats.norm.ppf([0.1, 0.9])) ** 2 * stats.norm.pdf(z), -9, 9)[0]
    found = funnel(np.array([144.0, 100, 100, 100, 64]), np.full(5, 100.0))
    assert found.phi == pytest.approx(2.304 / drawn_in, rel=1e-7)  # of the integral
    # w = 400 each
    tau_squared = (5 * 2.304 / drawn_in - 4) / (2000 - 400)
    assert found.tau_squared == pytest.approx(tau_squared, rel=1e-7)
    low, high = found.limits(0.95)
    reach = 1.959963984540054 * np.sqrt(0.0025 + tau_squared)
    np.testing.assert_allclose((low, high), [[(1 - reach) ** 2] * 5, [(1 + reach) ** 2] * 5], rtol=1e-7)


def test_teams_that_differ_by_chance_alone_have_the_limits_of_poisson():
    expected = np.array([50.0, 100, 1_000, 20_000])
    found = funnel(expected, expected)
    assert (found.phi, found.tau_squared) == (0, 0)
    for level in (0.95, 0.998):
        # Counts are whole and skewed: the limits are within two of the exact ones.
        low, high = found.limits(level)
        np.testing.assert_allclose(low * expected, stats.poisson.ppf((1 - level) / 2, expected), atol=2)
        np.testing.assert_allclose(high * expected, stats.poisson.ppf((1 + level) / 2, expected), atol=2)


def test_teams_that_differ_anyhow_are_as_often_outside_as_said():
    rng = np.random.default_rng(4)
    expected = rng.uniform(2_000, 30_000, 4_000)
    observed = rng.poisson(expected * rng.gamma(100, 0.01, 4_000)).astype(float)
    found = funnel(observed, expected)
    # Ratios have an SD of a tenth; on the scale of roots half of it. Teams of all sizes have z of all sizes,
    # of which the percentiles take more than of normal ones.
    assert np.sqrt(found.tau_squared) == pytest.approx(0.05, rel=0.1)
    low, high = found.limits(0.95)
    outside = np.mean((observed / expected < low) | (observed / expected > high))
    assert 0.045 <= outside <= 0.08
    # Of one size they are as often outside as the level says, but for the draw.
    alike = np.full(4_000, 9_000.0)
    drawn = rng.poisson(alike * rng.gamma(100, 0.01, 4_000)) / alike
    low, high = funnel(drawn * alike, alike).limits(0.95)
    assert np.mean((drawn < low) | (drawn > high)) == pytest.approx(0.05, abs=0.012)
    # By chance alone nearly all would be.
    near = 1 + 1.96 / np.sqrt(expected)
    assert np.mean(observed / expected > near) > 0.3


def test_no_limit_is_below_nought():
    low, high = funnel(np.array([0.0, 9]), np.array([0.5, 8.5])).limits(0.998)
    assert low[0] == 0
    assert (high > 1).all()


def test_contacts_in_proportion_to_need_are_as_expected(index):
    teams = index.teams[index.teams["is_team"]]
    contacts = 3 * teams["registered_adults"] * teams["expected_use"]
    found = observed_over_expected(contacts, index)
    assert list(found.table) == [
        "team_name", "contacts", "expected", "observed_over_expected",
        "low_95", "high_95", "low_99_8", "high_99_8",
    ]  # fmt: skip
    np.testing.assert_allclose(found.table["observed_over_expected"], 1)
    assert len(found.outside()) == 0
    assert "too few" not in repr(found)


def test_one_team_with_twice_the_contacts_stands_out(index):
    teams = index.teams[index.teams["is_team"]]
    contacts = teams["registered_adults"] * teams["expected_use"]
    contacts.iloc[3] *= 2
    found = observed_over_expected(contacts.round(), index)
    assert found.outside("99_8").tolist() == [teams.index[3]]
    assert found.table["expected"].sum() == pytest.approx(contacts.round().sum())
    assert (found.table["low_99_8"] < found.table["low_95"]).all()
    assert (found.table["high_99_8"] > found.table["high_95"]).all()
    assert "1 outside limits of 95 %, 1 of 99.8 %" in repr(found)
    assert "<table" in found._repr_html_()
    # The others are compared with each other where a team is left out.
    others = observed_over_expected(contacts.drop(teams.index[3]).round().to_dict(), index)
    np.testing.assert_allclose(others.table["observed_over_expected"], 1, rtol=1e-3)  # whole contacts
    assert "too few teams" in repr(others)


@pytest.mark.parametrize(
    ("contacts", "error", "message"),
    [
        ({"P9": 1.0}, errors.UnknownCodeError, "1 of 1 teams with contacts are not among"),
        ({"U90001": -1.0, "U90002": 5.0}, errors.InvalidValueError, "missing or negative: U90001"),
        ({"U90001": np.nan, "U90002": 5.0}, errors.InvalidValueError, "missing or negative: U90001"),
        ({"U90001": 5.0}, errors.InvalidValueError, "two teams or more"),
        ({"U90001": 0.0, "U90002": 0.0}, errors.InvalidValueError, "some of them above 0"),
        (
            pd.Series([1.0, 2], ["U90001"] * 2),
            errors.InvalidValueError,
            "1 teams stand twice in the contacts",
        ),
    ],
)
def test_contacts_that_cannot_be_are_refused(index, contacts, error, message):
    with pytest.raises(error, match=message):
        observed_over_expected(contacts, index)
