"""Settings of one sensor board; copy to the board beside main.py. Not tried on a real board yet."""

# As [room] id and one of `nodes` in the room's room.toml.
ROOM = "aurora"
NODE = "board-1"
WIFI_NAME = "building"
WIFI_PASSWORD = ""
BROKER = "roomkeeper.local"
USERNAME = "node-board-1"
PASSWORD = ""
# GPIO numbers: I2C clock and data, and the PIR's output.
SCL = 22
SDA = 21
PIR = 27
# GPIO numbers of reed contacts to ground (open: pulled up), None where there is none.
WINDOW = None
DOOR = None
