"""Carry numbers by area between the LSOAs of 2011 and of 2021, in either direction, with nobody lost.

Most areas are the same in both. Where an area was split, its counts go to the parts in proportion to the
people who live there; where areas were merged, they are added up. A rate is never split: a part has the rate
of the whole, and areas that were merged have the mean over their people.

Six English areas of 2011 were fragmented into six of 2021, and no lookup says how many people went where.
They are treated as split among all the areas that they have land in. So these alone do not come back as they
went: there and back, the July 2023 lists keep their total and differ by up to 35 % in each of the six.

Source: ONS, LSOA (2011) to LSOA (2021) exact-fit lookup for England and Wales, version 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from needsalloc.alignment import refuse_counts, refuse_rates, refuse_twice
from needsalloc.errors import InvalidValueError, UnknownCodeError, VintageError, first_few
from needsalloc.geography import Vintage, check_exact_fit, check_vintage, is_english, vintage_in
from needsalloc.kernels import flow

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
ByArea = TypeVar("ByArea", pd.Series, pd.DataFrame)

_OTHER: dict[Vintage, Vintage] = {"lsoa11": "lsoa21", "lsoa21": "lsoa11"}


def carry_counts(values: ByArea, lookup: pd.DataFrame, *, to: str, people: pd.Series) -> ByArea:
    """Counts by area (residents, patients, contacts) on the areas of the other census; totals are kept.

    values: by area of the census that is not `to`, a Series or a DataFrame of numbers.
    lookup: the exact-fit lookup (see `read_area_lookup`).
    to: "lsoa21" or "lsoa11".
    people: by area of `to`: residents, or registered patients of any quarter (`registered_by_area` of a
    catchment). Its size does not matter, only its proportions among the areas that share a split area.

    Returns the same kind of table for every area of `to` that the areas of `values` make up, sorted; for
    England's areas of 2011 these are all 33,755 of 2021. An area that did not change keeps its numbers.
    attrs: those of `values`, and `carried` (from, to, people, how many areas were split).

    The counts of a fragmented area are split like those of any other: an assumption, since part of an area of
    2021 lies in another of 2011 as well.

    Raises VintageError for a best-fit lookup or for values or people that are on the wrong census;
    UnknownCodeError for areas that the lookup or `people` lack, or if only a part of an area of `to` is in
    `values`; InvalidValueError for gaps, or where a count is to be split among areas without people.

    >>> lookup = pd.DataFrame({"lsoa11": ["E01000002"] * 2, "lsoa21": ["E01033769", "E01033770"]})
    >>> people = pd.Series([300, 100], index=["E01033769", "E01033770"])
    >>> carry_counts(pd.Series([20], index=["E01000002"]), lookup, to="lsoa21", people=people).to_list()
    [15.0, 5.0]
    """
    refuse_rates(values, "splitting them", "carry_rates")
    numbers = _numbers(values, "the values")
    links = _links(lookup, values.index, to, whole=True)
    shares = _splits(links, people, having=np.abs(numbers).sum(axis=1) > 0)
    return _like(values, shares.T @ numbers, links, people)


def carry_rates(values: ByArea, lookup: pd.DataFrame, *, to: str, people: pd.Series) -> ByArea:
    """Rates by area (a score, a proportion, an index) on the areas of the other census.

    values, lookup, to: as for `carry_counts`. people: by area of `values`, the denominators of the rates.

    A part of a split area has the rate of the whole. Where areas were merged, or fragments make up an area,
    it is the mean of their rates over the people of each whole area; for fragments this is an assumption.
    Ranks and deciles are no rates: carry the score and rank it anew.

    Returns, and raises, as `carry_counts` does.

    >>> lookup = pd.DataFrame({"lsoa11": ["E01000002", "E01000003"], "lsoa21": ["E01033769"] * 2})
    >>> rates = pd.Series([10.0, 20.0], index=["E01000002", "E01000003"])
    >>> carry_rates(rates, lookup, to="lsoa21", people=pd.Series([300, 100], index=rates.index)).to_list()
    [12.5]
    """
    refuse_counts(values, "taking means", "carry_counts")
    numbers = _numbers(values, "the values")
    links = _links(lookup, values.index, to, whole=True)
    return _like(values, _means(links, people).T @ numbers, links, people)


def carry_registrations(
    registrations: pd.DataFrame, lookup: pd.DataFrame, *, to: str, people: pd.Series
) -> pd.DataFrame:
    """The registrations frame on the areas of the other census, with fractions of patients.

    registrations: see `read_registrations`. lookup, to, people: as for `carry_counts`.
    Each practice keeps its total. Codes that are no English area (Wales, `NO2011`, `CLOSED` …) are kept as
    they are. A practice without a row for an area has nobody there, so no area is incomplete.

    Returns `practice`, `to` (category) and `patients` (float64): one row per practice and area with patients,
    sorted by both. attrs: those of `registrations` (`on`, `source`), and `carried`.

    Raises as `carry_counts` does.
    """
    origin = vintage_in(registrations)
    practice = registrations["practice"].astype("category").cat
    area = registrations[origin].astype("category").cat.remove_unused_categories().cat
    codes = pd.Index(area.categories.astype(str), name=origin)
    patients = registrations["patients"].to_numpy(np.float64)
    if not np.isfinite(patients).all():
        gaps = registrations.loc[~np.isfinite(patients), "practice"]
        raise InvalidValueError(
            f"{len(gaps):,} rows of registrations have no number of patients, first at practices "
            f"{first_few(gaps)}. Read the file with read_registrations, or mend those rows."
        )
    links = _links(_english_and(lookup, codes), codes, to, whole=False)
    living = np.bincount(area.codes, weights=np.abs(patients), minlength=len(codes))
    shares = _splits(links, people, having=living > 0)
    flows = flow.flow_matrix(
        practice.codes.to_numpy().astype(np.int64),
        area.codes.to_numpy().astype(np.int64),
        patients,
        (len(practice.categories), len(codes)),
    )
    carried = sparse.csr_array(flows @ shares)
    carried.sort_indices()
    carried.eliminate_zeros()
    rows = carried.tocoo()
    frame = pd.DataFrame(
        {
            "practice": pd.Categorical.from_codes(rows.row, practice.categories),
            links.to: pd.Categorical.from_codes(rows.col, links.targets),
            "patients": rows.data,
        }
    )
    frame.attrs = registrations.attrs | {"carried": links.done(people)}
    return frame


def _english_and(lookup: pd.DataFrame, codes: pd.Index) -> pd.DataFrame:
    """The English pairs of the lookup, and each of `codes` that is no English area with itself."""
    others = codes[~is_english(codes)]
    pairs = lookup.loc[is_english(lookup["lsoa11"]), ["lsoa11", "lsoa21"]]
    return pd.concat([pairs, pd.DataFrame({"lsoa11": others, "lsoa21": others})], ignore_index=True)


@dataclass(frozen=True)
class _Links:
    """Which areas make up which: `source` and `target` are positions (pairs,) in `sources` and `targets`."""

    sources: pd.Index
    targets: pd.Index
    source: Ints
    target: Ints

    @property
    def to(self) -> str:
        return str(self.targets.name)

    @property
    def parts(self) -> Ints:
        """How many targets each source has (sources,)."""
        return np.bincount(self.source, minlength=len(self.sources))

    @property
    def origins(self) -> Ints:
        """How many sources each target has (targets,)."""
        return np.bincount(self.target, minlength=len(self.targets))

    def done(self, people: pd.Series) -> dict[str, Any]:
        """What a carried table says of itself."""
        return {
            "from": str(self.sources.name),
            "to": self.to,
            "people": str(people.name or "people"),
            "split": int((self.parts > 1).sum()),
            "merged": int((self.origins > 1).sum()),
        }


def _links(lookup: pd.DataFrame, codes: pd.Index, to: str, *, whole: bool) -> _Links:
    """The pairs of the lookup that start from `codes`; with `whole`, every target must be whole."""
    target = check_vintage(to)
    origin = _OTHER[target]
    if codes.name == target:
        raise VintageError(
            f"The values are on areas of 20{target[-2:]} ({target}) already: leave them as they are."
        )
    check_exact_fit(lookup)
    pairs = lookup[[origin, target]].drop_duplicates()
    sources = pd.Index(codes.astype(str), name=origin)
    # Positions in an index, which is hashed once: asking text for membership takes ten times as long.
    source = sources.get_indexer(pd.Index(pairs[origin]))
    found = source >= 0
    _refuse_unknown(sources, np.bincount(source[found], minlength=len(sources)) == 0, pairs[target])
    targets = pd.Index(pairs.loc[found, target].unique(), name=target).sort_values()
    position = targets.get_indexer(pd.Index(pairs[target]))
    if whole:
        _refuse_parts(pairs[(position >= 0) & ~found], origin, target)
    return _Links(sources, targets, source[found].astype(np.int64), position[found].astype(np.int64))


def _refuse_unknown(sources: pd.Index, unknown: npt.NDArray[np.bool_], targets: pd.Series) -> None:
    """UnknownCodeError for areas that the lookup lacks; VintageError if they are of the other census."""
    codes = sources[unknown]
    other = codes.intersection(pd.Index(targets))
    if len(other):
        raise VintageError(
            f"{len(other):,} of {len(sources):,} areas of the values are of {targets.name} already: "
            f"{first_few(other)}. Give values on {sources.name} only, or the other `to`."
        )
    if len(codes):
        raise UnknownCodeError(
            f"{len(codes):,} of {len(sources):,} areas of the values are not in the lookup: "
            f"{first_few(codes)}. Use the ONS lookup of all England and Wales; set codes that are no area "
            "aside before carrying."
        )


def _refuse_parts(lacking: pd.DataFrame, origin: str, target: str) -> None:
    """UnknownCodeError if areas are made up of areas that have values and of areas that have none."""
    if len(lacking):
        parts, wholes = lacking[origin].unique(), lacking[target].unique()
        raise UnknownCodeError(
            f"{len(wholes):,} areas of {target} are in the values in part only ({first_few(wholes)}): they "
            f"lack {first_few(parts)}. Give those areas too, with 0 where that is known."
        )


def _splits(links: _Links, people: pd.Series, *, having: npt.NDArray[np.bool_]) -> sparse.csr_array:
    """The part of each source that goes to each target (sources x targets): rows sum to 1.

    `having` (sources,): whether there is anything to split; where not, people do not matter.
    """
    split = (links.parts > 1)[links.source]
    weight = np.ones(len(links.source))
    weight[split] = _people(people, links.targets, links.target[split], "share a split area")
    nobody = np.bincount(links.source, weights=weight, minlength=len(links.sources)) == 0
    refused = links.sources[nobody & having]
    if len(refused):
        raise InvalidValueError(
            f"{len(refused):,} areas have counts and were split into areas where `people` has nobody: "
            f"{first_few(refused)}. Give the people of another day or another source."
        )
    weight[nobody[links.source]] = 1.0
    return flow.row_shares(_matrix(links, weight))


def _means(links: _Links, people: pd.Series) -> sparse.csr_array:
    """The weight of each source in the mean of each target (sources x targets): columns sum to 1."""
    merged = (links.origins > 1)[links.target]
    weight = np.ones(len(links.source))
    weight[merged] = _people(people, links.sources, links.source[merged], "make up another")
    nobody = np.bincount(links.target, weights=weight, minlength=len(links.targets)) == 0
    if nobody.any():
        raise InvalidValueError(
            f"{int(nobody.sum()):,} areas are made up of areas where `people` has nobody: "
            f"{first_few(links.targets[nobody])}. Give the people of another day or another source."
        )
    return flow.column_shares(_matrix(links, weight))


def _matrix(links: _Links, weight: Floats) -> sparse.csr_array:
    shape = len(links.sources), len(links.targets)
    return flow.flow_matrix(links.source, links.target, weight, shape)


def _people(people: pd.Series, areas: pd.Index, position: Ints, why: str) -> Floats:
    """`people` of `areas[position]`; only areas that are weighed against each other need any."""
    if not isinstance(people, pd.Series):
        raise InvalidValueError(
            f"`people` is {type(people).__name__}; give a Series of people by {areas.name}: residents, or "
            "registered patients. No area is split equally, and a table by age has to be added up first."
        )
    if people.index.name in _OTHER and people.index.name != areas.name:
        raise VintageError(f"`people` is by {people.index.name}; here it must be by {areas.name}.")
    known = pd.Series(people.to_numpy(np.float64), index=people.index.astype(str))
    if known.index.has_duplicates:
        twice = known.index[known.index.duplicated()].unique()
        raise InvalidValueError(
            f"{len(twice):,} areas stand twice in `people`: {first_few(twice)}. Leave one row of each."
        )
    wanted = areas[np.unique(position)]
    missing = wanted[known.index.get_indexer(wanted) < 0]
    if len(missing):
        raise UnknownCodeError(
            f"{len(missing):,} of {len(wanted):,} areas of {areas.name} that {why} have no row in `people`: "
            f"{first_few(missing)}. Give the people of every area of {areas.name}."
        )
    found = known.reindex(areas[position]).to_numpy(np.float64)
    if not (np.isfinite(found) & (found >= 0)).all():
        wrong = areas[position][~(np.isfinite(found) & (found >= 0))].unique()
        raise InvalidValueError(
            f"{len(wrong):,} areas have a negative or missing number in `people`: {first_few(wrong)}."
        )
    return found


def _numbers(values: pd.Series | pd.DataFrame, what: str) -> Floats:
    """The values as an array (areas, columns), once they are found to be numbers of distinct areas."""
    refuse_twice(values.index, what, "areas")
    table = values.to_frame() if isinstance(values, pd.Series) else values
    text = [column for column in table if not pd.api.types.is_numeric_dtype(table[column])]
    if text:
        raise InvalidValueError(
            f"{len(text):,} columns of {what} hold no numbers: {first_few(text)}. Leave them out."
        )
    numbers = table.to_numpy(np.float64)
    gaps = ~np.isfinite(numbers).all(axis=1)
    if gaps.any():
        raise InvalidValueError(
            f"{int(gaps.sum()):,} areas have no number in {what}: {first_few(values.index[gaps])}. "
            "Fill them in the file, or leave those columns out."
        )
    return numbers


def _like(values: ByArea, numbers: Floats, links: _Links, people: pd.Series) -> ByArea:
    """`numbers` (targets, columns) as the kind of table that `values` is."""
    table: Any
    if isinstance(values, pd.Series):
        table = pd.Series(numbers[:, 0], index=links.targets, name=values.name)
    else:
        table = pd.DataFrame(numbers, index=links.targets, columns=values.columns)
    table.attrs = values.attrs | {"carried": links.done(people)}
    return table


__all__ = ["carry_counts", "carry_rates", "carry_registrations"]
