"""What a measure is relative to: all England, all places at hand, or some of them by name."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.errors import FormulaError, InvalidValueError, UnknownCodeError, first_few
from needsalloc.geography import AREAS_OF_ENGLAND, is_english

Base: TypeAlias = str | pd.Index
"""Where an index is 1: "england", "all" (the places at hand), or an Index of places with a name."""

_OWN = "base"


def members(places: pd.Index, base: Base) -> NDArray[np.bool_]:
    """Which places make up the base (places,).

    Raises FormulaError for an unknown word; UnknownCodeError if England is not all there, or a place of the
    base is not among the places.
    """
    if isinstance(base, pd.Index):
        position = places.get_indexer(base)
        if (position < 0).any():
            unknown = base[position < 0]
            raise UnknownCodeError(
                f"{len(unknown):,} of {len(base):,} places of the base are not in the data: "
                f"{first_few(unknown)}. Give the data of every place of the base."
            )
        chosen = np.zeros(len(places), dtype=np.bool_)
        chosen[position] = True
        return chosen
    if base == "all":
        return np.ones(len(places), dtype=np.bool_)
    if base == "england":
        return _england(places)
    raise FormulaError(f'Unknown base {base!r}: choose "england", "all", or an Index of places.')


def key(base: Base) -> str:
    """What a base is called in the name of a column."""
    if not isinstance(base, pd.Index):
        return base
    return str(base.name) if base.name is not None and base.name not in AREAS_OF_ENGLAND else _OWN


def relative(weighted: pd.Series, people: pd.Series, base: Base) -> pd.Series:
    """Weight per head over that of the base: `need_index_<base>` (places,), NaN where there is nobody.

    weighted, people: by place, in the same order. Over the base, the mean weighted by people is 1.

    Raises as `members` does; InvalidValueError if the base has nobody, or nobody with a weight.
    """
    inside = members(weighted.index, base)
    total, heads = weighted.to_numpy()[inside].sum(), people.to_numpy()[inside].sum()
    if not (heads > 0 and total > 0):
        raise InvalidValueError(
            f"The base has {heads:,.0f} people of the measure's ages, with a weight of {total:,.0f} in all: "
            "nothing can be relative to it. Choose a base in which somebody has need."
        )
    per_head = weighted / people.where(people > 0)
    return (per_head / (total / heads)).rename(f"need_index_{key(base)}")


def _england(places: pd.Index) -> NDArray[np.bool_]:
    english = is_english(places)
    vintage = places.name
    whole = AREAS_OF_ENGLAND.get(vintage)  # type: ignore[call-overload]
    if whole is None or int(english.sum()) != whole:
        raise UnknownCodeError(
            f"An index with England as its base needs every area of England, in a table whose index is named "
            f"lsoa11 or lsoa21; this one has {len(places):,} places named {vintage}. "
            'Use the national file, or choose base="all".'
        )
    return english
