from pathlib import Path


def write_model_card(directory: Path, description):
    (directory / "model_card.md").write_text("x")
