"""The published ways to draw a catchment from flows, by the names that the field gives them.

`proportional` shares every area out; `first_past_the_post` gives each whole area to the team with its largest
share; `threshold` gives it to every team with at least a share of its people ("30 % proportional flow" in
print, which is no proportional flow); `cumulative` gives a team the fewest areas that hold a part of its
patients; `stratified` shares out each age and sex of an area by the flows of that age and sex.

Sources: Norris-Bailey / South West Public Health Observatory 2006; Jones et al. 2011,
doi:10.1007/s10729-011-9154-y; Beaney et al. 2022, BJGP Open 6(4) BJGPO.2022.0037 and BMC Public Health 22:75.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from needsalloc.errors import InvalidValueError
from needsalloc.kernels import assign

METHODS = ("proportional", "first_past_the_post", "threshold", "cumulative", "stratified")
RESIDUALS = ("unassigned", "largest")
# The range of a share that a method takes, and the share it has where none is given.
_SHARES = {"threshold": (0.0, 1.0, 0.30), "cumulative": (0.50, 0.98, 0.80)}


@dataclass(frozen=True, slots=True)
class Method:
    """A way to draw a catchment.

    name: one of METHODS. share: of an area's people (threshold) or of a team's patients (cumulative).
    residual: what becomes of an area in which no team reaches the threshold: "unassigned", or "largest".
    """

    name: str = "proportional"
    share: float | None = None
    residual: str | None = None

    @property
    def by_whole_areas(self) -> bool:
        """Whether an area is in a catchment as a whole or not at all."""
        return self.name in ("first_past_the_post", "threshold", "cumulative")

    def choose(self, flows: sparse.csr_array, allowed: assign.Bools) -> assign.Chosen:
        """Which flows (areas x teams) put an area into a team's catchment, for a method by whole areas."""
        if self.name == "first_past_the_post":
            return assign.first_past_the_post(flows, allowed)
        assert self.share is not None
        if self.name == "threshold":
            return assign.threshold(flows, allowed, self.share, or_largest=self.residual == "largest")
        return assign.cumulative(flows, allowed, self.share)

    @property
    def label(self) -> str:
        """The method in a word or two, as tables name it: "first past the post", "threshold 30%"."""
        words = self.name.replace("_", " ")
        share = f" {self._percent}" if self._percent else ""
        return words + share + (" or largest" if self.residual == "largest" else "")

    def __str__(self) -> str:
        words = self.name.replace("_", " ")
        if self.name == "threshold":
            rest = "to the largest" if self.residual == "largest" else "in no catchment"
            return f"{words}: at least {self._percent} of an area's registered people; other areas {rest}"
        if self.name == "cumulative":
            return f"{words}: the fewest areas that hold {self._percent} of a team's patients"
        return words

    @property
    def _percent(self) -> str:
        # Two shares that differ must not read the same: 7.5% is not 8%.
        return "" if self.share is None else f"{100 * self.share:g}%"


def method(name: str, share: float | None = None, residual: str | None = None) -> Method:
    """The method of that name with its options checked.

    Raises InvalidValueError for an unknown name or residual, for an option that the method does not have, and
    for a share outside its range.
    """
    if name not in METHODS:
        near = difflib.get_close_matches(str(name), METHODS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InvalidValueError(f"Unknown method {name!r}: choose {', '.join(METHODS)}.{hint}")
    given = [word for word, value in (("share", share), ("residual", residual)) if value is not None]
    known = {"threshold": ["share", "residual"], "cumulative": ["share"]}.get(name, [])
    if surplus := [word for word in given if word not in known]:
        raise InvalidValueError(
            f"The method {name!r} has no option {' or '.join(surplus)}: leave it out, or choose threshold "
            "(share, residual) or cumulative (share)."
        )
    if name in _SHARES:
        low, high, usual = _SHARES[name]
        share = usual if share is None else share
        if isinstance(share, bool) or not isinstance(share, (int, float, np.number)):
            raise InvalidValueError(f"The share of the method {name!r} is {share!r}, which is no number.")
        if not (low < share <= high or share == low > 0):
            raise InvalidValueError(
                f"The share of the method {name!r} is {share}, not {_range(low, high)}. "
                "Write 0.30 for 30 per cent."
            )
    if name == "threshold":
        residual = residual or RESIDUALS[0]
        if residual not in RESIDUALS:
            raise InvalidValueError(f"Unknown residual {residual!r}: choose {' or '.join(RESIDUALS)}.")
    return Method(name, share, residual)


def _range(low: float, high: float) -> str:
    return f"from {low:g} to {high:g}" if low else f"above 0 and up to {high:g}"


PROPORTIONAL = Method()

__all__ = ["METHODS", "PROPORTIONAL", "RESIDUALS", "Method", "method"]
