"""Skipstone upgrades running OpenStack clouds across one release or many."""

__version__ = "0.1.0"
