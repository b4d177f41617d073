"""The peers our benchmarks compare with, each in an environment of its own."""
