#!/bin/sh
# The guest's first and only script: network up, one page that names the machine, READY.
# Told by the kernel's command line: rk.key, rk.token, rk.room, rk.meeting, rk.title, rk.hosts.
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
read -r line < /proc/cmdline
for word in $line; do
  case $word in
    rk.key=*) key=${word#*=} ;;
    rk.token=*) token=${word#*=} ;;
    rk.room=*) room=${word#*=} ;;
    rk.meeting=*) meeting=${word#*=} ;;
    rk.wait) wait=1 ;;
    rk.title=*) title=${word#*=} ;;
    rk.hosts=*) hosts=${word#*=} ;;
    console=tty0) screen=tty1 ;;
  esac
done
while read -r module; do
  # A machine without PCI (microvm) has no use for these.
  case $module in virtio_pci*) [ -d /proc/bus/pci ] || continue ;; esac
  insmod "/modules/$module"
done < /modules/order
ip link set lo up
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
# What it may reach stands in its hosts file; there is no name service.
echo "127.0.0.1 localhost" > /etc/hosts
for pair in $(IFS=,; set -f; printf '%s\n' $hosts); do
  echo "${pair%%=*} ${pair#*=}" >> /etc/hosts
done
if [ "$wait" ]; then
  mount -t sysfs sys /sys
  while :; do
    for port in /dev/vport*; do agent 80 "$port"; done
    sleep 1
  done
fi
agent 80 page "$key" "$token" "$room" "$meeting" "$title"
read -r uptime _ < /proc/uptime
# Waits for a listener, so it must not hold up anything; said again for who listens later.
for port in /dev/vport*; do
  [ -c "$port" ] && while echo "READY $key $uptime" > "$port"; do sleep 2; done &
done
if [ -n "$screen" ]; then
  printf '\033[2J\033[HMachine of room %s\n%s\n\n' "$room" "$(httpd -d "$title")" > "/dev/$screen"
  while :; do setsid sh -c "exec sh -i < /dev/$screen > /dev/$screen 2>&1"; sleep 1; done &
fi
mount -t sysfs sys /sys
while :; do wait; sleep 3600; done
