"""What OpenStack is, as data: releases, services, routes; no input or output beyond YAML."""

from skipstone.catalog.catalog import Catalog
from skipstone.catalog.loader import load_catalog
from skipstone.catalog.release import Release
from skipstone.catalog.service import Kind, Outcome, Place, Purpose, Service

__all__ = ["Catalog", "Kind", "Outcome", "Place", "Purpose", "Release", "Service", "load_catalog"]
