"""A made-up cohort of persons with the published margins, to try need formulas on. Nobody in it exists.

Margins: Filipe et al. 2024, Table 1 (age bands, mean and SD of age, deprivation fifths, sex, share with each
condition, mean and SD of each use of services). Conditions rise with age by `age-gradients` and are otherwise
independent of each other and of deprivation; how they really hang together is not published.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import calibration, gradients, reference
from needsalloc.need import NeedFormula
from needsalloc.published import SUPPLY

Floats = NDArray[np.float64]

PEOPLE = 359_774
TEAMS = 16
_CAP = 365
IMD_FIFTHS = (
    "imd_quintile_1_most_deprived_score",
    "imd_quintile_2_score",
    "imd_quintile_3_score",
    "imd_quintile_4_score",
    "imd_quintile_5_least_deprived_score",
)
IMD_RANGE = (0.5, 92.8)
# Days alive of those who died in the year are spread from here to 365; their real spread is not published.
_FIRST_DAY = 60


def synthetic_cohort(
    people: int = PEOPLE, seed: int = 1, *, formula: NeedFormula | None = None
) -> pd.DataFrame:
    """Persons (rows,) with every term of the district-nursing formula, `team`, `deprivation_fifth` and a
    year's `contacts`.

    formula: the truth that contacts are drawn from, its constants solved so that this cohort has the paper's
        users and contacts; the realigned reading by default. Contacts are capped at 365, as in the paper.

    >>> synthetic_cohort(people=1_000)["age"].min() >= 18
    True
    """
    rng = np.random.default_rng(seed)
    age = drawn_ages(rng, people)
    rows = pd.DataFrame({"age": age})
    printed = reference.read("filipe-2024-table1").frame.set_index("variable")
    fifth = rng.permutation(np.arange(people) % len(IMD_FIFTHS))
    spread = printed.loc[list(IMD_FIFTHS), ["mean", "sd"]].to_numpy()[fifth]
    rows["deprivation_fifth"] = fifth + 1
    rows["imd_score"] = rng.normal(spread[:, 0], spread[:, 1]).clip(*IMD_RANGE)
    for term, value in traits(rng, age).items():
        rows[term] = value
    rows["team"] = rng.integers(0, TEAMS, people)
    rows[SUPPLY] = _supply(float(printed["mean"][SUPPLY]), float(printed["sd"][SUPPLY]))[rows["team"]]
    truth = calibrated(formula or NeedFormula.published("district-nursing/liverpool-2024"), rows)
    log_mean, log_odds = truth.parts(rows, "observed")
    drawn = rng.poisson(np.exp(log_mean)) * (rng.random(people) >= 1 / (1 + np.exp(-log_odds)))
    rows["contacts"] = np.minimum(drawn, _CAP)
    return rows


def drawn_ages(rng: np.random.Generator, people: int) -> Floats:
    """Mid-year ages (people,) in random order, with the published age bands to the person."""
    ages = gradients.cohort_ages()
    # Systematic sampling: at even steps from a random start.
    where = (np.arange(people) + rng.random()) / people
    age = ages.age[np.searchsorted(np.cumsum(ages.share), where).clip(max=len(ages.age) - 1)]
    return rng.permutation(age)


def traits(rng: np.random.Generator, age: Floats) -> dict[str, NDArray[np.generic]]:
    """Sex, conditions, use of services and log days alive of persons of these ages (people,), by term."""
    number = reference.read("filipe-2024-table1").frame.set_index("variable")["number"]
    people = len(age)
    drawn: dict[str, NDArray[np.generic]] = {
        "female": (rng.random(people) < number["female"] / number["n_individuals"]).astype(np.int8)
    }
    for term in gradients.conditions():
        drawn[term] = (rng.random(people) < gradients.reference_curve(term, age)).astype(np.int8)
    for term in gradients.counts():
        drawn[term] = _counts(rng, term, age)
    days = np.where(drawn["died_in_year"] == 1, rng.integers(_FIRST_DAY, _CAP + 1, people), _CAP)
    return drawn | {"log_days_alive": np.log(days)}


def calibrated(formula: NeedFormula, rows: pd.DataFrame) -> NeedFormula:
    """The formula with its constants solved so that these persons have the paper's users and contacts."""
    printed = reference.read("filipe-2024-table1").frame.set_index("variable")
    people = printed["number"]["n_individuals"]
    return calibration.on_rows(
        formula,
        rows,
        any_contact=float(printed["users_number"]["n_individuals"] / people),
        contacts=float(printed["number"]["contacts"] / people),
        label="paper's cohort",
    )


def _counts(rng: np.random.Generator, term: str, age: Floats) -> NDArray[np.int64]:
    """Negative binomial counts whose mean follows age and whose overall SD is the printed one."""
    mean = gradients.reference_curve(term, age)
    variance = float(gradients.table()["sd"][term]) ** 2
    size = (mean**2).mean() / (variance - mean.mean() - mean.var())
    return rng.poisson(rng.gamma(size, mean / size))


def _supply(mean: float, sd: float) -> Floats:
    """Nurses per 10,000 of each team: evenly spread, with the published mean and SD."""
    level = np.arange(TEAMS) - (TEAMS - 1) / 2
    return np.asarray(mean + sd * level / level.std())


__all__ = ["IMD_FIFTHS", "IMD_RANGE", "PEOPLE", "calibrated", "drawn_ages", "synthetic_cohort", "traits"]
