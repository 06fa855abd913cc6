"""How the bundled backbones were made. `python -m pretraining --out FOLDER` from the root of the repository."""
