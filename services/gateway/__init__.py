"""The edge of a region: Envoy's configuration and the documents, both made from the contracts, and the portal's pages."""
