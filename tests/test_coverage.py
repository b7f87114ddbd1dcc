"""A small part of benchmarks/coverage.py: intervals hold the truth as often as they say."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

# By its path, and under another name: "coverage" is the name of a well-known package.
_SPEC = importlib.util.spec_from_file_location(
    "coverage_of_intervals", Path(__file__).parents[1] / "benchmarks" / "coverage.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
benchmark = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = benchmark
_SPEC.loader.exec_module(benchmark)

COHORTS = 60
# 57 of 60 intervals should hold the truth, 55.5 where few teams keep but nearly what they promise (92.5 % in
# 200 cohorts); by chance alone fewer than 49 do one time in 500.
LEAST = 48.5 / COHORTS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*little faster than on persons"),
    pytest.mark.filterwarnings("ignore:.*notes"),
]


def world(**changed: object) -> object:
    small = {"name": "small", "people": 4_000, "teams": 16, "family": "zip", "errors": "model"}
    return benchmark.World(**(small | changed))


def test_a_right_model_has_its_intervals_and_its_index() -> None:
    by_term, indices = benchmark.simulate(world(errors="robust"), COHORTS)
    assert (by_term["coverage"] > LEAST).all()
    assert by_term["bias"].abs().max() < 0.5  # four times 1 / sqrt(60)
    # An index with supply held is off by chance alone; one that is not has 10 % more for a nurse more.
    assert abs(indices["held_per_nurse"].mean()) < 0.02
    assert indices["observed_per_nurse"].mean() > 0.07
    assert indices["observed_mean"].mean() > 4 * indices["held_mean"].mean()


def test_people_who_differ_need_robust_errors() -> None:
    """A negative binomial fitted as a Poisson: the mean is right, its spread is not."""
    model, robust = (
        benchmark.simulate(world(family="poisson", errors=errors, persons=2.0), COHORTS)[0]
        for errors in ("model", "robust")
    )
    assert (robust["coverage"] > LEAST).all()
    assert (model["coverage"] < 0.8).all()


@pytest.mark.parametrize("teams", [16, 60])
def test_teams_that_differ_need_errors_by_team(teams: int) -> None:
    differ = {"family": "poisson", "persons": 2.0, "apart": 0.06, "teams": teams}
    robust, by_team = (
        benchmark.simulate(world(errors=errors, **differ), COHORTS)[0] for errors in ("robust", "clustered")
    )
    nurses = ("count", "nurses")
    assert (by_team["coverage"] > LEAST).all()
    assert robust.loc[nurses, "coverage"] < by_team.loc[nurses, "coverage"]
    # A ratio of two spreads of 60 is known to a tenth.
    assert robust.loc[nurses, "error_ratio"] < 0.8
    assert by_team.loc[nurses, "error_ratio"] == pytest.approx(1.0, abs=0.25)
