"""What the parts of a site are told: their files as texts with holes."""

MOSQUITTO = """
listener {port} 127.0.0.1
allow_anonymous true
user root
persistence true
persistence_location {folder}/
autosave_interval 1
autosave_on_changes true
"""


EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//organiser//EN
BEGIN:VEVENT
UID:{uid}
DTSTAMP:{now}
DTSTART:{start}
DTEND:{end}
SUMMARY:{summary}
CATEGORIES:demo
ORGANIZER:mailto:ada@example.org
ATTENDEE;CUTYPE=ROOM;PARTSTAT=NEEDS-ACTION:mailto:aurora@example.org
END:VEVENT
END:VCALENDAR
"""

ROOM_TOML = """# One room of a site that lives for some minutes. See config/room.toml for every key.
nodes = {nodes}

[room]
id = "{room}"
name = "Aurora"
timezone = "Europe/Berlin"

[broker]
port = {ports.room}

[site]
port = {ports.site}

[calendar]
url = {calendar}
username = {user}
password_file = "calendar.password"
poll_s = 1.0
near_poll_s = 1.0

[camera]
device = {camera}
loop = true

[microphone]
device = {microphone}
loop = true

[[actuators]]
name = "light.main"
driver = "mqtt"
device = "ceiling"
field = "brightness"
min = 0.0
max = 100.0
rate_per_min = 60
fallback = 0

[[actuators]]
name = "climate.setpoint"
driver = "mqtt"
device = "radiator"
field = "occupied_heating_setpoint"
min = 15.0
max = 28.0
rate_per_min = 30
fallback = 18.0

[[actuators]]
name = "vm/*"
driver = "vm"
values = ["demo-small"]
rate_per_min = 60

[meetings]
check_in_opens_s = 60.0
no_show_s = 45.0
extend_before_s = 8.0
extend_step_s = {site.wishes.extend_s}
empty_end_s = 5.0

[fusion]
hold_s = 4.0
people_stale_s = 8.0
voice_stale_s = 8.0
motion_stale_s = 20.0

[plugins]
folder = "{root}/wasm_modules"
keys = "{root}/config/keys"

[plugins.settings.lights]
hold_s = 3.0
prelight_min = 0.5
lease_s = 30.0

[plugins.settings.climate]
lease_s = 30.0

[policy]
file = "{root}/config/policies/room.cedar"

[intents]
file = "{root}/config/intents.toml"

[journal]
path = "{site.journal}"

[clock]
always_trust = true

[health]
port = {ports.edge}

[panel]
port = {ports.panel}
theme = "{root}/config/theme"
"""


CLOUD_TOML = """# A service that lives for some minutes. See config/cloud.toml for every key.
guest = "{guest}"

[broker]
port = {ports.site}

[store]
url = "cloud.db"

[provider]
uri = "{site.hypervisor}"

[templates.demo-small]
memory_mib = 128
lead_s = {site.wishes.lead_s}
grace_s = 3.0
boot_s = 60.0

[health]
ingest_port = {ports.ingest}
reconcile_port = {ports.reconcile}
admin_port = {ports.admin_health}

[admin]
port = {ports.admin}
theme = "{root}/config/theme"
time_zone = "Europe/Berlin"
"""
