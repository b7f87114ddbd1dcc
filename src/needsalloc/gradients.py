"""How conditions rise with age where only their total is known: one labelled slope each.

No open file gives a condition by single year of age in a small area. Each condition's log odds (of a count,
its log mean) are taken as linear in age, with the slope of the table `age-gradients` per standard deviation
of age (18.61 years). The slopes are an inference of low confidence: they are set so that a cohort with the
published margins (Filipe et al. 2024, Table 1) returns the published share with any contact by age band.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from needsalloc import reference

Floats = NDArray[np.float64]

OPEN_BAND_AGE = 92.8
_BANDS = ((18, 30), (30, 50), (50, 70), (70, 90), (90, 101))
_BAND_ROWS = ("age_18_29", "age_30_49", "age_50_69", "age_70_89", "age_90_plus")
# Mean ages within the bands are not published. Those of the first, second and last band are set near those of
# Liverpool's lists of 2023 and 2026; the other two follow from the published mean and SD of age.
_FIRST_MEAN, _SECOND_MEAN = 24.8, 39.2


@dataclass(frozen=True, slots=True, eq=False)
class CohortAges:
    """The published cohort by single year of age: `age` (years,) mid-year, `share` (years,) summing to 1."""

    age: Floats
    share: Floats

    @property
    def z(self) -> Floats:
        return standardised(self.age)


def standardised(age: Floats) -> Floats:
    """Age in standard deviations from the cohort's mean (47.11 years, SD 18.61)."""
    mean, sd = _age()
    return (age - mean) / sd


@cache
def _age() -> tuple[float, float]:
    """Mean and standard deviation of age in the published cohort."""
    printed = reference.read("filipe-2024-table1").frame.set_index("variable")
    return float(printed["mean"]["age"]), float(printed["sd"]["age"])


def mid_year(first_age: NDArray[np.int64]) -> Floats:
    """The age that stands for each single year; 90 means 90 and over."""
    return np.where(first_age >= 90, OPEN_BAND_AGE, first_age + 0.5)


@cache
def table() -> pd.DataFrame:
    """`age-gradients` by term: `kind` ("binary" or "count"), `slope`, and the cohort's `mean` and `sd`."""
    slopes = reference.read("age-gradients").frame.set_index("term")
    printed = reference.read("filipe-2024-table1").frame.set_index("variable")
    number = printed["number"]
    share = number.reindex(slopes.index) / number["n_individuals"]
    return slopes.assign(
        mean=share.fillna(printed["mean"].reindex(slopes.index)), sd=printed["sd"].reindex(slopes.index)
    )


@cache
def cohort_ages() -> CohortAges:
    """Ages with the published band counts, mean (47.11) and standard deviation (18.61).

    Within each band the shares rise or fall exponentially; two bands' mean ages are solved for.
    """
    from scipy.optimize import brentq  # a sixth of a second that most imports need not spend

    printed = reference.read("filipe-2024-table1").frame.set_index("variable")["number"]
    weight = np.array([printed[row] for row in _BAND_ROWS]) / printed["n_individuals"]
    mean_age, sd_age = _age()
    age = np.arange(18, 101) + 0.5

    def band(number: int, mean: float) -> Floats:
        inside = (age >= _BANDS[number][0]) & (age < _BANDS[number][1])
        away = age[inside] - mean
        tilt = brentq(lambda q: np.exp(q * away) @ away, -2.0, 2.0)
        share = np.zeros_like(age)
        share[inside] = np.exp(tilt * away) / np.exp(tilt * away).sum()
        return share

    def cohort(fourth: float) -> Floats:
        known = {0: _FIRST_MEAN, 1: _SECOND_MEAN, 3: fourth, 4: OPEN_BAND_AGE}
        third = (mean_age - sum(weight[k] * mean for k, mean in known.items())) / weight[2]
        means = [_FIRST_MEAN, _SECOND_MEAN, third, fourth, OPEN_BAND_AGE]
        parts = [w * band(k, mean) for k, (w, mean) in enumerate(zip(weight, means, strict=True))]
        return np.asarray(np.sum(parts, axis=0), dtype=np.float64)

    def excess(fourth: float) -> float:
        share = cohort(fourth)
        return float(np.sqrt(share @ (age - share @ age) ** 2) - sd_age)

    return CohortAges(np.asarray(age), cohort(brentq(excess, 75.0, 80.0)))


def level(prevalence: Floats, weight: Floats, slope_z: Floats) -> Floats:
    """The constant of each group's log odds at which its prevalence over ages is met.

    prevalence: (groups,) in [0, 1); weight: (groups, ages) rows summing to 1; slope_z: (ages,) slope times
    standardised age. Returns (groups,); -inf where the prevalence is 0.
    """
    with np.errstate(divide="ignore"):
        wanted = logit(prevalence)
    constant = wanted - weight @ slope_z
    some = np.isfinite(wanted)
    for _ in range(50):
        curve = expit(constant[some, None] + slope_z)
        mean = (weight[some] * curve).sum(axis=1)
        gradient = (weight[some] * curve * (1 - curve)).sum(axis=1)
        # Newton on the logit of the mean, which is close to linear in the constant.
        step = (wanted[some] - logit(mean)) * mean * (1 - mean) / gradient
        constant[some] += step
        if np.all(np.abs(step) < 1e-12):
            break
    return constant


def slope(term: str) -> float:
    """The slope of a term's log odds (or log mean) per standard deviation of age."""
    return float(table()["slope"][term])


def counts() -> list[str]:
    """The terms that count something in a person's year; the other terms of the table are 0 or 1."""
    kinds = table()["kind"]
    return [str(term) for term in kinds.index[kinds == "count"]]


def conditions() -> list[str]:
    """The terms that a person has or has not."""
    kinds = table()["kind"]
    return [str(term) for term in kinds.index[kinds == "binary"]]


@cache
def reference_level(term: str) -> float:
    """The constant of a term's curve over the cohort: of log odds if binary, of the log mean if a count."""
    ages, mean = cohort_ages(), float(table()["mean"][term])
    slope_z = slope(term) * ages.z
    if term in counts():
        return float(np.log(mean) - np.log(ages.share @ np.exp(slope_z)))
    return float(level(np.array([mean]), ages.share[None, :], slope_z)[0])


def reference_curve(term: str, age: Floats) -> Floats:
    """The cohort's prevalence (or mean count) of `term` at each age (ages,)."""
    line = reference_level(term) + slope(term) * standardised(age)
    return np.asarray(np.exp(line) if term in counts() else expit(line))


__all__ = [
    "CohortAges",
    "cohort_ages",
    "conditions",
    "counts",
    "level",
    "mid_year",
    "reference_curve",
    "slope",
    "standardised",
    "table",
]
