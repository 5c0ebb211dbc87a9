"""config.json, tasks.json and oracle.json: from text to core values, with every problem named by file and place."""
