#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Run inside the image while mkvm-debian-image makes it: a service that tells the second serial port
# what the booted system has, offers a file to whoever asks, and powers the machine off.
set -eu

cat >/usr/local/bin/mkvm-test <<'TEST'
#!/bin/sh
say() { echo "$*" >/dev/ttyS1; }
say pid1 "$(cat /proc/1/comm)"
say root "$(findmnt -no SOURCE,FSTYPE /)"
say address "$(ip -4 -o addr show scope global | awk '{ print $4 }')"
say fetched "$(busybox wget -q -O - http://10.0.2.2:8000/file | sha256sum | cut -c1-64)"
mkdir -p /srv
dd if=/dev/urandom of=/srv/offered bs=64k count=16 2>/dev/null
sync
say offered "$(sha256sum </srv/offered | cut -c1-64)"
busybox httpd -f -vv -p 8080 -h /srv 2>/run/httpd.log &
say listening
tries=0
while ! grep -q 'response:200' /run/httpd.log && [ $tries -lt 120 ]; do
	sleep 1
	tries=$((tries + 1))
done
# The getty is started behind this service's target: give it its time.
tries=0
while ! systemctl -q is-active serial-getty@ttyS0 && [ $tries -lt 60 ]; do
	sleep 1
	tries=$((tries + 1))
done
sleep 3
say failed "$(systemctl list-units --failed --no-legend --plain | awk '{ print $1 }' | tr '\n' ' ')"
say done
systemctl poweroff
TEST
chmod 755 /usr/local/bin/mkvm-test
cat >/etc/systemd/system/mkvm-test.service <<'UNIT'
[Unit]
Description=What mini-KVM's tests ask of the guest
Wants=network-online.target
After=network-online.target

[Service]
Type=simple
ExecStart=/usr/local/bin/mkvm-test

[Install]
WantedBy=multi-user.target
UNIT
systemctl -q enable mkvm-test.service
# Nothing is fetched after the boot, and timers would only disturb.
systemctl -q mask apt-daily.timer apt-daily-upgrade.timer
