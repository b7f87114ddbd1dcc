"""A made-up cohort with the published margins: what the formula says of it, beside what the paper prints."""

import numpy as np
import pandas as pd
import pytest

from needsalloc import NeedFormula, reference
from needsalloc.cohort import PEOPLE, calibrated, synthetic_cohort
from needsalloc.errors import FormulaError

REALIGNED = "district-nursing/liverpool-2024-realigned"
AS_PRINTED = "district-nursing/liverpool-2024-as-printed"
BANDS = ("18–29", "30–49", "50–69", "70–89", "90+")


@pytest.fixture(scope="module")
def cohort() -> pd.DataFrame:
    return synthetic_cohort()


@pytest.fixture(scope="module")
def formula(cohort: pd.DataFrame) -> NeedFormula:
    return calibrated(NeedFormula.published(REALIGNED), cohort)


def age_band(cohort: pd.DataFrame) -> pd.Series:
    return pd.cut(cohort["age"], [18, 30, 50, 70, 90, 120], right=False, labels=list(BANDS))


def test_margins_are_the_published_ones(cohort: pd.DataFrame) -> None:
    printed = reference.read("filipe-2024-table1").frame.set_index("variable")
    assert len(cohort) == PEOPLE == printed.loc["n_individuals", "number"]
    people = age_band(cohort).value_counts().reindex(list(BANDS)).to_numpy()
    assert people == pytest.approx(printed["number"]["age_18_29":"age_90_plus"].to_numpy(), abs=2)
    assert cohort["age"].agg(["mean", "std"]).tolist() == pytest.approx([47.11, 18.61], abs=0.01)
    conditions = printed["number"].dropna().index.intersection(cohort.columns).drop("contacts")
    assert len(conditions) == 14  # sex, ethnicity, death in the year and eleven conditions
    shares = printed["number"][conditions] / PEOPLE
    # Four standard errors of a binomial share of this many people.
    assert (abs(cohort[conditions].mean() - shares) < 4 * np.sqrt(shares / PEOPLE)).all()
    services = ["ae_attendances", "elective_admissions", "emergency_admissions", "gp_consultations"]
    assert cohort[services].mean().to_numpy() == pytest.approx(printed["mean"][services].to_numpy(), rel=0.05)
    assert cohort[services].std().to_numpy() == pytest.approx(printed["sd"][services].to_numpy(), rel=0.1)


def test_share_with_any_contact_by_age_is_the_published_one(
    cohort: pd.DataFrame, formula: NeedFormula
) -> None:
    # Filipe et al. 2024, Table 1: users over people in each band. A tenth is what the slopes were set to.
    published = reference.read("filipe-2024-use-rates").frame.set_index("group")["share_with_any_contact"]
    share = formula.share_with_contact(cohort).groupby(age_band(cohort), observed=True).mean()
    assert share.to_numpy() == pytest.approx(published["age_18_29":"age_90_plus"].to_numpy(), rel=0.1)
    assert formula.share_with_contact(cohort).mean() == pytest.approx(19_648 / 359_774, rel=1e-9)


def test_contacts_drawn_have_the_published_level(cohort: pd.DataFrame) -> None:
    # Drawn from the calibrated formula: 0.8549 contacts each, 5.46 % with any; the cap takes a little off.
    assert cohort["contacts"].mean() == pytest.approx(0.8549, rel=0.03)
    assert (cohort["contacts"] > 0).mean() == pytest.approx(0.05461, rel=0.02)
    assert cohort["contacts"].max() <= 365


@pytest.mark.parametrize("reading", [REALIGNED, AS_PRINTED])
def test_need_does_not_change_when_only_supply_changes(cohort: pd.DataFrame, reading: str) -> None:
    persons = cohort.head(5_000)
    richer = persons.assign(district_nurses_per_10000=persons["district_nurses_per_10000"] * 3)
    formula = NeedFormula.published(reading)
    pd.testing.assert_series_equal(formula.predict(richer), formula.predict(persons), check_exact=True)
    # Held at what is observed, more supply would have looked like more need.
    assert (formula.predict(richer, supply="observed") > formula.predict(persons, supply="observed")).all()


def test_index_by_age_sex_and_deprivation_is_shown_under_both_readings(
    cohort: pd.DataFrame, formula: NeedFormula
) -> None:
    """Printed as found (pytest -s) beside the paper's Figure 1, whose largest cell is about 11."""
    printed = NeedFormula.published(AS_PRINTED).with_constants(*formula.constants)
    for reading, tried in ((REALIGNED, formula), (AS_PRINTED, printed)):
        need = tried.predict(cohort)
        shown = cohort.assign(band=age_band(cohort), need_index=need / need.mean())
        table = shown.pivot_table(
            "need_index", index=["band", "female"], columns="deprivation_fifth", observed=True
        )
        print(f"\n{reading}: largest cell {table.max(axis=None):.1f}; Figure 1 of the paper: about 11")
        print(table.round(2).to_string())
    # Under the realigned reading need rises with age throughout; the printed one puts nearly all of it on a
    # few people with many GP consultations, whatever their age.
    need = formula.predict(cohort)
    by_age = need.groupby(age_band(cohort), observed=True).mean()
    assert by_age.is_monotonic_increasing
    top = printed.predict(cohort).nlargest(PEOPLE // 1000).sum() / printed.predict(cohort).sum()
    assert top > 0.9
    assert need.nlargest(PEOPLE // 1000).sum() / need.sum() < 0.2


def test_constants_that_do_not_exist_are_refused(cohort: pd.DataFrame) -> None:
    with pytest.raises(FormulaError, match="a few people take up nearly all"):
        calibrated(NeedFormula.published(AS_PRINTED), cohort)


def test_same_seed_same_cohort() -> None:
    pd.testing.assert_frame_equal(synthetic_cohort(2_000, seed=3), synthetic_cohort(2_000, seed=3))
    assert not synthetic_cohort(2_000, seed=3).equals(synthetic_cohort(2_000, seed=4))
