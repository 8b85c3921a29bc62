"""One module per third-party client; each translates that client's errors into ours."""
