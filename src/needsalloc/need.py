"""The need formula: expected contacts at fixed supply, and the need index.

    need_i = (1 - pi_i) mu_i,   pi_i = logistic(z_i' g)  (never uses),   mu_i = exp(x_i' b)

Supply is held at its mean in both parts and minority ethnicity at 0 in the zero part only (unmet need).
Source: Filipe et al. 2024, BMC Health Services Research 24:1362, doi:10.1186/s12913-024-11832-0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import brentq

from needsalloc import gradients, reference
from needsalloc.assumptions import Assumption
from needsalloc.errors import FormulaError, UnknownCodeError, first_few
from needsalloc.geography import AREAS_OF_ENGLAND
from needsalloc.kernels import counts, prevalence
from needsalloc.people import ADULT, AGES, People

Floats = NDArray[np.float64]
Base = Literal["england", "icb"]

SUPPLY = "district_nurses_per_10000"
UNMET_NEED = "minority_ethnicity"
DERIVED = ("age_x_female", "age_x_imd")
LOG_DAYS = np.log(365.0)
_IMD_NODES = 7
_PRACTICES_AT_ONCE = 512
_READINGS = {
    "district-nursing/liverpool-2024": "realigned",
    "district-nursing/liverpool-2024-realigned": "realigned",
    "district-nursing/liverpool-2024-as-printed": "as-printed",
}


@dataclass(frozen=True, eq=False)
class NeedFormula:
    """A zero-inflated Poisson formula of contacts a year, from print or fitted.

    Attributes
    ----------
    name, title: what it is.
    count, zero: log rate ratios and log odds ratios of never using, by term. A term that the source does not
        give is absent; it is then constant (see `notes`).
    constants: (zero, count) intercepts, named by `calibration`.
    centring: term -> (mean, SD) that its coefficient belongs to.
    supply_mean: the supply that need is predicted at, whatever the data's own.
    interaction: which sex the age x sex term belongs to: "man" (the reading that fits the paper's text) or
        "woman".
    ages: the ages it was fitted on: 18 and over.
    notes: what is inferred, and why.
    """

    name: str
    title: str
    count: Mapping[str, float]
    zero: Mapping[str, float]
    constants: tuple[float, float]
    calibration: str
    centring: Mapping[str, tuple[float, float]]
    supply_mean: float
    interaction: Literal["man", "woman"]
    notes: tuple[Assumption, ...]
    citation: str

    @classmethod
    def published(cls, name: str, *, interaction: Literal["man", "woman"] = "man") -> NeedFormula:
        """A formula from print: "district-nursing/liverpool-2024" (its realigned reading), or by its reading
        "…-realigned" or "…-as-printed".

        The realigned reading is inferred: the printed count table contradicts its own text for 6 of 21
        predictors, and agrees for 20 of 20 when each label is moved down by one. Neither constant is
        printed; both are solved on Liverpool's open files. A formula from print has no covariance and so gives
        no draws.

        Raises FormulaError for a name that is not published.

        >>> NeedFormula.published("district-nursing/liverpool-2024").name
        'district-nursing/liverpool-2024-realigned'
        """
        if name not in _READINGS:
            raise FormulaError(f"No published formula is called {name!r}. There are: {', '.join(_READINGS)}.")
        if interaction not in ("man", "woman"):
            raise FormulaError(f"Unknown interaction {interaction!r}: choose man or woman.")
        reading = _READINGS[name]
        count_table = reference.read(f"filipe-2024-count-{reading}")
        zero_table = reference.read("filipe-2024-zero")
        printed = reference.read("filipe-2024-table1").frame.set_index("variable")
        solved = reference.read("liverpool-calibration").frame.set_index("reading").loc[reading]
        return cls(
            name=f"district-nursing/liverpool-2024-{reading}",
            title=f"District nursing, Liverpool 2021, adults ({reading} count table)",
            count=_log_ratios(count_table.frame),
            zero=_log_ratios(zero_table.frame),
            constants=(float(solved["zero"]), float(solved["count"])),
            calibration="liverpool-calibration",
            centring={
                term: (float(printed.at[term, "mean"]), float(printed.at[term, "sd"]))
                for term in ("age", "imd_score")
            },
            supply_mean=float(printed.at[SUPPLY, "mean"]),
            interaction=interaction,
            notes=_notes_on(reading, interaction),
            citation=f"{zero_table.cite()} {count_table.cite()}",
        )

    def cite(self) -> str:
        """Paper, tables, licence, and what is inferred."""
        return self.citation

    def predict(self, rows: pd.DataFrame, *, supply: Literal["mean", "observed"] = "mean") -> pd.Series:
        """Expected contacts a year of each person (rows,), at mean supply and without unmet need.

        rows: one column for each term but the interactions; `age` in years, `imd_score` as published,
        `female` 0 or 1. With supply "observed" the row's own supply and ethnicity count, as use is observed.
        Supply at its mean is the formula's own stored mean: need does not move when only supply moves.

        Raises FormulaError if a term has no column.
        """
        log_mean, log_odds = self._parts(rows, supply)
        return pd.Series(counts.mean_contacts(log_mean, log_odds), index=rows.index, name="expected_use")

    def share_with_contact(self, rows: pd.DataFrame) -> pd.Series:
        """Chance of any contact in the year, (1 - pi)(1 - exp(-mu)), at observed supply and ethnicity."""
        log_mean, log_odds = self._parts(rows, "observed")
        return pd.Series(
            counts.share_with_contact(log_mean, log_odds), index=rows.index, name="share_with_contact"
        )

    def calibrated_on_rows(
        self, rows: pd.DataFrame, *, any_contact: float, contacts: float, label: str
    ) -> NeedFormula:
        """The formula with both constants solved so that `rows` show these means, as observed."""
        bare = replace(self, constants=(0.0, 0.0))
        log_mean, log_odds = bare._parts(rows, "observed")

        def level(zero: float) -> float:
            return float(np.log(contacts / counts.mean_contacts(log_mean, log_odds + zero).mean()))

        def gap(zero: float) -> float:
            return float(
                counts.share_with_contact(log_mean + level(zero), log_odds + zero).mean() - any_contact
            )

        zero = float(brentq(gap, -20.0, 20.0, xtol=1e-12))
        return replace(self, constants=(zero, level(zero)), calibration=label)

    def calibrated_on(
        self, people: People, practices: pd.Index, *, any_contact: float, contacts: float, label: str
    ) -> NeedFormula:
        """The formula with both constants solved on the listed adults of some practices, as observed."""
        bare = replace(self, constants=(0.0, 0.0))
        cells = _Cells(bare, people, observed=True)
        chosen = people.catchment.practices.get_indexer(practices)
        weight = _adults_by_practice_age(people)[chosen]
        weight /= weight.sum()
        # Within a practice and age the score hardly matters to the constants: the practice's mean is used.
        score = (people.catchment.registered.T @ people.imd_score)[chosen] / people.catchment.registered.sum(
            axis=0
        )[chosen]
        level_of, share_of = cells.levels(chosen, score, weight)

        def level(zero: float) -> float:
            return float(np.log(contacts / level_of(zero)))

        zero = float(brentq(lambda z: share_of(z, level(z)) - any_contact, -5.0, 15.0, xtol=1e-12))
        return replace(self, constants=(zero, level(zero)), calibration=label)

    def expected_use(self, people: People) -> ExpectedUse:
        """Contacts per adult and year on every flow from area to practice, at mean supply.

        Deprivation and ages come from the area, conditions from the practice. The mean over people is exact for
        conditions that are independent given age: it is not the value at the mean covariates.
        """
        cells = _Cells(self, people, observed=False)
        flows = people.catchment.registered.tocsc()
        adults = people.age_mix[:, ADULT:] / people.adult_share[:, None]
        standard = people.resident_adults @ adults
        standard /= standard.sum()
        crude, level_ages = np.empty(flows.nnz), np.empty(flows.nnz)
        for first in range(0, len(people.catchment.practices), _PRACTICES_AT_ONCE):
            chunk = np.arange(first, min(first + _PRACTICES_AT_ONCE, len(people.catchment.practices)))
            table = cells.use_by_age(chunk)
            for k, practice in enumerate(chunk):
                flow = slice(flows.indptr[practice], flows.indptr[practice + 1])
                area = flows.indices[flow]
                crude[flow] = np.einsum("an,an->a", adults[area] @ table[k], cells.imd_weights[area])
                level_ages[flow] = cells.imd_weights[area] @ (standard @ table[k])
        pattern = (flows.indices, flows.indptr)
        return ExpectedUse(
            self,
            people,
            sparse.csc_array((crude, *pattern), shape=flows.shape),
            sparse.csc_array((level_ages, *pattern), shape=flows.shape),
        )

    def _parts(self, rows: pd.DataFrame, supply: str) -> tuple[Floats, Floats]:
        if supply not in ("mean", "observed"):
            raise FormulaError(f"Unknown supply {supply!r}: choose mean or observed.")
        needed = [term for term in self.zero if term not in DERIVED]
        if supply == "mean":
            needed.remove(SUPPLY)
        lacking = [term for term in needed if term not in rows]
        if lacking:
            raise FormulaError(
                f"{len(lacking)} terms of {self.name} have no column: {first_few(lacking)}. Add them, or hold them at a stated value."
            )
        value = {term: rows[term].to_numpy(np.float64) for term in needed}
        for term, (mean, sd) in self.centring.items():
            value[term] = (value[term] - mean) / sd
        woman = value["female"]
        value["age_x_female"] = value["age"] * (1.0 - woman if self.interaction == "man" else woman)
        value["age_x_imd"] = value["age"] * value["imd_score"]
        zeroed = {UNMET_NEED} if supply == "mean" else set()
        if supply == "mean":
            value[SUPPLY] = np.full(len(rows), self.supply_mean)
        log_mean = self.constants[1] + sum(self.count[term] * value[term] for term in self.count)
        log_odds = self.constants[0] + sum(
            self.zero[term] * value[term] for term in self.zero if term not in zeroed
        )
        return log_mean, log_odds

    def __repr__(self) -> str:
        return f"<NeedFormula {self.name}: {len(self.zero)} terms, adults, constants from {self.calibration}>"


@dataclass(frozen=True, eq=False)
class ExpectedUse:
    """Expected contacts per adult and year, on the flows (areas x practices).

    `crude` with the ages that each area has; `standardised` with the base's ages everywhere.
    """

    formula: NeedFormula
    people: People
    crude: sparse.csc_array
    standardised: sparse.csc_array

    def by_area(self, use: sparse.csc_array) -> Floats:
        """(areas,) mean over each area's patients."""
        registered = self.people.catchment.registered
        total: Floats = np.asarray((registered * use).sum(axis=1)).ravel()
        return total / np.asarray(registered.sum(axis=1)).ravel()


@dataclass(frozen=True, eq=False)
class NeedIndex:
    """Need relative to a base, by area and by team.

    Attributes
    ----------
    areas: index area: `imd_score`, `deprivation_decile`, `registered`, `resident`, `registered_adults`,
        `resident_adults`, `expected_use`, `need_index_<base>`, `need_index_age_standardised`.
    teams: index team: names, `registered`, `outside`, `resident`, `registered_adults`, `resident_adults`,
        `expected_use`, `need_index_<base>`, `weighted_population`, `is_team`.
    base, base_name, base_people: where the index is 1, and the adults it averages 1 over.
    people: which adults a team is weighted by, "registered" or "resident".
    """

    use: ExpectedUse
    areas: pd.DataFrame
    teams: pd.DataFrame
    base: Base
    base_name: str
    base_people: float
    people: Literal["registered", "resident"]

    @property
    def column(self) -> str:
        """The name of the index column, with its base."""
        return f"need_index_{self.base}"

    def __repr__(self) -> str:
        index = self.teams.loc[self.teams["is_team"], self.column]
        return (
            f"<NeedIndex by {self.use.formula.name}: {len(index):,} teams from {index.min():.2f} to {index.max():.2f}, "
            f"{self.base_name} = 1.00 over {self.base_people:,.0f} adults>"
        )

    def _repr_html_(self) -> str:
        return f"<p>{self.__repr__()[1:-1]}</p>" + self.teams.to_html(max_rows=12)


def need_index(
    use: ExpectedUse,
    *,
    base: Base = "england",
    people: Literal["registered", "resident"] = "registered",
    icb: str | None = None,
) -> NeedIndex:
    """Expected use over the base's mean, by area and by team.

    base: "england" (its resident adults: every area of England must be there) or "icb" (the adults of the teams
        at hand, or of the one `icb` named, counted as `people` says).
    people: whose need a team answers for: adults on its lists, or residents shared by the flows. Patients who live
        outside England's areas carry their team's mean need.

    The index averages 1 over the base's adults; `weighted_population` is adults times index, rescaled
    over all teams (of the base) to the base's adults.

    Raises FormulaError for an unknown base, UnknownCodeError if the base's areas are not all there.
    """
    if people not in ("registered", "resident"):
        raise FormulaError(f"Unknown people {people!r}: choose registered or resident.")
    who, catchment = use.people, use.people.catchment
    flows = catchment.registered.tocsc()
    adults = {
        "registered": _times_rows(flows, who.adult_share),
        "resident": _times_rows(flows, who.residents_per_patient * who.adult_share),
    }
    team, size = catchment.team_of_practice, len(catchment.teams)

    def by_team(values: sparse.csc_array) -> Floats:
        return np.bincount(team, weights=np.asarray(values.sum(axis=0)).ravel(), minlength=size)

    lists = catchment.registered_by_team
    # Patients outside England's areas count as adults in the same proportion as the rest of their list.
    lift = (lists["registered"] / lists["inside"].where(lists["inside"] > 0)).to_numpy()
    counted = {"registered": by_team(adults["registered"]) * lift, "resident": by_team(adults["resident"])}
    mean_use = by_team(adults[people] * use.crude) / by_team(adults[people])
    crude = use.by_area(use.crude)
    if base == "england":
        _check_whole_england(catchment.areas)
        in_base = np.full(size, True)
        base_name, base_people = "England", float(who.resident_adults.sum())
        base_mean = float(who.resident_adults @ crude / base_people)
    elif base == "icb":
        in_base = (catchment.teams["icb"] == icb).to_numpy() if icb else np.full(size, True)
        base_name = _icb_name(catchment.teams[in_base], icb)
        base_people = float(np.nansum(counted[people][in_base]))
        base_mean = float(np.nansum((mean_use * counted[people])[in_base]) / base_people)
    else:
        raise FormulaError(f"Unknown base {base!r}: choose england or icb.")
    index = f"need_index_{base}"
    teams = catchment.teams.assign(
        registered=lists["registered"],
        outside=lists["outside"],
        resident=by_team(_times_rows(flows, who.residents_per_patient)),
        registered_adults=counted["registered"],
        resident_adults=counted["resident"],
        expected_use=mean_use,
    )
    teams[index] = mean_use / base_mean
    weighted = (teams[f"{people}_adults"] * teams[index]).fillna(0.0)
    teams["weighted_population"] = weighted * base_people / weighted[in_base].sum()
    registered = catchment.registered_by_area.to_numpy()
    areas = who.deprivation.assign(
        registered=registered,
        resident=who.residents,
        registered_adults=registered * who.adult_share,
        resident_adults=who.resident_adults,
        expected_use=crude,
    )
    areas[index] = crude / base_mean
    areas["need_index_age_standardised"] = use.by_area(use.standardised) / base_mean
    return NeedIndex(use, areas, teams, base, base_name, base_people, people)


def _icb_name(teams: pd.DataFrame, icb: str | None) -> str:
    if teams.empty:
        raise UnknownCodeError(f"No team belongs to the ICB {icb!r}.")
    names = teams.loc[teams["is_team"], "icb_name"].unique()
    return str(names[0]) if len(names) == 1 and names[0] else "the teams at hand"


class _Cells:
    """Means of use by practice, age and deprivation score, before they are summed over flows."""

    def __init__(self, formula: NeedFormula, people: People, *, observed: bool) -> None:
        self.formula, self.people = formula, people
        age_years = gradients.mid_year(AGES[ADULT:])
        self.age = (age_years - formula.centring["age"][0]) / formula.centring["age"][1]
        female = people.female_share[ADULT:]
        self.sexes = ((1.0, female), (0.0, 1.0 - female))
        self.imd = self._z(people.imd_score)
        # Use is very smooth in the score: seven Chebyshev nodes give it to ten digits.
        half = max(np.ptp(self.imd) / 2, 0.5)
        centre = (self.imd.max() + self.imd.min()) / 2
        self.nodes = centre + half * np.polynomial.chebyshev.chebpts1(_IMD_NODES)
        degree = _IMD_NODES - 1
        vander = np.polynomial.chebyshev.chebvander
        self.imd_weights: Floats = vander((self.imd - centre) / half, degree) @ np.linalg.inv(
            vander(np.polynomial.chebyshev.chebpts1(_IMD_NODES), degree)
        )
        kinds = gradients.table()["kind"]
        self.own = list(people.prevalence.columns)
        held = [term for term in kinds.index[kinds == "binary"] if term not in self.own]
        zero = dict(formula.zero)
        if not observed:
            zero[UNMET_NEED] = 0.0
        self.effects = {t: (formula.count.get(t, 0.0), zero.get(t, 0.0)) for t in [*self.own, *held]}
        counted = {t: gradients.reference_curve(t, age_years) for t in kinds.index[kinds == "count"]}
        counted["log_days_alive"] = np.full(len(self.age), LOG_DAYS)
        counted[SUPPLY] = np.full(len(self.age), formula.supply_mean)
        self.fixed = tuple(
            constant + sum(part.get(t, 0.0) * value for t, value in counted.items())
            for constant, part in (
                (formula.constants[1], formula.count),
                (formula.constants[0], formula.zero),
            )
        )
        reach = np.abs(self._log_odds(self.nodes)).max() + sum(abs(g) for _, g in self.effects.values())
        self.rule = prevalence.quadrature(float(reach), 1e-8)
        self.held = self._mix({t: gradients.reference_curve(t, age_years) for t in held})
        self.slopes = np.array([gradients.table().at[t, "slope"] for t in self.own])
        weight = _adults_by_practice_age(people)
        total = weight.sum(axis=1, keepdims=True)
        weight = np.where(total > 0, weight, weight.sum(axis=0))
        self.age_weight = weight / weight.sum(axis=1, keepdims=True)
        self.age_years = age_years

    def _z(self, score: Floats) -> Floats:
        mean, sd = self.formula.centring["imd_score"]
        return (score - mean) / sd

    def _linear(self, part: Mapping[str, float], fixed: Floats, imd: Floats) -> Floats:
        """(ages, sexes x nodes): the linear predictor without conditions."""
        age = self.age[:, None]
        columns = []
        for woman, _ in self.sexes:
            crossed = 1.0 - woman if self.formula.interaction == "man" else woman
            columns.append(
                fixed[:, None]
                + part["age"] * age
                + part["imd_score"] * imd
                + part["age_x_imd"] * age * imd
                + part["female"] * woman
                + part["age_x_female"] * age * crossed
            )
        return np.concatenate(columns, axis=1)

    def _log_mean(self, imd: Floats) -> Floats:
        return self._linear(self.formula.count, self.fixed[0], imd)

    def _log_odds(self, imd: Floats) -> Floats:
        return self._linear(self.formula.zero, self.fixed[1], imd)

    def _mix(self, share: Mapping[str, Floats], *, tilted: bool = True) -> prevalence.Mixture:
        """Mix conditions given as arrays of one shape, flattened to cells."""
        size = next(iter(share.values())).size if share else len(self.age)
        columns = np.column_stack([p.ravel() for p in share.values()]) if share else np.zeros((size, 0))
        count = np.array([self.effects[t][0] * tilted for t in share])
        zero = np.array([self.effects[t][1] for t in share])
        return prevalence.mix(columns, count, zero, self.rule)

    def curves(self, practices: NDArray[np.int64]) -> dict[str, Floats]:
        """Each rescaled condition by practice and age (practices, ages), its practice's share met."""
        z = gradients.standardised(self.age_years)
        found = {}
        for term, slope in zip(self.own, self.slopes, strict=True):
            share = self.people.prevalence[term].to_numpy()[practices]
            constant = gradients.level(share, self.age_weight[practices], slope * z)
            found[term] = 1.0 / (1.0 + np.exp(-(constant[:, None] + slope * z)))
        return found

    def use_by_age(self, practices: NDArray[np.int64]) -> Floats:
        """Contacts per adult and year (practices, ages, nodes), both sexes together."""
        own = self._mix(self.curves(practices)) if self.own else None
        ages, n = len(self.age), len(practices)
        multiplier, spectrum = self.held.multiplier[:, None], self.held.spectrum[:, None, :]
        if own is not None:
            multiplier = multiplier * own.multiplier.reshape(n, ages).T
            spectrum = spectrum * own.spectrum.reshape(n, ages, -1).swapaxes(0, 1)
        users = prevalence.users(spectrum, self._log_odds(self.nodes), self.rule)
        use = users * np.exp(self._log_mean(self.nodes))[:, None, :] * multiplier[:, :, None]
        by_sex = use.reshape(ages, -1, len(self.sexes), len(self.nodes))
        mixed = np.einsum("apsn,as->pan", by_sex, np.column_stack([share for _, share in self.sexes]))
        return np.broadcast_to(mixed, (n, ages, len(self.nodes)))

    def levels(self, practices: NDArray[np.int64], score: Floats, weight: Floats):  # type: ignore[no-untyped-def]
        """Two functions for calibration: mean contacts at a zero constant, and the share with any contact."""
        curves = self.curves(practices)
        z_score = self._z(score)
        cells = []
        for tilted in (True, False):
            own = self._mix(curves, tilted=tilted)
            held = self._mix(
                {t: gradients.reference_curve(t, self.age_years) for t in self.effects if t not in self.own},
                tilted=tilted,
            )
            shape = (len(practices), len(self.age))
            cells.append(
                (
                    own.multiplier.reshape(shape) * held.multiplier,
                    own.spectrum.reshape(*shape, -1) * held.spectrum,
                )
            )
        log_mean = np.stack([self._log_mean(z_score[[k]]) for k in range(len(practices))])
        log_odds = np.stack([self._log_odds(z_score[[k]]) for k in range(len(practices))])
        sexes = np.column_stack([share for _, share in self.sexes])

        def mean(values: Floats) -> float:
            return float(np.einsum("pas,as,pa->", values, sexes, weight))

        def users(which: int, zero: float) -> Floats:
            flat = cells[which][1][:, :, None, :]
            return prevalence.users(
                flat, log_odds[:, :, None, :].reshape(*log_odds.shape[:2], -1) + zero, self.rule
            )[:, :, 0, :]

        def contacts(zero: float) -> float:
            return mean(users(0, zero) * np.exp(log_mean) * cells[0][0][:, :, None])

        def any_contact(zero: float, level: float) -> float:
            chance = users(1, zero)
            # Contacts of those who can have any: their mean stands for them, as e^{-mu} is below a thousandth.
            mu = users(0, zero) * np.exp(log_mean + level) * cells[0][0][:, :, None] / chance
            return mean(chance * -np.expm1(-mu))

        return contacts, any_contact


def _adults_by_practice_age(people: People) -> Floats:
    """(practices, adult ages) registered adults, ages as their areas have them."""
    table: Floats = people.catchment.registered.T @ people.age_mix[:, ADULT:]
    return table


def _times_rows(flows: sparse.csc_array, factor: Floats) -> sparse.csc_array:
    return sparse.csc_array(
        (flows.data * factor[flows.indices], flows.indices, flows.indptr), shape=flows.shape
    )


def _check_whole_england(areas: pd.Index) -> None:
    whole = AREAS_OF_ENGLAND[areas.name]
    if len(areas) != whole:
        raise UnknownCodeError(
            f"A need index with England as its base needs all {whole:,} areas of England; the registrations have {len(areas):,}. "
            'Choose base = "icb", and say so, or use the national registration file.'
        )


def _log_ratios(table: pd.DataFrame) -> dict[str, float]:
    found = table[(table["term"] != "intercept") & table["ratio"].notna()]
    return dict(zip(found["term"], np.log(found["ratio"]), strict=True))


def _notes_on(reading: str, interaction: str) -> tuple[Assumption, ...]:
    count = reference.read(f"filipe-2024-count-{reading}")
    what = {
        "realigned": "The paper's count table is read one row down (realigned)",
        "as-printed": "The paper's count table is used as printed, though it contradicts the paper's text",
    }[reading]
    return (
        Assumption(
            what, count.evidence or "; ".join(count.notes), "inference", "Filipe et al. 2024, Table 3"
        ),
        Assumption(
            "The constant of the zero part and the level are solved on Liverpool's open files",
            "The paper prints neither",
            "inference",
            "liverpool-calibration",
        ),
        Assumption(
            f"The age × sex term belongs to the {interaction}",
            "The paper says 1 = male, its tables say female; with the main effect a woman's and the interaction a man's, all of its text fits",
            "inference",
            "Filipe et al. 2024",
        ),
        Assumption(
            "Supply is held at the paper's mean, minority ethnicity at 0 in the zero part",
            "Need must not rise with supply; people who never use because of unmet need are given the reference group's use",
            "choice",
            "Filipe et al. 2024",
        ),
    )


__all__ = ["ExpectedUse", "NeedFormula", "NeedIndex", "need_index"]
