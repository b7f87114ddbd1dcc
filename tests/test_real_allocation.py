"""Plans on official figures: general practice payments of England by PCN, and one ICB's PCN workforce.

Payments are those of 2022/23 without drugs and dispensing, against the Primary Medical Care index, which has
no cost factor here: a PCN in a dear place is further above target than it is by price. They are paid to
practices; those that had closed by July 2023, or that paid back more than they had, are left out by number.
"""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest

import needsalloc as na
from needsalloc.allocate import allocate
from needsalloc.in_place import carry_current
from needsalloc.pace import pace_of_change
from needsalloc.scenarios import compare_plans

PAID = "Total NHS Payments to General Practice"
DRUGS = ["Reimbursement of Drugs", "Prescribing Fee Payments", "Dispensing Fee Payments"]
FINAL = "primary_medical_care_final"
STAFFORDSHIRE = "QNC"
# Exercises, not findings: nobody publishes how often posts of PCNs fall vacant.
TURNOVER, YEARS = 0.12, 4


@pytest.fixture(scope="module")
def catchment(real_data):
    folder = real_data / "england-2023"
    return na.Catchment.from_registrations(
        na.read_registrations(folder / "gp-reg-pat-prac-lsoa-all_2023-07.csv.gz"),
        na.read_membership(folder / "gp-reg-pat-prac-map_for_2023-07.csv.gz"),
    )


@pytest.fixture(scope="module")
def paid(real_data):
    """Thousand pounds by practice."""
    table = pd.read_csv(real_data / "england-2023/nhspayments_gp_22-23.csv.gz", encoding="utf-8-sig")
    money = (table[PAID] - table[DRUGS].sum(axis=1)) / 1000
    return pd.DataFrame({"practice": table["Practice Code"], "current": money})


@pytest.fixture(scope="module")
def payments(paid, catchment):
    here = paid["practice"].isin(catchment.practices)
    kept = paid[here & (paid["current"] >= 0)]
    assert ((~here).sum(), (paid["current"] < 0).sum()) == (315, 12)
    # They had 1.4 % of the money.
    assert kept["current"].sum() / paid["current"].sum() == pytest.approx(0.986, abs=0.001)
    return carry_current(kept.assign(basis="paid", on="2023-03-31"), catchment)


@pytest.fixture(scope="module")
def plans(real_data, catchment, payments):
    """The Primary Medical Care index with and without its part for inequalities, and of the year after."""
    folder = real_data / "england-2023"
    members = na.read_membership(folder / "gp-reg-pat-prac-map_for_2023-07.csv.gz")
    years = {
        year: na.relative_need(na.read_weighted_populations(folder / file, edition=year))
        .regroup(members)
        .table
        for year, file in {
            "2023/24": "place_tool_2023_2024.csv.gz",
            "2024/25": "place_tool_2024_2025.csv.gz",
        }.items()
    }
    teams = catchment.teams.index[catchment.teams["is_team"]].intersection(years["2023/24"].index)
    now = payments[payments["team"].isin(teams)]
    total = round(now["current"].sum())

    def plan(year, component):
        table = years[year].loc[teams]
        return allocate(total, table.assign(weighted_population=table[component]), current=now, unit="£000")

    return {
        "final 2023/24": plan("2023/24", FINAL),
        "need alone 2023/24": plan("2023/24", "primary_medical_care"),
        "final 2024/25": plan("2024/25", FINAL),
    }


def test_payments_of_every_pcn_are_those_of_its_practices(real_data, paid, payments):
    """Carried through the catchment, and grouped by the map with plain pandas."""
    members = pd.read_csv(real_data / "england-2023/gp-reg-pat-prac-map_for_2023-07.csv.gz")
    pcn = members.set_index("PRACTICE_CODE")["PCN_CODE"]
    kept = paid[paid["current"] >= 0]
    expected = kept.groupby(kept["practice"].map(pcn))["current"].sum()
    found = payments.set_index("team")["current"]
    same = found.index.intersection(expected.index)
    assert len(same) >= 1_273
    np.testing.assert_allclose(found[same], expected[same], rtol=1e-9)


def test_distances_of_payments_from_target(real_data, plans):
    """Target and distance against plain pandas on the published file."""
    plan = plans["final 2023/24"].table
    assert len(plan) == 1_273
    table = pd.read_csv(real_data / "england-2023/place_tool_2023_2024.csv.gz", encoding="utf-8-sig")
    members = pd.read_csv(real_data / "england-2023/gp-reg-pat-prac-map_for_2023-07.csv.gz")
    pcn = members.set_index("PRACTICE_CODE")["PCN_CODE"]
    weighted = table.groupby(table["Practice_Code"].map(pcn))["Final PMC WP"].sum().reindex(plan.index)
    target = weighted / weighted.sum() * plans["final 2023/24"].total
    np.testing.assert_allclose(plan["target"], target, rtol=1e-9)
    np.testing.assert_allclose(plan["distance_from_target"], plan["current"] / target - 1, rtol=1e-9)
    # Half of the PCNs within 8 % of target: what moves is a small part of the money.
    middle = plan["distance_from_target"].quantile([0.25, 0.75])
    assert middle.between(-0.1, 0.1).all()
    assert plan["posts"].sum() == plans["final 2023/24"].total


def test_the_range_over_readings_of_the_index(plans):
    found = compare_plans(plans)
    assert found.table["side"].value_counts().sum() == 1_273
    for side, sign in (("below target", -1), ("above target", 1)):
        teams = found.table.index[found.table["side"] == side]
        for plan in plans.values():
            assert (np.sign(plan.table.loc[teams, "distance_from_target"]) == sign).all()
    # Another year's need moves far fewer pounds than leaving out the part for inequalities.
    elsewhere = found.summary["from_first"]
    assert elsewhere["final 2024/25"] < 0.1 * elsewhere["need alone 2023/24"]


@pytest.mark.slow
def test_payments_against_our_index_as_an_exercise(real_data, catchment, payments, plans):
    """District-nursing need is not what practices are paid for: this shows how far two indices lead apart."""
    folder = real_data / "england-2023"
    people = na.build_people(
        catchment,
        population=na.read_population(folder / "population20_lsoa11.csv.gz"),
        deprivation=na.read_deprivation(folder / "imd2019_lsoa11.csv.gz"),
        conditions=na.read_conditions(folder / "PREVALENCE_2122.csv.gz"),
        lists=na.read_lists(real_data / "lists-2026/single_age_sex_practice_2026-04.csv.gz"),
    )
    formula = na.NeedFormula.published("district-nursing/liverpool-2024")
    first = plans["final 2023/24"]
    need = na.need_index(formula.expected_use(people)).teams.loc[first.table.index]
    now = payments[payments["team"].isin(first.table.index)]
    ours = allocate(first.total, need, current=now, unit="£000")
    found = compare_plans({"primary medical care": first, "district nursing, an exercise": ours})
    assert found.posts.iloc[:, 1:].sum().eq(first.total).all()
    # Large PCNs are large by both, but the exercise is further from what practices are paid than their index.
    assert found.targets.corr().iloc[0, 1] > 0.5
    summary = found.summary["gained"]
    assert summary.iloc[2] > summary.iloc[1]


@pytest.fixture(scope="module")
def workforce(real_data):
    """Full-time equivalents of direct patient care by PCN, June 2026."""
    with zipfile.ZipFile(real_data / "workforce/PCNWFIndividualCSV_2026-06.zip") as zipped:
        name = next(name for name in zipped.namelist() if name.endswith(".csv"))
        staff = pd.read_csv(io.BytesIO(zipped.read(name)), encoding="utf-8-sig")
    staff = staff[(staff["ICB_CODE"] == STAFFORDSHIRE) & staff["STAFF_GROUP"].str.startswith("Other Direct")]
    fte = staff.groupby("PCN_CODE")["FTE"].sum()
    return pd.DataFrame(
        {"team": fte.index, "current": fte.to_numpy(), "basis": "in post", "on": "2026-06-30"}
    )


@pytest.fixture(scope="module")
def staffordshire(real_data, workforce):
    folder = real_data / "staffordshire-2025"
    members = na.read_membership(folder / "gp-reg-pat-prac-map_2026-01.csv.gz")
    populations = na.read_weighted_populations(folder / "place_tool_2025_2026.csv.gz", edition="2025/26")
    table = na.relative_need(populations).regroup(members).table
    table = table[(table["icb"] == STAFFORDSHIRE) & table["is_team"]]
    total = round(workforce["current"].sum(), 1)
    return allocate(total, table.assign(weighted_population=table[FINAL]), current=workforce, step=0.1)


def test_workforce_of_one_icb_over_four_years_by_vacancies_only(staffordshire, workforce):
    pcns = staffordshire.table
    assert len(pcns) == 25
    assert pcns["current"].sum() == pytest.approx(workforce["current"].sum())
    paced = pace_of_change(staffordshire, years=YEARS, moves="vacancies", turnover=TURNOVER, step=0.1)
    np.testing.assert_allclose(paced.by_year.sum(), staffordshire.total, atol=0.05)
    years = paced.table
    # Nobody is moved: no team loses more than its leavers, but for the step that posts are given in.
    assert (years["change"] >= -TURNOVER * years["opening"] - 0.1 - 1e-9).all()
    closing = years.xs(YEARS)["closing_distance"].abs()
    opening = years.xs(1)["opening_distance"].abs()
    assert (closing <= opening + 1e-9).all()
    # By hand for the PCN with the most over target: four years of leavers, if that is not enough to reach it.
    first = years.xs(1)["opening_distance"].idxmax()
    row = years.xs(YEARS).loc[first]
    now = pcns.loc[first, "current"]
    assert row["closing"] == pytest.approx(max(now * (1 - TURNOVER) ** YEARS, row["target"]), rel=1e-6)
    assert paced.years_to_within(0.05).notna().all()
