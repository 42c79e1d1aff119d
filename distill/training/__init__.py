"""Training with torch: the base encoder, the network, batches, augmentation."""
