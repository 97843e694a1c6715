"""uWSGI files, units and paste files in a plan: which are converted, and how grave it is if one cannot be."""

import pytest

from skipstone.catalog import load_catalog
from skipstone.checks.finding import Severity
from skipstone.cloud.model import ConfigFile
from skipstone.plan.configuration import Carrying, Configuration, configuration
from tests.unit.plan.test_configuration import found, host, of, told

UWSGI = "# ours\n[uwsgi]\n\nwsgi-file = /usr/bin/nova-api-wsgi\nprocesses = 16\n"
NOVA, APPS = "/etc/nova/nova-api-uwsgi.ini", "/etc/uwsgi/apps-enabled/nova.ini"
DROP_IN = "/etc/systemd/system/{}.service.d/ours.conf"
PASTE = "[app:old]\npaste.app_factory = nova.api.openstack.auth:NoAuthMiddleware.factory\n"


def carry(
    *files: ConfigFile, sources: tuple[str, ...] = ("nova", "neutron"), **wanted: object
) -> Configuration:
    catalog = load_catalog()
    one = host("h1", {}, *sources).model_copy(update={"config_files": files})
    services = [catalog.service(name) for name in ("neutron", "nova")]
    carrying = Carrying(**wanted)  # type: ignore[arg-type]
    return configuration([one], services, catalog.release("2025.1"), catalog.release("2026.1"), carrying)


def unit(command: str) -> str:
    return f"[Unit]\nAfter=a\n\n[Service]\n# {command}\nExecStart=\n{command}\n"


@pytest.mark.parametrize("path", [NOVA, APPS])
def test_a_script_that_vanishes_becomes_its_module(path: str) -> None:
    done = carry(found(path, UWSGI))
    module = "the module nova.wsgi.osapi_compute does the same"
    assert list(of(done)[path].difference()) == [
        f"@@ line 4: nova-api-wsgi is gone since 2026.1 Gazpacho; {module}",
        "-wsgi-file = /usr/bin/nova-api-wsgi",
        "+module = nova.wsgi.osapi_compute:application",
    ]
    assert [finding.id for finding in done.findings] == ["converted"]


def test_a_file_that_nobody_has_edited_is_its_packages() -> None:
    assert carry(found(NOVA, UWSGI).model_copy(update={"shipped": True})) == Configuration({}, ())
    assert carry(found(NOVA, UWSGI), leave=("/etc/nova/*",)) == Configuration({}, ())
    assert carry(found(NOVA, UWSGI), sources=("neutron",)) == Configuration({}, ())


@pytest.mark.parametrize(
    ("daemon", "command", "severity"),
    [
        ("nova-metadata", "ExecStart=/usr/bin/nova-api-metadata", Severity.INHIBITOR),
        ("nova-metadata", "ExecStartPre=-/usr/bin/nova-api-metadata", Severity.WARNING),
        ("nova-metadata", "ExecStop=/usr/bin/nova-api-metadata", Severity.WARNING),
        ("nova-compute", "ExecStart=/usr/bin/nova-api", Severity.INHIBITOR),
    ],
)
def test_what_nothing_replaces_is_as_grave_as_it_is_for_the_service(
    daemon: str, command: str, severity: Severity
) -> None:
    done = carry(found(DROP_IN.format(daemon), unit(command)))
    (said,) = told(done, "program-gone")
    assert (said.severity, said.evidence) == (severity, f"{DROP_IN.format(daemon)}:7")
    assert "instead" in said.title
    assert done.files == {}


def test_a_unit_that_goes_with_its_program_is_only_left_over() -> None:
    path = DROP_IN.format("neutron-linuxbridge-agent")
    catalog = load_catalog()
    one = host("h1", {path: unit("ExecStart=/usr/bin/neutron-linuxbridge-agent")}, "neutron")
    neutron = [catalog.service("neutron")]
    done = configuration([one], neutron, catalog.release("zed"), catalog.release("2025.1"), Carrying())
    (said,) = told(done, "program-gone")
    assert said.severity is Severity.WARNING


def test_what_a_secret_may_hide_is_not_converted() -> None:
    text = unit("ExecStart=/usr/bin/uwsgi --password=x --wsgi-file /usr/bin/nova-api-wsgi")
    path = "/etc/systemd/system/nova-api.service"
    shown = found(path, text)
    assert "hunter" not in (shown.text or "")
    masked = shown.model_copy(update={"text": (shown.text or "").replace("--password=x", "--password=***")})
    done = carry(masked)
    (said,) = told(done, "not-converted")
    assert "line 7 has a secret" in said.evidence
    assert done.files == {}


def test_a_line_that_goes_on_in_what_was_left_out_is_not_converted() -> None:
    done = carry(
        found("/etc/systemd/system/nova-api.service", unit("ExecStart=/usr/bin/nova-api \\\n# x\n  y"))
    )
    assert "goes on in a comment" in told(done, "not-converted")[0].evidence


def test_what_paste_cannot_load_is_taken_out_and_told() -> None:
    done = carry(found("/etc/nova/api-paste.ini", PASTE))
    (said,) = told(done, "factory-gone")
    assert said.severity is Severity.WARNING
    assert list(of(done)) == ["/etc/nova/api-paste.ini"]


@pytest.mark.parametrize("change", [{"text": None}, {"left_out": None}])
def test_what_is_not_known_stays_and_is_told(change: dict[str, object]) -> None:
    done = carry(found(NOVA, UWSGI).model_copy(update=change))
    assert ([each.id for each in done.findings], done.files) == (["not-converted"], {})
