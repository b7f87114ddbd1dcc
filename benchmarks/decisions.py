"""The figures that docs/decisions quotes, measured again: python benchmarks/decisions.py

Needs the official files in the folder that NEEDSALLOC_DATA names. Public names and kernels only.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import expit

import needsalloc as na
from needsalloc import calibration, gradients, strata
from needsalloc.kernels import inequality, prevalence
from needsalloc.kernels.apportion import apportion

FORMULA = "district-nursing/liverpool-2024"
TOTALS = range(1_801, 2_101)
TRIED_ROUNDS = (20, 50, 100)


def main() -> None:
    folder = Path(os.environ.get("NEEDSALLOC_DATA") or sys.exit("NEEDSALLOC_DATA names no folder."))
    people = _england(folder)
    formula = na.NeedFormula.published(FORMULA)
    use = formula.expected_use(people)
    need_on_flows(use)
    exact_expectation(formula)
    age_gradients(folder, formula, people, use)
    base_and_people(use)
    webster(na.need_index(use))
    part_of_england(folder)
    catchment_methods(folder, people.catchment)


def need_on_flows(use: na.ExpectedUse) -> None:
    """Need by flows against need by areas alone: each area's mean carried to teams by the same flows."""
    print("\nNeed on flows, or by areas alone (PCNs, weighted by adults)")
    people, adults = use.people, use.registered.adults
    for name, flows in {
        "as they are": use.registered.crude,
        "at equal ages": use.registered.at_equal_ages,
    }.items():
        _print_loss(f"need, {name}", *_there_and_back(people.catchment, adults, flows))
    for term in people.prevalence:
        share = people.prevalence[term].to_numpy()
        having = adults.copy()
        having.data = adults.data * np.repeat(share, np.diff(adults.indptr))
        _print_loss(str(term), *_there_and_back(people.catchment, adults, having))


def _there_and_back(
    catchment: na.Catchment, adults: sparse.csc_array, total: sparse.csc_array
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """PCNs' means of what is on flows, the same by way of areas, and their adults."""
    by_area = np.asarray(total.sum(axis=1)).ravel() / np.asarray(adults.sum(axis=1)).ravel()
    on_areas = adults.copy()
    on_areas.data = adults.data * by_area[adults.indices]

    def team(flows: sparse.csc_array) -> np.ndarray:
        return np.bincount(catchment.team_of_practice, weights=np.asarray(flows.sum(axis=0)).ravel())

    chosen = catchment.teams["is_team"].to_numpy()
    size = team(adults)
    return tuple(found[chosen] for found in (team(total) / size, team(on_areas) / size, size))


def _print_loss(name: str, there: np.ndarray, back: np.ndarray, adults: np.ndarray) -> None:
    there, back = (v / np.average(v, weights=adults) - 1 for v in (there, back))
    slope = np.average(there * back, weights=adults) / np.average(there**2, weights=adults)
    off = np.abs((1 + back) / np.maximum(1 + there, 1e-9) - 1)
    moved = inequality.hoover((1 + there) * adults, (1 + back) * adults)
    counted = ", ".join(f"{(off > limit).sum():,} over {limit:.0%}" for limit in (0.01, 0.05, 0.1))
    print(f"  {name:28} slope {slope:.3f}; {moved:.2%} would move; of {len(off):,} {counted} off")


def age_gradients(folder: Path, formula: na.NeedFormula, people: na.People, use: na.ExpectedUse) -> None:
    """Users by group beside print, and what other ways with ages and conditions would move."""
    members = na.read_membership(folder / "england-2023/gp-reg-pat-prac-map_for_2023-07.csv.gz")
    of_liverpool = members.loc[members["sub_icb"] == "99A", "practice"]
    practices = pd.Index(of_liverpool).intersection(people.catchment.practices)
    print("\nUsers by group on Liverpool's open files, relative to all (printed, found, miss)")
    rates = calibration.use_rates(formula, people, practices)
    for group, row in rates.iterrows():
        print(f"  {group:26} {row['printed']:6.2f} {row['found']:6.2f} {row['miss']:+.0%}")
    by_age = na.NeedFormula.published(f"{FORMULA}-age-calibrated")
    without = [term for term in gradients.conditions() if term in formula.count] + ["emergency_admissions"]
    fewer = replace(formula, count={t: v for t, v in formula.count.items() if t not in without})
    print("\nPosts that other ways would move in England")
    base = na.need_index(use).teams
    for name, other in {
        "age-calibrated": by_age.expected_use(people),
        "conditions that go together (0.5)": formula.expected_use(people, dependence=0.5),
        "no conditions in the count part": fewer.expected_use(people),
        "conditions flat over ages": _flat(formula, people),
    }.items():
        _print_moved(name, base, na.need_index(other).teams)
    areas = na.need_index(_flat(formula, people)).areas, na.need_index(use).areas
    for name, found in zip(("flat", "by age"), areas, strict=True):
        need = found["expected_use"] * found["resident_adults"]
        fifth = (found["deprivation_decile"] + 1) // 2
        print(
            f"  need of the most deprived fifth, conditions {name}: {need[fifth == 1].sum() / need.sum():.1%}"
        )


def _flat(formula: na.NeedFormula, people: na.People) -> na.ExpectedUse:
    """Use when nobody has a condition, or a service, more often for being older."""
    even = gradients.table().assign(slope=0.0)
    gradients.reference_level.cache_clear()
    with mock.patch.object(gradients, "table", return_value=even):
        found = formula.expected_use(people)
    gradients.reference_level.cache_clear()
    return found


def _print_moved(name: str, base: pd.DataFrame, other: pd.DataFrame) -> None:
    first, second = (teams.loc[teams["is_team"], "weighted_population"] for teams in (base, other))
    moved = inequality.hoover(first.to_numpy(), second.to_numpy())
    ratio = (second / second.sum()) / (first / first.sum()) - 1
    print(f"  {name:36} {moved:.2%}; {(ratio.abs() > 0.05).sum():,} of {len(ratio):,} PCNs by over 5 %")


def exact_expectation(formula: na.NeedFormula) -> None:
    """The characteristic function against all patterns of the conditions, and against mean covariates."""
    need = formula.at_need()
    effects = {term: (need.count[term], need.zero.get(term, 0.0)) for term in gradients.conditions()}
    ages = gradients.cohort_ages().age
    share = np.column_stack([gradients.reference_curve(term, ages) for term in effects])
    count, zero = np.array(list(effects.values())).T
    constants = np.linspace(-4.0, 6.0, 11)
    rule = prevalence.quadrature(float(np.abs(constants).max() + np.abs(zero).sum()), 1e-8)
    start = time.perf_counter()
    mixture = prevalence.mix(share, count, zero, rule)
    fast = prevalence.users(mixture.spectrum, constants, rule) * mixture.multiplier[:, None]
    between = time.perf_counter()
    patterns = np.array(list(itertools.product([0.0, 1.0], repeat=len(effects))))
    users = expit(-(constants + (patterns @ zero)[:, None])) * np.exp(patterns @ count)[:, None]
    full = np.stack([np.prod(np.where(patterns == 1, p, 1 - p), axis=1) @ users for p in share])
    seconds = between - start, time.perf_counter() - between
    size = f"{len(effects)} conditions, {len(patterns):,} patterns, {len(rule.nodes)} nodes"
    print(f"\nExact expectation: {size}, {full.size:,} values")
    print(f"  largest relative difference {np.abs(fast / full - 1).max():.0e}")
    print(f"  {1e3 * seconds[0]:.1f} ms against {1e3 * seconds[1]:.1f} ms by all patterns")
    _at_mean_covariates(formula, list(effects), patterns)


def _at_mean_covariates(formula: na.NeedFormula, terms: list[str], patterns: np.ndarray) -> None:
    """A woman's use at England's mean deprivation, all patterns against the shares put in as covariates."""
    for age in (25.5, 45.5, 65.5, 85.5):
        at = np.array([age])
        share = np.array([gradients.reference_curve(term, at)[0] for term in terms])
        rows = pd.DataFrame(np.vstack([patterns, share]), columns=terms)
        held = {term: gradients.reference_curve(term, at)[0] for term in gradients.counts()}
        rows = rows.assign(age=age, imd_score=21.4, female=1, log_days_alive=np.log(365), **held)
        use = formula.predict(rows).to_numpy()
        exact = np.prod(np.where(patterns == 1, share, 1 - share), axis=1) @ use[:-1]
        print(f"  at mean covariates, age {age:.0f}: {use[-1] / exact - 1:+.1%}")


def base_and_people(use: na.ExpectedUse) -> None:
    """Registered or resident adults as a team's people."""
    found = {people: na.need_index(use, people=people).teams for people in ("registered", "resident")}
    print("\nBase and people")
    for people, teams in found.items():
        adults = teams[f"{people}_adults"]
        mean = (teams["need_index_england"] * adults).sum() / adults.sum()
        total = teams["weighted_population"].sum()
        print(f"  {people}: {adults.sum():,.0f} adults, mean index {mean:.4f}, weighted {total:,.0f}")
    named = found["resident"]["is_team"]
    first, second = (teams.loc[named, "weighted_population"] for teams in found.values())
    ratio = (second / second.sum()) / (first / first.sum()) - 1
    moved = inequality.hoover(first.to_numpy(), second.to_numpy())
    print(
        f"  {moved:.1%} of posts move; {(ratio.abs() > 0.05).sum():,} PCNs by over 5 %, "
        f"{ratio.min():+.0%} to {ratio.max():+.0%}"
    )


def webster(need: na.NeedIndex) -> None:
    """Webster's rule against largest remainders on England's PCNs."""
    weight = need.teams.loc[need.teams["is_team"], "weighted_population"].to_numpy()
    print("\nWebster, or largest remainders")
    for steps in (2_000, 10_000, 100_000):
        quota = steps * weight / weight.sum()
        ours = apportion(weight, steps).steps
        other = _largest_remainders(weight, steps)
        outside = ((ours < np.floor(quota)) | (ours > np.ceil(quota))).sum()
        differ = np.abs(ours - other).sum() // 2
        print(f"  {steps:,} steps: {differ} differ; {outside} teams outside their quota")
    for name, rule in {
        "Webster": lambda total: apportion(weight, total).steps,
        "largest remainders": lambda total: _largest_remainders(weight, total),
    }.items():
        given = [rule(total) for total in TOTALS]
        lost = sum(bool((after < before).any()) for before, after in itertools.pairwise(given))
        print(f"  {name}: one more post takes one from a team at {lost} of {len(TOTALS) - 1} totals")


def _largest_remainders(weight: np.ndarray, total: int) -> np.ndarray:
    quota = total * weight / weight.sum()
    given = np.floor(quota).astype(np.int64)
    given[np.argsort(given - quota, kind="stable")[: total - given.sum()]] += 1
    return given


def part_of_england(folder: Path) -> None:
    """Residents beyond the registered, where the flows are those of one ICB."""
    data = folder / "staffordshire-2025"
    catchment = na.Catchment.from_registrations(
        na.read_registrations(data / "gp-reg-pat-prac-lsoa-all_2025-10_QNC.csv.gz"),
        na.read_membership(data / "gp-reg-pat-prac-map_2025-10.csv.gz"),
    )
    people = na.build_people(
        catchment,
        population=na.read_population(data / "census21_lsoa21_age6.csv.gz"),
        deprivation=na.read_deprivation(data / "imd2025_england_lsoa21.csv.gz"),
        lists=_lists(folder),
    )
    lists = catchment.registered_by_area.to_numpy()
    print("\nOne ICB")
    print(f"  {len(lists):,} areas with {people.residents.sum():,.0f} residents, {lists.sum():,.0f} patients")
    counted = people.ages.people["resident"].sum()
    print(f"  {(lists < people.residents / 2).sum():,} areas below half; residents shared out {counted:,.0f}")


def catchment_methods(folder: Path, catchment: na.Catchment) -> None:
    """Five methods on England, and what rounds of raking change in the estimated one."""
    data = folder / "england-2023"
    population = na.read_population(data / "population20_lsoa11.csv.gz")
    score = na.read_deprivation(data / "imd2019_lsoa11.csv.gz")["imd_score"]
    compared = na.compare_methods(catchment, population, score, lists=_lists(folder))
    print(f"\nMethods of catchments: {catchment}")
    for name, method in compared.summary.iterrows():
        print(
            f"  {name:20} correlation with lists {method['correlation']:.3f}; median difference "
            f"{method['usual_difference']:.1%}, largest {method['largest_difference']:,.0%}; counted twice "
            f"{method['counted_twice']:,.0f}, of none {method['of_none']:,.0f}; "
            f"{method['areas_shared']:,.0f} areas shared, {method['areas_of_none']:,.0f} of none, "
            f"{method['ties']:.0f} tied"
        )
    _largest_by_method(compared.table)
    _rounds_of_raking(catchment, population, _lists(folder))


def _largest_by_method(table: pd.DataFrame) -> None:
    """The team that each method moves most, and how far it moves teams' ages and deprivation."""
    teams = table[table["is_team"]]
    first = teams["resident"] - teams["resident_difference"]
    relative = teams["resident_difference"] / first
    for name, moved in relative.groupby(level="method", sort=False):
        if moved.abs().max() > 0:
            most, of_method = moved.abs().idxmax(), teams.loc[name]
            age = of_method["mean_age_difference"].abs()
            score = of_method["imd_score_difference"].abs()
            print(
                f"  {name:20} most: {teams.loc[most, 'team_name']}, {first[most]:,.0f} to "
                f"{teams.loc[most, 'resident']:,.0f} in {teams.loc[most, 'areas']:,} areas; "
                f"mean age by {age.median():.2f} (median), {age.max():.1f} (most); "
                f"score by {score.median():.2f}, {score.max():.1f}; {(moved > 2).sum()} more than treble"
            )


def _rounds_of_raking(catchment: na.Catchment, population: pd.DataFrame, lists: pd.DataFrame) -> None:
    """Gaps left by more or fewer rounds, and how far the teams' mean ages move with them."""
    ages = population.columns.to_numpy(np.float64) + 0.5
    proper = catchment.teams["is_team"]
    usual, found = strata.ROUNDS, {}
    for rounds in TRIED_ROUNDS:
        strata.ROUNDS = rounds
        drawn = catchment.with_method("stratified", lists=lists, population=population)
        by_age = drawn.apportion(population)[proper]
        found[rounds] = by_age @ ages / by_age.sum(axis=1)
        gap = drawn.strata.gap
        left = ", ".join(
            f"{margin} {gap.loc[margin, 'misplaced']:.2%} misplaced, {gap.loc[margin, 'largest']:.0%} at most"
            for margin in ("areas", "practices")
        )
        print(f"  {drawn.strata.rounds} rounds: {left}")
    strata.ROUNDS = usual
    for note in drawn.strata.notes:
        if note.kind == "gap":
            print(f"  {note.what} ({note.why})")
    for rounds in (rounds for rounds in TRIED_ROUNDS if rounds != usual):
        moved = (found[rounds] - found[usual]).abs()
        median, most = moved.median(), moved.max()
        print(f"  mean age, {rounds} rounds against {usual}: median {median:.3f}, most {most:.2f}")


def _england(folder: Path) -> na.People:
    data = folder / "england-2023"
    catchment = na.Catchment.from_registrations(
        na.read_registrations(data / "gp-reg-pat-prac-lsoa-all_2023-07.csv.gz"),
        na.read_membership(data / "gp-reg-pat-prac-map_for_2023-07.csv.gz"),
    )
    return na.build_people(
        catchment,
        population=na.read_population(data / "population20_lsoa11.csv.gz"),
        deprivation=na.read_deprivation(data / "imd2019_lsoa11.csv.gz"),
        conditions=na.read_conditions(data / "PREVALENCE_2122.csv.gz"),
        lists=_lists(folder),
    )


def _lists(folder: Path) -> pd.DataFrame:
    return na.read_lists(folder / "lists-2026" / "single_age_sex_practice_2026-04.csv.gz")


if __name__ == "__main__":
    main()
