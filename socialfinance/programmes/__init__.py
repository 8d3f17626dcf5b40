"""What is financed: people, outcomes, costs, and savings by agency."""
