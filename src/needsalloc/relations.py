"""Rows of flows become a labelled relation: codes cleaned, sorted and numbered once, people added up."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from scipy import sparse

from needsalloc.alignment import numbers
from needsalloc.errors import InvalidValueError, MissingColumnError, VintageError, first_few
from needsalloc.geography import (
    AREAS_OF_ENGLAND,
    ENGLAND,
    FIRST_2021_CODE,
    NATIONS,
    classify,
    english,
    vintage_of,
)
from needsalloc.kernels import flow
from needsalloc.teams import NO_TEAM, UNASSIGNED

_ROUNDING = 1e-6  # published shares have three to six decimals

# E01000001, A81001, U12345, R1H, RJ122; not Hood1 or North.
_OFFICIAL = re.compile(r"[A-Za-z]\d{4,8}|[A-Za-z]\d[A-Za-z0-9]{1,3}|[A-Za-z]{2}\d[A-Za-z0-9]{0,3}")

Relation = tuple[sparse.csr_array, pd.Index, pd.Index, pd.DataFrame]


def relation(flows: pd.DataFrame, area: str, provider: str, areas: str = "england") -> Relation:
    """Patients by area and provider, their codes, and who lives in no such area.

    flows: columns `practice`, `area` and `patients`. provider: what to call the index of providers.
    areas: "england", or "all" for the areas of every nation; only LSOAs know of nations.

    Raises MissingColumnError; InvalidValueError for missing codes, for counts that are negative, missing,
    infinite or no numbers, or if nobody lives in an area.
    """
    _refuse_gaps(flows, area)
    patients = numbers(flows["patients"], "The counts of people")
    possible = (patients >= 0) & (patients < np.inf)
    if not possible.all():
        bad = flows.loc[~possible, "practice"]
        if provider != "practice":
            raise InvalidValueError(
                f"{len(bad):,} rows of the flows have negative or missing numbers, first at teams "
                f"{first_few(bad)}. Mend those rows."
            )
        raise InvalidValueError(
            f"{len(bad):,} rows of registrations have negative or missing counts, first at practices "
            f"{first_few(bad)}. Read the file with read_registrations, or mend those rows."
        )
    # A row of nobody must not bring an area in: no flow would carry the people who live there.
    if not patients.all():
        flows, patients = flows[patients > 0], patients[patients > 0]
    if flows.empty and provider != "practice":
        raise InvalidValueError("The flows have no row with anybody in it. Give the table that holds them.")
    practice, practices = codes(flows["practice"], official=provider == "practice")
    place, places = codes(flows[area], official=area in AREAS_OF_ENGLAND)
    group = classify(places) if area in AREAS_OF_ENGLAND else np.full(len(places), ENGLAND)
    is_area = np.isin(group, [ENGLAND] if areas == "england" else NATIONS)
    if not is_area.any():
        raise InvalidValueError(
            "No patient of the registrations lives in an English area; "
            f"found: {first_few(places) or 'nobody'}. "
            "Use the file of patients registered at a GP practice by LSOA."
        )
    everywhere = flow.flow_matrix(place, practice, patients, (len(places), len(practices)))
    elsewhere = everywhere[~is_area].tocoo()
    away = pd.DataFrame(
        {
            "practice": practices[elsewhere.col],
            "group": group[~is_area][elsewhere.row],
            "patients": elsewhere.data,
        }
    )
    away = away.groupby(["practice", "group"])["patients"].sum().reset_index()
    return everywhere[is_area], places[is_area].rename(area), practices.rename(provider), away


def _refuse_gaps(flows: pd.DataFrame, area: str) -> None:
    """Refuse rows that say nobody's code: they would be counted with another's."""
    if lacking := [name for name in ("practice", area, "patients") if name not in flows]:
        raise MissingColumnError(
            f"The registrations lack the columns {first_few(lacking)}; they have {first_few(flows, 12)}."
        )
    for column, noun in (("practice", "practice or team"), (area, "area")):
        blank = int(flows[column].isna().sum())
        if blank:
            raise InvalidValueError(
                f"{blank:,} of {len(flows):,} rows have no code of the {noun}. Give them one, such as "
                '"not known": without it their people would be counted elsewhere or lost.'
            )


def check_vintage_of(areas: pd.Index) -> None:
    """VintageError if sorted areas are named lsoa11 and some are of 2021."""
    new = areas[areas.searchsorted(FIRST_2021_CODE) : areas.searchsorted("E02")]
    if areas.name == "lsoa11" and len(new):
        raise VintageError(
            f"{len(new):,} codes in the column lsoa11 are areas of 2021: {first_few(new)}. Name the "
            "column lsoa21, or read the file with read_registrations, which tells by the codes."
        )


def kind_of_area(column: pd.Series, name: str) -> str:
    """What the areas of flows are, by their codes: "lsoa11" or "lsoa21" if any is an English LSOA."""
    if name in AREAS_OF_ENGLAND:
        return name
    found = pd.Index(pd.unique(column.dropna().astype("str").str.strip().str.upper()))
    return vintage_of(found) if len(english(found)) else "area"


def codes(column: pd.Series, *, official: bool = True) -> tuple[np.ndarray, pd.Index]:
    """Positions and sorted distinct codes of a column without gaps, no surrounding blanks.

    Official codes are put in capitals; a name of one's own stays as it is written. `official`: all are codes.
    """
    values = column.astype("category").array
    used = np.zeros(len(values.categories), dtype=np.bool_)
    used[values.codes] = True
    written = pd.Index(values.categories.astype("str"))[used]
    spelt = written.str.strip()
    # The groups that are no teams have names of our own.
    capitals = ~spelt.isin(NO_TEAM) if official else spelt.str.fullmatch(_OFFICIAL)
    spelt = spelt.str.upper().where(np.asarray(capitals, dtype=np.bool_), spelt)
    if used.all() and spelt.is_monotonic_increasing and spelt.equals(written):  # as the readers leave them
        return values.codes, spelt
    number = np.zeros(len(used), dtype=np.int64)
    number[used], labels = pd.factorize(spelt, sort=True)
    return number[values.codes], pd.Index(labels)


def whole_shares(flows: pd.DataFrame, area: str, remainder: str) -> pd.DataFrame:
    """Shares in the column `patients` that sum to 1 in every area, whatever is missing dealt with by name.

    Raises InvalidValueError for shares over 1 in all, and for less than 1 where `remainder` is "refuse".
    """
    if remainder not in ("refuse", "unassigned", "rescale"):
        raise InvalidValueError(f"Unknown remainder {remainder!r}: choose refuse, unassigned or rescale.")
    _refuse_gaps(flows, area)
    # An area that is spelt in two ways is one area, and its shares one sum.
    place, places = codes(flows[area], official=area in AREAS_OF_ENGLAND)
    flows = flows.assign(patients=numbers(flows["patients"], "The shares"))
    flows[area] = places[place]
    total = flows.groupby(area, observed=True)["patients"].sum()
    over, under = total[total > 1 + _ROUNDING], total[total < 1 - _ROUNDING]
    if len(over):
        raise InvalidValueError(
            f"The shares of {len(over):,} of {len(total):,} areas sum to more than 1: "
            f"{first_few(over.index)} (up to {over.max():.3f}). Name the column of counts with patients=, "
            "or mend the shares."
        )
    if len(under) and remainder == "refuse":
        raise InvalidValueError(
            f"The shares of {len(under):,} of {len(total):,} areas sum to less than 1: "
            f"{first_few(under.index)} (down to {under.min():.3f}). Somebody is missing from them: keep the "
            'rest as a group of its own with remainder="unassigned", or spread it over the teams with '
            'remainder="rescale".'
        )
    if remainder == "rescale" and len(total):
        if (total <= 0).any():
            raise InvalidValueError(
                f"{int((total <= 0).sum()):,} areas have no share with any team: "
                f"{first_few(total.index[total <= 0])}. They cannot be rescaled: leave them out."
            )
        return flows.assign(patients=flows["patients"] / flows[area].map(total).astype(float))
    rest = (1.0 - under).rename("patients").rename_axis(area).reset_index().assign(practice=UNASSIGNED)
    return pd.concat([flows.astype({area: "str", "practice": "str"}), rest], ignore_index=True)


__all__ = ["check_vintage_of", "codes", "kind_of_area", "relation", "whole_shares"]
