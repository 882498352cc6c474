"""The command line for the records: erase, show, status, legal holds, and the daily work at once."""
