"""Where the examples' MLflow is; a demo that starts a server of it says so before this is read."""

import os

from examples.home import HOME

TRACKING_URI = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{HOME / 'mlflow.db'}")
