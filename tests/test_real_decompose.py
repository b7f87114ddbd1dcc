"""Need indices of the real files taken apart: against every coalition worked out anew, and against the ages
and the deprivation that contributions are named after."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import needsalloc as na
from needsalloc.ages import BANDS
from needsalloc.agreement import agreement
from needsalloc.decompose import Decomposition, decompose
from needsalloc.kernels import shapley
from needsalloc.plan import read_plan
from needsalloc.run import run_plan
from needsalloc.use import Cells
from test_decompose import by_every_order

pytestmark = pytest.mark.slow

BAND = np.searchsorted(BANDS, np.arange(91), side="right") - 1
EXAMPLES = Path(__file__).parents[1] / "examples"


def need_of(name: str, folder: Path) -> na.NeedIndex:
    plan = read_plan(EXAMPLES / f"{name}.toml")
    without_map = plan.model_copy(update={"inputs": plan.inputs.model_copy(update={"boundaries": None})})
    return run_plan(without_map, folder).need


@pytest.fixture(scope="module")
def england(real_data) -> Decomposition:
    return decompose(need_of("england-2023", real_data))


@pytest.fixture(scope="module")
def staffordshire(real_data) -> Decomposition:
    return decompose(need_of("staffordshire-2025", real_data))


def teams_of(found: Decomposition) -> pd.DataFrame:
    """The teams proper, with the mean age and deprivation of their adults by plain sums over flows."""
    who = found.need.use.people
    flows = who.ages.pattern.tocoo()
    # The same order as the flows': sparse by columns.
    by_year = who.ages.people["registered"][:, BAND] * who.ages.within[flows.row]
    adults = pd.DataFrame({"team": who.catchment.team_of_practice[flows.col], "area": flows.row})
    adults["people"] = by_year[:, 18:].sum(axis=1)
    years = pd.Series(by_year[:, 18:] @ np.arange(18, 91))
    totals = adults.assign(
        mean_age=years, imd_score=adults["people"] * who.imd_score[flows.row]
    ).groupby("team")[["people", "mean_age", "imd_score"]].sum()  # fmt: skip
    means = totals[["mean_age", "imd_score"]].div(totals["people"], axis=0)
    means.index = who.catchment.teams.index[means.index]
    return found.table.join(means)[found.table["is_team"]]


@pytest.mark.parametrize("name", ["england", "staffordshire"])
def test_every_row_sums_to_its_index(name, request):
    found = request.getfixturevalue(name)
    total = found.table["base"] + found.table[list(found.players)].sum(axis=1, skipna=False)
    np.testing.assert_allclose(total, found.need.teams[found.need.column], rtol=0, atol=1e-12)
    assert found.players[:2] == ("age_and_sex", "deprivation")
    assert len(found.players) == 8
    assert found.explained.sum() == pytest.approx(1)


@pytest.mark.parametrize("name", ["england", "staffordshire"])
def test_contributions_are_named_after_what_they_go_with(name, request):
    teams = teams_of(request.getfixturevalue(name))
    assert stats.spearmanr(teams["age_and_sex"], teams["mean_age"])[0] > 0.95
    assert stats.spearmanr(teams["deprivation"], teams["imd_score"])[0] > 0.95
    fifth = pd.qcut(teams["imd_score"], 5, labels=False)
    means = teams.groupby(fifth)[["age_and_sex", "deprivation"]].mean()
    # Deprived places are younger: age takes away more than deprivation adds.
    assert means["deprivation"].is_monotonic_increasing
    assert means["age_and_sex"].iloc[-1] < 0 < means["age_and_sex"].iloc[0]
    assert abs(means["age_and_sex"].iloc[-1]) > means["deprivation"].iloc[-1] > 0


@pytest.mark.parametrize("name", ["england", "staffordshire"])
def test_age_explains_the_teams_of_most_and_of_least_need(name, request):
    found = request.getfixturevalue(name)
    teams = found.table[found.table["is_team"]]
    index = teams[found.need.column]
    for team in (index.idxmax(), index.idxmin()):
        steps = teams.loc[team, list(found.players)].astype(float)
        assert steps.abs().idxmax() == "age_and_sex"
        assert steps["age_and_sex"] / (index[team] - 1) == pytest.approx(1, abs=0.25)


def test_residents_of_england_are_its_base(england):
    need = na.need_index(england.need.use, base="england", people="resident")
    found = decompose(need)
    mean = found.table[list(found.players)].T @ need.teams["resident_adults"] / need.base.adults
    np.testing.assert_allclose(mean, 0, atol=1e-12)
    np.testing.assert_allclose(found.joint, england.joint, atol=1e-12)
    assert abs(found.joint.sum()) < 0.01


def test_teams_of_whole_areas(staffordshire):
    catchment = staffordshire.need.catchment.with_method("first_past_the_post")
    use = staffordshire.need.use
    need = na.need_index(use, base="icb", people="resident", catchment=catchment)
    found = decompose(need)
    total = 1 + found.table[list(found.players)].sum(axis=1, skipna=False)
    np.testing.assert_allclose(total, need.teams["need_index_icb"], rtol=0, atol=1e-12)


class Mixed(Cells):
    """Practices with their own curves for some conditions and the base's for the others."""

    base: dict[str, np.ndarray]
    of_their_own: dict[str, np.ndarray]
    using: frozenset[str] = frozenset()

    def curves(self, practices):
        ones = np.ones((len(practices), 1))
        return {
            t: self.of_their_own[t][practices] if t in self.using else ones * self.base[t] for t in self.own
        }


def test_contributions_are_those_of_all_coalitions_worked_out_anew(staffordshire):
    """Shapley's value from use on every flow of the ICB in each of the 256 coalitions."""
    need = staffordshire.need
    who = need.use.people
    flows = who.ages.pattern
    practices = np.arange(flows.shape[1])
    cells = Mixed(need.use.formula, who, observed=False)
    cells.of_their_own = Cells.curves(cells, practices)
    by_year = who.ages.people["registered"][:, BAND] * who.ages.within[flows.indices]
    # Its people who live outside England count with their team: the base's flows are lifted to whole lists.
    lists = who.catchment.registered_by_team
    lift = (lists["registered"] / lists["inside"]).to_numpy()[who.catchment.team_of_practice]
    parts = [slice(*flows.indptr[p : p + 2]) for p in practices]
    adults = [by_year[part, 18:] for part in parts]
    areas = [flows.indices[part] for part in parts]
    of_age = np.array([adults[p].sum(axis=0) * lift[p] for p in practices])
    base_kinds = np.einsum("pa,pas->as", of_age, cells.sex_share) / of_age.sum()
    of_score = np.sum(
        [adults[p].sum(axis=1) @ cells.score_weights[areas[p]] * lift[p] for p in practices], axis=0
    )
    base_score = of_score / of_age.sum()
    cells.base = {t: (of_age * c).sum(axis=0) / of_age.sum(axis=0) for t, c in cells.of_their_own.items()}
    teams = len(need.teams)
    value = np.zeros((teams + 1, 2 ** len(staffordshire.players)))
    for conditions, using in enumerate(shapley.members(len(cells.own))):
        cells.using = frozenset(np.array(cells.own)[using])
        tables = cells.use_by_sex(practices)
        for p in practices:
            own_score, count = cells.score_weights[areas[p]], adults[p].sum(axis=1)
            own = np.einsum("asn,as->an", tables[p], cells.sex_share[p])
            of_base = np.einsum("asn,as->n", tables[p], base_kinds)
            totals = (
                count.sum() * of_base @ base_score,
                (adults[p] @ (own @ base_score)).sum(),
                count @ (own_score @ of_base),
                ((adults[p] @ own) * own_score).sum(),
            )
            for these, total in enumerate(totals):
                value[who.catchment.team_of_practice[p], 4 * conditions + these] += total
                value[-1, 4 * conditions + these] += lift[p] * total
    size = np.bincount(who.catchment.team_of_practice, [a.sum() for a in adults], teams)
    value = value / np.append(size, of_age.sum())[:, None] / need.base.mean_use
    assert value[-1, -1] == pytest.approx(1, abs=1e-12)
    expected = by_every_order(value, len(staffordshire.players))
    np.testing.assert_allclose(
        staffordshire.table[list(staffordshire.players)], expected[:-1] - expected[-1], rtol=0, atol=1e-11
    )


def test_the_two_readings_of_the_formula_agree_on_england_less_than_a_correlation_says(england):
    other = na.NeedFormula.published("district-nursing/liverpool-2024-as-printed")
    printed = na.need_index(other.expected_use(england.need.use.people), base="england")
    teams = england.need.teams
    both = pd.DataFrame(
        {"realigned": teams["need_index_england"], "as printed": printed.teams["need_index_england"]}
    )
    found = agreement(both[teams["is_team"]]).iloc[0]
    assert found["rows"] == 1_273
    expected = stats.spearmanr(both["realigned"][teams["is_team"]], both["as printed"][teams["is_team"]])[0]
    assert found["spearman"] == pytest.approx(expected, abs=1e-12)
    weighted = agreement(both[teams["is_team"]], teams["registered_adults"]).iloc[0]
    assert abs(weighted["spearman"] - found["spearman"]) < 0.05
    assert found["pearson"] > 0.9
    # A third of all places in the ranking, for the team that moves most.
    assert found["largest_rank_change"] > 1_273 / 3
