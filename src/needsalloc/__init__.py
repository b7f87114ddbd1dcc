"""Share community nursing posts between NHS neighbourhoods in proportion to need.

The names below stand in the order in which an analyst meets them: read the official files, build the
catchment, put the people together, apply a need formula, share out posts, look at who gains, write it down.
"""

from needsalloc import reference, synthetic
from needsalloc.allocate import Allocation, allocate
from needsalloc.audit import EquityAudit, audit_equity
from needsalloc.belonging import living_outside, own_icb_assignment, people_served
from needsalloc.catchment import Catchment
from needsalloc.cohort import synthetic_cohort
from needsalloc.compare import MethodComparison, compare_methods
from needsalloc.errors import NeedsallocError
from needsalloc.index import NeedIndex, need_index
from needsalloc.need import NeedFormula
from needsalloc.outliers import outliers
from needsalloc.people import People, build_people
from needsalloc.quality import coverage_by_area, deprivation_fifth, overlap
from needsalloc.releases import ReleaseComparison, compare_releases
from needsalloc.sources import (
    read_area_lookup,
    read_boundaries,
    read_conditions,
    read_current,
    read_deprivation,
    read_lists,
    read_membership,
    read_population,
    read_registrations,
    write_template,
)
from needsalloc.use import ExpectedUse
from needsalloc.vintages import carry_counts, carry_rates, carry_registrations

__version__ = "0.1.0"

__all__ = [
    "Allocation",
    "Catchment",
    "EquityAudit",
    "ExpectedUse",
    "MethodComparison",
    "NeedFormula",
    "NeedIndex",
    "NeedsallocError",
    "People",
    "ReleaseComparison",
    "__version__",
    "allocate",
    "audit_equity",
    "build_people",
    "carry_counts",
    "carry_rates",
    "carry_registrations",
    "compare_methods",
    "compare_releases",
    "coverage_by_area",
    "deprivation_fifth",
    "living_outside",
    "need_index",
    "outliers",
    "overlap",
    "own_icb_assignment",
    "people_served",
    "read_area_lookup",
    "read_boundaries",
    "read_conditions",
    "read_current",
    "read_deprivation",
    "read_lists",
    "read_membership",
    "read_population",
    "read_registrations",
    "reference",
    "synthetic",
    "synthetic_cohort",
    "write_template",
]
