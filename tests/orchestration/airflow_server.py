"""A web server that answers as Airflow 2's stable REST API does, as far as airlift asks it."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlparse

DAG = {"dag_id": "load_orders", "file_token": "token", "is_paused": False, "description": "nightly"}
TASK = {"task_id": "load", "downstream_task_ids": [], "class_ref": {"class_name": "BashOperator"}}


class Airflow:
    """One DAG, and the runs of it that have ended."""

    def __init__(self):
        self.runs = []

    def finish(self, run_id, *, end):
        """A run of the DAG has ended well."""
        times = {"start_date": end.isoformat(), "end_date": end.isoformat()}
        self.runs.append(
            {
                "dag_id": DAG["dag_id"],
                "dag_run_id": run_id,
                "state": "success",
                "run_type": "scheduled",
                "note": None,
                "conf": {},
                "logical_date": end.isoformat(),
                **times,
            }
        )

    def answer(self, path, asked):
        """What the API says, or None where it has nothing of that name."""
        match path.removeprefix("/api/v1").strip("/").split("/"):
            case ["dags"]:
                return {"dags": [DAG], "total_entries": 1}
            case ["dags", "load_orders", "tasks"]:
                return {"tasks": [TASK], "total_entries": 1}
            case ["dags", "load_orders", "tasks", "load"]:
                return TASK
            case ["dagSources", "token"]:
                return {"content": "the DAG's code"}
            case ["datasets"]:
                return {"datasets": [], "total_entries": 0}
            case ["variables"]:
                return {"variables": []}
            case ["dags", "~", "dagRuns", "list"]:
                low, high = asked.get("end_date_gte", ""), asked.get("end_date_lte", "~")
                found = [run for run in self.runs if low <= run["end_date"] <= high]
                page = found[asked.get("page_offset", 0) :]
                return {"dag_runs": page, "total_entries": len(found)}
            case ["dags", "~", "dagRuns", "~", "taskInstances", "list"]:
                return {
                    "task_instances": [
                        {**run, "task_id": "load", "try_number": 1, "map_index": -1}
                        for run in self.runs
                        if run["dag_run_id"] in asked.get("dag_run_ids", [run["dag_run_id"]])
                    ]
                }
            case _:
                return None


@contextmanager
def serving(airflow):
    """The address at which an Airflow answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._reply({})

        def do_POST(self):
            size = int(self.headers["Content-Length"] or 0)
            self._reply(json.loads(self.rfile.read(size) or "{}"))

        def _reply(self, asked):
            found = airflow.answer(urlparse(self.path).path, asked)
            body = json.dumps(found if found is not None else {"title": "Not Found"}).encode()
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
