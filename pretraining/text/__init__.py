"""How `icecore:text-s` was made. From the root of the repository: `python -m pretraining.text --out FOLDER`."""
