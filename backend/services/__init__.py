"""What the views call: loading models, diagnosing, drawing heatmaps, describing models."""
