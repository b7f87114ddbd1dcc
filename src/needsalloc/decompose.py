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

from needsalloc.ages import FlowAges
from needsalloc.catchment import Catchment
from needsalloc.display import new_axes
from needsalloc.errors import InvalidValueError, UnknownCodeError, check_kind, first_few
from needsalloc.index import NeedIndex
from needsalloc.kernels import flow, shapley
from needsalloc.use import SEXES, Cells

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AGE, DEPRIVATION = "age_and_sex", "deprivation"
DESCRIPTIVE = "descriptive: deprivation holds a health domain"
_WORDS = {"copd": "COPD"}
_PRACTICES_AT_ONCE = 256  # of whom sets of players are added up: arrays that stay small
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
        steps = self.waterfall(team)
        last = len(steps) - 1
        ax = new_axes(ax, 8.0, 0.4 * len(steps) + 1.4)
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
    check_kind(need, NeedIndex, "need_index makes it from expected use")
    drawn, people = need.catchment, need.use.people.ages.people[need.people]
    base = _base_people(need)
    game = _Game(need, base)
    everybody = game.by_practice(base).sum(axis=0)
    joint = shapley.shares(everybody, len(game.players)) / everybody.sum()
    in_all = (
        drawn.sum_by_team(need.use.of(need.people).adults).to_numpy(np.float64)[:, None] * need.base.mean_use
    )
    with np.errstate(invalid="ignore"):  # a team of nobody has no mean
        value = shapley.shares(game.by_team(drawn, people), len(game.players)) / in_all
    table = need.teams[["team_name", "is_team"]].assign(base=1.0)
    table[list(game.players)] = value - joint
    table[need.column] = need.teams[need.column]
    return Decomposition(table, game.players, pd.Series(joint, list(game.players), name="joint"), need)


def _base_people(need: NeedIndex) -> Floats:
    """The base's people (flows, bands), counted as for its mean use."""
    ages, drawn = need.use.people.ages, need.catchment
    if need.base.key == "england":
        return ages.people["resident"]
    if drawn.of_whole_areas:
        of_area = flow.total_by_row(drawn.resident_share[:, np.flatnonzero(need.base.teams)])
        return ages.people[need.people] * of_area[ages.pattern.indices, None]
    # Patients who live in no English area carry their team's mean need.
    inside = drawn.sum_by_team(need.use.of(need.people).adults).to_numpy(np.float64)
    counted = need.teams[f"{need.people}_adults"].to_numpy(np.float64) * need.base.teams
    lift = np.divide(counted, inside, out=np.zeros(len(inside)), where=inside > 0)
    of_flow = np.repeat(lift[drawn.team_of_practice], np.diff(ages.pattern.indptr))
    return ages.people[need.people] * of_flow[:, None]


class _Game:
    """Differences from the base, and the dividends of every set of players that follow from them.

    A kind is a single year of age and a sex. `base_kinds` (kinds,) and `base_score` (nodes,) are the base's
    m0 and w0; `conditions` (practices, kinds) are differences from its prevalences by age; `slopes` (sets of
    conditions, kinds, nodes) are D_T. People are (flows, bands). Dividends are summed over adults:
    (…, sets of `players`).
    """

    def __init__(self, need: NeedIndex, base: Floats) -> None:
        who = need.use.people
        self.cells = Cells(need.use.formula, who, observed=False)
        self.players = (AGE, DEPRIVATION, *self.cells.own)
        self.ages: FlowAges = who.ages
        self.score = self.cells.score_weights
        by_year = self.ages.by_practice(base)
        adults = by_year.sum()
        self.base_kinds = self._kinds(by_year).sum(axis=0) / adults
        self.base_score = flow.total_by_row(self._adults(base)) @ self.score / adults
        # At an age that nobody of the base is of, its practices count by their adults of any age.
        weight = np.where(by_year.sum(axis=0) > 0, by_year, by_year.sum(axis=1, keepdims=True))
        curves = list(self.cells.curves(np.arange(len(by_year))).values())
        base_curves = [(weight * curve).sum(axis=0) / weight.sum(axis=0) for curve in curves]
        self.conditions = [
            np.repeat(curve - other, SEXES, axis=1) for curve, other in zip(curves, base_curves, strict=True)
        ]
        patterns = np.arange(2 ** len(curves))
        by_pattern = _Patterns(need.use.formula, who, observed=False).use_by_sex(patterns)
        by_pattern = by_pattern.reshape(len(patterns), len(self.base_kinds), -1)
        frequency = np.repeat(np.reshape(base_curves, (len(curves), by_year.shape[1], 1)), SEXES, axis=1)
        self.slopes = shapley.differences(by_pattern, frequency)

    def by_team(self, drawn: Catchment, people: Floats) -> Floats:
        """(teams, sets of players)"""
        if drawn.of_whole_areas:
            return np.asarray(drawn.resident_share.T @ self.by_area(people))
        found = np.zeros((len(drawn.teams), 2 ** len(self.players)))
        np.add.at(found, drawn.team_of_practice, self.by_practice(people))
        return found

    def by_practice(self, people: Floats) -> Floats:
        """(practices, sets of players): the ages and scores of a practice's adults are added up first."""
        by_node = np.stack([self._kinds(self.ages.by_practice(people, at)) for at in self.score.T], axis=-1)
        kinds = self._kinds(self.ages.by_practice(people))
        adults, m0, w0 = kinds.sum(axis=1), self.base_kinds, self.base_score
        found = np.empty((len(adults), len(self.slopes), 4))
        for first in range(0, len(adults), _PRACTICES_AT_ONCE):
            here = slice(first, first + _PRACTICES_AT_ONCE)
            both = np.empty((4, *by_node[here].shape))
            both[0] = np.multiply.outer(adults[here], np.outer(m0, w0))
            both[1] = kinds[here, :, None] * w0 - both[0]
            both[2] = m0[:, None] * by_node[here].sum(axis=1)[:, None, :] - both[0]
            both[3] = by_node[here] - both[0] - both[1] - both[2]
            conditions = [difference[here] for difference in self.conditions]
            found[here] = shapley.sums_over_sets(both, conditions, self.slopes)
        return found.reshape(len(adults), -1)

    def by_area(self, people: Floats) -> Floats:
        """(areas, sets of players): the conditions of an area's adults are added up first."""
        adults = sparse.csr_array(self._adults(people))
        score = self.score - self.base_score
        found = np.empty((len(score), len(self.slopes), 4))
        for these, slope in enumerate(self.slopes):
            product = self._product(these)
            condition = (adults @ product) * self.base_kinds
            of_sex = np.moveaxis(self._by_sex(product) * self.cells.sex_share, -1, 0)
            kind = np.stack([self.ages.by_area(people, each) for each in of_sex], axis=-1)
            kind = kind.reshape(condition.shape) - condition
            use, of_score = slope @ self.base_score, score @ slope.T
            found[:, these, 0] = condition @ use
            found[:, these, 1] = kind @ use
            found[:, these, 2] = (condition * of_score).sum(axis=1)
            found[:, these, 3] = (kind * of_score).sum(axis=1)
        return found.reshape(len(score), -1)

    def _kinds(self, by_year: Floats) -> Floats:
        """(practices, kinds) people by single year of age (practices, years), with the practice's sexes."""
        return np.asarray(by_year[:, :, None] * self.cells.sex_share).reshape(len(by_year), -1)

    def _by_sex(self, by_kind: Floats) -> Floats:
        return by_kind.reshape(len(by_kind), -1, SEXES)

    def _adults(self, people: Floats) -> sparse.csc_array:
        """Adults on the flows (areas x practices)."""
        return self.ages.on_flows(self.ages.adults_of(people))

    def _product(self, these: int) -> Floats:
        """(practices, kinds) the product of the differences in a set of conditions."""
        product = np.ones((self.ages.pattern.shape[1], len(self.base_kinds)))
        for j, difference in enumerate(self.conditions):
            if these >> j & 1:
                product *= difference
        return product


class _Patterns(Cells):
    """Use with all or none of each condition: "practice" n is everybody with the set n of conditions."""

    def curves(self, practices: Ints) -> dict[str, Floats]:
        ages = np.ones(len(self.age_years))
        return {term: np.outer(practices >> j & 1, ages) for j, term in enumerate(self.own)}


def _signed(size: float) -> str:
    """Two decimals with a sign, which nothing at all does not have."""
    return f"{size:+.2f}".replace("-", "−") if abs(size) >= 0.005 else "0.00"


def _words(player: str) -> str:
    return _WORDS.get(player, player.replace("_", " "))


__all__ = ["Decomposition", "decompose"]
