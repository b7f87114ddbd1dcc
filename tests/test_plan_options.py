"""What a plan decides and sets beside itself: totals are kept everywhere, and each figure is as by hand."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from needsalloc import checks, errors, need
from needsalloc.index import NeedIndex, need_index
from needsalloc.inputs import read_inputs
from needsalloc.options import Option, options_of
from needsalloc.plan import check_plan, read_plan
from needsalloc.plan_allocation import asked
from needsalloc.plan_evidence import evidence_beside
from needsalloc.plan_staff import mix_of, pace_of, skills_beside
from needsalloc.run import run_plan
from needsalloc.sensitivity import moved_by_data_beside
from plan_folders import CURRENT, PLAN, edit, write_files

pytestmark = pytest.mark.slow

STEP, TOTAL, TOP = 0.01, 20.0, 1.5
BY_TEAM = "by_team.csv"
FULL = (
    PLAN.replace("step = 0.5", f"step = {STEP}")
    .replace(
        f'current = "{CURRENT}"',
        f'current = "{CURRENT}"\nby_team = "{BY_TEAM}"\ninequalities = "weights.csv"\n'
        'contacts = "contacts.csv"\nprevious = "previous.csv"',
    )
    .replace("minimum = 1.0", "minimum = 1.0\ninequalities = 0.2")
    .replace(
        "[report]",
        """\
[[allocate.limits]]
name = "nobody loses over a third"
kind = "minimum"
value = 0.7
basis = "share of current"
reason = "staff"
owner = "director of nursing"

[[allocate.limits]]
name = "room for four"
kind = "cap"
value = 4
teams = ["U90003"]
reason = "estate"
owner = "head of estates"

[[allocate.reserves]]
name = "winter"
posts = 1.5
reason = "surge"
owner = "operations"

[[allocate.reserves]]
name = "hostels"
posts = { U90002 = 0.5 }
reason = "homeless people"
owner = "inclusion lead"

[[allocate.adjustments]]
team = "U90004"
posts = 0.5
reason = "a prison"
owner = "locality manager"

[allocate.time]
minutes = 30
travel = "travel"
source = "diary week"

[pace]
years = 3
moves = "vacancies"
turnover = "turnover"
growth = [0.05, 0, 0]
source = "workforce plan"

[skills]
shares = { band_3 = 0.2, band_5 = 0.5, band_6 = 0.3 }

[cost]
pay = { band_3 = 31000, band_5 = 42000, band_6 = 51000 }
source = "finance"

[[options]]
name = "Residents"
why = "who lives there"
need = { people = "resident" }

[[options]]
name = "As printed, more of it"
why = "another reading"
plan = { total = 26 }
need = { formula = "district-nursing/liverpool-2024-as-printed" }
allocate = { limits = [], rule = "hamilton" }

[[options]]
name = "Ours"
why = "our own weights"
need = { formula = "ours.toml" }

[report]""",
    )
)
OURS = """\
name = "ours"
source = "our trust"
[weights]
"18-64" = 0.3
"65-84" = 2.4
"85+" = 9.0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = write_files(tmp_path_factory.mktemp("options") / "mine").parent
    teams = [f"U9000{n}" for n in range(1, 5)]
    travel = {"team": teams, "travel": [5.0, 12.0, 8.0, 20.0], "turnover": [0.1, 0.12, 0.08, 0.2]}
    pd.DataFrame(travel).to_csv(place / BY_TEAM, index=False)
    pd.DataFrame({"team": teams, "weight": [1.0, 2.0, 1.5, 3.0]}).to_csv(place / "weights.csv", index=False)
    counted = {"team": teams, "contacts": [900, 1_100, 700, 800]}
    pd.DataFrame(counted).to_csv(place / "contacts.csv", index=False)
    (place / "ours.toml").write_text(OURS, encoding="utf-8")
    # An earlier plan without registers of conditions: its need is another.
    earlier = run(place, PLAN.replace('conditions = "PREVALENCE.csv"\n', ""))
    earlier.bundle.allocation.to_csv(place / "previous.csv", index=False)
    return place


def run(folder, text: str):
    (folder / "plan.toml").write_text(text, encoding="utf-8")
    return run_plan(read_plan(folder / "plan.toml"), folder)


def decide(folder, text: str, need: NeedIndex) -> None:
    """What a run decides on need that is there already, in its order."""
    (folder / "plan.toml").write_text(text, encoding="utf-8")
    inputs = read_inputs(read_plan(folder / "plan.toml"), folder)
    own = asked(inputs, need)
    plan = own.allocate()
    pace_of(inputs, plan)
    options_of(inputs, need, own, plan)
    skills_beside(inputs, plan, mix_of(inputs, plan))
    moved_by_data_beside(inputs, own, plan)
    evidence_beside(inputs, need, plan)


@pytest.fixture(scope="module")
def result(folder):
    return run(folder, FULL)


@pytest.fixture(scope="module")
def now(folder):
    return pd.read_csv(folder / CURRENT).set_index("team")["current"]


def by_option(result) -> pd.DataFrame:
    long = result.bundle.beside["options_by_team"]
    return long.pivot_table(index="team", columns="option", values="posts", sort=False)


def test_every_option_year_and_band_has_its_total(result, now):
    beside = result.bundle.beside
    own = TOTAL - TOP
    totals = [now.sum(), own, own, own, 26 - TOP, own]
    assert beside["options"]["option"].tolist() == [
        "Status quo", "This plan", "Equal per adult", "Residents", "As printed, more of it", "Ours",
    ]  # fmt: skip
    np.testing.assert_allclose(beside["options"]["posts"], totals, rtol=1e-12)
    np.testing.assert_allclose(by_option(result).sum(), totals, rtol=1e-12)
    years = beside["pace"].groupby("year")["posts"].sum()
    grown = round(now.sum() * 1.05 / STEP) * STEP
    assert years.tolist() == [grown, grown, grown]
    posts = result.bundle.allocation.set_index("team")["posts"]
    bands = beside["skills"].set_index("team").drop(columns="team_name")
    np.testing.assert_allclose(bands.sum(axis=1), posts[bands.index], atol=1e-9)
    np.testing.assert_allclose(bands.sum(), beside["skill_cost"]["posts"], atol=1e-9)
    named = " ".join(check.name for check in result.bundle.checks if check.status == "pass")
    for what in ("option “Equal per adult”", "option “Ours”", "year 3 of the pace", "of all bands"):
        assert what in named


def test_figures_of_options_are_those_of_their_posts(result, now):
    table = result.bundle.beside["options"].set_index("option")
    change = by_option(result).sub(now, axis=0)
    np.testing.assert_allclose(table["posts_moved"], -change.where(change < 0, 0).sum(), atol=1e-9)
    assert table["teams_gaining"].tolist() == (change > 1e-9).sum().tolist()
    assert table["teams_losing"].tolist() == (change < -1e-9).sum().tolist()
    np.testing.assert_allclose(table["largest_gain"], change.max().clip(lower=0), atol=1e-9)
    np.testing.assert_allclose(table["largest_loss"], (-change.min()).clip(lower=0), atol=1e-9)
    long = result.bundle.beside["options_by_team"]
    adults = result.bundle.allocation.set_index("team")["registered_adults"]
    per_adult = 10_000 * long["posts"] / long["team"].map(adults)
    np.testing.assert_allclose(long["posts_per_10000_adults"], per_adult, rtol=1e-12)


def test_options_have_the_audits_own_figures(result):
    table = result.bundle.beside["options"].set_index("option")
    areas = result.audit.inequality.query("level == 'areas' and against == 'need'")
    for option, resource in (("Status quo", "current"), ("This plan", "posts"), ("Ours", "option: Ours")):
        values = areas[areas["resource"] == resource].set_index("measure")["value"]
        for name in ("relative_index", "hoover"):
            assert table.at[option, name] == values[name]
    assert table.at["Status quo", "most_deprived_change"] == 0
    poorest = result.audit.table["change"].iloc[0]
    assert table.at["This plan", "most_deprived_change"] == pytest.approx(poorest, abs=1e-9)
    assert {f"posts, year {year}" for year in (1, 2, 3)} <= set(result.audit.inequality["resource"])


def test_an_equal_share_per_adult_is_by_heads_alone(result):
    """Highest averages by hand: each step goes where adults over steps so far and a half are most."""
    table = result.bundle.allocation.set_index("team")
    adults = table.loc[table.index.str.startswith("U9"), "registered_adults"]
    steps = pd.Series(0, adults.index)
    for _ in range(round((TOTAL - TOP) / STEP)):
        steps[(adults / (steps + 0.5)).idxmax()] += 1
    found = by_option(result)["Equal per adult"]
    pd.testing.assert_series_equal(found, STEP * steps[found.index], check_names=False, rtol=1e-12)


def test_an_option_is_what_its_own_plan_gives(folder, result):
    """Nothing is read again for it, yet it is the run of the plan with what differs."""
    posts = by_option(result)
    assert not posts["Residents"].equals(posts["Ours"])
    for option in result.plan.options:
        alone = result.plan.with_option(option).model_dump(exclude_none=True)
        del alone["inputs"]["previous"]
        table = run_plan(check_plan(alone), folder).bundle.allocation.set_index("team")
        expected = table.loc[posts.index, "posts"]
        pd.testing.assert_series_equal(posts[option.name], expected, check_names=False, rtol=1e-12)


def test_an_option_of_the_same_formula_computes_no_use(folder, monkeypatch):
    asked = []
    compute = need.NeedFormula.expected_use

    def counted(self, people):
        asked.append(self.name)
        return compute(self, people)

    monkeypatch.setattr(need.NeedFormula, "expected_use", counted)
    own = FULL[: FULL.index("[[options]]")] + FULL[FULL.index("[report]") :]
    run(folder, own)
    without = len(asked)
    residents = FULL[: FULL.index('[[options]]\nname = "As printed')] + FULL[FULL.index("[report]") :]
    run(folder, residents)
    assert len(asked) == 2 * without


def test_an_option_that_holds_a_term_has_a_use_of_its_own(folder):
    own = FULL[: FULL.index("[[options]]")] + FULL[FULL.index("[report]") :]
    held = "need = { hold = { dementia = 0.5 } }"
    option = f'[[options]]\nname = "Held"\nwhy = "another reading"\n{held}\n\n[report]'
    result = run(folder, own.replace("[report]", option))
    alone = result.plan.with_option(result.plan.options[0]).model_dump(exclude_none=True)
    expected = run_plan(check_plan(alone), folder).bundle.allocation.set_index("team")["posts"]
    posts = by_option(result)
    pd.testing.assert_series_equal(posts["Held"], expected[posts.index], check_names=False)
    assert not posts["Held"].equals(posts["This plan"])


def test_vacancies_may_stand_in_the_sheet_by_team(folder):
    sheet = pd.read_csv(folder / CURRENT).drop(columns="vacancies", errors="ignore")
    sheet.to_csv(folder / "posts.csv", index=False)
    beside = pd.read_csv(folder / BY_TEAM).assign(vacancies=[0.1, 0.2, 0.3, 0.4])
    beside.to_csv(folder / "vacancies.csv", index=False)
    result = run(folder, FULL.replace(CURRENT, "posts.csv").replace(BY_TEAM, "vacancies.csv"))
    found = result.allocation.table["vacancies"].loc[beside["team"]]
    assert found.tolist() == [0.1, 0.2, 0.3, 0.4]


def test_what_an_options_own_formula_rests_on_is_cited(result):
    assert [source.file for source in result.bundle.sources if source.role == "formula"] == ["ours.toml"]
    assert "ours.toml" in result.bundle.effective_plan.partition("[checksums]")[2]


CHOSEN = ["Least posts of a team", "nobody loses over a third", "room for four", "winter", "hostels",
          "Local adjustment", "Minutes of a contact", "Share for inequalities"]  # fmt: skip


def test_the_effect_of_a_choice_is_what_a_plan_without_it_has_elsewhere(folder, result):
    table = result.bundle.beside["choices"].set_index("name")
    assert table.index.tolist() == CHOSEN
    assert table.loc["nobody loses over a third", ["owner", "value"]].tolist() == [
        "director of nursing",
        "0.7 of its posts now",
    ]
    given = result.plan.model_dump(exclude_none=True) | {"options": []}
    del given["inputs"]["previous"]
    own = given["allocate"]
    others = {
        "nobody loses over a third": {"limits": own["limits"][1:]},
        "winter": {"reserves": own["reserves"][1:]},
        "Local adjustment": {"adjustments": []},
        "Share for inequalities": {"inequalities": 0.0},
        "Minutes of a contact": {"time": None},
    }
    posts = result.bundle.allocation.set_index("team")["posts"]
    for name, other in others.items():
        plan = check_plan(given | {"allocate": own | other})
        without = asked(read_inputs(plan, folder), result.need).allocate().table["posts"]
        lost = (without - posts).clip(lower=0).sum()
        assert table.at[name, "effect"] == pytest.approx(lost), name
    assert table.at["winter", "effect"] >= TOP
    assert table["effect"].max() > 0
    logged = {assumption.what for assumption in result.bundle.assumptions}
    assert "winter: 1.5 held back before sharing" in logged
    assert not any(what.startswith("A contact takes the same time") for what in logged)


def test_sensitivity_is_half_of_what_targets_differ_by(folder, result):
    table = result.bundle.beside["sensitivity"].set_index(["what", "value"])
    given = result.plan.model_dump(exclude_none=True) | {"options": []}
    del given["inputs"]["previous"]
    others = {
        ("Whose need", "resident people"): {"need": given["need"] | {"people": "resident"}},
        ("Share for inequalities", "30%"): {"allocate": given["allocate"] | {"inequalities": 0.3}},
    }
    shorter = pd.read_csv(folder / BY_TEAM)
    shorter.assign(travel=0.8 * shorter["travel"]).to_csv(folder / "shorter.csv", index=False)
    others["Travel", "−20%"] = {"inputs": given["inputs"] | {"by_team": "shorter.csv"}}
    target = result.allocation.table["bounded_target"]
    for row, other in others.items():
        found = run_plan(check_plan(given | other), folder).allocation.table["bounded_target"]
        moved = 0.5 * (found - target).abs().sum()
        assert table.at[row, "posts_moved"] == pytest.approx(moved, rel=1e-9), row
        far = (found[target > 0] / target[target > 0] - 1).abs() > 0.05
        assert table.at[row, "teams_over_5_percent"] == far.sum()
    assert {"Reading of the formula", "Catchment", "Travel", "Minutes of a contact"} <= set(
        table.index.get_level_values("what")
    )


def test_one_team_with_longer_contacts_has_more_of_the_total(folder):
    """By hand: the largest share s becomes 1.1 s / (1 + 0.1 s)."""
    bundle = run(folder, PLAN).bundle
    row = bundle.beside["sensitivity"].set_index("what").loc["Minutes of a contact"]
    share = bundle.allocation["target_share"].to_numpy()
    gained = TOTAL * (1.1 * share / (1 + 0.1 * share) - share)
    assert row["posts_moved"] == pytest.approx(gained.max())


def test_posts_that_moved_by_data_are_those_of_the_earlier_need(folder, result):
    """The earlier plan lacked the registers: its need, by the choices of this plan."""
    table = result.bundle.beside["moved_by_data"].set_index("team")
    given = result.plan.model_dump(exclude_none=True) | {"options": []}
    for role in ("previous", "conditions"):
        del given["inputs"][role]
    before = run_plan(check_plan(given), folder).bundle.allocation.set_index("team")["posts"]
    posts = result.bundle.allocation.set_index("team")["posts"]
    moved = posts[posts != before]
    assert len(moved) > 0
    assert set(table.index) == set(moved.index)
    pd.testing.assert_series_equal(
        table["before"].sort_index(), before[moved.index].sort_index(), check_names=False
    )
    assert table["change"].sum() == 0
    assert any("Only because data moved" in sentence for sentence in result.bundle.sentences)


def test_no_post_moves_by_data_from_a_plan_to_itself(folder, result):
    """The report's own table as the earlier plan: its share for inequalities is taken once, not twice."""
    result.bundle.allocation.to_csv(folder / "itself.csv", index=False)
    again = run(folder, FULL.replace("previous.csv", "itself.csv"))
    assert "moved_by_data" not in again.bundle.beside
    assert any(sentence.startswith("No team's posts move") for sentence in again.bundle.sentences)


def test_what_is_held_back_is_in_no_figure_of_teams(result):
    """Neither in the equal share per adult, nor in the total that posts now are set against."""
    table = result.bundle.allocation.set_index("team")
    adults = table["registered_adults"].where(table["target_share"] > 0, 0.0)
    by_heads = (TOTAL - TOP) * adults / adults.sum()
    pd.testing.assert_series_equal(table["per_head"], by_heads, check_names=False)
    assert f"where the plan has {TOTAL - TOP:,.1f}; compared as shares" in result.bundle.sentences[2]


def test_weighted_population_is_need_alone(result):
    """Adults times index, as its description says: time and the share for inequalities are not in it."""
    table = result.bundle.allocation
    found = table["registered_adults"] * table[result.bundle.need_index]
    ratio = (table["weighted_population"] / found)[found > 0]
    assert len(ratio) > 2
    np.testing.assert_allclose(ratio, ratio.iloc[0], rtol=1e-12)


def test_the_other_reading_moves_posts_by_need_alone(result):
    """Minutes and the share for inequalities are the same by both readings, as by hand here."""
    formula = need.NeedFormula.published("district-nursing/liverpool-2024-as-printed")
    other = need_index(formula.expected_use(result.need.use.people), base=result.plan.need.base)
    table = result.allocation.table.query("target_share > 0")
    weights = pd.Series([1.0, 2.0, 1.5, 3.0], [f"U9000{n}" for n in range(1, 5)])[table.index]
    heads = table["registered"] * weights
    weighted = other.teams.loc[table.index, "weighted_population"]
    by_other = (0.8 * weighted / weighted.sum() + 0.2 * heads / heads.sum()) * table["minutes"]
    moved = (table["target_share"] - by_other / by_other.sum()).abs().sum() / 2
    assert 0 < moved < 0.5
    assert f"would move {moved:.1%} of the posts" in result.bundle.sentences[3]


def test_sentences_of_the_pace_are_of_its_table(result):
    """Posts placed anew are those that teams gain in the first year; near are those of the last."""
    table = result.bundle.beside["pace"]
    anew = table.query("year == 1")["change"].clip(lower=0.0).sum()
    near = int((table.query("year == 3")["closing_distance"].abs() <= 0.05).sum())
    # So that a sum of all changes, the first year or one side of target would be seen.
    assert (table.query("year == 1")["change"] < 0).any()
    assert near != int((table.query("year == 1")["closing_distance"].abs() <= 0.05).sum())
    said = next(sentence for sentence in result.bundle.sentences if sentence.startswith("Over 3 years"))
    assert f"{near} of 4 teams come within 5% of what the plan comes to" in said
    assert f"in the first year {anew:,.1f} FTE are placed anew" in said


def test_costs_are_posts_times_pay(folder, result):
    table = result.bundle.beside["skill_cost"].set_index("band")
    sheet = pd.read_csv(folder / CURRENT)
    more = table["cost"].sum() - table["cost_now"].sum()
    said = next(sentence for sentence in result.bundle.sentences if " costs " in sentence)
    assert f"{abs(more):,.0f}. Pay: finance." in said
    assert (": +" in said) == (more > 0)
    for band, pay in {"band_3": 31_000, "band_5": 42_000, "band_6": 51_000}.items():
        assert table.at[band, "cost_now"] == pytest.approx(pay * sheet[f"fte_{band}"].sum())
        assert table.at[band, "cost"] == pytest.approx(pay * table.at[band, "posts"])


def test_vacancies_pay_the_first_posts_that_a_team_loses(result):
    table = result.allocation.table.query("change < 0")
    lost = -table["change"].sum()
    vacant = np.minimum(-table["change"], table["vacancies"]).sum()
    said = f"Of {lost:,.1f} FTE that teams lose, {vacant:,.1f} are vacant now and {lost - vacant:,.1f} are"
    assert said in result.bundle.sentences[2]
    assert "Posts now are funded posts (establishment) on 2026-01-01." in result.bundle.sentences[2]


def test_the_first_sentence_says_what_was_decided(result):
    asked = result.bundle.sentences[0]
    for part in (
        "20% of it by heads",
        "diary week",
        "after 1.5 FTE are held back",
        "1 local adjustment",
    ):
        assert part in asked
    # An adjustment is no limit.
    held = (~result.allocation.table["held_by"].isin(["", "adjustment"])).sum()
    assert ("inside limits" in asked) == (held > 0)
    assert result.bundle.status == "for discussion"


def test_without_posts_now_there_is_no_status_quo(folder):
    bundle = run(folder, PLAN.replace(f'current = "{CURRENT}"\n', "")).bundle
    table = bundle.beside["options"]
    assert table["option"].tolist() == ["This plan", "Equal per adult"]
    assert table["posts_moved"].isna().all()
    assert bundle.beside["options_by_team"]["change"].isna().all()
    assert "contacts are not workload" in bundle.sentences[4]


def test_one_team_that_did_not_say_leaves_out_status_quo_pace_and_cost(tmp_path, folder):
    """A gap is not none: nothing is filled."""
    place = tmp_path / "gap"
    place.mkdir()
    for path in folder.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    edit(CURRENT, lambda rows: rows.iloc[1:])(place)
    text = FULL.replace('basis = "share of current"', 'basis = "share of target"').replace(
        'previous = "previous.csv"\n', ""
    )
    bundle = run(place, text).bundle
    assert "Status quo" not in set(bundle.beside["options"]["option"])
    assert {"pace", "skill_cost"}.isdisjoint(bundle.beside)
    said = " ".join(assumption.what for assumption in bundle.assumptions)
    assert "There is no pace of change" in said
    assert "There is no cost before and after" in said


@pytest.mark.parametrize("lost", ["option", "year", "band"])
def test_a_total_that_is_not_kept_stops_the_run(folder, monkeypatch, lost):
    if lost == "option":
        keep = checks.option_checks

        def fewer(options):
            found = []
            for each in options:
                short = each.allocation.table.assign(posts=lambda table: table["posts"] * 0.99)
                plan = dataclasses.replace(each.allocation, table=short)
                found.append(Option(each.name, each.what, each.plan, each.asked, plan))
            return keep(found)

        monkeypatch.setattr(checks, "option_checks", fewer)
    elif lost == "year":
        keep = checks.pace_checks

        def fewer(inputs, pace):
            table = pace.table.assign(posts=pace.table["posts"] - 0.125)
            return keep(inputs, dataclasses.replace(pace, table=table))

        monkeypatch.setattr(checks, "pace_checks", fewer)
    else:
        keep = checks.skill_checks

        def fewer(plan, mix):
            posts = mix.posts.copy()
            posts.iloc[0, 0] += STEP
            posts.iloc[1, 0] -= STEP
            return keep(plan, dataclasses.replace(mix, posts=posts))

        monkeypatch.setattr(checks, "skill_checks", fewer)
    with pytest.raises(errors.ConservationError, match=r"nothing was written"):
        run(folder, FULL)


FAULTS = [
    ('travel = "travel"', 'travel = "miles"', "[allocate.time] travel is the column 'miles'"),
    ('turnover = "turnover"', 'turnover = "leavers"', "[pace] turnover is the column 'leavers'"),
    ('turnover = "turnover"', "turnover = 1.5", "turnover"),
    ('teams = ["U90003"]', 'teams = ["U12345"]', "'room for four' names 1 teams that are not in"),
    ('{ U90002 = 0.5 }', "{ U12345 = 0.5 }", "U12345"),
    ('{ U90002 = 0.5 }', "{ U90002 = 0.255 }", "no multiple of the step 0.01"),
    ('team = "U90004"', 'team = "U12345"', "U12345"),
    ("value = 0.7", "value = 1.2", "nobody loses over a third"),
    ("posts = 1.5", "posts = 40.0", "are held back; the total is 20"),
    ("band_6 = 0.3 }", "band_6 = 0.4 }", "do not sum to 1"),
    ("band_6 = 51000 }", "band_7 = 51000 }", "bands without a unit cost: band_6"),
    ('moves = "vacancies"', 'moves = "posts"', "Neither floor nor ceiling"),
    ("growth = [0.05, 0, 0]", "growth = [0.05]", "one for each of the 3 years"),
    ("ours.toml", "theirs.csv", "a formula of your own is a file whose name ends in"),
    ("ours.toml", "theirs.toml", "theirs.toml"),
    ("plan = { total = 26 }", "plan = { total = 26.333 }", "not a multiple of the step"),
    ('unit = "FTE"', 'unit = "£"', "Minutes are for posts; the unit of this plan is £"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "says"), FAULTS, ids=[new[:40] for _, new, _ in FAULTS])
def test_what_cannot_be_met_is_refused_by_name(folder, result, old, new, says):
    text = FULL.replace("step = 0.01", 'step = 0.01\nunit = "FTE"')
    assert old in text
    with pytest.raises(errors.NeedsallocError) as caught:
        decide(folder, text.replace(old, new), result.need)
    assert says in str(caught.value)


SPOILT = [
    (BY_TEAM, lambda rows: rows.assign(travel=["", *rows["travel"][1:]]), "1 of 4 teams have no travel"),
    (BY_TEAM, lambda rows: rows[["team"]], "teams and no figure beside them"),
    (BY_TEAM, lambda rows: pd.concat([rows, rows]), "U90001"),
    (BY_TEAM, lambda rows: rows.assign(travel="far"), "far"),
    (BY_TEAM, lambda rows: rows.assign(vacancies="1"), "both have vacancies"),
    ("weights.csv", lambda rows: rows.iloc[1:], "1 of 4 teams have no inequality weight"),
    ("weights.csv", lambda rows: rows.rename(columns={"weight": "score"}), "WEIGHT"),
    ("weights.csv", lambda rows: rows.assign(weight=["", *rows["weight"][1:]]), "have a blank for weight"),
    ("contacts.csv", lambda rows: rows.assign(team="X" + rows["team"]), "4 of 4 teams with contacts"),
    ("previous.csv", lambda rows: rows[rows["team"] != "U90003"], "cannot be applied to the need of"),
    ("previous.csv", lambda rows: rows.drop(columns="weighted_population"), "WEIGHTED_POPULATION"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "says"), SPOILT, ids=[says[:40] for _, _, says in SPOILT])
def test_a_wrong_sheet_by_team_is_refused_by_name(folder, result, name, change, says):
    whole = (folder / name).read_bytes()
    try:
        edit(name, change)(folder)
        with pytest.raises(errors.NeedsallocError) as caught:
            decide(folder, FULL, result.need)
    finally:
        (folder / name).write_bytes(whole)
    assert says in str(caught.value)
