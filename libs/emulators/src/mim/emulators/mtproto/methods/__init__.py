"""The methods of the API that the emulator carries out, by subject; each module lists its own in `METHODS`."""
