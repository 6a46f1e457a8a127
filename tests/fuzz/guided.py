"""Coverage-guided fuzzing by atheris: what is read from strangers, a target each; needs the extra ``fuzz``."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import time
from pathlib import Path

from fuzz import Found, Tell
from fuzz._targets import TARGETS

# what the search remembers is in it; one input may take far less, which the target itself sees to
MEMORY_MB = 3_000
_TARGET_MB = 2_500
_ONE_INPUT_S = 20
_LONGEST_INPUT = 4_096


def fuzz(_url: str, folder: Path, ends_at: float, seed: int, tell: Tell) -> None:
    """Try each target for an equal share of the time."""
    if importlib.util.find_spec("atheris") is None:
        tell("nothing: atheris is not installed (pip install -c constraints.txt -e '.[fuzz]')")
        return
    for place, name in enumerate(TARGETS):
        seconds = (ends_at - time.monotonic()) / (len(TARGETS) - place)
        tell(f"{name} for {seconds:.0f} s, seed {seed}")
        if (found := guided(name, folder, seconds, seed)) is not None:
            tell(found)


def guided(name: str, folder: Path, seconds: float, seed: int) -> Found | None:
    """Fuzz one target for some time; what was found."""
    command = [
        *(sys.executable, "-m", "fuzz._targets", name),
        *(f"-max_total_time={max(1, int(seconds))}", f"-seed={seed % 2**32 or 1}", f"-max_len={_LONGEST_INPUT}"),
        *(f"-rss_limit_mb={_TARGET_MB}", f"-timeout={_ONE_INPUT_S}", "-print_final_stats=1"),
        *(f"-artifact_prefix={folder}/{name}-", "-use_value_profile=1"),
    ]  # fmt: skip
    ran = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, errors="replace", check=False
    )
    if not ran.returncode:
        return None
    begin = re.search(r"=== Uncaught|ERROR: libFuzzer|Traceback", ran.stderr)
    told = ran.stderr[begin.start() if begin else -3000 :]
    return Found(f"{name}: {ran.stdout[-1000:]}{told[:3000]}\n{told[-1500:]}")
