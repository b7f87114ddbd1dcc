"""Where Newton's method begins: a start that leads to no false optimum, checked against others.

A zero-inflated fit from constants may end in a false optimum and say nothing. The hurdle of the same base has
one optimum only: its count part is the fit truncated at zero, its zero part a logistic one. From there the
inflated fit starts, and from others too; the best is kept and the rest are told. All this is done on a sample
of cells, half of them with positive counts, each with the weight of those that it stands for. It takes about
fifty passes over them, so that a fiftieth of the cells costs as much as one pass over all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from needsalloc.kernels.families import COUNT, FAMILIES, ZERO, Family, Stats
from needsalloc.kernels.newton import Optimum, Part, Problem, maximise, over_parts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Fewest and most cells of a sample, and which share of the cells it is between these.
SAMPLE = (10_000, 100_000)
SHARE = 1 / 50
SEED = 20_240_101
POISSON, NB = FAMILIES["poisson"], FAMILIES["nb"]
HURDLE, HURDLE_NB = FAMILIES["hurdle"], FAMILIES["hurdle-nb"]


@dataclass(frozen=True, slots=True)
class Start:
    """The best of several optima on a sample.

    coefficients: (P,) where to begin on all cells. optima: log-likelihood that each start ended at.
    optimum: the best of them where the sample is all cells, so that nothing is left to do; else None.
    """

    coefficients: Floats
    optima: Mapping[str, float]
    optimum: Optimum | None


def sample(problem: Problem, cells: int | None = None) -> Problem:
    """At most `cells` cells, half with positive counts if there are so many, weighted to stand for all.

    cells: a fiftieth of them by default, and from 10,000 to 100,000.
    """
    stats = problem.stats
    cells = int(np.clip(SHARE * len(stats), *SAMPLE)) if cells is None else cells
    if len(stats) <= cells:
        return problem
    rng = np.random.default_rng(SEED)
    users = stats.positives > 0
    chosen, weight = [], []
    with_users, without = np.flatnonzero(users), np.flatnonzero(~users)
    size = min(len(with_users), max(cells // 2, cells - len(without)))
    for stratum, want in ((with_users, size), (without, cells - size)):
        chosen.append(rng.choice(stratum, want, replace=False, shuffle=False))
        weight.append(np.full(want, len(stratum) / max(want, 1)))
    order = np.argsort(np.concatenate(chosen), kind="stable")
    picked, by = np.concatenate(chosen)[order], np.concatenate(weight)[order]
    by = by * _calibration(stats, picked, by)
    sums = (stats.zeros, stats.positives, stats.total, stats.total_squares, stats.log_factorials)
    few = Stats(*(by * values[picked] for values in sums))
    designs = {part: design.pick(picked) for part, design in problem.designs.items()}
    if problem.designs.get(ZERO) is problem.designs[COUNT]:
        designs[ZERO] = designs[COUNT]
    offsets = {part: values[picked] for part, values in problem.offsets.items()}
    return Problem(problem.family, few, designs, offsets, problem.histogram)


def _calibration(stats: Stats, picked: Ints, weight: Floats) -> Floats:
    """(picked,) factors of the weights with which zeros, positives and total are those of all cells.

    Linear calibration, Deville and Särndal 1992, Journal of the American Statistical Association 87. The
    histogram of y, which is that of all people, so fits the sample.
    """
    sums = np.stack([stats.zeros, stats.positives, stats.total])
    here = sums[:, picked]
    lacking = sums.sum(axis=1) - here @ weight
    return np.asarray(1.0 + np.linalg.lstsq((weight * here) @ here.T, lacking, rcond=None)[0] @ here)


def find(problem: Problem) -> Start:
    """Where to begin on all cells, the best of what several starts lead to on a sample.

    Coefficients that run away on the sample begin at 0 if there are more cells than it has.
    """
    few = sample(problem)
    reached = {name: maximise(few, start) for name, start in _starts(few).items()}
    best = max(reached.values(), key=lambda optimum: optimum.log_likelihood)
    optima = {name: end.log_likelihood for name, end in reached.items()}
    if few is problem:
        return Start(best.coefficients, optima, best)
    return Start(np.where(best.running, 0.0, best.coefficients), optima, None)


def climb(problem: Problem) -> tuple[Optimum, dict[str, float]]:
    """The optimum on all cells, and the log-likelihoods that the starts led to on the sample."""
    start = find(problem)
    optima = dict(start.optima)
    if start.optimum is not None:
        return start.optimum, optima
    try:
        return maximise(problem, start.coefficients), optima
    except ValueError:  # cells far out, of which the sample knew nothing
        return maximise(problem, _constants(problem)), optima


def _starts(problem: Problem) -> dict[str, Floats]:
    """Coefficients to start from, by what they are."""
    family = problem.family
    if family.zeros == "plain":
        return _plain_starts(problem) if family.dispersed else {"constants": _constants(problem)}
    if family.zeros == "hurdle":
        return _hurdle_starts(problem) if family.dispersed else {"constants": _constants(problem)}
    hurdle = _fit(problem, HURDLE_NB if family.dispersed else HURDLE)
    truncated = hurdle.copy()
    zero = problem.slices[ZERO]
    truncated[zero] = -hurdle[zero]  # log odds of no use, where the hurdle's are of use
    plain = _fit(problem, NB if family.dispersed else POISSON)
    count = plain[: problem.designs[COUNT].columns]
    few = np.concatenate([count, _level(problem, ZERO, -1.0), plain[len(count) :]])
    return {"truncated at zero": truncated, "no inflation": few, "constants": _constants(problem)}


def _plain_starts(problem: Problem) -> dict[str, Floats]:
    poisson = _fit(problem, POISSON)
    return {f"theta {theta}": np.append(poisson, np.log(theta)) for theta in (0.3, 3.0)}


def _hurdle_starts(problem: Problem) -> dict[str, Floats]:
    hurdle = _fit(problem, HURDLE)
    return {f"theta {theta}": np.append(hurdle, np.log(theta)) for theta in (0.3, 3.0)}


def _fit(problem: Problem, family: Family) -> Floats:
    """Coefficients of another family on the same cells, from its own best start."""
    other = replace(
        problem,
        family=family,
        designs={part: design for part, design in problem.designs.items() if part in family.parts},
        offsets={part: values for part, values in problem.offsets.items() if part in family.parts},
    )
    reached: list[Optimum] = [maximise(other, start) for start in _starts(other).values()]
    return max(reached, key=lambda optimum: optimum.log_likelihood).coefficients


def _constants(problem: Problem) -> Floats:
    """Every part at one level: the mean of y, or of those with contact, and the share without."""
    stats, zeros = problem.stats, problem.family.zeros
    none, some, total = stats.zeros.sum(), stats.positives.sum(), stats.total.sum()
    # A truncated mean of exactly 1 has no finite rate.
    mean = total / (none + some) if zeros == "plain" else max(total / some, 1.01)
    odds = float(np.log((none + 0.5) / (some + 0.5)))
    level = {COUNT: float(np.log(mean)), ZERO: odds if zeros == "inflated" else -odds}
    return np.concatenate(
        [
            _level(problem, part, level[part]) if part in level else np.zeros(1)
            for part in problem.family.parts
        ]
    )


def _level(problem: Problem, part: str, value: float) -> Floats:
    """Coefficients of a part whose predictor is nearest to `value` by least squares over people."""
    offset = problem.offsets.get(part)

    def work(here: Part) -> tuple[Floats, Floats]:
        x, people = here.designs[part], here.stats.zeros + here.stats.positives
        wanted = value if offset is None else value - offset[here.start : here.stop]
        weighted = people * x
        return weighted @ x.T, weighted @ np.broadcast_to(wanted, len(people))

    columns = problem.designs[part].columns
    gram, right = np.zeros((columns, columns)), np.zeros(columns)
    for products, with_wanted in over_parts(problem, np.zeros(problem.size), work):
        gram += products
        right += with_wanted
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    found = np.linalg.lstsq(gram / np.outer(scale, scale), right / scale, rcond=1e-12)[0]
    return np.asarray(found / scale)


__all__ = ["SAMPLE", "Start", "climb", "find", "sample"]
