"""Which addresses answer from here, asked once before the start: only those can be missed later."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from skipstone.impact.sample import Kind, Probe, Reply, Sample
from skipstone.impact.spec import InstanceTarget

_TRIES = 5
_PAUSE = 0.2


class Asker(Protocol):
    """What can be asked: a probe; ``overlaps`` if a question need not wait for the one before."""

    overlaps: bool

    @property
    def probe(self) -> Probe:
        """What it asks."""
        ...

    @property
    def rest(self) -> float:
        """For how many seconds it is not to be asked after its last answer."""
        ...

    async def ask(self) -> Sample:
        """Ask once and return what came of it."""
        ...


async def survey(
    targets: Iterable[InstanceTarget],
    asker: Callable[[Probe], Asker],
    kinds: Iterable[Kind] = (Kind.PING, Kind.BOOT),
) -> tuple[list[tuple[InstanceTarget, Kind]], list[str]]:
    """Return what answers in which way, and a line with the reason for each address left out.

    Over HTTP it has to be with a boot-id. An address of several instances, in networks that know nothing of
    one another, is left out: nobody could say which of them answered.
    """
    targets, kinds = tuple(targets), tuple(kinds)
    uses = Counter(target.address for target in targets)
    pairs = [(target, kind) for target in targets if uses[target.address] == 1 for kind in kinds]
    answers = await asyncio.gather(*(_answers(asker(_trial(target, kind)), kind) for target, kind in pairs))
    found = [pair for pair, answered in zip(pairs, answers, strict=True) if answered]
    seen = {target.address for target, _ in found}
    reasons = {True: "no answer before the start", False: "several instances have this address"}
    left_out = [
        f"{target.name} {target.address}: {reasons[uses[target.address] == 1]}"
        for target in targets
        if target.address not in seen
    ]
    return found, left_out


def _trial(target: InstanceTarget, kind: Kind) -> Probe:
    return Probe(0, kind, target.id, target.name, target.address)


async def _answers(asker: Asker, kind: Kind) -> bool:
    for _ in range(_TRIES):
        sample = await asker.ask()
        if sample.reply is Reply.GOOD and (sample.text or kind is not Kind.BOOT):
            return True
        await asyncio.sleep(_PAUSE)
    return False
