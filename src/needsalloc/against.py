"""A resource against a need: every measure of inequality from one set of arrays, and limits of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from needsalloc.alignment import numbers, refuse_twice
from needsalloc.errors import InvalidValueError, MissingColumnError, first_few
from needsalloc.kernels import inequality, rank

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Block = dict[str, Floats]

FEW = 10  # areas (or clusters of them), below which a line or a group says too little
LEVELS = {"95": 0.95, "99_8": 0.998}
LIMITS = [f"{side}_{level}" for level in LEVELS for side in ("low", "high")]
_NUMBERS = 2_000_000  # held at once while drawing
_BEYOND = 10  # draws that must lie beyond a limit for it to be said

DEPRIVATION, OWN_LEVEL, OWN_NEED = "deprivation", "level", "need"
SLOPE, RELATIVE, CONCENTRATION = "slope_index", "relative_index", "concentration_index"
_PER_NEED = "positive: more per need where less deprived"
_NO_DIRECTION = "0: in proportion to need; no direction"

# By measure: how areas are ranked, whether need weighs them (or people), what the sign means.
MEASURES: dict[str, tuple[str, bool, str]] = {
    SLOPE: (DEPRIVATION, True, _PER_NEED),
    RELATIVE: (DEPRIVATION, True, _PER_NEED),
    CONCENTRATION: (DEPRIVATION, True, _PER_NEED),
    "extended_concentration_index": (DEPRIVATION, True, _PER_NEED),
    "concentration_index_per_person": (DEPRIVATION, False, "positive: more per person where less deprived"),
    "concentration_index_of_need": (DEPRIVATION, False, "negative: more need where more deprived"),
    "horizontal_inequity": (DEPRIVATION, False, "positive: favours the less deprived, given need"),
    "kakwani_by_need": (OWN_NEED, False, "positive: more than in proportion where need is high"),
    "gini": (OWN_LEVEL, True, _NO_DIRECTION),
    "theil": ("", True, _NO_DIRECTION),
    "hoover": ("", True, _NO_DIRECTION),
}


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of areas are, and how their measures are to be given.

    population, deprivation: their names. most_deprived: "highest" or "lowest". per: need-weighted people for
    whom the slope is given. aversion: v of the extended concentration index. cluster: of areas that stand or
    fall together, None where each is its own.
    """

    population: str
    deprivation: str
    most_deprived: str
    per: float
    aversion: float
    cluster: str | None = None

    def scale(self, measure: str) -> float:
        """What a measure is given in."""
        return self.per if measure == SLOPE else 1.0


@dataclass(frozen=True, eq=False)
class Against:
    """A resource x against a need n among p people (areas,), by what they are ranked and clustered.

    first: (areas,) the lower, the more deprived. cluster: (areas,) numbers from 0.
    """

    resource: str
    need: str
    x: Floats
    n: Floats
    p: Floats
    first: Floats
    cluster: Ints

    @classmethod
    def of(cls, areas: pd.DataFrame, resource: str, need: str, columns: Columns) -> Against:
        """From columns of checked areas."""
        x, n, p, deprivation = (
            areas[column].to_numpy(np.float64)
            for column in (resource, need, columns.population, columns.deprivation)
        )
        first = -deprivation if columns.most_deprived == "highest" else deprivation
        alone = np.arange(len(areas))
        cluster = alone if columns.cluster is None else pd.factorize(areas[columns.cluster])[0]
        return cls(resource, need, x, n, p, first, cluster)

    @cached_property
    def orders(self) -> dict[str, inequality.Order]:
        """The orders of areas that measures use."""
        by = {
            DEPRIVATION: self.first,
            OWN_LEVEL: inequality.ratio(self.x, self.n),
            OWN_NEED: inequality.ratio(self.n, self.p),
        }
        return {name: inequality.order(values) for name, values in by.items()}

    def measures(self, times: Floats, aversion: float) -> Block:
        """Every measure (...), each area being there `times` (..., areas)."""

        there = times * self.x, times * self.n, times * self.p

        def placed(by: str) -> tuple[Floats, Floats, Floats]:
            x, n, p = (amount[..., self.orders[by].rows] for amount in there)
            return x, n, p

        x, n, _ = placed(OWN_LEVEL)
        return {
            **_ranked(*placed(DEPRIVATION), self.orders[DEPRIVATION], aversion),
            "kakwani_by_need": inequality.kakwani(*placed(OWN_NEED), self.orders[OWN_NEED]),
            "gini": inequality.gini(x, n, self.orders[OWN_LEVEL]),
            "theil": inequality.theil(x, n),
            "hoover": inequality.hoover(x, n),
        }

    def shuffled(self, rows: Ints, aversion: float) -> Block:
        """The measures by deprivation (...) if `rows` (..., areas) stood in its order."""
        return _ranked(self.x[rows], self.n[rows], self.p[rows], self.orders[DEPRIVATION], aversion)

    def line(self) -> inequality.Line:
        """Of the resource per need by deprivation, weighted by need."""
        places = self.orders[DEPRIVATION]
        x, n = self.x[places.rows], self.n[places.rows]
        return inequality.line(
            inequality.ratio(x, n), inequality.ridit(n, places), n, self.cluster[places.rows]
        )

    def sums(self, code: Ints, groups: int) -> tuple[Floats, Floats]:
        """Resource and need (groups,)."""
        return rank.group_sums(code, groups, self.x), rank.group_sums(code, groups, self.n)

    def named(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame with the names of resource and need before its columns."""
        frame.insert(0, "need", self.need)
        frame.insert(0, "resource", self.resource)
        return frame

    def table(self, columns: Columns, *, robust: bool) -> Iterator[dict[str, object]]:
        """A row for each measure, with everything that it must say of itself."""
        line = self.line()
        errors = {
            SLOPE: line.slope_error * columns.per,
            RELATIVE: line.relative_error,
            CONCENTRATION: 2 * line.spread * line.relative_error,
        }
        rankings = {
            DEPRIVATION: f"{columns.deprivation}, from the most deprived ({columns.most_deprived})",
            OWN_LEVEL: f"{self.resource} per {self.need}, from the lowest",
            OWN_NEED: f"{self.need} per {columns.population}, from the lowest",
            "": "none",
        }
        units = {
            SLOPE: f"{self.resource} per {columns.per:,g} {self.need}, from rank 0 to 1",
            RELATIVE: "share of the mean, from rank 0 to 1",
            "extended_concentration_index": f"index, v = {columns.aversion:g}",
            "hoover": f"share of {self.resource} that would have to move",
        }
        words = "straight line through the areas, HC3 errors, t"
        if columns.cluster is not None:
            words = (
                f"straight line through the areas, errors of {line.clusters:,} {columns.cluster}s (CR3), t"
            )
        for measure, found in self.measures(np.ones(len(self.x)), columns.aversion).items():
            by, by_need, sign = MEASURES[measure]
            value = float(found) * columns.scale(measure)
            said = robust and measure in errors
            weighed = (self.n if by_need else self.p) > 0
            yield {
                "resource": self.resource,
                "need": self.need,
                "measure": measure,
                "value": value,
                **_limits(value, errors[measure] if said else np.nan, line.clusters - 2),
                "interval": words if said else "",
                "ranking": rankings[by],
                "sign": sign,
                "weights": self.need if by_need else columns.population,
                "unit": units.get(measure, "index"),
                "areas": int(weighed.sum()),
                "too_few_areas": len(np.unique(self.cluster[weighed])) < FEW,
            }


def _ranked(x: Floats, n: Floats, p: Floats, places: inequality.Order, aversion: float) -> Block:
    found = inequality.ranked(x, n, p, places, aversion)
    return {
        SLOPE: found.slope,
        RELATIVE: found.relative,
        CONCENTRATION: found.concentration,
        "extended_concentration_index": found.extended,
        "concentration_index_per_person": found.per_person,
        "concentration_index_of_need": found.of_need,
        "horizontal_inequity": found.horizontal,
    }


def in_blocks(draw: Callable[[int], Block], draws: int, areas: int) -> Block:
    """(draws,) by measure, from a function that draws so many at once."""
    size = max(_NUMBERS // areas, 1)
    blocks = [draw(min(size, draws - done)) for done in range(0, draws, size)]
    return {measure: np.concatenate([block[measure] for block in blocks]) for measure in blocks[0]}


def _limits(value: float, error: float, freedom: int) -> dict[str, float]:
    """By t with so many degrees of freedom; NaN where there are none."""
    widths = [stdtrit(freedom, (1 + level) / 2) if freedom > 0 else np.nan for level in LEVELS.values()]
    return dict(zip(LIMITS, (value + sign * error * t for t in widths for sign in (-1, 1)), strict=True))


def percentiles(draws: Floats) -> list[float]:
    """In the order of LIMITS; NaN for 99.8 % where too few draws lie beyond."""
    found: list[float] = []
    for level in LEVELS.values():
        beyond = (1 - level) / 2
        # 0.001 of 10,000 draws is 10 but for the last bit.
        said = level == LEVELS["95"] or round(beyond * len(draws), 6) >= _BEYOND
        found += np.quantile(draws, (beyond, 1 - beyond)).tolist() if said else [np.nan, np.nan]
    return found


def checked(
    areas: pd.DataFrame, resources: tuple[str, ...], needs: tuple[str, ...], columns: Columns
) -> pd.DataFrame:
    """The areas with numbers in the columns to measure.

    Raises MissingColumnError or InvalidValueError for what cannot be measured.
    """
    if not isinstance(areas, pd.DataFrame):
        raise InvalidValueError(f"Areas are rows of a pandas DataFrame, not of a {type(areas).__name__}.")
    if not (resources and needs):
        raise InvalidValueError("Name at least one column of a resource and one of need.")
    amounts = dict.fromkeys([*resources, *needs, columns.population])
    lacking = [column for column in (*amounts, columns.deprivation) if column not in areas]
    if lacking:
        raise MissingColumnError(f"The areas have no columns {first_few(lacking)}. Add or rename them.")
    refuse_twice(areas.index, "the areas", "areas")
    values = {column: numbers(areas[column], column) for column in (*amounts, columns.deprivation)}
    for column, value in values.items():
        wrong = areas.index[~np.isfinite(value) | ((value < 0) & (column in amounts))]
        if len(wrong):
            raise InvalidValueError(
                f"{len(wrong):,} of {len(areas):,} areas have a {column} that is missing or negative: "
                f"{first_few(wrong)}. Mend them, or leave those areas out."
            )
        if column in amounts and not value.sum() > 0:
            raise InvalidValueError(f"The areas have no {column} at all, so none has a share of it.")
    for above, below in (*product(resources, needs), *((need, columns.population) for need in needs)):
        wrong = areas.index[(values[above] > 0) & (values[below] == 0)]
        if len(wrong):
            raise InvalidValueError(
                f"{len(wrong):,} areas have {above} but no {below}: {first_few(wrong)}. Nothing can be said "
                f"per {below} there: mend them, or join them with their neighbours."
            )
    for need in needs:
        if np.ptp(values[columns.deprivation][values[need] > 0]) == 0:
            raise InvalidValueError(
                f"All areas with {need} have the same {columns.deprivation}, so they cannot be ranked by it. "
                "Give what tells them apart."
            )
    return areas.assign(**values)


__all__ = ["FEW", "LEVELS", "LIMITS", "MEASURES", "Against", "Columns", "checked", "in_blocks", "percentiles"]
