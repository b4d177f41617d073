"""A real HTTP server that is told things: it takes them, refuses, hangs, goes away, comes back."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.mlflow_server import free_port


@dataclass
class Service:
    """What the server does, and what it was told.

    Attributes:
        port: Where it listens.
        status: The status of its answers; 0 to never answer.
        said: The documents that it took, refused ones too, with their paths.
        headers: The headers of the same.
    """

    port: int
    status: int = 200
    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def titles(self) -> list[str]:
        """The titles of the messages that it took."""
        return [document["title"] for _, document in self.said]

    def url(self, path: str = "") -> str:
        """Apprise's address of it."""
        return f"json://127.0.0.1:{self.port}/{path}"

    @contextmanager
    def up(self) -> Iterator["Service"]:
        """Listen."""
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                service.said.append((self.path, json.loads(self.rfile.read(length))))
                service.headers.append(dict(self.headers))
                if service.status == 0:
                    service.over.wait(60)
                    return
                self.send_response(service.status)
                self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.over.set()
            server.shutdown()
            server.server_close()
            thread.join()


def service() -> Service:
    """One that does not listen yet."""
    return Service(port=free_port())
