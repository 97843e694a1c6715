"""A compute host upgraded under its running instances.

QEMU processes belong to nobody's restart: libvirt's unit leaves them alone (KillMode=process) and the new
daemon adopts them. The one gap that instances see is the virtual switch.
"""

from textwrap import indent
from typing import ClassVar, Literal

from skipstone.cloud.command import Command
from skipstone.steps.shell import forgive, quote
from skipstone.steps.step import Impact, Step

# jobs have not the locale and time zone of questions over ssh, and tzdata itself is upgraded in between
_QEMU = "TZ=UTC ps -C qemu-system-x86_64,qemu-system-x86,qemu-kvm,kvm -o pid=,lstart= | LC_ALL=C sort"

_TOLD = """\
    echo "see why each of them has ended; 'skipstone resume' then goes on without them" >&2
    echo "$lost" > {directory}/lost
"""


def _write_list(directory: str) -> str:
    """Return shell lines that write the list whole or not at all."""
    return f"{_QEMU} > {directory}/qemu.part\nmv {directory}/qemu.part {directory}/qemu"


class RecordInstances(Step):
    """Write down which QEMU processes run on this host, and since when."""

    kind: Literal["record-instances"] = "record-instances"
    directory: str

    def apply(self) -> Command:
        """Write the list anew: nothing was done to this host yet, and an earlier run's list is of its day."""
        return self.on_host(f"""
install -d -m 755 {self.directory}
rm -f {self.directory}/lost
{_write_list(self.directory)}
echo "instances running: $(wc -l < {self.directory}/qemu)"
""")

    def revert(self) -> Command:
        """Remove the list: it is of that day."""
        return self.on_host(f"rm -f {self.directory}/qemu {self.directory}/lost")


class ReloadVirtualSwitch(Step):
    """Bring Open vSwitch to the installed version, keeping its flows.

    The unit's own reload saves and restores the flows too, but in Debian 13 (3.5.0, datapath in user space)
    they are gone again when it has ended, and traffic stops until a neutron agent has filled the bridges:
    41 s in the lab, against 2 s when they are restored once more. No agent may run meanwhile: neutron's of
    2025.1 does not recover from a switch that goes away under it.
    """

    kind: Literal["reload-virtual-switch"] = "reload-virtual-switch"
    impact: Impact = Impact.INSTANCES_BLIP

    def is_done(self) -> Command:
        """Compare the running daemon's version with the installed one."""
        return self.on_host("""
running=$(ovs-appctl version | head -1 | awk '{print $NF}')
installed=$(ovs-vswitchd --version | head -1 | awk '{print $NF}')
test "$running" = "$installed"
""")

    def apply(self) -> Command:
        """Save the flows, reload, restore them; or start what somebody stopped."""
        return self.on_host("""
systemctl daemon-reload
if systemctl --quiet is-active openvswitch-switch; then
    restore=$(mktemp)
    /usr/share/openvswitch/scripts/ovs-save save-flows $(ovs-vsctl list-br) > "$restore"
    systemctl reload openvswitch-switch
    sh -e "$restore"
    rm -f "$restore"
else
    systemctl start openvswitch-switch
fi
ovs-appctl version | head -1
""")

    def verify(self) -> Command:
        """Compare the running daemon's version with the installed one."""
        return self.is_done()


class AdoptInstances(Step):
    """Start the new libvirt daemon and see that it knows every instance that ran before.

    An instance may also have ended by itself: a guest that was shut down. So what has gone stops the run
    once, for a person to see, and the next attempt goes on without it.
    """

    kind: Literal["adopt-instances"] = "adopt-instances"
    directory: str
    units: tuple[str, ...] = ("libvirtd",)

    def apply(self) -> Command:
        """Restart libvirt; compare QEMU's processes with the record, and libvirt's count with theirs."""
        return self.on_host(f"""
systemctl daemon-reload
{forgive(self.units)}
systemctl restart {" ".join(self.units)}
{self._compare(_TOLD.format(directory=self.directory))}
""")

    def verify(self) -> Command:
        """Compare again."""
        return self.on_host(self._compare())

    def reset(self) -> Command:
        """Write the list anew where an attempt has told what is lost of it; what is lost later fails."""
        return self.on_host(f"""
if [ -e {self.directory}/lost ]; then
{indent(_write_list(self.directory), "    ")}
    rm {self.directory}/lost
fi
""")

    def _compare(self, told: str = "") -> str:
        """Return lines that compare; ``told`` are those for when lost ones were named."""
        return f"""
lost=$({_QEMU} | LC_ALL=C comm -13 - {self.directory}/qemu)
if [ -n "$lost" ]; then
    echo "instances that ran before do not run any more (process, and since when, in UTC):" >&2
    echo "$lost" >&2
{told}    exit 1
fi
running=$({_QEMU} | wc -l)
known=$(virsh --connect qemu:///system list --name | grep -c . || true)
if [ "$known" -lt "$running" ]; then
    echo "libvirt knows $known of $running running instances" >&2
    exit 1
fi
echo "libvirt knows all $running running instances"
"""


class _OfComputeService(Step):
    """What the steps know about nova's record of a compute service, in the ``database`` of its cell."""

    compute: str
    version: int
    database: str = "nova"

    @property
    def _table(self) -> str:
        return f"{self.database}.services"

    @property
    def _condition(self) -> str:
        return f"deleted = 0 and `binary` = 'nova-compute' and host = '{self.compute}'"

    def _asked(self, columns: str) -> str:
        """Return a command that prints columns of the record."""
        query = f"select {columns} from {self._table} where {self._condition}"  # noqa: S608 - from the catalog
        return f"mariadb -NBe {quote(query)}"


class NoteServiceVersion(_OfComputeService):
    """Show nova's record of a compute service; its revert sets the version that is there now again.

    A compute that is brought back would refuse to start (ServiceTooOld): nova holds the old code against the
    version that the new code has left in the very record, and only a compute that starts renews it.
    """

    undone_anyway: ClassVar[bool] = True

    kind: Literal["note-service-version"] = "note-service-version"

    def apply(self) -> Command:
        """See that the record has this version."""
        return self.on_host(f"""
found=$({self._asked("version")})
if [ "$found" != {self.version} ]; then
    echo "nova-compute on {self.compute} is at version $found, not {self.version}" >&2
    exit 1
fi
""")

    def revert(self) -> Command:
        """Set it."""
        change = f"update {self._table} set version = {self.version} where {self._condition}"  # noqa: S608
        return self.on_host(f"mariadb -e {quote(change)}")


class ConfirmServiceVersion(_OfComputeService):
    """Wait until nova's record of a compute service shows the target's version, and a report after it.

    The version is written as the service starts; one that ends a moment later would leave it there. Only a
    service that lives on reports (``report_count``, every ``report_interval``: 10 s).
    """

    looks: ClassVar[bool] = True

    kind: Literal["confirm-service-version"] = "confirm-service-version"

    def apply(self) -> Command:
        """Ask the database of the cell."""
        return self.on_host(f"""
limit=$(($(date +%s) + {self.deadline - 10}))
first=
while :; do
    set -- $({self._asked("version, report_count")})
    if [ "${{1:-}}" = {self.version} ]; then
        first=${{first:-$2}}
        if [ "$2" -gt "$first" ]; then exit 0; fi
    fi
    if [ "$(date +%s)" -ge "$limit" ]; then
        echo "nova-compute on {self.compute} is at version ${{1:-unknown}}, not {self.version}," \\
            "or does not report" >&2
        exit 1
    fi
    sleep 1
done
""")
