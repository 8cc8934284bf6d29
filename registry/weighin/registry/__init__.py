"""What is kept, released and pulled. Imports only the gates."""
