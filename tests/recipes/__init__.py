"""The recipes of docs/recipes.md, run as they stand there, with the packages they are for."""
