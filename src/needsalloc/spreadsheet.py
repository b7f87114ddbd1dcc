"""Text that a spreadsheet would run as a formula, and how it is kept text in a CSV file."""

import re

# A cell that opens with one of these is taken for a formula, or for the end of the cell before it.
FORMULA_START = r"^([=+\-@\t\r])"
AS_TEXT = r"'\1"


def as_text(cell: str) -> str:
    """The cell with an apostrophe before it if a spreadsheet would run it."""
    return re.sub(FORMULA_START, AS_TEXT, cell)


__all__ = ["AS_TEXT", "FORMULA_START", "as_text"]
