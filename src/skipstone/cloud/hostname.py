"""Hosts' names: the inventory, nova, neutron and cinder each may have another one for the same host."""


def short(name: str) -> str:
    """Return a host's name without its domain, and without cinder's back end: ``ctl1.example.org@lvm``."""
    return name.partition("@")[0].partition(".")[0]
