"""Data shipped in the wheel; README.md says where it comes from."""
