"""What does not fit an instance where it is after a migration, and how a failed one is tidied up after."""

import asyncio
from collections.abc import Iterable

from skipstone.cloud.api import ApiSilent
from skipstone.drain.gear import Gear
from skipstone.drain.judgement import FAILED
from skipstone.drain.leftover import Leftover, find, put_aside
from skipstone.drain.model import Compute, Kind
from skipstone.drain.targets import Need
from skipstone.drain.testimony import Records


class Tidying:
    """Looks after one instance between ``ends``, the hosts that it is on and goes to, and tidies up once.

    ``need`` is what it shall hold in placement on either.
    """

    def __init__(self, gear: Gear, ends: Iterable[Compute], need: Need, kind: Kind) -> None:
        self._gear = gear
        self._ends = {compute.host: compute for compute in ends}
        self._need = need
        self._kind = kind
        self.done = False

    async def faults(self, records: Records) -> tuple[str, ...] | None:
        """Return what placement, neutron and the other host have that does not fit; None where one is silent.

        What it holds in all is no fault where somebody else has moved it since: it may have been resized.
        A directory that could not be put aside is no fault any more: it hinders only a later move there.
        """
        server, migration = records.server, records.migration
        here = self._here(records)
        if server is None or here is None:
            return ()
        consumer = migration.uuid if migration else ""
        need = None if records.later else self._need
        try:
            placed = await asyncio.to_thread(self._gear.placement.faults, server.id, here, need, consumer)
            bound = await asyncio.to_thread(self._gear.neutron.faults, server, here.host)
        except ApiSilent:
            return None
        left = [] if self.done else await self._left(records)
        return (*placed, *bound, *map(str, left))

    async def tidy(self, records: Records) -> None:
        """Take away what nova would have, had its migration come to an orderly end; raise ApiSilent."""
        server, migration, here = records.server, records.migration, self._here(records)
        assert server and migration and here  # noqa: S101, PT018 - for the type checker: TIDY is judged of such
        left = await self._left(records)
        self.done = True
        for leftover in left:
            await put_aside(self._gear.transport, leftover, migration.id)
        await asyncio.to_thread(self._gear.placement.settle, server.id, here, migration.uuid)
        await asyncio.to_thread(self._gear.neutron.unbind, server.id, here.host)

    def knows(self, records: Records) -> bool:
        """Say whether the instance is on one of the two hosts, by nova's record."""
        return self._here(records) is not None

    def _here(self, records: Records) -> Compute | None:
        return self._ends.get(records.server.host or "") if records.server else None

    async def _left(self, records: Records) -> list[Leftover]:
        """Return what a failed live migration has left of the instance's files; a cold one keeps some."""
        migration, here, names = records.migration, self._here(records), self._gear.names
        failed = migration is not None and migration.status in FAILED
        if not failed or here is None or self._kind is not Kind.LIVE or here.host not in names:
            return []
        others = [names[host] for host in self._ends if host != here.host and host in names]
        assert records.server  # noqa: S101 - for the type checker: it is here
        found = [
            await find(self._gear.transport, names[here.host], other, records.server.id) for other in others
        ]
        return [one for one in found if one]
