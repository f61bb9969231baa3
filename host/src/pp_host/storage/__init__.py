"""Read models: what the record says, arranged for questions. Derived, droppable, never the truth."""
