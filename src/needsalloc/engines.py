"""Rows where they live: opened on any engine, asked for sums, and only the sums brought back.

The engine is the one that holds the rows; narwhals says the same thing to each of them.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from needsalloc.errors import InputFileError, InvalidValueError, MissingColumnError, first_few

if TYPE_CHECKING:
    import narwhals as nw
    import pyarrow as pa

Columns = dict[str, Any]
"""Arrays by name: numpy, or a pandas Categorical for text."""

# Stirling's series in 1/z, z^-3, ...: from z = 10 on its error is below 1e-15.
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360_360)
_SHIFT = 7


def frame_of(rows: Any) -> nw.LazyFrame[Any]:
    """The rows as narwhals sees them; nothing is computed yet.

    rows: a frame of any engine, or the path of a Parquet file or folder.

    Raises InvalidValueError for anything else, InputFileError for a path without Parquet.
    """
    import narwhals as nw

    if isinstance(rows, (str, Path)):
        rows = _parquet(Path(rows))
    try:
        return nw.from_native(rows).lazy()
    except TypeError as fault:
        raise InvalidValueError(
            f"Rows are a {type(rows).__name__}: give a pandas or Polars frame, a PyArrow table, a DuckDB "
            "relation, an ibis table, a PySpark DataFrame or the path of Parquet files."
        ) from fault


def _parquet(path: Path) -> Any:
    files = path / "**" / "*.parquet" if path.is_dir() else path
    try:
        import duckdb
    except ImportError as fault:
        raise InvalidValueError(
            f"{path} is read by DuckDB, which is not installed. Install needsalloc[engines], or give a frame "
            "such as polars.scan_parquet(path)."
        ) from fault
    try:
        # What does not fit into memory goes to the system's place for it, not into the working folder.
        base = duckdb.connect(config={"temp_directory": tempfile.gettempdir()})
        return base.read_parquet(str(files))
    except duckdb.Error as fault:
        raise InputFileError(f"{path} is no Parquet file or folder of them: {fault}") from fault


def schema_of(frame: nw.LazyFrame[Any], wanted: Sequence[str]) -> dict[str, nw.dtypes.DType]:
    """The types of the columns wanted.

    Raises MissingColumnError if one is not there, InvalidValueError for a name that Spark takes for another.
    """
    schema = frame.collect_schema()
    if lacking := [name for name in wanted if name not in schema]:
        raise MissingColumnError(
            f"{len(lacking):,} columns are not in the rows: {first_few(lacking)}. They have "
            f"{first_few(schema, 30)}."
        )
    dotted = [name for name in wanted if "." in name]
    if dotted and frame.implementation.is_spark_like():
        raise InvalidValueError(
            f"{len(dotted):,} columns have a dot in their name, which Spark takes for a part of a column: "
            f"{first_few(dotted)}. Rename them."
        )
    return {name: schema[name] for name in wanted}


def kind_of(dtype: nw.dtypes.DType) -> str:
    """ "whole", "float" (decimals too), "flag", "text" or "other"."""
    import narwhals as nw

    if dtype.is_integer():
        return "whole"
    if dtype.is_numeric():
        return "float"
    if dtype == nw.Boolean:
        return "flag"
    return "text" if dtype in (nw.String, nw.Categorical, nw.Enum) else "other"


def number(name: str) -> nw.Expr:
    """A column as the engine's 64-bit float, in which whole sums are exact up to 2^53."""
    import narwhals as nw

    return nw.col(name).cast(nw.Float64)


def text(name: str) -> nw.Expr:
    """A column as text, a gap still a gap: older pandas would write it out."""
    import narwhals as nw

    column = nw.col(name)
    return nw.when(~column.is_null()).then(column.cast(nw.String))


def log_factorial(y: nw.Expr) -> nw.Expr:
    """log Gamma(y + 1) for y >= 0 by what every engine can do: Stirling's series at y + 8, stepped back."""
    import narwhals as nw

    z = y + float(1 + _SHIFT)
    series = sum((c / z ** (2 * k + 1) for k, c in enumerate(_STIRLING)), start=nw.lit(0.0))
    steps = math.prod((y + float(k) for k in range(1, 1 + _SHIFT)), start=nw.lit(1.0))
    value = (z - 0.5) * z.log() - z + 0.5 * math.log(2 * math.pi) + series - steps.log()
    return nw.when(y == 0).then(0.0).otherwise(value)  # spares most rows their logarithms


def summed(frame: nw.LazyFrame[Any], keys: Mapping[str, nw.Expr], sums: Mapping[str, nw.Expr]) -> Columns:
    """The sums by key, sorted by it: each key and each sum (distinct keys,).

    Whole keys are in as few bytes as they need, text is categorical, sums are 64-bit floats.
    """
    import narwhals as nw

    by_key = frame.select(**keys, **sums).group_by(*keys).agg(*(nw.col(name).sum() for name in sums))
    table = by_key.sort(*keys).collect("pyarrow").to_native().select([*keys, *sums])
    found: Columns = {}
    for name in keys:
        if not _is_number(table.schema.field(name).type):
            found[name] = _categorical(table[name])
            table = table.drop_columns(name)
    found |= {name: np.empty(len(table), _least(table[name])) for name in table.column_names}
    # A batch is let go once it is copied, so that the sums are not in memory twice.
    batches = table.to_batches()
    stop = len(table)
    del table
    while batches:
        batch = batches.pop()
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            found[name][stop - len(batch) : stop] = column.to_numpy(zero_copy_only=False)
        stop -= len(batch)
    return found


def people_by(rows: Any, columns: Sequence[str]) -> pd.DataFrame:
    """How many persons (rows of any engine) have each distinct set of values.

    Returns the columns as text, gaps left, and `people`. Raises MissingColumnError.
    """
    import narwhals as nw

    frame = frame_of(rows)
    schema_of(frame, columns)
    keys = {f"key_{i}": text(name) for i, name in enumerate(columns)}
    found = summed(frame, keys, {"people": nw.lit(1.0)})
    named = {name: found[key] for name, key in zip(columns, keys, strict=True)}
    return pd.DataFrame(named | {"people": found["people"]})


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _categorical(column: pa.ChunkedArray) -> pd.Categorical:
    """Text in codes, its labels sorted; gaps are left."""
    import pyarrow as pa

    coded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    labels = coded.dictionary.to_numpy(zero_copy_only=False)
    order = np.argsort(labels)
    rank = np.full(len(order) + 1, -1)
    rank[order] = np.arange(len(order))
    return pd.Categorical.from_codes(rank[coded.indices.fill_null(-1).to_numpy()], pd.Index(labels[order]))


def _least(column: pa.ChunkedArray) -> np.dtype[Any]:
    """The smallest type that holds a column: signed integers, or 64-bit floats."""
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_floating(column.type):
        return np.dtype(np.float64)
    ends = compute.min_max(column).as_py()
    return np.result_type(*(np.min_scalar_type(-1 - abs(end)) for end in ends.values()))


__all__ = [
    "Columns",
    "frame_of",
    "kind_of",
    "log_factorial",
    "number",
    "people_by",
    "schema_of",
    "summed",
    "text",
]
