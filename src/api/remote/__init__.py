"""The remote view over HTTP: a page for one person, a stream of pictures, and what the person does."""
