# SPDX-License-Identifier: GPL-2.0
# In the Debian guest: counts until somebody presses the power button, then says which key the
# kernel reported.
echo "clock=$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
event=$(grep -A 5 'Name="Power Button"' /proc/bus/input/devices | grep -o 'event[0-9]*' | head -n 1)
echo "button=${event:-none}"
dd if="/dev/input/$event" of=/tmp/pressed bs=24 count=1 2>/dev/null &
n=0
while [ ! -s /tmp/pressed ]; do
	n=$((n + 1))
	echo "tick=$n uptime=$(cut -d ' ' -f 1 /proc/uptime)"
	sleep 0.2
done
# struct input_event: the time, then type, code and value.
echo "key=$(hexdump -s 16 -n 8 -e '8/1 "%02x"' /tmp/pressed)"
# The end of this session hangs the terminal up, with what it has not sent yet.
sleep 1
