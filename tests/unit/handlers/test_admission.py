"""`authenticate` and `on_connect`: the application has the word on who comes in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
import structlog

from hivewire import gateway
from hivewire.auth import Keyring, Verifier, check_ticket
from hivewire.auth.jwks import read_keys
from hivewire.config.jwks import Jwks
from hivewire.config.sections import Auth
from hivewire.hooks import App, Credentials, Identity, Refuse, Session
from tests.issuer import Issuer
from tests.unit.hooks.node import HookedDriver

from .driver import CODES, NOW_S, Driver, Told, bodies

if TYPE_CHECKING:
    from collections.abc import Callable

USERS = {"ann's": Identity("ann"), "bound": Identity("ann", "phone", NOW_S + 60)}


def keeper() -> App:
    """An application that knows `USERS` by their tokens."""
    app = App()

    @app.authenticate
    async def known(credentials: Credentials) -> Identity | None:
        if credentials.token == "hang":
            await asyncio.Event().wait()
        if credentials.token == "bug":
            raise ZeroDivisionError
        if credentials.token == "malformed":
            return Identity("two words")
        if credentials.token == "refuse":
            raise Refuse("a secret reason")
        if credentials.token == "expired":
            return Identity("ann", expires=NOW_S - 1)
        return USERS.get(credentials.token)

    return app


async def come(driver: HookedDriver, token: str | None, **fields: Any) -> list[Told]:
    line = driver.stranger()
    line.says("connect", token=token, **{"device": "phone"} | fields)
    return await driver.rest()


class TestAuthenticate:
    async def test_the_application_says_who_it_is(self) -> None:
        driver = HookedDriver(keeper())
        (told,) = await come(driver, "ann's")
        assert (told.kind, told.user, told.device) == ("connected", "ann", "phone")
        assert told.expires_s == NOW_S + 24 * 3600
        ticket = check_ticket(driver.services.ticket_secret, told.body["ticket"], NOW_S)
        assert (ticket.user, ticket.device) == ("ann", "phone")

    async def test_the_token_of_the_upgrade_is_found_first(self) -> None:
        driver = HookedDriver(keeper())
        line = driver.stranger(token="ann's")
        line.says("connect", token="nobody's", device="phone")
        (told,) = await driver.rest()
        assert told.user == "ann"

    async def test_a_device_and_an_expiry_of_its_choice_count(self) -> None:
        driver = HookedDriver(keeper())
        (told,) = await come(driver, "bound", device=None)
        assert (told.device, told.expires_s) == ("phone", NOW_S + 60)
        (told,) = await come(driver, "bound", device="laptop")
        assert (told.kind, told.code) == ("close", CODES["FORBIDDEN"])

    async def test_a_ticket_needs_no_word(self) -> None:
        driver = HookedDriver(keeper())
        (told,) = await come(driver, "ann's")
        ticket = told.body["ticket"]
        (told,) = await come(driver, None, ticket=ticket)
        assert told.user == "ann"
        assert driver.metrics.hooks["authenticate", "ok"] == 1

    @pytest.mark.parametrize("token", ["nobody's", "refuse", "expired"])
    async def test_who_is_nobody_is_closed_with_4500_and_learns_nothing(self, token: str) -> None:
        (told,) = await come(HookedDriver(keeper()), token)
        assert (told.kind, told.code) == ("close", CODES["BAD_TOKEN"])
        assert "secret" not in told.reason

    @pytest.mark.parametrize(
        ("token", "code"), [("bug", "internal"), ("malformed", "internal"), ("hang", "unavailable")]
    )
    async def test_want_of_a_word_is_not_the_clients_fault(self, token: str, code: str) -> None:
        driver = HookedDriver(keeper(), hooks={"timeout": "10ms"})
        line = driver.stranger()
        line.says("connect", token=token, device="phone")
        with structlog.testing.capture_logs() as logs:
            told = await driver.rest()
            while not told:
                await asyncio.sleep(0.005)
                told = await driver.rest()
        error, close = told
        assert error.body["code"] == code
        assert (close.kind, close.code) == ("close", CODES["SERVER_ERROR"])
        assert [entry["connection"] for entry in logs] == [f"{line.conn:x}"]

    async def test_a_jwt_means_nothing_to_it(self) -> None:
        driver = HookedDriver(keeper())
        (told,) = await come(driver, driver.token("ann"))
        assert told.code == CODES["BAD_TOKEN"]

    async def test_what_is_said_behind_connect_waits_for_it(self) -> None:
        driver = HookedDriver(keeper())
        line = driver.stranger()
        line.says("connect", token="ann's", device="phone")
        line.sends("bob", "at once")
        told = await driver.rest()
        assert [body["op"] for body in bodies(told)] == ["connected", "sent"]


@pytest.mark.parametrize("op", ["connected", "refresh"])
def test_I9_a_token_may_live_longer_than_the_engine_can_count(op: str) -> None:
    driver = Driver()
    line = driver.stranger()
    endless = driver.token("ann", ttl=1 << 40)
    line.says("connect", token=endless, device="phone")
    told = driver.settle()
    if op == "refresh":
        line.says("refresh", token=endless)
        told = driver.settle()
    (answer,) = told
    assert (answer.kind, answer.expires_s) == (op, 0xFFFF_FFFF)
    assert answer.body["token_expires"] == (NOW_S + (1 << 40)) * 1000


class TestRefresh:
    async def test_the_application_judges_the_new_token(self) -> None:
        driver = HookedDriver(keeper())
        line = driver.stranger(token="ann's")
        line.says("connect", device="phone")
        await driver.rest()
        line.says("refresh", token="bound")
        (told,) = await driver.rest()
        assert (told.kind, told.expires_s) == ("refresh", NOW_S + 60)

    @pytest.mark.parametrize(("token", "code"), [("nobody's", "unauthorized"), ("bug", "internal")])
    async def test_one_that_does_not_count_is_refused_and_the_line_stays(
        self, token: str, code: str
    ) -> None:
        driver = HookedDriver(keeper())
        line = driver.stranger(token="ann's")
        line.says("connect", device="phone")
        await driver.rest()
        line.says("refresh", token=token)
        with structlog.testing.capture_logs():
            (told,) = await driver.rest()
        assert told.body["code"] == code


class Door:
    """An application with `on_connect` and `on_disconnect`."""

    def __init__(self) -> None:
        self.app = App()
        self.app.on_connect(self.comes)
        self.app.on_disconnect(self.goes)
        self.here: list[Session] = []
        self.gone: list[tuple[Session, int]] = []
        self.word: asyncio.Future[None] | None = None

    async def comes(self, session: Session) -> None:
        if session.user == "eve":
            raise Refuse("not you, Eve")
        if session.user == "bug":
            raise ZeroDivisionError
        session.state["greeted"] = True
        self.here.append(session)
        if self.word is not None:
            await self.word

    async def goes(self, session: Session, code: int) -> None:
        self.gone.append((session, code))


async def enter(driver: HookedDriver, user: str, device: str = "phone") -> list[Told]:
    return await come(driver, driver.token(user), device=device)


class TestOnConnect:
    async def test_it_is_asked_before_connected(self) -> None:
        door = Door()
        door.word = asyncio.get_running_loop().create_future()
        driver = HookedDriver(door.app)
        assert await enter(driver, "ann") == []
        (session,) = door.here
        assert (session.user, session.device) == ("ann", "phone")
        door.word.set_result(None)
        (told,) = await driver.rest()
        assert told.kind == "connected"
        assert told.body["session"] == session.id

    async def test_a_refusal_is_4507_in_its_words(self) -> None:
        driver = HookedDriver(Door().app)
        (told,) = await enter(driver, "eve")
        assert (told.kind, told.code) == ("close", CODES["FORBIDDEN"])
        assert told.reason == "not you, Eve"
        assert driver.services.connecting == {}

    async def test_its_failure_lets_nobody_in_who_may_come_back(self) -> None:
        driver = HookedDriver(Door().app)
        with structlog.testing.capture_logs():
            error, close = await enter(driver, "bug")
        assert error.body["code"] == "internal"
        assert close.code == CODES["SERVER_ERROR"]

    async def test_devices_are_counted_again_after_the_word(self) -> None:
        door = Door()
        door.word = asyncio.get_running_loop().create_future()
        driver = HookedDriver(door.app, limits={"devices": 1})
        for device in ("one", "two"):
            await enter(driver, "ann", device)
        assert len(door.here) == 2
        door.word.set_result(None)
        told = await driver.rest()
        assert sorted(one.kind for one in told) == ["close", "connected"]
        assert len(driver.bridge._sessions) == 1

    async def test_I8_more_than_may_wait_for_it_are_sent_away(self) -> None:
        door = Door()
        door.word = asyncio.get_running_loop().create_future()
        driver = HookedDriver(door.app, hooks={"concurrency": 1})
        await enter(driver, "ann")
        error, close = await enter(driver, "bob")
        assert (error.body["code"], close.code) == ("unavailable", CODES["SERVER_ERROR"])
        door.word.set_result(None)
        assert [one.kind for one in await driver.rest()] == ["connected"]


class TestOnDisconnect:
    async def test_it_hears_of_the_end_with_the_session_of_the_beginning(self) -> None:
        door = Door()
        driver = HookedDriver(door.app)
        await enter(driver, "ann")
        driver.lines[1].closed(1006)
        await driver.rest()
        assert door.gone == [(door.here[0], 1006)]
        assert door.gone[0][0].state == {"greeted": True}
        assert driver.bridge._sessions == {}

    async def test_who_was_replaced_is_named_too(self) -> None:
        door = Door()
        driver = HookedDriver(door.app)
        await enter(driver, "ann")
        await enter(driver, "ann")
        driver.lines[1].closed(4505)
        await driver.rest()
        ((session, code),) = door.gone
        assert (session, code) == (door.here[0], 4505)

    async def test_who_was_refused_has_no_end(self) -> None:
        door = Door()
        driver = HookedDriver(door.app)
        await enter(driver, "eve")
        driver.lines[1].closed(4507)
        await driver.rest()
        assert door.gone == []

    async def test_a_message_knows_the_session_it_came_on(self) -> None:
        door = Door()
        seen: list[Session | None] = []

        @door.app.on_send
        async def note(message: Any) -> None:
            seen.append(message.session)

        driver = HookedDriver(door.app)
        await enter(driver, "ann")
        driver.lines[1].sends("bob")
        await driver.rest()
        assert seen == door.here

    async def test_without_on_connect_it_hears_of_the_end_as_well(self) -> None:
        door = Door()
        door.app.connect_hooks.clear()
        driver = HookedDriver(door.app)
        driver.open("ann").closed(1001)
        await driver.rest()
        assert [(session.user, code) for session, code in door.gone] == [("ann", 1001)]


class Fetching:
    """A keyring whose source answers when it is told to."""

    def __init__(self) -> None:
        self.driver = Driver()
        self.issuer = Issuer()
        jwks = Jwks.model_validate({"urls": ("https://login.example/keys",)})
        self.keyring = Keyring(jwks, "ES256", lambda: 0.0)
        auth = Auth(algorithm="ES256")
        services = self.driver.services
        services.verifier = Verifier(auth, self.keyring)
        services.fetch_keys = lambda _, settled: self.asked.append(settled)
        services.act = self.act
        self.asked: list[Callable[[bool], None]] = []

    def act(self, work: Callable[[], None]) -> None:
        with mock.patch.object(gateway, "time", self.driver.clock):
            self.driver.gateway.act(work)

    def token(self) -> str:
        return self.issuer.token("ann", iat=NOW_S, exp=NOW_S + 60)

    def settle(self, *, found: bool) -> list[Told]:
        """The fetch ends, with the issuer's keys or without."""
        (source,) = self.keyring.sources
        if found:
            keys = read_keys(self.issuer.published().body, "ES256")
            self.keyring.put(source, keys, None)
        asked, self.asked = self.asked, []
        for settled in asked:
            settled(found)
        return self.driver.settle()


class TestPublishedKeys:
    def test_who_waits_for_a_key_holds_his_own_commands_only(self) -> None:
        fetching = Fetching()
        line = fetching.driver.stranger()
        line.says("connect", token=fetching.token(), device="phone")
        line.says("ping")
        assert fetching.driver.turn() == []
        assert len(fetching.asked) == 1
        told = fetching.settle(found=True)
        assert [one.kind for one in told] == ["connected", "pong"]
        assert told[0].user == "ann"

    def test_without_keys_nobody_is_refused_for_good(self) -> None:
        fetching = Fetching()
        line = fetching.driver.stranger()
        line.says("connect", token=fetching.token(), device="phone")
        fetching.driver.turn()
        error, closed = fetching.settle(found=False)
        assert (error.body["code"], error.body["retryable"]) == ("unavailable", True)
        assert closed.code == CODES["SERVER_ERROR"]

    def test_a_key_that_the_fetch_did_not_bring_is_4500(self) -> None:
        fetching = Fetching()
        fetching.issuer.rotate("second")
        token = fetching.token()
        del fetching.issuer.private["second"]
        line = fetching.driver.stranger()
        line.says("connect", token=token, device="phone")
        fetching.driver.turn()
        (closed,) = fetching.settle(found=True)
        assert closed.code == CODES["BAD_TOKEN"]

    def test_a_refresh_waits_the_same_way(self) -> None:
        fetching = Fetching()
        fetching.settle(found=True)
        line = fetching.driver.stranger()
        line.says("connect", token=fetching.token(), device="phone")
        fetching.driver.settle()
        fetching.issuer.rotate("second")
        line.says("refresh", token=fetching.token())
        assert fetching.driver.settle() == []
        (told,) = fetching.settle(found=True)
        assert (told.kind, told.expires_s) == ("refresh", NOW_S + 60)

    def test_who_has_gone_meanwhile_is_no_session(self) -> None:
        fetching = Fetching()
        line = fetching.driver.stranger()
        line.says("connect", token=fetching.token(), device="phone")
        fetching.driver.turn()
        line.closed()
        fetching.driver.turn()
        fetching.settle(found=True)
        assert not fetching.driver.services.connecting
