"""How long a cluster bootstrap takes, and how far one Newton step is from a refit.

`python benchmarks/resampling.py [--people 2500000] [--replicates 500] [--refits 20]`. A made-up linked cohort
is collapsed with the practice in its key, fitted, and its practices drawn again.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from needsalloc import synthetic
from needsalloc.bootstrap import bootstrap_clusters
from needsalloc.collapse import collapse
from needsalloc.fit import fit
from needsalloc.linked import linked_cohort

FORMULA = (
    "contacts ~ age + imd_score + female + age:female + age:imd_score + nursing_home + living_alone + "
    "dementia + cancer + copd + cardiovascular_disease + palliative_care + district_nurses_per_10000"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=2_500_000)
    parser.add_argument("--replicates", type=int, default=500)
    parser.add_argument("--refits", type=int, default=20)
    asked = parser.parse_args()
    # About as many areas and practices as an ICB of this size has.
    england = synthetic.england(areas=asked.people // 1_700 + 20, pcns=asked.people // 36_000 + 1)
    rows = linked_cohort(asked.people, england=england, values="flags").rows()
    columns = [name for name in rows if name in FORMULA and name != "contacts"]
    clock = time.perf_counter()
    cells = collapse(rows, columns, count="contacts", cluster="practice")
    del rows
    print(f"{cells!r}, {cells.cluster.nunique()} practices, collapsed in {time.perf_counter() - clock:.1f} s")
    clock = time.perf_counter()
    found = fit(FORMULA, cells, family="zip", centre=["age", "imd_score"], errors="clustered")
    print(f"{found!r}, in {time.perf_counter() - clock:.1f} s with errors by practice")
    clock = time.perf_counter()
    steps = bootstrap_clusters(found, cells, replicates=asked.replicates)
    print(f"{steps!r}, in {time.perf_counter() - clock:.1f} s")
    clock = time.perf_counter()
    refits = bootstrap_clusters(found, cells, replicates=asked.refits, method="refit")
    each = (time.perf_counter() - clock) / asked.refits
    print(f"{refits!r}, {each:.2f} s each")
    # The same seed draws the same clusters first.
    first = steps.coefficients.head(asked.refits)
    apart = (first - refits.coefficients).abs().mean() / steps.coefficients.std()
    print(f"one step from a refit: {apart.mean():.3f} standard errors on average, {apart.max():.3f} at most")
    ratio = steps.coefficients.std().to_numpy() / found.inference.standard_errors
    print(f"spread over replicates by the clustered errors: {np.min(ratio):.2f} to {np.max(ratio):.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak:.1f} GB")


if __name__ == "__main__":
    main()
