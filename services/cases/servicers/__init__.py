"""The gRPC services of case handling: they convert and call, nothing else."""
