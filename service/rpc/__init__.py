"""The methods that are the service's own: how it is doing."""
