"""Policy files as they are read: to the byte, by line; refused where oslo.policy reads something else."""

import pytest
import yaml

from skipstone.convert.inifile import render
from skipstone.convert.policy.document import read_document
from skipstone.errors import InputError

YAML = """\
---
# who may look
"compute:get": "role:reader"   # all of them

'compute:list' : >
  role:reader or
  role:operator
# old
compute:old:
  - [ "role:admin", "project_id:%(project_id)s" ]
  - role:operator
plain: ''
"""


@pytest.mark.parametrize("text", [YAML, YAML.replace("\n", "\r\n"), "", "# nothing\n", "a: b:c", "---\n"])
def test_yaml_is_kept_to_the_byte(text: str) -> None:
    document = read_document("policy.yaml", text)
    assert render(document.before) == text
    assert render(document.layout) == text


def test_entries_have_names_values_and_lines() -> None:
    document = read_document("policy.yaml", YAML)
    assert [(entry.name, entry.line, str(entry.check)) for entry in document.entries] == [
        ("compute:get", 3, "role:reader"),
        ("compute:list", 5, "(role:reader or role:operator)"),
        ("compute:old", 9, "((role:admin and project_id:%(project_id)s) or role:operator)"),
        ("plain", 12, "@"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{\n\t"a:b": "role:x",\n\t"c": [["role:y", "role:z"]],\n\t"d\\u00e9": ""\n}\n',  # tabs are no YAML
        '{"a:b": "role:x", "c": [["role:y", "role:z"]], "dé": "",}',  # a comma too many is no JSON
        '# mine\n{"a:b": role:x,\n "c": [[role:y, role:z]], "dé": ""}',
    ],
)
@pytest.mark.parametrize("name", ["policy.json", "policy.yaml"])
def test_braces_become_a_line_for_each_rule(text: str, name: str) -> None:
    if name == "policy.yaml" and "\t" in text:
        pytest.skip("services do not read it either")
    document = read_document(name, text)
    new = render(document.layout)
    assert yaml.safe_load(new) == {"a:b": "role:x", "c": [["role:y", "role:z"]], "dé": ""}
    assert [line for line in new.splitlines() if not line.startswith("#")] == [
        '"a:b": "role:x"',
        '"c": [["role:y", "role:z"]]',
        '"dé": ""',
    ]
    assert text.startswith("#") == new.startswith("# mine\n")
    again = read_document("policy.yaml", new)
    assert render(again.layout) == new


@pytest.mark.parametrize(
    ("name", "text", "line", "what"),
    [
        ("policy.json", '{"a": "role:x",\n "b" "role:y"}', 2, "no JSON and no YAML"),
        ("policy.json", '{"a": "role:x"', 1, "no JSON and no YAML"),
        ("policy.yaml", "a: role:x\n\tb: role:y\n", 2, "no YAML"),
        ("policy.yaml", "a: role:x\n---\nb: role:y\n", 2, "no YAML"),
        ("policy.yaml", "a: @\n", 1, "no YAML"),
        ("policy.yaml", "a: role:x\nb: role:y\na: role:z\n", 3, "a is in line 1 too"),
        ("policy.json", '{"a": "role:x",\n "a": "role:x"}', 2, "a is in line 1 too"),
        ("policy.yaml", "a: role:x\nb: !\n", 2, "everybody passes"),
        ("policy.yaml", "a: true\n", 1, "a check is text"),
        ("policy.json", '{"a": {"b": "c"}}', 1, "a check is text"),
        ("policy.yaml", "\na: role:x and or role:y\n", 2, "cannot read the check"),
        ("policy.yaml", "a: (role:x\n", 1, "cannot read the check"),
        ("policy.yaml", "a: admin\n", 1, "cannot read the check"),
        ("policy.yaml", "a: role:x or admin\n", 1, "cannot read the check"),
        ("policy.yaml", "a: &x role:x\nb: *x\n", 2, "alias"),
        ("policy.yaml", "1: role:x\n", 1, "has to be text"),
    ],
)
def test_what_says_nothing_certain_is_refused_with_its_line(
    name: str, text: str, line: int, what: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_document(name, text)
    assert caught.value.where == f"{name}:{line}"
    assert what in f"{caught.value.what} {caught.value.evidence}"


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n", "[]"])
def test_what_has_no_rules_is_no_policy(text: str) -> None:
    with pytest.raises(InputError, match="no policy file"):
        read_document("policy.yaml", text)


def test_a_login_of_a_server_is_in_no_message() -> None:
    with pytest.raises(InputError) as caught:
        read_document("policy.yaml", "a: http://me:hunter2hunter2@authority/check and\n")
    assert "hunter2" not in f"{caught.value.what} {caught.value.evidence} {caught.value.remedy}"
