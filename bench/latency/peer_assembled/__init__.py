"""What a user first puts together: FastAPI, sentence-transformers, flat faiss, LightGBM ``predict``, Redis."""
