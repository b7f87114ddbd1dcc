"""What a finished run hands to the report: its tables, and everything that must travel with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import pandas as pd

from needsalloc.assumptions import Assumption
from needsalloc.disclosure import Rule

if TYPE_CHECKING:
    import geopandas as gpd

Status = Literal["pass", "warning", "fail", "note"]
Audience = Literal["internal", "public"]

TABLES = ("allocation", "need", "coverage", "equity", "flows")
# Those that a run may have beside them, in the order to be shown.
BESIDE = (
    "options",
    "options_by_team",
    "choices",
    "pace",
    "skills",
    "skill_cost",
    "sensitivity",
    "plan_range",
    "moved_by_data",
    "decomposition",
    "need_range",
    "index_changes",
    "inequality",
    "inequality_by_group",
    "lorenz",
    "theil",
    "equality",
    "observed",
    "planning_cohorts",
    "cohort_sources",
    "checklist",
)


@dataclass(frozen=True, slots=True)
class Source:
    """One file or published table that the figures rest on. `file` is a name, never a path."""

    role: str
    file: str
    publisher: str
    title: str
    release: str
    licence: str
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class Check:
    """Something that should hold, what was found, and what was expected."""

    name: str
    status: Status
    found: str
    expected: str


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """All of one run, ready to be written.

    Attributes
    ----------
    title, status, service:
        Words of the plan. Status is "for discussion" until the plan says agreed, by whom and when.
    unit, total, step:
        What is shared ("WTE"), how much of it, and the smallest part of it that a team can be given.
    base, base_name:
        Where the need index is 1: the word in column names ("england") and for readers ("England").
    people:
        Whose need is weighted: "registered" or "resident" people.
    area_column:
        "lsoa11" or "lsoa21": the column of areas in `need` and `flows`.
    sentences:
        Headline findings in order: what was asked, what the figures suggest, how sure, what they leave out.
    warnings:
        What must be read before anything else.
    allocation, need, coverage, equity, flows:
        The tables. Their columns are described in `schema`; a column that is not described is an error.
        Teams come in the order they should be shown. `current`, `distance_from_target` and `change` are NaN
        when nobody said what is in place now.
    beside:
        Tables beside these, by their names in `BESIDE`: those that the run could make.
    said:
        A sentence for each table of `beside`.
    parameters:
        Every setting of the run, in words, in the order to be shown.
    boundaries:
        Areas by code, EPSG:27700; None when there are none, and the page then says so.
    teams_of_areas:
        Area code -> the team with the largest share of its people (only to draw the map).
    effective_plan:
        The plan as it was run, defaults included, as TOML text.
    version:
        Of the software.
    audience:
        Who may read it. An "internal" report may name people in small teams.
    texts:
        Documents in Markdown by name ("equality", "data-flow", "transparency"): each is a file of the folder
        and a part of the page. `write` fills them, after disclosure control.
    headings:
        The heading of each of `sentences`, alike for those that stand together; empty without headings.
    disclosed:
        A sentence that says what was suppressed and by which rule; empty until `disclose` has looked.
    rule:
        How small a number is withheld from the public.
    withheld:
        The teams whose posts now the run went without, for they are small or would tell those that are.
    """

    title: str
    status: str
    service: str
    unit: str
    total: float
    step: float
    base: str
    base_name: str
    people: Literal["registered", "resident"]
    area_column: Literal["lsoa11", "lsoa21"]
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    allocation: pd.DataFrame
    need: pd.DataFrame
    coverage: pd.DataFrame
    equity: pd.DataFrame
    flows: pd.DataFrame
    beside: Mapping[str, pd.DataFrame]
    said: Mapping[str, str]
    parameters: Mapping[str, str]
    assumptions: tuple[Assumption, ...]
    checks: tuple[Check, ...]
    sources: tuple[Source, ...]
    attribution: tuple[str, ...]
    boundaries: gpd.GeoDataFrame | None
    teams_of_areas: pd.Series[str]
    effective_plan: str
    version: str
    audience: Audience = "internal"
    texts: Mapping[str, str] = field(default_factory=dict)
    disclosed: str = ""
    rule: Rule = field(default_factory=Rule)
    withheld: tuple[str, ...] = ()
    headings: tuple[str, ...] = ()

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of all tables of this run."""
        return (*TABLES, *(name for name in BESIDE if name in self.beside))

    def table(self, name: str) -> pd.DataFrame:
        """One of the tables, by its name in `tables`."""
        frame: pd.DataFrame = self.beside[name] if name in self.beside else getattr(self, name)
        return frame

    @property
    def need_index(self) -> str:
        """Name of the column that holds the need index of this base."""
        return f"need_index_{self.base}"

    @property
    def has_current(self) -> bool:
        """Whether anyone said what is in place now."""
        return "current" in self.allocation and bool(self.allocation["current"].notna().any())
