"""How good an embedder is on a verification set, with an interval on every figure.

- `protocol`: embeddings and a list of pairs in, accuracy and error rates out
- `comparison`: two embedders on the same pairs
- `subgroups`: error rates of groups of people at one threshold
- `ijb`: faces to templates, 1:1 and 1:N, of IJB-B and IJB-C
- `evaluation_page`, `svg_chart`, `score_file`: a page with ROC and DET, its charts, the scores as CSV
- `report`: the results as a JSON document and as a table for people
"""
