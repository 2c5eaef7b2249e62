"""The services of AWS around a function, as the engine meets them: at an endpoint that the user names."""
