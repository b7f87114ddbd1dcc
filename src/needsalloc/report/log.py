"""log.md: what was assumed and what was checked, to be read or put under version control."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from needsalloc.report.bundle import Bundle


def log(bundle: Bundle) -> str:
    """The log of a run as Markdown. Same bundle, same text."""
    failed = sum(check.status == "fail" for check in bundle.checks)
    warned = sum(check.status == "warning" for check in bundle.checks)
    parts = [
        f"# {cell(bundle.title)}: assumptions and checks",
        f"Status: {cell(bundle.status)}. Written by needsalloc {bundle.version}.",
        "## Warnings" if bundle.warnings else "",
        "\n".join(f"- {cell(warning)}" for warning in bundle.warnings),
        "## Assumptions, inferences, choices and gaps",
        table(
            ["What", "Kind", "Why", "Source"],
            ([found.what, found.kind, found.why, found.source] for found in bundle.assumptions),
        ),
        "## Checks",
        f"{len(bundle.checks)} checks: {failed} failed, {warned} with a warning.",
        table(
            ["Check", "Status", "Found", "Expected"],
            ([check.name, check.status, check.found, check.expected] for check in bundle.checks),
        ),
        "## Parameters",
        table(["Setting", "Value"], ([name, value] for name, value in bundle.parameters.items())),
        "## Sources",
        table(
            ["Role", "File", "Publisher", "Title", "Release", "Licence", "Rows", "SHA-256"],
            (
                [s.role, s.file, s.publisher, s.title, s.release, s.licence, f"{s.rows:,}", s.sha256]
                for s in bundle.sources
            ),
        ),
        "\n".join(bundle.attribution),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, or "None." without rows."""
    lines = [_line(header), _line(["---"] * len(header)), *(_line(row) for row in rows)]
    return "\n".join(lines) if len(lines) > 2 else "None."


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(cell, cells)) + " |"


def cell(text: str) -> str:
    """A pipe or a line break would end the cell, and an angle bracket would start HTML."""
    flat = " ".join(text.split())
    return flat.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


__all__ = ["cell", "log", "table"]
