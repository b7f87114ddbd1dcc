"""The example plans on the real files, from registrations to posts, with the totals they must show."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import needsalloc as na
from needsalloc import calibration, errors, reference
from needsalloc.plan import Plan, read_plan
from needsalloc.run import Result, run_plan
from needsalloc.teams import practices_in

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1] / "examples"
PATIENTS, ENGLISH, WELSH, NOWHERE = 62_581_556, 62_544_470, 13_769, 23_317
WITHOUT_PCN = 261_137
RESIDENTS, ADULTS = 56_550_138, 44_456_850
LIVERPOOL = {"any_contact": 19_648 / 462_238, "contacts": 307_567 / 462_238}


def example(name: str, **changed: dict[str, object]) -> Plan:
    """An example plan without its map, which costs a second and moves no number; `changed` by section."""
    plan = read_plan(EXAMPLES / f"{name}.toml")
    changed["inputs"] = {"boundaries": None} | changed.get("inputs", {})
    sections = {section: getattr(plan, section).model_copy(update=keys) for section, keys in changed.items()}
    return plan.model_copy(update=sections)


@pytest.fixture(scope="module")
def england(real_data) -> Result:
    return run_plan(example("england-2023"), real_data)


@pytest.fixture(scope="module")
def north_east(real_data) -> Result:
    return run_plan(example("england-2023", catchment={"icb": "QHM"}), real_data)


@pytest.fixture(scope="module")
def staffordshire(real_data) -> Result:
    return run_plan(example("staffordshire-2025"), real_data)


def patients(result: Result) -> dict[str, float]:
    return result.catchment.coverage().set_index("group")["patients"].to_dict()


# England, July 2023


def test_every_patient_of_england_is_named_in_the_coverage(england):
    assert patients(england) == {
        "England: people living in English areas": ENGLISH,
        "Wales": WELSH,
        "no area recorded (NO2011)": NOWHERE,
        "All patients": PATIENTS,
        "of whom: Practices without a PCN (U)": WITHOUT_PCN,
    }
    pd.testing.assert_frame_equal(england.bundle.coverage, england.catchment.coverage())
    assert england.catchment.coverage()["practices"].tolist() == [6_378, 34, 4_241, 6_378, 69]
    assert england.allocation.table["registered"].sum() == PATIENTS
    assert england.allocation.table["outside"].sum() == WELSH + NOWHERE


def test_flows_of_england(england):
    assert england.catchment.registered.shape == (32_844, 6_378)
    assert england.catchment.registered.nnz == 864_024
    flows = england.bundle.flows
    assert len(flows) == 391_106
    assert flows["registered"].sum() == ENGLISH
    assert flows["team"].nunique() == 1_273 + 1
    for by, share in (("lsoa11", "resident_share"), ("team", "patient_share")):
        sums = flows.groupby(by, observed=True)[share].sum()
        np.testing.assert_allclose(sums, 1, rtol=0, atol=1e-12)


def test_residents_and_adults_are_the_same_after_apportioning(england, real_data):
    population = na.read_population(real_data / "england-2023/population20_lsoa11.csv.gz")
    for counts, total in ((population.sum(axis=1), RESIDENTS), (population.loc[:, 18:].sum(axis=1), ADULTS)):
        assert counts.sum() == total
        apportioned = england.catchment.apportion(counts)
        assert apportioned.sum() == pytest.approx(total, rel=1e-12)
        # Teams' own residents are shared age by age: the same people, a few per cent elsewhere.
        found = england.need.teams["resident" if total == RESIDENTS else "resident_adults"]
        assert found.sum() == pytest.approx(total, rel=1e-12)
        assert np.median(np.abs(found / apportioned - 1)) < 0.02


def test_adults_on_flows_are_those_of_the_lists(england, real_data):
    """Practices with nearly the same number of patients in both files have the list's share of adults."""
    lists = na.read_lists(real_data / "lists-2026/single_age_sex_practice_2026-04.csv.gz")
    listed = lists.groupby(level="practice").sum().reindex(england.catchment.practices)
    patients = np.asarray(england.catchment.registered.sum(axis=0)).ravel()
    steady = ((patients / listed.sum(axis=1) - 1).abs() < 0.02).to_numpy()
    assert steady.sum() > 1_000
    for first in (18, 65, 85):
        share = (listed.loc[:, first:].sum(axis=1) / listed.sum(axis=1)).to_numpy()[steady]
        found = england.people.ages.adults_by_practice[:, first - 18 :].sum(axis=1) / patients
        assert np.abs(found[steady] - share).mean() < 0.003


@pytest.mark.parametrize("whose", ["registered", "resident"])
def test_england_is_the_base_of_need(england, whose):
    need = na.need_index(england.need.use, base="england", people=whose)
    assert (need.base.name, need.base.adults) == ("England", pytest.approx(ADULTS, rel=1e-12))
    assert need.teams["weighted_population"].sum() == pytest.approx(ADULTS, rel=1e-12)
    mean = np.average(need.areas["need_index_england"], weights=need.areas["resident_adults"])
    assert mean == pytest.approx(1, abs=1e-12)
    assert need.areas["need_index_england"].between(0.1, 5).all()


def test_ten_thousand_posts_are_given_to_a_tenth(england):
    plan = england.allocation
    assert plan.steps.sum() == 100_000
    assert plan.table["is_team"].sum() == 1_273
    assert plan.table.loc["U", ["posts", "target_share"]].tolist() == [0, 0]
    assert plan.table.loc["U", "weighted_population"] > 0
    assert plan.table["target_share"].sum() == pytest.approx(1, abs=1e-12)
    # Webster without minimums and with this many teams keeps to the quota here.
    assert plan.above_quota == plan.below_quota == ()
    assert england.audit.table["posts"].sum() == pytest.approx(10_000, abs=1e-6)


def test_an_area_that_is_hardly_registered_in_england(england):
    areas = england.need.areas
    border = areas.loc["E01022273"]
    assert (border["registered"], border["resident"]) == (7, 1_452)
    assert (areas["registered"] < areas["resident"] / 2).sum() == 35
    assert areas["registered"].sum() / areas["resident"].sum() == pytest.approx(1.106, abs=5e-4)


def test_need_at_equal_ages_rises_with_deprivation_and_the_page_says_what_is_as_it_is(england):
    table = england.audit.table
    assert table["need_index_age_standardised"].is_monotonic_decreasing
    # Deprived areas are younger: as it is, need runs the other way, and a plan must say so.
    assert table["need_index_crude"].iloc[0] < 1 < table["need_index_crude"].iloc[-1]
    assert any("most deprived fifth" in warning for warning in england.bundle.warnings)


def test_every_check_of_the_run_passes(england, staffordshire):
    lists = {"Days between the registrations and the lists by age"}
    lacking = {"Patients of practices that the lists by age lack"}
    for result, warned in ((england, lists | lacking), (staffordshire, lists)):
        assert {check.name for check in result.bundle.checks if check.status == "warning"} == warned
        assert {check.status for check in result.bundle.checks} == {"pass", "note", "warning"}


@pytest.mark.parametrize("reading", ["realigned", "as-printed"])
def test_liverpools_constants_are_recomputed_from_the_open_files(england, real_data, reading):
    members = na.read_membership(real_data / "england-2023/gp-reg-pat-prac-map_for_2023-07.csv.gz")
    practices = practices_in(members, "sub_icb", "99A").intersection(england.catchment.practices)
    formula = na.NeedFormula.published(f"district-nursing/liverpool-2024-{reading}")
    solved = calibration.on_people(formula, england.people, practices, **LIVERPOOL, label="a test")
    stored = reference.read("liverpool-calibration").frame.set_index("reading").loc[reading]
    assert solved.constants == pytest.approx((stored["zero"], stored["count"]), abs=1e-6)
    assert formula.constants == (stored["zero"], stored["count"])


def test_the_age_calibrated_formula_has_liverpools_users_by_age_as_printed(england, real_data):
    members = na.read_membership(real_data / "england-2023/gp-reg-pat-prac-map_for_2023-07.csv.gz")
    practices = practices_in(members, "sub_icb", "99A").intersection(england.catchment.practices)
    bands = list(calibration.AGE_BANDS.values())
    miss = {}
    for variant in ("age-calibrated", "realigned"):
        formula = na.NeedFormula.published(f"district-nursing/liverpool-2024-{variant}")
        miss[variant] = calibration.use_rates(formula, england.people, practices)["miss"]
    # One factor for all bands: lists are of other ages than the paper's people, and users are as many.
    assert miss["age-calibrated"][bands].std() < 1e-6
    assert abs(miss["age-calibrated"][bands]).max() < 0.05
    # What the default misses, as docs/decisions/age-gradients.md says.
    assert miss["realigned"]["age_90_plus"] == pytest.approx(0.31, abs=0.01)
    assert miss["realigned"]["palliative_care"] == pytest.approx(-0.37, abs=0.01)


# One ICB of England


def test_of_englands_resident_adults_38_5_per_cent_live_outside_the_fitted_range(england, real_data):
    """Section 2 of the methods; and by the files of scores and of people alone."""
    teams = na.need_index(england.need.use, people="resident").teams
    share = (teams["share_outside_fitted_range"] * teams["resident_adults"]).sum() / ADULTS
    assert share == pytest.approx(0.385, abs=0.0005)
    scores = na.read_deprivation(real_data / "england-2023" / "imd2019_lsoa11.csv.gz")["imd_score"]
    people = na.read_population(real_data / "england-2023" / "population20_lsoa11.csv.gz")
    adults = people.loc[:, 18:].sum(axis=1)
    assert share == pytest.approx(adults[scores.reindex(adults.index) < 13.8].sum() / ADULTS, rel=1e-9)
    assert england.bundle.allocation["share_outside_fitted_range"].between(0, 1).all()


def test_the_pcns_of_one_icb_share_its_posts_on_the_scale_of_england(north_east, england):
    table = north_east.allocation.table
    teams = table[table["is_team"]]
    whole = england.need.teams
    assert set(teams.index) == set(whole.index[whole["icb"] == "QHM"])
    assert set(teams["icb"]) == {"QHM"}
    assert list(table.index[~table["is_team"]]) == ["U"]
    assert north_east.allocation.steps.sum() == 100_000
    assert teams["target_share"].sum() == pytest.approx(1, abs=1e-12)
    columns = ["need_index_england", "weighted_population"]
    # Patients outside England are adults as often as their group: U of all England is not U of one ICB.
    np.testing.assert_allclose(teams[columns], whole.loc[teams.index, columns], rtol=1e-8)


def test_practices_without_a_pcn_elsewhere_are_a_group_of_their_own(north_east):
    found = patients(north_east)
    groups = ("Practices without a PCN (U)", "No PCN, in other ICBs (U elsewhere)")
    here, elsewhere = (found[f"of whom: {name}"] for name in groups)
    assert here == north_east.allocation.table.at["U", "registered"] > 0
    assert here + elsewhere == WITHOUT_PCN
    assert found["All patients"] == PATIENTS


def test_an_unknown_icb_is_refused_with_the_known_ones(real_data):
    with pytest.raises(errors.UnknownCodeError, match=r"no icb 'QZZ' in the map; it has 42: .*QHM"):
        run_plan(example("england-2023", catchment={"icb": "QZZ"}), real_data)


# Staffordshire, October 2025


def test_staffordshire(staffordshire):
    assert patients(staffordshire) == {
        "England: people living in English areas": 1_208_850,
        "Northern Ireland": 7,
        "Scotland": 16,
        "Wales": 24,
        "closed (CLOSED)": 333,
        "empty (EMPTY)": 1_048,
        "pseudo-code (L99999999)": 4,
        "pseudo-code (M99999999)": 1,
        "All patients": 1_210_283,
    }
    assert len(staffordshire.catchment.practices) == 141
    assert len(staffordshire.allocation.table) == staffordshire.allocation.table["is_team"].sum() == 25
    assert staffordshire.allocation.steps.sum() == 500
    assert staffordshire.allocation.table["posts"].min() >= 1
    need = staffordshire.need
    assert need.teams["weighted_population"].sum() == pytest.approx(need.base.adults, rel=1e-12)
    mean = np.average(need.teams["need_index_icb"], weights=need.teams["registered_adults"])
    assert mean == pytest.approx(1, abs=1e-12)
    assert "Staffordshire" in need.base.name


def test_imd_2025_goes_in_on_the_scale_of_2019(staffordshire, real_data):
    """England's adults on IMD 2019 have mean 21.4 and SD 14.9; the census counts them from 16."""
    population = na.read_population(real_data / "staffordshire-2025/census21_lsoa21_age6.csv.gz")
    later = na.read_deprivation(real_data / "staffordshire-2025/imd2025_england_lsoa21.csv.gz")["imd_score"]
    adults = population.loc[:, 16:].sum(axis=1)[later.index]
    mean = np.average(later, weights=adults)
    sd = np.sqrt(np.average((later - mean) ** 2, weights=adults))
    areas = staffordshire.catchment.areas
    np.testing.assert_allclose(
        (staffordshire.people.imd_score - 21.4) / 14.9, (later[areas] - mean) / sd, rtol=1e-9
    )


# Files that do not belong together


def test_one_icbs_lists_are_no_base_of_england(real_data):
    with pytest.raises(errors.UnknownCodeError, match=r'all 33,755 areas.*have 3,299\. Choose base = "icb"'):
        run_plan(example("staffordshire-2025", need={"base": "england"}), real_data)


@pytest.mark.parametrize(
    ("role", "file"),
    [
        ("deprivation", "staffordshire-2025/imd2025_england_lsoa21.csv.gz"),
        ("population", "staffordshire-2025/census21_lsoa21_age6.csv.gz"),
    ],
)
def test_areas_of_2021_do_not_meet_lists_of_2011(real_data, role, file):
    with pytest.raises(errors.VintageError, match=r"2011.*2021.*codes do not match"):
        run_plan(example("england-2023", inputs={role: file}), real_data)
