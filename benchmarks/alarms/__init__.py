"""How good the alarms of drift are: how often they are false, what they see, what they miss."""
