"""Planning is pure: Catalog, Cloud and Route in, Plan out."""
