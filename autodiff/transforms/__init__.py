"""Transforms of functions: batching, forward and reverse mode. Their public names are those of `ad.func`."""
