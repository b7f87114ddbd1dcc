"""Formulas of one's own: coefficients from a file, weights by age, columns and services held, refusals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import needsalloc as na
from needsalloc import calibration, errors, gradients, predictors, reference
from needsalloc.ages import BANDS
from small_worlds import ENGLAND, FORMULA, WHOLE, need, people

FILE = """
name = "ours"
source = "Our analysts, 2025"
scale = "ratio"
family = "zip"
cap = 50
unmet_need = ["ethnicity"]
[count]
Intercept = 2.0
age = 1.5
"age:imd_score" = 0.9
"ethnicity=asian" = 1.2
nurses = 1.1
[zero]
Intercept = 3.0
age = 0.5
"ethnicity=asian" = 1.4
nurses = 0.8
[centring]
age = [50.0, 20.0]
imd_score = [20.0, 15.0]
[supply]
nurses = 4.0
[levels]
ethnicity = ["white", "asian"]
"""
PERSON = {"age": 70.0, "imd_score": 35.0, "ethnicity": "asian", "nurses": 6.0}


def formula_of(text: str, folder: Path) -> na.NeedFormula:
    path = folder / "formula.toml"
    path.write_text(text, encoding="utf-8")
    return na.NeedFormula.from_toml(path)


def rows(**changed: object) -> pd.DataFrame:
    return pd.DataFrame([PERSON | changed])


# Terms


@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.floats(-2, 2), st.floats(-2, 2))
def test_what_is_held_is_taken_up_by_what_is_left(effects, x, y):
    terms = dict(zip(("Intercept", "x", "y", "x:y"), effects, strict=True))
    whole = predictors.linear(terms, {"x": np.array([x]), "y": np.array([y])}, (1,))
    left = predictors.held(terms, {"y": y})
    assert set(left) <= {"Intercept", "x"}
    assert predictors.linear(left, {"x": np.array([x])}, (1,)) == pytest.approx(whole, abs=1e-12)


def test_a_square_is_a_square():
    terms = {"x:x": 2.0, "x:x:y": 3.0}
    assert predictors.linear(terms, {"x": np.array([4.0]), "y": np.array([5.0])}, (1,)) == [2 * 16 + 3 * 80]
    assert predictors.held(terms, {"x": 4.0}) == {"Intercept": 2 * 16, "y": 3 * 16}
    assert predictors.held(terms, {"y": 5.0}) == {"x:x": 2.0 + 3 * 5}


# A file of coefficients


def test_a_table_of_coefficients_predicts_as_by_hand(tmp_path):
    """Age 70 is z = 1, a score of 35 is z = 1; supply is at 4, and the zero part knows no unmet need."""
    ours = formula_of(FILE, tmp_path)
    mean = 2.0 * 1.5 * 0.9 * 1.2 * 1.1**4
    odds = 3.0 * 0.5 * 0.8**4
    assert ours.predict(rows()).iloc[0] == pytest.approx(mean / (1 + odds), rel=1e-12)
    observed = 2.0 * 1.5 * 0.9 * 1.2 * 1.1**6 / (1 + 3.0 * 0.5 * 1.4 * 0.8**6)
    assert ours.predict(rows(), supply="observed").iloc[0] == pytest.approx(observed, rel=1e-12)
    assert ours.predict(rows(age=100.0, imd_score=-1e3)).iloc[0] == 50
    assert ours.predict(rows(nurses=99.0)).equals(ours.predict(rows()))
    assert "2025" in ours.cite()


def test_logs_are_the_ratios_logs(tmp_path):
    ratios = formula_of(FILE, tmp_path)
    text = FILE.replace('scale = "ratio"', 'scale = "log"')
    for line in FILE.splitlines():
        key, equals, value = line.partition(" = ")
        if equals and key in ("Intercept", "age", '"age:imd_score"', '"ethnicity=asian"', "nurses"):
            try:
                text = text.replace(line, f"{key} = {np.log(float(value)):.17g}")
            except ValueError:
                continue
    logs = formula_of(text.replace(f"nurses = {np.log(4.0):.17g}", "nurses = 4.0"), tmp_path)
    assert logs.predict(rows()).iloc[0] == pytest.approx(ratios.predict(rows()).iloc[0], rel=1e-12)


def test_an_unknown_ethnicity_is_refused_or_of_the_reference_group(tmp_path):
    ours = formula_of(FILE, tmp_path)
    with pytest.raises(errors.InvalidValueError, match="1 of 1 rows have no ethnicity"):
        ours.predict(rows(ethnicity=None))
    white = ours.predict(rows(ethnicity="white")).iloc[0]
    assert ours.predict(rows(ethnicity=None), unknown="reference").iloc[0] == pytest.approx(white)
    with pytest.raises(errors.UnknownCodeError, match=r"1 of 1 rows have a ethnicity .*: martian"):
        ours.predict(rows(ethnicity="martian"))


def test_the_reference_group_is_the_level_without_a_term(tmp_path):
    ours = formula_of(FILE.replace('["white", "asian"]', '["asian", "white"]'), tmp_path)
    white = ours.predict(rows(ethnicity="white")).iloc[0]
    assert ours.predict(rows(ethnicity=None), unknown="reference").iloc[0] == white


def test_a_formula_of_one_part_knows_unmet_need_nowhere_and_one_of_two_in_the_chance_of_use_alone(tmp_path):
    two = formula_of(FILE, tmp_path)
    ratio = two.predict(rows()) / two.predict(rows(ethnicity="white"))
    assert ratio.iloc[0] == pytest.approx(1.2, rel=1e-12)
    without_zero = FILE[: FILE.index("[zero]")] + FILE[FILE.index("[centring]") :]
    one = formula_of(without_zero.replace('"zip"', '"poisson"'), tmp_path)
    assert two.has_zero_part
    assert not one.has_zero_part
    assert one.predict(rows()).equals(one.predict(rows(ethnicity="white")))
    use = [one.predict(rows(ethnicity=who), supply="observed").iloc[0] for who in ("asian", "white")]
    assert use[0] / use[1] == pytest.approx(1.2, rel=1e-12)


def test_a_formula_ends_with_its_last_age(tmp_path):
    ours = formula_of(FILE.replace("cap = 50", "ages = [18, 95]"), tmp_path)
    assert ours.predict(rows(age=95.0)).iloc[0] > 0
    with pytest.raises(errors.FormulaError, match="1 of 1 people are under 18 or over 95"):
        ours.predict(rows(age=96.0))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('scale = "ratio"', 'scale = "odds"', "scale is one of log, ratio"),
        ('family = "zip"', 'family = "gaussian"', "family one of"),
        ('family = "zip"', 'family = "poisson"', "has no part"),
        ('family = "zip"', 'family = "zinb"', "log_theta is needed"),
        ("[zero]\n", "[zer0]\n", "1 unknown keys: zer0. Did you mean zero"),
        ("age = 1.5", "age = -1.5", "ratios of .count. are not above 0: age"),
        ("age = 1.5", 'age = "high"', "are no numbers: age"),
        ("Intercept = 2.0\n", "", "has no Intercept"),
        ("[supply]\nnurses", "[supply]\nnurse", "supply names 1 columns that no coefficient has: nurse"),
        ("age = [50.0, 20.0]", "age = [50.0, 0.0]", "must be .mean, SD."),
        ('["white", "asian"]', '["white"]', "two levels or more"),
        ('source = "Our analysts, 2025"\n', "", "lacks source"),
        ("cap = 50", "cap = -1", "cap must be a number above 0"),
        ("cap = 50", "ages = [90, 18]", "ages must be"),
    ],
)
def test_a_file_that_cannot_be_a_formula_is_refused(tmp_path, old, new, says):
    assert old in FILE
    with pytest.raises(errors.FormulaError, match=says):
        formula_of(FILE.replace(old, new, 1), tmp_path)


def test_a_file_that_is_not_there_or_is_no_toml_is_refused(tmp_path):
    with pytest.raises(errors.InputFileError, match="cannot be read"):
        na.NeedFormula.from_toml(tmp_path / "none.toml")
    with pytest.raises(errors.InputFileError, match="is not TOML"):
        formula_of("name = ", tmp_path)
    deep = "x = " + "[" * 100_000
    with pytest.raises(errors.InputFileError, match="is not TOML"):
        formula_of(deep, tmp_path)


def test_children_are_refused_unless_a_reason_is_given():
    child = pd.DataFrame([{term: 0.0 for term in predictors.columns([*FORMULA.count, *FORMULA.zero])}])
    child = child.assign(age=9.0, log_days_alive=np.log(365))
    with pytest.raises(errors.FormulaError, match=r"1 of 1 people are under 18;.*for_all_ages"):
        FORMULA.predict(child)
    with pytest.raises(errors.FormulaError, match="give the reason"):
        FORMULA.for_all_ages(" ")
    wider = FORMULA.for_all_ages("children's nursing has the same teams here")
    assert wider.predict(child).iloc[0] > 0
    assert any("children's nursing" in note.what for note in wider.notes)


def test_children_have_the_offsets_of_the_youngest_adults():
    """Where a reason is given; the first band is the nearest that there is."""
    ours = na.NeedFormula.from_weights(
        na.Weights.from_bands({"0-64": 0.5, "65+": 3.0}, name="ours", source="a test")
    )
    child = pd.DataFrame({"age": [9.0, 40.0], "female": 1.0})
    assert ours.for_all_ages("one team for all").predict(child).to_numpy() == pytest.approx([0.5, 0.5])


# Services used


def test_services_held_are_what_age_makes_expected_of_them():
    plain = replace(FORMULA, utilisation={"gp_consultations": {"Intercept": 2.0, "age": 3.0}})
    person = {term: 0.0 for term in predictors.columns([*FORMULA.count, *FORMULA.zero])}
    person |= {"age": 47.11 + 18.61, "imd_score": 43.02, "log_days_alive": np.log(365)}
    little, much = (pd.DataFrame([person | {"gp_consultations": n}]) for n in (0.0, 40.0))
    held = [plain.predict(of, utilisation="held").iloc[0] for of in (little, much)]
    assert held[0] == held[1]
    assert held[0] == plain.predict(pd.DataFrame([person | {"gp_consultations": 5.0}])).iloc[0]
    assert plain.predict(little).iloc[0] != plain.predict(much).iloc[0]


# On flows


def test_terms_that_open_files_lack_are_refused_until_they_are_held():
    ours = replace(FORMULA, count={**FORMULA.count, "frailty": 0.7, "age:frailty": 0.1})
    with pytest.raises(errors.FormulaError, match=r"2 terms .* in no open file: frailty, age:frailty"):
        ours.expected_use(people(WHOLE))
    held = ours.hold({"frailty": 0.3}, why="nobody counts it")
    index = na.need_index(held.expected_use(people(WHOLE)), base="icb")
    assert any("frailty at 0.3" in note.what for note in held.notes)
    # Held at 0 it is the formula without it.
    zero = na.need_index(ours.hold({"frailty": 0.0}).expected_use(people(WHOLE)), base="icb")
    np.testing.assert_allclose(zero.teams["need_index_icb"], need(WHOLE).teams["need_index_icb"])
    assert not np.allclose(index.teams["need_index_icb"], zero.teams["need_index_icb"], rtol=1e-6)
    with pytest.raises(errors.FormulaError, match="has no income to hold"):
        ours.hold({"income": 1.0})
    for value in (np.nan, "much"):
        with pytest.raises(errors.FormulaError, match="can hold frailty at a number alone"):
            ours.hold({"frailty": value})
    with pytest.raises(errors.FormulaError, match="is a hurdle"):
        replace(FORMULA, family="hurdle").expected_use(people(WHOLE))


@pytest.mark.parametrize("by_sex", [False, True])
def test_weights_by_age_give_the_weighted_mean_over_adults(by_sex):
    bands = {"0-64": 0.5, "65-84": 2.0, "85+": 9.0}
    written = (
        {"female": bands, "male": {band: value * 1.5 for band, value in bands.items()}} if by_sex else bands
    )
    ours = na.NeedFormula.from_weights(
        na.Weights.from_bands(written, name="ours", source="a test", factors={"imd_score": 1.01})
    )
    who = people(WHOLE)
    found = na.need_index(ours.expected_use(who), base="icb")
    weight = np.select([np.arange(91) < 65, np.arange(91) < 85], [0.5, 2.0], 9.0)[18:]
    by_practice = np.zeros(len(WHOLE.practices))
    adults = np.zeros(len(WHOLE.practices))
    band = np.searchsorted(BANDS, np.arange(91), side="right") - 1
    flows = who.ages.pattern.tocoo()
    for n, (area, practice) in enumerate(zip(flows.row, flows.col, strict=True)):
        years = (who.ages.people["registered"][n, band] * who.ages.within[area])[18:]
        women = who.female_share[practice, 18:]
        per_head = weight * (women + (1 - women) * (1.5 if by_sex else 1.0)) * 1.01 ** who.imd_score[area]
        by_practice[practice] += years @ per_head
        adults[practice] += years.sum()
    team = WHOLE.team_of_practice
    expected = np.bincount(team, by_practice) / np.bincount(team, adults)
    np.testing.assert_allclose(found.teams["expected_use"], expected, rtol=1e-9)


def plain_use(
    formula: na.NeedFormula, who: na.People, condition: str | None = None, equal_ages: bool = False
) -> np.ndarray:
    """(flows,) contacts of the registered, from a prediction for every area, single year of age and sex.

    condition: one that people have as often as the cohort at each age. equal_ages: as if the adults of every
    flow had the ages of all residents.
    """
    areas = pd.DataFrame({"area": range(len(who.imd_score)), "imd_score": who.imd_score})
    years = pd.DataFrame({"year": range(18, 91), "age": gradients.mid_year(np.arange(18, 91))})
    rows = areas.merge(years, how="cross").merge(pd.DataFrame({"female": [1.0, 0.0]}), how="cross")
    if condition is None:
        use = formula.predict(rows).to_numpy()
    else:
        share = gradients.reference_curve(condition, rows["age"].to_numpy())
        without, having = (formula.predict(rows.assign(**{condition: has})) for has in (0.0, 1.0))
        use = ((1 - share) * without + share * having).to_numpy()
    use = use.reshape(len(areas), 73, 2)
    band = np.searchsorted(BANDS, np.arange(91), side="right") - 1
    flows = who.ages.pattern.tocoo()
    adults = {
        whose: (found[:, band] * who.ages.within[flows.row])[:, 18:]
        for whose, found in who.ages.people.items()
    }
    years = adults["registered"]
    if equal_ages:
        of_all = adults["resident"].sum(axis=0)
        years = years.sum(axis=1, keepdims=True) * of_all / of_all.sum()
    women = who.female_share[flows.col, 18:]
    mean = women * use[flows.row, :, 0] + (1 - women) * use[flows.row, :, 1]
    return np.asarray((years * mean).sum(axis=1))


@pytest.mark.parametrize("steep", [0.1, 1.0, 2.0])
def test_formulas_that_rise_steeply_with_the_score_are_as_exact_as_others(steep):
    """Scores as far apart as England's; a few nodes would miss some per cent of a steep formula's use."""
    who = replace(people(WHOLE), imd_score=np.linspace(0.5, 92.7, len(WHOLE.areas)))
    ours = replace(
        FORMULA,
        count={"age": 0.2, "imd_score": 0.4 * steep, "age:imd_score": 0.1 * steep, "age:age": -0.1},
        zero={"age": -0.8, "female": 0.3, "imd_score": -0.5 * steep, "age:imd_score": -0.2 * steep},
        constants=(2.0, 1.0),
    )
    np.testing.assert_allclose(ours.expected_use(who).registered.crude.data, plain_use(ours, who), rtol=1e-7)


def test_people_with_a_condition_may_be_those_whose_use_is_steep_in_the_score():
    """Everybody else uses at every score: a few nodes would do for them, and miss the others."""
    who = replace(people(WHOLE), imd_score=np.linspace(0.5, 92.7, len(WHOLE.areas)))
    ours = replace(
        FORMULA,
        count={"age": 0.2},
        zero={"imd_score": -2.0, "living_alone": 14.0},
        constants=(-14.0, 1.0),
    )
    found = ours.expected_use(who).registered.crude.data
    np.testing.assert_allclose(found, plain_use(ours, who, "living_alone"), rtol=1e-6)


def test_at_equal_ages_everybody_is_as_old_as_all_residents():
    """Some areas have more residents than patients, so that residents are of other ages."""
    population = ENGLAND.population.mul(np.linspace(0.3, 2.0, 91))
    who = people(WHOLE, population=population)
    ours = replace(FORMULA, count={"age": 0.7, "female": 0.2, "imd_score": 0.1}, zero={"age": -0.5})
    use = ours.expected_use(who)
    np.testing.assert_allclose(use.registered.crude.data, plain_use(ours, who), rtol=1e-7)
    equal = plain_use(ours, who, equal_ages=True)
    np.testing.assert_allclose(use.registered.at_equal_ages.data, equal, rtol=1e-7)
    resident = use.resident.adults.data / use.registered.adults.data
    np.testing.assert_allclose(use.resident.at_equal_ages.data, equal * resident, rtol=1e-7)


def test_a_score_without_its_centring_is_refused():
    ours = replace(FORMULA, centring={}, count={**FORMULA.count, "imd_score": 0.5})
    with pytest.raises(errors.FormulaError, match=r"-fold over these areas' scores.*centring"):
        ours.expected_use(people(WHOLE))


def test_on_flows_there_are_all_adults_and_means():
    with pytest.raises(errors.FormulaError, match=r"is for ages 65 to inf.*for_all_ages"):
        replace(FORMULA, ages=(65, np.inf)).expected_use(people(WHOLE))
    with pytest.raises(errors.FormulaError, match=r"at most 365 contacts for anybody.*cap=numpy.inf"):
        replace(FORMULA, cap=365.0).expected_use(people(WHOLE))


def test_weights_that_leave_adults_out_or_need_other_scores(tmp_path):
    children = na.Weights.from_bands({"0-17": 1.0}, name="children", source="a test")
    with pytest.raises(errors.FormulaError, match="children has no weight for adults"):
        na.NeedFormula.from_weights(children)
    old = na.NeedFormula.from_weights(na.Weights.from_bands({"65+": 2.0}, name="old", source="a test"))
    assert old.predict(pd.DataFrame({"age": [30, 70], "female": [1, 0]})).tolist() == [0.0, 2.0]
    some = na.NeedFormula.from_weights(na.Weights.from_bands({"18-64": 2.0}, name="some", source="a test"))
    assert some.predict(pd.DataFrame({"age": [30, 70], "female": [1, 0]})).tolist() == [2.0, 0.0]
    with pytest.raises(errors.FormulaError, match=r"factors of health_score"):
        na.NeedFormula.from_weights(na.Weights.published("general-practice/england-2007"))


def test_another_object_than_a_step_takes_is_named_with_what_makes_the_right_one():
    who = people(WHOLE)
    use = FORMULA.expected_use(who)
    for step, taken, says in (
        (FORMULA.expected_use, WHOLE, "takes People, not Catchment: build_people"),
        (na.need_index, who, r"takes ExpectedUse, not People: formula\.expected_use"),
        (na.decompose, use, "takes NeedIndex, not ExpectedUse: need_index"),
        (na.compare_measures, who, "takes Catchment, not People"),
        (na.NeedFormula.from_weights, {"0-64": 1.0}, "takes Weights, not dict"),
    ):
        with pytest.raises(errors.InvalidValueError, match=says):
            step(taken)


def test_persons_need_ages_that_are_numbers():
    nobody = pd.DataFrame([{term: 0.0 for term in predictors.columns([*FORMULA.count, *FORMULA.zero])}])
    with pytest.raises(errors.InvalidValueError, match="1 of 1 rows have no age"):
        FORMULA.predict(nobody.assign(age=np.nan))
    with pytest.raises(errors.InvalidValueError, match="must hold numbers; it holds 'old'"):
        FORMULA.predict(nobody.assign(age="old"))


# Dependence, and use by group


def test_a_dependence_is_from_none_to_whole():
    with pytest.raises(errors.InvalidValueError, match="The dependence is 2"):
        FORMULA.expected_use(people(WHOLE), dependence=2.0)
    with pytest.raises(errors.InvalidValueError, match=r"The dependence is '0\.3'"):
        FORMULA.expected_use(people(WHOLE), dependence="0.3")


def test_use_by_group_averages_to_that_of_all():
    who = people(WHOLE)
    table = calibration.use_rates(FORMULA, who, WHOLE.practices)
    assert table.at["all", "found"] == 1
    for groups in (["female", "male"], list(calibration.AGE_BANDS.values())):
        part = table.loc[groups]
        assert (part["found"] * part["adults"]).sum() == pytest.approx(part["adults"].sum(), rel=1e-9)
        assert part["adults"].sum() == pytest.approx(table.at["all", "adults"])
    printed = reference.read("filipe-2024-use-rates").frame.set_index("group")["relative_to_city"]
    np.testing.assert_allclose(table["printed"], printed[table.index], atol=5e-4)
    np.testing.assert_allclose(table["miss"], table["found"] / table["printed"] - 1)
    with pytest.raises(errors.UnknownCodeError, match="1 of 1 practices have no patients: X"):
        calibration.use_rates(FORMULA, who, pd.Index(["X"]))


def test_constants_that_cannot_be_are_refused():
    who, adults = people(WHOLE), WHOLE.practices
    two = {"any_contact": 0.9, "contacts": 0.1, "label": "a test"}
    with pytest.raises(
        errors.FormulaError, match=r"No constants .* 90.00% of these people a contact and 0.1"
    ):
        calibration.on_people(FORMULA, who, adults, **two)
    row = pd.DataFrame([{term: 0.0 for term in predictors.columns([*FORMULA.count, *FORMULA.zero])}])
    with pytest.raises(errors.FormulaError, match="No constants"):
        calibration.on_rows(FORMULA, row.assign(age=50.0), **two)
    weights = na.NeedFormula.from_weights(na.Weights.from_bands({"65+": 2.0}, name="w", source="a test"))
    with pytest.raises(errors.FormulaError, match="w is of the family poisson"):
        calibration.on_people(weights, who, adults, **two)
    for bands in ({30: 0.02, 60: 0.1}, {60: 0.1, 18: 0.02}):
        with pytest.raises(errors.FormulaError, match="The age bands begin at"):
            calibration.on_ages(FORMULA, who, adults, **two | {"any_contact": bands})
    with pytest.raises(errors.FormulaError, match=r"does not come near|No constants"):
        calibration.on_ages(FORMULA, who, adults, **two | {"any_contact": {18: 0.02}, "contacts": 900.0})


def test_constants_by_age_band_give_each_band_its_share():
    who = people(WHOLE)
    wanted = {18: 0.02, 50: 0.06, 80: 0.25}
    level = calibration.on_people(
        FORMULA, who, WHOLE.practices, any_contact=0.05, contacts=0.8, label="level"
    )
    ours = calibration.on_ages(level, who, WHOLE.practices, any_contact=wanted, contacts=0.8, label="ages")
    assert ours.steps.first_ages == (18, 50, 80)
    again = calibration.on_ages(ours, who, WHOLE.practices, any_contact=wanted, contacts=0.8, label="ages")
    np.testing.assert_allclose(again.steps.zero, ours.steps.zero, atol=1e-8)
    younger = calibration.use_rates(ours, who, WHOLE.practices)["found"]
    assert younger["age_90_plus"] > younger["age_18_29"]
