"""The tag role: records to entity events and teacher requests, by the student that serves."""
