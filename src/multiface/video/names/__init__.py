"""Who the tracks are: people, strangers, and what is announced of them."""
