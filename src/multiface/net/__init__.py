"""What goes over a network: addresses and how they are shown, and HTTP."""
