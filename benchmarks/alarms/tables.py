"""Tables as Markdown, as ``docs/alarms.md`` shows them."""

from collections.abc import Sequence


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print one table."""
    print(f"\n### {title}\n")
    for line in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(" ".join(str(cell).split()) for cell in line) + " |")
    print(flush=True)
