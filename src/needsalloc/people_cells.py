"""Persons by what their need depends on and the place that it is added up for: no row leaves its engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from needsalloc import predictors
from needsalloc.collapse import Cells
from needsalloc.engines import frame_of, kind_of, number, schema_of, summed, text
from needsalloc.errors import FormulaError, InvalidValueError, MissingColumnError, first_few
from needsalloc.linkage import NOT_RECORDED
from needsalloc.need import NeedFormula, Supply, Unknown, Utilisation

if TYPE_CHECKING:
    import narwhals as nw

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROWS_AT_ONCE = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class PeopleCells:
    """Distinct predictors, and how many people of each place have them. Confidential: it may be one person.

    keys: (cells, columns) predictors, no two alike. people: sparse (cells, places). places: the labels;
    "not recorded" comes last if somebody has none.
    """

    keys: pd.DataFrame
    people: sparse.csr_array
    places: pd.Index

    @classmethod
    def of(cls, keys: pd.DataFrame, people: Floats, place: Ints, places: pd.Index) -> PeopleCells:
        """From predictors that may come again with other places: keys (rows, columns), the rest (rows,)."""
        cell, first = _distinct(keys)
        matrix = sparse.csr_array((people, (cell, place)), shape=(len(first), len(places)))
        return cls(keys.iloc[first].reset_index(drop=True), matrix, places)

    def total(self, values: Floats | float = 1.0) -> Floats:
        """(places,) sums over people of a value of each cell (cells,)."""
        return np.asarray(np.broadcast_to(values, len(self.keys)) @ self.people, dtype=np.float64)

    def need(
        self, formula: NeedFormula, *, supply: Supply = "mean", utilisation: Utilisation = "as fitted"
    ) -> Floats:
        """(cells,) expected contacts of a person, as `NeedFormula.predict` has them."""
        found = np.empty(len(self.keys))
        for start in range(0, len(found), ROWS_AT_ONCE):
            here = slice(start, start + ROWS_AT_ONCE)
            found[here] = formula.predict(self.keys.iloc[here], supply=supply, utilisation=utilisation)
        return found


def people_cells(
    rows: Any,
    formula: NeedFormula,
    *,
    by: str,
    weight: str | None = None,
    observed: bool = False,
    utilisation: Utilisation = "as fitted",
    unknown: Unknown = "refuse",
) -> PeopleCells:
    """Group persons by the columns that need depends on and by `by`.

    rows: persons on any engine (as for `collapse`), or Cells with `by` among their columns or as cluster.
    observed: whether use as it is will be asked for as well, so that supply and unmet need are kept.
    utilisation, unknown: as for `NeedFormula.predict`. With "held", services used need no column.

    Raises FormulaError for an unknown word, MissingColumnError for a column that is not there,
    InvalidValueError for gaps that no rule closes, infinite values, weights that are not above 0, and nobody.
    """
    for word, known in ((utilisation, ("as fitted", "held")), (unknown, ("refuse", "reference"))):
        if word not in known:
            raise FormulaError(f"Unknown word {word!r}: choose {' or '.join(known)}.")
    columns = _columns(formula, observed, utilisation)
    if isinstance(rows, Cells):
        if weight is not None:
            raise FormulaError("Cells have their weight already: name it in collapse(…).")
        return _of_cells(rows, columns, by)
    return _of_rows(rows, formula, columns, by, weight, unknown)


def _columns(formula: NeedFormula, observed: bool, utilisation: Utilisation) -> list[str]:
    asked = formula if observed else formula.at_need()
    found = predictors.columns([*asked.count, *asked.zero])
    held = [name for name in found if name in formula.utilisation] if utilisation == "held" else []
    kept = [name for name in found if name not in held]
    kept += [name for service in held for name in predictors.columns(formula.utilisation[service])]
    if formula.steps is not None:
        kept += ["age", "female"]
    return list(dict.fromkeys(kept))


def _of_cells(cells: Cells, columns: Sequence[str], by: str) -> PeopleCells:
    if by in cells.keys:
        label = cells.keys[by]
    elif cells.cluster is not None and cells.cluster.name == by:
        label = cells.cluster
    else:
        raise MissingColumnError(
            f"The cells do not have {by!r}: collapse(…, cluster={by!r}), or add it to the columns."
        )
    if lacking := [name for name in columns if name not in cells.keys]:
        raise MissingColumnError(
            f"{len(lacking):,} columns of the formula are not among the predictors of these cells: "
            f"{first_few(lacking)}."
        )
    place, places = pd.factorize(label, sort=True)
    return PeopleCells.of(cells.keys[columns], cells.people, place.astype(np.int64), _labels(places, by))


def _of_rows(
    rows: Any,
    formula: NeedFormula,
    columns: Sequence[str],
    by: str,
    weight: str | None,
    unknown: Unknown,
) -> PeopleCells:
    import narwhals as nw

    frame = frame_of(rows)
    schema = schema_of(frame, list(dict.fromkeys([*columns, by, *([weight] if weight else [])])))
    kinds = {name: kind_of(dtype) for name, dtype in schema.items()}
    filled = {
        name: formula._reference(name)
        for name in columns
        if unknown == "reference" and name in formula.unmet_need
    }
    _refuse(frame, columns, kinds, filled, weight)
    keys = {f"key_{i}": _key(name, kinds[name], filled) for i, name in enumerate(columns)}
    people = nw.lit(1.0) if weight is None else number(weight)
    found = summed(frame, {**keys, "place": text(by)}, {"people": people})
    label = found["place"]
    missing = label.codes < 0
    places = _labels(label.categories, by)
    if missing.any():
        places = places.append(pd.Index([NOT_RECORDED], name=by))
    place = np.where(missing, len(label.categories), label.codes).astype(np.int64)
    named = pd.DataFrame({name: found[f"key_{i}"] for i, name in enumerate(columns)}, index=range(len(place)))
    return PeopleCells.of(named, np.asarray(found["people"], np.float64), place, places)


def _distinct(keys: pd.DataFrame) -> tuple[Ints, Ints]:
    """The position of each row (rows,) among distinct rows, and where each of these comes first."""
    cell = np.zeros(len(keys), dtype=np.int64)
    for _, column in keys.items():
        code, values = pd.factorize(column)
        cell = pd.factorize(cell * len(values) + code)[0].astype(np.int64)
    return cell, np.unique(cell, return_index=True)[1].astype(np.int64)


def _labels(found: pd.Index, by: str) -> pd.Index:
    return pd.Index(found.astype("str"), name=by)


def _refuse(
    frame: nw.LazyFrame[Any],
    columns: Sequence[str],
    kinds: Mapping[str, str],
    filled: Mapping[str, object],
    weight: str | None,
) -> None:
    """Refuse gaps and values that nobody has, in one pass over the rows."""
    import narwhals as nw

    faults: dict[str, nw.Expr] = {}
    for name in dict.fromkeys([*columns, *([weight] if weight else [])]):
        if name not in filled:
            faults[f"{name} is missing"] = _missing(name, kinds[name])
        if kinds[name] == "float":
            value = nw.col(name)
            faults[f"{name} is infinite"] = ~value.is_finite() & ~value.is_nan()
        if kinds[name] == "other":
            raise InvalidValueError(f"{name} is neither a number, a flag nor text. Turn it into one first.")
    if weight is not None:
        faults[f"{weight} is not above 0"] = number(weight) <= 0
    sums = {f"fault_{i}": fault.cast(nw.Int64).sum() for i, fault in enumerate(faults.values())}
    counted = frame.select(nw.len().alias("rows"), *(one.alias(name) for name, one in sums.items()))
    found = counted.collect("pyarrow").to_native().to_pylist()[0]
    if not found["rows"]:
        raise InvalidValueError("The rows are empty: there is nobody whose need could be added up.")
    numbers = [int(found[name] or 0) for name in sums]
    if wrong := [f"{what} in {n:,}" for what, n in zip(faults, numbers, strict=True) if n]:
        raise InvalidValueError(
            f"Of {found['rows']:,} rows {first_few(wrong, 12)}. Leave these people out, or fill them, by a "
            'rule that you can name; unknown="reference" is one for columns of unmet need.'
        )


def _missing(name: str, kind: str) -> nw.Expr:
    import narwhals as nw

    value = nw.col(name)
    return value.is_null() | value.is_nan() if kind == "float" else value.is_null()


def _key(name: str, kind: str, filled: Mapping[str, object]) -> nw.Expr:
    import narwhals as nw

    as_type = nw.Float64() if kind == "float" else nw.String() if kind == "text" else nw.Int64()
    value = nw.col(name).cast(as_type)
    if name in filled:
        given: Any = filled[name]
        value = nw.when(_missing(name, kind)).then(nw.lit(given).cast(as_type)).otherwise(value)
    return value + 0.0 if kind == "float" else value  # -0.0 and 0.0 are one value, though not to every engine


__all__ = ["PeopleCells", "people_cells"]
