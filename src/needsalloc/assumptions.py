"""What the data do not say, in one form from the first reader to the last page."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["assumption", "inference", "choice", "gap"]


@dataclass(frozen=True, slots=True)
class Assumption:
    """Something that the data do not say: assumed, inferred, chosen by the planner, or missing."""

    what: str
    why: str
    kind: Kind
    source: str
