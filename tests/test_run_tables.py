"""The tables beside the posts: they agree with the plan's own index, and say what is not known."""

import numpy as np
import pandas as pd
import pytest

import needsalloc as na
from needsalloc import errors
from needsalloc.plan import read_plan
from needsalloc.run import run_plan
from plan_folders import CURRENT, DEPRIVATION, PLAN, write_files

pytestmark = pytest.mark.slow

ONE_ICB = PLAN.replace("[catchment]", '[catchment]\nicb = "QZZ"').replace(f'current = "{CURRENT}"\n', "")
RESIDENT = ONE_ICB.replace("[need]", '[need]\npeople = "resident"')
WHOLE = RESIDENT.replace("[catchment]", '[catchment]\nmethod = "first_past_the_post"')


def run(folder, text: str = PLAN):
    (folder / "plan.toml").write_text(text, encoding="utf-8")
    return run_plan(read_plan(folder / "plan.toml"), folder)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The plan for all, for one ICB, for its residents, and for its teams of whole areas."""
    folder = write_files(tmp_path_factory.mktemp("beside") / "mine").parent
    return {name: run(folder, text) for name, text in zip(
        ("all", "icb", "resident", "whole"), (PLAN, ONE_ICB, RESIDENT, WHOLE), strict=True
    )}  # fmt: skip


@pytest.mark.parametrize("which", ["all", "icb", "resident", "whole"])
def test_parts_of_need_add_up_to_each_teams_index(results, which):
    bundle = results[which].bundle
    table = bundle.beside["decomposition"].set_index("team")
    index = bundle.allocation.set_index("team")[bundle.need_index]
    assert table.index.tolist() == index.index.tolist()
    parts = table.drop(columns=["team_name", bundle.need_index]).sum(axis=1, skipna=False)
    np.testing.assert_allclose(parts, index, rtol=1e-8)  # the score is interpolated at seven nodes
    assert {"age_and_sex", "deprivation", "dementia"} <= set(table)


@pytest.mark.parametrize(("which", "ways"), [("all", 6), ("icb", 6), ("resident", 6), ("whole", 3)])
def test_the_range_starts_from_the_plans_own_index_and_holds_it(results, which, ways):
    result = results[which]
    table = result.bundle.beside["need_range"].set_index("team")
    teams = result.bundle.allocation.set_index("team")
    assert set(table.index) == set(result.allocation.table.query("is_team").index)
    own = teams.loc[table.index, result.bundle.need_index]
    pd.testing.assert_series_equal(table["index"], own, check_names=False, rtol=1e-12)
    without = table["index"].isna()  # by whole areas a team may be given none
    assert (table.loc[without, "ways"] == 0).all()
    table = table[~without]
    assert (table["low"] <= table["index"]).all()
    assert (table["index"] <= table["high"]).all()
    assert (table["ways"] == ways).all()
    said = result.bundle.said["need_range"]
    assert said.startswith(f"Over {ways} ways")
    assert "no interval" in said
    assert ("people" in said.partition("alone: ")[2].partition(")")[0]) == (which != "whole")


def test_each_end_of_a_range_is_the_index_by_the_way_that_it_names(results):
    result = results["icb"]
    table = result.bundle.beside["need_range"].set_index("team")
    for end in ("low", "high"):
        for team, row in table.iterrows():
            reading, people = row[{"low": "lowest_by", "high": "highest_by"}[end]].split(", ")
            formula = na.NeedFormula.published(f"district-nursing/liverpool-2024-{reading}")
            whose = people.removesuffix(" people")
            index = na.need_index(formula.expected_use(result.people), base="icb", people=whose, icb="QZZ")
            assert row[end] == pytest.approx(index.teams.at[team, "need_index_icb"], rel=1e-12)


def test_posts_moved_by_the_other_reading_are_those_of_a_plan_by_it(results):
    """Half of the absolute differences between the shares that two plans give."""
    result = results["all"]
    other = na.NeedFormula.published("district-nursing/liverpool-2024-as-printed")
    index = na.need_index(other.expected_use(result.people), base="icb", catchment=result.catchment)
    ours = result.allocation.table["target_share"]
    weighted = index.teams["weighted_population"].where(ours > 0, 0.0)
    moved = (weighted / weighted.sum() - ours).abs().sum() / 2
    assert f"would move {moved:.1%} of the posts" in result.bundle.sentences[3]


def test_planning_cohorts_count_everybody_once_and_name_what_is_empty(results):
    bundle = results["all"].bundle
    table, sources = (bundle.beside[name] for name in ("planning_cohorts", "cohort_sources"))
    assert table["registered"].sum() == pytest.approx(bundle.allocation["registered"].sum())
    assert table["dementia_register"].sum() > 0
    empty = sources.set_index("column")["source"] == "not given"
    assert set(empty.index[empty]) == set(table.columns[table.isna().all()])
    assert "resident disabled" in bundle.said["planning_cohorts"]
    assert list(sources["column"]) == list(table.columns[3:])
    icb = results["icb"].bundle
    assert icb.beside["planning_cohorts"]["team"].tolist() == icb.allocation["team"].tolist()


def test_teams_of_whole_areas_have_modelled_registers(results):
    sources = results["whole"].bundle.beside["cohort_sources"].set_index("column")
    assert sources.at["dementia_register", "how"].startswith("modelled")
    assert sources.at["registered_65_and_over", "source"] == "not given"


def test_adults_outside_the_fitted_range_are_those_of_areas_below_13_8(results):
    """Table 1 of the paper: the least deprived fifth of Liverpool has a mean score of 13.8."""
    result = results["all"]
    adults = result.need.use.registered.adults.toarray()
    outside = adults * (result.people.imd_score < 13.8)[:, None]
    team = result.catchment.team_of_practice
    count = len(result.catchment.teams)
    by_team = [np.bincount(team, part.sum(axis=0), count) for part in (outside, adults)]
    found = result.need.teams["share_outside_fitted_range"]
    np.testing.assert_allclose(found, by_team[0] / by_team[1], rtol=1e-12)
    assert 0 < found.max() <= 1
    column = result.bundle.allocation.set_index("team")["share_outside_fitted_range"]
    assert column.equals(found[column.index].rename_axis("team"))


def test_too_many_conditions_are_not_taken_apart_and_the_log_says_so(tmp_path, monkeypatch):
    folder = write_files(tmp_path / "mine").parent
    monkeypatch.setattr("needsalloc.run_tables.MOST_WORK", 100)
    bundle = run(folder).bundle
    assert "decomposition" not in bundle.beside
    assert any("6 conditions differ between practices" in note.what for note in bundle.assumptions)


# Another edition of deprivation


def with_before(folder, change=lambda scores: scores, **columns: object) -> str:
    scores = pd.read_csv(folder / DEPRIVATION)
    name = next(column for column in scores if "Score" in column or "score" in column)
    scores[name] = change(scores[name])
    scores.assign(**columns).to_csv(folder / "before.csv", index=False)
    return PLAN.replace(
        "[inputs]\n", '[inputs]\ndeprivation_before = { path = "before.csv", edition = "synthetic" }\n'
    )


def test_the_same_scores_move_nobody(tmp_path):
    folder = write_files(tmp_path / "mine").parent
    bundle = run(folder, with_before(folder)).bundle
    assert bundle.beside["index_changes"].empty
    assert bundle.sentences[-1].endswith("of 0 of 4 teams is another by more than 5%.")


def test_other_scores_move_teams_and_no_posts(tmp_path):
    folder = write_files(tmp_path / "mine").parent
    plain = run(folder).bundle
    bundle = run(folder, with_before(folder, lambda scores: scores.iloc[::-1].to_numpy())).bundle
    pd.testing.assert_frame_equal(plain.allocation, bundle.allocation)
    table = bundle.beside["index_changes"].set_index("team")
    index = plain.allocation.set_index("team")["need_index_icb"]
    assert len(table) > 0
    pd.testing.assert_series_equal(table["after"], index[table.index], check_names=False)
    np.testing.assert_allclose(table["change"], table["after"] / table["before"] - 1, rtol=1e-12)
    assert "Only because synthetic took the place of synthetic" in bundle.sentences[-1]


def test_an_edition_that_cannot_be_compared_is_refused(tmp_path):
    folder = write_files(tmp_path / "mine").parent
    text = with_before(folder).replace('edition = "synthetic" }\nreg', 'edition = "IMD 2025" }\nreg')
    with pytest.raises(errors.PlanError, match="deprivation_before is IMD 2025; what moves is told against"):
        run(folder, text)


def test_scores_of_another_census_need_what_carries_them(tmp_path):
    folder = write_files(tmp_path / "mine").parent
    text = with_before(folder).replace("}\nreg", ', vintage = "lsoa11" }\nreg')
    says = "lacks lookup and population_before: the exact-fit lookup, and the people of the areas of lsoa11"
    with pytest.raises(errors.PlanError, match=says):
        run(folder, text)
