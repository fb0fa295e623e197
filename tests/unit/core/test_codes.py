"""The error codes are those of the contract, each with a sentence."""

from __future__ import annotations

from hivewire.client.outgoing import RETRYABLE as CLIENT_RETRYABLE
from hivewire.core.codes import ERRORS, RETRYABLE
from hivewire.hooks.values import REFUSALS
from tests.e2e.stranger import ERROR_CODES


def test_the_codes_are_those_of_the_contract() -> None:
    assert set(ERRORS) == ERROR_CODES == REFUSALS


def test_each_says_something() -> None:
    assert all(text.endswith(".") for text in ERRORS.values())


def test_the_client_sends_again_what_may_be_sent_again() -> None:
    assert frozenset(CLIENT_RETRYABLE) == RETRYABLE
