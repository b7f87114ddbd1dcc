"""Terms of a linear predictor: products of columns, written as "age:imd_score" or "ethnicity=asian:age".

A column stands for its number, "column=level" for 1 where the column has that level and 0 elsewhere.
"age:age" is the square.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from needsalloc.errors import FormulaError, InvalidValueError, UnknownCodeError, first_few

Floats = NDArray[np.float64]

INTERCEPT = "Intercept"


def factors(term: str) -> list[str]:
    """What a term is the product of, as often as it is in it; nothing for the intercept.

    >>> factors("age:age:female")
    ['age', 'age', 'female']
    """
    return [] if term == INTERCEPT else term.split(":")


def atoms(terms: Iterable[str]) -> list[str]:
    """What the terms are products of, each once, in order of appearance."""
    return list(dict.fromkeys(atom for term in terms for atom in factors(term)))


def column_of(atom: str) -> str:
    """The column that an atom looks at."""
    return atom.partition("=")[0]


def columns(terms: Iterable[str]) -> list[str]:
    """The columns that the terms look at, each once, in order of appearance."""
    return list(dict.fromkeys(column_of(atom) for atom in atoms(terms)))


def linear(coefficients: Mapping[str, float], value: Mapping[str, Floats], shape: tuple[int, ...]) -> Floats:
    """The sum over terms of coefficient times product of atoms, each an array that broadcasts to `shape`."""
    total: Floats = np.full(shape, coefficients.get(INTERCEPT, 0.0))
    for term, coefficient in coefficients.items():
        if parts := factors(term):
            total += coefficient * math.prod(value[atom] for atom in parts)
    return total


def held(coefficients: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
    """The same linear predictor with some atoms at fixed values: what is left of each term, added up."""
    found: dict[str, float] = {}
    for term, coefficient in coefficients.items():
        parts = factors(term)
        left = [atom for atom in parts if atom not in values]
        for atom in parts:
            coefficient *= values.get(atom, 1.0)
        if coefficient or left == parts:
            name = ":".join(left) or INTERCEPT
            found[name] = found.get(name, 0.0) + coefficient
    return found


def of_rows(
    rows: pd.DataFrame, wanted: Iterable[str], levels: Mapping[str, tuple[str, ...]], name: str
) -> dict[str, Floats]:
    """The values (rows,) of some atoms.

    levels: the levels that a column may have, where they are known.

    Raises FormulaError for columns that are not there, InvalidValueError for gaps or what is no number,
    UnknownCodeError for levels that the formula does not know.
    """
    wanted = list(wanted)
    lacking = [column for column in columns(wanted) if column not in rows]
    if lacking:
        raise FormulaError(
            f"{len(lacking)} terms of {name} have no column: {first_few(lacking)}. "
            "Add them, or hold them at a stated value."
        )
    for column in columns(wanted):
        gaps = int(rows[column].isna().sum())
        if gaps:
            raise InvalidValueError(
                f"{gaps:,} of {len(rows):,} rows have no {column}. Fill them by a rule of yours, or leave "
                "these rows out."
            )
        known = levels.get(column)
        if known is not None:
            unseen = rows.loc[~rows[column].astype("str").isin(known), column].astype("str")
            if len(unseen):
                raise UnknownCodeError(
                    f"{len(unseen):,} of {len(rows):,} rows have a {column} that {name} does not know: "
                    f"{first_few(unseen.unique())}. It knows {first_few(known, 30)}."
                )
    return {atom: _of_rows(rows, atom, name) for atom in wanted}


def _of_rows(rows: pd.DataFrame, atom: str, name: str) -> Floats:
    column, equals, level = atom.partition("=")
    found = rows[column]
    try:
        if not equals:
            return found.to_numpy(np.float64)
        # Whole numbers may come as 0 or 0.0.
        same = found == float(level) if is_numeric_dtype(found.dtype) else found.astype("str") == level
        return np.asarray(same, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(
            f"The column {column} of {name} must hold numbers; it holds {found.iloc[0]!r}."
        ) from error


__all__ = ["INTERCEPT", "atoms", "column_of", "columns", "factors", "held", "linear", "of_rows"]
