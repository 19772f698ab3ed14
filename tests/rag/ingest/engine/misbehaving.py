"""A `prepare` for tests that does to its process what the name of the job's item says."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from rag.ingest.prepare import Job, Prepared, Recipe

READ_ALREADY = 0


def prepare(job: Job, recipe: Recipe) -> Prepared:
    global READ_ALREADY
    READ_ALREADY += 1
    deed, _, argument = job.item.name.partition(" ")
    match deed:
        case "crash":
            ctypes.string_at(0)
        case "crash-later":  # blames nobody but what a worker did before
            if READ_ALREADY > 1:
                ctypes.string_at(0)
        case "kill-once":
            if not Path(argument).exists():
                Path(argument).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "kill-parent":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(600)
        case "exit":
            sys.exit(int(argument))
        case "sleep":
            time.sleep(float(argument))
        case "spin":
            while True:
                pass
        case "eat":
            bytes(int(argument))
        case "abort":
            os.write(2, b"memory allocation of 99 bytes failed\n")
            os.abort()
        case "shout":
            os.write(1, b"noise on stdout\n" * 10_000)
            sys.stdout.write("noise\n")
            sys.stdout.flush()
            os.write(2, b"noise on stderr\n" * 100_000)
        case "read-stdin":
            return Prepared(job.item, hash=repr(sys.stdin.read()))
        case "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
        case "unpicklable":
            return Prepared(job.item, cuts=(lambda: None,))  # type: ignore[arg-type]  # what no pickle holds
        case "child":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            Path(argument).write_text(f"{os.getpid()} {child.pid}")
            time.sleep(600)
        case "pid":
            return Prepared(job.item, hash=str(os.getpid()))
        case "big":
            return Prepared(job.item, hash="x" * int(argument))
    return Prepared(job.item, hash=job.item.name)


def broken(job: Job, recipe: Recipe) -> Prepared:
    raise ValueError(f"no way to read {job.item.name}")
