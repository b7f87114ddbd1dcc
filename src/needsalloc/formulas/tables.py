"""Weights by age as somebody writes them down: bands in words, a file in TOML; everything checked."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from itertools import pairwise
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

from needsalloc.errors import FormulaError, InputFileError, first_few
from needsalloc.toml_text import toml_of

PERSONS = "persons"
SEXES = ("female", "male")
_OLDEST = 120
_BAND = re.compile(r"\s*(\d+)\s*(?:(\+)|[-–]\s*(\d+))?\s*")
_TEXTS = ("name", "source", "title", "unit")
_NEEDED = ("name", "source", "weights")
_KEYS = (*_TEXTS, "weights", "factors")


class Bands(NamedTuple):
    """Bands of age without gap or overlap, and a weight for each, by sex or for persons."""

    first_ages: tuple[int, ...]
    until: int | None
    weight: dict[str, tuple[float, ...]]


class Written(NamedTuple):
    """What a file of weights says, not yet checked beyond its keys."""

    name: str
    source: str
    title: str
    unit: str
    weights: Mapping[str, object]
    factors: Mapping[str, object]


def read_toml(path: str | Path) -> Written:
    """The keys of a file of weights.

    Raises InputFileError if it is not there or no TOML, FormulaError for unknown, missing or mistyped keys.
    """
    path = Path(path)
    found = open_toml(path)
    check_keys(path.name, found, _KEYS, _NEEDED, "A band of age belongs under [weights].")
    wrong = [key for key in _TEXTS if not isinstance(found.get(key, ""), str)]
    wrong += [key for key in ("weights", "factors") if not isinstance(found.get(key, {}), dict)]
    if wrong:
        raise FormulaError(
            f"{path.name}: {first_few(wrong)} is of the wrong kind. {', '.join(_TEXTS)} are texts in quotes; "
            "weights and factors are tables, such as [weights]."
        )
    texts = {key: found.get(key, "") for key in _TEXTS}
    return Written(**texts, weights=found["weights"], factors=found.get("factors", {}))


def open_toml(path: str | Path) -> dict[str, Any]:
    """What a TOML file says; InputFileError if it is not there or no TOML."""
    path = Path(path)
    try:
        return toml_of(path)
    except OSError as error:
        raise InputFileError(f"{path.name} cannot be read: {error.strerror}. Check the path.") from error
    except ValueError as error:
        raise InputFileError(f"{path.name} is not TOML: {error}. Mend that line.") from error


def check_keys(
    name: str, found: Mapping[str, object], known: tuple[str, ...], needed: tuple[str, ...], advice: str
) -> None:
    """Refuse keys that are unknown or missing with FormulaError."""
    unknown = [key for key in found if key not in known]
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise FormulaError(
            f"{name} has {len(unknown)} unknown keys: {first_few(unknown)}.{hint} Known are "
            f"{', '.join(known)}. ({advice})"
        )
    missing = [key for key in needed if not found.get(key)]
    if missing:
        raise FormulaError(
            f"{name} lacks {', '.join(missing)}. A formula needs {', '.join(needed)}: figures without "
            "a source cannot be judged."
        )


def parse_bands(name: str, weights: Mapping[str, object]) -> Bands:
    """{"0-64": 0.5, "65+": 3}, or one such table under each of "female" and "male", as `Bands`.

    Raises FormulaError for bands that are none, overlap or leave a gap, differ between the sexes, and for
    weights that are no numbers, negative or all 0.
    """
    if not weights:
        raise FormulaError(f"{name} has no weights. Write them as bands of age: 0-64 and 65+.")
    tables = [key for key, value in weights.items() if isinstance(value, Mapping)]
    if not tables:
        parts: dict[str, Mapping[str, object]] = {PERSONS: weights}
    elif set(tables) == set(SEXES) == set(weights):
        parts = {sex: value for sex in SEXES if isinstance(value := weights[sex], Mapping)}
    else:
        raise FormulaError(
            f"{name} has weights under {first_few(weights)}. Give one table of bands for persons, or exactly "
            "two, female and male."
        )
    parsed = {whom: _one(f"{name} ({whom})", bands) for whom, bands in parts.items()}
    first, *others = parsed.values()
    if any((other.first_ages, other.until) != (first.first_ages, first.until) for other in others):
        raise FormulaError(f"{name} has other bands of age for women than for men. Use the same for both.")
    weight = {whom: bands.weight[PERSONS] for whom, bands in parsed.items()}
    if not any(value > 0 for values in weight.values() for value in values):
        raise FormulaError(f"All weights of {name} are 0: nobody would have need.")
    return Bands(first.first_ages, first.until, weight)


def parse_factors(name: str, factors: Mapping[str, object]) -> dict[str, float]:
    """Factors as positive numbers; FormulaError for others."""
    numbers = {key: number(value) for key, value in factors.items()}
    wrong = [key for key, value in numbers.items() if not value > 0]
    if wrong:
        raise FormulaError(
            f"{name} has {len(wrong)} factors that are no positive numbers: {first_few(wrong)}. A factor of "
            "1.05 stands for 5 % more with each unit of the score."
        )
    return numbers


def _one(name: str, weights: Mapping[str, object]) -> Bands:
    numbers = {band: number(value) for band, value in weights.items()}
    wrong = [band for band, value in numbers.items() if not value >= 0]
    if wrong:
        raise FormulaError(
            f"{name} has {len(wrong)} weights that are negative or no numbers, in the bands "
            f"{first_few(wrong)}. A weight is a number from 0."
        )
    bands = sorted((*_ages(name, band), band) for band in weights)
    for (_, end, before), (start, _, after) in pairwise(bands):
        if start <= end:
            raise FormulaError(f"{name}: the bands {before} and {after} overlap. Bands include both ends.")
        if start > end + 1:
            raise FormulaError(
                f"{name}: no weight for {end + 1} to {start - 1} years, between {before} and {after}. "
                "Give that band a weight, 0 if it has no need."
            )
    last = bands[-1][1]
    return Bands(
        first_ages=tuple(start for start, _, _ in bands),
        until=None if last > _OLDEST else last + 1,
        weight={PERSONS: tuple(numbers[band] for _, _, band in bands)},
    )


def _ages(name: str, band: str) -> tuple[int, int]:
    """First and last age of a band; beyond the oldest if it is open."""
    match = _BAND.fullmatch(str(band))
    if match:
        first = int(match[1])
        last = _OLDEST + 1 if match[2] else int(match[3] or first)
        if first <= last and first <= _OLDEST and (match[2] or last <= _OLDEST):
            return first, last
    raise FormulaError(f"{name}: {band!r} is no band of age. Write 0-4, 85+ or, for a single year, 18.")


def number(value: object) -> float:
    """A finite number, or NaN for whatever else was written."""
    # TOML's true is a number to Python, and no weight.
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    number = float(value)
    return number if math.isfinite(number) else math.nan


__all__ = [
    "Bands",
    "Written",
    "check_keys",
    "number",
    "open_toml",
    "parse_bands",
    "parse_factors",
    "read_toml",
]
