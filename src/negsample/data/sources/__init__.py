"""Which public datasets are known, where are their official files, and how do these become logs?"""
