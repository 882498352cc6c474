"""From the rows to a published model: data, network, evaluation, export, registry, command line."""

import os
from pathlib import Path

# TensorFlow reads both when it is first imported, so they stand where every module of the package comes by.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Without oneDNN the sums are in one order on every processor of a kind, and its notice at start-up is not printed.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

# Here, so that the command line can show them without importing TensorFlow.
DEFAULT_SEED = 1
DEFAULT_EPOCHS = 40
LEAST_EPOCHS = 10

# Every command looks for trained models here, and puts them here.
MODELS = Path("build/models")
