"""Offsets of a need formula by age band and sex, and weights by age as a formula made of them alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from needsalloc.ages import ADULT
from needsalloc.assumptions import Assumption
from needsalloc.errors import FormulaError, check_kind, first_few
from needsalloc.formulas.weights import Weights

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AgeSteps:
    """What is added to both linear predictors by age band and sex.

    first_ages: (bands,) rising; ages below the first have its offsets. count, zero: (bands, 2), women then
    men; -inf in the count part is no need.
    """

    first_ages: tuple[int, ...]
    count: Floats
    zero: Floats

    def at(self, part: Literal["count", "zero"], age: Floats, female: Floats) -> Floats:
        """The offsets of persons, arrays that go together.

        >>> steps = AgeSteps((18, 65), np.array([[0.0, 1.0], [2.0, 3.0]]), np.zeros((2, 2)))
        >>> steps.at("count", np.array([40.0, 90.0]), np.array([1.0, 0.0])).tolist()
        [0.0, 3.0]
        """
        band = np.maximum(np.searchsorted(self.first_ages, age, side="right") - 1, 0)
        values: Floats = self.count if part == "count" else self.zero
        return np.where(female == 1, values[band, 0], values[band, 1])


def read(weights: Weights) -> dict[str, Any]:
    """Weights by age, and factors of `imd_score`, as the fields of `NeedFormula`.

    Raises FormulaError for weights without an adult age, or with factors of other scores; InvalidValueError
    for what are no weights.
    """
    check_kind(weights, Weights, "Weights.from_bands, from_toml or published makes them")
    others = [name for name in weights.factors if name != "imd_score"]
    if others:
        raise FormulaError(
            f"{weights.name} has factors of {first_few(others)}; on flows there is imd_score alone. Use "
            "Weights.index with the scores by area."
        )
    first, value = _adult_bands(weights)
    with np.errstate(divide="ignore"):
        count = np.log(value)
    return {
        "name": weights.name,
        "title": weights.title,
        "count": {name: float(np.log(factor)) for name, factor in weights.factors.items()},
        "zero": {},
        "constants": (-np.inf, 0.0),
        "calibration": weights.source,
        "centring": {},
        "supply": {},
        "notes": (*weights.notes, _note_on_ages(weights)),
        "citation": weights.cite(),
        "tables": weights.tables,
        "family": "poisson",
        "steps": AgeSteps(first, count, np.zeros_like(count)),
    }


def _adult_bands(weights: Weights) -> tuple[tuple[int, ...], Floats]:
    """First ages and weights (bands, 2; women then men) from 18 on; 0 where there is no weight."""
    edges = [*weights.first_ages, *([] if weights.until is None else [weights.until])]
    columns = ("female", "male") if weights.by_sex else ("persons", "persons")
    values = np.column_stack([weights.weight[column] for column in columns])
    if weights.until is not None:
        values = np.vstack([values, [0.0, 0.0]])
    if edges[0] > ADULT:
        edges, values = [ADULT, *edges], np.vstack([[0.0, 0.0], values])
    last_child = max(position for position, age in enumerate(edges) if age <= ADULT)
    first, value = (ADULT, *edges[last_child + 1 :]), values[last_child:]
    if not value.any():
        raise FormulaError(f"{weights.name} has no weight for adults, so nobody would have need.")
    return first, value


def _note_on_ages(weights: Weights) -> Assumption:
    return Assumption(
        f"Need is by age weights alone ({weights.ages}); people under {ADULT} are not counted",
        "A need index counts adults: whose weights begin earlier, or end, counts others as without need",
        "choice",
        weights.name,
    )


__all__ = ["AgeSteps", "read"]
