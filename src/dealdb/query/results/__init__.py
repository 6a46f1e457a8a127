"""What a query gives back: rows, pages, facets, search results, explanations, saved queries."""
