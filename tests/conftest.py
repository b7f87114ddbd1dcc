"""What several test files share: the synthetic England, and the real files where they are."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from needsalloc import synthetic as made

# The same examples on every run; an example may write files, so a single one may be slow. CI tries a law on
# as many as hypothesis does by itself; elsewhere a quarter keeps the fast suite under two minutes.
EXAMPLES = 100 if os.environ.get("CI") == "true" else 25
settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def synthetic() -> made.SyntheticEngland:
    """The synthetic ICB of the demo: 300 areas, 10 PCNs."""
    return made.england()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real files, named by NEEDSALLOC_DATA. Absent, it fails CI and skips elsewhere."""
    folder = os.environ.get("NEEDSALLOC_DATA", "")
    if folder and Path(folder).is_dir():
        return Path(folder)
    reason = f"no real data: NEEDSALLOC_DATA is {folder!r}, which is no folder"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
