"""Chat models, embedders and rerankers, one file per provider; `routing.models.catalog` turns names into them."""
