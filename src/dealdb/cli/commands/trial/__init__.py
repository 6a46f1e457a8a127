"""Commands that show or measure dealdb on deals of their own."""
