"""Do 95 % intervals hold the truth in 95 % of cohorts, and is the index right?

`python benchmarks/coverage.py [--cohorts 400]`. Cohorts are drawn again and again from a truth that is known,
and fitted. Persons have an age, a deprivation score, a flag, and the nurses of their team; teams in deprived
places have more nurses, and more nurses make more contacts at the same need. A world adds what real contacts
have: users who differ among themselves (a gamma factor of mean 1), and teams that do (another). Both leave
the mean as it was, so that the truth stays the truth; the errors must see them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.fit import fit

Floats = NDArray[np.float64]

COUNT = pd.Series({"Intercept": 0.3, "age": 0.25, "imd": 0.15, "frail": 0.7, "nurses": 0.08})
ZERO = pd.Series({"Intercept": 0.8, "age": -0.4, "imd": -0.15, "frail": -1.1, "nurses": -0.05})
FORMULA = "contacts ~ age + imd + frail + nurses"
NURSES = 4.17  # the published cohort's mean


@dataclass(frozen=True)
class World:
    """A truth, and how its cohorts are fitted.

    people, teams: how many. family, errors: of the fit; a family without a zero part has a truth without one.
    persons, apart: variance of the factor of each person, and of each team, on the mean; 0 for none.
    """

    name: str
    people: int
    teams: int
    family: str
    errors: str
    persons: float = 0.0
    apart: float = 0.0


WORLDS = (
    World("zip, nothing else: model errors", 8_000, 16, "zip", "model"),
    World("zip, nothing else: robust errors", 8_000, 16, "zip", "robust"),
    World("zinb, users differ: model errors", 12_000, 16, "zinb", "model", persons=0.7),
    World("zinb, users differ: robust errors", 12_000, 16, "zinb", "robust", persons=0.7),
    World("poisson, users differ: model errors", 8_000, 16, "poisson", "model", persons=2.0),
    World("poisson, users differ: robust errors", 8_000, 16, "poisson", "robust", persons=2.0),
    World("poisson, 100 teams differ: robust errors", 10_000, 100, "poisson", "robust", 2.0, 0.06),
    World("poisson, 100 teams differ: by team", 10_000, 100, "poisson", "clustered", 2.0, 0.06),
    World("poisson, 16 teams differ: robust errors", 8_000, 16, "poisson", "robust", 2.0, 0.06),
    World("poisson, 16 teams differ: by team, few", 8_000, 16, "poisson", "clustered", 2.0, 0.06),
)


def cohort(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Persons (rows,) with `team`, predictors, `need` (their mean at the mean supply) and `contacts`."""
    size = rng.dirichlet(np.full(world.teams, 8.0))
    team = rng.choice(world.teams, world.people, p=size)
    deprived = rng.normal(size=world.teams)
    nurses = np.round(NURSES + 0.9 * deprived + 0.9 * rng.normal(size=world.teams), 2)
    rows = pd.DataFrame(
        {
            "age": np.round(np.clip(rng.normal(0.0, 1.0, world.people) - 0.2 * deprived[team], -2, 2) * 2)
            / 2,
            "imd": np.round(np.clip(deprived[team] + 0.7 * rng.normal(size=world.people), -2, 2) * 2) / 2,
            "nurses": nurses[team],
            "team": team,
        }
    )
    rows["frail"] = (rng.random(world.people) < 1 / (1 + np.exp(2.2 - 0.8 * rows["age"]))).astype(int)
    zero = "zi" in world.family
    rows["need"] = expected(rows, NURSES, zero=zero)
    observed = expected(rows, None, zero=False)
    factor = np.ones(world.people)
    if world.persons:
        factor *= rng.gamma(1 / world.persons, world.persons, world.people)
    if world.apart:
        factor *= rng.gamma(1 / world.apart, world.apart, world.teams)[team]
    contacts = rng.poisson(observed * factor)
    if zero:
        contacts = contacts * (rng.random(world.people) >= never(rows, None))
    rows["contacts"] = contacts
    return rows


def expected(rows: pd.DataFrame, nurses: float | None, *, zero: bool) -> Floats:
    """(rows,) mean contacts at these nurses, or at their own."""
    mean = np.exp(predictor(rows, COUNT, nurses))
    return mean * (1 - never(rows, nurses)) if zero else mean


def never(rows: pd.DataFrame, nurses: float | None) -> Floats:
    """(rows,) chance of never using."""
    return 1 / (1 + np.exp(-predictor(rows, ZERO, nurses)))


def predictor(rows: pd.DataFrame, truth: pd.Series, nurses: float | None) -> Floats:
    """(rows,) the truth's linear predictor; nurses enter about their published mean."""
    own = rows["nurses"] if nurses is None else nurses
    others = truth.drop(["Intercept", "nurses"])
    return (truth["Intercept"] + rows[others.index] @ others + truth["nurses"] * (own - NURSES)).to_numpy()


def truth(world: World) -> pd.Series:
    """The coefficients by (part, term); nurses enter a fit as they are, not about their mean."""
    parts = {"count": COUNT, "zero": ZERO} if "zi" in world.family else {"count": COUNT}
    found = pd.concat(parts)
    for part in parts:
        found[part, "Intercept"] -= found[part, "nurses"] * NURSES
    return found


def simulate(world: World, cohorts: int, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What many cohorts show: by coefficient, and by cohort for the index.

    By (part, term): `truth`, `bias` (mean error over its spread), `error_ratio` (mean standard error over the
    spread of estimates) and `coverage` of 95 % intervals. By cohort: the largest and the mean distance of the
    teams' index from that of true need, held at one supply and not, and the slope of the error on nurses.
    """
    true = truth(world)
    seeds = np.random.SeedSequence(seed).spawn(cohorts)
    estimates, errors, inside, indices = [], [], [], []
    for each in seeds:
        rows = cohort(world, np.random.default_rng(each))
        options = {"cluster": "team"} if world.errors == "clustered" else {}
        found = fit(FORMULA, rows, family=world.family, errors=world.errors, **options)
        here = found.coefficients[true.index]
        error = pd.Series(found.inference.standard_errors, found.coefficients.index)[true.index]
        reach = pd.Series(found.inference.quantile(0.975), found.coefficients.index)[true.index]
        estimates.append(here)
        errors.append(error)
        inside.append((here - true).abs() <= reach * error)
        held = found.predict(rows.assign(nurses=found.means["nurses"]))
        indices.append(index_errors(rows, held, found.predict(rows)))
    spread = pd.DataFrame(estimates).std()
    by_term = pd.DataFrame(
        {
            "truth": true,
            "bias": (pd.DataFrame(estimates).mean() - true) / spread,
            "error_ratio": pd.DataFrame(errors).mean() / spread,
            "coverage": pd.DataFrame(inside).mean(),
        }
    )
    return by_term, pd.DataFrame(indices)


def index_errors(rows: pd.DataFrame, held: pd.Series, observed: pd.Series) -> dict[str, float]:
    """How far the index of teams is from that of their true need, held at one supply and not."""
    frame = rows.assign(held=held, observed=observed)
    by_team = frame.groupby("team")[["need", "held", "observed", "nurses"]].mean()
    index = by_team[["need", "held", "observed"]] / frame[["need", "held", "observed"]].mean()
    found = {}
    for way in ("held", "observed"):
        error = index[way] - index["need"]
        found[f"{way}_mean"] = float(error.abs().mean())
        found[f"{way}_largest"] = float(error.abs().max())
        found[f"{way}_per_nurse"] = float(np.polyfit(by_team["nurses"], error / index["need"], 1)[0])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohorts", type=int, default=400)
    cohorts = parser.parse_args().cohorts
    off = 1.96 * np.sqrt(0.95 * 0.05 / cohorts)
    print(f"## Coverage of 95 % intervals over {cohorts} cohorts (chance alone: 95 ± {100 * off:.1f})\n")
    print("| world | people's terms, % | nurses, % | errors over spread: people | nurses | largest bias |")
    print("|---|---:|---:|---:|---:|---:|")
    shown = {}
    for world in WORLDS:
        by_term, indices = simulate(world, cohorts)
        shown[world.name.split(":")[0]] = indices  # the errors do not touch the index
        team = by_term.index.get_level_values(1) == "nurses"
        people = by_term[~team & (by_term.index.get_level_values(1) != "Intercept")]
        supply = by_term[team]
        held = _range(100 * people["coverage"], 1), _range(100 * supply["coverage"], 1)
        print(
            f"| {world.name} | {held[0]} | {held[1]} | "
            f"{_range(people['error_ratio'], 2)} | {_range(supply['error_ratio'], 2)} | "
            f"{by_term['bias'].abs().max():.2f} |",
            flush=True,
        )
    print("\n## The index of teams against that of their true need, with supply held and not\n")
    print("| world | held: mean error | largest | % per nurse | not held: mean | largest | % per nurse |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, indices in shown.items():
        mean = indices.mean()
        ways = []
        for way in ("held", "observed"):
            off, most, slope = (mean[f"{way}_{what}"] for what in ("mean", "largest", "per_nurse"))
            ways.append(f"{off:.3f} | {most:.3f} | {100 * slope:+.1f}")
        print(f"| {name} | {' | '.join(ways)} |")


def _range(values: pd.Series, digits: int) -> str:
    low, high = values.min(), values.max()
    return f"{low:.{digits}f}" if len(values) == 1 else f"{low:.{digits}f} to {high:.{digits}f}"


if __name__ == "__main__":
    main()
