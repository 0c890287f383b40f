"""Settings of one sensor board; copy to the board beside main.py."""

ROOM = "aurora"
NODE = "desk"
WIFI_NAME = "building"
WIFI_PASSWORD = ""
BROKER = "roomkeeper.local"
USERNAME = "node-desk"
PASSWORD = ""
# GPIO numbers: I2C clock and data, and the PIR's output.
SCL = 22
SDA = 21
PIR = 27
# GPIO numbers of reed contacts to ground (open: pulled up), None where there is none.
WINDOW = None
DOOR = None
