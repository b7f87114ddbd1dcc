"""Documents that go with a plan, as Markdown: equality evidence, data flow, algorithmic transparency.

Each is filled from the run as far as a run can know. What only the organisation knows stands there as
“To be filled in”, so that nobody takes a draft for an assessment. The headings of the transparency record
follow the order of the government's Algorithmic Transparency Recording Standard, in our own words.
"""

from __future__ import annotations

from collections.abc import Iterable

from needsalloc.report import schema
from needsalloc.report.bundle import Bundle
from needsalloc.report.column import CONFIDENTIAL, withheld_cells
from needsalloc.report.log import cell, table

TO_FILL = "**To be filled in.**"
SCOPE = (
    "needsalloc shares one total of posts between teams in proportion to the need of the people whom they "
    "serve. It does not say how many posts are needed in all, and decides nothing about a person, a patient "
    "or a member of staff. People decide; the figures start a discussion."
)


def documents(bundle: Bundle) -> dict[str, str]:
    """Name -> Markdown text of each document. Same bundle, same texts.

    "equality": people, need and posts by characteristic, where the run has them, and whom no data see.
    "data-flow": what was read, where it went, what came out. "transparency": what the tool is and does.
    """
    return {
        "equality": equality(bundle),
        "data-flow": data_flow(bundle),
        "transparency": transparency(bundle),
    }


def equality(bundle: Bundle) -> str:
    """The page of equality evidence."""
    return _document(
        f"Equality evidence: {bundle.title}",
        _marking(bundle),
        "Evidence for an equality impact assessment, not the assessment. " + SCOPE,
        "## What must be read first" if bundle.warnings else "",
        _bullets(bundle.warnings),
        "## People, need and posts before and after",
        _equality_table(bundle),
        "## What is not known",
        _bullets(f"{found.what}. {found.why}" for found in bundle.assumptions if found.kind == "gap"),
        "## For the organisation",
        table(
            ["Question", "Answer", "Owner", "By when"],
            [
                ["Which groups could be worse off, and how do you know?", "", "", ""],
                ["What will be done about it?", "", "", ""],
                ["Who was asked, and what did they say?", "", "", ""],
                ["When is it looked at again?", "", "", ""],
            ],
        ),
    )


def data_flow(bundle: Bundle) -> str:
    """The paragraph on data, for a data protection officer, and the files that it speaks of."""
    published = sorted({source.publisher for source in bundle.sources})
    return _document(
        f"Data flow: {bundle.title}",
        _marking(bundle),
        f"The run read {len(bundle.sources)} files and published tables, from {_listed(published)}. They "
        "hold counts by area, practice, team or age; a plan reads no rows about patients. Posts in place, "
        "where the planner gave them, are counts of staff by team, and a team of one is a person. needsalloc "
        f"{bundle.version} computed on the machine where it was started. It opened no connection, sent "
        "nothing and kept nothing but the folder that it wrote. The page of the report loads nothing from "
        "anywhere. provenance.json has the SHA-256 of what was read and of every file written.",
        bundle.disclosed,
        "## Files read",
        table(
            ["Role", "File", "Publisher", "Title", "Release", "Licence"],
            ([s.role, s.file, s.publisher, s.title, s.release, s.licence] for s in bundle.sources),
        ),
        "\n".join(bundle.attribution),
        "## For the organisation",
        _to_fill(
            "Who controls the data of posts in place, and on what legal basis they are used",
            "Where the folder is kept, who can open it, and until when",
        ),
    )


def transparency(bundle: Bundle) -> str:
    """The record of algorithmic transparency."""
    failed = sum(check.status == "fail" for check in bundle.checks)
    warned = sum(check.status == "warning" for check in bundle.checks)
    return _document(
        f"Algorithmic transparency record: {bundle.title}",
        _marking(bundle),
        "## 1. In short",
        SCOPE,
        f"Here {bundle.total:,g} {bundle.unit} of {bundle.service} are shared between "
        f"{int((bundle.allocation['target_share'] > 0).sum()):,} teams.",
        _to_fill("Where the public can read more, and whom to write to"),
        "## 2. Who answers for it",
        f"Supplier: none. needsalloc {bundle.version} is open software under the MIT licence, run by the "
        "planner.",
        _to_fill("Organisation and team", "Senior responsible owner"),
        "## 3. What it is for, and what else was weighed",
        _options(bundle),
        _to_fill("How posts were shared before", "What the organisation hopes to gain, and how it will know"),
        "## 4. Its part in the decision",
        f"The plan is {bundle.status}. The report shows targets, distances from them and the plan beside "
        "other ways to share, with what each leaves out. Planners set the total, the rules and every limit; "
        "each is in the parameters below.",
        _to_fill(
            "Who decides, how often, and what may overrule the figures",
            "Training of those who use it",
            "How a neighbourhood can ask for a review",
        ),
        "## 5. How it works",
        "The flows of registered patients give each team its people by area. A need formula says how many "
        "contacts an adult is expected to need in a year, by age, sex, deprivation and conditions, with "
        "supply held the same everywhere. The need index is that over the mean of the base. Adults times "
        "index is the weighted population, and each team's part of it is its share of the total. Posts are "
        "then rounded to whole steps so that the total is kept.",
        table(["Setting", "Value"], bundle.parameters.items()),
        "## 6. How sure, and how it was checked",
        _bullets(bundle.said[name] for name in ("need_range", "plan_range") if name in bundle.beside),
        f"{len(bundle.checks)} checks were made: {failed} failed, {warned} with a warning. log.md has them "
        "all, with every assumption.",
        "## 7. Risks",
        _bullets(
            [
                *bundle.warnings,
                *(f"{found.what}. {found.why}" for found in bundle.assumptions if found.kind == "gap"),
            ]
        ),
        "## 8. Other assessments",
        "equality.md has the equality evidence, data-flow.md what was read.",
        _to_fill("Equality impact assessment", "Data protection impact assessment, if one is due"),
    )


def _document(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {cell(title)}", *(part for part in parts if part)]) + "\n"


def _marking(bundle: Bundle) -> str:
    audience = "internal, not to be passed on as it is" if bundle.audience == "internal" else "public"
    return f"Status: {cell(bundle.status)}. Audience: {audience}. Written by needsalloc {bundle.version}."


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {cell(item)}" for item in items)


def _to_fill(*questions: str) -> str:
    return _bullets(f"{question}: {TO_FILL}" for question in questions)


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _equality_table(bundle: Bundle) -> str:
    if "equality" not in bundle.beside:
        return "This run made no table by characteristic."
    frame, described = bundle.beside["equality"], schema.columns(bundle, "equality")
    hidden = withheld_cells(frame)
    shown = [
        [
            CONFIDENTIAL if name in hidden and withheld else column.show(value)
            for value, withheld in zip(frame[name], hidden.get(name, [False] * len(frame)), strict=True)
        ]
        for name, column in described.items()
    ]
    return table([column.label for column in described.values()], zip(*shown, strict=True))


def _options(bundle: Bundle) -> str:
    if "options" not in bundle.beside:
        return "The run compares the plan with nothing else."
    return "Compared in this run:\n\n" + _bullets(
        f"{option}: {what}"
        for option, what in bundle.beside["options"][["option", "what"]].itertuples(index=False)
    )


__all__ = ["TO_FILL", "data_flow", "documents", "equality", "transparency"]
