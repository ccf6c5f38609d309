"""How good an embedder is on a verification set, with an interval on every figure.

- `protocol`: embeddings and a list of pairs in, accuracy and error rates out
- `report`: the results as a JSON document and as a table for people
"""
