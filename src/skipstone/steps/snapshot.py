"""A host's system kept as a snapshot, and brought back under its running instances.

What keeps it is a provider (``providers.py``); bringing it back is the same with each: the system's
directories are copied out of it beside the present ones, and change places with them, whole and at once. The
host is not rebooted: instances run on, on computes too.
"""

from typing import Literal

from skipstone.cloud.command import Command
from skipstone.cloud.system import LIVING, LOOSE, SYSTEM
from skipstone.steps.providers import PLACES, STATEFUL, SnapshotProvider, provider
from skipstone.steps.shell import quote, words
from skipstone.steps.step import Reversibility, Step

_PROTECTED = (
    r"^(dbus.*|getty@.*|console-getty|systemd-logind|user@.*|sshd?@.*|run-.*|skipstone-.*|ovs.*"
    r"|virtlogd|virtlockd|dm-event)\.service$"
)
"""Services that are not stopped, or started anew: of one connection or one moment, or others hang on them.

Instances do, and LVM's snapshots on ``dm-event``, which is killed after 90 s of not stopping for them.
"""

_RUNNING = (
    "systemctl list-units --type=service --state=running --no-legend --plain | awk '{print $1}'"
    f" | grep -vE {quote(_PROTECTED)}"
)
_RECORDS = "/run/libvirt/qemu"
"""Where libvirt keeps what it knows of the instances that run."""

# a directory elsewhere is in no snapshot of the root
_ON_ROOT = f"""\
for path in {words(SYSTEM)}; do
    if [ -e "/$path" ] && [ "$(stat -c %d "/$path")" != "$(stat -c %d /)" ]; then
        echo "/$path is on a file system or a subvolume of its own; nothing was done" >&2
        exit 1
    fi
done"""

_UNITS = words(f"{unit}.service" for unit in STATEFUL)
_STAND_STILL = f"""\
stateful=$(systemctl list-units --state=active --no-legend --plain {_UNITS} | awk '{{print $1}}')
if [ -n "$stateful" ]; then
    trap 'systemctl start $stateful' EXIT
    systemctl stop $stateful
fi"""

# The newer kernel is what a host boots that loses its power before all of it is back: it keeps its modules,
# without which there may be no network, until the boot loader does not name it any more
_NEWER_KERNELS = """\
newer=
for image in /boot/vmlinuz-*; do
    version=${image#/boot/vmlinuz-}
    if [ ! -e "$image" ] || [ -d "$tree/usr/lib/modules/$version" ]; then continue; fi
    newer="$newer $version"
done"""
_FOLLOWING = 'for version in $newer; do places follow / "" "usr/lib/modules/$version"; done'

# It goes once the boot loader does not name it: update-grub looks at plain files alone
_BOOT_LOADER = """\
export newer DEBIAN_FRONTEND=noninteractive
for image in /boot/initrd.img-*; do
    version=${image#/boot/initrd.img-}
    case " $newer " in *" $version "*) continue ;; esac
    if [ -e "/boot/vmlinuz-$version" ]; then update-initramfs -u -k "$version"; fi
done
for package in grub-pc grub-efi-amd64 grub-efi-arm64; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null)" = installed ]; then
        unshare --mount sh -euc '
            for version in $newer; do mount --bind /dev/null "/boot/vmlinuz-$version"; done
            exec dpkg-reconfigure "$0"' "$package"
    fi
done
for version in $newer; do
    echo "kernel $version has gone with the newer system"
    update-initramfs -d -k "$version" || true
    rm -f "/boot/vmlinuz-$version" "/boot/initrd.img-$version"
    rm -f "/boot/System.map-$version" "/boot/config-$version"
    rm -rf "/usr/lib/modules/$version"
done
for link in /vmlinuz /initrd.img; do
    if [ -L "$link" ] && [ ! -e "$link" ] && [ -e "$link.old" ]; then cp -Pf "$link.old" "$link"; fi
done"""


class _OfSnapshot(Step):
    """What the steps know about a snapshot: who makes it, and its name."""

    provider: str
    name: str

    def _provider(self) -> SnapshotProvider:
        return provider(self.provider)


class TakeSnapshot(_OfSnapshot):
    """Take a snapshot of a host's system; its revert brings the system back, whatever was done to it since.

    ``directory`` keeps which services ran, and libvirt's records of its instances. ``switch`` says that the
    host has Open vSwitch.
    """

    kind: Literal["take-snapshot"] = "take-snapshot"
    directory: str
    switch: bool = False

    def holds(self) -> tuple[str, ...]:
        """Return the host: the revert undoes whatever later steps did there."""
        return (self.host,)

    def apply(self) -> Command:
        """Write down what runs, then take it."""
        return self.on_host(f"""
{self._on_root()}
install -d -m 700 {self.directory}
{_RUNNING} > {self.directory}/running
rm -rf {self.directory}/libvirt
if [ -d {_RECORDS} ]; then cp -a {_RECORDS} {self.directory}/libvirt; fi
rm -f {self.directory}/identity
{"" if self._provider().atomic else _STAND_STILL}
{self._provider().take(self.name)}
sync
{self._provider().identify(self.name)} > {self.directory}/identity
""")

    def verify(self) -> Command:
        """Compare packages and accounts in it with the host's; other files may change by themselves."""
        return self.on_host(f"""
{self._provider().show(self.name)}
cmp "$tree/var/lib/dpkg/status" /var/lib/dpkg/status
cmp "$tree/etc/passwd" /etc/passwd
test "$(ls "$tree/usr/bin" | wc -l)" = "$(ls /usr/bin | wc -l)"
""")

    def intact(self) -> Command:
        """Compare the snapshot with what was written down of it."""
        lost = f"the snapshot {self.name} on {self.host} is gone, or was written to"
        return self.on_host(f"""
test -e {self.directory}/running
{self._provider().identify(self.name)} | cmp -s - {self.directory}/identity || {{
    echo {quote(lost)} >&2
    exit 1
}}
""")

    def revert(self) -> Command:
        """Bring the system back; nothing is changed before the whole copy is there."""
        return self.on_host(f"""
{self._provider().show(self.name)}
test -e {self.directory}/running
{self._on_root()}
{PLACES}
places stage / "$tree" {words(SYSTEM)}
{_NEWER_KERNELS}
{_FOLLOWING}
echo 'a copy of the system as it was stands ready'
{_RUNNING} | grep -vxFf {self.directory}/running > {self.directory}/stop || true
systemctl stop $(cat {self.directory}/stop) {words(STATEFUL)} epmd libvirtd 2> /dev/null || true
places follow / "" {words(LIVING)}
{self._saved_flows()}
places exchange / "" {words(SYSTEM)}
echo 'the system as it was is in its place'
{self._bring_loose()}
systemctl daemon-reexec
{self._adoption()}
while read -r unit; do
    systemctl restart "$unit" || echo "$unit ran before, and does not come up: see to it" >&2
done < {self.directory}/running
{self._restored_flows()}
cmp "$tree/var/lib/dpkg/status" /var/lib/dpkg/status
""")

    def revert_rest(self) -> Command:
        """Remove the system that was replaced, and let the boot loader forget its kernels."""
        return self.on_host(f"""
{self._provider().show(self.name)}
{PLACES}
{_NEWER_KERNELS}
places drop / restore {words(SYSTEM)}
{_BOOT_LOADER}
""")

    def _on_root(self) -> str:
        return "" if self._provider().everywhere else _ON_ROOT

    def _bring_loose(self) -> str:
        kept = "true" if self._provider().everywhere else '[ "$(stat -c %d "/$path")" = "$(stat -c %d /)" ]'
        return f"""\
for path in {words(LOOSE)}; do
    if [ ! -e "/$path" ] || ! {kept}; then continue; fi
    if [ -e "$tree/$path" ]; then cp -a "$tree/$path" "/$path"; else rm -f "/$path"; fi
done"""

    def _saved_flows(self) -> str:
        if not self.switch:
            return ""
        save = "/usr/share/openvswitch/scripts/ovs-save save-flows"
        return f"{save} $(ovs-vsctl list-br) > {self.directory}/flows"

    def _restored_flows(self) -> str:
        return f"systemctl reload openvswitch-switch\nsh -e {self.directory}/flows" if self.switch else ""

    def _adoption(self) -> str:
        """Return lines that give libvirt its own records again: an older one cannot read a newer one's."""
        return f"""\
for record in {self.directory}/libvirt/*.xml; do
    process=${{record%.xml}}.pid
    if cmp -s "$process" "{_RECORDS}/$(basename "$process")"; then cp "$record" {_RECORDS}/; fi
done"""


class DropSnapshot(_OfSnapshot):
    """Remove a snapshot: from here on the host cannot be brought back."""

    kind: Literal["drop-snapshot"] = "drop-snapshot"
    reversibility: Reversibility = Reversibility.NONE

    def apply(self) -> Command:
        """Remove it; harmless when there is none."""
        return self.on_host(self._provider().drop(self.name))
