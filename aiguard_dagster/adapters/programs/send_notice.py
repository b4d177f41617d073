"""Send one message to one Apprise URL; the answer never holds the URL, nor what a server said."""

import json
import logging
import re
import sys

CODE = re.compile(r"\berror=(\d{3})\b")


class Codes(logging.Handler):
    """Keeps the HTTP codes that Apprise logs, and nothing else of its log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Look for a code in a line of the log."""
        self.found += CODE.findall(record.getMessage())


def main() -> None:
    """Read ``{url, title, body, type}``, print ``{sent, why}``."""
    given = json.load(sys.stdin)
    print(json.dumps(send(**given)))  # noqa: T201 - the answer


def send(*, url: str, title: str, body: str, kind: str) -> dict[str, object]:
    """Whether the service took it, and if not, why."""
    try:
        from apprise import Apprise, AppriseAsset, NotifyFormat
        from apprise.logger import logger
    except ImportError:
        return {"sent": False, "why": "apprise is not installed"}
    codes = Codes()
    logger.handlers, logger.propagate = [codes], False
    logger.setLevel(logging.WARNING)
    # In a thread of its own a service could outlive its time; state on disk would be left behind.
    sender = Apprise(asset=AppriseAsset(app_id="aiguard", async_mode=False, storage_path=None))
    if not sender.add(url):
        return {"sent": False, "why": "its address is none that Apprise can read"}
    if sender.notify(body=body, title=title, notify_type=kind, body_format=NotifyFormat.TEXT):
        return {"sent": True}
    code = f"HTTP {codes.found[-1]}" if codes.found else "not reached, or it refused"
    return {"sent": False, "why": code}


if __name__ == "__main__":
    main()
