"""Secured clusters and registries: who comes in delivers all, who does not is told why, and no secret is told."""
