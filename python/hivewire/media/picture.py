"""The process that unpacks pictures of strangers, run by `pictures`. It imports nothing of ours.

It reads one JSON object a line and answers with one. Whatever a picture does to it, the node goes
on: memory, time and files are limited by the kernel, and the node starts another one.

    ← {"source":"/…","decoder":"PNG","target":"/…","box":320,"pixels":64000000}
    → {"width":640,"height":480}      or  {"error":"pixels"}  or  {"error":"unreadable"}
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import warnings
from typing import Any, Final

from PIL import Image, ImageOps

PICTURES: Final = 200
"""After so many the process ends: whatever they left behind in memory goes with it."""
QUALITY: Final = 80
FILE_BYTES: Final = 8 << 20
"""No thumbnail is larger."""


def main(arguments: list[str] | None = None) -> None:
    """Answer until there are no more lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--memory", type=int, required=True, help="bytes")
    parser.add_argument("--seconds", type=int, required=True, help="processor time of a picture")
    limits = parser.parse_args(arguments)
    give_up_rights(limits.memory)
    for _ in range(PICTURES):
        line = sys.stdin.readline()
        if not line:
            return
        allow_seconds(limits.seconds)
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


def give_up_rights(memory: int) -> None:
    """Take away what unpacking does not need; the kernel kills this process before any other."""
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(limit)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (bound, bound))
    os.nice(10)
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123 - no path
        file.write("1000")


def allow_seconds(seconds: int) -> None:
    """From now on this process may use so much of the processor; then the kernel ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    bound = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (bound, resource.RLIM_INFINITY))


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Look at one picture and write its thumbnail."""
    try:
        return look(**asked)
    except Image.DecompressionBombError:
        return {"error": "pixels"}
    except Exception as error:  # noqa: BLE001 - whatever a decoder comes upon in such bytes
        return {"error": "unreadable", "reason": f"{type(error).__name__}: {error}"[:200]}


def look(source: str, decoder: str, target: str, box: int, pixels: int) -> dict[str, Any]:
    """Width and height as shown; the first frame, made small, goes to `target` as WebP."""
    # What the header claims is judged before anything is unpacked.
    Image.MAX_IMAGE_PIXELS = pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        image: Image.Image = Image.open(source, formats=[decoder])
    except Image.DecompressionBombWarning as warning:
        raise Image.DecompressionBombError(str(warning)) from None
    with image:
        turned = image.getexif().get(0x0112, 1) in {5, 6, 7, 8}
        width, height = image.size
        image.thumbnail((box, box), reducing_gap=2.0)
        small = ImageOps.exif_transpose(image)
        if small.mode not in {"RGB", "RGBA"}:
            small = small.convert("RGBA" if small.has_transparency_data else "RGB")
        # Nothing of what cameras write down goes along: not where, not who.
        small.info.clear()
        small.save(target, "WEBP", quality=QUALITY, exif=b"", icc_profile=None)
    if turned:
        width, height = height, width
    return {"width": width, "height": height}


if __name__ == "__main__":
    main()
