"""A compute host emptied before its upgrade, and opened again after it: by Skipstone's own verbs.

They run on the operator's machine, with its inventory (``SKIPSTONE_INVENTORY``), and can be run by hand. What
they ask for is written down by plan and host, so that a later attempt, or another process, goes on with it.
"""

from typing import ClassVar, Literal

from pydantic import Field

from skipstone.cloud.command import OPERATOR, Command
from skipstone.steps.shell import quote, words
from skipstone.steps.step import Impact, Step, is_empty

WARNINGS = 1
"""Exit code of a drain or return that has let instances be where they are, and says which and why."""


class _OfCompute(Step):
    """``compute`` is the host's name in the inventory, ``plan`` the plan's id.

    ``migrations`` limits how many are on their way at a time in all of the cloud, ``per_target`` to one host;
    without them the verbs' own limits hold. ``force_complete`` lets a migration that does not end complete.
    """

    pausable: ClassVar[bool] = True

    host: str = OPERATOR
    compute: str
    plan: str
    migrations: int | None = Field(None, exclude_if=is_empty)
    per_target: int | None = Field(None, exclude_if=is_empty)
    force_complete: bool = Field(False, exclude_if=is_empty)

    def _call(self, verb: str, *options: str) -> str:
        return f"skipstone {verb} {quote(self.compute)} {words(('--plan', self.plan, *options))}"

    def _move(self, verb: str, *options: str) -> Command:
        """Return the command of a verb that moves instances; what it lets be is no failure."""
        limits = {"--at-once": self.migrations, "--per-target": self.per_target}
        given = [word for name, limit in limits.items() if limit for word in (name, str(limit))]
        given += ["--force-complete"] if self.force_complete else []
        call = self._call(verb, *options, *given)
        return self.on_host(f"{call} || {{ code=$?; [ $code = {WARNINGS} ] || exit $code; }}")


class DrainHost(_OfCompute):
    """Empty a compute host by live migration; its service takes no new instances from then on.

    ``on_stuck`` is the rule for what cannot be moved. ``reasons`` are for who reads the plan: why this host
    is drained. ``empty`` says that nothing may stay there, on or off; ``cold`` that those that are off are
    moved too. A failed attempt is repeated as it is: it goes on with what is on its way.
    """

    kind: Literal["drain-host"] = "drain-host"
    impact: Impact = Impact.INSTANCES_BLIP
    on_stuck: Literal["pause", "leave", "cold"] = "pause"
    empty: bool = Field(False, exclude_if=is_empty)
    cold: bool = Field(False, exclude_if=is_empty)
    reasons: tuple[str, ...] = ()

    def is_done(self) -> Command:
        """Ask nova and libvirt whether the host is drained."""
        return self.on_host(self._call("drain", *self._scope, "--check"))

    def apply(self) -> Command:
        """Drain it, but for what the rule leaves there."""
        return self._move("drain", *self._scope, "--on-stuck", self.on_stuck)

    def verify(self) -> Command:
        """Ask again."""
        return self.is_done()

    def revert(self) -> Command:
        """Bring back what nobody has moved on: databases that go back say that it is there.

        The host takes new ones.
        """
        return self._move("return")

    @property
    def _scope(self) -> tuple[str, ...]:
        """Options that say what has to leave the host."""
        given = {"--empty": self.empty, "--cold": self.cold}
        return tuple(name for name, wanted in given.items() if wanted)


class ReturnInstances(_OfCompute):
    """Let a drained host take new instances again; with ``moving``, bring back what was moved off it."""

    kind: Literal["return-instances"] = "return-instances"
    moving: bool = False

    def is_done(self) -> Command:
        """Ask nova whether the host is as before its drain."""
        return self.on_host(self._call("return", *self._options, "--check"))

    def apply(self) -> Command:
        """Enable the service where the drain has disabled it; move the instances back."""
        return self._move("return", *self._options)

    def verify(self) -> Command:
        """Ask again."""
        return self.is_done()

    @property
    def _options(self) -> tuple[str, ...]:
        return () if self.moving else ("--enable-only",)
