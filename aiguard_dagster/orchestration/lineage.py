"""What makes an asset: the ops of it and of all that it is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What makes an asset.

    Attributes:
        own: The asset, as text.
        makers: The assets, as text, by the op that makes them: it and all upstream of it.
    """

    own: str
    makers: Mapping[str, str]

    def only(self, *, upstream: bool) -> Mapping[str, str]:
        """The same, or but the asset itself."""
        mine = {op: asset for op, asset in self.makers.items() if asset == self.own}
        return self.makers if upstream else mine


def lineage_of(graph: Any, key: dg.AssetKey) -> Lineage:  # noqa: ANN401 - Dagster's asset graph
    """The ops that make an asset and all that it is made from; of several assets the own one tells.

    Args:
        graph: The project's assets.
        key: The asset.
    """
    makers: dict[str, str] = {}
    seen, ahead = set(), [key]
    while ahead:
        each = ahead.pop(0)
        if each in seen or not graph.has(each):
            continue
        seen.add(each)
        node = graph.get(each)
        if node.is_executable:
            makers.setdefault(node.assets_def.node_def.name, each.to_user_string())
        ahead += sorted(node.parent_keys)
    return Lineage(own=key.to_user_string(), makers=makers)
