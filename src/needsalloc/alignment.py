"""A user's values by area or team, put in the order of a catchment; what cannot be matched is refused."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.errors import InvalidValueError, UnknownCodeError, first_few
from needsalloc.geography import AREAS_OF_ENGLAND, check_same_vintage

Values = pd.Series | pd.DataFrame

# What a name can tell of its values: the field's words for rates and for counts.
_RATE = re.compile(
    r"(.*_)?(score|decile|quintile|share|rate|index|mean|median|average|percent|percentage|pct|per_\w+)"
    r"|need_index_\w+|coverage|prevalence|(mean|median|average|rate|share|per)_\w+"
    r"|expected_use|distance_from_target"
)
_COUNT = re.compile(
    r"(\w+_)?(patients|population|residents|adults|persons|people|children|contacts|posts|fte|wte|households)"
    r"|registered|resident|counts?|(list_size|number_of|population)(_\w+)?|deaths|births|visits|admissions"
    r"|staff|nurses"
)


def by_area(values: Values, areas: pd.Index, what: str, *, cover: bool) -> NDArray[np.float64]:
    """The rows of `values` in the order of `areas`; with `cover`, nobody may be in any other area.

    Raises VintageError, UnknownCodeError or InvalidValueError with what does not match.
    """
    position = _positions(values.index, areas, what, "areas")
    if (position < 0).any():
        if areas.name in AREAS_OF_ENGLAND:
            check_same_vintage(areas, values.index, left_name="The registrations", right_name=what)
        missing = areas[position < 0]
        raise UnknownCodeError(
            f"{len(missing):,} of {len(areas):,} areas with registered patients have no row in "
            f"{what}: {first_few(missing)}. Use a file that covers every area of the registrations."
        )
    everything = numbers(values, what)
    found: NDArray[np.float64] = everything[position]
    if cover:
        is_left_out = np.full(len(values), True)
        is_left_out[position] = False
        left_out = np.flatnonzero(is_left_out)
        beyond = np.nan_to_num(everything[left_out])
        lost = values.index[left_out[any_of_row(beyond != 0)]]
        if len(lost):
            raise UnknownCodeError(
                f"{len(lost):,} areas of {what} have people but no registered patient in this "
                f"catchment: {first_few(lost)}. They would be lost. If the lists are of a part of England, "
                "leave them out by name: values.loc[catchment.areas]."
            )
    _refuse_gaps(found, areas, what, "areas")
    return found


def by_team(values: Values, teams: pd.Index, what: str, needed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The rows of `values` in the order of `teams`; a team that is not `needed` (teams,) may lack one.

    Raises UnknownCodeError or InvalidValueError with what does not match.
    """
    position = _positions(values.index, teams, what, "teams")
    missing = teams[(position < 0) & needed]
    if len(missing):
        raise UnknownCodeError(
            f"{len(missing):,} of {len(teams):,} teams have no row in {what}: {first_few(missing)}. "
            "Give every team a row, those that are no teams (is_team False) too."
        )
    unknown = values.index.difference(teams)
    if len(unknown):
        raise UnknownCodeError(
            f"{len(unknown):,} teams of {what} are not in this catchment: {first_few(unknown)}. "
            "Check their codes, or leave them out."
        )
    everything = numbers(values, what)
    found = np.where((position < 0).reshape(-1, *[1] * (everything.ndim - 1)), 0.0, everything[position])
    _refuse_gaps(found, teams, what, "teams")
    return np.asarray(found)


def refuse_rates(values: Values, verb: str, instead: str) -> None:
    """Refuse to add up what its name says is a rate."""
    names = _called(values, _RATE)
    if names:
        raise InvalidValueError(
            f"{first_few(names)} {_are(names, 'a rate', 'rates')}: parts of a rate do not add up, so "
            f"{verb} would be wrong. Use {instead}; or give the count behind it, under a count's name."
        )


def refuse_counts(values: Values, verb: str, instead: str) -> None:
    """Refuse to take the mean of what its name says is a count, and of columns that are ages: of people."""
    names = _called(values, _COUNT)
    if isinstance(values, pd.DataFrame) and pd.api.types.is_integer_dtype(values.columns):
        names = [f"a column for each of {len(values.columns):,} ages"]
    if names:
        raise InvalidValueError(
            f"{first_few(names)} {_are(names, 'a count', 'counts')}: its total would be lost by {verb}. "
            f"Use {instead}; or give the rate, under a rate's name."
        )


def any_of_row(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(rows,) whether any value of a row is True; a vector has one value to a row."""
    return np.asarray(mask.any(axis=1)) if mask.ndim > 1 else mask


def check_series(values: object, what: str) -> None:
    """Raise InvalidValueError for what is not one number for each code."""
    if isinstance(values, pd.DataFrame):
        raise InvalidValueError(
            f"{what[:1].upper()}{what[1:]} are a table of {values.shape[1]:,} columns. Give one number for "
            "each code: a column of it, or the ages added up by .sum(axis=1)."
        )
    if not isinstance(values, pd.Series):
        raise InvalidValueError(
            f"{what[:1].upper()}{what[1:]} must be a pandas Series by code, not a {type(values).__name__}."
        )


def _are(names: list[str], one: str, several: str) -> str:
    return f"is {one}" if len(names) == 1 else f"are {several}"


def _called(values: Values, pattern: re.Pattern[str]) -> list[str]:
    """Their names that are of the pattern once written like a variable: "IMD score" is imd_score."""
    if not isinstance(values, Values) or values.index.nlevels > 1:
        kind = type(values.index if isinstance(values, Values) else values).__name__
        raise InvalidValueError(
            "Give a pandas Series or DataFrame whose index is the codes, one level of them: values are "
            f"matched by code, never by place. This is a {kind}."
        )
    labels = [values.name] if isinstance(values, pd.Series) else list(values.columns)
    texts = [label for label in labels if isinstance(label, str)]
    return [label for label in texts if pattern.fullmatch(re.sub(r"\W+", "_", label.strip().lower()))]


def numbers(values: Values, what: str) -> NDArray[np.float64]:
    """The values as an array; InvalidValueError if some are no numbers."""
    try:
        kinds = [values.dtype] if isinstance(values, pd.Series) else list(values.dtypes)
        if any(pd.api.types.is_extension_array_dtype(kind) for kind in kinds):
            return values.to_numpy(np.float64, na_value=np.nan)  # such a gap is named later, as any other is
        return values.to_numpy(np.float64)
    except (TypeError, ValueError):
        raise InvalidValueError(
            f"{what[:1].upper()}{what[1:]}: some values are no numbers. Convert them with pandas.to_numeric."
        ) from None


def refuse_twice(index: pd.Index, what: str, noun: str) -> None:
    """Raise InvalidValueError where a code has two rows."""
    if index.has_duplicates:
        twice = index[index.duplicated()].unique()
        raise InvalidValueError(
            f"{len(twice):,} {noun} stand twice in {what}: {first_few(twice)}. Leave one row of each."
        )


def _positions(index: pd.Index, wanted: pd.Index, what: str, noun: str) -> NDArray[np.intp]:
    if index.equals(wanted):
        return np.arange(len(wanted))
    refuse_twice(index, what, noun)
    return np.asarray(index.get_indexer(wanted))


def _refuse_gaps(found: NDArray[np.float64], labels: pd.Index, what: str, noun: str) -> None:
    gap = any_of_row(~np.isfinite(found))
    if gap.any():
        raise InvalidValueError(
            f"{int(gap.sum()):,} {noun} have no number in {what}: {first_few(labels[gap])}. "
            "Fill them in the file."
        )


__all__ = [
    "any_of_row",
    "by_area",
    "by_team",
    "check_series",
    "numbers",
    "refuse_counts",
    "refuse_rates",
    "refuse_twice",
]
