"""What a run of the matrix is made of: building peers, running cells, writing the result."""
