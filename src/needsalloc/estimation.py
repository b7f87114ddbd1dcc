"""From cells to what is maximised, and sums over all people at its maximum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import estimable, terms
from needsalloc.collapse import Cells, collapse
from needsalloc.errors import FormulaError, InvalidValueError, first_few
from needsalloc.inference import Errors
from needsalloc.kernels import newton
from needsalloc.kernels.designs import Block, Design
from needsalloc.kernels.families import COUNT, ZERO, Counts, Family, Stats
from needsalloc.kernels.newton import Part, Problem
from needsalloc.terms import ParsedFormula, Terms, Variable

Floats = NDArray[np.float64]


def cells_of(
    data: Any,
    parsed: ParsedFormula,
    added: Mapping[str, str],
    family: Family,
    exposure: str | None,
    weight: str | None,
    cluster: str | None,
    errors: Errors,
) -> Cells:
    """Rows collapsed to what a formula, its offsets (part -> column) and its errors need; Cells as they are.

    Raises FormulaError for Cells that are asked for another weight, exposure or cluster, and for a cluster
    without errors by it; and as `collapse`.
    """
    if isinstance(data, Cells):
        if weight or cluster:
            raise FormulaError("Cells have their weight and cluster already: name these in collapse(…).")
        if (data.exposure is None) != (exposure is None):
            raise FormulaError(
                "Name the exposure in collapse(…) and here, or in neither: it is in the key of the cells."
            )
        return data
    if (cluster is None) != (errors != "clustered"):
        raise FormulaError(
            f"errors={errors!r} with cluster={cluster!r}: errors by cluster need the column of the clusters, "
            "and a cluster serves nothing else."
        )
    return collapse(
        data,
        list(dict.fromkeys([*parsed.variables, *added.values()])),
        count=parsed.count,
        weight=weight,
        exposure=exposure,
        cluster=cluster,
        keep_counts=family.dispersed and errors != "model",
    )


def check_counts(cells: Cells, family: Family, count: str) -> None:
    """Refuse counts that the family is no law of. Raises InvalidValueError."""
    if cells.fractional and not family.fractions:
        raise InvalidValueError(
            f"{cells.fractional:,} of {cells.rows:,} rows have a {count} that is no whole number; "
            f"{family.name} is a law of whole counts. Choose quasi-poisson."
        )
    stats = Stats(cells.zeros, cells.positives, cells.total, cells.total_squares, cells.log_factorials)
    estimable.check_outcome(stats, family, count)


def problem_of(
    cells: Cells,
    family: Family,
    settled: Mapping[str, Terms],
    known: Mapping[str, Variable],
    offset: Mapping[str, str],
) -> Problem:
    """Cells with the designs of the parts, whose levels are settled, and offsets (part -> column)."""
    designs = {COUNT: terms.design(settled[COUNT], known, len(cells))}
    if ZERO in settled:
        same = settled[ZERO].labels == settled[COUNT].labels
        designs[ZERO] = designs[COUNT] if same else terms.design(settled[ZERO], known, len(cells))
    offsets = {part: cells.keys[column].to_numpy(np.float64) for part, column in offset.items()}
    if cells.exposure is not None:
        offsets[COUNT] = np.log(cells.exposure) + offsets.get(COUNT, 0.0)
    sums = (cells.zeros, cells.positives, cells.total, cells.total_squares, cells.log_factorials)
    counts, histogram = None, None
    if family.dispersed:
        if cells.counts is not None:
            some = cells.counts[cells.counts["y"] > 0]
            counts = Counts(
                some["cell"].to_numpy(np.int64),
                some["y"].to_numpy(np.float64),
                some["people"].to_numpy(np.float64),
            )
        if cells.histogram is not None:
            some = cells.histogram[cells.histogram["y"] > 0]
            histogram = some["y"].to_numpy(np.float64), some["people"].to_numpy(np.float64)
            _check_same_people(cells, *histogram)
    return Problem(family, Stats(*sums, counts), designs, offsets, histogram)


def _check_same_people(cells: Cells, y: Floats, people: Floats) -> None:
    """A part of the cells with the histogram of all has a likelihood that is none."""
    pairs = (cells.positives.sum(), people.sum()), (cells.total.sum(), y @ people)
    if any(abs(one - other) > 1e-6 * max(one, other) for one, other in pairs):
        raise InvalidValueError(
            f"The cells have {pairs[0][0]:,.0f} people with {pairs[1][0]:,.0f} contacts, their histogram "
            f"{pairs[0][1]:,.0f} with {pairs[1][1]:,.0f}. Collapse the people to be fitted by themselves."
        )


def centring_of(
    people: Floats, known: Mapping[str, Variable], centre: Iterable[str]
) -> dict[str, tuple[float, float]]:
    """(mean, SD) over people of the variables to be centred; the SD is R's, of people less one.

    Raises FormulaError for what is no number of the formula.
    """
    numbers = [name for name, one in known.items() if pd.api.types.is_numeric_dtype(one.levels.dtype)]
    centring = {}
    for name in centre:
        if name not in numbers:
            raise FormulaError(
                f"{name!r} is to be centred and is no number of the formula, which are "
                f"{first_few(numbers, 30)}."
            )
        levels, of = known[name].levels.to_numpy(np.float64), known[name].sums(people)
        mean = levels @ of / of.sum()
        centring[name] = (float(mean), float(np.sqrt((levels - mean) ** 2 @ of / (of.sum() - 1.0))))
    return centring


def means_of(people: Floats, known: Mapping[str, Variable]) -> dict[str, float]:
    """Means over people, of each number, and of each level of the others as "column=level", its share."""
    found = {}
    for name, one in known.items():
        share = one.sums(people) / people.sum()
        if pd.api.types.is_numeric_dtype(one.levels.dtype):
            found[name] = float(one.levels.to_numpy(np.float64) @ share)
        else:
            found |= {f"{name}={level}": float(part) for level, part in zip(one.levels, share, strict=True)}
    return found


def services_of(
    problem: Problem, count: Terms, services: Mapping[str, Variable], wanted: Iterable[str]
) -> dict[str, dict[str, float]]:
    """What some terms of the count part make expected of each service used, by least squares over people.

    services: name -> its values as they came. wanted: the labels of the terms, the intercept among them.

    Raises FormulaError for services that are no numbers.
    """
    if odd := [n for n, one in services.items() if not pd.api.types.is_numeric_dtype(one.levels.dtype)]:
        raise FormulaError(f"{first_few(odd)} are utilisation and no numbers: give how often it was used.")
    if not services:
        return {}
    labels = [label for label in count.labels if label in set(wanted)]
    place = [count.labels.index(label) for label in labels]
    used = Design(
        tuple(Block(one.codes, one.levels.to_numpy(np.float64)[None, :]) for one in services.values())
    )

    def work(part: Part) -> tuple[Floats, Floats]:
        x, people = part.designs[COUNT][place], part.stats.zeros + part.stats.positives
        return people * x @ x.T, people * x @ used.rows(part.start, part.stop).T

    nowhere = np.zeros(problem.size)
    gram, right = (sum(pieces) for pieces in zip(*newton.over_parts(problem, nowhere, work), strict=True))
    scale = np.sqrt(np.diag(gram))
    solved = np.linalg.solve(gram / np.outer(scale, scale), right / scale[:, None]) / scale[:, None]
    return {
        name: dict(zip(labels, map(float, column), strict=True))
        for name, column in zip(services, solved.T, strict=True)
    }


def sums_of(problem: Problem, coefficients: Floats) -> tuple[float, float, float]:
    """Expected contacts of all people, Pearson's statistic, and the share that are held never to use."""
    from scipy.special import expit

    family = problem.family

    def work(part: Part) -> Floats:
        eta, stats = part.predictors(family), part.stats
        people, mean = stats.zeros + stats.positives, family.mean(eta)
        squares = stats.total_squares - 2.0 * mean * stats.total + mean**2 * people
        never = people @ expit(part.eta[ZERO]) if family.zeros == "inflated" else 0.0
        return np.array([people @ mean, np.sum(squares / family.variance(eta)), never])

    predicted, pearson, never = sum(newton.over_parts(problem, coefficients, work), np.zeros(3))
    return float(predicted), float(pearson), float(never / problem.people)


__all__ = ["cells_of", "centring_of", "check_counts", "means_of", "problem_of", "services_of", "sums_of"]
