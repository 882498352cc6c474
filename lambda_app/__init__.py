"""What runs in Lambda: serves the diabetes model and records every answer."""

VERSION = "0.1.0"
