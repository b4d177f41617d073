"""Which traces a registered version made."""

import re

from aiguard_dagster.adapters.mlflow.tags import Version
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.words import with_hint

LOGGED_MODEL = re.compile(r"models:/(m-[A-Za-z0-9_-]+)")


def logged_model_of(version: Version) -> str:
    """The logged model that traces of a version name in their metadata ``mlflow.modelId``.

    >>> source = "models:/m-1b2"
    >>> logged_model_of(Version(model="a", version="1", source=source, run_id=None, tags={}))
    'm-1b2'

    Raises:
        MeasurementError: The version was registered from something that traces do not name.
    """
    found = LOGGED_MODEL.fullmatch(version.source)
    if found is None:
        what = f"{version.model}: version {version.version} is of {version.source}, no logged model"
        hint = (
            "register it from models:/m-… so that traces can name it, or let the source have"
            " by_version: false."
        )
        raise MeasurementError(with_hint(what, hint))
    return found.group(1)
