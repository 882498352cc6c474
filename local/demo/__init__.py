"""`make demo-drift`: a made-up year and a half of a served model."""
