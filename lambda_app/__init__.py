"""The code that runs in Lambda: it serves the model and records every answer."""

VERSION = "0.1.0"
