"""Share community nursing posts between NHS neighbourhoods in proportion to need.

The names below stand in the order in which an analyst meets them: read the official files, build the
catchment, put the people together, apply a need formula, share out posts, look at who gains, write it down.
"""

from needsalloc import calibration, reference, sources, synthetic
from needsalloc.agreement import agreement, goes_with
from needsalloc.allocate import Allocation, allocate
from needsalloc.area_registers import AreaRegisters, registers_by_area
from needsalloc.audit import EquityAudit, audit_equity
from needsalloc.belonging import living_outside, own_icb_assignment, people_served
from needsalloc.bootstrap import ClusterBootstrap, bootstrap_clusters
from needsalloc.catchment import Catchment
from needsalloc.checklist import checklist
from needsalloc.choices import Adjustment, Price, Reserve, Time
from needsalloc.cohort import synthetic_cohort
from needsalloc.collapse import Cells, collapse
from needsalloc.compare import MethodComparison, compare_methods
from needsalloc.cost import PlanCost, plan_cost
from needsalloc.decompose import Decomposition, decompose
from needsalloc.disclosure import SuppressedTable, suppress_table
from needsalloc.equality import EqualityEvidence, equality_evidence
from needsalloc.equity import InequalityMeasures, inequality_measures
from needsalloc.errors import NeedsallocError
from needsalloc.estimator import CountRegression
from needsalloc.families_compared import FamilyComparison, compare_families
from needsalloc.fifths import fifths_of_people, gradient_by_fifth
from needsalloc.fit import Fit, fit
from needsalloc.formulas import Weights, with_estimated_sex
from needsalloc.growth import Growth
from needsalloc.held_out import HeldOut, held_out
from needsalloc.in_place import carry_current
from needsalloc.index import NeedIndex, need_index
from needsalloc.index_changes import IndexChanges, index_changes
from needsalloc.index_of_people import PeopleIndex, WaysToHold, need_index_of_people, ways_to_hold
from needsalloc.inequalities import inequalities_sensitivity, with_inequalities
from needsalloc.inference import Inference
from needsalloc.limits import Limit, posts_for_cover
from needsalloc.linkage import Linkage, linkage_coverage
from needsalloc.linked import LinkedCohort, linked_cohort
from needsalloc.measures import Combination, RelativeNeed, relative_need, relative_need_by_area
from needsalloc.need import NeedFormula
from needsalloc.need_measures import MeasureComparison, compare_measures
from needsalloc.observed import ObservedOverExpected, observed_over_expected
from needsalloc.outliers import outliers
from needsalloc.pace import PaceOfChange, pace_of_change
from needsalloc.people import People, build_people
from needsalloc.plan_uncertainty import PlanUncertainty, plan_uncertainty
from needsalloc.planning_cohorts import PlanningCohorts, planning_cohorts
from needsalloc.quality import (
    coverage_by_area,
    deprivation_fifth,
    deprivation_fifth_of_teams,
    label_of_most_patients,
    overlap,
)
from needsalloc.ranges import IndexRange, need_range, range_over
from needsalloc.releases import ReleaseComparison, compare_releases
from needsalloc.scenarios import PlanComparison, compare_plans, moved_by_data
from needsalloc.services import ServicePlans, allocate_services
from needsalloc.skills import SkillMix, skill_mix
from needsalloc.small_areas import SmallAreaRates, small_area_rates
from needsalloc.sources import (
    payments_by_team,
    read_area_lookup,
    read_area_membership,
    read_boundaries,
    read_conditions,
    read_current,
    read_deprivation,
    read_disability,
    read_health_domain,
    read_lists,
    read_lists_by_band,
    read_membership,
    read_payments,
    read_pcn_partners,
    read_places,
    read_population,
    read_registrations,
    read_rurality,
    read_trust_shares,
    read_weighted_populations,
    read_workforce,
    workforce_by_team,
    write_template,
)
from needsalloc.team_effects import TeamEffects, team_effects
from needsalloc.uncertainty import IndexUncertainty, index_uncertainty, uncertainty_on_flows
from needsalloc.use import ExpectedUse
from needsalloc.validation import Calibration, Rootogram, calibration_by, r_squared, rootogram
from needsalloc.vintages import carry_counts, carry_rates, carry_registrations

__version__ = "0.1.0"

__all__ = [
    "Adjustment",
    "Allocation",
    "AreaRegisters",
    "Calibration",
    "Catchment",
    "Cells",
    "ClusterBootstrap",
    "Combination",
    "CountRegression",
    "Decomposition",
    "EqualityEvidence",
    "EquityAudit",
    "ExpectedUse",
    "FamilyComparison",
    "Fit",
    "Growth",
    "HeldOut",
    "IndexChanges",
    "IndexRange",
    "IndexUncertainty",
    "InequalityMeasures",
    "Inference",
    "Limit",
    "Linkage",
    "LinkedCohort",
    "MeasureComparison",
    "MethodComparison",
    "NeedFormula",
    "NeedIndex",
    "NeedsallocError",
    "ObservedOverExpected",
    "PaceOfChange",
    "People",
    "PeopleIndex",
    "PlanComparison",
    "PlanCost",
    "PlanUncertainty",
    "PlanningCohorts",
    "Price",
    "RelativeNeed",
    "ReleaseComparison",
    "Reserve",
    "Rootogram",
    "ServicePlans",
    "SkillMix",
    "SmallAreaRates",
    "SuppressedTable",
    "TeamEffects",
    "Time",
    "WaysToHold",
    "Weights",
    "__version__",
    "agreement",
    "allocate",
    "allocate_services",
    "audit_equity",
    "bootstrap_clusters",
    "build_people",
    "calibration",
    "calibration_by",
    "carry_counts",
    "carry_current",
    "carry_rates",
    "carry_registrations",
    "checklist",
    "collapse",
    "compare_families",
    "compare_measures",
    "compare_methods",
    "compare_plans",
    "compare_releases",
    "coverage_by_area",
    "decompose",
    "deprivation_fifth",
    "deprivation_fifth_of_teams",
    "equality_evidence",
    "fifths_of_people",
    "fit",
    "goes_with",
    "gradient_by_fifth",
    "held_out",
    "index_changes",
    "index_uncertainty",
    "inequalities_sensitivity",
    "inequality_measures",
    "label_of_most_patients",
    "linkage_coverage",
    "linked_cohort",
    "living_outside",
    "moved_by_data",
    "need_index",
    "need_index_of_people",
    "need_range",
    "observed_over_expected",
    "outliers",
    "overlap",
    "own_icb_assignment",
    "pace_of_change",
    "payments_by_team",
    "people_served",
    "plan_cost",
    "plan_uncertainty",
    "planning_cohorts",
    "posts_for_cover",
    "r_squared",
    "range_over",
    "read_area_lookup",
    "read_area_membership",
    "read_boundaries",
    "read_conditions",
    "read_current",
    "read_deprivation",
    "read_disability",
    "read_health_domain",
    "read_lists",
    "read_lists_by_band",
    "read_membership",
    "read_payments",
    "read_pcn_partners",
    "read_places",
    "read_population",
    "read_registrations",
    "read_rurality",
    "read_trust_shares",
    "read_weighted_populations",
    "read_workforce",
    "reference",
    "registers_by_area",
    "relative_need",
    "relative_need_by_area",
    "rootogram",
    "skill_mix",
    "small_area_rates",
    "sources",
    "suppress_table",
    "synthetic",
    "synthetic_cohort",
    "team_effects",
    "uncertainty_on_flows",
    "ways_to_hold",
    "with_estimated_sex",
    "with_inequalities",
    "workforce_by_team",
    "write_template",
]
