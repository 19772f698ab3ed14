"""How results look: plots and self-contained pages."""
