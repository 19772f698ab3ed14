"""What a question costs: a workload replayed through several configurations, priced per stage from the ledger.

`suite` says what is compared, `workload` what is asked, `replay` asks, `summary` counts, `report` writes. Simulated
providers are `simulated`, the hard budget of real ones is `budget`.
"""
