"""Pages of PDF and TIFF documents as images, made in a process that may do nothing else."""
