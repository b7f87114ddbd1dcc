"""A few thousand made-up persons with teams, services, supply and unmet need, and fits of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from needsalloc.fit import Fit, fit

TEAMS = 8
ROLES = {"supply": ["nurses"], "unmet_need": ["group"], "utilisation": ["gp"]}
FORMULA = "contacts ~ age + frail + group + gp + nurses + age:frail"


def people(rows: int = 6_000, seed: int = 3, spread: float = 0.0) -> pd.DataFrame:
    """Persons: contacts rise with age, frailty, services and nurses; `spread` makes them unlike."""
    rng = np.random.default_rng(seed)
    team = rng.integers(0, TEAMS, rows)
    age = 20.0 + 10 * rng.integers(0, 7, rows) - 2 * (team % 2)
    frail = (rng.random(rows) < 0.02 + 0.006 * (age - 18)).astype(np.int8)
    group = np.where(rng.random(rows) < 0.1 + 0.05 * team, "b", "a")
    gp = rng.poisson(1.0 + frail + (age > 60))
    nurses = np.linspace(2.0, 6.0, TEAMS)[team]
    log_mean = -0.4 + 0.01 * (age - 50) + 0.6 * frail + 0.15 * gp + 0.1 * (nurses - 4)
    mean = np.exp(log_mean) * (rng.gamma(1 / spread, spread, rows) if spread else 1.0)
    never = 1 / (1 + np.exp(-(0.5 - 0.02 * (age - 50) - frail + 0.7 * (group == "b"))))
    contacts = rng.poisson(mean) * (rng.random(rows) >= never)
    team_name = np.array([f"T{t}" for t in range(TEAMS)])[team]
    return pd.DataFrame(
        {
            "age": age, "frail": frail, "group": group, "gp": gp, "nurses": nurses, "team": team_name,
            "contacts": contacts,
        }
    )  # fmt: skip


def fitted(rows: pd.DataFrame, family: str = "zip", **options: object) -> Fit:
    return fit(FORMULA, rows, family=family, roles=ROLES, centre=["age"], **options)
