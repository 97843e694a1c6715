"""Role images: a Debian system with the packages of one role, nothing configured.

One mmdebstrap run per role installs everything in a single apt transaction; the roles are built side by side.
"""

import shlex
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from skipstone.archives import Archive, for_suite, machine_apt_settings, machine_archives, machine_suite
from skipstone.errors import LabError
from skipstone.lab.cgroup import Cgroup
from skipstone.lab.program import run, tail

BUILD_SECONDS = 1800
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
CA_LOCAL = Path("/usr/local/share/ca-certificates")
APT_SETTINGS = 'APT::Install-Recommends "false";\nAcquire::Languages "none";\nDpkg::Use-Pty "0";\n'
DPKG_SETTINGS = (
    "force-unsafe-io",
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
)
# as Debian's installer does since 10; later suites refuse to upgrade anything else
MERGED_USR = 'for d in bin sbin lib lib64; do mkdir -p "$1/usr/$d" && ln -s "usr/$d" "$1/$d"; done'
# they would take apt's lock, or serve what the lab does not use
DISABLED_UNITS = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "haproxy.service", "iscsid.socket", "keepalived.service",
    "libvirt-guests.service", "open-iscsi.service", "radvd.service", "rsync.service",
    "rtslib-fb-targetctl.service",
)  # fmt: skip


class Recipe(BaseModel):
    """Everything an image is made of; two equal recipes make the same image.

    ``units_off`` do not start at boot until the host is configured.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    suite: str
    packages: tuple[str, ...]
    archives: tuple[Archive, ...]
    apt_settings: str
    variant: str = "apt"
    units_off: tuple[str, ...] = ()


def recipe(
    name: str,
    suite: str,
    packages: Iterable[str],
    *,
    variant: str = "apt",
    units_off: Iterable[str] = (),
    updates: bool = True,
) -> Recipe:
    """Return the recipe of an image from this machine's archives; raises InputError when it has none."""
    return Recipe(
        name=name,
        suite=suite,
        packages=tuple(packages),
        variant=variant,
        units_off=tuple(units_off),
        apt_settings=machine_apt_settings(),
        archives=for_suite(machine_archives(), machine_suite(), suite, updates=updates),
    )


def bootstrap(wanted: Recipe, tree: Path, packages: Path, log: Path, group: Cgroup) -> None:
    """Fill an empty directory with the system of a recipe.

    ``packages`` keeps what was downloaded, for the next build. Raises LabError with the end of the log.
    """
    packages.mkdir(parents=True, exist_ok=True)
    process = group.start(_mmdebstrap(wanted, tree, packages), log, leaf=wanted.name)
    try:
        code = process.wait(timeout=BUILD_SECONDS)
    except BaseException:
        process.kill()
        raise
    if code != 0:
        raise LabError(
            f"image {wanted.name} could not be built",
            where=str(log),
            evidence=tail(log.read_text(errors="replace")),
            remedy="check the network and the archives of this machine's apt, then run lab up again",
        )


def _mmdebstrap(wanted: Recipe, tree: Path, packages: Path) -> list[str]:
    keep = shlex.quote(str(packages))
    archives = '"$1"/var/cache/apt/archives'
    return [
        "mmdebstrap", f"--variant={wanted.variant}", "--mode=root", "--format=directory",
        f"--include={','.join(wanted.packages)}",
        *(f"--aptopt={line}" for line in (APT_SETTINGS + wanted.apt_settings).splitlines()),
        *(f"--dpkgopt={line}" for line in DPKG_SETTINGS),
        "--skip=cleanup/apt/lists",
        f"--setup-hook={MERGED_USR}",
        f"--setup-hook=mkdir -p {archives} && cp -n {keep}/*.deb {archives}/ 2>/dev/null || :",
        f"--customize-hook=cp -n {archives}/*.deb {keep}/ 2>/dev/null || :",
        wanted.suite, str(tree), *(archive.line() for archive in wanted.archives),
    ]  # fmt: skip


def finish(wanted: Recipe, tree: Path) -> None:
    """Turn a bootstrapped tree into an image: own sources and certificates, nothing that names one host."""
    etc = tree / "etc"
    for file in (etc / "apt/sources.list.d").iterdir():
        file.unlink()
    (etc / "apt/sources.list").write_text("".join(f"{archive.line()}\n" for archive in wanted.archives))
    (etc / "apt/apt.conf.d/99mmdebstrap").unlink()
    (etc / "apt/apt.conf.d/90lab").write_text(APT_SETTINGS + wanted.apt_settings)
    (etc / "dpkg/dpkg.cfg.d/99mmdebstrap").unlink()
    (etc / "dpkg/dpkg.cfg.d/lab").write_text("".join(f"{line}\n" for line in DPKG_SETTINGS))
    for keyring in {archive.signed_by for archive in wanted.archives if archive.signed_by}:
        copy_file(Path(keyring), tree)
    trust_what_this_machine_trusts(tree)
    for name in ("hostname", "resolv.conf"):
        (etc / name).unlink(missing_ok=True)
    for key in (etc / "ssh").glob("ssh_host_*"):
        key.unlink()
    off = {*DISABLED_UNITS, *(f"{unit}.service" for unit in wanted.units_off)}
    for link in (etc / "systemd/system").glob("*.wants/*"):
        if link.name in off:
            link.unlink()
    run("systemctl", f"--root={tree}", "enable", "systemd-networkd.service")


def trust_what_this_machine_trusts(tree: Path) -> None:
    """Copy the certificate bundle, and the local ones it is made from, so that an upgrade keeps them."""
    copy_file(CA_BUNDLE, tree)
    for certificate in CA_LOCAL.glob("**/*.crt"):
        copy_file(certificate, tree)


def copy_file(file: Path, tree: Path) -> None:
    """Copy a file of this machine to the same path in a tree."""
    target = tree / file.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.write_bytes(file.read_bytes())
