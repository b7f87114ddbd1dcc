"""What is in place: carried from practices and areas with its total, by pay band, and at what cost."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from needsalloc import errors
from needsalloc.allocate import allocate
from needsalloc.cost import plan_cost
from needsalloc.in_place import carry_current
from needsalloc.skills import skill_mix
from small_worlds import CODES, PRACTICES, WHOLE, catchment, law, worlds

FIGURES = ["current", "vacancies", "fte_band_5"]


def by_practice(practices, seed=1):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"practice": list(practices), "current": rng.uniform(0, 4, len(practices))})
    return frame.assign(
        vacancies=0.1 * frame["current"], fte_band_5=frame["current"] / 2, basis="in post", on="2026-06-30"
    )


@law(worlds(), st.integers(0, 9))
def test_posts_of_practices_are_all_somewhere(world, seed):
    of = catchment(world)
    given = by_practice(of.practices, seed)
    found = carry_current(given, of)
    np.testing.assert_allclose(found[FIGURES].sum(), given[FIGURES].sum(), rtol=1e-12)
    team = pd.Series(of.teams.index[of.team_of_practice], of.practices)
    expected = given.groupby(given["practice"].map(team))["current"].sum()
    got = found.set_index("team")["current"]
    np.testing.assert_allclose(got.reindex(expected.index), expected, rtol=1e-12)
    assert set(found["basis"]) == {"in post"}


@law(worlds(), st.integers(0, 9))
def test_posts_of_areas_follow_residents(world, seed):
    of = catchment(world)
    rng = np.random.default_rng(seed)
    given = pd.DataFrame({of.areas.name: of.areas, "current": rng.uniform(0, 4, len(of.areas))})
    found = carry_current(given, of).set_index("team")["current"]
    assert found.sum() == pytest.approx(given["current"].sum(), rel=1e-12)
    # Plain pandas: each area's posts by the share of its patients with each team.
    flows = of.to_frame()
    part = flows["registered"] / flows.groupby(of.areas.name, observed=True)["registered"].transform("sum")
    at = flows[of.areas.name].map(given.set_index(of.areas.name)["current"]).astype(float)
    expected = (part * at).groupby(flows["team"]).sum()
    expected = expected[expected > 0]
    np.testing.assert_allclose(found.reindex(expected.index), expected, rtol=1e-9)


def test_where_teams_are_whole_areas_posts_follow_the_patients_of_a_practice():
    of = WHOLE.with_method("first_past_the_post")
    given = by_practice(PRACTICES)
    found = carry_current(given, of).set_index("team")
    np.testing.assert_allclose(found[FIGURES].sum(), given[FIGURES].sum(), rtol=1e-12)
    # By hand for one practice: its patients by area, each area wholly of one team.
    one = given.iloc[:1]
    patients = WHOLE.registered.toarray()[:, list(WHOLE.practices).index(one["practice"].item())]
    team = of.teams.index[of.resident_share.toarray().argmax(axis=1)]
    expected = pd.Series(patients / patients.sum() * one["current"].item()).groupby(np.asarray(team)).sum()
    got = carry_current(one, of).set_index("team")["current"]
    np.testing.assert_allclose(got.reindex(expected.index).fillna(0), expected, rtol=1e-12, atol=1e-15)


def test_a_plan_takes_what_was_carried():
    found = carry_current(by_practice(PRACTICES), WHOLE)
    need = WHOLE.teams.assign(weighted_population=WHOLE.populations()["registered"])
    plan = allocate(10, need, current=found)
    assert (plan.basis, plan.on) == ("in post", "2026-06-30")
    assert plan.table["current"].sum() == pytest.approx(found["current"].sum())
    np.testing.assert_allclose(plan.table["vacancies"].dropna().sum(), found["vacancies"].sum())


GIVEN = by_practice(PRACTICES)


@pytest.mark.parametrize(
    ("current", "of", "error", "says"),
    [
        (GIVEN.drop(columns="current"), WHOLE, errors.MissingColumnError, "practice or lsoa21, and current"),
        (GIVEN.drop(columns="practice"), WHOLE, errors.MissingColumnError, "practice or lsoa21"),
        (GIVEN.assign(practice="X9"), WHOLE, errors.UnknownCodeError, "1 practices.*X9.*would be lost"),
        (GIVEN.assign(current=-1.0), WHOLE, errors.InvalidValueError, "missing or negative"),
        (GIVEN.assign(vacancies=np.nan), WHOLE, errors.InvalidValueError, "missing or negative"),
        (
            GIVEN.assign(basis=["paid", *["in post"] * (len(GIVEN) - 1)]),
            WHOLE,
            errors.InvalidValueError,
            "paid, in post",
        ),
        (
            GIVEN.assign(on=["2025-01-01", *["2026-01-01"] * (len(GIVEN) - 1)]),
            WHOLE,
            errors.InvalidValueError,
            "one day",
        ),
        (
            pd.DataFrame({"lsoa21": CODES, "current": 1.0}),
            WHOLE.with_method("threshold", share=0.01),
            errors.InvalidValueError,
            "8 posts became.*several teams",
        ),
    ],
)
def test_figures_that_cannot_be_carried_are_refused(current, of, error, says):
    with pytest.raises(error, match=says):
        carry_current(current, of)


TEAMS = pd.Index(["P0", "P1"], name="team")
MIX = skill_mix(
    allocate(10, pd.DataFrame({"weighted_population": [6.0, 4.0]}, TEAMS)),
    pd.DataFrame({"band_3": [0.5, 0.25], "band_6": [0.5, 0.75]}, TEAMS),
)
BANDS = pd.DataFrame({"team": TEAMS, "fte_band_3": [2.0, 2.5], "fte_band_6": [3.0, 2.0], "basis": "paid"})
COSTS = {"band_3": 30_000.0, "band_6": 50_000.0}


def test_cost_by_hand():
    found = plan_cost(MIX, BANDS, COSTS, source="payroll, June 2026")
    # Six and four posts: 3 + 3 and 1 + 3.
    assert found.table["cost_now"].to_list() == [210_000, 175_000]
    assert found.table["cost_of_plan"].to_list() == [240_000, 180_000]
    assert found.table["change"].to_list() == [30_000, 5_000]
    assert found.bands["change"].to_list() == [-0.5, 1]
    assert found.bands["cost_change"].to_list() == [-15_000, 50_000]
    assert "420,000, where what is in place (paid) costs 385,000; unit costs: payroll" in repr(found)


@pytest.mark.parametrize(
    ("current", "costs", "source", "error", "says"),
    [
        (BANDS[["team"]], COSTS, "x", errors.MissingColumnError, "fte_band_3"),
        (BANDS.assign(fte_band_7=1.0), COSTS, "x", errors.UnknownCodeError, "not in the mix: band_7"),
        (BANDS, {"band_3": 1.0}, "x", errors.UnknownCodeError, "without a unit cost: band_6"),
        (BANDS.iloc[:1], COSTS, "x", errors.UnknownCodeError, "1 teams.*P1"),
        (BANDS.assign(team=["P0", "P9"]), COSTS, "x", errors.UnknownCodeError, "2 teams.*P1, P9"),
        (BANDS, {**COSTS, "band_3": -1.0}, "x", errors.InvalidValueError, "above 0"),
        (BANDS, COSTS, "", errors.InvalidValueError, "with a source"),
        (
            BANDS.assign(fte_band_3=np.nan),
            COSTS,
            "x",
            errors.InvalidValueError,
            "2 teams.*missing or negative",
        ),
        (BANDS.assign(basis=["paid", "in post"]), COSTS, "x", errors.InvalidValueError, "paid, in post"),
    ],
)
def test_costs_that_cannot_be_are_refused(current, costs, source, error, says):
    with pytest.raises(error, match=says):
        plan_cost(MIX, current, costs, source=source)
