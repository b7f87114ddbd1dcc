"""A formula of weights by age, or by age and sex: today's spreadsheet, with its source.

    weighted_k = sum over ages and sexes of weight * persons_k, times factor ^ score_k for each factor
    index_k    = (weighted_k / persons_k) / (weighted_base / persons_base)
    weighted population_k = persons_k * index_k, which sums over the base to its persons

Ages outside the weights are in none of these. A band of the data is never split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import reference
from needsalloc.assumptions import Assumption
from needsalloc.errors import FormulaError, InvalidValueError, MissingColumnError, UnknownCodeError, first_few
from needsalloc.formulas import tables
from needsalloc.formulas.base import Base, relative
from needsalloc.geography import AREAS_OF_ENGLAND, check_same_vintage

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PERSONS = "persons"
SEXES = ("female", "male")
PUBLISHED = {"general-practice/england-2007": "general-practice-workload-2007"}


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights by age band, for persons or for women and men apart, and factors of an area's scores.

    Attributes
    ----------
    name, title, source, unit:
        What it is, where the weights come from, and what a weight counts.
    first_ages:
        First age of each band, ascending; a band ends where the next begins.
    until:
        First age after the last band; None if the last band is open.
    weight:
        "persons", or "female" and "male" -> a weight for each band.
    factors:
        Column of an area's scores -> the factor for one unit of it.
    notes:
        What is inferred or chosen.
    tables:
        Names of the reference tables that it was made from.

    Make one with `from_bands`, `from_toml` or `published`, which check what they are given.
    """

    name: str
    title: str
    source: str
    unit: str
    first_ages: tuple[int, ...]
    until: int | None
    weight: Mapping[str, tuple[float, ...]]
    factors: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[Assumption, ...] = ()
    tables: tuple[str, ...] = ()

    @classmethod
    def from_bands(
        cls,
        weights: Mapping[str, object],
        *,
        name: str,
        source: str,
        title: str = "",
        unit: str = "",
        factors: Mapping[str, object] | None = None,
    ) -> Weights:
        """Weights from bands: {"0-4": 0.3, "5-64": 0.1, "65+": 2.0}, or the same under "female" and "male".

        Bands are whole years, both ends included; the last may be open ("85+") or not ("0-4" alone leaves
        everybody else out). factors: {"health_score": 1.054} multiplies by 1.054 for each unit of the score.

        Raises FormulaError for bands with gaps or overlaps, for weights or factors that are no numbers or
        negative, and if women and men have different bands.

        >>> ours = Weights.from_bands({"0-64": 0.5, "65+": 3.0}, name="ours", source="an example")
        >>> people = pd.DataFrame({0: [80.0, 50.0], 65: [20.0, 50.0]}, index=["a", "b"])
        >>> ours.index(people, base="all").round(3).to_list()
        [0.727, 1.273]
        """
        bands = tables.parse_bands(name, weights)
        return cls(
            name=name,
            title=title or name,
            source=source,
            unit=unit,
            first_ages=bands.first_ages,
            until=bands.until,
            weight=bands.weight,
            factors=tables.parse_factors(name, factors or {}),
        )

    @classmethod
    def from_toml(cls, path: str | Path) -> Weights:
        """Weights from a file with `name`, `source`, `[weights]`, and optional `title`, `unit`, `[factors]`.

            name = "community-2025"
            source = "Contacts by age, our trust, 2024/25"
            unit = "contacts a year"
            [weights.female]
            "0-64" = 0.31
            "65-84" = 2.4
            "85+" = 9.8
            [weights.male]
            …
            [factors]
            imd_score = 1.004

        Raises InputFileError if there is no such file or it is no TOML, FormulaError for a key that is
        unknown or missing, and as `from_bands` does.
        """
        found = tables.read_toml(path)
        return cls.from_bands(
            found.weights,
            name=found.name,
            source=found.source,
            title=found.title,
            unit=found.unit,
            factors=found.factors,
        )

    @classmethod
    def published(cls, name: str) -> Weights:
        """Weights from print: "general-practice/england-2007", the formula review's workload index.

        Weights by age and sex times 1.054 ^ score of IMD's health domain (`read_health_domain`). Proposed in
        2007, never in force; by area as in Asaria et al. 2016, doi:10.1136/bmjopen-2015-008783.

        Raises FormulaError for a name that is not published.
        """
        if name not in PUBLISHED:
            raise FormulaError(
                f"No published weights are called {name!r}. There are: {', '.join(PUBLISHED)}."
            )
        table = reference.read(PUBLISHED[name])
        ages = table.frame[table.frame["sex"] != ""]
        scores = table.frame[table.frame["sex"] == ""]
        by_sex = {str(sex): rows for sex, rows in ages.groupby("sex")}
        return cls(
            name=name,
            title=table.title,
            source=table.source,
            unit="workload of a boy of 5 to 14",
            first_ages=tuple(int(age) for age in by_sex["male"]["first_age"]),
            until=None,
            weight={sex: tuple(rows["value"].tolist()) for sex, rows in by_sex.items()},
            factors=dict(zip(scores["term"], scores["value"], strict=True)),
            tables=(table.name,),
        )

    @property
    def by_sex(self) -> bool:
        """Whether women and men have weights of their own."""
        return PERSONS not in self.weight

    @property
    def ages(self) -> str:
        """The ages that have a weight: "all ages", "ages 18 and over", "ages 0 to 4"."""
        first = self.first_ages[0]
        if self.until is not None:
            return f"ages {first} to {self.until - 1}"
        return f"ages {first} and over" if first else "all ages"

    def cite(self) -> str:
        """Title and source; for published weights also the licence."""
        if self.tables:
            return " ".join(reference.read(table).cite() for table in self.tables)
        return f"{self.title}. {self.source.rstrip('.')}."

    def people(self, population: pd.DataFrame) -> pd.Series:
        """Persons of the weights' ages by place. population: as for `weighted_sum`."""
        counted = _count(population, self)
        inside = np.isin(self._band_of(counted.ages), range(len(self.first_ages)))
        return counted.by_place(counted.persons[:, inside].sum(axis=1), PERSONS)

    def weighted_sum(self, population: pd.DataFrame, scores: pd.DataFrame | None = None) -> pd.Series:
        """Weight times persons by place, in the weights' own unit.

        population: index place, or (place, sex) with sex "female" or "male"; columns first ages of bands,
            ascending, the last open (`read_population`, `read_lists`). A place without a row for one sex has
            nobody of it. Weights by sex need the sexes: `with_estimated_sex` estimates them, by name.
        scores: index place, a column for each factor.

        Raises FormulaError if the population has no sex and the weights do, if its bands are broader than the
        weights', or a score is lacking; UnknownCodeError or VintageError for places without a score;
        InvalidValueError for persons or scores that are no numbers.
        """
        counted = _count(population, self)
        weighted = counted.by_place(counted.weighted(self), "weighted_sum")
        if not self.factors:
            return weighted
        return weighted * self._multiplier(weighted.index, scores)

    def index(
        self, population: pd.DataFrame, scores: pd.DataFrame | None = None, *, base: Base = "england"
    ) -> pd.Series:
        """Weight per head relative to the base, by place: `need_index_<base>`, NaN where there is nobody.

        base: "england" (every area has to be there), "all" (the places at hand), or an Index of places.

        Raises as `weighted_sum` does, and UnknownCodeError if the base is not all there.
        """
        return relative(self.weighted_sum(population, scores), self.people(population), base)

    def weighted_population(
        self, population: pd.DataFrame, scores: pd.DataFrame | None = None, *, base: Base = "england"
    ) -> pd.Series:
        """Persons times index, by place: over the base it sums to the base's persons. Nobody has no weight.

        Arguments and errors as for `index`.
        """
        people = self.people(population)
        index = relative(self.weighted_sum(population, scores), people, base)
        return (people * index).fillna(0.0).rename("weighted_population")

    def assumptions(self, population: pd.DataFrame) -> tuple[Assumption, ...]:
        """What is assumed when the weights are applied to this population."""
        found = list(self.notes)
        if "sex" in population.attrs:
            found.append(
                Assumption(
                    "Sex is estimated: the same share of women at each age everywhere",
                    "The population has no sex by place",
                    "assumption",
                    str(population.attrs["sex"]),
                )
            )
        if "carried" in population.attrs:
            carried = population.attrs["carried"]
            found.append(
                Assumption(
                    f"Ages were carried from areas of {carried['from']} to {carried['to']}",
                    "The parts of a split area are given the same ages",
                    "assumption",
                    f"exact-fit lookup, weighed by {carried['people']}",
                )
            )
        if self.first_ages[0] > 0 or self.until is not None:
            found.append(
                Assumption(
                    f"People outside {self.ages} are left out of index, base and weighted population",
                    "They have no weight",
                    "choice",
                    self.name,
                )
            )
        return tuple(found)

    def _band_of(self, ages: Ints) -> Ints:
        """The band of each age, -1 before the first and the number of bands after the last."""
        starts = self.first_ages if self.until is None else (*self.first_ages, self.until)
        return np.searchsorted(starts, ages, side="right") - 1

    def _multiplier(self, places: pd.Index, scores: pd.DataFrame | None) -> Floats:
        lacking = [name for name in self.factors if scores is None or name not in scores]
        if scores is None or lacking:
            raise FormulaError(
                f"{self.name} multiplies by {len(self.factors)} scores of the place; lacking: "
                f"{first_few(lacking)}. Give a table of scores by place with those columns."
            )
        if places.name in AREAS_OF_ENGLAND and scores.index.name in AREAS_OF_ENGLAND:
            check_same_vintage(places, scores.index, left_name="The population", right_name="the scores")
        if scores.index.has_duplicates:
            twice = scores.index[scores.index.duplicated()].unique()
            raise InvalidValueError(
                f"{len(twice):,} places stand twice in the scores: {first_few(twice)}. Leave one row of each."
            )
        position = scores.index.get_indexer(places)
        if (position < 0).any():
            missing = places[position < 0]
            raise UnknownCodeError(
                f"{len(missing):,} of {len(places):,} places of the population have no row in the scores: "
                f"{first_few(missing)}. Give the scores of every place, or leave those places out."
            )
        found = scores[list(self.factors)].to_numpy(np.float64)[position]
        _refuse(~np.isfinite(found).all(axis=1), places, "no number among the scores")
        return np.asarray(np.exp(found @ np.log(list(self.factors.values()))))

    def __repr__(self) -> str:
        whom = "women and men apart" if self.by_sex else "persons"
        times = "".join(f", × {factor:g} ^ {name}" for name, factor in self.factors.items())
        return f"<Weights {self.name}: {whom}, {self.ages}, in {len(self.first_ages)} bands of age{times}>"


def with_estimated_sex(population: pd.DataFrame, lists: pd.DataFrame) -> pd.DataFrame:
    """The population by (place, sex), with the lists' share of women in each of its bands, everywhere.

    population: index place, columns first ages. lists: any level "sex" in the index, columns ages
    (`read_lists`); its women and men are added up over all places. Nobody is lost.

    attrs: those of `population`, and `sex`, where the shares come from: results that use them say so.

    Raises InvalidValueError if the population has sexes already, or a band has people but nobody on the
    lists; MissingColumnError if the lists have one sex only, or ages that begin elsewhere.
    """
    if isinstance(population.index, pd.MultiIndex):
        raise InvalidValueError(
            f"The population is by {', '.join(map(str, population.index.names))}; only one by place alone "
            "can be given estimated sexes."
        )
    ages, listed_ages = _first_ages(population), _first_ages(lists)
    if "sex" not in lists.index.names or not set(SEXES) <= set(lists.index.unique("sex")):
        raise MissingColumnError("The lists must be by sex, female and male. Use read_lists.")
    broad = [age for age in ages if age not in set(listed_ages)]
    if broad:
        raise MissingColumnError(
            f"The lists have no band that begins at {first_few(broad)}, where one of the population does. "
            "Use lists by single year of age."
        )
    by_sex = lists.groupby(level="sex").sum().loc[list(SEXES)].to_numpy(np.float64)
    band = np.searchsorted(ages, listed_ages, side="right") - 1
    listed = np.zeros((len(SEXES), len(ages)))
    # Ages of the lists before the population's first belong to no band of it.
    np.add.at(listed.T, band[band >= 0], by_sex.T[band >= 0])
    persons = population.to_numpy(np.float64)
    total = listed.sum(axis=0)
    empty = ages[(total <= 0) & (persons.sum(axis=0) > 0)]
    if len(empty):
        raise InvalidValueError(
            f"The lists have nobody in {len(empty)} bands where the population has people: from "
            f"{first_few(empty)} years. Their sex cannot be estimated: use other lists."
        )
    share = np.divide(listed, total, out=np.zeros_like(listed), where=total > 0)
    split = (persons[:, None, :] * share[None, :, :]).reshape(-1, len(ages))
    rows = pd.MultiIndex.from_product([population.index, SEXES], names=[population.index.name, "sex"])
    result = pd.DataFrame(split, index=rows, columns=population.columns)
    source = lists.attrs.get("source", {}).get("file", "practice lists by sex and age")
    result.attrs = population.attrs | {"sex": f"share of women at each age: {source}"}
    return result


def with_equal_ages(population: pd.DataFrame) -> pd.DataFrame:
    """The population with the ages (and sexes) of all places together in every place, its people kept.

    What is left of a measure's differences between places is then not their ages. population: as for
    `Weights.weighted_sum`.

    >>> with_equal_ages(pd.DataFrame({0: [30.0, 10.0], 65: [10.0, 10.0]}, index=["a", "b"])).to_numpy()
    array([[26.66666667, 13.33333333],
           [13.33333333,  6.66666667]])
    """
    place = population.index.get_level_values(0)
    people = population.sum(axis=1).groupby(place).sum()
    if isinstance(population.index, pd.MultiIndex):
        mix = population.groupby(level=1).sum()
        of_row = mix.loc[population.index.get_level_values(1)].to_numpy(np.float64)
    else:
        mix = population.sum().to_frame().T
        of_row = mix.to_numpy(np.float64)
    equal = people.reindex(place).to_numpy(np.float64)[:, None] * of_row / mix.to_numpy().sum()
    return pd.DataFrame(equal, index=population.index, columns=population.columns)


class _Counted(NamedTuple):
    """Persons (rows, ages) with the place (rows,) of each row, as a position in `places`, and its sex."""

    places: pd.Index
    place: Ints
    female: NDArray[np.bool_] | None
    persons: Floats
    ages: Ints

    def by_place(self, of_rows: Floats, name: str) -> pd.Series:
        total = np.bincount(self.place, weights=of_rows, minlength=len(self.places))
        return pd.Series(total, index=self.places, name=name)

    def weighted(self, weights: Weights) -> Floats:
        """Weight times persons (rows,)."""
        band = weights._band_of(self.ages)

        def total(of: str) -> Floats:
            # Ages before the first band and after the last find a weight of 0 at either end.
            at = np.array([*weights.weight[of], 0.0, 0.0])[band]
            return np.asarray(self.persons @ at)

        if not weights.by_sex:
            return total(PERSONS)
        assert self.female is not None
        return np.where(self.female, total("female"), total("male"))


def _count(population: pd.DataFrame, weights: Weights) -> _Counted:
    """The population as arrays, once it is found to fit the weights."""
    ages = _first_ages(population)
    index = population.index
    female = None
    if isinstance(index, pd.MultiIndex):
        if index.nlevels != 2 or index.names[1] != "sex":
            raise InvalidValueError(
                f"The population is by {', '.join(map(str, index.names))}; give it by place, or by place and "
                "sex, in this order."
            )
        sexes = index.get_level_values("sex")
        unknown = sexes.unique().difference(list(SEXES))
        if len(unknown):
            raise InvalidValueError(
                f"The population has the sexes {first_few(unknown)}; known are {' and '.join(SEXES)}."
            )
        female = np.asarray(sexes == "female")
        place, places = pd.factorize(index.get_level_values(0))
    else:
        if weights.by_sex:
            raise FormulaError(
                f"{weights.name} weighs women and men apart; the population has no sex. Give it by place and "
                "sex, or estimate the sexes from practice lists with with_estimated_sex."
            )
        place, places = np.arange(len(index)), index
    if index.has_duplicates:
        twice = index[index.duplicated()].unique()
        raise InvalidValueError(
            f"{len(twice):,} places stand twice in the population: {first_few(twice)}. Leave one row of each."
        )
    _check_bands(ages, weights)
    persons = population.to_numpy(np.float64)
    _refuse(
        ~(np.isfinite(persons) & (persons >= 0)).all(axis=1), index, "a missing or negative number of people"
    )
    return _Counted(pd.Index(places, name=index.names[0]), place.astype(np.int64), female, persons, ages)


def _first_ages(population: pd.DataFrame) -> Ints:
    columns = list(population.columns)
    if (
        not columns
        or not all(isinstance(age, (int, np.integer)) for age in columns)
        or columns != sorted(set(columns))
    ):
        raise InvalidValueError(
            "The columns of the population must be the first ages of its bands, whole numbers that ascend; "
            f"they are {first_few(columns, 8)}. Read it with read_population, or rename them."
        )
    return np.array(columns, dtype=np.int64)


def _check_bands(ages: Ints, weights: Weights) -> None:
    """Refuse ages in bands that reach over an age where the weights change."""
    starts = weights.first_ages if weights.until is None else (*weights.first_ages, weights.until)
    broad = [age for age in starts if age not in set(ages.tolist())]
    if broad:
        raise FormulaError(
            f"The weights of {weights.name} change at {first_few(broad, 8)} years, where no band of the "
            f"population begins (its bands begin at {first_few(ages, 8)}). A band is never split: use a "
            "population by single year of age, or weights for these bands."
        )


def _refuse(wrong: NDArray[np.bool_], places: pd.Index, what: str) -> None:
    if wrong.any():
        raise InvalidValueError(
            f"{int(wrong.sum()):,} of {len(places):,} rows have {what}: {first_few(places[wrong])}. "
            "Mend them, or leave them out."
        )


__all__ = ["PUBLISHED", "Weights", "with_equal_ages", "with_estimated_sex"]
