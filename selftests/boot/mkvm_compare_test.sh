#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Owns the tests of what `mkvm compare` refuses and what it makes of results, which need no VM. TAP on
# stdout.
# MKVM: the binary to test.
set -u
export LC_ALL=C

top=$(cd "$(dirname "$0")/../.." && pwd)
mkvm=${MKVM:-$top/userspace/mkvm}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1

# shellcheck source=selftests/lib/points.sh
. "$top/selftests/lib/points.sh"
tell_failure() { head -n 20 out err | sed 's/^/# /'; }
compare() { "$mkvm" compare "$@" >out 2>err; }
# refuses WORDS OPTION...: status 1, one line of report with these words, and nothing else
refuses() {
	local words=$1 status=0
	shift
	compare "$@" || status=$?
	[ $status -eq 1 ] && [ ! -s out ] && grep -qF -- "$words" err && grep -q '^mkvm: ' err
	point $? "compare $*: $words"
}

compare --help && grep -q '^Usage: mkvm compare' out
point $? "--help"
compare --list && grep -q '^exits ' out && grep -q '^mmio_write ' out
point $? "--list tells what can be measured"
refuses "there is no benchmark 'speed'" --bench speed
refuses "there is no benchmark ''" --bench cpuid,
refuses "there is no benchmark 'io_exits'" --bench io_exits
refuses "--bench names too many" --bench "$(printf 'cpuid,%.0s' {1..40})cpuid"
refuses "--repeat takes a number from 1 to 100, not '0'" --repeat 0
refuses "--vms takes a number from 1 to 256, not '1e3'" --vms 1e3
refuses "--memory takes a number" --memory 99999999999999999999
refuses "--smp takes a number from 1 to 64, not '-1'" --smp -1
refuses "--timeout takes a number" --timeout ''
refuses "--unit is cycles or instructions, not 'ns'" --unit ns
refuses "--only is kvm or minikvm, not 'xen'" --only xen
refuses "--initrd and --marker go together" --initrd x
refuses "--initrd and --marker go together" --marker x
refuses "with --initrd there is no 'blk'" --initrd x --marker y --bench blk
refuses "--kernel is empty" --kernel ''
refuses "--qemu /no/such: No such file" --qemu /no/such
refuses "a comma in the name" --disk a,b --qemu none
refuses "'more' is no option" more
refuses "see 'mkvm compare --help'" --speed
refuses "see 'mkvm compare --help'" --json
if [ "$(id -u)" -eq 0 ]; then
	refuses "--module 'a b' is no module" --module 'a b' --qemu none
	refuses "--stock-module '.' is no module" --stock-module . --qemu none
	grep -qw vmx /proc/cpuinfo || refuses "no VT-x" --qemu none
else
	refuses "that takes root" --qemu none
fi

cat >a.json <<'END'
{ "format": "mkvm-compare", "version": 1, "hosts": [ {
  "cpu": "One", "kernel": "Linux", "mkvm": "0.1", "guest": "none", "date": "today", "unit": "cycles",
  "cpus": 1, "tsc_khz": 1000000,
  "columns": [ { "id": "kvm", "title": "stock KVM" }, { "id": "minikvm", "title": "mini-KVM" } ],
  "rows": [ { "group": "Cost of an exit", "name": "cpuid", "title": "CPUID exit", "unit": "tsc",
    "values": { "kvm": { "n": 9, "p50": 1000, "p90": 1500 }, "minikvm": { "n": 9, "p50": 400, "p90": 401 } } } ],
  "notes": [ "a note" ] } ] }
END
sed 's/"One"/"Two"/' a.json >b.json
compare --from a.json && grep -qE '^CPUID exit +1000 / +1500 +400 / +401 +0\.400$' out && grep -q 'a note' out
point $? "a table is made of a result"
compare --from a.json --from b.json --json c.json --html c.html --quiet && [ ! -s out ] && [ ! -s err ]
point $? "two results become one, without a table"
python3 - <<'END' >out 2>err
import html.parser, json
hosts = json.load(open('c.json'))['hosts']
assert [h['cpu'] for h in hosts] == ['One', 'Two']
class Page(html.parser.HTMLParser):
    open, seen = [], 0
    void = {'meta', 'br', 'rect', 'path'}
    def handle_starttag(self, tag, attrs):
        assert tag not in ('script', 'img', 'link', 'iframe'), tag
        self.seen += tag == 'rect'
        if tag not in self.void:
            self.open.append(tag)
    def handle_startendtag(self, tag, attrs):
        self.seen += tag == 'rect'
    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag, tag
page = Page()
page.feed(open('c.html').read())
assert 'html' not in page.open or page.open == [], page.open
assert page.seen == 4, page.seen
END
point $? "python reads the JSON; the page is well-formed, and has a bar for each figure"
compare --from c.json --json - && cmp -s out c.json
point $? "--json - writes to standard output what was read, and no table"
"$mkvm" compare --from - --quiet --json d.json <a.json && cmp -s <(python3 -m json.tool a.json) <(python3 -m json.tool d.json)
point $? "--from - reads standard input"
refuses "a.json: No such file or directory" --from no/a.json
printf '{"format": "mkvm-compare"' >bad.json
refuses "bad.json: line 1" --from bad.json
echo '{}' >bad.json
refuses "bad.json: not a result of mkvm compare" --from bad.json
refuses "no/c.html: No such file or directory" --from a.json --quiet --html no/c.html
[ -z "$(find . -name 'c.html.*')" ]
point $? "no half-written file stays"

end_points
