"""Many requests at once, at half the price, answered within a day: the providers' batches behind one job."""
