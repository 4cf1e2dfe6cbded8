"""Ready pipelines. The folder is the catalogue: a file is a pipeline's name."""
