"""Published scores for colorectal liver metastases: points of a few yes/no questions, one file a score."""
