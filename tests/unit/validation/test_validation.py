"""What is asked of a release's own code, and what is made of its answer; the code itself: tests/toolchain."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from skipstone.catalog import load_catalog
from skipstone.cli.main import cli, main
from skipstone.convert.options import load_history
from skipstone.convert.remark import Matter, Remark
from skipstone.errors import ToolchainError
from skipstone.toolchain.toolchain import Program
from skipstone.toolchain.virtualenv import VirtualenvToolchain
from skipstone.validation import validation

SAYS = """
import json, pathlib, sys
pathlib.Path({asked!r}).write_text(sys.stdin.read())
print({answer!r})
if {code}:
    sys.exit("ValueError: hunter2hunter2 is no number")
"""


class Stub(VirtualenvToolchain):
    """A toolchain of 2025.1 whose Python gives one answer, and keeps the question."""

    def __init__(self, directory: Path, answer: object, code: int = 0) -> None:
        object.__setattr__(self, "release", load_catalog().release("2025.1"))
        object.__setattr__(self, "directory", directory)
        object.__setattr__(self, "_answer", json.dumps(answer))
        object.__setattr__(self, "_code", code)

    def python(self, service: str, argv: Sequence[str], *, directories: Sequence[Path] = ()) -> Program:
        """Return a program that answers."""
        del service, argv, directories
        said = SAYS.format(asked=str(self.directory / "asked"), answer=self._answer, code=self._code)  # type: ignore[attr-defined]
        return Program((sys.executable, "-c", said), {})

    @property
    def asked(self) -> Mapping[str, Any]:
        """The question."""
        read: Mapping[str, Any] = json.loads((self.directory / "asked").read_text())
        return read


def judged(toolchain: Stub, service: str, **texts: str) -> Mapping[str, Sequence[Remark]]:
    files = {name: toolchain.directory / f"{name}.conf" for name in texts}
    for name, path in files.items():
        path.write_text(texts[name])
    return validation.validate(files, toolchain, service, load_history(service).at("epoxy"))


def fault(section: str, option: str, what: str, kind: str = "") -> Mapping[str, str]:
    return {"section": section, "option": option, "what": what, "kind": kind}


def test_what_is_said_stands_at_the_line_that_counts(tmp_path: Path) -> None:
    answer = {
        "validator": [[fault("DEFAULT", "a", "unknown")], [fault("database", "b", "old")]],
        "loading": [fault("DEFAULT", "c", "refused", "Integer"), fault("DEFAULT", "elsewhere", "reference")],
    }
    said = judged(
        Stub(tmp_path, answer),
        "nova",
        one="[DEFAULT]\na = 1\nc = 1\n",
        two="[Database]\nb = 1\nb = 2\n[DEFAULT]\nc = 2\n",
    )
    found = {name: [(each.matter, each.line) for each in remarks] for name, remarks in said.items()}
    assert found == {
        "one": [(Matter.OPTION_UNKNOWN, 2), (Matter.REFERENCE_LOST, None)],
        "two": [(Matter.OPTION_DEPRECATED, 3), (Matter.VALUE_REFUSED, 5)],
    }
    assert said["two"][1].text == "2025.1 Epoxy cannot read its value: it has to be Integer"


def test_sections_of_the_operators_names_are_said_with_whose_options_they_have(tmp_path: Path) -> None:
    stub = Stub(tmp_path, {"validator": [[]], "loading": []})
    text = "[DEFAULT]\nenabled_backends = fast\n[fast]\nx = 1\n[privsep_x]\n[nowhere]\n[backend_defaults]\n"
    assert judged(stub, "cinder", one=text) == {"one": ()}
    assert stub.asked["like"] == {"fast": ["backend_defaults"], "privsep_x": ["privsep"]}
    assert stub.asked["without"] == ["fast", "privsep_x"]
    assert "castellan.config" in stub.asked["patterns"]
    assert "oslo.*" in stub.asked["patterns"]


def test_a_plugins_section_is_left_to_the_plugin(tmp_path: Path) -> None:
    stub = Stub(tmp_path, {"validator": [[]], "loading": []})
    judged(stub, "neutron", one="[ml2_arista]\neapi_host = x\n[ml2_type_vlan]\n")
    assert stub.asked["like"] == {"ml2_arista": []}


def test_a_release_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"nova of 2025\.1 Epoxy does not answer") as caught:
        judged(Stub(tmp_path, {}, code=1), "nova", one="[database]\npassword = hunter2hunter2\n")
    assert caught.value.evidence == "ValueError: *** is no number"


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKIPSTONE_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "nova.conf"
    path.write_text("[DEFAULT]\nmy_ip = 10.0.0.1\n[keystone_authtoken]\npassword = hunter2hunter2\n")
    return path


@pytest.mark.parametrize(
    "words",
    [
        ("validate", "--release", "2025.1"),
        ("convert", "--from", "zed", "--to", "2025.1", "--validate", "--in-place"),
    ],
)
def test_without_the_toolchain_it_says_how_to_get_it_and_writes_nothing(
    conf: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    before = conf.read_text()
    with pytest.raises(SystemExit) as caught:
        main(["config", words[0], str(conf), "--service", "nova", *words[1:]])
    assert caught.value.code == 2
    assert "skipstone toolchain build epoxy" in capsys.readouterr().err
    assert conf.read_text() == before
    assert [path.name for path in conf.parent.iterdir()] == ["nova.conf"]


def answers(monkeypatch: pytest.MonkeyPatch, directory: Path, answer: object) -> None:
    monkeypatch.setattr(validation, "find", lambda *_: Stub(directory, answer))


def test_the_verb_exits_with_what_was_said_and_shows_no_value(
    conf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["config", "validate", str(conf), "--service", "nova", "--release", "2025.1"]
    answers(monkeypatch, tmp_path, {"validator": [[]], "loading": []})
    done = CliRunner().invoke(cli, words, standalone_mode=False)
    assert done.return_value == 0
    assert "reads it without a complaint" in done.output
    wrong = [fault("keystone_authtoken", "password", "refused", "Integer")]
    answers(monkeypatch, tmp_path, {"validator": [[]], "loading": wrong})
    done = CliRunner().invoke(cli, [*words, "--json"], standalone_mode=False)
    assert done.return_value == 1
    ((remark,),) = [each["remarks"] for each in json.loads(done.output)]
    assert (remark["matter"], remark["line"], remark["weight"]) == ("value-refused", 4, "decide")
    assert "hunter2" not in done.output


def test_what_was_converted_is_judged_and_no_copy_stays(
    conf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    stub = Stub(tmp_path, {"validator": [[fault("DEFAULT", "my_ip", "unknown")]], "loading": []})
    monkeypatch.setattr(validation, "find", lambda *_: stub)
    words = ["convert", str(conf), "--service", "nova", "--from", "zed", "--to", "2025.1", "--validate"]
    done = CliRunner().invoke(cli, ["config", *words, "--json"], standalone_mode=False)
    assert done.return_value == 1
    (row,) = json.loads(done.output)
    assert [each["option"] for each in row["validated"]] == ["my_ip"]
    assert stub.asked["files"][0].startswith(str(scratch))
    assert list(scratch.iterdir()) == []
