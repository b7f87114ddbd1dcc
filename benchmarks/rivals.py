"""The same catchments worked out by pandas, Polars and DuckDB, as somebody at home in each would do it.

The work: from the rows of the registrations, parsed and in memory in the engine's own table with codes in the
engine's own type for them, to

1. patients by English area and PCN, with both shares, a row per flow;
2. the areas of each PCN by first past the post, by the 30% threshold and by the cumulative 80%;
3. the registered people and the residents of each PCN by these three and in proportion, people in no PCN's
   catchment named.

Each engine keeps 1 and 2 in its own table and hands over 3; what it hands over is held against ours. Each
also reads the three columns and the map from the published files in its own quickest way, for the same work
from files. Residents by area are given to all. Two threads for those that use several.

The others are given what takes skill: codes as numbers (categories, Categorical, ENUM), the team looked up
once for a practice, sums before joins, no step of Python over rows. pandas is there twice: so, and as a
careful analyst writes it who leaves codes as text. Ours does more than they do: it checks every value and
code, and keeps patients outside England by group and practices by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import needsalloc as na

THRESHOLD, CUMULATIVE = 0.30, 0.80
METHODS: dict[str, dict[str, float]] = {
    "proportional": {},
    "first_past_the_post": {},
    "threshold": {"share": THRESHOLD},
    "cumulative": {"share": CUMULATIVE},
}
COLUMNS = ["PRACTICE_CODE", "LSOA_CODE", "NUMBER_OF_PATIENTS"]
NO_TEAM = ("U", "not in map")
UNASSIGNED = "unassigned"
_EDGE = 1e-9  # patients; shares of whole people never come so close to a threshold without meeting it

Done = tuple[Any, pd.DataFrame]
"""The flows with their shares, and by method and team the columns registered and resident."""


@dataclass(frozen=True, slots=True)
class Way:
    """An engine at the work: its tables from frames, the same from files, and what it makes of them."""

    hold: Callable[[pd.DataFrame, pd.DataFrame, pd.Series], Any]
    read: Callable[[Path, Path, pd.Series], Any]
    work: Callable[[Any], Done]


def _ours(tables: Any) -> Done:
    registrations, members, residents = tables
    made = na.Catchment.from_registrations(registrations, members)
    flows = made.flows, made.resident_share, made.patient_share
    by_method = {
        name: made.with_method(name, **options).populations(residents)[["inside", "resident"]]
        for name, options in METHODS.items()
    }
    populations = pd.concat(by_method, names=["method", "team"])
    return flows, populations.set_axis(["registered", "resident"], axis=1)


def _ours_hold(registrations: pd.DataFrame, members: pd.DataFrame, residents: pd.Series) -> Any:
    # In the order of a catchment's areas.
    return registrations, members, residents.sort_index()


def _ours_read(lists: Path, practice_map: Path, residents: pd.Series) -> Any:
    return _ours_hold(na.read_registrations(lists), na.read_membership(practice_map), residents)


def _pandas_hold(registrations: pd.DataFrame, members: pd.DataFrame, residents: pd.Series) -> Any:
    rows = registrations.set_axis(["practice", "area", "patients"], axis=1)
    return rows, members.set_index("practice")["pcn"], residents


def _pandas_read(lists: Path, practice_map: Path, residents: pd.Series) -> Any:
    # The parser of pyarrow is pandas' quickest.
    rows = pd.read_csv(lists, usecols=COLUMNS, engine="pyarrow")[COLUMNS]
    rows = rows.astype({"PRACTICE_CODE": "category", "LSOA_CODE": "category"})
    members = pd.read_csv(practice_map, usecols=["PRACTICE_CODE", "PCN_CODE"], engine="pyarrow")
    rows = rows.set_axis(["practice", "area", "patients"], axis=1)
    return rows, members.set_index("PRACTICE_CODE")["PCN_CODE"], residents


def _careful_hold(registrations: pd.DataFrame, members: pd.DataFrame, residents: pd.Series) -> Any:
    rows = registrations.set_axis(["practice", "area", "patients"], axis=1)
    return rows.astype({"practice": "str", "area": "str"}), members[["practice", "pcn"]], residents


def _careful_read(lists: Path, practice_map: Path, residents: pd.Series) -> Any:
    rows = pd.read_csv(lists, usecols=COLUMNS)[COLUMNS].set_axis(["practice", "area", "patients"], axis=1)
    members = pd.read_csv(practice_map, usecols=["PRACTICE_CODE", "PCN_CODE"])[["PRACTICE_CODE", "PCN_CODE"]]
    return rows, members.set_axis(["practice", "pcn"], axis=1), residents


def _careful(tables: Any) -> Done:
    """As an analyst writes it who thinks of every row and not of types: codes are the text that they are."""
    rows, members, residents = tables
    inside = rows[rows["area"].str.fullmatch(r"E01\d{6}")]
    placed = inside.merge(members, on="practice", how="left", validate="many_to_one")
    placed["team"] = placed["pcn"].fillna("not in map")
    flows = placed.groupby(["area", "team"], as_index=False)["patients"].sum()
    return _by_every_method(flows, residents)


def _pandas(tables: Any) -> Done:
    rows, team_of, residents = tables
    english = rows["area"].cat.categories.str.fullmatch(r"E01\d{6}")
    inside = rows[np.asarray(english, dtype=bool)[rows["area"].cat.codes]]
    # The team is looked up once for each practice and not once for each row.
    team_of = pd.Categorical(team_of.reindex(inside["practice"].cat.categories).fillna("not in map"))
    team = pd.Categorical.from_codes(team_of.codes[inside["practice"].cat.codes], dtype=team_of.dtype)
    flows = inside.assign(team=team).groupby(["area", "team"], observed=True, sort=False)
    return _by_every_method(flows["patients"].sum().reset_index(), residents)


def _by_every_method(flows: pd.DataFrame, residents: pd.Series) -> Done:
    total = flows.groupby("area", observed=True)["patients"].transform("sum")
    of_team = flows.groupby("team", observed=True)["patients"].transform("sum")
    flows["resident_share"] = flows["patients"] / total
    flows["patient_share"] = flows["patients"] / of_team
    by_area = flows.groupby("area", observed=True)["patients"].sum().to_frame("registered")
    by_area["resident"] = residents.reindex(by_area.index.astype(str)).to_numpy()

    named = flows[~flows["team"].isin(NO_TEAM)]
    first = named.sort_values(["patients", "team"], ascending=[False, True]).drop_duplicates("area")
    enough = named[named["patients"] >= THRESHOLD * total[named.index] - _EDGE]
    ranked = named.sort_values(["team", "patients", "area"], ascending=[True, False, True])
    before = ranked.groupby("team", observed=True)["patients"].cumsum() - ranked["patients"]
    fewest = ranked[before < CUMULATIVE * of_team[ranked.index] - _EDGE]

    shared = flows["resident_share"] * flows["area"].map(by_area["resident"]).astype(float)
    shared = flows.assign(registered=flows["patients"], resident=shared)
    columns = ["registered", "resident"]
    done = {"proportional": shared.groupby("team", observed=True)[columns].sum()}
    for name, chosen in (("first_past_the_post", first), ("threshold", enough), ("cumulative", fewest)):
        pairs = chosen[["area", "team"]].join(by_area, on="area")
        of_teams = pairs.groupby("team", observed=True)[columns].sum()
        of_none = by_area[~by_area.index.isin(chosen["area"])].sum()
        done[name] = pd.concat([of_teams, of_none.to_frame(UNASSIGNED).T])
    return flows, pd.concat(done, names=["method", "team"])


def _polars_hold(registrations: pd.DataFrame, members: pd.DataFrame, residents: pd.Series) -> Any:
    import polars as pl

    # Its type for codes that are all known; it sorts them as the numbers behind them.
    practice, area = (pl.Enum(registrations.iloc[:, at].cat.categories.sort_values()) for at in (0, 1))
    team = pl.Enum(sorted({*members["pcn"], *NO_TEAM, UNASSIGNED}))
    rows = pl.DataFrame(
        {
            "practice": pl.Series(registrations.iloc[:, 0].astype(str).tolist(), dtype=practice),
            "area": pl.Series(registrations.iloc[:, 1].astype(str).tolist(), dtype=area),
            "patients": registrations["patients"].to_numpy(),
        }
    )
    with_patients = members[members["practice"].isin(registrations.iloc[:, 0].cat.categories)]
    team_of = pl.DataFrame(
        {
            "practice": pl.Series(with_patients["practice"].tolist(), dtype=practice),
            "team": pl.Series(with_patients["pcn"].tolist(), dtype=team),
        }
    )
    lived_in = residents[residents.index.isin(registrations.iloc[:, 1].cat.categories)]
    return rows, team_of, _polars_people(lived_in, area)


def _polars_people(residents: pd.Series, area: Any) -> Any:
    import polars as pl

    areas = pl.Series(residents.index.tolist(), dtype=area)
    return pl.DataFrame({"area": areas, "resident": residents.to_numpy(np.float64)})


def _polars_read(lists: Path, practice_map: Path, residents: pd.Series) -> Any:
    import polars as pl

    code = pl.Categorical
    of_lists = {"PRACTICE_CODE": code, "LSOA_CODE": code}
    of_map = {"PRACTICE_CODE": code, "PCN_CODE": code}
    rows = pl.read_csv(lists, columns=COLUMNS, schema_overrides=of_lists).select(
        practice="PRACTICE_CODE", area="LSOA_CODE", patients="NUMBER_OF_PATIENTS"
    )
    team_of = pl.read_csv(practice_map, columns=list(of_map), schema_overrides=of_map)
    return rows, team_of.select(practice="PRACTICE_CODE", team="PCN_CODE"), _polars_people(residents, code)


def _polars(tables: Any) -> Done:
    import polars as pl

    rows, team_of, people = tables
    patients, code_of_team = pl.col("patients"), team_of["team"].dtype
    flows = (
        rows.lazy()
        .join(team_of.lazy(), on="practice", how="left")
        .with_columns(pl.col("team").fill_null(pl.lit("not in map").cast(code_of_team)))
        .group_by("area", "team")
        .agg(patients.sum())
        .join(people.lazy(), on="area", how="semi")
        .with_columns(total=patients.sum().over("area"), of_team=patients.sum().over("team"))
        .with_columns(resident_share=patients / pl.col("total"), patient_share=patients / pl.col("of_team"))
        .collect()
    )
    lazy = flows.lazy()
    by_area = lazy.group_by("area").agg(registered=patients.sum()).join(people.lazy(), on="area")
    named = lazy.filter(~pl.col("team").is_in(list(NO_TEAM)))
    rules = {
        "first_past_the_post": named.filter(patients == patients.max().over("area"))
        .group_by("area")
        .agg(pl.col("team").min()),
        "threshold": named.filter(patients >= THRESHOLD * pl.col("total") - _EDGE),
        "cumulative": named.sort("team", "patients", "area", descending=[False, True, False])
        .with_columns(before=patients.cum_sum().over("team") - patients)
        .filter(pl.col("before") < CUMULATIVE * pl.col("of_team") - _EDGE),
    }
    chosen = pl.collect_all([rule.select("area", "team") for rule in rules.values()])
    sums = pl.col("registered", "resident").sum()
    shared = lazy.join(people.lazy(), on="area").with_columns(
        registered=patients, resident=pl.col("resident") * pl.col("resident_share")
    )
    plans = [shared.group_by("team").agg(sums)]
    for pairs in chosen:
        of_teams = by_area.join(pairs.lazy(), on="area").group_by("team").agg(sums)
        of_none = by_area.join(pairs.lazy(), on="area", how="anti").select(
            pl.lit(UNASSIGNED).cast(code_of_team).alias("team"), sums
        )
        plans.append(pl.concat([of_teams, of_none]))
    found = pl.collect_all([plan.with_columns(pl.col("team").cast(pl.String)) for plan in plans])
    frames = [
        pd.DataFrame({c: frame[c].to_numpy() for c in ("registered", "resident")}, frame["team"].to_list())
        for frame in found
    ]
    return flows, pd.concat(dict(zip(METHODS, frames, strict=True)), names=["method", "team"])


def _duckdb_hold(registrations: pd.DataFrame, members: pd.DataFrame, residents: pd.Series) -> Any:
    base = _duckdb_base(residents)
    # A categorical column arrives as ENUM, which is its type for codes.
    rows = registrations.set_axis(["practice", "area", "patients"], axis=1)
    known = pd.DataFrame(
        {
            "practice": pd.Categorical(members["practice"], dtype=rows["practice"].dtype),
            "team": members["pcn"].astype("category"),
        }
    ).dropna()
    for name, frame in (("lists", rows), ("team_of", known)):
        base.register("arriving", frame)
        base.execute(f"create table {name} as select * from arriving")
        base.unregister("arriving")
    return base


def _duckdb_base(residents: pd.Series) -> Any:
    import duckdb

    base = duckdb.connect(config={"threads": 2})
    people = pd.DataFrame({"area": residents.index.astype(str), "resident": residents.to_numpy(np.float64)})
    base.register("arriving", people)
    base.execute("create table people as select * from arriving")
    base.unregister("arriving")
    return base


def _duckdb_read(lists: Path, practice_map: Path, residents: pd.Series) -> Any:
    base = _duckdb_base(residents)
    # Told what to expect: quotes begin further down than it looks by itself.
    for name, path, columns in (
        ("lists", lists, "PRACTICE_CODE as practice, LSOA_CODE as area, NUMBER_OF_PATIENTS as patients"),
        ("team_of", practice_map, "PRACTICE_CODE as practice, PCN_CODE as team"),
    ):
        source = f"read_csv('{path}', delim = ',', quote = '\"', escape = '\"', header = true)"
        base.execute(f"create table {name} as select {columns} from {source}")
    return base


_NAMED = "team not in (" + ", ".join(f"'{team}'" for team in NO_TEAM) + ")"
_FLOWS = f"""
    create or replace temp table flows as
    with summed as (
        select area, team, sum(patients) as patients
        from lists left join team_of on lists.practice = team_of.practice
        group by area, team
    ), counted as (
        select area::varchar as area, coalesce(team::varchar, 'not in map') as team,
               patients::double as patients
        from summed semi join people on summed.area::varchar = people.area
    )
    select *, sum(patients) over (partition by area) as total,
           sum(patients) over (partition by team) as of_team,
           patients / total as resident_share, patients / of_team as patient_share
    from counted;
    create or replace temp table by_area as
    select area, sum(patients) as registered, any_value(resident) as resident
    from flows join people using (area) group by area;
    create or replace temp table first_past_the_post as
    select area, arg_min(team, (-patients, team)) as team from flows where {_NAMED} group by area;
    create or replace temp table threshold as
    select area, team from flows where {_NAMED} and patients >= {THRESHOLD} * total - {_EDGE};
    create or replace temp table cumulative as
    select area, team from (
        select area, team, of_team, patients,
               sum(patients) over (partition by team order by patients desc, area
                                   rows between unbounded preceding and current row) as so_far
        from flows where {_NAMED}
    ) where so_far - patients < {CUMULATIVE} * of_team - {_EDGE};
"""
_POPULATIONS = """
    select 'proportional' as method, team, sum(patients) as registered,
           sum(resident * resident_share) as resident
    from flows join people using (area) group by team
""" + "".join(
    f"""
    union all
    select '{name}' as method, coalesce(team, '{UNASSIGNED}') as team, sum(registered) as registered,
           sum(resident) as resident
    from by_area left join {name} using (area) group by all
    """
    for name in list(METHODS)[1:]
)


def _duckdb(base: Any) -> Done:
    base.execute(_FLOWS)
    return base, base.execute(_POPULATIONS).df().set_index(["method", "team"])


PROMISED = {"careful pandas": 1 / 10, "polars": 1 / 2.2, "duckdb": 1 / 4}
"""What the project promises: our time over theirs. Of pandas with every skill it promises nothing."""

WAYS = {
    "needsalloc": Way(_ours_hold, _ours_read, _ours),
    "careful pandas": Way(_careful_hold, _careful_read, _careful),
    "pandas": Way(_pandas_hold, _pandas_read, _pandas),
    "polars": Way(_polars_hold, _polars_read, _polars),
    "duckdb": Way(_duckdb_hold, _duckdb_read, _duckdb),
}


def installed() -> tuple[dict[str, Way], list[str]]:
    """The ways whose engine is there, ours first, and the names of those whose engine is not."""
    here = {name: way for name, way in WAYS.items() if find_spec(name.split()[-1])}
    return here, [name for name in WAYS if name not in here]


def same(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """AssertionError unless both have the same people in the same teams, teams of nobody apart."""
    ours, theirs = (frame[(frame != 0).any(axis=1)].sort_index().astype(float) for frame in (ours, theirs))
    left, right = ours.index.map("/".join), theirs.index.map(lambda key: "/".join(map(str, key)))
    assert left.tolist() == right.tolist(), left.symmetric_difference(right)
    assert np.allclose(ours.to_numpy(), theirs.to_numpy(), rtol=1e-9, atol=1e-6)
