"""Packages: fetched before anything stops, then upgraded without a question asked.

The target's package lists live in a directory of their own, so fetching leaves the host's sources alone,
and the upgrade later installs exactly what was fetched: no ``apt-get update`` inside the outage. So do the
packages: apt's own cache is emptied by others (``apt-get clean``, ``APT::Periodic::AutocleanInterval``).
"""

from pathlib import PurePosixPath
from typing import Literal

from pydantic import Field

from skipstone.cloud.command import Command
from skipstone.steps import versions
from skipstone.steps.shell import place_file, quote, words
from skipstone.steps.step import Step, is_empty

# Suites stand after a blank in a deb line and on a Suites: line, or those that follow it; nothing else (a
# keyring's path) is touched. Twice: a match takes the blank that the next suite would need before it.
_SUITE = r"s@\([[:blank:]]\){old}\([-/[:blank:]]\|$\)@\1{new}\2@g"
_NAMES_OLD = r"^(deb|Suites:|[[:blank:]]).*[[:blank:]]{old}([-/[:blank:]]|$)"

_POLICY = "/usr/sbin/policy-rc.d"

QUIET = (
    "export DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none NEEDRESTART_SUSPEND=1"
    " UCF_FORCE_CONFFOLD=1 LC_ALL=C.UTF-8"
)
KEEP = "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0"


_LOCK_PATIENCE = 120
"""Seconds to wait for another holder of dpkg's lock."""

# dpkg gives up at once where apt waits. What it cannot configure is left to apt. Broken is what a reboot has
# cut off while it was unpacked: `--fix-broken` alone unpacks anew what has a newer version; of the others apt
# first configures what depends on them, which fails (apt 2.6 and 3.0)
CONFIGURE = f"""\
limit=$(($(date +%s) + {_LOCK_PATIENCE}))
until said=$(dpkg --configure -a --force-confdef --force-confold 2>&1); do
    echo "$said"
    case "$said" in *"frontend lock"*) ;; *) break ;; esac
    if [ "$(date +%s)" -ge "$limit" ]; then exit 1; fi
    sleep 5
done
echo "$said"
broken=$(dpkg-query -W -f '${{db:Status-Eflag}} ${{binary:Package}}\\n' | sed -n 's/^reinstreq //p')"""
REINSTALL = "${broken:+--reinstall}"
"""An option of apt-get: what is broken after ``CONFIGURE`` is unpacked anew, and stays automatic."""

# dpkg's own words on a full disk stand hundreds of lines before apt's last
_FULL = """\
        df --output=avail,target -x squashfs | grep -vE ' /(dev|proc|run|sys)(/|$)' |
            awk 'NR > 1 && $1 < 10240 { print "only " $1 " KiB are free on " $2 }' >&2"""

_ARCHIVES = "archives"
"""Directory below that of the upgrade: the fetched packages."""

_LOCK = "/var/lib/dpkg/lock-frontend"

_MODULES = "/usr/lib/python3/dist-packages"
_UNCOMPILED = "/usr/share/python3/bcep/skipstone"
"""Debian's own way to keep py3compile from a directory."""

# Packages compile one after the other, many of them for the Python that is about to go, and those never again
# for the one that comes: from Debian 12 to 13 half of all modules were left without byte-code, and no service
# may write it. Once, at the end, for all, with every core, is right and takes an eighth less in all.
_LATER = f"""\
mkdir -p {PurePosixPath(_UNCOMPILED).parent}
echo 'dir|3.0-4.0|{_MODULES}' > {_UNCOMPILED}"""
_COMPILE = f"""\
rm -f {_UNCOMPILED}
python3 -m compileall -qq -j 0 -x '/tests?/' {_MODULES} || echo 'not every module could be byte-compiled'"""


class FromSuite(Step):
    """What every step with the target's packages knows.

    The suites, the directory with the target's lists, and packages to ``add``: daemons that the target
    release has split off.
    """

    directory: str
    old_suite: str
    new_suite: str
    add: tuple[str, ...] = ()

    def apt(self) -> str:
        """Return ``apt-get`` with lists and packages of its own, patient with another holder of the lock."""
        patience = f"-o Acquire::Retries=3 -o DPkg::Lock::Timeout={_LOCK_PATIENCE}"
        return f"apt-get -q -y {self.lists()} -o Dir::Cache::Archives={self.directory}/{_ARCHIVES} {patience}"

    def make_whole(self) -> str:
        """Return shell lines that finish what an earlier attempt was kept from finishing."""
        return f"""\
{CONFIGURE}
{self.apt()} {KEEP} --fix-broken {REINSTALL} install $broken"""

    def lists(self) -> str:
        """Return the options with which apt's programs read the target's own lists."""
        return (
            f"-o Dir::Etc::SourceList={self.directory}/sources.list"
            f" -o Dir::Etc::SourceParts={self.directory}/parts -o Dir::State::Lists={self.directory}/lists"
        )

    def make_room(self) -> str:
        """Return shell lines that make the directory of the fetched packages; what is in it stays."""
        return f"""\
install -d -m 755 {self.directory}/{_ARCHIVES}
install -d -m 700 -o _apt {self.directory}/{_ARCHIVES}/partial"""

    def get_lists(self) -> str:
        """Return shell lines that rewrite copies of the sources, and update the private lists.

        What an earlier attempt has left goes, but not the packages that it has fetched, nor those that were
        kept to come back to: the old archive may have these no more.
        """
        once = _SUITE.format(old=self.old_suite, new=self.new_suite)
        in_deb = quote(f"/^deb/{{{once};{once}}}")
        in_suites = quote(f"/^Suites:/,/^[^[:blank:]]/{{{once};{once}}}")
        return f"""\
{self.make_room()}
find {self.directory} -mindepth 1 -maxdepth 1 ! -name {_ARCHIVES} ! -name {versions.KEPT} -exec rm -rf {{}} +
install -d -m 755 {self.directory}/parts {self.directory}/lists
install -d -m 700 -o _apt {self.directory}/lists/partial
cd {self.directory}
touch sources.list
if [ -e /etc/apt/sources.list ]; then sed {in_deb} /etc/apt/sources.list > sources.list; fi
for file in /etc/apt/sources.list.d/*.list; do
    if [ -e "$file" ]; then sed {in_deb} "$file" > "parts/$(basename "$file")"; fi
done
for file in /etc/apt/sources.list.d/*.sources; do
    if [ -e "$file" ]; then sed {in_suites} "$file" > "parts/$(basename "$file")"; fi
done
if ! cat sources.list parts/* 2>/dev/null | grep -qw {self.new_suite}; then
    echo "no package source of this host names {self.old_suite}" >&2
    exit 1
fi
if cat sources.list parts/* 2>/dev/null | grep -E {quote(_NAMES_OLD.format(old=self.old_suite))} >&2; then
    echo "these package sources still name {self.old_suite}" >&2
    exit 1
fi
{self.apt()} -o APT::Update::Error-Mode=any update"""

    def conclude(self) -> str:
        """Return shell lines that put the rewritten sources in the place of the host's own, and note the end.

        What the note vouches for is on the disk before it is.
        """
        return f"""\
if [ -e /etc/apt/sources.list ]; then cp {self.directory}/sources.list /etc/apt/sources.list; fi
for file in {self.directory}/parts/*; do
    if [ -e "$file" ]; then cp "$file" /etc/apt/sources.list.d/; fi
done
sync -f / /etc /usr
touch {self.directory}/installed"""

    def simulated(self) -> str:
        """Return the command line that tells what the upgrade would do."""
        return f"{self.apt()} --simulate dist-upgrade {words(self.add)}"


class DownloadPackages(FromSuite):
    """Fetch every package of the upgrade; the host's own sources and apt's cache stay as they are.

    It may come ``again``, just before anything stops: it does nothing but look, unless something is gone.
    The lists are fetched anew with it, for the archive may have moved on.
    """

    kind: Literal["download-packages"] = "download-packages"
    again: bool = Field(False, exclude_if=is_empty)

    def is_done(self) -> Command:
        """See that an earlier download was finished, and name what is gone since."""
        return self.on_host(f"""
test -e {self.directory}/downloaded
{QUIET}
uris=$({self._uris()})
gone=$(echo "$uris" | grep "^'" | grep -vxFf {self.directory}/downloaded | cut -d ' ' -f 2 || true)
if [ -n "$gone" ]; then
    echo "$(echo "$gone" | wc -l) packages were fetched and are gone, or others are needed now:" >&2
    echo "$gone" | sed -n 1,8p >&2
    exit 1
fi
""")

    def apply(self) -> Command:
        """Rewrite copies of the sources, update the private lists, and fetch."""
        return self.on_host(f"""
{QUIET}
{self.get_lists()}
{self.apt()} {KEEP} --download-only dist-upgrade {words(self.add)}
uris=$({self._uris()})
echo "$uris" | sed -n "/^'/p" > downloaded.part
mv downloaded.part downloaded
""")

    def verify(self) -> Command:
        """See that the download was finished."""
        return self.is_done()

    def revert(self) -> Command | None:
        """Remove the lists and the fetched packages; what was fetched again is the first one's."""
        return None if self.again else self.on_host(f"rm -rf {self.directory}")

    def _uris(self) -> str:
        """Return the command line that tells which packages apt would fetch for the upgrade.

        Once all are fetched, these are those that it installs from where they lie (``file:``, ``cdrom:``).
        """
        return f"{self.apt()} --print-uris dist-upgrade {words(self.add)}"


class KeepVersions(FromSuite):
    """Fetch what the upgrade will replace, at the versions that are installed: the way back of the upgrade.

    After the download, whose package lists it reads, and while the old archive still has them.
    """

    kind: Literal["keep-versions"] = "keep-versions"

    def is_done(self) -> Command:
        """See that those which the upgrade would replace now are kept, and whole."""
        same = versions.same(self.directory, self.simulated())
        return self.on_host(f"test -e {self.directory}/downloaded\n{same}\n{versions.intact(self.directory)}")

    def apply(self) -> Command:
        """Fetch them; what an earlier attempt has left is thrown away."""
        fetch = versions.fetch(self.directory, self.simulated())
        return self.on_host(f"{QUIET}\ntest -e {self.directory}/downloaded\n{fetch}")

    def verify(self) -> Command:
        """See that each is there and whole."""
        return self.on_host(versions.intact(self.directory))

    def revert(self) -> Command:
        """Remove them."""
        return self.on_host(f"rm -rf {self.directory}/{versions.KEPT}")


class UpgradePackages(FromSuite):
    """Install the fetched packages, operating system and OpenStack together; configuration files stay.

    Units that must not start by themselves were blocked before (``StopServices``). Those in ``hold`` run on
    through the upgrade: a policy-rc.d denies their names, and no other, for the time of this step. One that
    denies everything would keep sshd from restarting, and an old sshd cannot run the new binary (seen from
    Debian 12 to 13: nobody could log in any more). Python's modules are byte-compiled at the end, at once.
    ``kept`` says that the versions of before were kept (``KeepVersions``), so that they can come back.
    """

    kind: Literal["upgrade-packages"] = "upgrade-packages"
    hold: tuple[str, ...] = ()
    kept: bool = False

    def is_done(self) -> Command:
        """See that nothing is left to install, and nothing is half installed."""
        return self.on_host(f"""
test -e {self.directory}/installed
test ! -e {_UNCOMPILED}
test ! -e {_POLICY}
test -z "$(dpkg --audit)"
! {self.simulated()} | grep -q '^Inst'
""")

    def apply(self) -> Command:
        """Finish what was interrupted, upgrade what needs no new package, then the rest; then the sources."""
        return self.on_host(f"""
{QUIET}
test -e {self.directory}/downloaded
{self.make_room()}
{self._written_down()}{self._explained()}
{self._deny()}
{_LATER}
{self.make_whole()}
{self.apt()} {KEEP} upgrade --without-new-pkgs
{self.apt()} {KEEP} dist-upgrade {words(self.add)}
test -z "$(dpkg --audit)"
{_COMPILE}
{self.conclude()}
find /etc -name '*.dpkg-dist' -o -name '*.ucf-dist' | sed 's/^/kept our own, the package ships: /'
""")

    def revert(self) -> Command | None:
        """Install the versions that were there before; nothing where the packages were not touched yet."""
        if not self.kept:
            return None
        return self.on_host(f"""
{QUIET}
{self._explained()}
if [ ! -e {self.directory}/{versions.BEFORE} ]; then exit 0; fi
{self.make_room()}
{self._deny()}
{CONFIGURE}
{versions.bring_back(self.directory, f"{self.apt()} {KEEP} {REINSTALL}")}
""")

    def intact(self) -> Command | None:
        """See that the versions that were there before can be installed."""
        return self.on_host(versions.intact(self.directory)) if self.kept else None

    def _written_down(self) -> str:
        return versions.write_down(self.directory, self.simulated()) + "\n" if self.kept else ""

    def _explained(self) -> str:
        """Return shell lines that at the end take the policy away, and say what is not whole."""
        return f"""\
explain() {{
    code=$?
    rm -f {_POLICY} {_UNCOMPILED}
    if [ "$code" -ne 0 ]; then
        echo "apt-get exited with $code; packages that are not whole:" >&2
        dpkg --audit | sed -n 1,8p >&2  # what went wrong stands before it, and shall be seen
{_FULL}
    fi
}}
trap explain EXIT"""

    def _deny(self) -> str:
        """Return shell lines that place the policy; the unit's name stands somewhere in its arguments."""
        names = "|".join(f'*" {unit}"*' for unit in self.hold)
        deny = f'case " $* " in {names}) exit 101 ;; esac\n' if self.hold else ""
        text = f"#!/bin/sh\n# Placed by Skipstone for the time of a package upgrade.\n{deny}exit 0"
        return place_file(_POLICY, text, mode="0755", owner="root:root")

    def verify(self) -> Command:
        """See that nothing is left to install and nothing is half installed."""
        return self.is_done()

    def diagnose(self) -> Command:
        """Name the process that holds dpkg's lock, if one does."""
        return self.on_host(f"""
holder=$(awk -v inode="$(stat --format=%i {_LOCK})" '$6 ~ ":" inode "$" {{ print $5; exit }}' /proc/locks)
if [ -n "$holder" ]; then echo "dpkg's lock is held by: $(ps -o pid=,etime=,args= -p "$holder")"; fi
""")
