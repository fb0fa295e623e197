"""Locust's events: our options, the run, its end with its verdict and exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from loadtest.run import options
from loadtest.run.run import Run
from loadtest.run.verdict import Verdict, judge
from locust import events
from locust.runners import MasterRunner

if TYPE_CHECKING:
    from locust.env import Environment

_RUNS: Final[dict[int, Run]] = {}
_VERDICTS: Final[dict[int, Verdict]] = {}


def run(environment: Environment) -> Run:
    """The run of an environment of Locust."""
    return _RUNS[id(environment)]


@events.init_command_line_parser.add_listener
def _on_parser(parser: Any, **_: Any) -> None:  # noqa: ANN401 - as Locust gives it
    options.add(parser)


@events.init.add_listener
def _on_init(environment: Environment, **_: Any) -> None:  # noqa: ANN401
    # The master of a distributed run has no fleets of its own.
    if not isinstance(environment.runner, MasterRunner):
        _RUNS[id(environment)] = Run(environment)


@events.test_stopping.add_listener
def _on_test_stopping(environment: Environment, **_: Any) -> None:  # noqa: ANN401
    if id(environment) in _RUNS:
        _finish(environment)


@events.quitting.add_listener
def _on_quitting(environment: Environment, **_: Any) -> None:  # noqa: ANN401
    found = _RUNS.get(id(environment))
    if found is None:
        return
    try:
        _finish(environment)
    finally:
        found.close()
    verdict = _VERDICTS.get(id(environment))
    environment.process_exit_code = 0 if verdict is not None and verdict.passed else 1
    if verdict is not None:
        verdict.tell(found.options.report)


def _finish(environment: Environment) -> None:
    """End the run, and judge it when all is measured."""
    found = run(environment)
    if found.finish():
        _VERDICTS[id(environment)] = judge(found)
