"""What a planner brings to a plan: a formula, held terms, shares of adults, growth; and what is refused."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import needsalloc as na
from needsalloc import errors, gradients
from needsalloc.plan import read_plan
from needsalloc.report import schema
from needsalloc.run import run_plan
from needsalloc.sources.growth import read_growth
from needsalloc.sources.own import read_shares
from plan_folders import PLAN, POPULATION, england, write_files

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[1] / "docs" / "plan.md"
WEIGHTS = """\
name = "ours-by-age"
source = "Contacts by age, our trust, 2024/25"
[weights]
"18-64" = 0.2
"65-84" = 2.0
"85+" = 9.0
"""
COEFFICIENTS = """\
name = "ours-2025"
source = "Fitted on our linked rows of 2024/25"
scale = "ratio"
family = "poisson"
[count]
Intercept = 0.5
age = 1.02
imd_score = 1.01
frailty = 3.0
"""


@pytest.fixture
def folder(tmp_path):
    return write_files(tmp_path / "mine").parent


def run(folder, *, need: str = "", inputs: str = "", plan: str = PLAN):
    """The plan of the folder with lines added to [need] and to [inputs]."""
    text = plan.replace("[need]\n", f"[need]\n{need}\n").replace("[inputs]\n", f"[inputs]\n{inputs}\n")
    (folder / "plan.toml").write_text(text, encoding="utf-8")
    return run_plan(read_plan(folder / "plan.toml"), folder)


def put(folder, name: str, text: str):
    (folder / name).write_text(text, encoding="utf-8")


# A formula of one's own


def test_weights_by_age_share_posts_as_a_spreadsheet_would(folder):
    put(folder, "ours.toml", WEIGHTS)
    result = run(folder, need='formula = "ours.toml"')
    flows = result.people.ages
    adults = pd.DataFrame(flows.by_practice(flows.people["registered"]), columns=range(18, 91))
    band = pd.cut(adults.columns, [17, 64, 84, 200], labels=False)
    weighted = (adults.T.groupby(band).sum().T * [0.2, 2.0, 9.0]).sum(axis=1)
    team = pd.Series(result.catchment.team_of_practice)
    by_team = weighted.groupby(team).sum() / adults.sum(axis=1).groupby(team).sum()
    index = by_team / (by_team * result.need.teams["registered_adults"].to_numpy()).sum()
    found = result.need.teams["need_index_icb"].to_numpy()
    np.testing.assert_allclose(found / found.sum(), index / index.sum(), rtol=1e-9)  # sums of floats
    bundle = result.bundle
    (source,) = [source for source in bundle.sources if source.role == "formula"]
    assert (source.file, source.licence, source.rows) == ("ours.toml", "the planner's own", 3)
    assert source.release == "Contacts by age, our trust, 2024/25"
    assert re.fullmatch("[0-9a-f]{64}", source.sha256)
    assert bundle.parameters["Need formula"] == "ours-by-age"


def test_nothing_is_said_of_print_where_the_formula_is_the_planners_own(folder):
    put(folder, "ours.toml", WEIGHTS)
    bundle = run(folder, need='formula = "ours.toml"').bundle
    said = " ".join([*bundle.sentences, *(note.what + note.source for note in bundle.assumptions)])
    assert "Liverpool" not in said
    assert "Filipe" not in said
    assert "from print" not in said
    assert "The formula is the planner's own (ours-by-age, ours.toml)" in said
    assert "need_range" not in bundle.beside
    assert "share_outside_fitted_range" not in bundle.allocation
    assert not [source for source in bundle.sources if source.role == "reference table"]
    parts = bundle.beside["decomposition"].set_index("team")
    assert list(parts.columns) == ["team_name", "base", "age_and_sex", "deprivation", "need_index_icb"]
    np.testing.assert_allclose(parts["deprivation"].dropna(), 0, atol=1e-12)  # the weights know no score


def test_coefficients_with_a_held_term_are_used_as_written(folder):
    put(folder, "ours.toml", COEFFICIENTS)
    result = run(folder, need='formula = "ours.toml"\nhold = { frailty = 0.1 }')
    use = result.need.areas["expected_use"]
    # By hand for one area: 0.5 * 1.02^age * 1.01^score * 3^0.1, the ages being mid-year.
    area = use.index[0]
    at = result.catchment.areas.get_loc(area)
    ages = result.people.ages
    on_area = ages.by_area(ages.people["resident"], np.ones((len(result.catchment.practices), 73)))[at]
    years = gradients.mid_year(np.arange(18, 91))
    score = result.people.imd_score[at]
    by_hand = (on_area * 0.5 * 1.02**years * 1.01**score * 3.0**0.1).sum() / on_area.sum()
    assert use[area] == pytest.approx(by_hand, rel=1e-6)  # the score is interpolated
    notes = {note.what: note.why for note in result.bundle.assumptions}
    assert "The plan says so" in notes["Held for everybody: frailty at 0.1"]
    assert result.bundle.parameters["Held for everybody"] == "frailty at 0.1"


def test_a_published_formula_holds_its_other_readings_alike(folder):
    plain = run(folder).bundle
    result = run(folder, need="hold = { dementia = 0.02 }")
    held = result.bundle
    assert not plain.allocation["target"].equals(held.allocation["target"])
    assert "dementia" in plain.beside["decomposition"]
    assert "dementia" not in held.beside["decomposition"]
    people = result.people
    for row in held.beside["need_range"].itertuples():
        for end, way in ((row.low, row.lowest_by), (row.high, row.highest_by)):
            reading, whose = way.split(", ")
            formula = na.NeedFormula.published(f"district-nursing/liverpool-2024-{reading}")
            use = formula.hold({"dementia": 0.02}).expected_use(people)
            index = na.need_index(use, base="icb", people=whose.removesuffix(" people"))
            assert index.teams.at[row.team, "need_index_icb"] == pytest.approx(end, rel=1e-12)


def test_the_formula_calibrated_by_age_has_no_other_reading(folder):
    formula = 'formula = "district-nursing/liverpool-2024-age-calibrated"'
    bundle = run(folder, need=formula).bundle
    assert "read the other way" not in bundle.sentences[3]
    assert bundle.sentences[3].startswith("The formula is from print and gives no interval. How contacts")
    table = bundle.beside["need_range"].set_index("team")
    index = bundle.allocation.set_index("team")["need_index_icb"]
    pd.testing.assert_series_equal(table["index"], index[table.index], check_names=False, rtol=1e-12)


@pytest.mark.parametrize(
    ("file", "need", "says"),
    [
        ("", 'formula = "ours.toml"', "ours.toml cannot be read: No such file"),
        ("name = ", 'formula = "ours.toml"', "ours.toml is not TOML"),
        (
            'name = "a"',
            'formula = "ours.toml"',
            "ours.toml has neither a table [count], of coefficients, nor",
        ),
        (WEIGHTS + "[count]\nage = 1", 'formula = "ours.toml"', "ours.toml has 1 unknown keys: count"),
        (WEIGHTS.replace("0.2", "-1"), 'formula = "ours.toml"', "1 weights that are negative or no numbers"),
        (COEFFICIENTS, 'formula = "ours.toml"', "1 terms of ours-2025 are in no open file: frailty. Hold"),
        (
            COEFFICIENTS,
            'formula = "ours.toml"\nhold = { frailtee = 0.1 }',
            "ours-2025 has no frailtee to hold",
        ),
        (COEFFICIENTS + "", "hold = { frailty = 0.1 }", "liverpool-2024-realigned has no frailty to hold"),
        (
            COEFFICIENTS.replace("[count]", "ages = [65, 110]\n[count]"),
            'formula = "ours.toml"\nhold = { frailty = 0.1 }',
            "ours-2025 is for ages 65 to 110; a plan shares posts by the need of everybody from 18 on",
        ),
        (WEIGHTS, 'formula = "../ours.toml"', "[need] formula = '../ours.toml' leads out of the data folder"),
        (WEIGHTS, 'formula = "ours.tml"', "No published formula is called 'ours.tml'; a formula of your own"),
    ],
)
def test_a_formula_that_cannot_be_used_is_refused(folder, file, need, says):
    if file:
        put(folder, "ours.toml", file)
    with pytest.raises(errors.NeedsallocError, match=re.escape(says)):
        run(folder, need=need)


# Shares and growth


def practices() -> list[str]:
    return england().registrations["practice"].astype(str).unique().tolist()


def test_shares_of_ones_own_stand_for_a_condition(folder):
    rows = [f"{code},{0.2 if i % 2 else 0.001}" for i, code in enumerate(practices())]
    put(folder, "shares.csv", "\n".join(["Practice code,Nursing home", *rows]))
    plain, own = run(folder), run(folder, inputs='shares = "shares.csv"')
    assert own.people.prevalence["nursing_home"].tolist() == [
        0.2 if practices().index(code) % 2 else 0.001 for code in own.people.prevalence.index
    ]
    assert "nursing_home" in own.bundle.beside["decomposition"]
    assert not own.bundle.allocation["target"].equals(plain.bundle.allocation["target"])
    (source,) = [source for source in own.bundle.sources if source.role == "shares"]
    assert (source.file, source.rows) == ("shares.csv", len(practices()))
    assert "The planner's own shares" in " ".join(note.what for note in own.bundle.assumptions)


def test_shares_by_area_are_read_with_their_vintage(tmp_path):
    put(tmp_path, "shares.csv", "lsoa21,living_alone\nE01033769,0.3\nE01000002,0.1\n")
    shares = read_shares(tmp_path / "shares.csv")
    assert (shares.index.name, shares.loc["E01033769", "living_alone"]) == ("lsoa21", 0.3)
    put(tmp_path, "own.csv", "our code,living_alone\nE01000001,0.3\n")
    shares = read_shares(tmp_path / "own.csv", code="our code", vintage="lsoa21")
    assert shares.index.name == "lsoa21"


def test_counts_of_ones_own_fill_the_columns_that_no_file_gives(folder):
    put(folder, "counts.csv", "team,Care home beds nursing,Hospice beds\nU90001,40,6\nU90002,10,0\n")
    put(folder, "counts.csv", (folder / "counts.csv").read_text() + "U90003,5,1\nU90004,0,0\n")
    bundle = run(folder, inputs='counts = { path = "counts.csv", on = "May 2026" }').bundle
    table = bundle.beside["planning_cohorts"].set_index("team")
    assert table.loc[["U90001", "U90002"], "care_home_beds_nursing"].tolist() == [40, 10]
    assert table["hospice_beds"].sum() == 7
    about = bundle.beside["cohort_sources"].set_index("column")
    assert about.loc["hospice_beds", ["source", "on"]].tolist() == ["counts.csv", "May 2026"]
    assert about.at["care_home_beds_residential", "how"].endswith("bring your own ([inputs] counts)")
    columns = schema.columns(bundle, "planning_cohorts")
    assert columns["hospice_beds"].meaning == "A count of the planner's own: hospice beds."


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("team,beds\nU90001,40\n", "3 of 5 teams have no row in own=: U90002, U90003, U90004"),
        ("team,beds\nX1,40\n", "The rows of own= are neither areas nor teams of this catchment: X1"),
        ("team,beds\nU90001,many\n", "'many' (row 2)"),
    ],
)
def test_counts_that_cannot_be_used_are_refused(folder, text, says):
    put(folder, "counts.csv", text)
    with pytest.raises(errors.NeedsallocError, match=re.escape(says)):
        run(folder, inputs='counts = "counts.csv"')


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("surgery,dementia\nZ00001,0.1\n", "lacks 1 of the columns of shares of adults by practice or area"),
        ("practice\nZ00001\n", "has codes and nothing beside them"),
        ("practice,dementia\nZ00001,\n", "dementia: 1 of 1 rows hold no number"),
        (
            "practice,dementia\nZ00001,0.1\nZ00001,0.2\n",
            "1 values of practice are on more than one row: Z00001",
        ),
        ("practice,dementia\nZ00001,-0.1\n", "are negative"),
        ("practice,dementia\nZ00001,12\n", "1 of 1 rows have a share that is missing, below 0 or above 1"),
        (
            "practice,shingles\nZ00001,0.1\n",
            "1 columns of the shares are no condition of the formula: shingles",
        ),
        ("practice,dementia\nZ00001,0.1\n", "of 21 practices have no row in the shares"),
        ("lsoa11,dementia\nE01000001,0.1\n", "The registrations and the shares are of two censuses"),
    ],
)
def test_shares_that_cannot_be_used_are_refused(folder, text, says):
    put(folder, "shares.csv", text)
    with pytest.raises(errors.NeedsallocError, match=re.escape(says)):
        run(folder, inputs='shares = "shares.csv"')


GROWTH = 'growth = { path = "growth.csv", to = "2027/28", source = "ONS 2022-based" }'


def test_growth_by_age_grows_people_need_and_cohorts(folder):
    put(folder, "growth.csv", "age,factor\n65,1.1\n85,1.5\n")
    plain, grown = run(folder), run(folder, inputs=GROWTH)
    before, after = plain.people.ages, grown.people.ages
    years = [ages.by_practice(ages.people["resident"]).sum(axis=0) for ages in (before, after)]
    expected = years[0] * np.where(np.arange(18, 91) >= 85, 1.5, np.where(np.arange(18, 91) >= 65, 1.1, 1.0))
    np.testing.assert_allclose(years[1], expected, rtol=1e-9)  # sums of floats
    assert grown.bundle.parameters["Growth"] == "to 2027/28 by age: ONS 2022-based"
    column = "registered_85_and_over"
    old, new = (result.bundle.beside["planning_cohorts"][column] for result in (plain, grown))
    np.testing.assert_allclose(new, old * 1.5, rtol=1e-12)
    held = {check.name: check.status for check in grown.bundle.checks}
    assert held["Residents to be shared out, and of the teams"] == "pass"
    assert held["Patients in the file, and of the teams"] == "pass"


def test_growth_by_area_grows_what_the_file_says(folder):
    areas = england().population.index
    factors = pd.Series(np.linspace(0.9, 1.3, len(areas)), index=areas)
    put(folder, "growth.csv", "area,factor\n" + "\n".join(f"{a},{f:.6f}" for a, f in factors.items()))
    plain, grown = run(folder), run(folder, inputs=GROWTH)
    ratio = grown.need.areas["resident"] / plain.need.areas["resident"]
    np.testing.assert_allclose(ratio, factors[ratio.index].round(6), rtol=1e-12)
    check = {check.name: check for check in grown.bundle.checks}[
        "Residents to be shared out, and of the teams"
    ]
    assert check.status == "pass"
    assert check.found != {c.name: c for c in plain.bundle.checks}[check.name].found


def test_growth_that_was_lost_is_found(folder, monkeypatch):
    put(folder, "growth.csv", "age,factor\n65,1.1\n")
    monkeypatch.setattr(na.People, "grown", lambda people, growth: people)
    with pytest.raises(errors.ConservationError, match="Residents to be shared out, and of the teams"):
        run(folder, inputs=GROWTH)


def test_bands_that_cannot_be_cut_leave_the_cohorts_as_counted_and_say_so(folder):
    population = pd.read_csv(folder / POPULATION)
    ages = population.columns[-91:]
    starts = [0, 16, 25, 35, 50, 65]
    first = england().population.columns
    band = np.searchsorted(starts, first, side="right") - 1
    bands = population[ages].T.groupby(band).sum().T.set_axis([f"{start}+" for start in starts], axis=1)
    bands.insert(0, population.columns[0], population.iloc[:, 0])
    bands.to_csv(folder / POPULATION, index=False)
    put(folder, "growth.csv", "age,factor\n65,1.1\n85,1.5\n")
    bundle = run(folder, inputs=GROWTH).bundle
    said = {note.what: note.why for note in bundle.assumptions}
    assert (
        "begin at 0, 16, 25"
        in said["The planning cohorts are as counted, though need is that of the plan year"]
    )
    check = {check.name: check for check in bundle.checks}["Residents of the plan year"]
    assert check.status == "note"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("age,area,factor\n65,E01000001,1\n", "has both a column age and a column area"),
        ("year,factor\n65,1\n", "has neither a column age nor a column area"),
        ("age\n65\n", "lacks 1 of the columns of growth factors by age or area: FACTOR (factor)"),
        ("age,factor\n65-74,1\n", "'65-74' (row 2)"),
        ("age,factor\n65,1.1\n65,1.2\n", "1 values of age are on more than one row: 65"),
        ("age,factor\n65,0\n", "Growth factors must be numbers above 0"),
        ("area,factor\nE01900001,1.1\n", "39 of 40 areas with registered patients have no row in the growth"),
    ],
)
def test_growth_that_cannot_be_used_is_refused(folder, text, says):
    put(folder, "growth.csv", text)
    with pytest.raises(errors.NeedsallocError, match=re.escape(says)):
        run(folder, inputs=GROWTH)


@pytest.mark.parametrize(
    ("growth", "says"),
    [
        ('growth = "growth.csv"', "give a table with a path, the plan year (to) and whose projection"),
        ('growth = { path = "growth.csv" }', "[inputs.growth] lacks 'to', [inputs.growth] lacks 'source'"),
        (
            'growth = { path = "growth.csv", to = "2027", source = "ONS", aeg = "x" }',
            "[inputs.growth] names 'aeg', which the reader of that file does not know",
        ),
        (
            'lookup = "a.csv"',
            "[inputs] lookup and population_before only carry deprivation_before to these areas: name it too",
        ),
    ],
)
def test_a_plan_that_does_not_say_enough_is_refused(folder, growth, says):
    put(folder, "growth.csv", "age,factor\n65,1.1\n")
    with pytest.raises(errors.PlanError, match=re.escape(says)):
        run(folder, inputs=growth)


def test_growth_is_read_in_order_of_age(tmp_path):
    put(tmp_path, "growth.csv", "First age,Growth factor\n85,1.5\n65,1.1\n")
    found = read_growth(tmp_path / "growth.csv")
    assert found["factor"].to_dict() == {65: 1.1, 85: 1.5}
    assert found.attrs["source"]["rows"] == 2


def test_the_formulas_that_the_documents_show_can_be_run(folder):
    blocks = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    weights, coefficients = (next(b for b in blocks if key in b) for key in ("[weights]", "[count]"))
    put(folder, "ours.toml", weights)
    assert run(folder, need='formula = "ours.toml"').need.use.formula.name == "community-2025"
    put(folder, "ours.toml", coefficients)
    result = run(folder, need='formula = "ours.toml"\nhold = { frailty = 0.1 }')
    assert result.need.use.formula.name == "our-trust-2025"
