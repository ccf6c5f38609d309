"""Albums: the people of whole folders of photos and films. Of the room only XMP stands so far: names of people in
photos, written and read as the field's programs do.
"""
