"""Fits by formula: against R and printed tables, the same on cells and rows, and every bad input by name."""

import dataclasses
import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import textbook_counts as textbook
from needsalloc.collapse import collapse
from needsalloc.errors import FormulaError, InvalidValueError, MissingColumnError, UnknownCodeError
from needsalloc.fit import fit

pytestmark = pytest.mark.filterwarnings("ignore:<Cells")  # a few hundred people compress poorly

R = Path(__file__).parent / "r"
STORED = json.loads((R / "fits.json").read_text())
MADE_WITH = STORED.pop("made_with")
FAMILY = {"quasi": "quasi-poisson", "hurdle_nb": "hurdle-nb", "negbin": "nb"}
HOME = "C(setting, contr.treatment(base='own'))"


@pytest.fixture(scope="module")
def cohort():
    rows = pd.read_csv(R / "cohort.csv")
    return rows.assign(years=rows["days"] / 365, log_years=np.log(rows["days"] / 365))


def stored_fit(case, rows):
    stored = STORED[case]
    zero = stored.get("zero_formula")
    family = case.split("_")[0] if not case.startswith("hurdle_nb") else "hurdle_nb"
    return fit(
        stored["formula"].replace("setting", HOME),
        rows,
        family=FAMILY.get(family, family),
        zero=None if zero is None else "~" + zero.lstrip("~ ").replace("setting", HOME),
        weight=stored.get("weight"),
        exposure="years" if stored.get("exposure") else None,
        offset={"zero": "log_years"} if stored.get("zero_exposure") else None,
    )


@pytest.mark.parametrize("case", list(STORED))
def test_as_r_has_it(case, cohort):
    """pscl at reltol 1e-14, glmmTMB polished, glm and glm.nb; errors by R's Hessians, numerical in pscl."""
    stored, found = STORED[case], stored_fit(case, cohort)
    numerical = stored["software"].startswith("pscl")
    for part in ("count", "zero"):
        for term, expected in (stored.get(part) or {}).items():
            # pscl stops within 4e-7 of a standard error or so, which counts for coefficients near 0
            assert found.coefficients[part, term] == pytest.approx(expected, rel=2e-6, abs=1e-7)
    if stored["log_theta"] is not None:
        assert found.log_theta == pytest.approx(stored["log_theta"], rel=2e-6, abs=1e-7)
    if stored.get("log_likelihood") is not None:
        assert found.log_likelihood == pytest.approx(stored["log_likelihood"], rel=1e-10)
    if stored.get("aic") is not None:
        assert found.aic == pytest.approx(stored["aic"], rel=1e-10)
    index = [tuple(term.split("_", 1)) for term in stored["terms"]]
    spread = stored["pearson_dispersion"] if case == "quasi" else 1.0  # stored as of the Poisson
    errors = np.sqrt(spread * np.diag(np.array(stored["covariance"], dtype=float)))
    mine = np.sqrt(np.diag(found.covariance.loc[index, index]))
    assert mine == pytest.approx(errors, rel=1e-4 if numerical or "nb" in case else 1e-6)
    rows = cohort.iloc[np.array(MADE_WITH["predicted_rows"]) - 1]
    if stored.get("mean") is not None:
        assert found.predict(rows).to_numpy() == pytest.approx(stored["mean"], rel=1e-6)
    if stored.get("probability_of_none") is not None:
        none = 1 - np.array(stored["probability_of_none"], dtype=float)
        assert found.share_with_contact(rows).to_numpy() == pytest.approx(none, rel=1e-6)
    if stored.get("pearson_dispersion") is not None:
        # R's weights are of measurements: it counts rows, where we count people
        rows_for_people = (found.people - len(errors)) / (len(cohort) - len(errors))
        assert found.dispersion * rows_for_people == pytest.approx(stored["pearson_dispersion"], rel=1e-9)


def test_apple_shoots_of_ridout():
    """Never rooting by photoperiod, a mean for each treatment: printed by the authors and by SAS."""
    rows = textbook.shoots()
    found = fit("roots ~ photoperiod * bap", rows, zero="~ photoperiod", weight="people")
    assert found.log_likelihood == pytest.approx(textbook.SHOOTS_LOG_LIKELIHOOD, abs=5e-5)
    assert -2 * found.log_likelihood == pytest.approx(textbook.SHOOTS_DEVIANCE, abs=5e-4)
    assert found.people == 270


def test_mites_of_bliss_and_fisher():
    found = fit("mites ~ 1", textbook.mites(), family="nb", weight="people")
    assert np.exp(found.log_theta) == pytest.approx(textbook.MITES_THETA, rel=1e-6)
    # of theta, by the derivative of its logarithm
    error = np.exp(found.log_theta) * found.inference.standard_errors[-1]
    assert error == pytest.approx(textbook.MITES_SE_THETA, rel=1e-6)
    assert np.exp(found.count_coefficients["Intercept"]) == pytest.approx(172 / 150)


def test_horse_kicks():
    found = fit("deaths ~ 1", textbook.kicks(), family="poisson", weight="people")
    assert np.exp(found.count_coefficients["Intercept"]) == pytest.approx(textbook.KICKS_MEAN)


@pytest.mark.parametrize("family", ["poisson", "quasi-poisson"])
def test_ships_of_mccullagh_and_nelder(family):
    found = fit("incidents ~ type + built + sailed", textbook.ships(), family=family, exposure="months")
    table = found.table.set_index("term")
    spread = found.dispersion if family == "quasi-poisson" else 1.0
    for term, (coefficient, error) in textbook.SHIPS_COUNT.items():
        assert table.at[term, "coefficient"] == pytest.approx(coefficient, abs=5e-6)
        assert table.at[term, "standard_error"] == pytest.approx(error * spread**0.5, abs=1e-5)
    assert found.dispersion == pytest.approx(
        textbook.SHIPS_DISPERSION, rel=2e-5
    )  # glm stops at 1e-8 of deviance


# What does not change a fit

FORMULA = "contacts ~ age + imd + female + nurses + age:imd"


@pytest.fixture(scope="module")
def whole(cohort):
    return fit(FORMULA, cohort, zero="~ age + frail")


def same(one, other, rel=1e-9):
    assert one.coefficients.to_numpy() == pytest.approx(other.coefficients.to_numpy(), rel=rel, abs=1e-10)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)
    assert one.covariance.to_numpy() == pytest.approx(other.covariance.to_numpy(), rel=1e-6, abs=1e-12)


def test_order_frames_cells_and_notation_change_nothing(cohort, whole):
    same(fit(FORMULA, cohort.sample(frac=1, random_state=1), zero="~ age + frail"), whole)
    same(fit(FORMULA, pl.from_pandas(cohort), zero="~ age + frail"), whole)
    same(fit(FORMULA + " | age + frail", cohort), whole)
    cells = collapse(cohort, ["age", "imd", "female", "nurses", "frail", "setting"], count="contacts")
    same(fit(FORMULA, cells, zero="~ age + frail"), whole)
    flags = cohort.assign(female=cohort["female"] == 1, frail=cohort["frail"] == 1)
    same(fit(FORMULA, flags, zero="~ age + frail"), whole)


@pytest.mark.parametrize("family", ["zip", "zinb", "hurdle-nb"])
def test_people_of_weight_two_are_two(family, cohort):
    twice = cohort.loc[cohort.index.repeat(cohort["people"])]
    weighted = fit("contacts ~ age + frail", cohort, family=family, weight="people", errors="robust")
    same(weighted, fit("contacts ~ age + frail", twice, family=family, errors="robust"), rel=1e-8)


def test_centring_is_that_of_the_people(cohort, whole):
    rows = cohort.loc[cohort.index.repeat(cohort["people"])]
    by_hand = rows.assign(age=(rows["age"] - rows["age"].mean()) / rows["age"].std())
    found = fit(FORMULA, cohort, zero="~ age + frail", centre=["age"], weight="people")
    same(found, fit(FORMULA, by_hand, zero="~ age + frail"), rel=1e-8)
    assert found.centring == {"age": pytest.approx((rows["age"].mean(), rows["age"].std()))}
    assert found.means["nurses"] == pytest.approx(rows["nurses"].mean())
    assert found.predict(cohort).to_numpy() == pytest.approx(
        fit(FORMULA, cohort, zero="~ age + frail", weight="people").predict(cohort).to_numpy()
    )


def test_an_offset_is_added_and_an_exposure_is_its_logarithm(cohort):
    rows = cohort.assign(log_people=np.log(cohort["people"]))
    one = fit("contacts ~ age", rows, exposure="people")
    same(fit("contacts ~ age", rows, offset={"count": "log_people"}), one)
    assert fit("contacts ~ age", rows, offset={"count": "log_people"}).predict(
        rows
    ).to_numpy() == pytest.approx(one.predict(rows).to_numpy())
    shifted = fit("contacts ~ age", rows.assign(half=0.5), offset={"zero": "half"})
    plain = fit("contacts ~ age", rows)
    assert shifted.zero_coefficients["Intercept"] == pytest.approx(plain.zero_coefficients["Intercept"] - 0.5)


# What a fit says


def test_poisson_reproduces_the_totals_of_every_level(cohort):
    found = fit("contacts ~ setting + female", cohort, family="poisson")
    expected = found.predict(cohort).groupby(cohort["setting"]).sum()
    assert expected.to_numpy() == pytest.approx(cohort.groupby("setting")["contacts"].sum().to_numpy())
    assert found.predicted_over_observed == pytest.approx(1)
    assert found.contacts == cohort["contacts"].sum()


def test_predicted_is_the_sum_of_predictions(cohort, whole):
    assert whole.predicted == pytest.approx(whole.predict(cohort).sum())
    assert whole.people == len(cohort)
    assert whole.predict(pl.from_pandas(cohort)).to_numpy() == pytest.approx(whole.predict(cohort).to_numpy())
    share = whole.share_with_contact(cohort)
    assert share.between(0, 1).all()
    assert whole.predict(cohort.iloc[[7, 3]]).index.tolist() == [7, 3]


def test_the_table_names_parts_terms_and_roles(cohort):
    found = fit(
        "contacts ~ age + nurses + female:nurses + frail + setting",
        cohort,
        zero="~ female",
        roles={"supply": ["nurses"], "unmet_need": ["female"]},
    )
    table = found.table.set_index(["part", "term"])
    roles = table["role"].to_dict()
    assert roles["count", "Intercept"] == ""
    assert roles["count", "age"] == "need"
    assert roles["count", "setting=own"] == "need"
    assert roles["count", "nurses"] == roles["count", "female:nurses"] == "supply"
    assert roles["zero", "female"] == "unmet_need"
    row = table.loc[("count", "age")]
    assert row["ratio"] == pytest.approx(np.exp(row["coefficient"]))
    # the normal law's 97.5 % point
    assert np.log(row["high"] / row["ratio"]) == pytest.approx(1.959964 * row["standard_error"], rel=1e-6)
    assert set(table["errors"]) == {"model"}
    assert found.count_coefficients["age"] == row["coefficient"]
    assert "2,400 people" in repr(found)
    assert "<table" in found._repr_html_()
    assert found.bic - found.aic == pytest.approx(len(table) * (np.log(2400) - 2))


def test_draws_have_the_covariance_of_the_fit(whole):
    drawn = whole.draw(20_000, seed=1)
    assert (drawn.columns == whole.coefficients.index).all()
    error = np.sqrt(np.diag(whole.covariance))
    # 1/sqrt(2 n) is half a per cent
    assert drawn.std().to_numpy() == pytest.approx(error, rel=0.03)
    assert drawn.mean().to_numpy() == pytest.approx(whole.coefficients.to_numpy(), abs=5 * error.max() / 140)


def test_a_fit_holds_nobody(cohort):
    """It is as small on 2,400 people as on 400, may be saved, and does what it did."""
    many, few = (fit("contacts ~ age + setting", rows) for rows in (cohort, cohort.head(400)))
    assert abs(len(pickle.dumps(many)) - len(pickle.dumps(few))) < 200
    again = pickle.loads(pickle.dumps(many))
    assert (again.predict(cohort) == many.predict(cohort)).all()


def test_errors_by_cluster_are_asked_for_by_name(cohort):
    found = fit("contacts ~ age + nurses", cohort, cluster="area", errors="clustered")
    assert found.inference.clusters == cohort["area"].nunique()
    assert (found.table["standard_error"] > 0).all()
    model = fit("contacts ~ age + nurses", cohort)
    assert found.coefficients.to_numpy() == pytest.approx(model.coefficients.to_numpy(), rel=1e-8)
    robust = fit("contacts ~ age + nurses", cohort, family="nb", errors="robust")
    assert robust.inference.kind == "robust"


def test_the_problem_of_a_fit_is_that_of_its_cells(cohort, whole):
    from needsalloc.kernels import newton

    cells = collapse(cohort, ["age", "imd", "female", "nurses", "frail"], count="contacts")
    at = newton.evaluate(whole.problem(cells), whole.coefficients.to_numpy())
    assert at.log_likelihood == pytest.approx(whole.log_likelihood)
    assert np.abs(at.gradient).max() < 1e-6


# The need formula of a fit


@pytest.fixture(scope="module")
def with_roles(cohort):
    return fit(
        "contacts ~ age + frail + imd + nurses + setting + female + female:nurses + hours",
        cohort,
        zero="~ age + female + nurses + setting",
        roles={"supply": ["nurses"], "unmet_need": ["female"], "utilisation": ["hours"]},
        centre=["age", "nurses"],
    )


def test_the_formula_predicts_what_the_fit_does(cohort, with_roles):
    observed = with_roles.formula.predict(cohort.assign(age=cohort["age"] + 20), supply="observed")
    assert observed.to_numpy() == pytest.approx(
        with_roles.predict(cohort.assign(age=cohort["age"] + 20)).to_numpy(), rel=1e-12
    )
    chance = with_roles.formula.share_with_contact(cohort.assign(age=cohort["age"].abs())).to_numpy()
    assert chance == pytest.approx(
        with_roles.share_with_contact(cohort.assign(age=cohort["age"].abs())).to_numpy(), rel=1e-12
    )


@pytest.mark.parametrize("family", ["poisson", "nb", "zip", "zinb", "hurdle", "hurdle-nb"])
def test_the_formula_of_every_family(cohort, family):
    rows = cohort.drop(columns="age")
    found = fit("contacts ~ frail + imd + setting", rows, family=family)
    assert found.formula.predict(rows, supply="observed").to_numpy() == pytest.approx(
        found.predict(rows).to_numpy(), rel=1e-12
    )
    assert found.formula.family == family


def test_need_does_not_change_when_only_supply_does(cohort, with_roles):
    rows = cohort.assign(age=cohort["age"].abs())
    need = with_roles.formula.predict(rows)
    assert (need == with_roles.formula.predict(rows.assign(nurses=9.9))).all()
    assert not np.allclose(with_roles.predict(rows), with_roles.predict(rows.assign(nurses=9.9)))
    # by hand: supply at its mean for all, and the flag of unmet need at 0 where the zero part looks at it
    coefficients = with_roles.coefficients
    at_mean = rows.assign(nurses=cohort["nurses"].mean())
    assert with_roles.formula.supply == {"nurses": pytest.approx(cohort["nurses"].mean())}
    men, all_of_them = with_roles.predict(at_mean.assign(female=0)), with_roles.predict(at_mean)
    women = rows["female"] == 1
    rate = np.exp(coefficients["count", "female"])  # female:nurses is 0 at the mean of centred supply
    assert need[women].to_numpy() == pytest.approx((men * rate)[women].to_numpy())
    assert need[~women].to_numpy() == pytest.approx(all_of_them[~women].to_numpy())


def test_services_are_expected_by_least_squares_on_need(cohort, with_roles):
    age = (cohort["age"] - cohort["age"].mean()) / cohort["age"].std()
    levels = pd.get_dummies(cohort["setting"])[["own", "shared"]].astype(float)
    x = np.column_stack([np.ones(len(cohort)), age, cohort["frail"], cohort["imd"], levels])
    expected = np.linalg.lstsq(x, cohort["hours"].to_numpy(), rcond=None)[0]
    found = with_roles.services["hours"]
    assert len(found) == 6
    order = ["Intercept", "age", "frail", "imd", "setting=own", "setting=shared"]
    assert [found[term] for term in order] == pytest.approx(expected, rel=1e-9)
    rows = cohort.assign(age=cohort["age"].abs())
    held = with_roles.formula.predict(rows, utilisation="held")
    assert (held == with_roles.formula.predict(rows.assign(hours=99.0), utilisation="held")).all()


def test_teams_as_supply_are_held_at_the_mix_of_the_people(cohort):
    found = fit("contacts ~ frail + team", cohort, family="poisson", roles={"supply": ["team"]})
    shares = cohort["team"].value_counts(normalize=True)
    assert found.formula.supply == {
        f"team={team}": pytest.approx(share) for team, share in shares.drop("T00").items()
    }
    assert found.formula.predict(cohort[["frail"]]).nunique() == 2


def test_a_formula_has_only_products_of_columns(cohort):
    with pytest.raises(FormulaError, match=r"no products of columns: I\(age \*\* 2\)"):
        _ = fit("contacts ~ age + I(age ** 2)", cohort, family="poisson").formula
    rows = cohort.drop(columns="age").assign(half=0.5)
    found = fit("contacts ~ frail", rows, family="poisson", offset={"count": "half"}, exposure="years")
    assert found.formula.predict(rows).to_numpy() == pytest.approx(
        found.predict(rows.assign(years=1.0)).to_numpy()
    )
    assert any("exposure of 1" in note.what for note in found.formula.notes)


def test_the_formula_begins_at_the_age_of_the_cohort(cohort):
    rows = cohort.assign(age=40 + cohort["age"].round())
    found = fit("contacts ~ age", rows, family="poisson")
    assert found.formula.ages == (rows["age"].min(), np.inf)
    with pytest.raises(FormulaError, match="under"):
        found.formula.predict(rows.assign(age=5))


# What cannot be fitted, and what to beware of


@pytest.mark.parametrize(
    ("change", "options", "error", "said"),
    [
        ({"contacts": -1}, {}, InvalidValueError, "negative"),
        ({"contacts": 0.5}, {}, InvalidValueError, "whole"),
        ({"contacts": 0.5}, {"family": "nb"}, InvalidValueError, "whole"),
        ({"contacts": 0}, {}, InvalidValueError, "no use to fit"),
        ({"contacts": 3}, {}, InvalidValueError, "no zeros"),
        ({"contacts": 3}, {"family": "hurdle"}, InvalidValueError, "no zeros"),
        ({"age": 40.0}, {}, FormulaError, r"age \(always 40"),
        ({"age": np.nan}, {}, InvalidValueError, "age is missing"),
        ({"contacts": np.nan}, {}, InvalidValueError, "contacts is missing"),
        ({"age": np.inf}, {}, InvalidValueError, "age is infinite"),
        ({}, {"family": "gamma"}, FormulaError, "zinb"),
        ({}, {"family": "poisson", "zero": "~ age"}, FormulaError, "no zero part"),
        ({}, {"centre": ["height"]}, FormulaError, "height"),
        ({}, {"centre": ["setting"]}, FormulaError, "setting"),
        ({}, {"roles": {"supply": ["height"]}}, FormulaError, "height"),
        ({}, {"roles": {"demand": ["age"]}}, FormulaError, "demand"),
        ({}, {"roles": {"supply": ["age"], "need": ["age"]}}, FormulaError, "two roles"),
        ({}, {"offset": {"theta": "age"}}, FormulaError, "theta"),
        ({}, {"offset": {"count": "height"}}, MissingColumnError, "height"),
        ({}, {"exposure": "height"}, MissingColumnError, "height"),
        ({"days": 0}, {"exposure": "days"}, InvalidValueError, "days is not above 0"),
        ({}, {"errors": "clustered"}, FormulaError, "cluster"),
        ({}, {"cluster": "team"}, FormulaError, "cluster"),
        ({}, {"errors": "bayes"}, FormulaError, "bayes"),
    ],
)
def test_bad_input_is_refused_by_name(cohort, change, options, error, said):
    with pytest.raises(error, match=said):
        fit("contacts ~ age + setting", cohort.assign(**change), **options)


@pytest.mark.parametrize(
    ("formula", "error", "said"),
    [
        ("contacts ~ age + (frail", FormulaError, "no formula"),
        ("contacts ~ .", FormulaError, "no formula"),
        ("~ age", FormulaError, "does not name the counts"),
        ("log(contacts) ~ age", FormulaError, "not one column"),
        ("contacts + hours ~ age", FormulaError, "not one column"),
        ("contacts ~ age | frail | imd", FormulaError, "3 parts"),
        ("contacts ~ 0", FormulaError, "no term"),
        ("contacts ~ scale(age)", FormulaError, "scale"),
        ("contacts ~ bs(age, df=3)", FormulaError, "bs"),
        ("contacts ~ age.rank()", FormulaError, "rank"),
        ("contacts ~ C(setting, Sum)", FormulaError, "Sum"),
        ("contacts ~ np.log(age)", FormulaError, "infinite or no number"),
        ("contacts ~ np.where(age)", FormulaError, "cannot be computed"),
        ("contacts ~ height", MissingColumnError, "height"),
        ("contacts ~ contacts", InvalidValueError, "its own predictors"),
        ("contacts ~ age + I(2 * age)", FormulaError, "add up"),
        ("contacts ~ setting + C(setting, contr.treatment(base='own'))", FormulaError, "add up"),
    ],
)
def test_formulas_that_cannot_be_are_refused(cohort, formula, error, said):
    with pytest.raises(error, match=said):
        fit(formula, cohort)


@pytest.mark.parametrize("family", ["poisson", "zip", "hurdle"])
def test_a_flag_that_separates_is_refused_by_name(family, cohort):
    rows = cohort.assign(flag=0)
    nobody = cohort.index[cohort["contacts"] == 0][:25]
    rows.loc[nobody, "flag"] = 1
    with pytest.raises(FormulaError, match=r"none of the 25 people with 'flag' have a contact"):
        fit("contacts ~ age + flag", rows, family=family)
    rows = cohort.assign(flag=0)
    rows.loc[cohort.index[cohort["contacts"] > 0][:25], "flag"] = 1
    if family == "poisson":
        assert fit("contacts ~ age + flag", rows, family=family).predicted > 0
        return
    with pytest.raises(FormulaError, match=r"zero part: all of the 25 people with 'flag' have a contact"):
        fit("contacts ~ age + flag", rows, family=family)
    assert fit("contacts ~ age + flag", rows, family=family, zero="~ age").predicted > 0


def test_columns_that_are_one_among_users_are_one_in_a_hurdle(cohort):
    """Its count part sees users only; who has no contact may differ."""
    users = cohort["contacts"] > 0
    rows = cohort.assign(twin=cohort["frail"].where(users, 1 - cohort["frail"]))
    with pytest.raises(
        FormulaError, match="count part: among people with contacts the terms frail, twin add up"
    ):
        fit("contacts ~ age + frail + twin", rows, family="hurdle", zero="~ age")
    assert fit("contacts ~ age + frail + twin", rows, family="poisson").predicted > 0


def test_users_with_one_contact_each_have_no_rate_in_a_hurdle(cohort):
    rows = cohort.assign(
        contacts=cohort["contacts"].where(cohort["frail"] == 0, cohort["contacts"].clip(upper=1))
    )
    with pytest.raises(FormulaError, match="more than one contact"):
        fit("contacts ~ age + frail", rows, family="hurdle")


def test_what_only_all_cells_can_tell_is_not_refused_on_a_sample(cohort, monkeypatch):
    """A flag of one cell that no sample of 20 has: it is looked for on all cells, and found good."""
    from needsalloc.kernels import starts

    alike = (cohort["age"] == cohort["age"].iloc[0]) & (cohort["imd"] == cohort["imd"].iloc[0])
    assert cohort["contacts"][alike].min() == 0 < cohort["contacts"][alike].max()
    rows = cohort.assign(flag=alike.astype(int))
    formula = "contacts ~ age + imd + flag"
    expected = fit(formula, rows, zero="~ age")
    whole, without = starts.sample, []

    def sample(problem):
        few = whole(problem, 20)
        without.append(few is not problem and few.designs["count"].rows(0, len(few.stats))[3].max() == 0)
        return few

    monkeypatch.setattr(starts, "sample", sample)
    found = fit(formula, rows, zero="~ age")
    assert without[0]
    assert found.coefficients.to_numpy() == pytest.approx(expected.coefficients.to_numpy(), rel=1e-8)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"setting": "ship"}, "ship"),
        ({"age": None}, "age is missing"),
        ({"age": np.inf}, "age is infinite"),
        ({"decile": 11}, "11"),
    ],
)
def test_rows_that_cannot_be_predicted_are_refused(rows, said, cohort):
    deciles = cohort.assign(decile=np.arange(len(cohort)) % 5)
    found = fit("contacts ~ age + setting + C(decile)", deciles, family="poisson")
    with pytest.raises((UnknownCodeError, InvalidValueError), match=said):
        found.predict(deciles.head(3).assign(**rows))
    with pytest.raises(MissingColumnError, match="decile"):
        found.predict(cohort)


def test_cells_keep_their_own_weight_exposure_and_cluster(cohort):
    cells = collapse(cohort, ["age"], count="contacts", exposure="days")
    with pytest.raises(FormulaError, match="exposure"):
        fit("contacts ~ age", cells)
    same(fit("contacts ~ age", cells, exposure="days"), fit("contacts ~ age", cohort, exposure="days"))
    with pytest.raises(FormulaError, match="weight"):
        fit("contacts ~ age", cells, exposure="days", weight="people")
    with pytest.raises(MissingColumnError, match="frail"):
        fit("contacts ~ age + frail", cells, exposure="days")


def test_cells_and_histogram_are_of_the_same_people(cohort):
    cells = collapse(cohort, ["age"], count="contacts")
    of_others = collapse(cohort.head(1200), ["age"], count="contacts").histogram
    with pytest.raises(InvalidValueError, match="by themselves"):
        fit("contacts ~ age", dataclasses.replace(cells, histogram=of_others), family="nb")


def test_a_likelihood_that_does_not_settle_is_refused(cohort, monkeypatch):
    from needsalloc.kernels import newton

    monkeypatch.setattr(newton, "ITERATIONS", 3)
    with pytest.raises(FormulaError, match="did not settle"):
        fit("contacts ~ age + frail", cohort)


def test_users_more_unlike_than_a_negative_binomial_are_said():
    """A logarithmic series: what is left of the truncated negative binomial when theta is 0."""
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"contacts": np.concatenate([np.zeros(500), rng.logseries(0.97, 4000)]), "age": 1})
    rows["age"] = rng.integers(0, 3, len(rows))
    rows.loc[rows["contacts"] > 20, "contacts"] *= 2
    found = fit("contacts ~ age", rows, family="hurdle-nb", zero="~ 1")
    assert any("Theta falls to nothing" in note for note in found.notes)


def test_a_zero_part_at_its_boundary_is_said():
    rng = np.random.default_rng(2)
    rows = pd.DataFrame({"age": rng.integers(0, 5, 3000), "flag": rng.integers(0, 2, 3000)})
    rows["contacts"] = rng.poisson(np.exp(0.2 + 0.1 * rows["age"]))
    # fewer zeros than a Poisson has: nobody never uses
    rows.loc[(rows["contacts"] == 0) & (rng.random(3000) < 0.5), "contacts"] = 1
    found = fit("contacts ~ age", rows, zero="~ 1")
    assert any("at its boundary" in note and "Choose poisson" in note for note in found.notes)
    poisson = fit("contacts ~ age", rows, family="poisson")
    assert found.count_coefficients.to_numpy() == pytest.approx(
        poisson.count_coefficients.to_numpy(), rel=1e-3
    )
    assert np.isnan(found.table.set_index("part").at["zero", "standard_error"])
    alike = fit("contacts ~ age", rows, family="nb")
    assert any("Theta grows without end" in note for note in alike.notes)


def test_one_group_without_never_users_is_named():
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"age": rng.integers(0, 5, 4000), "home": rng.integers(0, 2, 4000)})
    never = (rows["home"] == 0) & (rng.random(4000) < 0.5)
    rows["contacts"] = np.where(never, 0, rng.poisson(1.5 + 0.2 * rows["age"]))
    home = rows["home"] == 1
    rows.loc[home & (rows["contacts"] == 0) & (rng.random(4000) < 0.3), "contacts"] = 1
    found = fit("contacts ~ age", rows, zero="~ home")
    assert any("zero home" in note and "no finite estimate" in note for note in found.notes)
    assert found.covariance.loc[("count", "age"), ("count", "age")] > 0


def test_a_flat_ridge_is_said():
    """Few contacts, very unlike: 30 % who never use, and a theta of 0.1, make the same zeros."""
    found = {}
    for level in (-1.0, 2.5):
        rng = np.random.default_rng(5)
        rows = pd.DataFrame({"age": rng.integers(0, 5, 8000)})
        spread = rng.negative_binomial(0.1, 0.1 / (0.1 + np.exp(level + 0.1 * rows["age"])))
        rows["contacts"] = spread * (rng.random(8000) >= 0.3)
        found[level] = fit("contacts ~ age", rows, family="zinb", zero="~ 1").notes
    assert any("flat along a ridge" in note for note in found[-1.0])
    assert not any("ridge" in note for note in found[2.5])


def test_contacts_that_do_not_add_up_are_said(cohort):
    found = fit("contacts ~ age", cohort, zero="~ 1")
    off = abs(found.predicted_over_observed - 1) > 0.01
    assert any("times the contacts" in note for note in found.notes) == off
    spread = fit("contacts ~ age", cohort, family="poisson")
    assert any("model errors are too small" in note for note in spread.notes)
    assert not fit("contacts ~ age", cohort, family="poisson", errors="robust").notes


def test_poor_compression_is_the_only_warning(cohort):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fit(FORMULA, cohort)
    assert all(str(one.message).startswith("<Cells") for one in said)
