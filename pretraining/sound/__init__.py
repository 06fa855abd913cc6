"""How `icecore:audio-s` was made. From the root of the repository: `python -m pretraining.sound --out FOLDER`."""
