"""Published need measures by name: what each needs, and what it gives from the inputs at hand.

Inputs are frames by name: `population` by (place, sex) or place, `health_domain` (`read_health_domain`),
`care_need_counts` and `health_visiting_counts` (the user's own). A measure whose inputs lack something is a
row that says what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from needsalloc import reference
from needsalloc.assumptions import Assumption
from needsalloc.errors import FormulaError, NeedsallocError
from needsalloc.formulas.base import Base
from needsalloc.formulas.social import (
    CARE_NEED_COUNTS,
    POPULATION,
    STEEL_COUNTS,
    care_need_index,
    steel_score,
)
from needsalloc.formulas.weights import Weights

Inputs = Mapping[str, pd.DataFrame]
Result = tuple[pd.Series, pd.Series, tuple[Assumption, ...]]

WORKLOAD = "general-practice/england-2007"


@dataclass(frozen=True, eq=False)
class Measured:
    """A need measure, `by_place`, with the `people` that it is over and what was assumed on the way."""

    preset: Preset
    by_place: pd.Series
    people: pd.Series
    notes: tuple[Assumption, ...]

    def __repr__(self) -> str:
        values = self.by_place
        return (
            f"<Measured {self.preset.name}: {values.notna().sum():,} places, {values.name} from "
            f"{values.min():.2f} to {values.max():.2f}>"
        )


@dataclass(frozen=True, eq=False)
class Preset:
    """A published need measure.

    Attributes
    ----------
    name, title:
        What it is.
    published:
        Where: the name of a reference table, or a citation.
    kind:
        "index", a ratio whose mean over the base's people is 1, or "score", whose mean over places is 0.
    needs:
        Name of an input -> what it must hold.
    rule:
        Inputs and base -> values by place, the people they are over, and what was assumed.
    """

    name: str
    title: str
    published: str
    kind: str
    needs: Mapping[str, str]
    rule: Callable[[Inputs, Base], Result]

    @property
    def source(self) -> str:
        """Where it was published."""
        return reference.read(self.published).source if self._is_table else self.published

    def cite(self) -> str:
        """Title, source and, where it has a reference table, licence."""
        if self._is_table:
            return reference.read(self.published).cite()
        return f"{self.title}. {self.published}."

    @property
    def _is_table(self) -> bool:
        return self.published in reference.names()

    def compute(self, inputs: Inputs, base: Base = "england") -> Measured:
        """The measure by place. Inputs that it does not need are left alone.

        Raises FormulaError if inputs are lacking, and whatever is wrong with those that are there.
        """
        lacking = [f"{name} ({what})" for name, what in self.needs.items() if name not in inputs]
        if lacking:
            raise FormulaError(f"{self.name} lacks {'; '.join(lacking)}. Give them by these names.")
        values, people, notes = self.rule(inputs, base)
        return Measured(self, values, people, notes)

    def lacks(self, inputs: Inputs, base: Base = "england") -> str:
        """Why the measure cannot be computed from these inputs; empty if it can."""
        try:
            self.compute(inputs, base)
        except NeedsallocError as error:
            return str(error)
        return ""

    def __repr__(self) -> str:
        return f"<Preset {self.name}: {self.title}; needs {', '.join(self.needs)}>"


def available(inputs: Inputs, base: Base = "england") -> pd.DataFrame:
    """A row for each preset: `title, kind, can_be_computed, lacks, source`, index `preset`.

    `lacks` says what is missing or wrong in the inputs, and what to do. It is found by computing.
    """
    rows = []
    for preset in PRESETS.values():
        lacks = preset.lacks(inputs, base)
        rows.append((preset.name, preset.title, preset.kind, not lacks, lacks, preset.source))
    columns = ["preset", "title", "kind", "can_be_computed", "lacks", "source"]
    return pd.DataFrame(rows, columns=columns).set_index("preset")


def _workload(inputs: Inputs, base: Base) -> Result:
    weights, population, scores = Weights.published(WORKLOAD), inputs["population"], inputs["health_domain"]
    edition = scores.attrs.get("edition") or "an edition that is not stated"
    newer = Assumption(
        f"The score of the health domain is that of {edition}, newer than the formula of 2007",
        "The factor belongs to the scores of its time; each edition sets their scale anew",
        "assumption",
        str(scores.attrs.get("source", {}).get("file", "health_domain")),
    )
    other = Assumption(
        "The measure is of the workload of general practice, not of community nursing",
        "It is shown for comparison",
        "choice",
        WORKLOAD,
    )
    notes = [*weights.assumptions(population), newer, other]
    if carried := scores.attrs.get("carried"):
        notes.append(
            Assumption(
                f"The health domain's score was carried from areas of {carried['from']} to {carried['to']}",
                "Where areas were merged, the mean of their parts stands for all of them",
                "assumption",
                f"exact-fit lookup, weighed by {carried['people']}",
            )
        )
    return weights.index(population, scores, base=base), weights.people(population), tuple(notes)


def _care_need(inputs: Inputs, base: Base) -> Result:
    stand_in = Assumption(
        "The seven groups are the user's counts, taken as stand-ins for the Swedish definitions",
        "The index was made for Swedish registers",
        "assumption",
        str(inputs["care_need_counts"].attrs.get("source", {}).get("file", "care_need_counts")),
    )
    counts = inputs["care_need_counts"]
    return care_need_index(counts, base=base), counts[POPULATION].astype(float), (stand_in,)


def _steel(inputs: Inputs, base: Base) -> Result:
    unweighted = Assumption(
        "Four z-scores are added up without weights; each place counts once in mean and SD",
        "The paper's rule; a score cannot be shared out in proportion",
        "choice",
        "Steel, Reading and Allen 2001",
    )
    counts = inputs["health_visiting_counts"]
    return steel_score(counts, base=base), counts[POPULATION].astype(float), (unweighted,)


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            WORKLOAD,
            "Workload of general practice, formula review of 2007, by area",
            "general-practice-workload-2007",
            "index",
            {
                "population": "people by place and sex, in bands that begin at 0, 5, 15, 45, 65, 75 and 85",
                "health_domain": "health_score by area of the same census",
            },
            _workload,
        ),
        Preset(
            "care-need-index/sweden",
            "Care Need Index of Sweden, on the user's counts",
            "care-need-index-weights",
            "index",
            {"care_need_counts": f"population, {', '.join(CARE_NEED_COUNTS)}"},
            _care_need,
        ),
        Preset(
            "health-visiting/norfolk-2001",
            "Need for health visiting, sum of four z-scores, on the user's counts",
            "Steel N, Reading R, Allen C. An assessment of need for health visiting in general practice "
            "populations. Journal of Public Health Medicine 2001;23:121-128",
            "score",
            {"health_visiting_counts": f"population, {', '.join(STEEL_COUNTS)}"},
            _steel,
        ),
    )
}

__all__ = ["PRESETS", "Measured", "Preset", "available"]
