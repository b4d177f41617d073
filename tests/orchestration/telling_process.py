"""What the test of kills starts and kills: one tick of the notice sensor, and the run it asks for.

Arguments: the folder of the Dagster instance, and seconds that have passed since.
"""

import sys
from datetime import timedelta

import dagster as dg

from tests.instances import QUIET
from tests.orchestration.telling import Telling

if __name__ == "__main__":
    folder, seconds = sys.argv[1], float(sys.argv[2])
    with dg.DagsterInstance.local_temp(folder, overrides=QUIET) as instance:
        Telling(instance).tick(after=timedelta(seconds=seconds))
