"""What users' requests are in the middle of: seen to be over before the services that work on it stop."""

from typing import ClassVar, Literal

from pydantic import Field

from skipstone.cloud.command import Command
from skipstone.steps.shell import quote
from skipstone.steps.step import Step, is_empty

_SHOWN = 20
_RESIZED = "resized, task none"
"""How an instance is told that waits for a person: no time brings it to an end."""
_WHAT_TO_DO = f"""\
{_RESIZED}: openstack server resize confirm ID, or revert
where nothing works on an instance or volume any more: openstack server set --state active ID, \
openstack volume set --state available ID
a stack: openstack stack cancel ID
where users begin ever new ones: refuse their requests at the load balancer for this while
then: skipstone resume"""


class WaitForWorkloads(Step):
    """Wait for a moment in which no instance, volume or stack is halfway, at the host of the databases.

    A task whose service goes away stays in its state for ever. ``instances``, ``volumes`` and ``stacks`` name
    the databases of nova's cell, of cinder and of heat; an empty one is not there. They are asked, and not
    the APIs, because a list of some ten thousand instances takes the API minutes. A resize that waits to be
    confirmed is told at once, all else when time is over.
    """

    looks: ClassVar[bool] = True

    kind: Literal["wait-for-workloads"] = "wait-for-workloads"
    instances: str = Field("", exclude_if=is_empty)
    volumes: str = Field("", exclude_if=is_empty)
    stacks: str = Field("", exclude_if=is_empty)

    def apply(self) -> Command:
        """Ask every two seconds; name some of what is left, and how many there are."""
        asked = " &&\n".join(f"    mariadb -NBe {quote(query)}" for query in self._queries()) or "    :"
        return self.on_host(f"""
halfway() {{
{asked}
}}
limit=$(($(date +%s) + {self.deadline - 60}))
told=
while :; do
    found=$(halfway)
    if [ -z "$found" ]; then break; fi
    count=$(echo "$found" | wc -l)
    if [ "$(date +%s)" -ge "$limit" ] || echo "$found" | grep -q '{_RESIZED}$'; then
        echo "halfway, and it would stay so when the services stop: $count" >&2
        echo "$found" | head -n {_SHOWN} >&2
        if [ "$count" -gt {_SHOWN} ]; then echo "and $((count - {_SHOWN})) more" >&2; fi
        echo {quote(_WHAT_TO_DO)} >&2
        exit 1
    fi
    if [ -z "$told" ]; then
        echo "waited for: $count"
        echo "$found" | head -n {_SHOWN}
        told=yes
    fi
    sleep 2
done
echo "no instance, volume or stack is halfway"
""")

    def _queries(self) -> tuple[str, ...]:
        # one by one: the databases' collations may differ, and a union of them is refused
        found = (
            (self.instances, _INSTANCES),
            (self.volumes, _VOLUMES),
            (self.stacks, _STACKS),
        )
        return tuple(query.format(database=name) for name, query in found if name)


_INSTANCES = (
    "select concat('instance ', uuid, ' ', coalesce(display_name, ''), ' on ', coalesce(host, 'no host'),"
    " ': ', coalesce(vm_state, 'no state'), ', task ', coalesce(task_state, 'none'))"
    " from {database}.instances"
    " where deleted = 0 and (task_state is not null or vm_state in ('building', 'resized'))"
    " order by vm_state = 'resized' desc, updated_at"
)
_VOLUMES = (
    "select concat('volume ', id, ' ', coalesce(display_name, ''), ': ', status)"
    " from {database}.volumes where deleted = 0 and status not like 'error%'"
    " and status not in ('available', 'in-use', 'reserved', 'maintenance') order by updated_at"
)
_STACKS = (
    "select concat('stack ', id, ' ', coalesce(name, ''), ': ', action, '_', status)"
    " from {database}.stack where deleted_at is null and status = 'IN_PROGRESS' order by updated_at"
)
