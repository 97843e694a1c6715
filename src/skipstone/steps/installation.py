"""Packages of a host that was installed anew: those that it had, from the target's suite."""

from typing import Literal

from skipstone.cloud.command import Command
from skipstone.steps.packages import KEEP, QUIET, FromSuite
from skipstone.steps.shell import block, words
from skipstone.steps.step import Reversibility


class InstallPackages(FromSuite):
    """Install a compute's packages on a fresh system; what its configuration needs is there before.

    ``add`` are the packages of its daemons, which must be there. ``also`` are others that it had: one that
    the target's archive has no more is named, and left out. Units in ``blocked`` do not start before
    ``StartServices``. The package sources of before, rewritten for the target, take the place of the image's.
    """

    kind: Literal["install-packages"] = "install-packages"
    reversibility: Reversibility = Reversibility.NONE
    also: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()

    def is_done(self) -> Command:
        """See that an earlier attempt has come to its end, and nothing is half installed."""
        return self.on_host(f'test -e {self.directory}/installed\ntest -z "$(dpkg --audit)"')

    def apply(self) -> Command:
        """Block the units, get the lists, install; a package's own configuration does not replace ours."""
        return self.on_host(f"""
{QUIET}
{block(self.blocked)}
{self.get_lists()}
{self.make_whole()}
found=
for name in {words(self.also)}; do
    if apt-cache {self.lists()} show --no-all-versions "$name" 2> /dev/null | grep -q '^Package:'; then
        found="$found $name"
    else
        echo "{self.new_suite} has no package $name any more: it is left out"
    fi
done
{self.apt()} {KEEP} install {words(self.add)} $found
test -z "$(dpkg --audit)"
{self.conclude()}
""")

    def verify(self) -> Command:
        """See that every package of its daemons is whole."""
        return self.on_host(f"""
for name in {words(self.add)}; do
    [ "$(dpkg-query -W -f '${{db:Status-Status}}' "$name")" = installed ] || {{
        echo "$name is not installed" >&2
        exit 1
    }}
done
""")
