"""People by area, age and sex with the prevalence of conditions, built from open files.

Ages and deprivation belong to the area, registers to the practice. Nothing is averaged over the other side:
both are kept where they belong, and need is computed where they meet, on the flow from area to practice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import reference
from needsalloc.assumptions import Assumption
from needsalloc.catchment import Catchment
from needsalloc.errors import InvalidValueError, MissingColumnError, first_few
from needsalloc.geography import AREAS_OF_ENGLAND
from needsalloc.kernels import shares

Floats = NDArray[np.float64]

ADULT = 18
AGES = np.arange(91)
RAKING_GAP = 1e-6
# England's adults on IMD 2019, the scale that the formula was fitted on (mid-2020 residents).
IMD_2019_MEAN, IMD_2019_SD = 21.4, 14.9
MOST_PREVALENT = 0.95


@dataclass(frozen=True, eq=False)
class People:
    """The people of a catchment, as far as open files know them.

    Attributes
    ----------
    catchment: the flows that tie areas to practices.
    residents: (areas,) people of all ages who live in each area.
    age_mix: (areas, 91) share of each single year of age, 90 means 90 and over; rows sum to 1.
    female_share: (91,) share of women at each age, England's.
    imd_score: (areas,) on the scale of IMD 2019.
    deprivation: index area, as read: `imd_score`, `deprivation_decile`.
    prevalence: index practice, one column per condition of the formula: share of adults, on the scale
        of the paper's cohort; a practice that has no register holds England's mean (see `notes`).
    notes: what was assumed on the way.
    """

    catchment: Catchment
    residents: Floats
    age_mix: Floats
    female_share: Floats
    imd_score: Floats
    deprivation: pd.DataFrame
    prevalence: pd.DataFrame
    notes: tuple[Assumption, ...]

    @property
    def adult_share(self) -> Floats:
        """(areas,) share of each area's people aged 18 and over."""
        share: Floats = self.age_mix[:, ADULT:].sum(axis=1)
        return share

    @property
    def residents_per_patient(self) -> Floats:
        """(areas,) residents that each registered patient of an area stands for when residents are shared by flows.

        With the flows of all England every resident is shared out. With those of a part of it, residents beyond
        the registered are taken to be on other lists and stay out.
        """
        lists = self.catchment.registered_by_area.to_numpy()
        reach: Floats = lists if self.catchment.is_national else np.maximum(lists, self.residents)
        return self.residents / reach

    @property
    def resident_adults(self) -> Floats:
        """(areas,) people aged 18 and over who live in each area and are shared out by its flows."""
        lists = self.catchment.registered_by_area.to_numpy()
        return self.residents_per_patient * lists * self.adult_share

    def __repr__(self) -> str:
        return (
            f"<People: {self.resident_adults.sum():,.0f} adults living in {len(self.residents):,} areas, "
            f"{len(self.prevalence):,} practices, conditions: {', '.join(self.prevalence.columns) or 'none'}>"
        )


def build_people(
    catchment: Catchment,
    *,
    population: pd.DataFrame,
    deprivation: pd.DataFrame,
    lists: pd.DataFrame,
    conditions: pd.DataFrame | None = None,
) -> People:
    """Put the open files together for the areas and practices of a catchment.

    population: index area, columns first ages of bands (see `read_population`). Single years are used as they
        are; broad bands are filled with the ages of the practices' lists, raked to the bands.
    deprivation: index area, `imd_score` and `deprivation_decile`.
    lists: index (practice, sex), columns ages: England's share of women by age, and ages by practice.
    conditions: QOF registers (see `read_conditions`); without them conditions are held at the paper's shares.

    Raises UnknownCodeError or VintageError where areas do not match, InvalidValueError for unusable
    values.
    """
    population = _of_england(population)
    _check_population(population)
    notes = [_note_on_sex(lists)]
    bands = population.columns.to_numpy(np.int64)
    residents = catchment.aligned(population.sum(axis=1), "the population file", cover=catchment.is_national)
    by_band = catchment.aligned(population, "the population file", cover=False)
    if len(bands) >= len(AGES):
        ages, note = _single_years(by_band, bands)
    else:
        ages, note = _raked_ages(catchment, by_band, bands, lists)
    notes.append(note)
    score, note = _on_2019_scale(deprivation, population)
    notes += note
    prevalence, found = _prevalence(catchment.practices, conditions)
    notes += found
    return People(
        catchment=catchment,
        residents=residents,
        age_mix=ages,
        female_share=_female_share(lists),
        imd_score=catchment.aligned(score, "the deprivation file", cover=False),
        deprivation=deprivation.reindex(catchment.areas),
        prevalence=prevalence,
        notes=tuple(notes),
    )


def _of_england(population: pd.DataFrame) -> pd.DataFrame:
    return population[population.index.str.startswith("E")]


def _check_population(population: pd.DataFrame) -> None:
    empty = population.index[population.sum(axis=1) <= 0]
    if len(empty):
        raise InvalidValueError(
            f"{len(empty):,} areas of the population file have nobody: {first_few(empty)}. Remove or mend those rows."
        )


def _single_years(by_band: Floats, bands: NDArray[np.int64]) -> tuple[Floats, Assumption]:
    years = np.zeros((len(by_band), len(AGES)))
    np.add.at(years.T, np.minimum(bands, AGES[-1]), by_band.T)
    note = Assumption(
        "Ages of an area's patients are those of its residents",
        "The registration file has no ages by area; each practice's patients from an area are given its mix of ages",
        "assumption",
        "population by single year of age",
    )
    return years / years.sum(axis=1, keepdims=True), note


def _raked_ages(
    catchment: Catchment, by_band: Floats, bands: NDArray[np.int64], lists: pd.DataFrame
) -> tuple[Floats, Assumption]:
    """Ages of the practices' lists carried to areas by the flows, then raked to the area's bands."""
    years = lists.groupby(level="practice").sum()
    years = years.T.groupby(np.minimum(years.columns.to_numpy(np.int64), AGES[-1])).sum().T
    listed = catchment.practices.intersection(years.index)
    if listed.empty:
        raise InvalidValueError(
            "No practice of the registrations is in the practice lists by age, so broad age bands cannot be filled. "
            "Use the lists of a date near the registrations, or a population by single year of age."
        )
    missing = len(catchment.practices) - len(listed)
    mix = years.reindex(catchment.practices, columns=AGES, fill_value=0.0).to_numpy(np.float64, copy=True)
    mix[mix.sum(axis=1) == 0] = years.loc[listed].sum(axis=0).to_numpy(np.float64)
    mix /= mix.sum(axis=1, keepdims=True)
    carried = catchment.registered @ mix
    registered = catchment.registered_by_area.to_numpy()
    wanted = registered[:, None] * by_band / by_band.sum(axis=1, keepdims=True)
    group = np.searchsorted(bands, AGES, side="right") - 1
    raked = shares.rake(carried, wanted, group, carried.sum(axis=0), RAKING_GAP, rounds=200)
    note = Assumption(
        f"Ages come from practice lists, carried by the flows and raked to {len(bands)} census bands of each area",
        f"The area's bands win; single years then miss the lists' totals by at most {raked.gap:.1e} after {raked.rounds} rounds; "
        f"{missing:,} practices without a list have the mean of the others",
        "assumption",
        "practice lists by single year of age; census age bands",
    )
    return raked.cells / raked.cells.sum(axis=1, keepdims=True), note


def _female_share(lists: pd.DataFrame) -> Floats:
    """England's share of women at each age, 0 to 90 (90 and over)."""
    total = lists.groupby(level="sex").sum()
    if not {"female", "male"} <= set(total.index):
        raise MissingColumnError(
            f"The practice lists hold the sexes {first_few(total.index)}; both female and male are needed."
        )
    years = total.T.groupby(np.minimum(total.columns.to_numpy(np.int64), AGES[-1])).sum().T
    share: Floats = (years.loc["female"] / years.sum(axis=0)).reindex(AGES).to_numpy(np.float64)
    if not np.isfinite(share[ADULT:]).all():
        raise InvalidValueError(
            "The practice lists have adult ages without anybody; single years 0 to 90 are needed."
        )
    return share


def _note_on_sex(lists: pd.DataFrame) -> Assumption:
    source = lists.attrs.get("source", {}).get("file", "practice lists by sex and age")
    return Assumption(
        "Sex is estimated: the same share of women at each age everywhere",
        "The registration and population files hold no sex by area",
        "assumption",
        str(source),
    )


def _on_2019_scale(deprivation: pd.DataFrame, population: pd.DataFrame) -> tuple[pd.Series, list[Assumption]]:
    """Scores as they are, or those of a later edition with the same national z on the scale of 2019."""
    score, edition = deprivation["imd_score"], str(deprivation.attrs.get("edition", ""))
    if edition != "IMD 2025":
        return score, []
    if len(score) != AREAS_OF_ENGLAND["lsoa21"]:
        raise InvalidValueError(
            f"IMD 2025 is put on the scale of 2019 by its national mean, but the file has {len(score):,} of "
            f"{AREAS_OF_ENGLAND['lsoa21']:,} areas. Use the national file."
        )
    older = population.columns[population.columns.to_numpy(np.int64) >= ADULT - 2]
    adults = population[older].sum(axis=1).reindex(score.index).to_numpy(np.float64)
    mean = np.average(score, weights=adults)
    sd = np.sqrt(np.average((score - mean) ** 2, weights=adults))
    note = Assumption(
        f"IMD 2025 goes in as the IMD 2019 score with the same national z (2025: mean {mean:.1f}, SD {sd:.1f})",
        f"The formula was fitted on IMD 2019; its scale for England's adults has mean {IMD_2019_MEAN}, SD {IMD_2019_SD}. "
        "The two editions rank areas differently, and some teams move for that reason alone",
        "assumption",
        "IMD 2025",
    )
    return IMD_2019_MEAN + IMD_2019_SD * (score - mean) / sd, [note]


def _prevalence(
    practices: pd.Index, conditions: pd.DataFrame | None
) -> tuple[pd.DataFrame, list[Assumption]]:
    """Share of adults with each rescaled condition by practice, on the paper's scale."""
    rules = reference.read("open-data-concordance").frame.set_index("term")
    if conditions is None:
        note = Assumption("No condition differs between practices", "No QOF registers were given", "gap", "")
        return pd.DataFrame(index=practices), [note]
    register = conditions.pivot_table(index="practice", columns="condition", values="register", aggfunc="sum")
    size = conditions.pivot_table(index="practice", columns="condition", values="list_size", aggfunc="max")
    adults = conditions[conditions["list_type"] == "18OV"].groupby("practice")["list_size"].max()
    too_large = register > size
    present = practices.intersection(adults.index[adults > 0])
    paper = reference.read("filipe-2024-table1").frame.set_index("variable")["number"]
    liverpool_adults = reference.read("liverpool-calibration").frame["listed_adults"].iloc[0]
    columns, capped, missing_terms = {}, 0, []
    for term, rule in rules[rules["rule"] == "rescaled"].iterrows():
        codes = str(rule["registers"]).split("|")
        if not set(codes) <= set(register.columns):
            missing_terms.append(f"{term} ({', '.join(codes)})")
            continue
        counts = np.array([float(n) for n in str(rule["liverpool_register"]).split("|")])
        factor = (paper[term] / paper["n_individuals"]) / _union(counts[None, :] / liverpool_adults)[0]
        own = register[codes].where(~too_large[codes]).reindex(present)
        found = _union((own.to_numpy(np.float64).T / adults[present].to_numpy()).T)
        usable = np.isfinite(found)
        everywhere = _union((own[usable].sum() / adults[present][usable].sum()).to_numpy()[None, :])[0]
        share = (
            pd.Series(found, index=present).fillna(everywhere).reindex(practices, fill_value=everywhere)
            * factor
        )
        capped += int((share > MOST_PREVALENT).sum())
        columns[term] = share.clip(upper=MOST_PREVALENT)
    absent = practices.difference(present)
    odd = [
        f"{practice} ({', '.join(row.index[row])})"
        for practice, row in too_large.reindex(practices, fill_value=False).iterrows()
        if row.any()
    ]
    notes = [
        Assumption(
            f"QOF registers stand for {', '.join(columns)}",
            "Each register over the practice's list of people aged 18 and over, rescaled so that Liverpool agrees with the paper; "
            f"{capped:,} values held at {MOST_PREVALENT:.0%}",
            "inference",
            "open-data-concordance",
        ),
        Assumption(
            "Conditions rise with age by one labelled slope each, of low confidence",
            "QOF registers have no ages; the slopes return the paper's users by age band within a tenth",
            "inference",
            "age-gradients",
        ),
        Assumption(
            "All other terms are held at the paper's share or mean by age; died in the year, use of services and log days alive among them",
            "No open file gives them by area or practice",
            "gap",
            "open-data-concordance",
        ),
    ]
    if missing_terms:
        notes.append(
            Assumption(
                f"Registers that the file lacks, held at the paper's share: {'; '.join(missing_terms)}",
                "Not in the file",
                "gap",
                "QOF",
            )
        )
    if len(absent):
        notes.append(
            Assumption(
                f"{len(absent):,} practices have no QOF registers and are given the mean of the others: {first_few(absent)}",
                "They are in the registration file and not in the QOF file",
                "gap",
                "QOF",
            )
        )
    if odd:
        notes.append(
            Assumption(
                f"{len(odd):,} practices have a register larger than its list, left out and given the mean: {first_few(odd)}",
                "As published",
                "gap",
                "QOF",
            )
        )
    return pd.DataFrame(columns, index=practices), notes


def _union(share: Floats) -> Floats:
    """Share of people with any of several conditions (rows, conditions) that are independent in a row."""
    any_of: Floats = 1.0 - np.prod(1.0 - share, axis=1)
    return any_of


__all__ = ["People", "build_people"]
