"""People, need and posts by characteristic: against plain sums, and what must add up."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

import needsalloc as na
from needsalloc import errors, synthetic
from needsalloc.ages import BANDS
from needsalloc.audit import audited
from needsalloc.equality import COLUMNS, UNSEEN, EqualityEvidence, equality_evidence
from needsalloc.formulas import Weights
from small_worlds import catchment, law, need, worlds

KNOWN = ["age", "sex", "deprivation", "rurality"]
EDGES = [18, 45, 65, 75, 85]


def index_by(formula: na.NeedFormula) -> na.NeedIndex:
    england = synthetic.england()
    of = na.Catchment.from_registrations(england.registrations, england.membership)
    files = {name: getattr(england, name) for name in ("population", "deprivation", "lists", "conditions")}
    return na.need_index(formula.expected_use(na.build_people(of, **files)), base="icb")


@pytest.fixture(scope="module")
def index() -> na.NeedIndex:
    return index_by(na.NeedFormula.published("district-nursing/liverpool-2024"))


@pytest.fixture(scope="module")
def rural(index) -> pd.Series:
    areas = index.areas.index
    return pd.Series(np.where(np.arange(len(areas)) % 5 == 0, "rural", "urban"), areas)


@pytest.fixture(scope="module")
def plan(index) -> na.Allocation:
    teams = index.teams.index[index.teams["is_team"]]
    return na.allocate(100, index.teams, current=dict.fromkeys(teams, 9.0), step=0.1)


@pytest.fixture(scope="module")
def found(plan, index, rural) -> EqualityEvidence:
    return equality_evidence(plan, index, rural_urban=rural)


def of(evidence: EqualityEvidence, characteristic: str) -> pd.DataFrame:
    return evidence.table.query("characteristic == @characteristic").set_index("group")


def test_every_characteristic_holds_all_people_need_and_posts(found, plan):
    for name in KNOWN:
        rows = of(found, name)
        assert rows["people"].sum() == pytest.approx(of(found, "age")["people"].sum())
        assert rows[["share_of_people", "share_of_need"]].sum().to_list() == pytest.approx([1, 1])
        assert rows["posts_before"].sum() == pytest.approx(plan.table["current"].sum())
        assert rows["posts_after"].sum() == pytest.approx(100)
    assert list(found.table) == COLUMNS
    assert (found.table[["mitigation", "owner"]] == "").all(axis=None)


def test_people_by_age_are_those_of_the_flows(found, index):
    flows = index.use.people.ages.people["registered"].sum(axis=0)
    by_age = np.add.reduceat(flows, np.searchsorted(BANDS, EDGES))
    np.testing.assert_allclose(of(found, "age")["people"], by_age)


def test_need_by_age_and_sex_is_people_times_their_weights():
    """With weights by age and sex alone, need is what they say of people counted year by year."""
    weights = Weights.from_bands(
        {"female": {"0-64": 1.0, "65-84": 4.0, "85+": 9.0}, "male": {"0-64": 2.0, "65-84": 3.0, "85+": 6.0}},
        name="ours", source="an example",
    )  # fmt: skip
    index = index_by(na.NeedFormula.from_weights(weights))
    who = index.use.people
    women, men = np.zeros(73), np.zeros(73)
    flows = who.ages.pattern.tocoo()
    bands = np.searchsorted(BANDS, np.arange(18, 91), side="right") - 1
    for flow, (area, practice) in enumerate(zip(flows.row, flows.col, strict=True)):
        years = who.ages.people["registered"][flow, bands] * who.ages.within[area, 18:]
        women += years * who.female_share[practice, 18:]
        men += years * (1 - who.female_share[practice, 18:])
    ages = np.arange(18, 91)
    each = np.select([ages < 65, ages < 85], [[[1.0], [2.0]], [[4.0], [3.0]]], [[9.0], [6.0]])
    contacts = each * np.array([women, men])
    evidence = equality_evidence(na.allocate(100, index.teams), index)
    np.testing.assert_allclose(of(evidence, "sex")["people"], [women.sum(), men.sum()])
    np.testing.assert_allclose(of(evidence, "sex")["share_of_need"], contacts.sum(axis=1) / contacts.sum())
    group = np.searchsorted(EDGES, ages, side="right") - 1
    np.testing.assert_allclose(
        of(evidence, "age")["share_of_need"], np.bincount(group, contacts.sum(axis=0)) / contacts.sum()
    )


def test_posts_by_deprivation_are_those_of_the_audit(found, plan, index, rural):
    table = na.audit_equity(plan, index).table
    rows = of(found, "deprivation")
    for ours, theirs in (("posts_before", "current"), ("posts_after", "posts"), ("people", "people")):
        np.testing.assert_allclose(rows[ours], table[theirs])
    by_rurality = na.audit_equity(plan, index, rural_urban=rural).by_group.query(
        "level == 'areas' and grouping == 'rural_urban' and resource == 'posts' and against == 'need'"
    )
    np.testing.assert_allclose(of(found, "rurality")["posts_after"], by_rurality["amount"])


@law(worlds(), st.sampled_from(["proportional", "first_past_the_post"]), examples=15)
def test_need_by_age_and_sex_adds_up_to_that_of_the_teams(world, method):
    of_lists = catchment(world)
    whose = "registered" if method == "proportional" else "resident"
    found = need(of_lists, catchment=of_lists.with_method(method), people=whose)
    teams = found.teams.query("is_team")
    if not teams["weighted_population"].sum() > 0:
        return
    plan = na.allocate(len(teams) * 100, found.teams, step=0.01)
    evidence = equality_evidence(plan, found)
    audit = na.audit_equity(plan, found)
    for name in KNOWN[:3]:
        rows = of(evidence, name)
        assert rows["people"].sum() == pytest.approx(audit.table["people"].sum())
        assert rows["posts_after"].sum() == pytest.approx(audit.table["posts"].sum())
        assert (rows["share_of_need"] >= 0).all()
    # Of residents whom these lists share out.
    everybody = pd.DataFrame({"all": found.use.people.residents}, found.areas.index)
    counted = of(equality_evidence(plan, found, counts={"everybody": everybody}), "everybody")["people"]
    rows = audited(plan, found)
    assert counted.sum() == pytest.approx(rows["resident"].sum())


def test_need_by_sex_of_teams_of_whole_areas():
    weights = Weights.from_bands(
        {"female": {"0+": 1.0}, "male": {"0+": 3.0}}, name="ours", source="an example"
    )
    by_lists = index_by(na.NeedFormula.from_weights(weights))
    drawn = by_lists.catchment.with_method("first_past_the_post")
    whole = na.need_index(by_lists.use, base="icb", people="resident", catchment=drawn)
    sexes = of(equality_evidence(na.allocate(100, whole.teams), whole), "sex")
    need_of_sex = sexes["people"] * [1, 3]
    np.testing.assert_allclose(sexes["share_of_need"], need_of_sex / need_of_sex.sum())
    assert sexes["people"].sum() == pytest.approx(whole.teams.query("is_team")["resident_adults"].sum())


def test_counts_of_residents_are_shared_as_residents_are(plan, index):
    areas = index.areas.index
    residents = pd.Series(index.use.people.residents, areas)
    counts = pd.DataFrame({"disabled": 0.2 * residents, "residents": residents})
    ethnic = pd.DataFrame({"Asian": 0.1 * residents, "White": 0.9 * residents})
    evidence = equality_evidence(plan, index, counts={"disability": counts, "ethnicity": ethnic})
    disability = of(evidence, "disability")
    assert disability["share_of_people"].to_dict() == pytest.approx({"disabled": 0.2, "others": 0.8})
    assert disability["people"].sum() == pytest.approx(index.teams["resident"].sum())
    assert of(evidence, "ethnicity")["share_of_people"].to_dict() == pytest.approx(
        {"Asian": 0.1, "White": 0.9}
    )
    assert disability[["share_of_need", "posts_before", "posts_after"]].isna().all(axis=None)
    assert "people by disability, ethnicity; no open data on rurality" in repr(evidence)
    too_many = counts.assign(disabled=1.2 * residents)
    with pytest.raises(errors.InvalidValueError, match="In 300 areas the groups of the counts of disability"):
        equality_evidence(plan, index, counts={"disability": too_many})
    with pytest.raises(errors.UnknownCodeError, match="have no row in the counts of disability"):
        equality_evidence(plan, index, counts={"disability": counts.iloc[1:]})


def test_what_nobody_says_stands_there_by_name(found, index):
    lacking = found.table[found.table["note"].str.startswith("no open data")]
    assert {"ethnicity", "disability", "religion or belief", "sexual orientation"} <= set(
        lacking["characteristic"]
    )
    unseen = of(found, UNSEEN)
    for who in ("not registered", "Homeless", "Traveller", "Migrants", "prisons"):
        assert unseen.index.str.contains(who).sum() == 1
    children = index.use.people.ages.people["registered"][:, 0].sum()
    assert unseen["people"].dropna().to_list() == pytest.approx(
        [children, index.teams["outside"].sum(), index.teams.at["U", "registered"]]
    )
    assert repr(found) == (
        "<EqualityEvidence: people, need and posts by age, sex, deprivation, rurality; no open data on "
        "ethnicity, disability, gender reassignment, marriage and civil partnership, pregnancy and "
        "maternity, religion or belief, sexual orientation>"
    )
    assert "<table" in found._repr_html_()


def test_posts_before_are_blank_if_a_team_did_not_say(index):
    plan = na.allocate(100, index.teams, current={"U90001": 9.0})
    evidence = equality_evidence(plan, index)
    assert evidence.table["posts_before"].isna().all()
    assert of(evidence, "age")["posts_after"].sum() == pytest.approx(100)


def test_without_deciles_there_are_no_fifths(index):
    england = synthetic.england()
    of_lists = na.Catchment.from_registrations(england.registrations, england.membership)
    imd = england.deprivation.drop(columns="deprivation_decile")
    files = {name: getattr(england, name) for name in ("population", "lists", "conditions")}
    who = na.build_people(of_lists, deprivation=imd, **files)
    bare = na.need_index(index.use.formula.expected_use(who), base="icb")
    with pytest.raises(errors.InvalidValueError, match="no deciles"):
        equality_evidence(na.allocate(3, bare.teams), bare)
