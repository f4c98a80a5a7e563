"""The page at the end of a run: one HTML file with its numbers, curves and one clip to listen to.

- `collect`: what the page shows, from the output directory of a pipeline run (`collect_report`)
- `data`: that as frozen records (`ReportData` and its parts)
- `findings`: plain sentences computed from those numbers
- `charts`: pictures of the run
- `page`: puts them into `page.html.j2` and writes the file (`write_report`); the clip is `prosody.page`'s
"""
