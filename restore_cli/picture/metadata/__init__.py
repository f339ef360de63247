"""What files hold besides samples, format by format: where it lies, and how it is made true of another picture."""
