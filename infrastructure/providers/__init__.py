"""Model clients: real SDKs, the simulator and recorded answers."""
