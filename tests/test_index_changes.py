"""Which teams move when an index is made otherwise, by hand and on the two editions of deprivation."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import needsalloc as na
from needsalloc.errors import InvalidValueError, UnknownCodeError
from needsalloc.index_changes import index_changes


@pytest.fixture(scope="module")
def need(synthetic) -> na.NeedIndex:
    catchment = na.Catchment.from_registrations(synthetic.registrations, synthetic.membership)
    people = na.build_people(
        catchment,
        population=synthetic.population,
        deprivation=synthetic.deprivation,
        lists=synthetic.lists,
        conditions=synthetic.conditions,
    )
    use = na.NeedFormula.published("district-nursing/liverpool-2024").expected_use(people)
    return na.need_index(use, base="icb")


def first_teams(need: na.NeedIndex, count: int) -> pd.Index:
    return need.teams.index[need.teams["is_team"]][:count]


def with_index(need: na.NeedIndex, values: list[float]) -> na.NeedIndex:
    """The same index with other values for the first teams; the others stay."""
    teams = need.teams.copy()
    teams.loc[first_teams(need, len(values)), need.column] = values
    return replace(need, teams=teams)


def test_who_moves_by_how_much_and_who_crosses_1_by_hand(need):
    before = with_index(need, [0.96, 1.00, 1.20, 0.50])
    after = with_index(need, [1.05, 1.04, 1.08, 0.52])
    found = index_changes(before, after)
    # 1.05 / 0.96 = 1.09375 and 1.08 / 1.20 = 0.9; 1.04 and 0.52 are 4 % above 1.00 and 0.50.
    assert found.table.index.tolist() == first_teams(need, 3)[[2, 0]].tolist()
    assert found.table["change"].tolist() == pytest.approx([-0.1, 0.09375], abs=1e-12)
    assert found.table["crosses_1"].tolist() == [False, True]
    teams = int(need.teams["is_team"].sum())
    assert repr(found).startswith(
        f"<IndexChanges: 2 of {teams} teams move by more than 5%, 1 of them to the other"
    )
    assert "−10.0%" in repr(found)
    assert "<table" in found._repr_html_()


def test_groups_that_are_no_team_and_teams_without_an_index_are_left_out(need):
    group = need.teams.index[~need.teams["is_team"]][0]
    teams = need.teams.copy()
    teams.loc[group, need.column] *= 2
    teams.loc[first_teams(need, 1), need.column] = np.nan
    found = index_changes(need, replace(need, teams=teams), more_than=0)
    assert found.table.empty
    assert found.teams == need.teams["is_team"].sum() - 1
    assert repr(found).endswith("teams move by more than 0%>")


@settings(max_examples=40)
@given(factors=st.lists(st.floats(0.5, 2), min_size=4, max_size=4), more_than=st.floats(0, 0.5))
def test_an_index_that_moves_there_moves_back(need, factors, more_than):
    values = need.teams.loc[first_teams(need, 4), need.column].to_numpy() * factors
    other = with_index(need, values.tolist())
    there, back = (index_changes(*pair, more_than=0) for pair in ((need, other), (other, need)))
    assert set(there.table.index) == set(back.table.index)
    # Two divisions and a product of floats.
    product = (1 + there.table["change"]) * (1 + back.table["change"].reindex(there.table.index))
    np.testing.assert_allclose(product, 1, rtol=1e-12)
    listed = index_changes(need, other, more_than=more_than).table
    assert (listed["change"].abs() > more_than).all()
    assert (there.table["change"].drop(listed.index).abs() <= more_than).all()


def test_what_would_be_no_change_is_refused(need):
    with pytest.raises(InvalidValueError, match=r"more_than is -0\.1; give a share from 0"):
        index_changes(need, need, more_than=-0.1)
    with pytest.raises(InvalidValueError, match="more_than is nan"):
        index_changes(need, need, more_than=float("nan"))
    resident = na.need_index(need.use, base="icb", people="resident")
    with pytest.raises(InvalidValueError, match="of registered people, the other need_index_icb of resident"):
        index_changes(need, resident)
    fewer = replace(need, teams=need.teams.iloc[1:])
    with pytest.raises(UnknownCodeError, match=f"1 teams are in one index alone: {need.teams.index[0]}"):
        index_changes(need, fewer)


@pytest.mark.slow
def test_teams_that_move_only_because_imd_2025_replaced_imd_2019(real_data):
    """Staffordshire: the scores of 2019, carried to the areas of 2021, against those of 2025."""
    one, england = real_data / "staffordshire-2025", real_data / "england-2023"
    catchment = na.Catchment.from_registrations(
        na.read_registrations(one / "gp-reg-pat-prac-lsoa-all_2025-10_QNC.csv.gz"),
        na.read_membership(one / "gp-reg-pat-prac-map_2025-10.csv.gz"),
    )
    people = na.build_people(
        catchment,
        population=na.read_population(one / "census21_lsoa21_age6.csv.gz"),
        deprivation=na.read_deprivation(one / "imd2025_england_lsoa21.csv.gz"),
        lists=na.read_lists(real_data / "lists-2026" / "single_age_sex_practice_2026-04.csv.gz"),
        conditions=na.read_conditions(one / "PREVALENCE_2425.csv.gz"),
    )
    scores = na.carry_rates(
        na.read_deprivation(england / "imd2019_lsoa11.csv.gz")["imd_score"],
        na.read_area_lookup(england / "lookup_lsoa11_lsoa21_ltla22.csv.gz"),
        to="lsoa21",
        people=na.read_population(england / "population20_lsoa11.csv.gz").sum(axis=1),
    )
    formula = na.NeedFormula.published("district-nursing/liverpool-2024")
    old = replace(people, imd_score=scores.reindex(catchment.areas).to_numpy())
    before, after = (na.need_index(formula.expected_use(who), base="icb", icb="QNC") for who in (old, people))
    found, every = index_changes(before, after), index_changes(before, after, more_than=0.002)
    print(found, every)
    # Recomputed from the two indices by plain pandas.
    teams = after.teams[(after.teams["icb"] == "QNC") & after.teams["is_team"]]
    ratio = teams["need_index_icb"] / before.teams["need_index_icb"].loc[teams.index]
    expected = ratio[(ratio - 1).abs() > 0.002] - 1
    pd.testing.assert_series_equal(
        every.table["change"].sort_index(), expected.sort_index(), check_names=False
    )
    assert found.teams == len(teams) == 25
    assert len(found.table) == ((ratio - 1).abs() > 0.05).sum()
    # The base keeps its mean of 1 by both, so not all can move one way.
    assert every.table["change"].min() < 0 < every.table["change"].max()
