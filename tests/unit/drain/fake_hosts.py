"""The fake cloud's hosts, as their libvirt and their disks answer."""

import re

from skipstone.cloud.command import Command, Outcome, Result
from skipstone.errors import HostUnreachable
from tests.unit.drain.fake_cloud import DrainCloud

_UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"


class FakeHosts:
    """The hosts' libvirt; ``silent`` ones cannot be reached, ``broken`` ones answer with an error."""

    def __init__(self, cloud: DrainCloud) -> None:
        self._cloud = cloud
        self.silent: set[str] = set()
        self.broken: set[str] = set()

    async def run(self, command: Command, *, deadline: float) -> Outcome:
        del deadline
        if command.host in self.silent:
            raise HostUnreachable("no session", where=command.host, evidence="connection refused")
        assert "virsh" in command.script
        if command.host in self.broken:
            return Outcome(Result.EXITED, 1, "", "failed to connect to the hypervisor", 0.0)
        if "skipstone-guests" not in command.script:
            return self._directory(command)
        lines = []
        for id_, state in self._cloud.hosts[command.host].guests.items():
            lines += [f"present {id_}"] + ([f"{state} {id_}"] if state != "shut" else [])
        return Outcome(Result.EXITED, 0, "\n".join([*lines, "skipstone-guests", ""]), "", 0.0)

    def _directory(self, command: Command) -> Outcome:
        """Answer where a guest's directory is, or whether one is left; put that aside."""
        (uuid,) = set(re.findall(_UUID, command.script))
        host = self._cloud.hosts[command.host]
        if "dumpxml" in command.script:
            return Outcome(Result.EXITED, 0, f"/instances/{uuid}\n" if uuid in host.guests else "", "", 0.0)
        left = uuid in host.directories
        if left and "mv" in command.script:
            host.directories.remove(uuid)
        return Outcome(Result.EXITED, 0, "left\n" if left else "", "", 0.0)
