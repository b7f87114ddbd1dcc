"""A need formula as somebody writes it down: a table of coefficients in TOML, everything checked.

    name = "our-trust-2025"
    source = "Fitted on linked rows of 2024/25 by our analysts"
    scale = "ratio"                      # or "log": what the numbers are
    family = "zip"                       # poisson, nb, zip, zinb, hurdle or hurdle-nb

    [count]                              # rate ratios of contacts a year
    Intercept = 4.2
    age = 1.31
    "age:imd_score" = 0.98
    "ethnicity=asian" = 0.91
    [zero]                               # odds ratios of never using (in a hurdle: of any use)
    Intercept = 31.0
    age = 0.52
    [centring]                           # mean and SD that a column was standardised by
    age = [47.1, 18.6]
    [supply]                             # the supply that need is predicted at
    district_nurses_per_10000 = 4.17
    [levels]                             # of a column of words; the reference group is one of them
    ethnicity = ["white", "asian", "black", "other"]

Optional besides: title, ages = [18, 110], log_theta, cap = 365, unmet_need = ["ethnicity"].
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from needsalloc.ages import ADULT
from needsalloc.assumptions import Assumption
from needsalloc.errors import FormulaError, first_few
from needsalloc.formulas.tables import check_keys, number, open_toml
from needsalloc.kernels.families import COUNT, FAMILIES, LOG_THETA, ZERO
from needsalloc.predictors import INTERCEPT, columns

SCALES = ("log", "ratio")
_TABLES = (COUNT, ZERO, "centring", "supply", "levels")
_NEEDED = ("name", "source", "scale", "family", COUNT)
_KEYS = (*_NEEDED, "title", "ages", LOG_THETA, "cap", "unmet_need", ZERO, "centring", "supply", "levels")


def read(path: str | Path) -> dict[str, Any]:
    """What the file says, as the fields of `NeedFormula`.

    Raises InputFileError if there is no such file or it is no TOML; FormulaError for keys that are unknown or
    missing, numbers that are none, and parts or columns that do not go together.
    """
    path = Path(path)
    found = open_toml(path)
    name = path.name
    check_keys(name, found, _KEYS, _NEEDED, "A coefficient belongs under [count] or [zero].")
    wrong = [
        key
        for key in ("name", "source", "scale", "family", "title")
        if not isinstance(found.get(key, ""), str)
    ]
    wrong += [key for key in _TABLES if not isinstance(found.get(key, {}), dict)]
    if wrong:
        raise FormulaError(f"{name}: {first_few(wrong)} is of the wrong kind: a text in quotes, or a table.")
    if found["scale"] not in SCALES or found["family"] not in FAMILIES:
        raise FormulaError(
            f"{name}: scale is one of {', '.join(SCALES)}, and family one of {', '.join(FAMILIES)}; it has "
            f"{found['scale']!r} and {found['family']!r}."
        )
    family = FAMILIES[found["family"]]
    if (ZERO in family.parts) != (ZERO in found):
        raise FormulaError(
            f"{name}: a {family.name} has {'a' if ZERO in family.parts else 'no'} part [zero]. "
            "Name the family that the coefficients are of."
        )
    parts = {
        part: _coefficients(name, part, found[part], found["scale"])
        for part in (COUNT, ZERO)
        if part in found
    }
    constants = {part: terms.pop(INTERCEPT) for part, terms in parts.items()}
    used = columns([term for terms in parts.values() for term in terms])
    for table in ("centring", "supply", "levels"):
        _check_columns(name, table, found.get(table, {}), used)
    _check_columns(name, "unmet_need", found.get("unmet_need", []), used)
    return {
        "name": found["name"],
        "title": found.get("title") or found["name"],
        "count": parts[COUNT],
        "zero": parts.get(ZERO, {}),
        "constants": (constants.get(ZERO, -math.inf), constants[COUNT]),
        "calibration": found["source"],
        "centring": {column: _pair(name, column, pair) for column, pair in found.get("centring", {}).items()},
        "supply": _numbers(name, "supply", found.get("supply", {})),
        "notes": (_note(found["name"], found["source"]),),
        "citation": f"{found.get('title') or found['name']}. {found['source']}.",
        "unmet_need": tuple(map(str, found.get("unmet_need", []))),
        "levels": {column: _levels(name, column, of) for column, of in found.get("levels", {}).items()},
        "family": found["family"],
        "log_theta": _log_theta(name, found, family.parts),
        "ages": _ages(name, found.get("ages", [ADULT, math.inf])),
        "cap": _positive(name, "cap", found.get("cap", math.inf)),
    }


def _coefficients(name: str, part: str, table: Mapping[str, object], scale: str) -> dict[str, float]:
    """Coefficients on the log scale, the intercept among them."""
    values = _numbers(name, part, table)
    if INTERCEPT not in values:
        raise FormulaError(f"{name}: [{part}] has no {INTERCEPT}. Without it there is no level.")
    if scale == "log":
        return values
    if low := [term for term, value in values.items() if value <= 0]:
        raise FormulaError(
            f"{name}: {len(low)} ratios of [{part}] are not above 0: {first_few(low)}. If the numbers are "
            'logs, write scale = "log".'
        )
    return {term: math.log(value) for term, value in values.items()}


def _numbers(name: str, table: str, values: Mapping[str, object]) -> dict[str, float]:
    found = {str(key): number(value) for key, value in values.items()}
    if wrong := [key for key, value in found.items() if math.isnan(value)]:
        raise FormulaError(f"{name}: {len(wrong)} values of [{table}] are no numbers: {first_few(wrong)}.")
    return found


def _check_columns(name: str, table: str, named: object, used: list[str]) -> None:
    if not isinstance(named, dict | list):
        raise FormulaError(f"{name}: {table} is of the wrong kind: it names columns.")
    if strange := [str(column) for column in named if column not in used]:
        raise FormulaError(
            f"{name}: {table} names {len(strange)} columns that no coefficient has: {first_few(strange)}. "
            f"The coefficients have {first_few(used, 40)}."
        )


def _pair(name: str, column: str, pair: object) -> tuple[float, float]:
    """Mean and SD, the latter above 0."""
    values = [number(value) for value in pair] if isinstance(pair, list) else []
    if len(values) != 2 or any(map(math.isnan, values)) or values[1] <= 0:
        raise FormulaError(f"{name}: [centring] {column} must be [mean, SD], with an SD above 0.")
    return values[0], values[1]


def _levels(name: str, column: str, levels: object) -> tuple[str, ...]:
    if not isinstance(levels, list) or len(levels) < 2:
        raise FormulaError(f"{name}: [levels] {column} must list two levels or more.")
    return tuple(map(str, levels))


def _ages(name: str, ages: object) -> tuple[float, float]:
    values = (
        [float(age) if age == math.inf else number(age) for age in ages] if isinstance(ages, list) else []
    )
    if len(values) != 2 or not 0 <= values[0] < values[1]:
        raise FormulaError(f"{name}: ages must be [first, last], in years.")
    return values[0], values[1]


def _positive(name: str, key: str, value: object) -> float:
    found = math.inf if value == math.inf else number(value)
    if not found > 0:
        raise FormulaError(f"{name}: {key} must be a number above 0.")
    return found


def _log_theta(name: str, found: Mapping[str, object], parts: tuple[str, ...]) -> float | None:
    if (LOG_THETA in parts) != (LOG_THETA in found):
        raise FormulaError(
            f"{name}: {LOG_THETA} is needed by nb, zinb and hurdle-nb, and by no other family."
        )
    return _numbers(name, LOG_THETA, {LOG_THETA: found[LOG_THETA]})[LOG_THETA] if LOG_THETA in found else None


def _note(name: str, source: str) -> Assumption:
    return Assumption("The formula is the planner's own table of coefficients", source, "choice", name)


__all__ = ["read"]
