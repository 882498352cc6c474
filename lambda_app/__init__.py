"""What runs in Lambda: serves the model and records every answer."""

VERSION = "0.1.0"
