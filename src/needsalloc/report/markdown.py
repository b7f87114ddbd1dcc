"""A small part of Markdown as HTML: headings, paragraphs, lists, tables, bold and code; the rest is text.

Nothing of the text can become a tag, an attribute or an address: everything is escaped first.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from itertools import groupby

MOST_ON_PAPER = 10  # columns
_HEADING = re.compile(r"(#{1,4}) +(.*)")
_BULLET = re.compile(r"[-*] +(.*)")
_FIGURE = re.compile(r"[+−-]?[\d,.]+%?|–|\[c\]")
_NUMBERED = re.compile(r"\d+\. +(.*)")


def to_html(text: str, *, top: int = 3) -> str:
    """Markdown as HTML; "#" becomes a heading of the level `top`.

    >>> to_html("# Need\\n\\nIt is **not** <demand>.")
    '<h3>Need</h3>\\n<p>It is <strong>not</strong> &lt;demand&gt;.</p>'
    """
    lines = text.replace("\r\n", "\n").split("\n")
    blocks = groupby(lines, key=_kind_of)
    return "\n".join(part for kind, block in blocks for part in _block(kind, list(block), top))


def _kind_of(line: str) -> str:
    stripped = line.strip()
    if not stripped:
        return ""
    if _HEADING.match(stripped):
        return "heading"
    if stripped.startswith("|"):
        return "table"
    if _BULLET.match(stripped):
        return "ul"
    return "ol" if _NUMBERED.match(stripped) else "p"


def _block(kind: str, lines: list[str], top: int) -> Iterator[str]:
    if kind == "heading":
        for line in lines:
            found = _HEADING.match(line.strip())
            assert found is not None
            level = min(top + len(found[1]) - 1, 6)
            yield f"<h{level}>{_words(found[2])}</h{level}>"
    elif kind == "p":
        yield f"<p>{_words(' '.join(line.strip() for line in lines))}</p>"
    elif kind in ("ul", "ol"):
        pattern = _BULLET if kind == "ul" else _NUMBERED
        items = (pattern.match(line.strip()) for line in lines)
        yield f"<{kind}>" + "".join(f"<li>{_words(item[1])}</li>" for item in items if item) + f"</{kind}>"
    elif kind == "table":
        yield _table([_cells(line) for line in lines])


def _cells(line: str) -> list[str]:
    inner = line.strip().strip("|")
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner)]


def _table(rows: list[list[str]]) -> str:
    ruled = len(rows) > 1 and all(re.fullmatch(r":?-+:?", cell) for cell in rows[1])
    heads, body = (rows[0], rows[2:]) if ruled else ([], rows)
    figures = [bool(cells) and all(map(_FIGURE.fullmatch, cells)) for cells in zip(*body, strict=False)]
    figures += [False] * (len(heads) - len(figures))
    head = "".join(
        f'<th scope="col"{_number(figure)}>{_words(cell)}</th>'
        for cell, figure in zip(heads, figures, strict=False)
    )
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in body)
    broad = len(rows[0]) > MOST_ON_PAPER
    return (
        ('<p class="instead">A table too wide for paper stands here on the screen.</p>' if broad else "")
        + f'<div class="scroll{" broad" * broad}" role="region" aria-label="Table" tabindex="0"><table>'
        + (f"<thead><tr>{head}</tr></thead>" if head else "")
        + f"<tbody>{lines}</tbody></table></div>"
    )


def _cell(text: str) -> str:
    return f"<td{_number(bool(_FIGURE.fullmatch(text)))}>{_words(text)}</td>"


def _number(figure: bool) -> str:
    return ' class="number"' if figure else ""


def _words(text: str) -> str:
    safe = html.escape(text.replace("&lt;", "<").replace("\\\\", "\\"))
    safe = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", safe)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
