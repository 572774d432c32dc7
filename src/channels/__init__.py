"""PLACES: the port, the browser, and one folder for each site."""
