"""A program at a terminal, with the keys that a person types."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dealdb import DealDatabase


class Terminal:
    """
    A program whose three streams are a terminal; close it in the end.

    Attributes
    ----------
    shown
        All that it has printed so far.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> None:
        self._fd, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            cwd=folder,
            start_new_session=True,
            # shells want it to be theirs; it is the only thread that was copied
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self.shown = b""

    def type(self, keys: str) -> None:
        """Type keys."""
        os.write(self._fd, keys.encode())

    def wait_for(self, text: str, *, seconds: float = 20) -> bool:
        """Read until a text is shown; whether it was."""
        deadline, begin = time.monotonic() + seconds, len(self.shown)
        while text.encode() not in self.shown[begin:]:
            if time.monotonic() > deadline or not self._read(0.2):
                return text.encode() in self.shown[begin:]
        return True

    def wait_for_end(self, *, seconds: float = 20) -> bytes:
        """All that it prints until it ends."""
        deadline = time.monotonic() + seconds
        while self._read(0.05) and time.monotonic() < deadline:
            pass
        self.process.wait(timeout=max(0.1, deadline - time.monotonic()))
        return self.shown

    def _read(self, seconds: float) -> bool:
        """Read what there is; False at the end."""
        if not select.select([self._fd], [], [], seconds)[0]:
            return self.process.poll() is None
        try:
            some = os.read(self._fd, 65_536)
        except OSError:
            return False
        self.shown += some
        return bool(some)

    def close(self) -> None:
        """End the program if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._fd)


# each runs something where a shell takes it as it is; each begins in its own way, so that Tab alone puts it there
EVIL_NAMES = [
    f"{begin}{text}"
    for begin, text in {
        "ma": "$(touch RAN1)", "mb": "`touch RAN2`", "mc": ";touch RAN3;", "md": "&touch RAN4&", "me": "|touch RAN5",
        "mf": "' ;touch RAN6;'", "mg": '";touch RAN7;"', "mh": "\\$(touch RAN8)", "mi": "\\`touch RAN9`",
        "mj": ">RAN10", "mk": "\\\\$(touch RAN11)", "ml": "(touch RAN12)", "$(touch RAN13)": "", "`touch RAN14`": "",
        "mm": " --parquet=RAN15", "mn": "${x:=$(touch RAN16)}", "mo": "<(touch RAN17)", "mp": "$[$(touch RAN18)]",
        "mq": " && touch RAN19", "mr": "=(touch RAN20)", "ms": ":(touch RAN21)", "mt": "'\"$(touch RAN22)\"'",
    }.items()
]  # fmt: skip
EVIL_STAGES = [
    "Wa$(touch RAN30)",
    "Wb`touch RAN31`",
    "Wc' ;touch RAN32;'",
    "Wd\\$(touch RAN33)",
    "We owner=Mallory",
]
BEGUN = [
    # a bare dollar or backquote would be the person's own command
    *(f"dealdb find --limit 1 --columns {name[:2]}\t" for name in EVIL_NAMES if name[0] == "m"),
    "dealdb find --limit 1 --columns \\$\t",
    "dealdb find --limit 1 --columns \\`\t",
    *(f"dealdb save id=new stage={name[:2]}\t" for name in EVIL_STAGES),
    "dealdb find --limit 1 --columns \t\t",
]


def plant(db: DealDatabase) -> None:
    """Fields and stages that somebody else has named."""
    for number, name in enumerate(EVIL_NAMES):
        db.save_deal({"id": f"f{number}", name: "v"})
    for number, stage in enumerate([*EVIL_STAGES, "On hold"]):
        db.save_deal({"id": f"s{number}", "stage": stage})


# how each shell is set up: a plain prompt, and completion as its help says
_SET_UP = {
    "bash": (".bashrc", 'PS1="READY> "; bind "set enable-bracketed-paste off"\n'
             'eval "$(dealdb completion bash)"\n'),
    "zsh": (".zshrc", 'PS1="READY> "; unset zle_bracketed_paste; autoload -Uz compinit; compinit -u -D\n'
            'eval "$(dealdb completion zsh)"\n'),
    "fish": (".config/fish/config.fish", 'function fish_prompt; echo -n "READY> "; end\n'
             "dealdb completion fish | source\n"),
}  # fmt: skip


def at_shell(shell: str, lines: Sequence[str], url: str, folder: Path) -> list[str]:
    """What a shell shows for each line that is typed in it, Tab as ``\\t``; ``folder / "here"`` is where it is."""
    home, here = folder / "home", folder / "here"
    name, text = _SET_UP[shell]
    (home / name).parent.mkdir(parents=True)
    (home / name).write_text(text)
    here.mkdir()
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(home),
        "DEALDB_URL": url,
        "TERM": "xterm" if shell == "fish" else "dumb",
        "LC_ALL": "C.UTF-8",
    }
    terminal = Terminal([shell, "-i"], environment, here)
    shown = []
    try:
        assert terminal.wait_for("READY> "), terminal.shown
        for line in lines:
            begin = len(terminal.shown)
            terminal.type(f"{line}\n")
            # fish draws its prompt more than once
            terminal.wait_for("\r\n")
            terminal.type("echo DO''NE\n")
            assert terminal.wait_for("DONE"), terminal.shown[begin:]
            shown.append(terminal.shown[begin:].decode(errors="replace"))
    finally:
        terminal.close()
    return shown
