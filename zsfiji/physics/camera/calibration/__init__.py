"""The noise of a camera or a detector, measured in the image itself.

Two measurements that err differently are taken, and what they agree on is believed:

``smoothest``
    The blocks with the least structure of each brightness. Exact where there is room between the
    structures, whatever the spectrum of the noise; too high where structure is in every block.
``corner``
    The frequencies that optics pass least, outwards as far as brighter ones agree with them. Not
    fooled by fine structure; it has to know what spectrum the noise has.

``calibrate`` decides between them and says how far the result is to be believed.
"""
