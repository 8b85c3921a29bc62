"""What a model's life is and what a step does to it. Pure: no Kubernetes, Redis or HTTP is imported here."""
