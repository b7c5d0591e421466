"""What every service stands on: bus, stores, secrets, settings, workers."""
