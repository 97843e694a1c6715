"""A host's files converted, put in place and brought back by the very scripts that a host runs."""

import os
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest

from skipstone.cloud.command import Command
from skipstone.steps.conversion import (
    CheckConversion,
    CheckPolicies,
    ConvertConfiguration,
    ConvertedFile,
    DeployConfiguration,
    Do,
    Part,
    changes,
)

COMMON = {"title": "t", "host": "h1", "deadline": 60, "estimate": 1}
BEFORE = "# ours\n[DEFAULT]\nold = 1\npassword = se$my_ip\ngone = a\n  b\nlast = x"
AFTER = (
    "# ours\n[DEFAULT]\nnew = 1\npassword = se$my_ip\n# skipstone: gone\n# gone = a\n#   b\nlast = x\n"
    "\n[x]\ny = 2\n"
)
PARTS = (
    Part(do=Do.KEEP, first=1, last=2),
    Part(do=Do.CHANGE, first=3, last=3, old="old", new="new", text="old = 1\n", why="it is new since Zed"),
    Part(do=Do.KEEP, first=4, last=4),
    Part(do=Do.WRITE, text="# skipstone: gone\n"),
    Part(do=Do.COMMENT, first=5, last=6, text="gone = a\n  b\n"),
    Part(do=Do.KEEP, first=7, last=7),
    Part(do=Do.WRITE, text="\n[x]\n"),
    Part(do=Do.WRITE, text="y = 2\n"),
)


class Rig(NamedTuple):
    """Two files in use, and the steps of their conversion."""

    files: tuple[Path, Path]
    directory: Path
    convert: ConvertConfiguration
    check: CheckConversion
    deploy: DeployConfiguration


def run(command: Command | None) -> str:
    """Run a step's script and return what it said; AssertionError where it failed, with its complaint."""
    assert command
    done = subprocess.run(["sh", "-s"], input=command.script, text=True, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def converted(path: Path, before: str = BEFORE, **more: object) -> ConvertedFile:
    digest = sha256(before.encode()).hexdigest()
    facts = {"path": str(path), "sha256": digest, "parts": PARTS, "masked": [(4, 4)], **more}
    return ConvertedFile.model_validate(facts)


def rig_of(base: Path, before: str = BEFORE, **more: object) -> Rig:
    files = (base / "etc/nova/nova.conf", base / "etc/neutron/neutron.conf")
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(before.encode())
        path.chmod(0o640)
        if os.getuid() == 0:
            os.chown(path, 12, 34)
        os.setxattr(path, "user.origin", b"ours\0")
    directory = str(base / "plan/conversion")
    return Rig(
        files,
        base / "plan/conversion",
        ConvertConfiguration(
            id="c",
            directory=directory,
            files=tuple(converted(path, before, **more) for path in files),
            **COMMON,
        ),
        CheckConversion(id="l", directory=directory, **COMMON),
        DeployConfiguration(id="d", directory=directory, paths=tuple(map(str, files)), **COMMON),
    )


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """Give files that were not converted yet."""
    return rig_of(tmp_path)


def state(path: Path) -> tuple[bytes, int, int, int, bytes]:
    status = path.stat()
    facts = (status.st_mode, status.st_uid, status.st_gid)
    return (path.read_bytes(), *facts, os.getxattr(path, "user.origin"))


def states(rig: Rig) -> list[tuple[bytes, int, int, int, bytes]]:
    return [state(path) for path in rig.files]


def test_files_are_converted_deployed_and_brought_back_byte_by_byte(rig: Rig) -> None:
    before = states(rig)
    run(rig.convert.apply())
    run(rig.convert.verify())
    assert states(rig) == before, "what is in use is not touched"
    run(rig.check.apply())
    run(rig.deploy.apply())
    run(rig.deploy.verify())
    assert states(rig) == [(AFTER.encode(), *facts) for _, *facts in before]
    run(rig.deploy.intact())
    run(rig.deploy.revert())
    assert states(rig) == before
    run(rig.convert.revert())
    assert not rig.directory.exists()
    assert {path.name for file in rig.files for path in file.parent.iterdir()} == {
        "nova.conf",
        "neutron.conf",
    }


def test_nobody_else_reads_what_lies_in_the_directory(rig: Rig) -> None:
    run(rig.convert.apply())
    run(rig.deploy.apply())
    assert rig.directory.stat().st_mode & 0o777 == 0o700
    files = [path for path in rig.directory.rglob("*") if path.is_file()]
    assert len([path for path in files if path.suffix == ".conf"]) == 4
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_secret_is_in_no_output_and_no_script(rig: Rig) -> None:
    steps = (rig.convert.apply(), rig.check.apply(), rig.deploy.apply(), rig.deploy.revert())
    for command in steps:
        assert command
        assert "se$my_ip" not in command.script + run(command)


def test_a_file_that_has_changed_is_refused_and_named(rig: Rig) -> None:
    rig.files[1].write_text(BEFORE + "\n")
    with pytest.raises(AssertionError, match=f"changed since the plan was made: {rig.files[1]}"):
        run(rig.convert.apply())


@pytest.mark.parametrize("gone", [True, False])
def test_a_file_that_changes_afterwards_stops_the_deployment_of_all(rig: Rig, gone: bool) -> None:
    run(rig.convert.apply())
    if gone:
        rig.files[1].unlink()
    else:
        rig.files[1].write_text("[DEFAULT]\n")
    for command in (rig.convert.verify(), rig.check.apply(), rig.deploy.apply()):
        with pytest.raises(AssertionError, match=r"changed since .*neutron\.conf"):
            run(command)
    assert rig.files[0].read_text() == BEFORE
    run(rig.deploy.revert())


def test_what_a_file_was_converted_to_is_not_deployed_when_it_is_damaged(rig: Rig) -> None:
    run(rig.convert.apply())
    (rig.directory / "new" / str(rig.files[1]).lstrip("/")).write_text("x")
    with pytest.raises(AssertionError, match="gone or damaged"):
        run(rig.deploy.apply())
    assert rig.files[0].read_text() == BEFORE


def test_a_lost_original_is_told(rig: Rig) -> None:
    run(rig.convert.apply())
    run(rig.deploy.apply())
    (rig.directory / "old" / str(rig.files[0]).lstrip("/")).unlink()
    with pytest.raises(AssertionError, match=r"nova\.conf: what it was is gone"):
        run(rig.deploy.intact())
    run(rig.convert.revert())
    for command in (rig.deploy.intact(), rig.deploy.revert()):
        with pytest.raises(AssertionError, match=r"conversion\.py"):
            run(command)


def test_what_a_package_has_made_of_a_converted_file_is_kept_aside(rig: Rig) -> None:
    before = states(rig)
    run(rig.convert.apply())
    run(rig.deploy.apply())
    edited = AFTER.replace("new = 1", "new = 7")
    rig.files[0].write_text(edited)
    rig.files[0].chmod(0o600)
    assert "was changed after it was converted" in run(rig.deploy.revert())
    assert states(rig) == before
    aside = rig.directory.parent / "replaced" / str(rig.files[0]).lstrip("/")
    assert aside.read_text() == edited
    assert aside.stat().st_mode & 0o777 == 0o600


def test_a_policy_that_the_packages_took_away_stops_the_run(rig: Rig) -> None:
    run(rig.convert.apply())
    run(rig.deploy.apply())
    paths = tuple(map(str, rig.files))
    look = CheckPolicies(id="p", directory=str(rig.directory), paths=paths, **COMMON)
    run(look.apply())
    rig.files[1].unlink()
    with pytest.raises(AssertionError, match=rf"gone since deployed: {rig.files[1]}\. Services would"):
        run(look.apply())


def test_what_was_interrupted_is_finished_or_undone(rig: Rig) -> None:
    """As after a power cut between the two files: the first is in place, the second not yet."""
    before = states(rig)
    run(rig.convert.apply())
    run(rig.deploy.apply())
    rig.files[1].write_bytes(BEFORE.encode())
    run(rig.deploy.apply())
    assert [path.read_text() for path in rig.files] == [AFTER, AFTER]
    rig.files[1].write_bytes(BEFORE.encode())
    run(rig.deploy.revert())
    run(rig.deploy.revert())
    assert states(rig) == before


def test_undone_before_anything_was_deployed_nothing_happens(rig: Rig) -> None:
    run(rig.convert.apply())
    before = states(rig)
    run(rig.deploy.intact())
    run(rig.deploy.revert())
    assert states(rig) == before


def test_a_link_stays_one(rig: Rig, tmp_path: Path) -> None:
    real = tmp_path / "real.conf"
    rig.files[0].rename(real)
    rig.files[0].symlink_to(real)
    run(rig.convert.apply())
    run(rig.deploy.apply())
    assert rig.files[0].is_symlink()
    assert real.read_text() == AFTER
    run(rig.deploy.revert())
    assert rig.files[0].is_symlink()
    assert real.read_text() == BEFORE


POLICY = '{\n  "a": "http://u:se@h",\n# why\n  "b": "role:x"\n}\n'
RULES = '# why\n"b": "role:x"\n'
IN_BRACES = (
    Part(do=Do.REPLACE, first=1, last=2, old='{\n  "a": ***\n'),
    Part(do=Do.REMARKS, first=3, last=3),
    Part(do=Do.REPLACE, first=4, last=5, old='  "b": "role:x"\n}\n'),
    Part(do=Do.WRITE, text='"b": "role:x"\n'),
)


def policy_rig(base: Path, before: str = POLICY) -> Rig:
    """Return a rig whose first file becomes one of another name."""
    rig = rig_of(base, before, parts=IN_BRACES, masked=(), grammar="braces")
    first, second = rig.convert.files
    named = first.model_copy(update={"becomes": f"{rig.files[0]}.yaml"})
    return rig._replace(convert=rig.convert.model_copy(update={"files": (named, second)}))


def listing(rig: Rig) -> set[str]:
    return {path.name for file in rig.files for path in file.parent.iterdir()}


def test_a_file_becomes_another_one_which_goes_again(tmp_path: Path) -> None:
    rig = policy_rig(tmp_path)
    before, there = states(rig), listing(rig)
    new = Path(f"{rig.files[0]}.yaml")
    run(rig.convert.apply())
    run(rig.convert.verify())
    assert not new.exists()
    for _ in range(2):  # once more, as after a power cut
        run(rig.deploy.apply())
    run(rig.deploy.verify())
    run(rig.check.apply())
    assert state(rig.files[0]) == before[0], "the old one stays"
    assert state(new) == (RULES.encode(), *before[0][1:])
    assert rig.files[1].read_text() == RULES
    new.with_name(f".{new.name}.skipstone-part").write_text("of an attempt that was cut off")
    for _ in range(2):
        run(rig.deploy.intact())
        run(rig.deploy.revert())
        assert states(rig) == before
        assert listing(rig) == there
    assert not (rig.directory.parent / "replaced").exists()


def test_the_old_file_comes_back_where_a_package_took_it_away(tmp_path: Path) -> None:
    rig = policy_rig(tmp_path)
    before, new = states(rig), Path(f"{rig.files[0]}.yaml")
    run(rig.convert.apply())
    run(rig.deploy.apply())
    rig.files[0].unlink()
    new.write_text("b: '@'\n")
    run(rig.deploy.revert())
    assert states(rig) == before
    assert not new.exists()
    assert (rig.directory.parent / "replaced" / str(new).lstrip("/")).read_text() == "b: '@'\n"


@pytest.mark.parametrize("late", [False, True])
def test_a_file_of_the_new_name_is_never_overwritten(tmp_path: Path, late: bool) -> None:
    rig, new = policy_rig(tmp_path), Path(f"{tmp_path}/etc/nova/nova.conf.yaml")
    if late:
        run(rig.convert.apply())
    new.write_text("theirs")
    for command in (rig.deploy.apply(),) if late else (rig.convert.apply(),):
        with pytest.raises(AssertionError, match=rf"changed since the plan was made: {new}\."):
            run(command)
    run(rig.deploy.revert())
    assert new.read_text() == "theirs"
    assert rig.files[1].read_text() == POLICY


@pytest.mark.parametrize(("grammar", "line"), [("braces", "; x"), ("policy", " // x"), ("programs", "// x")])
def test_what_is_no_comment_for_who_reads_a_file_is_refused(tmp_path: Path, grammar: str, line: str) -> None:
    text = POLICY.replace("# why", line)
    rig = rig_of(tmp_path, text, parts=IN_BRACES, masked=(), grammar=grammar)
    with pytest.raises(AssertionError, match=r":3: .*comment"):
        run(rig.convert.apply())


@pytest.mark.parametrize(
    ("end", "text"), [("\n", "x = 2\ny = 2\n"), ("", "x = 2\ny = 2"), ("\r\n", "x = 2\r\ny = 2\r\n")]
)
def test_lines_that_are_replaced_end_as_before(tmp_path: Path, end: str, text: str) -> None:
    before = f"x = 1{end or chr(10)}y = 1{end}"
    part = Part(do=Do.REPLACE, first=1, last=2, old="x = 1\ny = 1\n", text="x = 2\ny = 2\n")
    rig = rig_of(tmp_path, before, parts=(part,), masked=(), grammar="programs")
    run(rig.convert.apply())
    run(rig.deploy.apply())
    assert rig.files[0].read_bytes().decode() == text
    assert list(rig.convert.files[0].difference()) == ["@@ line 1", "-x = 1", "-y = 1", "+x = 2", "+y = 2"]


def test_systemd_reads_units_anew_when_they_come_and_when_they_go(rig: Rig) -> None:
    unit = "/etc/systemd/system/nova-api.service.d/ours.conf"
    deploy = rig.deploy.model_copy(update={"paths": (*rig.deploy.paths, unit)})
    for command in (deploy.apply(), deploy.revert()):
        assert command
        assert command.script.rstrip().endswith("then systemctl daemon-reload; fi")
    assert deploy.verify().script == rig.deploy.verify().script
    assert "systemctl" not in rig.deploy.apply().script


REFUSED: tuple[tuple[str, dict[str, object], str], ...] = (
    (BEFORE, {"moved": ["my_ip"]}, ":4: .*refers to my_ip"),
    (BEFORE.replace("$my_ip", "${a.b}"), {}, r":4: .*refers to a\.b"),
    (BEFORE.replace("  b", "  # b"), {}, ":6: .*no comment"),
    (BEFORE.replace("old =", "other ="), {}, ":3: .*does not set old"),
    (BEFORE + "\nmore = 1\n", {}, "the plan counts other lines"),
)


@pytest.mark.parametrize(("text", "more", "said"), REFUSED, ids=lambda value: str(value)[-20:])
def test_what_no_plan_can_know_is_refused(
    tmp_path: Path, text: str, more: dict[str, object], said: str
) -> None:
    rig = rig_of(tmp_path, text, **more)
    with pytest.raises(AssertionError, match=said):
        run(rig.convert.apply())
    assert rig.files[0].read_text() == text


def test_a_reference_that_the_plan_follows_is_no_reason_to_refuse(tmp_path: Path) -> None:
    words = {"$my_ip": "$host"}
    change = Part(
        do=Do.CHANGE, first=4, last=4, old="password", new="password", words=words, text="password = ***\n"
    )
    rig = rig_of(tmp_path, parts=(*PARTS[:2], change, *PARTS[3:]), moved=["my_ip"])
    run(rig.convert.apply())
    run(rig.deploy.apply())
    assert "password = se$host\n" in rig.files[0].read_text()


def test_the_same_change_on_many_hosts_is_told_once(rig: Rig) -> None:
    steps = [rig.convert.model_copy(update={"host": f"cmp{number}"}) for number in range(1, 11)]
    said = list(changes([*steps, rig.deploy]))
    hosts = ", ".join(f"cmp{number}" for number in range(1, 9))
    assert said[: len(said) // 2] == [
        f"{rig.files[0]} on {hosts} and 2 more:",
        "@@ line 3: it is new since Zed",
        "-old = 1",
        "+new = 1",
        "@@ line 5",
        "-gone = a",
        "-  b",
        "+# skipstone: gone",
        "+# gone = a",
        "+#   b",
        "@@ after line 7",
        "+",
        "+[x]",
        "+y = 2",
    ]
