"""Plugins: found by entry point, refused with a clear error where they are broken."""

from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from skipstone.catalog import load_catalog
from skipstone.checks import registry
from skipstone.checks.check import Check, Upgrade
from skipstone.checks.examination import examine
from skipstone.checks.finding import Finding
from skipstone.errors import InputError

from .good_cloud import good_cloud


class CloudHasAnotherName(Check):
    """No cloud is called small."""

    id = "site-cloud-name"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find the name."""
        if upgrade.cloud.name == "small":
            yield self.warning("called small", evidence=upgrade.cloud.name, remedy="think of another")


def install(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    def found(group: str) -> tuple[EntryPoint, ...]:
        return (EntryPoint(name="site", value=value, group=group),)

    monkeypatch.setattr(registry, "entry_points", found)


def test_a_plugins_check_is_asked_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, f"{__name__}:CloudHasAnotherName")
    catalog = load_catalog()
    findings = examine(good_cloud(), catalog, catalog.release("zed"))
    assert [finding.id for finding in findings] == ["site-cloud-name"]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("no_such_package:Check", "cannot be loaded"),
        ("skipstone.checks.hosts:NoSuchCheck", "cannot be loaded"),
        ("skipstone.checks.hosts:GIB", "is no check"),
        ("skipstone.checks.hosts:DiskHasRoom", "two checks have the id disk-full"),
    ],
)
def test_a_broken_plugin_is_bad_input(monkeypatch: pytest.MonkeyPatch, value: str, what: str) -> None:
    install(monkeypatch, value)
    with pytest.raises(InputError, match=what):
        registry.all_checks()
