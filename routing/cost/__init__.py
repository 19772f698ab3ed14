"""What calls cost: prices, and the ledger of every priced thing."""
