"""What leaves the zoo: saved models, reports and servers."""
