"""How long a migration may take, and when it is stuck; pure arithmetic.

A migration has until the earlier of two moments:

* nova's own: 800 s for each GiB of memory (at least two) and of local disk, its default of ``[libvirt]
  live_migration_completion_timeout``, after which it gives up itself;
* ours, once bytes are counted: ``Patience.grace`` and the time in which ``PASSES`` times all of its bytes
  cross at the rate measured so far. Pre-copy sends everything once and then what the guest has written
  meanwhile. A guest whose memory has crossed four times writes faster than the network carries.

Not used is how far ``remaining`` has fallen: it reaches nearly zero at the end of each pass and jumps up with
the next, which made nova's own progress timeout end good migrations (bug 1644248; nova dropped it).
"""

from dataclasses import dataclass, field

from skipstone.drain.model import Progress

PER_GIB = 800
LEAST_GIB = 2
PASSES = 4
GIB = 1 << 30


@dataclass(frozen=True)
class Patience:
    """Seconds: between questions, and how long things that should pass by themselves may take.

    ``begin`` bounds what comes before the first byte (schedule, plug, queue behind others), ``silent`` how
    long no byte may cross, ``settle`` what nova does after a migration, ``busy`` other people's work on an
    instance, ``api`` an API or host that does not answer; ``grace`` is what a migration has beside the time
    that its bytes take.
    """

    poll: float = 2.0
    begin: float = 900.0
    silent: float = 150.0
    settle: float = 180.0
    busy: float = 900.0
    api: float = 600.0
    appear: float = 90.0
    grace: float = 120.0


def load(memory: int, disk: int) -> float:
    """Return the GiB that nova expects to carry, of MiB of memory and GiB of local disk."""
    return max(LEAST_GIB, memory / 1024) + disk


def longest(gib: float) -> float:
    """Return the seconds after which nova itself gives a migration of so many GiB up."""
    return PER_GIB * gib


def deadline(gib: float, elapsed: float, progress: Progress, grace: float) -> float:
    """Return the seconds, from its first byte, that a migration may take by what is known of it now."""
    limit = longest(gib)
    if not progress.total or not progress.processed or elapsed <= 0:
        return limit
    rate = progress.processed / elapsed
    return min(limit, grace + PASSES * progress.total / rate)


@dataclass
class Watch:
    """Watches the bytes of one migration of ``gib`` GiB; times are seconds on any one clock."""

    gib: float
    patience: Patience
    asked: float
    first: float | None = None
    moved: float = 0.0
    processed: int = field(default=-1)

    def queued(self, now: float) -> None:
        """Let no time pass while nova has the migration wait behind others of the same host."""
        self.asked = now

    def last_pass(self, now: float, progress: Progress) -> float:
        """Return the seconds that one may take once it was told to complete: all of its bytes, once."""
        if self.first is None or not progress.total or not progress.processed or now <= self.first:
            return self.patience.begin
        return self.patience.grace + progress.total * (now - self.first) / progress.processed

    def stuck(self, now: float, progress: Progress) -> str:
        """Return why the migration is stuck, or nothing."""
        if not progress.processed:
            waited = now - self.asked
            return f"no byte has crossed after {waited:.0f} s" if waited > self.patience.begin else ""
        if self.first is None:
            self.first = now
        if progress.processed != self.processed:
            self.processed, self.moved = progress.processed, now
        if now - self.moved > self.patience.silent:
            return f"nothing has crossed for {now - self.moved:.0f} s"
        elapsed = now - self.first
        limit = deadline(self.gib, elapsed, progress, self.patience.grace)
        if elapsed > limit:
            times = progress.processed / progress.total if progress.total else 0
            return f"not over after {elapsed:.0f} s: its memory has crossed {times:.1f} times"
        return ""
