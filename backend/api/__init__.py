"""Views, one module per resource: they translate between HTTP and the services, and decide nothing."""
