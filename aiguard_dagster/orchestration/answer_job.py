"""A person's answer from Dagster's UI: one job for each guard, whose launchpad is the form."""

from enum import Enum
from typing import Any

import dagster as dg

from aiguard_dagster.core.errors import ActionError
from aiguard_dagster.core.people import Answer, told_of
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.clock import Clock
from aiguard_dagster.orchestration.people import record_answer


class Choice(Enum):
    """What the form lets a person choose."""

    approve = "approve"
    reject = "reject"
    release = "release"


class AnswerConfig(dg.Config):
    """A person's decision; incident and rule may be left out when only one proposal waits."""

    answer: Choice
    """``approve`` or ``reject`` a proposal, or ``release`` predictions that are held back."""
    by: str
    """Who decides. Dagster does not check the name."""
    why: str
    """For what reason; it is recorded with the decision."""
    incident: str = ""
    """The incident, as the proposal names it; the only one that waits when left out."""
    rule: str = ""
    """The rule that asked, where several of the incident wait."""


def answer_job_name(guard: Guard) -> str:
    """The name of a guard's answer job."""
    return f"{guard.name}_answer"


def answer_config(guard: Guard, **answer: str) -> dict[str, Any]:
    """The run config of a guard's answer job."""
    return {"ops": {_op_name(guard): {"config": answer}}}


def _op_name(guard: Guard) -> str:
    return f"{guard.name}_record_answer"


def build_answer_job(*, guard: Guard, clock: Clock) -> dg.JobDefinition:
    """The job that records what a person decides on a guard's proposals and holds."""

    @dg.op(name=_op_name(guard), description=f"Records a decision on the guard {guard.name}.")
    def record(context: dg.OpExecutionContext, config: AnswerConfig) -> None:
        try:
            decision = record_answer(
                context.instance,
                guard,
                Answer(config.answer.value),
                by=config.by,
                why=config.why,
                now=clock(),
                via=f"Dagster run {context.run_id}",
                incident=config.incident.strip(),
                rule=config.rule.strip(),
            )
        except ActionError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        context.log.info("%s: %s", decision.incident, told_of(decision))

    @dg.job(
        name=answer_job_name(guard),
        executor_def=dg.in_process_executor,
        description=(
            f"Approve or reject what {guard.name} proposes, or release what it holds back:"
            f" {guard.owner} decides. The guard acts on it at its next tick."
        ),
    )
    def job() -> None:
        record()

    return job
