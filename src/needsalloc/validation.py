"""Whether a fit describes the people it was made on: counts, levels, groups, and how much it explains.

Totals that come out say little, since a Poisson fit has them by construction for each level of its factors,
and zero-inflated ones need not: so look at calibration by age, deprivation and team for each family. What
holds for the people fitted on is not proof for others: `held_out` says how it fares on those.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import fit_pictures
from needsalloc.collapse import Cells
from needsalloc.display import sentence_and_table
from needsalloc.errors import FormulaError, InvalidValueError, MissingColumnError, first_few
from needsalloc.fit import Fit
from needsalloc.kernels import newton
from needsalloc.kernels.families import Family, Stats
from needsalloc.kernels.newton import Part, Problem
from needsalloc.kernels.threads import one_blas_thread

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PREDICTION = "prediction"
GROUPS = 10


@dataclass(frozen=True, eq=False, repr=False)
class Rootogram:
    """People by their count, observed and expected.

    Attributes
    ----------
    table:
        Index `contacts`, whole numbers and what is above the last, "31+" say: `observed` and `expected`
        people, and `gap`, the square root of observed less that of expected, which is as large by chance
        at every count.
    family:
        The family of the fit.
    """

    table: pd.DataFrame
    family: str

    @property
    def zeros(self) -> float:
        """Expected over observed people without contact."""
        return float(self.table["expected"].iloc[0] / self.table["observed"].iloc[0])

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw bars of people that hang from what is expected.

        Returns the axes. Needs matplotlib (pip install "needsalloc[maps]").
        """
        return fit_pictures.draw_rootogram(self.table, self.family, ax)

    def __repr__(self) -> str:
        worst = int(self.table["gap"].abs().argmax())
        row = self.table.iloc[worst]
        return (
            f"<Rootogram of {self.family}: {self.zeros:.3f} times the people without contact; farthest off "
            f"at {self.table.index[worst]} contacts, {row['expected']:,.0f} expected where "
            f"{row['observed']:,.0f} are>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


@dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """Predicted and observed contacts by group of people.

    Attributes
    ----------
    table:
        Index: the groups, in order. `people`, `observed` and `predicted` contacts,
        `predicted_over_observed`, `share_with_contact` and `predicted_share_with_contact`; of groups of
        equal size also `lowest` and `highest` value.
    by:
        What people are grouped by: "prediction" or a column.
    """

    table: pd.DataFrame
    by: str

    @property
    def largest_miss(self) -> float:
        """The largest distance of predicted over observed from 1, of groups that have contacts."""
        return float((self.table["predicted_over_observed"] - 1).abs().max())

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw predicted over observed by group, about the line at 1.

        Returns the axes. Needs matplotlib (pip install "needsalloc[maps]").
        """
        return fit_pictures.draw_calibration(self.table, self.by, ax)

    def __repr__(self) -> str:
        ratio = self.table["predicted_over_observed"]
        return (
            f"<Calibration by {self.by}: predicted over observed from {ratio.min():.3f} ({ratio.idxmin()}) "
            f"to {ratio.max():.3f} ({ratio.idxmax()}) over {len(self.table):,} groups>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def rootogram(fit: Fit, cells: Cells, *, up_to: int = 30) -> Rootogram:
    """Expected people by count, the sum over all of P(y) at their predictors, beside those observed.

    cells: those fitted, or others. up_to: counts from here on are one row.

    Raises FormulaError for a quasi-likelihood, which is no law of counts; InvalidValueError for fractional
    counts.

    Source: Kleiber and Zeileis 2016, The American Statistician 70(3), on hanging rootograms.
    """
    if fit.family.fractions:
        raise FormulaError(f"{fit.family.name} has a mean and no law of counts. Choose another family.")
    if cells.histogram is None:
        raise InvalidValueError("Some counts are no whole numbers: a law of counts has no place for them.")
    if up_to < 1:
        raise InvalidValueError(f"up_to={up_to}: give the count from which on people are one row, 1 or more.")
    problem = fit.problem(cells)
    with one_blas_thread():
        expected = expected_people(problem, fit.coefficients.to_numpy(np.float64), up_to)
    y = np.minimum(cells.histogram["y"].to_numpy(np.int64), up_to)
    observed = np.bincount(y, cells.histogram["people"], up_to + 1)
    table = pd.DataFrame(
        {"observed": observed, "expected": expected, "gap": np.sqrt(observed) - np.sqrt(expected)},
        index=pd.Index([*map(str, range(up_to)), f"{up_to}+"], name="contacts"),
    )
    return Rootogram(table, fit.family.name)


def expected_people(problem: Problem, coefficients: Floats, up_to: int) -> Floats:
    """(up_to + 1,) people expected to have 0, 1, … contacts, the last `up_to` or more."""
    family = problem.family

    def work(part: Part) -> Floats:
        eta, stats = part.predictors(family), part.stats
        people = stats.zeros + stats.positives
        counted = np.array([people @ _chance(family, eta, y) for y in range(up_to)])
        return np.append(counted, people.sum() - counted.sum())

    return np.asarray(sum(newton.over_parts(problem, coefficients, work), np.zeros(up_to + 1)))


def _chance(family: Family, eta: Floats, y: int) -> Floats:
    return np.exp(family.log_likelihood(eta, Stats.of_rows(np.full(len(eta), y))))


def calibration_by(fit: Fit, cells: Cells, by: str = PREDICTION, *, groups: int | None = None) -> Calibration:
    """Predicted and observed contacts by level of a column, or by groups of rising prediction.

    cells: those fitted or others, with `by` among their columns or as their cluster.
    by: "prediction", or a column; its levels are the groups.
    groups: so many groups of about equal people in place of levels, from the lowest value to the highest; 10
        for predictions.

    Raises MissingColumnError for a column that the cells do not have, InvalidValueError for fewer than two
    groups or groups of text.
    """
    observed = Observed.of(fit.problem(cells), fit.coefficients.to_numpy(np.float64))
    return calibrated(observed, cells, by, groups)


def r_squared(fit: Fit, cells: Cells, *, by: Iterable[str] = ()) -> pd.Series:
    """The share of what differs in contacts that the fit explains: between people, and between groups.

    1 - sum (y - mean)^2 / sum (y - overall mean)^2 over people; for groups, of their means per person, each
    weighted by its people. Both are exact, for cells hold the squares of counts. What is low for people may
    be high for practices, to which money goes: person-based allocation looks at the second (Dixon and others
    2011, BMJ 343:d6608).

    by: columns of the cells, or their cluster.

    Returns index "people" and the columns. Raises MissingColumnError.
    """
    observed = Observed.of(fit.problem(cells), fit.coefficients.to_numpy(np.float64))
    found = {"people": observed.r_squared()}
    found |= {name: observed.r_squared_between(*labels_of(cells, name)) for name in by}
    return pd.Series(found, name="r_squared")


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What cells had and what is predicted for them: all (cells,), sums over their people but the chances.

    mean, chance: of a person: expected contacts, and of having any.
    """

    people: Floats
    positives: Floats
    total: Floats
    total_squares: Floats
    mean: Floats
    chance: Floats

    @classmethod
    def of(cls, problem: Problem, coefficients: Floats) -> Observed:
        """The cells of a problem at some coefficients (P,)."""
        family, stats = problem.family, problem.stats

        def work(part: Part) -> tuple[Floats, Floats]:
            eta = part.predictors(family)
            return family.mean(eta), family.share_with_contact(eta)

        with one_blas_thread():
            mean, chance = zip(*newton.over_parts(problem, coefficients, work), strict=True)
        return cls(
            stats.zeros + stats.positives,
            stats.positives,
            stats.total,
            stats.total_squares,
            np.concatenate(mean),
            np.concatenate(chance),
        )

    @property
    def ratio(self) -> float:
        """Predicted over observed contacts."""
        return float(self.people @ self.mean / self.total.sum())

    def r_squared(self) -> float:
        """Over people."""
        around = self.total.sum() / self.people.sum()
        left = self._squares(self.mean)
        return float(1.0 - left.sum() / self._squares(np.full(len(self.mean), around)).sum())

    def r_squared_between(self, group: Ints, names: pd.Index) -> float:
        """Over the means of groups (cells,) of people."""
        people, total, predicted = self.sums(group, len(names))
        some = people > 0
        around = total.sum() / people.sum()
        means, expected = total[some] / people[some], predicted[some] / people[some]
        left, all_of_it = (people[some] @ (means - other) ** 2 for other in (expected, around))
        return float(1.0 - left / all_of_it) if all_of_it > 0 else float("nan")

    def sums(self, group: Ints, groups: int) -> tuple[Floats, Floats, Floats]:
        """(groups,) people, observed and predicted contacts."""
        people, total, predicted = (
            np.bincount(group, values, groups).astype(np.float64)
            for values in (self.people, self.total, self.people * self.mean)
        )
        return people, total, predicted

    def by_group(self, group: Ints, names: pd.Index) -> pd.DataFrame:
        """The table of a calibration."""
        people, total, predicted = self.sums(group, len(names))
        users, likely = (
            np.bincount(group, values, len(names)) for values in (self.positives, self.people * self.chance)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            return pd.DataFrame(
                {
                    "people": people,
                    "observed": total,
                    "predicted": predicted,
                    "predicted_over_observed": np.where(total > 0, predicted / total, np.nan),
                    "share_with_contact": users / people,
                    "predicted_share_with_contact": likely / people,
                },
                index=names,
            )

    def _squares(self, mean: Floats) -> Floats:
        """(cells,) sums over people of (y - mean)^2."""
        return np.asarray(self.total_squares - 2.0 * mean * self.total + mean**2 * self.people)


def calibrated(observed: Observed, cells: Cells, by: str, groups: int | None) -> Calibration:
    """The calibration of what was observed in these cells."""
    if by == PREDICTION and by not in cells.keys:
        group, lowest, highest = _of_equal_size(observed.mean, observed.people, groups or GROUPS)
    elif groups is None:
        return Calibration(observed.by_group(*labels_of(cells, by)), by)
    else:
        column = column_of(cells, by)
        if not pd.api.types.is_numeric_dtype(column.dtype):
            raise InvalidValueError(f"{by} is text, which has no order: leave out groups= for its levels.")
        values = column.to_numpy(np.float64)
        group, lowest, highest = _of_equal_size(values, observed.people, groups)
    names = pd.RangeIndex(1, len(lowest) + 1, name=by)
    table = observed.by_group(group, names)
    return Calibration(table.assign(lowest=lowest, highest=highest), by)


def _of_equal_size(values: Floats, people: Floats, groups: int) -> tuple[Ints, Floats, Floats]:
    """Group (cells,) of rising value, no value in two of them; lowest and highest value of each."""
    if groups < 2:
        raise InvalidValueError(f"groups={groups}: give at least 2.")
    distinct, code = np.unique(values, return_inverse=True)
    each = np.bincount(code, people)
    middle = (each.cumsum() - each / 2) / each.sum()
    _, group = np.unique((middle * groups).astype(np.int64), return_inverse=True)
    first = np.flatnonzero(np.diff(group, prepend=-1))
    last = np.append(first[1:], len(distinct)) - 1
    return group[code].astype(np.int64), distinct[first], distinct[last]


def column_of(cells: Cells, name: str) -> pd.Series:
    """A column of the cells, or their cluster. Raises MissingColumnError."""
    if name in cells.keys:
        return cells.keys[name]
    if cells.cluster is not None and cells.cluster.name == name:
        return cells.cluster
    raise MissingColumnError(
        f"The cells do not have {name!r}, but {first_few(cells.keys.columns, 30)}: add it to the columns of "
        "collapse(…), or make it their cluster."
    )


def labels_of(cells: Cells, name: str) -> tuple[Ints, pd.Index]:
    """The level of each cell (cells,), and the levels, sorted. Raises MissingColumnError."""
    code, names = pd.factorize(column_of(cells, name), sort=True)
    return code.astype(np.int64), pd.Index(names, name=name)


__all__ = [
    "Calibration",
    "Observed",
    "Rootogram",
    "calibrated",
    "calibration_by",
    "column_of",
    "expected_people",
    "labels_of",
    "r_squared",
    "rootogram",
]
