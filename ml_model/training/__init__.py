"""What only training needs: recipes, jobs, and the way from data to a measured bundle.

May import every room of ml_model; nothing that serves imports it.
"""
