"""What hostile peers come to, and what everybody else notices of them."""
