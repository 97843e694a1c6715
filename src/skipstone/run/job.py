"""A detached job: one script that runs on its host whatever becomes of us or of the connection.

The job directory is the record, named after run (with its mark), step and attempt::

    script        what runs                       code   renamed to exit.CODE.SECONDS at the end: a rename
    job           what runs it, see JOB                  needs no room, so a full disk cannot lose the outcome
    claim/        made once, by mkdir: who made   lock   held (flock) for as long as the job lives
                  it runs the script              boot   the host's boot id when the job was submitted
    output        what the script printed         pause  made where the run is to pause: a script that can
                                                         stops where it is ($SKIPSTONE_JOB is the directory)

So starting a job again is harmless (the second starter finds the claim and leaves), whoever can take the
lock knows that nothing runs, and a lock that is free after the claim was seen, without an exit, means that
the job was lost, by a reboot or a kill. ``systemd-run`` starts the job where systemd runs, for a cgroup of
its own that outlives the connection's; its unit's name is a second guard, not the record, for a finished
unit is gone.
"""

import base64
import re
import shlex
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from skipstone.errors import SkipstoneError
from skipstone.run.name import escaped

JOBS = PurePosixPath("/var/lib/skipstone/jobs")
"""Where hosts keep the jobs' directories."""

CHUNK = 256 * 1024
"""Most bytes of output that one answer carries."""

BACKLOG = 4 * CHUNK
"""Output further behind than this is left on the host; only its end is fetched."""

TIMED_OUT = 124
"""Exit code of timeout(1)."""

REFUSED = 73
"""Exit code of a submission that started nothing (EX_CANTCREAT)."""

PAUSE = "pause"
"""The file in a job's directory that asks its script to stop where it is."""

_MARK = "skipstone-job"

# timeout(1) holds the lock too, so that a job whose runner alone is killed is not taken for over; the script
# does not, for a daemon that it starts would hold it for ever. Power may be lost at any moment: the claim is
# on the disk before anything that the script does, and all of that before it counts as over
JOB = """\
#!/bin/sh
# Runs the script beside it, once. Whoever starts this, and how often: the claim decides.
cd "$(dirname "$0")" || exit 1
directory=$(pwd)
exec 9>lock
flock 9
mkdir claim 2>/dev/null || exit 0
sync script . 2>/dev/null
began=$(date +%s)
(
    umask 022
    cd "${{HOME:-/}}"
    export SKIPSTONE_JOB="$directory"
    exec timeout -k 10 {deadline} /bin/sh -c 'exec /bin/sh "$0/script" 9>&-' "$directory"
) </dev/null >output 2>&1
code=$?
{settle} 2>/dev/null
mv code "exit.$code.$(($(date +%s) - began))"
sync . 2>/dev/null
"""

_SETTLE = "sync -f output / /etc /usr /var /boot"
"""Brings what a step may have changed on the disk; instances' disks may have file systems of their own."""

SUBMIT = """\
umask 077
refuse() {{ mkdir claim 2>/dev/null && exit 73; [ -d claim ] || exit 73; }}
mkdir -p {dir} && cd {dir} || exit 73
if ! [ -d claim ]; then
    cat /proc/sys/kernel/random/boot_id >boot && : >>code && : >>output &&
    base64 -d >script.$$ <<'{eof}' && mv script.$$ script &&
{script}
{eof}
    base64 -d >job.$$ <<'{eof}' && mv job.$$ job || refuse
{job}
{eof}
    {start} || setsid -f /bin/sh {dir}/job </dev/null >/dev/null 2>&1 || refuse
    n=0
    while ! [ -d claim ] && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done
fi
"""

SYSTEMD = """\
{{ [ -d /run/systemd/system ] && systemd-run --quiet --collect --unit={unit} --description={title} \
--service-type=exec -p RuntimeMaxSec={limit} -p TimeoutStopSec=15 --setenv=HOME=/root --setenv=LANG=C.UTF-8 \
/bin/sh {dir}/job </dev/null >/dev/null 2>&1; }}"""

# the claim is looked at before the lock: one that comes after the lock was found free is of a job that begins
# just now, which counts as absent, and is asked for again
WATCH = """\
cd {dir} 2>/dev/null || {{ echo {mark} absent 0 0 0 0; exit 0; }}
offset={offset} end=$(($(date +%s) + {wait}))
while :; do
    claimed=0 free=0
    [ -d claim ] && claimed=1
    flock -s -w 1 lock true 2>/dev/null && free=1
    size=$(stat -c %s output 2>/dev/null || echo 0)
    if [ $free = 1 ] || [ "$size" -gt "$offset" ] || [ "$(date +%s)" -ge $end ]; then break; fi
done
state=running code=0 seconds=0
if [ $free = 1 ]; then
    state=absent
    [ $claimed = 1 ] && state=lost
    for end in exit.*; do
        [ -e "$end" ] || continue
        state=exited code=${{end#exit.}} seconds=${{end##*.}}
        code=${{code%%.*}}
    done
fi
[ $((size - offset)) -gt {backlog} ] && offset=$((size - {chunk}))
[ "$(cat boot)" = "$(cat /proc/sys/kernel/random/boot_id)" ] && boot=same || boot=other
echo {mark} $state "$code" "$seconds" $offset $boot
tail -c +$((offset + 1)) output 2>/dev/null | head -c {chunk} | base64 -w0
"""


class JobState(StrEnum):
    """What the host says of a job; UNKNOWN is what we say while the host says nothing."""

    ABSENT = "absent"
    RUNNING = "running"
    EXITED = "exited"
    LOST = "lost"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class News:
    """One answer about a job: output bytes from ``offset`` on; more may be waiting.

    ``code`` and ``seconds`` are set where it EXITED; ``rebooted`` says that the host was, since it began.
    """

    state: JobState
    code: int = 0
    seconds: int = 0
    offset: int = 0
    output: bytes = b""
    rebooted: bool = False


@dataclass(frozen=True)
class Job:
    """One attempt at a step as a job; renders the scripts that submit and watch it, opens nothing.

    ``run`` is what the directory of all jobs of its run is called (``RunView.jobs``).
    ``deadline`` is enforced by the host: it kills the job after so many seconds. ``own_unit`` False
    keeps the environment of whoever submits (the operator's credentials), so systemd does not start it.
    What it changes is on the host's disk before it is over where it shall be ``lasting``.
    """

    run: str
    step: str
    attempt: int
    deadline: int
    jobs: PurePosixPath = JOBS
    own_unit: bool = True
    lasting: bool = False

    @property
    def directory(self) -> PurePosixPath:
        """The job directory on the host."""
        return self.jobs / escaped(self.run) / f"{escaped(self.step)}.{self.attempt}"

    @property
    def unit(self) -> str:
        """The transient systemd unit's name."""
        return f"skipstone-{escaped(self.run)}-{escaped(self.step)}.{self.attempt}"

    def submission(self, script: str, *, wait: int) -> str:
        """Return what starts the job, unless it was ever started, and then watches it from its beginning.

        It exits with REFUSED where the job directory cannot be written or nothing can be started: then the
        script has not run, and never will, for the refusal makes the claim.
        """
        directory = shlex.quote(str(self.directory))
        start = SYSTEMD.format(
            unit=shlex.quote(self.unit),
            title=shlex.quote(f"Skipstone {self.step}, attempt {self.attempt}"),
            limit=self.deadline + 60,
            dir=directory,
        )
        settle = _SETTLE if self.lasting else "sync output"
        submit = SUBMIT.format(
            dir=directory,
            eof="END-OF-SKIPSTONE-JOB",
            script=_encoded(script),
            job=_encoded(JOB.format(deadline=self.deadline, settle=settle)),
            start=start if self.own_unit else "false",
        )
        return submit + self.watch(offset=0, wait=wait)

    def pause(self) -> str:
        """Return what asks the job to stop where it is; it fails where the host does not have the job yet."""
        directory = shlex.quote(str(self.directory))
        return f"[ -d {directory}/claim ] && : >{directory}/{PAUSE}\n"

    def watch(self, *, offset: int, wait: int) -> str:
        """Return what waits ``wait`` seconds at most for output beyond ``offset`` or the end, and tells."""
        return WATCH.format(
            dir=shlex.quote(str(self.directory)),
            offset=offset,
            wait=wait,
            mark=_MARK,
            chunk=CHUNK,
            backlog=BACKLOG,
        )


def parse_news(stdout: str) -> News:
    """Return what a watch told; raise SkipstoneError where that is not an answer.

    Lines before the answer are whatever the host's shell profile prints.
    """
    lines = stdout.splitlines()
    for number, line in enumerate(lines):
        words = line.split()
        if len(words) == 6 and words[0] == _MARK:  # noqa: PLR2004 - the fields of WATCH's line
            output = base64.b64decode(lines[number + 1]) if number + 1 < len(lines) else b""
            code, seconds, offset = map(int, words[2:5])
            return News(JobState(words[1]), code, seconds, offset, output, rebooted=words[5] == "other")
    raise SkipstoneError(
        "the host's answer about a job makes no sense",
        evidence=stdout[-500:],
        remedy="see that the login shell's profile prints nothing and that flock, setsid and base64 exist",
    )


def _encoded(text: str) -> str:
    return "\n".join(re.findall(".{1,76}", base64.b64encode(text.encode()).decode()))
