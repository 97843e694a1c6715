"""``skipstone route`` as an operator sees it: text, JSON, errors and exit codes."""

import json
from typing import Any

import pytest

from skipstone.cli.main import main
from skipstone.errors import ExitCode


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run the program; return its exit code and what it wrote."""
    with pytest.raises(SystemExit) as caught:
        main(["route", *arguments])
    output = capsys.readouterr()
    code = caught.value.code
    assert isinstance(code, int)
    return code, output.out, output.err


def test_text_keeps_the_three_limits_apart(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "--from", "victoria", "--to", "epoxy")
    assert (code, err) == (ExitCode.DONE, "")
    readable, supported, tolerated = (
        out.index(word) for word in ("Readable by", "Supported by", "Tolerated while")
    )
    assert readable < supported < tolerated
    assert "Victoria → 2025.1 Epoxy: 1 stop, 2 hops" in out
    assert "keystone: the schema code of 2025.1 Epoxy reads Yoga or newer" in out[:supported]
    assert "Zed → 2023.1 Antelope → 2024.1 Caracal → 2025.1 Epoxy" in out[supported:tolerated]
    assert "disable_compute_service_check_for_ffu = true" in out[tolerated:]


def test_table_leaves_out_the_stops_that_a_service_does_not_need(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--from", "victoria", "--to", "epoxy")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    assert rows["nova"] == ["22.0.0", "27.0.0", "31.0.0"]
    assert rows["placement"] == ["4.0.0", "-", "13.0.0"]


def test_direct_route_says_so_and_warns_that_upstream_does_not_support_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = run(capsys, "--from", "Zed", "--to", "2025.1")
    assert code == ExitCode.DONE
    assert "no stops, 1 hop" in out
    assert "outside of it: Zed → 2025.1 Epoxy" in out
    assert "cinder-null-use-quota" in out


def test_supported_hop_is_not_warned_about(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--from", "2023.1", "--to", "2024.1")
    assert "outside of it" not in out
    assert "may stay until their turn" in out


def test_service_option_narrows_the_route(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(
        capsys, "--from", "ocata", "--to", "victoria", "--service", "heat", "--service", "network"
    )
    assert "no stops" in out
    assert "Tolerated" not in out
    assert "cinder" not in out


def test_every_release(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--from", "victoria", "--to", "zed", "--every-release")
    assert "3 stops, 4 hops" in out
    assert "every release was asked for" in out


def test_json_is_made_of_the_same_object(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--from", "victoria", "--to", "epoxy", "--json")
    found: dict[str, Any] = json.loads(out)
    assert code == ExitCode.DONE
    assert found["releases"] == ["victoria", "antelope", "epoxy"]
    assert {reason["service"] for reason in found["hops"][0]["reasons"]} == {"keystone", "cinder", "nova"}
    assert found["supported"][0] == "victoria"
    assert found["tolerance"]["verdict"] == "workaround"


@pytest.mark.parametrize(
    ("arguments", "what", "remedy"),
    [
        (("--from", "zedd", "--to", "2025.1"), "no release is called 'zedd'", "did you mean Zed?"),
        (("--from", "2025.1", "--to", "zed"), "Zed is not newer than 2025.1 Epoxy", "restore its backup"),
        (("--from", "zed", "--to", "2022.2"), "Zed is not newer than Zed", "restore its backup"),
        (
            ("--from", "zed", "--to", "epoxy", "--service", "novaa"),
            "no service is called",
            "did you mean nova?",
        ),
        (("--to", "epoxy"), "Missing option '--from'", ""),
    ],
)
def test_wrong_input_is_refused_with_a_remedy(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], what: str, remedy: str
) -> None:
    code, out, err = run(capsys, *arguments)
    assert code == ExitCode.REFUSED
    assert out == ""
    assert what in err
    assert remedy in err
    assert "Traceback" not in err


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == ExitCode.DONE
    assert "skipstone route --from zed --to 2025.1" in out
