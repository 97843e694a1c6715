"""The way back of packages where the operating system stays: the versions that were installed before.

What an upgrade will replace or remove is fetched while the old archive still has it. Before the first package
changes, what is installed and ``/etc`` are written down; the way back ends only where both lists are equal.
Across two releases of Debian there is no such way: maintainers' scripts do not go back (``docs/adr``, 5).
"""

from skipstone.cloud.system import LIVING
from skipstone.steps.shell import RELOAD_UNITS, quote

_APART = " ".join(f"--exclude={path}" for path in LIVING)
"""What follows running instances stays as it is, as where a snapshot brings the system back."""

KEPT, BEFORE = "kept", "before"
"""Directories below that of the upgrade: the packages to come back to, and what there was."""

_LIST = (
    "dpkg-query --show --showformat='${binary:Package}\\t${Version}\\t${db:Status-Abbrev}\\n' | LC_ALL=C sort"
)

# Inst keystone [22.0.2-0+deb12u3] (22.0.2-0+deb12u6 ...); what comes new has no version in brackets
_REPLACED = r"""sed -nE 's/^(Inst|Remv) ([^ ]+) \[([^]]+)\].*/\2=\3/p'"""


def fetch(directory: str, simulate: str) -> str:
    """Return lines that fetch every package that ``simulate`` would replace or remove, as it is installed.

    A package that no archive has any more is made of its installed files, where dpkg-repack is there.
    """
    return f"""\
rm -rf {directory}/{KEPT} {directory}/{KEPT}.part
install -d -m 755 -o _apt {directory}/{KEPT}.part
cd {directory}/{KEPT}.part
{simulate} > simulated
{_REPLACED} simulated | LC_ALL=C sort > replaced
if [ -s replaced ] && ! apt-get -q -o Acquire::Retries=3 download $(cat replaced); then
    missing=
    for one in $(cat replaced); do
        apt-get -q download "$one" || dpkg-repack "${{one%%=*}}" || missing="$missing $one"
    done
    if [ -n "$missing" ]; then
        echo "no archive of this host has these any more, and dpkg-repack could not make them:$missing" >&2
        exit 1
    fi
fi
for deb in *.deb; do
    if [ -e "$deb" ]; then sha256sum "$deb"; fi
done > manifest
cd ..
mv {KEPT}.part {KEPT}"""


def same(directory: str, simulate: str) -> str:
    """Return a command that succeeds where ``simulate`` would replace or remove exactly what was kept."""
    replaced = f"{simulate} | {_REPLACED} | LC_ALL=C sort"
    return f"test -e {directory}/{KEPT}/replaced && {replaced} | cmp -s - {directory}/{KEPT}/replaced"


def write_down(directory: str, simulate: str) -> str:
    """Return lines that write down what is installed, once; they fail where the way back has a gap."""
    gap = "other packages would be replaced than those that were kept: fetch them again"
    return f"""\
if [ ! -e {directory}/{BEFORE} ]; then
    {{ {same(directory, simulate)}; }} || {{
        echo {quote(gap)} >&2
        exit 1
    }}
    rm -rf {directory}/{BEFORE}.part
    install -d -m 700 {directory}/{BEFORE}.part
    {_LIST} > {directory}/{BEFORE}.part/packages.tsv
    apt-mark showhold | LC_ALL=C sort > {directory}/{BEFORE}.part/held
    apt-mark showauto | LC_ALL=C sort > {directory}/{BEFORE}.part/automatic
    (umask 077; tar --create --gzip --file {directory}/{BEFORE}.part/etc.tar.gz {_APART} --directory / etc)
    sync
    mv {directory}/{BEFORE}.part {directory}/{BEFORE}
    sync {directory}
fi"""


def intact(directory: str) -> str:
    """Return lines that fail where a kept package is gone or damaged."""
    lost = quote(f"the packages in {directory}/{KEPT} are gone or damaged")
    check = f"cd {directory}/{KEPT} && sha256sum --quiet --check manifest"
    return f"{{ {check}; }} || {{ echo {lost} >&2; exit 1; }}"


def bring_etc(before: str) -> str:
    """Return lines that put ``/etc`` back, each file in one move that comes to the disk after what is in it.

    tar alone removes a file and writes it anew: a host that loses its power then has an empty passwd.
    """
    return f"""\
etc=/etc/.skipstone-etc
rm -rf "$etc"
install -d -m 700 "$etc"
tar --extract --gzip --file {before}/etc.tar.gz {_APART} --directory "$etc"
sync -f "$etc"
(cd "$etc/etc" && find . -type d) | while read -r path; do
    if [ -L "/etc/$path" ]; then rm "/etc/$path"; fi
done
cp -a --link --force "$etc/etc/." /etc
rm -rf "$etc\""""


def bring_back(directory: str, apt: str) -> str:
    """Return lines that install what was installed, remove what came new, and put marks and ``/etc`` back.

    ``apt`` is apt-get with its options. Files that came new below ``/etc`` stay. What was written down goes
    at the end, in one move: half of it would be brought back again, in vain.
    """
    return f"""\
before={directory}/{BEFORE}
rm -rf "$before.gone"
rm -f {directory}/installed
{_LIST} > {directory}/now
cut -f 1 "$before/packages.tsv" > {directory}/known
new=$(awk -F '\\t' '$3 !~ /^r/ {{ print $1 }}' {directory}/now | grep -vxFf {directory}/known || true)
set --
for deb in {directory}/{KEPT}/*.deb; do
    if [ -e "$deb" ]; then set -- "$@" "$deb"; fi
done
for name in $new; do set -- "$@" "$name-"; done
if [ $# -gt 0 ]; then
    {apt} --allow-downgrades --allow-change-held-packages install "$@"
fi
left=$({_LIST} | cut -f 1 | grep -vxFf {directory}/known || true)
if [ -n "$left" ]; then dpkg --purge $left; fi
{bring_etc('"$before"')}
again() {{
    apt-mark "show$1" | LC_ALL=C sort > {directory}/marked
    LC_ALL=C comm -23 "$before/$2" {directory}/marked | xargs -r apt-mark -qq "$1"
    LC_ALL=C comm -13 "$before/$2" {directory}/marked | xargs -r apt-mark -qq "$3"
}}
again auto automatic manual
again hold held unhold
{RELOAD_UNITS}
test -z "$(dpkg --audit)"
{_LIST} > {directory}/now
diff "$before/packages.tsv" {directory}/now >&2 || {{
    echo "these packages are not what they were" >&2
    exit 1
}}
sync -f / /etc /usr /var
mv "$before" "$before.gone"
rm -rf "$before.gone" {directory}/now {directory}/known {directory}/marked"""
