"""The same persons on every engine make the same cells: to the last digit where sums are whole."""

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import ibis
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from needsalloc.collapse import Cells, collapse
from needsalloc.errors import InvalidValueError, MissingColumnError
from needsalloc.linkage import linkage_coverage

PEOPLE = 30_000
KEY = ["age", "score", "frail", "home", "area"]
DESIGN = {
    "count": "contacts",
    "weight": "weight",
    "exposure": "days",
    "cluster": "practice",
    "bands": {"age": [18, 40, 65, 80]},
}


def persons() -> pa.Table:
    """Types that engines treat in their own ways: two zeros, a float of 32 bits, capitals, accents, flags."""
    rng = np.random.default_rng(1)
    return pa.table(
        {
            "age": pa.array(rng.integers(18, 99, PEOPLE), pa.int16()),
            "score": pa.array(rng.choice([-0.0, 0.0, 0.1, 7.25], PEOPLE), pa.float32()),
            "frail": pa.array(rng.random(PEOPLE) < 0.2),
            "home": pa.array(rng.choice(["Zoë's", "alone", "élan", "Care home", ""], PEOPLE)),
            "area": pa.array(rng.integers(0, 3, PEOPLE) + 2**40),
            "practice": pa.array(rng.choice(["A81001", "Y00001"], PEOPLE)).dictionary_encode(),
            "lsoa21": pa.array(rng.choice(["E01000001", "E01000002"], PEOPLE)),
            "days": pa.array(rng.choice([182.5, 365.0], PEOPLE)),
            "weight": pa.array(rng.integers(1, 4, PEOPLE), pa.uint8()),
            "contacts": pa.array(rng.poisson(4.0, PEOPLE) * (rng.random(PEOPLE) < 0.3), pa.int32()),
        }
    )


def spoilt() -> pa.Table:
    """The same with a gap, NaN, infinities and a negative count."""
    rows = persons()
    faults = {
        "score": pa.array([None, np.nan, np.inf, -np.inf, *[0.5] * (PEOPLE - 4)], pa.float64()),
        "home": pa.array([None, None, *["alone"] * (PEOPLE - 2)]),
        "contacts": pa.array([-1, None, *[0.5] * 3, *[2.0] * (PEOPLE - 5)], pa.float64()),
    }
    for name, column in faults.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    return rows


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The two tables as folders of four Parquet files."""
    base = tmp_path_factory.mktemp("persons")
    for name, rows in (("good", persons()), ("spoilt", spoilt())):
        (base / name).mkdir()
        for k in range(4):
            part = rows.slice(k * PEOPLE // 4, PEOPLE // 4)
            parquet.write_table(part, base / name / f"part-{k}.parquet")
    return {name: base / name for name in ("good", "spoilt")}


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """A Spark session of two workers, each a process of its own: rows are shuffled between them.

    Without Java it fails CI and skips elsewhere.
    """
    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        reason = "no Java: Spark needs a Java runtime of version 17 on the path or in JAVA_HOME"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    import pyspark
    from pyspark.sql import SparkSession

    settings = {
        "spark.executor.memory": "512m",
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",  # begin with both workers
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
        "spark.sql.shuffle.partitions": "4",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }
    session = SparkSession.builder.master("local-cluster[2,1,512]").config(map=settings).getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    scratch = Path(pyspark.__file__).parent / "work" / session.sparkContext.applicationId
    session.stop()
    shutil.rmtree(scratch, ignore_errors=True)


ENGINES: dict[str, Callable[[Path], Any]] = {
    "pandas": pd.read_parquet,
    "pandas, pyarrow types": lambda folder: pd.read_parquet(folder, dtype_backend="pyarrow"),
    "polars": lambda folder: pl.read_parquet(folder),
    "polars, lazy": lambda folder: pl.scan_parquet(folder),
    "pyarrow": lambda folder: parquet.read_table(folder),
    "duckdb": lambda folder: duckdb.read_parquet(f"{folder}/*.parquet"),
    "ibis": lambda folder: ibis.duckdb.connect().read_parquet(f"{folder}/*.parquet"),
    "Parquet folder": lambda folder: folder,
}
SPARK = pytest.param("spark", marks=pytest.mark.slow)


@pytest.fixture(params=[*ENGINES, SPARK])
def opened(request: pytest.FixtureRequest) -> Callable[[Path], Any]:
    if request.param != "spark":
        return ENGINES[request.param]
    session = request.getfixturevalue("spark")
    return lambda folder: session.read.parquet(str(folder))


def by_hand(rows: pd.DataFrame) -> pd.DataFrame:
    """The cells in plain pandas: text sorted by code point, bands by their lower edge."""
    band = pd.cut(rows["age"], [18, 40, 65, 80, 200], right=False, labels=False)
    mean = (rows["age"] * rows["weight"]).groupby(band).sum() / rows["weight"].groupby(band).sum()
    y, w = rows["contacts"], rows["weight"].astype(int)
    keys = [band.map(mean).rename("age"), rows["score"].astype(float) + 0.0, rows["frail"].astype(int)]
    keys += [rows["home"].astype(object), rows["area"], rows["days"], rows["practice"].astype(object)]
    sums = {"zeros": w * (y == 0), "positives": w * (y > 0), "total": w * y, "total_squares": w * y**2}
    return pd.DataFrame(sums).groupby(keys).sum().reset_index()


@pytest.mark.slow
def test_cells_are_the_same_on_every_engine(folders: dict[str, Path], opened: Callable[[Path], Any]) -> None:
    expected = by_hand(pd.read_parquet(folders["good"]))
    cells = collapse(opened(folders["good"]), KEY, **DESIGN)
    assert 1_400 < len(cells) == len(expected)
    assert cells.keys.dtypes.astype("str").tolist() == ["float64", "float64", "int8", "category", "int64"]
    found = cells.keys.assign(days=cells.exposure, practice=cells.cluster)
    for name in found:
        assert found[name].tolist() == expected[name].tolist(), name
    for name in ("zeros", "positives", "total", "total_squares"):
        assert getattr(cells, name).tolist() == expected[name].tolist(), name
    assert (cells.rows, cells.fractional) == (PEOPLE, 0)


@pytest.mark.slow
def test_log_factorials_and_histograms_are_the_same_on_every_engine(
    folders: dict[str, Path], opened: Callable[[Path], Any]
) -> None:
    expected = collapse(pd.read_parquet(folders["good"]), ["frail"], count="contacts", keep_counts=True)
    cells = collapse(opened(folders["good"]), ["frail"], count="contacts", keep_counts=True)
    # Each engine adds up in its own order.
    np.testing.assert_allclose(cells.log_factorials, expected.log_factorials, rtol=1e-13)
    pd.testing.assert_frame_equal(cells.counts, expected.counts)
    pd.testing.assert_frame_equal(cells.histogram, expected.histogram)


def test_faults_are_counted_the_same_on_every_engine(
    folders: dict[str, Path], opened: Callable[[Path], Any]
) -> None:
    with pytest.raises(
        InvalidValueError,
        match=r"Of 30,000 rows score is missing in 2, score is infinite in 2, home is missing in 2, "
        r"contacts is missing in 1, contacts is negative in 1, contacts is no whole number in 3\.",
    ):
        collapse(opened(folders["spoilt"]), ["score", "home"], count="contacts", keep_counts=True)
    with pytest.raises(MissingColumnError, match="imd"):
        collapse(opened(folders["good"]), ["imd"], count="contacts")


def test_linkage_is_counted_the_same_on_every_engine(
    folders: dict[str, Path], opened: Callable[[Path], Any]
) -> None:
    lists = pd.DataFrame({"practice": "A81001", "lsoa21": ["E01000001", "E01000002"], "patients": 10_000})
    linkage = linkage_coverage(opened(folders["good"]), lists)
    by_practice = pd.read_parquet(folders["good"])["practice"].astype("str").value_counts()
    assert linkage.practices["linked"].to_dict() == by_practice.to_dict()
    assert linkage.practices.loc["Y00001", "flag"] == "not on the lists"


@pytest.mark.slow
def test_spark_works_on_two_workers_and_takes_no_dots(spark: Any, folders: dict[str, Path]) -> None:
    assert spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() == 3  # the driver and two workers
    dotted = spark.read.parquet(str(folders["good"])).withColumnRenamed("score", "imd.score")
    with pytest.raises(InvalidValueError, match=r"a dot in their name.*imd\.score"):
        collapse(dotted, ["imd.score"], count="contacts")


ROWS = 4_000_000
MEMORY = 100_000_000
SCORES = ("income", "health", "barriers", "crime")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DuckDB file, and Parquet files beside it, larger than MEMORY, of a million cells."""
    path = tmp_path_factory.mktemp("large") / "persons.duckdb"
    scores = ", ".join(f"hash(area + {k}) / 2.0**64 as {name}" for k, name in enumerate(SCORES))
    with duckdb.connect(str(path)) as base:
        base.execute(
            f"""create table persons as
            select {scores}, (hash(person) % 12 * (hash(person + 1) % 3 = 0)::int)::smallint as contacts
            from (select i as person, hash(i) % 1000003 as area from range({ROWS}) as of(i))"""
        )
        base.execute(f"copy persons to '{path.parent / 'parts'}' (format parquet, per_thread_output true)")
    return path


@pytest.mark.slow
def test_duckdb_collapses_more_than_its_memory(large: Path) -> None:
    parts = large.parent / "parts"
    assert large.stat().st_size > MEMORY
    assert sum(part.stat().st_size for part in parts.iterdir()) > MEMORY
    with duckdb.connect(str(large), read_only=True) as base:
        expected = base.table("persons").df()
    expected = expected.groupby(list(SCORES))["contacts"].agg(["size", "sum"]).reset_index()
    limits = {"memory_limit": f"{MEMORY}B", "threads": 2}
    sources = {
        "file": lambda base: base.table("persons"),
        "folder": lambda base: base.read_parquet(f"{parts}/*.parquet"),
    }
    for source in sources.values():
        spilling = limits | {"temp_directory": str(large.parent / "spill")}
        with duckdb.connect(str(large), read_only=True, config=spilling) as base:
            cells = large_cells(source(base))
        for name in SCORES:
            assert np.array_equal(cells.keys[name], expected[name])
        assert np.array_equal(cells.people, expected["size"])
        assert np.array_equal(cells.total, expected["sum"])
        # Nowhere to spill, it cannot be done: there is more than fits.
        with (
            duckdb.connect(str(large), read_only=True, config=limits | {"temp_directory": ""}) as base,
            pytest.raises(duckdb.OutOfMemoryException),
        ):
            large_cells(source(base))


def large_cells(relation: Any) -> Cells:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # compression is poor on purpose
        return collapse(relation, SCORES, count="contacts")
