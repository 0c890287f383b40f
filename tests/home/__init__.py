"""The room in Home Assistant: what is announced, told and asked for; and a real one."""
