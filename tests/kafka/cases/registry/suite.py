"""All that a registry can be besides well and secured."""

from cases.registry import availability, read_only, schemas
from cases.registry.bench import bench
from cases.suite import Suite

SUITE = Suite("registry", bench,
              one_by_one=(*availability.CASES, *schemas.CASES, *read_only.CASES),
              together=(*availability.WAITING,))
