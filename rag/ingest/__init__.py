"""Documents in: finding and loading files, cutting them into chunks, keeping a knowledge base in step with a folder."""
