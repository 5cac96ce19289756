"""The completions, judged by the shells: what is typed, and what each makes of it."""

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import termios
import time
from pathlib import Path

from tools import DEADLINE_S, Failed, Place, environment, expect, run, tool

PROGRAM = "continuous-producer"
LEVELS = {"debug", "info", "warn", "error"}
FILES = {"books of today.json", "books.json"}

# What stands behind the program's name, and what the last word may become.
CASES: list[tuple[str, set[str]]] = [
    ("--log-l", {"--log-level"}),
    ("--dry-run --int", {"--interval"}),
    ("--topic shoes --comp", {"--compression", "--completions"}),
    ("--nonsense-", set()),
    ("--log-level ", LEVELS),
    ("--log-level w", {"warn"}),
    ("--log-level=", LEVELS),
    ("--log-level=e", {"error"}),
    ("--sasl-mechanism SCRAM", {"SCRAM-SHA-256", "SCRAM-SHA-512"}),
    ("--completions ", {"bash", "zsh", "fish"}),
    ("--stats-interval 10", {"100ms", "10s", "10m"}),
    ("--ledger-file boo", FILES),
    ("--env-file=boo", FILES),
    ("--topic ", set()),
]


def bash_completes(place: Place) -> None:
    bash = tool("bash")
    script = script_of(place, "bash")
    run([bash, "-n", str(script)], place.folder)
    for typed, expected in CASES:
        # As bash itself breaks words (COMP_WORDBREAKS).
        words = re.findall(r"=|[^ =]+", f"{PROGRAM} {typed}")
        if typed.endswith(" "):
            words.append("")
        array = " ".join(shlex.quote(word) for word in words)
        command = (
            f"source {shlex.quote(str(script))}; complete -p {PROGRAM} >/dev/null || exit; "
            f"COMP_WORDS=({array}); COMP_CWORD={len(words) - 1}; _continuous_producer; "
            "((${#COMPREPLY[@]})) && printf '%s\\n' \"${COMPREPLY[@]}\"; exit 0"
        )
        found = run([bash, "--norc", "--noprofile", "-c", command], place.folder)
        expect_completed("bash", typed, set(found.splitlines()), expected)


def fish_completes(place: Place) -> None:
    fish = tool("fish")
    script = script_of(place, "fish")
    run([fish, "--no-execute", str(script)], place.folder)
    for typed, expected in CASES:
        command = f"source {shlex.quote(str(script))}; complete -C {shlex.quote(f'{PROGRAM} {typed}')}"
        found = run([fish, "--no-config", "-c", command], place.folder)
        # A description follows a tab; a value behind = is given with its flag; what is odd in file names is escaped.
        words = {line.split("\t")[0].replace("\\ ", " ") for line in found.splitlines()}
        prefix = typed.split("=")[0] + "=" if "=" in typed else ""
        expect_completed("fish", typed, {word.removeprefix(prefix) for word in words}, expected)


def zsh_completes(place: Place) -> None:
    zsh = tool("zsh")
    script = script_of(place, "zsh")
    run([zsh, "-n", str(script)], place.folder)
    # As it is installed: in a folder of $fpath, under the name that the first line promises.
    functions = place.folder / "functions"
    functions.mkdir()
    script.rename(functions / f"_{PROGRAM}")
    for load in (
        f"fpath=({shlex.quote(str(functions))} $fpath); autoload -U compinit; compinit -u -D",
        f"autoload -U compinit; compinit -u -D; source {shlex.quote(str(functions / f'_{PROGRAM}'))}",
    ):
        with Zsh(zsh, place.folder, load) as shell:
            for typed, expected in CASES:
                expect_completed("zsh", typed, shell.completions(typed), expected)


def script_of(place: Place, shell: str) -> Path:
    """The script; beside it are files to complete."""
    for name in FILES:
        (place.folder / name).touch()
    return place.text("--completions", shell)


def expect_completed(shell: str, typed: str, found: set[str], expected: set[str]) -> None:
    expect(found == expected, f"{shell} completes {typed!r} to {sorted(found)}, not to {sorted(expected)}")


# A widget that completes what has been typed and tells what was offered: each match that is handed to compadd, in full.
ZSH_SETUP = r"""
PROMPT=''; unsetopt zle_bracketed_paste 2>/dev/null; LISTMAX=0; zstyle ':completion:*' list-prompt ''
typeset -ga offered
compadd() {
    local -a hits
    case " ${(j: :)@[1,(i)(-|--)]}" in (*\ -[a-zA-Z]#[OAD]\ *) builtin compadd "$@"; return;; esac
    builtin compadd -O hits "$@"
    offered+=("${hits[@]}")
    builtin compadd "$@"
}
tell() {
    offered=()
    zle complete-word
    print -r -- "<<<${(j:|:)${(@u)offered}}>>>"
    BUFFER=
}
zle -N tell
setopt extended_glob
bindkey '^T' tell
print -r -- '<<<ready>>>'
"""


class Zsh:
    """An interactive zsh in a terminal of its own."""

    def __init__(self, zsh: str, folder: Path, load: str) -> None:
        setup = folder / "setup.zsh"
        setup.write_text(f"{load}\n{ZSH_SETUP}")
        self.seen = ""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execve(zsh, [zsh, "-f", "-i"], environment(folder))
        # Wide, so that no answer is broken into lines.
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 1000, 0, 0))
        os.write(self.terminal, f"source {shlex.quote(str(setup))}\n".encode())
        self.told()

    def __enter__(self) -> "Zsh":
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)

    def completions(self, typed: str) -> set[str]:
        os.write(self.terminal, f"{PROGRAM} {typed}\x14".encode())
        offered = self.told()
        # What is odd in file names is escaped; a flag that takes a value ends in =.
        return {word.rstrip("=").replace("\\ ", " ") for word in offered.split("|") if word}

    def told(self) -> str:
        """What it says next between <<< and >>>."""
        deadline = time.monotonic() + DEADLINE_S
        while not (found := re.search(r"<<<([^$\r\n]*?)>>>", self.seen)):
            ready, _, _ = select.select([self.terminal], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise Failed(f"zsh does not answer: {self.seen[-500:]!r}")
            self.seen += os.read(self.terminal, 4096).decode(errors="replace")
        self.seen = self.seen[found.end() :]
        return found.group(1)
