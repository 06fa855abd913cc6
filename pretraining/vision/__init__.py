"""How `icecore:vision-s` was made. From the root of the repository: `python -m pretraining.vision --out FOLDER`."""
