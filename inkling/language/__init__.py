"""The language model's part: texts cleaned, read and written; a domain learned; profiles and aspects."""
