"""The made-up persons that R and statsmodels were fitted on: `python made_up.py` writes cohort.csv again.

Counts are zero-inflated and over-dispersed, with a shock shared by a team and one shared by an area, so that
every family has something to find and clustered errors differ from the others. Nobody in it exists.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

ROWS = 2_400
TEAMS = 12
AREAS = 60


def cohort(seed: int = 2024) -> pd.DataFrame:
    """Persons (rows,), some of them standing for several (`people`)."""
    rng = np.random.default_rng(seed)
    # Areas of unequal size, five to a team.
    area = rng.choice(AREAS, ROWS, p=rng.dirichlet(np.full(AREAS, 3.0)))
    team = area // (AREAS // TEAMS)
    deprived = rng.normal(size=AREAS)[area]
    decile = np.clip(np.round(5.5 + 2.2 * deprived + rng.normal(0, 1, ROWS)), 1, 10)
    age = np.clip(np.round(rng.normal(52 - 4 * deprived, 17), -1) + 5, 25, 95)
    female = rng.random(ROWS) < 0.52
    frail = rng.random(ROWS) < 1 / (1 + np.exp(-(-3.2 + 0.05 * (age - 50) + 0.3 * deprived)))
    setting = rng.choice(["own", "shared", "home"], ROWS, p=[0.7, 0.2, 0.1])
    nurses = np.round(rng.gamma(16, 0.25, TEAMS), 1)
    days = rng.choice([91, 182, 365], ROWS, p=[0.1, 0.15, 0.75])
    rows = pd.DataFrame(
        {
            "age": (age - 50) / 10,
            "imd": (decile - 5.5) / 3,
            "female": female.astype(int),
            "frail": frail.astype(int),
            "setting": setting,
            "nurses": nurses[team],
            "days": days,
            "people": rng.choice([1, 2, 3, 4], ROWS, p=[0.55, 0.25, 0.15, 0.05]),
            "team": [f"T{t:02}" for t in team],
            "area": [f"A{a:02}" for a in area],
        }
    )
    shock = 0.25 * rng.normal(size=TEAMS)[team] + 0.2 * rng.normal(size=AREAS)[area]
    log_mean = (
        0.4
        + 0.25 * rows["age"]
        + 0.2 * rows["imd"]
        + 0.1 * rows["female"]
        + 0.6 * rows["frail"]
        + 0.3 * (setting == "home")
        + 0.08 * (rows["nurses"] - 4)
        + np.log(days / 365)
        + shock
    )
    never = 0.3 - 0.3 * rows["age"] - 0.3 * rows["imd"] - 1.2 * rows["frail"] - 0.1 * (rows["nurses"] - 4)
    frailty = rng.gamma(1.8, 1 / 1.8, ROWS)
    counted = rng.poisson(np.exp(log_mean) * frailty)
    rows["contacts"] = counted * (rng.random(ROWS) >= 1 / (1 + np.exp(-never)))
    # Contacts weighted by their length in hours: fractions, for the quasi-likelihood.
    rows["hours"] = rows["contacts"] * rng.choice([0.25, 0.5, 0.75], ROWS)
    rows["imd"] = rows["imd"].round(4)
    return rows


if __name__ == "__main__":
    cohort().to_csv(Path(__file__).parent / "cohort.csv", index=False)
