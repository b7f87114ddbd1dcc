"""The keys of a plan beside its files and need: each is read, or refused with its place and what to write."""

import tomllib

import pytest

from needsalloc.errors import PlanError
from needsalloc.plan import check_plan
from needsalloc.plan_sections import PER_ADULT, STATUS_QUO, THIS_PLAN
from test_plan import smallest

LIMIT = {"name": "cap", "kind": "cap", "value": 9, "reason": "room", "owner": "estates"}
RESERVE = {"name": "winter", "posts": 2, "reason": "surge", "owner": "operations"}
ADJUSTMENT = {"team": "U90001", "posts": -1, "reason": "hospice", "owner": "locality"}
TIME = {"minutes": 30, "source": "diary week"}
PACE = {"years": 3, "floor": -0.02, "source": "board paper"}
SKILLS = {"shares": {"band_5": 0.7, "band_6": 0.3}}
COST = {"pay": {"band_5": 42_000, "band_6": 51_000}, "source": "finance"}
OPTION = {"name": "Residents", "why": "who lives there", "need": {"people": "resident"}}


def plan(**sections: object) -> dict:
    """The smallest plan with these sections, and the files that any key may need."""
    found = smallest() | sections
    found["inputs"] |= {"current": "c.csv", "by_team": "b.csv", "inequalities": "w.csv"}
    return found


def without(table: dict, key: str) -> dict:
    return {name: value for name, value in table.items() if name != key}


def test_every_key_is_read_and_written_again():
    every = plan(
        allocate={
            "rule": "huntington-hill",
            "inequalities": 0.1,
            "limits": [LIMIT, LIMIT | {"name": "other", "teams": ["U90001"], "basis": "share of target"}],
            "reserves": [RESERVE, RESERVE | {"name": "hostels", "posts": {"U90001": 1.5}}],
            "adjustments": [ADJUSTMENT],
            "time": TIME | {"travel": "travel"},
            "price": {"source": "market forces factor"},
        },
        pace=PACE | {"ceiling": [[-0.1, 0.1], [0, 0.02]], "growth": [0.01, 0, 0], "dead_band": 0.02},
        skills=SKILLS | {"totals": {"band_5": 7, "band_6": 3}},
        cost=COST,
        options=[OPTION, OPTION | {"name": "More", "plan": {"total": 12}, "allocate": {"limits": []}}],
        disclosure={"threshold": 0, "reason": "agreed"},
    )
    every["plan"]["agreed"] = tomllib.loads('agreed = { by = "the board", on = 2026-05-01 }')["agreed"]
    every["report"]["audience"] = "public"
    read = check_plan(every)
    assert read.status == "agreed by the board, 1 May 2026"
    assert check_plan(tomllib.loads(read.to_toml())) == read
    assert read.allocate.reserves[1].posts == {"U90001": 1.5}
    assert read.pace.ceiling == [[-0.1, 0.1], [0, 0.02]]


def test_an_option_is_the_plan_with_what_differs():
    read = check_plan(plan(allocate={"minimum": 2.0}, options=[OPTION]))
    other = read.with_option(read.options[0])
    assert (other.need.people, other.allocate.minimum, other.inputs) == ("resident", 2.0, read.inputs)
    assert other.options == []


FAULTS = [
    (plan(allocate={"limits": [without(LIMIT, "owner")]}), "[[allocate.limits]] number 1 lacks 'owner'"),
    (plan(allocate={"limits": [LIMIT, without(LIMIT, "kind")]}), "[[allocate.limits]] number 2 lacks 'kind'"),
    (
        plan(allocate={"limits": [LIMIT | {"valeu": 2}]}),
        "number 1 has an unknown key 'valeu'; did you mean 'value'?",
    ),
    (plan(allocate={"limits": [LIMIT | {"kind": "most"}]}), "kind = 'most': input should be 'minimum'"),
    (plan(allocate={"limits": [LIMIT | {"basis": "per head"}]}), "'per 10,000 people'"),
    (plan(allocate={"limits": [LIMIT | {"value": -1}]}), "value = -1: input should be greater than"),
    (plan(allocate={"limits": [LIMIT | {"teams": "U90001"}]}), "teams = 'U90001': input should be a"),
    (plan(allocate={"limits": [LIMIT | {"reason": ""}]}), "reason = '': string should have at least 1"),
    (plan(allocate={"limits": LIMIT}), "[allocate] limits"),
    (plan(allocate={"reserves": [RESERVE | {"posts": "two"}]}), "posts = 'two': give a number, which"),
    (plan(allocate={"reserves": [RESERVE | {"posts": {}}]}), "posts = {}: give a number"),
    (plan(allocate={"reserves": [RESERVE | {"posts": {"U90001": "1"}}]}), "or posts by team"),
    (plan(allocate={"reserves": [RESERVE | {"posts": True}]}), "posts = True: give a number"),
    (plan(allocate={"adjustments": [without(ADJUSTMENT, "reason")]}), "lacks 'reason'"),
    (plan(allocate={"adjustments": [ADJUSTMENT | {"posts": "1"}]}), "posts = '1': input should be a"),
    (plan(allocate={"time": without(TIME, "source")}), "[allocate.time] lacks 'source'"),
    (plan(allocate={"time": TIME | {"minuts": 3}}), "did you mean 'minutes'?"),
    (plan(allocate={"time": TIME | {"minutes": [30]}}), "minutes = [30]: give a number, or the name"),
    (plan(allocate={"price": {}}), "[allocate.price] lacks 'source'"),
    (plan(allocate={"inequalities": 0.31}), "inequalities = 0.31: input should be less than or equal to 0.3"),
    (plan(allocate={"inequalities": -0.1}), "greater than or equal to 0"),
    (plan(pace=without(PACE, "years")), "[pace] lacks 'years'"),
    (plan(pace=without(PACE, "source")), "[pace] lacks 'source'"),
    (plan(pace=PACE | {"years": 0}), "years = 0: input should be greater than or equal to 1"),
    (plan(pace=PACE | {"years": 2.5}), "years = 2.5: input should be a valid integer"),
    (plan(pace=PACE | {"floor": [[0.1, 0], [0.1, 0.2]]}), "each distance once"),
    (plan(pace=PACE | {"floor": [0.1, 0.2]}), "or pairs of distance and change"),
    (plan(pace=PACE | {"ceiling": []}), "or pairs of distance and change"),
    (plan(pace=PACE | {"moves": "people"}), "'posts', 'vacancies' or 'new posts'"),
    (plan(pace=PACE | {"growth": "none"}), "growth = 'none': give one number for all years"),
    (plan(pace=PACE | {"dead_band": 1}), "less than 1"),
    (plan(pace=PACE | {"flor": 1}), "did you mean 'floor'?"),
    (plan(skills={}), "[skills] lacks 'shares'"),
    (plan(skills={"shares": {"band_5": -1}}), "[skills.shares] band_5 = -1: input should be greater"),
    (plan(cost=COST), "[cost] is by band: say under [skills]"),
    (plan(skills=SKILLS, cost=without(COST, "source")), "[cost] lacks 'source'"),
    (plan(skills=SKILLS, cost=COST | {"pay": {"band_5": 0}}), "[cost.pay] band_5 = 0: input should"),
    (plan(options=[without(OPTION, "need")]), "[[options]] 'Residents' differs in nothing"),
    (plan(options=[without(OPTION, "why")]), "[[options]] number 1 lacks 'why'"),
    (plan(options=[OPTION, OPTION]), "have the same name: Residents"),
    (plan(options=[OPTION | {"name": STATUS_QUO}]), "'Status quo' is always there"),
    (plan(options=[OPTION | {"name": THIS_PLAN}]), "'This plan' is always there"),
    (plan(options=[OPTION | {"name": PER_ADULT}]), "'Equal per adult' is always there"),
    (plan(options=[OPTION | {"needs": {}}]), "has an unknown key 'needs'; did you mean 'need'?"),
    (
        plan(options=[OPTION | {"plan": {"total": 1, "step": 1}}]),
        "[options.plan] of [[options]] number 1 has",
    ),
    (plan(options=[OPTION | {"catchment": {"method": "nearest"}}]), "'proportional' or 'first_past"),
    (
        plan(options=[OPTION | {"need": {"peple": "resident"}}]),
        "[[options]] 'Residents': [need] has an unknown key 'peple'; did you mean 'people'?",
    ),
    (
        plan(options=[OPTION | {"need": {}, "allocate": {"limits": [without(LIMIT, "kind")]}}]),
        "'Residents': [[allocate.limits]] number 1 lacks 'kind'",
    ),
    (
        plan(options=[{"name": "Whole", "why": "areas", "catchment": {"method": "first_past_the_post"}}]),
        "'Whole': [catchment] method = \"first_past_the_post\" gives teams whole areas",
    ),
    (plan(report={"out": "o", "audience": "all"}), "'internal' or 'public'"),
    (plan(disclosure={"threshold": -1}), "greater than or equal to 0"),
    (plan(plan={"title": "A", "total": 10, "agreed": True}), "[plan] agreed = True"),
    (plan(plan={"title": "A", "total": 10, "agreed": {"by": "x", "on": "1 May"}}), "on = '1 May'"),
    (plan(plan={"title": "A", "total": 10, "agreed": {"by": "x"}}), "[plan.agreed] lacks 'on'"),
    (plan(plan={"title": "A", "total": 10, "status": "final"}), "unknown key 'status'"),
]


@pytest.mark.parametrize(("given", "says"), FAULTS, ids=[says[:60] for _, says in FAULTS])
def test_a_wrong_key_is_refused_with_its_place_and_what_to_write(given, says):
    with pytest.raises(PlanError) as caught:
        check_plan(given, "mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml has 1 fault: ")
    assert says in message
    assert "Value error" not in message


@pytest.mark.parametrize(
    ("role", "sections", "says"),
    [
        (
            "by_team",
            {"allocate": {"time": TIME | {"travel": "travel"}}},
            "[allocate.time] travel is a column",
        ),
        ("by_team", {"allocate": {"price": {"source": "MFF"}}}, "[allocate.price] is a column"),
        ("by_team", {"pace": PACE | {"turnover": "turnover"}}, "[pace] turnover is a column"),
        ("inequalities", {"allocate": {"inequalities": 0.1}}, "inequalities goes by weights"),
        ("current", {"pace": PACE}, "[pace] starts from posts in place now"),
        ("current", {"skills": SKILLS, "cost": COST}, "[cost] compares from posts in place now"),
    ],
)
def test_what_needs_a_file_says_which(role, sections, says):
    given = plan(**sections)
    assert check_plan(given)
    del given["inputs"][role]
    with pytest.raises(PlanError) as caught:
        check_plan(given)
    assert f"{says}" in str(caught.value)
    assert f"name the file of [inputs] {role}" in str(caught.value)
