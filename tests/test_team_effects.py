"""Supply held by team effects, beside supply at its mean."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from needsalloc.collapse import collapse
from needsalloc.errors import FormulaError, MissingColumnError
from needsalloc.fit import Fit, fit
from needsalloc.team_effects import TeamEffects, team_effects

TEAMS = 12


def people(seed: int = 4, *, rows: int = 40_000, hidden: float = 0.0) -> pd.DataFrame:
    """Persons whose contacts rise with their team's nurses, and with `hidden` effects of teams."""
    rng = np.random.default_rng(seed)
    team = rng.integers(0, TEAMS, rows)
    nurses = np.linspace(2.0, 7.0, TEAMS)
    old = (rng.random(rows) < 0.2 + 0.3 * rng.permutation(TEAMS)[team] / TEAMS).astype(int)
    apart = hidden * rng.permutation(np.linspace(-1, 1, TEAMS))
    mean = np.exp(-0.5 + 0.8 * old + 0.12 * (nurses[team] - 4.5) + apart[team])
    never = 1 / (1 + np.exp(-(0.4 - 0.9 * old - 0.1 * (nurses[team] - 4.5))))
    contacts = rng.poisson(mean) * (rng.random(rows) >= never)
    return pd.DataFrame(
        {"old": old, "nurses": nurses[team], "team": [f"T{t:02}" for t in team], "contacts": contacts}
    )


def both(rows: pd.DataFrame, family: str = "zip", **options: object) -> tuple[Fit, TeamEffects]:
    cells = collapse(rows, ["old", "nurses"], count="contacts", cluster="team")
    found = fit(
        "contacts ~ old + nurses", cells, family=family, roles={"supply": ["nurses"]}, errors="clustered"
    )
    return found, team_effects(found, cells, team="team")


def test_both_ways_agree_where_supply_is_all_that_sets_teams_apart() -> None:
    _, found = both(people())
    apart = found.table["difference"].abs()
    moved = (found.table["index_observed"] - found.table["index_supply_mean"]).abs()
    # 3,300 people a team, 0.9 contacts each: their index is known to 2 or 3 %.
    assert apart.max() < 0.02
    assert moved.max() > 0.2
    assert (found.table["people"] @ found.table["index_team_effects"]) / 40_000 == pytest.approx(1, rel=1e-12)
    assert "12 teams; held by team effects their index differs from that with nurses at its mean" in repr(
        found
    )
    assert "<table" in found._repr_html_()


def test_the_effects_are_what_the_world_was_made_with() -> None:
    _, found = both(people())
    nurses = np.linspace(2.0, 7.0, TEAMS)
    assert np.polyfit(nurses, found.effects["count"], 1)[0] == pytest.approx(0.12, abs=0.02)
    assert np.polyfit(nurses, found.effects["zero"], 1)[0] == pytest.approx(-0.1, abs=0.03)
    assert found.log_likelihood[1] > found.log_likelihood[0]  # nurses are among what effects can say


def test_what_is_hidden_in_a_team_is_taken_away() -> None:
    held = both(people(hidden=0.5), "poisson")[1].table["index_team_effects"]
    plain = both(people(), "poisson")[1].table["index_team_effects"]
    # The people are the same, so that the index is, but for noise.
    assert held.to_numpy() == pytest.approx(plain.to_numpy(), abs=0.03)


def test_a_poisson_with_team_effects_alone_has_every_index_1_and_the_logs_of_the_teams_means() -> None:
    rows = people()
    cells = collapse(rows, ["nurses"], count="contacts", cluster="team")
    found = fit(
        "contacts ~ nurses", cells, family="poisson", roles={"supply": ["nurses"]}, errors="clustered"
    )
    apart = team_effects(found, cells, team="team")
    assert apart.table["index_team_effects"].to_numpy() == pytest.approx(np.ones(TEAMS), rel=1e-12)
    logs = np.log(rows.groupby("team")["contacts"].mean())
    weights = rows.groupby("team").size()
    expected = logs - (logs * weights).sum() / weights.sum()
    assert apart.effects["count"].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-8)


def test_faults_are_named() -> None:
    rows = people(rows=6_000)
    cells = collapse(rows, ["old", "nurses"], count="contacts", cluster="team")
    without = fit("contacts ~ old + nurses", cells, family="zip")
    with pytest.raises(FormulaError, match="no term of the role supply"):
        team_effects(without, cells, team="team")
    held = fit("contacts ~ old + nurses", cells, family="zip", roles={"supply": ["nurses"]})
    with pytest.raises(MissingColumnError, match="do not have 'pcn'"):
        team_effects(held, cells, team="pcn")
    quiet = rows.assign(contacts=rows["contacts"].where(rows["team"] != "T03", 0))
    with pytest.raises(FormulaError, match="T03"):
        both(quiet)
