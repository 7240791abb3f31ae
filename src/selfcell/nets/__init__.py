"""Networks and what moves them."""
