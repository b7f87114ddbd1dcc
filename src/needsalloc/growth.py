"""Growth of counts to the plan year, by area or by age, with whose projection it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.alignment import check_series, numbers, refuse_twice
from needsalloc.catchment import Catchment
from needsalloc.errors import InvalidValueError, first_few

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Growth:
    """Factors from the day of the counts to the plan year.

    factors: index areas (every area of the catchment), or first ages of bands (whole numbers), as in {65:
    1.04, 75: 1.10, 85: 1.07}; ages under the first stay as they are. to: the plan year. source: whose
    projection it is.

    Raises InvalidValueError for factors that are not above 0 or stand twice, or without a year or a source.

    >>> Growth(pd.Series({65: 1.04, 85: 1.1}), to="2027/28", source="ONS 2022-based").said
    'to 2027/28 by age: ONS 2022-based'
    """

    factors: pd.Series
    to: str
    source: str

    def __post_init__(self) -> None:
        check_series(self.factors, "the growth factors")
        refuse_twice(self.factors.index, "the growth factors", "ages or areas")
        factors = numbers(self.factors, "the growth factors")
        if not len(factors) or not (np.isfinite(factors) & (factors > 0)).all():
            raise InvalidValueError("Growth factors must be numbers above 0, such as 1.04 for 4 per cent.")
        if not (self.to.strip() and self.source.strip()):
            raise InvalidValueError("Growth needs the plan year (to=) and whose projection it is (source=).")

    @property
    def by_age(self) -> bool:
        """Whether factors are of ages, and not of areas."""
        return bool(pd.api.types.is_integer_dtype(self.factors.index))

    @property
    def said(self) -> str:
        return f"to {self.to} by {'age' if self.by_age else 'area'}: {self.source}"

    def of_ages(self, ages: pd.DataFrame) -> pd.DataFrame:
        """Counts by age (columns first ages of bands), each multiplied by its factor.

        Raises InvalidValueError where a factor begins inside a band.
        """
        factors, first = self.factors.sort_index(), ages.columns.to_numpy(np.int64)
        begins = factors.index.to_numpy(np.int64)
        inside = np.setdiff1d(begins[begins >= first.min()], first)
        if len(inside):
            raise InvalidValueError(
                f"Growth factors begin at the ages {first_few(inside)}, but the ages can be cut at "
                f"{first_few(first, 12)}. Give factors for those bands."
            )
        at = np.searchsorted(begins, first, side="right") - 1
        return ages * np.where(at < 0, 1.0, factors.to_numpy(np.float64)[np.maximum(at, 0)])

    def of_areas(self, catchment: Catchment) -> Floats:
        """(areas,) the factors of a catchment's areas; raises as `Catchment.aligned`."""
        return catchment.aligned(self.factors, "the growth factors", cover=False)


__all__ = ["Growth"]
