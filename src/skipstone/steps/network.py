"""Network agents, as neutron's own records have them."""

from typing import ClassVar, Literal

from skipstone.cloud.command import Command
from skipstone.steps.shell import last_words, quote, words
from skipstone.steps.step import Step


class ConfirmNetworkAgents(Step):
    """Wait until each of a host's network agents has reported to neutron since this was begun.

    ``agents`` are their names and ``compute`` their host's, both as neutron has them, in its ``database``;
    ``server`` is that host in the inventory, and ``units`` what runs there.

    The database is asked, not the API: that calls an agent alive for ``agent_down_time`` after its last
    report, which in a large cloud is longer than a host is down; and of one host in ten thousand each time,
    the API's client costs seconds of a core.
    """

    looks: ClassVar[bool] = True

    kind: Literal["confirm-network-agents"] = "confirm-network-agents"
    agents: tuple[str, ...]
    compute: str
    server: str
    units: tuple[str, ...]
    database: str = "neutron"

    def apply(self) -> Command:
        """Ask until all have reported; name those that have not when time is over."""
        return self.on_host(f"""
limit=$(($(date +%s) + {self.deadline - 10}))
last=$({self._asked("max(heartbeat_timestamp)")})
while :; do
    reported=$({self._asked("`binary`", " and heartbeat_timestamp > ")}"'$last'")
    silent=
    for agent in {words(self.agents)}; do
        case " $(echo $reported) " in *" $agent "*) ;; *) silent="$silent $agent" ;; esac
    done
    [ -n "$silent" ] || break
    if [ "$(date +%s)" -ge "$limit" ]; then
        echo "not reported to neutron from {self.compute} since $last:$silent" >&2
        exit 1
    fi
    sleep 3
done
echo "reported to neutron: {" ".join(self.agents)}"
""")

    def _asked(self, columns: str, more: str = "") -> str:
        """Return a command that prints columns of what neutron has of the host's agents."""
        host = f"host = '{self.compute}'"
        query = f"select {columns} from {self.database}.agents where {host}{more}"  # noqa: S608 - from neutron
        return f"mariadb -NBe {quote(query)}"

    def diagnose(self) -> Command:
        """Show the last words of the agents: an active one may reach neither broker nor bridge."""
        return Command(self.server, last_words(self.units) + "\n")
