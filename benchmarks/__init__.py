"""`make bench`: what an answer of this service costs, beside an empty function and the usual way of doing it."""
