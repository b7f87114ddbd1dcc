"""index.html: the whole result on one page that needs no network and runs no stranger's code."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from needsalloc.report import charts, schema
from needsalloc.report.bundle import BESIDE, Bundle
from needsalloc.report.column import Column, is_gap
from needsalloc.report.map import draw
from needsalloc.report.workbook import KINDS

SUMMED = (
    "registered_adults",
    "resident_adults",
    "weighted_population",
    "per_head",
    "current",
    "target",
    "posts",
    "change",
)
# Tables beside the allocation whose words need more than their heading.
DEFINED = ("decomposition", "need_range", "index_changes")
STATUS_WORDS = {"pass": "Passed", "warning": "Warning", "fail": "Failed", "note": "Note"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the table of teams; `bar` is a signed part (-1 to 1) of half a bar's width."""

    text: str
    kind: str
    bar: float | None = None


@dataclass(frozen=True, slots=True)
class TeamTable:
    """`rows` (codes, name, cells) are in the order of the allocation.

    `sort_by` holds, for each row, what each column sorts it by.
    """

    heads: list[tuple[str, str]]
    rows: list[tuple[str, str, list[Cell]]]
    totals: list[Cell]
    sort_by: list[list[float | str | None]]


def page(bundle: Bundle) -> str:
    """The page as HTML text: self-contained, and the same for the same bundle."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    rooms = Environment(
        loader=PackageLoader("needsalloc.report", "templates"),
        autoescape=True,  # a name of a team or practice is data, whatever it holds
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates = files("needsalloc.report") / "templates"
    script = (templates / "page.js").read_text(encoding="utf-8")
    style = (templates / "page.css").read_text(encoding="utf-8")
    table = team_table(bundle)
    drawing = draw(bundle)
    return rooms.get_template("page.html.j2").render(
        bundle=bundle,
        key_numbers=key_numbers(bundle),
        table=table,
        map=drawing,
        teams_chart=charts.teams_chart(bundle),
        shares_chart=charts.shares_chart(bundle),
        index_chart=charts.index_chart(bundle),
        equity=_shown(bundle, "equity"),
        coverage=_shown(bundle, "coverage"),
        beside=[
            (schema.TITLES[name], bundle.said[name], _shown(bundle, name))
            for name in BESIDE
            if name in bundle.beside
        ],
        definitions=definitions(bundle),
        kinds=KINDS,
        status_words=STATUS_WORDS,
        style=Markup(style),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=Markup(_json(_data(table, drawing))),  # escaped by _json
    )


def key_numbers(bundle: Bundle) -> list[tuple[str, str, str]]:
    """(figure, what it is, a word more) for the top of the page."""
    teams = bundle.allocation[bundle.allocation["target_share"] > 0]
    adults = teams[f"{bundle.people}_adults"].sum()
    index = schema.column(bundle, "allocation", bundle.need_index)
    posts = schema.column(bundle, "allocation", "posts")
    whole = float(bundle.total).is_integer()
    numbers = [
        (
            f"{bundle.total:,.0f}" if whole else posts.show(bundle.total),
            f"{bundle.unit} shared",
            f"in steps of {bundle.step:g}",
        ),
        (f"{len(teams):,}", "team" if len(teams) == 1 else "teams", f"{adults:,.0f} {bundle.people} adults"),
        (
            f"{index.show(teams[bundle.need_index].min())} to {index.show(teams[bundle.need_index].max())}",
            "need index, lowest to highest team",
            f"{bundle.base_name} is 1",
        ),
    ]
    if bundle.has_current:
        change = schema.column(bundle, "allocation", "change")
        moved = teams["change"].round(change.decimals)
        numbers.append(
            (
                f"{change.show(moved.clip(lower=0).sum())} / {change.show(moved.clip(upper=0).sum())}",
                f"{bundle.unit} gained and lost against now",
                f"{(moved > 0).sum():,} teams gain, {(moved < 0).sum():,} lose",
            )
        )
    else:
        shares = schema.column(bundle, "allocation", "target_share")
        numbers.append(
            (
                f"{shares.show(teams['target_share'].min())} to {shares.show(teams['target_share'].max())}",
                "of the total, smallest to largest team",
                "posts now were not given",
            )
        )
    return numbers


def team_table(bundle: Bundle) -> TeamTable:
    """The table of teams with what a reader needs first; the workbook has every column."""
    teams = bundle.allocation
    names = [f"{bundle.people}_adults", bundle.need_index, "weighted_population"]
    if bundle.has_current:
        names += ["current", "target", "distance_from_target", "posts", "change"]
    else:
        names += ["per_head", "target", "posts"]
    described = {name: schema.column(bundle, "allocation", name) for name in names}
    lists = {name: [None if is_gap(value) else value for value in teams[name].tolist()] for name in names}
    widest = np.nanmax([0.01, *teams["distance_from_target"].abs().clip(upper=1.0)])
    codes, labels = teams["team"].astype(str).tolist(), teams["team_name"].astype(str).tolist()
    if len(teams["icb"].dropna().unique()) > 1:
        codes = [f"{code} · {icb}" if icb else code for code, icb in zip(codes, teams["icb"], strict=True)]
    rows = [
        (code, label, [_cell(name, described[name], lists[name][i], widest) for name in names])
        for i, (code, label) in enumerate(zip(codes, labels, strict=True))
    ]
    totals = [
        Cell(described[name].show(float(teams[name].sum())) if name in SUMMED else "", described[name].form)
        for name in names
    ]
    return TeamTable(
        heads=[("Team", ""), *(_head(column) for column in described.values())],
        rows=rows,
        totals=totals,
        sort_by=[[label, *(lists[name][i] for name in names)] for i, label in enumerate(labels)],
    )


def _cell(name: str, column: Column, value: Any, widest: float) -> Cell:
    kind = {"posts": "number strong", "change": "number signed"}.get(name, column.form)
    bar = None
    if name == "distance_from_target" and value is not None:
        bar = round(float(np.clip(value / widest, -1, 1)), 3)
    return Cell(column.show(value), kind, bar)


def _head(column: Column) -> tuple[str, str]:
    """Label and unit of a heading; the unit is left out where the label has said it."""
    label, _, base = column.label.partition(" (")
    unit = base.rstrip(")") or column.unit
    said = unit in ("text", "share", "ratio", "people", "1 to 5") or unit == label.lower() or " per " in label
    return label, "" if said else unit


def _shown(bundle: Bundle, table: str) -> dict[str, Any]:
    """A small table as text: heads with units, rows of (text, form); no column without a figure."""
    frame = bundle.table(table)
    described = {
        name: column for name, column in schema.columns(bundle, table).items() if frame[name].notna().any()
    }
    rows = [
        [
            (charts.fifth_name(value) if name == "deprivation_fifth" else column.show(value), column.form)
            for value, (name, column) in zip(row, described.items(), strict=True)
        ]
        for row in frame[list(described)].itertuples(index=False, name=None)
    ]
    heads = [(*_head(column), column.form) for column in described.values()]
    return {"heads": heads, "rows": rows}


def definitions(bundle: Bundle) -> dict[str, str]:
    """Label -> meaning of what the page shows, each once."""
    tables = ("allocation", "equity", *(name for name in DEFINED if name in bundle.beside))
    shown = [column for table in tables for column in schema.columns(bundle, table).values()]
    return {column.label: column.meaning for column in shown if column.form != "text"}


def _data(table: TeamTable, drawing: Any) -> Mapping[str, Any]:
    """What the script needs: values to sort by, and the classes and figures of the map."""
    data: dict[str, Any] = {"values": table.sort_by}
    if drawing is not None:
        data["measures"] = {
            measure.key: {"of": measure.of, "scheme": measure.scheme, "classes": measure.classes}
            for measure in drawing.measures
        }
        data["areas"] = [
            [shape.code, value] for shape, value in zip(drawing.areas, drawing.shown, strict=True)
        ]
    return data


def _json(data: Mapping[str, Any]) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
