"""Count families: log-likelihood, score, information and persons' outer products, from sums by cell.

A family is a base, Poisson or negative binomial, and what it does with zeros. With x = log mu (part "count"),
z (part "zero") and t = log theta (part "log_theta", the same in all cells). Both bases are

    log f(y) = l + y b + T(y) - log y!

    Poisson              l = -mu                        b = x                   T(y) = 0
    negative binomial    l = -theta log(1 + mu/theta)   b = x - log(1 + mu/theta)
                         T(y) = sum over j < y of log(1 + j/theta)              variance mu + mu^2 / theta

so that the log of f(0) is l, and a cell needs the sums of y and of y^2 alone. T depends on y and theta only:
the sum of it over all people needs their histogram of y, whatever their cells.

    zeros "plain"       P(0) = f(0)                          P(y) = f(y)
    zeros "inflated"    P(0) = pi + (1 - pi) f(0)            P(y) = (1 - pi) f(y)           logit pi = z
    zeros "hurdle"      P(0) = 1 - p                         P(y) = p f(y) / (1 - f(0))     logit p  = z

The signs are those of R's pscl: z is the log odds of *never* using where zeros are inflated, and of *any* use
in a hurdle. Sources: Lambert 1992 (zero-inflated Poisson), Mullahy 1986 (hurdle), and Zeileis, Kleiber and
Jackman 2008, Journal of Statistical Software 27(8), for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Zeros = Literal["plain", "inflated", "hurdle"]
Pair = tuple[str, str]

# A log mean below this is as good as none, and one over it still is a number.
LOWEST = -300.0
COUNT, ZERO, LOG_THETA = "count", "zero", "log_theta"


@dataclass(frozen=True, slots=True)
class Counts:
    """Histogram of positive counts by cell: `people` (rows,) of `cell`, ascending, have the count `y`."""

    cell: Ints
    y: Floats
    people: Floats


@dataclass(frozen=True, slots=True)
class Stats:
    """Sums over the people of each cell, frequency weights counted: all (cells,).

    zeros, positives: people with y = 0 and with y > 0. total, total_squares, log_factorials: sums of y, y^2
    and log y!. counts: the histogram by cell; only the dispersed families look at it.
    """

    zeros: Floats
    positives: Floats
    total: Floats
    total_squares: Floats
    log_factorials: Floats
    counts: Counts | None = None

    @classmethod
    def of_rows(cls, y: ArrayLike, weight: ArrayLike = 1.0) -> Stats:
        """Each person a cell of their own.

        >>> Stats.of_rows([0, 3]).positives
        array([0., 1.])
        """
        found = np.asarray(y, dtype=np.float64)
        people = np.broadcast_to(np.asarray(weight, dtype=np.float64), found.shape)
        some = found > 0
        where = np.flatnonzero(some)
        return cls(
            np.where(some, 0.0, people),
            np.where(some, people, 0.0),
            people * found,
            people * found**2,
            people * gammaln(found + 1.0),
            Counts(where, found[where], people[where]),
        )

    def __len__(self) -> int:
        return len(self.zeros)

    def part(self, start: int, stop: int) -> Stats:
        """The cells from `start` up to `stop`."""
        counts = self.counts
        if counts is not None:
            first, last = np.searchsorted(counts.cell, [start, stop])
            inside = slice(first, last)
            counts = Counts(counts.cell[inside] - start, counts.y[inside], counts.people[inside])
        cells = slice(start, stop)
        return Stats(
            self.zeros[cells],
            self.positives[cells],
            self.total[cells],
            self.total_squares[cells],
            self.log_factorials[cells],
            counts,
        )


@dataclass(slots=True)
class _Jet:
    """A value (cells,) with its first and second derivatives by part; what is absent is zero."""

    value: Floats
    first: dict[str, Floats] = field(default_factory=dict)
    second: dict[Pair, Floats] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Derivatives:
    """Log-likelihood of each cell (cells,), its score by part and its information by pair of parts."""

    log_likelihood: Floats
    score: Mapping[str, Floats]
    information: Mapping[Pair, Floats]


@dataclass(frozen=True, slots=True)
class Family:
    """A distribution of counts, as a value.

    Linear predictors `eta` are (cells, k), a column for each of `parts`; log theta is the same in all rows.

    Attributes
    ----------
    name:
        "poisson", "quasi-poisson", "nb", "zip", "zinb", "hurdle" or "hurdle-nb".
    dispersed:
        Whether the base is the negative binomial.
    zeros:
        "plain", "inflated" or "hurdle".
    fractions:
        Whether y may be a fraction: a quasi-likelihood, of which the model errors grow with Pearson's
        dispersion.
    """

    name: str
    dispersed: bool = False
    zeros: Zeros = "plain"
    fractions: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        """What the columns of `eta` are: "count", then "zero" and "log_theta" where there are any."""
        zero = () if self.zeros == "plain" else (ZERO,)
        return (COUNT, *zero, *((LOG_THETA,) if self.dispersed else ()))

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Pairs of parts, the earlier first."""
        return tuple(combinations_with_replacement(self.parts, 2))

    def log_likelihood(self, eta: Floats, stats: Stats) -> Floats:
        """(cells,) exact, log y! included. A dispersed family needs `stats.counts`."""
        nobody, users, slope = self._persons(self._columns(eta))
        found = stats.zeros * nobody.value + stats.positives * users.value + stats.total * slope.value
        return np.asarray(found - stats.log_factorials + self._of_counts(eta, stats)[0])

    def score(self, eta: Floats, stats: Stats) -> Floats:
        """(cells, k) first derivatives of `log_likelihood` by the columns of eta."""
        found = self.derivatives(self._columns(eta), stats).score
        score = np.stack([found[part] for part in self.parts], axis=1)
        if self.dispersed:
            score[:, -1] += self._of_counts(eta, stats)[1]
        return score

    def information(self, eta: Floats, stats: Stats) -> Floats:
        """(cells, k, k) observed information: negative second derivatives of `log_likelihood`."""
        found = self.derivatives(self._columns(eta), stats).information
        square = _square(found, self.parts, len(eta))
        if self.dispersed:
            square[:, -1, -1] -= self._of_counts(eta, stats)[2]
        return square

    def meat(self, eta: Floats, stats: Stats) -> Floats:
        """(cells, k, k) sum over a cell's people of the outer products of their scores.

        A person with y = 0 has the score u; one with y > 0 has a + b y, and T'(y) more for log theta.
        """
        nobody, users, slope = self._persons(self._columns(eta))
        u, a, b = (_rows(jet, self.parts, len(eta)) for jet in (nobody, users, slope))
        meat = _outer(stats.zeros, u, u) + _outer(stats.positives, a, a)
        across = _outer(stats.total, a, b)
        meat += across + across.transpose(0, 2, 1) + _outer(stats.total_squares, b, b)
        if self.dispersed:
            counts = _counts(stats)
            _, by_theta, _ = rising(counts.y, float(eta[0, -1]))
            one, y, own = (
                np.bincount(counts.cell, counts.people * by_theta * other, len(eta))
                for other in (1.0, counts.y, by_theta)
            )
            cross = one[:, None] * a + y[:, None] * b
            meat[:, -1, :] += cross
            meat[:, :, -1] += cross
            meat[:, -1, -1] += own
        return meat

    def mean(self, eta: Floats) -> Floats:
        """(cells,) expected y of a person."""
        none, _ = self._none(self._columns(eta))
        mu = np.exp(eta[:, 0])
        return mu if self.zeros == "plain" else self._users(eta, none) * mu

    def variance(self, eta: Floats) -> Floats:
        """(cells,) variance of a person's y."""
        none, theta = self._none(self._columns(eta))
        mu = np.exp(eta[:, 0])
        squares = mu + mu**2 * (1.0 if theta is None else 1.0 + 1.0 / theta)
        users = self._users(eta, none)
        return np.asarray(users * squares - (users * mu) ** 2)

    def share_with_contact(self, eta: Floats) -> Floats:
        """(cells,) chance that y > 0."""
        none, _ = self._none(self._columns(eta))
        return np.asarray(-np.expm1(none) * self._users(eta, none))

    def derivatives(self, eta: Mapping[str, Floats], stats: Stats) -> Derivatives:
        """Likelihood, score and information by cell without T, which `rising` sums over a histogram of y.

        eta: part -> (cells,), log theta as (1,) or (cells,).
        """
        nobody, users, slope = self._persons(eta)
        sums = ((stats.zeros, nobody), (stats.positives, users), (stats.total, slope))
        size, value = len(stats), -stats.log_factorials
        for people, jet in sums:
            value = value + people * jet.value
        score = {
            part: sum((n * jet.first[part] for n, jet in sums if part in jet.first), np.zeros(size))
            for part in self.parts
        }
        information = {
            pair: -sum((n * jet.second[pair] for n, jet in sums if pair in jet.second), np.zeros(size))
            for pair in self.pairs
            if any(pair in jet.second for _, jet in sums)
        }
        return Derivatives(value, score, information)

    def _columns(self, eta: Floats) -> dict[str, Floats]:
        return {part: eta[:, column] for column, part in enumerate(self.parts)}

    def _none(self, eta: Mapping[str, Floats]) -> tuple[Floats, Floats | None]:
        """log f(0) of the base, and theta."""
        mu = np.exp(eta[COUNT])
        if not self.dispersed:
            return -mu, None
        theta = np.exp(eta[LOG_THETA])
        return -theta * np.log1p(mu / theta), theta

    def _users(self, eta: Floats, none: Floats) -> Floats:
        """What mu is multiplied by in the mean: the chance of being a user, or that of one over 1 - f(0)."""
        if self.zeros == "plain":
            return np.ones(len(eta))
        _, chance, rest = _logistic(eta[:, 1])
        return rest if self.zeros == "inflated" else chance / -np.expm1(none)

    def _persons(self, eta: Mapping[str, Floats]) -> tuple[_Jet, _Jet, _Jet]:
        """Of a person's log-likelihood: all of it where y = 0; its constant and slope in y where y > 0."""
        none, slope = _negative_binomial(eta) if self.dispersed else _poisson(eta[COUNT])
        if self.zeros == "plain":
            return none, none, slope
        treat = _inflated if self.zeros == "inflated" else _hurdle
        return (*treat(none, eta[ZERO]), slope)

    def _of_counts(self, eta: Floats, stats: Stats) -> tuple[Floats, Floats, Floats]:
        """(cells,) sums of T and of its first and second derivatives by log theta."""
        if not self.dispersed:
            nothing = np.zeros(len(eta))
            return nothing, nothing, nothing
        counts = _counts(stats)
        value, first, second = (
            np.bincount(counts.cell, counts.people * of_y, len(eta)).astype(np.float64)
            for of_y in rising(counts.y, float(eta[0, -1]))
        )
        return value, first, second


def rising(y: Floats, log_theta: float) -> tuple[Floats, Floats, Floats]:
    """T(y) = sum over j < y of log(1 + j/theta), and its first and second derivatives by log theta.

    y: whole numbers, of any shape. No gamma function is subtracted from another, so that it is as exact where
    theta is large, near the Poisson, as elsewhere.
    """
    theta = np.exp(log_theta)
    steps = np.arange(int(y.max(initial=0.0)), dtype=np.float64)
    whole = y.astype(np.int64)
    tables = np.log1p(steps / theta), -steps / (theta + steps), steps * theta / (theta + steps) ** 2
    value, first, second = (np.concatenate([[0.0], np.cumsum(table)])[whole] for table in tables)
    return value, first, second


def _counts(stats: Stats) -> Counts:
    if stats.counts is None:
        raise ValueError("a dispersed family needs the histogram of y by cell")
    return stats.counts


def _logistic(x: Floats) -> tuple[Floats, Floats, Floats]:
    """log(1 + e^-|x|), and the chances whose log odds are x and -x; none loses digits."""
    small = np.exp(-np.abs(x))
    larger = 1.0 / (1.0 + small)
    smaller = small * larger
    up = x >= 0
    return np.log1p(small), np.where(up, larger, smaller), np.where(up, smaller, larger)


def _poisson(x: Floats) -> tuple[_Jet, _Jet]:
    """log f(0) and the slope in y."""
    mu = np.exp(np.maximum(x, LOWEST))
    none = _Jet(-mu, {COUNT: -mu}, {(COUNT, COUNT): -mu})
    return none, _Jet(x, {COUNT: np.ones(1)})


def _negative_binomial(eta: Mapping[str, Floats]) -> tuple[_Jet, _Jet]:
    """log f(0) and the slope in y."""
    x, theta = eta[COUNT], np.exp(eta[LOG_THETA])
    over = np.exp(np.maximum(x, LOWEST)) / theta
    log_1p, q = np.log1p(over), over / (1.0 + over)
    p = 1.0 / (1.0 + over)
    pq = p * q
    none = _Jet(
        -theta * log_1p,
        {COUNT: -theta * q, LOG_THETA: theta * (q - log_1p)},
        {
            (COUNT, COUNT): -theta * pq,
            (COUNT, LOG_THETA): -theta * q**2,
            (LOG_THETA, LOG_THETA): theta * (q + q**2 - log_1p),
        },
    )
    slope = _Jet(
        x - log_1p,
        {COUNT: p, LOG_THETA: q},
        {(COUNT, COUNT): -pq, (COUNT, LOG_THETA): pq, (LOG_THETA, LOG_THETA): -pq},
    )
    return none, slope


def _inflated(none: _Jet, z: Floats) -> tuple[_Jet, _Jet]:
    """log P(0), and the constant of log P(y), where some never use."""
    beyond, never, ever = _logistic(z)
    odds = np.maximum(z, 0.0) + beyond
    beyond, structural, sampled = _logistic(z - none.value)  # whose zero it is, given that there is one
    both = structural * sampled
    # Not f(0) and what is added to it: f(0) may be e^-1e18, and the sum is 0.
    nobody = _Jet(np.maximum(z, none.value) + beyond - odds, {ZERO: structural - never})
    users = _Jet(none.value - odds, {**none.first, ZERO: -never}, dict(none.second))
    for part, slope in none.first.items():
        nobody.first[part] = sampled * slope
        nobody.second[part, ZERO] = -both * slope
    for (one, other), curve in none.second.items():
        nobody.second[one, other] = sampled * curve + both * none.first[one] * none.first[other]
    users.second[ZERO, ZERO] = -never * ever
    nobody.second[ZERO, ZERO] = both - never * ever
    return _in_order(nobody), users


def _hurdle(none: _Jet, z: Floats) -> tuple[_Jet, _Jet]:
    """log P(0), and the constant of log P(y), where use has two stages."""
    beyond, some, no = _logistic(z)
    odds = np.maximum(z, 0.0) + beyond
    both = some * no
    more = 1.0 / np.expm1(-none.value)  # f(0) / (1 - f(0))
    users = _Jet(none.value - np.log(-np.expm1(none.value)) + z - odds, {ZERO: no}, {(ZERO, ZERO): -both})
    for part, slope in none.first.items():
        users.first[part] = (1.0 + more) * slope
    for (one, other), curve in none.second.items():
        bend = more * none.first[one] * none.first[other]
        users.second[one, other] = (1.0 + more) * (curve + bend)
    return _Jet(-odds, {ZERO: -some}, {(ZERO, ZERO): -both}), users


def _in_order(jet: _Jet) -> _Jet:
    """Pairs as `Family.pairs` has them, the zero part before log theta."""
    if (LOG_THETA, ZERO) in jet.second:
        jet.second[ZERO, LOG_THETA] = jet.second.pop((LOG_THETA, ZERO))
    return jet


def _rows(jet: _Jet, parts: tuple[str, ...], cells: int) -> Floats:
    """(cells, k) first derivatives."""
    found = np.zeros((cells, len(parts)))
    for column, part in enumerate(parts):
        found[:, column] = jet.first.get(part, 0.0)
    return found


def _square(found: Mapping[Pair, Floats], parts: tuple[str, ...], cells: int) -> Floats:
    """(cells, k, k) from the pairs."""
    square = np.zeros((cells, len(parts), len(parts)))
    for (one, other), values in found.items():
        row, column = parts.index(one), parts.index(other)
        square[:, row, column] = square[:, column, row] = values
    return square


def _outer(weight: Floats, one: Floats, other: Floats) -> Floats:
    return weight[:, None, None] * one[:, :, None] * other[:, None, :]


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        family.name: family
        for family in (
            Family("poisson"),
            Family("quasi-poisson", fractions=True),
            Family("nb", dispersed=True),
            Family("zip", zeros="inflated"),
            Family("zinb", dispersed=True, zeros="inflated"),
            Family("hurdle", zeros="hurdle"),
            Family("hurdle-nb", dispersed=True, zeros="hurdle"),
        )
    }
)

__all__ = ["COUNT", "FAMILIES", "LOG_THETA", "ZERO", "Counts", "Derivatives", "Family", "Stats", "rising"]
