"""A root with one file in it, and a program that is started there with no rights at all.

Read-only, with no `/etc`, `/lib`, `/proc`, `/dev` or `/tmp` but what a test puts there. Only for a mount namespace of its
own.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

NOBODY = 65534
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT = 1, 2, 4, 32
PR_CAPBSET_DROP, PR_SET_SECUREBITS, PR_SET_NO_NEW_PRIVS = 24, 28, 38
NO_ROOT_LOCKED = 0b11
PROGRAM, EMULATOR, LEDGERS = "/continuous-producer", "/emulator", "/ledgers"

libc = ctypes.CDLL(None, use_errno=True)


def checked(answer: int) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def mount_tmpfs(at: Path, flags: int = 0) -> None:
    checked(libc.mount(b"none", bytes(at), b"tmpfs", MS_NOSUID | MS_NODEV | flags, b"mode=755"))


class EmptyRoot:
    """`files` are put there by their paths. With `writable`, `/ledgers` can be written to."""

    def __init__(self, at: Path, binary: Path, emulator: Path | None, files: Mapping[str, bytes],
                 writable: bool) -> None:
        self.at, self.emulator = at, emulator
        self.started: list[subprocess.Popen[str]] = []
        # In a user namespace of somebody else there is one user only.
        self.is_root = int(Path("/proc/self/uid_map").read_text().split()[2]) > NOBODY
        at.mkdir(parents=True, exist_ok=True)
        mount_tmpfs(at)
        shutil.copy(binary, at / PROGRAM[1:])
        if emulator:
            shutil.copy(emulator, at / EMULATOR[1:])
        for path, content in files.items():
            place = at / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        if writable:
            (at / LEDGERS[1:]).mkdir()
        checked(libc.mount(None, bytes(at), None, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, None))
        if writable:
            mount_tmpfs(at / LEDGERS[1:])
            (at / LEDGERS[1:]).chmod(0o777)

    def holds(self) -> list[str]:
        return sorted(f"/{path.relative_to(self.at)}" for path in self.at.rglob("*") if not path.is_dir())

    def start(self, arguments: Sequence[str], settings: Mapping[str, str]) -> subprocess.Popen[str]:
        """Its output is one pipe. What has not ended by itself is killed by `remove`."""
        # graviola wants what not every ARM has: `max` is one that has it all.
        command = [EMULATOR, "-cpu", "max", PROGRAM] if self.emulator else [PROGRAM]
        process = subprocess.Popen([*command, *arguments], env=dict(settings), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=self._enter)
        self.started.append(process)
        return process

    def _enter(self) -> None:
        """Between fork and exec. Root of a user namespace that has no nobody stays root, and gets no right from it."""
        os.chroot(self.at)
        os.chdir("/")
        for capability in range(64):
            if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                break
        checked(libc.prctl(PR_SET_SECUREBITS, NO_ROOT_LOCKED, 0, 0, 0))
        if self.is_root:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))

    def remove(self) -> None:
        for process in self.started:
            process.kill()
            process.wait()
        if (self.at / LEDGERS[1:]).is_mount():
            checked(libc.umount(bytes(self.at / LEDGERS[1:])))
        checked(libc.umount(bytes(self.at)))
        self.at.rmdir()
