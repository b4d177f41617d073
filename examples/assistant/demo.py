"""``make demo-assistant``: replay seven weeks of an assistant and show what the guard said."""

import os
from contextlib import ExitStack
from datetime import datetime
from typing import Any

from rich.console import Console

from examples import screen
from examples.assistant.server import mlflow_server
from examples.home import HOME, quiet

COLOURS = {
    "ok": "bright_green",
    "breach": "bright_red",
    "error": "bright_red",
    "inconclusive": "bright_yellow",
    "notify": "bright_cyan",
    "escalate": "bright_yellow",
}


def play(console: Console) -> dict[str, Any]:
    """Replay two weeks of conversations and ten days of code."""
    console.print(
        "[bold]assistant[/]: 24 days of a generative assistant, one guard"
        f"\n[dim]Dagster on sqlite and a server of MLflow in {HOME}[/]"
        "\n[dim]Real tokens, decisions and judgements. Time is stretched: a minute of the published"
        "\ntraffic is a day here. The switch from conversations to code is ours.[/]"
    )
    with ExitStack() as stack:
        stack.enter_context(quiet())
        uri = stack.enter_context(mlflow_server(HOME))
        os.environ["MLFLOW_TRACKING_URI"] = uri
        return replayed(console)


def replayed(console: Console) -> dict[str, Any]:
    """Accept v1, replay day by day under a progress bar, and read back what happened."""
    import dagster as dg

    from examples.assistant import replay
    from examples.assistant.report import collect

    with screen.progress(console) as progress:
        task = progress.add_task("accepting v1", total=len(list(replay.days())))
        instance = dg.DagsterInstance.get()
        model_id, logged = replay.accept_v1()

        def on_day(day: datetime) -> None:
            progress.update(task, advance=1, description=f"{day:%d %b %Y}")

        found = replay.run(instance, model_id=model_id, on_day=on_day)
    found.logged += logged
    return collect(found)


def show(console: Console, result: dict[str, Any]) -> None:
    """Each change of a verdict and each notice, then where every rule stands at the end."""
    table = screen.table("Timeline", "day", "rule", "verdict", row_styles=("", "on grey7"))
    for day, rule, what, why in told(result):
        table.add_row(day, rule, f"[{COLOURS.get(what, 'default')}]{what}[/]", why)
    console.print(table)
    last = {row["rule"]: row for row in result["timeline"]}
    table = screen.table("On the last day", "rule", "verdict", "n", "coverage")
    for rule, row in last.items():
        what = row["verdict"]
        table.add_row(
            rule,
            f"[{COLOURS.get(what, 'default')}]{what}[/]",
            f"{row['n']:,}",
            f"{row['coverage']:.0%}",
            "; ".join(f"{part['name']}: {part['text']}" for part in row["parts"][:3])
            or row["reason"],
        )
    console.print(table)
    traces = result["traces"]
    console.print(
        f"{traces['logged']:,} traces logged over {traces['server']}, {traces['read_back']:,} read"
        f" back: median {traces['median_ms']:,.0f} ms, and {traces['median_ms_of_rows']:,.0f} ms"
        " by the published rows."
    )


def told(result: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """The rows worth reading: the switch, each change of a verdict, and each decision."""
    before: dict[str, str] = {}
    rows = [(result["switch"], "", "", "from here on: code instead of conversations")]
    for row in result["timeline"]:
        if before.get(row["rule"]) not in {None, row["verdict"]}:
            rows.append((row["day"], row["rule"], row["verdict"], row["reason"]))
        before[row["rule"]] = row["verdict"]
    rows += [(a["day"], a["rule"], a["action"], a["reason"]) for a in result["actions"]]
    return sorted(rows, key=lambda row: row[0])


main = screen.demo(
    "assistant",
    "Replay two weeks of conversations and ten days of code through Dagster and MLflow.",
    play,
    show,
)

if __name__ == "__main__":
    main()
