"""Faust cut to size: services in order, one agent, timers, web pages, health, the way to an end."""
