"""Models that misbehave, as MLflow loads them: the model's only file says in which way."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

SECRET = "Ms Secret"  # noqa: S105 - a name that must not be quoted


class Wild:
    def __init__(self, way: str) -> None:
        self.way = way

    def predict(self, rows):  # noqa: C901 - one case a way
        match self.way.split():
            case ["exits", "predicting"]:
                os._exit(0)
            case ["hangs", "predicting"]:
                time.sleep(600)
            case ["raises", "predicting"]:
                message = f"cannot make a number of {rows['who'].iloc[0]}"
                raise ValueError(message)
            case ["prints", "predicting"]:
                for _ in range(2_000):
                    sys.stdout.write(f"{SECRET} " * 500)
                    sys.stderr.write(f"{SECRET} " * 500)
                os._exit(3)
            case ["prints", "a", "lot"]:
                for _ in range(4_000):
                    sys.stdout.write("out " * 500)
                    sys.stderr.write("err " * 500)
            case ["leaves", pid_file]:
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
                Path(pid_file).write_text(str(child.pid))
                threading.Thread(target=time.sleep, args=(600,)).start()
            case ["probabilities"]:
                return np.column_stack([1 - rows["load"], rows["load"]])
            case ["names"]:
                return rows["who"].to_numpy(dtype=object)
            case ["too", "few"]:
                return np.ones(1)
            case ["scratches"]:
                Path("here").resolve()
                Path(os.environ["TMPDIR"], "scratch").write_text("x")
        return rows["load"].to_numpy() * 2.0


def _load_pyfunc(path: str) -> Wild:
    way = Path(path).read_text()
    match way.split():
        case ["exits", "loading"]:
            os._exit(7)
        case ["hangs", "loading"]:
            time.sleep(600)
        case ["hangs", "deaf"]:
            import signal

            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        case ["waits", pid_file]:
            Path(pid_file).write_text(str(os.getpid()))
            time.sleep(600)
        case ["raises", "loading"]:
            message = "no tokenizer at https://me:hunter2@models.example/tokenizer"
            raise RuntimeError(message)
        case ["leaves", "loading"]:
            sys.exit("bye")
        case ["says", "why"]:
            sys.stderr.write("first line\nno GPU found\n")
            os._exit(4)
        case ["dies", "of", "memory"]:
            os.kill(os.getpid(), 9)
    return Wild(way)
