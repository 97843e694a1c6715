import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from skipstone.errors import InputError, SkipstoneError
from skipstone.impact.credentials import CloudAccess, Credentials, Token


def token(number: int, life: float = 600) -> Token:
    return Token(f"secret-{number}", time.time(), time.time() + life, {})


class Keystone:
    """Gives tokens one after the other, or none."""

    def __init__(self, life: float = 600) -> None:
        self.life = life
        self.given = 0
        self.out = False

    def fetch(self) -> Token:
        if self.out:
            raise SkipstoneError("keystone gives no token")
        self.given += 1
        return token(self.given, self.life)


def keep(keystone: Keystone, act: Callable[[Credentials], object], *, seconds: float) -> Credentials:
    async def run() -> Credentials:
        credentials = Credentials(keystone.fetch, pause=0.05)
        await credentials.login()
        keeper = asyncio.create_task(credentials.keep())
        await asyncio.sleep(0.1)
        act(credentials)
        await asyncio.sleep(seconds)
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        return credentials

    return asyncio.run(run())


def test_a_token_that_holds_is_kept() -> None:
    keystone = Keystone()
    keep(keystone, lambda _: None, seconds=0.2)
    assert keystone.given == 1


def test_a_rejected_token_is_renewed() -> None:
    keystone = Keystone()

    def reject(credentials: Credentials) -> None:
        assert credentials.valid
        assert credentials.doubt(credentials.valid)

    credentials = keep(keystone, reject, seconds=0.2)
    assert keystone.given == 2
    assert credentials.valid
    assert credentials.valid.value == "secret-2"


def test_a_token_that_just_came_is_not_to_blame() -> None:
    async def run() -> bool:
        credentials = Credentials(Keystone().fetch, pause=60)
        return credentials.doubt(await credentials.login())

    assert asyncio.run(run()) is False


def test_a_token_is_renewed_at_half_its_life_and_kept_while_keystone_is_out() -> None:
    keystone = Keystone(life=1)

    def fail(credentials: Credentials) -> None:
        del credentials
        keystone.out = True

    credentials = keep(keystone, fail, seconds=0.6)
    assert keystone.given == 1
    assert credentials.valid
    keystone.out = False
    assert keep(keystone, lambda _: None, seconds=0.7).valid
    assert keystone.given == 3


def test_an_expired_token_is_none() -> None:
    async def run() -> Token | None:
        credentials = Credentials(lambda: token(1, life=-1))
        await credentials.login()
        return credentials.valid

    assert asyncio.run(run()) is None


def test_a_token_is_not_shown() -> None:
    assert "secret" not in repr(token(1))


def test_a_wrong_entry_of_clouds_yaml_is_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OS_CLOUD", raising=False)
    path = tmp_path / "clouds.yaml"
    path.write_text("clouds: {}\n")
    with pytest.raises(InputError) as caught:
        CloudAccess.load("no-such-cloud", path)
    assert "clouds.yaml" in caught.value.remedy
