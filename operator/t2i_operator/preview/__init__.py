"""What the operator would make of a resource, shown and not done: `t2i-operator render` and `t2i-operator diff`."""
