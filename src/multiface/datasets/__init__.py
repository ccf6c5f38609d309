"""Data sets as they lie on disk: their formats in, frozen arrays out. Nothing here knows a model.

Import from the files themselves:

- `lfw`: the pairs file of Labeled Faces in the Wild and the folder of pictures beside it
- `bin_pack`, `bin_pickle`: packs of verification pairs, read without running what they ask for
- `pack_people`: who is shown in the pictures of a pack, from a file beside it
- `ijb`: IJB-B and IJB-C in the layout that the field hands round
- `recordio` and the files `record...`: MXNet's record files
- `identities`: training sets, pictures of people each with the number of its person

A broken or incomplete set is a `DataSetError` that names the file, and the line or entry in it.
"""
