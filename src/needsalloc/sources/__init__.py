"""The official files: each is read into canonical columns, checked at the door, with its source in
`attrs`."""

from needsalloc.sources.boundaries import read_boundaries
from needsalloc.sources.conditions import read_conditions
from needsalloc.sources.current import read_current, write_template
from needsalloc.sources.deprivation import read_deprivation
from needsalloc.sources.disability import read_disability
from needsalloc.sources.fetch import Fetched, fetch
from needsalloc.sources.health_domain import read_health_domain
from needsalloc.sources.lists import read_lists
from needsalloc.sources.lookup import read_area_lookup
from needsalloc.sources.membership import NO_PCN, NO_PCN_NAME, read_membership
from needsalloc.sources.population import first_age, read_population
from needsalloc.sources.registrations import read_registrations
from needsalloc.sources.registry import registry
from needsalloc.sources.weighted_populations import read_places, read_weighted_populations

__all__ = [
    "NO_PCN",
    "NO_PCN_NAME",
    "Fetched",
    "fetch",
    "first_age",
    "read_area_lookup",
    "read_boundaries",
    "read_conditions",
    "read_current",
    "read_deprivation",
    "read_disability",
    "read_health_domain",
    "read_lists",
    "read_membership",
    "read_places",
    "read_population",
    "read_registrations",
    "read_weighted_populations",
    "registry",
    "write_template",
]
