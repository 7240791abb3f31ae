"""The report of a study: one HTML file that opens offline, written from the study's tables.

`about` is what the configuration says (the workflow calls it), `tables` turns result files into
tables for readers, `embed` puts figures and data into the page, `page` puts it all together.
"""
