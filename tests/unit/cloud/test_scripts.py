"""The scripts that run on hosts: what they read, and that they stay what every host can run."""

import ast
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from skipstone.cloud.answer import script
from skipstone.cloud.host_facts import suites
from skipstone.cloud.scope import HIDDEN
from skipstone.cloud.scripts import broker, host
from skipstone.cloud.scripts.reading import Answer, run
from skipstone.steps.scripts import places

PROGRAMS = [*Path(host.__file__).parent.glob("*.py"), Path(places.__file__)]
NAMES = ("host", "database", "broker")
OLDEST_PYTHON = (3, 9)  # Debian 11's


@pytest.mark.parametrize(
    "path", [path for path in PROGRAMS if path.name != "__init__.py"], ids=lambda path: path.stem
)
def test_scripts_are_written_for_the_oldest_python(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=OLDEST_PYTHON)
    future = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    assert future, "annotations of later Pythons would be evaluated"


@pytest.mark.parametrize("name", NAMES)
def test_scripts_import_nothing_but_the_standard_library_when_sent(name: str) -> None:
    text = script(name, None)
    assert "import skipstone" not in text
    assert "from skipstone" not in text
    assert len(text) < 128 * 1024, "the kernel takes no longer argument"


def test_a_script_without_python_says_so() -> None:
    done = subprocess.run(
        ["/bin/sh", "-s"],
        input=script("broker", None),
        env={"PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == 127
    assert "there is no python3" in done.stderr


def test_a_failed_question_leaves_the_others_answered() -> None:
    answer = Answer()
    answer.ask("good", lambda: None)
    answer.ask("bad", lambda: run("false"))
    answer.ask("slow", lambda: run("sleep", "9", timeout=0.1))
    assert answer.facts == {"good": None}
    assert [problem["name"] for problem in answer.problems] == ["bad", "slow"]
    assert "false exited with 1" in answer.problems[0]["evidence"]
    assert "did not answer within 0.1 s" in answer.problems[1]["evidence"]


def printing(outputs: dict[str, str]) -> Callable[..., str]:
    """Return a stand-in for ``run`` that answers by the name of a program."""

    def fake(*command: str, **_: object) -> str:
        return next(text for name, text in outputs.items() if name in command)

    return fake


def test_packages_that_matter_or_are_in_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = (
        "nova-api\t2:26.2.2-1\tnova\tinstall\tinstalled\n"
        "nova-old\t2:22\tnova\tdeinstall\tconfig-files\n"
        "vim\t9\tvim\tinstall\tinstalled\n"
        "less\t1\tless\thold\tinstalled\n"
        "bad\t1\tbad\tinstall\thalf-configured\n"
        "python3-oslo.db\t12\tpython-oslo.db\tinstall\tinstalled\n"
    )
    monkeypatch.setattr(host, "run", printing({"dpkg-query": listing}))
    found = host.packages({"sources": ["nova"], "packages": ["python3-oslo.*"]})
    assert {item["name"]: item["status"] for item in found} == {
        "nova-api": "installed",
        "less": "hold",
        "bad": "half-configured",
        "python3-oslo.db": "installed",
    }


ON_BTRFS = "/dev/sda2 / btrfs"
ON_LVM = "/dev/mapper/vg-root / ext4"
SYSTEM = ["/etc", "/usr"]


@pytest.mark.parametrize(
    ("mounted", "able"),
    [
        ([ON_BTRFS], ["btrfs", "copy"]),
        ([ON_LVM], ["lvm", "copy"]),
        ([ON_LVM, "/dev/sda1 /boot ext4", "/dev/sda3 /boot/efi vfat"], ["lvm", "copy"]),
        ([ON_LVM, "/dev/mapper/vg-usr /usr xfs"], ["copy"]),
        ([ON_BTRFS, "/dev/sdb /usr/local ext4"], []),
        (["overlay / overlay"], []),
        ([ON_LVM, "server:/usr /usr nfs4"], []),
    ],
)
def test_who_can_keep_the_system(
    monkeypatch: pytest.MonkeyPatch, mounted: list[str], able: list[str]
) -> None:
    monkeypatch.setattr(host, "mounts", lambda: [line.split() for line in mounted])
    monkeypatch.setattr(host, "SUBVOLUME", Path("/").stat().st_ino)
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr(
        host,
        "run",
        printing({"subvolume": "ID 256 gen 9 top level 5 path @/.skipstone/p"}),
    )
    monkeypatch.setattr(host, "room_for_snapshot", lambda source: "mapper" in source)
    assert host.snapshots(SYSTEM) == able


@pytest.mark.parametrize(
    ("told", "room"), [("  0,\n", False), ("  900000000000000,\n", True), ("  0,thin\n", True), ("", False)]
)
def test_a_snapshot_of_lvm_must_not_run_full(monkeypatch: pytest.MonkeyPatch, told: str, room: bool) -> None:
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr(host, "run", lambda *_, **__: told)
    assert host.room_for_snapshot("/dev/mapper/vg-root") is room


def test_origins_are_those_of_the_installed_version(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = """\
nova-api:
  Installed: 2:26.2.2-1~deb12u3
  Candidate: 2:29.0.0-1
  Version table:
     2:29.0.0-1 100
        100 http://mirror.example/debian bookworm-backports/main amd64 Packages
 *** 2:26.2.2-1~deb12u3 500
        500 http://mirror.example/debian bookworm/main amd64 Packages
        500 http://security.debian.org bookworm-security/main amd64 Packages
        100 /var/lib/dpkg/status
local:
  Installed: 1
  Candidate: 1
  Version table:
 *** 1 100
        100 /var/lib/dpkg/status
"""
    monkeypatch.setattr(host, "run", printing({"apt-cache": policy}))
    assert host.origins(["nova-api", "local"]) == {"nova-api": "bookworm"}


def test_units_count_once_under_their_own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = "\n\n".join(
        f"Id={name}.service\nLoadState={load}\nActiveState=active\nSubState=running\nUnitFileState=enabled"
        for name, load in (
            ("mariadb", "loaded"),
            ("mariadb", "loaded"),
            ("ntp", "not-found"),
            ("x", "masked"),
        )
    )
    outputs = {
        "list-unit-files": "mysql.service alias\nmariadb.service enabled\nx@.service static\n",
        "list-units": "ntp.service not-found\n",
        "show": shown,
    }
    monkeypatch.setattr(host, "run", printing(outputs))
    assert [(unit["name"], unit["load"]) for unit in host.units(["*"])] == [
        ("mariadb", "loaded"),
        ("x", "masked"),
    ]


def test_files_keep_what_may_not_leave_the_host(tmp_path: Path) -> None:
    (tmp_path / "fernet-keys").mkdir()
    contents = {
        "a.conf": b"[a]\n", "fernet-keys/0": b"key", "pem.conf": b"-----BEGIN PRIVATE KEY-----\n",
        "mariadb.conf": b"# 2026\n1;a7addd9adea9978fda19f21e6be98788\n",
        "latin.conf": b"\xe5\n", "binary.conf": b"\0", "large.conf": b"x" * 200, "skipped.db": b"x",
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "dangling").symlink_to("nowhere")
    wanted = {"files": [f"{tmp_path}/**/*"], "skip": ["*.db"], "hidden": ["*/fernet-keys/*"], "limit": 100}
    found = {str(Path(item["path"]).relative_to(tmp_path)): item for item in host.files(wanted, {})}
    assert found.keys() == contents.keys() - {"skipped.db"}
    assert {name for name, item in found.items() if "text" in item} == {"a.conf"}
    assert found["fernet-keys/0"]["sha256"] == hashlib.sha256(b"key").hexdigest()


@pytest.mark.parametrize("name", ["keyfile", "encryption/keyfile.enc", "encryption/passphrase"])
def test_what_decrypts_mariadbs_tables_may_not_leave_the_host(name: str) -> None:
    assert host.matching(f"/etc/mysql/{name}", list(HIDDEN))


def test_what_nobody_has_edited_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("as-shipped.ini", "edited.ini", "out-of-use.ini", "ours.ini"):
        (tmp_path / name).write_text("[a]\n")
    (tmp_path / "of-a-package.service").symlink_to("/usr/lib/os-release")
    same, other = hashlib.md5(b"[a]\n", usedforsecurity=False).hexdigest(), "0" * 32
    listing = (
        f"\n {tmp_path}/as-shipped.ini {same}\n {tmp_path}/edited.ini {other}\n\n"
        f" {tmp_path}/out-of-use.ini {same} obsolete\n {tmp_path}/new.ini newconffile\n"
    )
    monkeypatch.setattr(host, "run", printing({"dpkg-query": listing}))
    wanted = {"files": [f"{tmp_path}/*"], "skip": [], "hidden": [], "limit": 1000}
    found = host.files(wanted, host.conffiles())
    told = {Path(item["path"]).name for item in found if "shipped" in item}
    assert told == {"as-shipped.ini", "of-a-package.service"}
    assert len(found) == 5


def test_the_holder_of_a_lock_is_named_and_no_lock_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    monkeypatch.setattr(host, "LOCKS", (str(tmp_path / "none"), str(lock)))
    assert host.lock_holder() is None
    hold = (
        "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX);"
        "print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "1\n"
        said = host.lock_holder()
        holder.communicate("\n", timeout=20)
    assert said
    assert f"process {holder.pid}" in said
    assert str(lock) in said
    assert host.lock_holder() is None


def test_this_machine_can_be_described() -> None:
    found = host.system()
    assert found["memory_total"] >= found["memory_available"] > 0
    assert any(item["mount"] == "/" and item["size"] >= item["free"] > 0 for item in host.filesystems())


def test_a_brokers_answers_are_reduced_to_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        broker,
        "run",
        printing(
            {
                "status": '{"rabbitmq_version": "3.10.8"}',
                "list_feature_flags": '[{"name": "quorum_queue", "state": "enabled"}]',
                "list_users": '[{"user": "nova", "tags": []}, {"user": "admin", "tags": ["administrator"]}]',
                "list_vhosts": "not JSON",
            }
        ),
    )
    broker.main()
    said = capsys.readouterr().out
    assert '"version": "3.10.8"' in said
    assert '"users": ["admin", "nova"]' in said
    assert '"name": "vhosts"' in said


def test_suites_of_one_line_sources() -> None:
    text = """\
# deb http://x old main
deb [arch=amd64 signed-by=/k] http://x bookworm main
deb-src http://x bookworm main
deb http://x bookworm-security main
"""
    assert suites("/etc/apt/sources.list", text) == ("bookworm", "bookworm-security")


def test_suites_of_deb822_sources_without_disabled_ones() -> None:
    text = "Types: deb\nURIs: http://x\nSuites: trixie trixie-updates\n\nEnabled: no\nSuites: sid\n"
    assert suites("/etc/apt/sources.list.d/debian.sources", text) == ("trixie", "trixie-updates")


def test_a_stopped_broker_is_one_problem_and_tells_no_cookie(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: str, **__: object) -> str:
        return run(
            "sh",
            "-c",
            "printf '\\033[1mError:\\033[0m node down\\n * Erlang cookie hash: uU8w==\\n' >&2; exit 69",
        )

    monkeypatch.setattr(broker, "run", fail)
    broker.main()
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["name"] == "whether RabbitMQ runs"
    assert problem["evidence"] == "OSError: sh exited with 69: Error: node down"


def test_a_long_complaint_keeps_both_ends() -> None:
    with pytest.raises(OSError, match=r"(?s)begin.*\[\.\.\.\].*the end$"):
        run("sh", "-c", "echo begin; seq -s, 1000; echo the end; exit 1")
