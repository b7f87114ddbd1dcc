"""Tiny Englands for laws: a handful of practices and areas, drawn to be awkward."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import needsalloc as na
from needsalloc import ages
from needsalloc import synthetic as made

AREAS = 8
ENGLAND = made.england(areas=AREAS, pcns=2, seed=7)
CODES = list(ENGLAND.population.index)
PRACTICES = list(ENGLAND.membership["practice"])
ELSEWHERE = ["W01000001", "S01000001", "NO2021", "CLOSED", "EMPTY", "N21000001", "L99999999", "X"]
TEAMS = ["P1", "P2", "P3", "U", None]
WHOLE = na.Catchment.from_registrations(ENGLAND.registrations, ENGLAND.membership)
SUPPLY = "district_nurses_per_10000"
FORMULA = na.NeedFormula.published("district-nursing/liverpool-2024")


def law(
    *drawn: st.SearchStrategy[Any], examples: int = 40
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """What must hold for everything drawn; fewer examples than usual, since each one builds a whole world.

    CI tries all of them, the fast suite a third.
    """
    tried = examples if os.environ.get("CI") == "true" else max(5, examples // 3)
    return lambda test: settings(max_examples=tried)(given(*drawn)(test))


def registrations(rows: list[tuple[str, str, int]]) -> pd.DataFrame:
    """The frame of `read_registrations` from (practice, area, patients)."""
    frame = pd.DataFrame(rows, columns=["practice", "lsoa21", "patients"])
    return frame.astype({"practice": "category", "lsoa21": "category", "patients": "int64"})


def membership(team_of: dict[str, str | None], icb: dict[str, str] | None = None) -> pd.DataFrame:
    """The frame of `read_membership`; a practice whose team is None is missing from the map."""
    rows = [
        (p, p, team, f"{team} PCN", "S1", "S1", (icb or {}).get(p, "QZZ"), "An ICB")
        for p, team in team_of.items()
        if team is not None
    ]
    columns = ["practice", "practice_name", "pcn", "pcn_name", "sub_icb", "sub_icb_name", "icb", "icb_name"]
    return pd.DataFrame(rows, columns=columns, dtype="str")


@st.composite
def worlds(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Registrations and map: repeated rows, rows of nobody, single areas, teams nobody is with, ties, and
    practices that are missing from the map or have patients elsewhere only."""
    count = st.one_of(st.sampled_from([0, 1, 1, 5]), st.integers(0, 3_000))
    row = st.tuples(st.sampled_from(PRACTICES), st.sampled_from(CODES + ELSEWHERE), count)
    rows = draw(st.lists(row, max_size=25))
    # Somebody lives in England, with a practice that is in the map: anything less is refused.
    home = (PRACTICES[0], draw(st.sampled_from(CODES)), draw(st.integers(1, 3_000)))
    teams = {p: draw(st.sampled_from(TEAMS)) for p in PRACTICES}
    teams[PRACTICES[0]] = draw(st.sampled_from(TEAMS[:-1]))
    return registrations([*rows, home]), membership(teams)


def catchment(world: tuple[pd.DataFrame, pd.DataFrame]) -> na.Catchment:
    return na.Catchment.from_registrations(*world)


def people(of: na.Catchment, **changed: pd.DataFrame) -> na.People:
    """The synthetic England's people on a catchment of its areas and practices."""
    files = {name: getattr(ENGLAND, name) for name in ("population", "deprivation", "lists", "conditions")}
    return na.build_people(of, **(files | changed))


def with_ages(who: na.People, age_mix: np.ndarray) -> na.People:
    """The same people, of these single years of age (areas, 91) on every flow of an area."""
    pattern = who.ages.pattern
    by_band = np.add.reduceat(age_mix, ages.BANDS, axis=1)[pattern.indices]
    on_flow = {whose: by_band * found.sum(axis=1)[:, None] for whose, found in who.ages.people.items()}
    of_band = np.repeat(np.add.reduceat(age_mix, ages.BANDS, axis=1), np.diff([*ages.BANDS, 91]), axis=1)
    within = np.divide(age_mix, of_band, out=np.zeros_like(age_mix), where=of_band > 0)
    return replace(who, age_mix=age_mix, ages=ages.FlowAges(pattern, on_flow, within))


def need(of: na.Catchment, **options: object) -> na.NeedIndex:
    """The need index of a small catchment; its base is the people at hand."""
    return na.need_index(FORMULA.expected_use(people(of)), base="icb", **options)  # type: ignore[arg-type]


def by_area(values: np.ndarray) -> pd.Series:
    """A number for each area of the synthetic England."""
    return pd.Series(values, index=pd.Index(CODES, name="lsoa21"), name="a number", dtype=np.float64)
