"""From the rows to a published model: data, network, evaluation, export, registry, command line."""

import os
from pathlib import Path

# TensorFlow reads both variables at its first import, so they are set before any module of the package runs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Without oneDNN, sums have the same order on all processors of one kind, and no notice is printed at the start.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

# Defined here, so that the command line can show them without importing TensorFlow.
DEFAULT_SEED = 1
DEFAULT_EPOCHS = 40
LEAST_EPOCHS = 10

# Every command looks for trained models here, and puts them here.
MODELS = Path("build/models")
