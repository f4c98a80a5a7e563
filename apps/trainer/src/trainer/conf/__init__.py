"""Hydra configuration: `config.yaml`, and one file for each stage and model."""
