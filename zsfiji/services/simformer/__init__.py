"""SIMFormer: networks that have learned from many simulated specimens what raw SIM images show."""
