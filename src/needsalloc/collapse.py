"""Person rows on any engine become cells: one for each distinct set of predictors, with what a fit needs.

Persons with the same predictors share their linear predictor, so that the exact log-likelihood of a Poisson,
a zero-inflated or a hurdle Poisson, its score and its squared scores depend on them only through

    zeros, positives, sum y, sum y^2, sum log y!

of each cell. A negative binomial needs the histogram of all counts as well, and for robust errors that within
each cell (`keep_counts`).
The engine that holds the rows does the grouping; only cells come back.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.engines import Columns, frame_of, kind_of, log_factorial, number, schema_of, summed
from needsalloc.errors import InvalidValueError, MissingColumnError, OutputError, first_few

if TYPE_CHECKING:
    import narwhals as nw

Floats = NDArray[np.float64]

POOR_COMPRESSION = 5.0
_STATISTICS = ("people", "positives", "total", "total_squares", "log_factorials")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Cells:
    """Persons by distinct predictors, sorted by them. Confidential: a cell may be one person.

    Held in memory alone: a cell is not pickled and not printed.

    Attributes
    ----------
    keys:
        (cells, columns) the distinct values, in the order asked for. Flags are 0 and 1, text is categorical.
    zeros, positives:
        (cells,) people (weights summed) whose count is 0, and above 0.
    total, total_squares, log_factorials:
        (cells,) weighted sums of y, y^2 and log Gamma(y + 1).
    exposure:
        (cells,) the exposure, part of the key, or None.
    cluster:
        (cells,) the cluster's label, part of the key, or None.
    counts:
        The histogram of y: `cell` (position in `keys`), `y`, `people`, sorted by both; None unless asked for.
    histogram:
        All people by count: `y`, rising, and `people`. With a constant dispersion the negative binomials need
        no more than this. None if a count is no whole number.
    rows:
        Rows collapsed.
    fractional:
        Rows whose count is no whole number: for a quasi-likelihood, not for a count family.
    """

    keys: pd.DataFrame
    zeros: Floats
    positives: Floats
    total: Floats
    total_squares: Floats
    log_factorials: Floats
    exposure: Floats | None
    cluster: pd.Series | None
    counts: pd.DataFrame | None
    histogram: pd.DataFrame | None
    rows: int
    fractional: int

    @property
    def people(self) -> Floats:
        """(cells,) people: rows, or their weights summed."""
        return self.zeros + self.positives

    @property
    def alone(self) -> int:
        """How many people are alone in their cell."""
        return int((self.people <= 1).sum())

    @property
    def compression(self) -> float:
        """People per cell."""
        return float(self.people.sum() / len(self))

    @property
    def distinct(self) -> pd.Series:
        """How many values each predictor takes, the most first."""
        return self.keys.nunique().sort_values(ascending=False, kind="stable").rename("distinct values")

    def __len__(self) -> int:
        return len(self.keys)

    def __repr__(self) -> str:
        return (
            f"<Cells: {self.people.sum():,.0f} people in {len(self):,} cells of {self.keys.shape[1]:,} "
            f"predictors, {self.compression:,.1f} to a cell, {self.alone:,} alone in theirs; confidential>"
        )

    def __reduce__(self) -> NoReturn:
        raise OutputError(
            f"{len(self):,} cells hold {self.alone:,} people alone in theirs: cells are confidential and are "
            "neither pickled nor copied. Keep the fit, which holds none, or collapse again."
        )


def collapse(
    rows: Any,
    columns: Sequence[str],
    *,
    count: str,
    weight: str | None = None,
    exposure: str | None = None,
    cluster: str | None = None,
    bands: Mapping[str, Sequence[float]] | None = None,
    keep_counts: bool = False,
) -> Cells:
    """Group persons by `columns` on the engine that holds them, and bring back only the cells.

    rows: a pandas or Polars frame (lazy too), a PyArrow table, a DuckDB relation, an ibis table, a PySpark
        DataFrame, or the path of a Parquet file or folder, which DuckDB then reads.
    count: contacts, weighted contacts or minutes of each person, not negative.
    weight: how many persons a row stands for, more than 0.
    exposure, cluster: columns that join the key.
    bands: column -> lower edges of its bands, rising, the last band open above. A band stands for the mean of
        its people, so that the mean over all people is kept. Nothing is banded unless asked for.
    keep_counts: keep the histogram of the count within each cell, as robust errors of a negative
        binomial need it.

    Raises MissingColumnError if a column is not there; InvalidValueError for missing or infinite values,
    counts below 0, weights or exposures not above 0, values below the first band, and columns that are
    neither numbers, flags nor text; InputFileError for a path without Parquet.

    >>> rows = pd.DataFrame({"age": [70, 70, 81], "contacts": [0, 3, 2]})
    >>> collapse(rows, ["age"], count="contacts").total.tolist()
    [3.0, 2.0]
    """
    design = _Design(tuple(dict.fromkeys(columns)), count, weight, exposure, cluster, dict(bands or {}))
    frame = frame_of(rows)
    kinds = _kinds(frame, design)
    found = _refuse(frame, design, kinds, whole_counts=keep_counts)
    table = _grouped(frame, design, kinds, keep_counts=keep_counts)
    histogram = None if found["fractional"] else _histogram(frame, design)
    cells = _cells(table, design, histogram, keep_counts=keep_counts, **found)
    if len(cells) > 1 and cells.compression < POOR_COMPRESSION:
        finest = ", ".join(f"{name} ({values:,})" for name, values in cells.distinct.head(3).items())
        warnings.warn(
            f"{cells!r}: a fit is little faster than on persons. Most values: {finest}. Band "
            "them with `bands` if the exact values do not matter.",
            stacklevel=2,
        )
    return cells


@dataclass(frozen=True, slots=True)
class _Design:
    """What is grouped by and what is summed, by the names of the user's columns."""

    columns: tuple[str, ...]
    count: str
    weight: str | None
    exposure: str | None
    cluster: str | None
    bands: dict[str, Sequence[float]]

    def __post_init__(self) -> None:
        if self.count in self.keys:
            raise InvalidValueError(f"{self.count!r} is the count: it cannot be among its own predictors.")
        if unknown := [name for name in self.bands if name not in self.columns]:
            raise MissingColumnError(
                f"{len(unknown):,} columns to be banded are no predictors: {first_few(unknown)}. "
                f"The predictors are {first_few(self.columns, 30)}."
            )
        for name, edges in self.bands.items():
            if not len(edges) or not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
                raise InvalidValueError(
                    f"The bands of {name!r} start at {first_few(edges)}: give their lower edges, rising."
                )

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns grouped by: predictors, exposure, cluster, each once."""
        extra = [name for name in (self.exposure, self.cluster) if name is not None]
        return tuple(dict.fromkeys([*self.columns, *extra]))

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns that have to be numbers."""
        named = (self.count, self.weight, self.exposure, *self.bands)
        return tuple(dict.fromkeys(name for name in named if name is not None))


def _kinds(frame: nw.LazyFrame[Any], design: _Design) -> dict[str, str]:
    """Of each column used: "whole", "float", "flag" or "text"."""
    used = dict.fromkeys([*design.keys, design.count, *([design.weight] if design.weight else [])])
    schema = schema_of(frame, list(used))
    kinds = {name: kind_of(schema[name]) for name in schema}
    if odd := [f"{name} ({schema[name]})" for name, kind in kinds.items() if kind == "other"]:
        raise InvalidValueError(
            f"{len(odd):,} columns are neither numbers, flags nor text: {first_few(odd)}. Turn them "
            "into one of these first, a date into an age, say."
        )
    if text := [name for name in design.numbers if kinds[name] == "text"]:
        raise InvalidValueError(f"{len(text):,} columns are text and must be numbers: {first_few(text)}.")
    return kinds


def _refuse(
    frame: nw.LazyFrame[Any], design: _Design, kinds: dict[str, str], *, whole_counts: bool
) -> dict[str, int]:
    """Rows and fractional counts, once one pass over the rows has found nothing that cannot be fitted."""
    import narwhals as nw

    y = number(design.count)
    faults: dict[str, nw.Expr] = {}
    for name, kind in kinds.items():
        value = nw.col(name)
        faults[f"{name} is missing"] = (
            value.is_null() | value.is_nan() if kind == "float" else value.is_null()
        )
        if kind == "float":
            faults[f"{name} is infinite"] = ~value.is_finite() & ~value.is_nan()
    for name, edges in design.bands.items():
        faults[f"{name} is below its first band ({edges[0]:g})"] = number(name) < float(edges[0])
    faults[f"{design.count} is negative"] = y < 0
    for above in (design.weight, design.exposure):
        if above is not None:
            faults[f"{above} is not above 0"] = number(above) <= 0
    fractional = (y != y.round(0)) & ~y.is_null() & ~y.is_nan()
    sums = {f"fault_{i}": fault for i, fault in enumerate([*faults.values(), fractional])}
    counted = frame.select(
        nw.len().alias("rows"), *(fault.cast(nw.Int64).sum().alias(name) for name, fault in sums.items())
    )
    found = counted.collect("pyarrow").to_native().to_pylist()[0]
    rows, numbers = int(found["rows"]), [int(found[name] or 0) for name in sums]
    if not rows:
        raise InvalidValueError("The rows are empty: there is nobody to collapse.")
    if whole_counts:
        faults[f"{design.count} is no whole number"] = fractional
    if wrong := [f"{what} in {n:,}" for what, n in zip(faults, numbers, strict=False) if n]:
        raise InvalidValueError(
            f"Of {rows:,} rows {first_few(wrong, 12)}. Correct these rows or leave them out, by a rule "
            "that you can name: nothing is filled here."
        )
    return {"rows": rows, "fractional": numbers[-1]}


def _grouped(
    frame: nw.LazyFrame[Any], design: _Design, kinds: dict[str, str], *, keep_counts: bool
) -> Columns:
    """The cells as the engine sums them, sorted by key; a row for each count within a cell if they are kept.

    Columns have names of ours, since an engine may stumble over a user's (a dot, capitals).
    """
    import narwhals as nw

    keys = {f"key_{i}": _key(name, kinds[name], design.bands.get(name)) for i, name in enumerate(design.keys)}
    if keep_counts:
        keys["y"] = number(design.count)
    keys = keys or {"key": nw.lit(0)}  # a mean alone has one cell
    y, weight = number(design.count), _weight(design)
    sums = {
        "people": weight,
        "positives": nw.when(y > 0).then(weight).otherwise(0.0),
        "total": weight * y,
        "total_squares": weight * y * y,
        "log_factorials": weight * log_factorial(y),
    }
    sums |= {f"sum_{name}": weight * number(name) for name in design.bands}
    return summed(frame, keys, sums)


def _histogram(frame: nw.LazyFrame[Any], design: _Design) -> pd.DataFrame:
    """All people by count."""
    people = summed(frame, {"y": number(design.count)}, {"people": _weight(design)})
    return pd.DataFrame(people)


def _weight(design: _Design) -> nw.Expr:
    import narwhals as nw

    return nw.lit(1.0) if design.weight is None else number(design.weight)


def _key(name: str, kind: str, edges: Sequence[float] | None) -> nw.Expr:
    import narwhals as nw

    if edges is not None:
        value = number(name)
        return sum(((value >= float(edge)).cast(nw.Int64) for edge in edges[1:]), start=nw.lit(0))
    if kind == "float":
        return number(name) + 0.0  # -0.0 and 0.0 are one value, though not to every engine
    return nw.col(name).cast(nw.String if kind == "text" else nw.Int64) if kind != "whole" else nw.col(name)


def _cells(
    table: Columns,
    design: _Design,
    histogram: pd.DataFrame | None,
    *,
    keep_counts: bool,
    rows: int,
    fractional: int,
) -> Cells:
    keys: Columns = {name: table.pop(f"key_{i}") for i, name in enumerate(design.keys)}
    sums = {name: table.pop(name) for name in (*_STATISTICS, *(f"sum_{name}" for name in design.bands))}
    counts = None
    if keep_counts:
        first = _first_of_each(keys.values(), len(sums["people"]))
        counts = pd.DataFrame({"cell": np.cumsum(first) - 1, "y": table["y"], "people": sums["people"]})
        start = np.flatnonzero(first)
        sums = {name: np.add.reduceat(values, start) for name, values in sums.items()}
        keys = {name: values[start] for name, values in keys.items()}
    for name in design.bands:
        keys[name] = _band_means(keys[name], sums["people"], sums.pop(f"sum_{name}"))
    people = sums.pop("people")
    index = pd.RangeIndex(len(people))
    return Cells(
        keys=pd.DataFrame({name: keys[name] for name in design.columns}, index=index),
        zeros=people - sums["positives"],
        exposure=None if design.exposure is None else np.asarray(keys[design.exposure], np.float64),
        cluster=None
        if design.cluster is None
        else pd.Series(keys[design.cluster], index, name=design.cluster),
        counts=counts,
        histogram=histogram,
        rows=rows,
        fractional=fractional,
        **sums,
    )


def _first_of_each(keys: Any, length: int) -> NDArray[np.bool_]:
    """(rows,) whether a row of sorted keys differs from the one before."""
    first = np.zeros(length, np.bool_)
    first[0] = True
    for key in keys:
        codes = key.codes if isinstance(key, pd.Categorical) else key
        first[1:] |= codes[1:] != codes[:-1]
    return first


def _band_means(band: NDArray[np.int64], people: Floats, total: Floats) -> Floats:
    """(cells,) the mean of all people in the cell's band."""
    mean = np.bincount(band, total) / np.maximum(np.bincount(band, people), np.finfo(np.float64).tiny)
    return np.asarray(mean[band])


__all__ = ["Cells", "collapse"]
