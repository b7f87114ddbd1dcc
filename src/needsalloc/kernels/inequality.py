r"""Measures of inequality between areas: by rank of deprivation, and against need.

Of an area, x is its resource, n its need and p its people; y2 = x / n is the resource per need-weighted
person, weighted by need, and y1 = x / p that per person, weighted by people, so that means are totals over
totals.

Areas are ranked from the most deprived. The rank r of an area is the weight below it and half the weight at
its own place, over the whole weight (its ridit): areas that tie share one rank, and the weighted mean of r is
1/2. With cov and var weighted alike,

    slope index      beta = cov(y, r) / var(r), of the line y = alpha + beta r by weighted least squares
    relative index   beta / mean(y)
    concentration    C = 2 cov(y, r) / mean(y) = 2 var(r) beta / mean(y)
    extended         C_v = -v / mean(y) cov(y, (1 - r)^(v - 1)),   C_2 = C

Positive favours the last in rank. With shares s of the resource and q of the need,

    Gini             C of y2 ranked by itself: twice the area between the Lorenz curve and the diagonal
    Theil            T = sum s ln(s / q),   0 ln 0 = 0
    Hoover           1/2 sum |s - q|: the share of the resource that would have to move

Sources: O'Donnell et al. 2008, Analyzing health equity using household survey data, chapters 8, 9 and 15 (the
covariance form, which is 0 for equal y with grouped ranks too; delta method for its variance); Wagstaff 2002;
Kakwani 1977; Theil 1967; Mackenbach and Kunst 1997 on the slope index; MacKinnon and White 1985 (HC3); Bell
and McCaffrey 2002 (CR3).

Areas are on the last axis of every array; those before it, if any, are draws.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Ratios that are equal on paper differ by a few units in the last place after a division.
_SAME = 1e-12


@dataclass(frozen=True, slots=True)
class Order:
    """Areas from the first in rank to the last, and where ties begin and end.

    rows: (areas,) their rows. start, end: (areas,) for each place of the order, the first place of its tie
    and the place after the last.
    """

    rows: Ints
    start: Ints
    end: Ints


def order(by: Floats) -> Order:
    """The order of areas by a value, the lowest first."""
    rows = np.argsort(by, kind="stable")
    sorted_by = by[rows]
    begins = np.append(True, np.diff(sorted_by) > _SAME * np.abs(sorted_by[1:]))
    tie = np.cumsum(begins) - 1
    first = np.flatnonzero(begins)
    return Order(rows, first[tie], np.append(first[1:], len(rows))[tie])


def ridit(weight: Floats, places: Order) -> Floats:
    """Ranks in (0, 1) of areas with `weight` (..., areas), both in the order of `places`."""
    below = np.cumsum(np.insert(weight, 0, 0.0, axis=-1), axis=-1)
    middle = (below[..., places.start] + below[..., places.end]) / 2
    found: Floats = middle / below[..., -1:]
    return found


def ratio(top: Floats, bottom: Floats) -> Floats:
    """top / bottom; 0 where there is nothing below, which then has no weight either."""
    return np.divide(top, bottom, out=np.zeros(np.broadcast(top, bottom).shape), where=bottom > 0)


def mean(value: Floats, weight: Floats) -> Floats:
    """Weighted means (...)."""
    found: Floats = (weight * value).sum(axis=-1) / weight.sum(axis=-1)
    return found


def covariance(first: Floats, second: Floats, weight: Floats) -> Floats:
    """Weighted covariances (...), over the whole weight."""
    away = (value - mean(value, weight)[..., None] for value in (first, second))
    return mean(np.multiply(*away), weight)


def concentration(value: Floats, rank: Floats, weight: Floats, aversion: float = 2.0) -> Floats:
    """The concentration index (...), extended by `aversion` v; 2 is the usual one."""
    towards = -((1 - rank) ** (aversion - 1))
    found: Floats = aversion * covariance(value, towards, weight) / mean(value, weight)
    return found


@dataclass(frozen=True, slots=True)
class Ranked:
    """Measures by rank, each (...), one for each draw.

    slope, relative, concentration, extended: of y2. per_person: C of y1; of_need: C of need per person;
    horizontal: their difference.
    """

    slope: Floats
    relative: Floats
    concentration: Floats
    extended: Floats
    per_person: Floats
    of_need: Floats
    horizontal: Floats


def ranked(resource: Floats, need: Floats, people: Floats, places: Order, aversion: float) -> Ranked:
    """Measures by rank of areas (..., areas) that are in the order of `places`.

    A draw that leaves need at one place only has no slope (NaN).
    """
    rank = ridit(need, places)
    level = ratio(resource, need)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = covariance(level, rank, need) / covariance(rank, rank, need)
    rank_of_people = ridit(people, places)
    per_person, of_need = (
        concentration(ratio(amount, people), rank_of_people, people) for amount in (resource, need)
    )
    return Ranked(
        slope=slope,
        relative=slope / mean(level, need),
        concentration=concentration(level, rank, need),
        extended=concentration(level, rank, need, aversion),
        per_person=per_person,
        of_need=of_need,
        horizontal=per_person - of_need,
    )


def gini(resource: Floats, need: Floats, places: Order) -> Floats:
    """Gini of resource against need (..., areas), which are in the order of their ratio: (...)."""
    return concentration(ratio(resource, need), ridit(need, places), need)


def kakwani(resource: Floats, need: Floats, people: Floats, places: Order) -> Floats:
    """C of resource less Gini of need, per person, areas (..., areas) in the order of need per person: (...).

    Positive: more on those with much need than need itself is.
    """
    rank = ridit(people, places)
    of_resource, of_need = (concentration(ratio(amount, people), rank, people) for amount in (resource, need))
    found: Floats = of_resource - of_need
    return found


def shares(amount: Floats) -> Floats:
    """Of the sum over the last axis."""
    found: Floats = amount / amount.sum(axis=-1, keepdims=True)
    return found


def theil(resource: Floats, need: Floats) -> Floats:
    """Theil's T of resource against need (..., areas): (...). No need with resource makes it infinite."""
    of_resource, of_need = shares(resource), shares(need)
    # Where there is no need there is no resource: 0 ln 0 = 0 for any ratio.
    with np.errstate(divide="ignore"):
        over = np.divide(of_resource, of_need, out=np.ones_like(of_resource), where=of_resource > 0)
    found: Floats = xlogy(of_resource, over).sum(axis=-1)
    return found


def hoover(resource: Floats, need: Floats) -> Floats:
    """Half the sum of the differences of shares (..., areas): (...)."""
    found: Floats = np.abs(shares(resource) - shares(need)).sum(axis=-1) / 2
    return found


def within(group: Ints, groups: int, resource: Floats, need: Floats) -> tuple[Floats, Floats]:
    """Hoover and Theil (groups,) among the areas of each group; NaN for one without resource or need.

    group: (areas,) numbers from 0.
    """

    def own_share(amount: Floats) -> Floats:
        return amount / np.bincount(group, amount, groups)[group]

    with np.errstate(divide="ignore", invalid="ignore"):
        of_resource, of_need = own_share(resource), own_share(need)
        over = np.divide(of_resource, of_need, out=np.ones_like(of_need), where=of_resource > 0)
    to_move: Floats = np.bincount(group, np.abs(of_resource - of_need), groups) / 2
    entropy: Floats = np.bincount(group, xlogy(of_resource, over), groups).astype(np.float64, copy=False)
    return to_move, entropy


@dataclass(frozen=True, slots=True)
class Line:
    """A weighted line through y by rank.

    mean, slope: at the middle rank, which is the weighted mean of y, and from rank 0 to 1. covariance: (2, 2)
    of the two. spread: the weighted variance of the ranks. clusters: that have weight.
    """

    mean: float
    slope: float
    covariance: Floats
    spread: float
    clusters: int

    @property
    def relative(self) -> float:
        """The slope over the mean."""
        return self.slope / self.mean

    @property
    def slope_error(self) -> float:
        """The standard error of the slope."""
        return float(np.sqrt(self.covariance[1, 1]))

    @property
    def relative_error(self) -> float:
        """The standard error of the slope over the mean, of both together (delta method)."""
        gradient = np.array([-self.relative, 1.0]) / self.mean
        # A line through every area has a variance of 0, or just below by rounding.
        return float(np.sqrt(np.maximum(gradient @ self.covariance @ gradient, 0.0)))


def line(value: Floats, rank: Floats, weight: Floats, cluster: Ints) -> Line:
    """The line of `value` by `rank` (areas,) with `weight`, its errors robust to unequal variance.

    cluster: (areas,) numbers from 0 of areas that stand or fall together; each its own number where none do.

    The covariance is that of leaving out one cluster at a time (CR3), which is HC3 where each is an area:
    with z = (1, r - 1/2), M = sum w z z' and M_g, s_g = sum w z e over the areas of a cluster g,

        sum over g of d_g d_g',   d_g = (M - M_g)^-1 s_g = b - b without g

    A cluster that decides the line alone leaves no error to judge by: the covariance is then NaN.
    """
    counts = weight > 0
    value, rank, weight = value[counts], rank[counts], weight[counts]
    group = np.unique(cluster[counts], return_inverse=True)[1]
    middle = mean(rank, weight)
    spread = covariance(rank, rank, weight)
    # In units in which M is 1: what a cluster holds of it is its leverage.
    unit = np.sqrt(weight.sum() * np.array([1.0, float(spread)]))
    design = np.stack([np.ones_like(rank), rank - middle]) / unit[:, None]
    scaled = design @ (weight * value)
    level, slope = scaled / unit
    score = design * (weight * (value - scaled @ design))

    def by_cluster(amount: Floats) -> Floats:
        return np.bincount(group, amount).astype(np.float64, copy=False)

    first, second = map(by_cluster, score)
    top, both, bottom = (by_cluster(weight * design[i] * design[j]) for i, j in ((0, 0), (0, 1), (1, 1)))
    left = (1 - top) * (1 - bottom) - both**2
    left = np.where(left > _SAME, left, np.nan)
    away = np.stack([(1 - bottom) * first + both * second, both * first + (1 - top) * second])
    away /= left * unit[:, None]
    return Line(float(level), float(slope), away @ away.T, float(spread), len(first))
