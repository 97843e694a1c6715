"""Placement's allocations: none may be left of an instance that is not, or is elsewhere.

Nova's own audit finds them: ``nova-manage placement audit``, since Ussuri. A cloud of some years has such
allocations before its upgrade; only those that came with it are the upgrade's.
"""

from textwrap import indent
from typing import ClassVar, Literal

from skipstone.cloud.command import Command
from skipstone.steps.shell import as_user
from skipstone.steps.step import Step


class _Audit(Step):
    """What both steps know: who runs nova's ``command``, and the ``directory`` of the first one's list."""

    user: str
    command: str
    directory: str

    def _list(self, file: str) -> str:
        """Return shell lines that write what nova finds to a file, a line each; code 3: it found some."""
        return f"""\
code=0
{as_user(self.user, self.command)} > said || code=$?
case $code in 0 | 3) ;; *) tail -5 said >&2; exit 1 ;; esac
grep -v '^Processed ' said | LC_ALL=C sort > {file}
rm said"""


class NoteAllocations(_Audit):
    """Write down which allocations belong to nothing before the upgrade."""

    kind: Literal["note-allocations"] = "note-allocations"
    transient: bool = True

    def apply(self) -> Command:
        """Write the list anew: nothing of the upgrade has happened yet."""
        return self.on_host(f"""
install -d -m 755 {self.directory}
cd {self.directory}
{self._list("before")}
echo "allocations that belong to nothing: $(wc -l < before)"
""")

    def revert(self) -> Command:
        """Remove the list: it is of that day."""
        return self.on_host(f"rm -rf {self.directory}")


class AuditAllocations(_Audit):
    """See that no allocation has come that belongs to nothing; asked again while there is one.

    An instance that is being made or moved just now has such an allocation for a moment.
    """

    looks: ClassVar[bool] = True

    kind: Literal["audit-allocations"] = "audit-allocations"

    def apply(self) -> Command:
        """Compare with the list of before, until there is nothing new or time is over."""
        return self.on_host(f"""
cd {self.directory}
limit=$(($(date +%s) + {self.deadline - 60}))
while :; do
{indent(self._list("after"), "    ")}
    new=$(LC_ALL=C comm -13 before after)
    [ -n "$new" ] || break
    if [ "$(date +%s)" -ge "$limit" ]; then
        echo "allocations have come that belong to no instance; they take room from the scheduler:" >&2
        echo "$new" >&2
        exit 1
    fi
    sleep 5
done
echo "no allocation has come that belongs to nothing; from before: $(wc -l < before)"
""")
