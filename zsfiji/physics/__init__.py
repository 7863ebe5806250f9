"""Forward models that services share: camera noise, and later PSF, OTF and illumination."""
