"""tables/schema.json: what every column of every table is, for a program to read.

The form is a tabular data package with a Table Schema for each table (specs.frictionlessdata.io); the unit of
each column is a property of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from needsalloc.report import schema
from needsalloc.report.bundle import Bundle

SCHEMA = "schema.json"
_LICENCES = {
    "Open Government Licence v3.0": {
        "name": "OGL-UK-3.0",
        "path": "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
        "title": "Open Government Licence v3.0",
    }
}
_ABOUT = (
    "Each table is there twice, as CSV and as Parquet, at full precision. An empty cell is a figure that is "
    "not known, never nought. In the CSV files text that a spreadsheet would run as a formula has an "
    "apostrophe before it."
)
# The columns that tell the rows of a table apart; "area" stands for the run's own column of areas.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "allocation": ("team",),
    "need": ("area",),
    "coverage": ("group",),
    "equity": ("deprivation_fifth",),
    "flows": ("area", "team"),
    "options": ("option",),
    "options_by_team": ("option", "team"),
    "pace": ("year", "team"),
    "skills": ("team",),
    "skill_cost": ("band",),
    "plan_range": ("team",),
    "moved_by_data": ("team",),
    "decomposition": ("team",),
    "need_range": ("team",),
    "index_changes": ("team",),
    "observed": ("team",),
    "planning_cohorts": ("team",),
    "cohort_sources": ("column",),
    "checklist": ("team", "factor"),
}


def table_schema(bundle: Bundle) -> str:
    """The text of schema.json: the same for the same bundle."""
    licences = [known for name, known in _LICENCES.items() if any(name == s.licence for s in bundle.sources)]
    package = {
        "profile": "tabular-data-package",
        "name": "needsalloc-tables",
        "title": bundle.title,
        "description": " ".join(filter(None, (_ABOUT, bundle.disclosed))),
        **({"licenses": licences} if licences else {}),
        "sources": [{"title": f"{s.publisher}: {s.title} ({s.release})"} for s in bundle.sources],
        "resources": [_resource(bundle, name) for name in bundle.tables],
    }
    return json.dumps(package, indent=2, ensure_ascii=False) + "\n"


def _resource(bundle: Bundle, name: str) -> dict[str, Any]:
    frame = bundle.table(name)
    key = [bundle.area_column if part == "area" else part for part in _KEYS.get(name, ())]
    about = bundle.said.get(name, "")
    return {
        "profile": "tabular-data-resource",
        "name": name,
        "path": f"{name}.csv",
        "title": schema.TITLES[name],
        **({"description": about} if about else {}),
        "encoding": "utf-8",
        "schema": {
            "fields": [
                {
                    "name": column,
                    "title": found.label,
                    "type": _type(frame[column]),
                    "description": found.meaning,
                    "unit": found.unit,
                }
                for column, found in schema.columns(bundle, name).items()
            ],
            "missingValues": [""],
            **({"primaryKey": key} if key else {}),
        },
    }


def _type(column: pd.Series[Any]) -> str:
    if pd.api.types.is_bool_dtype(column):
        return "boolean"
    if pd.api.types.is_integer_dtype(column):
        return "integer"
    return "number" if pd.api.types.is_numeric_dtype(column) else "string"


__all__ = ["SCHEMA", "table_schema"]
