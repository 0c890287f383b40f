#!/bin/sh
# Says on the guest's page whose machine it is: key, token, room, meeting, title (percent-encoded).
# What people wrote is shown as text, never as HTML.
[ -z "$5" ] || shown="<p>$(httpd -e "$(httpd -d "$5")")</p>"
cat > /www/index.html <<PAGE
<!doctype html><html lang="en"><meta charset="utf-8"><title>Room $3</title>
<h1>Machine of room $3</h1>$shown<p>Meeting <code>$4</code></p><p>Key <code>$1</code></p></html>
PAGE
# Last: who reads it takes the machine for ready. A shell's own write, so nobody reads half of it.
printf '%s %s\n' "$1" "$2" > /www/ready
