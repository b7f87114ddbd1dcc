"""Whole steps and bounded shares against the rules as books state them, and against another package."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from needsalloc.kernels.apportion import RULES, apportion, least_steps, off_quota
from needsalloc.kernels.bounded import bounded, clash

NO_CAP = 10**6
DIVISOR_RULES = [rule for rule in RULES if rule != "hamilton"]

COMAP_15 = "COMAP, For All Practical Purposes, 10th ed., ch. 14, exercise 15 (five parties, 89 to 91 seats)"
ELECTOWIKI = "electowiki.org, Alabama paradox: 56.7, 38.5, 4.2 and 0.6 % with 323 and 324 seats"
NET_MATH = "net.math, 15 March 1982 (B. Smith, UNC): 3, 7 and 90 % with 49 and 51 seats"
PEARSON = (
    "Angel, Abbott, Runde, A Survey of Mathematics, ch. 14, table 14.49: Alexandria, the population paradox"
)
COMAP_10 = (
    "COMAP, ch. 14, problem 10 (quotas in J. Robbin, people.math.wisc.edu/~jwrobbin/141dir): two censuses"
)
BLITZER = "Blitzer, Thinking Mathematically, ch. 13: 50 seats for three states, 7 more with a fourth"
SIX_STATES = "Blitzer, Thinking Mathematically, ch. 13: 200 seats for six states of 30,000 people"
SIX = [3_411, 2_421, 11_586, 4_494, 3_126, 4_962]
COMAP_22 = "COMAP, ch. 14, example 22: the 435th seat of 2010 (309,183,463 people, US Census Bureau)"

# Apportionment population of 2010: residents and federal employees overseas, without D.C.
STATES_2010 = {
    "AL": 4_802_982, "AK": 721_523, "AZ": 6_412_700, "AR": 2_926_229, "CA": 37_341_989, "CO": 5_044_930,
    "CT": 3_581_628, "DE": 900_877, "FL": 18_900_773, "GA": 9_727_566, "HI": 1_366_862, "ID": 1_573_499,
    "IL": 12_864_380, "IN": 6_501_582, "IA": 3_053_787, "KS": 2_863_813, "KY": 4_350_606, "LA": 4_553_962,
    "ME": 1_333_074, "MD": 5_789_929, "MA": 6_559_644, "MI": 9_911_626, "MN": 5_314_879, "MS": 2_978_240,
    "MO": 6_011_478, "MT": 994_416, "NE": 1_831_825, "NV": 2_709_432, "NH": 1_321_445, "NJ": 8_807_501,
    "NM": 2_067_273, "NY": 19_421_055, "NC": 9_565_781, "ND": 675_905, "OH": 11_568_495, "OK": 3_764_882,
    "OR": 3_848_606, "PA": 12_734_905, "RI": 1_055_247, "SC": 4_645_975, "SD": 819_761, "TN": 6_375_431,
    "TX": 25_268_418, "UT": 2_770_765, "VT": 630_337, "VA": 8_037_736, "WA": 6_753_369, "WV": 1_859_815,
    "WI": 5_698_230, "WY": 568_300,
}  # fmt: skip

KNOWN = [
    # The Alabama paradox: one more seat, and somebody has one fewer.
    (COMAP_15, "hamilton", [5_576_330, 1_387_342, 3_334_241, 7_512_860, 310_968], 89, [27, 7, 16, 37, 2]),
    (COMAP_15, "hamilton", [5_576_330, 1_387_342, 3_334_241, 7_512_860, 310_968], 90, [28, 7, 17, 37, 1]),
    (COMAP_15, "hamilton", [5_576_330, 1_387_342, 3_334_241, 7_512_860, 310_968], 91, [28, 7, 17, 38, 1]),
    (ELECTOWIKI, "hamilton", [56.7, 38.5, 4.2, 0.6], 323, [183, 124, 14, 2]),
    (ELECTOWIKI, "hamilton", [56.7, 38.5, 4.2, 0.6], 324, [184, 125, 13, 2]),
    (NET_MATH, "hamilton", [3, 7, 90], 49, [2, 3, 44]),
    (NET_MATH, "hamilton", [3, 7, 90], 51, [1, 4, 46]),
    # The population paradox: a state that grows faster loses a seat to one that grows more slowly.
    (PEARSON, "hamilton", [23_527, 5_548, 70_925], 100, [23, 6, 71]),
    (PEARSON, "hamilton", [23_926, 5_648, 71_110], 100, [24, 5, 71]),
    (COMAP_10, "hamilton", [5_525_381, 3_470_152, 3_864_226, 201_203], 100, [42, 27, 30, 1]),
    (COMAP_10, "hamilton", [5_657_564, 3_507_464, 3_885_693, 201_049], 100, [43, 26, 29, 2]),
    # The new states paradox: a state joins with its own seats, and two others exchange one.
    (BLITZER, "hamilton", [99_000, 214_000, 487_000], 50, [6, 13, 31]),
    (BLITZER, "hamilton", [99_000, 214_000, 487_000, 116_000], 57, [6, 14, 30, 7]),
    (SIX_STATES, "hamilton", SIX, 200, [23, 16, 77, 30, 21, 33]),
    (SIX_STATES, "jefferson", SIX, 200, [22, 16, 78, 30, 21, 33]),
    (SIX_STATES, "webster", SIX, 200, [23, 16, 77, 30, 21, 33]),
    (SIX_STATES, "huntington-hill", SIX, 200, [23, 16, 77, 30, 21, 33]),
]


@pytest.mark.parametrize(("source", "rule", "weight", "total", "expected"), KNOWN)
def test_worked_examples(source, rule, weight, total, expected):
    found = apportion(np.array(weight, dtype=float), total, rule=rule)
    assert found.steps.tolist() == expected, source
    assert not found.tied.any()


def test_the_435th_seat_of_2010():
    people = np.array(list(STATES_2010.values()), dtype=float)
    assert people.sum() == 309_183_463, COMAP_22
    by = {
        rule: dict(zip(STATES_2010, apportion(people, 435, rule=rule).steps.tolist(), strict=True))
        for rule in ("webster", "huntington-hill")
    }
    differ = {state: (by["webster"][state], by["huntington-hill"][state]) for state in STATES_2010}
    assert {state: seats for state, seats in differ.items() if seats[0] != seats[1]} == {
        "NC": (14, 13),
        "RI": (1, 2),
    }, COMAP_22


def claim(rule: str, weight: int, steps: int) -> tuple[int, Fraction]:
    """How strong the claim to one more step is; squared, which keeps the order, so that it is exact."""
    signpost = {
        "webster": Fraction(2 * steps + 1, 2) ** 2,
        "jefferson": Fraction(steps + 1) ** 2,
        "adams": Fraction(steps) ** 2,
        "huntington-hill": Fraction(steps * (steps + 1)),
    }[rule]
    return (1, Fraction(0)) if signpost == 0 and weight else (0, Fraction(weight**2) / (signpost or 1))


def one_at_a_time(rule, weight, total, minimum, cap):
    """Each step in turn to the largest weight / d(steps so far), then weight, then who is first."""
    steps = list(minimum)
    for _ in range(total - sum(minimum)):
        waiting = [k for k, w in enumerate(weight) if w and steps[k] < cap[k]]
        k = max(waiting, key=lambda k: (claim(rule, weight[k], steps[k]), weight[k], -k))
        steps[k] += 1
    return steps


def level_of(weight, total, minimum, cap):
    """Shares inside bounds by their sorted breakpoints, exactly."""

    def given(level):
        return [
            min(max(level * w, lo), hi) if w else lo for w, lo, hi in zip(weight, minimum, cap, strict=True)
        ]

    levels = sorted(
        {Fraction(bound) / w for b in (minimum, cap) for w, bound in zip(weight, b, strict=True) if w}
    )
    below = max([at for at in [Fraction(0), *levels] if sum(given(at)) <= total])
    free = sum(
        w for w, lo, hi in zip(weight, minimum, cap, strict=True) if w and lo <= below * w and below * w < hi
    )
    return given(below + (total - sum(given(below))) / free if free else below)


def remainders(weight, total, minimum, cap):
    shares = level_of(weight, total, minimum, cap)
    steps = [int(share) for share in shares]
    order = sorted(range(len(weight)), key=lambda k: (steps[k] - shares[k], -weight[k], k))
    for k in order[: total - sum(steps)]:
        steps[k] += 1
    return steps


@st.composite
def tasks(draw):
    """Small whole weights, which tie often, a total and bounds that can be met: by any rule."""
    team = st.tuples(st.integers(0, 12), st.integers(0, 3), st.sampled_from([0, 1, 2, 6, NO_CAP]))
    teams = draw(st.lists(team, min_size=1, max_size=8))
    weight = [w for w, _, _ in teams]
    assume(sum(weight))
    least = [max(lo, 1) if w else lo for w, lo, _ in teams]
    cap = [lo + more for lo, (_, _, more) in zip(least, teams, strict=True)]
    most = sum(hi if w else lo for w, lo, hi in zip(weight, least, cap, strict=True))
    return weight, draw(st.integers(sum(least), min(most, sum(least) + 40))), least, cap


@given(tasks(), st.sampled_from([1.0, 0.1, 1 / 3, 1e9]), st.sampled_from(DIVISOR_RULES))
def test_each_step_in_turn_goes_to_the_strongest_claim(task, scale, rule):
    # A scale must not move a tie by its last digit.
    weight, total, least, cap = task
    found = apportion(np.array(weight) * scale, total, least, cap, rule=rule)
    assert found.steps.tolist() == one_at_a_time(rule, weight, total, least, cap)


@pytest.mark.parametrize(("weight", "total"), [([1, 4, 6, 3, 3], 9), ([4, 4, 6, 2, 6], 6), ([10, 0.2, 2], 3)])
def test_a_tie_is_not_broken_by_a_last_digit(weight, total):
    # Two claims are equal here; a divisor found by halving an interval can round one up and the other down.
    found = apportion(np.array(weight, dtype=float), total)
    no_cap = [NO_CAP] * len(weight)
    exact = [Fraction(str(w)) for w in weight]
    assert found.steps.tolist() == one_at_a_time("webster", exact, total, [0] * len(weight), no_cap)
    assert found.tied.any()


@given(st.lists(st.integers(0, 12), min_size=1, max_size=8), st.integers(0, 60), st.sampled_from(RULES))
def test_without_bounds(weight, more, rule):
    assume(sum(weight))
    total = more + (sum(w > 0 for w in weight) if rule in ("adams", "huntington-hill") else 0)
    nothing, no_cap = [0] * len(weight), [NO_CAP] * len(weight)
    by_the_book = remainders if rule == "hamilton" else lambda *task: one_at_a_time(rule, *task)
    found = apportion(np.array(weight, dtype=float), total, rule=rule)
    assert found.steps.tolist() == by_the_book(weight, total, nothing, no_cap)


@given(tasks(), st.sampled_from([1.0, 0.1, 1 / 3, 1e9]))
def test_what_is_left_goes_to_the_largest_remainders(task, scale):
    weight, total, least, cap = task
    found = apportion(np.array(weight) * scale, total, least, cap, rule="hamilton")
    assert found.steps.tolist() == remainders(weight, total, least, cap)


@given(tasks(), st.sampled_from([1.0, 0.1, 1 / 3, 1e9]))
def test_bounded_shares_are_those_of_sorted_breakpoints(task, scale):
    weight, total, least, cap = task
    found = bounded(np.array(weight) * scale, total, least, cap)
    expected = [float(share) for share in level_of(weight, total, least, cap)]
    np.testing.assert_allclose(found.share, expected, rtol=1e-12)  # a few sums of eight numbers
    given_by_level = np.clip(found.level * np.array(weight) * scale, least, cap)
    np.testing.assert_allclose(found.share, given_by_level, rtol=1e-12)


@given(tasks(), st.sampled_from(RULES), st.randoms())
def test_the_order_of_teams_moves_nothing_but_listed_ties(task, rule, random):
    weight, total, least, cap = (np.array(part) for part in task)
    found = apportion(weight.astype(float), int(total), least, cap, rule=rule)
    order = list(range(len(weight)))
    random.shuffle(order)
    again = apportion(weight[order].astype(float), int(total), least[order], cap[order], rule=rule)
    np.testing.assert_array_equal(found.tied[order], again.tied)
    assert found.tied[order][found.steps[order] != again.steps].all()
    assert found.tied.sum() != 1


@given(st.lists(tasks(), min_size=2, max_size=5), st.sampled_from(RULES))
def test_draws_together_are_each_draw_alone(several, rule):
    teams = min(len(weight) for weight, *_ in several)
    weight = np.array([weight[:teams] for weight, *_ in several], dtype=float)
    assume((weight.sum(axis=1) > 0).all())
    least, cap = (np.array(several[0][part][:teams]) for part in (2, 3))
    least = least_steps(weight, least, cap, rule)
    total = int(least.sum(axis=1).max())
    assume(not clash(weight, total, least, cap).under.any())
    together = apportion(weight, total, least, cap, rule=rule)
    shares = bounded(weight, total, least, cap)
    if rule != "hamilton":
        again = apportion(weight, total, least, cap, rule=rule, level=shares.level)
        np.testing.assert_array_equal(again.steps, together.steps)
    for draw in range(len(weight)):
        alone = apportion(weight[draw], total, least[draw], cap, rule=rule)
        np.testing.assert_array_equal(together.steps[draw], alone.steps)
        np.testing.assert_array_equal(together.tied[draw], alone.tied)
        one = bounded(weight[draw], total, least[draw], cap)
        np.testing.assert_array_equal(shares.share[draw], one.share)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["webster", "adams", "jefferson", "huntington-hill"]))
def test_another_step_takes_none_away_and_nobody_overtakes(seed, rule):
    """Divisor rules have no Alabama paradox, and more need is never fewer posts."""
    rng = np.random.default_rng(seed)
    weight = np.exp(rng.normal(0, rng.uniform(0, 4), rng.integers(1, 60)))
    total = len(weight) + int(rng.integers(0, 500))
    steps, more = (apportion(weight, seats, rule=rule).steps for seats in (total, total + 1))
    assert (more >= steps).all()
    assert (np.diff(steps[np.argsort(weight)]) >= 0).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from(DIVISOR_RULES))
def test_nobody_who_waits_has_a_stronger_claim_than_anybody_who_was_served(seed, rule):
    """The max-min inequality, which is the rule (Pukelsheim 2017, section 4.6), for any needs and bounds."""
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(1, 4)), int(rng.integers(1, 200))
    weight = np.exp(rng.normal(0, rng.choice([0.1, 1, 5, 30]), shape)) * (rng.random(shape) < 0.9)
    weight[:, 0] = 1.0
    minimum = rng.integers(0, 4, shape)
    cap = np.where(rng.random(shape) < 0.5, minimum + rng.integers(1, 30, shape), np.inf)
    least = least_steps(weight, minimum, cap, rule)
    room = np.where(weight > 0, np.minimum(cap, least + 50), least).sum(axis=1).min()
    total = int(rng.integers(least.sum(axis=1).max(), max(room, least.sum(axis=1).max()) + 1))
    assume(not clash(weight, total, least, cap).under.any())
    steps = apportion(weight, total, minimum, cap, rule=rule).steps
    assert (steps.sum(axis=1) == total).all()
    assert ((steps >= least) & (steps <= cap)).all()

    def strength(n):
        steps_so_far = np.maximum(n, 0.0)
        at = {
            "webster": steps_so_far + 0.5,
            "jefferson": steps_so_far + 1.0,
            "adams": steps_so_far,
            "huntington-hill": np.sqrt(steps_so_far * (steps_so_far + 1.0)),
        }[rule]
        return np.divide(weight, at, out=np.zeros(shape), where=at > 0)

    served = np.where(steps > least, strength(steps - 1.0), np.inf).min(axis=1)
    waiting = np.where(steps < cap, strength(steps.astype(float)), 0.0).max(axis=1)
    assert (served >= waiting * (1 - 1e-11)).all()  # ten times the rounding within which claims tie


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("spread", ["alike", "uneven", "extreme"])
def test_a_million_teams(rule, spread):
    teams, total = 10**6, 1_500_001
    rng = np.random.default_rng(1)
    weight = {
        "alike": lambda: np.full(teams, 0.1),
        "uneven": lambda: rng.lognormal(sigma=3, size=teams),
        "extreme": lambda: np.exp(-np.linspace(0, 600, teams)),
    }[spread]()
    cap = 2 if spread == "alike" else np.inf
    found = apportion(weight, total, 0, cap, rule=rule)
    assert found.steps.sum() == total
    assert found.steps.min() >= (rule in ("adams", "huntington-hill"))
    assert found.tied.all() == (spread == "alike")
    if spread == "alike":
        # The larger need is nobody's, so the first have the step that is over.
        assert (found.steps[: total - teams] == 2).all()
        assert (found.steps[total - teams :] == 1).all()


@pytest.mark.parametrize("rule", RULES)
def test_edges(rule):
    first = rule in ("adams", "huntington-hill")
    assert apportion(np.array([3.0]), 7, rule=rule).steps.tolist() == [7]
    assert apportion(np.array([0.0, 3.0]), 7, rule=rule).steps.tolist() == [0, 7]
    assert apportion(np.array([1.0, 5.0]), 4, [3, 1], rule=rule).steps.tolist() == [3, 1]
    assert apportion(np.array([1.0, 5.0]), 4, 0, [3, 1], rule=rule).steps.tolist() == [3, 1]
    assert apportion(np.array([1.0, 5.0]), 0, 0, 0, rule=rule).steps.tolist() == [0, 0]
    if not first:
        assert apportion(np.array([1.0, 5.0]), 0, rule=rule).steps.tolist() == [0, 0]
    for impossible in ((np.array([1.0, 5.0]), 1, [3, 0], 9), (np.array([1.0, 5.0]), 9, 0, [3, 4])):
        with pytest.raises(ValueError, match="cannot be met together"):
            apportion(*impossible, rule=rule)


def test_quotas_that_are_left_are_listed():
    # By hand: 86 / 10 is more than 5 / 1, so by Jefferson the largest of these has all, 1.4 above its quota.
    weight = np.array([86.0, 5, 5, 4])
    steps = apportion(weight, 10, rule="jefferson").steps
    below, above = off_quota(steps, weight / 10)
    assert steps.tolist() == [10, 0, 0, 0]
    assert (below.tolist(), above.tolist()) == ([False] * 4, [True, False, False, False])
    hamilton = apportion(weight, 10, rule="hamilton").steps
    assert not any(flags.any() for flags in off_quota(hamilton, weight / 10))


def test_what_clashes_and_by_how_much():
    weight = np.array([1.0, 2.0, 0.0])
    found = clash(weight, 5.0, [3, 1, 2], [4, 9, 9])
    assert (found.over, found.under, found.crossed.any()) == (1.0, 0.0, False)
    # The team without need stays at its minimum of 2: 4 + 5 + 2 is all that the caps let through.
    found = clash(weight, 15.0, [0, 0, 2], [4, 5, 9])
    assert (found.over, found.under) == (0.0, 4.0)
    assert clash(weight, 5.0, [3, 0, 0], [2, 9, 9]).crossed.tolist() == [True, False, False]
    draws = clash(np.array([weight, weight[::-1]]), 15.0, [0, 0, 2], [4, 5, 9])
    np.testing.assert_array_equal(draws.under, [4.0, 1.0])


@given(st.integers(0, 2**32 - 1))
def test_rules_agree_with_another_package(seed):
    """PyPI apportionment 1.0 (M. Lackner, MIT), with fractions; where it meets a tie, so do we."""
    methods = pytest.importorskip("apportionment.methods")
    rng = np.random.default_rng(seed)
    weight = [int(w) for w in rng.integers(1, 10 ** rng.integers(1, 6), rng.integers(1, 12))]
    total = len(weight) + int(rng.integers(0, 120))
    theirs = {"webster": "saintelague", "hamilton": "largest_remainder", "huntington-hill": "huntington"}
    for rule in RULES:
        found = apportion(np.array(weight, dtype=float), total, rule=rule)
        try:
            expected = methods.compute(
                theirs.get(rule, {"jefferson": "dhondt"}.get(rule, rule)),
                weight, total, fractions=rule != "huntington-hill", tiesallowed=False,
            )  # fmt: skip
        except methods.TiesException:
            assert found.tied.any()
        else:
            assert found.steps.tolist() == expected
