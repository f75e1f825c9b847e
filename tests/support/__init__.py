"""Real servers and processes for tests and benchmarks: everything listens on 127.0.0.1 and is stopped by pid."""
