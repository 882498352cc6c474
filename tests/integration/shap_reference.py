"""The SHAP package's exact values for patients; run by the Python of build/shap, which has nothing of this project.

Reads from standard input the path of a bundle, its patients and the bounds of its target, either of which may be null,
and prints base value and contributions of each patient.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import shap
from ai_edge_litert.interpreter import Interpreter


def main() -> None:
    asked = json.load(sys.stdin)
    bundle = Path(asked["bundle"])
    scaler = json.loads((bundle / "scaler.json").read_bytes())
    mean, scale = np.array(scaler["mean"]), np.array(scaler["scale"])
    interpreter = Interpreter(model_path=str(bundle / "model.tflite"))
    runner = interpreter.get_signature_runner("rows_1")
    [name] = runner.get_input_details()
    # The other output has a column for each fold.
    [output] = [key for key, told in runner.get_output_details().items() if told["shape"][-1] == 1]

    def predict(rows: Any) -> Any:
        scaled = ((rows - mean) / scale).astype(np.float32)
        answers = np.array([runner(**{name: row[np.newaxis]})[output].item() for row in scaled])
        return np.clip(answers, *asked["bounds"])

    explainer = shap.ExactExplainer(predict, shap.maskers.Independent(mean[np.newaxis]))
    explained = explainer(np.array(asked["patients"]), silent=True)
    json.dump({"base_values": explained.base_values.tolist(), "contributions": explained.values.tolist()}, sys.stdout)


if __name__ == "__main__":
    main()
