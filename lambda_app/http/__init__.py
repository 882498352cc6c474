"""The HTTP interface: routes by resource, schemas, problem details, middleware, the page."""
