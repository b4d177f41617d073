"""A generative assistant under guard: real tokens, decisions and judgements; a switch of work."""
