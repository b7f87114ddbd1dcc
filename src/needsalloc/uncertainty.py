"""How sure a need index is: draws of the coefficients go through expected use and the index.

    b_d ~ N(b, V), or multivariate t where V is by few clusters        d = 1 … draws
    need_id = mean use of person i at b_d, supply at its mean
    index_kd = mean over k of need_id / mean over the base of need_id

Where the people at hand stand for the rest of their list, n_k of N_k, who is linked is chance as well: in
each draw their mean need has an error of variance s_k^2 / n_k (1 - n_k / N_k), as of a random part of the
list.

An interval is the middle 95 % of index_kd; ranks and the chance of being above 1 are those of the draws.
They say what the people fitted on leave open about the coefficients. They do not say what else may be wrong:
terms that are missing or of another form, people who are not linked for a reason, need that leaves no trace
in use, the year that contacts come from. Supply and services are held where the fit holds them, undrawn.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import fit_pictures, predictors
from needsalloc.ages import Whose
from needsalloc.catchment import Catchment
from needsalloc.display import sentence_and_table
from needsalloc.errors import FormulaError, InvalidValueError
from needsalloc.fit import Fit
from needsalloc.index import BaseName, need_index
from needsalloc.index_of_people import PEOPLE, Populations, populations, table_of
from needsalloc.kernels import drawn_need
from needsalloc.kernels.families import COUNT, LOG_THETA, ZERO
from needsalloc.kernels.threads import one_blas_thread
from needsalloc.need import NeedFormula, Unknown, Utilisation
from needsalloc.people import People
from needsalloc.people_cells import PeopleCells, people_cells
from needsalloc.predictors import INTERCEPT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LOW, HIGH = 0.025, 0.975
# Draws times flows that take some minutes: England has 864,024 flows.
MOST_ON_FLOWS = 20_000_000
NOT_COVERED = (
    "missing terms, linkage that is no chance, need that use does not show and what is held are not covered"
)


@dataclass(frozen=True, eq=False, repr=False)
class IndexUncertainty:
    """A need index with what the coefficients' errors leave open.

    Attributes
    ----------
    table:
        The index's table (`PeopleIndex.table` or `NeedIndex.teams`), and after its index: `index_low` and
        `index_high`, the middle 95 % of draws; `rank` (1 is the highest index), `rank_low` and `rank_high`;
        `chance_above_1`; `share_of_need_low` and `share_of_need_high`, of the base. Rows that are no team
        have no rank.
    draws:
        (draws, rows) the index by each draw.
    column:
        The name of the index column, with its base.
    errors:
        What the draws are of: the kind of the fit's errors, or "given".
    """

    table: pd.DataFrame
    draws: pd.DataFrame
    column: str
    errors: str

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw every team's index and interval, the highest first, beside the line at 1.

        Returns the axes. Needs matplotlib (pip install "needsalloc[maps]").
        """
        return fit_pictures.draw_intervals(self.table, self.column, self.errors, ax)

    def __repr__(self) -> str:
        teams = self.table[self.table["rank"].notna()]
        apart = int(((teams["index_low"] > 1) | (teams["index_high"] < 1)).sum())
        wide = float((teams["index_high"] - teams["index_low"]).median())
        return (
            f"<IndexUncertainty of {self.column}: {len(self.draws):,} draws, {self.errors} errors; as a rule "
            f"{wide:.2g} wide, {apart:,} of {len(teams):,} are on one side of 1; {NOT_COVERED}>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def index_uncertainty(
    fit: Fit,
    rows: Any,
    *,
    by: str,
    draws: int | pd.DataFrame = 1_000,
    seed: int = 1,
    base: Iterable[Hashable] | None = None,
    base_name: str = PEOPLE,
    lists: pd.Series | None = None,
    weight: str | None = None,
    utilisation: Utilisation = "as fitted",
    unknown: Unknown = "refuse",
    cap: float = np.inf,
) -> IndexUncertainty:
    """The need index of persons by a column of theirs, with intervals from draws of the coefficients.

    draws: how many, from the fit's own errors; or coefficients found by drawing again (draws, P), as
        `ClusterBootstrap.coefficients`.
    cap: the most contacts a year that are expected of anybody.
    lists: as for `need_index_of_people`; draws then have the chance of who is linked besides.
    The rest is as for `need_index_of_people`, whose index is the middle of it. Time goes with draws times
    cells: a thousand draws of a hundred thousand cells take some seconds.

    Raises as `need_index_of_people`; FormulaError for a formula from print, which has no covariance;
    InvalidValueError for fewer than two draws, errors that are not known, and draws without a finite need.
    """
    _check_fit(fit)
    formula = replace(fit.formula, cap=cap)
    drawn, errors = _drawn(fit, draws, seed)
    cells = people_cells(rows, formula, by=by, weight=weight, utilisation=utilisation, unknown=unknown)
    with one_blas_thread():
        found = _totals(fit, formula, cells, drawn, utilisation)
    if not np.isfinite(found).all():
        raise InvalidValueError(
            f"{int((~np.isfinite(found).all(axis=1)).sum()):,} of {len(found):,} draws have no finite need: "
            "the coefficients are hardly known. Use fewer terms, or more clusters."
        )
    need, people = cells.need(formula, utilisation=utilisation), cells.total()
    sums = np.vstack([cells.total(need), cells.total(need**2), found])
    places, sums, who = populations(cells.places, people, sums, base, lists)
    table = table_of(places, sums[0], who, base_name)
    drawn_sums = sums[2:] + _chance_of_linkage(sums[0], sums[1], who, len(found), seed)
    return _uncertain(table, f"need_index_{base_name}", drawn_sums, who, errors)


def _chance_of_linkage(need: Floats, squares: Floats, who: Populations, draws: int, seed: int) -> Floats:
    """(draws, places) errors of sums of need over the linked as of a random part of their list."""
    people = np.maximum(who.people, 1.0)
    variance = np.maximum(squares / people - (need / people) ** 2, 0.0)
    missing = np.clip(1.0 - who.people / np.maximum(who.population, 1.0), 0.0, 1.0)
    # Another stream than that of the coefficients, with which it has nothing to do.
    rng = np.random.default_rng([seed, 1])
    return np.sqrt(people * variance * missing) * rng.standard_normal((draws, len(need)))


def _uncertain(
    table: pd.DataFrame, column: str, need: Floats, who: Populations, errors: str
) -> IndexUncertainty:
    """Quantiles, ranks and chances of the index from sums of need (draws, places)."""
    _, index, weighted = who.index(need)
    counted = who.in_base & (who.people > 0)
    with np.errstate(invalid="ignore"):
        share = np.where(counted, weighted, np.nan)
        share = share / np.nansum(share, axis=1, keepdims=True)
    found = pd.DataFrame(index, columns=table.index)
    return IndexUncertainty(_with_draws(table, column, index, share), found, column, errors)


def _with_draws(table: pd.DataFrame, column: str, index: Floats, share: Floats) -> pd.DataFrame:
    """The table with the middle 95 % of draws (draws, rows) of index, rank and share of need after it."""
    ranked = (table["is_team"] & table[column].notna()).to_numpy()
    ranks = np.full(index.shape, np.nan)
    ranks[:, ranked] = _rank(index[:, ranked])
    rank = np.full(len(table), np.nan)
    rank[ranked] = _rank(table[column].to_numpy(np.float64)[None, ranked])[0]
    above = np.where(np.isnan(index).any(axis=0), np.nan, (index > 1).mean(axis=0))
    ends = {name: np.quantile(values, [LOW, HIGH], axis=0) for name, values in (("i", index), ("s", share))}
    # A rank is a whole number: it is not interpolated.
    of_ranks = np.quantile(ranks, [LOW, HIGH], axis=0, method="inverted_cdf")
    new = pd.DataFrame(
        {
            "index_low": ends["i"][0],
            "index_high": ends["i"][1],
            "rank": rank,
            "rank_low": of_ranks[0],
            "rank_high": of_ranks[1],
            "chance_above_1": above,
            "share_of_need_low": ends["s"][0],
            "share_of_need_high": ends["s"][1],
        },
        index=table.index,
    )
    after = list(table.columns).index(column) + 1
    return pd.concat([table.iloc[:, :after], new, table.iloc[:, after:]], axis=1)


def _rank(index: Floats) -> Floats:
    """(draws, places) 1 for the highest; equals share the better rank."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(-index, method="min", axis=1), dtype=np.float64)


def _check_fit(fit: object) -> None:
    if isinstance(fit, NeedFormula):
        raise FormulaError(
            f"{fit.name} is a formula without a covariance, as from print: nothing can be drawn. Give the "
            "Fit that it was made of, or show its range over readings (need_range)."
        )


def _drawn(fit: Fit, draws: int | pd.DataFrame, seed: int) -> tuple[dict[str, Floats], str]:
    """Draws of each part (draws, columns), and what they are of."""
    errors = "given"
    if isinstance(draws, int):
        if draws < 2:
            raise InvalidValueError(f"{draws} draws have no spread: ask for 1,000, say.")
        draws, errors = fit.draw(draws, seed), fit.inference.kind
    elif not draws.columns.equals(fit.coefficients.index) or len(draws) < 2:
        raise InvalidValueError(
            f"The draws ({len(draws):,} rows) must be at least two and have the fit's coefficients as their "
            f"columns, {len(fit.coefficients):,} pairs of part and term in the fit's order."
        )
    values = draws.to_numpy(np.float64)
    if not np.isfinite(values).all():
        raise InvalidValueError(
            "Some draws are no numbers: a coefficient has no known error. See the notes of the fit."
        )
    part = draws.columns.get_level_values("part")
    return {name: values[:, part == name] for name in fit.family.parts}, errors


def _totals(
    fit: Fit, formula: NeedFormula, cells: PeopleCells, drawn: Mapping[str, Floats], utilisation: Utilisation
) -> Floats:
    """(draws, places) need of all people at hand."""
    held = _held(formula, in_two_parts=ZERO in fit.family.parts)
    # An offset enters as it is: a last column, whose coefficient is 1 in every draw.
    draws = {
        part: values if part == LOG_THETA else np.column_stack([values, np.ones(len(values))])
        for part, values in drawn.items()
    }

    def designs(start: int, stop: int) -> dict[str, Floats]:
        rows = cells.keys.iloc[start:stop]
        return {
            part: _design(fit, formula, part, rows, held[part], utilisation)
            for part in fit.family.parts
            if part != LOG_THETA
        }

    return drawn_need.totals(fit.family, designs, draws, cells.people, formula.cap)


def _held(formula: NeedFormula, *, in_two_parts: bool) -> dict[str, dict[str, float]]:
    """Part -> what its atoms are held at when need is predicted, standardised."""
    atoms = predictors.atoms([*formula.count, *formula.zero])
    supply = {atom: float(formula.standardise(atom, np.array(at))) for atom, at in formula.supply.items()}
    unmet = {atom: 0.0 for atom in atoms if predictors.column_of(atom) in formula.unmet_need}
    return {COUNT: supply if in_two_parts else {**supply, **unmet}, ZERO: {**supply, **unmet}}


def _design(
    fit: Fit,
    formula: NeedFormula,
    part: str,
    rows: pd.DataFrame,
    held: Mapping[str, float],
    utilisation: Utilisation,
) -> Floats:
    """(columns + 1, rows) of a part's terms at need, and its offset."""
    labels = fit.terms[part].labels
    offset = fit.offset.get(part)
    atoms = [atom for atom in predictors.atoms(labels) if atom not in held]
    services = {predictors.column_of(atom) for atom in atoms} & set(formula.utilisation)
    if utilisation == "held":
        rows = rows.assign(**{name: _expected(formula, rows, name) for name in services})
    found = predictors.of_rows(rows, [*atoms, *([offset] if offset else [])], formula.levels, formula.name)
    value: dict[str, Any] = {atom: formula.standardise(atom, found[atom]) for atom in atoms} | dict(held)
    design = np.empty((len(labels) + 1, len(rows)))
    for column, label in enumerate(labels):
        design[column] = 1.0 if label == INTERCEPT else predictors.linear({label: 1.0}, value, (len(rows),))
    design[-1] = found[offset] if offset else 0.0
    return design


def _expected(formula: NeedFormula, rows: pd.DataFrame, service: str) -> Floats:
    terms = formula.utilisation[service]
    found = predictors.of_rows(rows, predictors.atoms(terms), formula.levels, formula.name)
    value = {atom: formula.standardise(atom, each) for atom, each in found.items()}
    return predictors.linear(terms, value, (len(rows),))


def uncertainty_on_flows(
    fit: Fit,
    people: People,
    *,
    draws: int = 20,
    seed: int = 1,
    base: BaseName = "england",
    whose: Whose = "registered",
    icb: str | None = None,
    catchment: Catchment | None = None,
    adapt: Callable[[NeedFormula], NeedFormula] | None = None,
) -> IndexUncertainty:
    """The need index of teams from open files (`need_index`), with intervals from draws of the coefficients.

    Every draw works out use on all flows again, some seconds for England: draws are few, and with fewer than
    some hundreds the ends of an interval are rough. An index of persons draws in far less time.
    adapt: what is done to the formula of each draw before it is used on open files, such as `lambda formula:
        formula.hold({"copd": 0.03})`.

    Raises as `need_index` and `index_uncertainty`; InvalidValueError for more draws on more flows than take
    some minutes.
    """
    _check_fit(fit)
    flows = people.ages.pattern.nnz
    if draws < 2 or draws * flows > MOST_ON_FLOWS:
        raise InvalidValueError(
            f"{draws:,} draws on {flows:,} flows: ask for at least 2 and at most "
            f"{max(MOST_ON_FLOWS // flows, 2):,}, take the teams of one ICB, or draw for persons "
            "(index_uncertainty)."
        )

    def index_at(coefficients: Floats) -> Any:
        drawn = replace(fit, coefficients=pd.Series(coefficients, fit.coefficients.index)).formula
        use = (adapt(drawn) if adapt else drawn).expected_use(people)
        return need_index(use, base=base, people=whose, icb=icb, catchment=catchment)

    at = index_at(fit.coefficients.to_numpy(np.float64))
    # A pass over all flows for each draw: what is vectorised is the flows.
    found = [index_at(row).teams for row in fit.draw(draws, seed).to_numpy(np.float64)]
    index = np.stack([teams[at.column].to_numpy(np.float64) for teams in found])
    weighted = np.stack([teams["weighted_population"].to_numpy(np.float64) for teams in found])
    share = np.where(at.base.teams, weighted, np.nan)
    share = share / np.nansum(share, axis=1, keepdims=True)
    table = _with_draws(at.teams, at.column, index, share)
    drawn = pd.DataFrame(index, columns=at.teams.index)
    return IndexUncertainty(table, drawn, at.column, fit.inference.kind)


__all__ = ["IndexUncertainty", "index_uncertainty", "uncertainty_on_flows"]
