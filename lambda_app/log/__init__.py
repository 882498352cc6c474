"""The audit log: one row for every answer, committed before the answer is sent."""
