"""Plays API Gateway (REST and HTTP APIs) and function URLs in front of deployed functions."""
