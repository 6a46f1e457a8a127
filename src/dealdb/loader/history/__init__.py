"""History that comes from elsewhere, read as facts: plain tables, and what HubSpot, Salesforce and Pipedrive give."""
