"""The service beside other gateways, on one machine: `python -m tests.benchmarks.gateway`, or `make bench-gateway`."""
