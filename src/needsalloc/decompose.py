r"""How much of a need index is age and sex, how much deprivation, how much each condition.

On a flow, expected use is linear in each of these alone: in the area's ages m (sex follows from them), in the
weights w that its score gives to the nodes of the score, and at every age in the share p_j of people with
condition j, since use is a mean over conditions that are independent at an age. Let m0, w0 and p0_j be the
base's ages, its spread of scores and its conditions by age. With a team's own values for the players in S and
the base's for the others, the team's mean use is a sum over the subsets T of S,

    v(S) = sum_T d(T),   d(T) = mean over the team's adults of
           sum_{age, node} [m - m0 if age in T, else m0] [w - w0 if deprivation in T, else w0]
                           prod_{j in T} (p_j - p0_j)  D_T(age, node)

D_T being the difference that having the conditions in T makes to use, the others as frequent as in the base.
Shapley's value gives each player an equal part of every d(T) that it is in: phi_i is the sum of d(T) / |T|
over the sets T with i. It is exact in one pass: no flow is worked out again for each of the 2^8 coalitions.

v(none) is the base with ages, deprivation and conditions independent of each other. It is not the base's
index, 1: in the base they go together. As the base is a team too, with phi_i(base) that sum to 1 - v(none), a
team is compared with it: contribution_i = phi_i(team) - phi_i(base). A team's contributions sum to its index
less 1, and over the base's people the mean of each is 0.

Sources: Shapley 1953, A value for n-person games; Harsanyi 1959, on dividends. The split is descriptive: the
index of multiple deprivation holds a health domain, and a condition is what practices have registered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from needsalloc.catchment import Catchment
from needsalloc.errors import InvalidValueError, NeedsallocError, UnknownCodeError, first_few
from needsalloc.index import NeedIndex, adults_on_flows
from needsalloc.kernels import flow, shapley
from needsalloc.people import ADULT
from needsalloc.use import _Cells

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AGE, DEPRIVATION = "age_and_sex", "deprivation"
DESCRIPTIVE = "descriptive: deprivation holds a health domain"
_WORDS = {"copd": "COPD"}
_WHOLE, _MORE, _LESS, _INK = "#12436d", "#f46a25", "#28a197", "#212b32"


@dataclass(frozen=True, eq=False)
class Decomposition:
    """A team's need index as 1 and what each player adds to it or takes from it.

    Attributes
    ----------
    table:
        Index team: `team_name`, `is_team`, `base` (1), a column for each of `players`, and the index in a
        column named as in the need index. Each row sums to its index; over the base's people the mean of each
        player is 0. A team without people has no contributions (NaN).
    players:
        `age_and_sex`, `deprivation`, and the conditions that differ between practices.
    joint:
        (players,) phi_i(base): what the base has of each because ages, deprivation and conditions go together
        in it, taken off every team. They sum to 1 - v(none), v(none) being the base's index if they were
        independent.
    need:
        What was taken apart.
    """

    table: pd.DataFrame
    players: tuple[str, ...]
    joint: pd.Series
    need: NeedIndex

    @property
    def explained(self) -> pd.Series:
        """(players,) share of the index's variance between teams that goes with each; they sum to 1.

        The covariance of a contribution with the index over the index's variance, every team alike. It is
        negative where a player makes teams more alike, and NaN where they do not differ.
        """
        teams = self.table[self.table["is_team"]].dropna(subset=self.need.column)
        away = teams[[*self.players, self.need.column]] - teams[[*self.players, self.need.column]].mean()
        with_index = away.T @ away[self.need.column]
        total = with_index[self.need.column]
        return (with_index[list(self.players)] / (total if total > 0 else np.nan)).rename("explained")

    def waterfall(self, team: str) -> pd.DataFrame:
        """The steps from the base to a team's index: `step`, `contribution`, `start`, `end`.

        Raises UnknownCodeError for a team that is not there, InvalidValueError for one without people.
        """
        if team not in self.table.index:
            raise UnknownCodeError(
                f"No team is called {team!r}; there are {len(self.table):,}: {first_few(self.table.index)}. "
                "Give the code of one."
            )
        row = self.table.loc[team, [*self.players, self.need.column]].to_numpy(np.float64)
        contribution, index = row[:-1], row[-1]
        if np.isnan(index):
            raise InvalidValueError(
                f"Team {team!r} has nobody who lives in an English area, so it has no need to take apart. "
                "Choose another."
            )
        height = 1.0 + np.cumsum([0.0, *contribution])
        return pd.DataFrame(
            {
                "step": [self.need.base.name, *(_words(player) for player in self.players), "need index"],
                "contribution": [1.0, *contribution, index],
                "start": [0.0, *height[:-1], 0.0],
                "end": [1.0, *height[1:], index],
            }
        )

    def plot(self, team: str, *, ax: Axes | None = None) -> Axes:
        """Draw `waterfall(team)`. Every bar carries its figure and sign: no colour is needed to read it.

        Returns the axes. Needs matplotlib (pip install "needsalloc[maps]"). Raises as `waterfall`.
        """
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise NeedsallocError(
                'Pictures need matplotlib. Install it with: pip install "needsalloc[maps]".'
            ) from error
        steps = self.waterfall(team)
        last = len(steps) - 1
        if ax is None:
            ax = plt.subplots(figsize=(8.0, 0.4 * len(steps) + 1.4), layout="constrained")[1]
        start, end = steps["start"].to_numpy(np.float64), steps["end"].to_numpy(np.float64)
        for row, size in enumerate(steps["contribution"].to_numpy(np.float64)):
            whole = row in (0, last)
            colour = _WHOLE if whole else _MORE if size > 0 else _LESS
            ax.barh(row, end[row] - start[row], left=start[row], color=colour, edgecolor=_INK, linewidth=0.6)
            figure = f"{size:.2f}" if whole else _signed(size)
            ax.annotate(
                figure, (max(start[row], end[row]), row), xytext=(4, 0), textcoords="offset points",
                va="center", color=_INK,
            )  # fmt: skip
        # Each bar begins where the one above it ends.
        ax.vlines(end[:-1], np.arange(last), np.arange(last) + 1, color=_INK, linewidth=0.6)
        ax.set_yticks(range(len(steps)), steps["step"])
        ax.invert_yaxis()
        ax.set_xlim(min(0.0, end.min()), 1.12 * end.max())  # room for the figures
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_title(str(self.table.at[team, "team_name"]), loc="left", fontweight="bold", color=_INK)
        ax.set_xlabel(f"Need index, {self.need.base.name} = 1 ({DESCRIPTIVE})", color=_INK)
        return ax

    def __repr__(self) -> str:
        teams = int(self.table["is_team"].sum())
        shares = self.explained.sort_values(key=np.abs, ascending=False).head(3)
        parts = [f"{_words(str(player))} {share:.0%}".replace("-", "−") for player, share in shares.items()]
        return (
            f"<Decomposition of {self.need.column} for {teams:,} teams, {self.need.base.name} = 1: of what "
            f"differs between them, {', '.join(parts)} ({DESCRIPTIVE})>"
        )

    def _repr_html_(self) -> str:
        shown = self.table.to_html(max_rows=12, float_format="{:,.3f}".format)
        return f"<p>{self.__repr__()[1:-1]}</p>" + shown


def decompose(need: NeedIndex) -> Decomposition:
    """Each team's need index as the sum of 1 and what age and sex, deprivation and each condition add.

    Exact Shapley values against the base of `need`, on the flows that it was computed on, for teams of
    practices or of areas, people registered or resident. A practice's condition is its prevalence by age:
    what it has more of only because its patients are older counts as age. So does what is the same
    everywhere at an age: sex, and the conditions that are held.
    """
    drawn, adults = need.catchment, adults_on_flows(need.use.people, need.people)
    base = _base_flows(need)
    game = _Game(need, base)
    everybody = game.by_practice(base).sum(axis=0)
    joint = shapley.shares(everybody, len(game.players)) / everybody.sum()
    in_all = drawn.sum_by_team(adults).to_numpy(np.float64)[:, None] * need.base.mean_use
    with np.errstate(invalid="ignore"):  # a team of nobody has no mean
        value = shapley.shares(game.by_team(drawn, adults), len(game.players)) / in_all
    table = need.teams[["team_name", "is_team"]].assign(base=1.0)
    table[list(game.players)] = value - joint
    table[need.column] = need.teams[need.column]
    return Decomposition(table, game.players, pd.Series(joint, list(game.players), name="joint"), need)


def _base_flows(need: NeedIndex) -> sparse.csc_array:
    """The base's adults by area and practice, counted as for its mean use."""
    who, drawn = need.use.people, need.catchment
    if need.base.key == "england":
        return adults_on_flows(who, "resident")
    adults = adults_on_flows(who, need.people)
    if drawn.of_whole_areas:
        of_area = flow.total_by_row(drawn.resident_share[:, np.flatnonzero(need.base.teams)])
        return sparse.csc_array(adults.multiply(of_area[:, None]))
    # Patients who live in no English area carry their team's mean need.
    inside = drawn.sum_by_team(adults).to_numpy(np.float64)
    counted = need.teams[f"{need.people}_adults"].to_numpy(np.float64) * need.base.teams
    lift = np.divide(counted, inside, out=np.zeros(len(inside)), where=inside > 0)
    return sparse.csc_array(adults.multiply(lift[drawn.team_of_practice][None, :]))


class _Game:
    """Differences from the base, and the dividends of every set of players that follow from them.

    `ages` (areas, years), `score` (areas, nodes) and each of `conditions` (practices, years) are differences
    from the base's; `slopes` (sets of conditions, years, nodes) are D_T. Dividends are summed over adults:
    (…, sets of `players`).
    """

    def __init__(self, need: NeedIndex, base: sparse.csc_array) -> None:
        who = need.use.people
        cells = _Cells(need.use.formula, who, observed=False)
        self.players = (AGE, DEPRIVATION, *cells.own)
        own_ages = who.age_mix[:, ADULT:] / who.adult_share[:, None]
        by_practice = base.T @ own_ages
        adults = by_practice.sum()
        self.base_ages = by_practice.sum(axis=0) / adults
        self.base_score = base.sum(axis=1) @ cells.score_weights / adults
        self.ages, self.score = own_ages - self.base_ages, cells.score_weights - self.base_score
        # At an age that nobody of the base is of, its practices count by their adults of any age.
        weight = np.where(self.base_ages > 0, by_practice, by_practice.sum(axis=1, keepdims=True))
        curves = list(cells._curves(np.arange(len(who.catchment.practices))).values())
        base_curves = [(weight * curve).sum(axis=0) / weight.sum(axis=0) for curve in curves]
        self.conditions = [curve - other for curve, other in zip(curves, base_curves, strict=True)]
        patterns = _Patterns(need.use.formula, who, observed=False)
        by_pattern = patterns.use_by_age(np.arange(2 ** len(curves)))
        frequency = np.reshape(base_curves, (len(curves), len(self.base_ages), 1))
        self.slopes = shapley.differences(by_pattern, frequency)
        self.shape = who.catchment.registered.shape

    def by_team(self, drawn: Catchment, adults: sparse.csc_array) -> Floats:
        """(teams, sets of players)"""
        if drawn.of_whole_areas:
            return np.asarray(drawn.resident_share.T @ self.by_area(adults))
        found = np.zeros((len(drawn.teams), 2 ** len(self.players)))
        np.add.at(found, drawn.team_of_practice, self.by_practice(adults))
        return found

    def by_practice(self, adults: sparse.csc_array) -> Floats:
        """(practices, sets of players): the ages and scores of a practice's adults are added up first."""
        to_practice = sparse.csr_array(adults.T)
        age, score = to_practice @ self.ages, to_practice @ self.score
        both = np.empty((4, *age.shape, len(self.base_score)))
        both[0] = np.multiply.outer(flow.total_by_row(to_practice), np.outer(self.base_ages, self.base_score))
        both[1] = age[:, :, None] * self.base_score
        both[2] = self.base_ages[:, None] * score[:, None, :]
        for node in range(len(self.base_score)):
            both[3, :, :, node] = to_practice @ (self.ages * self.score[:, [node]])
        found = np.empty((len(age), len(self.slopes), 4))
        for these, slope in enumerate(self.slopes):
            found[:, these] = np.einsum("cpan,an,pa->pc", both, slope, self._product(these), optimize=True)
        return found.reshape(len(age), -1)

    def by_area(self, adults: sparse.csc_array) -> Floats:
        """(areas, sets of players): the conditions of an area's adults are added up first."""
        to_area = sparse.csr_array(adults)
        found = np.empty((len(self.ages), len(self.slopes), 4))
        for these, slope in enumerate(self.slopes):
            condition = to_area @ self._product(these)
            use, of_score = slope @ self.base_score, self.score @ slope.T
            found[:, these, 0] = condition @ (self.base_ages * use)
            found[:, these, 1] = (condition * self.ages) @ use
            found[:, these, 2] = (condition * of_score) @ self.base_ages
            found[:, these, 3] = (condition * of_score * self.ages).sum(axis=1)
        return found.reshape(len(self.ages), -1)

    def _product(self, these: int) -> Floats:
        """(practices, years) the product of the differences in a set of conditions."""
        product = np.ones((self.shape[1], len(self.base_ages)))
        for j, difference in enumerate(self.conditions):
            if these >> j & 1:
                product *= difference
        return product


class _Patterns(_Cells):
    """Use with all or none of each condition: "practice" n is everybody with the set n of conditions."""

    def _curves(self, practices: Ints) -> dict[str, Floats]:
        ages = np.ones(len(self.age_years))
        return {term: np.outer(practices >> j & 1, ages) for j, term in enumerate(self.own)}


def _signed(size: float) -> str:
    """Two decimals with a sign, which nothing at all does not have."""
    return f"{size:+.2f}".replace("-", "−") if abs(size) >= 0.005 else "0.00"


def _words(player: str) -> str:
    return _WORDS.get(player, player.replace("_", " "))


__all__ = ["Decomposition", "decompose"]
