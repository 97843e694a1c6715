"""A host that is a virtual machine, kept and brought back whole by its hypervisor or cloud.

Who does it is the *hook*, a program on the operator's machine. It is called with a verb, the host's name and
the snapshot's, and exits with 0 where it is done:

    take      keep the machine as it is now, under this name, which is free
    show      print what stays the same while it is the same snapshot; nothing, or an error, without it
    restore   bring the machine back to it, and start or resume it
    drop      remove the snapshot; harmless where there is none

Everything on the machine's disks goes back, Skipstone's own records there too. So nothing that stands there
may be believed afterwards but one mark: made before the snapshot, and taken away after it, it is there again
exactly where the machine has come back.
"""

from typing import Literal

from skipstone.cloud.command import OPERATOR, Command
from skipstone.steps.shell import calling, quote, until, words
from skipstone.steps.step import Reversibility, Step

BACK_SECONDS = 900
"""How long a machine that answers may still be the old one: a hook may return before its work is done."""

BOOT_SECONDS = 300
"""How long is waited for the end of its boot; what does not come up then is found by what follows."""

_MARK = "as-kept"


class _OnMachine(Step):
    """``directory`` is Skipstone's place on the host for the mark."""

    directory: str


class SettleMachine(_OnMachine):
    """Mark the state that is kept next; the revert waits until the machine is there again.

    It is asked for as long as the deadline says, for the machine is booted meanwhile.
    """

    kind: Literal["settle-machine"] = "settle-machine"
    transient: bool = True  # a wait that began on the old machine is lost with it

    def apply(self) -> Command:
        """Make the mark, and write everything to the disks."""
        return self.on_host(f"install -d -m 700 {self.directory}\n: > {self.directory}/{_MARK}\nsync")

    def revert(self) -> Command:
        """Wait for the mark, then for the end of the boot."""
        other = f"{self.host} answers, but is not what it was at its snapshot: see what the hook has done"
        return self.on_host(f"""
{until(f"[ -e {self.directory}/{_MARK} ]", seconds=BACK_SECONDS, otherwise=other)}
echo '{self.host} is back'
timeout {BOOT_SECONDS} systemctl is-system-running --wait || true
""")


class LeaveMachineSnapshot(_OnMachine):
    """Take the mark away: from here on the machine is not what was kept."""

    kind: Literal["leave-machine-snapshot"] = "leave-machine-snapshot"

    def apply(self) -> Command:
        """Remove it, also from the disk."""
        return self.on_host(f"rm -f {self.directory}/{_MARK}\nsync")


class _ByHook(Step):
    """What the hook is told: ``hook`` is its path on the operator's machine, ``machine`` the host's name."""

    host: str = OPERATOR
    hook: str
    machine: str
    name: str

    def _hook(self) -> str:
        """Return the shell function that calls the hook."""
        return calling(self.hook, "snapshot")

    def _call(self, verb: str) -> str:
        return f"call {verb} {words((self.machine, self.name))}"


class TakeMachineSnapshot(_ByHook):
    """Let the hook keep a host's machine; the revert brings all of it back, and it boots or resumes there.

    ``directory`` is where the host has the mark. A retry begins with an empty place.
    """

    kind: Literal["take-machine-snapshot"] = "take-machine-snapshot"
    directory: str

    def holds(self) -> tuple[str, ...]:
        """Return the host: the revert undoes whatever later steps did there."""
        return (self.machine,)

    def apply(self) -> Command:
        """Refuse where the machine is the operator's own; drop what is kept under this name, and take it."""
        own = f"this is {self.machine} itself, which would lose this run's journal: run Skipstone elsewhere"
        return self.on_host(f"""
if [ -e {self.directory} ]; then echo {quote(own)} >&2; exit 1; fi
{self._hook()}
{self._call("drop")}
{self._call("take")}
""")

    def verify(self) -> Command:
        """See that the hook shows it, and tell it by a hash: the hook may print what is nobody's business."""
        return self.on_host(self._shown())

    def intact(self) -> Command:
        """Compare what the hook shows now with what its verification has told (``$verified``)."""
        other = f"the snapshot {self.name} of {self.machine} is not the one that was taken"
        return self.on_host(f"""
shown() {{
{self._shown()}
}}
found=$(shown)
if [ "$found" != "$verified" ]; then echo {quote(other)} >&2; exit 1; fi
""")

    def revert(self) -> Command:
        """Let the hook bring the machine back."""
        return self.on_host(f"{self._hook()}\n{self._call('restore')}")

    def _shown(self) -> str:
        none = f"the snapshot hook shows no snapshot {self.name} of {self.machine}"
        return f"""\
{self._hook()}
said=$({self._call("show")})
if [ -z "$said" ]; then echo {quote(none)} >&2; exit 1; fi
printf %s "$said" | sha256sum"""


class DropMachineSnapshot(_ByHook):
    """Let the hook remove a snapshot: from here on the machine cannot be brought back."""

    kind: Literal["drop-machine-snapshot"] = "drop-machine-snapshot"
    reversibility: Reversibility = Reversibility.NONE

    def apply(self) -> Command:
        """Remove it; harmless when there is none."""
        return self.on_host(f"{self._hook()}\n{self._call('drop')}")
