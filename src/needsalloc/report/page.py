"""index.html: the whole result on one page that needs no network and runs no stranger's code."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from needsalloc.report import charts, fairness, options, ranges, schema
from needsalloc.report.bundle import BESIDE, Bundle
from needsalloc.report.map import Map, draw
from needsalloc.report.markdown import to_html
from needsalloc.report.shown import shown
from needsalloc.report.team_table import TeamTable, team_table
from needsalloc.report.waterfall import waterfalls
from needsalloc.report.workbook import KINDS

if TYPE_CHECKING:
    from jinja2 import Environment

# Tables beside the allocation whose words need more than their heading.
DEFINED = ("decomposition", "need_range", "index_changes", "options", "pace")
# Tables that have a place of their own on the page; the others are behind the figures.
PLACED = ("options", "options_by_team", "choices", "pace", "lorenz", "equality", "checklist")
STATUS_WORDS = {"pass": "Passed", "warning": "Warning", "fail": "Failed", "note": "Note"}
TEXT_TITLES = {
    "equality": "Equality: what the plan may do to whom, and whom the data cannot see",
    "data-flow": "Data flow: which data come from where, and what becomes of them",
    "transparency": "Algorithmic transparency record",
}


@cache
def templates() -> Environment:
    """Where the templates are, each compiled once."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("needsalloc.report", "templates"),
        autoescape=True,  # a name of a team or practice is data, whatever it holds
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def template_text(name: str) -> str:
    """The text of a file beside the templates."""
    return (files("needsalloc.report") / "templates" / name).read_text(encoding="utf-8")


def page(bundle: Bundle) -> str:
    """The page as HTML text: self-contained, and the same for the same bundle."""
    from markupsafe import Markup

    script = template_text("page.js")
    table = team_table(bundle)
    drawing = draw(bundle)
    falls = waterfalls(bundle)
    first = first_team(bundle)
    team_options = options.of_each_team(bundle, "options_by_team", "option")
    team_pace = options.of_each_team(bundle, "pace", "year")
    chosen: dict[str, Any] = {
        "options": options.side_by_side(bundle),
        "teams_by_option": options.teams_by_option(bundle),
        "waterfall": None if falls is None else falls.chart(first, "What its need is made of"),
        "team_options": team_options,
        "team_pace": team_pace,
        "pace_chart": ranges.pace_chart(bundle),
        "teams_by_year": options.teams_by_year(bundle),
        "gradient_chart": fairness.gradient_chart(bundle),
        "lorenz": fairness.lorenz(bundle),
        "measures": fairness.measures(bundle),
        "sensitivity_chart": ranges.sensitivity_chart(bundle),
        "range_chart": ranges.range_chart(bundle),
        "observed_chart": ranges.observed_chart(bundle),
        "choices": shown(bundle, "choices") if "choices" in bundle.beside else None,
    }
    # The document on equality holds the table.
    evidence = ["equality"] if "equality" in bundle.beside and "equality" not in bundle.texts else []
    parts = {
        **chosen,
        "first": first,
        "asked": bundle.headings[0] if bundle.headings else "",
        "findings": findings(bundle),
        "beside": _told(bundle, [name for name in bundle.tables if name in BESIDE and name not in PLACED]),
        "evidence": _told(bundle, evidence),
        "texts": [
            (TEXT_TITLES.get(name, name), Markup(to_html(text))) for name, text in bundle.texts.items()
        ],
        "questions": questions(bundle),
    }
    data = _data(table, drawing) | {
        "team": {
            "first": first,
            "waterfall": None if chosen["waterfall"] is None or falls is None else falls.compact(),
            "options": team_options,
            "pace": team_pace,
        }
    }
    return (
        templates()
        .get_template("page.html.j2")
        .render(
            bundle=bundle,
            contents=contents(bundle, parts),
            key_numbers=key_numbers(bundle),
            table=table,
            map=drawing,
            teams_chart=charts.teams_chart(bundle),
            shares_chart=charts.shares_chart(bundle),
            index_chart=charts.index_chart(bundle),
            equity=shown(bundle, "equity"),
            coverage=shown(bundle, "coverage"),
            definitions=definitions(bundle),
            kinds=KINDS,
            status_words=STATUS_WORDS,
            style=Markup(template_text("page.css")),
            script=Markup(script),
            script_hash=hash_of(script),
            data=Markup(_json(data)),  # escaped by _json
            **parts,
        )
    )


def hash_of(script: str) -> str:
    """What the content security policy knows our own script by."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def contents(bundle: Bundle, parts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(place, name) of the sections that are there, in their order."""
    there = {
        "options": parts["options"],
        "team": parts["waterfall"] or parts["team_options"] or parts["team_pace"],
        "pace": parts["pace_chart"],
        "sure": parts["sensitivity_chart"] or parts["range_chart"] or parts["observed_chart"],
        "behind": parts["beside"],
        "evidence": parts["evidence"] or parts["texts"] or parts["questions"],
    }
    names = [
        ("findings", "Findings"),
        ("options", "Options"),
        ("teams", "Teams"),
        ("map", "Map"),
        ("team", "One team"),
        ("chart", "Now and plan" if bundle.has_current else "Fair shares"),
        ("pace", "Pace"),
        ("fairness", "Fairness"),
        ("sure", "How sure"),
        ("behind", "Behind"),
        ("coverage", "Coverage"),
        ("assumptions", "Assumptions"),
        ("checks", "Checks"),
        ("evidence", "Record"),
        ("sources", "Sources"),
        ("reading", "How to read"),
    ]
    return [(place, name) for place, name in names if there.get(place, True)]


def findings(bundle: Bundle) -> list[tuple[str, tuple[str, ...]]]:
    """The sentences after the first under their headings."""
    headings = bundle.headings or ("",) * len(bundle.sentences)
    found: dict[str, tuple[str, ...]] = {}
    for heading, sentence in list(zip(headings, bundle.sentences, strict=True))[1:]:
        found[heading] = (*found.get(heading, ()), sentence)
    return list(found.items())


def questions(bundle: Bundle) -> list[tuple[str, list[str]]]:
    """The checklist's questions by domain: those of its first team, for all are asked the same."""
    if "checklist" not in bundle.beside:
        return []
    asked = bundle.beside["checklist"].drop_duplicates(["domain", "factor", "question"])
    return [
        (str(domain), own["question"].astype(str).tolist())
        for domain, own in asked.groupby("domain", sort=False)
    ]


def first_team(bundle: Bundle) -> int:
    """The row that is shown before anybody chooses: the team with the most need for each adult."""
    index = bundle.allocation[bundle.need_index].where(bundle.allocation["target_share"] > 0)
    return int(np.nanargmax(index)) if index.notna().any() else 0


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
    if bundle.has_current and not bundle.withheld:  # what some teams gain is none of all
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
                f"posts now of {len(bundle.withheld):,} teams are withheld"
                if bundle.withheld
                else "posts now were not given",
            )
        )
    return numbers


def definitions(bundle: Bundle) -> dict[str, str]:
    """Label -> meaning of what the page shows, each once."""
    tables = ("allocation", "equity", *(name for name in DEFINED if name in bundle.beside))
    columns = [column for table in tables for column in schema.columns(bundle, table).values()]
    return {column.label: column.meaning for column in columns if column.form != "text"}


def _told(bundle: Bundle, names: list[str]) -> list[tuple[str, str, Any]]:
    return [(schema.TITLES[name], bundle.said[name], shown(bundle, name)) for name in names]


def _data(table: TeamTable, drawing: Map | None) -> dict[str, Any]:
    """What the script needs: values to sort by, and the classes and figures of the map."""
    data: dict[str, Any] = {"values": table.sort_by}
    if drawing is not None:
        data["measures"] = {
            measure.key: {
                "of": measure.of,
                "scheme": measure.scheme,
                "classes": measure.classes,
                "sentence": measure.sentence,
            }
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


__all__ = ["definitions", "key_numbers", "page", "team_table"]
