"""The contract: commands, facts and how to publish them. Light enough for a pipeline step."""
