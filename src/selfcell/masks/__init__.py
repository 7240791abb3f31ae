"""Which entries a masked autoencoder hides, and the gene sets behind them."""
