"""The need index straight from persons, by team, area or any column of theirs: only sums are kept.

    mean need_k = sum over the people of k of need_i / people_k
    index_k = mean need_k / mean need of the base
    weighted population_k = population_k * index_k, rescaled over the base to the base's population

Where the persons at hand are a part of a list, the linked ones, they stand for the rest of it: population_k
is then the list, and the base's mean need that of its lists. Whoever is not linked is taken to be like those
who are; `linkage_coverage` says where that is much to ask.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.disclosure import Rule, SuppressedTable, suppress_table
from needsalloc.display import sentence_and_table
from needsalloc.errors import FormulaError, InvalidValueError, UnknownCodeError, first_few
from needsalloc.kernels import inequality
from needsalloc.linkage import NOT_RECORDED
from needsalloc.need import NeedFormula, Supply, Unknown, Utilisation
from needsalloc.people_cells import people_cells
from needsalloc.team_effects import TeamEffects

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PEOPLE = "people"


@dataclass(frozen=True, eq=False, repr=False)
class PeopleIndex:
    """Need of persons relative to a base, by a column of theirs.

    Attributes
    ----------
    table:
        Index: the labels of the column. `is_team` (False for "not recorded"), `people` (the persons at hand),
        with lists `listed` and `coverage` (people / listed), `expected_use` (per person),
        `need_index_<base>`, `weighted_population`, `share_of_people` and `share_of_need` of the base. A label
        with nobody has no need (NaN).
    base:
        What the base is called; its index is 1.
    formula:
        The name of the need formula.
    held:
        How it was predicted: supply and use of services.
    """

    table: pd.DataFrame
    base: str
    formula: str
    held: str

    @property
    def column(self) -> str:
        """The name of the index column, with its base."""
        return f"need_index_{self.base}"

    def to_publish(self, rule: Rule | None = None) -> SuppressedTable:
        """The table as it can be passed on: without labels of few people, and others that would tell them.

        rule: the default one without it.
        """
        return _published(self.table, rule)

    def __repr__(self) -> str:
        index = self.table.loc[self.table["is_team"], self.column]
        unheard = [str(name) for name in index.index[index.isna()]]
        gaps = f"; nobody at hand of {first_few(unheard)}" if unheard else ""
        return (
            f"<PeopleIndex by {self.formula}, {self.held}: {len(index):,} of {self.table.index.name} from "
            f"{index.min():.2f} to {index.max():.2f}, {self.base} = 1.00 over "
            f"{self.table['people'].sum():,.0f} people{gaps}>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def _published(table: pd.DataFrame, rule: Rule | None) -> SuppressedTable:
    of_people = [str(name) for name in table if name not in ("is_team", "people", "listed")]
    return suppress_table(table.reset_index(), counts=["people"], rates=of_people, rule=rule)


@dataclass(frozen=True, slots=True, eq=False)
class Populations:
    """Whom an index is for: people at hand, those they stand for, and who of them makes the base.

    people, population: (places,). in_base: (places,) flags.
    """

    people: Floats
    population: Floats
    in_base: Bools
    listed: bool

    def index(self, need: Floats) -> tuple[Floats, Floats, Floats]:
        """Mean need, index and weighted population (…, places) of sums of need over the people at hand."""
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = need / self.people
            counted = self.in_base & (self.people > 0)
            base = mean[..., counted] @ self.population[counted] / self.population[counted].sum()
            index = mean / base[..., None]
        # Over the base's people the index averages 1, so that nothing is left to rescale.
        return mean, index, self.population * index


def need_index_of_people(
    formula: NeedFormula,
    rows: Any,
    *,
    by: str,
    base: Iterable[Hashable] | None = None,
    base_name: str = PEOPLE,
    lists: pd.Series | None = None,
    weight: str | None = None,
    supply: Supply = "mean",
    utilisation: Utilisation = "as fitted",
    unknown: Unknown = "refuse",
) -> PeopleIndex:
    """Mean need of persons over the base's, by a column of theirs.

    rows: persons on any engine, which groups them (as for `collapse`), or Cells with `by` in their key.
    by: their team, practice, area or any other column. People without one are a row, "not recorded".
    base, base_name: the labels whose people have index 1 on average, and what they are called; all people by
        default.
    lists: people listed by label, if the persons are only those linked: they stand for their whole list.
    weight: column of how many persons each row stands for.
    supply, utilisation, unknown: as for `NeedFormula.predict`. With `supply="observed"` it is an index of
        use, which supply moves: to compare, not to share out by.

    Raises FormulaError for unknown words or people of ages that the formula is not for; UnknownCodeError for
    a base that is not there, or lists without some labels; InvalidValueError and MissingColumnError for rows
    that cannot be used.

    >>> people = pd.DataFrame({"age": [30, 80, 80], "team": ["P1", "P1", "P2"]})
    >>> flat = NeedFormula("ours", "", {"age": np.log(2) / 50}, {}, (-np.inf, 0.0), "", {}, {}, (), "",
    ...                    family="poisson")
    >>> need_index_of_people(flat, people, by="team").table["need_index_people"].round(2).tolist()
    [0.9, 1.2]
    """
    if supply not in ("mean", "observed"):
        raise FormulaError(f"Unknown word {supply!r}: choose mean or observed.")
    cells = people_cells(
        rows,
        formula,
        by=by,
        weight=weight,
        observed=supply == "observed",
        utilisation=utilisation,
        unknown=unknown,
    )
    need = cells.total(cells.need(formula, supply=supply, utilisation=utilisation))
    places, need, who = populations(cells.places, cells.total(), need, base, lists)
    held = "supply at its mean" if supply == "mean" else "supply as it is"
    held += f", services {utilisation}" if formula.utilisation else ""
    return PeopleIndex(table_of(places, need, who, base_name), base_name, formula.name, held)


def populations(
    places: pd.Index,
    people: Floats,
    need: Floats,
    base: Iterable[Hashable] | None,
    lists: pd.Series | None,
) -> tuple[pd.Index, Floats, Populations]:
    """Places with those that lists alone have, sums of need (…, places) for them, and whom they are for."""
    population = people
    if lists is not None:
        counts = _lists(lists, places)
        extra = counts.index.difference(places)
        every = places.append(pd.Index(extra, name=places.name))
        more = len(extra)
        people = np.append(people, np.zeros(more))
        need = np.concatenate([need, np.zeros((*need.shape[:-1], more))], axis=-1)
        # People whose label is not recorded are on no list that could be told: they stand for themselves.
        population = counts.reindex(every).fillna(pd.Series(people, every)).to_numpy(np.float64)
        places = every
    in_base = np.ones(len(places), dtype=np.bool_)
    if base is not None:
        wanted = [str(label) for label in base]
        if unknown := [label for label in wanted if label not in places]:
            raise UnknownCodeError(
                f"{len(unknown):,} labels of the base are no {places.name} of these people: "
                f"{first_few(unknown)}. They have {first_few(places, 12)}."
            )
        in_base = np.asarray(places.isin(wanted))
    if not (people * in_base).any():
        raise InvalidValueError("Nobody at hand is of the base, so there is no mean need. Choose another.")
    return places, need, Populations(people, population, in_base, lists is not None)


def table_of(places: pd.Index, need: Floats, who: Populations, base: str) -> pd.DataFrame:
    """The table of an index, from sums of need (places,)."""
    mean, index, weighted = who.index(need)
    table = pd.DataFrame({"is_team": places != NOT_RECORDED, "people": who.people}, index=places)
    if who.listed:
        table["listed"] = who.population
        table["coverage"] = who.people / np.where(who.population > 0, who.population, np.nan)
    table["expected_use"] = mean
    table[f"need_index_{base}"] = index
    table["weighted_population"] = weighted
    table["share_of_people"] = _share(who.population, who)
    table["share_of_need"] = _share(weighted, who)
    return table


def _share(values: Floats, who: Populations) -> Floats:
    """Of what the base has; NaN outside it."""
    inside = np.where(who.in_base & (who.people > 0), values, np.nan)
    return np.asarray(inside / np.nansum(inside))


def _lists(lists: pd.Series, places: pd.Index) -> pd.Series:
    labels = pd.Index(lists.index.astype("str"), name=places.name)
    values = pd.to_numeric(lists, errors="coerce").to_numpy(np.float64)
    if labels.has_duplicates or not (np.isfinite(values) & (values >= 0)).all():
        raise InvalidValueError(
            "The lists name a label twice, or have counts that are missing, negative or no numbers. Give one "
            "count for each label."
        )
    recorded = places[places != NOT_RECORDED]
    if lacking := recorded.difference(labels[values > 0]).to_list():
        raise UnknownCodeError(
            f"{len(lacking):,} labels of {places.name} have people at hand and nobody listed: "
            f"{first_few(lacking)}. Give their lists, or leave these people out."
        )
    return pd.Series(values, labels)


@dataclass(frozen=True, eq=False, repr=False)
class WaysToHold:
    """The index of each place by what is held, and how much of all posts the choice moves.

    Attributes
    ----------
    table:
        Index: the labels. `people`; `index_supply_mean`, the need index; `index_observed`, with supply and
        unmet need as they are; `index_utilisation_held`, with services used at what age, sex and conditions
        make expected, where the formula has any; `index_team_effects`, where they were given.
    moved:
        By way: the share of posts that would stand elsewhere than by the need index, half the sum of
        differences between shares of need (Hoover's index). Of team effects, than by their own index with
        supply at its mean.
    """

    table: pd.DataFrame
    moved: pd.Series

    def to_publish(self, rule: Rule | None = None) -> SuppressedTable:
        """The table as it can be passed on, as `PeopleIndex.to_publish`."""
        return _published(self.table, rule)

    def __repr__(self) -> str:
        said = [f"{share:.1%} with {_WAYS[str(way)]}" for way, share in self.moved.items()]
        return (
            f"<WaysToHold need of {len(self.table):,} of {self.table.index.name}: of all posts other places "
            f"would have {', '.join(said)}>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


_WAYS = {
    "index_observed": "supply as it is",
    "index_utilisation_held": "services held",
    "index_team_effects": "team effects held alike",
}


def ways_to_hold(
    formula: NeedFormula,
    rows: Any,
    *,
    by: str,
    team_effects: TeamEffects | None = None,
    weight: str | None = None,
    unknown: Unknown = "refuse",
) -> WaysToHold:
    """The index of persons by a column of theirs with supply held, as observed, and services held.

    team_effects: `team_effects(fit, cells, team=by)`, to stand beside.

    Raises as `need_index_of_people`; UnknownCodeError for team effects of other teams.
    """
    cells = people_cells(rows, formula, by=by, weight=weight, observed=True, unknown=unknown)
    people = cells.total()
    need = {
        "index_supply_mean": cells.need(formula),
        "index_observed": cells.need(formula, supply="observed"),
    }
    if formula.utilisation:
        need["index_utilisation_held"] = cells.need(formula, utilisation="held")
    totals = {way: cells.total(each) for way, each in need.items()}
    table = pd.DataFrame({"people": people}, index=cells.places)
    for way, total in totals.items():
        table[way] = total / people / (total.sum() / people.sum())
    first = totals.pop("index_supply_mean")
    moved = {way: inequality.hoover(total, first) for way, total in totals.items()}
    if team_effects is not None:
        theirs = team_effects.table.set_axis(team_effects.table.index.astype("str"))
        if lacking := cells.places[cells.places != NOT_RECORDED].difference(theirs.index).to_list():
            raise UnknownCodeError(
                f"{len(lacking):,} labels of {by} have no team effect: {first_few(lacking)}. Fit the effects "
                "of the same column."
            )
        table["index_team_effects"] = theirs["index_team_effects"].reindex(cells.places)
        each, other = (theirs["people"] * theirs[way] for way in ("index_team_effects", "index_supply_mean"))
        moved["index_team_effects"] = inequality.hoover(each.to_numpy(np.float64), other.to_numpy(np.float64))
    return WaysToHold(table, pd.Series(moved, name="share_of_posts_moved", dtype=np.float64))


__all__ = [
    "PeopleIndex",
    "Populations",
    "WaysToHold",
    "need_index_of_people",
    "populations",
    "table_of",
    "ways_to_hold",
]
