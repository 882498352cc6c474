"""The table behind the service: the only room that another data set changes. See docs/adapting.md."""
