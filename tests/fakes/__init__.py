"""Stand-ins for what is paid for or out of reach, each true to what it stands for."""
