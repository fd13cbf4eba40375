"""A message on its way: which server, from whom, as which bytes, and what became of it."""
