"""Entry point of ``skipstone``: finds the verb, shows errors, and is the only place that exits.

Verbs are imported when they are called, not before: ``skipstone --help`` must answer in under 0.3 s, and
importing the engine alone takes a second.
"""

import errno
import importlib
import sys
import traceback
from keyword import iskeyword
from typing import Any

import click

from skipstone import __version__
from skipstone.errors import ExitCode, RunStopped, SkipstoneError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

# verb -> (module under skipstone.cli, one line for --help); the attribute is the verb itself
VERBS: dict[str, tuple[str, str]] = {
    "route": ("route", "Print the stops from one release to another, and why each is there."),
    "discover": ("discover", "Collect what a cloud is: hosts, packages, databases, agents, instances."),
    "check": ("check", "Ask every check about a discovered cloud; changes nothing."),
    "plan": ("plan", "Write the plan of an upgrade, to be reviewed."),
    "runbook": ("plan", "Print a plan as a runbook that a person can follow by hand."),
    "renew": ("plan", "Show how this version of Skipstone changes the commands of a plan."),
    "rehearse": ("rehearse", "Try an upgrade of the databases on copies of them."),
    "apply": ("apply", "Carry out a plan; continues where an earlier apply stopped."),
    "resume": ("apply", "Go on with a run, whatever stopped it."),
    "approve": ("decide", "Approve the gate that a run waits at."),
    "reject": ("decide", "Say no at the gate that a run waits at; the run stops there."),
    "pause": ("decide", "Let a run's running steps end, and begin no other."),
    "skip": ("decide", "Go on without a failed step, where that is safe."),
    "write-off": ("decide", "Go on, or back, without a compute that is lost."),
    "abort": ("decide", "Give a run up, where it stands."),
    "rollback": ("rollback", "Undo what a run has done, before its point of no return."),
    "checkpoints": ("checkpoints", "List what a run can be undone with, or drop it."),
    "drain": ("drain", "Empty a compute host by live migration."),
    "return": ("drain", "Open a drained host again, and bring its instances back."),
    "reinstall": ("reinstall", "Keep what makes a compute itself while it is installed anew."),
    "canary": ("canary", "Print a script that an instance runs, to say what only it can know."),
    "verify": ("verify", "Look at the cloud from outside and compare with an earlier look."),
    "status": ("status", "Show where a run stands."),
    "watch": ("status", "Follow a run from another terminal."),
    "log": ("status", "Show what a run did: every step, command and output."),
    "report": ("report", "Write the report of a run: times, outages, replies lost."),
    "worker": ("worker", "Share the work of a run that another machine carries out."),
    "notes": ("notes", "Print upstream's release notes, by what has to be done."),
    "config": ("config", "Configuration carried from one release to another."),
    "toolchain": ("toolchain", "Releases' own commands, built on this machine."),
    "lab": ("lab", "A real small OpenStack cloud on this machine."),
}


class LazyGroup(click.Group):
    """A group whose verbs are imported only when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of an upgrade."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one verb, or None where there is no such verb."""
        del ctx
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"skipstone.cli.{VERBS[cmd_name][0]}")
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(module, f"{name}_" if iskeyword(name) else name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="skipstone")
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
@click.pass_context
def cli(ctx: click.Context, *, debug: bool) -> None:
    """Upgrade a running OpenStack cloud across one release or many.

    \b
    The usual path:
      skipstone discover -i inventory.yaml -o cloud.yaml
      skipstone check cloud.yaml --to 2025.1
      skipstone plan cloud.yaml --to 2025.1 -o plan.yaml
      skipstone runbook plan.yaml
      skipstone apply plan.yaml -i inventory.yaml
    """  # noqa: D301 - \b is click's mark for text that is not to be wrapped
    ctx.obj = {"debug": debug}


def show_error(error: SkipstoneError) -> None:
    """Print an error on stderr: what happened, where, the evidence, what to do."""
    click.secho(f"error: {error}", fg="red", err=True)
    for label, text in (("evidence", error.evidence), ("remedy", error.remedy)):
        if text:
            body = text.rstrip().replace("\n", "\n    ")
            click.echo(f"  {label}: {body}", err=True)


def unforeseen(error: Exception) -> SkipstoneError:
    """Return what an operator is told of an error that no verb foresaw: a full disk, or a fault of ours."""
    if isinstance(error, OSError) and error.errno in FULL:
        return RunStopped(
            "this machine's disk cannot be written, so nothing more is done to the cloud",
            where=str(error.filename or ""),
            evidence=str(error),
            remedy="make room where Skipstone keeps its runs (SKIPSTONE_STATE_DIR), then `skipstone resume`",
        )
    *_, place = traceback.extract_tb(error.__traceback__)
    return SkipstoneError(
        f"a fault of Skipstone: {type(error).__name__}: {error}",
        where=f"{place.filename}:{place.lineno}",
        remedy="run it again with --debug before the verb, and report what it prints",
    )


def main(argv: list[str] | None = None) -> None:
    """Run one verb and exit with its code.

    A verb returns its exit code, or None for 0.
    """
    arguments = sys.argv[1:] if argv is None else argv
    try:
        result: Any = cli.main(args=arguments, prog_name="skipstone", standalone_mode=False)
        code = int(result) if isinstance(result, int) else ExitCode.DONE
    except SkipstoneError as error:
        if "--debug" in arguments:
            raise
        show_error(error)
        code = error.exit_code
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = ExitCode.REFUSED
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; nothing more was started", err=True)
        code = ExitCode.NEEDS_OPERATOR
    except Exception as error:
        if "--debug" in arguments:
            raise
        show_error(unforeseen(error))
        code = ExitCode.NEEDS_OPERATOR
    sys.exit(code)
