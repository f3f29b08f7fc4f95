"""The pages that people look at: the workbench, personal links, the operators' pages, and their live events."""
