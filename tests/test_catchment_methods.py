"""Every method against its definition in whole numbers, and what must hold whatever the method."""

import itertools
import pickle
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import needsalloc as na
import plain_catchments as plain
from needsalloc import errors
from plain_catchments import METHODS, crowds, drawn, entries, flows, frame, ties
from small_worlds import CODES, catchment, law, membership, worlds

every_method = pytest.mark.parametrize("method", METHODS, ids=lambda m: "-".join(map(str, m.values())))
some_numbers = arrays(np.float64, len(CODES), elements=st.floats(0, 5_000, allow_subnormal=False))


def one_area(*teams: tuple[str, int], **method: object) -> na.Catchment:
    """One area whose people are with these teams."""
    rows = [(f"{team}-{k}", CODES[0], patients) for k, (team, patients) in enumerate(teams)]
    of_practice = {practice: practice.rsplit("-", 1)[0] for practice, _, _ in rows}
    members = membership({p: None if t == "not in map" else t for p, t in of_practice.items()})
    return na.Catchment.from_registrations(frame(rows), members).with_method(**method)


def teams_of(of: na.Catchment) -> list[str]:
    return sorted(team for _, team in entries(of, of.resident_share))


def counts(of: na.Catchment, values: np.ndarray) -> pd.Series:
    return pd.Series(values[: len(of.areas)], index=of.areas)


# Each method by its definition


@law(crowds(), examples=60)
def test_proportional_shares_are_the_fractions_of_each_area(crowd):
    of, wanted = drawn(crowd), flows(crowd)
    assert entries(of, of.flows) == entries(of, of.served) == wanted
    assert entries(of, of.resident_share) == {k: float(v) for k, v in plain.proportional(wanted).items()}
    assert of.ties.empty


@law(crowds(), examples=60)
def test_first_past_the_post_gives_an_area_to_the_largest_and_of_equals_to_the_lower_code(crowd):
    of = drawn(crowd, name="first_past_the_post")
    chosen, tied = plain.first_past_the_post(flows(crowd))
    assert entries(of, of.resident_share) == dict.fromkeys(chosen, 1.0)
    assert ties(of) == tied
    winners = {k: v for k, v in of.team_of_area().items() if v != "unassigned"}
    assert set(winners.items()) == {(a, t) for a, t in chosen if t != "unassigned"}


@law(crowds(), plain.SHARES, examples=40)
def test_threshold_gives_an_area_to_every_team_with_at_least_the_share(crowd, share):
    wanted = flows(crowd)
    for residual, at in itertools.product(
        ["unassigned", "largest"], {share, *plain.proportional(wanted).values()}
    ):
        of = drawn(crowd, name="threshold", share=float(at), residual=residual)
        chosen, tied = plain.threshold(wanted, at, residual)
        assert entries(of, of.resident_share) == dict.fromkeys(chosen, 1.0)
        assert ties(of) == tied


@law(crowds(), st.one_of(st.sampled_from([50, 75, 80]), st.integers(50, 98)), examples=80)
def test_cumulative_takes_the_fewest_areas_that_hold_the_share(crowd, percent):
    wanted, share = flows(crowd), Fraction(percent, 100)
    of = drawn(crowd, name="cumulative", share=float(share))
    chosen, tied = plain.cumulative(wanted, share)
    assert entries(of, of.resident_share) == dict.fromkeys(chosen, 1.0)
    assert ties(of) == tied
    given = of.ties[of.ties["given"]].astype({"lsoa21": str, "team": str})
    assert set(zip(given["lsoa21"], given["team"], strict=True)) == tied & chosen
    for team, flow in plain.by_team(wanted).items():
        taken = [flow[a] for a, t in chosen if t == team]
        if taken:
            enough = [
                k
                for k in range(len(flow) + 1)
                for some in itertools.combinations(flow.values(), k)
                if sum(some) >= share * sum(flow.values())
            ]
            assert len(taken) == min(enough)
            assert sum(taken) - min(taken) < share * sum(flow.values()) <= sum(taken)


@pytest.mark.parametrize(
    ("mine", "all_", "share", "inside"),
    [
        (3, 10, 0.30, True),
        (30_000_003, 100_000_010, 0.30, True),
        (29_999_999, 100_000_000, 0.30, False),
        (7, 100, 0.07, True),
        (6, 100, 0.07, False),
        (1, 3, 1 / 3, True),
        (5, 100, 0.05, True),
        (100, 100, 1.0, True),
        (99, 100, 1.0, False),
        (57, 100, 0.57, True),
        (29, 50, 0.58, True),
    ],
)
def test_at_least_means_equal_too(mine, all_, share, inside):
    of = one_area(("P1", mine), ("U", all_ - mine), name="threshold", share=share)
    assert teams_of(of) == (["P1"] if inside else ["unassigned"])


def test_every_whole_percentage_is_met_by_just_so_many_in_a_hundred():
    rows = [(f"A{k:03}", team, n) for k in range(1, 100) for team, n in (("T", k), ("S", 100 - k))]
    of = na.Catchment.from_flows(
        pd.DataFrame(rows, columns=["place", "who", "n"]), area="place", team="who", patients="n"
    )
    for k in range(1, 100):
        found = of.with_method("threshold", share=k / 100).resident_share[:, [of.teams.index.get_loc("T")]]
        assert (found.toarray().ravel() > 0).tolist() == [n >= k for n in range(1, 100)]


@pytest.mark.parametrize("group", ["U", "not in map"])
def test_groups_that_are_no_team_count_in_the_whole_and_are_given_nothing(group):
    crowd = [(group, 71), ("P1", 29)]
    assert teams_of(one_area(*crowd, name="threshold")) == ["unassigned"]
    assert teams_of(one_area(*crowd, name="threshold", residual="largest")) == ["P1"]
    assert teams_of(one_area(*crowd, name="first_past_the_post")) == ["P1"]
    assert teams_of(one_area((group, 70), ("P1", 30), name="threshold")) == ["P1"]


@pytest.mark.parametrize("method", METHODS[1:5])
def test_an_area_with_nobody_but_those_without_a_team_is_nobodys(method):
    rows = [("A", CODES[0], 5), ("B", CODES[1], 5)]
    of = na.Catchment.from_registrations(frame(rows), membership({"A": "U", "B": "P1"})).with_method(**method)
    assert entries(of, of.resident_share) == {(CODES[0], "unassigned"): 1, (CODES[1], "P1"): 1}
    assert of.ties.empty
    assert of.populations().loc[["U", "unassigned", "P1"], "inside"].tolist() == [0, 5, 5]
    assert not of.teams.at["unassigned", "is_team"]


def test_areas_of_equal_flow_are_taken_in_the_order_of_their_codes():
    rows = [("A", area, 10) for area in reversed(CODES[:5])]
    of = na.Catchment.from_registrations(frame(rows), membership({"A": "P1"}))
    half = of.with_method("cumulative", share=0.5)
    assert half.apportion(pd.Series(1.0, index=of.areas)).to_dict() == {"P1": 3, "unassigned": 2}
    assert half.ties["given"].tolist() == [True] * 3 + [False] * 2
    assert half.ties["registered"].tolist() == [10] * 5
    # Four fifths are exactly four areas of five.
    four = of.with_method("cumulative")
    assert four.resident_share.toarray()[:, 0].tolist() == [1, 1, 1, 1, 0]


def test_a_small_team_beside_thousands_of_fractions_has_its_exact_fewest():
    shares = np.random.default_rng(1).dirichlet(np.ones(100), size=100) * 50_000
    crowd = pd.DataFrame(shares).rename_axis("place").reset_index().melt("place", var_name="who")
    crowd = crowd.assign(place=crowd["place"].map("A{:04}".format), who=crowd["who"].map("T{:04}".format))
    small = [
        (place, f"Z{k}", n * k) for k in range(1, 10) for place, n in (("A0000", 0.008), ("A0001", 0.002))
    ]
    rows = pd.concat([crowd, pd.DataFrame(small, columns=crowd.columns)])
    of = na.Catchment.from_flows(rows, area="place", team="who", patients="value")
    table = of.with_method("cumulative", share=0.8).to_frame().astype({"team": str})
    assert table.loc[table["team"].str.startswith("Z"), "place"].tolist() == ["A0000"] * 9


@pytest.mark.parametrize("last_digit", [0.1 + 0.2, 0.3])
def test_flows_that_differ_by_their_last_digit_are_equal(last_digit):
    rows = [("B", "T", 0.1 + 0.2), ("A", "T", 0.3), ("C", "T", 0.4), ("C", "S", 0.4), ("A", "S", last_digit)]
    of = na.Catchment.from_flows(
        pd.DataFrame(rows, columns=["place", "who", "n"]), area="place", team="who", patients="n"
    )
    fewest = of.with_method("cumulative", share=0.6)
    assert {a for a, t in entries(fewest, fewest.resident_share) if t == "T"} == {"A", "C"}
    assert {("A", "T"), ("B", "T")} <= {
        (a, t) for a, t in zip(fewest.ties["place"], fewest.ties["team"], strict=True)
    }
    post = of.with_method("first_past_the_post")
    assert post.team_of_area()["A"] == post.team_of_area()["C"] == "S"
    assert ties(post) == {("A", "S"), ("A", "T"), ("C", "S"), ("C", "T")}


# What holds by every method


@every_method
@law(crowds(), some_numbers, examples=20)
def test_counts_are_kept_or_counted_again_and_the_rest_is_a_row(method, crowd, values):
    of = drawn(crowd, **method)
    numbers = counts(of, values)
    memberships = {a: 0 for a in of.areas}
    for a, _ in entries(of, of.resident_share):
        memberships[a] += 1
    again = sum(numbers[a] * (k - 1) for a, k in memberships.items() if method["name"] != "proportional")
    found = of.apportion(numbers)
    assert found.sum() == pytest.approx(numbers.sum() + again, rel=1e-12)
    if of.method.by_whole_areas:
        nobodys = [a for a, t in entries(of, of.resident_share) if t == "unassigned"]
        assert found["unassigned"] == pytest.approx(numbers[nobodys].sum(), rel=1e-12)
        assert (found[[t for t in of.teams.index if t in plain.NO_TEAM[:2]]] == 0).all()


@every_method
@law(crowds(), some_numbers, examples=20)
def test_there_and_back_keeps_totals(method, crowd, values):
    of = drawn(crowd, **method)
    there = of.populations()["inside"] > 0
    staff = pd.Series(values[0], index=of.teams.index).where(there, 0.0).rename("posts")
    placed = of.apportion_to_areas(staff)
    assert list(placed.index) == list(of.areas)
    assert placed.sum() == pytest.approx(staff.sum(), rel=1e-12)
    if method["name"] in ("proportional", "first_past_the_post"):
        assert of.apportion(placed).sum() == pytest.approx(staff.sum(), rel=1e-12)


@every_method
@law(crowds(), some_numbers, examples=20)
def test_means_and_populations_are_those_of_the_people_served(method, crowd, values):
    of = drawn(crowd, **method)
    size = {a: sum(flow.values()) for a, flow in plain.by_area(flows(crowd)).items()}
    share = entries(of, of.resident_share)
    rates, residents = counts(of, values), counts(of, values[::-1]).clip(upper=of.registered_by_area)
    people, weighted, living = (dict.fromkeys(of.teams.index, 0.0) for _ in range(3))
    for (a, t), part in share.items():
        people[t] += part * size[a]
        weighted[t] += part * size[a] * rates[a]
        living[t] += part * residents[a]
    table = of.populations(residents)
    means = of.average(rates)
    np.testing.assert_allclose(table["inside"], list(people.values()), rtol=1e-12)
    np.testing.assert_allclose(table["resident"], list(living.values()), rtol=1e-12)
    assert table["resident"].equals(of.apportion(residents).rename("resident"))
    np.testing.assert_allclose(
        means, [weighted[t] / people[t] if people[t] else np.nan for t in of.teams.index], rtol=1e-12
    )
    columns = of.patient_share.sum(axis=0)
    np.testing.assert_allclose(columns, [1.0 if people[t] else 0.0 for t in of.teams.index], rtol=1e-12)
    np.testing.assert_array_equal(of.registered_by_area, [size[a] for a in of.areas])


@every_method
@law(worlds(), examples=10)
def test_doubling_every_list_changes_no_share_by_any_method(method, world):
    read, members = world
    once = catchment(world).with_method(**method)
    again = na.Catchment.from_registrations(read.assign(patients=2 * read["patients"]), members)
    assert entries(once, once.resident_share) == entries(once, again.with_method(**method).resident_share)
    assert ties(once) == ties(again.with_method(**method))


@every_method
@law(crowds(), st.randoms(), st.sampled_from(["category", "object", "str", "string"]), examples=20)
def test_order_repetition_and_spelling_do_not_matter_by_any_method(method, crowd, random, dtype):
    rows, teams = crowd
    odd = [str.upper, str.lower, lambda code: f" {code} ", lambda code: f"{code}\t"]
    halves = [(p, a, part) for p, a, n in rows for part in (n // 3, n - n // 3)]
    random.shuffle(halves)
    messy = frame([(random.choice(odd)(p), random.choice(odd)(a), n) for p, a, n in halves])
    members = membership(teams).sample(frac=1, random_state=0)
    members["practice"] = [random.choice(odd)(p) for p in members["practice"]]
    again = na.Catchment.from_registrations(messy.astype({"practice": dtype, "lsoa21": dtype}), members)
    once = drawn(crowd, **method)
    pd.testing.assert_frame_equal(again.with_method(**method).to_frame(), once.to_frame())
    pd.testing.assert_frame_equal(again.with_method(**method).populations(), once.populations())
    pd.testing.assert_frame_equal(again.coverage(), drawn(crowd).coverage())


@law(crowds(), st.permutations(METHODS), examples=15)
def test_a_method_is_a_new_catchment_and_the_way_back_is_exact(crowd, path):
    first = drawn(crowd)
    before = first.to_frame(), first.teams.copy(), first.coverage()
    of = first
    for method in path:
        again = of.with_method(**method)
        assert again is not of
        assert entries(again, again.flows) == flows(crowd)
        direct = drawn(crowd, **method)
        pd.testing.assert_frame_equal(again.to_frame(), direct.to_frame())
        pd.testing.assert_frame_equal(again.teams, direct.teams)
        of = again
    pd.testing.assert_frame_equal(of.with_method("proportional").to_frame(), before[0])
    for found, kept in zip((first.to_frame(), first.teams, first.coverage()), before, strict=True):
        pd.testing.assert_frame_equal(found, kept)


@every_method
def test_a_catchment_can_be_kept_in_a_file(method):
    of = one_area(("P1", 3), ("P2", 3), ("U", 1), **method)
    again = pickle.loads(pickle.dumps(of))
    pd.testing.assert_frame_equal(again.to_frame(), of.to_frame())
    assert repr(again) == repr(of)


def test_its_fields_cannot_be_set():
    with pytest.raises(AttributeError):
        one_area(("P1", 1), name="proportional").method = None


@every_method
def test_one_practice_in_one_area_has_everything(method):
    of = na.Catchment.from_registrations(frame([("A", CODES[0], 1)])).with_method(**method)
    assert of.apportion(pd.Series([8.0], index=of.areas))["A"] == 8
    assert of.populations()["inside"].sum() == 1
    assert "1 LSOAs (2021) → 1 teams" in repr(of)


@every_method
def test_a_practice_may_have_the_code_of_an_area(method):
    rows = [(CODES[0], CODES[1], 4), ("B", CODES[0], 6)]
    of = na.Catchment.from_registrations(frame(rows)).with_method(**method)
    assert entries(of, of.resident_share) == {(CODES[1], CODES[0]): 1, (CODES[0], "B"): 1}


@every_method
@law(crowds(), st.floats(1, 90), examples=10)
def test_a_rate_that_is_the_same_everywhere_is_so_in_every_area(method, crowd, rate):
    of = drawn(crowd, **method)
    np.testing.assert_allclose(of.average_to_areas(pd.Series(rate, index=of.teams.index)), rate, rtol=1e-12)


def test_an_area_of_two_teams_has_the_mean_of_both():
    of = one_area(("P1", 6), ("P2", 4), name="threshold")
    assert of.average_to_areas(pd.Series({"P1": 10.0, "P2": 20.0, "unassigned": 0})).tolist() == [15]
    assert of.with_method("proportional").average_to_areas(pd.Series({"P1": 10.0, "P2": 20.0})).tolist() == [
        14
    ]


# What is refused


@pytest.mark.parametrize(
    ("method", "says"),
    [
        ({"name": "nearest"}, "Unknown method 'nearest': choose proportional"),
        ({"name": "first_past_post"}, "Did you mean 'first_past_the_post'"),
        ({"name": "proportional", "share": 0.3}, "no option share"),
        ({"name": "first_past_the_post", "residual": "largest"}, "no option residual"),
        ({"name": "cumulative", "residual": "largest"}, "no option residual"),
        ({"name": "threshold", "share": 30}, r"share.*is 30, not above 0 and up to 1.*0\.30 for 30"),
        ({"name": "threshold", "share": 0}, "share.*is 0, not above 0"),
        ({"name": "threshold", "share": -0.1}, "share.*not above 0"),
        ({"name": "threshold", "share": float("nan")}, "share.*is nan"),
        ({"name": "cumulative", "share": 0.49}, r"from 0\.5 to 0\.98"),
        ({"name": "cumulative", "share": 0.99}, r"from 0\.5 to 0\.98"),
        ({"name": "threshold", "residual": "nearest"}, "Unknown residual 'nearest'.*unassigned or largest"),
    ],
)
def test_an_unknown_method_or_option_is_refused(method, says):
    with pytest.raises(errors.InvalidValueError, match=says):
        one_area(("P1", 1), **method)


@pytest.mark.parametrize("share", [0.5, 0.98])
def test_the_ends_of_the_range_are_in_it(share):
    assert teams_of(one_area(("P1", 1), name="cumulative", share=share)) == ["P1"]


@pytest.mark.parametrize(("share", "words"), [(0.30, "30%"), (0.075, "7.5%"), (0.305, "30.5%"), (0.07, "7%")])
def test_a_share_is_said_as_it_was_given(share, words):
    assert f"at least {words} of" in repr(one_area(("P1", 1), name="threshold", share=share))


@pytest.mark.parametrize("name", ["imd_score", "IMD Score", "rate", "Rate per 1,000", "need_index_england"])
def test_a_rate_is_not_shared_out(name):
    of = one_area(("P1", 1), ("P2", 1), name="proportional")
    by_area = pd.Series(1.0, index=of.areas, name=name)
    with pytest.raises(errors.InvalidValueError, match=f"^{name} is a rate.*average"):
        of.apportion(by_area)
    with pytest.raises(errors.InvalidValueError, match="is a rate"):
        of.apportion(by_area.to_frame().assign(staff=1.0))
    with pytest.raises(errors.InvalidValueError, match=r"is a rate.*average_to_areas"):
        of.apportion_to_areas(pd.Series(1.0, index=of.teams.index, name=name))
    assert of.average(by_area).tolist() == [1, 1]


@pytest.mark.parametrize(
    "name", ["patients", "Population 2020", "adults", "posts", "number_of_visits", "FTE"]
)
def test_a_count_has_no_mean(name):
    of = one_area(("P1", 1), ("P2", 1), name="proportional")
    by_area = pd.Series(1.0, index=of.areas, name=name)
    with pytest.raises(errors.InvalidValueError, match=f"^{name} is a count.*apportion"):
        of.average(by_area)
    with pytest.raises(errors.InvalidValueError, match=r"is a count.*apportion_to_areas"):
        of.average_to_areas(pd.Series(1.0, index=of.teams.index, name=name))
    assert of.apportion(by_area).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (lambda i: dict.fromkeys(i, 1.0), "pandas Series or DataFrame.*dict"),
        (lambda i: np.ones(len(i)), "pandas Series or DataFrame.*ndarray"),
        (lambda i: pd.Series(1.0, index=pd.MultiIndex.from_product([i, [2023]])), "one level.*MultiIndex"),
        (lambda i: pd.Series("many", index=i), "no numbers"),
        (lambda i: pd.Series(np.nan, index=i), "have no number"),
        (lambda i: pd.Series(np.inf, index=i), "have no number"),
        (lambda i: pd.Series(pd.array([None] * len(i), dtype="Int64"), index=i), "have no number"),
        (lambda i: pd.Series(1.0, index=i.append(i)), "stand twice"),
        (lambda i: pd.Series(1.0, index=i[:-1]), "have no row"),
        (lambda i: pd.Series(1.0, index=range(len(i))), "."),
    ],
    ids=["dict", "array", "levels", "text", "nan", "inf", "missing", "twice", "lacking", "numbered"],
)
@pytest.mark.parametrize("verb", ["apportion", "average", "apportion_to_areas", "average_to_areas"])
def test_what_cannot_be_matched_by_code_is_refused(verb, values, says):
    rows = [("A", CODES[0], 1), ("B", CODES[0], 1), ("B", CODES[1], 1)]
    of = na.Catchment.from_registrations(frame(rows))
    index = of.teams.index if verb.endswith("areas") else of.areas
    with pytest.raises(errors.NeedsallocError, match=says):
        getattr(of, verb)(values(index))


def test_what_would_be_lost_elsewhere_is_refused_whatever_its_sign():
    of = one_area(("P1", 1), name="proportional")
    for lost in (5.0, -5.0):
        with pytest.raises(errors.UnknownCodeError, match=CODES[1]):
            of.apportion(pd.Series([1.0, lost], index=CODES[:2]))
    assert of.apportion(pd.Series([1.0, 0.0], index=CODES[:2])).tolist() == [1]


def test_teams_that_would_lose_their_count_are_refused():
    rows = [("A", CODES[0], 9), ("B", CODES[0], 1)]
    of = na.Catchment.from_registrations(frame(rows)).with_method("first_past_the_post")
    with pytest.raises(errors.UnknownCodeError, match=r"1 teams.*nobody in these areas: B"):
        of.apportion_to_areas(pd.Series({"A": 1.0, "B": 1.0}))
    with pytest.raises(errors.UnknownCodeError, match="not in this catchment: C"):
        of.apportion_to_areas(pd.Series({"A": 1.0, "C": 1.0}))


@every_method
def test_several_columns_are_carried_each_by_itself(method):
    rows = [("A", CODES[0], 1), ("B", CODES[0], 3), ("B", CODES[1], 1)]
    of = na.Catchment.from_registrations(frame(rows)).with_method(**method)
    table = pd.DataFrame({"x": [8.0, 1], 65: [4, 2]}, index=of.areas[::-1])
    for verb in (of.apportion, of.average):
        for column in table:
            pd.testing.assert_series_equal(verb(table)[column], verb(table[column]))
    assert of.apportion(table["x"].rename(None)).name is None
