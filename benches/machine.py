"""The machine and the build that figures belong to, and the kernel settings that they need."""

from __future__ import annotations

import os
import platform
import subprocess
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
REPORTS: Final = ROOT / "reports"

# 50,000 connections need a wide port range, and bursts of connects a deep accept queue.
SYSCTLS: Final = {
    "net.ipv4.ip_local_port_range": "1024 65535",
    "net.core.somaxconn": "65535",
    "net.ipv4.tcp_max_syn_backlog": "65535",
}


def tune() -> list[str]:
    """Set the kernel up for many connections; a sentence for each setting that stays."""
    problems = list[str]()
    for name, value in SYSCTLS.items():
        path = Path("/proc/sys") / name.replace(".", "/")
        if path.read_text().split() == value.split():
            continue
        try:
            path.write_text(value)
        except OSError as error:
            was = " ".join(path.read_text().split())
            problems.append(f"{name} stays at `{was}`, not `{value}` ({error.strerror})")
    return problems


def describe() -> dict[str, str]:
    """What to print above a table of figures."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{_cpu_model()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB",
        "kernel": f"Linux {platform.release()}, loopback",
        "commit": _commit(),
        "profile": _profile(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _commit() -> str:
    def git(*words: str) -> str:
        run = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return run.stdout.strip()

    commit = git("rev-parse", "--short=12", "HEAD") or "none"
    return f"{commit} with changes" if git("status", "--porcelain") else commit


def _profile() -> str:
    release = tomllib.loads((ROOT / "Cargo.toml").read_text())["profile"]["release"]
    return "release: " + ", ".join(f"{name} = {value}" for name, value in release.items())
