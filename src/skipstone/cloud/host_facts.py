"""A Host from what its script answered."""

import re
from collections.abc import Iterable

from skipstone.cloud.answer import Facts
from skipstone.cloud.inventory import NO_SNAPSHOTS, InventoryHost
from skipstone.cloud.masking import Secrets, left_out
from skipstone.cloud.model import AptSource, ConfigFile, Filesystem, Host, OperatingSystem, Package, Unit

_DEB = re.compile(r"^deb(?:-src)?\s+(?:\[[^\]]*\]\s+)?\S+\s+(\S+)", re.MULTILINE)
_FIELD = re.compile(r"^(suites|enabled):\s*(.*)$", re.MULTILINE | re.IGNORECASE)


def unreachable(host: InventoryHost) -> Host:
    """Return the host of which nothing is known but its place in the inventory."""
    return Host(name=host.name, address=host.address, groups=host.groups, zone=host.zone, reachable=False)


def read_host(host: InventoryHost, facts: Facts, asked: tuple[float, float], secrets: Secrets) -> Host:
    """Return the host; ``asked`` are our clock's seconds just before and just after.

    What a script could not find out is missing in ``facts``, and unknown in the host.
    """
    system = facts.get("system", {})
    origins = facts.get("origins", {})
    return Host(
        name=host.name,
        address=host.address,
        groups=host.groups,
        zone=host.zone,
        reachable=True,
        os=OperatingSystem(**system["os"]) if system else None,
        **{key: value for key, value in system.items() if key != "os"},
        clock_offset=_clock_offset(facts, asked),
        filesystems=tuple(Filesystem(**item) for item in facts.get("filesystems", ())),
        packages=tuple(
            Package(**item, origin=origins.get(item["name"])) for item in facts.get("packages", ())
        ),
        units=tuple(Unit(**item) for item in facts.get("units", ())),
        config_files=tuple(_config_file(item, secrets) for item in facts.get("files", ())),
        apt_sources=tuple(_apt_source(item, secrets) for item in facts.get("apt_sources", ())),
        policy_rc_d=_masked(facts.get("policy_rc_d"), secrets),
        apt_lock_holder=_masked(facts.get("apt_lock_holder"), secrets),
        dpkg_audit=facts.get("dpkg_audit", ""),
        installed=facts.get("installed"),
        snapshots=_provider(host, facts.get("snapshots", [])),
        snapshot_hook=str(host.snapshot_hook or ""),
        reinstall_hook=str(host.reinstall_hook or ""),
    )


def _provider(host: InventoryHost, able: list[str]) -> str:
    """Return who keeps the host's system: as the inventory says, else the first of those that can."""
    if host.snapshots is None:
        return able[0] if able else ""
    return "" if host.snapshots == NO_SNAPSHOTS else host.snapshots


def mask_known(host: Host, secrets: Secrets) -> Host:
    """Return the host without any secret that was met on another host or in another file."""
    files = (
        file.model_copy(update={"text": secrets.everywhere(file.text)}) if file.text else file
        for file in host.config_files
    )
    sources = (
        source.model_copy(update={"text": secrets.everywhere(source.text)}) for source in host.apt_sources
    )
    return host.model_copy(
        update={
            "config_files": tuple(files),
            "apt_sources": tuple(sources),
            "policy_rc_d": host.policy_rc_d and secrets.everywhere(host.policy_rc_d),
            "apt_lock_holder": host.apt_lock_holder and secrets.everywhere(host.apt_lock_holder),
        }
    )


def suites(path: str, text: str) -> tuple[str, ...]:
    """Return the suites that a file of package sources names, in its order, without what is disabled."""
    if path.endswith(".sources"):
        return tuple(dict.fromkeys(suite for part in re.split(r"\n\s*\n", text) for suite in _deb822(part)))
    return tuple(dict.fromkeys(_DEB.findall(text)))


def _deb822(paragraph: str) -> Iterable[str]:
    fields: dict[str, str] = {key.lower(): value for key, value in _FIELD.findall(paragraph)}
    if fields.get("enabled", "yes").strip().lower() in {"no", "false"}:
        return ()
    return fields.get("suites", "").split()


def _clock_offset(facts: Facts, asked: tuple[float, float]) -> float | None:
    """Return how far the host's clock is ahead of ours, in seconds, as NTP reckons it."""
    if not {"clock_start", "clock_end"} <= facts.keys():
        return None
    start, end = float(facts["clock_start"]), float(facts["clock_end"])
    return round(((start - asked[0]) + (end - asked[1])) / 2, 3)


def _config_file(item: Facts, secrets: Secrets) -> ConfigFile:
    text = item.get("text")
    shown = None if text is None else secrets.configuration(item["path"], text)
    gaps = None if text is None else left_out(text)
    facts = {name: item[name] for name in ("path", "sha256", "size", "shipped") if name in item}
    return ConfigFile(**facts, text=shown, left_out=gaps)


def _apt_source(item: Facts, secrets: Secrets) -> AptSource:
    text = secrets.without_secrets(item["text"])
    return AptSource(path=item["path"], suites=suites(item["path"], item["text"]), text=text)


def _masked(text: str | None, secrets: Secrets) -> str | None:
    return None if text is None else secrets.without_secrets(text)
