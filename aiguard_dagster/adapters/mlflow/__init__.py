"""The MLflow registry: champions, quarantine, rollback and baselines, kept with the versions.

Inside this folder ``import mlflow`` is the library, since all imports are absolute.
"""
