"""What can be wrong with the data, by name.

Every message says what is wrong, how many times, which ones come first, and what to do.
The command line shows the message alone and ends with code 2.
"""

from collections.abc import Iterable


class NeedsallocError(Exception):
    """Any fault that the user can put right; the parent of all the others."""


class InputFileError(NeedsallocError):
    """A file that cannot be read, or that is another file than the one expected."""


class MissingColumnError(InputFileError):
    """A file without a column that its reader needs."""


class InvalidValueError(NeedsallocError):
    """Values that cannot be: negative or non-numeric counts, a code given twice."""


class VintageError(NeedsallocError):
    """Areas of two census vintages mixed, or a best-fit lookup where an exact one is needed."""


class UnknownCodeError(NeedsallocError):
    """A code that the data at hand do not hold: an ICB, a team, a practice, an area."""


class PlanError(NeedsallocError):
    """A plan file with a misspelt key, a missing section or a value outside its choices."""


class ReferenceTableError(NeedsallocError):
    """A published table that is not there, has changed, or is asked for a day before its first."""


class FormulaError(NeedsallocError):
    """A need formula used outside what it was fitted for, or without a term that it needs."""


class AllocationError(NeedsallocError):
    """A total, step or set of limits that no allocation can meet."""


class ConservationError(NeedsallocError):
    """People or posts lost or made on the way through a run: a fault of the software."""


class FetchError(NeedsallocError):
    """An official file that cannot be fetched: out of reach, moved, cut short, too large, or changed."""


class OutputError(NeedsallocError):
    """An output folder that cannot be written, or that must not be overwritten."""


class DisclosureError(NeedsallocError):
    """Small numbers shown without a reason, or people in small teams in a report for the public."""


def first_few(values: Iterable[object], n: int = 5) -> str:
    """The first `n` values for a message, and how many more there are."""
    listed = [str(value) for value in values]
    shown = ", ".join(listed[:n])
    return f"{shown} and {len(listed) - n:,} more" if len(listed) > n else shown


def check_kind(value: object, kind: type, made_by: str) -> None:
    """Refuse an object of another kind than a function takes; `made_by` says what makes the right one.

    >>> check_kind("P1", dict, "read it first")
    Traceback (most recent call last):
    needsalloc.errors.InvalidValueError: This takes dict, not str: read it first.
    """
    if not isinstance(value, kind):
        raise InvalidValueError(f"This takes {kind.__name__}, not {type(value).__name__}: {made_by}.")
