"""One package a method: network, training objective, service. xarray in, xarray out; no Java."""
