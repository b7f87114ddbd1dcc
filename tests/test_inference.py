"""Errors of coefficients, against sandwich, clubSandwich and statsmodels, and how they move."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from needsalloc.errors import FormulaError, InvalidValueError
from needsalloc.inference import cluster_labels, draw, infer
from needsalloc.kernels import newton, resampling, sandwich
from needsalloc.kernels.designs import Design
from needsalloc.kernels.families import FAMILIES, Stats

R = Path(__file__).parent / "r"
COHORT = pd.read_csv(R / "cohort.csv")
ROBUST: dict[str, Any] = json.loads((R / "robust.json").read_text())
CASES = [case for case in ROBUST if case != "made_with"]
FEW_CASES = ["poisson", "poisson_weighted"]
COUNT = ["age", "imd", "frail", "nurses"]
ZERO = ["age", "imd", "frail"]


def problem(case: str) -> newton.Problem:
    """A stored case on the made-up persons, each a cell of their own."""
    stored = ROBUST[case]
    family = FAMILIES[stored["family"]]
    weight = COHORT[stored["weight"]] if stored.get("weight") else 1.0
    stats = Stats.of_rows(COHORT["contacts"], weight)
    designs = {"count": design(COUNT)}
    if "zero" in family.parts:
        designs["zero"] = design(ZERO)
    y, where = np.unique(stats.counts.y, return_inverse=True)
    histogram = (y, np.bincount(where, stats.counts.people))
    return newton.Problem(family, stats, designs, histogram=histogram)


def design(columns: list[str]) -> Design:
    return Design.of_matrix(np.column_stack([np.ones(len(COHORT)), COHORT[columns].to_numpy(float)]))


def at_optimum(case: str) -> tuple[newton.Problem, newton.Optimum]:
    """Newton's method from R's coefficients, so that what is compared is the errors alone."""
    found = problem(case)
    optimum = newton.maximise(found, np.array(ROBUST[case]["coefficients"], dtype=float)[: found.size])
    assert optimum.converged
    return found, optimum


def start(case: str) -> np.ndarray:
    return np.array(ROBUST[case]["coefficients"], dtype=float)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("by", [None, "area", "team"])
def test_robust_and_clustered_errors_are_those_of_r(case: str, by: str | None) -> None:
    fitted, optimum = at_optimum(case)
    if by is None:
        found = infer(fitted, optimum.coefficients, optimum.information, errors="robust").covariance
        expected = ROBUST[case]["robust"]
    else:
        labels, names = cluster_labels(COHORT[by], len(COHORT))
        scores = sandwich.cluster_scores(fitted, optimum.coefficients, labels, len(names))
        found = sandwich.clustered(optimum.information, scores)
        expected = ROBUST[case][f"clustered_{by}"]
    expected = np.array(expected)
    ours = found[: len(expected), : len(expected)]
    # pscl's bread is a numerical Hessian (1e-6); the others are exact.
    spread = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert np.abs(ours - expected).max(initial=0) / spread.max() < 2e-5
    assert np.sqrt(np.diag(ours)) == pytest.approx(np.sqrt(np.diag(expected)), rel=2e-5)


@pytest.mark.parametrize("case", FEW_CASES)
@pytest.mark.parametrize("by", ["team", "area"])
def test_bias_reduced_errors_are_those_of_club_sandwich(case: str, by: str) -> None:
    fitted, optimum = at_optimum(case)
    labels, names = cluster_labels(COHORT[by], len(COHORT))
    sums = sandwich.cluster_sums(fitted, optimum.coefficients, labels, len(names))
    found = sandwich.bias_reduced(sums)
    stored = ROBUST[case][f"bias_reduced_{by}"]
    assert found.covariance == pytest.approx(np.array(stored["covariance"]), rel=1e-7, abs=1e-12)
    assert found.degrees_of_freedom == pytest.approx(stored["degrees_of_freedom"], rel=1e-6)
    # That of the glm takes another root of the same adjustment: as good, and close.
    other = np.sqrt(np.diag(np.array(stored["glm_covariance"])))
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(other, rel=0.015)


def test_statsmodels_finds_the_same_errors() -> None:
    stored = json.loads((R / "statsmodels.json").read_text())
    for case in ("poisson", "nb"):
        fitted, optimum = at_optimum(case)
        for errors in ("model", "robust"):
            found = infer(fitted, optimum.coefficients, optimum.information, errors=errors)
            expected = np.array(stored[case][errors])
            assert found.covariance == pytest.approx(expected, rel=1e-6, abs=1e-9)  # its last Newton step


@pytest.mark.parametrize("family", ["poisson", "zip", "zinb", "hurdle-nb"])
def test_cells_have_the_errors_of_their_persons(family: str) -> None:
    """The same persons, each alone and grouped by predictors and cluster."""
    coarse = COHORT.assign(age=COHORT["age"].round(), imd=COHORT["imd"].round())
    by = ["age", "imd", "frail", "team"]
    keys = coarse.groupby(by, sort=True).size().index.to_frame(index=False)
    cell = coarse.groupby(by, sort=True).ngroup().to_numpy()
    alone = Stats.of_rows(coarse["contacts"], coarse["people"])
    grouped = {
        name: np.bincount(cell, getattr(alone, name), len(keys))
        for name in ("zeros", "positives", "total", "total_squares", "log_factorials")
    }
    order = np.lexsort((alone.counts.y, cell[alone.counts.cell]))
    counts = type(alone.counts)(
        cell[alone.counts.cell][order], alone.counts.y[order], alone.counts.people[order]
    )
    histogram = (np.unique(counts.y), np.bincount(np.unique(counts.y, return_inverse=True)[1], counts.people))
    found = []
    for rows, stats in ((coarse, alone), (keys, Stats(**grouped, counts=counts))):
        matrix = Design.of_matrix(
            np.column_stack([np.ones(len(rows)), rows[["age", "imd", "frail"]].to_numpy(float)])
        )
        built = newton.Problem(
            FAMILIES[family], stats, {"count": matrix, "zero": matrix}, histogram=histogram
        )
        optimum = newton.maximise(built, np.zeros(built.size))
        found.append(
            [
                infer(built, optimum.coefficients, optimum.information, errors=errors, cluster=rows["team"])
                for errors in ("robust", "clustered")
            ]
        )
    for persons, cells in zip(*found, strict=True):
        # Sums in another order, and Newton's last step.
        assert cells.covariance == pytest.approx(persons.covariance, rel=1e-7, abs=1e-11)
        assert cells.degrees_of_freedom == pytest.approx(persons.degrees_of_freedom, rel=1e-7)


def test_few_clusters_are_said_and_have_fewer_degrees_of_freedom_for_a_term_of_the_team() -> None:
    fitted, optimum = at_optimum("zip")
    few = infer(fitted, optimum.coefficients, optimum.information, errors="clustered", cluster=COHORT["team"])
    many = infer(
        fitted, optimum.coefficients, optimum.information, errors="clustered", cluster=COHORT["area"]
    )
    assert (few.kind, few.clusters, many.kind, many.clusters) == ("bias-reduced", 12, "clustered", 60)
    assert "12 clusters, which are few" in repr(few)
    assert (many.degrees_of_freedom == 59).all()
    assert (few.degrees_of_freedom <= 11).all()
    nurses = COUNT.index("nurses") + 1
    # Twelve teams, of which some have most of the people and the nurses: they count for no more than these.
    assert few.degrees_of_freedom[nurses] == few.degrees_of_freedom.min() < 6
    assert few.quantile(0.975)[nurses] > many.quantile(0.975)[nurses] > 1.96
    assert few.joint_freedom == 11


def test_p_values_are_those_of_the_law() -> None:
    """Student's t and the normal, by their integrals."""
    from scipy import stats

    fitted, optimum = at_optimum("poisson")
    for errors, law in (
        ("model", [stats.norm()] * 5),
        ("clustered", None),
    ):
        found = infer(
            fitted, optimum.coefficients, optimum.information, errors=errors, cluster=COHORT["team"]
        )
        laws = law or [stats.t(df) for df in found.degrees_of_freedom]
        t = np.abs(optimum.coefficients / found.standard_errors)
        assert found.p_values(optimum.coefficients) == pytest.approx(
            [2 * one.sf(value) for one, value in zip(laws, t, strict=True)]
        )
        assert found.quantile(0.9) == pytest.approx([one.ppf(0.9) for one in laws])


def test_a_cluster_that_alone_decides_on_a_term_is_told() -> None:
    own = (COHORT["team"] == "T03").to_numpy(float)
    matrix = Design.of_matrix(np.column_stack([np.ones(len(COHORT)), COHORT["age"], own]))
    built = newton.Problem(FAMILIES["poisson"], Stats.of_rows(COHORT["contacts"]), {"count": matrix})
    optimum = newton.maximise(built, np.zeros(3))
    found = infer(
        built, optimum.coefficients, optimum.information, errors="clustered", cluster=COHORT["team"]
    )
    assert "1 directions rest on one cluster alone" in found.note
    assert np.isfinite(found.covariance).all()


def test_faults_are_named() -> None:
    fitted, optimum = at_optimum("zip")
    at = (fitted, optimum.coefficients, optimum.information)
    with pytest.raises(FormulaError, match="choose model, robust, clustered"):
        infer(*at, errors="hc3")  # type: ignore[arg-type]
    with pytest.raises(FormulaError, match="need the cluster of each person"):
        infer(*at, errors="clustered")
    with pytest.raises(InvalidValueError, match="1 of 2,400 cells have no cluster"):
        infer(*at, errors="clustered", cluster=COHORT["team"].where(COHORT.index > 0))
    with pytest.raises(InvalidValueError, match="There is one cluster, 'T1'"):
        infer(*at, errors="clustered", cluster=pd.Series("T1", index=COHORT.index))
    with pytest.raises(FormulaError, match="do not determine all 9"):
        infer(*at[:2], np.ones((9, 9)))
    bare = newton.Problem(
        FAMILIES["nb"], Stats(*[np.ones(3)] * 5), {"count": Design.of_matrix(np.ones((3, 1)))}
    )
    with pytest.raises(FormulaError, match="need the counts within each cell"):
        infer(bare, np.zeros(2), np.eye(2), errors="robust")


def test_a_quasi_likelihood_has_its_dispersion_in_the_model_errors() -> None:
    stored = json.loads((R / "fits.json").read_text())["quasi"]
    built = newton.Problem(
        FAMILIES["quasi-poisson"], Stats.of_rows(COHORT["hours"]), {"count": design(COUNT)}
    )
    optimum = newton.maximise(built, np.zeros(5))
    dispersion = stored["pearson_dispersion"]
    found = infer(built, optimum.coefficients, optimum.information, dispersion=dispersion)
    expected = np.array(stored["covariance"]) * dispersion  # as summary.glm has it
    assert found.covariance == pytest.approx(expected, rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("errors", ["model", "robust", "clustered"])
def test_a_known_coefficient_has_no_errors_and_leaves_those_of_the_others(errors: Any) -> None:
    """Against the fit without it, its term moved into the offset."""
    fitted, optimum = at_optimum("zip")
    held = np.zeros(fitted.size, dtype=bool)
    held[COUNT.index("nurses") + 1] = True
    found = infer(
        fitted,
        optimum.coefficients,
        optimum.information,
        errors=errors,
        cluster=COHORT["team"],
        held=held,
    )
    moved = optimum.coefficients[held][0] * COHORT["nurses"].to_numpy()
    without = newton.Problem(
        fitted.family,
        fitted.stats,
        {"count": design(COUNT[:-1]), "zero": fitted.designs["zero"]},
        {"count": moved},
    )
    other = newton.maximise(without, optimum.coefficients[~held])
    expected = infer(without, other.coefficients, other.information, errors=errors, cluster=COHORT["team"])
    assert np.isnan(found.standard_errors).tolist() == held.tolist()
    assert found.standard_errors[~held] == pytest.approx(expected.standard_errors, rel=1e-6)
    assert found.quantile(0.975)[~held] == pytest.approx(expected.quantile(0.975), rel=1e-6)
    drawn = draw(optimum.coefficients, found, 5)
    assert (drawn[:, held] == optimum.coefficients[held]).all()
    assert (drawn[:, ~held].std(axis=0) > 0).all()
    labels, names = cluster_labels(COHORT["area"], len(COHORT))
    times = resampling.multiplicities(len(names), 9, np.random.default_rng(1))
    steps = resampling.resample(fitted, optimum.coefficients, labels, times, held=held, refit=False)
    assert (steps.coefficients[:, held] == optimum.coefficients[held]).all()


@pytest.mark.parametrize("case", ["poisson", "zip", "nb"])
def test_one_step_replicates_agree_with_refits(case: str) -> None:
    """Clusters drawn with replacement: one Newton step from the optimum beside the optimum itself."""
    fitted, optimum = at_optimum(case)
    labels, names = cluster_labels(COHORT["area"], len(COHORT))
    times = resampling.multiplicities(len(names), 60, np.random.default_rng(5))
    held = np.zeros(fitted.size, dtype=bool)
    steps, refits = (
        resampling.resample(fitted, optimum.coefficients, labels, times, held=held, refit=refit)
        for refit in (False, True)
    )
    assert (steps.refitted.sum(), refits.refitted.sum()) == (0, 60)
    spread = refits.coefficients.std(axis=0)
    # A step misses by the square of how far it goes: a twentieth of a standard error with 60 clusters, and a
    # fifth of that of log theta, whose likelihood is the least like a parabola.
    assert (np.abs(steps.coefficients - refits.coefficients).mean(axis=0) < 0.25 * spread).all()
    assert steps.coefficients.std(axis=0) == pytest.approx(spread, rel=0.15)


def test_a_refit_is_the_optimum_of_the_rows_drawn() -> None:
    fitted, optimum = at_optimum("zip")
    labels, names = cluster_labels(COHORT["area"], len(COHORT))
    times = resampling.multiplicities(len(names), 3, np.random.default_rng(1))
    held = np.zeros(fitted.size, dtype=bool)
    found = resampling.resample(fitted, optimum.coefficients, labels, times, held=held, refit=True)
    for replicate, drawn in zip(found.coefficients, times, strict=True):
        rows = np.repeat(np.arange(len(COHORT)), drawn[labels].astype(int))
        again = newton.Problem(
            fitted.family,
            Stats.of_rows(COHORT["contacts"].to_numpy()[rows]),
            {part: columns.pick(rows) for part, columns in fitted.designs.items()},
        )
        assert np.abs(newton.evaluate(again, replicate).gradient).max() < 1e-6


def test_a_replicate_without_a_step_is_nan() -> None:
    sums = sandwich.ClusterSums(np.array([[1.0], [-1.0]]), np.array([[[4.0]], [[-1.0]]]))
    steps = resampling.one_step(np.zeros(1), sums, np.array([[2.0, 0.0], [0.0, 2.0]]))
    assert steps[:, 0] == pytest.approx([0.25, np.nan], nan_ok=True)


def test_draws_are_the_same_for_the_same_seed_and_heavier_by_cluster() -> None:
    fitted, optimum = at_optimum("poisson")
    at = (fitted, optimum.coefficients, optimum.information)
    one = draw(optimum.coefficients, infer(*at, errors="robust"), 500, seed=3)
    assert (one == draw(optimum.coefficients, infer(*at, errors="robust"), 500, seed=3)).all()
    by_team = infer(*at, errors="clustered", cluster=COHORT["team"])
    few = (draw(optimum.coefficients, by_team, 20_000) - optimum.coefficients) / by_team.standard_errors
    # Student's t with 11 degrees of freedom leaves 5 % beyond 2.201, the normal law 2.8 %.
    assert (np.abs(few) > 2.201).mean(axis=0) == pytest.approx(np.full(5, 0.05), abs=0.006)


def test_draws_have_the_covariance_and_the_law_asked_for() -> None:
    fitted, optimum = at_optimum("poisson")
    found = infer(fitted, optimum.coefficients, optimum.information, errors="robust")
    rng = np.random.default_rng(1)
    normal = resampling.draws(optimum.coefficients, found.covariance, 40_000, np.inf, rng)
    # Three standard errors of a variance of 40,000 draws are 2 %.
    assert np.cov(normal.T) == pytest.approx(found.covariance, rel=0.03, abs=0.02 * found.covariance.max())
    heavy = resampling.draws(optimum.coefficients, found.covariance, 40_000, 11.0, rng)
    assert heavy.var(axis=0) / normal.var(axis=0) == pytest.approx(np.full(5, 11 / 9), rel=0.06)
