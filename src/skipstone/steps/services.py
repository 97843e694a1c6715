"""Services: stopped and masked, started, and asked through their APIs.

A unit that systemd calls active can serve nothing (nova-api without an application loaded answers 500 to
everything), so starting is followed by a step that asks the API.
"""

from collections.abc import Set as AbstractSet
from typing import ClassVar, Literal, Self

from pydantic import Field

from skipstone.cloud.command import OPERATOR, Command
from skipstone.cloud.hostname import short
from skipstone.steps.shell import all_active, block, blocked, last_words, quote, unblock, until, words
from skipstone.steps.step import Step, is_empty


class StopServices(Step):
    """Stop units and keep them from starting, until ``StartServices``.

    Packages' own scripts start what they install: new code on an old schema. Units in ``block`` are only
    kept from starting; they may not exist yet: the target's packages bring them. ``first`` are those of
    ``stop`` that users wait for, if these are to come back before the others.
    """

    kind: Literal["stop-services"] = "stop-services"
    stop: tuple[str, ...]
    block: tuple[str, ...] = ()
    first: tuple[str, ...] = Field((), exclude_if=is_empty)

    def is_done(self) -> Command:
        """See that all are blocked, and none of those to stop is running."""
        return self.on_host(f"""
{blocked(self.stop + self.block)}
for unit in {words(self.stop)}; do
    if systemctl --quiet is-active "$unit"; then exit 1; fi
done
""")

    def apply(self) -> Command:
        """Block first, so that nothing starts them again, then stop."""
        stop = f"systemctl stop {words(self.stop)}" if self.stop else ""
        return self.on_host(f"{block(self.stop + self.block)}\n{stop}")

    def verify(self) -> Command:
        """See that all are blocked, and none of those to stop is running."""
        return self.is_done()

    def revert(self) -> Command:
        """Unblock all, and start those that were stopped: the last one first, for the others count on it.

        A host of few processors takes a minute to start all daemons at once, and the APIs with them: where
        some are to be ``first``, the others are left for ``revert_rest``.
        """
        if not self.stop:
            return self.on_host(unblock(self.block))
        begun = f"{unblock(self.stop + self.block)}\nsystemctl start {words(self.stop[-1:])}"
        return self.on_host(f"{begun}\n{_started(self.first or self.stop)}")

    def revert_rest(self) -> Command | None:
        """Start what was left: systemd has started some of it where others want it."""
        return self.on_host(_started(self.stop)) if self.first else None


def _started(units: tuple[str, ...]) -> str:
    """Return shell lines that start units, and see that they stay up.

    A daemon that finds the broker not ready yet may end, and come up when systemd starts it once more.
    """
    return f"""\
systemctl start {words(units)} || echo 'systemd starts once more what has ended'
{until(all_active(units), seconds=120, otherwise="not all came up again")}"""


class StartServices(Step):
    """Let units start again, and start them.

    ``restart`` starts anew what runs already: it runs the old code, or has the old RPC level cached.
    """

    kind: Literal["start-services"] = "start-services"
    units: tuple[str, ...]
    restart: bool = False

    def apply(self) -> Command:
        """Unblock, then start."""
        verb = "restart" if self.restart else "start"
        return self.on_host(f"{unblock(self.units)}\nsystemctl {verb} {words(self.units)}")

    def verify(self) -> Command:
        """See that all are active."""
        return self.on_host(f"systemctl is-active {words(self.units)} || true\n{all_active(self.units)}")

    def diagnose(self) -> Command:
        """Show the last words of those that are not active."""
        return self.on_host(last_words(self.units, only_failed=True))


class WaitForApi(Step):
    """Ask an API from the operator's machine until it answers with one of ``statuses``.

    ``units`` on ``server`` are what serves it; where it does not answer, their last words tell why.
    """

    looks: ClassVar[bool] = True

    kind: Literal["wait-for-api"] = "wait-for-api"
    host: str = OPERATOR
    url: str
    statuses: tuple[int, ...]
    server: str
    units: tuple[str, ...]

    def apply(self) -> Command:
        """Ask once a second; the last status is shown when time is over."""
        pattern = "|".join(str(status) for status in self.statuses)
        ask = f"curl --silent --output /dev/null --max-time 10 --write-out '%{{http_code}}' {quote(self.url)}"
        return self.on_host(f"""
answer() {{
    status=$({ask}) || true
    case "$status" in {pattern}) return 0 ;; *) return 1 ;; esac
}}
limit=$(($(date +%s) + {self.deadline - 5}))
until answer; do
    if [ "$(date +%s)" -ge "$limit" ]; then
        echo "{self.url} answers $status, and not {" or ".join(str(s) for s in self.statuses)}" >&2
        exit 1
    fi
    sleep 1
done
echo "{self.url} answers $status"
""")

    def diagnose(self) -> Command:
        """Show the last words of what should serve it."""
        return Command(self.server, last_words(self.units) + "\n")


class AskApi(Step):
    """Read something from an API with the operator's credentials: its application and database both work."""

    looks: ClassVar[bool] = True

    kind: Literal["ask-api"] = "ask-api"
    host: str = OPERATOR
    command: str
    transient: bool = True

    def apply(self) -> Command:
        """Run the command, and again while it fails, until the deadline is near."""
        return self.on_host(f"""
limit=$(($(date +%s) + {self.deadline - 30}))
until {self.command}; do
    if [ "$(date +%s)" -ge "$limit" ]; then exit 1; fi
    sleep 2
done
""")


class WaitForAgents(Step):
    """Wait until every named agent is reported alive by the API.

    ``list_command`` is the ``openstack`` command that prints one line per agent; ``lines`` are the lines
    that it prints when all are alive.
    """

    looks: ClassVar[bool] = True

    kind: Literal["wait-for-agents"] = "wait-for-agents"
    host: str = OPERATOR
    list_command: str
    lines: tuple[str, ...]

    def without(self, hosts: AbstractSet[str]) -> Self:
        """Return it without the agents of these hosts, by whatever name each service knows them."""
        lost = set(map(short, hosts))
        lines = tuple(line for line in self.lines if not lost & set(map(short, line.split())))
        return self.model_copy(update={"lines": lines})

    def apply(self) -> Command:
        """Ask until all are alive; name those that are not when time is over."""
        if not self.lines:
            return self.on_host("echo 'there is no agent to wait for'")
        wanted = "\n".join(self.lines)
        return self.on_host(f"""
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
cat > "$work/wanted" <<'END'
{wanted}
END
missing() {{
    {self.list_command} > "$work/found" 2> "$work/errors" || tail -3 "$work/errors" >&2
    grep -vxFf "$work/found" "$work/wanted" > "$work/missing"
}}
limit=$(($(date +%s) + {self.deadline - 20}))
while missing; do
    if [ "$(date +%s)" -ge "$limit" ]; then
        echo "not alive in time:" >&2
        cat "$work/missing" >&2
        exit 1
    fi
    sleep 2
done
echo "all alive: {len(self.lines)}"
""")
