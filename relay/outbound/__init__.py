"""The way out: requests over libcurl, and the guard that no address gets around."""
