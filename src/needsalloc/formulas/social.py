"""Need measures from the user's own counts of people: Sweden's Care Need Index, and sums of z-scores.

Care Need Index: sum of weight * persons over seven groups, per head, relative to Sweden's or another mean.
    Statistics Sweden; Sundquist et al. 2003, Journal of Epidemiology and Community Health 57:347.
Steel et al. 2001: four rates per 10,000 people, each as a z-score, added up without weights: a baseline.
    Journal of Public Health Medicine 23:121.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import reference
from needsalloc.errors import FormulaError, InvalidValueError, MissingColumnError, first_few
from needsalloc.formulas.base import Base, key, members, relative

Floats = NDArray[np.float64]

POPULATION = "population"
CARE_NEED_COUNTS = (
    "under_5",
    "born_abroad",
    "living_alone_65_plus",
    "single_parent",
    "moved_in",
    "unemployed_16_64",
    "low_education_25_64",
)
STEEL_COUNTS = (
    "under_5",
    "elective_admissions_under_5",
    "births_under_2500_g",
    "deaths_under_65",
)
SWEDEN = "sweden"
_PER = 10_000


def care_need_weights() -> pd.Series:
    """The weight of a person of each of the seven groups, by the name of its column."""
    table = reference.read("care-need-index-weights").frame
    return table.set_index("variable")["weight"].loc[list(CARE_NEED_COUNTS)]


def care_need_mean_of_sweden() -> float:
    """Sweden's sum of weights per head, 2.476: not printed, implied by both examples that SCB prints."""
    examples = reference.read("care-need-index-examples").frame.set_index("item")
    units = examples[["unit_1", "unit_2"]]
    weights = care_need_weights()
    # Their exact sums: SCB leaves the decimals out.
    total = units.loc[list(CARE_NEED_COUNTS)].to_numpy().T @ weights.to_numpy()
    at_the_mean = (units.loc[POPULATION] * units.loc["relative_to_sweden"]).to_numpy()
    return float(total.sum() / at_the_mean.sum())


def care_need_sum(counts: pd.DataFrame) -> pd.Series:
    """Sum of weight times persons by place: what SCB's tables call Index.

    counts: index place; `population` and, in persons, `under_5, born_abroad, living_alone_65_plus,
    single_parent, moved_in, unemployed_16_64, low_education_25_64` (see `care_need_weights`). A person may be
    in several groups. Counts of another country's census are stand-ins for the Swedish definitions.

    Raises MissingColumnError, or InvalidValueError for counts that are missing, negative or above the
    population.
    """
    weights = care_need_weights()
    numbers = _counts(counts, CARE_NEED_COUNTS, "the Care Need Index")
    people = counts[POPULATION].to_numpy(np.float64)
    above = np.asarray((numbers > people[:, None]).any(axis=1))
    if above.any():
        raise InvalidValueError(
            f"{int(above.sum()):,} of {len(counts):,} places have more people in a group than in all: "
            f"{first_few(counts.index[above])}. Give persons, and a population of the same day."
        )
    return pd.Series(numbers @ weights.to_numpy(), index=counts.index, name="care_need_sum")


def care_need_index(counts: pd.DataFrame, *, base: Base = SWEDEN) -> pd.Series:
    """The Care Need Index by place, `need_index_<base>`, NaN where there is nobody.

    counts: as for `care_need_sum`.
    base: "sweden" (its mean of 2.476 per head), "england", "all" (the places at hand), or an Index of places.

    Raises as `care_need_sum` does; UnknownCodeError if the base is not all there.
    """
    total = care_need_sum(counts)
    people = counts[POPULATION].astype(np.float64)
    if isinstance(base, str) and base == SWEDEN:
        index = total / people.where(people > 0) / care_need_mean_of_sweden()
        return index.rename(f"need_index_{SWEDEN}")
    return relative(total, people, base)


def steel_score(counts: pd.DataFrame, *, base: Base = "all") -> pd.Series:
    """Sum of four z-scores by place, `need_score_<base>`: 0 is the mean place of the base, no ratio.

    counts: index place; `population`, `under_5, elective_admissions_under_5, births_under_2500_g,
    deaths_under_65`. Each is a rate per 10,000 people; mean and SD are those of the base's places, each place
    counted once, as in the paper's practices (SD over n: the paper does not say, and it changes no order).

    A score is not need per head: nothing can be shared out in proportion to it. The paper's own check: 0.37
    with the health visitors in post, 0.76 with their workload profiles, in Norfolk.

    Raises MissingColumnError; InvalidValueError for counts that are missing or negative, a place of nobody,
    or a rate that is the same in all of the base; UnknownCodeError if the base is not all there.
    """
    return z_score_sum(counts, STEEL_COUNTS, base=base)


def z_score_sum(counts: pd.DataFrame, columns: Sequence[str], *, base: Base = "all") -> pd.Series:
    """Unweighted sum of the z-scores of some rates per 10,000 by place, as `steel_score`, of any columns."""
    numbers = _counts(counts, columns, "a sum of z-scores")
    people = counts[POPULATION].to_numpy(np.float64)
    if (people <= 0).any():
        nobody = counts.index[people <= 0]
        raise InvalidValueError(
            f"{len(nobody):,} places have nobody, so no rates: {first_few(nobody)}. Leave them out."
        )
    rates = _PER * numbers / people[:, None]
    inside = rates[members(counts.index, base)]
    spread = inside.std(axis=0)
    flat = [
        name
        for name, sd, mean in zip(columns, spread, inside.mean(axis=0), strict=True)
        if sd <= 1e-12 * mean
    ]
    if flat:
        raise InvalidValueError(
            f"{first_few(flat)}: the rate is the same in all {len(inside):,} places of the base, so it "
            "has no z-score. Use a larger base, or check the column."
        )
    score = ((rates - inside.mean(axis=0)) / spread).sum(axis=1)
    return pd.Series(score, index=counts.index, name=f"need_score_{key(base)}")


def _counts(counts: pd.DataFrame, columns: Sequence[str], what: str) -> Floats:
    """The columns as numbers (places, columns), once all are there and can be counts."""
    lacking = [name for name in (POPULATION, *columns) if name not in counts]
    if lacking:
        raise MissingColumnError(
            f"{what[0].upper()}{what[1:]} needs {len(columns) + 1} columns; lacking: "
            f"{first_few(lacking, 8)}. Give the number of people in each, by place."
        )
    if counts.index.has_duplicates:
        twice = counts.index[counts.index.duplicated()].unique()
        raise InvalidValueError(
            f"{len(twice):,} places stand twice: {first_few(twice)}. Leave one row of each."
        )
    try:
        numbers = counts[[POPULATION, *columns]].to_numpy(np.float64)
    except (TypeError, ValueError) as error:
        raise FormulaError(f"The columns of {what} must hold numbers: {error}.") from error
    wrong = ~(np.isfinite(numbers) & (numbers >= 0)).all(axis=1)
    if wrong.any():
        raise InvalidValueError(
            f"{int(wrong.sum()):,} of {len(counts):,} places have a missing or negative count: "
            f"{first_few(counts.index[wrong])}. Write 0 where nobody is meant, or leave those places out."
        )
    return np.asarray(numbers[:, 1:])


__all__ = [
    "CARE_NEED_COUNTS",
    "POPULATION",
    "STEEL_COUNTS",
    "care_need_index",
    "care_need_mean_of_sweden",
    "care_need_sum",
    "care_need_weights",
    "steel_score",
    "z_score_sum",
]
