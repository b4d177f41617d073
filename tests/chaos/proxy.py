"""Stands between a client and an MLflow server, and does to the answers what a test wants."""

import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HTML = b"<html><body>Please sign in</body></html>"
REFUSED = b'{"error_code": "PERMISSION_DENIED", "message": "read only"}'
READS = ("search", "get-latest-versions", "/get", "batch")


class Proxy(ThreadingHTTPServer):
    """Passes requests on.

    Attributes:
        target: The server behind it.
        fault: What is done: ``none``, ``slow`` (30 s), ``sluggish`` (5 s), ``500``, ``503``,
            ``read only``, ``html``, ``cut``, ``empty`` or ``reset``.
        asked: Requests so far.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, target):
        self.target, self.fault, self.asked = target, "none", 0
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def uri(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """Clients that have given up are no news."""


class Handler(BaseHTTPRequestHandler):
    def answer(self):
        proxy = self.server
        proxy.asked += 1
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length else None
        match proxy.fault:
            case "slow":
                time.sleep(30)
            case "sluggish":
                time.sleep(5)
            case "500" | "503":
                return self.reply(int(proxy.fault), b'{"error_code": "INTERNAL_ERROR"}')
            case "html":
                return self.reply(200, HTML, "text/html")
            case "empty":
                return self.reply(200, b"{}")
            case "reset":
                return self.close_connection
            case "read only" if self.command != "GET" and not self.is_read():
                return self.reply(403, REFUSED)
        status, found, kind = self.passed_on(body)
        if proxy.fault == "cut":
            found = found[: len(found) // 2]
        return self.reply(status, found, kind)

    def is_read(self):
        return any(self.path.partition("?")[0].endswith(end) for end in READS)

    def passed_on(self, body):
        headers = {"content-type": self.headers.get("content-type") or "application/json"}
        request = urllib.request.Request(  # noqa: S310
            self.server.target + self.path, body, headers, method=self.command
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, answer.read(), answer.headers.get_content_type()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), "application/json"

    def reply(self, status, body, kind="application/json"):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

    def log_message(self, *_args):
        """Say nothing."""


@contextmanager
def proxy_to(target):
    """A proxy on a free port for as long as the block lasts."""
    proxy = Proxy(target)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
