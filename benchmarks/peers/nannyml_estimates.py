"""NannyML's CBPE of accuracy and AUC on chunks of equal size, a JSON line for each.

Run by NannyML's own interpreter: ``PYTHON nannyml_estimates.py REFERENCE ANALYSIS CHUNK_SIZE``. The
parquet files have the columns ``label`` (in the reference), ``said`` and ``score``.
"""

import argparse
import json
import os
import warnings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference")
    parser.add_argument("analysis")
    parser.add_argument("chunk_size", type=int)
    arguments = parser.parse_args()
    os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
    warnings.simplefilter("ignore")
    import nannyml as nml
    import pandas as pd

    estimator = nml.CBPE(
        y_pred_proba="score",
        y_pred="said",
        y_true="label",
        problem_type="classification_binary",
        metrics=["accuracy", "roc_auc"],
        chunk_size=arguments.chunk_size,
    )
    estimator.fit(pd.read_parquet(arguments.reference))
    found = estimator.estimate(pd.read_parquet(arguments.analysis))
    table = found.filter(period="analysis").to_df()
    for accuracy, auc in zip(table["accuracy"]["value"], table["roc_auc"]["value"], strict=True):
        print(json.dumps({"accuracy": accuracy, "auc": auc}))


if __name__ == "__main__":
    main()
