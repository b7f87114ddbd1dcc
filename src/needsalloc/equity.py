"""Inequality of a resource between areas or teams: along deprivation, and against need.

Two resources per head, never mixed: that per need-weighted person, weighted by need, and that per person,
weighted by people. Each measure says how areas are ranked, what its sign means and by what it is weighted.
The formulas are in `kernels/inequality.py`. An area's gradient is not a person's, and teams dilute the
gradient of their areas. Values that were shrunk towards each other are no input: they hide what is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.against import (
    DEPRIVATION,
    FEW,
    LIMITS,
    MEASURES,
    OWN_LEVEL,
    Against,
    Block,
    Columns,
    checked,
    in_blocks,
    percentiles,
)
from needsalloc.display import sentence_and_table
from needsalloc.errors import InvalidValueError, MissingColumnError, UnknownCodeError, first_few
from needsalloc.kernels import inequality, rank
from needsalloc.quality import deprivation_fifth

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class InequalityMeasures:
    """How unequal resources are between areas, and what each figure means.

    Attributes
    ----------
    table:
        A row for each resource, need and measure: `value`; limits `low_95`, `high_95`, `low_99_8`,
        `high_99_8` (NaN where no interval is said) and `interval`, how they were found; the `ranking` of
        areas, what the `sign` means, the `weights`, the `unit`, `areas` that have weight, and
        `too_few_areas`: under 10, or under 10 clusters of them, say too little.
    areas:
        The areas that were measured, with all their columns: those that `by`, `split` and `within` name.
    resources, needs:
        Columns that were measured, each resource against each need.
    columns:
        The other columns, and how measures are given.
    """

    table: pd.DataFrame
    areas: pd.DataFrame
    resources: tuple[str, ...]
    needs: tuple[str, ...]
    columns: Columns

    def by(self, column: str) -> pd.DataFrame:
        """Resource and need by group of areas: by decile, urban and rural, or any other column.

        A row for each resource, need and group: `areas`, `population`, `amount` of the resource, shares of
        people, need and resource, `resource_per_need` (for `per` need-weighted people), `relative_to_all` (1
        is the same per need as overall) and `too_few_areas` (under 10).

        Raises MissingColumnError, or InvalidValueError for areas without a group.
        """
        return self._by(self._labels(column))

    def by_fifth(self, decile: str) -> pd.DataFrame:
        """`by` fifths of deprivation, 1 the most deprived, from national deciles in a column.

        Raises MissingColumnError, or InvalidValueError for anything that is no decile from 1 to 10.
        """
        return self._by(deprivation_fifth(self._labels(decile)))

    def core20(self, decile: str) -> pd.DataFrame:
        """The most deprived fifth of England (Core20): its shares, and how it is served per need.

        A row for each resource and need, columns as in `by`; none where no area is of that fifth. Raises as
        `by_fifth`.
        """
        fifths = self.by_fifth(decile)
        return fifths[fifths["group"] == 1].drop(columns=["grouping", "group"]).reset_index(drop=True)

    def split(self, nesting: Sequence[str]) -> pd.DataFrame:
        """Theil's index between and within groups that lie in each other: ["icb", "place", "pcn"].

        A row for each resource, need and `level`, from between the widest groups to within the narrowest:
        `groups` that are compared, `theil` and its `share`. The levels sum to the index.

        Raises MissingColumnError, or InvalidValueError for areas without a group or groups that lie in more
        than one of the next wider.
        """
        if isinstance(nesting, str) or not len(nesting):
            raise InvalidValueError('Name one column or more, the widest groups first: ["icb", "pcn"].')
        codes = [_codes(self._labels(column)) for column in nesting]
        for (wide, narrow), ((of_wide, _), (of_narrow, names)) in zip(
            pairwise(nesting), pairwise(codes), strict=True
        ):
            inside = pd.Series(of_wide).groupby(of_narrow).nunique().to_numpy()
            astride = names[inside > 1]
            if len(astride):
                raise InvalidValueError(
                    f"{len(astride):,} of {narrow} lie in more than one of {wide}: {first_few(astride)}. "
                    "Levels must lie in each other: leave one out, or divide these."
                )
        levels = [f"between {nesting[0]}"]
        levels += [f"between {narrow} within {wide}" for wide, narrow in pairwise(nesting)]
        levels += [f"within {nesting[-1]}"]
        groups = [*(len(names) for _, names in codes), len(self.areas)]
        rows = []
        for pair in self._pairs():
            upto = [inequality.theil(*pair.sums(code, len(names))) for code, names in codes]
            parts = np.diff([0.0, *upto, inequality.theil(pair.x, pair.n)])
            frame = pd.DataFrame({"level": levels, "groups": groups, "theil": parts})
            frame["share"] = parts / parts.sum() if parts.sum() > 0 else np.nan
            rows.append(pair.named(frame))
        return pd.concat(rows, ignore_index=True)

    def within(self, column: str) -> pd.DataFrame:
        """Inequality among the areas of each group, of an ICB say.

        A row for each resource, need and group: `areas`, `amount` of the resource, `hoover`, `to_move` (what
        would have to move inside the group for each of its areas to have its share by need), `theil` and
        `too_few_areas` (under 10). A group without resource or need has NaN.

        Raises MissingColumnError, or InvalidValueError for areas without a group.
        """
        code, names = _codes(self._labels(column))
        rows = []
        for pair in self._pairs():
            amount, _ = pair.sums(code, len(names))
            hoover, theil = inequality.within(code, len(names), pair.x, pair.n)
            areas = np.bincount(code[pair.n > 0], minlength=len(names))
            frame = pd.DataFrame({"grouping": column, "group": names, "areas": areas, "amount": amount})
            frame = frame.assign(
                hoover=hoover, to_move=hoover * amount, theil=theil, too_few_areas=areas < FEW
            )
            rows.append(pair.named(frame))
        return pd.concat(rows, ignore_index=True)

    def lorenz(self, points: int | None = None) -> pd.DataFrame:
        """Points of the Lorenz curves of resources against need, areas from the least per need to the most.

        points: at most so many for a curve, evenly spaced by share of need; without it a point for each area.

        A row for each resource, need and point from (0, 0) to (1, 1): `share_of_need`, `share_of_resource`.
        """
        rows = []
        for pair in self._pairs():
            places = pair.orders[OWN_LEVEL].rows
            need, resource = (
                np.append(0.0, np.cumsum(inequality.shares(amount[places]))) for amount in (pair.n, pair.x)
            )
            if points is not None and len(need) > points:
                even = np.linspace(0, 1, points)
                need, resource = even, np.interp(even, need, resource)
            rows.append(pair.named(pd.DataFrame({"share_of_need": need, "share_of_resource": resource})))
        return pd.concat(rows, ignore_index=True)

    def bootstrap(self, *, of: str | None = None, draws: int = 2_000, seed: int = 1) -> InequalityMeasures:
        """The same measures with intervals from drawing areas, or whole groups of them, anew.

        of: a column of groups (teams) that are drawn with all their areas; areas one by one without it. The
        limits are percentiles of the draws: what other teams like these would show, were these drawn from a
        superpopulation. They do not say how well a resource was counted. Those of 99.8 % need 10,000 draws.

        Raises MissingColumnError; InvalidValueError for areas without a group or fewer than 100 draws.
        """
        _refuse_few(draws)
        code, names = _codes(pd.Series(np.arange(len(self.areas))) if of is None else self._labels(of))
        even = np.full(len(names), 1 / len(names))
        limits = []
        for pair in self._pairs():
            rng = np.random.default_rng(seed)

            def drawn(count: int, pair: Against = pair, rng: np.random.Generator = rng) -> Block:
                times = rng.multinomial(len(names), even, size=count)[:, code]
                return pair.measures(times.astype(np.float64), self.columns.aversion)

            found = in_blocks(drawn, draws, len(code))
            limits += [percentiles(found[measure] * self.columns.scale(measure)) for measure in MEASURES]
        unit = of or "areas"
        words = f"bootstrap of {len(names):,} {unit} ({draws:,} draws), for a superpopulation of {unit}"
        table = self.table.assign(interval=words)
        table[LIMITS] = np.array(limits)
        return replace(self, table=table)

    def no_association_band(self, *, draws: int = 2_000, seed: int = 1) -> pd.DataFrame:
        """Where measures by deprivation lie in 95 % of draws that rank the same areas at random.

        A row for each resource, need and measure by deprivation: `value`, `no_association_low` and
        `no_association_high`. Not an interval: it is around no association, not around the value.

        Raises InvalidValueError for fewer than 100 draws.
        """
        _refuse_few(draws)
        limits = []
        for pair in self._pairs():
            rng = np.random.default_rng(seed)

            def drawn(count: int, pair: Against = pair, rng: np.random.Generator = rng) -> Block:
                rows = np.tile(np.arange(len(pair.x)), (count, 1))
                return pair.shuffled(rng.permuted(rows, axis=1), self.columns.aversion)

            found = in_blocks(drawn, draws, len(pair.x))
            limits += [np.quantile(found[m] * self.columns.scale(m), (0.025, 0.975)) for m in found]
        by_deprivation = self.table["measure"].map(lambda measure: MEASURES[measure][0] == DEPRIVATION)
        band = self.table.loc[by_deprivation, ["resource", "need", "measure", "value"]].reset_index(drop=True)
        band[["no_association_low", "no_association_high"]] = np.array(limits)
        return band

    def plot(
        self,
        kind: Literal["lorenz", "gradient"] = "lorenz",
        *,
        by: str | None = None,
        need: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw Lorenz curves against need, or the resource per need `by` a column of groups (a gradient).

        need: which of the needs; the first without it. Returns the axes. Needs matplotlib
        (pip install "needsalloc[maps]").

        Raises UnknownCodeError for another kind or need, InvalidValueError for a gradient by nothing, and as
        `by`.
        """
        from needsalloc.equity_pictures import draw_gradient, draw_lorenz

        chosen = self.needs[0] if need is None else need
        if chosen not in self.needs:
            raise UnknownCodeError(f"No need is called {chosen!r}. Known: {first_few(self.needs)}.")
        if kind == "lorenz":
            points = self.lorenz()
            return draw_lorenz(points[points["need"] == chosen], chosen, ax)
        if kind != "gradient":
            raise UnknownCodeError(f'There is no picture {kind!r}: "lorenz" or "gradient".')
        if by is None:
            raise InvalidValueError('A gradient is by groups of areas: by="deprivation_decile", say.')
        groups = self.by(by)
        return draw_gradient(groups[groups["need"] == chosen], chosen, ax)

    def __repr__(self) -> str:
        first = self.table.iloc[: len(MEASURES)].set_index("measure")
        value, low, high = first.loc["relative_index", ["value", "low_95", "high_95"]].to_numpy(np.float64)
        limits = f" ({low:+.1%} to {high:+.1%})" if np.isfinite(low) else ""
        few = "; too few areas to say" if first["too_few_areas"].iloc[0] else ""
        others = len(self.table) // len(MEASURES) - 1
        more = f"; and {others:,} more" if others else ""
        said = (
            f"<InequalityMeasures of {self.resources[0]} against {self.needs[0]} in {len(self.areas):,} "
            f"areas: from the most to the least deprived {value:+.1%} of the mean{limits}, "
            f"{float(first['value']['hoover']):.1%} would have to move{few}{more}>"
        )
        return said.replace("-", "−")

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)

    def _pairs(self) -> Iterator[Against]:
        for resource, need in product(self.resources, self.needs):
            yield Against.of(self.areas, resource, need, self.columns)

    def _by(self, labels: pd.Series) -> pd.DataFrame:
        code, names = _codes(labels)
        people = rank.group_sums(code, len(names), self.areas[self.columns.population].to_numpy(np.float64))
        rows = []
        for pair in self._pairs():
            resource, need = pair.sums(code, len(names))
            areas = np.bincount(code[pair.n > 0], minlength=len(names))
            per_need = np.divide(resource, need, out=np.full(len(names), np.nan), where=need > 0)
            shares = {"population": people, "need": need, "resource": resource}
            rows.append(
                pd.DataFrame(
                    {
                        "resource": pair.resource,
                        "need": pair.need,
                        "grouping": labels.name,
                        "group": names,
                        "areas": areas,
                        "population": people,
                        "amount": resource,
                        **{f"share_of_{name}": inequality.shares(of) for name, of in shares.items()},
                        "resource_per_need": per_need * self.columns.per,
                        "relative_to_all": per_need * need.sum() / resource.sum(),
                        "too_few_areas": areas < FEW,
                    }
                )
            )
        return pd.concat(rows, ignore_index=True)

    def _labels(self, column: str) -> pd.Series:
        if column not in self.areas:
            raise MissingColumnError(f"The areas have no column {column!r}. Add it, or name another.")
        labels = self.areas[column]
        lacking = labels.index[labels.isna()]
        if len(lacking):
            raise InvalidValueError(
                f"{len(lacking):,} areas have no {column}: {first_few(lacking)}. Give each its group."
            )
        return labels


def inequality_measures(
    areas: pd.DataFrame,
    *,
    resource: str | Sequence[str],
    need: str | Sequence[str],
    population: str,
    deprivation: str,
    most_deprived: Literal["highest", "lowest"],
    per: float = 1.0,
    aversion: float = 3.0,
    intervals: Literal["robust", "off"] = "robust",
    cluster: str | None = None,
) -> InequalityMeasures:
    """How unequally a resource is spread over areas, by deprivation and against need.

    areas: a row for each area or team, with the columns named here: amounts of a `resource` (posts now,
        targets, money), of `need` (weighted population, expected use; crude, at equal ages), `population`,
        and a `deprivation` score or rank whose "highest" or "lowest" is the `most_deprived`. Several
        resources and needs may be named: each resource is measured against each need.
    per: need-weighted people for whom the slope index is given: 10_000, say.
    aversion: v of the extended concentration index, above 1; the higher, the more the most deprived count.
    intervals: "robust" for slope, relative and concentration index: those of a straight line through the
        areas as they are, with errors of unequal variance (HC3) and t; or "off". `bootstrap` has them for
        all measures.
    cluster: a column of groups whose areas stand or fall together, such as a team whose posts were spread
        over them; errors are then of so many groups (CR3), not of areas.

    An area without need and without resource counts for its people only. Measures weigh areas by need where
    they are per need, and by people where they are per person (the column `weights`).

    Raises MissingColumnError; UnknownCodeError for an unknown word; InvalidValueError for an area given
    twice or without a cluster, values that are missing, negative or no numbers, a resource where there is no
    need, need where there is nobody, totals of 0, or areas that are all equally deprived.

    >>> areas = pd.DataFrame(
    ...     {"fte": [4.0, 3.0, 3.0], "need": [5.0, 3.0, 2.0], "people": [30, 30, 30], "imd": [40, 20, 10]},
    ...     index=["P1", "P2", "P3"],
    ... )
    >>> columns = {"resource": "fte", "need": "need", "population": "people", "deprivation": "imd"}
    >>> found = inequality_measures(areas, **columns, most_deprived="highest")
    >>> found.table.set_index("measure")["value"].round(3)[["concentration_index", "hoover"]].to_dict()
    {'concentration_index': 0.13, 'hoover': 0.1}
    """
    resources, needs = ((c,) if isinstance(c, str) else tuple(c) for c in (resource, need))
    if most_deprived not in ("highest", "lowest"):
        raise UnknownCodeError(f'most_deprived is "highest" or "lowest", not {most_deprived!r}.')
    if intervals not in ("robust", "off"):
        raise UnknownCodeError(f'intervals are "robust" or "off", not {intervals!r}.')
    if not (per > 0 and aversion > 1):
        raise InvalidValueError(f"per is above 0 and aversion above 1, not {per} and {aversion}.")
    columns = Columns(population, deprivation, most_deprived, per, aversion, cluster)
    found = InequalityMeasures(
        pd.DataFrame(), checked(areas, resources, needs, columns), resources, needs, columns
    )
    if cluster is not None:
        found._labels(cluster)
    rows = [row for pair in found._pairs() for row in pair.table(columns, robust=intervals == "robust")]
    return replace(found, table=pd.DataFrame(rows))


def _codes(labels: pd.Series) -> tuple[Ints, pd.Index]:
    """Groups as numbers from 0 by area, and their names in order."""
    code, names = pd.factorize(labels, sort=True)
    return code.astype(np.int64), pd.Index(names)


def _refuse_few(draws: int) -> None:
    if draws < 100:
        raise InvalidValueError(f"{draws:,} draws are too few for limits. Take 100 or more.")


__all__ = ["InequalityMeasures", "inequality_measures"]
