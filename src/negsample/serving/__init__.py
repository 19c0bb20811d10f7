"""How does a recommender serve people?"""
