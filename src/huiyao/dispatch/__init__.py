"""Due tasks become messages: the loop that drives `storage.expand`."""
