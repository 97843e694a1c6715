"""A compute host installed anew: emptied before, itself again after.

Who installs it is the *hook*, a program on the operator's machine, which exits with 0 where it is done:

    install HOST DEBIAN RELEASE   put a system of this Debian there; return when its sshd answers
    show HOST                     print the SSH host keys of the system that is there, one a line

The hook may wipe the disks: what is not on them any more is in the identity that was kept before, on the
operator's machine. Nothing brings the old system back.
"""

from typing import ClassVar, Literal

from skipstone.cloud.command import OPERATOR, Command
from skipstone.steps.shell import calling, quote, words
from skipstone.steps.step import Reversibility, Step


class _OfCompute(Step):
    """``compute`` is the host's name in the inventory, ``plan`` the plan's id."""

    host: str = OPERATOR
    compute: str
    plan: str

    def _run(self, verb: str, *options: str) -> str:
        return f"skipstone reinstall {verb} {quote(self.compute)} {words(('--plan', self.plan, *options))}"


class _ByHook(_OfCompute):
    """``hook`` is the path of the program on the operator's machine; ``debian`` is what it installs."""

    reversibility: Reversibility = Reversibility.NONE
    hook: str
    debian: str

    def _hook(self) -> str:
        return calling(self.hook, "reinstall")

    def _shown(self) -> str:
        """Return shell lines that ask the hook what is there."""
        none = f"the reinstall hook shows nothing of {self.compute}"
        return f"""\
{self._hook()}
said=$(call show {quote(self.compute)})
if [ -z "$said" ]; then echo {quote(none)} >&2; exit 1; fi"""


class KeepIdentity(_OfCompute):
    """Copy what makes a host itself to the operator's machine, for its owner's eyes only.

    Keys and passwords are among it, so it is in no plan, no journal and no log.
    """

    kind: Literal["keep-identity"] = "keep-identity"

    def apply(self) -> Command:
        """Read it from the host; what an earlier attempt has left is replaced."""
        return self.on_host(self._run("keep"))

    def verify(self) -> Command:
        """See that it is there and whole."""
        return self.on_host(self._run("check"))

    def revert(self) -> Command:
        """Remove it."""
        return self.on_host(self._run("forget"))


class ReinstallHost(_ByHook):
    """Let the hook install a host anew, which nothing undoes.

    Asked first: is its identity kept, and is nothing left on it, on or off? Once that was answered a further
    attempt does not ask the host again: there may be none.
    """

    kind: Literal["reinstall-host"] = "reinstall-host"
    release: str

    def apply(self) -> Command:
        """Ask whether its disks may go, then call the hook."""
        return self.on_host(f"""
{self._hook()}
{self._run("allow")}
call install {words((self.compute, self.debian, self.release))}
""")

    def verify(self) -> Command:
        """See that the hook shows a system, and tell its keys by a hash."""
        return self.on_host(f'{self._shown()}\nprintf %s "$said" | sha256sum')


class RestoreIdentity(_ByHook):
    """Make a fresh system the host that it was, before its packages come; it boots once, as that host.

    The first connection is to the keys that the hook shows; from the boot on the host has its own again.
    """

    kind: Literal["restore-identity"] = "restore-identity"

    def apply(self) -> Command:
        """See that it is another system, and the right one; bring everything back, boot, wait for it."""
        restore = self._run("restore", "--debian", self.debian)
        return self.on_host(f"{self._shown()}\nprintf '%s\\n' \"$said\" | {restore}")


class SettleIdentity(Step):
    """Bring back what packages were needed for: units' states, bridges, libvirt's sockets, the node's UUID.

    Configuration comes once more, for packages write into it. ``directory`` has what was restored.
    """

    kind: Literal["settle-identity"] = "settle-identity"
    reversibility: Reversibility = Reversibility.NONE
    directory: str
    units: tuple[str, ...] = ("libvirtd",)

    def apply(self) -> Command:
        """Run the program that lies there."""
        return self.on_host(
            f"python3 {self.directory}/bringing.py settle {self.directory} {quote(','.join(self.units))}"
        )

    def verify(self) -> Command:
        """See that libvirt answers, and the node's UUID is there."""
        return self.on_host(
            "virsh --connect qemu:///system list > /dev/null\ntest -s /var/lib/nova/compute_id"
        )


class ConfirmIdentity(_OfCompute):
    """See in nova and placement that a host is the one that it was: service, node and provider."""

    looks: ClassVar[bool] = True

    kind: Literal["confirm-identity"] = "confirm-identity"

    def apply(self) -> Command:
        """Compare with what was noted before."""
        return self.on_host(self._run("confirm"))


class DropIdentity(_OfCompute):
    """Remove what was kept of a host: it is on it again, and holds secrets.

    The host's own copy goes too.
    """

    kind: Literal["drop-identity"] = "drop-identity"
    reversibility: Reversibility = Reversibility.NONE
    directory: str

    def apply(self) -> Command:
        """Remove it, harmless where there is none."""
        return self.on_host(self._run("forget", "--copy", self.directory))
