"""RabbitMQ across versions that cannot read each other's data."""

from pathlib import PurePosixPath
from typing import Literal

from skipstone.cloud.command import Command
from skipstone.steps.shell import quote, unblock, until
from skipstone.steps.step import Reversibility, Step

# Only who may do what is carried over: queues and exchanges are declared anew by the services, and policies
# that mirror queues are refused by RabbitMQ 4.
_KEEP = ("users", "vhosts", "permissions", "topic_permissions", "parameters", "global_parameters")
_FILTER = (
    "import json, sys\n"
    "found = json.load(open(sys.argv[1]))\n"
    f"kept = {{name: found[name] for name in {_KEEP!r} if name in found}}\n"
    "mirrors = lambda policy: any(key.startswith('ha-') for key in policy['definition'])\n"
    "kept['policies'] = [policy for policy in found.get('policies', ()) if not mirrors(policy)]\n"
    "json.dump(kept, open(sys.argv[2], 'w'))\n"
)


class RenewBroker(Step):
    """Start the new RabbitMQ on an empty directory and give it the old users and permissions.

    RabbitMQ 3.10 to 4.0 does not start on the old data: it needs feature flags that 3.10 does not know.
    The old directory is moved aside, not removed, under a name of this upgrade's: it says that it was moved.
    ``directory`` holds the exported definitions.
    """

    kind: Literal["renew-broker"] = "renew-broker"
    reversibility: Reversibility = Reversibility.FROM_BACKUP
    directory: str
    data: str = "/var/lib/rabbitmq/mnesia"

    def is_done(self) -> Command:
        """See that it runs, and that the old users are there."""
        return self.on_host(f"test -e {self._mark('renewed')} && rabbitmqctl --quiet list_users < /dev/null")

    def _mark(self, what: str) -> str:
        """Return a file of this upgrade's that lies beside the data, and comes and goes with it."""
        return f"{self.data}.{what}-by-{PurePosixPath(self.directory).parent.name}"

    def apply(self) -> Command:
        """Move the data aside once, start, import; the default guest goes if the old broker had none."""
        running = "rabbitmqctl --quiet await_startup --timeout 5 < /dev/null > /dev/null 2>&1"
        moved = self._mark("moved")
        # rabbitmqctl drops root, so it cannot read our directory; from standard input 4.0 reads for ever
        readable = f"{self.data}.definitions.json"
        return self.on_host(f"""
{unblock(("rabbitmq-server",))}
systemctl stop rabbitmq-server
if [ -e {self.data} ] && [ ! -e {moved} ]; then
    rm -rf {self.data}.moved-by-*
    mv {self.data} {moved}
fi
systemctl start rabbitmq-server
{until(running, seconds=90, otherwise="rabbitmq-server did not start")}
umask 077
python3 -c {quote(_FILTER)} {self.directory}/definitions.json {self.directory}/kept.json
install -o rabbitmq -m 600 {self.directory}/kept.json {readable}
rabbitmqctl --quiet import_definitions {readable} < /dev/null
rm -f {readable}
if ! grep -q '"name": *"guest"' {self.directory}/kept.json; then
    rabbitmqctl --quiet delete_user guest < /dev/null 2> /dev/null || true
fi
sync -f {PurePosixPath(self.data).parent}
touch {self._mark("renewed")}
""")

    def verify(self) -> Command:
        """List the users."""
        return self.on_host("rabbitmqctl --quiet list_users < /dev/null")


class StartBroker(Step):
    """Start a broker that was blocked for the package upgrade and can read its own data."""

    kind: Literal["start-broker"] = "start-broker"

    def apply(self) -> Command:
        """Unblock, start, wait."""
        running = "rabbitmqctl --quiet await_startup --timeout 5 < /dev/null > /dev/null 2>&1"
        return self.on_host(f"""
{unblock(("rabbitmq-server",))}
systemctl start rabbitmq-server
{until(running, seconds=90, otherwise="rabbitmq-server did not start")}
""")

    def verify(self) -> Command:
        """List the users."""
        return self.on_host("rabbitmqctl --quiet list_users < /dev/null")
