"""The configuration of a cloud's hosts: which files are converted, together with which, and what is told."""

from hashlib import sha256
from typing import Any

import pytest

from skipstone.catalog import load_catalog
from skipstone.checks.finding import Finding, Severity
from skipstone.cloud.masking import Secrets, left_out
from skipstone.cloud.model import ConfigFile, Host, Package
from skipstone.convert.conversion import convert_lines
from skipstone.plan.configuration import Carrying, Configuration, configuration
from skipstone.steps.conversion import ConvertedFile

NOVA = "/etc/nova/nova.conf"
NEUTRON, L3, DHCP = "/etc/neutron/neutron.conf", "/etc/neutron/l3_agent.ini", "/etc/neutron/dhcp_agent.ini"
GONE = "# of old\n[upgrade_levels]\ncert = auto\n"


def host(name: str, files: dict[str, str], *sources: str) -> Host:
    return Host(
        name=name,
        address="192.0.2.1",
        groups=(),
        reachable=True,
        packages=tuple(
            Package(name=source, version="1", source=source) for source in sources or ("nova", "neutron")
        ),
        config_files=tuple(found(path, text) for path, text in files.items()),
    )


def found(path: str, text: str) -> ConfigFile:
    return ConfigFile(
        path=path,
        sha256=sha256(text.encode()).hexdigest(),
        size=len(text),
        text=Secrets().configuration(path, text),
        left_out=left_out(text),
    )


def carry(*hosts: Host, target: str = "2025.1", **wanted: object) -> Configuration:
    catalog = load_catalog()
    services = [catalog.service(name) for name in ("neutron", "nova")]
    carrying = Carrying(**wanted)  # type: ignore[arg-type]
    return configuration(hosts, services, catalog.release("zed"), catalog.release(target), carrying)


def of(done: Configuration, name: str = "h1") -> dict[str, ConvertedFile]:
    return {file.path: file for file in done.files.get(name, ())}


def told(done: Configuration, name: str) -> list[Finding]:
    return [finding for finding in done.findings if finding.id == name]


def test_a_file_in_which_nothing_changes_is_left_alone() -> None:
    assert carry(host("h1", {NOVA: "[DEFAULT]\ndebug = true\n"})) == Configuration({}, ())


def test_the_line_is_that_of_the_original() -> None:
    done = carry(host("h1", {NOVA: GONE}))
    (said,) = told(done, "option-removed")
    assert (said.severity, said.where, said.evidence) == (Severity.WARNING, "h1", f"{NOVA}:3")
    assert list(of(done)[NOVA].difference())[:2] == ["@@ line 3", "-cert = auto"]


def test_the_same_on_many_hosts_is_told_once() -> None:
    hosts = [host(f"cmp{number}", {NOVA: GONE}) for number in range(1, 8)]
    done = carry(*hosts)
    assert sorted(done.files) == [one.name for one in hosts]
    assert [finding.where for finding in done.findings] == ["cmp1, cmp2, cmp3, cmp4 and 3 more"] * 2
    assert told(done, "converted")[0].handled_by == "configuration"


def test_a_host_without_the_services_packages_keeps_its_files() -> None:
    assert carry(host("h1", {NOVA: GONE}, "neutron")).files == {}


def test_what_is_owned_by_another_tool_is_left() -> None:
    files = {NOVA: GONE, NEUTRON: "[DEFAULT]\nvendor_pen = 1\n"}
    assert list(of(carry(host("h1", files)))) == [NEUTRON, NOVA]
    done = carry(host("h1", files), leave=("/etc/neutron/*",))
    assert list(of(done)) == [NOVA]
    assert carry(host("h1", files), leave=("*",)) == Configuration({}, ())


def test_files_that_others_read_are_no_rivals() -> None:
    """Two agents set one option under two names; in a file that both read, one of them would not count."""
    older, newer = "[DEFAULT]\nrpc_thread_pool_size = 7\n", "[DEFAULT]\nexecutor_thread_pool_size = 9\n"
    done = carry(host("h1", {L3: older, DHCP: newer}))
    (change,) = [part for part in of(done)[L3].parts if part.old]
    assert (change.old, change.new) == ("rpc_thread_pool_size", "executor_thread_pool_size")
    assert DHCP not in of(done)


def test_a_value_that_the_target_refuses_forbids_the_upgrade() -> None:
    done = carry(
        host("h1", {NOVA: "[vnc]\nserver_proxyclient_address = x\n[api]\nauth_strategy = noauth3\n"})
    )
    (said,) = told(done, "value-refused")
    assert (said.severity, said.evidence) == (Severity.INHIBITOR, f"{NOVA}:4")
    assert "noauth3" not in said.model_dump_json()


def test_a_masked_value_is_not_said_to_be_refused() -> None:
    text = "[DEFAULT]\ndebug = true\n[api]\nauth_strategy = ***\n"
    assert told(carry(host("h1", {NOVA: text})), "value-refused") == []


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (found(NOVA, "[DEFAULT]\na = b\nforgotten\n").model_copy(), "line 3"),
        (found(NOVA, GONE).model_copy(update={"text": None}), "not known"),
        (found(NOVA, GONE).model_copy(update={"left_out": None}), "older Skipstone"),
    ],
)
def test_what_cannot_be_converted_stays_and_is_told(file: ConfigFile, why: str) -> None:
    one = host("h1", {}).model_copy(update={"config_files": (file,)})
    done = carry(one)
    (said,) = done.findings
    assert (said.id, said.severity, done.files) == ("not-converted", Severity.WARNING, {})
    assert why in said.evidence


def test_old_defaults_are_written_once_where_all_daemons_read_them() -> None:
    files = {NEUTRON: "[oslo_policy]\n", DHCP: "[oslo_policy]\n", L3: "[oslo_messaging_rabbit]\n"}
    assert carry(host("h1", files)).files == {}
    done = of(carry(host("h1", files), keep=True))
    assert list(done) == [NEUTRON, L3]
    assert "+enforce_scope = False" in list(done[NEUTRON].difference())


def test_secrets_are_told_by_their_lines_alone() -> None:
    text = "[DEFAULT]\ntransport_url = rabbit://u:hunter22@h\n[upgrade_levels]\ncert = a\n"
    file = of(carry(host("h1", {NOVA: text})))[NOVA]
    assert file.masked == ((2, 2),)
    assert "use_eventlog" in file.moved
    assert "hunter22" not in file.model_dump_json()


OWN = "[DEFAULT]\nmy_ip = {0}\nhost = {2}\n{1}\n[upgrade_levels]\ncert = {0}\n"


def own(number: int, line: str = "") -> Host:
    """Return a compute whose file has its address in a line that becomes a comment, and its name."""
    address, name = f"192.0.2.{number}", f"cmp{number}"
    made = host(name, {NOVA: OWN.format(address, line, name), NEUTRON: f"[DEFAULT]\nbind_host = {address}\n"})
    return made.model_copy(update={"address": address})


def test_hosts_that_are_alike_get_what_each_would_get_alone() -> None:
    hosts = [own(1), own(2), own(3, "compute_driver = hyperv.Driver"), own(4)]
    together = carry(*hosts)
    for one in hosts:
        assert together.files[one.name] == carry(one).files[one.name]
    (second,) = (file for file in together.files["cmp2"] if file.path == NOVA)
    assert "192.0.2.2" in second.model_dump_json()
    assert "192.0.2.1" not in second.model_dump_json()
    assert [finding.where for finding in told(together, "option-removed")] == ["cmp1, cmp2, cmp3, cmp4"]


def test_a_host_that_is_called_as_a_service_gives_its_name_to_no_path() -> None:
    text = "[DEFAULT]\nmy_ip = 192.0.2.1\nhost = {0}\n[upgrade_levels]\ncert = {0}\n"
    hosts = [host(name, {NOVA: text.format(name)}) for name in ("nova", "neutron")]
    together = carry(*hosts)
    for one in hosts:
        assert together.files[one.name] == carry(one).files[one.name]


def test_only_what_differs_is_converted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def counted(*given: Any, **wanted: Any) -> Any:
        asked.append(given)
        return convert_lines(*given, **wanted)

    monkeypatch.setattr("skipstone.plan.configuration.convert_lines", counted)
    carry(*(own(number) for number in range(1, 30)))
    once = len(asked)
    asked.clear()
    carry(own(1))
    assert once == len(asked)
