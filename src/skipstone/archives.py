"""Debian sources of this machine, and the same for another suite.

Skipstone knows no mirror: whatever is made of Debian's packages comes from the archives that this machine
itself uses, with the suite replaced.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from skipstone.errors import InputError

APT = Path("/etc/apt")
DEBIAN_KEYRINGS = "/usr/share/keyrings/debian-archive"
# what a mirror may need of apt: proxies, and mirrors frozen in time
CARRIED = re.compile(
    r'^Acquire::(https?::Proxy|Check-Valid-Until|Check-Date|https?::No-Proxy|ForceIPv4)\S* ".+";$'
)
LIST_LINE = re.compile(
    r"^deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$"
)


class Archive(BaseModel):
    """One suite of one Debian archive, as a ``deb`` line says it."""

    model_config = ConfigDict(frozen=True)

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""

    def line(self) -> str:
        """Return the line of sources.list."""
        options = f"[signed-by={self.signed_by}] " if self.signed_by else ""
        return f"deb {options}{self.uri} {self.suite} {' '.join(self.components)}"


def machine_archives(apt: Path = APT) -> tuple[Archive, ...]:
    """Return every binary archive that the machine's apt is configured with."""
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    found: list[Archive] = []
    for file in files:
        if file.suffix == ".list" and file.is_file():
            found.extend(parse_list(file.read_text()))
        elif file.suffix == ".sources" and file.is_file():
            found.extend(parse_stanzas(file.read_text()))
    return tuple(found)


def parse_list(text: str) -> Iterator[Archive]:
    """Parse the one-line format of sources.list(5)."""
    for line in text.splitlines():
        match = LIST_LINE.match(line.split("#")[0].strip())
        if match:
            signed = re.search(r"signed-by=(\S+)", match["options"] or "")
            yield Archive(
                uri=match["uri"],
                suite=match["suite"],
                components=tuple(match["components"].split()),
                signed_by=_own_keyring(signed[1] if signed else ""),
            )


def parse_stanzas(text: str) -> Iterator[Archive]:
    """Parse the deb822 format of sources.list(5)."""
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Archive(
                    uri=uri,
                    suite=suite,
                    components=tuple(fields.get("components", "").split()),
                    signed_by=_own_keyring(fields.get("signed-by", "")),
                )


def for_suite(
    archives: tuple[Archive, ...], own: str, suite: str, *, updates: bool = True
) -> tuple[Archive, ...]:
    """Return the machine's Debian archives for another suite, ``main`` only.

    ``own`` is the machine's own suite. The suite itself is taken and, with ``updates``, its updates and its
    security suite; no backports. Raises InputError when the machine's apt has no archive of its own suite.
    """
    wanted = {own: suite}
    if updates:
        wanted |= {f"{own}-{kind}": f"{suite}-{kind}" for kind in ("updates", "security")}
    taken = tuple(
        archive.model_copy(update={"suite": wanted[archive.suite], "components": ("main",)})
        for archive in archives
        if archive.suite in wanted and "main" in archive.components
    )
    if not any(archive.suite == suite for archive in taken):
        raise InputError(
            f"this machine's apt has no Debian archive of suite {own!r}",
            where=str(APT),
            remedy=f"add a line such as: deb MIRROR {own} main",
        )
    return taken


def machine_suite(os_release: Path = Path("/etc/os-release")) -> str:
    """Return the codename of this machine's Debian; raises InputError on another system."""
    fields = dict(line.split("=", 1) for line in os_release.read_text().splitlines() if "=" in line)
    if fields.get("ID", "").strip('"') != "debian" or "VERSION_CODENAME" not in fields:
        raise InputError(
            "this machine is not a Debian, so it has no archives of Debian's suites",
            where=str(os_release),
            evidence=fields.get("PRETTY_NAME", ""),
            remedy="use a Debian 12 or 13 machine",
        )
    return fields["VERSION_CODENAME"].strip('"')


def machine_apt_settings() -> str:
    """Return the apt settings of this machine that its archives may need, as apt.conf text."""
    done = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True, timeout=60)
    return "".join(f"{line}\n" for line in done.stdout.splitlines() if CARRIED.match(line))


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace():
            fields[name] = f"{fields.get(name, '')} {line.strip()}"
        elif ":" in line:
            name, value = line.split(":", 1)
            name = name.lower()
            fields[name] = value.strip()
    return fields


def _own_keyring(signed_by: str) -> str:
    # Debian's own keyrings are trusted in every image and have other names in other suites
    return "" if signed_by.startswith(DEBIAN_KEYRINGS) or not signed_by.startswith("/") else signed_by
