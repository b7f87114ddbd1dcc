"""Pictures of a plan and of its pace: every mark stands where its figure is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from needsalloc.allocate import Allocation, allocate
from needsalloc.allocation_pictures import MOST_TEAMS
from needsalloc.pace import pace_of_change

plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def plan(teams: int = 4, *, current: bool = True) -> Allocation:
    index = pd.Index([f"U{number}" for number in range(teams)], name="team")
    weights = np.linspace(1.0, 2.0, teams)
    need = pd.DataFrame({"weighted_population": weights, "team_name": [f"Team {n}" for n in index]}, index)
    now = pd.Series(np.linspace(3.0, 1.0, teams), index) if current else None
    return allocate(float(2 * teams), need, current=now)


def drawn(ax, label):
    return next(line for line in ax.get_lines() if line.get_label() == label).get_xdata()


def test_posts_now_and_in_the_plan_stand_where_they_are() -> None:
    found = plan()
    ax = found.plot()
    np.testing.assert_array_equal(drawn(ax, "posts now"), found.table["current"])
    np.testing.assert_array_equal(drawn(ax, "posts in the plan"), found.table["posts"])
    assert [text.get_text() for text in ax.get_yticklabels()] == found.table["team_name"].tolist()
    assert "FTE" in ax.get_xlabel()


def test_without_posts_now_the_target_is_drawn() -> None:
    found = plan(current=False)
    np.testing.assert_array_equal(drawn(found.plot(), "target"), found.table["target"])


def test_of_many_teams_those_that_change_most_are_drawn() -> None:
    found = plan(MOST_TEAMS + 20)
    ax = found.plot()
    names = [text.get_text() for text in ax.get_yticklabels()]
    most = found.table["change"].abs().sort_values(ascending=False, kind="stable").index[:MOST_TEAMS]
    assert set(names) == set(found.table.loc[most, "team_name"])
    assert f"{MOST_TEAMS} of {MOST_TEAMS + 20} teams" in ax.get_xlabel()


def test_the_way_to_target_stands_where_it_is() -> None:
    pace = pace_of_change(plan(), years=3, floor=-0.1, ceiling=0.1)
    ax = pace.plot(ax=plt.subplots()[1])
    np.testing.assert_array_equal(drawn(ax, "now"), pace.table.xs(1)["opening_distance"])
    np.testing.assert_array_equal(drawn(ax, "years between"), pace.table.xs(1)["closing_distance"])
    np.testing.assert_array_equal(drawn(ax, "after year 3"), pace.table.xs(3)["closing_distance"])


def test_one_year_has_no_years_between() -> None:
    labels = [line.get_label() for line in pace_of_change(plan(), years=1, floor=-0.1).plot().get_lines()]
    assert "years between" not in labels
    assert "after year 1" in labels
