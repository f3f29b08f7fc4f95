"""One module per way to reach a person outside Huiyao; `contract` says what each keeps."""
