"""A made-up linked cohort of any size: persons with a practice, an area, a team and a year's contacts.

Persons are those of `cohort` (margins of Filipe et al. 2024, Table 1), placed in the areas and practices of a
synthetic England. The coefficients that contacts are drawn from are known, so a fit can be held against them.

Demand is induced by supply: teams in deprived places have more nurses, and whoever has more nurses has more
contacts at the same need. An index that is not held at one supply takes the second for need.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, ndtri

from needsalloc import reference, synthetic
from needsalloc.ages import ADULT
from needsalloc.cohort import IMD_FIFTHS, IMD_RANGE, calibrated, drawn_ages, traits
from needsalloc.errors import InvalidValueError, OutputError
from needsalloc.need import NeedFormula
from needsalloc.predictors import INTERCEPT, atoms, columns
from needsalloc.published import SUPPLY, UNMET_NEED
from needsalloc.synthetic import VINTAGE
from needsalloc.teams import NO_TEAM

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Values = Literal["exact", "banded", "flags"]

CHUNK = 1_000_000
_PILOT = 100_000
_DECILES = 10
_CODES = ("practice", VINTAGE, "pcn")
# Correlation over teams of nurses with deprivation, and the fewest nurses.
_SUPPLY_FOLLOWS = 0.6
_LEAST_SUPPLY = 0.3
# Practices: most share nearly everybody's records, some share fewer, a few share none.
_SHARING = (0.93, 0.99)
_SHARING_LESS, _SHARE_OF_LESS = (0.4, 0.8), 0.08
_SHARE_OF_NONE = 0.04
_UNKNOWN_ETHNICITY = 0.03
_LOG_DAYS = "log_days_alive"
_CONSULTATIONS = "gp_consultations"
# Lower edges of the bands, and what each stands for.
_SERVICES = {
    "ae_attendances": ((0, 1, 2, 3), (0, 1, 2, 4)),
    "elective_admissions": ((0, 1, 2), (0, 1, 2)),
    "emergency_admissions": ((0, 1, 2, 3), (0, 1, 2, 4)),
    _CONSULTATIONS: ((0, 1, 6, 11, 21, 41, 81), (0, 3, 8, 16, 30, 55, 100)),
}
_DAYS = ((0, 120, 240, 365), (90, 180, 300, 365))
# As a flag: this many consultations or more, and what many and fewer stand for.
_MANY = (41, (55, 15))


@dataclass(frozen=True, eq=False)
class LinkedCohort:
    """A cohort that is drawn when asked for, in chunks, the same for the same seed.

    Attributes
    ----------
    people, seed:
        How many persons, and from which seed.
    values:
        How fine predictors are. "exact": single years of age, the area's IMD score, services counted.
        "banded": ages in fives, the mean score of the area's decile, services and days alive in bands.
        "flags": as "banded", but of each service one of two values, and no days alive. Contacts are drawn
        from these values.
    truth:
        The formula that contacts are drawn from.
    flows:
        Whose records there are: `practice`, `lsoa21`, `pcn`, `linked` and `listed` people of the same ages.
    teams:
        Index `pcn`: `imd_score`, the mean of its people, and nurses per 10,000.
    scores:
        Index `lsoa21`: the score that its people have.
    """

    people: int
    seed: int
    values: Values
    truth: NeedFormula
    flows: pd.DataFrame
    teams: pd.DataFrame
    scores: pd.Series

    @property
    def predictors(self) -> list[str]:
        """The columns that contacts depend on."""
        return columns([*self.truth.zero, *self.truth.count])

    @property
    def coefficients(self) -> pd.DataFrame:
        """The truth as a fit on the columns themselves finds it: index term, columns `count` and `zero`.

        Nothing is standardised, and products are multiplied out, so "age:female=0" is age less "age:female".
        """
        return _in_own_units(self.truth)

    @property
    def lists(self) -> pd.DataFrame:
        """Those listed by `practice` and `lsoa21`, as `patients`: what the cohort is held against."""
        return self.flows.rename(columns={"listed": "patients"})[["practice", "lsoa21", "patients"]]

    def rows(self) -> pd.DataFrame:
        """All persons (people,): the predictors, `practice`, `lsoa21`, `pcn` and `contacts`.

        Minority ethnicity is missing for those of unknown ethnicity, whatever theirs is.
        """
        return pd.concat(self.chunks(), ignore_index=True)

    def chunks(self) -> Iterator[pd.DataFrame]:
        """The persons of `rows` a million at a time, each chunk from all over the country."""
        number = -(-self.people // CHUNK)
        for k in range(number):
            yield self._chunk(k, number)

    def write(self, folder: str | Path) -> pd.Series:
        """Write the persons as a folder of Parquet files, a chunk each; how many values each column takes.

        Raises OutputError if the folder has files in it.
        """
        import pyarrow as pa
        from pyarrow import parquet

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise OutputError(f"{folder} is not empty. Name a new folder.")
        values: dict[Hashable, pd.Index] = {}
        for k, chunk in enumerate(self.chunks()):
            table = pa.Table.from_pandas(chunk, preserve_index=False)
            flag = table.schema.get_field_index(UNMET_NEED)
            table = table.set_column(flag, UNMET_NEED, table[flag].cast(pa.int8()))
            parquet.write_table(table, folder / f"part-{k:04}.parquet")
            for name in chunk:
                found = pd.Index(chunk[name].dropna().unique())
                values[name] = values[name].union(found) if name in values else found
        return pd.Series({name: len(found) for name, found in values.items()}, name="distinct values")

    def persons(self, position: Ints, rng: np.random.Generator) -> pd.DataFrame:
        """Those at these positions (people,) of the flows laid end to end, shuffled, without contacts."""
        flow = rng.permutation(np.searchsorted(self.flows["linked"].cumsum().to_numpy(), position, "right"))
        codes = {name: self.flows[name].array[flow] for name in ("practice", VINTAGE, "pcn")}
        age = drawn_ages(rng, len(flow))
        rows = pd.DataFrame(codes)
        rows["age"] = age
        rows["imd_score"] = self.scores.to_numpy()[codes[VINTAGE].codes]
        for term, value in traits(rng, age).items():
            rows[term] = value
        rows[SUPPLY] = self.teams[SUPPLY].to_numpy()[codes["pcn"].codes]
        return _coarsened(rows, self.values)

    def _chunk(self, k: int, chunks: int) -> pd.DataFrame:
        rng = np.random.default_rng([self.seed, k])
        rows = self.persons(np.arange(k, self.people, chunks), rng)
        log_mean, log_odds = self.truth.parts(rows, "observed")
        users = rng.random(len(rows)) >= expit(log_odds)
        rows["contacts"] = (rng.poisson(np.exp(log_mean)) * users).astype(np.int32)
        rows[UNMET_NEED] = rows[UNMET_NEED].where(rng.random(len(rows)) >= _UNKNOWN_ETHNICITY)
        return rows

    def __repr__(self) -> str:
        return (
            f"<LinkedCohort of {self.people:,} made-up persons, seed {self.seed}, {self.values} values: "
            f"{len(self.scores):,} areas, {self.flows['practice'].nunique():,} practices, "
            f"{len(self.teams):,} teams>"
        )


def linked_cohort(
    people: int = 100_000,
    seed: int = 1,
    *,
    england: synthetic.SyntheticEngland | None = None,
    values: Values = "exact",
    induced: float = 0.05,
) -> LinkedCohort:
    """A made-up linked cohort of adults in the areas, practices and teams of a synthetic England.

    Areas are ranked by their score, which is then spread as in the paper's cohort, so that its margins hold.
    Practices of no team are left out. The truth is the published formula (realigned), its constants solved
    for the paper's users and contacts.
    england: 300 areas and 10 teams by default.
    induced: log rate of a user's contacts per further nurse per 10,000, of which the paper prints none; as
        there, the odds of any use rise by 5 % for each nurse.

    Raises InvalidValueError for no people, a negative seed, or `values` by another name.

    >>> linked_cohort(1_000, values="flags")
    <LinkedCohort of 1,000 made-up persons, seed 1, flags values: 300 areas, 50 practices, 10 teams>
    """
    if people < 1 or seed < 0:
        raise InvalidValueError(f"people={people}, seed={seed}: give at least one person and a seed from 0.")
    if values not in ("exact", "banded", "flags"):
        raise InvalidValueError(f"Unknown values {values!r}: choose exact, banded or flags.")
    made = england or synthetic.england()
    rng = np.random.default_rng(seed)
    flows = _flows(rng, made, people)
    scores = _scores(flows, made.deprivation["imd_score"], values)
    teams = _teams(rng, flows, scores)
    formula = NeedFormula.published("district-nursing/liverpool-2024")
    truth = replace(formula, count={**formula.count, SUPPLY: induced})
    if values == "flags":
        count, zero = (
            {term: b for term, b in part.items() if term != _LOG_DAYS} for part in (truth.count, truth.zero)
        )
        truth = replace(truth, count=count, zero=zero)
    cohort = LinkedCohort(people, seed, values, truth, flows, teams, scores)
    pilot = cohort.persons(np.arange(_PILOT) * people // _PILOT, rng)
    return replace(cohort, truth=calibrated(truth, pilot))


def _flows(rng: np.random.Generator, made: synthetic.SyntheticEngland, people: int) -> pd.DataFrame:
    """Listed and linked people of each area and practice of a team, in rising order of area."""
    team = made.membership.set_index("practice")["pcn"]
    team = team[~team.isin(NO_TEAM)].dropna()
    listed = made.registrations[
        made.registrations["practice"].isin(team.index)
        & made.registrations[VINTAGE].isin(made.deprivation.index)
    ]
    flows = listed.sort_values([VINTAGE, "practice"]).reset_index(drop=True)
    flows = flows.assign(pcn=flows["practice"].astype("str").map(team)).astype(dict.fromkeys(_CODES, "str"))
    practices = flows["practice"].unique()
    shares = rng.uniform(*_SHARING, len(practices))
    order = rng.permutation(len(practices))
    none, less = (max(round(part * len(order)), 1) for part in (_SHARE_OF_NONE, _SHARE_OF_LESS))
    shares[order[:less]] = rng.uniform(*_SHARING_LESS, less)
    shares[order[less : less + none]] = 0.0
    share = flows["practice"].map(dict(zip(practices, shares, strict=True))).to_numpy()
    patients = flows.pop("patients").to_numpy()
    size = people / (patients @ share)
    flows["linked"] = rng.multinomial(people, patients * share / (patients @ share))
    flows["listed"] = flows["linked"] + rng.poisson(size * patients * (1 - share))
    return flows.astype(dict.fromkeys(_CODES, "category"))


def _scores(flows: pd.DataFrame, score: pd.Series, values: Values) -> pd.Series:
    """IMD score by area: the published fifths' means and SDs, in the order of the synthetic scores."""
    people = flows.groupby(VINTAGE, observed=True)["listed"].sum()
    order = score.reindex(people.index).sort_values(ascending=False, kind="stable").index
    size = people[order].to_numpy(np.float64) + 1.0
    place = (size.cumsum() - size / 2) / size.sum()  # 0 is the most deprived
    fifth = (place * len(IMD_FIFTHS)).astype(np.int64)
    printed = reference.read("filipe-2024-table1").frame.set_index("variable").loc[list(IMD_FIFTHS)]
    mean, sd = printed[["mean", "sd"]].to_numpy()[fifth].T
    exact = (mean + sd * ndtri(1 - (place * len(IMD_FIFTHS) - fifth))).clip(*IMD_RANGE)
    if values != "exact":
        decile = (place * _DECILES).astype(np.int64)
        exact = (np.bincount(decile, exact * size) / np.bincount(decile, size))[decile]
    return pd.Series(exact.round(2), index=order, name="imd_score").reindex(people.index)


def _teams(rng: np.random.Generator, flows: pd.DataFrame, scores: pd.Series) -> pd.DataFrame:
    """Nurses by team, with the published mean and SD, more of them where people are more deprived."""
    printed = reference.read("filipe-2024-table1").frame.set_index("variable").loc[SUPPLY]
    weighted = flows["listed"] * scores.to_numpy()[flows[VINTAGE].cat.codes]
    people = flows["listed"].groupby(flows["pcn"], observed=True).sum()
    score = weighted.groupby(flows["pcn"], observed=True).sum() / people
    level = _SUPPLY_FOLLOWS * _standardised(score.to_numpy())
    level += np.sqrt(1 - _SUPPLY_FOLLOWS**2) * _standardised(rng.standard_normal(len(score)))
    nurses = (printed["mean"] + printed["sd"] * _standardised(level)).clip(_LEAST_SUPPLY)
    return pd.DataFrame({"imd_score": score, SUPPLY: nurses.round(3)})


def _standardised(values: Floats) -> Floats:
    return np.asarray((values - values.mean()) / max(values.std(), 1e-9))


def _coarsened(rows: pd.DataFrame, values: Values) -> pd.DataFrame:
    """The rows with their predictors as fine as `values` says; scores are so already."""
    small = {name: rows[name].astype(np.int16) for name in _SERVICES}
    if values == "exact":
        return rows.assign(**small)
    age = np.floor((rows["age"] - ADULT) / 5) * 5 + ADULT + 2.5
    days = _banded(np.exp(rows[_LOG_DAYS]).round(), *_DAYS)
    if values == "banded":
        services = {name: _banded(small[name], *bands) for name, bands in _SERVICES.items()}
        return rows.assign(age=age, **services, log_days_alive=np.log(days, dtype=np.float64))
    any_use = {name: (small[name] > 0).astype(np.int8) for name in _SERVICES if name != _CONSULTATIONS}
    many = np.where(small[_CONSULTATIONS] >= _MANY[0], *_MANY[1]).astype(np.int8)
    return rows.drop(columns=_LOG_DAYS).assign(age=age, **any_use, gp_consultations=many)


def _banded(value: pd.Series, edges: Sequence[int], stands_for: Sequence[int]) -> NDArray[np.int16]:
    return np.asarray(stands_for, np.int16)[np.searchsorted(edges, value, "right") - 1]


def _in_own_units(formula: NeedFormula) -> pd.DataFrame:
    """The formula's coefficients by term of raw columns, products multiplied out, `count` and `zero`."""
    parts = {}
    for part, effects, constant in zip(
        ("count", "zero"), (formula.count, formula.zero), reversed(formula.constants), strict=True
    ):
        terms = {INTERCEPT: constant}
        for term, effect in effects.items():
            for product, scale in _multiplied_out(formula, term).items():
                terms[product or INTERCEPT] = terms.get(product or INTERCEPT, 0.0) + effect * scale
        parts[part] = terms
    return pd.DataFrame(parts).rename_axis("term").fillna(0.0)  # of one part alone: 0 in the other


def _multiplied_out(formula: NeedFormula, term: str) -> dict[str, float]:
    """A term as a sum of products of raw columns: product -> factor, the constant under ""."""
    product = {"": 1.0}
    for atom in atoms([term]):
        product = {
            ":".join(filter(None, (left, right))): product[left] * factor
            for left in product
            for right, factor in _raw(formula, atom).items()
        }
    return product


def _raw(formula: NeedFormula, atom: str) -> dict[str, float]:
    """An atom as a line in its raw column."""
    column, is_level, level = atom.partition("=")
    if is_level and level == "0":
        return {column: -1.0, "": 1.0}
    mean, sd = formula.centring.get(column, (0.0, 1.0))
    return {column: 1 / sd, "": -mean / sd} if mean else {column: 1 / sd}


__all__ = ["LinkedCohort", "linked_cohort"]
