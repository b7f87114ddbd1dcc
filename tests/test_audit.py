"""The equity audit: by hand, against plain sums, and its laws at small areas and between teams."""

import doctest

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from scipy import integrate

import needsalloc as na
from needsalloc import audit as audit_module
from needsalloc import errors, synthetic
from small_worlds import (
    CODES,
    ENGLAND,
    FORMULA,
    PRACTICES,
    catchment,
    law,
    membership,
    need,
    people,
    registrations,
    worlds,
)


@pytest.fixture(scope="module")
def index() -> na.NeedIndex:
    """The demo's ICB: 300 areas of all fifths, ten PCNs and a practice without one."""
    england = synthetic.england()
    of = na.Catchment.from_registrations(england.registrations, england.membership)
    files = {name: getattr(england, name) for name in ("population", "deprivation", "lists", "conditions")}
    formula = na.NeedFormula.published("district-nursing/liverpool-2024")
    return na.need_index(formula.expected_use(na.build_people(of, **files)), base="icb")


@law(worlds(), st.integers(1, 50), examples=20)
def test_fifths_add_up_to_the_plan(world, total):
    found = need(catchment(world))
    if not found.teams["is_team"].any() or found.teams.query("is_team")["weighted_population"].sum() == 0:
        with pytest.raises(errors.AllocationError):
            na.allocate(total, found.teams)
        return
    plan = na.allocate(total, found.teams)
    table = na.audit_equity(plan, found).table
    assert list(table["deprivation_fifth"]) == [1, 2, 3, 4, 5]
    assert table["people"].sum() == pytest.approx(found.areas["registered_adults"].sum())
    for column in ("posts", "target"):
        assert table[column].sum() == pytest.approx(total, rel=1e-9)
    for column in ("share_of_people", "share_of_need", "share_of_target", "share_of_posts"):
        assert table[column].sum() == pytest.approx(1)
    assert table[["current", "share_of_current", "change"]].isna().to_numpy().all()


def test_people_and_need_stand_in_the_fifth_of_their_area(index):
    table = na.audit_equity(na.allocate(100, index.teams), index).table.set_index("deprivation_fifth")
    fifth = (index.areas["deprivation_decile"] + 1) // 2
    adults, contacts = (
        pd.Series(flows.sum(axis=1), index=index.areas.index)
        for flows in (index.use.registered.adults, index.use.registered.crude)
    )
    np.testing.assert_allclose(table["people"], adults.groupby(fifth).sum())
    np.testing.assert_allclose(table["share_of_need"], contacts.groupby(fifth).sum() / contacts.sum())
    by_fifth = contacts.groupby(fifth).sum() / adults.groupby(fifth).sum() / index.base.mean_use
    np.testing.assert_allclose(table["need_index_crude"], by_fifth)
    level = (adults * index.areas["need_index_age_standardised"]).groupby(fifth).sum()
    np.testing.assert_allclose(table["need_index_age_standardised"], level / adults.groupby(fifth).sum())
    np.testing.assert_allclose(
        table["posts_per_10000_adults"], 10_000 * table["posts"] / adults.groupby(fifth).sum()
    )


def test_posts_in_proportion_to_need_stand_where_need_is():
    """With every practice in a PCN and nobody living elsewhere, targets by fifth are need by fifth."""
    rows = [(p, c, 50 + 7 * i * j) for i, p in enumerate(PRACTICES) for j, c in enumerate(CODES)]
    teams = {p: f"P{k % 3}" for k, p in enumerate(PRACTICES)}
    found = need(catchment((registrations(rows), membership(teams))))
    table = na.audit_equity(na.allocate(90, found.teams, step=0.1), found).table
    np.testing.assert_allclose(table["share_of_target"], table["share_of_need"], rtol=1e-9)


def test_what_would_have_to_move(index):
    teams = index.teams[index.teams["is_team"]]
    target = na.allocate(100, index.teams).table["target"]
    current = target[teams.index].copy()
    at_target = na.audit_equity(na.allocate(100, index.teams, current=current), index)
    assert at_target.hoover == pytest.approx(0, abs=1e-12)
    current.iloc[0] += 3
    current.iloc[1] -= 3
    plan = na.allocate(100, index.teams, current=current)
    moved = na.audit_equity(plan, index)
    assert moved.hoover == pytest.approx(0.03)
    assert moved.table["current"].sum() == pytest.approx(100)
    assert moved.table["change"].sum() == pytest.approx(plan.table["change"].sum(), abs=1e-9)
    assert moved.most_deprived_change == moved.table["change"].iloc[0]
    # Twice the staff everywhere is the same unfairness.
    twice = na.audit_equity(na.allocate(100, index.teams, current=2 * current), index)
    assert twice.hoover == pytest.approx(0.03)


def test_a_plan_of_some_teams_is_audited_over_their_people(index):
    some = index.teams.iloc[[2, 5]]
    table = na.audit_equity(na.allocate(20, some), index).table
    lists = index.use.people.catchment.registered_by_team.loc[some.index]
    inside = some["registered_adults"] * lists["inside"] / lists["registered"]
    assert table["people"].sum() == pytest.approx(inside.sum())
    assert table["posts"].sum() == pytest.approx(20)


def test_a_team_that_did_not_say_what_it_has_is_not_taken_to_have_nobody(index):
    given = index.teams.index[index.teams["is_team"]]
    current = {team: 10.0 for team in given[1:]}
    audit = na.audit_equity(na.allocate(100, index.teams, current=current, step=0.1), index)
    plan = na.allocate(100, index.teams, current=current, step=0.1).table
    assert audit.table[["current", "share_of_current", "current_per_10000_adults"]].isna().all(axis=None)
    assert audit.table["change"].sum() == pytest.approx(plan["change"].sum())
    everyone = na.audit_equity(
        na.allocate(100, index.teams, current=current | {given[0]: 10.0}, step=0.1), index
    )
    assert everyone.table["change"].sum() == pytest.approx(100 - 10 * len(given))
    np.testing.assert_allclose(everyone.table["change"], everyone.table["posts"] - everyone.table["current"])


def test_without_current_figures_nothing_is_said_of_change(index):
    audit = na.audit_equity(na.allocate(100, index.teams), index)
    assert np.isnan([audit.hoover, audit.most_deprived_change]).all()
    assert "move" not in repr(audit)


def test_at_equal_ages_need_rises_with_deprivation(index):
    """The formula's own direction: worse scores and more conditions; ages alone can hide it."""
    level = na.audit_equity(na.allocate(100, index.teams), index).table["need_index_age_standardised"]
    assert level.is_monotonic_decreasing


NOT_ALL = [1.0] * 7 + [np.nan]


@pytest.mark.parametrize(
    ("deciles", "says"),
    [(None, "no deciles.*national file"), (NOT_ALL, f"1 areas.*{CODES[7]}"), ([0] * 8, "8 areas.*1 to 10")],
)
def test_an_area_without_a_decile_is_refused(deciles, says):
    of = catchment((registrations([(PRACTICES[0], c, 9) for c in CODES]), membership({PRACTICES[0]: "P1"})))
    imd = ENGLAND.deprivation.drop(columns="deprivation_decile")
    imd = imd if deciles is None else imd.assign(deprivation_decile=deciles)
    found = na.need_index(FORMULA.expected_use(people(of, deprivation=imd)), base="icb")
    with pytest.raises(errors.InvalidValueError, match=says):
        na.audit_equity(na.allocate(3, found.teams), found)


# Every measure, at both levels

AREAS = pd.DataFrame(
    {
        # Most deprived first: E2, E1, E3; posts 4, 3, 3 for shares of need .5, .3, .2.
        "people": [4.0, 4, 2], "need": [3.0, 5, 2], "need_at_equal_ages": [3.0, 5, 2],
        "imd_score": [2.0, 3, 1], "current": [3.0, 4, 3], "icb": ["QA", "QA", "QB"],
    },
    index=["E1", "E2", "E3"],
)  # fmt: skip
INDICES = [
    "slope_index", "relative_index", "concentration_index", "extended_concentration_index",
    "horizontal_inequity", "kakwani_by_need", "gini", "theil", "hoover",
]  # fmt: skip


def values(audit: na.EquityAudit, resource: str, level: str = "areas", against: str = "need") -> pd.Series:
    chosen = audit.inequality.query("resource == @resource and level == @level and against == @against")
    return chosen.set_index("measure")["value"]


def test_three_areas_by_hand():
    audit = na.audit_equity(AREAS, others={"by need": {"E1": 3.0, "E2": 5.0, "E3": 2.0}})
    now = values(audit, "current")
    # .8, 1 and 1.5 per need at ranks .25, .65 and .9; the mean is 1.
    covariance = 0.5 * 0.25 * 0.8 + 0.3 * 0.65 * 1 + 0.2 * 0.9 * 1.5 - 0.5
    variance = 0.5 * 0.25**2 + 0.3 * 0.65**2 + 0.2 * 0.9**2 - 0.25
    by_hand = {
        "slope_index": 10_000 * covariance / variance,  # for 10,000 need-weighted people
        "relative_index": covariance / variance,
        "concentration_index": 2 * covariance,
        "hoover": 0.1,
        "posts_to_move": 1.0,
        # In QA 7 posts for needs of 5 and 3: 4.375 and 2.625, so .375 move; QB is one area.
        "posts_to_move_within_icb": 0.375,
        "theil": 0.4 * np.log(0.8) + 0.3 * np.log(1.5),
    }
    assert now[list(by_hand)].to_dict() == pytest.approx(by_hand, rel=1e-12)
    np.testing.assert_allclose(values(audit, "by need")[INDICES], 0, atol=1e-12)
    # Need per person 1.25, .75 and 1 at ranks .2, .6 and .9 with people .4, .4, .2.
    of_need = values(audit, "need", against="people")
    assert of_need["concentration_index"] == pytest.approx(2 * (0.5 * 0.2 + 0.3 * 0.6 + 0.2 * 0.9 - 0.5))
    parts = audit.theil.query("resource == 'current' and against == 'need'").set_index("part")["theil"]
    between = 0.7 * np.log(0.7 / 0.8) + 0.3 * np.log(0.3 / 0.2)
    assert parts.to_dict() == pytest.approx(
        {"between icb": between, "within icb": by_hand["theil"] - between}, rel=1e-12
    )
    # QB has 3 posts where 2 are its share.
    by_icb = audit.by_group.query("resource == 'current' and against == 'need'").set_index("group")
    assert by_icb.loc["QB", ["amount", "relative_to_all"]].to_list() == pytest.approx([3.0, 1.5])
    moved = audit.inequality.query("resource == 'by need' and against == 'need'").set_index("measure")
    assert moved.at["hoover", "change_from_now"] == pytest.approx(-0.1)
    assert audit.inequality.loc[audit.inequality["resource"] == "need", "change_from_now"].isna().all()
    assert audit.inequality["too_few_areas"].all()
    assert len(audit.table) == 0


def test_resources_by_area_are_those_of_teams_spread_by_expected_use(index):
    teams = index.teams.index[index.teams["is_team"]]
    posts = pd.Series(np.arange(len(teams)) + 5.0, teams)
    plan = na.allocate(100, index.teams, step=0.1)
    audit = na.audit_equity(plan, index, others={"theirs": posts})
    use = index.use.registered
    contacts, adults, level = (
        pd.DataFrame(part.toarray(), index.areas.index).T.groupby(of_practice(index)).sum().T
        for part in (use.crude, use.adults, use.at_equal_ages)
    )
    by_area = (contacts[teams] / contacts[teams].sum() * posts).sum(axis=1)
    need = contacts.sum(axis=1) / index.base.mean_use
    frame = audit.measures["areas"].areas
    np.testing.assert_allclose(frame["theirs"], by_area)
    np.testing.assert_allclose(frame["need"], need)
    np.testing.assert_allclose(frame["people"], adults.sum(axis=1))
    np.testing.assert_allclose(frame["need_at_equal_ages"], level.sum(axis=1) / index.base.mean_use)
    found = values(audit, "theirs")
    assert found["hoover"] == pytest.approx((by_area / by_area.sum() - need / need.sum()).abs().sum() / 2)
    assert found["posts_to_move"] == pytest.approx(found["hoover"] * posts.sum())
    # Teams by their own need, and without the group that is no team.
    theirs = index.teams.loc[teams]
    weighted = theirs["registered_adults"] * theirs["need_index_icb"]
    shares = posts / posts.sum() - weighted / weighted.sum()
    assert values(audit, "theirs", "teams")["hoover"] == pytest.approx(shares.abs().sum() / 2)
    score = (adults[teams].T @ index.areas["imd_score"]) / adults[teams].sum()
    np.testing.assert_allclose(audit.measures["teams"].areas["imd_score"], score)
    home = contacts[teams].idxmax(axis=1)
    assert frame["team"].to_dict() == home.to_dict()


def of_practice(index: na.NeedIndex) -> np.ndarray:
    """The team of each practice."""
    return index.catchment.teams.index.to_numpy()[index.catchment.team_of_practice]


def test_limits_of_areas_are_those_of_leaving_out_a_team_at_a_time(index):
    teams = index.teams.index[index.teams["is_team"]]
    posts = pd.Series(np.arange(len(teams)) % 4 + 5.0, teams)
    audit = na.audit_equity(na.allocate(100, index.teams), index, others={"theirs": posts})
    frame = audit.measures["areas"].areas
    order = frame.sort_values("imd_score", ascending=False)
    places = order.groupby("imd_score", sort=False)["need"].sum()
    rank = frame["imd_score"].map((places.cumsum() - places / 2) / places.sum())

    def slope(rows: pd.Series) -> float:
        level = (frame["theirs"] / frame["need"])[rows]
        return 10_000 * np.polyfit(rank[rows], level, 1, w=np.sqrt(frame.loc[rows, "need"]))[0]

    every = slope(frame["need"] > 0)
    without = [slope(frame["team"] != team) for team in frame["team"].unique()]
    error = np.sqrt(((np.array(without) - every) ** 2).sum())
    found = audit.inequality.query(
        "resource == 'theirs' and level == 'areas' and against == 'need' and measure == 'slope_index'"
    ).iloc[0]
    assert found["value"] == pytest.approx(every)
    # t of 0.975 with 10 teams less 2, from a table
    assert found["high_95"] - found["value"] == pytest.approx(2.306004 * error, rel=1e-6)
    assert found["interval"] == "straight line through the areas, errors of 10 teams (CR3), t"
    off = na.audit_equity(na.allocate(100, index.teams), index, intervals="off")
    assert off.inequality[["low_95", "high_99_8"]].isna().all(axis=None)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """Areas with posts, some without; in ICBs, with ties of deprivation."""
    amount = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.01, 100))
    row = st.tuples(amount, st.floats(0.1, 100), st.floats(0.1, 100), st.integers(0, 3), st.integers(1, 10))
    rows = draw(st.lists(row, min_size=2, max_size=12))
    current, need, people, score, decile = np.array(rows).T
    current[0] += 1
    score[:2] = 0, 1
    return pd.DataFrame(
        {
            "people": people, "need": need, "imd_score": score, "deprivation_decile": decile.astype(int),
            "current": current, "posts": need * 2, "icb": np.where(score > 1, "QA", "QB"),
        },
        index=[f"E{n}" for n in range(len(rows))],
    )  # fmt: skip


@law(frames(), st.floats(0.1, 10), st.floats(0.1, 10), examples=15)
def test_the_units_of_posts_and_need_do_not_matter(areas, k, m):
    found = values(na.audit_equity(areas), "current")
    scaled = values(
        na.audit_equity(areas.assign(current=k * areas["current"], need=m * areas["need"])), "current"
    )
    for measure, factor in (("slope_index", k / m), ("posts_to_move", k), ("posts_to_move_within_icb", k)):
        found[measure] *= factor
    # sums of a dozen numbers near 1, and differences of them
    np.testing.assert_allclose(scaled, found, rtol=1e-8, atol=1e-10)


@law(frames(), examples=15)
def test_ranking_the_other_way_turns_the_signs(areas):
    turned = na.audit_equity(areas.assign(imd_score=-areas["imd_score"]))
    odd = ["slope_index", "relative_index", "concentration_index", "horizontal_inequity"]
    for resource, against in (("current", "need"), ("need", "people")):
        found, other = (
            values(na.audit_equity(areas), resource, against=against),
            values(turned, resource, against=against),
        )
        rows = [measure for measure in odd if measure in found]
        np.testing.assert_allclose(other[rows], -found[rows], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(other[["gini", "theil"]], found[["gini", "theil"]], rtol=1e-9, atol=1e-12)


@law(frames(), examples=15)
def test_the_same_per_need_everywhere_is_nothing_to_move(areas):
    found = values(na.audit_equity(areas), "posts")
    np.testing.assert_allclose(found[[*INDICES, "posts_to_move", "posts_to_move_within_icb"]], 0, atol=1e-9)


@law(frames(), examples=15)
def test_groups_and_parts_sum_to_the_whole_and_lorenz_curves_rise(areas):
    audit, surplus = na.audit_equity(areas), []
    groups = audit.by_group.query("against == 'need'")
    for (_, resource), rows in groups.groupby(["grouping", "resource"]):
        assert rows["amount"].sum() == pytest.approx(areas[resource].sum())
        assert rows[["share_of_need", "share_of_resource", "share_of_population"]].sum().to_list() == (
            pytest.approx([1, 1, 1])
        )
    for _, these in areas.groupby("icb"):
        fair = these["need"] / these["need"].sum() * these["current"].sum()
        surplus.append((these["current"] - fair).clip(lower=0).sum())
    assert values(audit, "current")["posts_to_move_within_icb"] == pytest.approx(sum(surplus), abs=1e-9)
    for resource, rows in audit.theil.query("against == 'need'").groupby("resource"):
        assert rows["theil"].sum() == pytest.approx(values(audit, resource)["theil"], abs=1e-12)
    for resource, curve in audit.lorenz.groupby("resource"):
        assert (np.diff(curve[["share_of_need", "share_of_resource"]], axis=0) >= -1e-15).all()
        assert (curve["share_of_resource"] <= curve["share_of_need"] + 1e-12).all()
        area = 1 - 2 * integrate.trapezoid(curve["share_of_resource"], curve["share_of_need"])
        assert area == pytest.approx(values(audit, resource)["gini"], abs=1e-9)


def test_a_lorenz_curve_of_many_areas_is_thinned_on_the_curve(index):
    audit = na.audit_equity(na.allocate(100, index.teams), index, others={"equal": equal(index)})
    curve = audit.lorenz.query("level == 'areas' and resource == 'equal'")
    assert len(curve) == 201
    whole = audit.measures["areas"].lorenz().query("resource == 'equal' and need == 'need'")
    assert len(whole) == 301
    np.testing.assert_allclose(
        curve["share_of_resource"],
        np.interp(curve["share_of_need"], whole["share_of_need"], whole["share_of_resource"]),
        atol=1e-12,
    )


def equal(index: na.NeedIndex) -> pd.Series:
    """A post for each 1,000 adults of a team."""
    return index.teams.loc[index.teams["is_team"], "registered_adults"] / 1_000


def test_before_and_after_stand_beside_each_other(index):
    current = equal(index)
    plan = na.allocate(100, index.teams, current=current, step=0.1)
    audit = na.audit_equity(
        plan, index, others={"posts, year 1": (current + plan.table["posts"][current.index]) / 2}
    )
    assert list(audit.inequality["resource"].unique()) == [
        "need", "need_at_equal_ages", "current", "target", "posts", "posts, year 1",
    ]  # fmt: skip
    beside = audit.beside("teams")
    assert list(beside) == ["current", "target", "posts", "posts, year 1"]
    change = audit.inequality.query("level == 'teams' and against == 'need' and resource == 'posts'")
    np.testing.assert_allclose(
        change.set_index("measure")["change_from_now"],
        (beside["posts"] - beside["current"])[change["measure"]],
    )
    assert audit.of("posts")[("teams", "need")].to_dict() == beside["posts"].to_dict()
    poorest = audit.by_group.query(
        "level == 'areas' and against == 'need' and grouping == 'deprivation_fifth' and group == '1'"
    ).set_index("resource")
    assert poorest.at["posts", "change_from_now"] == pytest.approx(audit.most_deprived_change)
    assert poorest.at["current", "amount"] == pytest.approx(audit.table.at[0, "current"])
    core20 = audit.by_group.query("grouping == 'core20' and resource == 'posts' and against == 'need'")
    assert core20.set_index("group").at["core20", "amount"] == pytest.approx(audit.table.at[0, "posts"])
    with pytest.raises(errors.UnknownCodeError, match="No resource 'money' was audited"):
        audit.of("money")
    with pytest.raises(errors.UnknownCodeError, match="against 'money'"):
        audit.beside(against="money")


def test_need_is_set_against_people_as_it_is_and_at_equal_ages(index):
    audit = na.audit_equity(na.allocate(100, index.teams), index)
    fifths = audit.by_group.query("against == 'people' and grouping == 'deprivation_fifth'")
    for resource, column in (
        ("need", "need_index_crude"),
        ("need_at_equal_ages", "need_index_age_standardised"),
    ):
        rows = fifths[fifths["resource"] == resource]
        np.testing.assert_allclose(rows["resource_per_need"] / 10_000, audit.table[column])
    crude, level = (values(audit, name, against="people") for name in ("need", "need_at_equal_ages"))
    # At a given age need rises with deprivation; ages run against it in the made-up ICB.
    assert level["relative_index"] < 0 < crude["relative_index"]
    signs = audit.inequality.query("against == 'people' and measure == 'slope_index'")["sign"].unique()
    assert list(signs) == ["positive: more per person where less deprived"]


def test_rural_and_urban_and_places_as_the_user_says(index):
    areas = index.areas.index
    rural = pd.Series(np.where(np.arange(len(areas)) % 5 == 0, "rural", "urban"), areas)
    teams = index.teams.assign(place=np.where(np.arange(len(index.teams)) % 2, "North", "South"))
    plan = na.allocate(100, teams)
    audit = na.audit_equity(plan, index, rural_urban=rural, nesting=["icb", "place"])
    amounts = audit.by_group.query("level == 'areas' and grouping == 'rural_urban' and resource == 'posts'")
    frame = audit.measures["areas"].areas
    np.testing.assert_allclose(
        amounts.query("against == 'need'")["amount"], frame.groupby(rural)["posts"].sum()
    )
    # One ICB is nothing to tell apart.
    assert audit.theil.query("level == 'areas'")["part"].unique().tolist() == [
        "between place", "between team within place", "within team",
    ]  # fmt: skip
    assert audit.theil.query("level == 'teams'")["part"].unique().tolist() == [
        "between place",
        "within place",
    ]
    with pytest.raises(errors.MissingColumnError, match="no column borough to split by"):
        na.audit_equity(plan, index, nesting=["borough"])
    with pytest.raises(errors.UnknownCodeError, match="1 of 300 areas are missing from the classification"):
        na.audit_equity(plan, index, rural_urban=rural.iloc[1:])


def test_posts_by_team_need_no_allocation(index):
    plan = na.allocate(100, index.teams, current=equal(index), step=0.1)
    teams = plan.table[plan.table["is_team"]]
    given = na.audit_equity(teams[["current", "target", "posts"]], index)
    # The group that is no team is not in the frame: with it, areas have its people too.
    np.testing.assert_allclose(
        given.beside("teams"), na.audit_equity(plan, index).beside("teams"), rtol=1e-12
    )
    assert given.hoover == pytest.approx(na.audit_equity(plan, index).hoover)
    with pytest.raises(errors.UnknownCodeError, match="1 of 1 teams of the frame are not among"):
        na.audit_equity(pd.DataFrame({"posts": [1.0]}, index=["P9"]), index)


def test_teams_of_a_frame_are_compared_as_teams():
    teams = AREAS.rename_axis("team")
    audit = na.audit_equity(teams)
    assert audit.inequality["level"].unique().tolist() == ["teams"]
    np.testing.assert_array_equal(
        values(audit, "current", "teams"), values(na.audit_equity(AREAS), "current")
    )


def test_an_area_is_of_the_team_with_the_most_need_even_where_more_are_with_none():
    rows = [(PRACTICES[0], code, 10) for code in CODES[:2]]
    rows += [(PRACTICES[1], CODES[0], 900), (PRACTICES[1], CODES[2], 900), (PRACTICES[2], CODES[1], 20)]
    teams = dict(zip(PRACTICES[:3], ["P1", "U", "P2"], strict=True))
    found = need(catchment((registrations(rows), membership(teams))))
    areas = na.audit_equity(na.allocate(10, found.teams), found).measures["areas"].areas
    assert areas["team"].to_dict() == {CODES[0]: "P1", CODES[1]: "P2", CODES[2]: "U"}
    assert areas.at[CODES[2], "posts"] == 0


def test_one_team_is_nothing_to_compare_teams_by(index):
    some = index.teams.iloc[[2]]
    audit = na.audit_equity(na.allocate(20, some), index)
    assert audit.inequality["level"].unique().tolist() == ["areas"]
    assert "No inequality between teams is said, of which 1 have need" in [note.what for note in audit.notes]
    # All areas have the same posts per need.
    np.testing.assert_allclose(values(audit, "posts")[INDICES], 0, atol=1e-9)


def test_a_team_that_did_not_say_what_it_has_is_not_compared(index):
    given = index.teams.index[index.teams["is_team"]]
    audit = na.audit_equity(na.allocate(100, index.teams, current={team: 10.0 for team in given[1:]}), index)
    assert "current" not in audit.inequality["resource"].to_list()
    assert audit.inequality["change_from_now"].isna().all()


def test_posts_of_nobody_and_of_no_team_are_named(index):
    plan = na.allocate(100, index.teams)
    theirs = pd.concat([equal(index), pd.Series({"U": 3.0})])
    audit = na.audit_equity(plan, index, others={"theirs": theirs, "none": 0 * equal(index)})
    said = [note.what for note in audit.notes]
    assert "Posts of 1 rows are not compared between teams: U" in said
    assert "Not compared, for nobody has any: none" in said
    assert audit.measures["areas"].areas["theirs"].sum() == pytest.approx(theirs.sum())
    assert audit.measures["teams"].areas["theirs"].sum() == pytest.approx(equal(index).sum())


def test_teams_of_whole_areas_are_audited_over_their_residents(index):
    drawn = index.catchment.with_method("first_past_the_post")
    whole = na.need_index(index.use, base="icb", people="resident", catchment=drawn)
    plan = na.allocate(100, whole.teams, step=0.1)
    audit = na.audit_equity(plan, whole)
    frame = audit.measures["areas"].areas
    assert frame["people"].sum() == pytest.approx(whole.teams.query("is_team")["resident_adults"].sum())
    assert frame["posts"].sum() == pytest.approx(100)
    # Each area is one team's: they differ as the team's posts per need do.
    level = plan.table["posts"] / (plan.table["resident_adults"] * plan.table["need_index_icb"])
    np.testing.assert_allclose(frame["posts"] / frame["need"], level[frame["team"]])


def test_pictures_show_the_figures(index):
    pytest.importorskip("matplotlib").use("Agg")
    audit = na.audit_equity(na.allocate(100, index.teams, current=equal(index)), index)
    curves = audit.plot().get_lines()
    assert [line.get_label() for line in curves] == ["in proportion to need", "current", "target", "posts"]
    np.testing.assert_array_equal(
        curves[1].get_ydata(),
        audit.lorenz.query("level == 'areas' and resource == 'current'")["share_of_resource"],
    )
    bars = audit.plot("gradient", by="core20", resources=["current"]).patches
    rows = audit.by_group.query(
        "level == 'areas' and grouping == 'core20' and against == 'need' and resource == 'current'"
    )
    np.testing.assert_allclose([bar.get_y() + bar.get_height() for bar in bars], rows["relative_to_all"])
    for wrong in ({"kind": "pie"}, {"resources": ["money"]}, {"kind": "gradient", "by": "rural_urban"}):
        with pytest.raises(errors.UnknownCodeError):
            audit.plot(**wrong)
    with pytest.raises(errors.InvalidValueError, match="5 resources cannot be told apart"):
        audit.plot(resources=["current", "target", "posts", "current", "target"])


def test_an_audit_says_what_it_found(index):
    audit = na.audit_equity(na.allocate(100, index.teams, current=equal(index)), index)
    lines = audit.beside().loc["relative_index"]
    assert f"{lines['current']:+.1%} current".replace("-", "−") in repr(audit)
    assert "<table" in audit._repr_html_()
    assert "nothing to compare" in repr(na.audit_equity(AREAS.assign(imd_score=1)))
    assert doctest.testmod(audit_module).failed == 0


def test_what_cannot_be_audited_is_refused(index):
    plan = na.allocate(100, index.teams)
    with pytest.raises(errors.InvalidValueError, match="Give the need index"):
        na.audit_equity(plan)
    with pytest.raises(errors.MissingColumnError, match="no columns need, imd_score"):
        na.audit_equity(AREAS[["people"]])
    with pytest.raises(errors.InvalidValueError, match="1 areas stand twice in the frame: E1"):
        na.audit_equity(pd.concat([AREAS, AREAS.head(1)]))
    with pytest.raises(errors.InvalidValueError, match="1 other allocations are called like what"):
        na.audit_equity(plan, index, others={"posts": equal(index)})
    with pytest.raises(errors.UnknownCodeError, match="1 of 11 teams have no row in the posts of 'theirs'"):
        na.audit_equity(plan, index, others={"theirs": equal(index).iloc[1:]})
    with pytest.raises(errors.UnknownCodeError, match="1 teams of the posts of 'theirs' are not in this"):
        na.audit_equity(plan, index, others={"theirs": pd.concat([equal(index), pd.Series({"P9": 1.0})])})
    with pytest.raises(errors.InvalidValueError, match="theirs that is missing or negative"):
        na.audit_equity(plan, index, others={"theirs": -equal(index)})
    with pytest.raises(errors.UnknownCodeError, match='"robust" or "off"'):
        na.audit_equity(plan, index, intervals="bayes")  # type: ignore[arg-type]
