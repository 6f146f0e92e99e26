"""What exported files run: read as text, and completed with a plan. Old Pythons read them too."""
