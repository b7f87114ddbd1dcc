"""Rates of small areas from counts, shrunk toward what is expected of them, with their totals kept.

A small area's own rate is mostly chance. It is drawn toward a prediction (of its ages and deprivation, say),
the more so the fewer cases are expected there, and groups of areas are then scaled to their own totals.

Source: Clayton & Kaldor 1987, Biometrics 43(3):671-681 (gamma-Poisson empirical Bayes), here fitted by the
marginal likelihood, which is negative binomial, and not by moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.alignment import Values, check_series, numbers, refuse_rates, refuse_twice
from needsalloc.assumptions import Assumption
from needsalloc.display import sentence_and_table
from needsalloc.errors import FormulaError, InvalidValueError, UnknownCodeError, first_few
from needsalloc.index import NeedIndex
from needsalloc.kernels import shrinkage
from needsalloc.measures import RelativeNeed

Floats = NDArray[np.float64]
Interval = Literal["95", "99.8", "off"]

LARGEST_ERROR = 0.30
LEAST_WEIGHT = 0.5
FEW_AREAS = 30
ALL = "all areas"
TOP = 0.1
_WHOLE = 1e-6
# Areas whose ranks are put in order at a time.
_BLOCK = 2_000


@dataclass(frozen=True, eq=False)
class SmallAreaRates:
    """Rates of small areas, shrunk toward an expectation and scaled to the totals of their groups.

    Attributes
    ----------
    table:
        Index area: `group`; `observed`, `people`; `expected`, the prediction at the level of all counts;
        `own_rate` (observed / people) and `expected_rate`; `own_weight`, that of the own rate in
        `shrunk_rate` = own_weight * own_rate + (1 - own_weight) * expected_rate; `rate`, the shrunk one times
        its group's factor; `rate_low` and `rate_high`, the posterior interval times the same (absent where
        intervals are off); `relative_error`, the standard error of the rate over the rate; and `flag`, empty
        where the rate is stable: "imprecise" (relative error over 30 %), "mostly expected" (own weight under
        one half), or "imprecise, mostly expected".
    groups:
        Index group: `areas`, `observed`, `people`, `shrunk` (the sum of shrunk counts) and `factor`
        (observed / shrunk), by which the areas of the group are multiplied.
    overdispersion:
        Variance of the areas' true rates relative to the expected; 0 where they vary no more than chance.
    coefficients:
        Of the regression on standardised covariates, the constant first (log scale).
    dispersion:
        Variance over mean of the counts by chance alone, as given.
    interval:
        "95", "99.8" (per cent) or "off".
    notes:
        What was assumed.
    """

    table: pd.DataFrame
    groups: pd.DataFrame
    overdispersion: float
    coefficients: pd.Series
    dispersion: float
    interval: Interval
    notes: tuple[Assumption, ...]

    def ranks(self, *, draws: int = 1_000, seed: int = 1, top: float = TOP) -> pd.DataFrame:
        """How sure the order of areas is, from draws of their rates: 1 is the highest.

        Index area: `rank` by the rate itself, the mean rank `mean_rank`, `rank_low` and `rank_high` (95 % of
        draws), and `chance_of_top`, the share of draws in which the area is among the highest `top` (0.1: a
        tenth). Equal rates rank in the order of the table. Draws hold the fitted prior and the groups'
        factors as known.

        Raises InvalidValueError for fewer than 100 draws or a `top` that is no share.
        """
        if draws < 100 or not 0 < top < 1:
            raise InvalidValueError(
                f"{draws} draws for the highest {top}: give 100 draws or more, and a share between 0 and 1, "
                "such as 0.1 for the highest tenth."
            )
        rate = self.table["rate"].to_numpy(np.float64)
        counts = self.table["observed"].to_numpy(np.float64) / self.dispersion
        found = shrinkage.ranks_of_draws(
            counts, rate, self.overdispersion, draws, np.random.default_rng(seed)
        )
        low, high = np.hstack(
            [
                np.quantile(found[:, first : first + _BLOCK], [0.025, 0.975], axis=0, method="inverted_cdf")
                for first in range(0, len(rate), _BLOCK)
            ]
        )
        columns = {
            "rank": pd.Series(-rate).rank(method="first").to_numpy(np.int64),
            "mean_rank": found.mean(axis=0),
            "rank_low": low.astype(np.int64),
            "rank_high": high.astype(np.int64),
            "chance_of_top": (found <= np.ceil(top * len(rate))).mean(axis=0),
        }
        return pd.DataFrame(columns, index=self.table.index)

    def __repr__(self) -> str:
        stable = float((self.table["flag"] == "").mean())
        how = "no intervals" if self.interval == "off" else f"intervals of {self.interval} %"
        return (
            f"<SmallAreaRates: {len(self.table):,} areas, {self.table['observed'].sum():,.0f} counted among "
            f"{self.table['people'].sum():,.0f}; true rates vary by {np.sqrt(self.overdispersion):.0%} (SD) "
            f"about the expected; {stable:.0%} of areas are stable; totals kept in {len(self.groups):,} "
            f"groups, {how}>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def small_area_rates(
    observed: pd.Series,
    people: pd.Series,
    *,
    expected: pd.Series | None = None,
    covariates: pd.DataFrame | None = None,
    groups: pd.Series | None = None,
    dispersion: float = 1.0,
    interval: Interval = "95",
) -> SmallAreaRates:
    """Rates per person from whole counts, shrunk toward an expectation, with totals kept by group.

    1. expected_i: given, times one factor fitted to the counts; or people_i times a regression (log link) on
       the covariates; or, with neither, people_i times the rate of all.
    2. The true rate over the expected has mean 1 and variance phi between areas (gamma); phi and the
       regression have the largest negative binomial likelihood.
    3. shrunk_i = w_i observed_i + (1 - w_i) expected_i, w_i = phi expected_i / (1 + phi expected_i).
    4. Each group's areas are multiplied by its observed over its shrunk total.

    observed: whole counts by area, or by practice: contacts, users, people on a register. What was carried
        from other units is no count: its chance is another, and it is refused.
    people: who they are counted among, or person-years, by area.
    expected: what ages and deprivation predict, by area; the level does not matter.
    covariates: columns by area, for the regression.
    groups: index area, the group (a team, an ICB) whose total holds. By default one, of all areas.
    dispersion: variance over mean of a count by chance alone. 1 where each person counts once; contacts come
        in series, so give the sum of squares of persons' contacts over the sum.
    interval: "95" or "99.8" per cent of the posterior, or "off". The fitted prior is taken as known, so that
        with few areas intervals are too narrow.

    Raises FormulaError for a published index, which has no counts to shrink by; InvalidValueError for counts
    that are not whole or all 0, no people, covariates that repeat each other, or unknown words;
    UnknownCodeError if an area lacks a number or a group.

    >>> area = ["E01000001", "E01000002", "E01000003", "E01000004"]
    >>> found = small_area_rates(pd.Series([2, 30, 9, 19], area), pd.Series(100, area), interval="off")
    >>> round(float((found.table["rate"] * found.table["people"]).sum()), 9)  # the total holds
    60.0
    """
    _refuse_published(observed)
    if interval not in get_args(Interval):
        raise InvalidValueError(f'Unknown interval {interval!r}: choose "95", "99.8" or "off".')
    if expected is not None and covariates is not None:
        raise InvalidValueError("Give what is expected, or covariates to predict it from, not both.")
    if not (np.isfinite(dispersion) and dispersion > 0):
        raise InvalidValueError(f"The dispersion is {dispersion}; give a number above 0, 1 for persons.")
    areas = observed.index
    counts = _counts(observed)
    among = _positive(people, areas, "the people")
    exposure = among if expected is None else _positive(expected, areas, "the expected counts")
    design, names = _design(covariates, areas)
    fitted = shrinkage.fit(counts / dispersion, exposure / dispersion, design)
    if not fitted.converged:
        raise InvalidValueError(
            "The regression of the counts does not settle. Leave out covariates that hardly vary, or give "
            "what is expected."
        )
    phi, own, mu = fitted.overdispersion, counts / dispersion, fitted.expected
    group = _groups(groups, areas)
    shrunk = shrinkage.shrink(own, mu, phi) * dispersion
    totals = _totals(group, counts, among, shrunk)
    factor = totals["factor"].reindex(group).to_numpy()
    table = pd.DataFrame(
        {
            "group": group,
            "observed": counts,
            "people": among,
            "expected": mu * dispersion,
            "own_rate": counts / among,
            "expected_rate": mu * dispersion / among,
            "own_weight": shrinkage.own_weight(mu, phi),
            "shrunk_rate": shrunk / among,
            "rate": shrunk * factor / among,
        },
        index=areas,
    )
    if interval != "off":
        tail = (1 - float(interval) / 100) / 2
        for name, at in (("rate_low", tail), ("rate_high", 1 - tail)):
            table[name] = shrinkage.quantile(own, mu, phi, at) * (dispersion * factor / among)
    table["relative_error"] = shrinkage.relative_error(own, phi)
    table["flag"] = _flags(table)
    return SmallAreaRates(
        table,
        totals,
        phi,
        pd.Series(fitted.coefficients, index=pd.Index(names), name="coefficient"),
        dispersion,
        interval,
        _notes(expected, covariates, totals, phi, dispersion, len(areas)),
    )


def _refuse_published(observed: object) -> None:
    if isinstance(observed, NeedIndex | RelativeNeed):
        raise FormulaError(
            f"A published index ({type(observed).__name__}) is not shrunk: it is a prediction already, with "
            "no counts that would say how far chance moves it. Give observed counts, and the index as "
            "expected= (its people times their index)."
        )
    check_series(observed, "the observed counts")


def _counts(observed: pd.Series) -> Floats:
    refuse_rates(observed, "shrinking them", "counts and people")
    refuse_twice(observed.index, "the observed counts", "areas")
    counts = numbers(observed, "the observed counts")
    wrong = ~(np.isfinite(counts) & (counts >= 0))
    whole = np.abs(counts - np.round(np.where(wrong, 0, counts))) <= _WHOLE
    if (wrong | ~whole).any():
        shown = first_few(observed.index[wrong | ~whole])
        raise InvalidValueError(
            f"{int((wrong | ~whole).sum()):,} of {len(counts):,} observed counts are missing, negative or "
            f"not whole: {shown}. Shrinkage weighs counts by their chance; what was carried from practices "
            "to areas, or rescaled, has another. Shrink counts where they were made, and carry the result."
        )
    if len(counts) < 2 or counts.sum() <= 0:
        raise InvalidValueError(
            f"{counts.sum():,.0f} cases in {len(counts):,} areas say nothing of how areas differ. Give two "
            "areas or more, with a case."
        )
    return counts


def _aligned(values: Values, areas: pd.Index, what: str) -> Floats:
    refuse_twice(values.index, what, "areas")
    missing = areas.difference(values.index)
    if len(missing):
        raise UnknownCodeError(
            f"{len(missing):,} of {len(areas):,} areas with counts have no row in {what}: "
            f"{first_few(missing)}. Give every area one."
        )
    return numbers(values.reindex(areas), what)


def _positive(values: pd.Series, areas: pd.Index, what: str) -> Floats:
    check_series(values, what)
    found = _aligned(values, areas, what)
    wrong = areas[~(np.isfinite(found) & (found > 0))]
    if len(wrong):
        raise InvalidValueError(
            f"{len(wrong):,} areas have a number in {what} that is missing or not above 0: "
            f"{first_few(wrong)}. Leave those areas out, by name."
        )
    return found


def _design(covariates: pd.DataFrame | None, areas: pd.Index) -> tuple[Floats, list[str]]:
    """(areas, terms) ones and the standardised covariates, and their names."""
    ones = np.ones((len(areas), 1))
    if covariates is None:
        return ones, ["constant"]
    values = _aligned(covariates, areas, "the covariates")
    if not np.isfinite(values).all():
        wrong = areas[np.asarray(~np.isfinite(values).all(axis=1))]
        raise InvalidValueError(f"{len(wrong):,} areas lack a covariate: {first_few(wrong)}. Fill them in.")
    spread = values.std(axis=0)
    scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    design = np.hstack([ones, scaled])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise InvalidValueError(
            f"The covariates {first_few(covariates.columns)} are constant or repeat each other, or are as "
            f"many as the areas ({len(areas):,}). Leave some out."
        )
    return design, ["constant", *map(str, covariates.columns)]


def _groups(groups: pd.Series | None, areas: pd.Index) -> pd.Index:
    if groups is None:
        return pd.Index([ALL]).repeat(len(areas))
    check_series(groups, "the groups")
    refuse_twice(groups.index, "the groups", "areas")
    found = groups.reindex(areas)
    missing = areas[found.isna()]
    if len(missing):
        raise UnknownCodeError(
            f"{len(missing):,} of {len(areas):,} areas have no group: {first_few(missing)}. Give each its "
            "team or ICB, so that no total is lost."
        )
    return pd.Index(found)


def _totals(group: pd.Index, counts: Floats, among: Floats, shrunk: Floats) -> pd.DataFrame:
    rows = pd.DataFrame({"areas": 1, "observed": counts, "people": among, "shrunk": shrunk})
    totals = rows.groupby(group).sum().rename_axis("group")
    return totals.assign(factor=totals["observed"] / totals["shrunk"])


def _flags(table: pd.DataFrame) -> list[str]:
    imprecise = table["relative_error"] > LARGEST_ERROR
    expected = table["own_weight"] < LEAST_WEIGHT
    words = ["imprecise, mostly expected", "imprecise", "mostly expected"]
    return np.select([imprecise & expected, imprecise, expected], words, "").tolist()


def _notes(
    expected: pd.Series | None,
    covariates: pd.DataFrame | None,
    totals: pd.DataFrame,
    phi: float,
    dispersion: float,
    areas: int,
) -> tuple[Assumption, ...]:
    toward = "the rate of all areas"
    if expected is not None:
        toward = "what is expected, at the level of all counts"
    elif covariates is not None:
        toward = f"a regression on {first_few(covariates.columns)}"
    method = Assumption(
        f"Rates are shrunk toward {toward}",
        f"Gamma-Poisson empirical Bayes by marginal likelihood; variance between areas {phi:.4f}, dispersion "
        f"of the counts {dispersion:g}. Intervals are of the posterior and take the fitted prior as known"
        + (f", which {areas:,} areas hardly tell: they are too narrow" if areas < FEW_AREAS else ""),
        "inference",
        "Clayton & Kaldor 1987, Biometrics 43:671-681",
    )
    kept = Assumption(
        f"Shrunk counts are multiplied to the totals of {len(totals):,} groups",
        f"By {totals['factor'].min():.3f} to {totals['factor'].max():.3f}; intervals by the same",
        "choice",
        "",
    )
    none = totals.index[totals["observed"] == 0]
    gaps = (
        (
            Assumption(
                f"{len(none):,} groups count nobody, and their areas have a rate of 0: {first_few(none)}",
                "Their total holds",
                "gap",
                "",
            ),
        )
        if len(none)
        else ()
    )
    return (method, kept, *gaps)


__all__ = ["Interval", "SmallAreaRates", "small_area_rates"]
