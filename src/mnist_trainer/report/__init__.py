"""What runs came to: read from their folders, put into groups, compared, and shown. No torch is needed to look back."""
