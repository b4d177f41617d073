"""The files of deploy/ fit together: what one asks of the environment, the others tell."""

import re

import dagster as dg
import pytest
import yaml

from deploy.postgres import DEPLOY
from tests.instances import environment

COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
WORKSPACE = yaml.safe_load((DEPLOY / "workspace.yaml").read_text())
INSTANCE = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())
EXAMPLE = dict(
    line.split("=", 1)
    for line in (DEPLOY / ".env.example").read_text().splitlines()
    if line and not line.startswith("#")
)


def asked(value):
    """The variables that Dagster reads from the environment."""
    if isinstance(value, dict):
        if set(value) == {"env"}:
            return {value["env"]}
        value = list(value.values())
    return set().union(*map(asked, value)) if isinstance(value, list) else set()


def test_the_example_of_the_environment_names_all_and_holds_no_password():
    in_compose = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    in_sql = set(re.findall(r"\\getenv \w+ (\w+)", (DEPLOY / "databases.sql").read_text()))
    assert asked(INSTANCE) | asked(WORKSPACE) | in_compose | in_sql <= set(EXAMPLE)
    assert {name for name, value in EXAMPLE.items() if not value} == {
        name for name in EXAMPLE if name.endswith("PASSWORD")
    }


def test_every_dagster_process_of_compose_has_what_dagster_yaml_asks_for():
    for name in ("code", "daemon", "webserver"):
        told = COMPOSE["services"][name]["environment"]
        assert asked(INSTANCE) | {"DAGSTER_HOME", "MLFLOW_TRACKING_URI"} <= set(told)
        assert told["DAGSTER_HOME"] == EXAMPLE["DAGSTER_HOME"]


def test_what_compose_names_is_there():
    services, volumes = COMPOSE["services"], COMPOSE["volumes"]
    for service in services.values():
        for other in service.get("depends_on", {}):
            assert services[other]["healthcheck"]
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in volumes
    server = WORKSPACE["load_from"][0]["grpc_server"]
    for name in ("daemon", "webserver"):
        assert services[name]["environment"][server["host"]["env"]] == "code"
    assert str(server["port"]) in services["code"]["command"]


def test_nothing_but_the_users_doors_is_open_and_those_to_this_machine_only():
    ports = {name: s["ports"] for name, s in COMPOSE["services"].items() if "ports" in s}
    assert ports == {"mlflow": ["127.0.0.1:5000:5000"], "webserver": ["127.0.0.1:3000:3000"]}


@pytest.fixture
def instance(dagster_databases, tmp_path):
    (tmp_path / "dagster.yaml").write_text((DEPLOY / "dagster.yaml").read_text())
    with (
        dagster_databases.empty() as database,
        environment(dagster_databases.server.environment(database)),
        dg.DagsterInstance.from_config(str(tmp_path)) as found,
    ):
        yield found


def test_dagster_takes_every_setting(instance):
    assert type(instance.event_log_storage).__name__ == "PostgresEventLogStorage"
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_max_runtime_seconds == 86_400
    assert (instance.run_retries_enabled, instance.run_retries_max_retries) == (True, 0)
    queue = instance.get_concurrency_config().run_queue_config
    assert queue.max_concurrent_runs == 10


def test_profiles_leave_room_in_the_queue_for_a_rollback(instance):
    """And one incident has one run at a time."""
    from dagster._utils.tags import TagConcurrencyLimitsCounter

    from aiguard_dagster.orchestration.delta_sensor import PROFILE_TAG
    from aiguard_dagster.orchestration.rollback import INCIDENT_TAG

    @dg.job
    def job(): ...

    limits = instance.get_concurrency_config().run_queue_config.tag_concurrency_limits

    def waits(running, tags):
        *before, run = [instance.create_run_for_job(job, tags=each) for each in (*running, tags)]
        return TagConcurrencyLimitsCounter(limits, before).is_blocked(run)

    profiles = [{PROFILE_TAG: f"p{number}"} for number in range(4)]
    assert waits(profiles, {PROFILE_TAG: "p4"})
    assert not waits(profiles, {INCIDENT_TAG: "i1"})
    assert waits([{INCIDENT_TAG: "i1"}], {INCIDENT_TAG: "i1"})
    assert not waits([{INCIDENT_TAG: "i1"}], {INCIDENT_TAG: "i2"})
