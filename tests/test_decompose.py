"""A need index taken apart: against every order of entry, with use written out person by person; and laws."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

import needsalloc as na
from needsalloc import errors, geography, gradients
from needsalloc.ages import BANDS
from needsalloc.decompose import Decomposition, decompose
from needsalloc.kernels import shapley
from small_worlds import (
    AREAS,
    CODES,
    FORMULA,
    PRACTICES,
    SUPPLY,
    WHOLE,
    catchment,
    law,
    membership,
    people,
    registrations,
    with_ages,
    worlds,
)

ALIKE = ["dementia", "copd"]


def by_every_order(value: np.ndarray, players: int) -> np.ndarray:
    """Shapley's value by its definition: what each player adds on entering, over all orders (…, players)."""
    order = np.array(list(itertools.permutations(range(players))))
    after = np.cumsum(1 << order, axis=1)
    gain = value[..., after] - value[..., after - (1 << order)]
    return np.stack([gain[..., order == i].mean(axis=-1) for i in range(players)], axis=-1)


# The kernel


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_dividends_of_differences_give_the_value_over_every_order(players, seed):
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=2**players)
    own, base = rng.random((2, players))
    within = shapley.members(players)
    assert within.tolist() == [[bool(n >> j & 1) for j in range(players)] for n in range(2**players)]

    def at(frequency: np.ndarray) -> float:
        return np.prod(np.where(within, frequency, 1 - frequency), axis=1) @ mean

    value = np.array([at(np.where(these, own, base)) for these in within])
    slopes = shapley.differences(mean, base)
    dividends = slopes * np.prod(np.where(within, own - base, 1.0), axis=1)
    found = shapley.shares(dividends, players)
    np.testing.assert_allclose(found, by_every_order(value, players), rtol=0, atol=1e-12)
    assert found.sum() == pytest.approx(value[-1] - value[0], abs=1e-12)


def test_a_player_without_effect_gets_nothing_and_equal_players_the_same():
    # v is 1 with any of players 0 and 1, and player 2 is of no account.
    value = np.array([0, 1, 1, 1, 0, 1, 1, 1], dtype=float)
    dividends = np.array([0, 1, 1, -1, 0, 0, 0, 0], dtype=float)
    np.testing.assert_allclose(shapley.shares(dividends, 3), [0.5, 0.5, 0], atol=1e-15)
    np.testing.assert_allclose(by_every_order(value, 3), [0.5, 0.5, 0], atol=1e-15)


# A small world, person by person

AGES = np.array([30, 62, 88])
TEAMS = {PRACTICES[0]: "P1", PRACTICES[1]: "P1", PRACTICES[2]: "P2"}


def three_ages() -> na.People:
    """Three areas, three practices, two teams, three ages."""
    rows = [
        (PRACTICES[0], CODES[0], 900), (PRACTICES[0], CODES[1], 300), (PRACTICES[1], CODES[1], 500),
        (PRACTICES[1], CODES[2], 80), (PRACTICES[2], CODES[2], 700), (PRACTICES[2], CODES[0], 40),
    ]  # fmt: skip
    who = people(catchment((registrations(rows), membership(TEAMS))))
    age_mix = np.zeros((3, 91))
    age_mix[:, AGES] = [[0.5, 0.3, 0.2], [0.3, 0.3, 0.4], [0.7, 0.25, 0.05]]
    age_mix[:, 9] = [0.1, 0.2, 0.3]
    age_mix /= age_mix.sum(axis=1, keepdims=True)
    alike = with_ages(replace(who, imd_score=np.array([12.0, 30.0, 65.0])), age_mix)
    # Patients of an area are of other ages at each practice.
    of_flow = alike.ages.people["registered"] * np.random.default_rng(3).uniform(0.5, 2, (6, len(BANDS)))
    return replace(alike, ages=replace(alike.ages, people={"registered": of_flow, "resident": of_flow}))


def use_by_pattern(who: na.People) -> np.ndarray:
    """(ages, sexes, areas, patterns of the practices' conditions): from the formula's prediction of each."""
    own = list(who.prevalence)
    held = [term for term in gradients.conditions() if term not in own]
    years = gradients.mid_year(AGES)
    has = np.array(list(itertools.product([0.0, 1.0], repeat=len(held))))
    patterns = np.array([[n >> j & 1 for j in range(len(own))] for n in range(2 ** len(own))], dtype=float)
    found = np.empty((len(AGES), 2, len(who.imd_score), len(patterns)))
    for (a, age), (sex, female), (area, score) in itertools.product(
        enumerate(years), enumerate([1.0, 0.0]), enumerate(who.imd_score)
    ):
        share = np.array([gradients.reference_curve(term, years)[a] for term in held])
        weight = np.prod(np.where(has == 1, share, 1 - share), axis=1)
        rows = pd.DataFrame(np.repeat(has, len(patterns), axis=0), columns=held)
        rows[own] = np.tile(patterns, (len(has), 1))
        rows = rows.assign(
            age=age, female=female, imd_score=score, log_days_alive=math.log(365), **{SUPPLY: 4.17}
        )
        for term in gradients.counts():
            rows[term] = gradients.reference_curve(term, years)[a]
        found[a, sex, area] = weight @ FORMULA.predict(rows).to_numpy().reshape(len(has), -1)
    return found


def curve(share: float, ages: np.ndarray, term: str) -> np.ndarray:
    """Prevalence at the three ages: log odds linear in age, the practice's share met over `ages`."""
    slope_z = gradients.slope(term) * (gradients.mid_year(AGES) - 47.11) / 18.61

    def at(constant: float) -> np.ndarray:
        return 1 / (1 + np.exp(-constant - slope_z))

    return at(brentq(lambda c: ages @ at(c) - share, -30, 30, xtol=1e-14))


def every_coalition(who: na.People) -> tuple[np.ndarray, np.ndarray]:
    """Mean use of P1, P2 and everybody in every coalition (3, coalitions), and the adults of each (3,)."""
    own, use = list(who.prevalence), use_by_pattern(who)
    flows = who.ages.pattern.tocoo()
    by_age = who.ages.people["registered"][:, np.searchsorted(BANDS, AGES, side="right") - 1]
    women = who.female_share[:, AGES]
    sexes = np.stack([women, 1 - women], axis=-1)
    kinds = by_age[:, :, None] * sexes[flows.col]
    of_practice = np.array([by_age[flows.col == p].sum(axis=0) for p in range(3)])
    having = np.array(
        [
            [curve(who.prevalence[t].iloc[p], of_practice[p] / of_practice[p].sum(), t) for t in own]
            for p in range(3)
        ]
    )
    base_kinds = kinds.sum(axis=0) / kinds.sum()
    base_scores = np.bincount(flows.row, kinds.sum(axis=(1, 2))) / kinds.sum()
    base_having = np.einsum("pa,pja->ja", of_practice, having) / of_practice.sum(axis=0)
    patterns = shapley.members(len(own))
    sets = shapley.members(2 + len(own))
    value = np.zeros((3, len(sets)))
    team = who.catchment.team_of_practice
    for number, (age, score, *conditions) in enumerate(sets):
        for flow, (area, practice) in enumerate(zip(flows.row, flows.col, strict=True)):
            adults = kinds[flow].sum()
            here = kinds[flow] / adults if age else base_kinds
            scores = np.eye(3)[area] if score else base_scores
            share = np.where(np.array(conditions)[:, None], having[practice], base_having)
            frequency = np.prod(np.where(patterns[:, :, None], share, 1 - share), axis=1)
            mean = np.einsum("as,r,xa,asrx->", here, scores, frequency, use)
            for row in (team[practice], 2):
                value[row, number] += adults * mean
    of_flow = kinds.sum(axis=(1, 2))
    size = np.array([*np.bincount(team[flows.col], of_flow), of_flow.sum()])
    return value / size[:, None], size


def test_contributions_are_those_of_every_order_with_use_person_by_person():
    who = three_ages()
    value, size = every_coalition(who)
    need = na.need_index(FORMULA.expected_use(who), base="icb")
    assert need.base.adults == pytest.approx(size[2])
    assert need.base.mean_use == pytest.approx(value[2, -1], rel=1e-6)
    found = decompose(need)
    players = list(found.players)
    assert players == ["age_and_sex", "deprivation", *who.prevalence]
    assert len(players) == 8
    expected = by_every_order(value / value[2, -1], 8)
    np.testing.assert_allclose(found.joint, expected[2], rtol=0, atol=1e-7)
    np.testing.assert_allclose(found.table[players], expected[:2] - expected[2], rtol=0, atol=1e-7)
    # What was compared is more than rounding: two teams with something of everything.
    assert (found.table[players].abs() > 1e-4).all(axis=None)
    assert abs(found.joint.sum()) > 1e-3
    # 1 - v(none), everybody having the base's ages, scores and conditions independently of each other.
    assert found.joint.sum() == pytest.approx(1 - value[2, 0] / value[2, -1], abs=1e-7)


# Laws


def adds_up(found: Decomposition) -> pd.DataFrame:
    """The teams that have people, after a check that their rows add up."""
    table, column = found.table, found.need.column
    players = table[list(found.players)]
    some = found.need.teams["expected_use"].notna()
    assert players.notna().all(axis=1).equals(some)
    pd.testing.assert_series_equal(table[column], found.need.teams[column])
    total = (table["base"] + players.sum(axis=1, skipna=False))[some]
    np.testing.assert_allclose(total, table[column][some], rtol=1e-12, atol=1e-10)
    return table[some]


@law(worlds(), st.sampled_from(["registered", "resident"]), examples=12)
def test_every_row_sums_to_its_index_and_every_player_to_nothing_over_the_base(world, whose):
    need = na.need_index(FORMULA.expected_use(people(catchment(world))), base="icb", people=whose)
    found = decompose(need)
    table = adds_up(found)
    adults = need.teams.loc[table.index, f"{whose}_adults"]
    mean = table[list(found.players)].T @ adults / adults.sum()
    np.testing.assert_allclose(mean, 0, atol=1e-10)


@pytest.mark.parametrize("method", ["first_past_the_post", "threshold", "cumulative"])
def test_teams_of_whole_areas(method):
    use = FORMULA.expected_use(people(WHOLE))
    need = na.need_index(use, base="icb", people="resident", catchment=WHOLE.with_method(method))
    found = decompose(need)
    table = adds_up(found)
    mean = table[list(found.players)].T @ need.teams.loc[table.index, "resident_adults"]
    np.testing.assert_allclose(mean / need.base.adults, 0, atol=1e-10)


def test_teams_of_areas_are_taken_apart_as_the_same_teams_of_practices():
    """Where each area has a practice of its own, teams of either are the same people."""
    rows = [(p, CODES[n], 300 + 50 * n) for n, p in enumerate(PRACTICES[:6])]
    of = catchment((registrations(rows), membership({p: f"P{n % 2}" for n, p in enumerate(PRACTICES[:6])})))
    use = FORMULA.expected_use(people(of))
    by_practice = decompose(na.need_index(use, base="icb", people="resident"))
    of_areas = of.regroup(pd.Series(["P0", "P1"] * 3, index=pd.Index(CODES[:6], name=of.areas.name)))
    by_area = decompose(na.need_index(use, base="icb", people="resident", catchment=of_areas))
    players = list(by_area.players)
    table = adds_up(by_area).loc[["P0", "P1"], players]
    assert (table.abs() > 1e-6).all(axis=None)
    np.testing.assert_allclose(table, by_practice.table.loc[["P0", "P1"], players], atol=1e-13)
    np.testing.assert_allclose(by_area.joint, by_practice.joint, atol=1e-13)


@pytest.mark.parametrize("whose", ["registered", "resident"])
def test_england_is_the_base_of_a_whole_england(monkeypatch, whose):
    monkeypatch.setitem(geography.AREAS_OF_ENGLAND, "lsoa21", AREAS)
    need = na.need_index(FORMULA.expected_use(people(WHOLE)), base="england", people=whose)
    found = decompose(need)
    assert found.table.columns[-1] == "need_index_england"
    adds_up(found)


def test_one_icb_of_several_is_the_base_of_all():
    icbs = {p: "QAA" if n % 2 else "QBB" for n, p in enumerate(PRACTICES)}
    rows = [(p, CODES[n % AREAS], 300 + 7 * n) for n, p in enumerate(PRACTICES)]
    rows += [(PRACTICES[1], CODES[5], 100), (PRACTICES[1], "W01000001", 40)]
    teams = membership({p: f"P{n}" for n, p in enumerate(PRACTICES)}, icb=icbs)
    use = FORMULA.expected_use(people(catchment((registrations(rows), teams))))
    need = na.need_index(use, base="icb", icb="QAA")
    found = decompose(need)
    table = adds_up(found)
    inside = table.index[(need.teams.loc[table.index, "icb"] == "QAA")]
    adults = need.teams.loc[inside, "registered_adults"]
    np.testing.assert_allclose(
        table.loc[inside, list(found.players)].T @ adults / adults.sum(), 0, atol=1e-10
    )


def test_a_team_that_is_the_base_has_nothing_more_or_less():
    rows = [(p, area, 100 + 3 * n) for n, (p, area) in enumerate(itertools.product(PRACTICES[:3], CODES))]
    teams = membership({p: "P1" for p in PRACTICES[:3]})
    use = FORMULA.expected_use(people(catchment((registrations(rows), teams))))
    found = decompose(na.need_index(use, base="icb"))
    assert found.table.loc["P1", "need_index_icb"] == pytest.approx(1)
    np.testing.assert_allclose(found.table.loc["P1", list(found.players)].astype(float), 0, atol=1e-12)
    assert found.explained.isna().all()


def test_what_is_the_same_everywhere_adds_nothing():
    who = people(WHOLE)
    one_age_mix = np.tile(who.age_mix.mean(axis=0), (AREAS, 1))
    shares = who.prevalence.assign(copd=0.04)

    def players_of(changed: na.People, formula: na.NeedFormula = FORMULA) -> pd.DataFrame:
        found = decompose(na.need_index(formula.expected_use(changed), base="icb"))
        return adds_up(found)[list(found.players)].abs().max()

    assert players_of(replace(who, imd_score=np.full(AREAS, 20.0)))["deprivation"] < 1e-12
    # Practices of the same ages and the same share have the same prevalence at every age.
    one_sex_mix = np.tile(who.female_share.mean(axis=0), (len(PRACTICES), 1))
    same = replace(with_ages(who, one_age_mix), female_share=one_sex_mix, prevalence=shares)
    alike = players_of(same)
    assert (alike[["age_and_sex", "copd"]] < 1e-12).all()
    assert alike["dementia"] > 1e-6
    # A condition that makes no difference to use.
    idle = replace(FORMULA, count={**FORMULA.count, "copd": 0.0}, zero={**FORMULA.zero, "copd": 0.0})
    without = players_of(who, idle)
    assert without["copd"] < 1e-12 < without["dementia"]


def test_conditions_that_are_alike_have_equal_parts(monkeypatch):
    slope = gradients.slope
    monkeypatch.setattr(gradients, "slope", lambda term: slope("copd" if term in ALIKE else term))
    formula = replace(
        FORMULA,
        count={**FORMULA.count, "dementia": FORMULA.count["copd"]},
        zero={**FORMULA.zero, "dementia": FORMULA.zero["copd"]},
    )
    who = people(WHOLE)
    who = replace(who, prevalence=who.prevalence.assign(dementia=who.prevalence["copd"]))
    table = adds_up(decompose(na.need_index(formula.expected_use(who), base="icb")))
    assert table["copd"].abs().max() > 1e-5
    np.testing.assert_allclose(table["copd"], table["dementia"], atol=1e-13)


def test_without_registers_there_are_two_players():
    who = replace(people(WHOLE), prevalence=pd.DataFrame(index=WHOLE.practices))
    found = decompose(na.need_index(FORMULA.expected_use(who), base="icb"))
    assert found.players == ("age_and_sex", "deprivation")
    adds_up(found)


# What is shown


@pytest.fixture(scope="module")
def demo() -> Decomposition:
    return decompose(na.need_index(FORMULA.expected_use(people(WHOLE)), base="icb"))


def test_the_steps_of_a_waterfall_lead_from_the_base_to_the_index(demo):
    team = demo.table.index[demo.table["is_team"]][0]
    steps = demo.waterfall(team)
    assert steps["step"].tolist()[:3] == [demo.need.base.name, "age and sex", "deprivation"]
    assert steps["step"].iloc[-1] == "need index"
    assert {"COPD", "palliative care"} <= set(steps["step"])
    index = demo.table.at[team, "need_index_icb"]
    assert steps[["start", "end"]].iloc[0].tolist() == [0, 1]
    assert steps[["start", "end"]].iloc[-1].tolist() == [0, index]
    np.testing.assert_allclose(steps["start"].iloc[1:-1], steps["end"].iloc[:-2])
    np.testing.assert_allclose(steps["end"] - steps["start"], steps["contribution"], atol=1e-12)
    assert steps["end"].iloc[-2] == pytest.approx(index, abs=1e-12)


def test_an_unknown_team_and_one_without_people_are_refused(demo):
    with pytest.raises(errors.UnknownCodeError, match=r"No team is called 'X'; there are \d+: "):
        demo.waterfall("X")
    rows = [(PRACTICES[0], CODES[0], 100), (PRACTICES[1], "W01000001", 100)]
    of = catchment((registrations(rows), membership({PRACTICES[0]: "P1", PRACTICES[1]: "P2"})))
    found = decompose(na.need_index(FORMULA.expected_use(people(of)), base="icb"))
    adds_up(found)
    with pytest.raises(errors.InvalidValueError, match="'P2' has nobody who lives in an English area"):
        found.waterfall("P2")


def test_a_picture_says_every_figure_in_words(demo):
    plt = pytest.importorskip("matplotlib.pyplot")
    team = demo.table.index[0]
    steps = demo.waterfall(team)
    ax = demo.plot(team)
    assert [label.get_text() for label in ax.get_yticklabels()] == steps["step"].tolist()
    written = [text.get_text() for text in ax.texts]
    assert written[0] == "1.00"
    sizes = [0.0 if abs(size) < 0.005 else size for size in steps["contribution"].iloc[1:-1]]
    assert written[1:-1] == [f"{s:+.2f}".replace("-", "−") if s else "0.00" for s in sizes]
    assert {"+", "−"} & set("".join(written))
    assert "deprivation holds a health domain" in ax.get_xlabel()
    left = [min(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    np.testing.assert_allclose(left, steps[["start", "end"]].min(axis=1))
    plt.close(ax.figure)


def test_it_says_what_it_is(demo):
    assert demo.explained.sum() == pytest.approx(1)
    text = repr(demo)
    assert text.startswith("<Decomposition of need_index_icb for 2 teams, ")
    assert "(descriptive: deprivation holds a health domain)" in text
    assert "<table" in demo._repr_html_()
