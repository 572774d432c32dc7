"""The simulated WhatsApp services: they share no code with the channel, and keep a log of what reached them."""
