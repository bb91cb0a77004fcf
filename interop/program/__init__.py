"""What the two programs are made of: flags, messages, both front ends, the service, the authority."""
