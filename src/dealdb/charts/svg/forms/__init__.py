"""How each form is drawn."""
