"""Policies in a plan: which file is read at both ends, what it becomes, and who loses or gains what."""

import json

import pytest

from skipstone.catalog import load_catalog
from skipstone.checks.finding import Severity
from skipstone.cloud.model import ConfigFile
from skipstone.plan.configuration import Carrying, Configuration, configuration
from skipstone.steps.conversion import Grammar
from tests.unit.plan.test_configuration import found, host, of, told
from tests.unit.plan.test_conversion import on_the_host

CONF, YAML, JSON = "/etc/nova/nova.conf", "/etc/nova/policy.yaml", "/etc/nova/policy.json"
OWN, MORE = "/etc/nova/rules.json", "/etc/nova/policy.d/10-ours.yaml"
RULES = '{\n    "os_compute_api:os-agents": "role:a",\n    "os_compute_api:servers:show": "role:b"\n}\n'
OURS = '# ours\n"os_compute_api:os-agents": "role:a"\n\n"os_compute_api:servers:show": "role:b"\n'


def carry(
    files: dict[str, str],
    source: str = "zed",
    target: str = "2025.1",
    service: str = "nova",
    *,
    keep: bool = False,
    **more: ConfigFile,
) -> Configuration:
    catalog, one = load_catalog(), host("h1", files, service)
    one = one.model_copy(update={"config_files": (*one.config_files, *more.values())})
    releases = catalog.release(source), catalog.release(target)
    return configuration([one], [catalog.service(service)], *releases, Carrying(keep=keep))


def test_rules_are_carried_where_they_are() -> None:
    done = carry({YAML: OURS})
    (file,) = of(done).values()
    assert (file.path, file.becomes, file.grammar) == (YAML, "", Grammar.POLICY)
    after = on_the_host(OURS, file)
    assert after.startswith("# ours\n# skipstone: os_compute_api:os-agents: the last release")
    assert after.endswith('\n\n"os_compute_api:servers:show": "role:b"\n')
    assert told(done, "rule-dead")[0].evidence == f"{YAML}:2"


@pytest.mark.parametrize(("source", "target"), [("victoria", "zed"), ("zed", "2025.1"), ("2025.1", "2026.1")])
def test_a_policy_of_json_becomes_the_file_that_the_target_looks_for(source: str, target: str) -> None:
    done = carry({JSON: RULES}, source, target)
    (file,) = of(done).values()
    assert (file.path, file.becomes) == (JSON, YAML)
    after = on_the_host(RULES, file)
    assert '"os_compute_api:servers:show": "role:b"\n' in after
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(after)
    (said,) = told(done, "policy-file")
    assert (said.severity, said.title.endswith("policy.json no more")) == (Severity.INFO, True)
    assert told(done, "converted")[0].title.startswith(f"{JSON} (as {YAML}) is converted")


def test_a_file_that_is_named_stays_under_its_name() -> None:
    done = carry({CONF: f"[oslo_policy]\npolicy_file = {OWN}\n", OWN: RULES})
    (file,) = of(done).values()
    assert (file.path, file.becomes, file.grammar) == (OWN, "", Grammar.BRACES)
    assert "under its old name" in told(done, "policy-file")[0].title


@pytest.mark.parametrize("section", ["DEFAULT", "oslo_policy"])
def test_a_file_is_named_under_the_older_names_too(section: str) -> None:
    """[DEFAULT] policy_file is read until 2024.2."""
    done = of(carry({CONF: f"[{section}]\npolicy_file = {OWN}\n", OWN: RULES}))
    assert done[OWN].becomes == ""
    text = f"[{section}]\npolicy_dirs = more.d\n"
    assert "/etc/nova/more.d/a.yaml" in of(carry({CONF: text, "/etc/nova/more.d/a.yaml": OURS}))


@pytest.mark.parametrize("section", ["DEFAULT", "oslo_policy"])
@pytest.mark.parametrize("name", ["policy.json", JSON])
def test_a_file_that_the_new_packages_remove_forbids_the_upgrade(section: str, name: str) -> None:
    named = {CONF: f"[{section}]\npolicy_file = {name}\n"}
    (said,) = told(carry({**named, JSON: RULES}), "policy-file")[:1]
    assert (said.severity, "set [oslo_policy] policy_file to policy.yaml" in said.remedy) == (
        Severity.INHIBITOR,
        True,
    )
    assert told(carry(named), "policy-file") == [], "there is none"
    done = carry({CONF: "[oslo_policy]\npolicy_file = policy.yaml\n", JSON: RULES, YAML: RULES})
    assert [said.severity for said in told(done, "policy-file")] == [], "what the remedy makes"
    assert list(of(done)) == [YAML]


def test_an_own_name_counts_over_an_older_one() -> None:
    text = "[oslo_policy]\npolicy_file = a.yaml\n[DEFAULT]\npolicy_file = b.yaml\n"
    done = carry({CONF: text, "/etc/nova/a.yaml": OURS, "/etc/nova/b.yaml": OURS})
    assert {CONF, "/etc/nova/a.yaml"} == {*of(done)}


def test_with_old_defaults_the_policy_still_becomes_the_file_that_the_target_looks_for() -> None:
    files = {CONF: "[DEFAULT]\n[keystone_authtoken]\n[oslo_policy]\n", JSON: RULES}
    done = of(carry(files, "ussuri", "zed", keep=True))
    assert done[JSON].becomes == YAML
    assert not any("policy_file" in line for file in done.values() for line in file.difference())


NEUTRON = "/etc/neutron/neutron.conf", "/etc/neutron/policy.yaml"


@pytest.mark.parametrize("keep", [True, False])
def test_rules_are_judged_by_what_the_new_configuration_enforces(*, keep: bool) -> None:
    """Where old defaults are kept, everybody of a project would create networks without this rule."""
    rule = '"create_network": "(rule:admin_only) or (role:member and project_id:%(project_id)s)"\n'
    conf, policy = NEUTRON
    done = carry({conf: "[keystone_authtoken]\n", policy: rule}, service="neutron", keep=keep)
    assert (policy in of(done)) is not keep
    effects = "".join(said.evidence for said in told(done, "policy-effects"))
    assert ("loses: " in effects) is not keep


def test_json_in_which_nothing_changes_stays_json() -> None:
    rules = '{"os_compute_api:servers:show": "role:b"}\n'
    done = carry({CONF: f"[oslo_policy]\npolicy_file = {OWN}\n", OWN: rules})
    assert done.files == {}
    done = carry({JSON: rules})
    assert of(done)[JSON].becomes == YAML, "the target looks for another name"


def test_without_the_fallback_nobody_reads_json() -> None:
    assert carry({JSON: RULES}, "2026.1", "2026.2") == Configuration({}, ())


def test_a_second_file_that_would_count_instead_forbids_the_upgrade() -> None:
    done = carry({JSON: RULES, YAML: OURS}, "ussuri", "zed")
    (said,) = done.findings
    assert (said.id, said.severity, done.files) == ("policy-file", Severity.INHIBITOR, {})
    assert "instead of policy.json" in said.title
    (said,) = carry({YAML: OURS}, "ussuri", "zed").findings
    assert (said.severity, f"does not read {YAML} yet" in said.title) == (Severity.WARNING, True)


def test_where_both_are_there_the_new_name_was_read_before_too() -> None:
    assert list(of(carry({JSON: RULES, YAML: OURS}))) == [YAML]
    assert list(of(carry({JSON: RULES, YAML: OURS}, "victoria", "zed"))) == [YAML], "nova's own fallback"


def test_files_of_the_directory_count_over_the_one_above_them() -> None:
    done = carry({YAML: OURS, MORE: '"os_compute_api:servers:show": "role:c"\n'})
    after = on_the_host(OURS, of(done)[YAML])
    assert (
        f"# skipstone: os_compute_api:servers:show: it is not read: line 1 of {MORE} sets the same" in after
    )


def test_what_nobody_has_edited_is_not_converted() -> None:
    one = found(YAML, OURS).model_copy(update={"shipped": True})
    assert carry({}, one=one) == Configuration({}, ())


def test_who_loses_and_gains_is_told_in_short() -> None:
    (said,) = told(carry({YAML: OURS}), "policy-effects")
    assert said.severity is Severity.WARNING
    assert "loses: " in said.evidence
    assert len(said.evidence) < 1500
    assert carry({YAML: "# nothing\n"}) == Configuration({}, ())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('"a": |\n  role:x\n  # or role:y\n"b": "role:z"\n', "within a check"),
        ('"a": "role:x\n  # or role:y\n  or role:z"\n', "within a check"),
        ('"a": "role:x"\n"a": "role:y"\n', "line 2: a is in line 1 too"),
        ('- a\n', "no policy file"),
        ('"a": "http://u:hunter2hunter2@h/"\n"os_compute_api:os-agents": "http://u:hunter2hunter2@h/"\n', ""),
    ],
)  # fmt: skip
def test_what_cannot_be_known_stays_and_is_told(text: str, why: str) -> None:
    done = carry({YAML: text})
    said = told(done, "not-converted")
    if not why:  # lines with a login become comments on the host, which knows it
        assert said == []
        assert "hunter2" in on_the_host(text, of(done)[YAML])
        assert "hunter2" not in f"{done}"
        return
    assert why in said[0].evidence
    assert done.files == {}


def test_a_login_cannot_get_another_name() -> None:
    text = (
        '{"os_compute_api:os-agents": "http://u:hunter2hunter2@h/", "os_compute_api:servers:show": "role:b"}'
    )
    (said,) = carry({JSON: text}).findings
    assert (said.id, said.severity) == ("not-converted", Severity.INHIBITOR), "the new packages remove it"
    assert "a secret in it" in said.evidence
    (said,) = carry({CONF: f"[oslo_policy]\npolicy_file = {OWN}\n", OWN: text}).findings
    assert (said.id, said.severity) == ("not-converted", Severity.WARNING), "it is read as it is"


@pytest.mark.parametrize("value", ["/opt/policy.yaml", "$state_path/policy.yaml"])
def test_a_policy_elsewhere_is_not_known(value: str) -> None:
    done = carry({CONF: f"[oslo_policy]\npolicy_file = {value}\n", YAML: OURS})
    (said,) = told(done, "policy-file")
    assert (said.severity, done.files) == (Severity.WARNING, {})
    assert value in said.evidence
