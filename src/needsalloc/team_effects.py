"""Need with an effect of each team held alike: the second way to hold supply.

The first way is a term for supply, held at its mean. It takes nurses per 10,000 for all that a team's supply
does to contacts, and with 16 teams it rests on 16 numbers. Here each team has an effect of its own in place
of the supply terms, and need is what persons would have were every team's effect that of the mean person:

    eta_i = x_i' b + a[team of i] in each part;      held: eta_i = x_i' b + sum_k (people_k / people) a_k.

It takes away whatever sets teams apart beyond their people's predictors: supply, the way it is recorded, and
need that no predictor tells. Where the two ways agree the choice does not matter; where they do not, the
index rests on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import display, estimable
from needsalloc.collapse import Cells
from needsalloc.errors import FormulaError, MissingColumnError, first_few
from needsalloc.fit import Fit
from needsalloc.inference import cluster_labels
from needsalloc.kernels import newton, starts
from needsalloc.kernels.designs import Block, Design, smallest
from needsalloc.kernels.families import COUNT
from needsalloc.kernels.newton import Part, Problem
from needsalloc.kernels.threads import one_blas_thread

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False)
class TeamEffects:
    """The index of each team by both ways to hold supply, and as if it were need.

    Attributes
    ----------
    table:
        Index team: `people`; `index_observed`, expected contacts a head over those of all, supply as it is;
        `index_supply_mean`, with supply at the mean of the people; `index_team_effects`, with team effects at
        theirs; `difference`, the last less the one before.
    effects:
        Team by part: log rate, and log odds, about the people's mean.
    log_likelihood:
        (with supply terms, with team effects).
    supply:
        The variables that were taken out.
    """

    table: pd.DataFrame
    effects: pd.DataFrame
    log_likelihood: tuple[float, float]
    supply: tuple[str, ...]

    def __repr__(self) -> str:
        apart = self.table["difference"].abs()
        moved = (self.table["index_observed"] - self.table["index_supply_mean"]).abs()
        first = f"{len(self.table):,} teams; held by team effects their index differs from that with"
        ways = f"{apart.mean():.3f} on average and {apart.max():.3f} at most, in {apart.idxmax()}"
        return (
            f"<TeamEffects: {first} {first_few(self.supply)} at its mean by {ways}; "
            f"not held, by {moved.mean():.3f} and {moved.max():.3f}>"
        )

    def _repr_html_(self) -> str:
        return display.sentence_and_table(self, self.table.reset_index())


def team_effects(fit: Fit, cells: Cells, *, team: str) -> TeamEffects:
    """Fit again with an effect for each team in place of supply, and compare the index of teams.

    cells: those that were fitted, with `team` among their columns or as their cluster. Unmet need and use of
    other services stay as observed in all three indices, so that these differ by supply alone. An exposure is
    1 for everybody.

    Raises FormulaError if the fit has no term of the role supply, if a team has no contacts and so no effect,
    and if other predictors have one value for each team; MissingColumnError if the cells lack the team.
    """
    supply = tuple(name for name, role in fit.roles.items() if role == "supply" and name in fit.means)
    if not supply:
        raise FormulaError(
            "The fit has no term of the role supply, so there is nothing to hold in another way: name it, as "
            'in fit(…, roles={"supply": ["nurses"]}).'
        )
    labels, names = cluster_labels(_team(cells, team), len(cells))
    problem = fit.problem(cells)
    alike = _without_exposure(problem, cells)
    people = problem.stats.zeros + problem.stats.positives
    with one_blas_thread():
        again, named = _with_teams(fit, problem, supply, labels, team, names)
        estimable.check_terms(again, named)
        optimum, _ = starts.climb(again)
        if optimum.running.any():
            raise FormulaError(
                "With an effect for each team some coefficients have no estimate, for their likelihood rises "
                "for ever. Join small teams, or choose a family without a zero part."
            )
        effects, held = _held(
            again, optimum.coefficients, len(names), np.bincount(labels, people).astype(np.float64)
        )
        need = {
            "index_observed": _need(alike, fit.coefficients.to_numpy(np.float64)),
            "index_supply_mean": fit.predict(_at_mean(fit, cells, supply)).to_numpy(),
            "index_team_effects": _need(_without_exposure(again, cells), held),
        }
    table = pd.DataFrame({"people": np.bincount(labels, people)}, index=names.rename(team))
    for name, each in need.items():
        mean = people @ each / people.sum()
        table[name] = np.bincount(labels, people * each) / table["people"] / mean
    table["difference"] = table["index_team_effects"] - table["index_supply_mean"]
    return TeamEffects(
        table,
        pd.DataFrame(effects, index=table.index),
        (fit.log_likelihood, optimum.log_likelihood),
        supply,
    )


def _team(cells: Cells, team: str) -> pd.Series:
    if team in cells.keys:
        return cells.keys[team]
    if cells.cluster is not None and cells.cluster.name == team:
        return cells.cluster
    raise MissingColumnError(
        f"The cells do not have {team!r}: collapse(…, cluster={team!r}), or add it to the columns."
    )


def _with_teams(
    fit: Fit, problem: Problem, supply: tuple[str, ...], labels: Ints, team: str, names: pd.Index
) -> tuple[Problem, dict[str, tuple[str, ...]]]:
    """The problem with an effect of each team but the first in place of the supply terms, and its labels."""
    one_each = Block(smallest(labels, len(names)), np.eye(len(names))[1:])
    designs, named = {}, {}
    for part, design in problem.designs.items():
        terms = fit.terms[part]
        if "Intercept" not in terms.labels:
            raise FormulaError(f"The {part} part has no intercept for team effects to be about: leave it in.")
        kept = np.array([not set(terms.variables_of[label]) & set(supply) for label in terms.labels])
        designs[part] = Design((*_columns(design, kept), one_each))
        own = tuple(label for label, keep in zip(terms.labels, kept, strict=True) if keep)
        named[part] = (*own, *(f"{team}={name}" for name in names[1:]))
    return replace(problem, designs=designs), named


def _columns(design: Design, kept: Bools) -> list[Block]:
    """The blocks of a design without the columns that are not kept."""
    found, start = [], 0
    for block in design.blocks:
        keep = kept[start : start + len(block.values)]
        start += len(keep)
        if keep.any():
            found.append(Block(block.codes, np.compress(keep, block.values, axis=0)))
    return found


def _held(
    problem: Problem, coefficients: Floats, teams: int, people: Floats
) -> tuple[dict[str, Floats], Floats]:
    """The effects of each part about the people's mean, and the coefficients with all teams at that mean."""
    held = coefficients.copy()
    effects = {}
    for part in problem.designs:
        where = problem.slices[part]
        own = np.concatenate([[0.0], coefficients[where.stop - teams + 1 : where.stop]])
        mean = float(people @ own / people.sum())
        effects[part] = own - mean
        held[where.stop - teams + 1 : where.stop] = 0.0
        held[where.start] += mean
    return effects, held


def _without_exposure(problem: Problem, cells: Cells) -> Problem:
    if cells.exposure is None:
        return problem
    count = problem.offsets[COUNT] - np.log(cells.exposure)
    return replace(problem, offsets={**problem.offsets, COUNT: count})


def _need(problem: Problem, coefficients: Floats) -> Floats:
    """(cells,) expected count of a person."""

    def mean(part: Part) -> Floats:
        return problem.family.mean(part.predictors(problem.family))

    return np.concatenate(list(newton.over_parts(problem, coefficients, mean)))


def _at_mean(fit: Fit, cells: Cells, supply: tuple[str, ...]) -> pd.DataFrame:
    """The cells as rows with supply at the mean of the people, and an exposure of 1."""
    rows = cells.keys.assign(**{name: fit.means[name] for name in supply})
    return rows if fit.exposure is None else rows.assign(**{fit.exposure: 1.0})


__all__ = ["TeamEffects", "team_effects"]
