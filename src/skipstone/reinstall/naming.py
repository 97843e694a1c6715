"""What nova and placement call a compute host: the same before it was installed anew, and after."""

import time

from skipstone.cloud.api import ApiSilent
from skipstone.drain.nova import Nova
from skipstone.drain.paperwork import Placement
from skipstone.drain.survey import compute_of
from skipstone.errors import InputError, SkipstoneError
from skipstone.reinstall.store import Names

SECONDS, PAUSE = 180.0, 3.0
"""How long nova's word is waited for, and how often it is asked."""


def names_of(nova: Nova, placement: Placement, host: str) -> tuple[Names, bool]:
    """Return what a host is called, and whether it is up; raise InputError where it is not one node."""
    compute = placement.with_room(compute_of(nova.computes(), host))
    if not compute.node or not compute.provider:
        raise InputError(
            "nova has not exactly one node of this host, or placement no provider of it",
            where=host,
            evidence=f"node: {compute.node or 'none'}; provider: {compute.provider or 'none'}",
            remedy="see `openstack hypervisor list` and `openstack resource provider list`",
        )
    return Names(compute.service, compute.node, compute.provider), compute.up


def confirm(nova: Nova, placement: Placement, host: str, known: Names) -> None:
    """Wait until nova says that a host is up under the names that it had; raise SkipstoneError otherwise."""
    limit = time.monotonic() + SECONDS
    while True:
        try:
            found, up = names_of(nova, placement, host)
            told = f"nova and placement have {found}, and had {known}" if found != known else "it is down"
            if found == known and up:
                return
        except (ApiSilent, InputError) as error:
            told = f"{error.what} ({error.evidence})"
        if time.monotonic() >= limit:
            raise SkipstoneError(
                "nova does not have it as the host that it was",
                where=host,
                evidence=told,
                remedy="see nova-compute's log there, and /var/lib/nova/compute_id; move nothing there yet",
            )
        time.sleep(PAUSE)
