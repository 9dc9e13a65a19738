"""Attackers: who tries to tell the people of finished clips apart, or to find their source, and how far each gets."""
