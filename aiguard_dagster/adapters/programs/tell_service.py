"""Tell one service of a rollback, once; the answer holds neither its address nor what it said."""

import json
import os
import sys
import urllib.error
import urllib.request
from importlib import import_module
from operator import attrgetter

AGAIN = {408, 425, 429}
"""Refusals that another attempt may change; so may all from 500 on."""
Answer = dict[str, object]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect of a post would arrive as something else."""

    def redirect_request(self, *_args: object, **_named: object) -> None:
        """Go nowhere."""


def main() -> None:
    """Read ``{document, url}`` or ``{document, call, path}``, print ``{told, why, again}``."""
    given = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What a function prints is no answer.
    answer = post(**given) if "url" in given else call(**given)
    print(json.dumps(answer), file=answers, flush=True)


def post(*, document: Answer, url: str, within_s: float, key: str) -> Answer:
    """Post the document as JSON."""
    if not url.startswith(("http://", "https://")):
        return {"told": False, "why": "its address is not http:// or https://", "again": False}
    headers = {"content-type": "application/json", "idempotency-key": key}
    request = urllib.request.Request(url, json.dumps(document).encode(), headers)  # noqa: S310
    try:
        urllib.request.build_opener(NoRedirect).open(request, timeout=within_s).close()
    except urllib.error.HTTPError as error:
        error.close()
        again = error.code in AGAIN or error.code >= 500  # noqa: PLR2004
        return {"told": False, "why": f"HTTP {error.code}", "again": again}
    except (OSError, ValueError) as error:
        cause = getattr(error, "reason", error)
        return {"told": False, "why": f"not reached ({type(cause).__name__})", "again": True}
    return {"told": True}


def call(*, document: Answer, call: str, path: list[str]) -> Answer:
    """Call a function with the document, where the caller's modules are found."""
    sys.path[:] = path
    module, _, name = call.partition(":")
    try:
        function = attrgetter(name)(import_module(module))
    except Exception as error:  # noqa: BLE001 - whatever the module does when it is imported
        why = f"could not be imported ({type(error).__name__})"
        return {"told": False, "why": why, "again": False}
    try:
        function(document)
    except Exception as error:  # noqa: BLE001 - whatever it raises
        return {"told": False, "why": f"raised {type(error).__name__}", "again": True}
    return {"told": True}


if __name__ == "__main__":
    main()
