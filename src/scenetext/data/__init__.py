"""Records to arrays: sources of images, transforms, batches."""
