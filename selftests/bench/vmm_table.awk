# SPDX-License-Identifier: GPL-2.0
# Turns "@@VMM ROUND SIDE NAME VALUE" lines into a table of medians and, in the file named by json, into
# JSON. Fails when a figure of either side is missing in a round.
function row(name, text, unit) {
	names[++n] = name
	title[name] = text
	units[name] = unit
}

BEGIN {
	row("randread-1", "4 KiB random reads, 1 at once", "1/s")
	row("randwrite-1", "4 KiB random writes, 1 at once", "1/s")
	row("randread-32", "4 KiB random reads, 32 at once", "1/s")
	row("randwrite-32", "4 KiB random writes, 32 at once", "1/s")
	row("read-1m", "1 MiB sequential reads", "1/s")
	row("write-1m", "1 MiB sequential writes", "1/s")
	row("send", "iperf3, guest to host", "bit/s")
	row("receive", "iperf3, host to guest", "bit/s")
	row("start", "exec to the first entry", "1/s")
}

$1 == "@@VMM" && NF == 5 && $5 ~ /^[0-9]+$/ && !(($2, $3, $4) in value) {
	value[$2, $3, $4] = $5
	list[$3, $4] = list[$3, $4] " " $5
}

function median(text, v, k, i, j, t) {
	k = split(text, v, " ")
	for (i = 2; i <= k; i++) {
		for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) {
			t = v[j]; v[j] = v[j - 1]; v[j - 1] = t
		}
	}
	spread = k && v[1] > 0 ? sprintf("%.1f%%", 100 * (v[k] - v[1]) / v[1]) : "-"
	return k % 2 ? v[(k + 1) / 2] : (v[k / 2] + v[k / 2 + 1]) / 2
}

END {
	count_wanted = split(tests, want, " ")
	printf "%-32s %-6s %14s %7s %14s %7s %8s\n", "medians", "", "QEMU", "spread", "mkvm", "spread", "ratio"
	printf "[\n" >json
	for (i = 1; i <= n; i++) {
		name = names[i]
		if (index(" " tests " ", " " name " ") == 0)
			continue
		for (r = 1; r <= rounds; r++)
			missing += !((r, "qemu", name) in value) + !((r, "mkvm", name) in value)
		a = median(list["qemu", name]); a_spread = spread
		b = median(list["mkvm", name]); b_spread = spread
		ratio = a > 0 && b > 0 ? sprintf("%.3f", b / a) : "-"
		printf "%-32s %-6s %14.0f %7s %14.0f %7s %8s\n", title[name], units[name], a, a_spread, b, b_spread, ratio
		printf "%s  {\"name\": \"%s\", \"unit\": \"%s\", \"qemu\": %.0f, \"mkvm\": %.0f, \"ratio\": %s}",
			(printed++ ? ",\n" : ""), name, units[name], a, b, ratio == "-" ? "null" : ratio >json
	}
	printf "\n]\n" >json
	if (missing) {
		print "bench-vmm: " missing " figures are missing" >"/dev/stderr"
		exit 1
	}
}
