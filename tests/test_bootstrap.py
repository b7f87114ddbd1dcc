"""Clusters drawn again, on a fit and its cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from needsalloc.bootstrap import bootstrap_clusters
from needsalloc.collapse import Cells, collapse
from needsalloc.errors import FormulaError, InvalidValueError
from needsalloc.fit import Fit, fit

COHORT = pd.read_csv(Path(__file__).parent / "r" / "cohort.csv")
PREDICTORS = ["age", "imd", "frail", "nurses"]


def fitted(family: str, cluster: str = "area") -> tuple[Fit, Cells]:
    with pytest.warns(UserWarning, match="little faster than on persons"):
        cells = collapse(COHORT, PREDICTORS, count="contacts", cluster=cluster, keep_counts=True)
    found = fit(
        "contacts ~ age + imd + frail + nurses | age + imd + frail"
        if family != "poisson"
        else "contacts ~ age + imd + frail + nurses",
        cells,
        family=family,
        errors="clustered",
    )
    return found, cells


@pytest.mark.parametrize("family", ["poisson", "zip", "zinb"])
def test_the_spread_over_replicates_is_that_of_clustered_errors(family: str) -> None:
    fit_, cells = fitted(family)
    found = bootstrap_clusters(fit_, cells, replicates=300)
    ratio = found.table["standard_error"].to_numpy() / fit_.inference.standard_errors
    # 300 replicates know a spread to 4 %; what a curved likelihood adds with 60 clusters is more.
    assert ((ratio > 0.8) & (ratio < 1.5)).all()
    inside = found.coefficients.gt(found.table["low"]) & found.coefficients.lt(found.table["high"])
    assert inside.mean().to_numpy() == pytest.approx(np.full(len(ratio), 0.95), abs=0.004)
    assert (found.refitted > 0) == (family == "zinb")
    assert f"{300} replicates of 60 clusters by one Newton step" in repr(found)
    assert found.covariance.index.names == ["part", "term"]


def test_few_clusters_are_said() -> None:
    found = bootstrap_clusters(*fitted("poisson", "team"), replicates=5, method="refit")
    assert "12 clusters by refits, which are few" in repr(found)
    assert (found.refitted, found.method) == (5, "refit")


def test_the_same_seed_draws_the_same_clusters() -> None:
    at = fitted("zip")
    one, same, other = (bootstrap_clusters(*at, replicates=4, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one.coefficients, same.coefficients)
    assert not np.allclose(one.coefficients, other.coefficients)


def test_faults_are_named() -> None:
    fit_, cells = fitted("zip")
    with pytest.raises(FormulaError, match="choose one-step, refit"):
        bootstrap_clusters(fit_, cells, method="two-step")  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="1 replicates have no spread"):
        bootstrap_clusters(fit_, cells, replicates=1)
    bare = collapse(COHORT.round(0), ["age", "imd", "frail", "nurses"], count="contacts")
    with pytest.raises(FormulaError, match="need the cluster of each person"):
        bootstrap_clusters(fit_, bare)
    with pytest.raises(FormulaError, match="keep_counts=True"):
        bootstrap_clusters(fitted("zinb")[0], bare)
