"""The audit on real files: Staffordshire's PCNs and all of England, with what must hold there."""

import numpy as np
import pandas as pd
import pytest

import needsalloc as na
from needsalloc.equality import equality_evidence

FORMULA = "district-nursing/liverpool-2024"
LISTS = "lists-2026/single_age_sex_practice_2026-04.csv.gz"
FILES = {
    "staffordshire-2025": (
        "gp-reg-pat-prac-lsoa-all_2025-10_QNC.csv.gz", "gp-reg-pat-prac-map_2025-10.csv.gz",
        "census21_lsoa21_age6.csv.gz", "imd2025_england_lsoa21.csv.gz", "PREVALENCE_2425.csv.gz",
    ),
    "england-2023": (
        "gp-reg-pat-prac-lsoa-all_2023-07.csv.gz", "gp-reg-pat-prac-map_for_2023-07.csv.gz",
        "population20_lsoa11.csv.gz", "imd2019_lsoa11.csv.gz", "PREVALENCE_2122.csv.gz",
    ),
}  # fmt: skip


def need_of(real_data, folder: str, **options) -> na.NeedIndex:
    lists, members, population, deprivation, conditions = (
        real_data / folder / file for file in FILES[folder]
    )
    catchment = na.Catchment.from_registrations(na.read_registrations(lists), na.read_membership(members))
    people = na.build_people(
        catchment,
        population=na.read_population(population),
        deprivation=na.read_deprivation(deprivation),
        lists=na.read_lists(real_data / LISTS),
        conditions=na.read_conditions(conditions),
    )
    return na.need_index(na.NeedFormula.published(FORMULA).expected_use(people), **options)


def per_adult(plan: na.Allocation) -> pd.Series:
    """The posts of a plan at the same rate per adult everywhere."""
    adults = plan.table.loc[plan.table["is_team"], "registered_adults"]
    return adults / adults.sum() * plan.total


@pytest.fixture(scope="module")
def staffordshire(real_data) -> tuple[na.Allocation, na.NeedIndex]:
    need = need_of(real_data, "staffordshire-2025", base="icb", icb="QNC")
    teams = need.teams[(need.teams["icb"] == "QNC") | ~need.teams["is_team"]]
    now = per_adult(na.allocate(250, teams, step=0.5))
    return na.allocate(250, teams, step=0.5, current=now), need


def of(audit: na.EquityAudit, resource: str, against: str = "need", level: str = "areas") -> pd.DataFrame:
    chosen = audit.inequality.query("resource == @resource and against == @against and level == @level")
    return chosen.set_index("measure")


@pytest.mark.slow
def test_posts_per_adult_in_staffordshire_give_the_deprived_more_than_their_need(staffordshire, real_data):
    plan, need = staffordshire
    audit = na.audit_equity(plan, need)
    crude, level = (
        of(audit, name, "people").loc["relative_index"] for name in ("need", "need_at_equal_ages")
    )
    # Deprived areas are younger: need rises with deprivation at a given age alone, and both are sure.
    assert level["high_99_8"] < 0 < crude["low_99_8"]
    for where in ("areas", "teams"):
        now, target = (of(audit, name, level=where) for name in ("current", "target"))
        assert now.at["relative_index", "high_95"] < 0
        assert abs(target.at["relative_index", "value"]) < 0.001
        assert not now["too_few_areas"].any()
    teams = audit.measures["teams"].areas
    to_move = (teams["need"] / teams["need"].sum() * 250 - teams["current"]).clip(lower=0).sum()
    assert of(audit, "current", level="teams").at["posts_to_move", "value"] == pytest.approx(to_move)
    core20 = audit.by_group.query(
        "grouping == 'core20' and group == 'core20' and resource == 'posts' and against == 'need'"
    ).iloc[0]
    assert core20["change_from_now"] == pytest.approx(audit.most_deprived_change)
    assert core20["change_from_now"] < 0
    disability = na.read_disability(real_data / "staffordshire-2025/disability21_lsoa21_ew.csv.gz")
    evidence = equality_evidence(plan, need, counts={"disability": disability}).table
    by_age = evidence[evidence["characteristic"] == "age"]
    assert by_age["posts_after"].sum() == pytest.approx(250, abs=0.01)
    share = evidence.set_index("group").at["disabled", "share_of_people"]
    # Census 2021: 17.3 % of England's residents; Staffordshire and Stoke are older.
    assert 0.173 < share < 0.21


@pytest.mark.slow
def test_england_by_small_area_and_by_team(real_data):
    need = need_of(real_data, "england-2023")
    plan = na.allocate(10_000, need.teams, step=0.1)
    flat = per_adult(plan)
    others = {
        f"posts, year {year}": flat + (plan.table["posts"][flat.index] - flat) * year / 5 for year in range(5)
    }
    audit = na.audit_equity(plan, need, others=others)
    areas = of(audit, "posts, year 0")
    assert areas["areas"].max() == 32_844
    # The most deprived fifth of areas by national rank.
    fifths = audit.by_group.query(
        "grouping == 'deprivation_fifth' and resource == 'posts' and against == 'need'"
    )
    assert fifths["areas"].to_list() == [6_568, 6_569, 6_569, 6_569, 6_569]
    # Year by year the posts that would have to move come down in even steps.
    by_year = [of(audit, name, level="teams").at["posts_to_move", "value"] for name in others]
    np.testing.assert_allclose(np.diff(by_year), np.diff(by_year)[0], rtol=0.02)
    assert np.diff(by_year)[0] < 0
    # What the target leaves is of practices without a PCN, who have no posts: 0.4 % of patients.
    assert of(audit, "target").at["hoover", "value"] < 0.005
    assert of(audit, "target", level="teams").at["hoover", "value"] < 1e-9
    parts = audit.theil.query("resource == 'posts, year 0' and against == 'need' and level == 'areas'")
    assert parts["theil"].sum() == pytest.approx(areas.at["theil", "value"])
    # Teams dilute nothing of posts that are spread over their areas by need, but see no area of two teams.
    assert parts.set_index("part").at["within team", "share"] < 0.1
    assert len(audit.lorenz.query("level == 'areas' and resource == 'posts'")) == 201
