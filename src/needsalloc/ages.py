"""How old the people on each flow are: those on the lists, and the residents whom the flows share out.

A practice's patients in an area are neither as old as the area nor as old as the list. The flows are raked to
both (`strata`), in bands; within a band the single years are those of the area's residents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from needsalloc import strata
from needsalloc.assumptions import Assumption
from needsalloc.catchment import Catchment
from needsalloc.kernels.threads import one_blas_thread

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Whose = Literal["registered", "resident"]

ADULT = 18
AGES = np.arange(91)
# Need rises steeply late in life, so old ages have narrow bands; adults begin with one of their own.
BANDS = np.array([0, 18, 30, 45, 55, 65, 70, 75, 80, 85, 90])


@dataclass(frozen=True, eq=False)
class FlowAges:
    """People by age on the flows from areas to practices.

    Attributes
    ----------
    pattern:
        The flows (areas x practices), sparse by columns; its values are the registered patients.
    people:
        By "registered" and "resident": (flows, bands) people of each band of `BANDS` on each flow, in the
        order of `pattern.data`. Residents are the area's by age, each band shared by its registered.
    within:
        (areas, 91) share of each single year within its band; 90 means 90 and over.
    notes:
        What was assumed on the way.
    """

    pattern: sparse.csc_array
    people: Mapping[Whose, Floats]
    within: Floats
    notes: tuple[Assumption, ...] = field(default=(), repr=False)

    def adults(self, whose: Whose) -> Floats:
        """(flows,) people aged 18 and over."""
        return self.adults_of(self.people[whose])

    def adults_of(self, people: Floats) -> Floats:
        """(flows,) those aged 18 and over of people by band (flows, bands)."""
        return np.asarray(people[:, BANDS >= ADULT].sum(axis=1))

    def on_flows(self, values: Floats) -> sparse.csc_array:
        """Values of flows (flows,) as a sparse array (areas x practices)."""
        return sparse.csc_array((values, self.pattern.indices, self.pattern.indptr), shape=self.pattern.shape)

    @cached_property
    def adults_by_practice(self) -> Floats:
        """(practices, 73) registered people of each single year from 18."""
        return self.by_practice(self.people["registered"])

    def by_practice(self, people: Floats, at: Floats | None = None) -> Floats:
        """People of each single year from 18, by practice: (practices, 73).

        people: (flows, bands). at: (areas,) what each of them counts; by default 1.
        """
        within = self.within if at is None else self.within * at[:, None]
        found = np.empty((self.pattern.shape[1], len(AGES)))
        for band, years in enumerate(_years_of_bands()):
            if BANDS[band] >= ADULT:
                found[:, years] = self.on_flows(people[:, band]).T @ within[:, years]
        return found[:, ADULT:]

    def by_area(self, people: Floats, of_practice: Floats) -> Floats:
        """What people of each single year from 18 sum to, by area: (areas, 73).

        people: (flows, bands). of_practice: (practices, 73) what each of them counts.
        """
        found = np.zeros((self.pattern.shape[0], len(AGES)))
        for band, years in enumerate(_years_of_bands()):
            if BANDS[band] >= ADULT:
                found[:, years] = self.within[:, years] * (
                    self.on_flows(people[:, band]) @ of_practice[:, years - ADULT]
                )
        return found[:, ADULT:]

    def by_band(self, flows: slice, by_year: Floats) -> Floats:
        """(flows, bands of adults) mean over each band of what is given by single year from 18 on some flows.

        by_year: (flows, 73).
        """
        weighted = by_year * self.within[self.pattern.indices[flows], ADULT:]
        first = BANDS[BANDS >= ADULT] - ADULT
        return np.asarray(np.add.reduceat(weighted, first, axis=1))

    def scaled(self, by_year: Floats) -> FlowAges:
        """Each year's people times a factor of their area (areas, 91)."""
        grown = self.within * by_year
        of_band = np.add.reduceat(grown, BANDS, axis=1)
        people = {whose: found * of_band[self.pattern.indices] for whose, found in self.people.items()}
        return replace(self, people=people, within=grown / of_band[:, band_of_year()])

    def __repr__(self) -> str:
        registered, resident = (self.adults(whose).sum() for whose in ("registered", "resident"))
        return (
            f"<FlowAges: {registered:,.0f} registered and {resident:,.0f} resident adults on "
            f"{self.pattern.nnz:,} flows>"
        )


def estimate(catchment: Catchment, residents: Floats, age_mix: Floats, lists: pd.DataFrame) -> FlowAges:
    """Ages on every flow, raked to the ages of the areas' residents and of the practices' lists.

    residents: (areas,) people who live there. age_mix: (areas, 91) their single years; rows sum to 1.
    lists: index (practice, sex), columns single years of age (`read_lists`).

    Each area's residents of a band are shared as its registered people of that band are. With the flows of a
    part of England a registered patient stands for one resident at most (`Catchment.residents_here`).

    Raises as `strata.estimate`.
    """
    by_year = pd.DataFrame(residents[:, None] * age_mix, index=catchment.areas, columns=AGES)
    with one_blas_thread():  # two take half as much processor time again, and no less by the clock
        raked = strata.estimate(
            catchment.registered,
            catchment.areas,
            catchment.practices,
            lists=lists,
            population=by_year,
            bands=BANDS.tolist(),
            on=catchment.on,
        )
    pattern = catchment.registered_by_practice
    registered = raked.flows[_by_columns(catchment.registered)]
    here = catchment.residents_here(residents)[:, None] * np.add.reduceat(age_mix, BANDS, axis=1)
    return FlowAges(
        pattern,
        {"registered": registered, "resident": _shared_by(registered, pattern, here)},
        _within_bands(age_mix),
        raked.notes,
    )


def _shared_by(registered: Floats, pattern: sparse.csc_array, here: Floats) -> Floats:
    """(flows, bands) each area's people of a band (areas, bands), shared as its registered people are.

    Where nobody of a band is registered, the area's patients of all ages say.
    """
    area = pattern.indices
    in_area = np.column_stack([np.bincount(area, band, len(here)) for band in registered.T])
    patients = np.bincount(area, pattern.data, len(here))
    some = (in_area > strata.NOBODY)[area]
    share = np.where(some, registered, pattern.data[:, None])
    share /= np.where(some, in_area[area], patients[area, None])
    return np.asarray(share * here[area])


def _within_bands(age_mix: Floats) -> Floats:
    """(areas, 91) the share of each year in its band; even where the area has nobody of it."""
    years_in_band = np.diff(np.append(BANDS, len(AGES)))
    of_band = np.repeat(np.add.reduceat(age_mix, BANDS, axis=1), years_in_band, axis=1)
    even = np.broadcast_to(np.repeat(1.0 / years_in_band, years_in_band), age_mix.shape)
    return np.divide(age_mix, of_band, out=even.copy(), where=of_band > 0)


def band_of_year() -> Ints:
    """(91,) which band each single year is in."""
    return np.asarray(np.searchsorted(BANDS, AGES, side="right") - 1, dtype=np.int64)


def _years_of_bands() -> list[Ints]:
    return np.split(AGES, BANDS[1:])


def _by_columns(by_row: sparse.csr_array) -> Ints:
    """Where each value of the same array sparse by columns stands in `by_row.data`."""
    position = sparse.csr_array((np.arange(by_row.nnz), by_row.indices, by_row.indptr), shape=by_row.shape)
    return np.asarray(position.tocsc().data)


__all__ = ["ADULT", "AGES", "BANDS", "FlowAges", "Whose", "band_of_year", "estimate"]
