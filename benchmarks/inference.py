"""How long a prediction for one case takes, and nothing else. Runs in a function's own Python, with its packages.

`python inference.py litert|tensorflow|known BUNDLE` prints the milliseconds of each call as JSON.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CALLS, WARM_UP_CALLS = 200, 20
Predict = Callable[[Any], Any]


def load_runtime(name: str, bundle: Path) -> Predict:
    """Scaler and network as the service runs them."""
    if name == "tensorflow":
        from lambda_app.model.tensorflow import TensorFlowRuntime as Selected  # noqa: PLC0415
    else:
        from lambda_app.model.litert import LiteRtRuntime as Selected  # type: ignore[assignment] # noqa: PLC0415
    return Selected({name: (bundle / name).read_bytes() for name in Selected.FILES}).predict


def load_known(bundle: Path) -> Predict:
    """The same two as variants/usual_way.py runs them."""
    import joblib  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    model = tf.keras.models.load_model(bundle / "tf_model.h5", compile=False)
    scaler = joblib.load(bundle / "scaler.pkl")
    return lambda rows: model.predict(scaler.transform(np.array(rows)), verbose=0)


def time_calls(predict: Predict, row: list[float]) -> list[float]:
    elapsed_ms = []
    for _ in range(WARM_UP_CALLS + CALLS):
        started = time.perf_counter()
        predict([row])
        elapsed_ms.append((time.perf_counter() - started) * 1000)
    return elapsed_ms[WARM_UP_CALLS:]


def main() -> None:
    name, bundle = sys.argv[1], Path(sys.argv[2])
    predict = load_known(bundle) if name == "known" else load_runtime(name, bundle)
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    row = [(feature["minimum"] + feature["maximum"]) / 2 for feature in manifest["features"]]
    print(json.dumps(time_calls(predict, row)))


if __name__ == "__main__":
    main()
