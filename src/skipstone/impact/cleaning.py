"""Removing what the probes made; whatever stays is named."""

import asyncio
from collections.abc import Iterable

from skipstone.impact.api import Client
from skipstone.impact.calls import QUESTIONS, Call, Questions, Thing
from skipstone.impact.credentials import Token
from skipstone.impact.wire import Unserved


async def clean(client: Client, services: Iterable[str], token: Token) -> tuple[str, ...]:
    """Remove everything of the probes from these services; return what could not be removed, and why.

    It finds things by their name, so it also removes what an earlier prober had made.
    """
    asked = {name: QUESTIONS[name] for name in services}
    things = {thing.name: thing for questions in asked.values() for thing in questions.needs}
    for thing in things.values():
        try:
            await client.perform(thing.service, thing.find, token)
        except Unserved:
            # what was learned while probing is still known; what was never known was never made
            continue
    left = await asyncio.gather(
        *(_writes(client, name, questions, token) for name, questions in asked.items())
    )
    last = [await _thing(client, thing, token) for thing in things.values() if thing.name in client.names]
    return tuple(text for texts in [*left, *last] for text in texts)


async def _writes(client: Client, service: str, questions: Questions, token: Token) -> list[str]:
    known = {thing.name for thing in questions.needs} <= client.names.keys()
    left = [
        text for call in questions.remove if known for text in await _removed(client, service, call, token)
    ]
    if questions.sweep:
        try:
            await client.sweep(service, questions.sweep, token)
        except Unserved as fault:
            left.append(f"{service}: {questions.sweep.items}: {fault.reason}")
    return left


async def _thing(client: Client, thing: Thing, token: Token) -> list[str]:
    return await _removed(client, thing.service, thing.remove, token)


async def _removed(client: Client, service: str, call: Call, token: Token) -> list[str]:
    path = call.path.format_map({**token.names, **client.names})
    try:
        await client.perform(service, call, token)
    except Unserved as fault:
        return [f"{service}: {path}: {fault.reason}"]
    return []
