"""A small made-up run for the tests of the report: 8 teams on a grid of 60 square areas."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

import report_tables
from needsalloc.report import Assumption, Bundle, Check, Source

NAMES = (
    "Ashbrook and Villages",
    "Canal Quarter",
    "Darrow Valley",
    "Eastgate Health Partnership",
    "Fenmoor Coast",
    "Greater Hollin and Thornley Primary Care Network",
    "Harbour",
    "Inglewood",
)


def sample(*, teams: int = 8, areas: int = 60, current: bool = True, **changes: Any) -> Bundle:
    """A bundle whose numbers hang together; any field can be replaced by name."""
    draw = np.random.default_rng(2026)
    codes = [f"E0100{number:04d}" for number in range(areas)]
    across = int(np.ceil(np.sqrt(areas * 4 / 3)))
    column, row = np.arange(areas) % across, np.arange(areas) // across
    home = (np.arange(areas) * teams) // areas
    far = np.hypot(column - across / 2, row - across / 3)
    deprived = (1 - (np.argsort(np.argsort(far)) + 0.5) / areas) if areas > 1 else np.array([0.5])
    adults = draw.integers(900, 1900, areas)
    registered = (adults * 1.24).astype(int)
    index = 0.7 + 0.5 * deprived + draw.normal(0, 0.08, areas)
    index *= adults.sum() / (index * adults).sum()
    need = pd.DataFrame(
        {
            "lsoa21": codes,
            "imd_score": 70 * deprived,
            "deprivation_decile": 10 - (deprived * 10).astype(int),
            "registered": registered,
            "resident_adults": adults,
            "expected_use": index * 1.3,
            "need_index_england": index,
        }
    )
    weighted = np.bincount(home, index * adults, minlength=teams)
    adults_of_team = np.bincount(home, adults, minlength=teams)
    registered_of_team = np.bincount(home, registered, minlength=teams)
    total, share = 60.0, weighted / weighted.sum()
    target = total * share
    posts = np.round(target, 1)
    posts[0] += round(total - posts.sum(), 1)
    now = np.round(target * draw.uniform(0.75, 1.25, teams), 1) if current else np.full(teams, np.nan)
    names = [
        NAMES[n % len(NAMES)] + (f" {n // len(NAMES) + 1}" if n >= len(NAMES) else "") for n in range(teams)
    ]
    team_codes = [f"U{n + 10001}" for n in range(teams)]
    allocation = pd.DataFrame(
        {
            "team": [*team_codes, "U"],
            "team_name": [*names, "Practices without a PCN"],
            "icb": "QQQ",
            "registered": [*registered_of_team, 1200],
            "resident": [*(registered_of_team * 0.97), 1100.0],
            "registered_adults": [*adults_of_team.astype(float), 950.0],
            "resident_adults": [*(adults_of_team * 0.97), 900.0],
            "need_index_england": [*(weighted / adults_of_team), 0.93],
            "weighted_population": [*weighted, 880.0],
            "target_share": [*share, 0.0],
            "per_head": [*(total * adults_of_team / adults_of_team.sum()), 0.0],
            "target": [*target, 0.0],
            "posts": [*posts, 0.0],
            "current": [*now, np.nan],
            "distance_from_target": [*(now / target - 1), np.nan],
            "change": [*(posts - now), np.nan],
        }
    )
    team_of_area = np.array(team_codes)[home]
    flows = pd.DataFrame(
        {
            "lsoa21": pd.Categorical(codes),
            "team": pd.Categorical(team_of_area),
            "registered": registered,
            "resident_share": 1.0,
            "patient_share": registered / registered_of_team[home],
        }
    )
    squares = shapely.box(
        400_000 + column * 900, 300_000 - row * 900, 400_900 + column * 900, 300_900 - row * 900
    )
    bundle = Bundle(
        title="District nursing in Quince and Quarry, 2026/27",
        status="for discussion",
        service="district nursing",
        unit="WTE",
        total=total,
        step=0.1,
        base="england",
        base_name="England",
        people="registered",
        area_column="lsoa21",
        sentences=(
            f"You asked how {total:g} WTE of district nursing would be shared between {teams} teams if each "
            "adult’s share followed need.",
            f"Need differs from area to area: {index.min():.2f} to {index.max():.2f} times the contacts "
            "of England’s average adult.",
            "The index comes from a published formula of one city; how well it carries over is not known.",
            "It leaves out travel, care homes and housebound people who are not on a register.",
        ),
        warnings=(
            "The most deprived fifth would lose 0.8 WTE against today: its adults are younger, "
            "and the formula weighs age most.",
        )
        if current
        else (),
        allocation=allocation,
        need=need,
        coverage=pd.DataFrame(
            {
                "group": ["English areas", "Wales", "no area recorded (NO2011)", "practices without a PCN"],
                "practices": [41, 3, 12, 2],
                "areas": [areas, 4, 1, 9],
                "patients": [registered.sum(), 210, 88, 1200],
                "share": [0.9821, 0.0026, 0.0011, 0.0148],
            }
        ),
        equity=_equity(need, home, posts, now, weighted, current),
        flows=flows,
        beside=(
            beside := _beside(allocation.head(teams)[["team", "team_name"]])
            | report_tables.tables(allocation.head(teams), total)
        ),
        said={name: f"What {name} says." for name in beside},
        parameters={
            "Service": "district nursing",
            "Total": f"{total:g} WTE",
            "Rule for whole steps": "webster, in steps of 0.1 WTE",
            "Need formula": "district-nursing/example",
        },
        assumptions=(
            Assumption(
                "Minutes for each contact are the same everywhere",
                "No open figure is known",
                "gap",
                "methods",
            ),
            Assumption(
                "Sex by area", "England's share of women at each age", "inference", "Lists of April 2026"
            ),
            Assumption(
                "Posts follow registered people", "Teams serve their practices' lists", "choice", "plan"
            ),
        ),
        checks=(
            Check("Posts sum to the total", "pass", f"{total:g}", f"{total:g}"),
            Check("Shares of every area sum to 1", "pass", "1 ± 1e-15", "1 ± 1e-12"),
            Check("Practices missing from the map", "warning", "2 practices, 1,200 patients", "none"),
            Check("Formula outside its ages", "note", "none under 18", "none under 18"),
        ),
        sources=(
            Source(
                "registrations",
                "gp-reg-pat-prac-lsoa-all.csv",
                "NHS England",
                "Patients registered at a GP practice",
                "October 2025",
                "Open Government Licence v3.0",
                "0" * 64,
                areas * 7,
            ),
            Source(
                "deprivation",
                "imd2025.csv",
                "MHCLG",
                "English indices of deprivation 2025",
                "2025",
                "Open Government Licence v3.0",
                "1" * 64,
                areas,
            ),
        ),
        attribution=("Contains public sector information licensed under the Open Government Licence v3.0.",),
        boundaries=gpd.GeoDataFrame(index=pd.Index(codes, name="lsoa21"), geometry=squares, crs="EPSG:27700"),
        teams_of_areas=pd.Series(team_of_area, index=pd.Index(codes, name="lsoa21"), name="team"),
        effective_plan='[plan]\ntitle = "District nursing in Quince and Quarry, 2026/27"\n',
        version="0.1.0",
    )
    return replace(bundle, **changes)


def _beside(teams: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tables beside the allocation, every value made up."""
    number = np.arange(len(teams))
    return {
        "decomposition": teams.assign(
            base=1.0, age_and_sex=0.1, deprivation=-0.05, copd=0.01 * number,
            need_index_england=1.05 + 0.01 * number,
        ),
        "need_range": teams.assign(
            index=1.05, low=0.95, high=1.1, lowest_by="as-printed, resident people",
            highest_by="realigned, registered people", ways=6, side="on both sides",
            best_rank=1.0, worst_rank=2.0, fifths=1,
        ),
        "index_changes": teams.head(1).assign(before=0.98, after=1.05, change=0.0714, crosses_1="yes"),
        "planning_cohorts": teams.assign(
            icb="QQQ", registered=9000.0, resident_65_and_over=1500.0, dementia_register=90.0 + number,
            care_home_beds_nursing=np.where(number == 0, 40.0, np.nan),
        ),
        "cohort_sources": pd.DataFrame(
            {
                "column": ["resident_65_and_over", "care_home_beds_nursing"], "people": ["residents", "beds"],
                "source": ["population.csv", "not given"], "on": ["mid-2024", ""],
                "how": ["shared by proportional", "empty: no file gives it"], "growth": ["to 2027/28", ""],
            }
        ),
    }  # fmt: skip


def _equity(
    need: pd.DataFrame,
    home: np.ndarray,
    posts: np.ndarray,
    now: np.ndarray,
    weighted: np.ndarray,
    current: bool,
) -> pd.DataFrame:
    fifth = (need["deprivation_decile"].to_numpy() + 1) // 2
    area_need = (need["need_index_england"] * need["resident_adults"]).to_numpy()

    def by_fifth(values: np.ndarray) -> np.ndarray:
        return np.bincount(fifth, values, minlength=6)[1:]

    people, use = by_fifth(need["resident_adults"].to_numpy()), by_fifth(area_need)
    planned = by_fifth(area_need * (posts / weighted)[home])
    before = by_fifth(area_need * (now / weighted)[home])
    with np.errstate(invalid="ignore", divide="ignore"):
        return pd.DataFrame(
            {
                "deprivation_fifth": [1, 2, 3, 4, 5],
                "people": people,
                "share_of_people": people / people.sum(),
                "share_of_need": use / use.sum(),
                "share_of_current": before / before.sum() if current else np.nan,
                "share_of_target": use / use.sum(),
                "share_of_posts": planned / planned.sum(),
                "need_index_crude": use / people,
                "need_index_age_standardised": use / people * [1.06, 1.03, 1.0, 0.97, 0.95],
                "posts_per_10000_adults": planned / people * 10_000,
            }
        )
