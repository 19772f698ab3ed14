"""The top floor: is an answer good, is it worth its price, did it change? It uses all floors below; none uses it."""
