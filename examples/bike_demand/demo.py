"""``make demo``: replay the autumn of 2012 and show what the guard did."""

from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from examples import screen
from examples.home import HOME, quiet

COLOURS = {
    "hold": "bright_yellow",
    "release": "bright_green",
    "notify": "bright_cyan",
    "refuse": "bright_magenta",
    "rollback": "bold bright_red",
    "escalate": "bright_yellow",
    "breach": "bright_red",
    "error": "bright_red",
}


def play(console: Console) -> dict[str, Any]:
    """Replay 15 August to 31 December 2012."""
    console.print(
        "[bold]bike_demand[/]: 139 days, two versions of a forecast, one guard"
        f"\n[dim]Dagster and MLflow on sqlite in {HOME}[/]"
    )
    from examples.bike_demand.report import collect

    with quiet():
        return collect(*replayed(console))


def replayed(console: Console) -> tuple[Any, ...]:
    """Train, replay day by day under a progress bar, and give back what is needed to tell it."""
    import dagster as dg

    import definitions
    from examples.bike_demand import replay

    with screen.progress(console) as progress:
        task = progress.add_task("training v1 and v2", total=len(list(replay.days())))
        instance = dg.DagsterInstance.get()
        replay.train_and_promote(instance)

        def on_day(day: datetime) -> None:
            progress.update(task, advance=1, description=f"{day:%d %b %Y}")
            if day.day == 1 and not console.is_terminal:  # Nobody sees the bar.
                console.print(f"{day:%B %Y} …")

        found = replay.run(instance, on_day=on_day)
    return definitions.GUARD, definitions.defs, instance, found


def show(console: Console, result: dict[str, Any]) -> None:
    """The timeline where a verdict changed or something was decided, then the errors."""
    heads = ("day", "rule", "verdict", "decision", "champion")
    table = screen.table("Timeline", *heads, row_styles=("", "on grey7"))
    for row in told(result["timeline"], result["actions"]):
        verdict, decision = row["verdict"], row["decision"] or ""
        table.add_row(
            row["day"],
            row["rule"],
            f"[{COLOURS.get(verdict, '')}]{verdict}[/]" if verdict in COLOURS else verdict,
            f"[{COLOURS[decision]}]{decision}[/]" if decision else "",
            f"v{row['champion']}",
            row["reason"],
        )
    console.print(table)
    errors = Table(title="Mean absolute error over the replay", title_justify="left")
    errors.add_column("served")
    errors.add_column("rentals an hour", justify="right")
    names = {
        "no_guard": "no guard: v2 to the end",
        "naive_guard": "naive guard: back to v1 at the first drift breach",
        "guard": "this guard",
    }
    for key, name in names.items():
        errors.add_row(name, f"{result['errors'][key]:.1f}")
    console.print(errors)
    after = result["after_rollback"]
    if after:
        console.print(
            f"After the rollback: v{after['champion']} {after['served']:.1f},"
            f" where v{after['replaced']} would have had {after['would_have_been']:.1f}."
        )


def told(timeline: list[dict[str, Any]], actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows worth reading: each change of a verdict, and each decision with its own reason."""
    decided: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for action in actions:
        decided.setdefault((action["day"], action["rule"]), []).append(action)
    before: dict[str, str] = {}
    rows = []
    for row in timeline:
        here = decided.get((row["day"], row["rule"]), [])
        changed = before.get(row["rule"]) not in {None, row["verdict"]}
        before[row["rule"]] = row["verdict"]
        rows += [{**row, "decision": a["action"], "reason": a["reason"]} for a in here]
        if changed and not here:
            rows.append({**row, "decision": None})
    return rows


main = screen.demo(
    "bike_demand", "Replay 15 August to 31 December 2012 through Dagster and MLflow.", play, show
)

if __name__ == "__main__":
    main()
