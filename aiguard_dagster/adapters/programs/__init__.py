"""Programs for :func:`aiguard_dagster.adapters.apart.run_apart`; none imports anything of ours."""
