"""Each reader for a second on files changed at random; `make fuzz` goes on for as long as it is let."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fuzzing import NATIVE, TARGETS, try_out

SECONDS = 0.7

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", sorted(set(TARGETS) - set(NATIVE)))
def test_changed_files_are_read_or_refused_by_name(tmp_path: Path, name: str) -> None:
    assert try_out(name, tmp_path, SECONDS, seed=2023).total()


@pytest.mark.parametrize("name", NATIVE)
def test_changed_maps_are_read_or_refused_and_end_no_process(tmp_path: Path, name: str) -> None:
    pytest.importorskip("geopandas")
    command = (
        "import fuzzing, pathlib; "
        f"fuzzing.try_out({name!r}, pathlib.Path({str(tmp_path)!r}), {SECONDS}, seed=2023)"
    )
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", command],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
