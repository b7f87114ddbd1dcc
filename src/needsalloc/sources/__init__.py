"""The official files: each is read into canonical columns, checked at the door, with its source in
`attrs`."""

from needsalloc.sources._quality import Finding, QualityReport
from needsalloc.sources.area_membership import read_area_membership
from needsalloc.sources.boundaries import read_boundaries
from needsalloc.sources.conditions import read_conditions
from needsalloc.sources.current import read_current, write_template
from needsalloc.sources.deprivation import read_deprivation
from needsalloc.sources.disability import read_disability
from needsalloc.sources.fetch import Fetched, fetch
from needsalloc.sources.health_domain import read_health_domain
from needsalloc.sources.inspection import inspect_file
from needsalloc.sources.lists import read_lists
from needsalloc.sources.lists_by_band import read_lists_by_band
from needsalloc.sources.lookup import read_area_lookup
from needsalloc.sources.membership import NO_PCN, NO_PCN_NAME, read_membership
from needsalloc.sources.payments import payments_by_team, read_payments
from needsalloc.sources.pcn_partners import read_pcn_partners
from needsalloc.sources.population import first_age, read_population
from needsalloc.sources.registrations import read_registrations
from needsalloc.sources.registry import registry
from needsalloc.sources.rurality import read_rurality
from needsalloc.sources.trust_shares import read_trust_shares
from needsalloc.sources.weighted_populations import read_places, read_weighted_populations
from needsalloc.sources.workforce import read_workforce, workforce_by_team

__all__ = [
    "NO_PCN",
    "NO_PCN_NAME",
    "Fetched",
    "Finding",
    "QualityReport",
    "fetch",
    "first_age",
    "inspect_file",
    "payments_by_team",
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
    "registry",
    "workforce_by_team",
    "write_template",
]
