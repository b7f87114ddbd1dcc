"""People by area, age and sex with the prevalence of conditions, built from open files.

Deprivation belongs to the area, registers and sexes to the practice, ages to the flow between them. Nothing
is averaged over the other side: all are kept where they belong, and need is computed where they meet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import ages, registers
from needsalloc.ages import ADULT, AGES, FlowAges
from needsalloc.assumptions import Assumption
from needsalloc.catchment import Catchment
from needsalloc.errors import InvalidValueError, MissingColumnError, check_kind, first_few
from needsalloc.geography import AREAS_OF_ENGLAND
from needsalloc.growth import Growth
from needsalloc.kernels import flow, raking

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RAKING_GAP = 1e-6
RAKING_ROUNDS = 200
# England's adults on IMD 2019, the scale that the formula was fitted on (residents of mid-2020).
IMD_2019_MEAN, IMD_2019_SD = 21.4, 14.9
ON_2019_SCALE = ("IMD 2019", "synthetic")
_COLUMNS = {
    "deprivation": ("imd_score",),
    "conditions": ("practice", "condition", "register", "list_size", "list_type"),
}


@dataclass(frozen=True, eq=False)
class People:
    """The people of a catchment, as far as open files know them.

    Attributes
    ----------
    catchment:
        The flows that tie areas to practices.
    residents:
        (areas,) people of all ages who live in each area.
    age_mix:
        (areas, 91) share of each single year of age of the residents, 90 means 90 and over; rows sum to 1.
    ages:
        How old the people on each flow are, registered and resident.
    female_share:
        (practices, 91) share of women at each age of the list; that of all lists where it has nobody.
    imd_score:
        (areas,) on the scale of IMD 2019.
    deprivation:
        Index area, as read: `imd_score`, `deprivation_decile`.
    prevalence:
        Index practice, a column for each condition of the formula that differs between practices: share of
        adults, on the scale of the paper's cohort.
    notes:
        What was assumed on the way.
    """

    catchment: Catchment
    residents: Floats
    age_mix: Floats
    ages: FlowAges
    female_share: Floats
    imd_score: Floats
    deprivation: pd.DataFrame
    prevalence: pd.DataFrame
    notes: tuple[Assumption, ...]

    @property
    def resident_adults(self) -> Floats:
        """(areas,) people aged 18 and over who live in each area and are shared out by its flows."""
        return flow.total_by_row(self.ages.on_flows(self.ages.adults("resident")))

    @property
    def registered_adults(self) -> Floats:
        """(areas,) people aged 18 and over who live in each area and are on a list."""
        return flow.total_by_row(self.ages.on_flows(self.ages.adults("registered")))

    def grown(self, growth: Growth) -> People:
        """The same people in the plan year, more or fewer by area or by age.

        The sizes of lists and areas of all ages stay as counted; adults by age and need are the plan year's.

        Raises InvalidValueError for ages at which single years cannot be cut, and as `Catchment.aligned` for
        areas that the factors lack.
        """
        by_year = np.ones_like(self.age_mix)
        if growth.by_age:
            by_year *= growth.of_ages(pd.DataFrame(by_year[:1], columns=AGES)).to_numpy()
        else:
            by_year *= growth.of_areas(self.catchment)[:, None]
        residents = (self.age_mix * by_year).sum(axis=1)
        note = Assumption(f"People are those of the plan year: {growth.said}", growth.source, "choice", "")
        return replace(
            self,
            residents=self.residents * residents,
            age_mix=self.age_mix * by_year / residents[:, None],
            ages=self.ages.scaled(by_year),
            notes=(*self.notes, note),
        )

    def __repr__(self) -> str:
        return (
            f"<People: {self.resident_adults.sum():,.0f} adults living in {len(self.residents):,} areas, "
            f"{len(self.prevalence):,} practices; "
            f"by practice: {', '.join(self.prevalence.columns) or 'nothing'}>"
        )


def build_people(
    catchment: Catchment,
    *,
    population: pd.DataFrame,
    deprivation: pd.DataFrame,
    lists: pd.DataFrame,
    conditions: pd.DataFrame | None = None,
    shares: pd.DataFrame | None = None,
) -> People:
    """Put the open files together for the areas and practices of a catchment.

    population: index area, columns first ages of bands (`read_population`). Single years are used as they
        are; broad bands are filled with the ages of the practices' lists, raked to the bands.
    deprivation: index area, `imd_score` and `deprivation_decile` (`read_deprivation`).
    lists: index (practice, sex), columns single years of age (`read_lists`): ages and sexes of each
        practice's patients.
    conditions: QOF registers (`read_conditions`); without them conditions are held at the paper's shares.
    shares: the user's own shares of adults who have a condition of the formula (in a nursing home, living
        alone …), a column for each: index every area, or every practice. They go before the registers;
        shares by area are averaged over each practice's adults.

    Raises UnknownCodeError or VintageError where areas do not match, InvalidValueError or MissingColumnError
    for files that cannot be used.
    """
    check_kind(catchment, Catchment, "Catchment.from_registrations makes it")
    catchment.refuse_shares_alone()
    _check_files(population=population, deprivation=deprivation, lists=lists, conditions=conditions)
    population = population[population.index.str.startswith("E")]
    empty = population.index[population.sum(axis=1) <= 0]
    if len(empty):
        raise InvalidValueError(
            f"{len(empty):,} areas of the population file have nobody: {first_few(empty)}. Remove those rows."
        )
    everyone = population.sum(axis=1)
    residents = catchment.aligned(everyone, "the population file", cover=catchment.is_national)
    by_band = catchment.aligned(population, "the population file", cover=False)
    if below := int((by_band < 0).any(axis=1).sum()):
        raise InvalidValueError(
            f"{below:,} areas of the population file have negative counts: mend those rows."
        )
    bands = population.columns.to_numpy(np.int64)
    filled: list[Assumption] = []
    if len(bands) >= len(AGES):
        age_mix = _single_years(by_band, bands)
    else:
        age_mix, filled = _raked_ages(catchment, by_band, bands, lists)
    _check_adults(age_mix, catchment.areas)
    female_share = _female_share(lists, catchment.practices)
    on_flows = ages.estimate(catchment, residents, age_mix, lists)
    score, on_score = _on_2019_scale(deprivation, population)
    if conditions is None:
        prevalence = pd.DataFrame(index=catchment.practices)
        on_conditions = [
            Assumption("Conditions are the same in every practice", "No QOF registers were given", "gap", "")
        ]
    else:
        prevalence, on_conditions = registers.prevalence(catchment.practices, conditions)
    if shares is not None:
        own, said = registers.own_shares(shares, catchment, on_flows)
        prevalence = prevalence.drop(columns=own.columns, errors="ignore").join(own)
        on_conditions = [*on_conditions, said]
    return People(
        catchment=catchment,
        residents=residents,
        age_mix=age_mix,
        ages=on_flows,
        female_share=female_share,
        imd_score=catchment.aligned(score, "the deprivation file", cover=False),
        deprivation=deprivation.reindex(catchment.areas),
        prevalence=prevalence,
        notes=(_note_on_sex(lists), *filled, *on_flows.notes, *on_score, *on_conditions),
    )


def _check_files(**files: pd.DataFrame | None) -> None:
    """Refuse frames in another form than their readers return them in; conditions alone may be None."""
    for name, frame in files.items():
        if frame is None and name == "conditions":
            continue
        reader = f"Give {name}= as read_{name} returns it"
        if not isinstance(frame, pd.DataFrame):
            raise InvalidValueError(f"{name}= must be a DataFrame, not a {type(frame).__name__}. {reader}.")
        levels = ["practice", "sex"] if name == "lists" else frame.index.names[:1]
        if sorted(map(str, frame.index.names)) != sorted(map(str, levels)):
            raise MissingColumnError(
                f"The index of {name}= is {first_few(frame.index.names)}, of rows of another kind. {reader}."
            )
        if name in ("population", "lists"):
            ages = pd.to_numeric(pd.Series(frame.columns, dtype=object), errors="coerce")
            lacking = frame.columns[ages.isna().to_numpy()]
            if len(lacking):
                raise InvalidValueError(
                    f"{len(lacking):,} columns of {name}= are no ages: {first_few(lacking)}. {reader}."
                )
        missing = [column for column in _COLUMNS.get(name, ()) if column not in frame]
        if missing:
            raise MissingColumnError(f"{name}= lacks the columns {first_few(missing)}. {reader}.")


def _check_adults(age_mix: Floats, areas: pd.Index) -> None:
    without = areas[age_mix[:, ADULT:].sum(axis=1) <= 0]
    if len(without):
        raise InvalidValueError(
            f"{len(without):,} areas of the population file have people but no adults: {first_few(without)}. "
            "The formula is for adults, so these areas would have no need: mend those rows."
        )


def _single_years(by_band: Floats, bands: Ints) -> Floats:
    years = _to_90(pd.DataFrame(by_band, columns=bands)).to_numpy(np.float64)
    return years / years.sum(axis=1, keepdims=True)


def _raked_ages(
    catchment: Catchment, by_band: Floats, bands: Ints, lists: pd.DataFrame
) -> tuple[Floats, list[Assumption]]:
    """Ages of the practices' lists carried to areas by the flows, then raked to each area's bands."""
    years = _to_90(lists.groupby(level="practice").sum())
    years = years[years.sum(axis=1) > 0]
    listed = catchment.practices.intersection(years.index)
    if listed.empty:
        raise InvalidValueError(
            "No practice of the registrations is in the lists by age, so broad age bands cannot be filled. "
            "Use lists of a date near the registrations, or a population by single year of age."
        )
    mix = years.reindex(catchment.practices).fillna(years.loc[listed].sum()).to_numpy(np.float64)
    carried = catchment.registered @ (mix / mix.sum(axis=1, keepdims=True))
    registered = catchment.registered_by_area.to_numpy()[:, None]
    wanted = registered * by_band / by_band.sum(axis=1, keepdims=True)
    band = np.searchsorted(bands, AGES, side="right") - 1
    listed_by_age = carried.sum(axis=0)
    listed_by_band = np.bincount(band, listed_by_age, len(bands))
    some = listed_by_band > 0
    scale = np.divide(wanted.sum(axis=0), listed_by_band, out=np.zeros(len(bands)), where=some)
    margins = (
        raking.Margin((listed_by_age * scale[band])[None, :], rows=np.zeros(len(carried), dtype=np.int64)),
        raking.Margin(wanted, columns=band),
    )
    raked = raking.rake(carried, margins, RAKING_GAP, RAKING_ROUNDS)
    unlisted = int((~some & (wanted.sum(axis=0) > 0)).sum())
    note = Assumption(
        f"Ages come from practice lists, carried by the flows and raked to {len(bands)} bands of each area",
        f"The area's bands win; after {raked.rounds} rounds a single year misses the lists' total by at most "
        f"{raked.gap.max():.0e}. Practices without a list have the mean of the others: "
        f"{len(catchment.practices) - len(listed):,} of {len(catchment.practices):,}"
        + (f". Bands in which the lists have nobody: {unlisted}, their ages are even" if unlisted else ""),
        "assumption",
        "practice lists by single year of age; population in broad bands",
    )
    return raked.cells / raked.cells.sum(axis=1, keepdims=True), [note]


def _to_90(years: pd.DataFrame) -> pd.DataFrame:
    """Columns 0 to 90, the ages from 90 added up."""
    return years.T.groupby(np.minimum(years.columns.to_numpy(np.int64), AGES[-1])).sum().T


def _female_share(lists: pd.DataFrame, practices: pd.Index) -> Floats:
    """(practices, 91) share of women at each age of each list; of all lists where a list has nobody."""
    by_sex = _to_90(lists).reindex(columns=AGES)
    sexes = by_sex.index.get_level_values("sex")
    if not {"female", "male"} <= set(sexes):
        raise MissingColumnError(
            f"The practice lists hold only {first_few(sexes.unique())}; they must hold female and male."
        )
    women, everybody = (part.groupby(level="practice").sum() for part in (by_sex[sexes == "female"], by_sex))
    with np.errstate(invalid="ignore"):
        of_all = (women.sum() / everybody.sum()).to_numpy(np.float64)
    if not np.isfinite(of_all[ADULT:]).all():
        raise InvalidValueError(
            "The practice lists have nobody at some adult ages; single years from 0 to 90 are needed."
        )
    own, total = (part.reindex(practices).fillna(0.0).to_numpy(np.float64) for part in (women, everybody))
    return np.divide(own, total, out=np.tile(of_all, (len(practices), 1)), where=total > 0)


def _note_on_sex(lists: pd.DataFrame) -> Assumption:
    return Assumption(
        "Sexes at each age are those of the practice's list, in every area it has patients in",
        "The registration and population files hold no sex by area",
        "assumption",
        str(lists.attrs.get("source", {}).get("file", "practice lists by sex and age")),
    )


def _on_2019_scale(deprivation: pd.DataFrame, population: pd.DataFrame) -> tuple[pd.Series, list[Assumption]]:
    """Scores as they are, or those of 2025 with the same national z on the scale of 2019."""
    score, edition = deprivation["imd_score"], deprivation.attrs.get("edition")
    if edition is None or edition in ON_2019_SCALE:
        return score, []
    if edition != "IMD 2025":
        raise InvalidValueError(
            f"The deprivation file is of the edition {edition!r}; known are IMD 2025 and "
            f"{', '.join(ON_2019_SCALE)}. Name one of them with edition."
        )
    whole = AREAS_OF_ENGLAND["lsoa21"]
    if len(score) != whole:
        raise InvalidValueError(
            f"IMD 2025 is put on the scale of 2019 by its national mean, but the file has {len(score):,} of "
            f"{whole:,} areas. Use the national file."
        )
    # The bands of a census start at 16, not 18; over all England the difference is of no account.
    adult_bands = population.columns[population.columns.to_numpy(np.int64) >= ADULT - 2]
    adults = population[adult_bands].sum(axis=1).reindex(score.index).to_numpy(np.float64)
    mean = np.average(score, weights=adults)
    sd = np.sqrt(np.average((score - mean) ** 2, weights=adults))
    note = Assumption(
        f"IMD 2025 (mean {mean:.1f}, SD {sd:.1f}) goes in as the IMD 2019 score with the same national z",
        f"The formula was fitted on IMD 2019 (England's adults: mean {IMD_2019_MEAN}, SD {IMD_2019_SD}); the "
        "editions rank areas differently, and some teams move for that reason alone",
        "assumption",
        "IMD 2025",
    )
    return IMD_2019_MEAN + IMD_2019_SD * (score - mean) / sd, [note]


__all__ = ["People", "build_people"]
