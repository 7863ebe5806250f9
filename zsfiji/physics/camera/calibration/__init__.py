"""The noise of a camera or a detector, measured in the image itself.

There are two measurements, which fail on different images:

``smoothest``
    Uses the blocks with the least structure at each brightness. It is exact where there is space
    between the structures, whatever the spectrum of the noise. It is too high where every block has
    structure.
``corner``
    Uses the frequencies that optics pass least, and further ones as far as they agree with these.
    Fine structure does not mislead it, but it has to know the spectrum of the noise.

``calibrate`` decides between them and says how reliable the result is.
"""
