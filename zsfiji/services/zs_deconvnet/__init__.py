"""ZS-DeconvNet as published: two-stage networks trained on the image itself."""
